"""Where is the evidence? Class activation maps (CAM), and their generalisation to any layer and network (Grad-CAM)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.attribution.saliency import guided_backprop
from cs231n_viz.network.capture import capture, channels_first, evaluating
from cs231n_viz.network.checks import Targets, check_images, check_logits, check_targets
from cs231n_viz.network.gradients import class_scores
from cs231n_viz.network.interception import AVERAGES, EachOperation
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.running import outside_inference_mode


@torch.no_grad()
def cam(model: nn.Module, images: Tensor, targets: Targets) -> Tensor:
    """Weigh the last feature maps by the weights of a class (CAM): which places are evidence for it?

    Args:
        model: A classifier that ends in global average pooling and at most one linear layer or convolution of 1×1
            pixels: mini_vgg, the ResNets, GoogLeNet, DenseNets, MobileNetV2, SqueezeNets.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.

    Returns:
        (N, h, w), signed, in logits. The mean over the places, plus the bias of the class, is its logit.

    Raises:
        TypeError: If the network ends in another way; ``grad_cam`` works for any.
        ValueError: If images or targets are out of range.

    Source: Zhou et al., arXiv:1512.04150, eq. 2.
    """
    images = to_channels_last(model, check_images(images, model))
    head = _PooledHead()
    with evaluating(model):  # as long as the weights are read: other threads wait
        with EachOperation(head.record):
            logits = check_logits(model(images), model)
        rebuilt = head.logits()
        rows = check_targets(targets, len(images), logits.shape[1], model).to(logits.device)
        weights = None if head.linear is None else head.linear[0][rows]
    if rebuilt is None or rebuilt.shape != logits.shape or not torch.allclose(rebuilt, logits, rtol=1e-3, atol=1e-4):
        raise TypeError(
            "cam wants a network that ends in global average pooling and one linear layer, such as mini_vgg or "
            "resnet18; grad_cam works for any"
        )
    if weights is None:
        return head.maps[torch.arange(len(images)), rows]
    return torch.einsum("nchw,nc->nhw", head.maps, weights)


@outside_inference_mode()
def grad_cam(model: nn.Module, images: Tensor, targets: Targets, layer: str, *, signed: bool = False) -> Tensor:
    """Weigh a layer's feature maps by their mean gradient (Grad-CAM): which places are evidence for a class?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        layer: Name from ``model.layers()`` of a layer with feature maps; ``"relu5_2"`` of mini_vgg, ``"relu5"`` of
            mini_alexnet, ``"layer4"`` of a ResNet. Maps with their channels last, (N, h, w, C) as in Swin, are known
            by sides in the ratio of the picture's.
        signed: Keep negative evidence, below 0.

    Returns:
        (N, h, w), in logits; at least 0 unless ``signed``, and then 0 all over where nothing is evidence for the class.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If it has no maps, the logit does not depend on them, or images or targets are out of range.

    Source: Selvaraju et al., arXiv:1610.02391, eq. 1 and 2.
    """
    images = to_channels_last(model, check_images(images, model))
    with torch.enable_grad(), evaluating(model):  # the backward pass, too: no other thread may change the weights
        with capture(model, [layer]) as activations:
            scores = class_scores(model, images, targets)
        if layer not in activations:
            raise KeyError(f"the network never reached layer {layer!r} in this forward pass")
        maps = activations[layer]
        if maps.ndim != 4:
            raise ValueError(f"grad_cam wants a layer of maps (N, C, h, w); {layer!r} puts out {tuple(maps.shape)}")
        (gradients,) = torch.autograd.grad(scores.sum(), maps, allow_unused=True)
    if gradients is None:
        raise ValueError(f"the logit does not depend on layer {layer!r}; take one on the way to the logits")
    gradients, maps = channels_first(gradients, images), channels_first(maps, images)
    combined = (gradients.mean((2, 3), keepdim=True) * maps.detach()).sum(1).to(images)
    return combined if signed else combined.clamp_min(0)


def guided_grad_cam(model: nn.Module, images: Tensor, targets: Targets, layer: str) -> Tensor:
    """Multiply guided backprop by the enlarged Grad-CAM map (Guided Grad-CAM): which details, at those places?

    Args:
        model: As in ``guided_backprop``.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        layer: As in :func:`grad_cam`.

    Returns:
        (N, 3, H, W): guided backprop times the bilinearly enlarged map.

    Raises:
        KeyError: If there is no such layer.
        UnknownOperationError: If guided backprop has no rule for something in the network.
        ValueError: If the layer has no maps, or images or targets are out of range.

    Source: Selvaraju et al., arXiv:1610.02391, section 3.2.
    """
    maps = grad_cam(model, images, targets, layer)[:, None]
    maps = F.interpolate(maps, size=images.shape[-2:], mode="bilinear", align_corners=False)
    return guided_backprop(model, images, targets) * maps


class _PooledHead:
    """Records the maps that were averaged last, and the linear layer after them."""

    def __init__(self) -> None:
        self.maps: Tensor | None = None
        self.linear: tuple[Tensor, Tensor | None] | None = None

    def record(self, name: str, function: Callable, args: tuple, kwargs: dict) -> object:
        """Run the operation, and remember it if it averages maps or is a linear layer."""
        result = function(*args, **kwargs)
        given = dict(zip(("input", "weight", "bias"), args, strict=False)) | kwargs
        x, weight = given.get("input"), given.get("weight")
        if name in AVERAGES and x.ndim == 4 and result.flatten().shape == x[..., 0, 0].flatten().shape:
            self.maps, self.linear = x.clone(), None
        elif name == "linear" or (name == "conv2d" and x.shape[2:] == weight.shape[2:] == (1, 1)):
            self.linear = weight.flatten(1), given.get("bias")
        return result

    def logits(self) -> Tensor | None:
        """The logits, if nothing but averaging and the linear layer follows the maps; None if those do not fit."""
        if self.maps is None:
            return None
        means = self.maps.mean((2, 3))
        if self.linear is None:
            return means
        return F.linear(means, *self.linear) if self.linear[0].shape[1] == means.shape[1] else None
