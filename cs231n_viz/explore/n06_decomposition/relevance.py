"""Explorer of notebook 06: a logit distributed over the pixels, by the rules of LRP or by DeepLIFT."""

from collections.abc import Mapping
from functools import lru_cache
from html import escape
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.attribution.deep_lift import deep_lift
from cs231n_viz.attribution.lrp import lrp_layers
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, LINE, ORANGE, Canvas, number
from cs231n_viz.explore.toolkit.controls import dropdown, selection_slider
from cs231n_viz.explore.toolkit.heatmap import BAR, heatmap, limit_of, map_panel
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.explore.toolkit.subject import Subject, hide
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource, gaussian_blur

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
_HUGE = 1e3  # times the logit: the zero rule stays below 50, gamma from 0.05 on below this
_DEEP_LIFT, _WITH_GAMMA = ("rescale", "reveal_cancel"), ("gamma", "composite")
EPSILON = 0.25  # of the epsilon rule: enough to see what it does
GAMMAS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2)
_SIDE, _TOP = 272, 32  # CSS pixels: of a picture; where the pictures begin
_BARS, _BOTTOM = _TOP + _SIDE + BAR + 10, 500  # where the bars and their labels begin and end
_COLUMNS = (8, 294, 580)
_MOST_MAPS = 64  # that are remembered, half a megabyte each


class Decomposition(NamedTuple):
    """A logit, or a difference of logits, distributed over the pixels."""

    map: np.ndarray  # (H, W), signed, summed over the colours
    total: float  # what was to be distributed
    stages: list[tuple[str, float]]  # (name, sum of the relevance there), from the logit to the pixels


