"""The explorer of embeddings: every control moves the picture, and the mouse chooses."""

import numpy as np
import pytest
import torch

from cs231n_viz import explore, features, nearest, pixels, thumbnail_grid
from cs231n_viz.exercises import find
from cs231n_viz.explore.n02_fc_features.embedding_plot import EmbeddingPlot
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control, position


@pytest.fixture(scope="module")
def spaces(model, gallery):
    return {"pixels": pixels(gallery), "fc1": features(model, gallery, "fc1", progress=False)}


@pytest.fixture(scope="module")
def maps(spaces):
    """Two planes for each space, instead of t-SNE."""
    return {(name, p): rows[:, 3 * i : 3 * i + 2] for name, rows in spaces.items() for i, p in enumerate((5, 20))}


@pytest.fixture
def embedding(gallery, spaces, maps):
    return explore.embedding(gallery, spaces, maps=maps, perplexities=(5, 20))


def test_embedding_follows_every_control(embedding):
    move_every_control(embedding)
    embedding.controls["method"].value = "PCA"
    assert embedding.controls["perplexity"].disabled
    embedding.controls["method"].value = "t-SNE"
    assert not embedding.controls["perplexity"].disabled


def test_the_mouse_chooses_the_nearest_point(embedding, maps):
    points = maps["fc1", 20].numpy()
    low, high = points.min(0), points.max(0)
    middle, span, room = (low + high) / 2, (high - low).max(), 540 - 28
    for index in (3, 41):
        x, y = 278 + (points[index] - middle) / span * room * (1, -1)
        embedding.view.position = (round(y * SCALE), round(x * SCALE))
        assert embedding.controls["query"].value == index
    assert embedding.view.areas[0] == (16, 16, 16 + 540 * 2, 16 + 540 * 2, True)  # the mouse is enough there
    embedding.view.position = (10, round(700 * SCALE))  # beside the map: nothing changes
    assert embedding.controls["query"].value == 41


def test_the_mouse_chooses_the_cell_of_the_grid(embedding, maps):
    embedding.controls["show"].value = "grid of thumbnails"
    side = 8  # cells, for 57 pictures
    grid = thumbnail_grid(maps["fc1", 20], side, side)
    for row, column in ((0, 0), (3, 5), (7, 7), (2, 1)):
        before = embedding.controls["query"].value
        y, x = 8 + (row + 0.5) * 540 / side, 8 + (column + 0.5) * 540 / side
        embedding.view.position = (round(y * SCALE), round(x * SCALE))
        expected = int(grid[row, column])
        assert embedding.controls["query"].value == (expected if expected >= 0 else before)


def test_a_click_on_a_neighbour_chooses_it(embedding, maps, spaces):
    for row, space in enumerate((maps["fc1", 20], spaces["fc1"])):
        embedding.controls["query"].value = 12
        expected = int(nearest(space, space, 4, exclude_self=True).indices[12, 2])
        embedding.view.position = position((572, 8 + 180 + 12 + 18 + row * 94), 0.5, 2.5 * 70 / 64, 64)
        assert embedding.controls["query"].value == expected


def test_the_map_of_a_network_of_ones_own_is_that_of_what_its_last_layer_reads(model, gallery, maps):
    known = {("pixels", 5): maps["pixels", 5], ("relu2 of Sequential", 5): maps["fc1", 5]}
    explorer = explore.embedding(gallery, model, maps=known, perplexities=(5,))
    assert list(explorer.controls["space"].options) == ["pixels", "relu2 of Sequential"]
    assert explorer.error is None


def test_a_map_is_drawn_to_one_scale_and_up_is_up():
    plot = EmbeddingPlot([0, 0, 0], ["a class"], np.zeros((3, 8, 8, 3), np.uint8), side=300)
    points = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 2.0]])
    (x0, y0), (x1, y1), (x2, y2) = (plot.plot("map", points, i, grid=False)[1] for i in range(3))
    assert y0 == y1
    assert x0 == x2
    assert x1 - x0 == pytest.approx(2 * (y0 - y2))
    assert y2 < y0


def test_a_picture_that_the_grid_leaves_out_is_said_to_be_missing(monkeypatch, gallery, spaces, maps):
    monkeypatch.setattr("cs231n_viz.explore.n02_fc_features.embedding_plot._MOST_CELLS", 3)
    explorer = explore.embedding(gallery, spaces, maps=maps, perplexities=(5, 20))
    explorer.controls["show"].value = "grid of thumbnails"
    shown = thumbnail_grid(maps["fc1", 20], 3, 3).flatten().tolist()
    explorer.controls["query"].value = next(i for i in range(57) if i not in shown)
    assert "fewer cells than there are pictures" in explorer.message.value
    explorer.controls["query"].value = shown[4]
    assert "cs231n-notice" not in explorer.message.value


def test_embedding_computes_the_maps_that_are_missing_and_uses_a_learners_pca(gallery, spaces, maps, monkeypatch):
    made = []
    monkeypatch.setattr(
        "cs231n_viz.explore.n02_fc_features.embedding.embed",
        lambda rows, how, **options: made.append((how, options)) or rows[:, :2],
    )
    given = {("pixels", 5): maps["pixels", 5]}
    explorer = explore.embedding(gallery, spaces, maps=given, perplexities=(5, 20), seed=3, pca=find("pca").reference)
    assert made == [("tsne", {"seed": 3, "perplexity": p}) for p in (20, 5, 20)]  # pixels at 20, then fc1
    for _ in range(2):
        for method in ("PCA", "t-SNE"):
            explorer.controls["method"].value = method
    assert len(made) == 3
    assert explorer.error is None


def test_rows_that_do_not_fit_the_gallery_are_refused(gallery, spaces, maps):
    with pytest.raises(ValueError, match="wanted 57 rows for 'odd', one per picture, got 5"):
        explore.embedding(gallery, {"odd": torch.zeros(5, 3)})
    with pytest.raises(ValueError, match="one per picture, got 5"):
        explore.embedding(gallery, spaces, maps={("fc1", 5): torch.zeros(5, 2)})


def test_the_share_below_the_map_is_that_of_its_five_nearest(embedding, gallery, maps):
    found = nearest(maps["fc1", 20], maps["fc1", 20], 5, exclude_self=True).indices
    labels = torch.tensor(gallery.labels)
    share = (labels[found] == labels[:, None]).float().mean()
    assert f"<b>{share:.0%}</b> share the class" in embedding.text.value


@pytest.mark.parametrize(
    ("control", "values"), [("query", range(1, 20)), ("show", ["grid of thumbnails", "points"] * 3)]
)
def test_embedding_updates_are_fast(embedding, control, values):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(embedding, control, values) < 0.1
