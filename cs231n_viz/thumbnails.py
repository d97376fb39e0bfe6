"""Pictures made small, and a look for each class that is told apart without colour too."""

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

# Okabe and Ito's palette without black and with a darker yellow, told apart with any kind of colour vision. Beyond
# seven classes a colour returns with another shape.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#A89400")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")


def thumbnail(image: Tensor, side: int) -> np.ndarray:
    """The middle square of a picture, made small.

    Args:
        image: (3, H, W), RGB in [0, 1].
        side: Of the result, in pixels. Pictures smaller than that keep sharp pixels.

    Returns:
        (side, side, 3), uint8.

    Raises:
        ValueError: If ``image`` is not (3, H, W).
    """
    image = torch.as_tensor(image).detach().cpu().float()
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"image must be (3, H, W), got {tuple(image.shape)}")
    height, width = image.shape[1:]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    middle = image[:, top : top + square, left : left + square].clamp(0, 1)
    pixels = (middle.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    how = Image.Resampling.NEAREST if square < side else Image.Resampling.BOX
    return np.array(Image.fromarray(pixels).resize((side, side), how))


def thumbnails(pictures: Iterable[tuple[Tensor, int]], side: int) -> np.ndarray:
    """Every picture of a gallery made small.

    Args:
        pictures: A gallery, or any (image, label) pairs.
        side: Of each thumbnail, in pixels.

    Returns:
        (N, side, side, 3), uint8.
    """
    return np.stack([thumbnail(image, side) for image, _ in pictures])


def looks(count: int) -> list[tuple[str, str]]:
    """A colour and a marker for each of ``count`` classes; no pair comes twice up to 56."""
    return [(COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]) for i in range(count)]
