"""Networks with modules of their own get contiguous images; the others get channels last, which is faster."""

import warnings

import pytest
import torch
from torch import nn
from torchvision import models

import cs231n_viz as viz
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.synthesis.objectives import logit


class Viewing(nn.Module):
    """As students write it: ``view`` fails on maps in channels-last format."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 5, stride=2), nn.Linear(8 * 14 * 14, 4)

    def forward(self, images):
        maps = self.conv(images).relu()
        return self.fc(maps.view(maps.size(0), -1))


@pytest.fixture
def model():
    return viz.wrap(Viewing().eval(), list("abcd"), input_size=31)


METHODS = {
    "gradient": lambda model, images: viz.gradient(model, images, 1),
    "guided backprop": lambda model, images: viz.guided_backprop(model, images, 1),
    "Grad-CAM": lambda model, images: viz.grad_cam(model, images, 1, "conv"),
    "DeepLIFT": lambda model, images: viz.deep_lift(model, images, 1),
    "LRP": lambda model, images: viz.lrp(model, images, 1, "gamma"),
    "occlusion": lambda model, images: viz.occlusion(model, images, 1, window=8, progress=False),
    "features": lambda model, images: viz.features(model, [(image, 0) for image in images], "fc", progress=False),
    "transfer": lambda model, images: viz.transfer(model, images, ["a", "b"]).logit,
    "class visualisation": lambda model, images: (
        viz.visualize(model, logit(model, 2), start="noise", steps=2, progress=False).image
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_calls_view_is_looked_into_like_any_other(method, model):
    images = torch.rand(2, 3, 31, 31)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # occlusion warns when it cannot be incremental
        result = METHODS[method](model, images)
    model.network.forward = lambda images: model.network.fc(model.network.conv(images).relu().flatten(1))
    torch.testing.assert_close(result, METHODS[method](model, images), rtol=1e-4, atol=1e-5)


def test_only_known_networks_get_channels_last(model):
    images = torch.rand(2, 3, 31, 31)
    assert to_channels_last(model, images) is images
    assert to_channels_last(viz.load_model("mini_vgg"), images).is_contiguous(memory_format=torch.channels_last)


# RegNets cannot be built on the meta device; the larger ones have more of the same modules as the smallest.
NAMES = [name for name in models.list_models(module=models) if "regnet" not in name or "400mf" in name]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_torchvisions_networks_take_channels_last(name):
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("cpu" if "regnet" in name else "meta"):
        network = models.get_model(name, weights=None, **extra).eval().to("meta")
    images = torch.empty(1, 3, 224, 224, device="meta").contiguous(memory_format=torch.channels_last)
    assert network(images).shape == (1, 1000)
