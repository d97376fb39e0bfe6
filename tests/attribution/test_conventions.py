"""The equalities of CONVENTIONS.md that a table of numbers can show; LRP and zennit are in test_lrp.py."""

import torch
from captum.attr import LayerGradCam, Occlusion, Saliency

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


def test_the_gram_matrix_of_the_paper():
    maps = torch.rand(2, 4, 5, 3, dtype=torch.float64)
    right = torch.einsum("nihw,njhw->nij", maps, maps)
    assert relative_error(gram_matrix(maps) * 5 * 3, right) <= 1e-12
