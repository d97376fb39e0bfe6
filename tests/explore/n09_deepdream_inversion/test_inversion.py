"""The explorer of feature inversion: the picture and its errors are those of the package."""

import pytest
import torch

from cs231n_viz import explore
from cs231n_viz.explore import LiveAscent
from cs231n_viz.explore.toolkit.canvas import number
from cs231n_viz.synthesis.inversion import ImagePrior, invert, psnr
from tests.explore.controls import median_seconds, move_every_control

SOME = ["cat", "coffee", "rocket"]


def inverting(models, **options) -> LiveAscent:
    explorer = explore.inversion(models, "coffee", "relu2", photographs=SOME, **options)
    explorer.controls["steps"].value = 10
    return explorer


def test_the_preview_of_an_inversion_follows_what_it_shows(model):
    move_every_control(inverting(model), skip={"network", "tv", "restarts", "steps", "seed"})


def test_an_inversion_is_that_of_the_package_and_tells_its_numbers(model):
    explorer = inverting(model)
    explorer.controls["restarts"].value = 2
    explorer.controls["tv"].value = "3"
    explorer.controls["seed"].value = 4
    explorer.controls["start"].click()
    # in the explorer's order of memory: in another one sums are rounded otherwise, and ten steps enlarge that
    image = model.prepare("coffee").to(memory_format=torch.channels_last)
    expected = invert(model, image, "relu2", steps=10, prior=ImagePrior(tv=3.0), restarts=2, seed=4, progress=False)
    torch.testing.assert_close(explorer.step.image, expected.image)
    for error, ratio in zip(expected.feature_error.tolist(), psnr(expected.image, image).tolist(), strict=True):
        assert f"feature error {number(100 * error, 1)} %, PSNR {number(ratio, 1)} dB" in explorer.text.value


def test_every_layer_of_either_network_can_be_inverted(model, other):
    explorer = inverting({"one": model, "two": other})
    assert len(explorer.controls["layer"].options) == 8
    for layer in explorer.controls["layer"].options:
        explorer.controls["layer"].value = layer
        explorer.start()
        assert explorer.error is None, layer
    explorer.controls["network"].value = "two"
    assert explorer.controls["layer"].value == "4"  # the last one again
    explorer.start()
    assert explorer.error is None


def test_an_inversion_that_cannot_be_shown_is_refused(model):
    with pytest.raises(ValueError, match="at least one model"):
        explore.inversion({})
    with pytest.raises(KeyError, match="relu2"):
        explore.inversion(model, "coffee", "relu3", photographs=SOME)


def test_updates_of_an_inversion_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(inverting(model), "photograph", SOME) < 0.1
