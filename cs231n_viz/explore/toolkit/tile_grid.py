"""Several pictures as one: a grid of small exact tiles to choose from, and a sheet of images of one size."""

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from cs231n_viz.explore.toolkit.canvas import ORANGE, SCALE, Canvas
from cs231n_viz.explore.toolkit.picture import Spot
from cs231n_viz.plotting.figures import tile

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
    large = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
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


class TileGrid:
    """Tiles in a square grid, such as filters, each element blown up to a whole number of pixels."""

    def __init__(self, *, side: int) -> None:
        """``side`` is the most room the grid may take, in CSS pixels."""
        self._room = int(side * SCALE)
        self._count, self._columns = 0, 1
        self._corner = (0.0, 0.0)
        self.pitch = (1, 1)

    def draw(self, canvas: Canvas, tiles: np.ndarray, at: tuple[float, float], *, chosen: int | None = None) -> None:
        """Put the tiles on a canvas.

        Args:
            canvas: Drawn on.
            tiles: (K, h, w, 3), uint8.
            at: (x, y) of the first, in CSS pixels.
            chosen: Which one gets a frame.
        """
        count, height, width, _ = tiles.shape
        self._count, self._corner = count, at
        self._columns = math.ceil(math.sqrt(count))
        side = self._room // self._columns
        factor = max(1, (side - _GAP) // max(height, width))
        large = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
        self.pitch = (side, side)
        for index, pixels in enumerate(large):
            y, x = index // self._columns * side, index % self._columns * side
            canvas.put(pixels, (at[0] + x / SCALE, at[1] + y / SCALE))
        if chosen is not None:
            self._frame(canvas, chosen, large.shape[1:3])

    def _frame(self, canvas: Canvas, chosen: int, size: tuple[int, int]) -> None:
        down, right = divmod(chosen, self._columns)
        x = self._corner[0] + (right * self.pitch[1] - _GAP) / SCALE
        y = self._corner[1] + (down * self.pitch[0] - _GAP) / SCALE
        around = ((size[1] + 2 * _GAP) / SCALE, (size[0] + 2 * _GAP) / SCALE)
        canvas.frame((x, y), around, colour=ORANGE, width=_GAP / SCALE)

    def middle_of(self, index: int) -> tuple[float, float]:
        """The middle of a tile, (x, y) in CSS pixels of the canvas that the grid was drawn on."""
        down, right = divmod(index, self._columns)
        x, y = (right + 0.5) * self.pitch[1] / SCALE, (down + 0.5) * self.pitch[0] / SCALE
        return self._corner[0] + x, self._corner[1] + y

    def index_at(self, position: tuple[int, int]) -> int | None:
        """Which tile lies under (row, column) of the picture; None beside the grid."""
        down = math.floor((position[0] - self._corner[1] * SCALE) / self.pitch[0])
        right = math.floor((position[1] - self._corner[0] * SCALE) / self.pitch[1])
        index = down * self._columns + right
        inside = 0 <= right < self._columns and down >= 0 and index < self._count
        return index if inside else None


def as_one_image(images: Tensor) -> Tensor:
    """Several images (N, 3 or 1, H, W) in a grid as square as can be, on white, (3, H', W'); one image as it is."""
    columns = math.ceil(math.sqrt(len(images)))
    return tile(images.detach().cpu().float().expand(-1, 3, -1, -1), columns, pad=_GAP)[:, _GAP:-_GAP, _GAP:-_GAP]
