r"""Train all layers of a classifier after pool2 again, on kinds of views that are missing from its data sets.

mini_alexnet's last layer alone cannot learn from the views of ``training.last_layer`` what mini_vgg's can: its
convolutions do not distinguish a face in the street from a French horn. So they are trained as well, all but the first
two, which stay frozen. The output of pool2 for each view is recorded once (6 GB; twice that in memory); an epoch then
takes three minutes. For plain and upright views the soft labels are a mixture of the outputs of the earlier network,
the teacher and the mini_vgg that ships, which has learned from such views already; for the others they are mini_vgg's
alone. How many views there are of each kind was chosen by the accuracy on held-out pictures and by the predictions for
the photographs that come with the course:

    python -m training.upper_layers ROOT runs/second/mini_alexnet/last.pt \
        --teacher runs/squeezenet1_1/last.pt --out runs/third
    python -m training.export ROOT runs/third/mini_alexnet/last.pt

Source: Kang et al., "Decoupling representation and classifier", ICLR 2020, arXiv:1910.09217, section 4 (two stages,
each with its own sampling).
Differs from the paper: there the classifier is trained again on classes sampled uniformly; here the convolutions see
rare classes and small objects more often than in proportion to their number, the linear layers nearly in proportion.
"""

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from cs231n_viz import load_model
from cs231n_viz.network.precision import half_precision
from cs231n_viz.network.shipped import ARCHITECTURES
from training import pictures
from training.classifiers import (
    RECIPES,
    accuracy,
    decay_groups,
    held_out_sets,
    load_teacher,
    normalise,
    teacher_views,
)
from training.export import folded
from training.files import save_checkpoint
from training.last_layer import Views
from training.runs import command_line

LAST_FROZEN = "pool2"  # the layers up to here stay as they are
VIEWS = {"plain": 15000, "upright": 2000, "face": 3000, "small": 10000, "recoloured": 2000}  # of each kind, in a shard
_SOFT_SHARE = {"plain": 0.8, "upright": 0.8, "face": 0.48, "small": 0.48, "recoloured": 0.0}  # of the loss
_TEMPERATURE = 2.0
_BATCH = 128
_DECAY = 0.05


@dataclass(frozen=True)
class Stage:
    """One stage of the training: which layers, how long, and how often it sees which views.

    Attributes:
        after: Name of the layer after which all layers are trained.
        epochs: Number of epochs.
        repeats: Kind of view -> how often each is sampled in an epoch, on average; 0 if missing.
        power: Kind of view -> p: views are sampled in proportion to the size of their class ** p; 0 if missing.
    """

    after: str
    epochs: int
    repeats: dict[str, float]
    power: dict[str, float]


# Convolutions gain from rare classes and difficult views; the linear layers from classes nearly in proportion.
STAGES = (
    Stage("pool2", 4, {"plain": 1.2, "upright": 1.0, "face": 1.0, "small": 0.9}, {"plain": 0.15, "small": 0.2}),
    Stage(
        "flatten",
        3,
        {"plain": 1.8, "upright": 1.0, "face": 2.0, "small": 0.9, "recoloured": 1.0},
        {"plain": 0.4, "small": 0.6},
    ),
)


