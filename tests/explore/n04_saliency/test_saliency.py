"""The saliency explorer: every method explains a class and a neuron, and is refined step by step."""

import asyncio

import numpy as np
import pytest
import torch
from torch import nn

from cs231n_viz import explore, guided_backprop, saliency, wrap
from cs231n_viz.exercises import find
from cs231n_viz.explore.n04_saliency import saliency as saliency_explorer
from cs231n_viz.explore.n04_saliency.saliency import (
    ABS,
    GUIDED,
    LOGIT,
    METHODS,
    PATH,
    SAMPLES,
    SMOOTH,
    TIMES,
    as_heatmap,
)
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import let_run, median_seconds, move_every_control, position, until, values_of

PHOTO, MAP, THIRD = (8, 32), (294, 32), (580, 32)


@pytest.fixture
def few(monkeypatch):
    """Methods that sharpen step by step take few steps, where many would only cost time."""
    monkeypatch.setattr(saliency_explorer, "SAMPLES", 3)
    monkeypatch.setattr(saliency_explorer, "SEGMENTS", 3)


def test_saliency_follows_every_control(model, few):
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    models = {"one": model, "two": wrap(network.eval(), ["a", "b", "d"], input_size=48)}
    move_every_control(explore.saliency(models), skip={"unit", "row", "col"})
    explorer = explore.saliency(models, method=GUIDED)
    explorer.controls["layer"].value = "relu2"
    explorer.controls["unit"].value = 0
    move_every_control(explorer, skip={"category", "network"})


def test_only_the_controls_of_what_is_explained_are_shown(model):
    explorer = explore.saliency(model)
    hidden = {name for name, control in explorer.controls.items() if control.layout.display == "none"}
    assert hidden == {"network", "unit", "row", "col"}  # there is only one network
    explorer.controls["layer"].value = "conv2"
    hidden = {name for name, control in explorer.controls.items() if control.layout.display == "none"}
    assert hidden == {"network", "category"}


def test_a_layer_begins_with_its_strongest_neuron_and_a_click_chooses_another(model):
    explorer = explore.saliency(model, "coffee", method=GUIDED)
    explorer.controls["layer"].value = "relu2"
    with torch.no_grad():
        maps = model.network[:5]((model.prepare("coffee") - model.mean) / model.std)[0]
    unit, row, col = np.unravel_index(int(maps.argmax()), maps.shape)
    assert values_of(explorer, "unit", "row", "col") == (unit, row, col)
    assert f"has activation {maps.max():.2f}" in explorer.text.value
    explorer.view.position = position(THIRD, 2.5 / 12, 10.5 / 12, 270)
    assert values_of(explorer, "row", "col") == (2, 10)
    explorer.view.position = position(PHOTO, 0.5, 0.5, 270)
    assert values_of(explorer, "row", "col") == (2, 10)


def test_the_middle_panel_shows_the_method_of_the_package(model):
    explorer = explore.saliency(model, "cat", "b", method=GUIDED)
    expected = as_heatmap(guided_backprop(model, model.prepare("cat"), 1)[0], GUIDED).pixels
    row, col = 30, 20
    y, x = (int((corner + (place + 0.5) * 270 / 48) * SCALE) for corner, place in ((32, row), (294, col)))
    np.testing.assert_allclose(explorer.picture[y, x].astype(int), expected[row, col].astype(int), atol=1)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_a_class_and_a_neuron(model, few, method):
    explorer = explore.saliency(model, method=method)
    assert explorer.error is None
    explorer.controls["layer"].value = "conv2"
    assert explorer.error is None
    assert "Neuron" in explorer.text.value


def test_integrated_gradients_sum_up_to_the_rise_of_the_logit(model):
    explorer = explore.saliency(model, "cat", "a", method=PATH)
    images = model.prepare("cat")
    rise = (model(images) - model(torch.zeros_like(images)))[0, 0].item()
    assert f"rises by {rise:.3f}".replace("-", "−") in explorer.text.value
    total = float(explorer.text.value.split("sum up to ")[1].split(".</div>")[0].replace("−", "-"))
    assert total == pytest.approx(rise, rel=0.05, abs=0.01)


