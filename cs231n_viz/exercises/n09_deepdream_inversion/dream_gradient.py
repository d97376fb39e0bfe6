"""The gradient of DeepDream."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of, is_attached, noise, pixels


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
    upstream: Callable[[Tensor], Tensor] = lambda a: a, after: Callable[[Tensor], Tensor] = lambda g: g
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


def _added(features: nn.Module, images: Tensor) -> Tensor:
    return images + dream_gradient(features, images)


def _with_its_graph(features: nn.Module, images: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    activation = features(leaf)
    return torch.autograd.grad(activation, leaf, activation.detach(), create_graph=True)[0]


def _network() -> nn.Module:
    """Two layers with overlapping filters that are not square; the second has no ReLU. Frozen, as in the notebook."""
    network = nn.Sequential(nn.Conv2d(3, 5, (3, 2), padding=1), nn.ReLU(), nn.Conv2d(5, 2, 2, stride=(2, 1)))
    for seed, parameter in enumerate(network.parameters()):
        parameter.data = noise(*parameter.shape, seed=seed) / 2
    return network.requires_grad_(requires_grad=False).eval()


def _deep() -> dict[str, object]:
    return {"features": _network(), "images": noise(2, 3, 4, 5, seed=9)}


def _by_jacobian(features: nn.Module, images: Tensor) -> Tensor:
    """Jᵀ a with the whole matrix of derivatives of each image."""
    gradients = []
    for image in images.split(1):
        jacobian = torch.autograd.functional.jacobian(features.double(), image.double())
        gradients.append(torch.einsum("xchwnijk,xchw->nijk", jacobian, features(image.double())))
    return torch.cat(gradients).float()


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
        Check("two layers whose filters overlap", _deep(), _by_jacobian(**_deep())),
        Check("no graph hangs on the result, or step after step would add to it", _deep(), False, is_attached),
        Check("float32, as the images are", _deep(), "float32", dtype_of),
    ],
    hints=(
        "The derivative of a layer is a matrix with a row for each activation; you want its transpose times the "
        "activations, and autograd multiplies by it without ever writing it down.",
        "Make a copy of the images that requires a gradient and run it through `features`. Then ask "
        "`torch.autograd.grad` for the gradient with respect to the copy, with `grad_outputs` set to the detached "
        "activation.",
    ),
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
        "the gradient is rescaled: that is done by the step, not by the gradient": (
            _gradient(after=lambda g: g / g.abs().mean()),
            _gradient(after=lambda g: g / (g.abs().mean() + 1e-8)),
            _gradient(after=lambda g: g / g.std()),
            _gradient(after=lambda g: g / (g.std() + 1e-8)),
            _gradient(after=lambda g: g / g.norm()),
            _gradient(after=lambda g: g / g.abs().max()),
            _gradient(lambda a: a / a.max()),
            _gradient(lambda a: a / a.abs().max()),
        ),
        "the gradient of the length ‖a‖: divided by it; ½‖a‖² has the gradient a": (
            _gradient(lambda a: a / a.norm()),
            _gradient(lambda a: a / a.flatten(1).norm(dim=1).view(-1, 1, 1, 1)),
        ),
        "this is the activation itself: send it back to the image": (
            lambda features, images: features(images).detach()
        ),
        "the images are added: return the gradient alone, the step is taken in another cell": (
            _added,
            lambda features, images: _added(features, images).clamp(0, 1),
        ),
        "only the first image is seen: each of the batch has a gradient": (
            lambda features, images: dream_gradient(features, images[:1])
        ),
        "averaged over the batch: each image has its own gradient": (
            _gradient(after=lambda g: g.mean(0, keepdim=True)),
            _gradient(lambda a: a / len(a)),
        ),
        "only one channel is sent back: DeepDream takes the whole layer": (
            _gradient(lambda a: a * (torch.arange(a.shape[1]) == 0)[:, None, None]),
            _gradient(lambda a: a * F.one_hot(a.mean((0, 2, 3)).argmax(), a.shape[1])[:, None, None]),
            _gradient(lambda a: a * F.one_hot(a.mean((2, 3)).argmax(1), a.shape[1])[:, :, None, None]),
        ),
        "the magnitude of the gradient: a pixel may have to become darker": _gradient(after=torch.abs),
        "the gradient is clipped at 0: a pixel may have to become darker": _gradient(after=torch.relu),
        "the square of the activations is sent back: their own values were asked for": _gradient(torch.square),
        "the graph is kept (`create_graph`): the steps of the dream would pile up in memory": _with_its_graph,
        "the magnitudes of the activations are sent back: the layer may have no ReLU": _gradient(torch.abs),
        "only activations above their mean are sent back: DeepDream takes the whole layer": (
            _gradient(lambda a: a * (a > a.mean()))
        ),
        "only the sign of the gradient, or a clipped one, came back": (
            _gradient(after=torch.sign),
            _gradient(after=lambda g: g.clamp(-1, 1)),
        ),
    },
)
