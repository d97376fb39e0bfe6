import pytest
import torch
import torchvision
from torch import nn

import cs231n_viz as viz
from cs231n_viz.representation.filters import smooth_share


def test_zero_is_grey_and_proportions_are_kept():
    weights = torch.randn(5, 3, 4, 4) * torch.tensor([1e-4, 1.0, 50.0, 0.3, 0.0]).view(5, 1, 1, 1)
    shown = viz.normalise_filters(weights)
    assert shown.min() >= 0
    assert shown.max() <= 1
    assert torch.equal(shown[4], torch.full((3, 4, 4), 0.5))
    for before, after in zip(weights[:4], shown[:4] - 0.5, strict=True):
        torch.testing.assert_close(after / after.abs().max(), before / before.abs().max())


SHAPES = {
    "alexnet": (64, 3, 11, 11),
    "resnet18": (64, 3, 7, 7),
    "mini_alexnet": (64, 3, 11, 11),
    "mini_vgg": (32, 3, 3, 3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_first_convolution_is_found(name):
    assert viz.first_layer_filters(viz.load_model(name, weights=None)).shape == SHAPES[name]
    bare = torchvision.models.alexnet(weights=None)
    assert viz.first_layer_filters(bare).shape == (64, 3, 11, 11)


def test_filters_of_grey_pictures_are_grey():
    network = nn.Sequential(nn.Conv2d(1, 4, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    shown = viz.first_layer_filters(viz.wrap(network, list("abcd"), mean=[0.5], std=[0.5], input_size=16))
    expected = 0.5 + network[0].weight / (2 * network[0].weight.abs().amax((1, 2, 3), keepdim=True))
    torch.testing.assert_close(shown, expected.detach().repeat(1, 3, 1, 1))


def test_errors():
    network = nn.Sequential(nn.Conv2d(4, 2, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match=r"1 or 3 channels .* got \(2, 4, 5, 5\)"):
        viz.first_layer_filters(viz.wrap(network, ["a", "b"], mean=[0.5] * 4, std=[0.5] * 4, input_size=16))
    with pytest.raises(ValueError, match="no convolution that takes 3 channels"):
        viz.first_layer_filters(nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(ValueError, match=r"\(K, 3, h, w\), got \(2, 3, 5\)"):
        viz.normalise_filters(torch.zeros(2, 3, 5))


def test_smooth_share_of_gratings_and_noise():
    x = torch.arange(12.0)
    slow, fast = torch.cos(2 * torch.pi * x / 6), torch.cos(2 * torch.pi * x / 3)
    share = smooth_share(torch.stack([slow.expand(1, 12, 12), fast.expand(1, 12, 12)]))
    torch.testing.assert_close(share, torch.tensor([1.0, 0.0]), atol=1e-5, rtol=0)
    noise = smooth_share(torch.randn(200, 3, 12, 12)).mean()
    assert noise == pytest.approx(torch.pi * 0.25**2, abs=0.03)  # the disc's share of the unit square


def test_the_shipped_first_layer_is_smooth_as_alexnets_is():
    weights = viz.load_model("mini_alexnet").network.conv1.weight
    assert (smooth_share(weights) >= 0.8).sum() >= 48