def merged(state: dict, dropout: float = 0.0) -> nn.Sequential:
    """Build the network of a checkpoint with its batch norms merged into the convolutions, and identities instead."""
    network = ARCHITECTURES[state["name"]](len(state["categories"]), batch_norm=True, dropout=dropout)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var -= module.eps
    network.load_state_dict(folded(state).state_dict(), strict=False)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def split(network: nn.Sequential, last: str = LAST_FROZEN) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the layers up to ``last``, and the layers after it."""
    end = [name for name, _ in network.named_children()].index(last) + 1
    return network[:end], network[end:]


@torch.no_grad()
def record(root: Path, checkpoint: Path, teacher: Path, seed: int, file: Path) -> None:
    """Record the outputs of the frozen layers for a shard of views, with labels, kinds and soft labels."""
    torch.set_num_threads(1)  # the other cores record other shards
    state = torch.load(checkpoint, weights_only=True)
    categories = state["categories"]
    lower, upper = split(merged(state))
    squeezenet, mini_vgg = load_teacher(teacher, len(categories)), load_model("mini_vgg")
    data = pictures.find(root)
    labels = torch.tensor([categories.index(label) for _, label in data.train])
    images = pictures.load(data.train, short_side=256)
    views = Views(images, labels, categories, RECIPES[state["name"]].input_size, seed)
    rows: dict[str, list[Tensor]] = {"inputs": [], "labels": [], "kinds": [], "soft": []}
    for kind, (name, count) in enumerate(VIEWS.items()):
        for batch, truth in tqdm(views.batches(name, count), desc=f"shard {seed}: {name} views", mininterval=10):
            batch = normalise(batch)
            small = F.interpolate(batch, size=mini_vgg.input_size, mode="bilinear", antialias=True)
            with half_precision(torch.device("cpu")):
                inputs = lower(batch)
                outputs = [(1.0, mini_vgg.network(small))]
                if name in ("plain", "upright"):  # only mini_vgg was trained on the others
                    outputs = [(0.4, upper(inputs)), (0.3, squeezenet(teacher_views(batch))), (0.3, outputs[0][1])]
            rows["inputs"].append(inputs.bfloat16())
            rows["labels"].append(truth)
            rows["kinds"].append(torch.full_like(truth, kind))
            rows["soft"].append(sum(share * (z.float() / _TEMPERATURE).softmax(1) for share, z in outputs))
    save_checkpoint({key: torch.cat(parts) for key, parts in rows.items()}, file)


def sampling_weights(labels: Tensor, kinds: Tensor, stage: Stage) -> tuple[Tensor, int]:
    """Compute the sampling weight of each view, (N,), and the number of views in an epoch."""
    plain = labels[kinds == 0]
    counts = torch.bincount(plain, minlength=int(labels.max()) + 1).clamp(min=1).float()
    sizes = counts.square()  # views were sampled in proportion to the root of the size of their class
    weights = torch.zeros(len(labels))
    for kind, name in enumerate(VIEWS):
        of_kind = kinds == kind
        relative = sizes[labels[of_kind]] ** stage.power.get(name, 0.0)
        weights[of_kind] = stage.repeats.get(name, 0.0) * len(relative) * relative / relative.sum()
    return weights, int(weights.sum().round())


@torch.no_grad()
def run_layers(layers: nn.Sequential, inputs: Tensor) -> Tensor:
    """Compute the outputs of some layers for recorded inputs, in bfloat16."""
    return torch.cat([layers(part.float()).bfloat16() for part in inputs.split(512)]) if len(layers) else inputs


def tune(upper: nn.Sequential, views: dict[str, Tensor], stage: Stage, *, lr: float, seed: int) -> None:
    """Train the layers of a stage; the statistics of their batch norms stay as they are.

    Args:
        upper: The layers after ``LAST_FROZEN``, changed in place.
        views: ``inputs``, ``labels`` (N,), ``kinds`` (N,) as indices of ``VIEWS``, and ``soft`` (N, classes).
        stage: Which of the layers to train, and how.
        lr: Highest learning rate.
        seed: Random seed for the order and for dropout.
    """
    torch.manual_seed(seed)
    frozen, trained = split(upper, stage.after) if stage.after != LAST_FROZEN else (upper[:0], upper)
    inputs = run_layers(frozen, views["inputs"])
    trained.requires_grad_(True)
    for module in trained.modules():
        module.train(isinstance(module, nn.Dropout))
    optimizer = torch.optim.AdamW(decay_groups(trained, _DECAY), lr=lr)
    weights, length = sampling_weights(views["labels"], views["kinds"], stage)
    steps = stage.epochs * math.ceil(length / _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1, pct_start=0.15)
    soft_share = torch.tensor(list(_SOFT_SHARE.values()))[views["kinds"]]
    memory_format = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
    for epoch in range(stage.epochs):
        batches = torch.multinomial(weights, length, replacement=True).split(_BATCH)
        for rows in tqdm(batches, desc=f"after {stage.after}, epoch {epoch + 1}/{stage.epochs}", mininterval=10):
            with half_precision(torch.device("cpu")):
                logits = trained(inputs[rows].float().contiguous(memory_format=memory_format)).float()
            hard = F.cross_entropy(logits, views["labels"][rows], label_smoothing=0.1, reduction="none")
            logs = (logits / _TEMPERATURE).log_softmax(1)
            soft = F.kl_div(logs, views["soft"][rows], reduction="none").sum(1) * _TEMPERATURE**2
            loss = torch.lerp(hard, soft, soft_share[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 2.0)
            optimizer.step()
            schedule.step()
    trained.eval().requires_grad_(False)


def parser() -> argparse.ArgumentParser:
    """Make the command line."""
    parser = command_line("upper_layers", __doc__)
    parser.add_argument("checkpoint", type=Path, help="of training.classifiers")
    parser.add_argument("--teacher", type=Path, required=True, help="checkpoint of a fine-tuned squeezenet1_1 run")
    parser.add_argument("--shards", type=int, default=4, help=f"times that {sum(VIEWS.values())} views are recorded")
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/third"), help="views and stages that are there are used again"
    )
    return parser


def main() -> None:
    """Record the views, each shard once, train on them and save another checkpoint."""
    args = parser().parse_args()
    start = time.perf_counter()
    state = torch.load(args.checkpoint, weights_only=True)
    out = args.out / state["name"]
    out.mkdir(parents=True, exist_ok=True)
    files = [out / f"views_{args.seed + shard}.pt" for shard in range(args.shards)]
    with ProcessPoolExecutor(torch.get_num_threads(), mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(record, args.root, args.checkpoint, args.teacher, args.seed + shard, file)
            for shard, file in enumerate(files)
            if not file.exists()
        ]
        for job in jobs:
            job.result()
    shards = [torch.load(file, weights_only=True) for file in files]
    views = {key: torch.cat([shard.pop(key) for shard in shards]) for key in list(shards[0])}
    network = merged(state, args.dropout)
    upper = split(network)[1]
    for number, stage in enumerate(STAGES, start=1):
        done = out / f"stage_{number}.pt"
        if done.exists():
            upper.load_state_dict(torch.load(done, weights_only=True))
        else:
            tune(upper, views, stage, lr=args.lr, seed=args.seed)
            save_checkpoint(upper.state_dict(), done)
    keys = ("shards", "lr", "dropout", "seed")
    state["upper_layers"] = {key: getattr(args, key) for key in keys} | {"seconds": time.perf_counter() - start}
    state["network"] = network.state_dict()
    save_checkpoint(state, out / "last.pt")
    network = folded(state)
    for name, (crops, truth) in held_out_sets(pictures.find(args.root), RECIPES[state["name"]].input_size).items():
        print(f"{name}: {accuracy(network, crops, truth, len(state['categories']))[0]:.1%}")
    print(f"wrote {out / 'last.pt'}: the layers after {LAST_FROZEN}, trained on {len(views['labels'])} views")


if __name__ == "__main__":
    main()
