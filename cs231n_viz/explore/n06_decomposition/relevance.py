"""Explorer of notebook 06: a logit handed back to the pixels, by the rules of LRP or by DeepLIFT."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from cs231n_viz.attribution.deep_lift import deep_lift
from cs231n_viz.attribution.lrp import lrp_layers
from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, LINE, ORANGE, Canvas, coloured, number, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import sample_images

METHODS = {
    "LRP: zero": "zero",
    "LRP: epsilon": "epsilon",
    "LRP: gamma": "gamma",
    "LRP: z+": "zplus",
    "LRP: composite": "composite",
    "DeepLIFT: rescale": "rescale",
    "DeepLIFT: reveal-cancel": "reveal_cancel",
}
BASELINES = ("black", "mean", "blurred")
EPSILON = 0.25  # of the epsilon rule: enough to see what it does
_SIDE, _TOP, _BARS = 272, 32, 330  # CSS pixels: of a picture; where the pictures begin; where the bars begin
_COLUMNS = (8, 294, 580)
_KEPT = 64  # maps that are remembered; half a megabyte each


class Shared(NamedTuple):
    """What a method gave: the map, and how much was left at each stage on the way to it."""

    map: np.ndarray  # (H, W), signed, summed over the colours
    whole: float  # what there was to share
    stages: list[tuple[str, float]]  # (name, sum), from the logit to the pixels


def relevance(
    models: Classifier | Mapping[str, Classifier],
    photograph: str = "cat",
    method: str = "LRP: composite",
    *,
    category: str | None = None,
) -> Explorer:
    """Hand a logit back to the pixels and see what is left of it at every layer.

    Args:
        models: A network, or name -> network.
        photograph: The one to begin with, of ``sample_images()``.
        method: The one to begin with, of ``METHODS``.
        category: The class to begin with; the most probable one if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``network``, ``category`` (the five most probable ones),
        ``method``, ``gamma`` in hundredths and ``baseline``.

    Raises:
        ValueError: If there is no such method, or the category is not among the five.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    models = {models.name: models} if isinstance(models, Classifier) else dict(models)
    return _Relevance(models, photograph, method, category).explorer


class _Relevance:
    def __init__(self, models: dict[str, Classifier], photograph: str, method: str, category: str | None) -> None:
        self.models = models
        self.images: dict[tuple[str, str], tuple[Tensor, Tensor]] = {}  # of a photograph and a network, with logits
        self.share = lru_cache(maxsize=_KEPT)(self._share)
        first = next(iter(models))
        options = self._categories(photograph, first)
        known = [name for name, _ in options]
        if category is not None and category not in known:
            raise ValueError(f"{category!r} is not among the most probable classes: {', '.join(known)}")
        self.controls = {
            "photograph": dropdown("photograph", sample_images(), value=photograph),
            "network": dropdown("network", list(models)),
            "category": dropdown("class", options, value=dict(options)[category or known[0]]),
            "method": dropdown("method", list(METHODS), value=method),
            "gamma": slider("γ, hundredths", 0, 200, value=25, fast=False),
            "baseline": dropdown("baseline", BASELINES),
        }
        for name in ("photograph", "network"):
            self.controls[name].observe(self._follow_picture, names="value")
        pairs = [("photograph", "network"), ("category", "method"), ("gamma", "baseline")]
        panel = [widgets.HBox([self.controls[name] for name in pair], layout=GAP) for pair in pairs]
        view = ImageView(
            alt="A photograph, the map of what its pixels are credited with, and bars with the sum by layer."
        )
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel)

    def _look(self, photograph: str, network: str) -> tuple[Tensor, Tensor]:
        """The prepared photograph (1, 3, H, W) and its logits (K,)."""
        key = (photograph, network)
        if key not in self.images:
            image = self.models[network].prepare(photograph)
            with torch.no_grad():
                self.images[key] = image, self.models[network](image)[0].cpu()
        return self.images[key]

    def _categories(self, photograph: str, network: str) -> list[tuple[str, int]]:
        logits = self._look(photograph, network)[1]
        names = self.models[network].categories
        return [(names[place], place) for place in logits.topk(min(5, len(logits))).indices.tolist()]

    def _follow_picture(self, _: object) -> None:
        """Another photograph or network has other classes in mind: begin with the most probable one."""
        options = self._categories(self.controls["photograph"].value, self.controls["network"].value)
        with self.explorer.hold():
            self.controls["category"].options = options
            self.controls["category"].value = options[0][1]

    def _share(self, key: tuple) -> Shared:
        """The map for (photograph, network, class, method, γ, baseline)."""
        photograph, network, target, method, gamma, baseline = key
        model, image = self.models[network], self._look(photograph, network)[0]
        if METHODS[method] in ("rescale", "reveal_cancel"):
            return _lifted(model, image, target, METHODS[method], baseline)
        return _propagated(model, image, target, METHODS[method], gamma)

    def draw(self, photograph: str, network: str, category: int, method: str, gamma: int, baseline: str) -> Drawing:
        lifted = METHODS[method] in ("rescale", "reveal_cancel")
        uses_gamma = METHODS[method] in ("gamma", "composite")
        key = (photograph, network, category, method, gamma if uses_gamma else None, baseline if lifted else None)
        shared = self.share(key)
        image, logits = self._look(photograph, network)
        names = self.models[network].categories
        canvas = Canvas(500)
        limit = float(np.quantile(np.abs(shared.map), 0.995)) or 1.0
        colours = coloured(shared.map, limit)
        strength = np.clip(np.abs(shared.map) / limit, 0, 1)[..., None] ** 0.5
        pale = to_pixels(image[0]).mean(axis=2, keepdims=True) * 0.5 + 127
        over = (colours * strength + pale * (1 - strength)).astype(np.uint8)
        titles = (f"{names[category]}: logit {number(logits[category])}", method, "the same over the photograph")
        for x, title, pixels in zip(_COLUMNS, titles, (to_pixels(image[0]), colours, over), strict=True):
            canvas.text((x, _TOP - 8), title, size=14, bold=True, anchor="ls")
            canvas.paste(pixels, (x, _TOP), (_SIDE, _SIDE), smooth=True)
            canvas.frame((x, _TOP), (_SIDE, _SIDE), colour=LINE)
        _bars(canvas, shared)
        return Drawing(canvas.array, _sentence(shared, names[category], lifted), self._notice(network, lifted))

    def _notice(self, network: str, lifted: bool) -> str:
        kinds = {type(module).__name__ for module in self.models[network].network.children()}
        plain = {"Conv2d", "ReLU", "MaxPool2d", "Linear", "Flatten", "Dropout", "AdaptiveAvgPool2d", "BatchNorm2d"}
        if lifted or kinds <= plain:
            return ""
        return f"{network} may branch: what runs past a layer is not in its bar."


