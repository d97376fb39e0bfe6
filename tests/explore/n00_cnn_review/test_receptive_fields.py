"""The explorer of receptive fields: clicks choose units, and the fields are those of the package."""

from cs231n_viz import explore
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control, press


def test_receptive_fields_follows_every_control(model):
    explorer = explore.receptive_fields(model)
    move_every_control(explorer)
    assert list(explorer.controls["layer"].options) == ["conv1", "relu1", "pool1", "conv2", "relu2", "gap"]


def test_receptive_fields_clicks_choose_units(model):
    explorer = explore.receptive_fields(model)
    explorer.controls["layer"].value = "conv2"  # 12×12 units
    on_map = (int((32 + 404 * 2.5 / 12) * SCALE), int((448 + 404 * 7.5 / 12) * SCALE))
    explorer.view.position = on_map
    assert (explorer.controls["row"].value, explorer.controls["col"].value) == (2, 7)
    explorer.view.position = (int((32 + 404 * 0.99) * SCALE), int((8 + 404 * 0.01) * SCALE))
    assert (explorer.controls["row"].value, explorer.controls["col"].value) == (11, 0)
    assert explorer.error is None
    top, left, bottom, right = model.layer("conv2").field.box(11, 0)
    assert f"rows {top} to {bottom - 1}, columns {left} to {right - 1}" in explorer.text.value
    assert "padding" in explorer.text.value


def test_receptive_fields_keeps_the_place_when_the_layer_changes(model):
    explorer = explore.receptive_fields(model)
    explorer.controls["layer"].value = "conv1"
    explorer.controls["row"].value, explorer.controls["col"].value = 20, 4
    explorer.controls["layer"].value = "conv2"
    assert (explorer.controls["row"].value, explorer.controls["col"].value) == (10, 2)


def test_arrow_keys_on_the_map_need_no_click_and_follow_the_sliders(model):
    explorer = explore.receptive_fields(model)
    explorer.controls["layer"].value = "conv2"
    explorer.controls["row"].value, explorer.controls["col"].value = 5, 10
    for arrow, unit in (("right", (5, 11)), ("right", (5, 11)), ("up", (4, 11))):  # the last column is the end
        press(explorer, arrow)
        assert (explorer.controls["row"].value, explorer.controls["col"].value) == unit


def test_receptive_fields_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.receptive_fields(model)
    assert median_seconds(explorer, "row", range(12)) < 0.1
    assert len(explorer.seconds) >= len(range(12))
