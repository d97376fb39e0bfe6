"""The attributions are as exact on trained weights and real photographs as on random ones, in float64."""

import pytest
import torch

import cs231n_viz as viz
from tests.explicit import Explicit, relative_error

LAYERS = {"mini_alexnet": "relu5", "mini_vgg": "relu5_2", "squeezenet1_1": "features.12.expand3x3"}
SIDES = {"mini_alexnet": 224, "mini_vgg": 112, "squeezenet1_1": 112}  # pixels: float64 is slow
PHOTOS = ["cat", "motorcycle"]


@pytest.fixture(scope="module", params=LAYERS)
def trained(request):
    """A model, two photographs, their best classes, and the explicit forward pass."""
    weights = "DEFAULT"
    if request.param == "squeezenet1_1":
        weights = request.getfixturevalue("pictures") / "weights" / "squeezenet1_1.safetensors"
    model = viz.load_model(request.param, weights=weights).double()
    side = SIDES[request.param]
    images = viz.resize(model.prepare([viz.load_image(photo) for photo in PHOTOS]), (side, side)).double()
    explicit = Explicit(model, images)
    return model, images, explicit.logits.argmax(1), explicit


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "method"), [("guided", viz.guided_backprop), ("deconv", viz.deconvnet)])
def test_gradients_by_a_rule(trained, rule, method):
    model, images, targets, explicit = trained
    right = explicit.gradient(rule, targets)["pixels"]
    assert relative_error(method(model, images, targets), right) <= 1e-10
    layer = LAYERS[model.name]
    maps = explicit.value(layer).amin(0)
    neuron = (layer, *(int(index) for index in torch.unravel_index(maps.argmax(), maps.shape)))
    right = explicit.gradient(rule, neuron=neuron)["pixels"]
    assert right.abs().max() > 0
    assert relative_error(method(model, images, neuron=neuron), right) <= 1e-10


def test_grad_cam(trained):
    model, images, targets, explicit = trained
    layer = LAYERS[model.name]
    gradients = explicit.gradient("plain", targets)[explicit.layer(layer)]
    right = (gradients.mean((2, 3), keepdim=True) * explicit.value(layer)).sum(1)
    assert relative_error(viz.grad_cam(model, images, targets, layer, signed=True), right) <= 1e-10


@pytest.mark.slow
def test_what_adds_up(trained):
    """DeepLIFT to the rise of the logit; LRP to the logit, and without a rule to gradient × input, place by place."""
    model, images, targets, explicit = trained
    contributions = viz.deep_lift(model, images, targets, baseline=0.5)
    assert viz.completeness_error(model, images, targets, contributions, baseline=0.5).max() <= 1e-10
    logits = explicit.logits.gather(1, targets[:, None])[:, 0]
    assert relative_error(viz.lrp(model, images, targets, "gamma").flatten(1).sum(1), logits) <= 1e-8
    plain = viz.gradient_times_input(model, images, targets)
    assert relative_error(viz.lrp(model, images, targets, "zero"), plain) <= 1e-8
