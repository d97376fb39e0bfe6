r"""Train the last layer of a classifier again, on kinds of views that are missing from its data sets.

Ordinary photographs differ from Caltech-101 in three ways: its makers rotated whole classes by 30 to 60 degrees
(accordions, cellphones, minarets, pagodas, trilobites), its faces belong to a few people in a few rooms, and its
objects fill the picture. The convolutions generalise beyond that; the last layer does not. It is fitted to the features
of four kinds of views; on the plain ones its earlier outputs are targets, too. How many there are of each kind was
chosen by the accuracy on held-out pictures and by the predictions for the photographs that come with the course:

    python -m training.last_layer ROOT runs/second/mini_vgg/last.pt --out runs/third
    python -m training.export ROOT runs/third/mini_vgg/last.pt
"""

import argparse
import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as T
from tqdm import tqdm

from cs231n_viz.network.precision import half_precision
from training import augment, pictures
from training.classifiers import RECIPES, normalise
from training.export import folded
from training.files import save_checkpoint
from training.runs import command_line

VIEWS = {"plain": 8000, "upright": 800, "face": 700, "small": 4500}  # of each kind, in a round
WITH_PEOPLE = ("Faces", "French horn", "tench")  # classes in whose pictures faces are detected
_BATCH = 64
_LEARNED = 0.95  # accuracy on the plain views of a class from which on its weights stay as they are
_ANCHOR = 0.002  # weight of the squared distance from the earlier weights
_TOLERANCE = 12.0  # degrees by which the angles of the black corners of a rotated picture may differ

Box = tuple[int, int, int, int]  # left, top, width, height


def rotation_angle(image: Tensor) -> float | None:
    """Measure by how many degrees, clockwise, a data set has rotated this picture; None if it has no black corners.

    Args:
        image: (3, H, W), uint8. A rotation leaves black triangles in the corners, from whose sides the angle follows.
    """
    dark = (image <= 12).all(dim=0)
    angles = []
    for flips, from_vertical in (((), True), ((1,), False), ((0,), False), ((0, 1), True)):
        corner = dark.flip(flips)
        wide, high = (int(edge.int().cumprod(0).sum()) for edge in (corner[:2].all(0), corner[:, :2].all(1)))
        if not (0.08 * dark.shape[1] <= wide < dark.shape[1] and 0.08 * dark.shape[0] <= high < dark.shape[0]):
            continue
        along = torch.arange(wide) / wide + torch.arange(high)[:, None] / high  # 1 on the slanted side
        patch = corner[:high, :wide]
        if patch[along < 0.95].float().mean() >= 0.97 and patch[along > 1.1].float().mean() <= 0.5:
            angle = math.degrees(math.atan2(wide, high))
            angles.append(angle if from_vertical else 90 - angle)
    if len(angles) < 2 or max(angles) - min(angles) >= _TOLERANCE:
        return None
    return sum(angles) / len(angles)


def find_faces(images: list[Tensor], rows: list[int]) -> list[tuple[int, Box]]:
    """Detect frontal faces in some of the pictures: (row, box) for each."""
    cascade = Cascade(lbp_frontal_face_cascade_filename())
    faces = []
    for row in tqdm(rows, desc="detecting faces", unit="picture"):
        pixels = np.ascontiguousarray(images[row].permute(1, 2, 0).numpy())
        limits = {"min_size": (30, 30), "max_size": (140, 140), "min_neighbor_number": 6}
        for hit in cascade.detect_multi_scale(img=pixels, scale_factor=1.2, step_ratio=1, **limits):
            faces.append((row, (hit["c"], hit["r"], hit["width"], hit["height"])))
    return faces


