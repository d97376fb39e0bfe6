"""The explorer of style transfer: it paints as the recipe does, and shows the terms of the loss."""

import numpy as np
import pytest
import torch

from cs231n_viz import load_image
from cs231n_viz.explore.n11_style_transfer.style import BLENDED, HALVES, NONE, OBJECT, regions, style
from cs231n_viz.pictures.paintings import load_painting
from cs231n_viz.pictures.saving import read_settings
from cs231n_viz.style.loss import StyleLoss
from cs231n_viz.style.transfer import Schedule, stylize
from tests.explore.controls import move_every_control
from tests.networks import small_classifier

SMALL = {"size": 64, "steps": 2}


def second_classifier():
    model = small_classifier()
    del model.network.relu2
    return model


@pytest.fixture(scope="module")
def models():
    return {"one": small_classifier(), "two": second_classifier()}


def explorer_of(models, **moved):
    explorer = style(models, **SMALL)
    with explorer.hold():
        for name, value in moved.items():
            explorer.controls[name].value = value
    return explorer


def as_recipe(model, styles, *, loss=StyleLoss(), schedule=Schedule(**SMALL), **options):  # noqa: B008
    return stylize(model, load_image("astronaut"), styles, loss=loss, schedule=schedule, progress=False, **options)


def test_start_paints_as_the_recipe_does(models):
    explorer = explorer_of(models)
    explorer.start()
    assert explorer.state == "finished"
    assert explorer.error is None
    expected = as_recipe(models["one"], load_painting("swirls"))
    torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-5, rtol=0)
    assert explorer.scores == pytest.approx(expected.scores, rel=1e-4)


def test_the_controls_are_the_settings(models):
    moved = {"content": 0.5, "style": 20, "tv": 7, "depth": 1, "scale": 150, "colours": "content's luminance"}
    explorer = explorer_of(models, **moved, content_layer="pool1", start_from="noise", seed=3, steps=3, size=80)
    explorer.start()
    loss = StyleLoss(content=0.5, style=20.0, tv=7.0, style_layers=["relu1"], content_layer="pool1")
    schedule = Schedule(start="noise", steps=3, size=80)
    options = {"style_scale": 1.5, "colours": "luminance", "seed": 3}
    expected = as_recipe(models["one"], load_painting("swirls"), loss=loss, schedule=schedule, **options)
    torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-5, rtol=0)
    assert explorer.ascent.settings == expected.settings


def test_another_painting_is_blended_by_its_share_or_has_a_region_of_its_own(models):
    both = [load_painting("swirls"), load_painting("waves")]
    explorer = explorer_of(models, other="waves", share=25)
    explorer.start()
    expected = as_recipe(models["one"], both, loss=StyleLoss(shares=[75, 25]))
    torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-5, rtol=0)
    for region in (HALVES, OBJECT):
        explorer.controls["region"].value = region
        explorer.start()
        masks = regions("astronaut", region, (512, 512))
        expected = as_recipe(models["one"], both, masks=masks)
        torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-5, rtol=0)


def test_regions_divide_the_picture():
    for region in (HALVES, OBJECT):
        first, second = regions("coffee", region, (400, 600))
        assert first.shape == (400, 600)
        assert set(first.unique().tolist()) == {0.0, 1.0}
        assert (first + second == 1).all()


def test_an_object_that_nobody_outlined_is_an_error_in_words(models):
    explorer = explorer_of(models, photograph="moon", other="waves", region=OBJECT)
    explorer.start()
    assert isinstance(explorer.error, ValueError)
    assert "the object of moon is not outlined" in explorer.message.value
    explorer.controls["region"].value = BLENDED
    explorer.start()
    assert explorer.error is None
    assert explorer.state == "finished"


def test_no_weight_at_all_is_an_error_in_words(models):
    explorer = explorer_of(models, content=0, style=0)
    explorer.start()
    assert "nothing is asked of the picture" in explorer.message.value


def test_the_other_network_brings_its_layers(models):
    explorer = explorer_of(models, network="two")
    assert explorer.controls["depth"].max == 1
    assert explorer.controls["content_layer"].value in explorer.controls["content_layer"].options
    explorer.start()
    assert explorer.error is None
    assert explorer.ascent.settings["style_layers"] == ["relu1"]


def test_before_the_start_the_pictures_follow_their_controls(models):
    explorer = explorer_of(models)
    shown = {"photograph", "painting", "other"}
    move_every_control(explorer, skip=set(explorer.controls) - shown)


def test_there_are_terms_for_every_score_and_they_are_drawn(models):
    explorer = explorer_of(models, steps=5)
    before = explorer.picture
    explorer.start()
    terms = explorer.ascent.terms
    assert len(terms) == len(explorer.scores) == 12
    for each, score in zip(terms, explorer.scores, strict=True):
        assert sum(each.values()) == pytest.approx(-score, rel=1e-5)
    chart = (slice(51, 354), slice(750, 1275))  # rows and columns, at 1.5 pixels of the picture each
    assert (explorer.picture[chart] != before[chart]).any()


def test_what_is_saved_knows_how_it_was_made(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = explorer_of(models, other="waves")
    assert explorer.save() is None
    explorer.start()
    path = explorer.save()
    assert path.parent == tmp_path
    made_with = read_settings(path)
    assert made_with["controls"]["painting"] == "swirls"
    assert made_with["settings"]["recipe"] == "stylize"
    assert made_with["score"] == pytest.approx(explorer.scores[-1])


def test_what_cannot_be_shown_is_refused(models):
    with pytest.raises(ValueError, match="at least one model"):
        style({})
    with pytest.raises(ValueError, match="no painting 'swirl'"):
        style(models, painting="swirl")
    assert style(models["one"]).controls["other"].value == NONE
    assert np.ndim(style(models).picture) == 3
