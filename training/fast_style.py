r"""Train the one-pass style network on the course's own paintings, on a CPU, resumably.

    python -m training.fast_style FOLDER
    python -m training.fast_style FOLDER --export data/weights

FOLDER is any folder of pictures, searched with its sub-folders. ``--paintings`` takes other style pictures. The losses
are those of notebook 11, in the features of ``mini_vgg``: relative Gram distances to a painting, the relative change of
a middle layer, total variation.

Source: Johnson et al., arXiv:1603.08155; Dumoulin et al., arXiv:1610.07629.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.utils import save_image
from tqdm import tqdm

from cs231n_viz import load_image, load_model
from cs231n_viz.pictures.images import centre_square
from cs231n_viz.style.fast import FastStyle
from cs231n_viz.style.training import STYLE_PIXELS, style_terms
from cs231n_viz.texture.neural import grams, style_layers
from training.files import keep_checkpoint, ship_weights
from training.pictures import load

SUFFIXES = {".jpg", ".jpeg", ".png"}


def find(folder: Path) -> list[tuple[Path, str]]:
    """All pictures in a folder and its sub-folders, masks aside."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and "masks" not in path.parts)
    if not paths:
        raise SystemExit(f"there are no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    return [(path, "") for path in paths]


class Run:
    """One resumable training run."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        torch.manual_seed(args.seed)
        paths = sorted(path for path in args.paintings.iterdir() if path.suffix.lower() in SUFFIXES)
        self.network = FastStyle([path.stem for path in paths]).to(memory_format=torch.channels_last)
        self.critic = load_model("mini_vgg").to(memory_format=torch.channels_last)
        self.layers = list(style_layers(self.critic))
        found = [grams(self.critic, centre_square(load_image(path), STYLE_PIXELS), self.layers) for path in paths]
        self.targets = {layer: torch.cat([each[layer] for each in found]) for layer in self.layers}
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=args.lr, betas=(0.9, 0.99))
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        self.path = args.out / "fast_style" / "last.pt"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._resume(torch.load(self.path, weights_only=True))

    def _resume(self, state: dict) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]

    def save(self) -> None:
        """Write the checkpoint beside the old one, then swap them, so that a kill never leaves half a file."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "styles": self.network.styles,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "command": {
                k: str(v) for k, v in vars(self.args).items() if k not in {"root", "out", "export", "paintings"}
            },
        }
        keep_checkpoint(state, self.path)

    def batch(self, images: list[Tensor], step: int) -> tuple[Tensor, Tensor]:
        """Random square views (N, 3, size, size) and a random style for each."""
        random = torch.Generator().manual_seed(self.args.seed * 1_000_000 + step)
        views = []
        for row in torch.randint(len(images), (self.args.batch,), generator=random).tolist():
            image = images[row]
            height, width = image.shape[-2:]
            u = torch.rand(4, generator=random).tolist()
            side = round(min(height, width) * (0.6 + 0.4 * u[0]))
            top, left = round(u[1] * (height - side)), round(u[2] * (width - side))
            part = image[None, :, top : top + side, left : left + side].float().div(255)
            part = part.flip(3) if u[3] < 0.5 else part
            views.append(F.interpolate(part, size=self.args.size, mode="bilinear", antialias=side > self.args.size))
        styles = torch.randint(len(self.network.styles), (self.args.batch,), generator=random)
        return torch.cat(views).contiguous(memory_format=torch.channels_last), styles

    def losses(self, images: Tensor, styles: Tensor) -> dict[str, Tensor]:
        """The three terms, each a mean over the batch."""
        return style_terms(
            self.network,
            self.critic,
            images,
            weights=F.one_hot(styles, len(self.network.styles)).float(),
            targets={layer: target[styles] for layer, target in self.targets.items()},
            factors=(self.args.content, self.args.style, self.args.variation),
        )

    def train(self, images: list[Tensor]) -> None:
        """Go on from where the checkpoint stands to the last step."""
        start, kept = time.perf_counter(), self.seconds
        left, total = range(self.step, self.args.steps), self.args.steps
        for step in tqdm(left, initial=self.step, total=total, unit="step", mininterval=10):
            self.optimizer.param_groups[0]["lr"] = self.args.lr * min(1.0, 3 * (1 - step / total), (step + 1) / 50)
            terms = self.losses(*self.batch(images, step))
            self.optimizer.zero_grad()
            sum(terms.values()).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
            self.optimizer.step()
            self.step, self.seconds = step + 1, kept + time.perf_counter() - start
            if self.step % 50 == 0:
                self.history.append({"step": self.step} | {name: term.item() for name, term in terms.items()})
                print({k: round(v, 3) for k, v in self.history[-1].items()}, flush=True)
            if self.step % 200 == 0 or self.step == total:
                self.save()
                self.sample()

    @torch.no_grad()
    def sample(self) -> None:
        """Two photographs in every style, as one picture beside the checkpoint."""
        rows = []
        for name in ("cat", "astronaut"):
            image = centre_square(load_image(name), 256)
            rows += [image, *(self.network(image, weights) for weights in torch.eye(len(self.network.styles)))]
        save_image(torch.cat(rows), self.path.with_name("sample.png"), nrow=len(self.network.styles) + 1)


