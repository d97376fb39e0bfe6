"""Exercises of notebook 07: one step of gradient ascent on a picture, and what L2 adds to it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises import calming
from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.occluding import (
    linear,
    of_all,
    of_log_probabilities,
    of_logits,
    of_predicted,
    of_probabilities,
    pictures_of,
    weights_of,
)
from cs231n_viz.exercises.saliency import Squares

__all__ = ["ENTRIES", "ascent_step", "l2_gradient"]


def ascent_step(model: nn.Module, images: Tensor, targets: Tensor, *, lr: float = 0.01) -> Tensor:
    """Which picture, one step away, has a higher logit?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,) class indices, one for each picture.
        lr: By how much a value changes on average.

    Returns:
        (N, 3, H, W) in [0, 1], without a graph: images + lr · g / mean|g|, with each picture's own gradient g and its
        own mean.
    """
    pixels = images.detach().clone().requires_grad_()
    score = model(pixels)[torch.arange(len(images)), targets].sum()
    (gradient,) = torch.autograd.grad(score, pixels)  # leaves the .grad of the parameters alone
    size = gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
    return (images + lr * gradient / size).clamp(0, 1).detach()


def l2_gradient(gradient: Tensor, images: Tensor, centre: Tensor, *, weight: float) -> Tensor:
    """What is the gradient when squared distance from the mean colour costs something?

    Args:
        gradient: (N, 3, H, W), of the objective.
        images: (N, 3, H, W), RGB in [0, 1].
        centre: (3, 1, 1), the mean colour.
        weight: What a squared distance of 1 costs.

    Returns:
        (N, 3, H, W), the gradient of objective − weight · Σ (x − centre)².
    """
    return gradient - 2 * weight * (images - centre)


def _size(gradient: Tensor) -> Tensor:
    return gradient.abs().mean(dim=(1, 2, 3), keepdim=True)


def _step(
    score: Callable[[Tensor, Tensor], Tensor] = of_logits,
    *,
    sign: float = 1.0,
    size: Callable[[Tensor], Tensor | float] = _size,
    clip: bool = True,
    graph: bool = False,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def step(model: nn.Module, images: Tensor, targets: Tensor, lr: float = 0.01) -> Tensor:
        pixels = images.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(score(model(pixels), targets).sum(), pixels)
        moved = (pixels if graph else images) + sign * lr * gradient / size(gradient)
        return moved.clamp(0, 1) if clip else moved

    return step


def _magnitude(model: nn.Module, images: Tensor, targets: Tensor, lr: float = 0.01) -> Tensor:
    pixels = images.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(of_logits(model(pixels), targets).sum(), pixels)
    return (images + lr * gradient.abs() / _size(gradient)).clamp(0, 1)


def _only_the_change(model: nn.Module, images: Tensor, targets: Tensor, lr: float = 0.01) -> Tensor:
    return _step(clip=False)(model, images, targets, lr) - images


def _asked(title: str, images: Tensor, targets: list[int], *, squares: bool = False, lr: float = 0.01) -> Check:
    weights, rows = weights_of(*images.shape[2:]), torch.tensor(targets)
    gradient = weights[rows] * images if squares else weights[rows]
    model = Squares(weights).eval() if squares else linear(weights)
    expected = (images + lr * gradient / _size(gradient)).clamp(0, 1)
    return Check(title, {"model": model, "images": images, "targets": rows, "lr": lr}, expected)


def _detached(function: Callable[..., Tensor], **fed: object) -> bool:
    return not function(**fed).requires_grad


_ASCENT_STEP = Entry(
    name="ascent_step",
    reference=ascent_step,
    stars=2,
    minutes=15,
    checks=[
        _asked("a linear network: the step goes along its weights", pictures_of(1, 3, 4), [1]),
        _asked("two pictures, each with its own target and its own length", pictures_of(2, 3, 2), [2, 0], squares=True),
        _asked("a long step ends at the border of [0, 1]", pictures_of(1, 4, 3), [0], lr=0.4),
        Check(
            "no graph hangs on the result",
            {"model": linear(weights_of(2, 2)), "images": pictures_of(1, 2, 2), "targets": torch.tensor([1])},
            True,
            _detached,
        ),
    ],
    mistakes={
        "the step goes down: it lowers the logit": _step(sign=-1.0),
        "this climbs the probability, which also rises when the other classes fall; the logit was asked for": (
            _step(of_log_probabilities),
            _step(of_probabilities),  # once divided by mean |g|, the same step
        ),
        "the predicted class is climbed in place of the target": _step(of_predicted),
        "the batch is mixed: logits[:, targets] sums all targets of every picture, one each was asked for": (
            _step(of_all)
        ),
        "not divided by mean |g|: the length of the step depends on the network": _step(size=lambda gradient: 1.0),
        "divided by the L2 norm of the gradient; its mean magnitude was asked for": _step(
            size=lambda gradient: gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        ),
        "one mean for the whole batch: each picture has its own": _step(size=lambda gradient: gradient.abs().mean()),
        "only the sign of the gradient is used: every value moves by the same amount": _step(
            size=lambda gradient: gradient.abs().clamp_min(1e-30)
        ),
        "the sign of the gradient is lost: this only brightens": _magnitude,
        "this is the change alone; the changed picture was asked for": _only_the_change,
        "the result leaves [0, 1]": _step(clip=False),
        "the graph still hangs on the result, and grows with every step: detach it": _step(graph=True),
    },
)


def _l2(
    sign: float = -1.0, factor: float = 2.0, term: Callable[[Tensor, Tensor], Tensor] = lambda x, c: x - c
) -> Callable[..., Tensor]:
    def changed(gradient: Tensor, images: Tensor, centre: Tensor, weight: float) -> Tensor:
        return gradient + sign * factor * weight * term(images, centre)

    return changed


_CENTRE = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)


def _pulled(title: str, count: int, weight: float, *, steep: bool = True) -> Check:
    images = pictures_of(count, 2, 3)
    gradient = 0.5 - pictures_of(count, 3, 2).mT if steep else torch.zeros_like(images)
    expected = gradient - 2 * weight * (images - _CENTRE)
    return Check(title, {"gradient": gradient, "images": images, "centre": _CENTRE, "weight": weight}, expected)


_L2_GRADIENT = Entry(
    name="l2_gradient",
    reference=l2_gradient,
    stars=1,
    minutes=5,
    checks=[
        _pulled("a flat objective: only the pull to the mean colour is left", 1, 1.0, steep=False),
        _pulled("the pull comes on top of the gradient", 1, 0.5),
        _pulled("two pictures, a strong pull", 2, 3.0),
    ],
    mistakes={
        "the sign is flipped: this pushes the picture away from the mean colour": _l2(sign=1.0),
        "the factor 2 of the derivative of a square is missing": _l2(factor=1.0),
        "this pulls to black: the distance is measured from the mean colour": _l2(term=lambda x, c: x),
        "this is the square itself; its derivative was asked for": _l2(factor=1.0, term=lambda x, c: (x - c).square()),
        "divided by the number of values: the squares are summed, not averaged": _l2(
            term=lambda x, c: (x - c) / x[0].numel()
        ),
        "divided by the norm: this is the derivative of the distance, not of its square": _l2(
            factor=1.0, term=lambda x, c: (x - c) / (x - c).flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        ),
        "the objective's own gradient is lost": lambda gradient, images, centre, weight: (
            -2 * weight * (images - centre)
        ),
        "the weight is ignored": lambda gradient, images, centre, weight: gradient - 2 * (images - centre),
    },
)

ENTRIES = [_ASCENT_STEP, _L2_GRADIENT, *calming.ENTRIES]
