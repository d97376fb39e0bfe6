"""Exercises of notebook 08: one signed step, and how large a change is."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.occluding import linear, of_log_probabilities, of_logits, pictures_of, weights_of


def fgsm_step(model: nn.Module, images: Tensor, targets: Tensor, *, epsilon: float) -> Tensor:
    """Make the targets more probable by one step that changes every value by epsilon.

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,) class indices, one for each picture.
        epsilon: How far each value goes up or down.

    Returns:
        (N, 3, H, W) in [0, 1].
    """
    pixels = images.clone().requires_grad_()
    loss = nn.functional.cross_entropy(model(pixels), targets, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, pixels)
    return (images - epsilon * gradient.sign()).clamp(0, 1)  # down the loss: towards the target


def perturbation_norms(images: Tensor, fooled: Tensor) -> tuple[Tensor, Tensor]:
    """How large is a change, as a whole and at its largest?

    Args:
        images: (N, 3, H, W), before.
        fooled: (N, 3, H, W), after.

    Returns:
        The L2 norm (N,), root of the sum of the squares over channels and pixels, and the L∞ norm (N,), the largest
        magnitude; one number for each picture.
    """
    change = (fooled - images).flatten(1)
    return change.norm(dim=1), change.abs().amax(dim=1)


def _slopes(weights: Tensor, images: Tensor, targets: Tensor) -> Tensor:
    """Gradient of log p of each target, for a linear network: w_t − Σ p_k w_k."""
    p = torch.einsum("kchw,nchw->nk", weights, images).softmax(1)
    return weights[targets] - torch.einsum("nk,kchw->nchw", p, weights)


def _stepping(
    step: Callable[[Tensor], Tensor] = torch.sign,
    *,
    score: Callable[[Tensor, Tensor], Tensor] = of_log_probabilities,
    targets_of: Callable[[Tensor, Tensor], Tensor] = lambda logits, targets: targets,
    scale: float = 1.0,
    clip: bool = True,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def stepping(model: nn.Module, images: Tensor, targets: Tensor, epsilon: float) -> Tensor:
        pixels = images.clone().requires_grad_()
        logits = model(pixels)
        scores = score(logits, targets_of(logits, targets))
        moved = images + scale * epsilon * step(torch.autograd.grad(scores.sum(), pixels)[0])
        return moved.clamp(0, 1) if clip else moved

    return stepping


def _signed(title: str, targets: list[int], *, epsilon: float, dead: bool = False) -> Check:
    weights, rows = weights_of(3, 4) / 16, torch.tensor(targets)
    if dead:
        weights[:, :, 0] = 0.0
    images = pictures_of(len(targets), 3, 4)
    expected = (images + epsilon * _slopes(weights, images, rows).sign()).clamp(0, 1)
    return Check(title, {"model": linear(weights), "images": images, "targets": rows, "epsilon": epsilon}, expected)


_FGSM_STEP = Entry(
    name="fgsm_step",
    reference=fgsm_step,
    stars=1,
    minutes=10,
    checks=[
        _signed("one picture, a linear network", [1], epsilon=0.03125),
        _signed("a larger epsilon, where values reach 0 and 1", [2], epsilon=0.25),
        _signed("three pictures, each with its own target", [2, 0, 1], epsilon=0.03125),
        _signed("where no class depends on a pixel, it stays", [0, 1], epsilon=0.0625, dead=True),
    ],
    mistakes={
        "the gradient itself is added: only its sign was asked for": _stepping(lambda g: g),
        "this is a step of unit length along the gradient: its sign was asked for": _stepping(
            lambda g: g / g.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        ),
        "this leads away from the target: go down its loss": _stepping(lambda g: -g.sign()),
        "this is the sign of the gradient of the logit: the loss, or log p, also counts the other classes": (
            _stepping(score=of_logits)
        ),
        "the clipping to [0, 1] is missing": _stepping(clip=False),
        "the predicted class is made more probable in place of the target": _stepping(
            targets_of=lambda logits, _: logits.argmax(1)
        ),
        "every picture goes to the first target": _stepping(
            targets_of=lambda _, targets: targets[:1].expand_as(targets)
        ),
        "epsilon is divided by 255: it is given for values in [0, 1]": _stepping(scale=1 / 255),
        "a value whose gradient is 0 moves: its sign is 0": _stepping(lambda g: (g > 0).float() * 2 - 1),
    },
)


Norm = Callable[[Tensor], Tensor]


def _measured(
    two: Norm = lambda change: change.flatten(1).norm(dim=1),
    largest: Norm = lambda change: change.flatten(1).abs().amax(1),
    *,
    swapped: bool = False,
    scale: float = 1.0,
) -> Callable[..., tuple[Tensor, Tensor]]:
    def measured(images: Tensor, fooled: Tensor) -> tuple[Tensor, Tensor]:
        change = scale * (fooled - images)
        return (largest(change), two(change)) if swapped else (two(change), largest(change))

    return measured


def _changed(title: str, changes: list[dict[tuple[int, int, int], float]], expected: tuple[list, list]) -> Check:
    images = torch.full((len(changes), 3, 2, 3), 0.5)
    fooled = images.clone()
    for picture, change in zip(fooled, changes, strict=True):
        for place, value in change.items():
            picture[place] += value
    return Check(title, {"images": images, "fooled": fooled}, tuple(torch.tensor(values) for values in expected))


_PERTURBATION_NORMS = Entry(
    name="perturbation_norms",
    reference=perturbation_norms,
    stars=1,
    minutes=5,
    checks=[
        _changed("changes of 0.3 and 0.4 in one colour", [{(0, 0, 0): 0.3, (0, 1, 2): 0.4}], ([0.5], [0.4])),
        _changed("the largest change is downwards", [{(0, 0, 1): 0.375, (2, 1, 0): -0.5}], ([0.625], [0.5])),
        _changed(
            "two pictures, each with its own numbers",
            [{(1, 0, 0): 0.25, (2, 0, 0): -0.25, (0, 1, 1): 0.5, (1, 1, 1): 0.5}, {(2, 1, 2): -0.125}],
            ([0.625**0.5, 0.125], [0.5, 0.125]),
        ),
        _changed("nothing changed", [{}, {(1, 1, 1): 0.25}], ([0.0, 0.25], [0.0, 0.25])),
    ],
    mistakes={
        "the root is missing: this is the squared L2 norm": _measured(lambda c: c.flatten(1).square().sum(1)),
        "the mean of the squares is taken in place of their sum": _measured(
            lambda c: c.flatten(1).square().mean(1).sqrt()
        ),
        "this is L1, the sum of the magnitudes: L2 squares them": _measured(lambda c: c.flatten(1).abs().sum(1)),
        "the colours are summed before they are squared: they may cancel": _measured(
            lambda c: c.sum(1).flatten(1).norm(dim=1)
        ),
        "one norm over the whole batch: one number for each picture was asked for": (
            _measured(lambda c: c.norm(), lambda c: c.abs().max()),
            _measured(lambda c: c.norm().expand(len(c)), lambda c: c.abs().max().expand(len(c))),
        ),
        "the magnitude is missing in L∞: a change downwards counts as well": _measured(
            largest=lambda c: c.flatten(1).amax(1)
        ),
        "this is the mean magnitude: L∞ is the largest": _measured(largest=lambda c: c.flatten(1).abs().mean(1)),
        "L2 and L∞ are swapped": _measured(swapped=True),
        "the change is multiplied by 255: leave it in units of [0, 1]": _measured(scale=255),
    },
)

ENTRIES = [_FGSM_STEP, _PERTURBATION_NORMS]
