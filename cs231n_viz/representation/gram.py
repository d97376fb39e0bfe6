"""Which features occur together, whatever their place? Gram matrices, and the layers in which they describe a style.

At every position of a layer the C activations form a vector f. The Gram matrix is the mean of f fᵀ over the positions,
(C, C): :func:`gram_matrix`, and :func:`grams` for several layers of a network. Two textures differ by
:func:`gram_distance`, a relative squared error for each layer.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.network.capture import activations
from cs231n_viz.network.interception import AveragePooling

Statistic = Literal["gram", "covariance"]

STYLE_LAYERS = {  # by network, from fields of a few pixels to a few dozen
    "mini_vgg": ("relu1_1", "pool1", "relu2_1", "pool2", "relu3_1", "relu3_2", "relu4_1", "relu4_2"),
    "mini_vgg_robust": ("relu1_1", "relu2_1", "relu3_1", "relu3_2", "relu4_1", "relu4_2"),  # its pools average already
    "mini_alexnet": ("relu1", "pool1", "relu2", "relu3", "relu4", "relu5"),
    "squeezenet1_1": tuple(f"features.{index}" for index in (1, 3, 4, 6, 7, 9, 10)),
    "vgg19": ("features.1", "features.4", "features.9", "features.18", "features.27"),
    "random_filters": ("relu",),
}
# Those of them that only texture synthesis matches. With them another network found the textures of mini_vgg nearer to
# their samples (gravel 0.6 instead of 0.9 % of the distance of noise, swirls 5.6 instead of 8.5 %), where max-pools
# average; but its stylised pictures, where they do not, farther from the painting (23 instead of 21 % of the distance
# of the photograph, 116 instead of 89 %, 48 instead of 45 %).
_ONLY_FOR_TEXTURES = {"mini_vgg": {"pool1", "pool2"}}


def gram_matrix(features: Tensor) -> Tensor:
    """Average the outer products f fᵀ over all positions (Gram matrix): which channels are active together?

    Positions enter only through the mean, so shuffling them changes nothing: what the matrix keeps is the texture,
    what it drops is the arrangement.

    Args:
        features: (N, C, h, w), activations of one layer.

    Returns:
        (N, C, C), symmetric, one for each picture, in squared units of the activations; it can be differentiated.

    Raises:
        ValueError: If ``features`` has another shape or no positions.

    Source: Gatys et al., "Texture synthesis using convolutional neural networks", arXiv:1505.07376, eq. 1.
    Differs from the paper: the mean over positions instead of the sum, so that pictures of different size compare.
    """
    _vectors(features)  # validates the shape
    return _Gram.apply(features)


class _Gram(torch.autograd.Function):
    """The mean outer product, in the memory order of the features: half of the time of a synthesis is spent here.

    Automatic differentiation takes two products for its gradient, since the features come in twice, and hands back
    one of them in another memory order, which slows down every layer before this one.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        if features.is_contiguous(memory_format=torch.channels_last):
            rows = features.permute(0, 2, 3, 1).flatten(1, 2)  # (N, h·w, C), a view
            return _products([each.t() for each in rows]) / rows.shape[1]
        vectors = features.flatten(2)  # (N, C, h·w)
        return _products(vectors) / vectors.shape[2]

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        both = ((gradient + gradient.mT) / (features.shape[2] * features.shape[3])).to(features)
        if features.is_contiguous(memory_format=torch.channels_last):
            rows = features.permute(0, 2, 3, 1).flatten(1, 2) @ both
            return rows.unflatten(1, features.shape[2:]).permute(0, 3, 1, 2)
        return (both @ features.flatten(2)).view_as(features)


def _products(vectors: Iterable[Tensor]) -> Tensor:
    """V Vᵀ for each, one by one: in bfloat16 a batch of products takes twice as long or more."""
    return torch.stack([each @ each.t() for each in vectors])


def covariance_matrix(features: Tensor) -> Tensor:
    """Average (f - m)(f - m)ᵀ over all positions, m being the mean of f (covariance): which channels vary together?

    The Gram matrix is this plus m mᵀ: for rectified features, which are never negative, the means make up much of it.

    Args:
        features: (N, C, h, w), activations of one layer.

    Returns:
        (N, C, C), symmetric; a sum over the h·w positions divided by h·w.

    Raises:
        ValueError: If ``features`` has another shape or no positions.
    """
    _vectors(features)  # validates the shape
    return _Gram.apply(features - features.mean(dim=(2, 3), keepdim=True))