class Views:
    """Make random views of several kinds, (3, size, size) in [0, 1] with their labels, from pictures in memory."""

    def __init__(self, images: list[Tensor], labels: Tensor, categories: list[str], size: int, seed: int) -> None:
        self.images, self.labels, self.size = images, labels, size
        self.random = torch.Generator().manual_seed(seed)
        self.counts = torch.bincount(labels, minlength=len(categories)).float()
        angles = ((row, rotation_angle(image)) for row, image in enumerate(images))
        self.rotated = [(row, angle) for row, angle in angles if angle is not None]
        each = torch.bincount(labels[[row for row, _ in self.rotated]], minlength=len(categories))
        mostly = {k for k in range(len(categories)) if each[k] > self.counts[k] / 2}  # classes that were rotated
        self.rotated = [(row, angle) for row, angle in self.rotated if int(labels[row]) in mostly]
        people = {categories.index(name) for name in WITH_PEOPLE if name in categories}
        self.flowers = (labels == categories.index("flower")).nonzero()[:, 0].tolist() if "flower" in categories else []
        self.face_label = categories.index("Faces")
        self.faces = find_faces(images, [row for row in range(len(images)) if int(labels[row]) in people])

    def batches(self, kind: str, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Make ``count`` views of a kind, with random colour changes, in batches."""
        if not {"upright": self.rotated, "face": self.faces, "recoloured": self.flowers}.get(kind, True):
            raise ValueError(f"no picture to make {kind} views from; Caltech-101 and Imagenette must be complete")
        for start in range(0, count, _BATCH):
            size = min(_BATCH, count - start)
            if kind == "plain":
                rows = torch.multinomial(self.counts[self.labels] ** -0.5, size, True, generator=self.random)
                views = augment.random_views([self.images[row] for row in rows], self.size, self.random)
                labels = self.labels[rows]
            else:
                make = {
                    "upright": self._upright,
                    "face": self._face,
                    "small": self._small,
                    "recoloured": self._recoloured,
                }[kind]
                pairs = [make() for _ in range(size)]
                views = torch.stack([view for view, _ in pairs])
                labels = torch.tensor([label for _, label in pairs])
            yield augment.random_colours(views, self.random), labels

    def _upright(self) -> tuple[Tensor, int]:
        """Rotate a picture back, and crop its centre."""
        row, angle = self.rotated[self._below(len(self.rotated))]
        image = self.images[row]
        height, width = image.shape[-2:]
        side, aspect = min(height, width) * self._between(0.45, 0.85), math.exp(self._between(-0.15, 0.15))
        room = max(0.0, (0.85 * min(height, width) - side) / 2)
        right, down = self._between(-room, room), self._between(-room, room)
        mirror = 1 if self._between(0, 1) < 0.5 else -1
        radians = math.radians(angle + self._between(-8, 8))
        cos, sin = side * math.cos(radians), side * math.sin(radians)
        affine = torch.tensor(
            [
                [mirror * aspect * cos / width, -sin / aspect / width, 2 * right / width],
                [mirror * aspect * sin / height, cos / aspect / height, 2 * down / height],
            ]
        )
        grid = F.affine_grid(affine[None], [1, 3, self.size, self.size], align_corners=False)
        view = F.grid_sample(image[None].float(), grid, padding_mode="reflection", align_corners=False)[0] / 255
        return view, int(self.labels[row])

    def _face(self) -> tuple[Tensor, int]:
        """Crop a square whose height is 1.5 to 3.3 times that of a face in it; or paste a head onto a picture."""
        row, (left, top, wide, high) = self.faces[self._below(len(self.faces))]
        image = self.images[row]
        height, width = image.shape[-2:]
        if self._between(0, 1) < 0.5:
            head = image[:, max(0, top - int(0.45 * high)) : top + int(1.35 * high)]  # with hair and neck
            head = head[:, :, max(0, left - int(0.3 * wide)) : left + int(1.3 * wide)]
            return self._pasted(head, self._between(0.18, 0.6), round_=True), self.face_label
        side = int(min(height, width, high / self._between(0.3, 0.65)))
        x = left + wide / 2 - side * self._between(0.35, 0.65)
        y = top + high / 2 - side * self._between(0.35, 0.6)
        x, y = int(min(max(x, 0), width - side)), int(min(max(y, 0), height - side))
        return self._resized(image[:, y : y + side, x : x + side], self.size, self.size), self.face_label

    def _small(self) -> tuple[Tensor, int]:
        """Paste a picture of any class, each with the same probability, onto a part of another picture."""
        row = int(torch.multinomial(1 / self.counts[self.labels], 1, generator=self.random))
        piece, share = self._part(self.images[row], 0.7), self._between(0.4, 0.8)
        return self._pasted(piece, share, round_=self._between(0, 1) < 0.5), int(self.labels[row])

    def _recoloured(self) -> tuple[Tensor, int]:
        """Change the hue of a flower: those of Flowers-17 are white, yellow and blue, hardly ever red."""
        row = self.flowers[self._below(len(self.flowers))]
        view = augment.random_views([self.images[row]], self.size, self.random)[0]
        return T.adjust_hue(view.clamp(0, 1), self._between(-0.5, 0.5)), int(self.labels[row])

    def _pasted(self, piece: Tensor, share: float, *, round_: bool) -> Tensor:
        """Paste a piece with soft edges, ``share`` of the side long, onto a part of a random picture."""
        scale = self.size * share / max(piece.shape[-2:])
        height, width = (max(8, int(side * scale)) for side in piece.shape[-2:])
        y, x = torch.linspace(-1, 1, height)[:, None].abs(), torch.linspace(-1, 1, width).abs()
        far = (x.square() + y.square()).sqrt() if round_ else torch.maximum(x, y)
        mask = ((1 - far) / self._between(0.1, 0.4)).clamp(0, 1)
        other = self.images[self._below(len(self.images))]
        view = self._resized(self._part(other, 0.4), self.size, self.size)
        top, left = self._below(self.size - height + 1), self._below(self.size - width + 1)
        view[:, top : top + height, left : left + width].lerp_(self._resized(piece, height, width), mask)
        return view

    def _part(self, image: Tensor, least: float) -> Tensor:
        """Crop a random part whose sides are at least this share of the picture's."""
        share = self._between(least, 1)
        height, width = (int(side * share) for side in image.shape[-2:])
        top, left = self._below(image.shape[-2] - height + 1), self._below(image.shape[-1] - width + 1)
        return image[:, top : top + height, left : left + width]

    def _resized(self, image: Tensor, height: int, width: int) -> Tensor:
        return T.resize(image.float(), [height, width], antialias=True) / 255

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=self.random).item()

    def _below(self, end: int) -> int:
        return int(torch.randint(end, (), generator=self.random))


