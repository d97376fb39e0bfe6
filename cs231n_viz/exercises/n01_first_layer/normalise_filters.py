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


def _by_percentile(weights: Tensor, share: float) -> Tensor:
    largest = weights.abs().flatten(1).quantile(share, dim=1).clamp_min(1e-30)
    return 0.5 + weights / (2 * largest[:, None, None, None])


def _by_deviation(weights: Tensor, *dims: int) -> Tensor:
    return (weights - weights.mean(dim=dims, keepdim=True)) / weights.std(dim=dims, keepdim=True)


def _filters(*filters: list[list[float]]) -> Tensor:
    """(K, 3, 1, n): for each filter, the red, green and blue values of one row."""
    return torch.tensor(filters)[:, :, None, :]


_ORANGE = [[0.4, 0.0], [0.2, -0.1], [0.0, 0.0]]
_ORANGE_SHOWN = [[1.0, 0.5], [0.75, 0.375], [0.5, 0.5]]
_WEAK = [[0.01, 0.02], [-0.03, 0.0], [0.04, 0.02]]
_WEAK_SHOWN = [[0.625, 0.75], [0.125, 0.5], [1.0, 0.75]]
_FAINT = [[weight / 2**14 for weight in row] for row in _WEAK]
_FAINTEST = torch.tensor([[0.4, 0.0], [0.2, -0.2], [0.0, 0.0]])[None, :, None, :] / 2**30
_NEGATIVE = [[-0.1, -0.2], [-0.8, -0.4], [-0.2, -0.6]]
_NEGATIVE_SHOWN = [[0.4375, 0.375], [0.0, 0.25], [0.375, 0.125]]


def _halved(weights: Tensor, *, by: float = 1.0, plus: float = 0.0, at_least: float = 0.0) -> Tensor:
    """The reference, with the mistakes of the denominator."""
    largest = (weights.abs().amax(dim=(1, 2, 3), keepdim=True) + plus).clamp_min(max(at_least, 1e-30))
    return 0.5 + by * weights / (2 * largest)


# Two filters of two rows and three columns, and what they look like.
_ROWS = torch.tensor(
    [
        [[[0.1, 0.2, 0.3], [-0.4, 0.0, 0.1]], [[0.8, -0.2, 0.0], [0.4, 0.2, -0.6]], [[0.0, 0.1, 0.2], [0.6, 0.0, 0.4]]],
        [[[0.0, 0.5, 0.0], [1.0, -1.5, 0.5]], [[0.5, 1.0, 1.5], [0.0, 2.0, -1.0]], [[1.0, 0.0, 0.5], [0.5, 1.0, 0.0]]],
    ]
)
_ROWS_SHOWN = 0.5 + _ROWS / torch.tensor([1.6, 4.0]).view(2, 1, 1, 1)


def _shown(title: str, *filters: tuple[list, list]) -> Check:
    weights, expected = (_filters(*side) for side in zip(*filters, strict=True))
    return Check(title, {"weights": weights}, expected)


