"""Every attribution raises clear errors for wrong inputs, and leaves the model as it was."""

import pytest
import torch
from torch import nn

import cs231n_viz as viz
from tests.explicit import pictures
from tests.networks import same, snapshot, unchanged

X = pictures(2, 10)


class Model(nn.Module):
    """Has all that a method could leave changed: a batch norm, an in-place ReLU, modules in different modes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 3)
        self.fails = False

    def forward(self, images):
        maps = self.relu(self.norm(self.conv(images)))
        if self.fails:
            raise RuntimeError("out of memory")
        return self.head(self.drop(maps.mean((2, 3))))


def model():
    network = Model().double().train()
    network.norm.eval()
    network.head.bias.requires_grad_(False)
    network.conv.weight.grad = torch.ones_like(network.conv.weight)
    return network


def randomization(model, images, targets):
    return viz.scoring.randomization_test(model, images, targets, viz.saliency)


def deletion(model, images, targets):
    return viz.scoring.deletion_insertion(model, images, targets, torch.rand(2, 10, 10), steps=4)


def expected(model, images, targets):
    return viz.expected_gradients(model, images, targets, baselines=pictures(3, 10), samples=2)


METHODS = {
    "gradient": viz.gradient,
    "saliency": viz.saliency,
    "gradient_times_input": viz.gradient_times_input,
    "guided_backprop": viz.guided_backprop,
    "deconvnet": viz.deconvnet,
    "smooth_grad": lambda *given: viz.smooth_grad(*given, samples=2),
    "integrated_gradients": lambda *given: viz.integrated_gradients(*given, steps=2),
    "expected_gradients": expected,
    "cam": viz.cam,
    "grad_cam": lambda *given: viz.grad_cam(*given, "conv"),
    "guided_grad_cam": lambda *given: viz.guided_grad_cam(*given, "relu"),
    "deep_lift": viz.deep_lift,
    "reveal_cancel": lambda *given: viz.deep_lift(*given, rule="reveal_cancel"),
    "lrp": viz.lrp,
    "lrp_layers": lambda *given: viz.lrp_layers(*given, ["conv", "norm"]),
    "randomization_test": randomization,
    "deletion_insertion": deletion,
}
each_method = pytest.mark.parametrize("method", METHODS)


@each_method
def test_the_model_is_left_as_it_was(method):
    network, images = model(), X.clone().requires_grad_()
    with unchanged(network, images), torch.no_grad():
        METHODS[method](network, images, torch.tensor([0, 2]))


@each_method
def test_the_model_is_left_as_it_was_by_an_error_in_the_forward_pass(method):
    network, images = model(), X.clone().requires_grad_()
    network.fails = True
    with unchanged(network, images), pytest.raises(RuntimeError, match="out of memory"):
        METHODS[method](network, images, 1)


def test_the_comparison_would_notice():
    network = model()
    before = snapshot(network)
    assert same(before, snapshot(network))
    for change in (
        lambda: network.norm.running_mean.add_(1e-12),
        lambda: network.norm.train(),
        lambda: setattr(network.relu, "inplace", False),
        lambda: network.head.weight.requires_grad_(False),
        lambda: network.drop.register_forward_hook(print),
        lambda: setattr(network.head.weight, "grad", torch.zeros_like(network.head.weight)),
    ):
        before = snapshot(network)
        change()
        assert not same(before, snapshot(network))


@each_method
def test_results_carry_no_graph(method):
    result = METHODS[method](model(), X, 1)
    tensors = result.values() if isinstance(result, dict) else result if isinstance(result, tuple) else [result]
    assert not any(isinstance(value, torch.Tensor) and value.requires_grad for value in tensors)


BAD = [
    (ValueError, r"\(N, 3, H, W\), got \(3, 10, 10\)", X[0], 0),
    (ValueError, r"\(N, 3, H, W\), got \(2, 1, 10, 10\)", X[:, :1], 0),
    (ValueError, r"\(N, 3, H, W\), got \(0, 3, 10, 10\)", X[:0], 0),
    (ValueError, "floating point .* torch.uint8; divide integers by 255", (X * 255).byte(), 0),
    (ValueError, r"\[0, 1\].* divide by 255", X * 255, 0),
    (ValueError, r"\[0, 1\].* normalisation happens inside", (X - 0.45) / 0.6, 0),
    (ValueError, "NaN", X.clone().index_fill_(3, torch.tensor([4]), torch.nan), 0),
    (ValueError, "inf", X.clone().index_fill_(3, torch.tensor([4]), torch.inf), 0),
    (TypeError, "whole numbers; got torch.float32; model.index", X, 1.0),
    (TypeError, "whole numbers; got torch.float64", X, torch.tensor([1.0, 2.0], dtype=torch.float64)),
    (TypeError, "whole numbers; got torch.bool", X, True),
    (ValueError, "from 0 to 2, got 3 to 3", X, 3),
    (ValueError, "from 0 to 2, got -1 to", X, torch.tensor([1, -1])),
    (ValueError, r"each of the 2 images, got \(3,\)", X, torch.tensor([0, 1, 2])),
    (ValueError, r"each of the 2 images, got \(1, 2\)", X, torch.tensor([[0, 1]])),
]


@each_method
@pytest.mark.parametrize(("error", "message", "images", "targets"), BAD, ids=[case[1] for case in BAD])
def test_bad_pictures_and_targets_are_one_clear_error(method, error, message, images, targets):
    network = model().eval()
    with unchanged(network, X), pytest.raises(error, match=message):
        METHODS[method](network, images, targets)


@pytest.mark.parametrize("method", [viz.deep_lift, viz.integrated_gradients])
def test_a_baseline_of_another_shape_is_refused(method):
    with pytest.raises(ValueError, match=r"one picture \(3, 10, 10\) or one each .* got \(4,\)"):
        method(model(), X, 0, baseline=torch.zeros(4))
    colour = torch.tensor([0.4, 0.5, 0.6], dtype=X.dtype).view(3, 1, 1)
    network = model()
    assert torch.equal(method(network, X, 0, baseline=colour), method(network, X, 0, baseline=colour.expand_as(X)))
