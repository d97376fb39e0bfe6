"""The orientation of a filter, by its Fourier spectrum."""

import math
from typing import Any

import torch
from torch import Tensor

from cs231n_viz.exercises.compare import number
from cs231n_viz.exercises.core import Check, Entry


def dominant_orientation(weights: Tensor) -> float:
    """Find the direction in which a filter varies, by its Fourier spectrum.

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


def _angle(weights: Tensor, **options: Any) -> float:
    down, right = _wave(weights, **options)
    return math.degrees(math.atan2(-down, right)) % 180


def _half_plane(weights: Tensor) -> float:
    down, right = _wave(weights)
    return math.degrees(math.atan(-down / right)) if right else 90.0


def _same_orientation(got: Any, expected: float) -> bool:
    """Within 5°, modulo 180°."""
    angle = number(got)
    if angle is None:
        return False
    if not 0 <= expected < 180:  # only a mistaken answer: compare as it is
        return abs(angle - expected) <= 5
    return -1e-6 <= angle < 180 + 1e-6 and abs((angle - expected + 90) % 180 - 90) <= 5


def grating(angle: float, *, size: int = 11, frequency: float = 0.25, phase: float = 1.0) -> Tensor:
    """Draw stripes that vary in a known direction.

    Args:
        angle: Degrees, counter-clockwise on the screen; 0 gives vertical stripes.
        size: Side of the square.
        frequency: Cycles per pixel.
        phase: Of the wave at the centre, in radians.

    Returns:
        (size, size), in [-1, 1].
    """
    across = torch.arange(size) - size // 2
    right, up = across[None, :], -across[:, None]
    turned = right * math.cos(math.radians(angle)) + up * math.sin(math.radians(angle))
    return torch.cos(2 * math.pi * frequency * turned + phase)


def _stripes(title: str, angle: float, *, gain: float = 1.0, offset: float = 0.0, frequency: float = 0.25) -> Check:
    return Check(title, {"weights": gain * grating(angle, frequency=frequency) + offset}, float(angle))


ENTRY = Entry(
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
            lambda weights: _angle(weights, centre=False)
        ),
        "only the frequency 0 is skipped, but padding spreads the constant over its neighbours: subtract the mean": (
            lambda weights: _angle(weights, centre=False, skip=True)
        ),
        "x and y are swapped: it is atan2(y, x), and rows are y": lambda weights: (90 - _angle(weights)) % 180,
        "this is the direction of the stripes: the waves run across them, 90° further": (
            lambda weights: (90 + _angle(weights)) % 180
        ),
        "the angle is mirrored: rows count downwards, so y is minus the row frequency": (
            lambda weights: -_angle(weights) % 180
        ),
        "the angle is in radians: degrees were asked for": lambda weights: math.radians(_angle(weights)),
        "a wave has no front and back: reduce the angle to [0, 180) with % 180": (
            lambda weights: _angle(weights) - 180,
            lambda weights: _angle(weights) + 180,
            _half_plane,
        ),
        "11 frequencies are too coarse for 5°: pad the filter with zeros, fft2(..., s=(64, 64))": (
            lambda weights: _angle(weights, size=None)
        ),
    },
    same=_same_orientation,
)