def relevance(
    models: Classifier | Mapping[str, Classifier],
    photograph: ImageSource = "cat",
    method: str = "LRP: composite",
    *,
    category: str | None = None,
) -> Explorer:
    """Distribute a logit over the pixels by LRP or DeepLIFT, and see the sum of the relevance at every layer.

    Args:
        models: A classifier, or name -> classifier.
        photograph: Initial photograph, of ``sample_images()``, or what ``load_image`` takes.
        method: Initial method, of ``METHODS``.
        category: Initial class; the most probable one if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``file``, ``network``, ``category``, ``method``, and ``gamma`` or
        ``baseline`` for the methods that have one.

    Raises:
        KeyError: If the model has no such category.
        ValueError: If there is no model or no such method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    return _Relevance(Subject(models, photograph, category), method).explorer


class _Relevance:
    def __init__(self, subject: Subject, method: str) -> None:
        self.subject, self.models, self.photographs = subject, subject.models, subject.photographs
        self.decompose = lru_cache(maxsize=_MOST_MAPS)(self._decompose)
        self.controls = {
            **subject.controls,
            "method": dropdown("method", list(METHODS), value=method),
            "gamma": selection_slider("γ", GAMMAS, value=0.25),
            "baseline": dropdown("baseline", BASELINES),
        }
        self.explorer = Explorer(
            self.draw,
            self.controls,
            view=ImageView(alt="A photograph, the relevance of its pixels, and bars with the sum by layer."),
            panel=[("photograph", "network"), ("category", "method"), ("gamma", "baseline"), ("file",)],
            first=("photograph", "network", "category", "method", "gamma", "baseline"),  # at most one of the last two
        )
        subject.hold = self.explorer.hold

    def _decompose(
        self, photograph: str, network: str, target: int, rule: str, gamma: float | None, baseline: str | None
    ) -> Decomposition:
        model, image = self.models[network], self.photographs[network].image(photograph)
        if rule in _DEEP_LIFT:
            return _by_deep_lift(model, image, target, rule, baseline)
        return _by_lrp(model, image, target, rule, gamma)

    def draw(self, photograph: str, network: str, category: str, method: str, gamma: float, baseline: str) -> Drawing:
        rule, target = METHODS[method], self.models[network].index(category)
        by_deep_lift, with_gamma = rule in _DEEP_LIFT, rule in _WITH_GAMMA
        hide(self.controls, gamma=not with_gamma, baseline=not by_deep_lift)
        used = gamma if with_gamma else None, baseline if by_deep_lift else None
        result = self.decompose(photograph, network, target, rule, *used)
        photo, limit = self.photographs[network].shown(photograph), limit_of(result.map)
        drawn = heatmap(result.map, signed=True, limit=limit)
        strength = np.clip(np.abs(result.map) / (limit or 1.0), 0, 1)[..., None] ** 0.5
        pale = photo.mean(axis=2, keepdims=True) * 0.5 + 127
        over = (drawn.pixels * strength + pale * (1 - strength)).astype(np.uint8)
        logit = float(self.photographs[network].logits(photograph)[target])
        canvas = Canvas(_BOTTOM)
        canvas.panel(photo, (_COLUMNS[0], _TOP), _SIDE, f"{category}: logit {number(logit)}", bold=True)
        map_panel(canvas, drawn, (_COLUMNS[1], _TOP), _SIDE, method)
        canvas.panel(over, (_COLUMNS[2], _TOP), _SIDE, "the same over the photograph", bold=True)
        for x in _COLUMNS:
            canvas.frame((x, _TOP), (_SIDE, _SIDE), colour=LINE)
        _bars(canvas, result)
        text = f"{_sentence(result, category, by_deep_lift)} {self.subject.predictions(network, photograph)}"
        return Drawing(canvas.array, paragraph(text), self._notice(network, by_deep_lift, result))

    def _notice(self, network: str, by_deep_lift: bool, result: Decomposition) -> str:
        if np.abs(result.map).sum() > _HUGE * abs(result.total):
            return "Where contributions cancel, this rule divides by sums near 0; ε, or a larger γ, prevents that."
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
    return gaussian_blur(image, side // 8 * 2 + 1, sigma=side / 18)


def _by_deep_lift(model: Classifier, image: Tensor, target: int, rule: str, baseline: str) -> Decomposition:
    reference = baseline_picture(model, image, baseline)
    relevance = deep_lift(model, image, target, baseline=reference, rule=rule)[0].cpu()
    with torch.no_grad():
        high, low = (float(model(x)[0, target]) for x in (image, reference))
    stages = [("logit of the photograph", high), (f"logit of the baseline, {baseline}", low)]
    stages += [("difference", high - low), ("pixels", float(relevance.sum()))]
    return Decomposition(relevance.sum(0).numpy(), high - low, stages)


def _by_lrp(model: Classifier, image: Tensor, target: int, rule: str, gamma: float | None) -> Decomposition:
    layers = [layer.name for layer in model.layers() if layer.kind in ("Conv2d", "Linear")]
    epsilon = EPSILON if rule == "epsilon" else 1e-6
    relevances = lrp_layers(model, image, target, layers, rule, gamma=gamma or 0.0, epsilon=epsilon)
    pixels = relevances["pixels"][0].cpu()
    stages = [(name, float(relevances[name].sum())) for name in reversed(layers)] + [("pixels", float(pixels.sum()))]
    return Decomposition(pixels.sum(0).numpy(), stages[0][1], stages)


def _bars(canvas: Canvas, result: Decomposition) -> None:
    """One bar per stage, as high as the sum of its relevance; the line marks what was to be distributed."""
    canvas.text((8, _BARS), "sum of the relevance at each stage, from the logit to the pixels", size=13, colour=GREY)
    top, bottom = _BARS + 36, _BOTTOM - 22
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
        canvas.text((left + width / 2, _BOTTOM - 4), name, size=size, colour=GREY, anchor="ms")
    canvas.line([(8, zero), (852, zero)], colour=GREY)
    canvas.line([(8, zero - result.total * scale), (852, zero - result.total * scale)], colour=ORANGE, width=1)


def _sentence(result: Decomposition, category: str, by_deep_lift: bool) -> str:
    arrived = float(result.map.sum())
    magnitude = float(np.abs(result.map).sum())
    what = "difference of the logits" if by_deep_lift else "logit"
    return (
        f"The {what} of <b>{escape(category)}</b> is {number(result.total)}; {number(arrived)} arrived at the pixels, "
        f"{number(result.total - arrived)} did not. The magnitudes of the relevance sum up to {number(magnitude)}: "
        f"{number(magnitude / max(abs(arrived), 1e-9), 1)} times what is left where positive and negative cancel."
    )
