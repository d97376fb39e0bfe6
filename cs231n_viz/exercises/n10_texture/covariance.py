"""The covariance of feature maps."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import gradient_of, integers, noise


def covariance(features: Tensor) -> Tensor:
    """Compute the covariance of feature maps. Which channels vary together?

    Losses are made of it: it can be differentiated.

    Args:
        features: (N, C, h, w).

    Returns:
        (N, C, C): the mean over positions of (f - m)(f - m)ᵀ, m each channel's mean over its image.
    """
    vectors = features.flatten(2)
    centred = vectors - vectors.mean(dim=2, keepdim=True)
    return centred @ centred.mT / vectors.shape[2]


def _products(features: Tensor) -> Tensor:
    vectors = features.flatten(2)
    return vectors @ vectors.mT / vectors.shape[2]


def _means(features: Tensor) -> Tensor:
    return features.mean((2, 3), keepdim=True)


def _centred(*dims: int) -> Callable[[Tensor], Tensor]:
    return lambda features: _products(features - features.mean(dims, keepdim=True))


def _correlation(features: Tensor) -> Tensor:
    matrix = covariance(features)
    deviation = matrix.diagonal(dim1=1, dim2=2).sqrt()
    return matrix / (deviation[:, :, None] * deviation[:, None])


def _mean_of_matrix(features: Tensor) -> Tensor:
    matrix = _products(features)
    return matrix - matrix.mean((1, 2), keepdim=True)


def _flat_first(features: Tensor) -> Tensor:
    """Channels taken for the last axis of a tensor in which they are the second."""
    vectors = features.reshape(len(features), -1, features.shape[1])
    centred = vectors - vectors.mean(1, keepdim=True)
    return centred.mT @ centred / vectors.shape[1]


_NOISE = noise(2, 3, 4, 5) + torch.arange(3.0)[:, None, None]
# Σ over all c and d of the mean of (f_c − m_c)(f_d − m_d) is the variance of the sum over the channels.
_SUMS = _NOISE.sum(1, keepdim=True)
_SLOPE = (2 / 20 * (_SUMS - _SUMS.mean((2, 3), keepdim=True))).expand_as(_NOISE)


def _by_numpy(title: str, features: Tensor) -> Check:
    expected = np.stack([np.cov(channels, bias=True) for channels in features.flatten(2).numpy()])
    return Check(title, {"features": features}, torch.tensor(expected).float())


ENTRY = Entry(
    name="covariance",
    reference=covariance,
    stars=1,
    minutes=5,
    checks=[
        _by_numpy("one image", integers(1, 3, 2, 4) / 4 + torch.arange(3)[:, None, None]),
        _by_numpy("two images", integers(2, 3, 4, 3) / 4 + torch.arange(3)[:, None, None]),
        _by_numpy("noise, maps of 4×5", _NOISE),
        Check("its gradient", {"features": _NOISE}, _SLOPE, gradient_of("features")),
    ],
    hints=(
        "It is a Gram matrix of other numbers: what has to be taken away from each map before the product?",
        "Flatten the positions to (N, C, h · w), subtract each row's own mean (`keepdim=True`), multiply by the "
        "transpose with `@`, and divide by the number of positions.",
    ),
    mistakes={
        "the means are still in it: this is the Gram matrix": _products,
        "divided by one less than the number of positions": (
            lambda features: covariance(features) / (1 - 1 / features[0, 0].numel())
        ),
        "a sum over the positions; the mean was asked for": (
            lambda features: covariance(features) * features[0, 0].numel()
        ),
        "the maps are reshaped without moving their axes, so that channels and positions are mixed": _flat_first,
        "divided by the number of positions twice": lambda features: covariance(features) / features[0, 0].numel(),
        "divided by the number of channels, not of positions": (
            lambda features: covariance(features) * features[0, 0].numel() / features.shape[1],
            lambda features: covariance(features) / features.shape[1],
        ),
        "the images of the batch are mixed: each has a matrix of its own": (
            lambda features: covariance(features.transpose(0, 1).flatten(2)[None].expand(len(features), -1, -1, -1))
        ),
        "only the variances are there: which channels vary together stands beside the diagonal": (
            lambda features: torch.diag_embed(features.var((2, 3), correction=0))
        ),
        "the wrong axes: this compares positions with positions": (
            lambda features: _products((features - _means(features)).flatten(2).mT[..., None])
        ),
        "one mean for all channels: each has its own": _centred(1, 2, 3),
        "the mean over the channels at each position: it goes over the positions": _centred(1),
        "the mean over the batch too: each image has its own": _centred(0, 2, 3),
        "divided by the standard deviations: this is the correlation": _correlation,
        "the means are subtracted from the matrix: their outer product was meant": (
            lambda features: _products(features) - _means(features)[..., 0]
        ),
        "the mean of the Gram matrix is subtracted, not that of the activations": _mean_of_matrix,
        "the outer product of the means is added, not removed": (
            lambda features: 2 * _products(features) - covariance(features)
        ),
        "one half of the matrix is 0: it is symmetric": (
            lambda features: covariance(features).triu(),
            lambda features: covariance(features).tril(),
        ),
        "the products of the means are removed from the sum: divide by the number of positions first": (
            lambda features: _products(features) * features[0, 0].numel() - _products(features) + covariance(features)
        ),
        "the squares of the means are removed: it is the product of both channels' means": (
            lambda features: _products(features) - _means(features)[..., 0].square(),
            lambda features: _products(features) - _means(features)[..., 0].square().mT,
        ),
        "the signs are dropped: channels may vary in opposite directions": lambda features: covariance(features).abs(),
        "a number is added to the diagonal: not asked for": (
            lambda features: covariance(features) + 1e-3 * torch.eye(features.shape[1]),
        ),
        "the mean over the images: each has a matrix of its own": (
            lambda features: covariance(features).mean(0, True).expand(len(features), -1, -1)
        ),
        "the means are detached: in G - m mᵀ they depend on the features, and the gradient goes through them too": (
            lambda features: _products(features) - _products(_means(features)).detach()
        ),
        "only the first image: each has a matrix of its own": (
            lambda features: covariance(features[:1]),
            lambda features: covariance(features[:1])[0],
            lambda features: covariance(features[:1]).expand(len(features), -1, -1),
        ),
    },
)
