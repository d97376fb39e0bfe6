"""The equalities of CONVENTIONS.md that a table of numbers can show; LRP and zennit are in test_lrp.py."""

import numpy as np
import pytest
import torch
from captum.attr import GuidedBackprop, LayerGradCam, NoiseTunnel, Occlusion, Saliency
from torch.nn import functional as F

import cs231n_viz as viz
from cs231n_viz.representation.gram import gram_matrix
from tests.explicit import relative_error
from tests.networks import TARGETS, recorded

LAYER = "relu5_2"


def test_gradients_per_unit_of_normalised_pixels():
    model, images, _ = recorded("mini_vgg")
    seen = ((images - model.mean) / model.std).requires_grad_()
    (right,) = torch.autograd.grad(model.network(seen).gather(1, TARGETS[:, None]).sum(), seen)
    ours = viz.gradient(model, images, TARGETS)
    assert relative_error(ours * model.std, right) <= 1e-12
    assert relative_error(viz.gradient_times_input(model, images, TARGETS), right * seen.detach()) <= 1e-12
    peer = Saliency(model).attribute(images.clone().requires_grad_(), TARGETS)
    assert relative_error(ours.abs(), peer) <= 1e-12


def test_smooth_grad_of_captum_with_the_same_noise():
    model, images, _ = recorded("mini_vgg")
    image, target = images[:1], int(TARGETS[0])
    ours = viz.smooth_grad(model, image, target, samples=4, noise=0.15, seed=3)
    deviation = float(0.15 * (image.amax() - image.amin()))
    torch.manual_seed(3)
    options = {"nt_type": "smoothgrad", "nt_samples": 4, "stdevs": deviation, "abs": False}
    peer = NoiseTunnel(Saliency(model)).attribute(image.clone(), target=target, **options)
    assert relative_error(ours, peer) <= 1e-12


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_guided_backprop_of_captum_where_every_rectifier_is_a_module():
    model, images, _ = recorded("mini_vgg")
    peer = GuidedBackprop(model).attribute(images.clone().requires_grad_(), TARGETS)
    assert relative_error(viz.guided_backprop(model, images, TARGETS), peer) <= 1e-12


def test_grad_cam_of_pytorch_grad_cam():
    """Its documented steps: ReLU, minus the smallest, over the largest, then bilinear; here position by position."""
    model, images, _ = recorded("mini_vgg")
    layer = "relu4_2"
    maps = viz.grad_cam(model, images, TARGETS, layer)
    scaled = maps - maps.amin((1, 2), keepdim=True)
    scaled = scaled / scaled.amax((1, 2), keepdim=True)
    ours = F.interpolate(scaled[:, None], size=images.shape[2:], mode="bilinear")[:, 0]
    side, wide = maps.shape[-1], images.shape[-1]
    assert 1 < side < wide
    places = (np.arange(wide) + 0.5) * side / wide - 0.5  # of the middles of pixels; np.interp holds the border
    for map_, got in zip(maps.numpy(), ours, strict=True):
        right = (map_ - map_.min()) / (map_ - map_.min()).max()
        for axis in (0, 1):
            right = np.apply_along_axis(lambda row: np.interp(places, np.arange(side), row), axis, right)
        assert relative_error(got, torch.from_numpy(right)) <= 1e-12


def test_grad_cam_of_captum():
    model, images, _ = recorded("mini_vgg")
    peer = LayerGradCam(model, model.network.get_submodule(LAYER)).attribute(images, TARGETS)
    assert relative_error(viz.grad_cam(model, images, TARGETS, LAYER, signed=True)[:, None], peer) <= 1e-12


def test_occlusion_of_captum_where_windows_do_not_overlap():
    model, images, _ = recorded("mini_vgg")
    windows = {"sliding_window_shapes": (3, 8, 8), "strides": (3, 8, 8)}
    grey = model.mean.expand_as(images)
    peer = Occlusion(model).attribute(images, target=TARGETS, baselines=grey, **windows)
    ours = viz.occlusion(model, images, TARGETS, window=8, stride=8, fill="mean")
    wide = ours.repeat_interleave(8, 1).repeat_interleave(8, 2)
    assert relative_error(wide, peer[:, 0]) <= torch.finfo(torch.float32).eps  # to which captum rounds


def test_the_total_variation_of_the_paper():
    images = torch.rand(1, 3, 5, 4, dtype=torch.float64)
    pixels = images[0].tolist()
    steps = [
        (pixels[c][y + 1][x] - pixels[c][y][x]) ** 2 + (pixels[c][y][x + 1] - pixels[c][y][x]) ** 2
        for c, y, x in np.ndindex(3, 4, 3)
    ]
    for beta, room in ((2, 1e-12), (1, 1e-6)):  # 1e-8 under the root, which has no gradient at 0
        right = sum(step ** (beta / 2) for step in steps)
        assert abs(viz.total_variation(images, beta) * 3 * 4 * 3 - right) <= room * right


def test_the_gram_matrix_of_the_paper():
    maps = torch.rand(2, 4, 5, 3, dtype=torch.float64)
    right = torch.einsum("nihw,njhw->nij", maps, maps)
    assert relative_error(gram_matrix(maps) * 5 * 3, right) <= 1e-12
