"""Principal component analysis (PCA)."""

from typing import Any

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def pca(features: Tensor, k: int) -> Tensor:
    """Project features onto the directions of their largest variance (PCA), by a singular value decomposition.

    Args:
        features: (N, D), one row per image.
        k: How many axes to keep, at most N and D.

    Returns:
        (N, k): coordinates along the k directions of largest variance, the largest first, with the mean at the
        origin. The sign of an axis is free.
    """
    centred = features - features.mean(dim=0)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)  # centred = u @ diag(s) @ v, s in falling order
    return u[:, :k] * s[:k]  # the same as centred @ v[:k].T


def _same_axes(got: Any, expected: Tensor) -> bool:
    """Equal, but for the sign of each column."""
    if not isinstance(got, Tensor) or got.shape != expected.shape or got.is_complex():
        return False
    got = got.detach().cpu().to_dense().double()
    gap = torch.minimum((got - expected).abs().amax(0), (got + expected).abs().amax(0))
    return bool((gap <= 1e-4 * (1 + expected.abs().amax(0))).all())


def _factors(features: Tensor, mean: Tensor | float | None = None) -> tuple[Tensor, Tensor, Tensor]:
    features = features.double()
    centred = features - (features.mean(0) if mean is None else mean)
    return torch.linalg.svd(centred, full_matrices=False)


def _scores(features: Tensor, k: int, mean: Tensor | float | None = None) -> Tensor:
    u, s, _ = _factors(features, mean)
    return u[:, :k] * s[:k]


def _by_columns(features: Tensor, k: int, *, full: bool = False) -> Tensor:
    centred = features - features.mean(0)
    _, _, v = torch.linalg.svd(centred, full_matrices=full)
    return centred @ v[:, :k]


def _smallest(features: Tensor, k: int) -> Tensor:
    centred = (features - features.mean(0)).double()
    _, directions = torch.linalg.eigh(centred.T @ centred)  # in rising order
    return centred @ directions[:, :k]


_LINE = torch.tensor([[1.0, 2.0], [4.0, 6.0], [-2.0, -2.0]])
_CROSS = torch.tensor([[1.0, 5.0, 3.0], [1.0, 5.0, -3.0], [3.0, 5.0, 0.0], [-1.0, 5.0, 0.0]])
_LONG = torch.zeros(3, 50)
_LONG[0, :9], _LONG[1, :9], _LONG[:, 20:36] = 2.0, -2.0, 1.0
# Two unit vectors at right angles, neither along an axis of the features.
_ONE, _TWO = torch.tensor([2.0, 1.0, 2.0]) / 3, torch.tensor([1.0, 2.0, -2.0]) / 3
# Two rows along each of twelve axes, one on either side: the axes are the directions, at these distances.
_SIDES = torch.diag(torch.tensor([4.0, 7.0] + [0.35] * 10))
_MANY = torch.cat([_SIDES, -_SIDES])
_SPREAD = torch.tensor([[4.0, 1.0], [-4.0, 1.0], [4.0, -1.0], [-4.0, -1.0]])


def _projected(title: str, features: Tensor, expected: Tensor) -> Check:
    return Check(title, {"features": features, "k": expected.shape[1]}, expected)


