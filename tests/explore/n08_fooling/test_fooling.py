"""The explorer of adversarial examples: the perturbation is that of the package, and its size is told."""

import asyncio

import pytest
import torch

from cs231n_viz import explore
from cs231n_viz.explore.n08_fooling.fooling import NOISE
from cs231n_viz.explore.toolkit import live_ascent
from cs231n_viz.explore.toolkit.canvas import SCALE, number
from cs231n_viz.synthesis.fooling import fooling_image
from cs231n_viz.synthesis.parameterisation import start_noise
from tests.explore.controls import let_run, median_seconds, move_every_control, until
from tests.networks import small_classifier

MIDDLE = (294, 32)  # the panel that shows what was added
BEGIN = ["photograph", "network", "category", "rule", "step", "steps"]


@pytest.fixture(scope="module")
def model():
    """48 px; logits far enough apart to be moved by a little."""
    model = small_classifier()
    model.network.fc.weight.data *= 100
    return model


def second(model, name):
    return model.categories[int(model(model.prepare(name))[0].topk(2).indices[1])]


def panel(explorer, corner):
    left, top = (round(value * SCALE) for value in corner)
    return explorer.picture[top : top + 400, left : left + 400]


def test_it_fools_the_network_and_says_how_much_it_took(model):
    target = second(model, "coffee")
    explorer = explore.fooling(model, "coffee", target)
    assert "Nothing is changed yet" in explorer.text.value
    explorer.controls["rule"].value = "unit: normalised"
    explorer.controls["start"].click()
    assert explorer.error is None
    assert explorer.state == "finished"
    expected = fooling_image(model, model.prepare("coffee"), model.index(target), rule="unit", lr=0.4, progress=False)
    assert expected.flipped_at > 0
    assert f"Fooled at step {expected.flipped_at}." in explorer.text.value
    assert f"L2 {number(expected.l2)}, L∞ {number(255 * expected.linf, 1)} / 255" in explorer.text.value


def test_the_first_picture_is_the_photograph_and_no_change_is_an_even_grey(model):
    explorer = explore.fooling(model, "cat")
    assert (abs(panel(explorer, MIDDLE).astype(int) - 128) <= 1).all()
    explorer.controls["category"].value = second(model, "cat")
    explorer.controls["start"].click()
    assert panel(explorer, MIDDLE).std() > 1


def test_the_factor_redraws_without_a_new_run(model):
    explorer = explore.fooling(model, "cat", second(model, "cat"))
    explorer.controls["start"].click()
    step, faint = explorer.step, panel(explorer, MIDDLE).std()
    explorer.controls["factor"].value = 20
    assert panel(explorer, MIDDLE).std() > 1.3 * faint
    assert explorer.step is step
    assert explorer.state == "finished"
    explorer.controls["factor"].value = 1
    assert panel(explorer, MIDDLE).std() < faint


def test_what_is_the_class_already_is_left_alone_and_said_to_be(model):
    name = model.categories[int(model(model.prepare("cat")).argmax())]
    explorer = explore.fooling(model, "cat", name)
    explorer.controls["start"].click()
    assert f"classified as <b>{name}</b> from the beginning" in explorer.text.value
    assert torch.equal(explorer.step.image, model.prepare("cat"))


def test_the_other_network_is_asked_and_the_class_is_kept(model):
    other = small_classifier(["b", "x", "y"])
    explorer = explore.fooling({"one": model, "two": other}, "coffee", "b")
    predicted = other.categories[int(other(other.prepare("coffee")).argmax())]
    assert f"two predicts <b>{predicted}</b>, now as before" in explorer.text.value
    explorer.controls["network"].value = "two"
    assert explorer.error is None
    assert explorer.controls["category"].value == "b"
    assert explorer.controls["category"].options == ("b", "x", "y")
    assert "one predicts" in explorer.text.value
    explorer.controls["category"].value = "y"
    explorer.controls["network"].value = "one"
    assert explorer.controls["category"].value == "a"
    alone = explore.fooling(model, "coffee", "b")
    assert "predicts" not in alone.text.value


def test_it_starts_from_noise(model):
    explorer = explore.fooling(model, NOISE)
    explorer.controls["steps"].value = 3
    explorer.controls["start"].click()
    assert torch.equal(explorer.ascent.start, start_noise(48))
    assert explorer.error is None


def test_every_control_can_be_moved(model):
    explorer = explore.fooling({"one": model, "two": small_classifier()}, "cat", second(model, "cat"))
    explorer.controls["start"].click()
    move_every_control(explorer, skip=BEGIN)
    before = explorer.picture
    for name, value in {"rule": "sign: iterated FGSM", "step": "double", "steps": 5}.items():
        explorer.controls[name].value = value
        assert "other settings" in explorer.message.value
    explorer.controls["start"].click()
    assert explorer.ascent.settings["lr"] == 2 / 510
    assert explorer.ascent.settings["rule"] == "sign"
    assert explorer.ascent.settings["steps"] == 5
    assert (explorer.picture != before).any()


def test_in_an_event_loop_it_can_be_paused_and_goes_on(model, no_pause, monkeypatch):
    monkeypatch.setattr(live_ascent, "SLICE", 0.0)  # one step between two drawings, however fast the machine

    async def run():
        explorer = explore.fooling(model, "coffee", second(model, "coffee"))
        explorer.controls["start"].click()
        await until(lambda: explorer.step is not None)
        explorer.pause()
        count = len(explorer.scores)
        await let_run()
        assert len(explorer.scores) == count
        explorer.resume()
        await until(lambda: explorer.state == "finished")
        return explorer

    explorer = asyncio.run(run())
    assert len(explorer.scores) == 31
    assert "Fooled at step" in explorer.text.value


def test_what_cannot_be_shown_is_refused(model):
    with pytest.raises(ValueError, match="at least one model"):
        explore.fooling({})
    with pytest.raises(ValueError, match="'unicorn'"):
        explore.fooling(model, "unicorn")
    with pytest.raises(KeyError, match="no category 'dragon'"):
        explore.fooling(model, category="dragon")


def test_a_redraw_is_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.fooling(model), "factor", range(1, 11)) < 0.1
