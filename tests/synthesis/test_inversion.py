"""Feature inversion: the loss in closed form, what can be inverted exactly, and what is refused."""

import math
from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from torch import nn

from cs231n_viz import wrap
from cs231n_viz.network.capture import activations
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.synthesis.ascent import Update
from cs231n_viz.synthesis.inversion import ImagePrior, feature_loss, inversion_objective, invert, psnr
from tests.networks import small_classifier, unchanged

SIDE = 12
FEATURES_ONLY = ImagePrior(tv=0.0, sixth=0.0)
BARE = {"prior": FEATURES_ONLY, "progress": False}


@pytest.fixture
def photo():
    return 0.1 + 0.8 * resize(load_image("coffee")[None], (SIDE, SIDE))  # black and white are out of reach


def network_of(first: nn.Module) -> nn.Module:
    channels = first(torch.zeros(1, 3, SIDE, SIDE)).shape[1]
    layers = OrderedDict(first=first, gap=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, 2))
    return wrap(nn.Sequential(layers).eval(), ["a", "b"], mean=[0] * 3, std=[1] * 3, input_size=SIDE)


def mixing() -> nn.Conv2d:
    """An invertible linear layer: every pixel's three channels, mixed."""
    torch.manual_seed(0)  # its bias
    layer = nn.Conv2d(3, 3, 1)
    layer.weight.data = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -0.5], [0.3, 0.0, 1.0]])[..., None, None]
    return layer


def bars(down: bool) -> torch.Tensor:
    """Black and white stripes of one pixel."""
    line = torch.arange(SIDE) % 2.0
    shape = (1, 1, SIDE, 1) if down else (1, 1, 1, SIDE)
    return line.view(shape).expand(1, 3, SIDE, SIDE).contiguous()


def test_an_invertible_linear_layer_gives_the_picture_back(photo):
    inversion = invert(network_of(mixing()), photo, "first", steps=250, restarts=2, **BARE)
    assert psnr(inversion.image, photo).min() > 60
    assert inversion.feature_error.max() < 1e-3


@pytest.mark.parametrize("rule", ["adam", "lbfgs"])
def test_every_rule_comes_nearer(photo, rule):
    model = network_of(nn.Sequential(mixing(), nn.ReLU()))
    update = Update(rule, lr=0.2 if rule == "adam" else 1.0)
    scores = [step.score for step in invert(model, photo, "first", steps=100, update=update, **BARE)]
    assert scores[-1] > 0.05 * scores[0]
    assert len(scores) == 101


def test_what_a_layer_drops_differs_between_restarts_and_what_it_keeps_does_not(photo):
    red = nn.Conv2d(3, 1, 1, bias=False)
    red.weight.data = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    inversion = invert(network_of(red), photo, "first", steps=200, restarts=3, **BARE)
    first, second, third = inversion.image
    assert (inversion.image[:, 0] - photo[:, 0]).abs().max() < 0.01
    for gap in ((first - second).abs(), (second - third).abs()):
        assert gap[1:].mean() > 10 * gap[0].mean()
    assert inversion.feature_error.shape == (3,)


def test_the_loss_is_relative_so_that_black_features_cost_one():
    wanted = torch.randn(1, 4, 3, 3)
    assert feature_loss(torch.zeros(2, 4, 3, 3), wanted).tolist() == pytest.approx([1, 1])
    assert feature_loss(torch.cat([wanted, 1.5 * wanted]), wanted).tolist() == pytest.approx([0, 0.25])
    assert feature_loss(7 * wanted, 7 * wanted + 0).item() == 0


@pytest.mark.parametrize("down", [True, False])
def test_stripes_across_either_axis_cost_the_weight_of_the_total_variation(down):
    """One step of height 1 at every pixel: TV = 1. Taking the wrong axes gives 0 for one of the two."""
    stripes, model = bars(down), network_of(nn.Identity())
    for tv in (0.5, 3.0):
        objective = inversion_objective(model, "first", stripes, prior=replace(FEATURES_ONLY, tv=tv))
        assert objective(stripes).item() == pytest.approx(-tv, rel=1e-5)


def test_three_constant_colours_have_no_variation(photo):
    flat = torch.tensor([0.1, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, SIDE, SIDE)
    prior = replace(FEATURES_ONLY, tv=100.0)
    assert inversion_objective(network_of(nn.Identity()), "first", flat, prior=prior)(flat).item() == 0


@pytest.mark.parametrize(("value", "cost"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.0), (0.75, 0.5**6)])
def test_the_sixth_power_costs_its_weight_at_black_and_white_and_nothing_at_grey(value, cost):
    grey = torch.full((1, 3, SIDE, SIDE), value)
    model = network_of(mixing())
    wanted = activations(model, grey, ["first"])["first"]
    assert wanted.any()  # the layer has a bias
    objective = inversion_objective(model, "first", wanted, prior=replace(FEATURES_ONLY, sixth=2.0))
    assert objective(grey).item() == pytest.approx(-2.0 * cost, abs=1e-6)


def test_a_picture_counts_as_much_alone_as_among_others(photo):
    prior = ImagePrior(tv=2.0, sixth=0.5)
    objective = inversion_objective(network_of(mixing()), "first", torch.randn(1, 3, SIDE, SIDE), prior=prior)
    both = torch.cat([photo, photo.flip(3)])
    torch.testing.assert_close(objective(both), objective(both[:1]) + objective(both[1:]))


