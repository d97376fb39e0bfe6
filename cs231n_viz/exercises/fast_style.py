"""Exercises of notebook 12: many styles in one network. Normalise, then scale and shift as the style says."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises import style_mixing
from cs231n_viz.exercises.core import Check, Entry


def instance_norm(x: Tensor, *, eps: float = 1e-5) -> Tensor:
    """What is left of a map when its own brightness and contrast are taken away?

    Args:
        x: (N, C, h, w), float.
        eps: Added to the variance, so that a constant map is not divided by 0.

    Returns:
        (N, C, h, w): each map of each picture minus its mean, divided by √(its variance + eps). The variance is the
        mean of the squared deviations.
    """
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    return centred / (centred.square().mean(dim=(2, 3), keepdim=True) + eps).sqrt()


def conditional_instance_norm(x: Tensor, gamma: Tensor, beta: Tensor, styles: Tensor, *, eps: float = 1e-5) -> Tensor:
    """How does one layer hold several styles?

    Args:
        x: (N, C, h, w), float.
        gamma: (S, C), a scale for each style and channel.
        beta: (S, C), likewise a shift.
        styles: (N,), the style of each picture.
        eps: As for instance norm.

    Returns:
        (N, C, h, w): γ · instance_norm(x) + β, with γ and β of the picture's style.
    """
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    normal = centred / (centred.square().mean(dim=(2, 3), keepdim=True) + eps).sqrt()
    return gamma[styles][:, :, None, None] * normal + beta[styles][:, :, None, None]


def _over(axes: tuple[int, ...]) -> Callable[..., Tensor]:
    """Statistics over other axes."""

    def mistaken(x: Tensor, *, eps: float = 1e-5) -> Tensor:
        variance, mean = torch.var_mean(x, dim=axes, correction=0, keepdim=True)
        return (x - mean) / (variance + eps).sqrt()

    return mistaken


def _divided(divisor: Callable[[Tensor, float], Tensor], *, correction: int = 0) -> Callable[..., Tensor]:
    """Another number below the fraction line."""

    def mistaken(x: Tensor, *, eps: float = 1e-5) -> Tensor:
        variance, mean = torch.var_mean(x, dim=(2, 3), correction=correction, keepdim=True)
        return (x - mean) / divisor(variance, eps)

    return mistaken


def _uncentred(x: Tensor, *, eps: float = 1e-5) -> Tensor:
    return x / (x.var(dim=(2, 3), correction=0, keepdim=True) + eps).sqrt()


def _made_of(combine: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Another combination of the normalised maps, γ and β, the latter as (N, C, 1, 1)."""

    def mistaken(x: Tensor, gamma: Tensor, beta: Tensor, styles: Tensor, *, eps: float = 1e-5) -> Tensor:
        return combine(instance_norm(x, eps=eps), gamma[styles][..., None, None], beta[styles][..., None, None])

    return mistaken


def _without_norm(x: Tensor, gamma: Tensor, beta: Tensor, styles: Tensor, *, eps: float = 1e-5) -> Tensor:
    return gamma[styles][:, :, None, None] * x + beta[styles][:, :, None, None]


def _one_style(x: Tensor, gamma: Tensor, beta: Tensor, styles: Tensor, *, eps: float = 1e-5) -> Tensor:
    return conditional_instance_norm(x, gamma, beta, styles[:1].expand(len(x)), eps=eps)


def _batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, styles: Tensor, *, eps: float = 1e-5) -> Tensor:
    normal = _over((0, 2, 3))(x, eps=eps)
    return gamma[styles][:, :, None, None] * normal + beta[styles][:, :, None, None]


_ONE = torch.tensor([[[[0.0, 0.0, 2.0, 2.0]]]])  # mean 1, variance 1
_TWO = torch.tensor([[[[0.0, 0.0, 2.0, 2.0]], [[1.0, 5.0, 5.0, 1.0]]]])  # variances 1 and 4
_NORMAL = torch.tensor([[[[-1.0, -1.0, 1.0, 1.0]], [[-1.0, 1.0, 1.0, -1.0]]]])
_BATCH = torch.cat([_TWO, 3 * _TWO + 7])

