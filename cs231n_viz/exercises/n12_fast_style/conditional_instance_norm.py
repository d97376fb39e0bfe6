"""Conditional instance normalisation: many styles in one layer."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of, noise
from cs231n_viz.exercises.n12_fast_style.instance_norm import (
    MAP_WEIGHTS,
    MAPS,
    NORMALISED,
    TWO_CHANNELS,
    TWO_IMAGES,
    by_numbers,
    instance_norm,
    weighted_gradient,
    weighted_slope,
)


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


def _by_axes(*dims: int, correction: int = 0) -> Callable[[Tensor, float], Tensor]:
    def normalise(x: Tensor, eps: float) -> Tensor:
        variance, mean = torch.var_mean(x, dim=dims, correction=correction, keepdim=True)
        return (x - mean) / (variance + eps).sqrt()

    return normalise


def _batch_norm(x: Tensor, eps: float) -> Tensor:
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + eps).sqrt()


_GAMMA = torch.tensor([[2.0, 3.0], [0.5, -1.0], [1.0, 4.0]])
_BETA = torch.tensor([[10.0, 20.0], [-1.0, 0.0], [0.25, 2.0]])


def _styled(title: str, x: Tensor, *styles: int) -> Check:
    rows = torch.tensor(styles)
    expected = NORMALISED * _GAMMA[rows][:, :, None, None] + _BETA[rows][:, :, None, None]
    return Check(title, {"x": x, "gamma": _GAMMA, "beta": _BETA, "styles": rows, "eps": 1e-12}, expected)


_MANY = {
    "x": MAPS,
    "gamma": noise(4, 2, seed=3),
    "beta": noise(4, 2, seed=4),
    "styles": torch.tensor([3, 0, 3]),
    "eps": 0.1,
}
_NORMAL = by_numbers(MAPS, 0.1)


def _of_styles(rows: Tensor) -> Tensor:
    return torch.stack([rows[style] for style in (3, 0, 3)]).view(3, 2, 1, 1)


# The styles 0 and 3 are in use, 3 twice: the gradients of γ and β in their rows.
_SUMS, _COUNTS = (_NORMAL * MAP_WEIGHTS).sum((2, 3)), MAP_WEIGHTS.sum((2, 3))
_GAMMA_SLOPE, _BETA_SLOPE = (
    torch.stack([rows[1], torch.zeros(2), torch.zeros(2), rows[0] + rows[2]]) for rows in (_SUMS, _COUNTS)
)
_STYLED = _of_styles(_MANY["gamma"]) * _NORMAL + _of_styles(_MANY["beta"])


def _slope(argument: str, expected: Tensor) -> Check:
    return Check(
        f"the gradient of {argument}, of a weighted sum",
        {**_MANY, "weights": MAP_WEIGHTS},
        expected,
        weighted_gradient(argument),
    )


ENTRY = Entry(
    name="conditional_instance_norm",
    reference=conditional_instance_norm,
    stars=2,
    minutes=10,
    checks=[
        _styled("one image in style 2", TWO_CHANNELS, 2),
        _styled("two images, each in a style of its own", TWO_IMAGES, 0, 1),
        _styled("both in the same style: their contrast is gone", TWO_IMAGES, 1, 1),
        Check("three images, four styles, maps of 4×5, another eps", _MANY, _STYLED),
        _slope("x", weighted_slope(MAPS, _of_styles(_MANY["gamma"]) * MAP_WEIGHTS, 0.1)),
        _slope("gamma", _GAMMA_SLOPE),
        _slope("beta", _BETA_SLOPE),
        Check("float32, as the maps are", _MANY, "float32", dtype_of),
    ],
    hints=(
        "First the maps lose their own mean and contrast, as in `instance_norm`; then each image needs one γ and one β "
        "for each of its channels. Which rows of the tables are they?",
        "`gamma[styles]` is (N, C): one row for each image. Give it two more axes with `[:, :, None, None]`, multiply "
        "the normalised maps by it, and add β, made the same way.",
    ),
    mistakes={
        "all images get the style of the first: index γ and β with `styles`": (
            lambda x, gamma, beta, styles, eps: conditional_instance_norm(
                x, gamma, beta, styles[:1].expand(len(x)), eps=eps
            )
        ),
        "the variance is divided by n - 1: here it is the mean of the squares, correction=0": (
            _made_of(normalise=_by_axes(2, 3, correction=1))
        ),
        "the statistics mix the channels: each map of each image has its own": _made_of(normalise=_by_axes(1, 2, 3)),
        "statistics of rows or of columns alone: a map has one mean, over both axes": (
            _made_of(normalise=_by_axes(3)),
            _made_of(normalise=_by_axes(2)),
        ),
        "eps is left out or fixed: it is an argument": (
            _made_of(normalise=lambda x, eps: instance_norm(x, eps=0.0)),
            _made_of(normalise=lambda x, eps: instance_norm(x, eps=1e-5)),
            _made_of(normalise=lambda x, eps: instance_norm(x, eps=1e-8)),
        ),
        "eps stands outside the root: √(variance + eps)": (
            _made_of(
                normalise=lambda x, eps: (x - x.mean((2, 3), True)) / (x.std((2, 3), correction=0, keepdim=True) + eps)
            )
        ),
        "the mean is taken away, but the contrast is left": (
            _made_of(normalise=lambda x, eps: x - x.mean((2, 3), True))
        ),
        "the styles are taken in the order of the table, not as `styles` says": (
            lambda x, gamma, beta, styles, eps: conditional_instance_norm(
                x, gamma, beta, torch.arange(len(x)) % len(gamma), eps=eps
            )
        ),
        "styles are counted from 0: no 1 is subtracted": (
            lambda x, gamma, beta, styles, eps: conditional_instance_norm(x, gamma, beta, styles - 1, eps=eps)
        ),
        "β is subtracted: γ · normalised + β": _made_of(lambda normal, gamma, beta: gamma * normal - beta),
        "the mean of all styles: each image has one of its own": (
            lambda x, gamma, beta, styles, eps: _made_of()(
                x, gamma.mean(0, True), beta.mean(0, True), torch.zeros_like(styles), eps
            )
        ),
        "γ and β come before the normalisation, which takes them away again": (
            lambda x, gamma, beta, styles, eps: instance_norm(
                x * gamma[styles][..., None, None] + beta[styles][..., None, None], eps=eps
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
        "β is that of the first image: index it with `styles`": lambda x, gamma, beta, styles, eps: (
            gamma[styles][..., None, None] * instance_norm(x, eps=eps) + beta[styles[:1]][..., None, None]
        ),
        "the maps are added again: γ · normalised + β": lambda x, gamma, beta, styles, eps: (
            x + _made_of()(x, gamma, beta, styles, eps)
        ),
        "divided by γ: it multiplies": _made_of(lambda normal, gamma, beta: normal / gamma + beta),
        "the sign of γ is dropped: it may be negative": _made_of(
            lambda normal, gamma, beta: normal * gamma.abs() + beta
        ),
        "the styles are read from the end": lambda x, gamma, beta, styles, eps: _made_of()(
            x, gamma, beta, styles.flip(0), eps
        ),
        "the mean is not taken away": _made_of(
            normalise=lambda x, eps: x / (x.var((2, 3), correction=0, keepdim=True) + eps).sqrt()
        ),
        "divided by the variance, not by its root": _made_of(
            normalise=lambda x, eps: (x - x.mean((2, 3), True)) / (x.var((2, 3), correction=0, keepdim=True) + eps)
        ),
        "the styles are sorted: each image has its own, in the order of the batch": (
            lambda x, gamma, beta, styles, eps: _made_of()(x, gamma, beta, styles.sort().values, eps)
        ),
    },
)
