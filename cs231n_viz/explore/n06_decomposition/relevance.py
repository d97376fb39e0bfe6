"""Explorer of notebook 06: a logit distributed over the pixels, by the rules of LRP or by DeepLIFT."""

from collections.abc import Mapping
from functools import lru_cache
from html import escape
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from cs231n_viz.attribution.deep_lift import deep_lift
from cs231n_viz.attribution.lrp import lrp_layers
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, LINE, ORANGE, Canvas, coloured, number
from cs231n_viz.explore.toolkit.controls import dropdown, picture_dropdown, slider
from cs231n_viz.explore.toolkit.heatmap import robust_limit
from cs231n_viz.explore.toolkit.models import Photographs, models_by_name
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import to_uint8

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
_DEEP_LIFT, _WITH_GAMMA = ("rescale", "reveal_cancel"), ("gamma", "composite")
EPSILON = 0.25  # of the epsilon rule: enough to see what it does
_SIDE, _TOP, _BARS = 272, 32, 330  # CSS pixels: of a picture; where the pictures begin; where the bars begin
_COLUMNS = (8, 294, 580)
_MOST_MAPS = 64  # that are remembered, half a megabyte each


class Decomposition(NamedTuple):
    """A logit, or a difference of logits, distributed over the pixels."""

    map: np.ndarray  # (H, W), signed, summed over the colours
    total: float  # what was to be distributed
    stages: list[tuple[str, float]]  # (name, sum of the relevance there), from the logit to the pixels


def relevance(
    models: Classifier | Mapping[str, Classifier],
    photograph: str = "cat",
    method: str = "LRP: composite",
    *,
    category: str | None = None,
) -> Explorer:
    """Distribute a logit over the pixels by LRP or DeepLIFT, and see the sum of the relevance at every layer.

    Args:
        models: A classifier, or name -> classifier.
        photograph: Initial photograph, of ``sample_images()``.
        method: Initial method, of ``METHODS``.
        category: Initial class; the most probable one if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``network``, ``category`` (the five most probable ones),
        ``method``, ``gamma`` in hundredths and ``baseline``.

    Raises:
        ValueError: If there is no model or no such method, or the category is not among the five.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    return _Relevance(models_by_name(models), photograph, method, category).explorer


class _Relevance:
    def __init__(self, models: dict[str, Classifier], photograph: str, method: str, category: str | None) -> None:
        self.models = models
        self.photographs = {name: Photographs(model) for name, model in models.items()}
        self.decompose = lru_cache(maxsize=_MOST_MAPS)(self._decompose)
        first = next(iter(models))
        options = self._categories(photograph, first)
        known = [name for name, _ in options]
        if category is not None and category not in known:
            raise ValueError(f"{category!r} is not among the most probable classes: {', '.join(known)}")
        self.controls = {
            "photograph": picture_dropdown(photograph),
            "network": dropdown("network", list(models)),
            "category": dropdown("class", options, value=dict(options)[category or known[0]]),
            "method": dropdown("method", list(METHODS), value=method),
            "gamma": slider("γ, hundredths", 0, 200, value=25, fast=False),
            "baseline": dropdown("baseline", BASELINES),
        }
        for name in ("photograph", "network"):
            self.controls[name].observe(self._follow_picture, names="value")
        panel = [("photograph", "network"), ("category", "method"), ("gamma", "baseline")]
        view = ImageView(alt="A photograph, the relevance of its pixels, and bars with the sum by layer.")
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel)

    def _categories(self, photograph: str, network: str) -> list[tuple[str, int]]:
        logits = self.photographs[network].logits(photograph)
        names = self.models[network].categories
        return [(names[place], place) for place in logits.topk(min(5, len(logits))).indices.tolist()]

    def _follow_picture(self, _: object) -> None:
        """Another photograph or network has other probable classes: begin with the first of them."""
        options = self._categories(self.controls["photograph"].value, self.controls["network"].value)
        with self.explorer.hold():
            self.controls["category"].options = options
            self.controls["category"].value = options[0][1]

    def _decompose(
        self, photograph: str, network: str, target: int, rule: str, gamma: int | None, baseline: str | None
    ) -> Decomposition:
        model, image = self.models[network], self.photographs[network].image(photograph)
        if rule in _DEEP_LIFT:
            return _by_deep_lift(model, image, target, rule, baseline)
        return _by_lrp(model, image, target, rule, gamma)

    def draw(self, photograph: str, network: str, category: int, method: str, gamma: int, baseline: str) -> Drawing:
        rule, name = METHODS[method], self.models[network].categories[category]
        by_deep_lift = rule in _DEEP_LIFT
        used_gamma, used_baseline = gamma if rule in _WITH_GAMMA else None, baseline if by_deep_lift else None
        result = self.decompose(photograph, network, category, rule, used_gamma, used_baseline)
        photo = to_uint8(self.photographs[network].image(photograph)[0])
        limit = robust_limit(result.map)
        colours = coloured(result.map, limit)
        strength = np.clip(np.abs(result.map) / limit, 0, 1)[..., None] ** 0.5
        pale = photo.mean(axis=2, keepdims=True) * 0.5 + 127
        over = (colours * strength + pale * (1 - strength)).astype(np.uint8)
        logit = self.photographs[network].logits(photograph)[category]
        titles = (f"{name}: logit {number(logit)}", method, "the same over the photograph")
        canvas = Canvas(500)
        for x, title, pixels in zip(_COLUMNS, titles, (photo, colours, over), strict=True):
            canvas.panel(pixels, (x, _TOP), _SIDE, title, bold=True)
            canvas.frame((x, _TOP), (_SIDE, _SIDE), colour=LINE)
        _bars(canvas, result)
        return Drawing(canvas.array, _sentence(result, name, by_deep_lift), self._notice(network, by_deep_lift))

    def _notice(self, network: str, by_deep_lift: bool) -> str:
        kinds = {type(module).__name__ for module in self.models[network].network.children()}
        plain = {"Conv2d", "ReLU", "MaxPool2d", "Linear", "Flatten", "Dropout", "AdaptiveAvgPool2d", "BatchNorm2d"}
        if by_deep_lift or kinds <= plain:
            return ""
        return f"{escape(network)} may branch: the bar of a layer leaves out the relevance that bypasses it."


def baseline_picture(model: Classifier, image: Tensor, kind: str) -> Tensor:
    """Make a baseline (reference) for DeepLIFT.

    Args:
        model: Its mean colour is 0 after normalisation.
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


