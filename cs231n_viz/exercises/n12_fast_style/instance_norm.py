"""Instance normalisation."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


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
        Check("a constant map becomes 0", {"x": torch.full((1, 1, 2, 2), 5.0)}, torch.zeros(1, 1, 2, 2)),
    ],
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
        "divided by the variance, not by its root": _normalised(deviation=lambda variance, eps: variance + eps),
        "eps is left out: a constant map gives 0 / 0": _normalised(deviation=lambda variance, eps: variance.sqrt()),
        "the mean is not taken away": _normalised(centred=False),
        "the contrast is left: divide by the standard deviation": _normalised(deviation=lambda variance, eps: 1.0),
    },
)
