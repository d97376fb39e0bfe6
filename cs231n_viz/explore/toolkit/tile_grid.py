"""Grids to choose from: small exact tiles, the cells of a map; and a sheet of images of one size."""

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from cs231n_viz.explore.toolkit.canvas import ORANGE, PAPER, SCALE, Canvas, coloured
from cs231n_viz.explore.toolkit.picture import Spot
from cs231n_viz.plotting.figures import tile

ORDERS = ("by channel", "by mean", "by maximum")
SCALES = ("each map its own", "one for all maps")
_GAP = 4  # pixels of the picture between tiles


def draw_tiles(
    canvas: Canvas,
    tiles: np.ndarray,
    at: tuple[float, float],
    *,
    side: float,
    choose: Callable[[int], object],
    chosen: int | None = None,
) -> Spot:
    """Put tiles such as filters on a canvas in a square grid, each element blown up to a whole number of pixels.

    Args:
        canvas: Drawn on.
        tiles: (K, h, w, 3), uint8.
        at: (x, y) of the first, in CSS pixels.
        side: The most room the grid may take, in CSS pixels.
        choose: Called with the index of a tile that is pointed at.
        chosen: Which one gets a frame.
    """
    count, height, width, _ = tiles.shape
    columns = math.ceil(math.sqrt(count))
    rows, pitch = math.ceil(count / columns), int(side * SCALE) // columns
    factor = max(1, (pitch - _GAP) // max(height, width))
    large = tiles.repeat(factor, axis=1).repeat(factor, axis=2) if factor > 1 else tiles
    for index, pixels in enumerate(large):
        y, x = index // columns * pitch, index % columns * pitch
        canvas.put(pixels, (at[0] + x / SCALE, at[1] + y / SCALE))

    def choose_tile(row: int, column: int) -> None:
        if (index := row * columns + column) < count:
            choose(index)

    cell = None if chosen is None else divmod(chosen, columns)
    if cell is not None:
        corner = (at[0] + (cell[1] * pitch - _GAP) / SCALE, at[1] + (cell[0] * pitch - _GAP) / SCALE)
        around = ((large.shape[2] + 2 * _GAP) / SCALE, (large.shape[1] + 2 * _GAP) / SCALE)
        canvas.frame(corner, around, colour=ORANGE, width=_GAP / SCALE)
    return Spot(at, (columns * pitch / SCALE, rows * pitch / SCALE), (rows, columns), choose_tile, cell)


def draw_cells(
    canvas: Canvas,
    values: np.ndarray,
    at: tuple[float, float],
    *,
    side: float,
    choose: Callable[[int, int], object],
    chosen: tuple[int, int],
    title: str = "",
    limit: float | None = None,
    signed: bool | None = None,
) -> Spot:
    """Put a map (h, w) on a canvas as a square, cell by cell, with a bar for its colours and a frame around one cell.

    Args:
        canvas: Drawn on.
        values: Numbers; they have two colours if some are negative, or if they are ``signed``.
        at: (x, y) of its corner, in CSS pixels.
        side: Of the square.
        choose: Called with the (row, column) of a cell that is pointed at.
        chosen: Which one gets the frame.
        title: Above it.
        limit: Where the scale ends; at the largest magnitude if omitted.
        signed: Whether the scale begins at minus that.
    """
    limit = (float(np.abs(values).max()) or 1.0) if limit is None else limit
    signed = bool(values.min() < 0) if signed is None else signed
    canvas.panel(coloured(values, limit, signed=signed), at, side, title, smooth=False)
    canvas.scale_bar((at[0], at[1] + side + 6), min(side, 200), limit, signed=signed)
    spot = Spot(at, (side, side), values.shape, choose, chosen)
    (x, y), (high, wide) = spot.middle, (max(side / count, 8) for count in values.shape)
    canvas.frame((x - wide / 2 - 1.5, y - high / 2 - 1.5), (wide + 3, high + 3), colour=PAPER, width=1.5)
    canvas.frame((x - wide / 2, y - high / 2), (wide, high), colour=ORANGE, width=2.5)
    return spot


def in_order(maps: np.ndarray, order: str) -> list[int]:
    """The channels of maps (C, h, w) in one of :data:`ORDERS`."""
    strength = {ORDERS[1]: maps.mean(axis=(1, 2)), ORDERS[2]: maps.max(axis=(1, 2))}.get(order)
    return list(range(len(maps))) if strength is None else np.argsort(-strength, kind="stable").tolist()


def map_tiles(maps: np.ndarray, side: float, scale: str) -> tuple[np.ndarray, float]:
    """Maps (C, h, w) as tiles that fill a grid of :func:`draw_tiles`, each enlarged or thinned out to its room.

    Args:
        maps: Activations.
        side: The most room of the grid, in CSS pixels.
        scale: One of :data:`SCALES`.

    Returns:
        Tiles (C, n, n, 3), uint8, and the largest magnitude of all, where a scale for all maps ends.
    """
    room = int(side * SCALE) // math.ceil(math.sqrt(len(maps))) - _GAP
    (rows, row_of), (columns, column_of) = (
        np.unique(np.arange(room) * count // room, return_inverse=True) for count in maps.shape[1:]
    )
    largest = np.abs(maps).max(axis=(1, 2), keepdims=True)
    limit = float(largest.max())
    shares = maps[:, rows[:, None], columns] / np.maximum(largest if scale == SCALES[0] else limit, 1e-12)
    small = coloured(shares, 1.0, signed=bool(maps.min() < 0))
    return small.take(column_of, axis=2).take(row_of, axis=1), limit  # one side after the other copies in longer pieces


def as_one_image(images: Tensor) -> Tensor:
    """Several images (N, 3 or 1, H, W) in a grid as square as can be, on white, (3, H', W'); one image as it is."""
    columns = math.ceil(math.sqrt(len(images)))
    return tile(images.detach().cpu().float().expand(-1, 3, -1, -1), columns, pad=_GAP)[:, _GAP:-_GAP, _GAP:-_GAP]
