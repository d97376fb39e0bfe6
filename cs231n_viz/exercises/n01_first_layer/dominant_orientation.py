"""The orientation of a filter, by its Fourier spectrum."""

import math
from collections.abc import Callable
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


def _from_spectrum(
    weights: Tensor,
    *,
    strength: Callable[[Tensor], Tensor] = torch.abs,
    frequencies: Tensor | None = None,
    shifted: bool = False,
    angle: Callable[[float, float], float] = lambda down, right: math.degrees(math.atan2(-down, right)) % 180,
) -> float:
    """The reference, with the mistakes that can be made about the spectrum."""
    spectrum = torch.fft.fft2(weights - weights.mean(), s=(64, 64))
    spectrum = strength(torch.fft.fftshift(spectrum) if shifted else spectrum)
    row, column = divmod(int(spectrum.argmax()), 64)
    frequencies = torch.fft.fftfreq(64) if frequencies is None else frequencies
    return angle(frequencies[row].item(), frequencies[column].item())


def _wave(
    weights: Tensor,
    *,
    size: int | None = 64,
    centre: bool = True,
    skip: bool = False,
    quarter: bool = False,
    split: int | None = None,
) -> tuple[float, float]:
    """(down, right) of the strongest wave, with the mistakes that can be made on the way."""
    waves = weights - weights.mean() if centre else weights
    spectrum = torch.fft.fft2(waves, s=(size, size) if size else None).abs()
    if skip:
        spectrum[0, 0] = 0
    if quarter:
        spectrum[len(spectrum) // 2 :], spectrum[:, len(spectrum) // 2 :] = 0, 0
    row, column = divmod(int(spectrum.argmax()), split or spectrum.shape[1])
    frequencies = [torch.fft.fftfreq(n) for n in spectrum.shape]
    return frequencies[0][row % len(spectrum)].item(), frequencies[1][column].item()


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


def grating(angle: float, *, size: int | tuple[int, int] = 11, frequency: float = 0.25, phase: float = 1.0) -> Tensor:
    """Draw stripes that vary in a known direction.

    Args:
        angle: Degrees, counter-clockwise on the screen; 0 gives vertical stripes.
        size: Side of the square, or (rows, columns).
        frequency: Cycles per pixel.
        phase: Of the wave at the centre, in radians.

    Returns:
        (rows, columns), in [-1, 1].
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    right, up = (torch.arange(columns) - columns // 2)[None, :], (rows // 2 - torch.arange(rows))[:, None]
    turned = right * math.cos(math.radians(angle)) + up * math.sin(math.radians(angle))
    return torch.cos(2 * math.pi * frequency * turned + phase)


def _bars(length: int) -> Tensor:
    """1, 1, 1, -1, -1, -1, … whose mean is 0."""
    return 1.0 - 2 * (torch.arange(length) // 3 % 2)


def _stripes(title: str, angle: float, *, gain: float = 1.0, offset: float = 0.0, frequency: float = 0.25) -> Check:
    return Check(title, {"weights": gain * grating(angle, frequency=frequency) + offset}, float(angle))


ENTRY = Entry(
    name="dominant_orientation",
    reference=dominant_orientation,
    stars=3,
    minutes=20,
    hints=(
        "Which wave, added to itself at every pixel, makes up most of the filter? `torch.fft.fft2` weighs all of them; "
        "the constant is one, too.",
        "Subtract the mean, transform with zeros around the filter, `fft2(..., s=(64, 64))`, find the largest `abs()`, "
        "look up its row and column in `fftfreq(64)`, and take atan2(-down, right) in degrees, % 180.",
    ),
    checks=[
        _stripes("vertical stripes vary along a row: 0°", 0),
        _stripes("horizontal stripes vary along a column: 90°", 90),
        _stripes("waves that run up to the right, at 20°", 20),
        _stripes("waves that run up to the left, at 110°", 110),
        _stripes("within 5° where the frequencies of an 11×11 filter are too coarse", 155, frequency=0.15),
        Check("black and white rows, over weaker columns: 90°", {"weights": _bars(12)[:, None] + _bars(8) / 4}, 90.0),
        Check("black and white columns, over weaker rows: 0°", {"weights": _bars(12) + _bars(8)[:, None] / 4}, 0.0),
        Check("a filter of 9 rows and 13 columns, at 60°", {"weights": grating(60, size=(9, 13))}, 60.0),
        _stripes("the contrast does not matter", 65, gain=0.01),
        _stripes("a constant does not matter", 20, offset=5),
        _stripes("nor a large negative one", 65, offset=-50),
    ],
    mistakes={
        "the constant is the strongest wave: subtract the mean of the filter first": (
            lambda weights: _angle(weights, centre=False)
        ),
        "only the frequency 0 is taken out, but padding spreads the constant: subtract the filter's mean, then pad": (
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
        "the signs of the frequencies are lost: 70° and 110° look alike": (
            lambda weights: _from_spectrum(
                weights, angle=lambda down, right: math.degrees(math.atan2(abs(down), abs(right)))
            ),
            lambda weights: math.degrees(
                math.atan2(weights.diff(dim=0).abs().mean(), weights.diff(dim=1).abs().mean())
            ),
        ),
        "only along a row or along a column: the directions between count too": (
            lambda weights: 90.0 * (weights.diff(dim=0).abs().mean() > weights.diff(dim=1).abs().mean()).item(),
            lambda weights: 90.0 * (45 <= _angle(weights) < 135),
        ),
        "rounded to a few directions: the angle itself was asked for": (
            lambda weights: 45.0 * (round(_angle(weights) / 45) % 4),
            lambda weights: 30.0 * (round(_angle(weights) / 30) % 6),
            lambda weights: 22.5 * (round(_angle(weights) / 22.5) % 8),
        ),
        "a quarter of the spectrum has the waves of one diagonal only: search half of it, or all": (
            lambda weights: _angle(weights, quarter=True)
        ),
        "the place is split by the sides of the filter: the spectrum has 64 columns, divmod(place, 64)": (
            lambda weights: _angle(weights, split=weights.shape[0]),
            lambda weights: _angle(weights, split=weights.shape[1]),
        ),
        "the place in the spectrum is taken for the frequency: from the middle on, fftfreq is negative": (
            lambda weights: _from_spectrum(weights, frequencies=torch.arange(64.0)),
        ),
        "fftshift moves frequency 0 to the middle: shift the frequencies as well, or neither": (
            lambda weights: _from_spectrum(weights, shifted=True),
            lambda weights: _from_spectrum(weights, frequencies=torch.fft.fftshift(torch.fft.fftfreq(64))),
        ),
        "only the real part is compared, and it depends on where the stripes begin: take abs()": (
            lambda weights: _from_spectrum(weights, strength=lambda spectrum: spectrum.real),
        ),
        "folded at 90°: only whole half turns are the same direction, % 180": lambda weights: _angle(weights) % 90,
        "each row's or column's own mean is subtracted, and with it the stripes along it: take the mean of all": (
            lambda weights: _angle(weights - weights.mean(dim=1, keepdim=True), centre=False),
            lambda weights: _angle(weights - weights.mean(dim=0, keepdim=True), centre=False),
        ),
        "11 frequencies are too coarse for 5°: pad the filter with zeros, fft2(..., s=(64, 64))": (
            lambda weights: _angle(weights, size=None),
            lambda weights: _angle(weights, size=16),
            lambda weights: _angle(weights, size=13),
        ),
    },
    same=_same_orientation,
)
