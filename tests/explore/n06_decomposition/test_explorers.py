"""The explorers of notebook 06: what is shared out adds up, what is taken away is what the curves took away."""

import numpy as np
import pytest
import torch
from torch import nn

from cs231n_viz import deep_lift, explore, gradient_times_input, lrp
from cs231n_viz.attribution import scoring
from cs231n_viz.explore.n06_decomposition.relevance import BASELINES, METHODS, baseline_picture
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.n00_cnn_review.test_explorers import median_seconds, move_every_control
from tests.networks import small_classifier


def network(classes):
    head = {"gap": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    head |= {"fc1": nn.Linear(10, 12), "relu3": nn.ReLU(), "fc2": nn.Linear(12, classes)}
    head["fc2"].weight.data *= 40  # logits of the size that trained networks have
    return small_classifier([f"class {i}" for i in range(classes)], **head)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return network(7)


@pytest.fixture(scope="module")
def trial(model):
    """Three pictures with a bright square, its mask, and two methods with their curves."""
    images = torch.rand(3, 3, 48, 48) * 0.3
    masks = torch.zeros(3, 48, 48, dtype=torch.bool)
    for index, (row, col) in enumerate([(4, 6), (20, 8), (24, 24)]):
        masks[index, row : row + 14, col : col + 14] = True
    images = torch.where(masks[:, None], images + 0.6, images)
    maps = {"truth": masks.float(), "signed": torch.randn(3, 3, 48, 48)}
    curves = {name: scoring.deletion_insertion(model, images, 2, found, steps=4) for name, found in maps.items()}
    return images, masks, maps, curves


def test_relevance_follows_every_control(model):
    torch.manual_seed(1)
    explorer = explore.relevance({"first": model, "second": network(4)}, "coffee")
    move_every_control(explorer, skip=("gamma", "baseline"))
    explorer.controls["method"].value = "LRP: gamma"
    move_every_control(explorer, skip=("baseline",))
    explorer.controls["method"].value = "DeepLIFT: rescale"
    move_every_control(explorer, skip=("gamma",))


@pytest.mark.parametrize("method", METHODS)
def test_the_map_is_that_of_the_package_and_the_sentence_tells_its_sum(model, method):
    explorer = explore.relevance(model, "coffee", method)
    target, image, rule = explorer.controls["category"].value, model.prepare("coffee"), METHODS[method]
    if method.startswith("LRP"):
        found = lrp(model, image, target, rule, epsilon=0.25 if rule == "epsilon" else 1e-6)
        whole = float(model(image)[0, target].detach())
    else:
        found = deep_lift(model, image, target, rule=rule)
        whole = float((model(image) - model(image * 0))[0, target].detach())
    text = explorer.text.value.replace("−", "-")
    assert explorer.error is None
    assert f"is {whole:.2f}; {float(found.sum()) + 0.0:.2f} arrived" in text.replace("-0.00", "0.00")


def test_under_the_zero_rule_the_map_is_gradient_times_input(model):
    explorer = explore.relevance(model, "coffee", "LRP: zero")
    image, target = model.prepare("coffee"), explorer.controls["category"].value
    values = gradient_times_input(model, image, target).sum(1)[0]
    y, x = divmod(int(values.abs().argmax()), 48)
    colour = explorer.picture[int((32 + (y + 0.5) * 272 / 48) * SCALE), int((294 + (x + 0.5) * 272 / 48) * SCALE)]
    red_rather_than_blue = int(colour[0]) - int(colour[2])
    assert red_rather_than_blue * float(values[y, x]) > 0


def test_the_classes_are_the_five_most_probable_ones_of_the_photograph(model):
    explorer = explore.relevance(model, "coffee", category=None)
    for photograph in ("coffee", "cat"):
        explorer.controls["photograph"].value = photograph
        best = model(model.prepare(photograph)).detach()[0].topk(5).indices.tolist()
        assert [place for _, place in explorer.controls["category"].options] == best
        assert explorer.controls["category"].value == best[0]


def test_a_class_or_a_method_that_is_not_there_is_refused(model):
    with pytest.raises(ValueError, match="'dragon' is not among the most probable classes: class"):
        explore.relevance(model, "coffee", category="dragon")
    with pytest.raises(ValueError, match=r"method must be one of LRP: zero, .*; got 'lrp'"):
        explore.relevance(model, "coffee", "lrp")


@pytest.mark.parametrize("kind", BASELINES)
def test_baselines_are_pictures(model, kind):
    image = model.prepare("coffee")
    found = baseline_picture(model, image, kind)
    assert found.shape == image.shape
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert not torch.equal(found, image)
    assert found.std() < image.std()


def test_a_map_is_made_once(model, monkeypatch):
    made = []
    original = explore.relevance.__globals__["lrp_layers"]
    monkeypatch.setitem(
        explore.relevance.__globals__, "lrp_layers", lambda *a, **k: made.append(1) or original(*a, **k)
    )
    explorer = explore.relevance(model, "coffee")
    for _ in range(2):
        for method in ("LRP: gamma", "LRP: composite"):
            explorer.controls["method"].value = method
        explorer.controls["baseline"].value = "mean"  # of no concern to LRP
        explorer.controls["baseline"].value = "black"
    assert len(made) == 2


def test_judge_follows_every_control(trial):
    explorer = explore.judge(*trial, names=["a", "b", "c"])
    move_every_control(explorer)


def test_the_numbers_are_those_of_the_scores(trial):
    images, masks, maps, curves = trial
    explorer = explore.judge(images, masks, maps, curves)
    explorer.controls["picture"].value = 1
    deletion, insertion = (float(area[1]) for area in curves["truth"].areas)
    text = explorer.text.value
    assert f"area {deletion:.2f} under deletion, {insertion:.2f} under insertion" in text
    assert "100% of the map lies on the object" in text
    assert "its strongest point lies on it" in text
    assert f"{float(scoring.mass_in_mask(maps['signed'][1:2], masks[1:2])):.0%} of the map" in text


def test_what_is_blurred_away_is_what_the_map_calls_important(trial):
    images, masks, maps, curves = trial
    explorer = explore.judge(images, masks, maps, curves)
    explorer.controls["share"].value = round(100 * float(masks[0].float().mean()))
    row, col = (int(axis.float().mean()) for axis in masks[0].nonzero(as_tuple=True))  # the middle of the object

    def seen(left, y, x):
        return explorer.picture[int((32 + (y + 0.5) * 204 / 48) * SCALE), int((left + (x + 0.5) * 204 / 48) * SCALE)]

    original = (images[0, :, row, col].numpy() * 255).round()
    assert np.abs(seen(436, row, col) - original).max() > 20  # blurred where the map is high
    assert np.abs(seen(650, row, col) - original).max() < 8  # sharp in the other picture
    far = (images[0, :, 40, 40].numpy() * 255).round()
    assert np.abs(seen(436, 40, 40) - far).max() < 8


def test_maps_and_curves_must_belong_together(trial):
    images, masks, maps, curves = trial
    with pytest.raises(ValueError, match="must be of the same methods"):
        explore.judge(images, masks, maps, {"truth": curves["truth"]})
    with pytest.raises(ValueError, match=r"truth: \(3, 3, 3\) maps, curves and masks for 2 images"):
        explore.judge(images[:2], masks, maps, curves)


def test_updates_are_fast(model, trial):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.judge(*trial), "share", range(0, 50, 5)) < 0.1
    assert median_seconds(explore.relevance(model), "method", list(METHODS) * 2) < 0.1
