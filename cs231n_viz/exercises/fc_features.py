"""Exercises of notebook 02: how far apart are two rows of features?"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from cs231n_viz.exercises import fc_affinity, fc_embedding, fc_neighbours
from cs231n_viz.exercises.core import Check, Entry


def pairwise_distances(queries: Tensor, bank: Tensor) -> Tensor:
    """How far is every query from every picture of the bank? L2, without a loop.

    Args:
        queries: (Q, D), one row of numbers per picture.
        bank: (N, D), likewise.

    Returns:
        (Q, N): the root of the sum of squared differences, row i for query i. Never NaN.
    """
    squared = queries.square().sum(1)[:, None] + bank.square().sum(1)[None, :] - 2 * queries @ bank.T
    return squared.clamp_min(0).sqrt()  # rounding may leave -1e-7 where a picture meets itself, and its root is NaN


class _Counting(TorchFunctionMode):
    """Counts the calls into PyTorch while it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None) -> object:
        self.calls += 1
        return func(*args, **(kwargs or {}))


def _calls(function: Callable, queries: Tensor, bank: Tensor) -> int:
    with _Counting() as counter:
        function(queries, bank)
    return counter.calls


def _loops(function: Callable, queries: Tensor, bank: Tensor) -> bool:
    """Does ten times the work take several times as many calls?"""
    few = _calls(function, queries[:4], bank[:4])
    return _calls(function, queries, bank[:4]) > 3 * few or _calls(function, queries[:4], bank) > 3 * few


def _nan_with_itself(function: Callable, bank: Tensor) -> bool:
    return bool(torch.isnan(function(bank, bank)).any())


def _expanded(queries: Tensor, bank: Tensor, *, cross: float = 2.0, power: int = 2) -> Tensor:
    squared = queries.norm(dim=1)[:, None] ** power + bank.norm(dim=1)[None, :] ** power - cross * queries @ bank.T
    return squared.sqrt()


def _looped(queries: Tensor, bank: Tensor) -> Tensor:
    return torch.stack([torch.stack([(query - row).square().sum().sqrt() for row in bank]) for query in queries])


def _pairs(rule: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """A mistaken answer from a rule of queries and bank."""
    return lambda queries, bank: rule(queries, bank)


def _noise(rows: int, columns: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))


_TRIPLES = {"queries": torch.tensor([[0.0, 0, 0], [6, 8, 0]]), "bank": torch.tensor([[3.0, 4, 0], [0, 8, 0]])}
_OBLONG = {"queries": torch.tensor([[0.0, 0], [6, 8]]), "bank": torch.tensor([[3.0, 4], [0, 8], [6, 0], [-9, 0]])}

_PAIRWISE_DISTANCES = Entry(
    name="pairwise_distances",
    reference=pairwise_distances,
    stars=1,
    minutes=10,
    checks=[
        Check("two queries, a bank of two", _TRIPLES, torch.tensor([[5.0, 8.0], [5.0, 6.0]])),
        Check(
            "a row for each query, a column for each picture of the bank",
            _OBLONG,
            torch.tensor([[5.0, 8.0, 6.0, 9.0], [5.0, 6.0, 8.0, 17.0]]),
        ),
        Check("a picture's distance to itself is not NaN", {"bank": _noise(200, 64)}, False, _nan_with_itself),
        Check(
            "ten times as many pictures take no more calls: no loop",
            {"queries": _noise(40, 8), "bank": _noise(40, 8)},
            False,
            _loops,
        ),
    ],
    mistakes={
        "the root is missing: these are squared distances": _pairs(lambda q, b: (q[:, None] - b).square().sum(2)),
        "absolute differences are summed: that is L1, and L2 was asked for": _pairs(
            lambda q, b: (q[:, None] - b).abs().sum(2)
        ),
        "the mean of the squares is taken: L2 takes their sum": _pairs(
            lambda q, b: (q[:, None] - b).square().mean(2).sqrt()
        ),
        "row i meets only row i: `queries[:, None] - bank[None]` lets every query meet every row": (
            lambda queries, bank: (queries - bank).norm(dim=1)
        ),
        "summed along the wrong axis: the numbers of a picture are the last one": (
            _pairs(lambda q, b: (q[:, None] - b).square().sum(1).sqrt()),
            _pairs(lambda q, b: (q[:, None] - b).square().sum(0).sqrt()),
        ),
        "queries and bank are swapped: a row belongs to a query": lambda queries, bank: torch.cdist(bank, queries),
        "the cross term lacks its 2: |q - b|² = |q|² + |b|² - 2 q·b": _pairs(lambda q, b: _expanded(q, b, cross=1.0)),
        "the cross term is added: |q - b|² = |q|² + |b|² minus twice q·b": _pairs(
            lambda q, b: _expanded(q, b, cross=-2.0)
        ),
        "the norms are not squared: |q - b|² needs |q|² and |b|²": _pairs(lambda q, b: _expanded(q, b, power=1)),
        "rounding makes tiny squares negative, and their root is NaN: clamp_min(0) before the root": _pairs(_expanded),
        "right, but with a loop over pictures: for 2000 of them that is 4 million steps of Python": _pairs(_looped),
    },
)


