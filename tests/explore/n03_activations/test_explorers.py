"""The explorers of notebook 03: every control moves the picture, clicks choose, a learner's function is used."""

import numpy as np
import pytest
import torch

from cs231n_viz import Gallery, explore, features, selectivity, top_patches
from cs231n_viz.exercises import activations as exercises
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.n00_cnn_review.test_explorers import median_seconds, move_every_control
from tests.networks import small_classifier


@pytest.fixture(scope="module")
def model():
    """Maps of 24×24 and 12×12 for 48 px, fields that the border clips, and a layer without maps."""
    return small_classifier()


@pytest.fixture(scope="module")
def gallery():
    return Gallery.crops(40, size=48)


@pytest.fixture(scope="module")
def found(model, gallery):
    layers = ("relu1", "relu2")
    patches = [top_patches(model, gallery, layer, progress=False) for layer in layers]
    taste = {
        ("mine", layer): selectivity(features(model, gallery, layer, pool="max"), gallery.labels) for layer in layers
    }
    return patches, taste


def values_of(explorer, *names):
    return tuple(explorer.controls[name].value for name in names)


def at(corner, share_down, share_right, side):
    return int((corner[1] + share_down * side) * SCALE), int((corner[0] + share_right * side) * SCALE)


def test_activation_maps_follow_every_control(model):
    explorer = explore.activation_maps(model, layer="relu2")
    move_every_control(explorer)
    assert list(explorer.controls["layer"].options) == ["conv1", "relu1", "pool1", "conv2", "relu2"]


def test_activation_maps_begin_with_the_strongest_answer(model):
    explorer = explore.activation_maps(model, "coffee", "relu2")
    with torch.no_grad():
        maps = model.network[:5]((model.prepare("coffee") - model.mean) / model.std)[0]
    unit, row, col = np.unravel_index(int(maps.argmax()), maps.shape)
    assert values_of(explorer, "unit", "row", "col") == (unit, row, col)
    assert f"answers {maps.max():.2f}" in explorer.text.value
    assert f"mean {maps[unit].mean():.2f}" in explorer.text.value


