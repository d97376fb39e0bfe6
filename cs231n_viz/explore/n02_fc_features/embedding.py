"""Explorer of notebook 02: a map of pictures, by PCA or t-SNE; point at a place to see the pictures there."""

import html
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets
from torch import Tensor
from tqdm.auto import tqdm

from cs231n_viz.explore.n02_fc_features.embedding_plot import EmbeddingPlot
from cs231n_viz.explore.n02_fc_features.rich_gallery import rich_gallery
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, PALE, SCALE, Canvas
from cs231n_viz.explore.toolkit.controls import dropdown, selection_slider, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture, Spot
from cs231n_viz.network.models import Classifier, load_model
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.plotting.neighbours import thumbnail, thumbnails
from cs231n_viz.representation.embedding import embed
from cs231n_viz.representation.features import features, pixels
from cs231n_viz.representation.neighbours import nearest, purity

_SIDE, _TOP, _LEFT, _RIGHT = 540, 8, 8, 572  # of the map and the column beside it, in CSS pixels
_SMALL, _LARGE = 64, 180
_POINTS, _GRID = "points", "grid of thumbnails"
_NOT_SHOWN = "The grid has fewer cells than there are pictures: this one is not on it."
_K = 4
_STEP = 24  # pixels of the picture that an arrow key moves

Key = tuple[str, str | float]  # a space, and "pca" or a perplexity


def embedding(
    gallery: Gallery | None = None,
    spaces: Mapping[str, Tensor] | Classifier | None = None,
    *,
    maps: Mapping[Key, Tensor] | None = None,
    perplexities: Sequence[float] = (5, 30, 80),
    seed: int = 0,
    pca: Callable[[Tensor, int], Tensor] | None = None,
) -> Explorer:
    """Hover over a map of pictures, made by PCA or t-SNE from pixels or from features.

    Args:
        gallery: The pictures; if omitted, about 200 photographs where ``make pictures`` has fetched some, else scenes.
        spaces: Title -> (N, D), what is embedded; or a classifier: pixels, and what its last layer reads. Those of
            mini_alexnet if omitted.
        maps: (title, ``"pca"`` or a perplexity) -> (N, 2), where they are known already. The others are computed
            now, once, with a progress bar.
        perplexities: To choose from.
        seed: Of t-SNE.
        pca: (N, D), k -> (N, k); the package's if omitted.

    Returns:
        The explorer; ``controls`` are ``space``, ``method``, ``perplexity``, ``show`` and ``query``. The mouse
        chooses the picture under it, the arrow keys move on, and so does the slider. A click on a neighbour chooses it.

    Raises:
        ValueError: If a space or a map has not one row per picture, or a perplexity is not below N.
    """
    gallery = rich_gallery() if gallery is None else gallery
    if not isinstance(spaces, Mapping):
        model = load_model("mini_alexnet") if spaces is None else spaces
        layer = model.layers()[-2].name
        spaces = {"pixels": pixels(gallery), f"{layer} of {model.name}": features(model, gallery, layer)}
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
            maps[space, how] = embed(rows, "pca") if pca is None else pca(rows, 2)
        else:
            maps[space, how] = embed(rows, "tsne", seed=seed, perplexity=how)
    return maps


