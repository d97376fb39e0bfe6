"""Networks that several tests use: those of the exactness tests, small ones; and the state of a model."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn

from cs231n_viz import wrap
from cs231n_viz.network.models import Classifier
from tests.explicit import NETWORKS, Explicit, classifier, pictures

NAMES = list(NETWORKS)
TARGETS = torch.tensor([3, 7])


@cache
def recorded(name: str) -> tuple[Classifier, Tensor, Explicit]:
    """A model, two pictures, and the explicit forward pass of them."""
    model, images = classifier(name), pictures(2, NETWORKS[name][0])
    return model, images, Explicit(model, images)


def small(middle: object, *, classes: int = 3, seed: int = 0) -> nn.Module:
    """Build convolution, ``middle`` (a module, or a function of the maps), global average, linear layer; float64."""
    torch.manual_seed(seed)
    return Small(middle, classes).double().eval()


class Small(nn.Module):
    def __init__(self, middle: object, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.middle = middle
        self.head = nn.Linear(6, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.middle(self.conv(images)).mean((2, 3)))


def snapshot(model: nn.Module) -> list:
    """Record all that a method might leave changed in a model."""
    state: list = [(name, value.clone()) for name, value in model.state_dict().items()]
    state += [(name, value.requires_grad, value.grad) for name, value in model.named_parameters()]
    for name, module in model.named_modules():
        hooks = [len(getattr(module, key)) for key in sorted(vars(module)) if key.endswith("_hooks")]
        state.append((name, id(module), type(module), module.training, getattr(module, "inplace", None), hooks))
    return state


def same(first: list, second: list) -> bool:
    return len(first) == len(second) and all(
        a[0] == b[0] and (torch.equal(a[1], b[1]) if isinstance(a[1], Tensor) else a[1:] == b[1:])
        for a, b in zip(first, second, strict=True)
    )


@contextmanager
def unchanged(model: nn.Module, images: Tensor) -> Iterator[None]:
    """Assert that the model and the pictures are the same after the ``with`` as before, also after an exception."""
    before, pixels = snapshot(model), (images.clone(), images.requires_grad, images.grad)
    try:
        yield
    finally:
        assert same(before, snapshot(model))
        assert torch.equal(images, pixels[0])
        assert (images.requires_grad, images.grad) == pixels[1:]
        assert not torch.overrides._get_current_function_mode_stack()


def small_classifier(categories: Sequence[str] = ("a", "b", "c"), **head: nn.Module) -> Classifier:
    """Build a classifier: 48 px, maps of 24×24 and 12×12, then ``head``; by default global average and linear layer."""
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
