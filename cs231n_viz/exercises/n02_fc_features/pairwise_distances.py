"""All L2 distances between two sets of feature vectors, without a loop."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import noise


def pairwise_distances(queries: Tensor, bank: Tensor) -> Tensor:
    """Compute the L2 distance of every query to every image of the bank, without a loop.

    Args:
        queries: (Q, D), one row of numbers per image.
        bank: (N, D), likewise.

    Returns:
        (Q, N): the root of the sum of squared differences, row i for query i. Never NaN.
    """
    squared = queries.square().sum(1)[:, None] + bank.square().sum(1)[None, :] - 2 * queries @ bank.T
    return squared.clamp_min(0).sqrt()  # rounding may leave -1e-7 between an image and itself, and its root is NaN


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


_TRIPLES = {"queries": torch.tensor([[0.0, 0, 0], [6, 8, 0]]), "bank": torch.tensor([[3.0, 4, 0], [0, 8, 0]])}
_OBLONG = {"queries": torch.tensor([[0.0, 0], [6, 8]]), "bank": torch.tensor([[3.0, 4], [0, 8], [6, 0], [-9, 0]])}

ENTRY = Entry(
    name="pairwise_distances",
    reference=pairwise_distances,
    stars=1,
    minutes=10,
    checks=[
        Check("two queries, a bank of two", _TRIPLES, torch.tensor([[5.0, 8.0], [5.0, 6.0]])),
        Check(
            "a row for each query, a column for each image of the bank",
            _OBLONG,
            torch.tensor([[5.0, 8.0, 6.0, 9.0], [5.0, 6.0, 8.0, 17.0]]),
        ),
        Check("an image's distance to itself is not NaN", {"bank": noise(200, 64)}, False, _nan_with_itself),
        Check(
            "ten times as many images take no more calls: no loop",
            {"queries": noise(40, 8), "bank": noise(40, 8)},
            False,
            _loops,
        ),
    ],
    mistakes={
        "the root is missing: these are squared distances": lambda q, b: (q[:, None] - b).square().sum(2),
        "absolute differences are summed: that is L1, and L2 was asked for": lambda q, b: (q[:, None] - b).abs().sum(2),
        "the mean of the squares is taken: L2 takes their sum": lambda q, b: (q[:, None] - b).square().mean(2).sqrt(),
        "row i meets only row i: `queries[:, None] - bank[None]` lets every query meet every row": (
            lambda q, b: (q - b).norm(dim=1)
        ),
        "summed along the wrong axis: the numbers of an image are the last one": (
            lambda q, b: (q[:, None] - b).square().sum(1).sqrt(),
            lambda q, b: (q[:, None] - b).square().sum(0).sqrt(),
        ),
        "queries and bank are swapped: a row belongs to a query": lambda q, b: torch.cdist(b, q),
        "the cross term lacks its 2: |q - b|² = |q|² + |b|² - 2 q·b": lambda q, b: _expanded(q, b, cross=1.0),
        "the cross term is added: |q - b|² = |q|² + |b|² minus twice q·b": lambda q, b: _expanded(q, b, cross=-2.0),
        "the norms are not squared: |q - b|² needs |q|² and |b|²": lambda q, b: _expanded(q, b, power=1),
        "rounding makes tiny squares negative, and their root is NaN: clamp_min(0) before the root": _expanded,
        "right, but with a loop over images: for 2000 of them that is 4 million steps of Python": _looped,
    },
)
