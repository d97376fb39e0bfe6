"""Two pictures of an embedding: a scatter plot of points, and a grid of thumbnails."""

import math
from collections.abc import Hashable, Sequence
from functools import cache

import numpy as np
from matplotlib.markers import MarkerStyle
from PIL import Image, ImageColor, ImageDraw
from torch import Tensor

from cs231n_viz.explore.toolkit.canvas import INK, PALE, PAPER, SCALE, Canvas, font
from cs231n_viz.plotting.neighbours import class_markers
from cs231n_viz.representation.embedding import thumbnail_grid

_FINE = 2  # points are drawn this many times too large and reduced, for smooth edges
_RADIUS = 5  # of a point, in CSS pixels
_MARGIN = 14
_MOST_CELLS = 18  # per side of the grid: thumbnails of 30 CSS pixels can still be told apart

Place = tuple[float, float]


class EmbeddingPlot:
    """The plots of several embeddings of the same pictures, in pixels, (0, 0) at the top left; each is made once."""

    def __init__(self, labels: Sequence[int], categories: Sequence[str], small: np.ndarray, *, side: int) -> None:
        """``labels`` (N,) and thumbnails ``small`` (N, s, s, 3) of the pictures; ``side`` of a plot in pixels."""
        self.labels, self.categories, self.small, self.side = list(labels), list(categories), small, side
        self.used = sorted(set(self.labels))
        self.markers = dict(zip(self.used, class_markers(len(self.used)), strict=True))
        self.digits = all(len(categories[label]) == 1 for label in self.used)  # single characters are their own markers
        self.cells = min(_MOST_CELLS, math.ceil(math.sqrt(len(self.labels))))
        self._plots: dict[Hashable, np.ndarray] = {}
        self._grids: dict[Hashable, np.ndarray] = {}

    def plot(self, key: Hashable, points: Tensor, chosen: int, *, grid: bool) -> tuple[np.ndarray, Place | None, float]:
        """Plot one embedding.

        Args:
            key: Names the embedding.
            points: Its coordinates, (N, 2).
            chosen: Index of a picture.
            grid: The grid of thumbnails instead of the points.

        Returns:
            The plot (side, side, 3), uint8; the centre (x, y) of the chosen picture, None if the grid leaves it out;
            and the size of the mark around it.
        """
        name = (key, grid)
        if name not in self._plots:
            self._plots[name] = self._thumbnails(key, points) if grid else self._scatter(points)
        if not grid:
            x, y = self._places(points)[chosen]
            return self._plots[name], (x, y), 4 * _RADIUS * SCALE
        where = np.argwhere(self._grid(key, points) == chosen)
        cell = self.side / self.cells
        place = ((where[0][1] + 0.5) * cell, (where[0][0] + 0.5) * cell) if len(where) else None
        return self._plots[name], place, cell

    def index_at(self, key: Hashable, points: Tensor, position: tuple[float, float], *, grid: bool) -> int | None:
        """Which picture lies at (row, column): that of the cell, or the nearest point; None where there is none."""
        row, column = position
        if not grid:
            return int(((self._places(points) - (column, row)) ** 2).sum(1).argmin())
        down, right = int(row * self.cells / self.side), int(column * self.cells / self.side)
        inside = 0 <= down < self.cells and 0 <= right < self.cells
        index = int(self._grid(key, points)[down, right]) if inside else -1
        return index if index >= 0 else None

    @staticmethod
    def mark(canvas: Canvas, middle: Place, size: float) -> None:
        """Draw a dark square with a pale rim, visible on any ground, around a place; in CSS pixels."""
        x, y = middle[0] - size / 2, middle[1] - size / 2
        canvas.frame((x - 2, y - 2), (size + 4, size + 4), colour=PAPER, width=5)
        canvas.frame((x, y), (size, size), colour=INK, width=2.5)

    def legend(self, canvas: Canvas, at: Place, *, room: float) -> None:
        """Name the classes in two columns, as many as there is room for; CSS pixels."""
        fits = 2 * int(room // 18)
        if self.digits or fits < 2:
            return
        shown = self.used if len(self.used) <= fits else self.used[: fits - 1]
        half = math.ceil((len(shown) + (len(shown) < len(self.used))) / 2)
        for number, label in enumerate(shown):
            x, y = at[0] + number // half * 144, at[1] + number % half * 18
            image = Image.new("RGB", (48, 48), PAPER)
            self._marker(ImageDraw.Draw(image), (24, 24), label, _RADIUS * SCALE * _FINE)
            canvas.put(np.array(image.reduce(_FINE)), (x, y))
            name = self.categories[label]
            canvas.text((x + 20, y), name if len(name) <= 15 else f"{name[:14]}…", size=12)
        if len(shown) < len(self.used):
            canvas.text((at[0] + 164, at[1] + (half - 1) * 18), f"and {len(self.used) - len(shown)} more", size=12)

    def _places(self, points: Tensor) -> np.ndarray:
        """(N, 2), x and y in pixels of the plot; both axes in one unit, the second pointing up."""
        cloud = points.detach().double().numpy()
        low, high = cloud.min(axis=0), cloud.max(axis=0)
        span = max(float((high - low).max()), 1e-12)
        room = self.side - 2 * _MARGIN * SCALE
        middle = (low + high) / 2
        return self.side / 2 + (cloud - middle) / span * room * (1, -1)

    def _scatter(self, points: Tensor) -> np.ndarray:
        image = Image.new("RGB", (self.side * _FINE, self.side * _FINE), PALE)
        pen = ImageDraw.Draw(image)
        for place, label in zip(self._places(points) * _FINE, self.labels, strict=True):
            self._marker(pen, place, label, _RADIUS * SCALE * _FINE)
        return np.array(image.reduce(_FINE))

    def _marker(self, pen: ImageDraw.ImageDraw, place: Sequence[float], label: int, radius: float) -> None:
        x, y = place
        colour, shape = self.markers[label]
        fill = ImageColor.getrgb(colour)
        if self.digits:
            pen.text((x, y), self.categories[label], font=font(14 * _FINE, True), fill=fill, anchor="mm")
        elif shape == "o":
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill, outline=PAPER)
        else:
            pen.polygon([(x + radius * a, y + radius * b) for a, b in _outline(shape)], fill=fill, outline=PAPER)

    def _grid(self, key: Hashable, points: Tensor) -> np.ndarray:
        if key not in self._grids:
            self._grids[key] = thumbnail_grid(points, self.cells, self.cells).numpy()
        return self._grids[key]

    def _thumbnails(self, key: Hashable, points: Tensor) -> np.ndarray:
        page = Image.new("RGB", (self.side, self.side), PALE)
        cell = self.side / self.cells
        for (row, column), index in np.ndenumerate(self._grid(key, points)):
            if index >= 0:
                left, top = round(column * cell), round(row * cell)
                size = (round((column + 1) * cell) - left - 1, round((row + 1) * cell) - top - 1)
                how = Image.Resampling.BILINEAR
                page.paste(Image.fromarray(self.small[index]).resize(size, how), (left, top))
        return np.array(page)


@cache
def _outline(shape: str) -> np.ndarray:
    """One of matplotlib's markers as a polygon around (0, 0), (K, 2), about as large as a circle of radius 1."""
    marker, size = MarkerStyle(shape), 3 if shape == "*" else 2
    return marker.get_path().transformed(marker.get_transform()).vertices[:-1] * (size, -size)
