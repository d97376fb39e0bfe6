"""The occlusion explorer: the window follows the mouse, and the map fills and is that of the package."""

import asyncio

import pytest
import torch

from cs231n_viz import explore, occlusion, sample_images
from cs231n_viz.exercises import find
from cs231n_viz.explore.n04_saliency import occlusion as occlusion_explorer
from cs231n_viz.explore.toolkit.canvas import SCALE, number
from tests.explore.controls import let_run, median_seconds, move_every_control, position, until, values_of

PHOTO, MAP, THIRD = (8, 32), (294, 32), (580, 32)


def test_occlusion_follows_every_control(model):
    move_every_control(explore.occlusion(model))


def test_the_occluder_says_how_far_the_logit_falls(model):
    explorer = explore.occlusion(model, "coffee", "b")
    for name, value in {"window": 10, "row": 7, "col": 30, "fill": "white"}.items():
        explorer.controls[name].value = value
    images = model.prepare("coffee")
    covered = images.clone()
    covered[:, :, 7:17, 30:40] = 1.0
    drop = (model(images) - model(covered))[0, 1].item()
    assert "rows 7 to 16 and columns 30 to 39" in explorer.text.value
    assert f"{'falls' if drop >= 0 else 'rises'} by {abs(drop):.2f}" in explorer.text.value


@pytest.mark.parametrize("corner", [PHOTO, MAP])
def test_a_click_centres_the_occluder_and_keeps_it_in_the_picture(model, corner):
    explorer = explore.occlusion(model)
    explorer.controls["window"].value = 10
    explorer.view.position = position(corner, 0.5, 0.75, 270)
    assert values_of(explorer, "row", "col") == (19, 31)
    explorer.view.position = position(corner, 0.0, 0.99, 270)
    assert values_of(explorer, "row", "col") == (0, 38)
    explorer.view.position = position((586, 32), 0.5, 0.5, 270)  # the bars
    assert values_of(explorer, "row", "col") == (0, 38)


def test_in_plain_python_the_map_fills_at_once_and_is_that_of_the_package(model):
    explorer = explore.occlusion(model, "cat", "c")
    before = explorer.picture
    explorer.controls["window"].value = 12
    explorer.controls["stride"].value = "4"
    explorer.controls["start"].click()
    assert (explorer.picture != before).any()
    expected = occlusion(model, model.prepare("cat"), 2, window=12, stride=4, fill=0.5, progress=False)[0]
    assert expected.max() - expected.min() > 0.1
    assert f"from {number(expected.min())} to {number(expected.max())}" in explorer.text.value
    assert explorer.controls["cancel"].disabled
    explorer.controls["stride"].value = "8"  # a map for other controls is not kept
    assert "On the map" not in explorer.text.value


def test_in_an_event_loop_the_map_fills_step_by_step_and_can_be_cancelled(model, monkeypatch, no_pause):
    monkeypatch.setattr(occlusion_explorer, "_SLICE", 0.0)  # one batch of windows for every drawing

    async def fill():
        explorer = explore.occlusion(model)
        explorer.controls["window"].value = 8
        explorer.controls["stride"].value = "4"
        explorer.controls["start"].click()
        pictures = set()

        def three():
            pictures.add(explorer.picture.tobytes())
            return len(pictures) >= 3

        await until(three)
        assert not explorer.controls["cancel"].disabled
        explorer.controls["cancel"].click()
        stopped = explorer.picture
        await let_run()
        assert (explorer.picture == stopped).all()
        assert explorer.controls["cancel"].disabled

    asyncio.run(fill())


def test_the_class_is_the_one_that_is_predicted_until_another_is_chosen(model):
    def predicted(photograph):
        return model.categories[int(model(model.prepare(photograph))[0].argmax())]

    given = next(name for name in "abc" if name != predicted("cat"))
    explorer = explore.occlusion(model, "cat", given)
    explorer.controls["photograph"].value = "coffee"  # what the notebook began with was nobody's choice
    assert explorer.controls["category"].value == predicted("coffee")
    chosen = next(name for name in "abc" if name not in (given, predicted("coffee")))
    explorer.controls["category"].value = chosen
    other = next(name for name in sample_images() if predicted(name) not in (chosen, given))
    explorer.controls["photograph"].value = other
    assert explorer.controls["category"].value == chosen
    explorer.reset()
    explorer.controls["photograph"].value = other
    assert explorer.controls["category"].value == predicted(other)


def test_the_map_has_a_colour_bar_with_its_largest_drop(model):
    explorer = explore.occlusion(model, "cat", "c")
    bar = slice(int((32 + 270 + 6) * SCALE), int((32 + 270 + 16) * SCALE)), slice(int(296 * SCALE), int(560 * SCALE))
    assert (explorer.picture[bar] == 255).all()  # there is no map yet
    explorer.controls["start"].click()
    assert explorer.controls["start"].disabled
    colours = explorer.picture[bar][5].astype(int)
    assert colours[5, 2] > colours[5, 0]
    assert colours[-5, 0] > colours[-5, 2]
    explorer.controls["stride"].value = "8"
    assert not explorer.controls["start"].disabled


def test_a_learners_occlusion_step_is_used_and_a_wrong_shape_is_named(model):
    explorer = explore.occlusion(model, occlusion_step=find("occlusion_step").reference)
    assert explorer.text.value == explore.occlusion(model).text.value
    always = explore.occlusion(model, occlusion_step=lambda *args, **kwargs: torch.tensor([7.25]))
    assert "falls by 7.25" in always.text.value
    broken = explore.occlusion(model, occlusion_step=lambda *args, **kwargs: torch.zeros(2))
    assert "must return one value" in str(broken.error)


def test_a_class_that_cannot_be_occluded_is_refused(model):
    with pytest.raises(KeyError, match="no category 'dragon'"):
        explore.occlusion(model, category="dragon")


def test_occlusion_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.occlusion(model), "row", range(10)) < 0.1
