"""Figures about neighbours and maps, and the exercises' references against the package and scikit-learn."""

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from cs231n_viz import Gallery, embed, nearest, purity
from cs231n_viz.exercises import find
from cs231n_viz.plotting.figures import BOX_COLOUR
from cs231n_viz.plotting.neighbours import (
    class_markers,
    show_embedding,
    show_neighbours,
    show_thumbnails,
    thumbnail,
    thumbnails,
)
from cs231n_viz.representation import neighbours


class Shades:
    """Picture i is plain grey, a little lighter than the one before, and wider than it is high."""

    def __call__(self, index):
        return torch.full((3, 20, 30), index / 10)


@pytest.fixture
def gallery():
    return Gallery(Shades(), [0, 0, 1, 1, 2], ["ant", "bee", "cow"], names=list("abcde"))


def test_neighbours_of_another_class_have_a_frame_and_a_cross(gallery):
    fig = show_neighbours(gallery, 0, {"one": torch.tensor([1, 2, 4]), "two": torch.tensor([3, 1])})
    marked = {}
    for ax in fig.axes:
        if ax.images:
            names = [text.get_text() for text in ax.texts]
            frames = [p for p in ax.patches if isinstance(p, Rectangle) and to_hex(p.get_edgecolor()) == "#d55e00"]
            assert len(frames) in (0, 1)
            assert len(ax.lines) == 4 * len(frames)  # two strokes, each with a pale rim
            marked.setdefault(names[0], set()).add(bool(frames))
    assert marked == {"ant": {False}, "bee": {True}, "cow": {True}}
    assert BOX_COLOUR.lower() == "#d55e00"
    titles = [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")]
    assert titles == ["query", "one", "two"]


def test_text_and_markers_grow_with_the_size(gallery):
    small, large = (show_neighbours(gallery, 0, {"row": torch.tensor([1, 2])}, size=s) for s in (1.25, 2.5))
    assert large.axes[1].texts[0].get_fontsize() == 2 * small.axes[1].texts[0].get_fontsize() == 16
    points, labels = torch.arange(6.0).view(3, 2), torch.tensor([0, 0, 1])
    areas = {ax.get_sizes()[0] for ax in show_embedding(points, labels, ax=plt.figure().gca(), size=64).collections}
    assert areas == {64}


def test_neighbours_are_drawn_in_the_order_given(gallery):
    fig = show_neighbours(gallery, 4, {"row": torch.tensor([3, 0, 2])})
    shades = [int(ax.images[0].get_array()[0, 0, 0]) for ax in fig.axes if ax.images]
    assert shades == [102, 76, 0, 51]
    with pytest.raises(ValueError, match="neighbours is empty"):
        show_neighbours(gallery, 0, {})


def test_the_old_keyword_warns_and_does_the_same(gallery):
    with pytest.warns(DeprecationWarning, match=r"show_neighbours\(found=…\) is now show_neighbours\(neighbours=…\)"):
        fig = show_neighbours(gallery, 0, found={"row": torch.tensor([1])})
    assert [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")] == ["query", "row"]


def test_a_map_has_a_colour_and_a_marker_for_each_class():
    points = torch.arange(12.0).reshape(6, 2)
    ax = show_embedding(points, [0, 1, 1, 2, 2, 2], categories=["ant", "bee", "cow"], title="a map")
    assert [c.get_label() for c in ax.collections] == ["ant", "bee", "cow"]
    assert len({tuple(c.get_facecolor()[0]) for c in ax.collections}) == 3
    assert len({c.get_paths()[0].vertices.tobytes() for c in ax.collections}) == 3
    np.testing.assert_array_equal(ax.collections[2].get_offsets(), points[3:])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ant", "bee", "cow"]
    with pytest.raises(ValueError, match=r"wanted points \(N, 2\) and N labels, got \(6, 2\) and 2 labels"):
        show_embedding(points, [0, 1])


def test_digits_are_their_own_markers():
    ax = show_embedding(torch.zeros(2, 2), [0, 1], categories=["0", "1"])
    assert ax.get_legend() is None
    assert len({c.get_paths()[0].vertices.tobytes() for c in ax.collections}) == 2


def test_thumbnails_stand_in_their_cells_and_empty_cells_are_white(gallery):
    ax = show_thumbnails(gallery, torch.tensor([[4, -1], [2, 3]]), side=6)
    page = np.asarray(ax.images[0].get_array())
    assert page.shape == (14, 14, 3)
    assert [int(page[y, x, 0]) for y, x in ((2, 2), (2, 9), (9, 2), (9, 9))] == [102, 255, 51, 76]
    with pytest.raises(ValueError, match="grid must be"):
        show_thumbnails(gallery, torch.tensor([1, 2]))


def test_a_thumbnail_is_the_middle_square_and_small_pictures_stay_sharp():
    image = torch.zeros(3, 10, 30)
    image[0, :, 10:20] = 1  # the middle square is red
    assert (thumbnail(image, 5) == (255, 0, 0)).all()
    checks = (torch.arange(2)[:, None] + torch.arange(2)[None]).remainder(2).float().expand(3, 2, 2)
    assert set(np.unique(thumbnail(checks, 9))) == {0, 255}
    with pytest.raises(ValueError, match=r"image must be \(3, H, W\), got \(10, 30\)"):
        thumbnail(image[0], 5)


def test_thumbnails_of_a_gallery(gallery):
    assert thumbnails(gallery, 4).shape == (5, 4, 4, 3)


def test_markers_of_classes_are_all_different():
    assert len(set(class_markers(56))) == 56
    plt.scatter([0], [0], marker=class_markers(8)[7][1])  # a marker that matplotlib knows


def test_the_references_are_the_packages_own_answers():
    rows = torch.randn(40, 12, generator=torch.Generator().manual_seed(1))
    queries, labels = rows[:7], torch.arange(40) % 3
    distances = find("pairwise_distances").reference(queries, rows)
    torch.testing.assert_close(distances, neighbours.distances(queries, rows), rtol=1e-4, atol=2e-3)
    cosine = 1 - neighbours.distances(queries, rows, metric="cosine")
    torch.testing.assert_close(find("cosine_similarity").reference(queries, rows), cosine)
    indices = find("top_k").reference(distances, 5)
    assert torch.equal(indices, nearest(queries, rows, 5).indices)
    shares = find("purity_at_k").reference(indices, labels, labels[:7])
    torch.testing.assert_close(shares, purity(indices, labels, labels[:7]))
    torch.testing.assert_close(find("pca").reference(rows, 2).abs(), embed(rows, "pca").abs(), rtol=1e-4, atol=1e-4)


def test_the_affinity_is_that_of_scikit_learn():
    from sklearn.manifold._utils import _binary_search_perplexity

    rows = torch.randn(30, 6, generator=torch.Generator().manual_seed(2))
    distances = neighbours.distances(rows, rows)
    theirs = _binary_search_perplexity(distances.square().numpy().astype(np.float32), 8.0, 0)
    for i in (0, 13):
        others = torch.arange(30) != i
        ours = find("tsne_affinity").reference(distances[i, others], 8.0)
        np.testing.assert_allclose(ours, theirs[i][others], atol=1e-4)
