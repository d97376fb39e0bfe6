r"""Train the two classifiers that ship with the course, on a CPU, resumably.

The recipe: random affine and colour changes, CutMix on half of the batches until the last epochs, classes drawn by
a power of their size, AdamW under a one-cycle schedule, small pictures first and large ones last, and the soft labels
of an ImageNet SqueezeNet that was fine-tuned with this same script. What ships was trained in two rounds, the second
from the weights of the first; then the last layer of mini_vgg once more (see ``training.last_layer``), and with its
help the layers of mini_alexnet behind pool2 (see ``training.upper_layers``):

    python -m training.classifiers ROOT --network squeezenet1_1
    python -m training.classifiers ROOT --network mini_alexnet --teacher runs/squeezenet1_1/last.pt
    python -m training.classifiers ROOT --network mini_vgg --teacher runs/squeezenet1_1/last.pt
    python -m training.classifiers ROOT --network mini_alexnet --teacher runs/squeezenet1_1/last.pt \
        --start runs/mini_alexnet/last.pt --epochs 32 --lr 2e-3 --out runs/second
    python -m training.classifiers ROOT --network mini_vgg --teacher runs/squeezenet1_1/last.pt \
        --start runs/mini_vgg/last.pt --epochs 10 --lr 1.5e-3 --out runs/second
    python -m training.last_layer ROOT runs/second/mini_vgg/last.pt --out runs/third
    python -m training.export ROOT runs/third/mini_vgg/last.pt
    python -m training.upper_layers ROOT runs/second/mini_alexnet/last.pt --teacher runs/squeezenet1_1/last.pt \
        --out runs/third
    python -m training.export ROOT runs/third/mini_alexnet/last.pt
"""

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1
from tqdm import tqdm

from cs231n_viz.network.shipped import ARCHITECTURES
from cs231n_viz.representation.filters import smooth_share
from training import augment, pictures
from training.files import keep_checkpoint

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Recipe:
    """What differs between the networks: picture sizes by share of the run, epochs and step size."""

    sizes: tuple[tuple[float, int], ...]  # (share of the run after which it ends, pixels)
    epochs: int
    lr: float
    dropout: float = 0.0
    decay: float = 0.05
    input_size: int = 224  # of the network that ships; more than it was trained on, since training crops enlarge


RECIPES = {
    "squeezenet1_1": Recipe(((0.6, 128), (1.0, 144)), epochs=12, lr=5e-4),
    "mini_alexnet": Recipe(((0.5, 160), (1.0, 224)), epochs=26, lr=3e-3, dropout=0.1),
    "mini_vgg": Recipe(((0.4, 128), (1.0, 160)), epochs=18, lr=3e-3, input_size=192),
}


def build(name: str, classes: int, weights: Path | None = None) -> nn.Module:
    """A network to train: one of ours from scratch, or ImageNet's SqueezeNet with a new last layer."""
    if name in ARCHITECTURES:
        network = ARCHITECTURES[name](classes, batch_norm=True, dropout=RECIPES[name].dropout)
        first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
        if first.kernel_size[0] > 3:
            smooth_start(first.weight)
        return network
    network = squeezenet1_1(weights=None if weights else SqueezeNet1_1_Weights.DEFAULT)
    if weights:
        network.load_state_dict({k: v.float() for k, v in load_file(weights).items()})
    network.classifier[1] = nn.Conv2d(512, classes, 1)
    nn.init.normal_(network.classifier[1].weight, std=0.01)
    nn.init.zeros_(network.classifier[1].bias)
    network.classifier[2] = nn.Identity()  # a ReLU on logits would keep them from being negative
    network.num_classes = classes
    return network


@torch.no_grad()
def smooth_start(weight: Tensor) -> None:
    """Begin with small, blurred noise: what training never touches then looks grey, not grainy."""
    taps = torch.exp(-(torch.arange(-4.0, 5.0) ** 2) / 2)
    kernel = torch.outer(taps, taps) / taps.sum() ** 2
    blurred = F.conv2d(weight.flatten(0, 1)[:, None], kernel[None, None], padding=4).view_as(weight)
    weight.copy_(blurred * (0.02 / blurred.std()))


