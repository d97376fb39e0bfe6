"""The explorer of class activation maps: those of the package, and it says when they are empty."""

import numpy as np
import pytest
import torch

import cs231n_viz as viz
from cs231n_viz import explore
from cs231n_viz.explore.toolkit.canvas import SCALE
from cs231n_viz.pictures.scenes import CLASSES
from tests.explore.controls import median_seconds, move_every_control
from tests.explore.n05_class_activation.networks import against_everything, network

pytestmark = pytest.mark.usefixtures("one_thread")


def panel(explorer, left):
    return explorer.picture[int(32 * SCALE) : int(302 * SCALE), int(left * SCALE) : int((left + 270) * SCALE)]


def test_class_activation_follows_every_control(models):
    explorer = explore.class_activation(models, "coffee", "cat")
    explorer.controls["signed"].value = True  # a class may have nothing that speaks for it
    move_every_control(explorer)
    assert list(explorer.controls["layer"].options) == ["conv1", "relu1", "pool1", "conv2", "relu2"]
    assert explorer.controls["layer"].value == "relu2"


def test_it_begins_with_the_most_probable_class_and_tells_its_numbers(models):
    model = models["averaging"]
    with torch.no_grad():
        logits = model(model.prepare("cat"))[0]
    explorer = explore.class_activation(models)
    best = int(logits.argmax())
    assert explorer.controls["category"].value == model.categories[best]
    values = viz.grad_cam(model, model.prepare("cat"), best, "relu2", signed=True)
    assert f"probability {float(logits.softmax(0)[best]):.1%}, rank 1 of 4" in explorer.text.value
    assert f"evidence for it sums up to {float(values.clamp_min(0).sum()):.3f}" in explorer.text.value
    assert f"evidence against it to {float((-values).clamp_min(0).sum()):.3f}" in explorer.text.value


@pytest.mark.parametrize("layer", ["conv1", "relu2"])
def test_the_cells_are_those_of_grad_cam(models, layer):
    explorer = explore.class_activation(models, "cat", "flower", layer=layer)
    explorer.controls["signed"].value = True
    model = models["averaging"]
    values = viz.grad_cam(model, model.prepare("cat"), model.index("flower"), layer, signed=True)[0].numpy()
    drawn, side = panel(explorer, 294), 270 * SCALE / len(values)
    strongest, weakest = (np.unravel_index(f(values), values.shape) for f in (np.argmax, np.argmin))
    for cell, reddish in ((strongest, True), (weakest, False)):
        red, _, blue = drawn[int((cell[0] + 0.5) * side), int((cell[1] + 0.5) * side)].astype(int)
        assert values[cell] * (1 if reddish else -1) > 0
        assert (red > blue) == reddish


def test_cam_is_grad_cam_times_the_number_of_places_and_missing_where_there_is_no_such_head(models):
    explorer = explore.class_activation(models, "cat", "flower")
    explorer.controls["signed"].value = True
    grad = panel(explorer, 294)
    explorer.controls["method"].value = "CAM"
    assert explorer.message.value == "" or "no evidence" in explorer.message.value
    assert np.abs(panel(explorer, 294).astype(int) - grad).max() <= 2  # the same map on another scale
    explorer.controls["network"].value = "flat"
    assert "flat does not end in global average pooling and one linear layer: Grad-CAM is shown" in (
        explorer.message.value
    )
    assert explorer.error is None
    cam = explorer.picture
    explorer.controls["method"].value = "Grad-CAM"
    np.testing.assert_array_equal(explorer.picture, cam)  # what is shown is called what it is


def test_only_controls_that_have_an_effect_are_shown(models):
    explorer = explore.class_activation(models, "cat", "flower")

    def hidden():
        return {name for name in ("layer", "signed", "opacity") if explorer.controls[name].layout.display == "none"}

    found = {}
    for name in ("averaging", "flat"):
        explorer.controls["network"].value = name
        for method in ("Grad-CAM", "CAM", "Guided Grad-CAM"):
            explorer.controls["method"].value = method
            found[name, method] = hidden()
    expected = {"Grad-CAM": set(), "CAM": set(), "Guided Grad-CAM": {"signed", "opacity"}}
    assert found == {("averaging", name): hides for name, hides in (expected | {"CAM": {"layer"}}).items()} | {
        ("flat", name): hides for name, hides in expected.items()
    }


