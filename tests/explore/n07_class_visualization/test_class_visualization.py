"""The explorer of class visualization: it optimises as the recipe does, and another network evaluates."""

import numpy as np
import pytest
import torch

from cs231n_viz import explore
from cs231n_viz.explore.n07_class_visualization.class_visualization import LOGITS
from cs231n_viz.pictures.saving import read_settings
from cs231n_viz.synthesis.class_visualization import PRESETS, Regularisers, class_visualization
from tests.networks import small_classifier

BUTTONS = {"start", "pause", "stop", "save"}


@pytest.fixture
def models():
    first, second = small_classifier(), small_classifier(["c", "d", "b"])
    for parameter in second.parameters():
        parameter.data = parameter.data + 0.05
    return {"one": first, "two": second}


def explorer_of(models, **options):
    return explore.class_visualization(models, steps=8, **options)


def test_start_optimises_as_the_recipe_does(models):
    explorer = explorer_of(models, category="b")
    explorer.controls["seed"].value = 5
    explorer.start()
    assert explorer.state == "finished"
    assert explorer.error is None
    expected = class_visualization(models["one"], 1, steps=8, seed=5, progress=False)
    torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-5, rtol=0)
    assert explorer.scores == pytest.approx(expected.scores, rel=1e-4)


def test_a_channel_of_a_layer(models):
    explorer = explorer_of(models)
    explorer.controls["layer"].value = "conv2"
    assert explorer.controls["channel"].max == 9
    assert explorer.controls["category"].disabled
    explorer.controls["channel"].value = 7
    explorer.start()
    expected = class_visualization(models["one"], 7, layer="conv2", steps=8, progress=False)
    torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-4, rtol=0)
    assert "channel 7 of conv2" in explorer.text.value


def test_the_sliders_are_the_regularisers(models):
    explorer = explorer_of(models)
    with explorer.hold():
        explorer.controls["preset"].value = "none"
        explorer.controls["start_from"].value = "mean colour"
        for name, value in (("blur", 0.8), ("every", 2), ("clip_contributions", 30), ("decay", 5), ("l2", 7)):
            explorer.controls[name].value = value
    explorer.start()
    keeping = Regularisers(blur=0.8, every=2, clip_contributions=0.3, decay=0.05, l2=7.0)
    expected = class_visualization(
        models["one"], 0, regularisers=keeping, parameterisation="pixels", start="zero", steps=8, progress=False
    )
    torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-4, rtol=0)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_recipe_sets_every_slider_to_its_value(models, preset):
    explorer = explorer_of(models)
    explorer.controls["clip_pixels"].value = 20
    explorer.controls["preset"].value = "none"
    explorer.controls["preset"].value = preset
    explorer.start()
    assert explorer.error is None
    written = explorer.ascent.settings
    for name, value in vars(PRESETS[preset]).items():
        if value and name != "every":
            assert written[name] == pytest.approx(value, abs=1e-6)
    assert "clip_pixels" not in written


def test_in_a_spectrum_the_changes_of_pixels_are_switched_off_and_do_no_harm(models):
    explorer = explorer_of(models)
    explorer.controls["preset"].value = "yosinski"
    assert not explorer.controls["blur"].disabled
    explorer.controls["space"].value = "Fourier spectrum"
    assert explorer.controls["blur"].disabled
    explorer.start()
    assert explorer.error is None
    assert "blur" not in explorer.ascent.settings


def test_every_network_that_knows_the_class_evaluates(models):
    explorer = explorer_of(models, category="b")
    explorer.start()
    assert "one (optimised): b has rank" in explorer.text.value
    assert "two (not optimised): b has rank" in explorer.text.value
    explorer.controls["category"].value = "a"
    explorer.start()
    assert "not optimised" not in explorer.text.value


def test_another_network_brings_its_own_classes_and_layers(models):
    explorer = explorer_of(models, category="b")
    explorer.controls["layer"].value = "conv2"
    explorer.controls["network"].value = "two"
    assert explorer.controls["category"].value == "b"
    assert explorer.controls["category"].options == ("c", "d", "b")
    assert explorer.controls["layer"].value == LOGITS
    explorer.start()
    assert explorer.error is None
    expected = class_visualization(models["two"], 2, steps=8, progress=False)
    torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-4, rtol=0)


def test_it_is_saved_with_its_settings(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = explorer_of(models, category="b")
    explorer.start()
    path = explorer.save()
    written = read_settings(path)
    assert written["controls"]["category"] == "b"
    assert written["settings"]["tv"] == 200


def test_a_single_classifier_needs_no_name_and_no_models_are_refused():
    explorer = explore.class_visualization(small_classifier(), steps=2)
    before = explorer.picture.copy()
    explorer.start()
    assert not np.array_equal(before, explorer.picture)
    assert BUTTONS <= set(explorer.controls)
    with pytest.raises(ValueError, match="at least one model"):
        explore.class_visualization({})
    with pytest.raises(KeyError, match="no category 'dog'"):
        explore.class_visualization(small_classifier(), "dog")
