"""Names of classes, layers and networks that hold HTML are shown as they are, and never become part of the page."""

import ipywidgets as widgets
import pytest
import torch
from torch import nn

from cs231n_viz import explore, wrap
from cs231n_viz.explore.toolkit.base import Explorer

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    layers = {f"conv{EVIL}": nn.Conv2d(3, 6, 5, stride=2), f"relu{EVIL}": nn.ReLU(), "gap": nn.AdaptiveAvgPool2d(1)}
    network = nn.Sequential()
    for name, layer in {**layers, "flatten": nn.Flatten(), "fc": nn.Linear(6, 3)}.items():
        network.add_module(name.replace(".", ""), layer)
    return wrap(network.eval(), [f"{EVIL}{number}" for number in range(3)], input_size=48)


@pytest.mark.parametrize(
    "name", ["activation_maps", "saliency", "class_activation", "relevance", "fooling", "class_visualization"]
)
def test_names_do_not_become_part_of_the_page(name, model):
    models = model if name == "activation_maps" else {f"a{EVIL}": model, f"b{EVIL}": model}
    explorer = getattr(explore, name)(models)
    explorer.flush()
    assert explorer.error is None, explorer.error
    for key in ("method", "signed", "unit", "layer"):
        control = explorer.controls.get(key)
        for value in getattr(control, "options", [])[:3]:
            control.value = value[1] if isinstance(value, tuple) else value
            explorer.flush()
            assert "<img" not in explorer.text.value + explorer.message.value
    assert "<img" not in explorer.text.value + explorer.message.value


def test_the_name_of_an_error_is_text():
    def draw(size):
        raise type("<img src=x>", (Exception,), {})("no picture")

    explorer = Explorer(draw, {"size": widgets.IntSlider(description="size")})
    assert "<img" not in explorer.message.value
    assert "&lt;img src=x&gt;" in explorer.message.value