def normalise(images: Tensor) -> Tensor:
    """RGB in [0, 1] -> zero mean and unit deviation over ImageNet."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def load_teacher(path: Path, classes: int) -> nn.Module:
    """The fine-tuned SqueezeNet of a checkpoint, for its soft labels."""
    teacher = squeezenet1_1(num_classes=classes)
    teacher.classifier[2] = nn.Identity()
    teacher.load_state_dict(torch.load(path, weights_only=True)["network"])
    return teacher.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def seen_by_teacher(views: Tensor) -> Tensor:
    """Views at the size that the teacher was trained on, if they are larger."""
    return F.interpolate(views, size=144, mode="bilinear", antialias=True) if views.shape[-1] > 144 else views


def loss_of(logits: Tensor, labels: Tensor, others: Tensor, share: float, soft: Tensor | None) -> Tensor:
    """Smoothed cross-entropy of a CutMix batch; with a teacher, mostly its soft labels at temperature 2."""
    hard = share * F.cross_entropy(logits, labels, label_smoothing=0.1)
    hard = hard + (1 - share) * F.cross_entropy(logits, others, label_smoothing=0.1)
    if soft is None:
        return hard
    divergence = F.kl_div((logits / 2).log_softmax(1), soft, reduction="batchmean")
    return 0.3 * hard + 0.7 * 4 * divergence


class Run:
    """One resumable training run; everything that a checkpoint must hold lives here."""

    rarity = 0.35  # how much rare classes gain: drawn in proportion to size ** (1 - rarity)
    cut_mix = 0.5  # share of the batches
    cut_mix_until = 0.6  # of the epochs: the end sees whole pictures

    def __init__(self, args: argparse.Namespace, found: pictures.Pictures) -> None:
        self.args, self.recipe, self.found = args, RECIPES[args.network], found
        self.categories = found.categories
        torch.manual_seed(args.seed)
        self.network = build(args.network, len(self.categories), args.weights)
        self.network = self.network.to(memory_format=torch.channels_last)
        self.epochs = args.epochs or self.recipe.epochs
        self.batches = len(found.train) // args.batch
        self.lr = args.lr or self.recipe.lr
        self.optimizer = torch.optim.AdamW(self._groups(), lr=self.lr)
        self.schedule = self._schedule(self.epochs * self.batches)
        self.teacher = load_teacher(args.teacher, len(self.categories)) if args.teacher else None
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.earlier: list[dict] = []  # commands of the runs that this one goes on from
        self.out = args.out / args.network
        self.out.mkdir(parents=True, exist_ok=True)
        if (self.out / "last.pt").exists():
            self._resume(torch.load(self.out / "last.pt", weights_only=True))
        elif args.start:
            self._start(torch.load(args.start, weights_only=True))

    def _groups(self) -> list[dict[str, object]]:
        weights = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        return [{"params": weights, "weight_decay": self.recipe.decay}, {"params": others, "weight_decay": 0.0}]

    def _schedule(self, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        one_cycle = torch.optim.lr_scheduler.OneCycleLR
        return one_cycle(self.optimizer, self.lr, total_steps=steps + 1, pct_start=0.15)

    def _start(self, state: dict) -> None:
        self.network.load_state_dict(state["network"])
        self.seconds = state["seconds"]
        self.earlier = [*state.get("earlier", []), state["command"] | {"epochs": len(state["history"])}]

    def _resume(self, state: dict) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history, self.seconds, self.earlier = state["history"], state["seconds"], state["earlier"]

    def save(self) -> None:
        """Write the checkpoint beside the old one, then swap them, so that a kill never leaves half a file."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
            "earlier": self.earlier,
            "categories": self.categories,
            "name": self.args.network,
            "command": {k: str(v) for k, v in vars(self.args).items() if k not in {"root", "out"}},
        }
        keep_checkpoint(state, self.out / "last.pt")
        (self.out / "history.json").write_text(json.dumps(self.history, indent=1))

    def order(self, epoch: int) -> tuple[Tensor, torch.Generator]:
        """Draw the pictures of an epoch, rare classes more often than they come."""
        random = torch.Generator().manual_seed(self.args.seed * 1000 + epoch)
        counts = Counter(name for _, name in self.found.train)
        weights = torch.tensor([counts[name] ** -self.rarity for _, name in self.found.train])
        return torch.multinomial(weights, self.batches * self.args.batch, True, generator=random), random

    def batch(self, images: list[Tensor], labels: Tensor, epoch: int, random: torch.Generator) -> tuple:
        """One augmented batch: normalised images, labels, the other labels, their share, the soft labels."""
        views = augment.random_colours(augment.random_views(images, self.size(epoch), random), random)
        others, share = labels, 1.0
        often = self.cut_mix if epoch < self.cut_mix_until * self.epochs else 0.0
        if self.args.network in ARCHITECTURES and torch.rand((), generator=random) < often:
            views, others, share = augment.cut_mix(views, labels, random)
        views = normalise(views)
        soft = None
        if self.teacher:
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                soft = (self.teacher(seen_by_teacher(views)).float() / 2).softmax(1)
        return views, labels, others, share, soft

    def size(self, epoch: int) -> int:
        """Side of the training pictures in pixels."""
        return next(size for end, size in self.recipe.sizes if epoch < round(end * self.epochs))

    def epoch(self, index: int, images: list[Tensor], labels: Tensor) -> None:
        """Train for one epoch; appends the mean loss to the history."""
        self.network.train()
        torch.manual_seed(self.args.seed * 1000 + index)  # of dropout: a resumed run ends as an unbroken one
        order, random = self.order(index)
        size = self.size(index)
        first = self.network.conv1.weight if self.args.network == "mini_alexnet" else None
        total, start = 0.0, time.perf_counter()
        for rows in tqdm(order.split(self.args.batch), desc=f"epoch {index + 1}/{self.epochs}, {size} px"):
            views, *goal = self.batch([images[row] for row in rows], labels[rows], index, random)
            with torch.autocast("cpu", torch.bfloat16):
                logits = self.network(views).float()
            loss = loss_of(logits, *goal)
            total += loss.item()
            if first is not None:
                loss = loss + self.args.smoothness * (1 - smooth_share(first)).mean()
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
            self.optimizer.step()
            self.schedule.step()
        self.seconds += time.perf_counter() - start
        row = {"epoch": index + 1, "size": size, "loss": total / self.batches, "seconds": self.seconds}
        if first is not None:
            row["fine_share"] = (1 - smooth_share(first)).mean().item()
        self.history.append(row)


