"""The explorers of notebook 10: they grow and match as the functions do."""

import pytest
import torch

import cs231n_viz as viz
from cs231n_viz import explore
from cs231n_viz.pictures.paintings import texture_names, texture_sample
from cs231n_viz.pictures.saving import read_settings
from cs231n_viz.texture.neural import TextureLoss
from tests.networks import small_classifier

NAMES = ["brick", "coins", "swirls"]


def growing(**options):
    explorer = explore.growing(**options, side=24, size=32)
    explorer.controls["window"].value = "7"
    return explorer


def matching(**options):
    return explore.texture({"one": small_classifier(), "two": small_classifier()}, side=48, steps=6, **options)


def test_it_grows_as_the_function_does():
    explorer = growing(names=NAMES)
    explorer.controls["tolerance"].value = "0.3"
    explorer.controls["seed"].value = 2
    explorer.start()
    assert explorer.state == "finished"
    assert explorer.error is None
    expected = viz.efros_leung(texture_sample("brick", 24), 32, 7, tolerance=0.3, seed=2, progress=False)
    assert torch.equal(explorer.step.image[0], expected)
    assert explorer.scores[-1] == 100
    assert explorer.scores == sorted(explorer.scores)
    assert "100% of the pixels are filled" in explorer.text.value


def test_the_bar_of_a_growth_ends_with_it():
    explorer = growing(name="grass")
    explorer.start()
    assert len(explorer.scores) >= explorer.ascent.total == 16  # from 3 to 32 pixels in 15 rings


def test_before_the_start_the_sample_and_the_window_are_shown():
    explorer = growing(names=NAMES)
    before = explorer.picture.copy()
    explorer.controls["window"].value = "11"
    window = explorer.picture.copy()
    explorer.controls["sample"].value = "coins"
    assert (before != window).any()
    assert (window != explorer.picture).any()


def test_a_window_beyond_the_sample_is_refused_in_a_sentence_and_the_next_start_works():
    explorer = growing(names=NAMES)
    explorer.controls["window"].value = "31"
    explorer.start()
    assert "window must be an odd whole number from 3 to 23" in str(explorer.error)
    explorer.controls["window"].value = "5"
    explorer.start()
    assert explorer.error is None
    assert explorer.state == "finished"


def test_it_matches_as_the_recipe_does():
    explorer = matching(names=NAMES)
    explorer.controls["statistic"].value = "covariance"
    explorer.controls["depth"].value = 1
    explorer.start()
    assert explorer.error is None
    expected = viz.synthesize_texture(
        small_classifier(),
        sample(),
        loss=TextureLoss(layers=1, statistic="covariance"),
        steps=6,
        size=48,
        progress=False,
    )
    torch.testing.assert_close(explorer.step.image, expected.image, atol=1e-4, rtol=0)
    assert explorer.scores == pytest.approx(expected.scores, rel=1e-3)


def sample():
    return texture_sample("brick", 48, zoom=0.5)[None]


def test_the_other_network_evaluates_at_the_end():
    explorer = matching(names=NAMES)
    explorer.start()
    other = small_classifier()
    layers = viz.style_layers(other)
    target = viz.grams(other, sample(), layers)
    made, noise = (
        viz.gram_distance(viz.grams(other, images, layers), target).item()
        for images in (explorer.step.image, viz.start_noise((48, 48)))
    )
    assert f"By two (not optimised) the result is at {100 * made / noise:.1f} %" in explorer.text.value
    alone = explore.texture(small_classifier(), side=48, steps=2)
    alone.start()
    assert "optimised" not in alone.text.value


def test_the_depth_follows_the_network_and_says_what_is_matched():
    models = {"one": small_classifier(), "mini_vgg": viz.load_model("mini_vgg", weights=None)}
    explorer = explore.texture(models, side=48, steps=2)
    assert explorer.controls["depth"].max == 2
    assert "To be matched: relu1, relu2." in explorer.text.value
    explorer.controls["network"].value = "mini_vgg"
    assert explorer.controls["depth"].value == explorer.controls["depth"].max == 8
    explorer.controls["depth"].value = 2
    assert "To be matched: relu1_1, pool1." in explorer.text.value
    explorer.controls["network"].value = "one"
    assert explorer.controls["depth"].value == 2
    assert explorer.error is None


def test_it_is_saved_with_its_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = matching(names=NAMES)
    explorer.start()
    written = read_settings(explorer.save())
    assert written["controls"]["sample"] == "brick"
    assert written["settings"]["layers"] == ["relu1", "relu2"]


def test_no_models_are_refused():
    with pytest.raises(ValueError, match="at least one model"):
        explore.texture({})


@pytest.mark.parametrize("name", texture_names())
def test_every_sample_is_a_square_picture_of_some_contrast(name):
    image = texture_sample(name, 40)
    assert image.shape == (3, 40, 40)
    assert image.min() >= 0
    assert image.max() <= 1
    assert image.std() > 0.03


def test_a_sample_is_the_piece_it_says():
    brick = viz.load_image("brick")
    assert torch.equal(texture_sample("brick", 256), brick[:, :256, :256])
    assert torch.equal(texture_sample("brick", 512, zoom=0.1), brick)
    cat = viz.load_image("cat")
    least = min(cat.shape[1:])
    assert texture_sample("cat", least, zoom=2).shape == (3, least, least)
    with pytest.raises(viz.ImageError, match="brik"):
        texture_sample("brik")
    with pytest.raises(ValueError, match="zoom above 0, got 64 and 0"):
        texture_sample("brick", 64, zoom=0)
