"""The Rescale rule of DeepLIFT at a ReLU."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of


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


def _same_within(distance: float) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, r: torch.where((x - r).abs() <= distance, (x > 0).to(x), deep_lift_multiplier(x, r))


def _rounded(digits: int) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, r: deep_lift_multiplier(x, r).round(decimals=digits)


def _slope(
    title: str, x: list | float, reference: list | float, expected: list | float, ask: Callable | None = None
) -> Check:
    return Check(title, {"x": torch.tensor(x), "reference": torch.tensor(reference)}, torch.tensor(expected), ask)


ENTRY = Entry(
    name="deep_lift_multiplier",
    reference=deep_lift_multiplier,
    stars=1,
    minutes=10,
    hints=(
        "A slope is rise over run: by how much do the output and the input of the ReLU change from the reference to"
        " the image?",
        "Subtract the two inputs, and their ReLUs, and divide; where the run is 0 use `torch.where` to put the "
        "derivative of the ReLU, and divide by 1 there, so that no NaN is made.",
    ),
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
        _slope(
            "small changes across 0",
            [0.0625, 4e-4, -1e-3, 0.25, 6e-7],
            [-0.015625, -6e-4, 3e-3, -0.0078125, -2e-7],
            [0.8, 0.4, 0.75, 32 / 33, 0.75],
        ),
        _slope("a single number: any shape", 2.0, -3.0, 0.4),
        Check(
            "in float32, like the inputs",
            {"x": torch.tensor([2.0, 0.5]), "reference": torch.tensor([-3.0, 0.5])},
            "float32",
            dtype_of,
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
        "0 / 0 is NaN: take the derivative where nothing changed, value by value": lambda x, r: (
            (x.relu() - r.relu()) / (x - r)
        ),
        "ones where zeros belong: a ReLU that is inactive in both has slope 0": _slope_or(torch.ones_like),
        "zeros where nothing changed: an active ReLU still has slope 1 there": _slope_or(torch.zeros_like),
        "small changes are taken for none: ask whether x and reference are equal": tuple(
            _same_within(distance) for distance in (1e-6, 1e-3, 2e-3, 0.01, 0.05, 0.1)
        ),
        "rounded: the slope is a fraction": (_rounded(1), _rounded(2), _rounded(3)),
        "½ where nothing changed: the derivative is 1 above 0, else 0": (_slope_or(lambda x: torch.full_like(x, 0.5))),
        "slope 1 where both are exactly 0: the ReLU is inactive there": _slope_or(lambda x: (x >= 0).to(x)),
        "the mean of the two gradients: take the slope, rise over run": lambda x, r: ((x > 0).to(x) + (r > 0)) / 2,
        "run over rise: the slope is rise over run": (
            lambda x, r: torch.where(x == r, (x > 0).to(x), ((x - r) / (x.relu() - r.relu())).nan_to_num(0, 0, 0))
        ),
        "the ReLU of the change: take the change of the ReLU": (
            lambda x, r: torch.where(x == r, (x > 0).to(x), (x - r).relu() / (x - r)),
            lambda x, r: ((x - r) > 0).to(x),
        ),
        "divided by the input instead of its change": lambda x, r: ((x.relu() - r.relu()) / x).nan_to_num(0, 0, 0),
        "divided by the sum of both: the run is their difference": (
            lambda x, r: ((x.relu() - r.relu()) / (x + r)).nan_to_num(0, 0, 0),
            lambda x, r: ((x.relu() - r.relu()) / (x.abs() + r.abs())).nan_to_num(0, 0, 0),
        ),
        "a case is missing: where image and reference lie on two sides of 0, the slope is a fraction": (
            lambda x, r: deep_lift_multiplier(x, r) * ((x > 0) | (r <= 0)),
            lambda x, r: deep_lift_multiplier(x, r) * ((x <= 0) | (r > 0)),
        ),
    },
)
