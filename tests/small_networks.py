"""A classifier that explorers can run in a millisecond."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from cs231n_viz import wrap
from cs231n_viz.models import Classifier


def small_classifier(categories: Sequence[str] = ("a", "b", "c"), **head: nn.Module) -> Classifier:
    """48 px, maps of 24×24 and 12×12, then ``head``; without one, the averages and one linear layer."""
    torch.manual_seed(0)
    layers = OrderedDict(
        conv1=nn.Conv2d(3, 6, 7, stride=2, padding=3),
        relu1=nn.ReLU(inplace=True),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 10, 3, padding=1),
        relu2=nn.ReLU(),
    )
    averages = {"gap": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(10, len(categories))}
    layers.update(head or averages)
    return wrap(nn.Sequential(layers).eval(), list(categories), input_size=48)
