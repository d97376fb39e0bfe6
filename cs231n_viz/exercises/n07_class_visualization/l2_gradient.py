"""The L2 penalty of a class visualisation."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import pixels


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
    checks=[
        _penalised("a constant objective: only the pull to the mean colour is left", 1, 1.0, flat=True),
        _penalised("the pull comes on top of the gradient", 1, 0.5),
        _penalised("two images, a strong pull", 2, 3.0),
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
    },
)