class _Embedding:
    def __init__(
        self, gallery: Gallery, spaces: dict[str, Tensor], maps: dict[Key, Tensor], perplexities: list[float]
    ) -> None:
        self.gallery, self.spaces, self.maps = gallery, spaces, maps
        self.shares: dict[Key, float] = {}  # of the five nearest on a map, those of the same class
        self.small = thumbnails(gallery, round(_SMALL * SCALE))
        self.plot = EmbeddingPlot(gallery.labels, gallery.categories, self.small, side=round(_SIDE * SCALE))
        titles = list(spaces)
        self.controls: dict[str, widgets.Widget] = {
            "space": dropdown("map of", titles, value=titles[-1]),
            "method": dropdown("method", ["t-SNE", "PCA"]),
            "perplexity": selection_slider("perplexity", perplexities),
            "show": dropdown("show", [_POINTS, _GRID]),
            "query": slider("picture", 0, len(gallery) - 1),
        }
        self.view = ClickablePicture(alt="A map of pictures; the chosen one large, with its neighbours.")
        self.view.step = (_STEP, _STEP)
        panel = [("space", "show"), ("method", "perplexity"), ("query",)]
        pointing = "Move the mouse over the map, or click a neighbour."
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=panel, pointing=pointing)

    def _map(self) -> tuple[Key, Tensor]:
        values = {name: control.value for name, control in self.controls.items()}
        key = (values["space"], "pca" if values["method"] == "PCA" else values["perplexity"])
        return key, self.maps[key]

    def _point_at(self, *pixel: int) -> None:
        index = self.plot.index_at(*self._map(), pixel, grid=self.controls["show"].value == _GRID)
        if index is not None:
            self.controls["query"].value = index

    def draw(self, space: str, method: str, perplexity: float, show: str, query: int) -> Drawing:
        self.controls["perplexity"].disabled = method == "PCA"
        key, points = self._map()
        canvas = Canvas(_TOP + _SIDE + 8)
        plot, place, size = self.plot.plot(key, points, query, grid=show == _GRID)
        canvas.put(plot, (_LEFT, _TOP), drawn=(plot == PALE).all(axis=2) if show == _GRID else True)
        spots = [Spot((_LEFT, _TOP), (_SIDE, _SIDE), (self.plot.side,) * 2, self._point_at, hover=True)]
        spots += self._beside(canvas, points, query, space)
        step = round(size) if place is not None and show == _GRID else _STEP
        self.view.step = (step, step)  # in the grid an arrow key goes on by one thumbnail
        if place is not None:
            self.plot.mark(canvas, (_LEFT + place[0] / SCALE, _TOP + place[1] / SCALE), size / SCALE)
        at = None if place is None else (_LEFT + place[0] / SCALE, _TOP + place[1] / SCALE)
        notice = "" if place is not None else _NOT_SHOWN
        return Drawing(canvas.array, self._sentence(key, points), notice, at=at, spots=spots)

    def _beside(self, canvas: Canvas, points: Tensor, query: int, space: str) -> list[Spot]:
        """The chosen picture, and its neighbours on the map and in the space that was embedded."""
        canvas.put(thumbnail(self.gallery[query][0], round(_LARGE * SCALE)), (_RIGHT, _TOP))
        name = self.gallery.categories[self.gallery.labels[query]]
        canvas.text((_RIGHT + _LARGE + 10, _TOP), name, size=14, bold=True)
        canvas.text((_RIGHT + _LARGE + 10, _TOP + 22), f"picture {query}", size=12, colour=GREY)
        titles = (("nearest on the map", points), (f"nearest in {space}", self.spaces[space]))
        lists, spots = [self._nearest(rows, query) for _, rows in titles], []
        for position, ((title, _), indices) in enumerate(zip(titles, lists, strict=True)):
            top = _TOP + _LARGE + 12 + position * (_SMALL + 30)
            canvas.text((_RIGHT, top), title, size=12, colour=GREY)
            for place, index in enumerate(indices):
                canvas.put(self.small[index], (_RIGHT + place * (_SMALL + 6), top + 18))

            def choose(_: int, place: int, indices: list[int] = indices) -> None:
                self.controls["query"].value = indices[place]

            cells = (1, len(indices))
            spots.append(Spot((_RIGHT, top + 18), ((_SMALL + 6) * len(indices), _SMALL), cells, choose))
        both = len(set(lists[0]) & set(lists[1]))
        top = _TOP + _LARGE + 12 + 2 * (_SMALL + 30)
        canvas.text((_RIGHT, top), f"{both} of {len(lists[0])} are the same pictures", size=12, colour=GREY)
        self.plot.legend(canvas, (_RIGHT, top + 26), room=_SIDE + _TOP - top - 26)
        return spots

    def _nearest(self, rows: Tensor, query: int) -> list[int]:
        indices = nearest(rows[query : query + 1], rows, min(_K + 1, len(rows))).indices[0].tolist()
        return [index for index in indices if index != query][:_K]

    def _sentence(self, key: Key, points: Tensor) -> str:
        if key not in self.shares:
            near = nearest(points, points, min(5, len(points) - 1), exclude_self=True).indices
            self.shares[key] = float(purity(near, self.gallery.labels, self.gallery.labels).mean())
        space, how = key
        made = "PCA" if how == "pca" else f"t-SNE with perplexity {how}"
        share = f"<b>{self.shares[key]:.0%}</b> share the class"
        return paragraph(f"{made} of {html.escape(space)}: of the five nearest on the map, {share}.")