def export(state: dict, folder: Path) -> str:
    """Write half-precision weights and their card; returns the card."""
    weights = state["network"]
    metadata = {"styles": json.dumps(state["styles"]), "format": "pt"}
    sha = ship_weights(weights, folder / "fast_style.safetensors", metadata)
    options = " ".join(f"--{key} {value}" for key, value in state["command"].items() if value != "None")
    last = state["history"][-20:]
    means = {key: sum(row[key] for row in last) / len(last) for key in ("content", "style", "variation")}
    parameters = sum(value.numel() for value in weights.values())
    each = sum(value[0].numel() for key, value in weights.items() if "norm" in key)
    lines = [
        "# fast_style",
        "",
        f"{parameters:,} parameters, half precision; {each:,} of them ({each / parameters:.1%}) belong to each of the "
        f"{len(state['styles'])} styles: {', '.join(state['styles'])}.",
        "",
        f"- sha256: `{sha}`",
        f"- made by: `python -m training.fast_style FOLDER {options}`, then the same with `--export data/weights`",
        f"- time: {state['seconds'] / 60:.0f} minutes on a {platform.machine()} CPU, torch bf16, on shared cores",
        "- pictures: those that the classifiers were trained on (see `mini_vgg.md` for sources and licences); any "
        "folder of photographs will do",
        "- styles: `data/paintings/`, painted by this course's own code",
        f"- mean losses over the last steps: {', '.join(f'{name} {value:.3f}' for name, value in means.items())}",
        "",
        "Limits: trained on small photographs; pictures much larger than 512 px get strokes that are small for them.",
        "",
    ]
    (folder / "fast_style.md").write_text("\n".join(lines))
    return "\n".join(lines)


def main() -> None:
    """Train, resuming where a checkpoint is found; or export what was trained."""
    parser = argparse.ArgumentParser(
        prog="python -m training.fast_style", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of photographs")
    parser.add_argument("--paintings", type=Path, default=Path("data/paintings"), help="folder of style pictures")
    parser.add_argument("--pictures", type=int, default=6000, help="how many photographs to keep in memory at most")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=192, help="side of the training views in pixels")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--content", type=float, default=1.0)
    parser.add_argument("--style", type=float, default=8.0)
    parser.add_argument("--variation", type=float, default=10.0)
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs"), help="checkpoints; a second call resumes")
    parser.add_argument("--export", type=Path, help="write the weights and their card into this folder, do not train")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.export:
        print(export(torch.load(args.out / "fast_style" / "last.pt", weights_only=True), args.export))
        return
    rows = find(args.root)
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(args.seed))[: args.pictures]
    Image.MAX_IMAGE_PIXELS = None
    Run(args).train(load([rows[i] for i in chosen.tolist()], short_side=256))


if __name__ == "__main__":
    main()