@torch.no_grad()
def accuracy(network: nn.Module, crops: Tensor, labels: Tensor, classes: int) -> tuple[float, float]:
    """Top-1 over all logits, and its mean per class; crops (N, 3, H, W) uint8."""
    network.eval()
    predicted = torch.cat([network(normalise(part / 255)).argmax(1) for part in crops.split(32)])
    right = (predicted == labels).float()
    per_class = [right[labels == k].mean() for k in range(classes) if (labels == k).any()]
    return right.mean().item(), torch.stack(per_class).mean().item()


def held_out_sets(found: pictures.Pictures, size: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Centre crops and labels of what was held out, by data set."""
    index = {name: k for k, name in enumerate(found.categories)}
    sets = {}
    for name, rows in found.held_out.items():
        crops = pictures.centre_crops(pictures.load(rows), size)
        sets[name] = crops, torch.tensor([index[label] for _, label in rows])
    return sets


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.classifiers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("root", type=Path, help="folder of torchvision data sets (see training/pictures.py)")
    parser.add_argument("--network", choices=RECIPES, default="mini_vgg")
    parser.add_argument("--download", action="store_true", help="fetch missing data sets through torchvision")
    parser.add_argument("--teacher", type=Path, help="checkpoint of a fine-tuned squeezenet1_1 run")
    parser.add_argument("--weights", type=Path, help="ImageNet SqueezeNet (safetensors) in place of torchvision's")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--lr", type=float, help="highest step size; default: the recipe's")
    parser.add_argument("--start", type=Path, help="checkpoint whose weights a new run begins with")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--smoothness", type=float, default=0.5, help="weight of fine grain in 11x11 filters")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs"), help="checkpoints; a second call resumes")
    return parser


def main() -> None:
    """Train, resuming where a checkpoint is found, and print the held-out accuracies every few epochs."""
    args = parser().parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.download:
        pictures.download(args.root)
    found = pictures.find(args.root, seed=args.seed)
    run = Run(args, found)
    images = pictures.load(found.train)
    index = {name: k for k, name in enumerate(run.categories)}
    labels = torch.tensor([index[name] for _, name in found.train])
    held_out = held_out_sets(found, 160)
    for epoch in range(len(run.history), run.epochs):
        run.epoch(epoch, images, labels)
        if epoch % 4 == 0 or epoch == run.epochs - 1:
            for name, (crops, truth) in held_out.items():
                run.history[-1][name] = accuracy(run.network, crops, truth, len(run.categories))[0]
        run.save()
        print(run.history[-1], flush=True)


if __name__ == "__main__":
    main()