_INSTANCE_NORM = Entry(
    name="instance_norm",
    reference=instance_norm,
    stars=1,
    minutes=8,
    checks=[
        Check("one map: mean 1 and variance 1", {"x": _ONE, "eps": 1e-12}, _NORMAL[:, :1]),
        Check("two channels, each with a mean and a variance of its own", {"x": _TWO, "eps": 1e-12}, _NORMAL),
        Check(
            "two pictures; the second is the first, three times as strong and brighter",
            {"x": _BATCH, "eps": 1e-12},
            torch.cat([_NORMAL, _NORMAL]),
        ),
        Check("eps is added to the variance: 1 + 3 = 2²", {"x": _ONE, "eps": 3.0}, _NORMAL[:, :1] / 2),
        Check("a constant map becomes 0", {"x": torch.full((1, 1, 2, 2), 5.0)}, torch.zeros(1, 1, 2, 2)),
    ],
    mistakes={
        "this is batch norm: the statistics mix the pictures; average over the last two axes only": _over((0, 2, 3)),
        "the statistics mix the channels: each map of each picture has its own": _over((1, 2, 3)),
        "normalised over the channels at each place: over the places of each channel was asked for": _over((1,)),
        "the variance is divided by n - 1: here it is the mean of the squares, correction=0": _divided(
            lambda variance, eps: (variance + eps).sqrt(), correction=1
        ),
        "eps stands outside the root: √(variance + eps)": _divided(lambda variance, eps: variance.sqrt() + eps),
        "divided by the variance, not by its root": _divided(lambda variance, eps: variance + eps),
        "eps is left out: a constant map gives 0 / 0": _divided(lambda variance, eps: variance.sqrt()),
        "the mean is not taken away": _uncentred,
        "the contrast is left: divide by the standard deviation": lambda x, *, eps=1e-5: (
            x - x.mean(dim=(2, 3), keepdim=True)
        ),
    },
)

_GAMMA = torch.tensor([[2.0, 3.0], [0.5, -1.0], [1.0, 4.0]])
_BETA = torch.tensor([[10.0, 20.0], [-1.0, 0.0], [0.25, 2.0]])


def _wanted(*styles: int) -> Tensor:
    rows = torch.tensor(styles)
    return _NORMAL * _GAMMA[rows][:, :, None, None] + _BETA[rows][:, :, None, None]


def _fed(x: Tensor, *styles: int) -> dict[str, object]:
    return {"x": x, "gamma": _GAMMA, "beta": _BETA, "styles": torch.tensor(styles), "eps": 1e-12}


_CONDITIONAL = Entry(
    name="conditional_instance_norm",
    reference=conditional_instance_norm,
    stars=2,
    minutes=10,
    checks=[
        Check("one picture in style 2", _fed(_TWO, 2), _wanted(2)),
        Check("two pictures, each in a style of its own", _fed(_BATCH, 0, 1), _wanted(0, 1)),
        Check("both in the same style: their contrast is gone", _fed(_BATCH, 1, 1), _wanted(1, 1)),
    ],
    mistakes={
        "all pictures get the style of the first: index γ and β with `styles`": _one_style,
        "the maps are not normalised before γ and β": _without_norm,
        "the statistics mix the pictures: this is conditional batch norm": _batch_norm,
        "β is missing: γ · normalised + β": _made_of(lambda normal, gamma, beta: gamma * normal),
        "γ is missing: γ · normalised + β": _made_of(lambda normal, gamma, beta: normal + beta),
        "the shift comes before the scale: γ · normalised + β": _made_of(
            lambda normal, gamma, beta: gamma * (normal + beta)
        ),
        "γ and β are swapped: γ multiplies, β is added": _made_of(lambda normal, gamma, beta: beta * normal + gamma),
        "1 + γ multiplies: here γ itself is the scale": _made_of(
            lambda normal, gamma, beta: (1 + gamma) * normal + beta
        ),
    },
)

ENTRIES = [_INSTANCE_NORM, _CONDITIONAL, *style_mixing.ENTRIES]
