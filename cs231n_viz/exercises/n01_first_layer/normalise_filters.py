"""First-layer filters as colours."""

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def normalise_filters(weights: Tensor) -> Tensor:
    """Turn weights into colours without changing their hue.

    Args:
        weights: (K, 3, h, w), of any range.

    Returns:
        (K, 3, h, w) in [0, 1]: zero is mid-grey, 0.5, and each filter is scaled by its own largest magnitude, which
        becomes 0 or 1. A filter of zeros is mid-grey everywhere.
    """
    largest = weights.abs().amax(dim=(1, 2, 3), keepdim=True)  # (K, 1, 1, 1): the three channels share one scale
    largest = torch.where(largest == 0, 1.0, largest)  # 0 / 1 is 0 where 0 / 0 would be NaN
    return 0.5 + weights / (2 * largest)


def _min_max(weights: Tensor, *dims: int) -> Tensor:
    low, high = weights.amin(dim=dims, keepdim=True), weights.amax(dim=dims, keepdim=True)
    return torch.where(high > low, (weights - low) / (high - low), 0.5)


def _by_magnitude(weights: Tensor, *dims: int) -> Tensor:
    largest = weights.abs().amax(dim=dims, keepdim=True)
    return 0.5 + weights / (2 * torch.where(largest == 0, 1.0, largest))


def _by_deviation(weights: Tensor, *dims: int) -> Tensor:
    return (weights - weights.mean(dim=dims, keepdim=True)) / weights.std(dim=dims, keepdim=True)


def _filters(*filters: list[list[float]]) -> Tensor:
    """(K, 3, 1, n): for each filter, the red, green and blue values of one row."""
    return torch.tensor(filters)[:, :, None, :]


_ORANGE = [[0.4, 0.0], [0.2, -0.1], [0.0, 0.0]]
_ORANGE_SHOWN = [[1.0, 0.5], [0.75, 0.375], [0.5, 0.5]]
_WEAK = [[0.01, 0.02], [-0.03, 0.0], [0.04, 0.02]]
_WEAK_SHOWN = [[0.625, 0.75], [0.125, 0.5], [1.0, 0.75]]
_NEGATIVE = [[-0.1, -0.2], [-0.8, -0.4], [-0.2, -0.6]]
_NEGATIVE_SHOWN = [[0.4375, 0.375], [0.0, 0.25], [0.375, 0.125]]


def _shown(title: str, *filters: tuple[list, list]) -> Check:
    weights, expected = (_filters(*side) for side in zip(*filters, strict=True))
    return Check(title, {"weights": weights}, expected)


ENTRY = Entry(
    name="normalise_filters",
    reference=normalise_filters,
    stars=2,
    minutes=10,
    checks=[
        _shown("zero is mid-grey, the largest weight is 1, the hue stays", (_ORANGE, _ORANGE_SHOWN)),
        _shown("a filter of negative weights lies below mid-grey", (_NEGATIVE, _NEGATIVE_SHOWN)),
        _shown(
            "a weak filter beside a strong one uses the whole range too",
            (_ORANGE, _ORANGE_SHOWN),
            (_WEAK, _WEAK_SHOWN),
        ),
        _shown("a filter of zeros is mid-grey", (_ORANGE, _ORANGE_SHOWN), ([[0.0, 0.0]] * 3, [[0.5, 0.5]] * 3)),
    ],
    mistakes={
        "minimum and maximum are stretched in each channel by itself: that changes the hue": (
            lambda weights: _min_max(weights, 2, 3)
        ),
        "minimum and maximum are stretched to 0 and 1: then zero is no longer mid-grey": (
            lambda weights: _min_max(weights, 1, 2, 3)
        ),
        "minimum and maximum of all filters together: zero moves, and a weak filter turns flat": (
            lambda weights: _min_max(weights, 0, 1, 2, 3)
        ),
        "each channel is scaled by its own largest magnitude: that changes the hue": (
            lambda weights: _by_magnitude(weights, 2, 3)
        ),
        "all filters share one scale: each is scaled by its own largest magnitude": (
            lambda weights: _by_magnitude(weights, 0, 1, 2, 3)
        ),
        "the largest value is used instead of the largest magnitude: negative weights leave the range": (
            lambda weights: 0.5 + weights / (2 * weights.amax(dim=(1, 2, 3), keepdim=True))
        ),
        "the weights are only clamped to [0, 1]: everything negative turns black": (
            lambda weights: weights.clamp(0, 1),
            lambda weights: (weights / weights.abs().amax(dim=(1, 2, 3), keepdim=True)).clamp(0, 1),
        ),
        "mid-grey is added, but nothing is scaled": (
            lambda weights: weights + 0.5,
            lambda weights: (weights + 0.5).clamp(0, 1),
        ),
        "the range is [-1, 1]: halve, and add 0.5": lambda weights: 2 * _by_magnitude(weights, 1, 2, 3) - 1,
        "divided by the standard deviation: that does not bound the range, and subtracting the mean moves zero": (
            lambda weights: _by_deviation(weights, 1, 2, 3),
            lambda weights: _by_deviation(weights, 0, 1, 2, 3),
            lambda weights: (_by_deviation(weights, 1, 2, 3) * 0.1 + 0.5).clamp(0, 1),
            lambda weights: 0.5 + weights / (2 * weights.std(dim=(1, 2, 3), keepdim=True)),
        ),
        "0 / 0 is NaN: a filter of zeros needs care": (
            lambda weights: 0.5 + weights / (2 * weights.abs().amax(dim=(1, 2, 3), keepdim=True))
        ),
    },
)
