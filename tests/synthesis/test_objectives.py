"""Objectives against direct computation."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cs231n_viz as viz
from cs231n_viz.synthesis.ascent import AscentError, ascend
from cs231n_viz.synthesis.objectives import channel, layer_energy, log_odds, logit, neuron, redirected
from cs231n_viz.synthesis.parameterisation import Pixels
from tests.networks import small_classifier

IMAGES = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def model():
    return small_classifier()


def maps(model, layer):
    return viz.activations(model, IMAGES, [layer])[layer]


def gradient_of(objective, images=IMAGES):
    pixels = images.clone().requires_grad_()
    return torch.autograd.grad(objective(pixels), pixels)[0]


def test_logit_is_the_sum_of_each_pictures_own(model):
    logits = model(IMAGES)
    assert logit(model, 2)(IMAGES).item() == pytest.approx(logits[:, 2].sum().item(), rel=1e-5)
    assert logit(model, torch.tensor([2, 0]))(IMAGES).item() == pytest.approx(
        (logits[0, 2] + logits[1, 0]).item(), rel=1e-5
    )


def test_log_odds_are_those_of_the_probability(model):
    p = model(IMAGES).softmax(1)[[0, 1], [2, 0]]
    torch.testing.assert_close(log_odds(model, torch.tensor([2, 0]))(IMAGES), (p / (1 - p)).log().sum())


def test_channel_is_the_mean_over_its_places(model):
    found = maps(model, "conv2")
    assert channel(model, "conv2", 7)(IMAGES).item() == pytest.approx(found[:, 7].mean((1, 2)).sum().item(), rel=1e-4)
    own = channel(model, "conv2", torch.tensor([7, 3]))(IMAGES)
    assert own.item() == pytest.approx((found[0, 7].mean() + found[1, 3].mean()).item(), rel=1e-4)


def test_a_unit_of_a_linear_layer_is_its_activation(model):
    assert channel(model, "fc", 1)(IMAGES).item() == pytest.approx(model(IMAGES)[:, 1].sum().item(), rel=1e-4)
    assert neuron(model, "fc", (1, 0, 0))(IMAGES).item() == pytest.approx(model(IMAGES)[:, 1].sum().item(), rel=1e-4)


def test_neuron_is_one_place_and_looks_at_its_receptive_field_only(model):
    expected = maps(model, "conv2")[:, 4, 3, 9].sum().item()
    assert neuron(model, "conv2", (4, 3, 9))(IMAGES).item() == pytest.approx(expected, rel=1e-4)
    top, left, bottom, right = viz.receptive_field(model, "conv2").box(3, 9)
    seen = gradient_of(neuron(model, "conv2", (4, 3, 9))).abs().sum((0, 1)) > 0
    assert seen.any()
    seen[max(top, 0) : bottom, max(left, 0) : right] = False
    assert not seen.any()


def test_layer_energy_is_half_the_mean_square(model):
    found = maps(model, "relu1")
    assert layer_energy(model, "relu1")(IMAGES).item() == pytest.approx(
        0.5 * found.square().mean((1, 2, 3)).sum().item(), rel=1e-4
    )
    one = layer_energy(model, "relu1", channel=2)(IMAGES)
    assert one.item() == pytest.approx(0.5 * found[:, 2].square().mean((1, 2)).sum().item(), rel=1e-4)


def test_the_gradient_of_layer_energy_is_that_of_setting_the_gradient_to_the_activation(model):
    pixels = IMAGES.clone().requires_grad_()
    found = viz.activations(model, pixels, ["conv2"], gradients=True)["conv2"]
    (expected,) = torch.autograd.grad(found, pixels, grad_outputs=found.detach())
    by_energy = gradient_of(layer_energy(model, "conv2")) * found[0].numel()
    torch.testing.assert_close(by_energy, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda m: channel(m, "conv2", 10),
        lambda m: channel(m, "conv2", -1),
        lambda m: neuron(m, "conv2", (0, 12, 0)),
        lambda m: neuron(m, "conv2", (0, 0, -1)),
        lambda m: layer_energy(m, "conv2", 10),
        lambda m: channel(m, "conv2", torch.tensor([0, 10])),
    ],
)
def test_places_that_a_layer_does_not_have_are_refused_with_its_size(model, make):
    with pytest.raises(IndexError, match="conv2 is 10 × 12 × 12"):
        make(model)(IMAGES)


def test_unknown_layers_and_classes_are_refused(model):
    with pytest.raises(KeyError, match="conv2"):
        channel(model, "conv9", 0)(IMAGES)
    with pytest.raises(ValueError, match="from 0 to 2"):
        logit(model, 3)(IMAGES)
    with pytest.raises(ValueError, match="one for each of the 2 images"):
        channel(model, "conv2", torch.tensor([0, 1, 2]))(IMAGES)


@pytest.mark.parametrize(
    "make",
    [lambda m: channel(m, "conv2", 1), lambda m: neuron(m, "conv2", (1, 2, 3)), lambda m: layer_energy(m, "conv2")],
)
def test_the_layers_after_it_never_run(model, make):
    def fail(*_):
        raise AssertionError("this layer should not have run")

    model.network.relu2.register_forward_pre_hook(fail)
    gradient = gradient_of(make(model))
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize(
    "make", [lambda m: logit(m, 1), lambda m: channel(m, "conv2", 1), lambda m: redirected(layer_energy(m, "relu2"))]
)
def test_the_model_is_left_as_it_was_found(model, make):
    model.train()
    before = copy.deepcopy(model.state_dict())
    gradient_of(make(model))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_picture_has_the_same_gradient_alone_as_in_a_batch(model):
    for make in (lambda k: logit(model, k), lambda k: channel(model, "conv2", k)):
        both = gradient_of(make(1))
        torch.testing.assert_close(both[:1], gradient_of(make(1), IMAGES[:1]), rtol=1e-4, atol=1e-6)


# Redirected rectifiers.


class Unit(nn.Module):
    """One linear unit and a rectifier of some kind after it; its input is -1 or 1 by the bias."""

    def __init__(self, rectifier, bias):
        super().__init__()
        self.linear, self.rectifier = nn.Linear(12, 1), rectifier
        nn.init.constant_(self.linear.weight, 0.1)
        nn.init.constant_(self.linear.bias, bias - 0.6)

    def forward(self, images):
        return self.rectifier(self.linear(images.flatten(1)))


RECTIFIERS = {
    "module": nn.ReLU,
    "in place": lambda: nn.ReLU(inplace=True),
    "function": lambda: F.relu,
    "method": lambda: lambda x: x.relu(),
    "method in place": lambda: lambda x: x.relu_(),
    "clamp": lambda: lambda x: x.clamp_min(0),
    "relu6": nn.ReLU6,
}
GREY = torch.full((1, 3, 2, 2), 0.5)


@pytest.mark.parametrize("kind", RECTIFIERS)
def test_a_dead_unit_gets_the_gradient_of_its_input(kind):
    unit = Unit(RECTIFIERS[kind](), -1.0)
    dead = lambda images: unit(images).sum()  # noqa: E731
    assert not gradient_of(dead, GREY).any()
    torch.testing.assert_close(gradient_of(redirected(dead), GREY), torch.full((1, 3, 2, 2), 0.1))
    assert redirected(dead)(GREY).item() == 0


@pytest.mark.parametrize("kind", RECTIFIERS)
def test_a_live_unit_is_left_alone(kind):
    unit = Unit(RECTIFIERS[kind](), 1.0)
    alive = lambda images: 2 * unit(images).sum()  # noqa: E731
    torch.testing.assert_close(gradient_of(redirected(alive), GREY), gradient_of(alive, GREY))
    assert redirected(alive)(GREY).item() == pytest.approx(2)


def test_only_what_would_raise_a_dead_unit_passes():
    unit = Unit(nn.ReLU(), -1.0)
    lower = lambda images: -unit(images).sum()  # noqa: E731
    assert not gradient_of(redirected(lower), GREY).any()  # it cannot fall below 0


def test_where_some_gradient_gets_through_nothing_is_changed(model):
    plain = channel(model, "relu2", 3)
    torch.testing.assert_close(gradient_of(redirected(plain)), gradient_of(plain))


def test_each_picture_is_redirected_on_its_own():
    unit = Unit(nn.ReLU(), 0.0)
    images = torch.cat([GREY - 0.3, GREY + 0.3])
    found = gradient_of(redirected(lambda x: unit(x).sum()), images)
    torch.testing.assert_close(found, torch.full((2, 3, 2, 2), 0.1))


def test_an_ascent_that_starts_dead_gets_going(model):
    model.network.conv2.bias.data[3] -= 50 * maps(model, "conv2")[:, 3].abs().max()
    model.network.conv2.weight.data[3] *= 60
    grey = torch.full((1, 3, 48, 48), 0.5)
    dead = channel(model, "relu2", 3)
    with pytest.raises(AscentError, match="redirected"):
        list(ascend(Pixels(grey), dead, steps=30))
    *_, last = ascend(Pixels(grey), redirected(dead), steps=30, lr=0.05)
    assert last.score > 0
