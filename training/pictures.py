"""List, split and load labelled pictures for training from a folder of torchvision data sets.

``root`` holds, in the layouts that torchvision's own classes download to:

- ``caltech101/101_ObjectCategories/<class>/``  (``torchvision.datasets.Caltech101``)
- ``imagenette2-160/{train,val}/<wnid>/``       (``torchvision.datasets.Imagenette(size="160px")``)
- ``cats_dogs/{cat,dog}/``                      (or ``oxford-iiit-pet/``, ``torchvision.datasets.OxfordIIITPet``)
- ``flowers17/<kind>/``                         (or ``flowers-102/``, ``torchvision.datasets.Flowers102``)
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from cs231n_viz.pictures import folders
from cs231n_viz.pictures.photographs import IMAGENETTE, hold_out, imagenette, pictures_by_set


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


def download(root: Path) -> None:
    """Download those of the four data sets that are missing."""
    for name in ("Caltech101", "Imagenette"):
        folders.download(name, root, "train")
    if not (root / "cats_dogs").is_dir():
        folders.download("OxfordIIITPet", root, "trainval")
    if not (root / "flowers17").is_dir():
        folders.download("Flowers102", root, "train")


def find(root: Path, *, seed: int = 0) -> DataSplit:
    """List the pictures under ``root``; a random fifth of each set is held out (of Imagenette: its own ``val``).

    Raises:
        FileNotFoundError: If one of the four data sets is not there.
    """
    split = DataSplit()
    sets = pictures_by_set(root)
    missing = [name for name in ("caltech101", "pets", "flowers") if name not in sets]
    for name, rows in sets.items():
        split.held_out[name], kept = hold_out(rows, name, seed=seed)
        split.train += kept
    split.held_out["imagenette"] = imagenette(root, "val")
    split.train += imagenette(root, "train")
    if missing or not split.held_out["imagenette"]:
        raise FileNotFoundError(f"not under {str(root)!r}: {', '.join(missing or ['imagenette'])}")
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
