r"""Train all layers of a classifier behind pool2 again, on views that its data sets hold back.

mini_alexnet's last layer alone cannot learn from the views of ``training.last_layer`` what mini_vgg's can: its
convolutions do not tell a face in the street from a French horn. So they are trained as well, all but the first two,
whose filters are fine as they are. What pool2 makes of each view is recorded once (6 GB; twice that in memory); an
epoch then takes three minutes. Plain and upright views also keep the answers of the network as it was, of the teacher
and of the mini_vgg that ships, which has learned from such views already; the other views have mini_vgg's alone. How
many views of each kind was chosen by the accuracy on held-out pictures and by the answers on the photographs that come
with the course:

    python -m training.upper_layers ROOT runs/second/mini_alexnet/last.pt \
        --teacher runs/squeezenet1_1/last.pt --out runs/third
    python -m training.export ROOT runs/third/mini_alexnet/last.pt

Source: Kang et al., "Decoupling representation and classifier", ICLR 2020, arXiv:1910.09217, section 4 (two stages,
each with a sampling of its own).
Differs from the paper: there the classifier is trained again on classes drawn alike; here the convolutions see rare
classes and small objects more often than they come, and the linear layers learn how common they are.
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
from cs231n_viz.network.shipped import ARCHITECTURES
from training import pictures
from training.classifiers import RECIPES, accuracy, held_out_sets, load_teacher, normalise, seen_by_teacher
from training.export import folded
from training.files import keep_checkpoint
from training.last_layer import Views

LAST_KEPT = "pool2"  # the layers up to here stay as they are
VIEWS = {"plain": 15000, "upright": 2000, "face": 3000, "small": 10000, "recoloured": 2000}  # of each kind, in a shard
_TEACHING = {"plain": 0.8, "upright": 0.8, "face": 0.48, "small": 0.48, "recoloured": 0.0}  # share of the soft labels
_TEMPERATURE = 2.0
_BATCH = 128
_DECAY = 0.05


@dataclass(frozen=True)
class Stage:
    """One stage of the training: which layers, how long, and how often it sees which views."""

    behind: str  # the layer behind which all are trained
    epochs: int
    often: dict[str, float]  # views of a kind are drawn this often in an epoch, on average,
    common: dict[str, float]  # and in proportion to the size of their class ** this


# Convolutions gain from rare classes and hard views; what is made of them, from classes nearly as they come.
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
    """The network of a checkpoint in training's shape, its batch norms merged and left behind as identities."""
    network = ARCHITECTURES[state["name"]](len(state["categories"]), batch_norm=True, dropout=dropout)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var -= module.eps
    network.load_state_dict(folded(state).state_dict(), strict=False)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def split(network: nn.Sequential, last: str = LAST_KEPT) -> tuple[nn.Sequential, nn.Sequential]:
    """The layers up to this one, and those behind it."""
    end = [name for name, _ in network.named_children()].index(last) + 1
    return network[:end], network[end:]


@torch.no_grad()
def record(root: Path, checkpoint: Path, teacher: Path, seed: int, file: Path) -> None:
    """Write what the kept layers make of a shard of views, with labels, kinds and soft labels."""
    torch.set_num_threads(1)  # the other cores record other shards
    state = torch.load(checkpoint, weights_only=True)
    categories = state["categories"]
    lower, upper = split(merged(state))
    taught, mini_vgg = load_teacher(teacher, len(categories)), load_model("mini_vgg")
    found = pictures.find(root)
    labels = torch.tensor([categories.index(label) for _, label in found.train])
    images = pictures.load(found.train, short_side=256)
    views = Views(images, labels, categories, RECIPES[state["name"]].input_size, seed)
    rows: dict[str, list[Tensor]] = {"inputs": [], "labels": [], "kinds": [], "soft": []}
    for kind, (name, count) in enumerate(VIEWS.items()):
        for batch, truth in tqdm(views.batches(name, count), desc=f"shard {seed}: {name} views", mininterval=10):
            batch = normalise(batch)
            small = F.interpolate(batch, size=mini_vgg.input_size, mode="bilinear", antialias=True)
            with torch.autocast("cpu", torch.bfloat16):
                inputs = lower(batch)
                answers = [(1.0, mini_vgg.network(small))]
                if name in ("plain", "upright"):  # of the others, only mini_vgg has seen any
                    answers = [(0.4, upper(inputs)), (0.3, taught(seen_by_teacher(batch))), (0.3, answers[0][1])]
            rows["inputs"].append(inputs.bfloat16())
            rows["labels"].append(truth)
            rows["kinds"].append(torch.full_like(truth, kind))
            rows["soft"].append(sum(share * (z.float() / _TEMPERATURE).softmax(1) for share, z in answers))
    keep_checkpoint({key: torch.cat(parts) for key, parts in rows.items()}, file)


