"""Which features occur together, whatever their place? The statistics by which a texture is told from another."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def gram_matrix(features: Tensor) -> Tensor:
    """Which channels are active together?

    At every position the C activations form a vector f; its outer product f fᵀ says which pairs are active there.
    The Gram matrix is the mean of these over all positions. Positions enter only through the mean, so shuffling them
    changes nothing: what the matrix keeps is the texture, what it drops is the arrangement.

    Args:
        features: (N, C, h, w), activations of one layer.

    Returns:
        (N, C, C), symmetric, one for each picture, in squared units of the activations; it can be differentiated.

    Raises:
        ValueError: If ``features`` has another shape or no positions.

    Source: Gatys et al., "Texture synthesis using convolutional neural networks", arXiv:1505.07376, eq. 1.
    Differs from the paper: the mean over positions in place of the sum, so that pictures of different size compare.
    """
    _vectors(features)  # complains of what is no such thing
    return _Gram.apply(features)


class _Gram(torch.autograd.Function):
    """The mean outer product, in the order of memory that the features have: half of synthesis is spent here.

    Automatic differentiation takes two products for its gradient, since the features come in twice, and hands back
    one of them in another order of memory, which slows down everything behind it.
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
    """Which channels vary together? As ``gram_matrix``, with each channel's mean over positions removed first.

    The Gram matrix is this plus the outer product of the means: for rectified features, which are never negative,
    the means make up much of it.

    Args:
        features: (N, C, h, w), activations of one layer.

    Returns:
        (N, C, C), symmetric; a sum over the h·w positions divided by h·w.

    Raises:
        ValueError: If ``features`` has another shape or no positions.
    """
    vectors = _vectors(features)
    centred = vectors - vectors.mean(dim=2, keepdim=True)
    return centred @ centred.mT / centred.shape[2]


def _vectors(features: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, C, h·w)."""
    if features.ndim != 4:
        hint = "; one picture is features[None]" if features.ndim == 3 else ""
        raise ValueError(f"wanted features (N, C, h, w), got {tuple(features.shape)}{hint}")
    if not (features.is_floating_point() and features.shape[2] * features.shape[3]):
        kind = str(features.dtype).removeprefix("torch.")
        raise ValueError(f"wanted float features with at least one position, got {tuple(features.shape)}, {kind}")
    return features.flatten(2)
