"""Explorer of notebook 06b: one photograph, and what every attribution method says about it."""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from functools import lru_cache
from html import escape
from typing import NamedTuple

import numpy as np
from torch import Tensor

from cs231n_viz.attribution.deep_lift import deep_lift
from cs231n_viz.attribution.grad_cam import cam, grad_cam, guided_grad_cam
from cs231n_viz.attribution.lrp import lrp
from cs231n_viz.attribution.occlusion import grow_occlusion
from cs231n_viz.attribution.saliency import saliency
from cs231n_viz.explore.n04_saliency.saliency import ABS, GUIDED, PATH, SMOOTH, TIMES, as_heatmap, estimates
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, LINE, PALE, Canvas
from cs231n_viz.explore.toolkit.heatmap import Heatmap, heatmap, limit_of, map_panel
from cs231n_viz.explore.toolkit.models import chosen_layer
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.explore.toolkit.subject import Subject
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource

EDGES = "edges, no network"
METHODS = (  # in the order of the course, row by row
    ("occlusion", ABS, TIMES, SMOOTH),
    (PATH, GUIDED, "Grad-CAM", "CAM", "Guided Grad-CAM"),
    ("DeepLIFT, black", "LRP zero", "LRP z+", "LRP composite", EDGES),
)
LAST = ("occlusion", SMOOTH, PATH)  # these take many passes through the network
_SIDE, _PITCH, _TOP, _ROW = 164, 171, 22, 222  # CSS pixels: of a tile, from tile to tile, above it, of a row
PLACES = {
    method: (4 + column * _PITCH, _TOP + row * _ROW)
    for row, methods in enumerate(METHODS)
    for column, method in enumerate(methods, start=5 - len(methods))
}
_SLICE = 0.2  # seconds of work between two drawings
_MOST = 16  # photographs whose tiles are remembered


def all_methods(
    models: Classifier | Mapping[str, Classifier], photograph: ImageSource = "cat", category: str | None = None
) -> Explorer:
    """Show one photograph and the maps of all attribution methods for a class of it, side by side.

    Tiles appear one by one, those that take many passes through the network last. Each has its own scale.

    Args:
        models: A classifier, or name -> classifier.
        photograph: Initial photograph, of ``sample_images()``, or what ``load_image`` takes.
        category: Initial class; the most probable one if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``file``, ``network`` and ``category``.

    Raises:
        KeyError: If the model has no such category.
        ValueError: If there is no model, or no such photograph.
    """
    return _AllMethods(Subject(models, photograph, category)).explorer


class Tiles(NamedTuple):
    """The tiles so far, the methods that failed, with the reason, and the work on the others, which yields often."""

    canvas: Canvas
    failed: dict[str, str]
    work: Iterator[None]


class _AllMethods:
    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.tiles = lru_cache(maxsize=_MOST)(self._tiles)
        self.explorer = Explorer(
            self.draw,
            subject.controls,
            view=ImageView(alt="A photograph, and what fourteen attribution methods say about it, in small tiles."),
            panel=[("photograph", "network"), ("category", "file")],
        )
        subject.hold = self.explorer.hold

    def _tiles(self, network: str, photograph: str, category: str) -> Tiles:
        photographs, model = self.subject.photographs[network], self.subject.models[network]
        canvas, failed = Canvas(len(METHODS) * _ROW), {}
        canvas.panel(photographs.shown(photograph), (4, _TOP), _SIDE, category, bold=True)
        for method, at in PLACES.items():
            _empty(canvas, at, "…", method)

        def work() -> Iterator[None]:
            for method in sorted(PLACES, key=LAST.__contains__):
                try:
                    drawn = yield from map_of(model, photographs.image(photograph), model.index(category), method)
                    map_panel(canvas, drawn, PLACES[method], _SIDE, "")
                except Exception as error:  # of this method, for this network; the others go on
                    failed[method] = str(error)
                    _empty(canvas, PLACES[method], "not for this network")
                yield

        return Tiles(canvas, failed, work())

    def draw(self, network: str, photograph: str, category: str) -> Drawing:
        canvas, failed, work = self.tiles(network, photograph, category)
        end, unfinished = time.perf_counter() + _SLICE, next(work, work) is not work
        while unfinished and time.perf_counter() < end:
            unfinished = next(work, work) is not work
        reasons = [f"No map by {method}: {escape(why)}" for method, why in failed.items()]
        text = "<br>".join([self.subject.predictions(network, photograph), *reasons])
        return Drawing(canvas.array, paragraph(text), unfinished=unfinished)


def _empty(canvas: Canvas, at: tuple[float, float], why: str, title: str = "") -> None:
    canvas.panel(np.full((1, 1, 3), PALE, np.uint8), at, _SIDE, title, bold=True)
    canvas.frame(at, (_SIDE, _SIDE), colour=LINE)
    canvas.text((at[0] + _SIDE / 2, at[1] + _SIDE / 2), why, colour=GREY, size=13, anchor="mm")


def map_of(model: Classifier, images: Tensor, target: int, method: str) -> Generator[None, None, Heatmap]:
    """Make the map of a method for one picture, (1, C, H, W), in colours; yield at every step on the way to it."""
    if method in (ABS, TIMES, SMOOTH, PATH, GUIDED):
        return as_heatmap((yield from _last_of(estimates(model, images, target, method, saliency))), method)
    if method == "occlusion":
        stride = max(4, model.input_size // 12)
        growing = grow_occlusion(model, images, target, window=2 * stride, stride=stride, progress=False)
        drops = (yield from _last_of(growing))[0].cpu().numpy()
        half = drops.repeat(2, 0).repeat(2, 1)  # the middle of each window, and beyond the last ones
        return _signed(np.pad(half, 1, mode="edge"))
    if method == EDGES:
        from scipy.ndimage import sobel  # heavy, and only needed here

        grey = images[0].mean(0).cpu().numpy()
        edges = np.hypot(*(sobel(grey, axis, mode="nearest") for axis in (0, 1)))
        return heatmap(edges, signed=False, limit=limit_of(edges))
    if method == "CAM":
        return _evidence(cam(model, images, target))
    layer = chosen_layer(model, None)
    if method == "Grad-CAM":
        return _evidence(grad_cam(model, images, target, layer))
    if method == "Guided Grad-CAM":
        return as_heatmap(guided_grad_cam(model, images, target, layer)[0], GUIDED)
    if method == "DeepLIFT, black":
        return _signed(deep_lift(model, images, target)[0].sum(0).cpu().numpy())
    rule = {"LRP zero": "zero", "LRP z+": "zplus", "LRP composite": "composite"}[method]
    return _signed(lrp(model, images, target, rule)[0].sum(0).cpu().numpy())


def _last_of(steps: Iterable[Tensor]) -> Generator[None, None, Tensor]:
    """Yield None at every step, and return the last."""
    last = None
    for step in steps:
        last = step
        yield
    return last


def _evidence(maps: Tensor) -> Heatmap:
    return heatmap(maps[0].clamp_min(0).cpu().numpy(), signed=False)


def _signed(values: np.ndarray) -> Heatmap:
    return heatmap(values, signed=True, limit=limit_of(values))
