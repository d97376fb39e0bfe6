"""The DeepDream explorer: the dream is that of the package, and grows in the event loop."""

import asyncio

import pytest
import torch

from cs231n_viz import explore
from cs231n_viz.explore import LiveAscent
from cs231n_viz.explore.toolkit import live_ascent
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.pictures.saving import read_settings
from cs231n_viz.synthesis.deep_dream import DreamUpdate, deep_dream
from tests.explore.controls import let_run, median_seconds, move_every_control, until

SOME = ["cat", "coffee", "rocket"]


def dreaming(models, **options) -> LiveAscent:
    explorer = explore.deep_dream(models, "coffee", "relu2", width=60, photographs=SOME, **options)
    for name, value in {"octaves": 2, "steps": 2, "jitter": 4}.items():
        explorer.controls[name].value = value
    return explorer


def shown(explorer):
    return {name for name, control in explorer.controls.items() if control.layout.display != "none"}


def test_a_dream_is_that_of_the_package(model):
    explorer = dreaming(model)
    explorer.controls["start"].click()
    photo = resize(load_image("coffee")[None], (40, 60)).clamp(0, 1)
    expected = deep_dream(model, photo, "relu2", octaves=2, steps=2, update=DreamUpdate(jitter=4), progress=False)
    torch.testing.assert_close(explorer.step.image, expected.image)
    assert explorer.scores == pytest.approx(expected.scores)
    assert explorer.state == "finished"


def test_channel_guide_and_step_reach_the_recipe(model):
    explorer = dreaming(model)
    explorer.controls["single"].value = True
    explorer.controls["channel"].value = 3
    explorer.controls["step"].value = "6/255"
    explorer.controls["smooth"].value = False
    explorer.controls["start"].click()
    settings = explorer.ascent.settings
    assert (settings["channel"], settings["guided"], settings["smooth"]) == (3, False, 0)
    assert settings["lr"] == pytest.approx(6 / 255)
    explorer.controls["guide"].value = "cat"
    explorer.controls["start"].click()
    assert (explorer.ascent.settings["channel"], explorer.ascent.settings["guided"]) == (None, True)
    assert explorer.error is None


def test_only_what_counts_is_shown(model):
    explorer = dreaming(model)
    assert "channel" not in shown(explorer)
    explorer.controls["single"].value = True
    assert {"single", "channel"} <= shown(explorer)
    assert explorer.controls["channel"].max == 9
    explorer.controls["layer"].value = "relu1"
    assert explorer.controls["channel"].max == 5
    explorer.controls["guide"].value = "cat"
    assert not {"single", "channel"} & shown(explorer)


def test_only_layers_with_positions_dream(model, other):
    explorer = dreaming({"one": model, "two": other})
    assert explorer.controls["layer"].options == ("conv1", "relu1", "pool1", "conv2", "relu2")
    explorer.controls["network"].value = "two"
    assert explorer.controls["layer"].options == ("0", "1")
    assert explorer.controls["channel"].max == 3
    explorer.controls["start"].click()
    assert explorer.error is None
    assert explorer.ascent.settings["layer"] == "1"


def test_the_preview_follows_what_it_shows(model):
    explorer = explore.deep_dream(model, "coffee", "relu2", width=60, photographs=SOME)
    hidden = {"network", "layer", "single", "channel", "step", "jitter", "smooth"}
    move_every_control(explorer, skip=hidden)


def test_a_dream_can_be_paused_resumed_and_stopped(model, monkeypatch, no_pause):
    monkeypatch.setattr(live_ascent, "SLICE", 0.0)  # one step between two drawings, however fast the machine

    async def run():
        explorer = dreaming(model)
        explorer.controls["steps"].value = 40
        explorer.start()
        await until(lambda: len(explorer.scores) > 2)
        explorer.pause()
        paused = len(explorer.scores)
        await let_run()
        assert len(explorer.scores) == paused
        explorer.resume()
        await until(lambda: len(explorer.scores) > paused)
        explorer.stop()
        return paused, explorer

    paused, explorer = asyncio.run(run())
    assert 2 < paused < len(explorer.scores) <= 82
    assert explorer.state == "stopped"


def test_a_saved_dream_knows_its_settings(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = dreaming(model)
    assert explorer.save() is None
    explorer.start()
    kept = read_settings(explorer.save())
    assert kept["settings"]["layer"] == "relu2"
    assert kept["controls"]["photograph"] == "coffee"


def test_an_octave_too_small_is_said_on_the_page(other):
    explorer = explore.deep_dream(other, "coffee", "0", width=8, photographs=SOME)
    explorer.start()
    assert "needs 5 × 5 at least" in str(explorer.error)


def test_a_dream_that_cannot_be_shown_is_refused(model):
    with pytest.raises(ValueError, match="at least one model"):
        explore.deep_dream({})
    with pytest.raises(KeyError, match="relu2"):
        explore.deep_dream(model, "coffee", "relu3", photographs=SOME)
    with pytest.raises(ValueError, match="no photograph 'dog'; wanted one of cat, coffee, rocket"):
        explore.deep_dream(model, "dog", photographs=SOME)


def test_updates_of_a_dream_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(dreaming(model), "octaves", range(1, 6)) < 0.1
