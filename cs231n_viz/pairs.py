"""Two known objects in one picture: whoever explains a class must now tell which of them it is about."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cs231n_viz.images import load_image, to_uint8
from cs231n_viz.scenes import OBJECTS, object_mask

_AT = {"astronaut": 1.0, "cat": 0.0}  # where the photograph cuts the object off: at the lower or the upper border
_MIDDLE = 0.5
_SIDE = 320  # the longer side at which objects are kept


class Pair(NamedTuple):
    """A picture, (3, size, size) in [0, 1], and where its left and its right object are, (2, size, size) bool."""

    image: Tensor
    masks: Tensor


def pair(left: str, right: str, *, size: int = 224, share: float = 0.5, grey: float = 0.75) -> Pair:
    """Put two objects of the bundled photographs side by side on plain grey.

    Args:
        left: A name of ``scenes.OBJECTS``.
        right: Another one, or the same.
        size: Side of the picture in pixels.
        share: Longer side of each object, of ``size``; at most a half.
        grey: Of the background, in [0, 1].

    Returns:
        The picture and both masks.

    Raises:
        KeyError: If an object is unknown.
        ValueError: If ``share`` or ``grey`` is out of range.
    """
    unknown = [name for name in (left, right) if name not in OBJECTS]
    if unknown:
        raise KeyError(f"no object {unknown[0]!r} to paste; there are {', '.join(OBJECTS)}")
    if not 0 < share <= 0.5 or not 0 <= grey <= 1:
        raise ValueError(f"share must be in (0, 0.5] and grey in [0, 1], got {share} and {grey}")
    picture = np.full((size, size, 3), 255 * grey, np.float32)
    masks = np.zeros((2, size, size), bool)
    for place, name in enumerate((left, right)):
        pixels, alpha = _resized(name, max(2, round(size * share)))
        height, width = alpha.shape
        top = round((size - height) * _AT.get(name, _MIDDLE))
        start = place * (size // 2) + (size // 2 - width) // 2
        window = np.s_[top : top + height, start : start + width]
        picture[window] = picture[window] * (1 - alpha[:, :, None]) + pixels
        masks[place][window] = alpha > 0.5
    return Pair(torch.from_numpy(picture.transpose(2, 0, 1).copy() / 255).clamp(0, 1), torch.from_numpy(masks))


def _resized(name: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    """An object's colours times alpha, (h, w, 3), 0 to 255, and alpha, (h, w), 0 to 1; ``side`` is the longer side."""
    picture = _cut(name)
    scale = side / max(picture.size)
    shape = tuple(max(1, round(length * scale)) for length in picture.size)
    pixels = np.asarray(picture.resize(shape, Image.Resampling.BILINEAR), np.float32)
    return pixels[:, :, :3], pixels[:, :, 3] / 255


@lru_cache(maxsize=16)
def _cut(name: str) -> Image.Image:
    """The object's rectangle in its photograph, colours multiplied by alpha, which is its mask."""
    mask = object_mask(name)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    picture = Image.fromarray(np.dstack([to_uint8(load_image(name))[window], np.uint8(255) * mask[window]]))
    picture = picture.convert("RGBa")
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    return picture