def _by_deep_lift(model: Classifier, image: Tensor, target: int, rule: str, baseline: str) -> Decomposition:
    reference = baseline_picture(model, image, baseline)
    relevance = deep_lift(model, image, target, baseline=reference, rule=rule)[0].cpu()
    with torch.no_grad():
        high, low = (float(model(x)[0, target]) for x in (image, reference))
    stages = [("logit", high), (f"of {baseline}", low), ("difference", high - low), ("pixels", float(relevance.sum()))]
    return Decomposition(relevance.sum(0).numpy(), high - low, stages)


def _by_lrp(model: Classifier, image: Tensor, target: int, rule: str, gamma: int | None) -> Decomposition:
    layers = [layer.name for layer in model.layers() if layer.kind in ("Conv2d", "Linear")]
    epsilon = EPSILON if rule == "epsilon" else 1e-6
    relevances = lrp_layers(model, image, target, layers, rule, gamma=(gamma or 0) / 100, epsilon=epsilon)
    pixels = relevances["pixels"][0].cpu()
    stages = [(name, float(relevances[name].sum())) for name in reversed(layers)] + [("pixels", float(pixels.sum()))]
    return Decomposition(pixels.sum(0).numpy(), stages[0][1], stages)


def _bars(canvas: Canvas, result: Decomposition) -> None:
    """One bar per stage, as high as the sum of its relevance; the line marks what was to be distributed."""
    canvas.text((8, _BARS), "sum of the relevance at each stage, from the logit to the pixels", size=13, colour=GREY)
    top, bottom = _BARS + 36, 470
    values = [value for _, value in result.stages]
    high, low = max(0.0, result.total, *values), min(0.0, result.total, *values)
    scale = (bottom - top - 14) / ((high - low) or 1.0)
    zero = top + high * scale
    width = (852 - 8) / len(values)
    size = 12 if width > 56 else 10
    for index, (name, value) in enumerate(result.stages):
        left, height = 8 + index * width, abs(value) * scale
        corner = (left + 4, zero - height if value >= 0 else zero)
        colour = ORANGE if name == "pixels" else BLUE
        canvas.frame(corner, (width - 8, max(height, 1)), colour=colour, fill=colour)
        canvas.text((left + width / 2, corner[1] - 3), number(value), size=size, anchor="ms")
        canvas.text((left + width / 2, 496), name, size=size, colour=GREY, anchor="ms")
    canvas.line([(8, zero), (852, zero)], colour=GREY)
    canvas.line([(8, zero - result.total * scale), (852, zero - result.total * scale)], colour=ORANGE, width=1)


def _sentence(result: Decomposition, category: str, by_deep_lift: bool) -> str:
    arrived = float(result.map.sum())
    magnitude = float(np.abs(result.map).sum())
    what = "difference of the logits" if by_deep_lift else "logit"
    text = (
        f"The {what} of <b>{escape(category)}</b> is {number(result.total)}; {number(arrived)} arrived at the pixels, "
        f"{number(result.total - arrived)} did not. The magnitudes of the relevance sum up to {number(magnitude)}: "
        f"{number(magnitude / max(abs(arrived), 1e-9), 1)} times what is left where positive and negative cancel."
    )
    return paragraph(text)
