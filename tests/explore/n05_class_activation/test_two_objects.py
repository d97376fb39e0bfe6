"""The explorer of two objects: the shares of the maps on either object."""

import re

import pytest

import cs231n_viz as viz
from cs231n_viz import explore
from cs231n_viz.pictures.scenes import CLASSES, object_pair
from tests.explore.controls import median_seconds, move_every_control
from tests.explore.n05_class_activation.networks import against_everything, network

pytestmark = pytest.mark.usefixtures("one_thread")


def test_two_objects_follow_every_control(models):
    explorer = explore.two_objects(models, "cat", "flower")
    explorer.controls["signed"].value = True
    move_every_control(explorer)
    explorer.controls["picture"].value = "coffee"
    hidden = {name for name, control in explorer.controls.items() if control.layout.display == "none"}
    assert hidden == {"left", "right", "share", "outlines"}
    move_every_control(explorer)


@pytest.mark.parametrize("name", ["mini_alexnet", "mini_vgg", "mini_vgg_robust"])
def test_every_shipped_network_is_sure_of_both_objects_that_are_shown_at_first(name):
    text = explore.two_objects(viz.load_model(name)).text.value
    ranks, shares = re.findall(r"has rank (\d+)", text), re.findall(r"probability ([\d.]+)%", text)
    assert sorted(ranks) == ["1", "2"]
    assert min(map(float, shares)) > 20  # of 113 classes


def test_a_photograph_is_shown_with_its_two_most_probable_classes(models):
    explorer, model = explore.two_objects(models), models["averaging"]
    explorer.controls["picture"].value = "coffee"
    best = model(model.prepare("coffee"))[0].topk(2).indices.tolist()
    said = re.findall(r"<b>(.*?)</b> has rank (\d)", explorer.text.value)
    assert said == [(model.categories[index], str(place + 1)) for place, index in enumerate(best)]
    assert "object" not in explorer.text.value


def test_two_objects_tell_the_shares_of_the_maps_on_either_object(models):
    model = models["averaging"]
    explorer = explore.two_objects(models, "flower", "motorcycle")
    picture, masks = object_pair("flower", "motorcycle", size=48, grey=1, share=1, close_up=True)
    for photo, category in (("flower", "flower"), ("motorcycle", "Motorbikes")):
        values = viz.grad_cam(model, picture[None], model.index(category), "relu2")
        left, right = (float(viz.scoring.mass_in_mask(values, mask[None])) for mask in masks)
        assert f"of its map {left:.0%} lie on the left object and {right:.0%} on the right one" in (
            explorer.text.value
        ), photo
    explorer.controls["network"].value = "flat"
    assert explorer.error is None
    assert explorer.controls["layer"].value == "relu2"


def test_two_objects_name_the_class_without_evidence():
    explorer = explore.two_objects(against_everything(network(averaging=True)), "cat", "cat")
    quiet = explore.two_objects(against_everything(network(averaging=True)), "astronaut", "cat")
    assert CLASSES[0] == "cat"
    assert "There is no evidence for cat or cat in relu2" in explorer.message.value
    assert "no evidence for cat" in quiet.message.value


def test_two_objects_that_cannot_be_shown_are_refused(models):
    with pytest.raises(ValueError, match="models is empty"):
        explore.two_objects({})
    with pytest.raises(KeyError, match="no object 'dog' to paste; there are astronaut, cat"):
        explore.two_objects(models, "dog")


def test_two_objects_updates_are_fast(models):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.two_objects(models), "share", range(30, 40)) < 0.1
