"""What do features know? Nearest neighbours, PCA and t-SNE of a gallery in the space of a layer or of pixels.

Everything here works on rows: (N, D), one row per picture. :func:`~cs231n_viz.features.features` makes them.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Metric = Literal["l2", "cosine"]
Method = Literal["pca", "tsne"]


class Nearest(NamedTuple):
    """The k nearest rows of a bank, nearest first: distances (Q, k) and their indices in the bank (Q, k)."""

    distances: Tensor
    indices: Tensor


def distances(queries: Tensor, bank: Tensor, *, metric: Metric = "l2") -> Tensor:
    """How far is every query from every row of a bank?

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
    """Which rows of a bank are most like each query?

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
    """How many of a query's neighbours show what the query shows?

    Args:
        indices: (Q, k), rows of the bank, as ``nearest`` returns them.
        labels: (N,) class of each row of the bank.
        query_labels: (Q,) class of each query.

    Returns:
        (Q,), shares in [0, 1].
    """
    found = torch.as_tensor(labels)[indices]
    return (found == torch.as_tensor(query_labels)[:, None]).float().mean(dim=1)


def embed(features: Tensor, method: Method = "pca", *, seed: int = 0, perplexity: float = 30.0) -> Tensor:
    """Where do pictures lie in a plane that keeps what it can of their distances?

    PCA keeps the two directions of greatest variance. t-SNE keeps who is near whom; how far apart its groups lie and
    how large they are means nothing. It starts from the first PCA coordinates, so that equal features give equal
    maps for a given seed.

    Args:
        features: (N, D).
        method: ``"pca"`` or ``"tsne"``.
        seed: Of t-SNE.
        perplexity: Of t-SNE: about how many neighbours each picture is held to; below N.

    Returns:
        (N, 2). PCA coordinates are in the features' unit, and each direction points where its largest weight is
        positive.

    Raises:
        ValueError: If there is no such method, or the perplexity is not below N.

    Source: van der Maaten & Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008, eq. 4; scikit-learn computes it
        by Barnes and Hut's approximation, after reducing to at most 50 principal components as section 4.2 does.
    """
    if method == "pca":
        return _principal(features, 2)[0]
    if method != "tsne":
        raise ValueError(f"method must be 'pca' or 'tsne', got {method!r}")
    if not 1 <= perplexity < len(features):
        raise ValueError(f"perplexity must be at least 1 and below the {len(features)} pictures, got {perplexity}")
    from sklearn.manifold import TSNE

    reduced = _principal(features, min(50, *features.shape))[0].numpy()
    points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return torch.from_numpy(points)


def explained_variance(features: Tensor, k: int) -> Tensor:
    """What share of the variance does each of the first k principal components hold?

    Args:
        features: (N, D).
        k: At most min(N, D).

    Returns:
        (k,), falling, together at most 1.
    """
    return _principal(features, k)[1]


def _principal(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Coordinates (N, k) along the first principal directions, and the share of the variance of each (k,)."""
    if features.ndim != 2 or not 1 <= k <= min(features.shape):
        raise ValueError(f"{k} components want features (N, D) with N and D at least {k}, got {tuple(features.shape)}")
    from sklearn.decomposition import PCA

    solver = "full" if min(features.shape) <= 500 else "randomized"
    pca = PCA(k, svd_solver=solver, random_state=0).fit(features.double().numpy())
    sign = np.sign(pca.components_[np.arange(k), np.abs(pca.components_).argmax(axis=1)])
    coordinates = pca.transform(features.double().numpy()) * sign
    return torch.from_numpy(coordinates).float(), torch.from_numpy(pca.explained_variance_ratio_).float()


def thumbnail_grid(points: Tensor, rows: int, columns: int) -> Tensor:
    """Which picture goes into which cell of a grid, so that the grid looks like the cloud of points?

    No two pictures share a cell, and the sum of squared distances between points and cells is the least possible.
    With more cells than pictures some stay empty; with fewer, an even sample of the pictures is shown.

    Args:
        points: (N, 2), as ``embed`` returns them; the second coordinate points up.
        rows: Of the grid.
        columns: Of the grid.

    Returns:
        (rows, columns): the index of the picture in each cell, -1 where there is none. Row 0 is the top.

    Source: Karpathy, "t-SNE visualization of CNN codes" (the grid of the lecture), which fills cells greedily; the
        assignment here is optimal: Jonker & Volgenant, Computing 38, 1987, in SciPy.
    """
    if points.ndim != 2 or points.shape[1] != 2 or min(rows, columns) < 1:
        raise ValueError(f"wanted points (N, 2) and a grid of 1x1 or more, got {tuple(points.shape)}, {rows}x{columns}")
    from scipy.optimize import linear_sum_assignment

    shown = np.unique(np.linspace(0, len(points) - 1, min(len(points), rows * columns)).round().astype(int))
    chosen = points[shown].double().numpy()
    low, high = chosen.min(axis=0), chosen.max(axis=0)
    place = (chosen - low) / np.maximum(high - low, 1e-12)
    y, x = np.meshgrid(np.linspace(1, 0, rows), np.linspace(0, 1, columns), indexing="ij")
    cells = np.stack([x.ravel(), y.ravel()], axis=1)
    cost = ((place[:, None] - cells[None]) ** 2).sum(axis=2)
    pictures, taken = linear_sum_assignment(cost)
    grid = np.full(rows * columns, -1)
    grid[taken] = shown[pictures]
    return torch.from_numpy(grid.reshape(rows, columns))
