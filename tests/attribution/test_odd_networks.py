"""Maps with channels last, heads in other words, 16 bits, and maps that hold NaN."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cs231n_viz as viz
from cs231n_viz.attribution.scoring import mass_in_mask, pointing_game, rank_correlation
from cs231n_viz.network.layers import trace_layers
from tests.explicit import pictures, relative_error
from tests.networks import small

X = pictures(2, 8)


class Permuted(nn.Module):
    """Puts the channels last for a layer, as ConvNeXt does for its layer norm."""

    def __init__(self):
        super().__init__()
        self.last, self.first, self.aside = nn.Identity(), nn.Identity(), nn.Conv2d(6, 6, 1)

    def forward(self, maps):
        self.aside(maps)
        return F.relu(self.first(self.last(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)))


@pytest.mark.parametrize("columns", [8, 5])
def test_grad_cam_knows_maps_whose_channels_are_last(columns):
    model, images = small(Permuted()), X[..., :columns]
    right = viz.grad_cam(model, images, 1, "middle.first", signed=True)
    maps = viz.grad_cam(model, images, 1, "middle.last", signed=True)
    assert maps.shape == (2, 8, columns)
    assert relative_error(maps, right) <= 1e-12


@pytest.mark.parametrize("columns", [8, 5])
def test_maps_whose_channels_are_last_are_the_same_maps_to_every_method(columns):
    images = X[..., :columns]
    network = nn.Sequential(small(Permuted()).double())
    model = viz.wrap(network.eval(), ["a", "b", "c"], mean=[0.5] * 3, std=[0.3] * 3, input_size=8).double()
    last, first = "0.middle.last", "0.middle.first"
    shapes = [layer.shape for layer in trace_layers(model, images[:1]) if layer.name in (last, first)]
    assert shapes == [(6, 8, columns)] * 2
    maps = viz.activations(model, images, [last, first])
    assert torch.equal(maps[last], maps[first])
    assert torch.equal(viz.grams(model, images, [last])[last], viz.grams(model, images, [first])[first])
    gallery = [(image, 0) for image in X.float()]
    options = {"progress": False}
    assert torch.equal(*(viz.features(model, gallery, layer, pool="max", **options) for layer in (last, first)))
    patches = [viz.top_patches(model, gallery, layer, k=2, **options) for layer in (last, first)]
    assert torch.equal(patches[0].values, patches[1].values)
    assert torch.equal(patches[0].positions, patches[1].positions)
    neurons = [viz.guided_backprop(model, images, neuron=(layer, 5, 2, 1)) for layer in (last, first)]
    assert torch.equal(*neurons)


def test_top_patches_of_tokens_are_refused():
    tokens = nn.Sequential(nn.Conv2d(3, 4, 2), nn.Flatten(2), nn.Linear(49, 2), nn.Flatten(), nn.Linear(8, 2))
    model = viz.wrap(tokens.eval(), ["a", "b"], input_size=8)
    with pytest.raises(ValueError, match=r"maps \(C, h, w\) or of vectors \(C,\); '2' puts out \(4, 2\)"):
        viz.top_patches(model, [(X[0].float(), 0)], "2", k=1, progress=False)


def test_grad_cam_of_a_layer_beside_the_way_to_the_logits_says_so():
    with pytest.raises(ValueError, match=r"does not depend on layer 'middle\.aside'"):
        viz.grad_cam(small(Permuted()), X, 1, "middle.aside")


class Head(nn.Module):
    def __init__(self, way):
        super().__init__()
        self.conv, self.head, self.way = nn.Conv2d(3, 6, 3), nn.Linear(6, 3), way

    def forward(self, x):
        x, weight, bias = F.relu(self.conv(x)), self.head.weight, self.head.bias
        if self.way == "keywords":
            return F.linear(F.adaptive_avg_pool2d(input=x, output_size=1).flatten(1), weight=weight, bias=bias)
        if self.way == "torch.mean":
            return F.linear(input=torch.mean(input=x, dim=(2, 3)), weight=weight, bias=bias)
        pooled = F.adaptive_avg_pool2d(x, 1)
        return F.conv2d(pooled, weight[..., None, None], bias).flatten(1)


@pytest.mark.parametrize("way", ["keywords", "torch.mean", "convolution"])
def test_cam_knows_heads_in_other_words(way):
    model = Head(way).double().eval()
    maps = viz.cam(model, X, 1)
    features = F.relu(model.conv(X))
    assert relative_error(maps, torch.einsum("nchw,c->nhw", features, model.head.weight[1])) <= 1e-12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_deep_lift_of_a_network_of_16_bits_is_that_of_its_weights_in_32(dtype):
    torch.manual_seed(0)
    model = small(nn.Sequential(nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU())).to(dtype)
    images = X.to(dtype)
    low = viz.deep_lift(model, images, 1)
    assert low.dtype == dtype
    assert next(model.parameters()).dtype == dtype
    high = viz.deep_lift(model.double(), images.double(), 1)
    assert relative_error(low.double(), high) <= torch.finfo(dtype).eps  # the result is rounded once


def test_maps_with_nan_are_refused_and_masks_may_have_a_channel():
    maps, masks = torch.rand(2, 8, 8), torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[:, 2:5, 1:4] = True
    for score in (pointing_game, mass_in_mask):
        assert torch.equal(score(maps, masks), score(maps, masks[:, None]))
        with pytest.raises(ValueError, match=r"masks must be \(N, H, W\), got \(8, 8\)"):
            score(maps, masks[0])
    broken = maps.clone()
    broken[1, 0, 0] = torch.nan
    calls = [
        lambda: pointing_game(broken, masks),
        lambda: mass_in_mask(broken, masks),
        lambda: rank_correlation(maps, broken),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"pictures \[1\] hold NaN"):
            call()
