"""Conditional instance normalisation: many styles in one layer."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.n12_fast_style.instance_norm import NORMALISED, TWO_CHANNELS, TWO_IMAGES, instance_norm


def conditional_instance_norm(x: Tensor, gamma: Tensor, beta: Tensor, styles: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Normalise each map, then scale and shift it as the image's style says (conditional instance norm).

    Args:
        x: (N, C, h, w), float.
        gamma: (S, C), a scale for each style and channel.
        beta: (S, C), likewise a shift.
        styles: (N,), the style of each image.
        eps: As for instance norm.

    Returns:
        (N, C, h, w): γ · instance_norm(x) + β, with γ and β of the image's style.
    """
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    normal = centred / (centred.square().mean(dim=(2, 3), keepdim=True) + eps).sqrt()
    return gamma[styles][:, :, None, None] * normal + beta[styles][:, :, None, None]


def _made_of(
    combine: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda normal, gamma, beta: gamma * normal + beta,
    normalise: Callable[[Tensor, float], Tensor] = lambda x, eps: instance_norm(x, eps=eps),
) -> Callable[..., Tensor]:
    """Another combination of the normalised maps, γ and β, the latter as (N, C, 1, 1), or another normalisation."""
    return lambda x, gamma, beta, styles, eps: combine(
        normalise(x, eps), gamma[styles][..., None, None], beta[styles][..., None, None]
    )


def _batch_norm(x: Tensor, eps: float) -> Tensor:
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + eps).sqrt()


_GAMMA = torch.tensor([[2.0, 3.0], [0.5, -1.0], [1.0, 4.0]])
_BETA = torch.tensor([[10.0, 20.0], [-1.0, 0.0], [0.25, 2.0]])


def _styled(title: str, x: Tensor, *styles: int) -> Check:
    rows = torch.tensor(styles)
    expected = NORMALISED * _GAMMA[rows][:, :, None, None] + _BETA[rows][:, :, None, None]
    return Check(title, {"x": x, "gamma": _GAMMA, "beta": _BETA, "styles": rows, "eps": 1e-12}, expected)


ENTRY = Entry(
    name="conditional_instance_norm",
    reference=conditional_instance_norm,
    stars=2,
    minutes=10,
    checks=[
        _styled("one image in style 2", TWO_CHANNELS, 2),
        _styled("two images, each in a style of its own", TWO_IMAGES, 0, 1),
        _styled("both in the same style: their contrast is gone", TWO_IMAGES, 1, 1),
    ],
    mistakes={
        "all images get the style of the first: index γ and β with `styles`": (
            lambda x, gamma, beta, styles, eps: conditional_instance_norm(
                x, gamma, beta, styles[:1].expand(len(x)), eps=eps
            )
        ),
        "the maps are not normalised before γ and β": _made_of(normalise=lambda x, eps: x),
        "the statistics mix the images: this is conditional batch norm": _made_of(normalise=_batch_norm),
        "β is missing: γ · normalised + β": _made_of(lambda normal, gamma, beta: gamma * normal),
        "γ is missing: γ · normalised + β": _made_of(lambda normal, gamma, beta: normal + beta),
        "the shift comes before the scale: γ · normalised + β": (
            _made_of(lambda normal, gamma, beta: gamma * (normal + beta))
        ),
        "γ and β are swapped: γ multiplies, β is added": _made_of(lambda normal, gamma, beta: beta * normal + gamma),
        "1 + γ multiplies: here γ itself is the scale": (
            _made_of(lambda normal, gamma, beta: (1 + gamma) * normal + beta)
        ),
    },
)
