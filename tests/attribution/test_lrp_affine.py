"""Relevance through scales, shifts and batch norms of every class, beside other users of the same maps, and memory."""

import gc
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import FrozenBatchNorm2d

import cs231n_viz as viz
from tests.explicit import Classifier, pictures, randomise, relative_error
from tests.networks import small

X = pictures(2, 8)
RULES = ["zero", "epsilon", "gamma", "zplus", "composite"]


class Shifted(nn.Module):
    """A batch norm written with operators, in one way or another."""

    def __init__(self, norm, way):
        super().__init__()
        scale = (norm.running_var + norm.eps).rsqrt() * norm.weight.detach()
        self.scale, self.mean, self.way = scale.view(1, -1, 1, 1), norm.running_mean.view(-1, 1, 1), way
        self.shift = norm.bias.detach().view(1, -1, 1, 1)

    def forward(self, maps):
        if self.way == "in place":
            return maps.clone().sub_(self.mean).mul_(self.scale).add_(self.shift)
        return (maps - self.mean) / (1 / self.scale) + self.shift


def frozen(norm):
    made = FrozenBatchNorm2d(norm.num_features, norm.eps).double()
    made.load_state_dict({key: value for key, value in norm.state_dict().items() if key != "num_batches_tracked"})
    return made


@pytest.fixture
def normalised():
    model = randomise(small(nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6))))
    assert (model.middle[0].weight < 0).any()
    return model


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("biases", [True, False])
def test_a_batch_norm_is_one_whatever_its_class(rule, biases, normalised):
    right = viz.lrp(normalised, X, 1, rule, biases=biases)
    first, _, _, last = normalised.middle
    pairs = [(frozen(first), frozen(last)), *((Shifted(first, way), Shifted(last, way)) for way in ("in place", ""))]
    for normalised.middle[0], normalised.middle[3] in pairs:
        assert relative_error(viz.lrp(normalised, X, 1, rule, biases=biases), right) <= 1e-10


@pytest.mark.parametrize("rule", RULES)
def test_a_batch_norm_leaves_the_other_users_of_a_convolution_alone(rule):
    """As with two convolutions of the same input, one with the batch norm folded into it and one without."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.plain, self.norm, self.fused = nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6), None

        def forward(self, maps):
            y = self.plain(F.relu(maps))
            return F.relu(self.norm(y) if self.fused is None else self.fused(F.relu(maps))) + y

    model = randomise(small(Two()))
    shared, logits = viz.lrp(model, X, 1, rule), model(X)
    model.middle.fused = fuse_conv_bn_eval(model.middle.plain, model.middle.norm)
    assert relative_error(model(X), logits) <= 1e-12
    assert relative_error(shared, viz.lrp(model, X, 1, rule)) <= 1e-10


SHIFTS = {
    "plus": lambda maps: maps + 0.7,
    "minus a map": lambda maps: maps - torch.linspace(0, 1, 64, dtype=torch.float64).view(8, 8),
    "from a number": lambda maps: 1.3 - maps,
    "rsub": lambda maps: torch.rsub(maps, torch.full((6, 1, 1), 0.4, dtype=torch.float64), alpha=2),
    "alpha": lambda maps: torch.add(maps, torch.ones((), dtype=torch.float64), alpha=0.3),
    "alpha of two": lambda maps: torch.sub(maps, F.relu(-1.0 * maps), alpha=0.3),
    "in place": lambda maps: maps.clone().add_(0.7).mul_(2).div_(torch.tensor(3.0)),
    "divided": lambda maps: maps / torch.linspace(1, 2, 8, dtype=torch.float64) + 1,
}


@pytest.mark.parametrize("name", SHIFTS)
@pytest.mark.parametrize("rectified", [True, False])
def test_a_constant_that_is_added_takes_its_share_as_a_bias_does(name, rectified):
    """Without a rule relevance is gradient × input, whatever is added; under gamma it is all passed on."""
    model = small(lambda maps: SHIFTS[name](F.relu(maps) if rectified else maps))
    right = viz.gradient_times_input(model, X, 1)
    assert relative_error(viz.lrp(model, X, 1, "zero"), right) <= 1e-10
    conserved = viz.lrp(model, X, 1, "gamma").flatten(1).sum(1)
    assert relative_error(conserved, model(X)[:, 1].detach()) <= 1e-10


def test_the_box_rule_has_no_bias():
    """With w = b = 1 and x = 2 between -3 and 3: (w x - l w⁺) / (w x - l w⁺ + b - b⁺ - b⁻) · 3 = 3."""
    convolution = nn.Conv2d(3, 1, 1)
    convolution.weight.data = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    convolution.bias.data.fill_(1)
    network = nn.Sequential(convolution, nn.Flatten(), nn.Linear(1, 2, bias=False))
    network[2].weight.data.fill_(1)
    model = Classifier(network, ["a", "b"], mean=[0.5] * 3, std=[1 / 6] * 3).double().eval()
    relevance = viz.lrp(model, torch.full((1, 3, 1, 1), 0.5 + 2 / 6, dtype=torch.float64), 0, biases=True)
    torch.testing.assert_close(relevance.flatten().tolist(), [3.0, 0.0, 0.0], rtol=1e-5, atol=1e-12)


def test_the_composite_of_a_network_that_begins_with_a_transposed_convolution():
    """With a kernel of one pixel it is a convolution with the weights transposed."""
    transposed = nn.Sequential(nn.ConvTranspose2d(3, 5, 1), nn.ReLU(), nn.Flatten(), nn.Linear(80, 2)).double()
    plain = nn.Sequential(nn.Conv2d(3, 5, 1), *transposed[1:]).double()
    plain[0].weight.data, plain[0].bias = transposed[0].weight.data.transpose(0, 1), transposed[0].bias
    x = pictures(2, 4)
    assert relative_error(viz.lrp(transposed, x, 1), viz.lrp(plain, x, 1)) <= 1e-12


def test_the_composite_of_a_network_that_begins_with_a_linear_layer():
    """The convolution after it sees no pixels, whose limits are not its own."""
    parts = nn.Flatten(), nn.Linear(48, 32), nn.ReLU(), nn.Unflatten(1, (2, 4, 4)), nn.Conv2d(2, 3, 3), nn.Flatten()
    model, ledger = nn.Sequential(*parts, nn.Linear(12, 2)).double().eval(), viz.Ledger()
    relevance = viz.lrp(model, pictures(1, 4), 1, epsilon=0.0, ledger=ledger)
    torch.testing.assert_close(relevance.sum(), model(pictures(1, 4))[0, 1].detach())
    assert [name for name, *_ in ledger.entries] == ["linear", "conv2d", "linear"]


@pytest.mark.parametrize("method", [viz.lrp, viz.deep_lift, viz.guided_backprop])
def test_maps_are_freed_with_the_result_without_waiting_for_the_collector(method):
    maps = []

    def middle(x):
        maps.append(weakref.ref(x))
        return F.relu(nn.functional.batch_norm(x, torch.zeros(6).double(), torch.ones(6).double()))

    model = small(middle)
    gc.collect()
    gc.disable()
    try:
        method(model, X, 1)
        assert maps
        assert all(reference() is None for reference in maps)
    finally:
        gc.enable()
