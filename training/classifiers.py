r"""Train the two classifiers that ship with the course, on a CPU; a run can be stopped and resumed.

The recipe: random affine and colour changes, CutMix on half of the batches in the first 60 % of the epochs, classes
sampled by a power of their size, AdamW with a one-cycle learning rate, small pictures first and large ones last, and
distillation from an ImageNet SqueezeNet that was fine-tuned by this same script. The networks that ship were trained in
two rounds, the second from the weights of the first; then the last layer of mini_vgg again (``training.last_layer``),
and with its help the layers of mini_alexnet after pool2 (``training.upper_layers``):

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

Source: Hinton et al., "Distilling the knowledge in a neural network", arXiv:1503.02531, section 2 (the soft labels).
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

from cs231n_viz.network.precision import half_precision
from cs231n_viz.network.shipped import ARCHITECTURES
from cs231n_viz.representation.filters import smooth_share
from training import augment, pictures
from training.files import save_checkpoint
from training.runs import add_run_options, command_line, recorded_options

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Recipe:
    """What differs between the networks."""

    sizes: tuple[tuple[float, int], ...]  # (share of the epochs up to which it is used, side in pixels)
    epochs: int
    lr: float  # highest learning rate
    dropout: float = 0.0
    decay: float = 0.05  # weight decay
    input_size: int = 224  # of the network that ships: larger than in training, whose random crops enlarge objects


RECIPES = {
    "squeezenet1_1": Recipe(((0.6, 128), (1.0, 144)), epochs=12, lr=5e-4),
    "mini_alexnet": Recipe(((0.5, 160), (1.0, 224)), epochs=26, lr=3e-3, dropout=0.1),
    "mini_vgg": Recipe(((0.4, 128), (1.0, 160)), epochs=18, lr=3e-3, input_size=192),
}


def build(name: str, classes: int, weights: Path | None = None) -> nn.Module:
    """Build a network to train: one of ours with random weights, or ImageNet's SqueezeNet with a new last layer."""
    if name in ARCHITECTURES:
        network = ARCHITECTURES[name](classes, batch_norm=True, dropout=RECIPES[name].dropout)
        first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
        if first.kernel_size[0] > 3:
            initialise_smoothly(first.weight)
        return network
    network = squeezenet1_1(weights=None if weights else SqueezeNet1_1_Weights.DEFAULT)
    if weights:
        network.load_state_dict({k: v.float() for k, v in load_file(weights).items()})
    network.classifier[1] = nn.Conv2d(512, classes, 1)
    nn.init.normal_(network.classifier[1].weight, std=0.01)
    nn.init.zeros_(network.classifier[1].bias)
    network.classifier[2] = nn.Identity()  # its ReLU would make all logits non-negative
    network.num_classes = classes
    return network


@torch.no_grad()
def initialise_smoothly(weight: Tensor) -> None:
    """Initialise with small, blurred noise: filters that training hardly changes then look grey, without fine noise."""
    gauss = torch.exp(-(torch.arange(-4.0, 5.0) ** 2) / 2)
    kernel = torch.outer(gauss, gauss) / gauss.sum() ** 2
    blurred = F.conv2d(weight.flatten(0, 1)[:, None], kernel[None, None], padding=4).view_as(weight)
    weight.copy_(blurred * (0.02 / blurred.std()))


