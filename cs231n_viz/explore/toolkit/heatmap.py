"""Heatmaps: in colours with a bar that explains them, over a photograph, and the outlines of objects."""

from typing import NamedTuple

import numpy as np
import torch

from cs231n_viz.explore.toolkit.canvas import INK, PALE, PAPER, Canvas, Colour, coloured, themed
from cs231n_viz.pictures.images import to_uint8

BAR_GAP, BAR = 6, 34  # CSS pixels between a map and the bar of its colours; from the map to below the bar's numbers


def resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map (h, w) enlarged to (H, W), bilinearly; each of its cells stands for an equal share of the picture."""
    small = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
    return torch.nn.functional.interpolate(small, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()


def overlay(
    photo: np.ndarray, values: np.ndarray, *, limit: float, signed: bool = False, opacity: float = 0.6
) -> np.ndarray:
    """Blend a heatmap over a photograph, which turns grey so that the colours of the map can be read.

    Args:
        photo: (H, W, 3), uint8.
        values: (h, w).
        limit: Value at the end of the palette; with 0, for a map that is 0 everywhere, the photograph stays as it is.
        signed: Diverging palette, from -limit to limit.
        opacity: Of the map, in [0, 1]; at 0 the photograph keeps its colours.

    Returns:
        (H, W, 3), uint8.
    """
    if not limit:
        return photo
    colours = coloured(resized(values, photo.shape[:2]), limit, signed=signed).astype(np.float32)
    grey = photo.astype(np.float32).mean(axis=2, keepdims=True)
    below = photo * (1 - opacity) + grey * opacity
    return (below * (1 - opacity) + colours * opacity).round().astype(np.uint8)


def robust_limit(values: np.ndarray) -> float:
    """Where the scale of a heatmap ends: 1 magnitude in 200 is beyond, so that outliers do not leave the rest pale."""
    size = np.abs(values)
    return float(np.quantile(size, 0.995)) or float(size.max()) or 1.0


def cut_out(photo: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """What lies in a box (top, left, bottom, right) of a photograph (H, W, 3); what is outside of that is pale."""
    rows, columns = np.arange(box[0], box[2]), np.arange(box[1], box[3])
    down, right = ((0 <= places) & (places < side) for places, side in zip((rows, columns), photo.shape, strict=False))
    pixels = photo[rows.clip(0, photo.shape[0] - 1)[:, None], columns.clip(0, photo.shape[1] - 1)]
    return np.where((down[:, None] & right)[..., None], pixels, np.uint8(themed(PALE)))


def outlined(photo: np.ndarray, mask: np.ndarray, colour: Colour = PAPER, *, width: int = 1) -> np.ndarray:
    """Draw a line of ``width`` pixels along the border of a mask, inside of it.

    Args:
        photo: (H, W, 3), uint8.
        mask: (H, W) bool. Where it reaches the edge of the photograph, there is no line.
        colour: Of the line.
        width: In pixels of the photograph.
    """
    from scipy.ndimage import binary_erosion  # only needed where there are masks

    drawn = photo.copy()
    drawn[mask & ~binary_erosion(mask, iterations=width, border_value=True)] = colour
    return drawn


class Heatmap(NamedTuple):
    """A map in colours, and what they stand for.

    Attributes:
        pixels: (h, w, 3), uint8.
        limit: Value at the end of the scale; 0 for a map that is 0 everywhere, None for one that is still to come.
        signed: From -limit to limit, else from 0; None for colours around grey.
    """

    pixels: np.ndarray
    limit: float | None
    signed: bool | None = False


def heatmap(values: np.ndarray, *, signed: bool, limit: float | None = None) -> Heatmap:
    """Colour a map (h, w): red for and blue against, or from dark to light; the scale ends at its largest magnitude."""
    limit = float(np.abs(values).max()) if limit is None else limit
    return Heatmap(coloured(values, limit, signed=signed), limit, signed)


def around_grey(values: np.ndarray) -> Heatmap:
    """Signed values (C, H, W) as colours around grey; 1 pixel in 200 is beyond the scale, zeros not counted."""
    limit = limit_of(np.abs(values).max(axis=0))
    shown = torch.from_numpy(0.5 + values / (2 * (limit or 1.0)))
    return Heatmap(to_uint8(shown.expand(3, -1, -1)), limit, None)


def limit_of(values: np.ndarray) -> float:
    """:func:`robust_limit` of what is not 0, since a neuron sees few pixels; 0 for a map that is 0 everywhere."""
    return robust_limit(values[values != 0]) if values.any() else 0.0


def map_panel(
    canvas: Canvas, drawn: Heatmap, at: tuple[float, float], side: float, title: str, *, smooth: bool = True
) -> None:
    """Draw a map as a square with a title above and a bar for its colours below, or say that it is 0 everywhere."""
    canvas.panel(drawn.pixels, at, side, title, smooth=smooth, bold=True)
    if drawn.limit:
        low = -drawn.limit if drawn.signed is None else None
        canvas.scale_bar((at[0], at[1] + side + BAR_GAP), side, drawn.limit, signed=drawn.signed, low=low)
    elif drawn.limit == 0:
        colour = INK if drawn.signed else PAPER
        canvas.text((at[0] + side / 2, at[1] + side / 2), "0 everywhere", colour=colour, anchor="mm", bold=True)
