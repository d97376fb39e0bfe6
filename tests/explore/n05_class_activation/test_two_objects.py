"""The explorer of two objects: the shares of the maps on either object."""

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


def test_two_objects_tell_the_shares_of_the_maps_on_either_object(models):
    model = models["averaging"]
    explorer = explore.two_objects(models, "flower", "motorcycle")
    picture, masks = object_pair("flower", "motorcycle", size=48)
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