def normalise(images: Tensor) -> Tensor:
    """Subtract ImageNet's mean from RGB in [0, 1], and divide by its standard deviation."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def load_teacher(path: Path, classes: int) -> nn.Module:
    """Load the fine-tuned SqueezeNet of a checkpoint, for its soft labels."""
    teacher = squeezenet1_1(num_classes=classes)
    teacher.classifier[2] = nn.Identity()
    teacher.load_state_dict(torch.load(path, weights_only=True)["network"])
    return teacher.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def teacher_views(views: Tensor) -> Tensor:
    """Reduce views to the size that the teacher was trained on, if they are larger."""
    return F.interpolate(views, size=144, mode="bilinear", antialias=True) if views.shape[-1] > 144 else views


def loss_of(logits: Tensor, labels: Tensor, others: Tensor, share: float, soft: Tensor | None) -> Tensor:
    """Compute the loss of a CutMix batch.

    Args:
        logits: (N, K).
        labels: Classes of the pictures, (N,).
        others: Classes of what was pasted into them, (N,).
        share: Share of each picture that is left.
        soft: The teacher's probabilities at temperature 2, (N, K); None without a teacher.

    Returns:
        Cross-entropy with label smoothing; with a teacher 0.3 times that, and 0.7 times the distillation loss.
    """
    hard = share * F.cross_entropy(logits, labels, label_smoothing=0.1)
    hard = hard + (1 - share) * F.cross_entropy(logits, others, label_smoothing=0.1)
    if soft is None:
        return hard
    divergence = F.kl_div((logits / 2).log_softmax(1), soft, reduction="batchmean")
    return 0.3 * hard + 0.7 * 4 * divergence


def decay_groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Group the parameters for an optimizer, with weight decay for weights but not for biases and batch norms."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


class Run:
    """A training run that is counted in epochs and goes on from its checkpoint."""

    rarity = 0.35  # classes are sampled in proportion to size ** (1 - rarity)
    cut_mix = 0.5  # share of the batches with CutMix
    cut_mix_until = 0.6  # share of the epochs with CutMix; the later ones see whole pictures

    def __init__(self, args: argparse.Namespace, data: pictures.DataSplit) -> None:
        self.args, self.recipe, self.data = args, RECIPES[args.network], data
        self.categories = data.categories
        torch.manual_seed(args.seed)
        self.network = build(args.network, len(self.categories), args.weights)
        self.network = self.network.to(memory_format=torch.channels_last)
        self.epochs = args.epochs or self.recipe.epochs
        self.batches = len(data.train) // args.batch
        self.lr = args.lr or self.recipe.lr
        self.optimizer = torch.optim.AdamW(decay_groups(self.network, self.recipe.decay), lr=self.lr)
        self.schedule = self._schedule(self.epochs * self.batches)
        self.teacher = load_teacher(args.teacher, len(self.categories)) if args.teacher else None
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.earlier: list[dict] = []  # options of the runs whose weights this one began with
        self.out = args.out / args.network
        self.out.mkdir(parents=True, exist_ok=True)
        if (self.out / "last.pt").exists():
            self._resume(torch.load(self.out / "last.pt", weights_only=True))
        elif args.start:
            self._start(torch.load(args.start, weights_only=True))

    def _schedule(self, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.OneCycleLR(self.optimizer, self.lr, total_steps=steps + 1, pct_start=0.15)

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
        """Write the checkpoint, and the history as JSON beside it."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
            "earlier": self.earlier,
            "categories": self.categories,
            "name": self.args.network,
            "command": recorded_options(self.args),
        }
        save_checkpoint(state, self.out / "last.pt")
        (self.out / "history.json").write_text(json.dumps(self.history, indent=1))

    def order(self, epoch: int) -> tuple[Tensor, torch.Generator]:
        """Sample the pictures of an epoch, rare classes more often than in proportion to their size."""
        random = torch.Generator().manual_seed(self.args.seed * 1000 + epoch)
        counts = Counter(name for _, name in self.data.train)
        weights = torch.tensor([counts[name] ** -self.rarity for _, name in self.data.train])
        return torch.multinomial(weights, self.batches * self.args.batch, True, generator=random), random

    def batch(self, images: list[Tensor], labels: Tensor, epoch: int, random: torch.Generator) -> tuple:
        """Augment one batch: normalised images, and the other arguments of :func:`loss_of` in their order."""
        views = augment.random_colours(augment.random_views(images, self.size(epoch), random), random)
        others, share = labels, 1.0
        probability = self.cut_mix if epoch < self.cut_mix_until * self.epochs else 0.0
        if self.args.network in ARCHITECTURES and torch.rand((), generator=random) < probability:
            views, others, share = augment.cut_mix(views, labels, random)
        views = normalise(views)
        soft = None
        if self.teacher:
            with torch.no_grad(), half_precision(torch.device("cpu")):
                soft = (self.teacher(teacher_views(views)).float() / 2).softmax(1)
        return views, labels, others, share, soft

    def size(self, epoch: int) -> int:
        """Return the side of the training pictures in pixels."""
        return next(size for end, size in self.recipe.sizes if epoch < round(end * self.epochs))

    def epoch(self, index: int, images: list[Tensor], labels: Tensor) -> None:
        """Train for one epoch, and append its mean loss to the history."""
        self.network.train()
        torch.manual_seed(self.args.seed * 1000 + index)  # for dropout: a resumed run gives the same as an unbroken one
        order, random = self.order(index)
        size = self.size(index)
        first = self.network.conv1.weight if self.args.network == "mini_alexnet" else None
        total, start = 0.0, time.perf_counter()
        for rows in tqdm(order.split(self.args.batch), desc=f"epoch {index + 1}/{self.epochs}, {size} px"):
            views, *goals = self.batch([images[row] for row in rows], labels[rows], index, random)
            with half_precision(torch.device("cpu")):
                logits = self.network(views).float()
            loss = loss_of(logits, *goals)
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
    """Measure the top-1 accuracy, and its mean over the classes; crops (N, 3, H, W) uint8."""
    network.eval()
    few = crops.split(8)  # what they need in between stays in the processor's cache
    predicted = torch.cat([network(normalise(part / 255)).argmax(1) for part in few])
    correct = (predicted == labels).float()
    per_class = [correct[labels == k].mean() for k in range(classes) if (labels == k).any()]
    return correct.mean().item(), torch.stack(per_class).mean().item()


