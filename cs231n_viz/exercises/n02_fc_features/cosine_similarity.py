"""Cosine similarity of two sets of feature vectors."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry


def cosine_similarity(queries: Tensor, bank: Tensor) -> Tensor:
    """Compute the cosine of the angle between every query and every row of the bank, whatever their lengths.

    Args:
        queries: (Q, D).
        bank: (N, D).

    Returns:
        (Q, N) in [-1, 1]: the cosine of the angle between query i and row j. A row of zeros has no direction; its
        similarity to anything is 0.
    """
    lengths = queries.norm(dim=1)[:, None] * bank.norm(dim=1)[None, :]  # (Q, N)
    return queries @ bank.T / torch.where(lengths == 0, 1.0, lengths)


def _cosines(queries: Tensor, bank: Tensor, *, order: float = 2.0, dim: int = 1) -> Tensor:
    queries, bank = (F.normalize(rows, p=order, dim=dim) for rows in (queries, bank))
    return queries @ bank.T


def _lengths(queries: Tensor, bank: Tensor) -> Tensor:
    return queries.norm(dim=1)[:, None] * bank.norm(dim=1)[None, :]


def _cosine(title: str, queries: list[list[float]], bank: list[list[float]], expected: list[list[float]]) -> Check:
    return Check(title, {"queries": torch.tensor(queries), "bank": torch.tensor(bank)}, torch.tensor(expected))


ENTRY = Entry(
    name="cosine_similarity",
    reference=cosine_similarity,
    stars=1,
    minutes=5,
    hints=(
        "All scalar products are one matrix product. By which two lengths is each of them divided?",
        "`queries.norm(dim=1)[:, None] * bank.norm(dim=1)` is (Q, N). Put 1 where it is zero, then divide "
        "`queries @ bank.T` by it.",
    ),
    checks=[
        _cosine(
            "24/25 between (3, 4) and (4, 3), and a right angle",
            [[3.0, 4], [4, -3]],
            [[4.0, 3], [6, 8]],
            [[0.96, 1.0], [0.28, 0.0]],
        ),
        _cosine(
            "opposite rows have -1, and the length does not matter",
            [[1.0, 2, 2]],
            [[-3.0, -6, -6], [100, 200, 200], [2, -1, 0]],
            [[-1.0, 1.0, 0.0]],
        ),
        _cosine(
            "short rows have the same cosines as long ones",
            [[3e-4, 4e-4], [0.12, -0.05]],
            [[0.04, 0.03], [0.0, 0.002], [-60.0, -80.0]],
            [[0.96, 0.8, -1.0], [33 / 65, -5 / 13, -16 / 65]],
        ),
        _cosine(
            "a row of zeros has similarity 0",
            [[3.0, 4], [0, 0]],
            [[0.0, 0], [8, 6], [0, 1]],
            [[0.0, 0.96, 0.8], [0.0, 0.0, 0.0]],
        ),
    ],
    mistakes={
        "these are the scalar products: divide by both lengths": lambda q, b: q @ b.T,
        "divided by the length of the query only": lambda q, b: q @ b.T / q.norm(dim=1)[:, None],
        "divided by the length of the row of the bank only": lambda q, b: q @ b.T / b.norm(dim=1),
        "divided by the squared lengths": lambda q, b: q @ b.T / _lengths(q, b) ** 2,
        "divided by the sum of the two lengths: their product is needed": (
            lambda q, b: q @ b.T / (q.norm(dim=1)[:, None] + b.norm(dim=1)),
            lambda q, b: 2 * q @ b.T / (q.norm(dim=1)[:, None] + b.norm(dim=1)).clamp_min(1e-12),
        ),
        "this is 1 minus the cosine, a distance: the similarity was asked for": lambda q, b: 1 - _cosines(q, b),
        "the rows are divided by the sum of their magnitudes: the L2 norm makes them unit vectors": (
            lambda q, b: _cosines(q, b, order=1.0)
        ),
        "normalised along the wrong axis: each row is an image": lambda q, b: _cosines(q, b, dim=0),
        "each row's mean is subtracted first: that is the correlation": (
            lambda q, b: _cosines(q - q.mean(1, keepdim=True), b - b.mean(1, keepdim=True))
        ),
        "row i meets only row i of the bank: all pairs were asked for": lambda q, b: F.cosine_similarity(q, b),
        "negative cosines are cut off: the cosine goes down to -1": lambda q, b: _cosines(q, b).clamp_min(0),
        "moved to [0, 1]: the cosine goes from -1 to 1": lambda q, b: (1 + _cosines(q, b)) / 2,
        "divided by the length of the whole matrix: each row has its own": (
            lambda q, b: q @ b.T / (q.norm() * b.norm()),
            lambda q, b: q @ b.T / b.norm(),
        ),
        "divided by the largest of the scalar products: divide each by its two lengths": (
            lambda q, b: (q @ b.T) / (q @ b.T).abs().amax(1, keepdim=True).clamp_min(1e-12),
            lambda q, b: (q @ b.T) / (q @ b.T).amax(1, keepdim=True),
            lambda q, b: (q @ b.T) / (q @ b.T).abs().max(),
            lambda q, b: (q @ b.T) / (q @ b.T).max(),
        ),
        "softmax gives shares: a cosine depends on two vectors alone": (
            lambda q, b: (q @ b.T).softmax(1),
            lambda q, b: _cosines(q, b).softmax(1),
        ),
        "the lengths are kept above a number, so that short rows seem less alike: only zero needs care": (
            lambda q, b: q @ b.T / (q.norm(dim=1).clamp_min(1)[:, None] * b.norm(dim=1).clamp_min(1)),
            lambda q, b: q @ b.T / _lengths(q, b).clamp_min(1),
            lambda q, b: q @ b.T / _lengths(q, b).clamp_min(0.1),
            lambda q, b: q @ b.T / _lengths(q, b).clamp_min(0.01),
            lambda q, b: q @ b.T / _lengths(q, b).clamp_min(1e-3),
            lambda q, b: q @ b.T / _lengths(q, b).clamp_min(1e-4),
            lambda q, b: q @ b.T / _lengths(q, b).clamp_min(1e-5),
            lambda q, b: q @ b.T / (_lengths(q, b) + 1),
            lambda q, b: q @ b.T / (_lengths(q, b) + 1e-2),
            lambda q, b: q @ b.T / (_lengths(q, b) + 1e-3),
            lambda q, b: q @ b.T / (_lengths(q, b) + 1e-4),
            lambda q, b: q @ b.T / (_lengths(q, b) + 1e-5),
            lambda q, b: q @ b.T / (_lengths(q, b) + 1e-6),
            lambda q, b: q @ b.T / (_lengths(q, b) + 1e-8),
            lambda q, b: (q / (q.norm(dim=1) + 1e-2)[:, None]) @ (b / (b.norm(dim=1) + 1e-2)[:, None]).T,
            lambda q, b: (q / (q.norm(dim=1) + 1e-3)[:, None]) @ (b / (b.norm(dim=1) + 1e-3)[:, None]).T,
            lambda q, b: (q / (q.norm(dim=1) + 1e-4)[:, None]) @ (b / (b.norm(dim=1) + 1e-4)[:, None]).T,
            lambda q, b: (q / (q.norm(dim=1) + 1e-5)[:, None]) @ (b / (b.norm(dim=1) + 1e-5)[:, None]).T,
        ),
        "a row of zeros is given a cosine of 1 or -1: it has no direction, and the answer asked for is 0": (
            lambda q, b: torch.where(_lengths(q, b) == 0, 1.0, _cosines(q, b)),
            lambda q, b: torch.where(_lengths(q, b) == 0, -1.0, _cosines(q, b)),
        ),
        "the length is a mean of squares: it is the root of their sum": (
            lambda q, b: q @ b.T / (_lengths(q, b) / q.shape[1]).clamp_min(1e-12)
        ),
        "rounded: a cosine has more than a few digits": (
            lambda q, b: _cosines(q, b).mul(100).round() / 100,
            lambda q, b: _cosines(q, b).mul(1000).round() / 1000,
            lambda q, b: _cosines(q, b).half(),
        ),
        "this is the sine, or the cosine squared": (
            lambda q, b: (1 - _cosines(q, b).square()).clamp_min(0).sqrt(),
            lambda q, b: _cosines(q, b).square(),
        ),
        "the queries are compared with one another: compare them with the bank": (
            lambda q, b: _cosines(q, q),
            lambda q, b: _cosines(b, b),
        ),
        "these are distances of unit vectors: the cosine was asked for": (
            lambda q, b: torch.cdist(F.normalize(q, dim=1), F.normalize(b, dim=1)),
            lambda q, b: 2 - 2 * _cosines(q, b),
        ),
        "the rows are divided by their largest magnitude: the L2 norm makes them of length 1": (
            lambda q, b: _cosines(q, b, order=float("inf"))
        ),
        "the sign is lost: opposite rows have -1": lambda q, b: _cosines(q, b).abs(),
        "this is the angle: its cosine was asked for": lambda q, b: _cosines(q, b).clamp(-1, 1).acos(),
        "0 / 0 is NaN: a row of zeros needs care": lambda q, b: q @ b.T / _lengths(q, b),
    },
)
