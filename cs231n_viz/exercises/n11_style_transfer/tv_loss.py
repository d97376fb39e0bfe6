"""The total variation of style transfer, as a weighted loss."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import COLOURS, SLOPE, stripes


def tv_loss(img: Tensor, tv_weight: float) -> Tensor:
    """Sum the squared differences of neighbouring pixels, with a weight (total variation).

    Args:
        img: (1, 3, H, W).
        tv_weight: Weight of the term.

    Returns:
        Scalar: weight times the sum of the squares of all steps down and all steps to the right.
    """
    down = img[:, :, 1:, :] - img[:, :, :-1, :]
    right = img[:, :, :, 1:] - img[:, :, :, :-1]
    return tv_weight * (down.square().sum() + right.square().sum())


def _steps(
    *axes: int, of: Callable[[Tensor], Tensor] = lambda steps: steps.square().sum()
) -> Callable[[Tensor, float], Tensor]:
    return lambda img, weight: weight * sum(of(img.diff(dim=axis)) for axis in axes)


def _cropped(img: Tensor, weight: float) -> Tensor:
    down, right = img[..., 1:, :-1] - img[..., :-1, :-1], img[..., :-1, 1:] - img[..., :-1, :-1]
    return weight * (down.square() + right.square()).sum()


def _varies(title: str, img: Tensor, weight: float, expected: float) -> Check:
    return Check(title, {"img": img, "tv_weight": weight}, torch.tensor(expected))


ENTRY = Entry(
    name="tv_loss",
    reference=tv_loss,
    stars=1,
    minutes=10,
    checks=[
        _varies("three constant colours: 0", COLOURS, 1.0, 0.0),
        _varies("vertical stripes: steps of 1 to the right", stripes(4, 6, vertical=True), 2.0, 2 * 3 * 4 * 5),
        _varies("horizontal stripes: steps of 1 down", stripes(6, 4, vertical=False), 2.0, 2 * 3 * 4 * 5),
        _varies("a slope, weight 0.02", SLOPE, 0.02, 0.02 * 3 * (9 * 0.01 + 8 * 0.0625)),
    ],
    mistakes={
        "the axes are channels and rows: in (1, 3, H, W) rows are axis 2 and columns axis 3": _steps(1, 2),
        "only steps to the right: horizontal stripes would count 0": _steps(3),
        "only steps down: vertical stripes would count 0": _steps(2),
        "the square is missing: magnitudes are summed": _steps(2, 3, of=lambda steps: steps.abs().sum()),
        "the mean instead of the sum": _steps(2, 3, of=lambda steps: steps.square().mean()),
        "the last row and column are left out: their steps count too": _cropped,
        "the last row and column are compared with the first: an image has borders": (
            lambda img, weight: weight * sum((img.roll(-1, axis) - img).square().sum() for axis in (2, 3))
        ),
        "the weight is left out": lambda img, weight: tv_loss(img, 1.0),
        "the weight is inside the square": lambda img, weight: tv_loss(weight * img, 1.0),
        "the square root was not asked for": _steps(2, 3, of=lambda steps: steps.square().sum().sqrt()),
    },
)
