import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

import cs231n_viz as viz


def rows(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_distances_and_neighbours_are_scikit_learns(metric):
    queries, bank = rows(7, 12), rows(40, 12, 1)
    oracle = NearestNeighbors(metric=metric, algorithm="brute").fit(bank.numpy())
    far, which = oracle.kneighbors(queries.numpy(), 5)
    neighbours = viz.nearest(queries, bank, 5, metric)
    assert np.array_equal(neighbours.indices, which)
    np.testing.assert_allclose(neighbours.distances, far, atol=1e-6)
    gathered = viz.distances(queries, bank, metric=metric).gather(1, neighbours.indices)
    torch.testing.assert_close(gathered, neighbours.distances)


def test_l2_keeps_its_digits_where_rows_are_close_and_long():
    base = rows(1, 512) * 1000
    near = torch.cat([base, base + 0.01 * rows(3, 512, 2)])
    exact = (near[None].double() - near[:, None].double()).norm(dim=2).float()
    torch.testing.assert_close(viz.distances(near, near), exact, rtol=1e-4, atol=1e-6)


def test_cosine_ignores_length_and_takes_zero_rows_as_orthogonal():
    a = rows(3, 5)
    torch.testing.assert_close(
        viz.distances(a, 7 * a, metric="cosine"), viz.distances(a, a, metric="cosine"), atol=1e-6, rtol=0
    )
    assert torch.equal(viz.distances(torch.zeros(1, 5), a, metric="cosine"), torch.ones(1, 3))


def test_blocks_of_queries_make_no_difference_and_no_row_is_its_own_neighbour():
    bank = rows(600, 4)
    neighbours = viz.nearest(bank, bank, 3, exclude_self=True)
    exact = torch.cdist(bank.double(), bank.double()).fill_diagonal_(torch.inf)
    torch.testing.assert_close(neighbours.distances, exact.sort(dim=1).values[:, :3].float())
    assert not (neighbours.indices == torch.arange(600)[:, None]).any()
    assert torch.equal(viz.nearest(bank, bank, 1).indices[:, 0], torch.arange(600))


def test_of_equally_near_rows_the_earlier_comes_first():
    bank = torch.ones(50, 2)
    assert viz.nearest(torch.zeros(1, 2), bank, 4).indices.tolist() == [[0, 1, 2, 3]]


def test_unfit_neighbours_are_refused():
    a = rows(4, 3)
    with pytest.raises(ValueError, match=r"queries \(Q, D\) and bank \(N, D\), got \(4, 3\) and \(4, 2\)"):
        viz.distances(a, a[:, :2])
    with pytest.raises(ValueError, match="'l2' or 'cosine', got 'l1'"):
        viz.distances(a, a, metric="l1")
    with pytest.raises(ValueError, match="k must be from 1 to 3"):
        viz.nearest(a, a, 4, exclude_self=True)
    with pytest.raises(ValueError, match="got 2 queries, 4 rows"):
        viz.nearest(a[:2], a, 1, exclude_self=True)


def test_purity_is_the_share_of_neighbours_with_the_class_of_the_query():
    indices = torch.tensor([[0, 1, 2, 3], [3, 4, 4, 4]])
    assert viz.purity(indices, [5, 5, 6, 5, 7], [5, 7]).tolist() == [0.75, 0.75]


def test_pca_is_the_svd_of_the_centred_rows():
    x = rows(60, 9) * torch.arange(1.0, 10)
    u, s, _ = torch.linalg.svd((x - x.mean(0)).double(), full_matrices=False)
    points = viz.embed(x)
    torch.testing.assert_close(points.abs().double(), (u[:, :2] * s[:2]).abs(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(viz.explained_variance(x, 9).double(), s**2 / (s**2).sum(), atol=1e-5, rtol=1e-4)
    assert viz.explained_variance(x, 9).sum().item() == pytest.approx(1, abs=1e-5)


def test_pca_of_wide_rows_finds_the_planted_plane():
    plane = torch.linalg.qr(rows(2000, 2))[0].T
    points = rows(600, 2, 3) * torch.tensor([20.0, 10])
    x = points @ plane + 0.01 * rows(600, 2000, 4)
    assert viz.explained_variance(x, 2).sum() > 0.99
    torch.testing.assert_close(
        torch.cdist(viz.embed(x), viz.embed(x)), torch.cdist(points, points), atol=0.1, rtol=0.01
    )


def test_tsne_keeps_digits_together_and_the_seed_keeps_the_map():
    digits = load_digits(n_class=4)
    x, labels = torch.tensor(digits.data[:240]).float(), torch.tensor(digits.target[:240])
    points = viz.embed(x, "tsne", perplexity=20)
    assert points.shape == (240, 2)
    near = viz.nearest(points, points, 5, exclude_self=True).indices
    assert viz.purity(near, labels, labels).mean() > 0.95
    assert torch.equal(points, viz.embed(x, "tsne", perplexity=20))


def test_unfit_embeddings_are_refused():
    with pytest.raises(ValueError, match="'pca' or 'tsne', got 'umap'"):
        viz.embed(rows(5, 3), "umap")
    with pytest.raises(ValueError, match="below the 5 pictures, got 30"):
        viz.embed(rows(5, 3), "tsne")
    with pytest.raises(ValueError, match="at least 4"):
        viz.explained_variance(rows(5, 3), 4)


def test_the_thumbnail_grid_gives_a_regular_cloud_back():
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), indexing="ij")
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    points = torch.stack([x.flatten(), -y.flatten()], dim=1)[order]  # the first row of cells is the highest
    grid = viz.thumbnail_grid(points * 3 - 7, 4, 5)
    assert torch.equal(order[grid], torch.arange(20).view(4, 5))


def test_no_two_thumbnails_share_a_cell_and_no_arrangement_is_nearer():
    points = rows(15, 2)
    grid = viz.thumbnail_grid(points, 4, 5).flatten()
    assert sorted(grid[grid >= 0].tolist()) == list(range(15))
    assert (grid < 0).sum() == 5
    place = (points - points.amin(0)) / (points.amax(0) - points.amin(0))
    cells = torch.tensor([[column / 4, 1 - row / 3] for row in range(4) for column in range(5)])
    cost = torch.cdist(place, cells) ** 2
    ours = cost[grid[grid >= 0], torch.arange(20)[grid >= 0]].sum().item()
    assert ours == pytest.approx(cost.numpy()[linear_sum_assignment(cost.numpy())].sum(), rel=1e-5)


def test_a_grid_with_too_few_cells_shows_an_even_sample():
    grid = viz.thumbnail_grid(rows(100, 2), 3, 3)
    assert len(set(grid.flatten().tolist())) == 9
    assert {0, 99} <= set(grid.flatten().tolist())


@pytest.mark.parametrize("features", [torch.ones(40, 8), torch.zeros(40, 8), torch.rand(1, 16).repeat(40, 1)])
def test_tsne_of_equal_features_is_refused_and_does_not_crash_the_process(features):
    with pytest.raises(ValueError, match="t-SNE wants pictures with different features, got 40 times the same"):
        viz.embed(features, "tsne", perplexity=5)


def test_features_that_are_not_finite_are_refused():
    features = torch.rand(40, 8)
    features[3, 2] = torch.nan
    for method in ("pca", "tsne"):
        with pytest.raises(ValueError, match="features must be finite"):
            viz.embed(features, method, perplexity=5)