def held_out_sets(data: pictures.DataSplit, size: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Load the centre crops and labels of what is held out, by data set."""
    index = {name: k for k, name in enumerate(data.categories)}
    sets = {}
    for name, rows in data.held_out.items():
        crops = pictures.centre_crops(pictures.load(rows), size)
        sets[name] = crops, torch.tensor([index[label] for _, label in rows])
    return sets


def parser() -> argparse.ArgumentParser:
    """Make the command line."""
    parser = command_line("classifiers", __doc__)
    parser.add_argument("--network", choices=RECIPES, default="mini_vgg")
    parser.add_argument("--download", action="store_true", help="download missing data sets through torchvision")
    parser.add_argument("--teacher", type=Path, help="checkpoint of a fine-tuned squeezenet1_1 run")
    parser.add_argument("--weights", type=Path, help="ImageNet SqueezeNet (safetensors) instead of torchvision's")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--lr", type=float, help="highest learning rate; default: the recipe's")
    parser.add_argument("--start", type=Path, help="checkpoint with whose weights a new run begins")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument(
        "--smoothness", type=float, default=0.5, help="weight of the penalty on high frequencies in 11x11 filters"
    )
    add_run_options(parser)
    return parser


def main() -> None:
    """Train, from the checkpoint if there is one, and print the held-out accuracies every few epochs."""
    args = parser().parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.download:
        pictures.download(args.root)
    data = pictures.find(args.root, seed=args.seed)
    run = Run(args, data)
    images = pictures.load(data.train)
    index = {name: k for k, name in enumerate(run.categories)}
    labels = torch.tensor([index[name] for _, name in data.train])
    held_out = held_out_sets(data, 160)
    for epoch in range(len(run.history), run.epochs):
        run.epoch(epoch, images, labels)
        if epoch % 4 == 0 or epoch == run.epochs - 1:
            for name, (crops, truth) in held_out.items():
                run.history[-1][name] = accuracy(run.network, crops, truth, len(run.categories))[0]
        run.save()
        print(run.history[-1], flush=True)


if __name__ == "__main__":
    main()
