"""Gradients and their relatives, against a backward pass that is written out operation by operation."""

import pytest
import torch
from captum.attr import Deconvolution, GuidedBackprop
from torch import nn
from torch.nn import functional as F

import cs231n_viz as viz
from tests.explicit import NETWORKS, classifier, pictures, relative_error
from tests.networks import NAMES, TARGETS, recorded, small

X = pictures(2, 8)
RULES = {"plain": viz.gradient, "guided": viz.guided_backprop, "deconv": viz.deconvnet}


@pytest.mark.parametrize("name", NAMES)
def test_all_rules_equal_the_explicit_backward_pass(name):
    model, images, explicit = recorded(name)
    for rule, method in RULES.items():
        right = explicit.gradient(rule, TARGETS)["pixels"]
        assert right.abs().max() > 1e-6
        assert relative_error(method(model, images, TARGETS), right) <= 1e-10, rule
    assert relative_error(viz.saliency(model, images, TARGETS), plain(explicit).abs().amax(1)) <= 1e-10


def plain(explicit):
    return explicit.gradient("plain", TARGETS)["pixels"]


@pytest.mark.parametrize("name", NAMES)
def test_a_neuron_in_the_middle_equals_the_explicit_backward_pass(name):
    model, images, explicit = recorded(name)
    layer = NETWORKS[name][1]
    maps = explicit.value(layer)
    active = maps.amin(0) * (maps < 6).all(0)  # in both pictures, and not where ReLU6 is flat
    place = torch.unravel_index(active.argmax(), maps.shape[1:])
    neuron = (layer, *(int(index) for index in place))
    for rule in ("guided", "deconv"):
        right = explicit.gradient(rule, neuron=neuron)["pixels"]
        assert right.abs().max() > 0
        assert relative_error(RULES[rule](model, images, neuron=neuron), right) <= 1e-10, rule


def test_rules_differ_from_each_other_and_from_the_gradient():
    model, images, _ = recorded("googlenet")
    gradients = [method(model, images, TARGETS) for method in RULES.values()]
    assert all(relative_error(gradients[i], gradients[j]) > 0.1 for i, j in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize("name", ["vgg11_bn", "squeezenet1_1", "resnet18"])
def test_captum_agrees_where_every_rectifier_is_a_module(name):
    model, images, _ = recorded(name)
    for ours, theirs in ((viz.guided_backprop, GuidedBackprop), (viz.deconvnet, Deconvolution)):
        peer = theirs(model).attribute(images.clone().requires_grad_(), TARGETS)
        assert relative_error(ours(model, images, TARGETS), peer) <= 1e-10


def test_captum_gives_the_plain_gradient_where_rectifiers_are_functions():
    model, images, _ = recorded("googlenet")
    peer = GuidedBackprop(model).attribute(images.clone().requires_grad_(), TARGETS)
    assert relative_error(peer, viz.gradient(model, images, TARGETS)) <= 1e-12
    assert relative_error(peer, viz.guided_backprop(model, images, TARGETS)) > 0.5


def statement(maps):
    maps.relu_()  # what it returns is dropped
    return maps


def through_a_view(maps):
    flat = maps.view(len(maps), -1)
    flat.relu_()
    return maps


RECTIFIERS = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "F.relu": F.relu,
    "F.relu in place": lambda maps: F.relu(maps, inplace=True),
    "F.relu by keyword": lambda maps: F.relu(input=maps),
    "torch.relu": torch.relu,
    "torch.relu by keyword": lambda maps: torch.relu(input=maps),
    "torch.relu_": torch.relu_,
    "method": lambda maps: maps.relu(),
    "statement": statement,
    "through a view": through_a_view,
    "clamp": lambda maps: maps.clamp(min=0),
    "clamp, positional": lambda maps: maps.clamp(0),
    "clamp_": lambda maps: maps.clamp_(min=0),
    "clamp_min": lambda maps: torch.clamp_min(maps, 0),
    "threshold": nn.Threshold(0, 0),
    "hardtanh": nn.Hardtanh(0, 1e9),
    "twice": lambda maps: F.relu(F.relu(maps)),
}


@pytest.mark.parametrize("way", RECTIFIERS)
@pytest.mark.parametrize("masked", [True, False])
def test_a_rectifier_is_one_however_it_is_called(way, masked):
    model = small(RECTIFIERS[way])
    before = model.conv(X)
    received = (model.head.weight[TARGETS % 3] / 64)[:, :, None, None].expand_as(before).clamp_min(0)
    received = received * (before > 0) if masked else received
    right = torch.nn.grad.conv2d_input(X.shape, model.conv.weight, received, padding=1)
    method = viz.guided_backprop if masked else viz.deconvnet
    assert relative_error(method(model, X, TARGETS % 3), right) <= 1e-12


