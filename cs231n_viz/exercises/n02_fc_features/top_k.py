"""The k nearest neighbours, from distances."""

from collections.abc import Callable
from typing import Any

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
_BELOW_ONE = torch.tensor([[0.9, 0.35, 0.3, 0.65, 0.05], [0.72, 0.7, 0.99, 0.71, 0.98]])
_SHUFFLED = (torch.arange(2000.0) * 787 % 2000)[None]  # 0 to 1999, each once
_TIED = torch.tensor([[250.0, 210.0, 230.0, 210.0, 90.0]])
_SQUARE = torch.tensor([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0], [1.0, 2.0, 0.0]])


def _pick(function: Callable[..., Any], distances: Tensor, k: int) -> Tensor:
    """What the indices pick out of each row: floats cannot stand for indices here, nor in a later cell."""
    rows = distances.clone()
    return torch.stack([row[places] for row, places in zip(rows, function(distances, k), strict=True)])


def _set(function: Callable[..., Any], distances: Tensor, k: int) -> Tensor:
    """The indices in rising order, as any order of equal distances is right."""
    return function(distances, k).sort(dim=1).values


def _nearest(title: str, distances: Tensor, k: int, expected: list[list[int]]) -> Check:
    return Check(title, {"distances": distances, "k": k}, torch.tensor(expected))


ENTRY = Entry(
    name="top_k",
    reference=top_k,
    stars=1,
    minutes=5,
    hints=(
        "Each row belongs to one query, and the nearest are the smallest. Do you need the distances, or the places "
        "where they stand?",
        "`argsort(dim=1)` gives the places from the smallest distance on; keep the first k of each row. `topk` with "
        "`largest=False` does both at once.",
    ),
    checks=[
        _nearest("the two nearest of four, the nearest first", _ROWS, 2, [[1, 3], [2, 0]]),
        _nearest("the nearest one keeps its axis", _ROWS, 1, [[1], [2]]),
        _nearest("distances between 0 and 1", _BELOW_ONE, 3, [[4, 2, 1], [1, 3, 0]]),
        _nearest(
            "numbers of any sign, such as minus a similarity", torch.tensor([[-2.0, 0.4, -3.0, 0.1]]), 3, [[2, 0, 3]]
        ),
        Check(
            "the indices can be used as such, images[indices]",
            {"distances": _ROWS, "k": 3},
            torch.tensor([[1.0, 2.0, 4.0], [0.5, 2.0, 7.0]]),
            _pick,
        ),
        Check(
            "five hundred of two thousand, the nearest first",
            {"distances": _SHUFFLED, "k": 500},
            torch.arange(500.0)[None],
            _pick,
        ),
        Check(
            "large distances, two of them equal: each image comes once",
            {"distances": _TIED, "k": 3},
            torch.tensor([[1, 3, 4]]),
            _set,
        ),
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
        "the nearest is skipped: nothing says that it is the query itself": (
            lambda distances, k: distances.argsort(dim=1)[:, 1 : k + 1]
        ),
        "these are the ranks of the images: argsort once gives indices, twice gives ranks": (
            lambda distances, k: distances.argsort(dim=1).argsort(dim=1)[:, :k]
        ),
        "these are whole numbers as floats: indices are integers, `long`": (
            lambda distances, k: distances.argsort(dim=1)[:, :k].float(),
            lambda distances, k: distances.argsort(dim=1)[:, :k].double(),
        ),
        "counted from 1: the first image has the index 0": lambda distances, k: distances.argsort(dim=1)[:, :k] + 1,
        "one too many came out: the first k are [:, :k]": lambda distances, k: distances.argsort(dim=1)[:, : k + 1],
        "one too few came out: the first k are [:, :k]": lambda distances, k: distances.argsort(dim=1)[:, : k - 1],
        "all queries are sorted together: each row is sorted by itself": (
            lambda distances, k: distances.flatten().topk(k, largest=False).indices,
            lambda distances, k: distances.flatten().argsort()[:k] % distances.shape[1],
        ),
        "squeezed: for k = 1 an axis of length 1 stays, (Q, 1)": (
            lambda distances, k: distances.argsort(dim=1)[:, :k].squeeze(),
            lambda distances, k: distances.argsort(dim=1)[:, :k].squeeze(1),
        ),
        "the axes are (k, Q): a row for each query": lambda distances, k: distances.argsort(dim=1)[:, :k].T,
        "an image at distance 0 is left out: nothing says that it is the query itself": (
            lambda distances, k: distances.masked_fill(distances == 0, torch.inf).argsort(dim=1)[:, :k]
        ),
        "an inverse or a magnitude turns negative numbers around: top_k also gets minus a similarity": (
            lambda distances, k: (1 / distances).topk(k, dim=1).indices,
            lambda distances, k: (1 / (distances + 1)).topk(k, dim=1).indices,
            lambda distances, k: (1 / distances.clamp_min(1e-9)).topk(k, dim=1).indices,
            lambda distances, k: distances.abs().argsort(dim=1)[:, :k],
        ),
        "an index is repeated where distances are equal: each image comes once": (
            lambda distances, k: torch.stack(
                [
                    (distances == near).int().argmax(dim=1)
                    for near in distances.sort(dim=1).values[:, :k].mT[:, :, None]
                ],
                1,
            )
        ),
        "exp(-distance) is 0 for large distances, which are then all alike: rank the distances themselves": (
            lambda distances, k: torch.exp(-distances).topk(k, dim=1).indices,
            lambda distances, k: torch.exp(-distances).sort(dim=1, descending=True, stable=True).indices[:, :k],
        ),
        "argpartition finds the k nearest, but does not sort them: the nearest first": (
            lambda distances, k: torch.from_numpy(distances.numpy().argpartition(k - 1, axis=1)[:, :k].copy())
        ),
        "only the first k images are looked at: sort the whole row, then keep k": (
            lambda distances, k: distances[:, :k].argsort(dim=1)
        ),
        "only the very nearest is repeated k times": (
            lambda distances, k: distances.argmin(dim=1, keepdim=True).expand(-1, k)
        ),
        "k is fixed: use the argument": lambda distances, k: distances.argsort(dim=1)[:, :2],
        "this is a mask: the indices of the nearest were asked for": (
            lambda distances, k: distances <= distances.kthvalue(k, dim=1, keepdim=True).values
        ),
        "only the first query is answered": (
            lambda distances, k: distances[0].argsort()[:k],
            lambda distances, k: distances[:1].argsort(dim=1)[:, :k],
        ),
        "the distances are rounded to whole numbers: keep their fractions": (
            lambda distances, k: distances.long().sort(dim=1, stable=True).indices[:, :k],
            lambda distances, k: distances.round().sort(dim=1, stable=True).indices[:, :k],
        ),
        "all images came out: keep the first k of each row": lambda distances, k: distances.argsort(dim=1),
        "only the k-th nearest came out: all k were asked for": (
            lambda distances, k: distances.kthvalue(k, dim=1).indices
        ),
    },
)
