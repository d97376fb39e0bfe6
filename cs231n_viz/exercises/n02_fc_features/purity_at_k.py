"""Purity of the nearest neighbours: the share of the query's class among them."""

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def purity_at_k(indices: Tensor, labels: Tensor, query_labels: Tensor) -> Tensor:
    """Compute the share of each query's neighbours that are of its class.

    Args:
        indices: (Q, k), the neighbours of each query as indices into the bank.
        labels: (N,), the class of each image of the bank.
        query_labels: (Q,), the class of each query.

    Returns:
        (Q,) in [0, 1].
    """
    return (labels[indices] == query_labels[:, None]).float().mean(dim=1)


def _matches(indices: Tensor, labels: Tensor, query_labels: Tensor) -> Tensor:
    return (labels[indices] == query_labels[:, None]).float()


def _largest_class(indices: Tensor, labels: Tensor, query_labels: Tensor) -> Tensor:
    classes = labels[indices]
    return (classes[:, :, None] == classes[:, None, :]).float().mean(2).amax(1)


def _neighbours(title: str, indices: list[list[int]], query_labels: list[int], expected: list[float]) -> Check:
    fed = {"indices": indices, "labels": [2, 0, 1, 2, 2, 0], "query_labels": query_labels}
    return Check(title, {name: torch.tensor(values) for name, values in fed.items()}, torch.tensor(expected))


ENTRY = Entry(
    name="purity_at_k",
    reference=purity_at_k,
    stars=1,
    minutes=5,
    checks=[
        _neighbours(
            "three queries with three neighbours each",
            [[2, 3, 0], [1, 4, 5], [1, 0, 3]],
            [2, 0, 1],
            [2 / 3, 2 / 3, 0.0],
        ),
        _neighbours("four neighbours of two queries", [[4, 0, 3, 1], [5, 2, 1, 0]], [2, 1], [0.75, 0.25]),
    ],
    mistakes={  # of indices i, labels n, query labels q
        "these are counts: divide by k": lambda i, n, q: _matches(i, n, q).sum(1),
        "divided by the size of the class: that is the recall, purity divides by k": (
            lambda i, n, q: _matches(i, n, q).sum(1) / (n[None] == q[:, None]).sum(1)
        ),
        "one number for all came out: one for each query was asked for": lambda i, n, q: _matches(i, n, q).mean(),
        "averaged over the queries: average over the neighbours of each": lambda i, n, q: _matches(i, n, q).mean(0),
        "the indices themselves are compared: look up their classes, labels[indices]": (
            lambda i, n, q: (i == q[:, None]).float().mean(1)
        ),
        "column j is compared with query j: query_labels[:, None] goes down the rows": (
            lambda i, n, q: (n[i] == q).float().mean(1)
        ),
        "a majority vote: the share itself was asked for": (lambda i, n, q: (_matches(i, n, q).mean(1) > 0.5).float()),
        "1 wherever any neighbour matches: the share of those that match was asked for": (
            lambda i, n, q: _matches(i, n, q).amax(1)
        ),
        "only the nearest neighbour counts: all k were asked for": lambda i, n, q: _matches(i, n, q)[:, 0],
        "the most frequent class among the neighbours is counted: count the query's class": _largest_class,
        "this is the share of wrong neighbours": lambda i, n, q: 1 - _matches(i, n, q).mean(1),
    },
)
