"""The k nearest neighbours, from distances."""

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def top_k(distances: Tensor, k: int) -> Tensor:
    """Find the k images of the bank that are nearest to each query.

    Args:
        distances: (Q, N), query i to image j.
        k: How many.

    Returns:
        (Q, k) indices of images, the nearest first.
    """
    return distances.topk(k, dim=1, largest=False).indices


_ROWS = torch.tensor([[5.0, 1.0, 4.0, 2.0], [2.0, 9.0, 0.5, 7.0]])
_SQUARE = torch.tensor([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0], [1.0, 2.0, 0.0]])


def _nearest(title: str, distances: Tensor, k: int, expected: list[list[int]]) -> Check:
    return Check(title, {"distances": distances, "k": k}, torch.tensor(expected))


ENTRY = Entry(
    name="top_k",
    reference=top_k,
    stars=1,
    minutes=5,
    checks=[
        _nearest("the two nearest of four, the nearest first", _ROWS, 2, [[1, 3], [2, 0]]),
        _nearest("the nearest one keeps its axis", _ROWS, 1, [[1], [2]]),
        _nearest("all of them, in order", _ROWS, 4, [[1, 3, 2, 0], [2, 0, 3, 1]]),
        _nearest("an image that is its own neighbour is kept", _SQUARE, 2, [[0, 2], [1, 2], [2, 0]]),
    ],
    mistakes={
        "these are the largest distances: the nearest have the smallest": (
            lambda distances, k: distances.topk(k, dim=1).indices,
            lambda distances, k: distances.argsort(dim=1)[:, -k:],
        ),
        "these are the distances: the indices of the images were asked for": (
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
        "these are the ranks of the images: argsort once gives indices, twice gives ranks": (
            lambda distances, k: distances.argsort(dim=1).argsort(dim=1)[:, :k]
        ),
        "all images came out: keep the first k of each row": lambda distances, k: distances.argsort(dim=1),
        "only the k-th nearest came out: all k were asked for": (
            lambda distances, k: distances.kthvalue(k, dim=1).indices
        ),
    },
)
