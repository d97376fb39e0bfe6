"""The covariance of feature maps."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import integers


def covariance(features: Tensor) -> Tensor:
    """Compute the covariance of feature maps. Which channels vary together?

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


def _by_numpy(title: str, *shape: int) -> Check:
    features = integers(*shape) / 4 + torch.arange(shape[1])[:, None, None]
    expected = np.stack([np.cov(channels, bias=True) for channels in features.flatten(2).numpy()])
    return Check(title, {"features": features}, torch.tensor(expected))


ENTRY = Entry(
    name="covariance",
    reference=covariance,
    stars=1,
    minutes=5,
    checks=[_by_numpy("one image", 1, 3, 2, 4), _by_numpy("two images", 2, 3, 4, 3)],
    mistakes={
        "the means are still in it: this is the Gram matrix": _products,
        "divided by one less than the number of positions": (
            lambda features: covariance(features) / (1 - 1 / features[0, 0].numel())
        ),
        "a sum over the positions; the mean was asked for": (
            lambda features: covariance(features) * features[0, 0].numel()
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
    },
)
