"""Total variation, squared."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import COLOURS, SLOPE, stripes


def total_variation(images: Tensor) -> Tensor:
    """Sum the squared differences of neighbouring pixels (total variation).

    Args:
        images: (N, 3, H, W).

    Returns:
        Scalar: the sum of the squares of all steps from a pixel to the one below it and to the one to its right, in
        every channel of every image.
    """
    down = images[:, :, 1:, :] - images[:, :, :-1, :]
    right = images[:, :, :, 1:] - images[:, :, :, :-1]
    return down.square().sum() + right.square().sum()


def _variation(
    *axes: int, of: Callable[[Tensor], Tensor] = lambda steps: steps.square().sum()
) -> Callable[[Tensor], Tensor]:
    return lambda images: sum(of(images.diff(dim=axis)) for axis in axes)


def _varies(title: str, images: Tensor, expected: float) -> Check:
    return Check(title, {"images": images}, torch.tensor(expected))


_POINT = torch.zeros(2, 3, 5, 5)
_POINT[1, 2, 2, 1] = 0.5

ENTRY = Entry(
    name="total_variation",
    reference=total_variation,
    stars=1,
    minutes=10,
    checks=[
        _varies("three constant colours: 0", COLOURS, 0.0),
        _varies("vertical stripes: a step of 1 between all columns", stripes(4, 6, vertical=True), 3 * 4 * 5),
        _varies("horizontal stripes: a step of 1 between all rows", stripes(4, 6, vertical=False), 3 * 3 * 6),
        _varies("a slope", SLOPE, 3 * (9 * 0.01 + 8 * 0.0625)),
        _varies("one point of 0.5 in the second of two images: four steps", _POINT, 4 * 0.25),
    ],
    mistakes={
        "the axes are channels and rows: in (N, 3, H, W) rows are axis 2 and columns axis 3": _variation(1, 2),
        "channels are compared with each other: only rows and columns were asked for": (
            _variation(1, 2, 3),
            _variation(1, 3),
        ),
        "only steps to the right: the steps down are missing, horizontal stripes would count 0": _variation(3),
        "only steps down: the steps to the right are missing, vertical stripes would count 0": _variation(2),
        "magnitudes instead of squares": _variation(2, 3, of=lambda steps: steps.abs().sum()),
        "the mean instead of the sum": (
            _variation(2, 3, of=lambda steps: steps.square().mean()),
            lambda images: total_variation(images) / images.numel(),
            lambda images: total_variation(images) / images[0].numel(),
        ),
        "the last row and column are compared with the first: an image has borders": (
            lambda images: sum((images.roll(-1, axis) - images).square().sum() for axis in (2, 3))
        ),
        "summed before squaring: steps up and down cancel": _variation(2, 3, of=lambda steps: steps.sum().square()),
        "steps along the diagonal: below and to the right were asked for": (
            lambda images: (images[..., 1:, 1:] - images[..., :-1, :-1]).square().sum()
        ),
        "every step is counted twice, from both sides": lambda images: 2 * total_variation(images),
        "only the first image counts": lambda images: total_variation(images[:1]),
        "the square root was not asked for": (
            lambda images: total_variation(images).sqrt(),
            _variation(2, 3, of=lambda steps: steps.square().sum().sqrt()),
        ),
    },
)