def test_only_what_is_unfinished_says_how_far_it_is(model, few, no_pause):
    async def look():
        explorer, texts = explore.saliency(model, "cat", method=PATH), []

        def finished():
            texts.append(explorer.text.value)
            return "the attributions sum up to" in texts[-1]

        await until(finished)
        return texts

    texts = asyncio.run(look())
    assert "of 1 of 3 segments sum up" in texts[0]
    assert "of 2 of 3 segments sum up" in texts[-2]


@pytest.mark.parametrize("method", [ABS, TIMES, GUIDED])
def test_a_neuron_that_is_0_is_explained(model, method):
    explorer = explore.saliency(model, "coffee", method=method)
    explorer.controls["layer"].value = "relu2"
    assert "0 everywhere" not in explorer.message.value
    maps = model.network[:5]((model.prepare("coffee") - model.mean) / model.std)[0]
    silent = (maps == 0).nonzero()[0].tolist()
    with explorer.hold():
        for name, value in zip(("unit", "row", "col"), silent, strict=True):
            explorer.controls[name].value = value
    assert "has activation 0.00" in explorer.text.value
    assert "This neuron is 0 here" in explorer.message.value


def test_smooth_grad_sharpens_over_several_drawings_and_can_be_left_at_any(model, no_pause):
    done = f"Mean of {SAMPLES} gradients"

    async def look():
        explorer = explore.saliency(model, method=SMOOTH)
        first = explorer.picture
        await let_run(5)
        assert done not in explorer.text.value
        explorer.controls["method"].value = ABS
        left = explorer.picture
        await let_run()
        assert (explorer.picture == left).all()
        explorer.controls["method"].value = SMOOTH
        await until(lambda: done in explorer.text.value)
        return first, explorer

    first, explorer = asyncio.run(look())
    assert (explorer.picture != first).any()
    assert len(explorer.seconds) > SAMPLES / 2


def test_a_learners_saliency_map_is_used_and_a_wrong_shape_is_named(model):
    ours, theirs = explore.saliency(model), explore.saliency(model, saliency_map=find("saliency_map").reference)
    np.testing.assert_array_equal(ours.picture, theirs.picture)
    calls = []

    def counted(*args, **kwargs):
        calls.append(kwargs["magnitude"])
        return saliency(*args, **kwargs)

    explorer = explore.saliency(model, saliency_map=counted)
    explorer.controls["method"].value = METHODS[1]
    explorer.controls["method"].value = ABS
    assert calls == ["abs", "square"]  # a finished map is not made again
    broken = explore.saliency(model, saliency_map=lambda model, images, targets, magnitude: images)
    assert "must return (1, 48, 48)" in str(broken.error)
    broken.controls["method"].value = GUIDED
    assert broken.error is None


def test_another_network_keeps_the_class_that_was_chosen_if_it_has_it(model):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    first = model.categories[int(model(model.prepare("motorcycle"))[0].argmax())]
    chosen = next(name for name in "abc" if name != first)
    other = wrap(network.eval(), ["x", chosen], input_size=48)
    explorer = explore.saliency({"one": model, "two": other})
    explorer.controls["category"].value = chosen
    explorer.controls["layer"].value = "relu2"
    explorer.controls["network"].value = "two"
    assert values_of(explorer, "category", "layer") == (chosen, LOGIT)
    assert explorer.error is None
    explorer.controls["category"].value = "x"
    explorer.controls["network"].value = "one"
    assert values_of(explorer, "category") == (first,)


def test_what_has_no_saliency_is_refused(model):
    with pytest.raises(ValueError, match="method must be one of saliency"):
        explore.saliency(model, method="magic")
    with pytest.raises(ValueError, match="at least one model"):
        explore.saliency({})


def test_saliency_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.saliency(model), "category", "abc") < 0.1
