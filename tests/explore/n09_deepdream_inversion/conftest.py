import pytest
import torch
from torch import nn

from cs231n_viz import wrap


@pytest.fixture(scope="module")
def other():
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return wrap(network.eval(), ["x", "y"], input_size=48)
