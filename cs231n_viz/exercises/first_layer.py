"""Exercises of notebook 01: what do the first filters look for?"""

import math
from typing import Any

import torch
from torch import Tensor

from cs231n_viz.exercises.compare import number
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
_WEAK = [[0.01, 0.02], [-0.03, 0.0], [0.04, 0.02]]
_NEGATIVE = [[-0.1, -0.2], [-0.8, -0.4], [-0.2, -0.6]]
_ZERO = [[0.0, 0.0]] * 3

_NORMALISE_FILTERS = Entry(
    name="normalise_filters",
    reference=normalise_filters,
    stars=2,
    minutes=10,
    checks=[
        Check(
            "zero is mid-grey, the largest weight is 1, the hue stays",
            {"weights": _filters(_ORANGE)},
            _filters([[1.0, 0.5], [0.75, 0.375], [0.5, 0.5]]),
        ),
        Check(
            "a filter of negative weights lies below mid-grey",
            {"weights": _filters(_NEGATIVE)},
            _filters([[0.4375, 0.375], [0.0, 0.25], [0.375, 0.125]]),
        ),
        Check(
            "a weak filter beside a strong one uses the whole range too",
            {"weights": _filters(_ORANGE, _WEAK)},
            _filters([[1.0, 0.5], [0.75, 0.375], [0.5, 0.5]], [[0.625, 0.75], [0.125, 0.5], [1.0, 0.75]]),
        ),
        Check(
            "a filter of zeros is mid-grey",
            {"weights": _filters(_ORANGE, _ZERO)},
            _filters([[1.0, 0.5], [0.75, 0.375], [0.5, 0.5]], [[0.5, 0.5]] * 3),
        ),
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
        "the largest value is used in place of the largest magnitude: negative weights leave the range": (
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


def dominant_orientation(weights: Tensor) -> float:
    """In which direction does a filter vary?

    Args:
        weights: (h, w), one channel of a filter or their mean.

    Returns:
        Direction of the strongest wave in degrees, in [0, 180): 0 if the pattern varies along a row (vertical
        stripes), 90 if it varies along a column, and counter-clockwise on the screen between.
    """
    waves = weights - weights.mean()  # a constant would be the strongest wave of all
    spectrum = torch.fft.fft2(waves, s=(64, 64)).abs()  # zeros around the filter: finer frequencies
    row, column = divmod(int(spectrum.argmax()), 64)
    frequencies = torch.fft.fftfreq(64)  # cycles per pixel, positive and negative
    down, right = frequencies[row].item(), frequencies[column].item()
    return math.degrees(math.atan2(-down, right)) % 180  # rows count downwards, angles upwards


def _wave(weights: Tensor, *, size: int | None = 64, centre: bool = True, skip: bool = False) -> tuple[float, float]:
    """(down, right) of the strongest wave, with the mistakes that can be made on the way."""
    waves = weights - weights.mean() if centre else weights
    spectrum = torch.fft.fft2(waves, s=(size, size) if size else None).abs()
    if skip:
        spectrum[0, 0] = 0
    row, column = divmod(int(spectrum.argmax()), spectrum.shape[1])
    frequencies = [torch.fft.fftfreq(n) for n in spectrum.shape]
    return frequencies[0][row].item(), frequencies[1][column].item()


def _angle(down: float, right: float) -> float:
    return math.degrees(math.atan2(-down, right)) % 180


def _half_plane(weights: Tensor) -> float:
    down, right = _wave(weights)
    return math.degrees(math.atan(-down / right)) if right else 90.0


def _same_orientation(got: Any, expected: float) -> bool:
    angle = number(got)
    if angle is None:
        return False
    if not 0 <= expected < 180:  # only a mistaken answer: compare as it is
        return abs(angle - expected) <= 5
    return -1e-6 <= angle < 180 + 1e-6 and abs((angle - expected + 90) % 180 - 90) <= 5


def grating(angle: float, *, size: int = 11, frequency: float = 0.25, phase: float = 1.0) -> Tensor:
    """Stripes whose waves run in a known direction.

    Args:
        angle: Degrees, counter-clockwise on the screen; 0 gives vertical stripes.
        size: Side of the square.
        frequency: Cycles per pixel.
        phase: Of the wave in the middle, in radians.

    Returns:
        (size, size), in [-1, 1].
    """
    across = torch.arange(size) - size // 2
    right, up = across[None, :], -across[:, None]
    turned = right * math.cos(math.radians(angle)) + up * math.sin(math.radians(angle))
    return torch.cos(2 * math.pi * frequency * turned + phase)


def _stripes(title: str, angle: float, *, gain: float = 1.0, offset: float = 0.0, frequency: float = 0.25) -> Check:
    return Check(title, {"weights": gain * grating(angle, frequency=frequency) + offset}, float(angle))


_DOMINANT_ORIENTATION = Entry(
    name="dominant_orientation",
    reference=dominant_orientation,
    stars=3,
    minutes=20,
    checks=[
        _stripes("vertical stripes vary along a row: 0°", 0),
        _stripes("horizontal stripes vary along a column: 90°", 90),
        _stripes("waves that run up to the right, at 20°", 20),
        _stripes("waves that run up to the left, at 110°", 110),
        _stripes("within 5° where the frequencies of an 11×11 filter are too coarse", 155, frequency=0.15),
        _stripes("the contrast does not matter", 65, gain=0.01),
        _stripes("a constant does not matter", 20, offset=5),
        _stripes("nor a large negative one", 65, offset=-50),
    ],
    mistakes={
        "the constant is the strongest wave: subtract the mean of the filter first": (
            lambda weights: _angle(*_wave(weights, centre=False))
        ),
        "only the frequency 0 is skipped, but padding spreads the constant over its neighbours: subtract the mean": (
            lambda weights: _angle(*_wave(weights, centre=False, skip=True))
        ),
        "x and y are swapped: it is atan2(y, x), and rows are y": (
            lambda weights: (90 - _angle(*_wave(weights))) % 180
        ),
        "this is the direction of the stripes: the waves run across them, 90° further": (
            lambda weights: (90 + _angle(*_wave(weights))) % 180
        ),
        "the angle is mirrored: rows count downwards, so y is minus the row frequency": (
            lambda weights: -_angle(*_wave(weights)) % 180
        ),
        "the angle is in radians: degrees were asked for": lambda weights: math.radians(_angle(*_wave(weights))),
        "a wave has no front and back: fold the angle into [0, 180) with % 180": (
            lambda weights: _angle(*_wave(weights)) - 180,
            lambda weights: _angle(*_wave(weights)) + 180,
            _half_plane,
        ),
        "11 frequencies are too coarse for 5°: pad the filter with zeros, fft2(..., s=(64, 64))": (
            lambda weights: _angle(*_wave(weights, size=None))
        ),
    },
    same=_same_orientation,
)

ENTRIES = [_NORMALISE_FILTERS, _DOMINANT_ORIENTATION]
