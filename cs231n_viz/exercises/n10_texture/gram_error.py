"""The relative distance between two Gram matrices."""

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def gram_error(found: Tensor, target: Tensor) -> Tensor:
    """Compute the squared distance of a Gram matrix from its target, relative to the target.

    Args:
        found: (N, C, C).
        target: (N, C, C), no target is all zero.

    Returns:
        (N,): ‖G - G₀‖² / ‖G₀‖², the squares of all entries summed.
    """
    return (found - target).square().sum(dim=(1, 2)) / target.square().sum(dim=(1, 2))


def _squares(matrix: Tensor) -> Tensor:
    return matrix.square().sum(dim=(1, 2))


def _distance(title: str, found: list, target: list, expected: list[float]) -> Check:
    return Check(title, {"found": torch.tensor(found), "target": torch.tensor(target)}, torch.tensor(expected))


_FIRST, _FIRST_TARGET = [[4.0, 1.0], [1.0, 3.0]], [[2.0, -1.0], [-1.0, 2.0]]  # differences 2, 2, 2, 1
_SECOND, _SECOND_TARGET = [[1.0, 0.5], [0.5, 2.0]], [[2.0, 1.0], [1.0, 4.0]]  # half of the target
_THIRD, _THIRD_TARGET = [[3.0, 6.0], [6.0, 3.0]], [[1.0, 2.0], [2.0, 1.0]]  # three times the target

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
    ],
    mistakes={  # of Gram matrix g and target t
        "the square is missing: magnitudes are summed": lambda g, t: (g - t).abs().sum((1, 2)) / t.abs().sum((1, 2)),
        "the square root is taken: this is the ratio of the norms": lambda g, t: gram_error(g, t).sqrt(),
        "the norm of the target is not squared": lambda g, t: _squares(g - t) / _squares(t).sqrt(),
        "not divided by the target": lambda g, t: _squares(g - t),
        "normalised twice: divided by the target's square again": lambda g, t: gram_error(g, t) / _squares(t),
        "the mean over the entries is divided by a sum": lambda g, t: (g - t).square().mean((1, 2)) / _squares(t),
        "divided by the first matrix: the target sets the unit": lambda g, t: _squares(g - t) / _squares(g),
        "each entry is divided by its own target": lambda g, t: ((g - t) / t).square().mean((1, 2)),
        "the lengths are compared, not the matrices": (
            lambda g, t: (_squares(g).sqrt() - _squares(t).sqrt()).square() / _squares(t)
        ),
        "only the diagonal is compared: which channels go together is lost": (
            lambda g, t: (g - t).diagonal(dim1=1, dim2=2).square().sum(1) / t.diagonal(dim1=1, dim2=2).square().sum(1)
        ),
        "one number for the whole batch": (lambda g, t: ((g - t).square().sum() / t.square().sum()).expand(len(g))),
    },
)
