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
_SLICE = 0.15  # seconds of work between two drawings
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
    """The maps so far, by method, or why there is none; and the work on the others, which yields at every step."""

    found: dict[str, Heatmap | str]
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
        model, images = self.subject.models[network], self.subject.photographs[network].image(photograph)
        found: dict[str, Heatmap | str] = {}

        def work() -> Iterator[None]:
            for method in sorted((name for row in METHODS for name in row), key=LAST.__contains__):
                try:
                    for drawn in map_of(model, images, model.index(category), method):
                        if drawn is not None:
                            found[method] = drawn
                        yield
                except Exception as error:  # of this method, for this network; the others go on
                    found[method] = str(error)
                    yield

        return Tiles(found, work())

    def draw(self, network: str, photograph: str, category: str) -> Drawing:
        found, work = self.tiles(network, photograph, category)
        end = time.perf_counter() + _SLICE
        unfinished = True
        while unfinished and time.perf_counter() < end:
            unfinished = next(work, work) is not work
        canvas = Canvas(len(METHODS) * _ROW)
        canvas.panel(self.subject.photographs[network].shown(photograph), (4, _TOP), _SIDE, category, bold=True)
        for row, methods in enumerate(METHODS):
            for column, method in enumerate(methods, start=5 - len(methods)):
                _tile(canvas, found.get(method, "…"), (4 + column * _PITCH, _TOP + row * _ROW), method)
        failed = [f"{method}: {escape(why)}" for method, why in found.items() if isinstance(why, str)]
        text = " ".join([self.subject.predictions(network, photograph), *(f"<br>No map by {why}" for why in failed)])
        return Drawing(canvas.array, paragraph(text), unfinished=unfinished)


def _tile(canvas: Canvas, drawn: Heatmap | str, at: tuple[float, float], title: str) -> None:
    if isinstance(drawn, Heatmap):
        map_panel(canvas, drawn, at, _SIDE, title)
        return
    canvas.panel(np.full((1, 1, 3), PALE, np.uint8), at, _SIDE, title, bold=True)
    canvas.frame(at, (_SIDE, _SIDE), colour=LINE)
    middle = (at[0] + _SIDE / 2, at[1] + _SIDE / 2)
    canvas.text(middle, drawn if drawn == "…" else "not for this network", colour=GREY, size=13, anchor="mm")


def map_of(model: Classifier, images: Tensor, target: int, method: str) -> Iterator[Heatmap | None]:
    """Yield the map of a method for one picture, (1, C, H, W), in colours; None after every step on the way to it."""
    if method in (ABS, TIMES, SMOOTH, PATH, GUIDED):
        yield as_heatmap((yield from _last_of(estimates(model, images, target, method, saliency))), method)
    elif method == "occlusion":
        stride = max(4, model.input_size // 12)
        growing = grow_occlusion(model, images, target, window=2 * stride, stride=stride, progress=False)
        drops = (yield from _last_of(growing))[0].cpu().numpy()
        half = drops.repeat(2, 0).repeat(2, 1)  # the middle of each window, and beyond the last ones
        yield _signed(np.pad(half, 1, mode="edge"))
    elif method == "Guided Grad-CAM":
        yield as_heatmap(guided_grad_cam(model, images, target, chosen_layer(model, None))[0], GUIDED)
    elif method == EDGES:
        from scipy.ndimage import sobel  # heavy, and only needed here

        grey = images[0].mean(0).cpu().numpy()
        edges = np.hypot(*(sobel(grey, axis, mode="nearest") for axis in (0, 1)))
        yield heatmap(edges, signed=False, limit=limit_of(edges))
    elif method in ("Grad-CAM", "CAM"):
        values = (
            cam(model, images, target)
            if method == "CAM"
            else grad_cam(model, images, target, chosen_layer(model, None))
        )
        yield heatmap(values[0].clamp_min(0).cpu().numpy(), signed=False)
    elif method == "DeepLIFT, black":
        yield _signed(deep_lift(model, images, target)[0].sum(0).cpu().numpy())
    else:
        rule = {"LRP zero": "zero", "LRP z+": "zplus", "LRP composite": "composite"}[method]
        yield _signed(lrp(model, images, target, rule)[0].sum(0).cpu().numpy())


def _last_of(steps: Iterable[Tensor]) -> Generator[None, None, Tensor]:
    """Yield None at every step, and return the last."""
    last = None
    for step in steps:
        last = step
        yield
    return last


def _signed(values: np.ndarray) -> Heatmap:
    return heatmap(values, signed=True, limit=limit_of(values))
