"""Nearest neighbours of pictures, in the space of a layer's features or of pixels: what do features know?

Everything here works on rows (N, D), one for each picture, as :func:`~cs231n_viz.representation.features.features`
and :func:`~cs231n_viz.representation.features.pixels` make them.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Metric = Literal["l2", "cosine"]


class Nearest(NamedTuple):
    """The k nearest rows of a bank, nearest first: distances (Q, k) and their indices in the bank (Q, k)."""

    distances: Tensor
    indices: Tensor


def distances(queries: Tensor, bank: Tensor, *, metric: Metric = "l2") -> Tensor:
    """Compute the distance of every query from every row of a bank.

    Args:
        queries: (Q, D).
        bank: (N, D).
        metric: ``"l2"`` for Euclidean distance, ``"cosine"`` for one minus the cosine of the angle, which does not
            see the length of a feature vector. A row of zeros has no direction: its cosine is taken as 0.

    Returns:
        (Q, N), at least 0.

    Raises:
        ValueError: If the shapes do not fit, or there is no such metric.
    """
    if queries.ndim != 2 or bank.ndim != 2 or queries.shape[1] != bank.shape[1]:
        raise ValueError(f"wanted queries (Q, D) and bank (N, D), got {tuple(queries.shape)} and {tuple(bank.shape)}")
    if metric == "cosine":
        return (1 - F.normalize(queries) @ F.normalize(bank).T).clamp_min(0)
    if metric != "l2":
        raise ValueError(f"metric must be 'l2' or 'cosine', got {metric!r}")
    # cdist's own shortcut by a matrix product loses digits where rows are close, which is where neighbours are
    return torch.cdist(queries, bank, compute_mode="donot_use_mm_for_euclid_dist")


def nearest(queries: Tensor, bank: Tensor, k: int, metric: Metric = "l2", *, exclude_self: bool = False) -> Nearest:
    """Find the k rows of a bank that are nearest to each query.

    Args:
        queries: (Q, D).
        bank: (N, D).
        k: How many neighbours.
        metric: As in :func:`distances`.
        exclude_self: The queries are the bank itself; no row is its own neighbour.

    Returns:
        Distances and indices, each (Q, k), nearest first; of equally near rows the earlier one comes first.

    Raises:
        ValueError: If the bank has fewer than k rows to offer, or the shapes do not fit.
    """
    offered = len(bank) - exclude_self
    if not 1 <= k <= offered:
        raise ValueError(f"k must be from 1 to {offered}, the rows that the bank has to offer; got {k}")
    if exclude_self and len(queries) != len(bank):
        raise ValueError(f"exclude_self wants the bank as queries: got {len(queries)} queries, {len(bank)} rows")
    values, indices = [], []
    for start in range(0, len(queries), 256):  # a block at a time: all distances of 50 000 pictures take 10 GB
        block = distances(queries[start : start + 256], bank, metric=metric)
        if exclude_self:
            rows = torch.arange(len(block))
            block[rows, start + rows] = torch.inf
        ordered = block.sort(dim=1, stable=True)
        values.append(ordered.values[:, :k].clone())
        indices.append(ordered.indices[:, :k].clone())
    return Nearest(torch.cat(values), torch.cat(indices))


def purity(indices: Tensor, labels: Sequence[int] | Tensor, query_labels: Sequence[int] | Tensor) -> Tensor:
    """Compute the share of each query's neighbours that are of its class (purity at k).

    Args:
        indices: (Q, k), rows of the bank, as ``nearest`` returns them.
        labels: (N,) class of each row of the bank.
        query_labels: (Q,) class of each query.

    Returns:
        (Q,), shares in [0, 1].
    """
    neighbour_labels = torch.as_tensor(labels)[indices]
    return (neighbour_labels == torch.as_tensor(query_labels)[:, None]).float().mean(dim=1)
