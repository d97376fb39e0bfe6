"""Explorer of notebook 02: a map of pictures, by PCA or t-SNE; point at a place and see who lies there."""

import html
import math
from collections.abc import Callable, Hashable, Mapping, Sequence

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image, ImageColor, ImageDraw
from torch import Tensor
from tqdm.auto import tqdm

from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import GREY, INK, PALE, PAPER, SCALE, Canvas, font
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.plotting.neighbours import looks, thumbnail, thumbnails
from cs231n_viz.representation import neighbours as package
from cs231n_viz.representation.embedding import thumbnail_grid
from cs231n_viz.representation.features import features, pixels

_FINE = 2  # points are drawn this many times too large and reduced, for smooth edges
_RADIUS = 5  # of a point, in CSS pixels
_MARGIN = 14
_MOST_CELLS = 18  # per side of the grid: thumbnails of 30 CSS pixels can still be told apart

Place = tuple[float, float]


class Atlas:
    """Pages of a map in pixels of the picture, (0, 0) at the top left of the page."""

    def __init__(self, labels: Sequence[int], categories: Sequence[str], small: np.ndarray, *, side: int) -> None:
        """Take what the pages show: a class and a thumbnail (N, s, s, 3) for each picture; ``side`` in pixels."""
        self.labels, self.categories, self.small, self.side = list(labels), list(categories), small, side
        self.used = sorted(set(self.labels))
        self.looks = dict(zip(self.used, looks(len(self.used)), strict=True))
        self.signs = all(len(categories[label]) == 1 for label in self.used)  # digits are their own markers
        self.cells = min(_MOST_CELLS, math.ceil(math.sqrt(len(self.labels))))
        self._pages: dict[Hashable, np.ndarray] = {}
        self._grids: dict[Hashable, np.ndarray] = {}

    def page(self, key: Hashable, points: Tensor, chosen: int, *, grid: bool) -> tuple[np.ndarray, Place | None, float]:
        """The picture of a map, the middle (x, y) of one of its pictures, and the size of the mark around it."""
        name = (key, grid)
        if name not in self._pages:
            self._pages[name] = self._thumbnails(key, points) if grid else self._points(points)
        if not grid:
            x, y = self._places(points)[chosen]
            return self._pages[name], (x, y), 4 * _RADIUS * SCALE
        where = np.argwhere(self._grid(key, points) == chosen)
        cell = self.side / self.cells
        place = ((where[0][1] + 0.5) * cell, (where[0][0] + 0.5) * cell) if len(where) else None
        return self._pages[name], place, cell

    def at(self, key: Hashable, points: Tensor, position: tuple[float, float], *, grid: bool) -> int | None:
        """Which picture lies at (row, column): that of the cell, or the nearest point; None where there is none."""
        row, column = position
        if grid:
            down, right = int(row * self.cells / self.side), int(column * self.cells / self.side)
            inside = 0 <= down < self.cells and 0 <= right < self.cells
            found = int(self._grid(key, points)[down, right]) if inside else -1
            return found if found >= 0 else None
        return int(((self._places(points) - (column, row)) ** 2).sum(1).argmin())

    @staticmethod
    def mark(canvas: Canvas, middle: Place, size: float) -> None:
        """A square around a place, dark with a pale rim, to be seen on anything; in CSS pixels."""
        x, y = middle[0] - size / 2, middle[1] - size / 2
        canvas.frame((x - 2, y - 2), (size + 4, size + 4), colour=PAPER, width=5)
        canvas.frame((x, y), (size, size), colour=INK, width=2.5)

    def legend(self, canvas: Canvas, at: Place, *, room: float) -> None:
        """Name the classes in two columns, as many as there is room for; CSS pixels."""
        fits = 2 * int(room // 18)
        if self.signs or fits < 2:
            return
        shown = self.used if len(self.used) <= fits else self.used[: fits - 1]
        half = math.ceil((len(shown) + (len(shown) < len(self.used))) / 2)
        for number, label in enumerate(shown):
            x, y = at[0] + number // half * 144, at[1] + number % half * 18
            image = Image.new("RGB", (48, 48), PAPER)
            self._stamp(ImageDraw.Draw(image), (24, 24), label, _RADIUS * SCALE * _FINE)
            canvas.put(np.array(image.reduce(_FINE)), (x, y))
            name = self.categories[label]
            canvas.text((x + 20, y), name if len(name) <= 15 else f"{name[:14]}…", size=12)
        if len(shown) < len(self.used):
            canvas.text((at[0] + 164, at[1] + (half - 1) * 18), f"and {len(self.used) - len(shown)} more", size=12)

    def _places(self, points: Tensor) -> np.ndarray:
        """(N, 2), x and y in pixels of the page; both axes in one unit, the second pointing up."""
        cloud = points.detach().double().numpy()
        low, high = cloud.min(axis=0), cloud.max(axis=0)
        span = max(float((high - low).max()), 1e-12)
        room = self.side - 2 * _MARGIN * SCALE
        middle = (low + high) / 2
        return self.side / 2 + (cloud - middle) / span * room * (1, -1)

    def _points(self, points: Tensor) -> np.ndarray:
        image = Image.new("RGB", (self.side * _FINE, self.side * _FINE), PALE)
        pen = ImageDraw.Draw(image)
        for place, label in zip(self._places(points) * _FINE, self.labels, strict=True):
            self._stamp(pen, place, label, _RADIUS * SCALE * _FINE)
        return np.array(image.reduce(_FINE))

    def _stamp(self, pen: ImageDraw.ImageDraw, place: Sequence[float], label: int, radius: float) -> None:
        x, y = place
        colour, shape = self.looks[label]
        fill = ImageColor.getrgb(colour)
        if self.signs:
            pen.text((x, y), self.categories[label], font=font(14 * _FINE, True), fill=fill, anchor="mm")
        elif shape == "o":
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill, outline=PAPER)
        else:
            pen.polygon([(x + radius * a, y + radius * b) for a, b in _OUTLINES[shape]], fill=fill, outline=PAPER)

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


