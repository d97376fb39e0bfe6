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
    hints=(
        "`indices` are places in the bank, not classes: which tensor tells the class of each neighbour?",
        "`labels[indices]` is (Q, k); compare it with the queries' labels as a column, `[:, None]`, and take the mean "
        "along each row as floats.",
    ),
    checks=[
        _neighbours(
            "three queries with three neighbours each",
            [[2, 3, 0], [1, 4, 5], [1, 0, 3]],
            [2, 0, 1],
            [2 / 3, 2 / 3, 0.0],
        ),
        _neighbours("five neighbours of one query", [[0, 1, 3, 5, 4]], [2], [0.6]),
        _neighbours("all of its class, and a query of a class apart", [[3, 4], [1, 2], [5, 1]], [2, 7, 0], [1.0, 0, 1]),
        _neighbours("four neighbours of two queries", [[4, 0, 3, 1], [5, 2, 1, 0]], [2, 1], [0.75, 0.25]),
    ],
    mistakes={  # of indices i, labels n, query labels q
        "these are counts: divide by k": lambda i, n, q: _matches(i, n, q).sum(1),
        "divided by the size of the class: that is the recall, purity divides by k": (
            lambda i, n, q: _matches(i, n, q).sum(1) / (n[None] == q[:, None]).sum(1)
        ),
        "`//` and `all` leave only 0 and 1: divide with `/`, or take the mean as floats": (
            lambda i, n, q: _matches(i, n, q).sum(1) // i.shape[1]
        ),
        "booleans have no mean in PyTorch: turn them into floats first, `.float()`": (
            lambda i, n, q: (n[i] == q[:, None]).mean(dim=1)
        ),
        "k is fixed at 5: divide by the number of neighbours that came, indices.shape[1]": (
            lambda i, n, q: _matches(i, n, q).sum(1) / 5
        ),
        "the neighbours are looked at only up to the first of another class: all k count": (
            lambda i, n, q: _matches(i, n, q).cumprod(1).mean(1)
        ),
        "the classes among the neighbours are counted: count the query's own class": (
            lambda i, n, q: torch.tensor([1 / len(set(n[row].tolist())) for row in i]),
            lambda i, n, q: torch.tensor([len(set(n[row].tolist())) / len(row) for row in i]),
        ),
        "this is the share of the query's class in the whole bank: only its neighbours count": (
            lambda i, n, q: (n[None] == q[:, None]).float().mean(1)
        ),
        "labels are subtracted as if they were numbers: they are equal or not": (
            lambda i, n, q: (n[i] - q[:, None]).abs().float().mean(1)
        ),
        "an image with the number of the query is left out: the bank does not hold the queries": (
            lambda i, n, q: (_matches(i, n, q) * (i != torch.arange(len(q))[:, None])).mean(1)
        ),
        "divided by the size of the bank: divide by k, the neighbours of one query": (
            lambda i, n, q: _matches(i, n, q).sum(1) / len(n)
        ),
        "divided by the number of queries: divide by k": lambda i, n, q: _matches(i, n, q).sum(1) / len(q),
        "divided by k + 1 or k - 1: the query is not among its neighbours here": (
            lambda i, n, q: _matches(i, n, q).sum(1) / (i.shape[1] + 1),
            lambda i, n, q: _matches(i, n, q).sum(1) / (i.shape[1] - 1),
        ),
        "the first or the last neighbour is left out: all k were asked for": (
            lambda i, n, q: _matches(i, n, q)[:, 1:].mean(1),
            lambda i, n, q: _matches(i, n, q)[:, :-1].mean(1),
            lambda i, n, q: _matches(i, n, q)[:, 1:].sum(1) / i.shape[1],
        ),
        "these are percent: a share lies in [0, 1]": lambda i, n, q: 100 * _matches(i, n, q).mean(1),
        "rounded: a third has more than a few digits": (
            lambda i, n, q: _matches(i, n, q).mean(1).mul(100).round() / 100,
            lambda i, n, q: _matches(i, n, q).mean(1).mul(10).round() / 10,
            lambda i, n, q: _matches(i, n, q).mean(1).mul(1000).round() / 1000,
        ),
        "the nearest neighbour is taken for the query: its class is in `query_labels`": (
            lambda i, n, q: (n[i] == n[i[:, :1]]).float().mean(1),
            lambda i, n, q: (n[i[:, 1:]] == n[i[:, :1]]).float().mean(1),
        ),
        "the queries' labels are looked up in the bank: they are classes already": (
            lambda i, n, q: (n[i] == n[q.clamp_max(len(n) - 1)][:, None]).float().mean(1)
        ),
        "the queries are taken for the first images of the bank: their classes are `query_labels`": (
            lambda i, n, q: (n[i] == n[: len(q), None]).float().mean(1)
        ),
        "later neighbours count less: the plain share was asked for": (
            lambda i, n, q: (_matches(i, n, q) / torch.arange(1, i.shape[1] + 1)).mean(1),
            lambda i, n, q: (
                (_matches(i, n, q) / torch.arange(1, i.shape[1] + 1)).sum(1)
                / (1 / torch.arange(1, i.shape[1] + 1)).sum()
            ),
            lambda i, n, q: (_matches(i, n, q).cumsum(1) / torch.arange(1, i.shape[1] + 1)).mean(1),
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