def drawing(labels: Tensor, kinds: Tensor, stage: Stage) -> tuple[Tensor, int]:
    """How often each view is to be drawn, (N,), in proportion, and how many make an epoch."""
    plain = labels[kinds == 0]
    sizes = torch.bincount(plain, minlength=int(labels.max()) + 1).clamp(min=1).float().square()  # drawn by their root
    chances = torch.zeros(len(labels))
    for kind, name in enumerate(VIEWS):
        mine = kinds == kind
        weights = sizes[labels[mine]] ** stage.common.get(name, 0.0)
        chances[mine] = stage.often.get(name, 0.0) * len(weights) * weights / weights.sum()
    return chances, int(chances.sum().round())


@torch.no_grad()
def passed(layers: nn.Sequential, inputs: Tensor) -> Tensor:
    """What layers make of recorded inputs, recorded again."""
    return torch.cat([layers(part.float()).bfloat16() for part in inputs.split(512)]) if len(layers) else inputs


def tune(upper: nn.Sequential, seen: dict[str, Tensor], stage: Stage, *, lr: float, seed: int) -> None:
    """Train the layers that a stage is about; the statistics of their batch norms stay.

    Args:
        upper: the layers behind ``LAST_KEPT``, changed in place.
        seen: ``inputs``, ``labels`` (N,), ``kinds`` (N,) by their place in ``VIEWS`` and ``soft`` (N, classes).
        stage: which of the layers to train, and how.
        lr: highest step size.
        seed: of the order and of dropout.
    """
    torch.manual_seed(seed)
    kept, trained = split(upper, stage.behind) if stage.behind != LAST_KEPT else (upper[:0], upper)
    inputs = passed(kept, seen["inputs"])
    trained.requires_grad_(True)
    for module in trained.modules():
        module.train(isinstance(module, nn.Dropout))
    weights = [p for p in trained.parameters() if p.ndim > 1]
    others = [p for p in trained.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": _DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr)
    chances, length = drawing(seen["labels"], seen["kinds"], stage)
    steps = stage.epochs * math.ceil(length / _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1, pct_start=0.15)
    teaching = torch.tensor(list(_TEACHING.values()))[seen["kinds"]]
    layout = torch.channels_last if inputs.ndim == 4 else torch.contiguous_format
    for epoch in range(stage.epochs):
        batches = torch.multinomial(chances, length, replacement=True).split(_BATCH)
        for rows in tqdm(batches, desc=f"behind {stage.behind}, epoch {epoch + 1}/{stage.epochs}", mininterval=10):
            with torch.autocast("cpu", torch.bfloat16):
                logits = trained(inputs[rows].contiguous(memory_format=layout)).float()
            hard = F.cross_entropy(logits, seen["labels"][rows], label_smoothing=0.1, reduction="none")
            answers = (logits / _TEMPERATURE).log_softmax(1)
            soft = F.kl_div(answers, seen["soft"][rows], reduction="none").sum(1) * _TEMPERATURE**2
            loss = torch.lerp(hard, soft, teaching[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 2.0)
            optimizer.step()
            schedule.step()
    trained.eval().requires_grad_(False)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.upper_layers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("root", type=Path, help="folder of torchvision data sets (see training/pictures.py)")
    parser.add_argument("checkpoint", type=Path, help="of training.classifiers")
    parser.add_argument("--teacher", type=Path, required=True, help="checkpoint of a fine-tuned squeezenet1_1 run")
    parser.add_argument("--shards", type=int, default=4, help=f"how often {sum(VIEWS.values())} views are recorded")
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/third"), help="what was recorded and tuned there is used again"
    )
    return parser


def main() -> None:
    """Record the views, each shard once, train on them and write another checkpoint."""
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
    seen = {key: torch.cat([shard.pop(key) for shard in shards]) for key in list(shards[0])}
    network = merged(state, args.dropout)
    upper = split(network)[1]
    for number, stage in enumerate(STAGES, start=1):
        done = out / f"stage_{number}.pt"
        if done.exists():
            upper.load_state_dict(torch.load(done, weights_only=True))
        else:
            tune(upper, seen, stage, lr=args.lr, seed=args.seed)
            keep_checkpoint(upper.state_dict(), done)
    keys = ("shards", "lr", "dropout", "seed")
    state["upper_layers"] = {key: getattr(args, key) for key in keys} | {"seconds": time.perf_counter() - start}
    state["network"] = network.state_dict()
    keep_checkpoint(state, out / "last.pt")
    network = folded(state)
    for name, (crops, truth) in held_out_sets(pictures.find(args.root), RECIPES[state["name"]].input_size).items():
        print(f"{name}: {accuracy(network, crops, truth, len(state['categories']))[0]:.1%}")
    print(f"wrote {out / 'last.pt'}: the layers behind {LAST_KEPT}, trained on {len(seen['labels'])} views")


if __name__ == "__main__":
    main()
