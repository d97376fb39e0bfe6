"""What the galleries of bundled pictures load: photographs, pieces of them, and digits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cs231n_viz.images import load_image, to_pil

# What the photographs show, in the words of the shipped networks' categories.
_SHOWN = {
    "astronaut": "Faces",
    "cat": "cat",
    "china": "pagoda",
    "coffee": "cup",
    "flower": "flower",
    "grace_hopper": "Faces",
    "motorcycle": "Motorbikes",
}
_CROP_SIDES = (0.25, 1.0)  # of the photograph's short side


def shown(photos: Sequence[str]) -> tuple[list[int], list[str]]:
    """Labels and categories of photographs."""
    shown = [_SHOWN.get(name, name) for name in photos]
    categories = sorted(set(shown), key=str.lower)
    number = {name: label for label, name in enumerate(categories)}
    return [number[name] for name in shown], categories


@dataclass(frozen=True)
class Photos:
    """Loads photograph ``index`` of a list of sample images."""

    names: tuple[str, ...]

    def __call__(self, index: int) -> Tensor:
        """(3, H, W) in [0, 1]."""
        return load_image(self.names[index])


@dataclass(frozen=True)
class Crops:
    """Cuts piece ``index`` out of the photographs, which take turns."""

    photos: tuple[str, ...]
    size: int
    seed: int

    def __call__(self, index: int) -> Tensor:
        """(3, size, size) in [0, 1]."""
        photo = photograph(self.photos[index % len(self.photos)])
        random = np.random.default_rng((self.seed, index))
        low, high = np.log(_CROP_SIDES)
        side = min(photo.size) * float(np.exp(random.uniform(low, high)))
        left, top = random.uniform(0, 1, 2) * (photo.width - side, photo.height - side)
        box = (left, top, left + side, top + side)
        crop = photo.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)
        return torch.from_numpy(np.array(crop)).permute(2, 0, 1) / 255


def load_digit(index: int) -> Tensor:
    """Digit ``index`` as (3, 8, 8) in [0, 1]."""
    pixels = torch.from_numpy(digits()[0][index] / 16).float()
    return pixels.expand(3, -1, -1).contiguous()


@lru_cache(maxsize=1)
def digits() -> tuple[np.ndarray, list[int]]:
    """The digits of scikit-learn, (1797, 8, 8) from 0 to 16, and what they are."""
    from sklearn.datasets import load_digits  # takes a second to import

    bunch = load_digits()
    return bunch.images, bunch.target.tolist()


@lru_cache(maxsize=64)
def photograph(name: str) -> Image.Image:
    """A sample image as PIL's, kept in memory: all of them together take some 20 MB."""
    return to_pil(load_image(name))