def _vectors(features: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, C, h·w)."""
    if features.ndim != 4:
        hint = "; one picture is features[None]" if features.ndim == 3 else ""
        raise ValueError(f"wanted features (N, C, h, w), got {tuple(features.shape)}{hint}")
    if not (features.is_floating_point() and features.shape[2] * features.shape[3]):
        kind = str(features.dtype).removeprefix("torch.")
        raise ValueError(f"wanted float features with at least one position, got {tuple(features.shape)}, {kind}")
    return features.flatten(2)


_STATISTICS = {"gram": gram_matrix, "covariance": covariance_matrix}


@moved_keywords(average="average_pooling")
def grams(
    model: nn.Module,
    images: Tensor,
    layers: Sequence[str],
    *,
    average_pooling: bool = True,
    gradients: bool = False,
    statistic: Statistic = "gram",
) -> dict[str, Tensor]:
    """Compute the Gram matrix of each of some layers.

    Args:
        model: Any network; nothing after the deepest layer is computed.
        images: (N, 3, H, W), RGB in [0, 1].
        layers: Names from ``model.layers()``.
        average_pooling: Let max-pools average.
        gradients: Keep the graph.
        statistic: ``"covariance"`` removes each channel's mean first.

    Returns:
        Layer -> (N, C, C).

    Raises:
        KeyError: If a name is not a layer of ``model``.
        ValueError: If a layer has no positions.
    """
    if statistic not in _STATISTICS:
        raise ValueError(f"statistic must be one of {', '.join(_STATISTICS)}; got {statistic!r}")
    with AveragePooling() if average_pooling else nullcontext():
        features = activations(model, images, list(layers), gradients=gradients)
    for layer, maps in features.items():
        if maps.ndim != 4:
            raise ValueError(f"layer {layer!r} has no positions, its shape is {tuple(maps.shape[1:])}; take one before")
    return {layer: _STATISTICS[statistic](maps) for layer, maps in features.items()}


def gram_distance(first: Mapping[str, Tensor], second: Mapping[str, Tensor], *, most: float = float("inf")) -> Tensor:
    """Compare two textures: the mean over the layers of ‖G - G₀‖² / ‖G₀‖², summed over the images.

    Args:
        first: Of :func:`grams`.
        second: Of the same layers, (N, C, C) or (1, C, C): G₀, what the first is measured against.
        most: A relative error counts as this much at most, so that one layer cannot drown all others.

    Returns:
        A scalar, 0 for the same texture; it can be differentiated.

    Source: Gatys et al., arXiv:1505.07376, eq. 3-5.
    Differs from the paper: each layer is divided by the norm of its target. Then the paper's rescaling of the weights
        to a mean activation of one changes nothing, since it multiplies numerator and denominator alike.
    """
    errors = []
    for layer, target in second.items():
        squares = (first[layer].to(target) - target).square().sum(dim=(1, 2))
        relative = squares / target.square().sum(dim=(1, 2)).clamp_min(1e-30)
        errors.append((relative if most == float("inf") else relative.clamp(max=most)).sum())
    return torch.stack(errors).mean()


def style_layers(model: nn.Module, depth: int | None = None, *, pools: bool = False) -> tuple[str, ...]:
    """Name the layers whose Gram matrices describe a style in this network.

    They are what ``stylize`` matches, and with ``pools`` what ``synthesize_texture`` matches.

    Args:
        model: A ``Classifier`` or :class:`~cs231n_viz.texture.neural.RandomFilters`.
        depth: How many of them, from the first; all if omitted. The more, the larger the structures that are kept.
        pools: Add the pools of ``mini_vgg``: where max-pools average, the textures come out nearer to their samples.

    Returns:
        Published or tried ones where the network is known, else all its ReLUs that have positions; from the finest
        structures to the largest.

    Raises:
        ValueError: If there are not so many, or none, since the network has no ``nn.ReLU``.
    """
    name = getattr(model, "name", "")
    if name in STYLE_LAYERS:
        left_out = set() if pools else _ONLY_FOR_TEXTURES.get(name, set())
        layers = tuple(layer for layer in STYLE_LAYERS[name] if layer not in left_out)
    else:
        layers = tuple(layer.name for layer in model.layers() if layer.kind == "ReLU" and len(layer.shape) == 3)
    if not layers:
        some = [layer.name for layer in model.layers() if len(layer.shape) == 3]
        raise ValueError(
            f"{name or type(model).__name__} has no nn.ReLU with positions to match the style at; name the layers "
            f"yourself, such as {', '.join(some[:3]) or 'none: it has no layer with positions'}"
        )
    if depth is not None and not (isinstance(depth, int) and 1 <= depth <= len(layers)):
        raise ValueError(f"depth must be from 1 to {len(layers)}, the layers {', '.join(layers)}; got {depth!r}")
    return layers[:depth]


def check_names(name: str, layers: object) -> None:
    """Refuse a single name where several are wanted, which would be read letter by letter."""
    if isinstance(layers, str):
        raise ValueError(f"{name} must be a sequence of names, got {layers!r}; a single one is [{layers!r}]")
