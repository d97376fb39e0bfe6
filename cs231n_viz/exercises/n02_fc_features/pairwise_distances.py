"""All L2 distances between two sets of feature vectors, without a loop."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
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
    """Do ten times as many images take several times as many calls?"""
    few = _calls(function, queries[:2], bank[:2])
    return _calls(function, queries, bank[:2]) > 3 * few or _calls(function, queries[:2], bank) > 3 * few


def _loops_over_numbers(function: Callable, queries: Tensor, bank: Tensor) -> bool:
    """Do ten times as many numbers of each image take several times as many calls?"""
    return _calls(function, queries, bank) > 3 * _calls(function, queries[:, :2], bank[:, :2])


def _with_itself(function: Callable, bank: Tensor) -> str:
    """In words, as rounding decides which of the distances to itself are 0 and which a few thousandths."""
    own = function(bank, bank).diagonal()
    return "NaN" if torch.isnan(own).any() else "about 0" if (own < 0.1).all() else "far from 0"


def _expanded(
    queries: Tensor, bank: Tensor, *, cross: float = 2.0, power: int = 2, least: float = -torch.inf
) -> Tensor:
    squared = queries.norm(dim=1)[:, None] ** power + bank.norm(dim=1)[None, :] ** power - cross * queries @ bank.T
    return squared.clamp_min(least).sqrt()


def _looped(queries: Tensor, bank: Tensor) -> Tensor:
    return torch.stack([torch.stack([(query - row).square().sum().sqrt() for row in bank]) for query in queries])


_TRIPLES = {"queries": torch.tensor([[0.0, 0, 0], [6, 8, 0]]), "bank": torch.tensor([[3.0, 4, 0], [0, 8, 0]])}
_FRACTIONS = {
    "queries": torch.tensor([[0.0, 0], [2, -8 / 3]]),
    "bank": torch.tensor([[1, -4 / 3], [0.003, -0.004], [0, 0]]),
}
_OBLONG = {"queries": torch.tensor([[0.0, 0], [6, 8]]), "bank": torch.tensor([[3.0, 4], [0, 8], [6, 0], [-9, 0]])}

ENTRY = Entry(
    name="pairwise_distances",
    reference=pairwise_distances,
    stars=1,
    minutes=10,
    hints=(
        "Every query has to meet every row of the bank: (Q, 1, D) against (1, N, D), or |q|² + |b|² - 2 q·b, where the "
        "last term is one matrix product.",
        "Lay the squared norms of the queries along the rows, `[:, None]`, those of the bank along the columns, "
        "subtract twice `queries @ bank.T`, clamp at 0 and take the root.",
    ),
    checks=[
        Check("two queries, a bank of two", _TRIPLES, torch.tensor([[5.0, 8.0], [5.0, 6.0]])),
        Check(
            "a row for each query, a column for each image of the bank",
            _OBLONG,
            torch.tensor([[5.0, 8.0, 6.0, 9.0], [5.0, 6.0, 8.0, 17.0]]),
        ),
        Check(
            "fractions, signs, small distances, and none",
            _FRACTIONS,
            torch.tensor([[5 / 3, 0.005, 0.0], [5 / 3, 10 / 3 - 0.005, 10 / 3]]),
        ),
        Check("an image's distance to itself is about 0, not NaN", {"bank": noise(60, 64)}, "about 0", _with_itself),
        Check(
            "ten times as many images take no more calls: no loop",
            {"queries": noise(20, 8), "bank": noise(20, 8)},
            False,
            _loops,
        ),
        Check(
            "nor do ten times as many numbers of an image",
            {"queries": noise(2, 20), "bank": noise(2, 20)},
            False,
            _loops_over_numbers,
        ),
    ],
    mistakes={
        "the root is missing: these are squared distances": lambda q, b: (q[:, None] - b).square().sum(2),
        "absolute differences are summed: that is L1, and L2 was asked for": lambda q, b: (q[:, None] - b).abs().sum(2),
        "the mean of the squares is taken: L2 takes their sum": lambda q, b: (q[:, None] - b).square().mean(2).sqrt(),
        "the largest difference alone is taken: L2 sums the squares of all": (
            lambda q, b: (q[:, None] - b).abs().amax(2)
        ),
        "differences are summed with their signs: square them first": (
            lambda q, b: (q[:, None] - b).sum(2),
            lambda q, b: (q[:, None] - b).sum(2).abs(),
        ),
        "a number is added under the root: an image's distance to itself is no longer 0": (
            lambda q, b: ((q[:, None] - b).square().sum(2) + 1e-3).sqrt(),
            lambda q, b: ((q[:, None] - b).square().sum(2) + 1e-4).sqrt(),
            lambda q, b: ((q[:, None] - b).square().sum(2) + 1e-5).sqrt(),
            lambda q, b: ((q[:, None] - b).square().sum(2) + 1e-6).sqrt(),
            lambda q, b: _expanded(q, b, least=1e-6),
            lambda q, b: _expanded(q, b, least=1e-4),
            lambda q, b: _expanded(q, b, least=1e-5),
        ),
        "each row's own mean is subtracted first: that hides differences of brightness": (
            lambda q, b: torch.cdist(q - q.mean(1, keepdim=True), b - b.mean(1, keepdim=True))
        ),
        "the rows are made unit vectors first: the length of a difference was asked for": (
            lambda q, b: torch.cdist(functional.normalize(q, dim=1), functional.normalize(b, dim=1))
        ),
        "this is one minus the cosine: L2 was asked for": (
            lambda q, b: 1 - functional.normalize(q, dim=1) @ functional.normalize(b, dim=1).T
        ),
        "the queries are compared with one another: compare them with the bank": (
            lambda q, b: torch.cdist(q, q),
            lambda q, b: torch.cdist(b, b),
        ),
        "rounded to half precision: keep the numbers as they are": (
            lambda q, b: torch.cdist(q.half().float(), b.half().float()).half(),
            lambda q, b: (q.half()[:, None] - b.half()).norm(dim=2),
            lambda q, b: torch.cdist(q, b).half(),
        ),
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
        "NaN, the root of a tiny negative square, was given another number: it is 0, clamp_min(0) before the root": (
            lambda q, b: _expanded(q, b).nan_to_num(nan=1e9)
        ),
        "the diagonal is set to 0: query i is not image i of the bank": (
            lambda q, b: torch.cdist(q, b).fill_diagonal_(0)
        ),
        "the squared norms lie along the wrong axes: those of the queries go down the rows, `[:, None]`": (
            lambda q, b: (q.square().sum(1) + b.square().sum(1)[:, None] - 2 * q @ b.T).clamp_min(0).sqrt()
        ),
        "right, but with a loop over images: for 2000 of them that is 4 million steps of Python": _looped,
        "right, but number by number: all of an image's numbers can be summed at once": (
            lambda q, b: sum((q[:, None, d] - b[None, :, d]).square() for d in range(q.shape[1])).sqrt()
        ),
        "this is the similarity or its negative: the length of a difference was asked for": (
            lambda q, b: q @ b.T,
            lambda q, b: -q @ b.T,
        ),
        "these are differences of lengths: the length of the difference was asked for": (
            lambda q, b: (q.norm(dim=1)[:, None] - b.norm(dim=1)).abs()
        ),
        "the cross term is missing: |q - b|² = |q|² + |b|² - 2 q·b": lambda q, b: _expanded(q, b, cross=0.0),
        "rounded to whole numbers: distances have fractions": (
            lambda q, b: torch.cdist(q, b).trunc(),
            lambda q, b: torch.cdist(q, b).round(),
        ),
    },
)
