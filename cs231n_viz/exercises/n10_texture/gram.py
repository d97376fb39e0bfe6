"""The Gram matrix of feature maps."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import integers


def gram(features: Tensor, *, normalise: bool = True) -> Tensor:
    """Compute the Gram matrix of feature maps. Which channels are active together?

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
    ],
    mistakes={
        "the images of the batch are mixed: each has a matrix of its own": _over(products=_whole_batch),
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
        "the channels come last before they are flattened, so that channels and positions are mixed": (
            _over(products=_reshaped)
        ),
        "the means are removed first: this is the covariance": (
            _over(products=lambda f: _products(f - f.mean((2, 3), keepdim=True)))
        ),
    },
)