def _turned(outline: Sequence[Place], degrees: float) -> list[Place]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(c * x - s * y, s * x + c * y) for x, y in outline]


_ARM = 0.38
_PLUS = [
    *((-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM)),
    *((_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM)),
]
_STAR = [(r * math.sin(math.pi * i / 5), -r * math.cos(math.pi * i / 5)) for i, r in enumerate([1.25, 0.52] * 5)]
_SQUARE = [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]
_UP = [(0, -1.1), (1, 0.75), (-1, 0.75)]
_OUTLINES = {
    "s": _SQUARE,
    "^": _UP,
    "v": _turned(_UP, 180),
    "D": _turned(_SQUARE, 45),
    "P": _PLUS,
    "X": _turned(_PLUS, 45),
    "*": _STAR,
}


_SIDE, _TOP, _LEFT, _RIGHT = 540, 8, 8, 572  # of the map and the column beside it, in CSS pixels
_SMALL, _LARGE = 64, 180
_POINTS, _GRID = "points", "grid of thumbnails"
_K = 4
_STEP = 24  # pixels of the picture that an arrow key moves

Key = tuple[str, str | float]  # a space, and "pca" or a perplexity


def embedding(
    gallery: Gallery | None = None,
    spaces: Mapping[str, Tensor] | None = None,
    *,
    maps: Mapping[Key, Tensor] | None = None,
    perplexities: Sequence[float] = (5, 30, 80),
    seed: int = 0,
    pca: Callable[[Tensor, int], Tensor] | None = None,
) -> Explorer:
    """Hover over a map of pictures, made by PCA or t-SNE from pixels or from features.

    Args:
        gallery: The pictures; 200 scenes if omitted.
        spaces: Title -> (N, D), what the maps are made of; pixels and ``fc7`` of mini_alexnet if omitted.
        maps: (title, ``"pca"`` or a perplexity) -> (N, 2), where they are known already. The others are computed
            now, once, with a progress bar.
        perplexities: To choose from.
        seed: Of t-SNE.
        pca: (N, D), k -> (N, k); the package's if omitted.

    Returns:
        The explorer; ``controls`` are ``space``, ``method``, ``perplexity``, ``show`` and ``query``. The mouse
        chooses the picture under it, the arrow keys move on, and so does the slider.

    Raises:
        ValueError: If a space or a map has not one row per picture, or a perplexity is not below N.
    """
    gallery = Gallery.scenes(200) if gallery is None else gallery
    if spaces is None:
        seen = features(load_model("mini_alexnet"), gallery, "fc7")
        spaces = {"pixels": pixels(gallery), "fc7 of mini_alexnet": seen}
    for title, rows in {**spaces, **(maps or {})}.items():
        if len(rows) != len(gallery):
            raise ValueError(f"wanted {len(gallery)} rows for {title!r}, one per picture, got {len(rows)}")
    made = _all_maps(spaces, dict(maps or {}), perplexities, seed=seed, pca=pca)
    return _Embedding(gallery, dict(spaces), made, list(perplexities)).explorer


def _all_maps(
    spaces: Mapping[str, Tensor],
    maps: dict[Key, Tensor],
    perplexities: Sequence[float],
    *,
    seed: int,
    pca: Callable[[Tensor, int], Tensor] | None,
) -> dict[Key, Tensor]:
    missing = [(s, how) for s in spaces for how in ("pca", *perplexities) if (s, how) not in maps]
    for space, how in tqdm(missing, desc="maps", leave=False, disable=not missing):
        rows = spaces[space]
        if how == "pca":
            maps[space, how] = package.embed(rows, "pca") if pca is None else pca(rows, 2)
        else:
            maps[space, how] = package.embed(rows, "tsne", seed=seed, perplexity=how)
    return maps


