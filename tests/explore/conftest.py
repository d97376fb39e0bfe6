from collections import OrderedDict

import pytest
import torch
from torch import nn

from cs231n_viz import wrap
from cs231n_viz.explore.toolkit import base, picture
from cs231n_viz.network.models import Classifier
from tests.explore.controls import ENCODE
from tests.networks import small_classifier


@pytest.fixture(scope="module")
def model() -> Classifier:
    """Maps of 24×24 and 12×12 for 48 px, fields that the border clips, and layers without maps."""
    return small_classifier()


@pytest.fixture(autouse=True)
def small_files(request, monkeypatch):
    """What the page gets is encoded small: most tests look at the arrays, and files took a quarter of their time.

    Those of the toolkit open the files, and ``median_seconds`` measures whole ones.
    """
    if request.path.parent.name != "toolkit":
        monkeypatch.setattr(picture, "encode", lambda pixels, **options: ENCODE(pixels[::8, ::8], **options))


@pytest.fixture
def no_pause(monkeypatch):
    """In an event loop, a drawing that refines another one is made in the very next pass."""
    monkeypatch.setattr(base, "PAUSE", 0.0)


@pytest.fixture(scope="module", params=[3, 1], ids=["rgb", "grey"])
def network(request) -> Classifier:
    """A person's own network, of three layers with weights, for colour or grey pictures."""
    torch.manual_seed(0)
    layers = {"conv1": nn.Conv2d(request.param, 6, 5, stride=2), "relu1": nn.ReLU()}
    layers |= {"conv2": nn.Conv2d(6, 8, 3), "relu2": nn.ReLU(), "gap": nn.AdaptiveAvgPool2d(1)}
    layers |= {"flatten": nn.Flatten(), "fc": nn.Linear(8, 3)}
    half = [0.5] * request.param
    return wrap(nn.Sequential(OrderedDict(layers)).eval(), ["a", "b", "c"], mean=half, std=half, input_size=32)