ENTRY = Entry(
    name="pca",
    reference=pca,
    stars=2,
    minutes=15,
    hints=(
        "Where does the cloud of points have to lie before its directions mean anything? And which axis of `features` "
        "runs over the images?",
        "Subtract the mean image, `features.mean(dim=0)`. The coordinates are the first k columns of U, each times "
        "its singular value, or the centred rows times the first k rows of Vᵀ.",
    ),
    checks=[
        _projected("three points of a line, off the origin", _LINE, torch.tensor([[0.0], [5.0], [-5.0]])),
        _projected(
            "the direction of the largest variance comes first",
            _CROSS,
            torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 2.0], [0.0, -2.0]]),
        ),
        _projected(
            "a plane that lies askew in three dimensions",
            _SPREAD / 3 @ torch.stack([_ONE, _TWO]) + torch.tensor([1.0, 0.0, 2.0]),
            _SPREAD / 3,
        ),
        _projected("two strong axes among twelve", _MANY + 0.5, _MANY[:, [1, 0]]),
        _projected("fewer images than numbers per image", _LONG, torch.tensor([[6.0], [-6.0], [0.0]])),
    ],
    mistakes={
        "the mean is not subtracted: the first axis then points at it": lambda features, k: _scores(features, k, 0.0),
        "each row's own mean is subtracted: subtract the mean image, dim=0": (
            lambda features, k: _scores(features, k, features.double().mean(1, keepdim=True))
        ),
        "these are the directions: the coordinates of the images along them were asked for": (
            lambda features, k: _factors(features)[2][:k],
            lambda features, k: _factors(features)[2][:k].T,
        ),
        "every axis has the same variance: u has yet to be multiplied by the singular values": (
            lambda features, k: _factors(features)[0][:, :k],
            lambda features, k: _factors(features)[0][:, :k] * (len(features) - 1) ** 0.5,
            lambda features, k: _factors(features)[0][:, :k] * len(features) ** 0.5,
        ),
        "divided by √(N - 1), √N or N: a coordinate is the length along the axis itself": (
            lambda features, k: _scores(features, k) / (len(features) - 1) ** 0.5,
            lambda features, k: _scores(features, k) / len(features) ** 0.5,
            lambda features, k: _scores(features, k) / len(features),
            lambda features, k: _scores(features, k) / (len(features) - 1),
        ),
        "one mean for all numbers is subtracted: each column has its own, dim=0": (
            lambda features, k: _scores(features, k, features.double().mean())
        ),
        "the smaller of the k axes comes first: eigh sorts from small to large": (
            lambda features, k: _scores(features, k).flip(1)
        ),
        "the columns of largest variance are picked: PCA turns the axes": (
            lambda features, k: (features - features.mean(0))[:, features.var(0).argsort(descending=True)[:k]],
            lambda features, k: (features - features.mean(0))[
                :, features.var(0).argsort(descending=True)[:k].sort()[0]
            ],
        ),
        "these are the first k columns: PCA turns the axes": (
            lambda features, k: features[:, :k],
            lambda features, k: (features - features.mean(0))[:, :k],
        ),
        "the sign of each image is lost: only that of a whole axis is free": (
            lambda features, k: _scores(features, k).abs(),
            lambda features, k: _scores(features, k).square(),
        ),
        "projected and back: the k coordinates themselves were asked for": (
            lambda features, k: _scores(features, k) @ _factors(features)[2][:k],
            lambda features, k: _scores(features, k) @ _factors(features)[2][:k] + features.mean(0),
        ),
        "one axis too many or too few: the first k are [:, :k]": (
            lambda features, k: _scores(features, k + 1),
            lambda features, k: _scores(features, k - 1),
            lambda features, k: _scores(features, len(features)),
        ),
        "each axis is stretched to unit length or range: distances then change": (
            lambda features, k: _scores(features, k) / _scores(features, k).abs().amax(0),
            lambda features, k: _scores(features, k) / _scores(features, k).amax(0),
        ),
        "all coordinates are divided by the largest: they are lengths, in the units of the features": (
            lambda features, k: _scores(features, k) / _scores(features, k).abs().max(),
            lambda features, k: _scores(features, k) / _scores(features, k).max(),
        ),
        "the singular values scale the rows of U: each belongs to a column, `u[:, :k] * s[:k]`": (
            lambda features, k: (_factors(features)[1][:, None] * _factors(features)[0][: len(_factors(features)[1])])[
                :, :k
            ]
        ),
        "rounded to half precision: keep the numbers as they are": lambda features, k: _scores(features, k).half(),
        "these are singular values or shares of the variance: the coordinates of each image were asked for": (
            lambda features, k: _factors(features)[1][:k],
            lambda features, k: _factors(features)[1][:k].square() / _factors(features)[1].square().sum(),
        ),
        "the root of the singular values: multiply u by the values themselves": (
            lambda features, k: _factors(features)[0][:, :k] * _factors(features)[1][:k].sqrt()
        ),
        "centred at one image or at the median: subtract the mean": (
            lambda features, k: _scores(features, k, features[0].double()),
            lambda features, k: _scores(features, k, features.double().median(0).values),
        ),
        "the images are made unit vectors first: their lengths count": (
            lambda features, k: _scores(torch.nn.functional.normalize(features.double(), dim=1), k)
        ),
        "multiplied by the singular values twice": (
            lambda features, k: _factors(features)[0][:, :k] * _factors(features)[1][:k] ** 2,
            lambda features, k: (
                _factors(features)[0][:, :k] * _factors(features)[1][:k] ** 2 / (len(features) - 1) ** 0.5
            ),
        ),
        "the directions are the rows of svd's third result: centred @ v[:k].T": (
            _by_columns,
            lambda features, k: _by_columns(features, k, full=True),
            lambda features, k: _by_columns(features.double(), k),
        ),
        "these are the directions of the smallest variance: eigh sorts from small to large": _smallest,
        "the columns are scaled to unit variance first: distances then change": (
            lambda features, k: _scores((features - features.mean(0)) / features.std(0).clamp_min(1e-9), k)
        ),
        "projected before the mean is subtracted: the map is not centred": (
            lambda features, k: features.double() @ _factors(features)[2][:k].T
        ),
        "rows and columns are swapped: a row for each image": lambda features, k: _scores(features, k).T,
    },
    same=_same_axes,
)