def test_the_features_alone_are_enough(photo):
    model = network_of(mixing())
    from_picture = invert(model, photo, "first", steps=5, progress=False)
    from_features = invert(model, activations(model, photo, ["first"]), "first", steps=5, progress=False)
    assert torch.equal(from_picture.image, from_features.image)
    assert torch.equal(from_picture.features, from_features.features)


def test_any_size_and_a_layer_without_positions():
    model = small_classifier()
    wide = resize(load_image("coffee")[None], (40, 56))
    assert invert(model, wide[0], "relu2", steps=3, progress=False).image.shape == (1, 3, 40, 56)
    features = activations(model, wide, ["relu2"])
    assert invert(model, features, "relu2", size=(40, 56), steps=1, progress=False).image.shape[-2:] == (40, 56)
    inversion = invert(model, model.prepare("coffee"), "fc", steps=30, restarts=2, progress=False)
    assert inversion.feature_error.max() < 0.2


OLD = {"lr": (0.5, "update=Update"), "rule": ("adam", "update=Update"), "tv": (3.0, "prior=ImagePrior")}
OLD |= {"sixth": (0.5, "prior=ImagePrior"), "beta": (1.0, "prior=ImagePrior")}


@pytest.mark.parametrize("name", OLD)
def test_old_keywords_still_work_and_say_the_new_form(photo, name):
    model, (value, place) = network_of(mixing()), OLD[name]
    with pytest.warns(DeprecationWarning, match=rf"invert\({name}=…\) is now invert\({place}\({name}=…\)\)") as caught:
        old = invert(model, photo, "first", steps=12, progress=False, **{name: value})
    assert caught[0].filename == __file__
    new = {"update": Update(**{name: value})} if "Update" in place else {"prior": ImagePrior(**{name: value})}
    assert torch.equal(old.image, invert(model, photo, "first", steps=12, progress=False, **new).image)
    assert old.settings[name] == value


def test_the_steps_can_be_watched_one_by_one(photo):
    inversion = invert(network_of(mixing()), photo, "first", steps=4, progress=False)
    steps = list(inversion)
    assert [step.index for step in steps] == [0, 1, 2, 3, 4]
    assert inversion.total == 5
    assert len({step.image.sum().item() for step in steps}) == 5
    assert (inversion.settings["layer"], inversion.settings["tv"]) == ("first", 1.0)


def test_seeds(photo):
    model = network_of(nn.Sequential(mixing(), nn.ReLU()))
    first, again, other = (
        invert(model, photo, "first", steps=3, seed=seed, progress=False).image for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_model_and_picture_are_left_as_they_were():
    model = small_classifier().train()
    image = model.prepare("cat")
    with unchanged(model, image):
        assert invert(model, image, "relu2", steps=2, restarts=2, progress=False).feature_error.shape == (2,)
    with unchanged(model, image):
        next(invert(model, image, "relu2", progress=False))  # left in the middle


@pytest.mark.parametrize(("difference", "decibels"), [(0.1, 20), (0.01, 40), (1.0, 0)])
def test_psnr(difference, decibels):
    white = torch.ones(2, 3, 4, 5)
    assert psnr(white - difference, white[:1]).tolist() == pytest.approx([decibels] * 2, abs=1e-4)


def test_psnr_of_equal_pictures_is_infinite_and_sizes_must_agree():
    image = torch.rand(3, 4, 5)
    assert psnr(image, image).tolist() == [math.inf]
    with pytest.raises(ValueError, match="one size"):
        psnr(image, image[:, :3])
    with pytest.raises(ValueError, match="one size"):
        psnr(torch.rand(2, 3, 4, 5), torch.rand(3, 3, 4, 5))


def test_what_cannot_be_inverted_is_refused(photo):
    model = network_of(mixing())
    with pytest.raises(KeyError, match="first"):
        invert(model, photo, "frist")
    with pytest.raises(KeyError, match="features of fc, not of first"):
        invert(model, {"fc": torch.zeros(1, 2)}, "first")
    with pytest.raises(ValueError, match=r"is \(1, 3, 12, 12\), got \(1, 3, 4, 4\)"):
        invert(model, {"first": torch.ones(1, 3, 4, 4)}, "first")
    with pytest.raises(ValueError, match="restarts= makes several"):
        invert(model, photo.expand(2, -1, -1, -1), "first")
    with pytest.raises(ValueError, match="divide by 255"):
        invert(model, 255 * photo, "first")
    with pytest.raises(ValueError, match="wanted restarts >= 1, got 0"):
        invert(model, photo, "first", restarts=0)
    for wrong in ({"tv": -1.0}, {"sixth": -1.0}):
        with pytest.raises(ValueError, match="wanted tv >= 0 and sixth >= 0"):
            ImagePrior(**wrong)


def test_a_layer_that_is_0_everywhere_is_said(photo):
    dead = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    nn.init.constant_(dead[0].bias, -100.0)
    with pytest.raises(ValueError, match="first is 0 everywhere"):
        invert(network_of(dead), photo, "first")
