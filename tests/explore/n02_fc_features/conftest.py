from collections import OrderedDict

import pytest
import torch
from torch import nn

from cs231n_viz import Gallery, wrap


@pytest.fixture(scope="module")
def model():
    layers = OrderedDict(
        conv1=nn.Conv2d(3, 6, 7, stride=2, padding=3),
        relu1=nn.ReLU(inplace=True),
        pool1=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(6 * 12 * 12, 8),
        relu2=nn.ReLU(),
        fc2=nn.Linear(8, 3),
    )
    torch.manual_seed(0)
    return wrap(nn.Sequential(layers).eval(), ["a", "b", "c"], input_size=48)


@pytest.fixture(scope="module")
def gallery():
    return Gallery.crops(57, size=48)
