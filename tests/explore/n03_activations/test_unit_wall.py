"""The wall of units: every map where it is drawn, clicks and keys, frames of a camera, patches of the chosen unit."""

import io

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

import cs231n_viz as viz
from cs231n_viz import explore
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control, press, values_of

VIRIDIS = matplotlib.colormaps["viridis"]
PITCH = int(632 * SCALE) // 4  # relu2 of the small network has ten maps of 12×12, in four columns


def maps_of(model, photograph="cat"):
    with torch.no_grad():
        return model.network[:5]((model.prepare(photograph) - model.mean) / model.std)[0].numpy()


def middle_of(unit, row, col):
    """Where the middle of a cell of a unit's tile is drawn, (row, column) of the picture."""
    return [
        round(edge * SCALE) + place * PITCH + round((cell + 0.5) * (PITCH - 4) / 12)
        for edge, place, cell in zip((32, 8), divmod(unit, 4), (row, col), strict=True)
    ]


def test_it_follows_every_control(model):
    move_every_control(explore.unit_wall(model, layer="relu2"), skip={"file"})


@pytest.mark.parametrize("scale", ["each map its own", "one for all maps"])
def test_every_map_is_drawn_in_its_place_on_its_scale(model, scale):
    explorer, maps = explore.unit_wall(model, layer="relu2"), maps_of(model)
    explorer.controls["scale"].value = scale
    for unit, values in enumerate(maps):
        limit = values.max() if scale == "each map its own" else maps.max()
        for cell in (np.unravel_index(values.argmax(), values.shape), (3, 8)):
            share = values[cell] / limit if limit else 0.0  # a unit may be 0 everywhere
            wanted = np.array(VIRIDIS(round(share * 255))[:3]) * 255
            assert np.abs(explorer.picture[tuple(middle_of(unit, *cell))] - wanted).max() <= 2


def test_a_click_chooses_a_unit_and_the_keys_go_on(model):
    explorer = explore.unit_wall(model, layer="relu2")
    explorer.view.position = tuple(middle_of(5, 6, 6))
    assert values_of(explorer, "unit") == (5,)
    press(explorer, "right")
    assert values_of(explorer, "unit") == (6,)
    press(explorer, "up")
    assert values_of(explorer, "unit") == (2,)
    row, col = divmod(int(maps_of(model)[2].argmax()), 12)
    top, left, bottom, right = model.layer("relu2").field.box(row, col)
    assert f"in cell ({row}, {col}), which sees rows {top} to {bottom - 1}, columns {left} to {right - 1}" in (
        explorer.text.value
    )


def test_in_another_order_a_click_chooses_the_unit_that_is_drawn_there(model):
    explorer = explore.unit_wall(model, layer="relu2")
    explorer.controls["order"].value = "by maximum"
    explorer.view.position = tuple(middle_of(3, 6, 6))
    assert values_of(explorer, "unit") == (int(maps_of(model).max(axis=(1, 2)).argsort()[::-1][3]),)


def frame(picture, number):
    file = io.BytesIO()
    picture.save(file, "PNG")
    about = {"name": "camera.jpg", "type": "image/png", "size": 1, "last_modified": number, "frame": True}
    return ({**about, "content": memoryview(file.getvalue())},)


def test_each_frame_of_the_camera_is_shown_as_the_picture_that_it_is(model):
    explorer = explore.unit_wall(model, layer="relu2")
    explorer.controls["unit"].value = 3
    explorer.controls["photograph"].value = "the camera"
    assert "shown nothing yet" in str(explorer.error)
    explorer.controls["file"].filming = True  # what the button does
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        explorer.controls["file"].value = frame(Image.fromarray(pixels), number)
        alone = explore.unit_wall(model, Image.fromarray(pixels), "relu2")
        alone.controls["unit"].value = 3
        np.testing.assert_array_equal(explorer.picture, alone.picture)
    explorer.controls["photograph"].value = "coffee"
    assert not explorer.controls["file"].filming


def test_the_chosen_unit_has_its_own_patches(model, tmp_path):
    for name, colour in (("a", (250, 20, 20)), ("b", (20, 20, 250))):
        Image.new("RGB", (48, 48), colour).save(tmp_path / f"{name}.png")
    patches = viz.top_patches(model, viz.Gallery.folder(tmp_path), "relu2", k=1)
    explorer = explore.unit_wall(model, layer="relu2", patches=patches)
    for unit in range(10):
        explorer.controls["unit"].value = unit
        wanted = patches.crops(unit)[0][:, 4, 4] * 255  # the pictures have one colour each
        shown = explorer.picture[round((532 + 33) * SCALE), round((650 + 33) * SCALE)]
        assert np.abs(shown - wanted.numpy()).max() <= 2
    assert {int(index) for index in patches.image_index[:, 0]} == {0, 1}  # so that this could fail


def test_patches_of_another_layer_are_refused(model, tmp_path):
    Image.new("RGB", (48, 48)).save(tmp_path / "a.png")
    patches = viz.top_patches(model, viz.Gallery.folder(tmp_path), "fc", k=1)
    with pytest.raises(ValueError, match=r"of a layer 'fc'; the maps of .*'conv1': 6"):
        explore.unit_wall(model, patches=patches)


def test_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.unit_wall(model), "unit", range(10)) < 0.1