@pytest.mark.parametrize("order", ["by channel", "by mean", "by maximum"])
def test_a_click_in_the_grid_chooses_the_unit_drawn_there(model, order):
    explorer = explore.activation_maps(model, layer="conv2")
    explorer.controls["order"].value = order
    with torch.no_grad():
        maps = model.network[:4]((model.prepare("cat") - model.mean) / model.std)[0].flatten(1)
    strength = {"by mean": maps.mean(1), "by maximum": maps.amax(1)}.get(order, -torch.arange(10.0))
    for tile in (9, 0, 5):
        pitch = int(404 * SCALE) // 4
        explorer.view.position = (int(32 * SCALE) + tile // 4 * pitch + 9, int(8 * SCALE) + tile % 4 * pitch + 9)
        assert explorer.controls["unit"].value == int(strength.argsort(descending=True)[tile])
        assert explorer.view.step == (pitch, pitch)


def test_a_click_on_the_map_chooses_the_cell_and_shows_its_box(model):
    explorer = explore.activation_maps(model, layer="relu2")  # 12×12
    explorer.view.position = at((450, 32), 2.5 / 12, 10.5 / 12, 190)
    assert values_of(explorer, "row", "col") == (2, 10)
    top, left, bottom, right = model.layer("relu2").field.box(2, 10)
    assert f"sees rows {top} to {bottom - 1}, columns {left} to {right - 1}" in explorer.text.value
    before = explorer.picture
    explorer.view.position = at((450, 32), 7.5 / 12, 0.5 / 12, 190)
    inside = explorer.picture != before
    assert inside[int(246 * SCALE) :, int(450 * SCALE) : int(640 * SCALE)].any()  # the frame in the photograph moved


@pytest.mark.parametrize("corner", [(662, 32), (450, 246)])
def test_a_click_on_a_photograph_chooses_the_cell_that_looks_there(model, corner):
    explorer = explore.activation_maps(model, layer="relu2")
    for row, col in ((4, 7), (6, 5)):
        top, left, bottom, right = model.layer("relu2").field.box(row, col, clip=False)
        explorer.view.position = at(corner, (top + bottom) / 2 / 48, (left + right) / 2 / 48, 190)
        assert values_of(explorer, "row", "col") == (row, col)
    explorer.view.position = at(corner, 0.999, 0.0, 190)
    assert values_of(explorer, "row", "col") == (11, 0)
    assert explorer.error is None


def test_activation_maps_beside_the_pictures_a_click_changes_nothing(model):
    explorer = explore.activation_maps(model)
    before = values_of(explorer, "unit", "row", "col")
    explorer.view.position = (0, 0)
    assert values_of(explorer, "unit", "row", "col") == before


def test_activation_maps_of_another_layer_stay_within_its_units(model):
    explorer = explore.activation_maps(model, layer="conv1")
    explorer.controls["unit"].value = 5
    explorer.controls["row"].value = explorer.controls["col"].value = 23
    explorer.controls["layer"].value = "relu2"
    assert [explorer.controls[name].max for name in ("unit", "row", "col")] == [9, 11, 11]
    explorer.controls["layer"].value = "relu1"
    assert [explorer.controls[name].max for name in ("unit", "row", "col")] == [5, 23, 23]
    assert explorer.error is None


def test_the_mask_is_that_of_the_exercise_and_a_learners_function_is_used(model):
    ours = explore.activation_maps(model, layer="relu2")
    theirs = explore.activation_maps(model, layer="relu2", threshold_mask=exercises.threshold_mask)
    for quantile in (0, 60, 95):
        ours.controls["quantile"].value = theirs.controls["quantile"].value = quantile
        np.testing.assert_array_equal(ours.picture, theirs.picture)
    black = explore.activation_maps(model, threshold_mask=lambda activation, image, quantile: image * 0)
    assert (black.picture[int(120 * SCALE), int(750 * SCALE)] == 0).all()
    broken = explore.activation_maps(model, threshold_mask=lambda activation, image, quantile: image[0])
    assert "must return (3, 48, 48)" in str(broken.error)
    assert "Not drawn" in broken.message.value


def test_activation_maps_run_the_network_once_per_photograph_and_layer(model, monkeypatch):
    runs = []
    monkeypatch.setattr(model.network[0], "forward", lambda x, f=model.network[0].forward: runs.append(1) or f(x))
    explorer = explore.activation_maps(model, layer="relu2")
    for _ in range(3):
        for photograph in ("coffee", "cat"):
            explorer.controls["photograph"].value = photograph
            explorer.controls["unit"].value = (explorer.controls["unit"].value + 1) % 10
    assert len(runs) == 2


def test_a_layer_without_maps_is_refused_with_those_that_have_some(model):
    with pytest.raises(KeyError, match="no maps in layer 'fc'; those with maps: conv1, relu1"):
        explore.activation_maps(model, layer="fc")


def test_top_patches_follow_every_control(found, gallery):
    patches, taste = found
    explorer = explore.top_patches({"mine": patches, "again": patches[0]}, gallery, taste=taste)
    move_every_control(explorer)


def test_channels_are_in_the_order_of_their_selectivity(found, gallery):
    patches, taste = found
    explorer = explore.top_patches({"mine": patches}, gallery, taste=taste)
    order = taste["mine", "relu1"].score.argsort(descending=True, stable=True)
    best = int(order[0])
    assert f"selectivity {taste['mine', 'relu1'].score[best]:.2f}" in explorer.text.value
    explorer.controls["channel"].value = 5
    assert f"selectivity {taste['mine', 'relu1'].score[int(order[5])]:.2f}" in explorer.text.value
    explorer.controls["order"].value = "by channel"
    assert f"selectivity {taste['mine', 'relu1'].score[5]:.2f}" in explorer.text.value
    assert explorer.message.value == ""


def test_a_click_on_a_patch_locates_it_in_its_picture(found, gallery):
    patches, _ = found
    explorer = explore.top_patches({"mine": patches[1]}, gallery)
    before = explorer.picture
    explorer.view.position = at((8, 32), 1.5 / 3, 2.5 / 3, 404)
    assert explorer.controls["patch"].value == 6
    assert (explorer.picture[:, int(448 * SCALE) :] != before[:, int(448 * SCALE) :]).any()
    explorer.view.position = at((448, 32), 0.5, 0.5, 404)  # the large picture: nothing to choose
    assert explorer.controls["patch"].value == 6


def test_the_patch_stands_in_the_picture_where_its_box_says(found, gallery):
    patches, _ = found
    explorer = explore.top_patches({"mine": patches[0]}, gallery)
    explorer.controls["channel"].value = 3
    top, left, bottom, _ = patches[0].boxes[3, 0].tolist()
    scale = 404 * SCALE / 48
    y, x = int(32 * SCALE + (top + bottom) / 2 * scale), int(448 * SCALE + left * scale) + 2
    assert tuple(explorer.picture[y, x]) == (213, 94, 0)  # the frame's left edge


def test_the_classes_of_the_patches_are_counted(found, gallery):
    patches, _ = found
    explorer = explore.top_patches({"mine": patches[0]}, gallery)
    labels = [gallery.categories[gallery.labels[i]] for i in patches[0].image_index[0, :9].tolist()]
    for label in labels:
        assert f"{labels.count(label)} {label}" in explorer.text.value


def test_another_network_without_selectivity_says_so(found, gallery):
    patches, taste = found
    explorer = explore.top_patches({"mine": patches, "other": patches[1]}, gallery, taste=taste)
    explorer.controls["network"].value = "other"
    assert explorer.error is None
    assert "No selectivity was given for relu2 of other" in explorer.message.value
    assert list(explorer.controls["layer"].options) == ["relu2"]
    assert explorer.controls["channel"].max == 9


def test_nothing_to_show_is_refused(gallery):
    with pytest.raises(ValueError, match="found is empty"):
        explore.top_patches({}, gallery)


def test_updates_are_fast(model, found, gallery):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.activation_maps(model), "unit", range(10)) < 0.1
    assert median_seconds(explore.top_patches({"mine": found[0]}, gallery), "channel", range(6)) < 0.1
