"""Layer-wise relevance propagation: conservation, identities, and the rules written out with single numbers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from zennit.attribution import Gradient
from zennit.composites import EpsilonGammaBox, LayerMapComposite
from zennit.rules import Gamma, Pass, ZPlus
from zennit.types import Convolution

import cs231n_viz as viz
from tests.explicit import Classifier, pictures, randomise, relative_error
from tests.networks import NAMES, TARGETS, recorded, small

X = pictures(2, 8)
# ReLU6 is flat above 6: its gradient is 0 there.
RECTIFIED = [name for name in NAMES if name not in ("mobilenet_v2", "efficientnet_lite0")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", ["gamma", "zplus", "composite"])
def test_relevance_is_conserved_by_every_operation(name, rule):
    model, images, explicit = recorded(name)
    ledger = viz.Ledger()
    relevance = viz.lrp(model, images, TARGETS, rule, ledger=ledger)
    logits = explicit.logits.gather(1, TARGETS[:, None])[:, 0]
    assert len(ledger.entries) >= 8
    for operation, received, passed_on in ledger.entries:
        if rule != "composite" or operation != "linear":
            assert abs(received - passed_on) <= 1e-8 * max(abs(received), 1e-8), operation
    absorbed = ledger.absorbed["linear"] if rule == "composite" and "linear" in ledger.absorbed else 0.0
    assert abs(relevance.sum() + absorbed - logits.sum()) <= 1e-8 * logits.abs().sum()
    if rule != "composite":
        assert relative_error(relevance.flatten(1).sum(1), logits) <= 1e-8


@pytest.mark.parametrize("name", RECTIFIED)
def test_without_a_rule_relevance_is_gradient_times_input(name):
    model, images, _ = recorded(name)
    relevance = viz.lrp(model, images, TARGETS, "zero")
    assert relative_error(relevance, viz.gradient_times_input(model, images, TARGETS)) <= 1e-8


def test_what_biases_absorb_is_in_the_ledger():
    model, images, explicit = recorded("resnet18")
    ledger = viz.Ledger()
    relevance = viz.lrp(model, images, TARGETS, "epsilon", ledger=ledger)
    missing = explicit.logits.gather(1, TARGETS[:, None]).sum() - relevance.sum()
    assert abs(missing) > 1e-3
    assert abs(missing - sum(ledger.absorbed.values())) <= 1e-8 * abs(missing)


@pytest.mark.parametrize("name", ["vgg16", "mini_alexnet", "resnet18"])
def test_the_relevance_of_layers_sums_to_the_logit(name):
    model, images, explicit = recorded(name)
    layers = {
        "vgg16": ["features.2", "features.14", "avgpool", "classifier.3"],
        "mini_alexnet": ["conv1", "relu3", "fc6", "fc8"],
        "resnet18": ["conv1", "bn1", "layer1", "layer3", "avgpool", "fc"],
    }[name]
    relevances = viz.lrp_layers(model, images, TARGETS, layers, "gamma")
    assert list(relevances) == ["pixels", *layers]
    logits = explicit.logits.gather(1, TARGETS[:, None])[:, 0]
    for layer, relevance in relevances.items():
        assert relative_error(relevance.flatten(1).sum(1), logits) <= 1e-8, layer
    assert torch.equal(relevances["pixels"], viz.lrp(model, images, TARGETS, "gamma"))


def written_out(x, weight, bias, received, rule, low=-2.0, high=3.0):
    """One linear layer, one output and one input at a time, with numbers instead of tensors."""
    relevance = torch.zeros_like(x)
    for n, values in enumerate(x.tolist()):
        for j, (row, b) in enumerate(zip(weight.tolist(), bias.tolist(), strict=True)):
            z = [value * w for value, w in zip(values, row, strict=True)]
            sign = 1 if sum(z) > 0 else -1
            if rule == "gamma":
                terms = [part + 0.25 * (part if sign * part > 0 else 0) for part in z]
                whole = sum(terms)
            elif rule == "zplus":
                terms = [part if sign * part > 0 else 0 for part in z]
                whole = sum(terms)
            elif rule == "box":
                terms = [v * w - low * max(w, 0) - high * min(w, 0) for v, w in zip(values, row, strict=True)]
                whole = sum(terms)
            else:
                terms, whole = z, sum(z) + b
                whole += 0.01 * (1 if whole >= 0 else -1) if rule == "epsilon" else 0
            for i, term in enumerate(terms):
                relevance[n, i] += term / whole * received[n, j]
    return relevance


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma", "zplus"])
def test_rules_written_out_on_two_linear_layers(rule):
    first, second = nn.Linear(12, 5).double(), nn.Linear(5, 3).double()
    model = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second)
    model.mean, x = 0.0, pictures(2, 2)
    hidden = first(x.flatten(1)).clamp_min(0).detach()
    start = second(hidden).detach() * F.one_hot(torch.tensor([2, 0]), 3)
    of_hidden = written_out(hidden, second.weight, second.bias, start, rule)
    right = written_out(x.flatten(1), first.weight, first.bias, of_hidden, rule)
    relevance = viz.lrp(model, x, torch.tensor([2, 0]), rule, epsilon=0.01)
    assert relative_error(relevance.flatten(1), right) <= 1e-12


def test_the_box_rule_written_out_and_its_limits():
    """A convolution as large as the picture is a linear layer of normalised pixels between -2 and 3."""
    convolution = nn.Conv2d(3, 4, 2).double()
    model = Classifier(nn.Sequential(convolution, nn.Flatten()), list("abcd"), mean=[0.4] * 3, std=[0.2] * 3).double()
    model.mean.fill_(0.4), model.std.fill_(0.2)
    x = pictures(2, 2)
    seen = ((x - 0.4) / 0.2).flatten(1)
    start = model(x).detach() * F.one_hot(torch.tensor([1, 3]), 4)
    right = written_out(seen, convolution.weight.flatten(1), convolution.bias, start, "box")
    assert relative_error(viz.lrp(model, x, torch.tensor([1, 3])).flatten(1), right) <= 1e-12


def test_pixels_at_the_lower_limit_of_the_box_get_nothing_from_weights_that_are_positive():
    model = small(nn.ReLU())
    model.conv.weight.data.abs_()
    black = torch.zeros_like(X)
    black[..., 4:] = 0.5
    assert viz.lrp(model, black, 0)[..., :4].abs().max() <= 1e-15


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma", "zplus", "composite"])
@pytest.mark.parametrize("overwriting", [False, True])
def test_a_batch_norm_counts_as_part_of_the_convolution_before_it(rule, overwriting):
    def convolution():
        return nn.Conv2d(6, 6, 3, padding=1, groups=2)

    stages = [convolution(), nn.BatchNorm2d(6), nn.ReLU(overwriting), convolution(), nn.BatchNorm2d(6), nn.ReLU()]
    model = randomise(small(nn.Sequential(*stages)))
    c1, n1, _, c2, n2, _ = model.middle
    assert (n1.weight < 0).any()
    folded = small(nn.Sequential(fuse_conv_bn_eval(c1, n1), nn.ReLU(), fuse_conv_bn_eval(c2, n2), nn.ReLU()))
    folded.conv.load_state_dict(model.conv.state_dict())
    folded.head.load_state_dict(model.head.state_dict())
    assert relative_error(viz.lrp(model, X, 1, rule), viz.lrp(folded, X, 1, rule)) <= 1e-10


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma", "zplus", "composite"])
def test_zeros_around_maps_are_as_the_padding_of_the_convolution_after_them(rule):
    """Also where a unit sees nothing but zeros, and all in its receptive field share its relevance."""
    own = randomise(small(nn.Sequential(nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.ReLU())))
    own.conv.bias.data[:3] = -100  # three maps of zeros
    own.middle[1].bias.data[:] = 1
    apart = copy.deepcopy(own)
    for parent, name in ((apart, "conv"), (apart.middle, "1")):
        convolution = getattr(parent, name)
        convolution.padding = (0, 0)
        setattr(parent, name, nn.Sequential(nn.ZeroPad2d(1), convolution))
    images = X.clone()
    images[:, :, :4] = 0
    assert relative_error(apart(images), own(images)) <= 1e-12
    relevance = viz.lrp(apart, images, 1, rule)
    assert relative_error(relevance, viz.lrp(own, images, 1, rule)) <= 1e-10
    if rule in ("gamma", "zplus"):
        assert relative_error(relevance.flatten(1).sum(1), own(images)[:, 1]) <= 1e-10


@pytest.mark.parametrize("rule", ["zero", "gamma", "zplus"])
def test_a_batch_norm_after_something_in_place_is_not_folded_across_it(rule):
    def model(in_place):
        def residual(maps):
            out = nets[0](maps)
            out = out.add_(maps) if in_place else out + maps
            out = nets[1](out)
            out = F.relu(nets[2](out), inplace=in_place)
            return nets[3](out)

        torch.manual_seed(3)
        nets = nn.ModuleList([nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6)])
        made = small(residual)
        made.nets = nets
        return randomise(made.double())

    first, second = model(False), model(True)
    assert torch.equal(first(X), second(X))
    assert relative_error(viz.lrp(second, X, 1, rule), viz.lrp(first, X, 1, rule)) <= 1e-12
    if rule == "zero":
        assert relative_error(viz.lrp(second, X, 1, rule), viz.gradient_times_input(second, X, 1)) <= 1e-10


def test_sums_of_every_kind_are_conserved():
    kinds = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - 0.5 * b,
        "rsub": lambda a, b: torch.rsub(0.5 * b, a),
        "broadcast": lambda a, b: a + b.mean((2, 3), keepdim=True),
        "cat": lambda a, b: torch.cat([a[:, :3], b[:, 3:]], 1),
    }
    for name, join in kinds.items():
        model = small(lambda maps, join=join: join(F.relu(maps), F.relu(0.7 * maps)))
        relevance = viz.lrp(model, X, 1, "gamma")
        assert relative_error(relevance.flatten(1).sum(1), model(X)[:, 1].detach()) <= 1e-8, name
        zero = viz.lrp(model, X, 1, "zero")
        assert relative_error(zero, viz.gradient_times_input(model, X, 1)) <= 1e-8, name


def zennits(composite, model, images, target):
    """Relevance of the normalised pixels, from the logit on, biases kept out."""
    seen = ((images - model.mean) / model.std).detach()
    with Gradient(model.network, composite) as attributor:
        _, relevance = attributor(seen, lambda out: out * F.one_hot(target, out.shape[1]))
    return relevance


@pytest.mark.parametrize("name", ["alexnet", "vgg11_bn"])
@pytest.mark.parametrize(
    ("rule", "biases"),
    [("gamma", False), ("gamma", True), ("zplus", False), ("zplus", True), ("composite", False)],
)
def test_zennit_agrees_where_both_are_right(name, rule, biases):
    """Networks that are sequences, for a class with a logit above 0; batch norms folded beforehand for zennit.

    Without biases in the shares the networks have none: zennit takes the sign of a sum with them nevertheless.
    In its box rule biases always cancel.
    """
    model, images, _ = recorded(name)
    model = Classifier(folded(model.network), model.categories).double().eval()
    if not biases:
        for module in model.modules():
            if getattr(module, "bias", None) is not None:
                module.bias.data.zero_()
    logits = model(images).detach()
    target = logits.argmax(1)
    assert (logits.amax(1) > 0).all()
    given = {"stabilizer": 1e-15}
    if rule == "composite":
        low, high = ((edge - model.mean) / model.std for edge in (0.0, 1.0))
        side = images.shape[2:]
        low, high = (edge.expand(1, 3, *side) for edge in (low, high))
        composite = EpsilonGammaBox(low=low, high=high, epsilon=1e-6, gamma=0.25, **given)
    else:
        one = (lambda: Gamma(0.25, **given)) if rule == "gamma" else (lambda: ZPlus(**given))
        kinds = [(nn.ReLU, Pass()), (Convolution, one()), (nn.Linear, one()), (nn.AdaptiveAvgPool2d, one())]
        composite = LayerMapComposite(layer_map=kinds)
    ours = viz.lrp(model, images, target, rule, biases=biases)
    assert relative_error(ours, zennits(composite, model, images, target)) <= 1e-6


def folded(network):
    """A copy in which every batch norm is part of the convolution before it."""
    copied = copy.deepcopy(network)
    for index, module in enumerate(network.features):
        if isinstance(module, nn.BatchNorm2d):
            copied.features[index - 1] = fuse_conv_bn_eval(network.features[index - 1], module)
            copied.features[index] = nn.Identity()
    return copied


def test_what_has_no_rule_is_refused():
    for name, middle in {"gelu": nn.GELU(), "mul": lambda maps: maps * maps, "softmax": nn.Softmax(1)}.items():
        with pytest.raises(viz.UnknownOperationError, match=f"lrp has no rule for '{name}'"):
            viz.lrp(small(middle), X, 0)
    with pytest.raises(ValueError, match="zero, epsilon, gamma, zplus, composite; got 'alpha'"):
        viz.lrp(small(nn.ReLU()), X, 0, "alpha")
    with pytest.raises(KeyError, match="close names: conv"):
        viz.lrp_layers(small(nn.ReLU()), X, 0, ["conf"])
    with pytest.raises(KeyError, match="never reached layer 'conv:2'"):
        viz.lrp_layers(small(nn.ReLU()), X, 0, ["conv:2"])