ENTRY = Entry(
    name="normalise_filters",
    reference=normalise_filters,
    stars=2,
    minutes=10,
    hints=(
        "Each filter needs one number: its largest magnitude over channels, rows and columns. Which fraction of it "
        "takes [-1, 1] to [0, 1]?",
        "`abs().amax(dim=(1, 2, 3), keepdim=True)` has the shape (K, 1, 1, 1). Put 1 where it is zero, divide the "
        "weights by twice this, and add 0.5.",
    ),
    checks=[
        _shown("zero is mid-grey, the largest weight is 1, the hue stays", (_ORANGE, _ORANGE_SHOWN)),
        Check("filters of two rows and three columns", {"weights": _ROWS}, _ROWS_SHOWN),
        _shown("a filter of negative weights lies below mid-grey", (_NEGATIVE, _NEGATIVE_SHOWN)),
        _shown(
            "weak and faint filters beside a strong one use the whole range too",
            (_ORANGE, _ORANGE_SHOWN),
            (_WEAK, _WEAK_SHOWN),
            (_FAINT, _WEAK_SHOWN),
        ),
        Check(
            "a filter of weights around 1e-10 does, too (to a hundredth)",
            {"weights": _FAINTEST},
            torch.tensor([[1.0, 0.5], [0.75, 0.25], [0.5, 0.5]])[None, :, None, :],
            lambda function, weights: (100 * function(weights)).round() / 100,
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
            lambda weights: 0.5 + weights / (2 * weights.amax(dim=(1, 2, 3), keepdim=True)),
            lambda weights: (0.5 + weights / (2 * weights.amax(dim=(1, 2, 3), keepdim=True))).clamp(0, 1),
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
        "½ is missing: w / m lies in [-1, 1], and half of it fits beside 0.5": (
            lambda weights: _halved(weights, by=2),
            lambda weights: _halved(weights, by=2).clamp(0, 1),
        ),
        "0.5 is missing: zero has to become mid-grey": (
            lambda weights: _halved(weights) - 0.5,
            lambda weights: (_halved(weights) - 0.5).clamp(0, 1),
        ),
        "a small number is added to the denominator, which makes weak filters paler: treat only a zero apart": (
            lambda weights: _halved(weights, plus=1e-2),
            lambda weights: _halved(weights, plus=1e-3),
            lambda weights: _halved(weights, plus=1e-4),
            lambda weights: _halved(weights, plus=1e-5),
            lambda weights: _halved(weights, plus=1e-6),
            lambda weights: _halved(weights, plus=5e-4),
            lambda weights: _halved(weights, plus=1e-8),
            lambda weights: _halved(weights, plus=1e-10),
            lambda weights: _halved(weights, at_least=1e-6),
            lambda weights: _halved(weights, at_least=1e-8),
            lambda weights: _halved(weights, at_least=1e-1),
            lambda weights: _halved(weights, at_least=1e-2),
            lambda weights: _halved(weights, at_least=1e-3),
            lambda weights: _halved(weights, at_least=1e-4),
            lambda weights: _halved(weights, at_least=1e-5),
            lambda weights: _halved(weights, at_least=1.0),
        ),
        "only one or two of a filter's three axes are looked at: its maximum runs over channels, rows and columns": (
            lambda weights: _by_magnitude(weights, 1),
            lambda weights: _by_magnitude(weights, 3),
            lambda weights: _by_magnitude(weights, 2),
            lambda weights: _by_magnitude(weights, 1, 2),
            lambda weights: _by_magnitude(weights, 1, 3),
        ),
        "the filters are mixed: the maximum also runs over axis 0": (
            lambda weights: _by_magnitude(weights, 0, 2, 3),
            lambda weights: _by_magnitude(weights, 0),
            lambda weights: _by_magnitude(weights, 0, 1),
        ),
        "scaled by the L2 norm: then nothing reaches 0 or 1, take the largest magnitude": (
            lambda weights: 0.5 + weights / (2 * weights.square().sum((1, 2, 3), True).sqrt().clamp_min(1e-12)),
            lambda weights: 0.5 + weights / (2 * weights.square().sum((1, 2, 3), True).sqrt()),
            lambda weights: 0.5 + weights / weights.square().sum((1, 2, 3), True).sqrt().clamp_min(1e-12),
        ),
        "scaled by a percentile: the largest magnitude itself becomes 0 or 1": (
            lambda weights: _by_percentile(weights, 0.98),
            lambda weights: _by_percentile(weights, 0.98).clamp(0, 1),
            lambda weights: _by_percentile(weights, 0.99),
            lambda weights: _by_percentile(weights, 0.99).clamp(0, 1),
        ),
        "each filter's mean is subtracted first: then zero is no longer mid-grey": (
            lambda weights: _halved(weights - weights.mean((1, 2, 3), keepdim=True))
        ),
        "scaled by the mean or median magnitude: larger weights leave [0, 1], take the largest": (
            lambda weights: 0.5 + weights / (2 * weights.abs().mean((1, 2, 3), True).clamp_min(1e-12)),
            lambda weights: (0.5 + weights / (2 * weights.abs().mean((1, 2, 3), True).clamp_min(1e-12))).clamp(0, 1),
        ),
        "scaled by maximum minus minimum: zero stays grey, but the largest magnitude no longer reaches 0 or 1": (
            lambda weights: (
                0.5 + weights / (weights.amax((1, 2, 3), True) - weights.amin((1, 2, 3), True)).clamp_min(1e-12)
            )
        ),
        "the colours are negative: positive weights are lighter than mid-grey": lambda weights: 1 - _halved(weights),
        "the channels are averaged: each keeps its own weights": (
            lambda weights: _halved(weights.mean(1, keepdim=True)).expand_as(weights),
        ),
        "red and blue are swapped: the channels stay in their order": lambda weights: _halved(weights).flip(1),
        "the first filter's scale is used for all: each has its own": (
            lambda weights: 0.5 + weights / (2 * weights[:1].abs().max())
        ),
        "the sign is lost: negative weights are darker than mid-grey": (
            lambda weights: (2 * _by_magnitude(weights, 1, 2, 3) - 1).abs(),
            lambda weights: _by_magnitude(weights.abs(), 1, 2, 3),
        ),
        "a curve is no scale: sigmoid and tanh change the ratios of the weights": (
            torch.sigmoid,
            lambda weights: 0.5 + torch.tanh(weights) / 2,
            lambda weights: torch.sigmoid(2 * _by_magnitude(weights, 1, 2, 3) - 1),
        ),
        "the range is 0 to 255: colours in [0, 1] were asked for": (
            lambda weights: 255 * _by_magnitude(weights, 1, 2, 3),
            lambda weights: (255 * _by_magnitude(weights, 1, 2, 3)).trunc(),
            lambda weights: (255 * _by_magnitude(weights, 1, 2, 3)).round(),
        ),
        "a filter of zeros is black: it has to be mid-grey": (
            lambda weights: torch.where(
                weights.abs().amax(dim=(1, 2, 3), keepdim=True) > 0, _by_magnitude(weights, 1, 2, 3), 0.0
            ),
        ),
        "rounded to steps: colours in [0, 1] need no rounding": (
            lambda weights: (255 * _by_magnitude(weights, 1, 2, 3)).round() / 255,
            lambda weights: (255 * _by_magnitude(weights, 1, 2, 3)).trunc() / 255,
        ),
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
