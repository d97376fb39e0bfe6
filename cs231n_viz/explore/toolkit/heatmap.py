"""Heatmaps: cell by cell, over a photograph, and the outlines of objects."""

import numpy as np
import torch

from cs231n_viz.explore.toolkit.canvas import PAPER, Canvas, Colour, coloured
from cs231n_viz.pictures.images import to_uint8


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


def around_grey(values: np.ndarray, limit: float) -> np.ndarray:
    """Signed values (3, H, W) as colours around grey, from -limit to limit, (H, W, 3) uint8."""
    return to_uint8(torch.from_numpy(0.5 + values / (2 * limit)))


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


def map_cells(
    canvas: Canvas, values: np.ndarray, at: tuple[float, float], *, side: float, title: str, signed: bool
) -> float:
    """Draw a map cell by cell, with a title and a bar for its colours, or say that it is 0 everywhere.

    Returns:
        The largest magnitude, which is the end of the palette.
    """
    limit = float(np.abs(values).max())
    canvas.panel(coloured(values, limit, signed=signed), at, side, title, smooth=False)
    if limit:
        canvas.scale_bar((at[0], at[1] + side + 6), side, limit, signed=signed)
    else:
        canvas.text((at[0] + side / 2, at[1] + side / 2), "0 everywhere", colour=PAPER, anchor="mm", bold=True)
    return limit
