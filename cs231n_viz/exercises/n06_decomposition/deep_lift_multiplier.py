"""The Rescale rule of DeepLIFT at a ReLU."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def deep_lift_multiplier(x: Tensor, reference: Tensor) -> Tensor:
    """Compute the multiplier of a ReLU by DeepLIFT's Rescale rule: the slope between an image and its reference.

    Args:
        x: Input of the ReLU for the image, any shape.
        reference: The same for the reference image.

    Returns:
        In the shape of ``x``: (relu(x) - relu(reference)) / (x - reference); where both are the same, the derivative
        of the ReLU at x: 1 above 0, else 0.
    """
    rise, run = x.relu() - reference.relu(), x - reference
    same = run == 0
    return torch.where(same, (x > 0).to(x), rise / torch.where(same, 1.0, run))


def _slope_or(otherwise: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, r: torch.where(x == r, otherwise(x), deep_lift_multiplier(x, r))


def _slope(title: str, x: list, reference: list, expected: list, ask: Callable | None = None) -> Check:
    return Check(title, {"x": torch.tensor(x), "reference": torch.tensor(reference)}, torch.tensor(expected), ask)


ENTRY = Entry(
    name="deep_lift_multiplier",
    reference=deep_lift_multiplier,
    stars=1,
    minutes=10,
    checks=[
        _slope("both above 0, or both below", [3.0, -2.0], [1.0, -6.0], [1.0, 0.0]),
        _slope("across 0, upwards: from -1 to 3 the output rises by 3", [3.0], [-1.0], [0.75]),
        _slope("across 0, downwards: inactive for the image, active for the reference", [-1.0], [4.0], [0.8]),
        _slope("no change: the derivative", [2.0, 5.0, -3.0, 0.0], [1.0, 5.0, -3.0, 0.0], [1.0, 1.0, 0.0, 0.0]),
        _slope(
            "multiplier times change of input is change of output",
            [[0.5, -0.25], [2.0, -3.0]],
            [[-1.5, 0.75], [1.0, -3.0]],
            [[0.5, -0.75], [1.0, 0.0]],
            lambda function, x, reference: (x - reference) * function(x, reference),
        ),
    ],
    mistakes={  # of x and reference r
        "this is the gradient at the image, or output over input: take the slope from the reference to the image": (
            lambda x, r: (x > 0).to(x)
        ),
        "this is the gradient at the reference: take the slope between reference and image": lambda x, r: (r > 0).to(x),
        "this is the gradient half-way: take the slope, rise over run": lambda x, r: ((x + r) / 2 > 0).to(x),
        "the rise is not divided by the run: this is the change of the output": lambda x, r: x.relu() - r.relu(),
        "the sign is lost: rise and run fall together, their ratio is positive": (
            lambda x, r: deep_lift_multiplier(x, r) * (x - r).sign()
        ),
        "0 / 0 is NaN: where nothing changed, take the derivative": lambda x, r: (x.relu() - r.relu()) / (x - r),
        "ones where zeros belong: a ReLU that is inactive in both has slope 0": _slope_or(torch.ones_like),
        "zeros where nothing changed: an active ReLU still has slope 1 there": _slope_or(torch.zeros_like),
    },
)
