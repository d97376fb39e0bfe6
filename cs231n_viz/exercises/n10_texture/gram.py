"""The Gram matrix of feature maps."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import gradient_of, integers, noise


def gram(features: Tensor, *, normalise: bool = True) -> Tensor:
    """Compute the Gram matrix of feature maps. Which channels are active together?

    Losses are made of it: it can be differentiated.

    Args:
        features: (N, C, h, w), activations of one layer.
        normalise: Divide by the number of positions h · w.

    Returns:
        (N, C, C): for each image the sum over its positions of the outer product f fᵀ, or the mean of these.
    """
    vectors = features.flatten(2)  # (N, C, h · w)
    products = vectors @ vectors.mT
    return products / vectors.shape[2] if normalise else products


def _products(features: Tensor) -> Tensor:
    return features.flatten(2) @ features.flatten(2).mT


def _positions(features: Tensor) -> int:
    return features.shape[2] * features.shape[3]


def _over(
    divisor: Callable[[Tensor], float] = _positions, products: Callable[[Tensor], Tensor] = _products
) -> Callable[[Tensor, bool], Tensor]:
    """Products divided by something; the sum stays what it is."""
    return lambda features, normalise: products(features) / (divisor(features) if normalise else 1)


def _whole_batch(features: Tensor) -> Tensor:
    rows = features.transpose(0, 1).flatten(1)
    return (rows @ rows.T).expand(len(features), -1, -1)


def _batch_as_channels(features: Tensor) -> Tensor:
    rows = features.flatten(0, 1).flatten(1)
    return rows @ rows.T


def _of_means(features: Tensor) -> Tensor:
    sums = features.sum((2, 3))
    return sums[:, :, None] * sums[:, None] / _positions(features)


def _reshaped(features: Tensor) -> Tensor:
    vectors = features.permute(0, 2, 3, 1).reshape(len(features), features.shape[1], -1)
    return vectors @ vectors.mT


def _sums(features: Tensor) -> Tensor:
    """The definition, in Python's numbers: the sum over the positions of the product of two channels."""
    return torch.tensor(
        [
            [[sum(a * b for a, b in zip(one, other, strict=True)) for other in channels] for one in channels]
            for channels in features.flatten(2).tolist()
        ]
    )


def _flat_first(features: Tensor) -> Tensor:
    """Channels taken for the last axis of a tensor in which they are the second."""
    vectors = features.reshape(len(features), -1, features.shape[1])
    return vectors.mT @ vectors


_NOISE = noise(2, 3, 4, 5)
# Σ over all c and d of the mean of f_c f_d: each f_c stands beside the sum over the channels, and twice.
_SLOPE = (2 / 20 * _NOISE.sum(1, keepdim=True)).expand_as(_NOISE)
_ONE, _TWO = integers(1, 3, 2, 4), integers(2, 4, 3, 3)
# By hand: the squares of 1, 2, 0, -1 sum to 6, those of 3, 1, 1, 2 to 15, and 1·3 + 2·1 + 0·1 - 1·2 = 3.
_SMALL = torch.tensor([[[[1.0, 2.0], [0.0, -1.0]], [[3.0, 1.0], [1.0, 2.0]]]])

ENTRY = Entry(
    name="gram",
    reference=gram,
    stars=2,
    minutes=10,
    checks=[
        Check(
            "two channels, by hand",
            {"features": _SMALL, "normalise": False},
            torch.tensor([[[6.0, 3.0], [3.0, 15.0]]]),
        ),
        Check("one image, the sum", {"features": _ONE, "normalise": False}, _sums(_ONE)),
        Check("one image, the mean", {"features": _ONE, "normalise": True}, _sums(_ONE) / 8),
        Check("two images", {"features": _TWO, "normalise": True}, _sums(_TWO) / 9),
        Check("noise, maps of 4×5", {"features": _NOISE, "normalise": True}, _sums(_NOISE) / 20),
        Check("noise, the sum", {"features": _NOISE, "normalise": False}, _sums(_NOISE)),
        Check("its gradient", {"features": _NOISE, "normalise": True}, _SLOPE, gradient_of("features")),
    ],
    hints=(
        "Write the activations of one image as a matrix with a row for each channel and a column for each position. "
        "Which product of it with itself is C × C?",
        "`features.flatten(2)` is (N, C, h · w); the batched product `@` with its transpose `.mT` sums over the "
        "positions. Divide by their number only if `normalise` is true.",
    ),
    mistakes={
        "the images of the batch are mixed: each has a matrix of its own": (
            _over(products=_whole_batch),
            _over(products=lambda f: _whole_batch(f) / len(f)),
        ),
        "the batch has become channels: one matrix for all images": _over(products=_batch_as_channels),
        "the sum instead of the mean: normalise divides by the number of positions": _over(lambda f: 1),
        "the mean instead of the sum: normalise=False was ignored": lambda features, normalise: gram(features),
        "normalised twice: divided by the channels as well": _over(lambda f: _positions(f) * f.shape[1]),
        "divided by the number of positions squared": _over(lambda f: _positions(f) ** 2),
        "divided by the number of channels, not of positions": _over(lambda f: f.shape[1]),
        "the wrong axes: this compares positions with positions": (
            _over(products=lambda f: f.flatten(2).mT @ f.flatten(2))
        ),
        "only the rows are paired: a position is paired with all of its row": (
            _over(products=lambda f: torch.einsum("nchw,ndhv->ncd", f, f))
        ),
        "the outer product of the mean activations: the mean has to be taken last": _over(products=_of_means),
        "channels and positions are mixed: `features.flatten(2)` keeps a row for each channel": (
            _over(products=_reshaped),
            _over(products=_flat_first),
        ),
        "half of it: no ½ was asked for": lambda features, normalise: gram(features, normalise=normalise) / 2,
        "divided by the number of images as well: each has its own": _over(lambda f: _positions(f) * len(f)),
        "divided by the number of rows or of columns alone: there are h · w positions": (
            _over(lambda f: f.shape[2]),
            _over(lambda f: f.shape[3]),
        ),
        "divided by h² or w²: there are h · w positions": (
            _over(lambda f: f.shape[2] ** 2),
            _over(lambda f: f.shape[3] ** 2),
        ),
        "divided by the lengths of the channels: these are cosines": (
            _over(products=lambda f: _products(F.normalize(f.flatten(2), dim=2)[..., None]) * _positions(f)),
            lambda features, normalise: _products(F.normalize(features.flatten(2), dim=2)[..., None]),
        ),
        "`normalise` is read the wrong way round": lambda features, normalise: gram(features, normalise=not normalise),
        "only the diagonal is filled: which channels go together stands beside it": (
            _over(products=lambda f: torch.diag_embed(f.square().sum((2, 3))))
        ),
        "the means are removed first: this is the covariance": (
            _over(products=lambda f: _products(f - f.mean((2, 3), keepdim=True)))
        ),
        "divided by one less than the number of positions": _over(lambda f: _positions(f) - 1),
        "divided by the root of the number of positions": _over(lambda f: _positions(f) ** 0.5),
        "divided by the number of entries of the matrix: normalise divides by the number of positions": (
            _over(lambda f: f.shape[1] ** 2)
        ),
        "divided by its own length: normalise divides by the number of positions": (
            lambda features, normalise: _products(features) / (_products(features).norm() if normalise else 1)
        ),
        "one half of the matrix is 0: it is symmetric": (
            _over(products=lambda f: _products(f).triu()),
            _over(products=lambda f: _products(f).tril()),
        ),
        "negative activations are cut off: not every layer has a ReLU": _over(products=lambda f: _products(f.relu())),
    },
)
