"""The explorer of top patches: every patch stands where its box says."""

import numpy as np
import pytest

from cs231n_viz import Gallery, explore, features, selectivity, top_patches
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control, position, press


@pytest.fixture(scope="module")
def gallery():
    return Gallery.crops(40, size=48)


@pytest.fixture(scope="module")
def searched(model, gallery):
    layers = ("relu1", "relu2")
    patches = [top_patches(model, gallery, layer, progress=False) for layer in layers]
    scores = {
        ("mine", layer): selectivity(features(model, gallery, layer, pool="max"), gallery.labels) for layer in layers
    }
    return patches, scores


def test_top_patches_follow_every_control(searched, gallery):
    patches, scores = searched
    explorer = explore.top_patches({"mine": patches, "again": patches[0]}, gallery, selectivity=scores)
    move_every_control(explorer)


def test_channels_are_in_the_order_of_their_selectivity(searched, gallery):
    patches, scores = searched
    explorer = explore.top_patches({"mine": patches}, gallery, selectivity=scores)
    order = scores["mine", "relu1"].score.argsort(descending=True, stable=True)
    best = int(order[0])
    assert f"selectivity {scores['mine', 'relu1'].score[best]:.2f}" in explorer.text.value
    explorer.controls["channel"].value = 5
    assert f"selectivity {scores['mine', 'relu1'].score[int(order[5])]:.2f}" in explorer.text.value
    explorer.controls["order"].value = "by channel"
    assert f"selectivity {scores['mine', 'relu1'].score[5]:.2f}" in explorer.text.value
    assert "cs231n-notice" not in explorer.message.value


def test_a_click_on_a_patch_locates_it_in_its_picture(searched, gallery):
    patches, _ = searched
    explorer = explore.top_patches({"mine": patches[1]}, gallery)
    before = explorer.picture
    explorer.view.position = position((8, 32), 1.5 / 3, 2.5 / 3, 404)
    assert explorer.controls["patch"].value == 6
    assert (explorer.picture[:, int(448 * SCALE) :] != before[:, int(448 * SCALE) :]).any()
    explorer.view.position = position((448, 32), 0.5, 0.5, 404)  # the large picture: nothing to choose
    assert explorer.controls["patch"].value == 6
    explorer.controls["patch"].value = 2
    press(explorer, "down")
    assert explorer.controls["patch"].value == 5


def test_the_patch_stands_in_the_picture_where_its_box_says(searched, gallery):
    patches, _ = searched
    explorer = explore.top_patches({"mine": patches[0]}, gallery)
    explorer.controls["channel"].value = 3
    top, left, bottom, _ = patches[0].boxes[3, 0].tolist()
    scale = 404 * SCALE / 48
    y, x = int(32 * SCALE + (top + bottom) / 2 * scale), int(448 * SCALE + left * scale) + 2
    assert tuple(explorer.picture[y, x]) == (213, 94, 0)  # the frame's left edge


def test_the_classes_of_the_patches_are_counted(searched, gallery):
    patches, _ = searched
    explorer = explore.top_patches({"mine": patches[0]}, gallery)
    labels = [gallery.categories[gallery.labels[i]] for i in patches[0].image_index[0, :9].tolist()]
    for label in labels:
        assert f"{labels.count(label)} {label}" in explorer.text.value


def test_another_network_without_selectivity_says_so(searched, gallery):
    patches, scores = searched
    explorer = explore.top_patches({"mine": patches, "other": patches[1]}, gallery, selectivity=scores)
    explorer.controls["network"].value = "other"
    assert explorer.error is None
    assert "No selectivity was given for relu2 of other" in explorer.message.value
    assert list(explorer.controls["layer"].options) == ["relu2"]
    assert explorer.controls["channel"].max == 9


def test_nothing_to_show_is_refused(gallery):
    with pytest.raises(ValueError, match="patches is empty"):
        explore.top_patches({}, gallery)


def test_top_patches_updates_are_fast(searched, gallery):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.top_patches({"mine": searched[0]}, gallery), "channel", range(6)) < 0.1


def test_the_old_keywords_still_work_and_say_the_new_ones(searched, gallery):
    patches, scores = searched
    with pytest.warns(DeprecationWarning, match=r"patches=…, selectivity=…"):
        explorer = explore.top_patches(found={"mine": patches}, gallery=gallery, taste=scores)
    np.testing.assert_array_equal(
        explorer.picture, explore.top_patches({"mine": patches}, gallery, selectivity=scores).picture
    )
