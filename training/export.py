"""Export trained checkpoints as the files that ship: batch norms folded, in half precision, with a model card.

    python -m training.export ROOT runs/third/mini_alexnet/last.pt runs/third/mini_vgg/last.pt

The numbers in a card are measured here, on the file that ships: the held-out accuracy by data set, the predictions for
the bundled photographs (which were never trained on), and how smooth the first filters are.
"""

import json
import platform
from pathlib import Path

import torch
from torch import nn

from cs231n_viz import load_model
from cs231n_viz.network.shipped import ARCHITECTURES, fold_batch_norm
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.representation import filters
from training import pictures
from training.classifiers import MEAN, RECIPES, STD, Recipe, accuracy, held_out_sets
from training.files import ship_weights
from training.runs import command_line

SETS = {
    "caltech101": ("Caltech-101 (without Faces_easy and the background class), a random fifth", "CC BY 4.0"),
    "imagenette": ("Imagenette 160 px, validation pictures", "ImageNet terms of access (research)"),
    "pets": ("cats and dogs, a random fifth", "Asirra subset, no licence stated; or Oxford-IIIT Pet, CC BY-SA 4.0"),
    "flowers": ("flowers, a random fifth", "VGG Flowers-17 / -102, for research"),
}

INPUT_SIZES = {name: recipe.input_size for name, recipe in RECIPES.items()} | {"mini_vgg_robust": 192}

_SCRIPTS = {  # script -> the layers that it trains again, its other arguments, its other kinds of views
    "last_layer": ("its last layer was", "", "and on small objects"),
    "upper_layers": (
        "its layers after pool2 were",
        "--teacher CHECKPOINT ",
        "on small objects and on flowers of other hues",
    ),
}


def folded(state: dict) -> nn.Sequential:
    """Build the network of a checkpoint, its batch norms merged into the convolutions."""
    name, classes = state["name"], len(state["categories"])
    trained = ARCHITECTURES[name](classes, batch_norm=True)
    trained.load_state_dict(state["network"])
    return fold_batch_norm(trained, ARCHITECTURES[name](classes))


def export(checkpoint: Path, folder: Path) -> str:
    """Fold the batch norms of a checkpoint and write it as half-precision safetensors; return the network's name."""
    state = torch.load(checkpoint, weights_only=True)
    name, plain = state["name"], folded(state)
    facts = {"categories": state["categories"], "mean": MEAN, "std": STD, "input_size": INPUT_SIZES[name]}
    metadata = {"classifier": json.dumps(facts), "format": "pt"}
    ship_weights(plain.state_dict(), folder / f"{name}.safetensors", metadata)
    return name


def measure(name: str, sets: dict, classes: int) -> dict:
    """Measure all numbers that the card reports about the shipped file."""
    model = load_model(name)
    accuracies = {key: (*accuracy(model.network, *rows, classes), len(rows[1])) for key, rows in sets.items()}
    first = filters.first_convolution(model).weight
    smooth = int((filters.smooth_share(first) >= 0.8).sum()) if first.shape[-1] > 3 else None
    return {"accuracies": accuracies, "smooth": smooth, "filters": len(first)}


def predictions_table(name: str) -> list[str]:
    """Write what a network says of the bundled photographs, as the lines of a Markdown table."""
    model = load_model(name)
    lines = ["| bundled photograph, never trained on | its three most probable categories |", "|---|---|"]
    for photo in Gallery.photos().names:
        best = model.predict(photo, k=3)[0]
        lines.append(f"| {photo} | {', '.join(f'{label} {p:.0%}' for label, p in best)} |")
    return lines


