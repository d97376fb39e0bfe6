"""Instance normalisation."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of, gradient_of, noise


def instance_norm(x: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Normalise each map of each image to mean 0 and variance 1: its own brightness and contrast are taken away.

    Args:
        x: (N, C, h, w), float.
        eps: Added to the variance, so that a constant map is not divided by 0.

    Returns:
        (N, C, h, w): each map of each image minus its mean, divided by √(its variance + eps). The variance is the
        mean of the squared deviations.
    """
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    return centred / (centred.square().mean(dim=(2, 3), keepdim=True) + eps).sqrt()


def _normalised(
    *dims: int,
    deviation: Callable[[Tensor, float], Tensor | float] = lambda variance, eps: (variance + eps).sqrt(),
    correction: int = 0,
    centred: bool = True,
) -> Callable[[Tensor, float], Tensor]:
    """Statistics over other axes, or another divisor."""

    def normalised(x: Tensor, eps: float) -> Tensor:
        variance, mean = torch.var_mean(x, dim=dims or (2, 3), correction=correction, keepdim=True)
        return (x - mean * centred) / deviation(variance, eps)

    return normalised


# mean 1 and variance 1; mean 3 and variance 4
TWO_CHANNELS = torch.tensor([[[[0.0, 0.0, 2.0, 2.0]], [[1.0, 5.0, 5.0, 1.0]]]])
NORMALISED = torch.tensor([[[[-1.0, -1.0, 1.0, 1.0]], [[-1.0, 1.0, 1.0, -1.0]]]])
TWO_IMAGES = torch.cat([TWO_CHANNELS, 3 * TWO_CHANNELS + 7])


def by_numbers(x: Tensor, eps: float) -> Tensor:
    """Map by map, in Python's floats."""
    maps = []
    for values in x.flatten(2).flatten(0, 1).tolist():
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        maps.append([(value - mean) / math.sqrt(variance + eps) for value in values])
    return torch.tensor(maps).view_as(x)


def weighted_slope(x: Tensor, weights: Tensor, eps: float) -> Tensor:
    """The gradient of Σ w y, y the normalised maps: (w − mean w − y · mean(w y)) / √(variance + eps), map by map."""
    normal = by_numbers(x, eps)
    own, projected = weights.mean((2, 3), keepdim=True), (weights * normal).mean((2, 3), keepdim=True)
    return (weights - own - normal * projected) / (x.var((2, 3), correction=0, keepdim=True) + eps).sqrt()


def weighted_gradient(argument: str) -> Callable[..., Tensor]:
    """For ``Check(ask=...)``: the gradient of the answer's weighted sum; the plain sum of such maps does not change."""

    def ask(function: Callable[..., Tensor], weights: Tensor, **fed: object) -> Tensor:
        return gradient_of(argument)(lambda **given: weights * function(**given), **fed)

    return ask


# Three images, two channels, 4×5 positions, each map with its own brightness and contrast.
MAPS = noise(3, 2, 4, 5) * torch.tensor([0.5, 2.0])[:, None, None] + torch.arange(6.0).view(3, 2, 1, 1) / 2
MAP_WEIGHTS = noise(3, 2, 4, 5, seed=1)