def test_relu6_stops_what_is_above_6():
    for way in (nn.ReLU6(), F.relu6, lambda maps: maps.clamp(0, 6)):
        model = small(lambda maps, way=way: way(99 * maps))
        before = 99 * model.conv(X)
        assert (before > 6).any()
        received = (model.head.weight[0] / 64).clamp_min(0).view(1, -1, 1, 1) * ((before > 0) & (before < 6)) * 99
        right = torch.nn.grad.conv2d_input(X.shape, model.conv.weight, received, padding=1)
        assert relative_error(viz.guided_backprop(model, X, 0), right) <= 1e-12


def test_a_reused_module_follows_the_rule_each_time():
    relu = nn.ReLU(inplace=True)
    torch.manual_seed(0)
    second = nn.Conv2d(6, 6, 3, padding=1).double()
    once = small(nn.Sequential(relu, second, relu))
    each = small(nn.Sequential(nn.ReLU(), second, nn.ReLU()))
    assert torch.equal(viz.guided_backprop(once, X, 1), viz.guided_backprop(each, X, 1))
    assert not torch.equal(viz.guided_backprop(once, X, 1), viz.gradient(once, X, 1))


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, received):
        (x,) = ctx.saved_tensors
        return received * x.sigmoid()


UNKNOWN = {
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "sigmoid": torch.sigmoid,
    "softmax": nn.Softmax(dim=1),
    "local_response_norm": nn.LocalResponseNorm(3),
    "leaky_relu": nn.LeakyReLU(0.2),
    "maximum": lambda maps: torch.maximum(maps, 0.5 * maps),
    "mul": lambda maps: maps * maps,
    "div": lambda maps: torch.ones_like(maps).detach().div(maps),
    "batch_norm": nn.BatchNorm2d(6, track_running_stats=False),
    "hardtanh": nn.Hardtanh(-1, 1),
    "Swish": Swish.apply,
    "clamp": lambda maps: maps.clamp(min=0.5),
}


@pytest.mark.parametrize("method", [viz.guided_backprop, viz.deconvnet])
@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_non_linearity_is_an_error_that_names_it(name, method):
    model = small(UNKNOWN[name])
    with pytest.raises(viz.UnknownOperationError, match=name):
        method(model, X, 0)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_script_module_is_refused_because_its_operations_are_hidden():
    model = torch.jit.trace(small(nn.ReLU()), X)
    for _ in range(3):  # the compiler changes the graph after a few calls
        with pytest.raises(viz.UnknownOperationError, match="plain Python module"):
            viz.guided_backprop(model, X, 0)


def test_gradient_times_input_measures_from_the_mean_of_the_normalisation():
    model = classifier("mini_vgg")
    images = pictures(1, 32)
    by_hand = viz.gradient(model, images, 4) * model.std * ((images - model.mean) / model.std)
    assert relative_error(viz.gradient_times_input(model, images, 4), by_hand) <= 1e-12
    at_the_mean = model.mean.expand_as(images).clone()
    assert viz.gradient_times_input(model, at_the_mean, 4).abs().max() == 0


def test_saliency_in_closed_form():
    weights = torch.tensor([[[1.0, -2.0], [0.5, 0.0]], [[0.0, 1.0], [-3.0, 0.0]], [[-1.5, 0.0], [1.0, 0.0]]])
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, bias=False)).eval()
    model[1].weight.data = torch.stack([weights.flatten(), -2 * weights.flatten()])
    images = torch.rand(2, 3, 2, 2)
    maps = viz.saliency(model, images, torch.tensor([0, 1]))
    right = torch.tensor([[1.5, 2.0], [3.0, 0.0]])
    assert torch.equal(maps, torch.stack([right, 2 * right]))
    squared = viz.saliency(model, images, torch.tensor([0, 1]), magnitude="square")
    assert torch.equal(squared, maps.square())


def test_pictures_of_a_batch_do_not_mix():
    model, images, _ = recorded("densenet121")
    for method in (viz.guided_backprop, viz.gradient):
        together = method(model, images, TARGETS)
        alone = method(model, images[1:], 7)
        assert relative_error(together[1:], alone) <= 1e-10


def test_what_is_asked_for_must_be_clear():
    model = classifier("mini_vgg")
    images = pictures(1, 32)
    with pytest.raises(ValueError, match="either targets or neuron"):
        viz.guided_backprop(model, images)
    with pytest.raises(ValueError, match="either targets or neuron"):
        viz.deconvnet(model, images, 0, neuron=("relu5_2", 0, 0, 0))
    with pytest.raises(IndexError, match=r"relu5_2 is \(64, 2, 2\)"):
        viz.guided_backprop(model, images, neuron=("relu5_2", 64, 0, 0))
    with pytest.raises(KeyError, match="relu5_2"):
        viz.guided_backprop(model, images, neuron=("relu5", 0, 0, 0))
    with pytest.raises(ValueError, match="'abs' or 'square', got 'max'"):
        viz.saliency(model, images, 0, magnitude="max")