def card(name: str, checkpoint: Path, measured: dict, folder: Path) -> str:
    """Write the model card, as Markdown."""
    state = torch.load(checkpoint, weights_only=True)
    model, recipe = load_model(name), RECIPES[name]
    parameters = sum(p.numel() for p in model.network.parameters())
    sha = json.loads((folder / "sha256.json").read_text())[f"{name}.safetensors"]
    lines = [
        f"# {name}",
        "",
        f"{parameters:,} parameters, half precision, batch norm folded into the convolutions; "
        f"{len(model.categories)} categories; pictures of {model.input_size} px, RGB in [0, 1], normalised inside the "
        f"model by mean {MEAN} and std {STD}.",
        "",
        f"- sha256: `{sha}`",
        f"- made by: {_command(state['command'])}, then `python -m training.export`",
        *_earlier(state),
        *_trained_again(state),
        f"- seed {state['command']['seed']}, {len(state['history'])} epochs, {_sizes(recipe)}",
        f"- time: {state['seconds'] / 60:.0f} minutes of training on {machine(state['command'])}",
        "- teacher: an ImageNet SqueezeNet 1.1, fine-tuned on the same pictures by the same script; 70 % of the loss "
        "are its soft labels",
        "",
        "| held out, never trained on | pictures | top-1 | mean per class | licence of the data |",
        "|---|---|---|---|---|",
    ]
    for key, (top, per_class, count) in measured["accuracies"].items():
        lines.append(f"| {SETS[key][0]} | {count} | {top:.1%} | {per_class:.1%} | {SETS[key][1]} |")
    if measured["smooth"] is not None:
        lines += ["", f"First layer: {measured['smooth']} of {measured['filters']} filters have at least 80 % of their "
                  "spectral energy below half the Nyquist frequency."]  # fmt: skip
    lines += ["", *predictions_table(name)]
    lines += ["", "Limits: it was trained on a few thousand pictures of centred objects. It is a network to look into, "
              "not one to rely on; its prediction for a picture outside its categories means nothing.", ""]  # fmt: skip
    return "\n".join(lines)


def _command(command: dict[str, str]) -> str:
    options = " ".join(
        f"--{key} {command[key]}"
        for key in ("network", "teacher", "start", "epochs", "lr", "finish", "seed")
        if command.get(key, "None") != "None"
    )
    return f"`python -m training.classifiers ROOT {options}`"


def _earlier(state: dict) -> list[str]:
    runs = state.get("earlier", [])
    before = sum(run["epochs"] for run in runs)
    commands = ", then ".join(_command(run | {"epochs": "None"}) for run in runs)
    return [f"- began with the weights of {before} earlier epochs: {commands}"] if runs else []


def _trained_again(state: dict) -> list[str]:
    """Say how some layers were trained again by another script, if they were."""
    lines = []
    for script, (layers, arguments, views) in _SCRIPTS.items():
        if script in state:
            options = " ".join(f"--{key} {value}" for key, value in state[script].items() if key != "seconds")
            lines.append(
                f"- {layers} then trained again, {state[script]['seconds'] / 60:.0f} minutes: `python -m "
                f"training.{script} ROOT CHECKPOINT {arguments}{options}`, on upright views of classes that "
                f"Caltech-101 rotated, on faces in other places, {views}; how many of each was chosen by the tables "
                "below"
            )
    return lines


def _sizes(recipe: Recipe) -> str:
    return "pictures of " + ", then ".join(f"{size} px" for _, size in recipe.sizes)


def machine(command: dict[str, str]) -> str:
    """Describe the machine of a run, as far as its options tell."""
    threads = command.get("threads", "None")
    number = "all cores" if threads == "None" else "1 thread" if threads == "1" else f"{threads} threads"
    return f"{number} of a {platform.machine()} CPU, torch bf16"


def main() -> None:
    """Export each checkpoint, measure it and write its card."""
    parser = command_line("export", __doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--folder", type=Path, default=Path("data/weights"))
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    names = [export(checkpoint, args.folder) for checkpoint in args.checkpoints]
    data = pictures.find(args.root)
    for name, checkpoint in zip(names, args.checkpoints, strict=True):
        sets = held_out_sets(data, RECIPES[name].input_size)
        measured = measure(name, sets, len(data.categories))
        text = card(name, checkpoint, measured, args.folder)
        (args.folder / f"{name}.md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
