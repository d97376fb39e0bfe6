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
    hints=(
        "What is the change of an image as one long vector, and which two numbers measure such a vector?",
        "Subtract, flatten all but the first axis, and return the root of the sum of the squares along dim 1 and "
        "the largest magnitude along dim 1, as a tuple of two tensors (N,).",
    ),
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
        _changed(
            "changes of less than one level of 255",
            [{(0, 0, 0): 0.003, (1, 1, 1): -0.004}, {(0, 1, 0): 0.0012, (0, 0, 1): 0.0005}, {(2, 0, 2): -0.002}],
            [0.005, 0.0013, 0.002],
            [0.004, 0.0012, 0.002],
        ),
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
        "one number for each pixel: one for each image was asked for": (
            _measured(lambda c: c.norm(dim=1), lambda c: c.abs().amax(1))
        ),
        "the norms of the changed image: those of the change were asked for": (
            lambda images, fooled: _measured()(torch.zeros_like(images), fooled)
        ),
        "the difference of two norms: take the norm of the difference": lambda images, fooled: (
            (fooled.flatten(1).norm(dim=1) - images.flatten(1).norm(dim=1)).abs(),
            _measured()(images, fooled)[1],
        ),
        "L∞ of the pixels' lengths: the largest change of any one value was asked for": (
            _measured(largest=lambda c: c.norm(dim=1).flatten(1).amax(1))
        ),
        "the largest minus the smallest change: L∞ is the largest magnitude": (
            _measured(largest=lambda c: c.flatten(1).amax(1) - c.flatten(1).amin(1))
        ),
        "divided by the size of the image, or its root: L2 is the root of the sum": (
            _measured(lambda c: c.flatten(1).norm(dim=1) / c[0].numel()),
            _measured(lambda c: c.flatten(1).norm(dim=1) / c[0, 0].numel() ** 0.5),
        ),
        "divided by the norm of the image: the norm of the change itself was asked for": lambda images, fooled: (
            _measured()(images, fooled)[0] / images.flatten(1).norm(dim=1),
            _measured()(images, fooled)[1],
        ),
        "matrix norms: L2 is the root of the sum of all squares": (
            _measured(lambda c: torch.linalg.matrix_norm(c, ord=2).amax(1)),
            _measured(lambda c: torch.linalg.matrix_norm(c).amax(1)),
            _measured(lambda c: torch.linalg.matrix_norm(c).sum(1)),
        ),
        "rounded to levels of 255: the change may be smaller than one": lambda images, fooled: _measured()(
            (255 * images).round() / 255, (255 * fooled).round() / 255
        ),
        "a small number is added below the root: without a change the norm is 0": (
            _measured(lambda c: (c.flatten(1).square().sum(1) + 1e-8).sqrt()),
            _measured(lambda c: (c.flatten(1).square().sum(1) + 1e-4).sqrt()),
        ),
        "L∞ of one colour: all three count": tuple(
            _measured(largest=lambda c, k=k: c[:, k].flatten(1).abs().amax(1)) for k in range(3)
        ),
        "the lengths of the pixels are added up: add all squares, and take one root": (
            _measured(lambda c: c.norm(dim=1).sum((1, 2)))
        ),
        "L2 twice: the second number is the largest magnitude": _measured(largest=lambda c: c.flatten(1).norm(dim=1)),
    },
)
