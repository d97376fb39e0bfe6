"""The content loss of style transfer."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import gradient_of, integers, noise, pixels


def content_loss(content_weight: float, content_current: Tensor, content_original: Tensor) -> Tensor:
    """Sum the squared differences between the features of an image and those of the content.

    Args:
        content_weight: Weight of the term.
        content_current: (1, C, h, w), features of the image.
        content_original: (1, C, h, w), features of the content.

    Returns:
        Scalar: weight times the sum of the squared differences. It can be differentiated.
    """
    return content_weight * (content_current - content_original).square().sum()


def _of(distance: Callable[[Tensor], Tensor]) -> Callable[[float, Tensor, Tensor], Tensor]:
    """A content loss with another distance."""
    return lambda weight, current, original: weight * distance(current - original)


def _gram(maps: Tensor) -> Tensor:
    return maps.flatten(2) @ maps.flatten(2).mT / maps[0, 0].numel()


def _loss(
    title: str,
    weight: float,
    current: Tensor,
    original: Tensor,
    expected: float | Tensor,
    ask: Callable | None = None,
) -> Check:
    fed = {"content_weight": weight, "content_current": current, "content_original": original}
    return Check(title, fed, torch.as_tensor(expected), ask)


_ONES = torch.ones(1, 2, 3, 4)
_CURRENT, _ORIGINAL = integers(1, 3, 4, 2) / 4, pixels(1, 3, 4, 2)
_SQUARES = sum((a - b) ** 2 for a, b in zip(_CURRENT.flatten().tolist(), _ORIGINAL.flatten().tolist(), strict=True))

_NOISE, _OTHER = noise(1, 4, 3, 5, seed=1), noise(1, 4, 3, 5, seed=2)
_NOISY_SQUARES = sum((a - b) ** 2 for a, b in zip(_NOISE.flatten().tolist(), _OTHER.flatten().tolist(), strict=True))

ENTRY = Entry(
    name="content_loss",
    reference=content_loss,
    stars=1,
    minutes=5,
    checks=[
        _loss("24 differences of 0.5, weight 2", 2.0, 1.5 * _ONES, _ONES, 2 * 24 * 0.25),
        _loss("nothing between an image and itself", 3.0, _CURRENT, _CURRENT.clone(), 0.0),
        _loss("differences of both signs", 0.1, _CURRENT, _ORIGINAL, 0.1 * _SQUARES),
        _loss("noise, a small weight", 0.02, _NOISE, _OTHER, 0.02 * _NOISY_SQUARES),
        _loss(
            "its gradient: 2 · weight · (F - F₀)",
            3.0,
            _NOISE,
            _OTHER,
            6 * (_NOISE - _OTHER),
            gradient_of("content_current"),
        ),
    ],
    hints=(
        "One number for the whole layer: what is summed, and over what? No mean, no root, no ½.",
        "Subtract the two tensors, `.square()`, `.sum()`, and multiply by the weight. Leave everything a tensor, so "
        "that the gradient finds its way back.",
    ),
    mistakes={
        "the mean instead of the sum: a weight would mean something else for each layer": (
            _of(lambda gap: gap.square().mean()),
            _of(lambda gap: gap.square().sum() / gap.shape[1]),
            _of(lambda gap: gap.square().sum() / gap[0, 0].numel()),
        ),
        "a quarter of it, or divided by the size of the layer as in other papers: the plain sum was asked for": (
            _of(lambda gap: gap.square().sum() / 4),
            _of(lambda gap: gap.square().sum() / (4 * gap.numel())),
            _of(lambda gap: gap.square().sum() / (2 * gap.numel())),
        ),
        "a plain number came out: `.item()` and `float` cut the graph, the loss must stay a tensor": lambda *fed: (
            content_loss(*fed).item()
        ),
        "relative to the content: the weight takes care of that": (
            lambda weight, current, original: content_loss(weight, current, original) / original.square().sum()
        ),
        "a sum for each channel or position came back: one number was asked for": (
            _of(lambda gap: gap.square().sum((0, 2, 3))),
            _of(lambda gap: gap.square().sum((2, 3))),
            _of(lambda gap: gap.square().sum(1)),
            _of(lambda gap: gap.square()),
            _of(lambda gap: gap.square().sum((1, 2, 3))),
        ),
        "squared before the difference: F² - F₀² is not (F - F₀)²": (
            lambda weight, current, original: weight * (current.square() - original.square()).sum(),
            lambda weight, current, original: weight * (current.square() - original.square()).abs().sum(),
        ),
        "summed before squaring: large differences hide behind others of the opposite sign": _of(
            lambda gap: gap.sum().square()
        ),
        "the weight is added: it multiplies": lambda weight, current, original: (
            weight + content_loss(1.0, current, original)
        ),
        "the sign is flipped: a loss is small where the images agree": (
            lambda weight, current, original: -content_loss(weight, current, original)
        ),
        "Gram matrices are compared: content is what is where": (
            lambda weight, current, original: weight * (_gram(current) - _gram(original)).square().sum(),
        ),
        "the square is missing: magnitudes are summed": _of(lambda gap: gap.abs().sum()),
        "the square is missing, and differences of both signs cancel": _of(lambda gap: gap.sum()),
        "the square root was not asked for": _of(lambda gap: gap.square().sum().sqrt()),
        "the weight is left out": lambda weight, current, original: content_loss(1.0, current, original),
        "the weight is inside the square": lambda weight, current, original: content_loss(weight**2, current, original),
        "half of it: the paper's factor ½ is part of the weight here": _of(lambda gap: gap.square().sum() / 2),
        "divided by the weight: it multiplies": lambda weight, current, original: (
            content_loss(1.0, current, original) / weight
        ),
        "means over the positions are compared: content is what is where": (
            lambda weight, current, original: weight * (current - original).mean((2, 3)).square().sum()
        ),
        "only the largest difference counts: all are summed": _of(lambda gap: gap.square().max()),
        "another power: the square was asked for": (
            _of(lambda gap: gap.pow(4).sum()),
            _of(lambda gap: gap.abs().pow(3).sum()),
        ),
        "the product of the features: the difference was asked for": (
            lambda weight, current, original: weight * (current * original).sum()
        ),
    },
)
