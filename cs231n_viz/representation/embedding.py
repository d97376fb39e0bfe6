"""Feature vectors in a plane: PCA, t-SNE, and the grid of thumbnails made of it. What do features know?

Everything here works on rows (N, D), one for each picture, as :func:`~cs231n_viz.representation.features.features`
makes them.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Method = Literal["pca", "tsne"]


def embed(features: Tensor, method: Method = "pca", *, seed: int = 0, perplexity: float = 30.0) -> Tensor:
    """Embed feature vectors in a plane, by PCA or by t-SNE.

    Where do pictures lie in a plane that keeps what it can of their distances? PCA keeps the two directions of
    greatest variance. t-SNE keeps who is near whom; how far apart its groups lie and how large they are means nothing.
    It starts from the first PCA coordinates, so that equal features give equal maps for a given seed.

    Args:
        features: (N, D).
        method: ``"pca"`` or ``"tsne"``.
        seed: Random seed of t-SNE.
        perplexity: Effective number of neighbours in t-SNE; from 1 to below N.

    Returns:
        (N, 2). PCA coordinates are in the features' unit, and each direction points where its largest weight is
        positive.

    Raises:
        ValueError: If there is no such method, the perplexity is not below N, features are not finite, or for t-SNE
            all pictures have the same.

    Source: van der Maaten & Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008, eq. 4; scikit-learn computes it
        by the Barnes-Hut approximation, after reducing to at most 50 principal components as section 4.2 does.
    """
    if method == "pca":
        return _principal(features, 2)[0]
    if method != "tsne":
        raise ValueError(f"method must be 'pca' or 'tsne', got {method!r}")
    if not 1 <= perplexity < len(features):
        raise ValueError(f"perplexity must be at least 1 and below the {len(features)} pictures, got {perplexity}")
    reduced = _principal(features, min(50, *features.shape))[0].numpy()
    # It starts from coordinates that are divided by their spread, and crashes the process where that is 0.
    if not reduced[:, 0].std() > 1e-6 * features.abs().max().item():
        raise ValueError(
            f"t-SNE wants pictures with different features, got {len(features)} times the same; is it a dead layer, or "
            "one picture many times?"
        )
    from sklearn.manifold import TSNE

    points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return torch.from_numpy(points)


def explained_variance(features: Tensor, k: int) -> Tensor:
    """Compute the share of the variance that each of the first k principal components explains.

    Args:
        features: (N, D).
        k: At most min(N, D).

    Returns:
        (k,), falling, together at most 1.

    Raises:
        ValueError: If there are fewer than k pictures or features.
    """
    return _principal(features, k)[1]


def thumbnail_grid(points: Tensor, rows: int, columns: int) -> Tensor:
    """Assign pictures to the cells of a grid, so that the grid looks like the cloud of points.

    No two pictures share a cell, and the sum of squared distances between points and cells is the least possible.
    With more cells than pictures some stay empty; with fewer, an even sample of the pictures is shown.

    Args:
        points: (N, 2), as ``embed`` returns them; the second coordinate points up.
        rows: Number of rows of the grid, at least 1.
        columns: Number of its columns, at least 1.

    Returns:
        (rows, columns): the index of the picture in each cell, -1 where there is none. Row 0 is the top.

    Raises:
        ValueError: If the shapes do not fit.

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
    pictures, assigned = linear_sum_assignment(cost)
    grid = np.full(rows * columns, -1)
    grid[assigned] = shown[pictures]
    return torch.from_numpy(grid.reshape(rows, columns))


def _principal(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Coordinates (N, k) along the first principal directions, and the share of the variance of each (k,)."""
    if features.ndim != 2 or not 1 <= k <= min(features.shape):
        raise ValueError(f"{k} components want features (N, D) with N and D at least {k}, got {tuple(features.shape)}")
    if not features.isfinite().all():
        raise ValueError("features must be finite; these hold NaN or infinity")
    from sklearn.decomposition import PCA

    solver = "full" if min(features.shape) <= 500 else "randomized"
    pca = PCA(k, svd_solver=solver, random_state=0).fit(features.double().numpy())
    sign = np.sign(pca.components_[np.arange(k), np.abs(pca.components_).argmax(axis=1)])
    coordinates = pca.transform(features.double().numpy()) * sign
    return torch.from_numpy(coordinates).float(), torch.from_numpy(pca.explained_variance_ratio_).float()