@torch.no_grad()
def features(trunk: nn.Module, views: Views, rounds: int) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the inputs of the last layer for ``rounds`` times ``VIEWS``: features (N, D), labels (N,), plain (N,)."""
    inputs, labels, plain = [], [], []
    for kind, count in VIEWS.items():
        batches = views.batches(kind, rounds * count)
        for images, truth in tqdm(batches, desc=f"{kind} views", total=math.ceil(rounds * count / _BATCH)):
            with half_precision(torch.device("cpu")):
                outputs = trunk(normalise(images))
            inputs.append(outputs.float())
            labels.append(truth)
            plain.append(torch.full_like(truth, kind == "plain", dtype=torch.bool))
    return torch.cat(inputs), torch.cat(labels), torch.cat(plain)


def fit(
    layer: nn.Linear, inputs: Tensor, labels: Tensor, plain: Tensor, *, epochs: int, lr: float, keep: float, seed: int
) -> nn.Linear:
    """Train a copy of the last layer.

    The loss is cross-entropy with label smoothing, plus on plain views ``keep`` times the divergence from the layer's
    earlier outputs, plus a penalty on the distance from its earlier weights. The weights of a class that is nearly
    always recognised in plain views stay as they are: all layers together learned them from whole pictures.

    Args:
        layer: The layer, left as it was.
        inputs: Features, (N, D).
        labels: Class indices, (N,).
        plain: Which views are plain, (N,), bool.
        epochs: Number of epochs.
        lr: Highest learning rate.
        keep: Weight of the divergence.
        seed: Random seed for the order.
    """
    random = torch.Generator().manual_seed(seed)
    trained = copy.deepcopy(layer).requires_grad_(True)
    with torch.no_grad():
        logits = layer(inputs)
        soft, correct = logits.softmax(1), (logits.argmax(1) == labels).float()
        classes = range(layer.out_features)
        free = torch.tensor([not correct[plain & (labels == k)].mean() >= _LEARNED for k in classes]).float()
    optimizer = torch.optim.AdamW(trained.parameters(), lr=lr, weight_decay=0.0)
    steps = epochs * math.ceil(len(labels) / 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1, pct_start=0.15)
    for _ in range(epochs):
        for rows in torch.randperm(len(labels), generator=random).split(128):
            logits = trained(inputs[rows])
            divergence = F.kl_div(logits.log_softmax(1), soft[rows], reduction="none").sum(1)
            loss = F.cross_entropy(logits, labels[rows], label_smoothing=0.1)
            loss = loss + keep * (divergence * plain[rows]).mean()
            loss = loss + _ANCHOR * (trained.weight - layer.weight).square().sum()
            optimizer.zero_grad()
            loss.backward()
            trained.weight.grad *= free[:, None]
            trained.bias.grad *= free
            optimizer.step()
            schedule.step()
    return trained.requires_grad_(False)


def parser() -> argparse.ArgumentParser:
    """Make the command line."""
    parser = command_line("last_layer", __doc__)
    parser.add_argument("checkpoint", type=Path, help="of training.classifiers")
    parser.add_argument("--rounds", type=int, default=3, help=f"times that {sum(VIEWS.values())} views are made")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--keep", type=float, default=1.3, help="weight of the earlier outputs for plain views")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/third"))
    return parser


def main() -> None:
    """Load a checkpoint, train its last layer again and save it as another one."""
    args = parser().parse_args()
    start = time.perf_counter()
    state = torch.load(args.checkpoint, weights_only=True)
    name, categories = state["name"], state["categories"]
    network = folded(state).requires_grad_(False).eval()
    *_, (last, layer) = network.named_children()
    data = pictures.find(args.root)
    labels = torch.tensor([categories.index(label) for _, label in data.train])
    views = Views(pictures.load(data.train), labels, categories, RECIPES[name].input_size, args.seed)
    inputs = features(network[:-1].to(memory_format=torch.channels_last), views, args.rounds)
    layer = fit(layer, *inputs, epochs=args.epochs, lr=args.lr, keep=args.keep, seed=args.seed)
    state["network"] |= {f"{last}.weight": layer.weight, f"{last}.bias": layer.bias}
    options = {"rounds": args.rounds, "epochs": args.epochs, "lr": args.lr, "keep": args.keep, "seed": args.seed}
    state["last_layer"] = options | {"seconds": time.perf_counter() - start}
    (args.out / name).mkdir(parents=True, exist_ok=True)
    save_checkpoint(state, args.out / name / "last.pt")
    print(f"wrote {args.out / name / 'last.pt'}: {last} trained on {len(inputs[1])} views")


if __name__ == "__main__":
    main()
