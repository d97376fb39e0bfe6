"""DeepLIFT: contributions add up to the difference of the logits, and closed forms."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cs231n_viz as viz
from tests.explicit import NETWORKS, classifier, pictures, relative_error
from tests.networks import NAMES, TARGETS, recorded, small

X, BASE = pictures(2, 8), pictures(2, 8, seed=4)
WITH_LINEAR_AND_RELU = ["alexnet", "vgg11_bn", "vgg16", "mini_alexnet"]


def error(model, images, targets, contributions, baseline):
    return viz.completeness_error(model, images, targets, contributions, baseline=baseline).max().item()


@pytest.mark.parametrize("name", NAMES)
def test_rescale_explains_the_whole_difference(name):
    model, images, _ = recorded(name)
    baseline = pictures(2, NETWORKS[name][0], seed=5)  # another one for each picture
    contributions = viz.deep_lift(model, images, TARGETS, baseline=baseline)
    assert error(model, images, TARGETS, contributions, baseline) <= 1e-10


@pytest.mark.parametrize("name", WITH_LINEAR_AND_RELU)
def test_reveal_cancel_explains_the_whole_difference(name):
    model, images, _ = recorded(name)
    contributions = viz.deep_lift(model, images, TARGETS, baseline=0.3, rule="reveal_cancel")
    assert error(model, images, TARGETS, contributions, 0.3) <= 1e-10
    assert relative_error(contributions, viz.deep_lift(model, images, TARGETS, baseline=0.3)) > 1e-3


class OfThree(nn.Module):
    """A network of the three colours of a single pixel."""

    def __init__(self, *modules):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), *modules).double()

    def forward(self, images):
        return self.body(images)


def linear(weights, bias):
    layer = nn.Linear(len(weights[0]), len(weights))
    layer.weight.data, layer.bias.data = torch.tensor(weights), torch.tensor(bias)
    return layer


def pixel(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_a_single_rectifier_in_closed_form(rule):
    """Of relu(x1 - 2 x2 - 0.5) from black: the slope between both ends times each change, or a share by sign."""
    model = OfThree(linear([[1.0, -2.0, 0.0]], [-0.5]), nn.ReLU())
    contributions = viz.deep_lift(model, pixel(1.0, 0.1, 0.7), 0, rule=rule).flatten()
    # The input rises by 0.8, from -0.5 to 0.3; the output by 0.3.
    if rule == "rescale":
        right = [0.375 * 1.0, 0.375 * -0.2, 0.0]
    else:  # up 1, down -0.2: half of f(.5) - f(-.5) + f(.3) - f(-.7), and of f(-.7) - f(-.5) + f(.3) - f(.5)
        right = [(0.5 + 0.3) / 2, (0.0 - 0.2) / 2, 0.0]
    torch.testing.assert_close(contributions, torch.tensor(right, dtype=torch.float64))


def test_the_maximum_of_two_inputs():
    """max(x1, x2) as pooling: what rose above the reference's maximum is the winner's, whoever held it before."""
    model = OfThree(nn.Unflatten(1, (1, 1, 3)), nn.MaxPool2d((1, 3)), nn.Flatten())
    contributions = viz.deep_lift(model, pixel(0.9, 0.5, 0.1), 0, baseline=pixel(0.2, 0.4, 0.3)).flatten()
    torch.testing.assert_close(contributions, torch.tensor([0.5, 0.0, 0.0], dtype=torch.float64))
    contributions = viz.deep_lift(model, pixel(0.3, 0.1, 0.2), 0, baseline=pixel(0.2, 0.8, 0.1)).flatten()
    torch.testing.assert_close(contributions, torch.tensor([0.0, -0.5, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(4), lambda maps: F.max_pool2d(maps, 2)])
def test_pooling_windows_that_do_not_overlap_share_out_their_own_change(pool):
    model = small(pool)
    contributions = viz.deep_lift(model, X, 1, baseline=BASE)
    assert error(model, X, 1, contributions, BASE) <= 1e-12


def test_the_minimum_of_two_where_the_rules_differ():
    """min(x1, x2) = x1 - relu(x1 - x2): Rescale gives all to the smaller one, RevealCancel shares (paper, 3.5.2)."""
    both = linear([[1.0, 0.0, 0.0], [1.0, -1.0, 0.0]], [0.0, 0.0])
    model = OfThree(both, nn.ReLU(), linear([[1.0, -1.0]], [0.0]))
    x = pixel(0.8, 0.6, 0.0)
    rescale, reveal = (viz.deep_lift(model, x, 0, rule=rule).flatten()[:2] for rule in ("rescale", "reveal_cancel"))
    torch.testing.assert_close(rescale, torch.tensor([0.0, 0.6], dtype=torch.float64), atol=1e-12, rtol=0)
    # of relu(x1 - x2): up ½ (0.8 + 0.2) to x1, down ½ (0 - 0.6) to x2
    torch.testing.assert_close(reveal, torch.tensor([0.8 - 0.5, 0.3], dtype=torch.float64))


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
@pytest.mark.parametrize("overwriting", [False, True])
@pytest.mark.parametrize("pool_first", [False, True])
def test_rectifier_and_maximum_side_by_side(pool_first, overwriting, rule):
    parts = [nn.ReLU(overwriting), nn.MaxPool2d(3, 2, ceil_mode=True)]
    stage = parts[::-1] if pool_first else parts
    model = small(nn.Sequential(*stage, nn.Conv2d(6, 6, 3, padding=1), *stage))
    contributions = viz.deep_lift(model, X, TARGETS % 3, baseline=BASE, rule=rule)
    assert error(model, X, TARGETS % 3, contributions, BASE) <= 1e-12


CURVES = [torch.sigmoid, torch.tanh, nn.GELU(), nn.SiLU(), nn.ELU(), nn.LeakyReLU(), nn.Hardswish(), nn.Softplus()]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: getattr(curve, "__name__", str(curve)))
def test_other_non_linearities_are_exact_as_well(curve):
    model = small(curve)
    contributions = viz.deep_lift(model, X, 1, baseline=BASE)
    assert error(model, X, 1, contributions, BASE) <= 1e-12


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_without_a_difference_all_contributions_are_zero(rule):
    model = classifier("mini_vgg")
    images = pictures(2, 32)
    assert torch.equal(viz.deep_lift(model, images, TARGETS, baseline=images, rule=rule), torch.zeros_like(images))


def test_a_vanishing_difference_gives_the_gradient():
    model = small(torch.sigmoid)
    contributions = viz.deep_lift(model, X, 0, baseline=X - 1e-7) / 1e-7
    assert relative_error(contributions, viz.gradient(model, X, 0)) < 1e-5


def test_a_linear_network_gives_weight_times_difference():
    model = small(nn.Identity())
    contributions = viz.deep_lift(model, X, 2, baseline=BASE)
    assert relative_error(contributions, viz.gradient(model, X, 2) * (X - BASE)) <= 1e-12


def test_an_overwritten_linear_layer_is_not_taken_for_what_it_was():
    """After ``relu_`` the same tensor comes along once more: the linear layer is no longer right before it."""
    parts = linear([[1.0, -2.0, 0.5], [0.3, 1.0, -1.0]], [0.2, -0.1]), nn.ReLU(inplace=True), nn.Sigmoid()
    model = OfThree(*parts, linear([[1.0, 2.0]], [0.0]))
    x, base = pixel(0.9, 0.2, 0.4), pixel(0.1, 0.3, 0.8)
    contributions = viz.deep_lift(model, x, 0, baseline=base, rule="reveal_cancel")
    assert error(model, x, 0, contributions, base) <= 1e-12


def test_each_picture_has_its_own_reference_and_pictures_do_not_mix():
    model, images, _ = recorded("mini_vgg")
    bases = pictures(2, 32, seed=8)
    together = viz.deep_lift(model, images, TARGETS, baseline=bases)
    alone = viz.deep_lift(model, images[1:], 7, baseline=bases[1])
    assert relative_error(together[1:], alone) <= 1e-12


def test_what_has_no_rule_is_refused():
    for name, middle in {"softmax": nn.Softmax(1), "mul": lambda maps: maps * maps}.items():
        with pytest.raises(viz.UnknownOperationError, match=f"deep_lift has no rule for '{name}'"):
            viz.deep_lift(small(middle), X, 0)
    with pytest.raises(ValueError, match="'rescale' or 'reveal_cancel', got 'linear'"):
        viz.deep_lift(small(nn.ReLU()), X, 0, rule="linear")
