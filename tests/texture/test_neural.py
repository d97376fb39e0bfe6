"""Neural texture synthesis: the pools that average, what is matched, what is refused, and a judge of its own."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import vgg

import cs231n_viz as viz
from cs231n_viz.network import memory
from cs231n_viz.network.interception import AveragePooling
from cs231n_viz.network.layers import smallest_side
from cs231n_viz.representation.gram import (
    STYLE_LAYERS,
    covariance_matrix,
    gram_distance,
    gram_matrix,
    grams,
    style_layers,
)
from cs231n_viz.synthesis.ascent import Update
from cs231n_viz.texture.neural import (
    RandomFilters,
    TextureLoss,
    match_histogram,
    synthesize_texture,
    texture_objective,
)
from tests.networks import small_classifier, unchanged


def picture(side: int = 48, seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


def textures(name: str, side: int) -> torch.Tensor:
    """The upper left of a photograph, reduced: (1, 3, side, side)."""
    image = viz.load_image(name)
    least = min(image.shape[-2:]) * 3 // 4
    return F.interpolate(image[None, :, :least, :least], size=side, mode="bilinear", antialias=True).clamp(0, 1)


@pytest.mark.parametrize("pool", [F.max_pool2d, torch.max_pool2d])
def test_every_way_to_call_a_pool_averages(pool):
    maps = picture(9)
    with AveragePooling():
        by_place, by_name = pool(maps, 3, 2, 1), pool(maps, kernel_size=3, stride=2, padding=1)
        overhanging = pool(input=maps, kernel_size=2, ceil_mode=True)
    expected = F.avg_pool2d(maps, 3, 2, 1, count_include_pad=False)
    assert torch.equal(by_place, expected)
    assert torch.equal(by_name, expected)
    assert torch.equal(overhanging, F.avg_pool2d(maps, 2, ceil_mode=True, count_include_pad=False))


def test_the_sample_itself_cannot_be_improved():
    sample = picture()
    assert texture_objective(small_classifier(), sample)(sample).item() == 0


@pytest.mark.parametrize("statistic", ["gram", "covariance"])
def test_the_score_rises_and_is_what_it_says(statistic):
    model, sample = small_classifier(), textures("brick", 48)
    loss = TextureLoss(statistic=statistic, colours=0)
    made = synthesize_texture(model, sample, loss=loss, size=(40, 56), steps=30, progress=False)
    image = made.image
    assert image.shape == (1, 3, 40, 56)
    assert image.min() >= 0
    assert image.max() <= 1
    assert made.scores[-1] > made.scores[0] / 10
    targets = grams(model, sample, ["relu1", "relu2"], statistic=statistic)
    matrices = grams(model, image, ["relu1", "relu2"], statistic=statistic)
    assert made.score == pytest.approx(-100 * gram_distance(matrices, targets).item(), rel=1e-3)
    assert made.total == 31
    assert made.settings["layers"] == ["relu1", "relu2"]
    assert made.settings["size"] == [40, 56]


def test_seeds_repeat_and_differ():
    model, sample = small_classifier(), picture()

    def made(seed: int) -> torch.Tensor:
        return synthesize_texture(model, sample, size=48, steps=3, seed=seed, progress=False).image

    assert torch.equal(made(4), made(4))
    assert not torch.allclose(made(4), made(5), atol=0.05)


def test_the_model_is_left_as_found():
    model, sample = small_classifier().train(), picture()
    with unchanged(model, sample):
        assert synthesize_texture(model, sample, size=48, steps=2, progress=False).scores == []
        synthesize_texture(model, sample, size=48, steps=2, progress=False).finish()


def test_nothing_after_the_deepest_layer_is_computed():
    class Broken(nn.Module):
        def forward(self, maps):
            raise AssertionError("this layer was not asked for")

    model = small_classifier()
    model.network.conv2 = Broken()
    loss = TextureLoss(layers=["relu1"])
    assert synthesize_texture(model, picture(), loss=loss, size=48, steps=1, progress=False).score < 0


def test_layers_by_depth():
    model = small_classifier()
    made = synthesize_texture(model, picture(), loss=TextureLoss(layers=1), size=48, steps=1, progress=False)
    assert made.settings["layers"] == ["relu1"]
    assert TextureLoss(layers=2).layers_of(viz.load_model("mini_vgg", weights=None)) == ["relu1_1", "pool1"]


@pytest.mark.parametrize("name", sorted(set(STYLE_LAYERS) - {"random_filters"}))
def test_textures_can_be_made_with_the_style_layers_of_every_known_network(name):
    if name == "vgg19":  # its linear layers take half a minute to make
        network = nn.Sequential(OrderedDict(features=vgg.make_layers(vgg.cfgs["E"])))
    else:
        network = viz.load_model(name, weights=None)
    assert smallest_side(network, STYLE_LAYERS[name]) <= 64
    options = {"loss": TextureLoss(layers=STYLE_LAYERS[name], colours=0), "size": 64, "steps": 8, "progress": False}
    made = synthesize_texture(network, textures("brick", 64), update=Update("adam", 0.02), **options)
    assert made.score > 0.8 * made.scores[0]


def test_random_filters_stand_in_for_a_model():
    bank, sample = RandomFilters((3, 7), filters=4, seed=2), textures("grass", 48)
    maps = bank(sample)
    assert maps.shape == (1, 8, 48, 48)
    assert maps.min() == 0
    by_hand = F.conv2d(sample - 0.5, bank.banks[1].weight, padding=3).relu()
    torch.testing.assert_close(maps[:, 4:], by_hand)
    assert torch.equal(bank(sample), RandomFilters((3, 7), filters=4, seed=2)(sample))
    assert all(layer.weight.mean((2, 3)).abs().max() < 1e-6 for layer in bank.banks)  # no brightness, only contrasts
    made = synthesize_texture(bank, sample, size=40, steps=20, progress=False)
    assert made.score > made.scores[0] / 10
    with pytest.raises(ValueError, match=r"wanted odd sizes from 3 on and at least 1 filter of each, got \(4,\) and 8"):
        RandomFilters((4,), filters=8)


def test_matched_colours_are_those_of_the_sample_in_the_order_of_the_picture():
    image, sample = picture(), picture(seed=2).square()
    matched = match_histogram(image, sample)
    for mine, before, theirs in zip(matched[0], image[0], sample[0], strict=True):
        torch.testing.assert_close(mine.flatten().sort().values, theirs.flatten().sort().values)
        assert torch.equal(mine.flatten().argsort(), before.flatten().argsort())
    larger = match_histogram(picture(64), sample)
    torch.testing.assert_close(larger.mean((2, 3)), sample.mean((2, 3)), atol=2e-3, rtol=0)
    assert larger.max() == pytest.approx(sample.max().item())
    two = match_histogram(torch.cat([image, 1 - image]), sample)
    torch.testing.assert_close(two[:1], matched)
    each = match_histogram(torch.cat([image, image]), torch.cat([sample, 1 - sample]))
    torch.testing.assert_close(each, torch.cat([matched, match_histogram(image, 1 - sample)]))


def test_matched_colours_are_a_distribution_and_equal_values_stay_equal():
    image = (picture(64) * 8).floor() / 8
    sample = viz.texture_sample("hubble_deep_field", 48)[None]
    matched = match_histogram(image, sample)
    for mine, before, theirs in zip(matched[0].flatten(1), image[0].flatten(1), sample[0].flatten(1), strict=True):
        for level in before.unique():
            values = mine[before == level]
            assert values.min() == values.max()
            share = (before <= level).float().mean()
            assert values[0] == pytest.approx(torch.quantile(theirs, share).item(), abs=5e-3)


def test_the_last_picture_is_the_best_of_all():
    options = {"size": 48, "steps": 12, "update": Update("adam", 0.5), "progress": False}  # far too long steps
    made = synthesize_texture(small_classifier(), textures("brick", 48), **options)
    steps = list(made)
    best = max(steps[:-1], key=lambda step: step.score)
    assert best.index < 11
    assert made.score >= best.score
    if made.score == best.score:
        assert torch.equal(made.image, best.image)


def test_only_the_last_picture_gets_the_colours_of_the_sample():
    model, sample = small_classifier(), picture().square()
    options = {"size": 48, "steps": 4, "update": Update("adam", 0.02), "progress": False}
    plain = synthesize_texture(model, sample, **options)
    coloured = synthesize_texture(model, sample, histogram=True, **options)
    images = [(a.image, b.image) for a, b in zip(plain, coloured, strict=True)]
    assert all(torch.equal(a, b) for a, b in images[:-1])
    assert torch.equal(images[-1][1], match_histogram(images[-1][0], sample))
    objective = texture_objective(model, sample, TextureLoss(layers=["relu1", "relu2"], colours=0.1))
    assert coloured.score == pytest.approx(objective(images[-1][1]).item())


def test_the_term_of_the_colours_is_the_error_of_their_covariance_and_of_their_means():
    model, sample, image = small_classifier(), picture(), picture(seed=2).square()

    def term(statistic: str) -> float:
        losses = (TextureLoss(layers=["relu1"], statistic=statistic, colours=weight) for weight in (0, 0.3))
        plain, both = (texture_objective(model, sample, loss)(image) for loss in losses)
        return (plain - both).item()

    def error(statistic) -> float:
        mine, theirs = (statistic(images)[0] for images in (image, sample))
        return ((mine - theirs).norm() / theirs.norm()).square().item()

    assert term("covariance") == pytest.approx(30 * error(covariance_matrix), rel=1e-3)
    assert term("gram") == pytest.approx(30 * (error(covariance_matrix) + error(gram_matrix)), rel=1e-3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sample": torch.rand(3, 48, 48)}, ValueError, r"images must be \(N, 3, H, W\), got \(3, 48, 48\)"),
        ({"sample": torch.rand(2, 3, 48, 48)}, ValueError, r"wanted one sample \(1, 3, h, w\), got 2"),
        ({"sample": 255 * torch.rand(1, 3, 48, 48)}, ValueError, "divide by 255"),
        ({"sample": torch.rand(1, 3, 2, 48)}, ValueError, "sample must be at least 3x3 pixels, or nothing .*got 2x48"),
        ({"size": 2}, ValueError, "size must be at least 3, or nothing arrives at relu2; got 2"),
        ({"size": "big"}, ValueError, "size must be a whole number"),
        ({"loss": TextureLoss(["relu3"])}, KeyError, "no layer 'relu3'; close names: relu"),
        (
            {"loss": TextureLoss(["fc"])},
            ValueError,
            r"'fc' has no positions, its shape is \(3,\); take one before",
        ),
        ({"loss": TextureLoss(3)}, ValueError, "depth must be from 1 to 2"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options, error, message):
    options = {"sample": picture(), "size": 48, **options}
    with pytest.raises(error, match=message):
        synthesize_texture(small_classifier(), **options, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"statistic": "mean"}, "statistic must be one of gram, covariance; got 'mean'"),
        ({"colours": -1}, "colours must be a weight from 0 on, got -1"),
        ({"layers": "relu1"}, r"layers must be a sequence of names, got 'relu1'; a single one is \['relu1'\]"),
    ],
)
def test_a_loss_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TextureLoss(**options)


def test_the_options_of_the_loss_may_still_be_given_directly():
    model, options = small_classifier(), {"size": 48, "steps": 2, "progress": False}
    loss = TextureLoss(layers=1, statistic="covariance", colours=0.2, average_pooling=False)
    new = synthesize_texture(model, picture(), loss=loss, **options)
    with pytest.warns(DeprecationWarning, match=r"synthesize_texture\(loss=TextureLoss\(layers=…, statistic=…, "):
        old = synthesize_texture(
            model, picture(), layers=1, statistic="covariance", colours=0.2, average=False, **options
        )
    assert old.settings == new.settings
    assert torch.equal(old.image, new.image)


def test_a_size_beyond_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda device: 50e6)
    with pytest.raises(ValueError, match=r"4096 × 4096 pixels would take about .* GB, and 0.04 GB may be used"):
        synthesize_texture(small_classifier(), picture(), size=4096, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["brick", "gravel"])
def test_another_network_finds_the_texture_too(name):
    model, judge = viz.load_model("mini_vgg"), viz.load_model("mini_alexnet")
    sample = textures(name, 128)
    made = synthesize_texture(model, sample, size=128, steps=60, progress=False)
    start, image = next(made).image, made.image
    layers = style_layers(judge, pools=True)
    target = grams(judge, sample, layers)
    before, after = (gram_distance(grams(judge, images, layers), target) for images in (start, image))
    assert after < 0.15 * before
    assert made.score > made.scores[0] / 100
