"""Class activation maps, against their definitions."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cs231n_viz as viz
from tests.explicit import AVERAGED, NETWORKS, pictures, relative_error
from tests.networks import NAMES, TARGETS, recorded, small


def by_definition(explicit, layer):
    gradients = explicit.gradient("plain", TARGETS)[explicit.layer(layer)]
    return (gradients.mean((2, 3), keepdim=True) * explicit.value(layer)).sum(1)


@pytest.mark.parametrize("name", NAMES)
def test_grad_cam_equals_its_definition(name):
    model, images, explicit = recorded(name)
    layer = NETWORKS[name][1]
    right = by_definition(explicit, layer)
    assert right.abs().max() > 1e-6
    signed = viz.grad_cam(model, images, TARGETS, layer, signed=True)
    assert relative_error(signed, right) <= 1e-10
    assert torch.equal(viz.grad_cam(model, images, TARGETS, layer), signed.clamp_min(0))


# After each of these something in place overwrites the very tensor that a hook gets.
OVERWRITTEN = [
    ("alexnet", "features.10"),
    ("vgg16", "features.28"),
    ("resnet18", "layer4.1.bn2"),
    ("squeezenet1_1", "features.12.expand3x3"),
    ("densenet121", "features.norm5"),
    ("googlenet", "inception5b.branch1.bn"),
    ("mobilenet_v2", "features.18.1"),
]


@pytest.mark.parametrize(("name", "layer"), OVERWRITTEN)
def test_grad_cam_of_a_layer_that_is_overwritten(name, layer):
    model, images, explicit = recorded(name)
    assert (explicit.value(layer) < 0).any()  # so that the rectified maps would be others
    maps = viz.grad_cam(model, images, TARGETS, layer, signed=True)
    assert relative_error(maps, by_definition(explicit, layer)) <= 1e-10


@pytest.mark.parametrize("layer", ["features.0", "features.1", "features.2", "features.8", "features.12"])
def test_grad_cam_at_any_layer_of_alexnet(layer):
    model, images, explicit = recorded("alexnet")
    maps = viz.grad_cam(model, images, TARGETS, layer, signed=True)
    assert relative_error(maps, by_definition(explicit, layer)) <= 1e-10


LAST = {"resnet18": "layer4", "resnet50": "layer4", "googlenet": "inception5b", "mini_vgg": "relu5_2"}
LAST |= {"mobilenet_v2": "features", "squeezenet1_1": "classifier.2"}


@pytest.mark.parametrize("name", LAST)
def test_cam_is_grad_cam_times_the_number_of_places(name):
    model, images, _ = recorded(name)
    maps = viz.cam(model, images, TARGETS)
    by_gradients = viz.grad_cam(model, images, TARGETS, LAST[name], signed=True)
    assert relative_error(by_gradients * maps[0].numel(), maps) <= 1e-10


@pytest.mark.parametrize("name", AVERAGED)
def test_the_mean_of_cam_and_the_bias_are_the_logit(name):
    model, images, explicit = recorded(name)
    last = [module for module in model.modules() if isinstance(module, nn.Linear)]
    bias = last[-1].bias[TARGETS] if last else 0
    logits = explicit.logits.gather(1, TARGETS[:, None])[:, 0]
    assert relative_error(viz.cam(model, images, TARGETS).mean((1, 2)) + bias, logits) <= 1e-12


def test_cam_recognises_an_average_however_it_is_written():
    x = pictures(2, 8)
    maps = [viz.cam(small(nn.ReLU()), x, 1)]  # mean((2, 3))
    for average in (
        lambda maps: F.adaptive_avg_pool2d(maps, 1).flatten(1),
        lambda maps: F.avg_pool2d(maps, 8).flatten(1),
        lambda maps: maps.mean((-1, -2)),
        lambda maps: torch.mean(maps, (2, 3), keepdim=True)[:, :, 0, 0],
    ):
        model = small(nn.ReLU())
        model.forward = lambda images, model=model, average=average: model.head(average(F.relu(model.conv(images))))
        maps.append(viz.cam(model, x, 1))
    for other in maps[1:]:
        assert relative_error(other, maps[0]) <= 1e-12


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "mini_alexnet"])
def test_cam_refuses_a_network_with_another_head(name):
    model, images, _ = recorded(name)
    with pytest.raises(TypeError, match="global average pooling and one linear layer"):
        viz.cam(model, images, TARGETS)


def test_cam_refuses_what_is_only_nearly_such_a_head():
    model = small(nn.ReLU())
    model.head = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    with pytest.raises(TypeError, match="global average pooling"):
        viz.cam(model, pictures(1, 8), 0)


def test_evidence_that_is_all_negative_gives_zeros_unless_signed():
    model = small(nn.ReLU())
    model.head.weight.data = -model.head.weight.data.abs() - 0.1
    x = pictures(2, 8)
    assert viz.grad_cam(model, x, 0, "middle").abs().max() == 0
    signed = viz.grad_cam(model, x, 0, "middle", signed=True)
    assert signed.max() <= 0
    assert signed.min() < 0
    assert viz.guided_grad_cam(model, x, 0, "middle").abs().max() == 0


def test_pictures_of_a_batch_do_not_mix():
    model, images, _ = recorded("resnet18")
    together = viz.grad_cam(model, images, TARGETS, "layer3", signed=True)
    for row in range(2):
        alone = viz.grad_cam(model, images[row : row + 1], int(TARGETS[row]), "layer3", signed=True)
        assert relative_error(together[row : row + 1], alone) <= 1e-10


def test_guided_grad_cam_is_the_product_of_both():
    model, images, explicit = recorded("vgg11_bn")
    layer = NETWORKS["vgg11_bn"][1]
    coarse = by_definition(explicit, layer).clamp_min(0)[:, None]
    enlarged = F.interpolate(coarse, size=images.shape[2:], mode="bilinear", align_corners=False)
    right = enlarged * explicit.gradient("guided", TARGETS)["pixels"]
    assert right.abs().max() > 0
    assert relative_error(viz.guided_grad_cam(model, images, TARGETS, layer), right) <= 1e-10


def test_layers_without_maps_are_refused():
    model, images, _ = recorded("mini_vgg")
    with pytest.raises(ValueError, match=r"'fc' puts out \(2, 10\)"):
        viz.grad_cam(model, images, 0, "fc")
    with pytest.raises(KeyError, match="close names: relu5_2"):
        viz.grad_cam(model, images, 0, "relu5_3")
    with pytest.raises(KeyError, match="never reached layer 'relu5_2:2'"):
        viz.grad_cam(model, images, 0, "relu5_2:2")
