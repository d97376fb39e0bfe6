"""Exercises of notebook 10: the Gram matrix, its neighbour the covariance, and how far two textures are apart."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises import patchwork
from cs231n_viz.exercises.core import Check, Entry


def gram(features: Tensor, *, normalise: bool = True) -> Tensor:
    """Which channels are active together?

    Args:
        features: (N, C, h, w), activations of one layer.
        normalise: Divide by the number of positions h · w.

    Returns:
        (N, C, C): for each picture the sum over its positions of the outer product f fᵀ, or the mean of these.
    """
    vectors = features.flatten(2)  # (N, C, h · w)
    products = vectors @ vectors.mT
    return products / vectors.shape[2] if normalise else products


def covariance(features: Tensor) -> Tensor:
    """Which channels vary together?

    Args:
        features: (N, C, h, w).

    Returns:
        (N, C, C): the mean over positions of (f - m)(f - m)ᵀ, m each channel's mean over its picture.
    """
    vectors = features.flatten(2)
    centred = vectors - vectors.mean(dim=2, keepdim=True)
    return centred @ centred.mT / vectors.shape[2]


def gram_error(found: Tensor, target: Tensor) -> Tensor:
    """How far is a Gram matrix from its target, in units of the target?

    Args:
        found: (N, C, C).
        target: (N, C, C), none of them 0.

    Returns:
        (N,): ‖G - G₀‖² / ‖G₀‖², the squares of all entries summed.
    """
    return (found - target).square().sum(dim=(1, 2)) / target.square().sum(dim=(1, 2))


def _maps(count: int, channels: int, height: int, width: int) -> Tensor:
    values = torch.arange(count * channels * height * width, dtype=torch.float32)
    return (3 * (values * 0.618).frac() - 0.5).view(count, channels, height, width)


def _plain(features: Tensor) -> Tensor:
    return features.flatten(2) @ features.flatten(2).mT


def _over(divisor: Callable[[Tensor], float], product: Callable[[Tensor], Tensor] = _plain) -> Callable[..., Tensor]:
    """Products divided by something; the sum stays what it is."""
    return lambda features, normalise=True: product(features) / (divisor(features) if normalise else 1)


def _positions(features: Tensor) -> int:
    return features.shape[2] * features.shape[3]


def _whole_batch(features: Tensor) -> Tensor:
    rows = features.transpose(0, 1).flatten(1)
    return (rows @ rows.T).expand(len(features), -1, -1)


def _batch_as_channels(features: Tensor) -> Tensor:
    rows = features.flatten(0, 1).flatten(1)
    return rows @ rows.T


def _of_positions(features: Tensor) -> Tensor:
    return features.flatten(2).mT @ features.flatten(2)


def _of_rows(features: Tensor) -> Tensor:
    return torch.einsum("nchw,ndhv->ncd", features, features)


def _of_means(features: Tensor) -> Tensor:
    sums = features.sum((2, 3))
    return sums[:, :, None] * sums[:, None] / _positions(features)


def _reshaped(features: Tensor) -> Tensor:
    vectors = features.permute(0, 2, 3, 1).reshape(len(features), features.shape[1], -1)
    return vectors @ vectors.mT


def _grams(title: str, shape: tuple[int, int, int, int], normalise: bool) -> Check:
    features = _maps(*shape)
    return Check(title, {"features": features, "normalise": normalise}, gram(features, normalise=normalise))


_GRAM = Entry(
    name="gram",
    reference=gram,
    stars=2,
    minutes=10,
    checks=[
        _grams("one picture, the sum", (1, 3, 2, 4), False),
        _grams("one picture, the mean", (1, 3, 2, 4), True),
        _grams("two pictures", (2, 4, 3, 3), True),
    ],
    mistakes={
        "the pictures of the batch are mixed: each has a matrix of its own": _over(_positions, _whole_batch),
        "the batch has become channels: one matrix for all pictures": _over(_positions, _batch_as_channels),
        "the sum for the mean: normalise divides by the number of positions": _over(lambda f: 1),
        "the mean for the sum: normalise=False was ignored": lambda features, normalise=True: gram(features),
        "normalised twice: divided by the channels as well": _over(lambda f: _positions(f) * f.shape[1]),
        "divided by the number of positions squared": _over(lambda f: _positions(f) ** 2),
        "divided by the number of channels, not of positions": _over(lambda f: f.shape[1]),
        "the wrong axes: this compares positions with positions": _over(_positions, _of_positions),
        "only the rows are paired: a position is paired with all of its row": _over(_positions, _of_rows),
        "the outer product of the mean activations: the mean has to be taken last": _over(_positions, _of_means),
        "the channels come last before they are flattened, so that channels and positions are mixed": _over(
            _positions, _reshaped
        ),
        "the means are removed first: this is the covariance": _over(
            _positions, lambda f: covariance(f) * _positions(f)
        ),
    },
)


def _centred(
    mean: Callable[[Tensor], Tensor], divisor: Callable[[int], int] = lambda positions: positions
) -> Callable[[Tensor], Tensor]:
    def found(features: Tensor) -> Tensor:
        rows = (features - mean(features)).flatten(2)
        return rows @ rows.mT / divisor(rows.shape[2])

    return found


def _each(features: Tensor) -> Tensor:
    return features.mean((2, 3), keepdim=True)


def _correlation(features: Tensor) -> Tensor:
    found = covariance(features)
    spread = found.diagonal(dim1=1, dim2=2).sqrt()
    return found / (spread[:, :, None] * spread[:, None])


def _means_once(features: Tensor) -> Tensor:
    return gram(features) - _each(features)[..., 0]


def _mean_of_matrix(features: Tensor) -> Tensor:
    found = gram(features)
    return found - found.mean((1, 2), keepdim=True)


def _covariances(title: str, *shape: int) -> Check:
    features = _maps(*shape) + torch.arange(shape[1])[:, None, None]
    return Check(title, {"features": features}, covariance(features))


_COVARIANCE = Entry(
    name="covariance",
    reference=covariance,
    stars=1,
    minutes=5,
    checks=[_covariances("one picture", 1, 3, 2, 4), _covariances("two pictures", 2, 3, 4, 3)],
    mistakes={
        "the means are still in it: this is the Gram matrix": lambda features: gram(features),
        "divided by one less than the number of positions": _centred(_each, lambda positions: positions - 1),
        "a sum over the positions; the mean was asked for": _centred(_each, lambda positions: 1),
        "one mean for all channels: each has its own": _centred(lambda f: f.mean((1, 2, 3), keepdim=True)),
        "the mean over the channels at each position: it goes over the positions": _centred(
            lambda f: f.mean(1, keepdim=True)
        ),
        "the mean over the batch too: each picture has its own": _centred(lambda f: f.mean((0, 2, 3), keepdim=True)),
        "divided by the standard deviations: this is the correlation": _correlation,
        "the means are subtracted from the matrix: their outer product was meant": _means_once,
        "the mean of the Gram matrix is subtracted, not that of the activations": _mean_of_matrix,
        "the outer product of the means is added, not removed": lambda features: (
            2 * gram(features) - covariance(features)
        ),
    },
)


def _pairs(title: str, count: int, channels: int) -> Check:
    found, target = gram(_maps(count, channels, 3, 4)), gram(_maps(count, channels, 4, 5).square())
    return Check(title, {"found": found, "target": target}, gram_error(found, target))


def _squares(matrix: Tensor) -> Tensor:
    return matrix.square().sum(dim=(1, 2))


_ZERO = gram(_maps(1, 3, 2, 2))

_GRAM_ERROR = Entry(
    name="gram_error",
    reference=gram_error,
    stars=1,
    minutes=5,
    checks=[
        _pairs("two matrices", 1, 3),
        _pairs("a batch of pairs", 3, 2),
        Check("the target itself is at distance 0", {"found": _ZERO, "target": _ZERO}, torch.zeros(1)),
    ],
    mistakes={
        "the square is missing: magnitudes are summed": lambda found, target: (
            (found - target).abs().sum(dim=(1, 2)) / target.abs().sum(dim=(1, 2))
        ),
        "the square root is taken: this is the ratio of the norms": lambda found, target: gram_error(
            found, target
        ).sqrt(),
        "the norm of the target is not squared": lambda found, target: (
            _squares(found - target) / _squares(target).sqrt()
        ),
        "not divided by the target": lambda found, target: _squares(found - target),
        "normalised twice: divided by the target's square again": lambda found, target: (
            gram_error(found, target) / _squares(target)
        ),
        "the mean over the entries is divided by a sum": lambda found, target: (
            (found - target).square().mean(dim=(1, 2)) / _squares(target)
        ),
        "divided by the found matrix: the target sets the unit": lambda found, target: (
            _squares(found - target) / _squares(found)
        ),
        "each entry is divided by its own target": lambda found, target: (
            ((found - target) / target).square().mean(dim=(1, 2))
        ),
        "the lengths are compared, not the matrices": lambda found, target: (
            (_squares(found).sqrt() - _squares(target).sqrt()).square() / _squares(target)
        ),
        "only the diagonal is compared: which channels go together is lost": lambda found, target: (
            (found - target).diagonal(dim1=1, dim2=2).square().sum(1) / target.diagonal(dim1=1, dim2=2).square().sum(1)
        ),
        "one number for the whole batch": lambda found, target: (
            (found - target).square().sum() / target.square().sum()
        ).expand(len(found)),
    },
)

ENTRIES = [*patchwork.ENTRIES, _GRAM, _COVARIANCE, _GRAM_ERROR]
