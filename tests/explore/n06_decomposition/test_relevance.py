"""The explorer of relevance: the maps are those of the package, and their sums are told."""

import pytest
import torch
from torch import nn

from cs231n_viz import deep_lift, explore, gradient_times_input, lrp
from cs231n_viz.explore.n06_decomposition.relevance import BASELINES, METHODS, baseline_picture
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control
from tests.networks import small_classifier


def network(classes):
    head = {"gap": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    head |= {"fc1": nn.Linear(10, 12), "relu3": nn.ReLU(), "fc2": nn.Linear(12, classes)}
    head["fc2"].weight.data *= 40  # logits of the size that trained networks have
    return small_classifier([f"class {i}" for i in range(classes)], **head)


def likely(model, photograph):
    return int(model(model.prepare(photograph))[0].argmax())


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return network(7)


def test_relevance_follows_every_control_that_is_shown(model):
    torch.manual_seed(1)
    explorer, hidden = explore.relevance({"first": model, "second": network(4)}, "coffee"), {}
    for method in METHODS:
        explorer.controls["method"].value = method
        hidden[method] = {name for name, control in explorer.controls.items() if control.layout.display == "none"}
    gamma, both = {"baseline"}, {"gamma", "baseline"}
    assert list(hidden.values()) == [both, both, gamma, both, gamma, {"gamma"}, {"gamma"}]
    for method in ("LRP: gamma", "DeepLIFT: rescale"):
        explorer.controls["method"].value = method
        move_every_control(explorer)


@pytest.mark.parametrize("method", METHODS)
def test_the_map_is_that_of_the_package_and_the_sentence_tells_its_sum(model, method):
    explorer = explore.relevance(model, "coffee", method)
    target, image, rule = likely(model, "coffee"), model.prepare("coffee"), METHODS[method]
    if method.startswith("LRP"):
        attribution = lrp(model, image, target, rule, epsilon=0.25 if rule == "epsilon" else 1e-6)
        whole = float(model(image)[0, target].detach())
    else:
        attribution = deep_lift(model, image, target, rule=rule)
        whole = float((model(image) - model(image * 0))[0, target].detach())
    text = explorer.text.value.replace("−", "-")
    assert explorer.error is None
    assert f"is {whole:.2f}; {float(attribution.sum()) + 0.0:.2f} arrived" in text.replace("-0.00", "0.00")


def test_under_the_zero_rule_the_map_is_gradient_times_input(model):
    explorer = explore.relevance(model, "coffee", "LRP: zero")
    image, target = model.prepare("coffee"), likely(model, "coffee")
    values = gradient_times_input(model, image, target).sum(1)[0]
    y, x = divmod(int(values.abs().argmax()), 48)
    colour = explorer.picture[int((32 + (y + 0.5) * 272 / 48) * SCALE), int((294 + (x + 0.5) * 272 / 48) * SCALE)]
    red_rather_than_blue = int(colour[0]) - int(colour[2])
    assert red_rather_than_blue * float(values[y, x]) > 0


def test_the_class_is_the_most_probable_one_of_the_photograph(model):
    explorer = explore.relevance(model, "coffee")
    for photograph in ("coffee", "cat"):
        explorer.controls["photograph"].value = photograph
        assert explorer.controls["category"].value == model.categories[likely(model, photograph)]
        p = model(model.prepare(photograph))[0].softmax(0).max().item()
        assert f"predicts: {explorer.controls['category'].value} {p:.0%}" in explorer.text.value


def test_a_class_or_a_method_that_is_not_there_is_refused(model):
    with pytest.raises(ValueError, match="at least one model"):
        explore.relevance({})
    with pytest.raises(KeyError, match="no category 'dragon'"):
        explore.relevance(model, "coffee", category="dragon")
    with pytest.raises(ValueError, match=r"method must be one of LRP: zero, .*; got 'lrp'"):
        explore.relevance(model, "coffee", "lrp")


@pytest.mark.parametrize("kind", BASELINES)
def test_baselines_are_pictures(model, kind):
    image = model.prepare("coffee")
    baseline = baseline_picture(model, image, kind)
    assert baseline.shape == image.shape
    assert 0 <= float(baseline.min()) <= float(baseline.max()) <= 1
    assert not torch.equal(baseline, image)
    assert baseline.std() < image.std()


def test_relevances_that_explode_are_explained(model, monkeypatch):
    original = explore.relevance.__globals__["lrp_layers"]
    noise = 1e6 * torch.randn(1, 3, 48, 48)
    assert "ε" not in explore.relevance(model, "coffee", "LRP: gamma").message.value
    monkeypatch.setitem(
        explore.relevance.__globals__, "lrp_layers", lambda *a, **k: original(*a, **k) | {"pixels": noise}
    )
    assert "ε, or a larger γ" in explore.relevance(model, "coffee", "LRP: gamma").message.value


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


def test_relevance_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.relevance(model), "method", list(METHODS) * 2) < 0.1