def baseline_picture(model: Classifier, image: Tensor, kind: str) -> Tensor:
    """A reference for DeepLIFT.

    Args:
        model: Its mean colour is the one that it takes for 0.
        image: (1, 3, H, W).
        kind: One of ``BASELINES``.

    Returns:
        (1, 3, H, W).
    """
    if kind == "black":
        return torch.zeros_like(image)
    if kind == "mean":
        return model.mean.to(image).expand_as(image).contiguous()
    side = min(image.shape[2:])
    return gaussian_blur(image, kernel_size=side // 8 * 2 + 1, sigma=side / 18)


def _lifted(model: Classifier, image: Tensor, target: int, rule: str, baseline: str) -> Shared:
    reference = baseline_picture(model, image, baseline)
    found = deep_lift(model, image, target, baseline=reference, rule=rule)[0].cpu()
    with torch.no_grad():
        high, low = (float(model(x)[0, target]) for x in (image, reference))
    stages = [("logit", high), (f"of {baseline}", low), ("difference", high - low), ("pixels", float(found.sum()))]
    return Shared(found.sum(0).numpy(), high - low, stages)


def _propagated(model: Classifier, image: Tensor, target: int, rule: str, gamma: int | None) -> Shared:
    layers = [layer.name for layer in model.layers() if layer.kind in ("Conv2d", "Linear")]
    epsilon = EPSILON if rule == "epsilon" else 1e-6
    found = lrp_layers(model, image, target, layers, rule, gamma=(gamma or 0) / 100, epsilon=epsilon)
    pixels = found["pixels"][0].cpu()
    stages = [(name, float(found[name].sum())) for name in reversed(layers)] + [("pixels", float(pixels.sum()))]
    return Shared(pixels.sum(0).numpy(), stages[0][1], stages)


def _bars(canvas: Canvas, shared: Shared) -> None:
    """One bar per stage, the height its sum; the line marks what there was to share."""
    canvas.text((8, _BARS), "sum of what each stage received, from the logit to the pixels", size=13, colour=GREY)
    top, bottom = _BARS + 36, 470
    values = [value for _, value in shared.stages]
    high, low = max(0.0, shared.whole, *values), min(0.0, shared.whole, *values)
    scale = (bottom - top - 14) / ((high - low) or 1.0)
    zero = top + high * scale
    width = (852 - 8) / len(values)
    size = 12 if width > 56 else 10
    for index, (name, value) in enumerate(shared.stages):
        left, height = 8 + index * width, abs(value) * scale
        corner = (left + 4, zero - height if value >= 0 else zero)
        colour = ORANGE if name == "pixels" else BLUE
        canvas.frame(corner, (width - 8, max(height, 1)), colour=colour, fill=colour)
        canvas.text((left + width / 2, corner[1] - 3), number(value), size=size, anchor="ms")
        canvas.text((left + width / 2, 496), name, size=size, colour=GREY, anchor="ms")
    canvas.line([(8, zero), (852, zero)], colour=GREY)
    canvas.line([(8, zero - shared.whole * scale), (852, zero - shared.whole * scale)], colour=ORANGE, width=1)


def _sentence(shared: Shared, category: str, lifted: bool) -> str:
    arrived = float(shared.map.sum())
    traffic = float(np.abs(shared.map).sum())
    what = "difference of the logits" if lifted else "logit"
    text = (
        f"The {what} of <b>{category}</b> is {number(shared.whole)}; {number(arrived)} arrived at the pixels, "
        f"{number(shared.whole - arrived)} did not. Credit and blame together move {number(traffic)}: "
        f"{number(traffic / max(abs(arrived), 1e-9), 1)} times what stays when they cancel."
    )
    return f'<div style="line-height: 1.5; max-width: 850px">{text}</div>'