def cosine_similarity(queries: Tensor, bank: Tensor) -> Tensor:
    """Do two rows of features point the same way, however long they are?

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
    queries, bank = (functional.normalize(rows, p=order, dim=dim) for rows in (queries, bank))
    return queries @ bank.T


def _lengths(queries: Tensor, bank: Tensor) -> Tensor:
    return queries.norm(dim=1)[:, None] * bank.norm(dim=1)[None, :]


_COSINE_SIMILARITY = Entry(
    name="cosine_similarity",
    reference=cosine_similarity,
    stars=1,
    minutes=5,
    checks=[
        Check(
            "24/25 between (3, 4) and (4, 3), and a right angle",
            {"queries": torch.tensor([[3.0, 4], [4, -3]]), "bank": torch.tensor([[4.0, 3], [6, 8]])},
            torch.tensor([[0.96, 1.0], [0.28, 0.0]]),
        ),
        Check(
            "opposite rows have -1, and the length does not matter",
            {
                "queries": torch.tensor([[1.0, 2, 2]]),
                "bank": torch.tensor([[-3.0, -6, -6], [100, 200, 200], [2, -1, 0]]),
            },
            torch.tensor([[-1.0, 1.0, 0.0]]),
        ),
        Check(
            "a row of zeros has similarity 0",
            {"queries": torch.tensor([[3.0, 4], [0, 0]]), "bank": torch.tensor([[0.0, 0], [8, 6], [0, 1]])},
            torch.tensor([[0.0, 0.96, 0.8], [0.0, 0.0, 0.0]]),
        ),
    ],
    mistakes={
        "these are the scalar products: divide by both lengths": lambda queries, bank: queries @ bank.T,
        "divided by the length of the query only": _pairs(lambda q, b: q @ b.T / q.norm(dim=1)[:, None]),
        "divided by the length of the row of the bank only": _pairs(lambda q, b: q @ b.T / b.norm(dim=1)),
        "divided by the squared lengths": _pairs(lambda q, b: q @ b.T / _lengths(q, b) ** 2),
        "divided by the sum of the two lengths: their product is needed": (
            _pairs(lambda q, b: q @ b.T / (q.norm(dim=1)[:, None] + b.norm(dim=1)))
        ),
        "this is 1 minus the cosine, a distance: the similarity was asked for": _pairs(lambda q, b: 1 - _cosines(q, b)),
        "the rows are divided by the sum of their magnitudes: the L2 norm makes them unit vectors": (
            _pairs(lambda q, b: _cosines(q, b, order=1.0))
        ),
        "normalised along the wrong axis: each row is a picture": _pairs(lambda q, b: _cosines(q, b, dim=0)),
        "each row's mean is subtracted first: that is the correlation": (
            _pairs(lambda q, b: _cosines(q - q.mean(1, keepdim=True), b - b.mean(1, keepdim=True)))
        ),
        "row i meets only row i of the bank: all pairs were asked for": _pairs(functional.cosine_similarity),
        "the sign is lost: opposite rows have -1": _pairs(lambda q, b: _cosines(q, b).abs()),
        "this is the angle: its cosine was asked for": _pairs(lambda q, b: _cosines(q, b).clamp(-1, 1).acos()),
        "0 / 0 is NaN: a row of zeros needs care": _pairs(lambda q, b: q @ b.T / _lengths(q, b)),
    },
)

_LATER = [*fc_neighbours.ENTRIES, *fc_embedding.ENTRIES, *fc_affinity.ENTRIES]
ENTRIES = [_PAIRWISE_DISTANCES, _COSINE_SIMILARITY, *_LATER]  # in the order of the notebook
