"""What is a texture? Neural synthesis: a picture whose Gram matrices are those of a sample, layer by layer."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cs231n_viz.ascent import Ascent, Rule, ascend
from cs231n_viz.capture import activations
from cs231n_viz.gram import gram_matrix
from cs231n_viz.operations import MAXIMA, operation
from cs231n_viz.parameterisation import Pixels
from cs231n_viz.scores import check_images

STYLE_LAYERS = {  # by network: from the pixels' neighbourhood to a few dozen pixels
    "mini_vgg": ("relu1_1", "pool1", "relu2_1", "pool2", "relu3_1", "relu3_2", "relu4_1", "relu4_2"),
    "mini_alexnet": ("relu1", "pool1", "relu2", "relu3", "relu4", "relu5"),
    "squeezenet1_1": (
        "features.1", "features.3", "features.4", "features.6", "features.7", "features.9", "features.10",
    ),
    "vgg19": ("features.1", "features.4", "features.9", "features.18", "features.27"),
}  # fmt: skip


class AveragePooling(TorchFunctionMode):
    """While open, max-pools average: their gradient reaches every pixel, and textures come out smoother.

    Source: Gatys et al., arXiv:1505.07376, section 2.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if operation(function) not in MAXIMA - {"adaptive_max_pool2d"}:
            return function(*args, **kwargs)
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        given = dict(zip(names, args[1:], strict=False)) | kwargs
        kept = {name: given[name] for name in ("kernel_size", "stride", "padding", "ceil_mode") if name in given}
        return F.avg_pool2d(args[0] if args else given["input"], **kept, count_include_pad=False)


def style_layers(model: nn.Module) -> tuple[str, ...]:
    """The layers whose Gram matrices describe a style in this network: published or tried ones, else all ReLUs."""
    name = getattr(model, "name", "")
    if name in STYLE_LAYERS:
        return STYLE_LAYERS[name]
    return tuple(layer.name for layer in model.layers() if layer.kind == "ReLU" and len(layer.shape) == 3)


def grams(
    model: nn.Module, images: Tensor, layers: Sequence[str], *, average: bool = True, gradients: bool = False
) -> dict[str, Tensor]:
    """The Gram matrix of each layer, (N, C, C): which channels are active together, wherever that is.

    Args:
        model: Any network.
        images: (N, 3, H, W), RGB in [0, 1].
        layers: Names from ``model.layers()``.
        average: Let max-pools average.
        gradients: Keep the graph.
    """
    with AveragePooling() if average else nullcontext():
        found = activations(model, images, list(layers), gradients=gradients)
    return {layer: gram_matrix(maps) for layer, maps in found.items()}


def gram_distance(first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
    """Mean over the layers of ‖G - G₀‖² / ‖G₀‖², summed over the images; ``second`` is what it is measured against.

    Source: Gatys et al., arXiv:1505.07376, eq. 3-5.
    Differs from the paper: each layer is divided by the norm of its target. Then the paper's rescaling of the weights
        to a mean activation of one changes nothing, since it multiplies numerator and denominator alike.
    """
    terms = [
        ((first[layer] - target).square().sum(dim=(1, 2)) / target.square().sum(dim=(1, 2))).sum()
        for layer, target in second.items()
    ]
    return torch.stack(terms).mean()


def synthesize_texture(
    model: nn.Module,
    sample: Tensor,
    *,
    layers: Sequence[str] | None = None,
    size: int | tuple[int, int] = 256,
    steps: int = 200,
    rule: Rule = "lbfgs",
    lr: float = 1.0,
    average: bool = True,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Make a new picture, from noise, of the same texture.

    Args:
        model: Whose features tell textures apart.
        sample: (1, 3, h, w), RGB in [0, 1].
        layers: Whose Gram matrices to match; more and deeper ones keep larger structures. By default those of
            :func:`style_layers`.
        size: Of the result in pixels.
        steps: Evaluations of the network.
        rule: As for ``ascend``.
        lr: As for ``ascend``.
        average: Let max-pools average.
        seed: Of the noise.
        progress: Show a bar.

    Returns:
        The ascent; its score is minus a hundred times :func:`gram_distance`.

    Source: Gatys et al., "Texture Synthesis Using Convolutional Neural Networks", NeurIPS 2015, arXiv:1505.07376.
    Differs from the paper: relative Gram errors, see :func:`gram_distance`.
    """
    layers = list(style_layers(model) if layers is None else layers)
    targets = grams(model, check_images(sample), layers, average=average)
    return _match(model, targets, (size, steps, rule, lr, average, seed, progress))


def _match(model: nn.Module, targets: dict[str, Tensor], how: tuple) -> Ascent:
    size, steps, rule, lr, average, seed, progress = how
    height, width = (size, size) if isinstance(size, int) else size
    random = torch.Generator().manual_seed(seed)
    noise = 0.5 + 0.1 * torch.randn(1, 3, height, width, generator=random)

    def objective(image: Tensor) -> Tensor:
        found = grams(model, image, list(targets), average=average, gradients=True)
        return -100 * gram_distance(found, targets)

    climb: Callable = ascend
    image_of = Pixels(noise.clamp(0, 1))
    settings = {"method": "synthesize_texture", "steps": steps, "rule": rule, "seed": seed, "layers": list(targets)}
    return Ascent(climb(image_of, objective, steps=steps, rule=rule, lr=lr), steps + 1, settings=settings, progress=progress)
