"""The explorer of activation maps: every control moves the picture, clicks choose, a learner's mask is used."""

import numpy as np
import pytest
import torch

from cs231n_viz import explore
from cs231n_viz.exercises import find
from cs231n_viz.explore.toolkit.canvas import SCALE, coloured
from tests.explore.controls import median_seconds, move_every_control, position, press, values_of


def test_activation_maps_follow_every_control(model):
    explorer = explore.activation_maps(model, layer="relu2")
    move_every_control(explorer)
    assert list(explorer.controls["layer"].options) == ["conv1", "relu1", "pool1", "conv2", "relu2"]


def test_activation_maps_begin_with_the_largest_activation(model):
    explorer = explore.activation_maps(model, "coffee", "relu2")
    with torch.no_grad():
        maps = model.network[:5]((model.prepare("coffee") - model.mean) / model.std)[0]
    unit, row, col = np.unravel_index(int(maps.argmax()), maps.shape)
    assert values_of(explorer, "unit", "row", "col") == (unit, row, col)
    assert f"has activation {maps.max():.2f}" in explorer.text.value
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
        assert explorer.view.areas[0][:2] == (int(32 * SCALE), int(8 * SCALE))


def test_a_click_on_the_map_chooses_the_cell_and_shows_its_box(model):
    explorer = explore.activation_maps(model, layer="relu2")  # 12×12
    explorer.view.position = position((450, 32), 2.5 / 12, 10.5 / 12, 190)
    assert values_of(explorer, "row", "col") == (2, 10)
    top, left, bottom, right = model.layer("relu2").field.box(2, 10)
    assert f"sees rows {top} to {bottom - 1}, columns {left} to {right - 1}" in explorer.text.value
    before = explorer.picture
    explorer.view.position = position((450, 32), 7.5 / 12, 0.5 / 12, 190)
    inside = explorer.picture != before
    assert inside[int(284 * SCALE) :, int(450 * SCALE) : int(640 * SCALE)].any()  # the frame in the photograph moved


@pytest.mark.parametrize("corner", [(662, 32), (450, 284)])
def test_a_click_on_a_photograph_chooses_the_cell_that_looks_there(model, corner):
    explorer = explore.activation_maps(model, layer="relu2")
    for row, col in ((4, 7), (6, 5)):
        top, left, bottom, right = model.layer("relu2").field.box(row, col, clip=False)
        explorer.view.position = position(corner, (top + bottom) / 2 / 48, (left + right) / 2 / 48, 190)
        assert values_of(explorer, "row", "col") == (row, col)
    explorer.view.position = position(corner, 0.999, 0.0, 190)
    assert values_of(explorer, "row", "col") == (11, 0)
    assert explorer.error is None


def test_arrow_keys_need_no_click_and_go_on_where_the_last_click_was(model):
    explorer = explore.activation_maps(model, layer="conv2")
    explorer.controls["order"].value = "by channel"
    explorer.controls["unit"].value = 5  # the tile in row 1, column 1 of a grid of 4 columns
    press(explorer, "right")
    press(explorer, "down")
    press(explorer, "down")  # in the last row, of two tiles: none is under the third column
    assert explorer.controls["unit"].value == 6
    explorer.view.position = position((450, 32), 3.5 / 12, 3.5 / 12, 190)
    press(explorer, "left")
    assert values_of(explorer, "unit", "row", "col") == (6, 3, 2)


def test_weak_maps_can_be_seen_on_their_own_scale_and_compared_on_one_for_all(model):
    explorer = explore.activation_maps(model, layer="relu2")
    explorer.controls["order"].value = "by channel"
    with torch.no_grad():
        maps = model.network[:5]((model.prepare("cat") - model.mean) / model.std)[0].numpy()
    pitch = int(404 * SCALE) // 4

    def shown(unit):
        row, col = np.unravel_index(int(maps[unit].argmax()), maps[unit].shape)
        side = pitch - 4
        y, x = int(32 * SCALE) + unit // 4 * pitch, int(8 * SCALE) + unit % 4 * pitch
        return explorer.picture[int(y + (row + 0.5) * side / 12), int(x + (col + 0.5) * side / 12)]

    for unit in range(10):
        explorer.controls["scale"].value = "each map its own"
        ends = coloured(np.array([1.0 if maps[unit].any() else 0.0]), 1.0, signed=False)[0]
        assert abs(shown(unit).astype(int) - ends).max() < 12  # a JPEG's error apart
        explorer.controls["scale"].value = "one for all maps"
        expected = coloured(np.array([maps[unit].max() / maps.max()]), 1.0, signed=False)[0]
        assert abs(shown(unit).astype(int) - expected).max() < 12


def test_the_sentence_counts_the_cells_above_the_threshold(model):
    explorer = explore.activation_maps(model, layer="relu2")
    with torch.no_grad():
        maps = model.network[:5]((model.prepare("cat") - model.mean) / model.std)[0]
    explorer.controls["unit"].value = unit = int((maps == 0).float().mean((1, 2)).argmax())
    explorer.controls["quantile"].value = 0  # most of the map is 0, and so is this quantile
    above = int((maps[unit] > 0).sum())
    assert f"{above} of its 144 cells are above the 0 % quantile, 0.00" in explorer.text.value


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
    theirs = explore.activation_maps(model, layer="relu2", threshold_mask=find("threshold_mask").reference)
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


def test_activation_maps_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.activation_maps(model), "unit", range(10)) < 0.1