ENTRY = Entry(
    name="instance_norm",
    reference=instance_norm,
    stars=1,
    minutes=8,
    checks=[
        Check("one map: mean 1 and variance 1", {"x": TWO_CHANNELS[:, :1], "eps": 1e-12}, NORMALISED[:, :1]),
        Check(
            "two channels, each with a mean and a variance of its own", {"x": TWO_CHANNELS, "eps": 1e-12}, NORMALISED
        ),
        Check(
            "two images; the second is the first, three times as strong and brighter",
            {"x": TWO_IMAGES, "eps": 1e-12},
            torch.cat([NORMALISED, NORMALISED]),
        ),
        Check(
            "eps is added to the variance: 1 + 3 = 2²", {"x": TWO_CHANNELS[:, :1], "eps": 3.0}, NORMALISED[:, :1] / 2
        ),
        Check("a constant map becomes 0", {"x": torch.full((1, 1, 2, 3), 5.0), "eps": 0.25}, torch.zeros(1, 1, 2, 3)),
        Check("three images of two channels, maps of 4×5", {"x": MAPS, "eps": 0.1}, by_numbers(MAPS, 0.1)),
        Check("very little contrast, and the eps of the default", {"x": MAPS / 100}, by_numbers(MAPS / 100, 1e-5)),
        Check(
            "its gradient, of a weighted sum",
            {"x": MAPS, "eps": 0.1, "weights": MAP_WEIGHTS},
            weighted_slope(MAPS, MAP_WEIGHTS, 0.1),
            weighted_gradient("x"),
        ),
        Check("float32, as the maps are", {"x": MAPS}, "float32", dtype_of),
    ],
    hints=(
        "How many means does a batch (N, C, h, w) have, if every map of every image has its own? What shape must they "
        "keep, to be subtracted from it?",
        "Mean over the axes (2, 3) with `keepdim=True`; subtract it. The variance is the mean of the squares of that. "
        "Divide by the root of the variance plus eps.",
    ),
    mistakes={
        "this is batch norm: the statistics mix the images; average over the last two axes only": _normalised(0, 2, 3),
        "the statistics mix the channels: each map of each image has its own": _normalised(1, 2, 3),
        "normalised over the channels at each position: over the positions of each channel was asked for": (
            _normalised(1)
        ),
        "the variance is divided by n - 1: here it is the mean of the squares, correction=0": _normalised(correction=1),
        "eps stands outside the root: √(variance + eps)": (
            _normalised(deviation=lambda variance, eps: variance.sqrt() + eps)
        ),
        "statistics of rows or of columns alone: a map has one mean, over both axes": (_normalised(3), _normalised(2)),
        "scaled to the range from 0 to 1: mean and variance were asked for": (
            lambda x, eps: (x - x.amin((2, 3), True)) / (x.amax((2, 3), True) - x.amin((2, 3), True) + eps)
        ),
        "one mean and one variance for everything: each map of each image has its own": _normalised(0, 1, 2, 3),
        "divided by the mean magnitude, not by the standard deviation": lambda x, eps: (
            (x - x.mean((2, 3), True)) / ((x - x.mean((2, 3), True)).abs().mean((2, 3), True) + eps)
        ),
        "the sign is flipped: the map minus its mean": lambda x, eps: -_normalised()(x, eps),
        "divided by the root of the sum of the squares, not of their mean": lambda x, eps: (
            (x - x.mean((2, 3), True)) / ((x - x.mean((2, 3), True)).square().sum((2, 3), True) + eps).sqrt()
        ),
        "the variance is the mean of x², the mean is still in it": lambda x, eps: (
            (x - x.mean((2, 3), True)) / (x.square().mean((2, 3), True) + eps).sqrt()
        ),
        "eps is added twice, or squared: once, to the variance": (
            lambda x, eps: _normalised()(x, 2 * eps),
            lambda x, eps: _normalised()(x, eps**2),
            lambda x, eps: (
                (x - x.mean((2, 3), True)) / ((x.var((2, 3), correction=0, keepdim=True) + eps).sqrt() + eps)
            ),
        ),
        "mean and variance are detached: they depend on x, and the gradient goes through them too": (
            lambda x, eps: (
                (x - x.mean((2, 3), True).detach()) / (x.var((2, 3), correction=0, keepdim=True) + eps).sqrt().detach()
            )
        ),
        "eps is a fixed number: use the argument": (
            lambda x, eps: _normalised()(x, 1e-5),
            lambda x, eps: _normalised()(x, 1e-8),
        ),
        "divided by the variance, not by its root": _normalised(deviation=lambda variance, eps: variance + eps),
        "eps is left out: a constant map gives 0 / 0": _normalised(deviation=lambda variance, eps: variance.sqrt()),
        "the mean is not taken away": _normalised(centred=False),
        "the contrast is left: divide by the standard deviation": _normalised(deviation=lambda variance, eps: 1.0),
        "only the mean is divided: put the difference in brackets": lambda x, eps: (
            x - x.mean((2, 3), True) / (x.var((2, 3), correction=0, keepdim=True) + eps).sqrt()
        ),
        "eps is the least deviation, or the least variance: it is added to the variance": (
            _normalised(deviation=lambda variance, eps: variance.sqrt().clamp(min=eps)),
            _normalised(deviation=lambda variance, eps: variance.clamp(min=eps).sqrt()),
        ),
        "the mean is that of all channels: each map has its own": lambda x, eps: (
            (x - x.mean((1, 2, 3), True)) / (x.var((2, 3), correction=0, keepdim=True) + eps).sqrt()
        ),
        "the variance is that of all channels: each map has its own": lambda x, eps: (
            (x - x.mean((2, 3), True)) / (x.var((1, 2, 3), correction=0, keepdim=True) + eps).sqrt()
        ),
        "multiplied by the deviation: divide": _normalised(deviation=lambda variance, eps: (variance + eps).rsqrt()),
        "clipped to [-1, 1]: normalised values may be larger": lambda x, eps: _normalised()(x, eps).clamp(-1, 1),
    },
)
