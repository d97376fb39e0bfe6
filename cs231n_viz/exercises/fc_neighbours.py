"""Exercises of notebook 02: who is nearest, and how many of the nearest are of one's own class?"""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def top_k(distances: Tensor, k: int) -> Tensor:
    """Which k pictures of the bank are nearest to each query?

    Args:
        distances: (Q, N), query i to picture j.
        k: How many.

    Returns:
        (Q, k) indices of pictures, the nearest first.
    """
    return distances.topk(k, dim=1, largest=False).indices


_ROWS = torch.tensor([[5.0, 1.0, 4.0, 2.0], [2.0, 9.0, 0.5, 7.0]])
_SQUARE = torch.tensor([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0], [1.0, 2.0, 0.0]])

_TOP_K = Entry(
    name="top_k",
    reference=top_k,
    stars=1,
    minutes=5,
    checks=[
        Check(
            "the two nearest of four, the nearest first", {"distances": _ROWS, "k": 2}, torch.tensor([[1, 3], [2, 0]])
        ),
        Check("the nearest one keeps its axis", {"distances": _ROWS, "k": 1}, torch.tensor([[1], [2]])),
        Check("all of them, in order", {"distances": _ROWS, "k": 4}, torch.tensor([[1, 3, 2, 0], [2, 0, 3, 1]])),
        Check(
            "a picture that is its own neighbour is kept",
            {"distances": _SQUARE, "k": 2},
            torch.tensor([[0, 2], [1, 2], [2, 0]]),
        ),
    ],
    mistakes={
        "these are the largest distances: the nearest have the smallest": (
            lambda distances, k: distances.topk(k, dim=1).indices,
            lambda distances, k: distances.argsort(dim=1)[:, -k:],
        ),
        "these are the distances: the indices of the pictures were asked for": (
            lambda distances, k: distances.sort(dim=1).values[:, :k]
        ),
        "the nearest come last: they were asked for first": (
            lambda distances, k: distances.topk(k, dim=1, largest=False).indices.flip(1)
        ),
        "ordered by index: order them by distance": (
            lambda distances, k: distances.topk(k, dim=1, largest=False).indices.sort(dim=1).values
        ),
        "sorted down the columns: each row belongs to one query": (
            lambda distances, k: distances.argsort(dim=0)[:, :k],
            lambda distances, k: distances.argsort(dim=0)[:k].T,
        ),
        "the nearest is left out: nothing says that it is the query itself": (
            lambda distances, k: distances.argsort(dim=1)[:, 1 : k + 1]
        ),
        "these are the ranks of the pictures: argsort once gives indices, twice gives ranks": (
            lambda distances, k: distances.argsort(dim=1).argsort(dim=1)[:, :k]
        ),
        "all pictures came out: keep the first k of each row": lambda distances, k: distances.argsort(dim=1),
        "only the k-th nearest came out: all k were asked for": (
            lambda distances, k: distances.kthvalue(k, dim=1).indices
        ),
    },
)


def purity_at_k(indices: Tensor, labels: Tensor, query_labels: Tensor) -> Tensor:
    """Which share of each query's neighbours is of its class?

    Args:
        indices: (Q, k), the neighbours of each query as indices into the bank.
        labels: (N,), the class of each picture of the bank.
        query_labels: (Q,), the class of each query.

    Returns:
        (Q,) in [0, 1].
    """
    return (labels[indices] == query_labels[:, None]).float().mean(dim=1)


def _found(rule: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A mistaken ``purity_at_k`` from a rule of indices, labels and query labels."""
    return lambda indices, labels, query_labels: rule(indices, labels, query_labels)


def _matches(indices: Tensor, labels: Tensor, query_labels: Tensor) -> Tensor:
    return (labels[indices] == query_labels[:, None]).float()


def _largest_class(indices: Tensor, labels: Tensor, query_labels: Tensor) -> Tensor:
    found = labels[indices]
    return (found[:, :, None] == found[:, None, :]).float().mean(2).amax(1)


_LABELS = torch.tensor([2, 0, 1, 2, 2, 0])
_PURITY_AT_K = Entry(
    name="purity_at_k",
    reference=purity_at_k,
    stars=1,
    minutes=5,
    checks=[
        Check(
            "three queries with three neighbours each",
            {
                "indices": torch.tensor([[2, 3, 0], [1, 4, 5], [1, 0, 3]]),
                "labels": _LABELS,
                "query_labels": torch.tensor([2, 0, 1]),
            },
            torch.tensor([2 / 3, 2 / 3, 0.0]),
        ),
        Check(
            "four neighbours of two queries",
            {
                "indices": torch.tensor([[4, 0, 3, 1], [5, 2, 1, 0]]),
                "labels": _LABELS,
                "query_labels": torch.tensor([2, 1]),
            },
            torch.tensor([0.75, 0.25]),
        ),
    ],
    mistakes={
        "these are counts: divide by k": _found(lambda i, n, q: _matches(i, n, q).sum(1)),
        "divided by the size of the class: that is the recall, purity divides by k": (
            _found(lambda i, n, q: _matches(i, n, q).sum(1) / (n[None] == q[:, None]).sum(1))
        ),
        "one number for all came out: one for each query was asked for": _found(
            lambda i, n, q: _matches(i, n, q).mean()
        ),
        "averaged over the queries: average over the neighbours of each": _found(
            lambda i, n, q: _matches(i, n, q).mean(0)
        ),
        "the indices themselves are compared: look up their classes, labels[indices]": (
            _found(lambda i, n, q: (i == q[:, None]).float().mean(1))
        ),
        "column j is compared with query j: query_labels[:, None] goes down the rows": (
            _found(lambda i, n, q: (n[i] == q).float().mean(1))
        ),
        "a majority vote: the share itself was asked for": _found(
            lambda i, n, q: (_matches(i, n, q).mean(1) > 0.5).float()
        ),
        "1 wherever any neighbour fits: the share of those that fit was asked for": _found(
            lambda i, n, q: _matches(i, n, q).amax(1)
        ),
        "only the nearest neighbour counts: all k were asked for": _found(lambda i, n, q: _matches(i, n, q)[:, 0]),
        "the most frequent class among the neighbours is counted: count the query's class": _found(_largest_class),
        "this is the share of wrong neighbours": _found(lambda i, n, q: 1 - _matches(i, n, q).mean(1)),
    },
)

ENTRIES = [_TOP_K, _PURITY_AT_K]
