"""The relative distance between two Gram matrices."""

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import gradient_of, noise


def gram_error(found: Tensor, target: Tensor) -> Tensor:
    """Compute the squared distance of a Gram matrix from its target, relative to the target.

    Args:
        found: (N, C, C).
        target: (N, C, C), no target is all zero.

    Returns:
        (N,): ‖G - G₀‖² / ‖G₀‖², the squares of all entries summed. It can be differentiated.
    """
    return (found - target).square().sum(dim=(1, 2)) / target.square().sum(dim=(1, 2))


def _squares(matrix: Tensor) -> Tensor:
    return matrix.square().sum(dim=(1, 2))


def _distance(title: str, found: list, target: list, expected: list[float]) -> Check:
    return Check(title, {"found": torch.tensor(found), "target": torch.tensor(target)}, torch.tensor(expected))


_FIRST, _FIRST_TARGET = [[4.0, 1.0], [1.0, 3.0]], [[2.0, -1.0], [-1.0, 2.0]]  # differences 2, 2, 2, 1
_SECOND, _SECOND_TARGET = [[1.0, 0.5], [0.5, 2.0]], [[2.0, 1.0], [1.0, 4.0]]  # half of the target
_THIRD, _THIRD_TARGET = [[3.0, 6.0], [6.0, 3.0]], [[1.0, 2.0], [2.0, 1.0]]  # three times the target

_FOUND, _TARGET = noise(2, 3, 3, seed=1), noise(2, 3, 3, seed=2) / 10
_RATIOS = [
    sum((a - b) ** 2 for a, b in zip(found, target, strict=True)) / sum(b**2 for b in target)
    for found, target in zip(_FOUND.flatten(1).tolist(), _TARGET.flatten(1).tolist(), strict=True)
]
_LENGTHS = torch.tensor([sum(b**2 for b in target) for target in _TARGET.flatten(1).tolist()])
_SLOPE = 2 * (_FOUND - _TARGET) / _LENGTHS[:, None, None]

ENTRY = Entry(
    name="gram_error",
    reference=gram_error,
    stars=1,
    minutes=5,
    checks=[
        _distance("two matrices, by hand", [_FIRST], [_FIRST_TARGET], [(4 + 4 + 4 + 1) / (4 + 1 + 1 + 4)]),
        _distance(
            "a batch of pairs",
            [_FIRST, _SECOND, _THIRD],
            [_FIRST_TARGET, _SECOND_TARGET, _THIRD_TARGET],
            [1.3, 0.25, 4.0],
        ),
        _distance("the target itself is at distance 0", [_FIRST], [_FIRST], [0.0]),
        Check("two matrices 3×3, small targets", {"found": _FOUND, "target": _TARGET}, torch.tensor(_RATIOS)),
        Check("its gradient: 2 (G - G₀) / ‖G₀‖²", {"found": _FOUND, "target": _TARGET}, _SLOPE, gradient_of("found")),
    ],
    hints=(
        "Two sums of squares for each pair of matrices, and their ratio: no mean, no root.",
        "Square the difference and sum over the last two axes, `sum(dim=(1, 2))`, so that the batch is left; the same "
        "for the target alone; divide.",
    ),
    mistakes={  # of Gram matrix g and target t
        "the square is missing: magnitudes are summed": lambda g, t: (g - t).abs().sum((1, 2)) / t.abs().sum((1, 2)),
        "the square root is taken: this is the ratio of the norms": lambda g, t: gram_error(g, t).sqrt(),
        "the norm of the target is not squared": lambda g, t: _squares(g - t) / _squares(t).sqrt(),
        "not divided by the target": (
            lambda g, t: _squares(g - t),
            lambda g, t: (g - t).square().mean((1, 2)),
        ),
        "normalised twice: divided by the target's square again": lambda g, t: gram_error(g, t) / _squares(t),
        "the mean over the entries is divided by a sum": lambda g, t: (g - t).square().mean((1, 2)) / _squares(t),
        "divided by the first matrix: the target sets the unit": lambda g, t: _squares(g - t) / _squares(g),
        "each entry is divided by its own target": (
            lambda g, t: ((g - t) / t).square().mean((1, 2)),
            lambda g, t: _squares((g - t) / t),
        ),
        "the lengths are compared, not the matrices": (
            lambda g, t: (_squares(g).sqrt() - _squares(t).sqrt()).square() / _squares(t)
        ),
        "only the diagonal is compared: which channels go together is lost": (
            lambda g, t: (g - t).diagonal(dim1=1, dim2=2).square().sum(1) / t.diagonal(dim1=1, dim2=2).square().sum(1)
        ),
        "one number for the whole batch": (
            lambda g, t: ((g - t).square().sum() / t.square().sum()).expand(len(g)),
            lambda g, t: (g - t).square().sum() / t.square().sum(),
            lambda g, t: gram_error(g, t).sum(),
        ),
        "the mean over the batch: each pair has its own distance": lambda g, t: gram_error(g, t).mean(),
        "the lengths of the columns are compared one by one: sum over both axes of a matrix": (
            lambda g, t: (g - t).square().sum(1) / t.square().sum(1),
            lambda g, t: (g - t).square().sum(2) / t.square().sum(2),
        ),
        "half of it: no ½ was asked for": lambda g, t: gram_error(g, t) / 2,
        "+1e-3 or so in the denominator: no target is all zero": (
            lambda g, t: _squares(g - t) / (_squares(t) + 1e-3),
            lambda g, t: _squares(g - t) / (_squares(t) + 1),
        ),
        "divided by both lengths: the target alone sets the unit": (
            lambda g, t: _squares(g - t) / (_squares(g) + _squares(t)),
            lambda g, t: _squares(g - t) / (_squares(g) * _squares(t)).sqrt(),
        ),
        "a sum over the entries is divided by a mean": lambda g, t: _squares(g - t) / t.square().mean((1, 2)),
        "the largest entry of the target is the divisor: the sum of its squares was asked for": (
            lambda g, t: _squares(g - t) / t.abs().amax((1, 2)).square()
        ),
        "axes of length 1 are left: (N,) was asked for": lambda g, t: gram_error(g, t)[:, None, None],
        "summed before squaring: entries of both signs cancel": (
            lambda g, t: _squares(g - t) / t.sum((1, 2)).square(),
            lambda g, t: (g - t).sum((1, 2)).square() / t.sum((1, 2)).square(),
        ),
        "the difference of the squares, not the square of the difference": (
            lambda g, t: (g.square() - t.square()).sum((1, 2)) / _squares(t)
        ),
        "the angle is compared: a matrix twice as large is not the target": (
            lambda g, t: 1 - (g * t).sum((1, 2)) / (_squares(g) * _squares(t)).sqrt()
        ),
        "only one half of the matrix is compared: the entries on both sides of the diagonal count": (
            lambda g, t: _squares((g - t).triu()) / _squares(t.triu())
        ),
        "the largest singular value is the length: the squares of all entries are summed": (
            lambda g, t: torch.linalg.matrix_norm(g - t, 2).square() / torch.linalg.matrix_norm(t, 2).square()
        ),
    },
)