def test_a_map_that_is_negative_everywhere_says_so_and_stays_dark():
    explorer = explore.class_activation(against_everything(network(averaging=True)), "cat", CLASSES[0])
    assert (
        f"There is no evidence for {CLASSES[0]} in this map: without signed it is 0 everywhere"
        in explorer.message.value
    )
    dark = panel(explorer, 294)
    assert tuple(dark[5, 5]) == (68, 1, 84)  # the lower end of viridis, not a rescaled nothing
    assert "nan" not in explorer.text.value
    photo = panel(explorer, 8)
    assert np.array_equal(panel(explorer, 580), photo)
    explorer.controls["signed"].value = True
    assert (panel(explorer, 294) != dark).any()
    explorer.controls["method"].value = "Guided Grad-CAM"
    assert explorer.error is None


def test_another_network_keeps_class_and_layer_if_it_has_them(models):
    other = network(averaging=True)
    other.categories = ["somewhat", "cat", "else", "entirely"]
    explorer = explore.class_activation({**models, "other": other}, "cat", "cat", layer="conv2")
    explorer.controls["network"].value = "flat"
    assert (explorer.controls["category"].value, explorer.controls["layer"].value) == ("cat", "conv2")
    explorer.controls["category"].value = "flower"
    explorer.controls["network"].value = "other"
    assert explorer.controls["category"].value in other.categories
    assert explorer.error is None


@pytest.mark.parametrize("name", ["class_activation", "two_objects"])
def test_a_learners_function_is_used_and_a_broken_one_is_told(models, name):
    build = getattr(explore, name)
    ours = build(models)
    theirs = build(models, grad_cam=lambda model, images, targets, layer, signed: viz.grad_cam(
        model, images, targets, layer, signed=signed
    ))  # fmt: skip
    np.testing.assert_array_equal(ours.picture, theirs.picture)
    broken = build(models, grad_cam=lambda model, images, targets, layer, signed: images)
    assert "grad_cam must return" in str(broken.error)
    assert "Not drawn" in broken.message.value


def test_scenes_can_be_chosen(models):
    explorer = explore.class_activation(models, "scene 3", "cat")
    photo = viz.Gallery.scenes(8, seed=0)[2][0]
    expected = models["averaging"].prepare(photo)[0]
    middle = panel(explorer, 8)[int(135 * SCALE), int(135 * SCALE)] / 255
    np.testing.assert_allclose(middle, expected[:, 23:25, 23:25].mean((1, 2)), atol=0.15)


def test_what_has_no_class_activation_is_refused(models):
    with pytest.raises(ValueError, match="models is empty"):
        explore.class_activation({})
    with pytest.raises(KeyError, match="no maps in layer 'fc'; those with maps: conv1, relu1"):
        explore.class_activation(models, layer="fc")
    with pytest.raises(KeyError, match="unicorn"):
        explore.class_activation(models, category="unicorn")


def test_a_class_asked_for_again_is_not_computed_again(models, monkeypatch):
    model, runs = models["averaging"], []
    monkeypatch.setattr(model.network[0], "forward", lambda x, f=model.network[0].forward: runs.append(1) or f(x))
    explorer = explore.class_activation(models, "cat", "cat")
    explorer.controls["category"].value = "flower"
    before = len(runs)
    for category in ("cat", "flower", "cat"):
        explorer.controls["category"].value = category
    explorer.controls["signed"].value = True
    explorer.controls["opacity"].value = 10
    assert len(runs) == before


@pytest.mark.parametrize("name", ["class_activation", "two_objects"])
def test_the_network_stays_as_it_is(name):
    model = network(averaging=True).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    explorer = getattr(explore, name)(model)
    explorer.controls["layer"].value = explorer.controls["layer"].options[0]
    assert explorer.error is None
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_class_activation_updates_are_fast(models):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.class_activation(models), "category", CLASSES) < 0.1
