"""List, split and load labelled pictures for training from a folder of torchvision data sets.

``root`` holds, in the layouts that torchvision's own classes download to:

- ``caltech101/101_ObjectCategories/<class>/``  (``torchvision.datasets.Caltech101``)
- ``imagenette2-160/{train,val}/<wnid>/``       (``torchvision.datasets.Imagenette(size="160px")``)
- ``cats_dogs/{cat,dog}/``                      (or ``oxford-iiit-pet/``, ``torchvision.datasets.OxfordIIITPet``)
- ``flowers17/<kind>/``                         (or ``flowers-102/``, ``torchvision.datasets.Flowers102``)
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision import datasets
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
_SKIPPED = {"BACKGROUND_Google", "Faces_easy"}  # not a class, and the pictures of "Faces" again, cropped


@dataclass
class DataSplit:
    """File paths with class names: the training set, and what is held out of each data set."""

    train: list[tuple[Path, str]] = field(default_factory=list)
    held_out: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)

    @property
    def categories(self) -> list[str]:
        """The class names: Caltech-101's in alphabetical order, Imagenette's, then cat, dog and flower."""
        names = {name for _, name in self.train}
        last = [*IMAGENETTE.values(), "cat", "dog", "flower"]
        return sorted(names.difference(last), key=str.lower) + [name for name in last if name in names]


def _folder(root: Path) -> list[tuple[Path, str]]:
    return [
        (path, folder.name)
        for folder in sorted(root.iterdir())
        if folder.is_dir() and folder.name not in _SKIPPED
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    ]


def _pets(root: Path) -> list[tuple[Path, str]]:
    if (root / "cats_dogs").is_dir():
        return _folder(root / "cats_dogs")
    lines = (root / "oxford-iiit-pet/annotations/list.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    images = root / "oxford-iiit-pet/images"
    return [(images / f"{name}.jpg", "cat" if species == "1" else "dog") for name, _, species, _ in rows]


def _flowers(root: Path) -> list[tuple[Path, str]]:
    if (root / "flowers17").is_dir():
        return [(path, "flower") for path, _ in _folder(root / "flowers17")]
    return [(path, "flower") for path in sorted((root / "flowers-102/jpg").glob("*.jpg"))]


def download(root: Path) -> None:
    """Download those of the four data sets that are missing, through torchvision."""
    datasets.Caltech101(root, download=True)
    if not (root / "imagenette2-160").is_dir():
        datasets.Imagenette(root, size="160px", download=True)
    if not (root / "cats_dogs").is_dir():
        datasets.OxfordIIITPet(root, target_types="binary-category", download=True)
    if not (root / "flowers17").is_dir():
        datasets.Flowers102(root, download=True)


def find(root: Path, *, seed: int = 0) -> DataSplit:
    """List the pictures under ``root``; a random fifth of each set is held out (of Imagenette: its own ``val``)."""
    split = DataSplit()
    sets = {
        "caltech101": _folder(root / "caltech101/101_ObjectCategories"),
        "pets": _pets(root),
        "flowers": _flowers(root),
    }
    for name, rows in sets.items():
        random.Random(f"{seed} {name}").shuffle(rows)
        fifth = len(rows) // 5
        split.held_out[name] = rows[:fifth]
        split.train += rows[fifth:]
    nette = root / "imagenette2-160"
    split.held_out["imagenette"] = [(path, IMAGENETTE[wnid]) for path, wnid in _folder(nette / "val")]
    split.train += [(path, IMAGENETTE[wnid]) for path, wnid in _folder(nette / "train")]
    return split


def load(rows: list[tuple[Path, str]], *, short_side: int = 192) -> list[Tensor]:
    """Decode the pictures into memory as uint8 (3, h, w), the short side at most ``short_side`` pixels."""
    images = []
    for path, _ in tqdm(rows, desc="decoding", unit="picture"):
        with Image.open(path) as file:
            picture = file.convert("RGB")
        scale = short_side / min(picture.size)
        if scale < 1:
            picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)
        images.append(F.pil_to_tensor(picture))
    return images


def centre_crops(images: list[Tensor], size: int) -> Tensor:
    """Resize the short side to ``size`` and crop the centre square: (N, 3, size, size), uint8."""
    crops = [F.center_crop(F.resize(image, [size], antialias=True), [size, size]) for image in images]
    return torch.stack(crops)
