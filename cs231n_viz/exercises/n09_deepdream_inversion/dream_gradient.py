"""The gradient of DeepDream."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import pixels


def dream_gradient(features: nn.Module, images: Tensor) -> Tensor:
    """Backpropagate a layer's activation as its own gradient (DeepDream), to amplify whatever is there.

    Args:
        features: The network up to the layer: images (N, 3, H, W) -> activations (N, C, h, w).
        images: (N, 3, H, W), RGB in [0, 1].

    Returns:
        (N, 3, H, W): what arrives at the image when the gradient at the layer is set to the layer's activation.
    """
    pixels = images.clone().requires_grad_()
    activation = features(pixels)
    (gradient,) = torch.autograd.grad(activation, pixels, grad_outputs=activation.detach())
    return gradient


def _gradient(
    upstream: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor] = lambda g: g
) -> Callable[[nn.Module, Tensor], Tensor]:
    """The reference with another gradient at the layer, or something done to the result."""

    def gradient(features: nn.Module, images: Tensor) -> Tensor:
        leaf = images.clone().requires_grad_()
        activation = features(leaf)
        return after(torch.autograd.grad(activation, leaf, upstream(activation.detach()))[0])

    return gradient


def _strongest(activation: Tensor) -> Tensor:
    flat = activation.flatten(1)
    return F.one_hot(flat.argmax(1), flat.shape[1]).to(flat).view_as(activation)


def _dream(
    title: str,
    weights: list[list[float]],
    bias: list[float],
    images: Tensor,
    *,
    relu: bool = False,
    size: int = 1,
) -> Check:
    """Filters of one value over size × size pixels: the gradient is Wᵀ(Wx + b), where the ReLU lets it pass."""
    weight, shift = torch.tensor(weights), torch.tensor(bias)
    layer = nn.Conv2d(3, len(weights), size, stride=size)
    layer.weight.data = weight[..., None, None].expand(-1, -1, size, size).contiguous()
    layer.bias.data = shift
    blocks = images.unfold(2, size, size).unfold(3, size, size).sum((4, 5))
    activation = torch.einsum("ci,nihw->nchw", weight, blocks) + shift[:, None, None]
    activation = activation.clamp_min(0) if relu else activation
    spread = torch.einsum("ci,nchw->nihw", weight, activation)
    expected = spread.repeat_interleave(size, 2).repeat_interleave(size, 3)
    return Check(title, {"features": nn.Sequential(layer, *[nn.ReLU()] * relu).eval(), "images": images}, expected)


ENTRY = Entry(
    name="dream_gradient",
    reference=dream_gradient,
    stars=2,
    minutes=10,
    checks=[
        _dream("one filter: its weights times its activation", [[1.0, -2.0, 0.5]], [0.0], pixels(1, 3, 2, 3)),
        _dream("two filters with biases", [[1.0, 0, 2.0], [0.5, -1, 0]], [0.5, -2.0], pixels(1, 3, 3, 2)),
        _dream(
            "after a ReLU: a filter that is not active adds nothing",
            [[1.0, -1.0, 0.5], [-2.0, 0.5, 1.0]],
            [-0.2, 0.1],
            pixels(1, 3, 3, 4),
            relu=True,
        ),
        _dream(
            "two images, filters of 2×2 pixels",
            [[0.5, 1.0, -1.0], [1.0, 0.25, 0.5]],
            [0.1, -1.0],
            pixels(2, 3, 4, 6),
            relu=True,
            size=2,
        ),
    ],
    mistakes={
        "the gradient at the layer is 1 everywhere, as of the sum of the activations: set it to the activation": (
            _gradient(torch.ones_like),
            _gradient(lambda a: torch.ones_like(a) / a.numel()),
            _gradient(lambda a: torch.ones_like(a) / a[0].numel()),
        ),
        "twice too large: ½‖a‖² has the gradient a, ‖a‖² has 2a": _gradient(lambda a: 2 * a),
        "this is the gradient of the mean of the squares: it shrinks as the layer grows; set it to the activation": (
            _gradient(lambda a: 2 * a / a.numel()),
            _gradient(lambda a: a / a.numel()),
            _gradient(lambda a: 2 * a / a[0].numel()),
            _gradient(lambda a: a / a[0].numel()),
        ),
        "the sign is flipped: this makes the activations vanish": _gradient(lambda a: -a),
        "only the signs of the activations are sent back: strong ones must count more": _gradient(torch.sign),
        "only the strongest activation is sent back: DeepDream takes the whole layer": (
            _gradient(_strongest),
            _gradient(lambda a: a * _strongest(a)),
        ),
        "only activations above 0 are sent back: the layer may have no ReLU": _gradient(lambda a: a.clamp_min(0)),
        "divided by the mean magnitude: that is done by the step, not by the gradient": (
            _gradient(lambda a: a, lambda g: g / g.abs().mean())
        ),
    },
)
