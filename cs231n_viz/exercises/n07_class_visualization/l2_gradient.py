"""The L2 penalty of a class visualisation."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of, pixels


def l2_gradient(gradient: Tensor, images: Tensor, centre: Tensor, *, weight: float) -> Tensor:
    """Add the gradient of an L2 penalty, the squared distance from the mean colour, to that of the objective.

    Args:
        gradient: (N, 3, H, W), of the objective.
        images: (N, 3, H, W), RGB in [0, 1].
        centre: (3, 1, 1), the mean colour.
        weight: Weight of the penalty.

    Returns:
        (N, 3, H, W), the gradient of objective − weight · Σ (x − centre)².
    """
    return gradient - 2 * weight * (images - centre)


def _l2(
    sign: float = -1.0, factor: float = 2.0, term: Callable[[Tensor, Tensor], Tensor] = torch.sub
) -> Callable[..., Tensor]:
    return lambda gradient, images, centre, weight: gradient + sign * factor * weight * term(images, centre)


_CENTRE = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)


def _penalised(title: str, count: int, weight: float, *, flat: bool = False) -> Check:
    """The objective is linear, its gradient a constant; that of the penalised objective comes from autograd."""
    images = pixels(count, 3, 2, 3)
    gradient = torch.zeros_like(images) if flat else 0.5 - pixels(count, 3, 3, 2).mT
    x = images.clone().requires_grad_()
    (expected,) = torch.autograd.grad((gradient * x).sum() - weight * ((x - _CENTRE) ** 2).sum(), x)
    return Check(title, {"gradient": gradient, "images": images, "centre": _CENTRE, "weight": weight}, expected)


ENTRY = Entry(
    name="l2_gradient",
    reference=l2_gradient,
    stars=1,
    minutes=5,
    hints=(
        "What is the derivative of (x − c)² with respect to one value x, and with which sign does the penalty enter"
        " the objective?",
        "Subtract from the gradient twice the weight times the distance of the images from the centre; (3, 1, 1) "
        "broadcasts over images and positions.",
    ),
    checks=[
        _penalised("a constant objective: only the pull to the mean colour is left", 1, 1.0, flat=True),
        _penalised("the pull comes on top of the gradient", 1, 0.3),
        _penalised("three images, a strong pull", 3, 7.0),
        Check(
            "in float32, like the gradient",
            {"gradient": pixels(1, 3, 2, 3), "images": pixels(1, 3, 2, 3), "centre": _CENTRE, "weight": 0.5},
            "float32",
            dtype_of,
        ),
    ],
    mistakes={
        "the sign is flipped: this pushes the image away from the mean colour": _l2(sign=1.0),
        "the factor 2 of the derivative of a square is missing": _l2(factor=1.0),
        "this pulls to black: the distance is measured from the mean colour": _l2(term=lambda x, c: x),
        "this is the square itself; its derivative was asked for": _l2(factor=1.0, term=lambda x, c: (x - c).square()),
        "divided by the number of values: the squares are summed, not averaged": (
            _l2(term=lambda x, c: (x - c) / x[0].numel())
        ),
        "divided by the norm: this is the derivative of the distance, not of its square": (
            _l2(factor=1.0, term=lambda x, c: (x - c) / (x - c).flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        ),
        "the objective's own gradient is lost": (
            lambda gradient, images, centre, weight: -2 * weight * (images - centre)
        ),
        "the weight is ignored": lambda gradient, images, centre, weight: gradient - 2 * (images - centre),
        "half of the distance, as if the penalty were a quarter of the square: its derivative is twice the distance": (
            _l2(factor=0.5)
        ),
        "the derivative is summed up: each value has its own": (
            _l2(term=lambda x, c: (x - c).sum()),
            _l2(term=lambda x, c: (x - c).sum((1, 2, 3), keepdim=True)),
            _l2(term=lambda x, c: (x - c).sum(1, keepdim=True)),
        ),
        "the penalty itself is subtracted, a number: its derivative was asked for": (
            _l2(factor=1.0, term=lambda x, c: (x - c).square().sum()),
            _l2(factor=1.0, term=lambda x, c: (x - c).square().sum((1, 2, 3), keepdim=True)),
        ),
        "measured from one grey: each channel of the mean colour counts": _l2(term=lambda x, c: x - c.mean()),
        "measured from the image's own mean: the mean colour was given": (
            _l2(term=lambda x, c: x - x.mean((2, 3), keepdim=True)),
            _l2(term=lambda x, c: x - x.mean((1, 2, 3), keepdim=True)),
        ),
        "only the sign of the distance is used: that is the derivative of its magnitude (L1)": (
            _l2(factor=1.0, term=lambda x, c: (x - c).sign()),
            _l2(factor=2.0, term=lambda x, c: (x - c).sign()),
        ),
        "the weight is squared": lambda gradient, images, centre, weight: gradient - 2 * weight**2 * (images - centre),
        "all signs are flipped: the penalty is subtracted from the objective": (
            lambda gradient, images, centre, weight: 2 * weight * (images - centre) - gradient
        ),
        "divided by the number of images: each has its own penalty": _l2(term=lambda x, c: (x - c) / len(x)),
        "the images are missing: the distance is x minus the mean colour": _l2(term=lambda x, c: c.expand_as(x)),
        "the result is cut off: a gradient may have any size": (
            lambda gradient, images, centre, weight: (gradient - 2 * weight * (images - centre)).clamp(-1, 1),
            lambda gradient, images, centre, weight: (gradient - 2 * weight * (images - centre)).clamp(0, 1),
        ),
        "the gradient is multiplied with the pull: add them": (
            lambda gradient, images, centre, weight: gradient * (1 - 2 * weight * (images - centre)),
            lambda gradient, images, centre, weight: -gradient * 2 * weight * (images - centre),
        ),
        "four times the distance: the derivative of a square is twice": _l2(factor=4.0),
        "the magnitude of the distance: a value below the mean colour is pulled up": (
            _l2(term=lambda x, c: (x - c).abs())
        ),
        "divided by the number of channels or of positions: the squares are summed": (
            _l2(term=lambda x, c: (x - c) / 3),
            _l2(term=lambda x, c: (x - c) / x[0, 0].numel()),
        ),
    },
)