class _Embedding:
    def __init__(
        self, gallery: Gallery, spaces: dict[str, Tensor], maps: dict[Key, Tensor], perplexities: list[float]
    ) -> None:
        self.gallery, self.spaces, self.maps = gallery, spaces, maps
        self.shares: dict[Key, float] = {}  # of the five nearest on a map, those of the same class
        self.small = thumbnails(gallery, round(_SMALL * SCALE))
        self.atlas = Atlas(gallery.labels, gallery.categories, self.small, side=round(_SIDE * SCALE))
        style, layout = {"description_width": "92px"}, widgets.Layout(width="380px")
        titles = list(spaces)
        self.controls = {
            "space": dropdown("map of", titles, value=titles[-1]),
            "method": dropdown("method", ["t-SNE", "PCA"]),
            "perplexity": widgets.SelectionSlider(
                options=perplexities,
                value=perplexities[len(perplexities) // 2],
                description="perplexity",
                style=style,
                layout=layout,
            ),
            "show": dropdown("show", [_POINTS, _GRID]),
            "query": slider("picture", 0, len(gallery) - 1),
        }
        self.view = ClickablePicture(alt="A map of pictures; the chosen one large, with its neighbours.")
        self.view.hover, self.view.step = True, (_STEP, _STEP)
        pairs = [("space", "show"), ("method", "perplexity")]
        panel = [widgets.HBox([self.controls[one], self.controls[two]], layout=GAP) for one, two in pairs]
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=[*panel, self.controls["query"]])
        self.view.observe(self._point_at, names="position")

    def _map(self) -> tuple[Key, Tensor]:
        values = {name: control.value for name, control in self.controls.items()}
        key = (values["space"], "pca" if values["method"] == "PCA" else values["perplexity"])
        return key, self.maps[key]

    def _point_at(self, change: dict) -> None:
        row, column = change["new"]
        inside = (row - _TOP * SCALE, column - _LEFT * SCALE)
        if max(inside) < _SIDE * SCALE:
            found = self.atlas.at(*self._map(), inside, grid=self.controls["show"].value == _GRID)
            if found is not None:
                self.controls["query"].value = found

    def draw(self, space: str, method: str, perplexity: float, show: str, query: int) -> Drawing:
        self.controls["perplexity"].disabled = method == "PCA"
        key, points = self._map()
        canvas = Canvas(_TOP + _SIDE + 8)
        page, place, size = self.atlas.page(key, points, query, grid=show == _GRID)
        canvas.put(page, (_LEFT, _TOP))
        self._beside(canvas, points, query, space)
        step = round(size) if place is not None and show == _GRID else _STEP
        self.view.step = (step, step)  # in the grid an arrow key goes on by one thumbnail
        if place is not None:
            self.atlas.mark(canvas, (_LEFT + place[0] / SCALE, _TOP + place[1] / SCALE), size / SCALE)
        return Drawing(canvas.array, self._sentence(key, points), "" if place is not None else _NOT_SHOWN)

    def _beside(self, canvas: Canvas, points: Tensor, query: int, space: str) -> None:
        """The chosen picture, and its neighbours on the map and in the space that the map was made of."""
        canvas.put(thumbnail(self.gallery[query][0], round(_LARGE * SCALE)), (_RIGHT, _TOP))
        name = self.gallery.categories[self.gallery.labels[query]]
        canvas.text((_RIGHT + _LARGE + 10, _TOP), name, size=14, bold=True)
        canvas.text((_RIGHT + _LARGE + 10, _TOP + 22), f"picture {query}", size=12, colour=GREY)
        titles = (("nearest on the map", points), (f"nearest in {space}", self.spaces[space]))
        lists = [self._nearest(rows, query) for _, rows in titles]
        for position, ((title, _), found) in enumerate(zip(titles, lists, strict=True)):
            top = _TOP + _LARGE + 12 + position * (_SMALL + 30)
            canvas.text((_RIGHT, top), title, size=12, colour=GREY)
            for place, index in enumerate(found):
                canvas.put(self.small[index], (_RIGHT + place * (_SMALL + 6), top + 18))
        both = len(set(lists[0]) & set(lists[1]))
        top = _TOP + _LARGE + 12 + 2 * (_SMALL + 30)
        canvas.text((_RIGHT, top), f"{both} of {len(lists[0])} are the same pictures", size=12, colour=GREY)
        self.atlas.legend(canvas, (_RIGHT, top + 26), room=_SIDE + _TOP - top - 26)

    def _nearest(self, rows: Tensor, query: int) -> list[int]:
        gaps = (rows - rows[query]).square().sum(1)
        gaps[query] = torch.inf
        return gaps.topk(min(_K, len(rows) - 1), largest=False).indices.tolist()

    def _sentence(self, key: Key, points: Tensor) -> str:
        if key not in self.shares:
            near = package.nearest(points, points, min(5, len(points) - 1), exclude_self=True).indices
            self.shares[key] = float(package.purity(near, self.gallery.labels, self.gallery.labels).mean())
        space, how = key
        made = "PCA" if how == "pca" else f"t-SNE with perplexity {how}"
        share = f"<b>{self.shares[key]:.0%}</b> share the class"
        text = f"{made} of {html.escape(space)}: of the five nearest on the map, {share}."
        return f'<div style="line-height: 1.5; max-width: 850px">{text}</div>'


_NOT_SHOWN = "The grid has fewer cells than there are pictures: this one is not on it."
