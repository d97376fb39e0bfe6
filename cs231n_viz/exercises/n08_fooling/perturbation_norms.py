"""The size of a perturbation, in L2 and L∞."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def perturbation_norms(images: Tensor, fooled: Tensor) -> tuple[Tensor, Tensor]:
    """Measure a perturbation by its L2 and its L∞ norm: how large is it as a whole, and at its largest?

    Args:
        images: (N, 3, H, W), before.
        fooled: (N, 3, H, W), after.

    Returns:
        The L2 norm (N,), root of the sum of the squares over channels and pixels, and the L∞ norm (N,), the largest
        magnitude; one number for each image.
    """
    change = (fooled - images).flatten(1)
    return change.norm(dim=1), change.abs().amax(dim=1)


Norm = Callable[[Tensor], Tensor]


def _measured(
    two: Norm = lambda change: change.flatten(1).norm(dim=1),
    largest: Norm = lambda change: change.flatten(1).abs().amax(1),
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    return lambda images, fooled: (two(fooled - images), largest(fooled - images))


def _changed(title: str, changes: list[dict[tuple[int, int, int], float]], two: list, largest: list) -> Check:
    images = torch.full((len(changes), 3, 2, 3), 0.5)
    fooled = images.clone()
    for image, change in zip(fooled, changes, strict=True):
        for place, value in change.items():
            image[place] += value
    return Check(title, {"images": images, "fooled": fooled}, (torch.tensor(two), torch.tensor(largest)))


ENTRY = Entry(
    name="perturbation_norms",
    reference=perturbation_norms,
    stars=1,
    minutes=5,
    checks=[
        _changed("changes of 0.3 and 0.4 in one colour", [{(0, 0, 0): 0.3, (0, 1, 2): 0.4}], [0.5], [0.4]),
        _changed("the largest change is downwards", [{(0, 0, 1): 0.375, (2, 1, 0): -0.5}], [0.625], [0.5]),
        _changed(
            "two images, each with its own numbers",
            [{(1, 0, 0): 0.25, (2, 0, 0): -0.25, (0, 1, 1): 0.5, (1, 1, 1): 0.5}, {(2, 1, 2): -0.125}],
            [0.625**0.5, 0.125],
            [0.5, 0.125],
        ),
        _changed("nothing changed", [{}, {(1, 1, 1): 0.25}], [0.0, 0.25], [0.0, 0.25]),
    ],
    mistakes={
        "the root is missing: this is the squared L2 norm": _measured(lambda c: c.flatten(1).square().sum(1)),
        "the mean of the squares is taken instead of their sum": (
            _measured(lambda c: c.flatten(1).square().mean(1).sqrt())
        ),
        "this is L1, the sum of the magnitudes: L2 squares them": _measured(lambda c: c.flatten(1).abs().sum(1)),
        "the colours are summed before they are squared: they may cancel": (
            _measured(lambda c: c.sum(1).flatten(1).norm(dim=1))
        ),
        "one norm over the whole batch: one number for each image was asked for": (
            _measured(lambda c: c.norm(), lambda c: c.abs().max()),
            _measured(lambda c: c.norm().expand(len(c)), lambda c: c.abs().max().expand(len(c))),
        ),
        "the magnitude is missing in L∞: a change downwards counts as well": (
            _measured(largest=lambda c: c.flatten(1).amax(1))
        ),
        "this is the mean magnitude: L∞ is the largest": _measured(largest=lambda c: c.flatten(1).abs().mean(1)),
        "L2 and L∞ are swapped": lambda images, fooled: _measured()(images, fooled)[::-1],
        "the change is multiplied by 255: leave it in units of [0, 1]": (
            lambda images, fooled: _measured()(255 * images, 255 * fooled)
        ),
    },
)
