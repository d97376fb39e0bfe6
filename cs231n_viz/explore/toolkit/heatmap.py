"""A map of evidence as it lies in the picture: its cells, and the same stretched over the photograph."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.canvas import PAPER, Canvas, coloured
from cs231n_viz.network.models import Classifier


def layers_with_maps(model: Classifier) -> list[str]:
    """The layers that tell places apart, in order of execution."""
    return [entry.name for entry in model.layers() if len(entry.shape) == 3 and min(entry.shape[1:]) > 1]


def by_name(models: Classifier | Mapping[str, Classifier]) -> dict[str, Classifier]:
    """Name -> model.

    Raises:
        ValueError: If there is none.
    """
    named = dict(models) if isinstance(models, Mapping) else {models.name: models}
    if not named:
        raise ValueError("models is empty; wanted a classifier, or name -> classifier")
    return named


def stretched(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (h, w) as (H, W), bilinearly; each of its cells stands for an equal share of the picture."""
    small = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
    return torch.nn.functional.interpolate(small, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()


def laid_over(
    photo: np.ndarray, values: np.ndarray, *, limit: float, signed: bool = False, opacity: float = 0.6
) -> np.ndarray:
    """A map over a photograph, which loses its colours so that those of the map can be read.

    Args:
        photo: (H, W, 3), uint8.
        values: (h, w).
        limit: Value at the end of the palette; 0 for a map that is 0 everywhere.
        signed: Diverging palette, from -limit to limit.
        opacity: Of the map, in [0, 1]; at 0 the photograph keeps its colours.

    Returns:
        (H, W, 3), uint8.
    """
    colours = coloured(stretched(values, photo.shape[:2]), limit, signed=signed).astype(np.float32)
    grey = photo.astype(np.float32).mean(axis=2, keepdims=True)
    beneath = photo * (1 - opacity) + grey * opacity
    return (beneath * (1 - opacity) + colours * opacity).round().astype(np.uint8)


def outlines(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask (H, W) that touch what lies outside of it, (H, W) bool."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(mask, step, axis)
    return mask & ~inner


def with_outlines(photo: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) with a white line around each of the masks (K, H, W)."""
    drawn = photo.copy()
    for mask in masks:
        drawn[outlines(mask)] = PAPER
    return drawn


def cells(canvas: Canvas, values: np.ndarray, at: tuple[float, float], *, side: float, signed: bool) -> float:
    """Draw a map cell by cell with a bar for its colours, or say that there is nothing to draw.

    Returns:
        The largest magnitude, which is the end of the palette.
    """
    limit = float(np.abs(values).max())
    canvas.paste(coloured(values, limit, signed=signed), at, (side, side))
    if limit:
        canvas.scale_bar((at[0], at[1] + side + 6), side, limit, signed=signed)
    else:
        canvas.text((at[0] + side / 2, at[1] + side / 2), "0 everywhere", colour=PAPER, anchor="mm", bold=True)
    return limit


def rank_and_probability(logits: Tensor, category: int) -> tuple[int, float]:
    """The place of a class among all, from 1, and its probability; ``logits`` is (K,)."""
    return 1 + int((logits > logits[category]).sum()), float(logits.softmax(0)[category])
