"""Clipping pixels of small contribution, a regulariser of class visualisation."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.n07_class_visualization.clip_small_pixels import (
    clipping,
    clipping_mistakes,
    kept,
    shrinking,
    without_least,
)


def clip_small_contributions(pixels: Tensor, gradient: Tensor, share: float) -> Tensor:
    """Set the pixels that contribute least to the objective to the mean colour.

    Args:
        pixels: (N, 3, H, W), measured from the mean colour, which is 0.
        gradient: (N, 3, H, W), of the objective.
        share: From 0 to 1; that share of each image's pixels is set to 0.

    Returns:
        (N, 3, H, W): all three channels are 0 where the magnitude of Σ_c pixel_c · gradient_c is below the
        quantile ``share`` of the image.
    """
    contribution = (pixels * gradient).sum(dim=1).abs()  # (N, H, W), the change when the pixel becomes 0
    limit = contribution.flatten(1).quantile(share, dim=1).view(-1, 1, 1)
    return pixels * (contribution >= limit)[:, None]


def _contribution(pixels: Tensor, gradient: Tensor) -> Tensor:
    return (pixels * gradient).sum(1, keepdim=True).abs()


# contributions -6, 0.1, 0.4 and -0.6, summed over the channels
_FOUR = torch.tensor([[3.0, 0.2, -1.0, 0.0], [0.0, 0.3, -2.0, 0.1], [0.0, -0.4, 2.0, 0.1]]).view(1, 3, 1, 4)
_SLOPES = torch.tensor([[-2.0, 1.0, 4.0, 9.0], [1.0, 1.0, -2.2, -9.0], [1.0, 1.0, 0.0, 3.0]]).view(1, 3, 1, 4)
_TWENTY, _NINE = shrinking(0, 2, 3, 4, 5), shrinking(2, 1, 3, 3, 3)
_TWENTY_SLOPES = shrinking(1, 2, 3, 4, 5)
_FIFTEEN, _FIFTEEN_SLOPES = shrinking(5, 3, 3, 3, 5), shrinking(6, 3, 3, 3, 5)

ENTRY = Entry(
    name="clip_small_contributions",
    reference=clip_small_contributions,
    stars=2,
    minutes=10,
    hints=(
        "To first order, by how much does the objective change when all three channels of a pixel become 0?",
        "Multiply pixels and gradient, sum over dim 1, then take the magnitude: (N, H, W). The rest is as for small"
        " pixels: a quantile for each image, and a mask with an axis for the channels.",
    ),
    checks=[
        Check(
            "of four pixels the two that contribute least become 0",
            {"pixels": _FOUR, "gradient": _SLOPES, "share": 0.5},
            _FOUR * torch.tensor([1.0, 0.0, 0.0, 1.0]),
        ),
        Check(
            "two images of 20 pixels: in each the 12 that contribute least",
            {"pixels": _TWENTY, "gradient": _TWENTY_SLOPES, "share": 0.6},
            without_least(_TWENTY, torch.einsum("nchw,nchw->nhw", _TWENTY, _TWENTY_SLOPES).abs(), 12),
        ),
        Check(
            "a share of 0",
            {"pixels": _NINE, "gradient": shrinking(3, 1, 3, 3, 3), "share": 0.0},
            _NINE,
        ),
        Check(
            "a third of 15 pixels, of three images",
            {"pixels": _FIFTEEN, "gradient": _FIFTEEN_SLOPES, "share": 0.33},
            without_least(_FIFTEEN, torch.einsum("nchw,nchw->nhw", _FIFTEEN, _FIFTEEN_SLOPES).abs(), 5),
        ),
    ],
    mistakes={
        **clipping_mistakes(
            _contribution,
            lambda pixels, gradient: (pixels * gradient).abs(),
        ),
        "the magnitude is missing: a pixel that is strong evidence against the class matters too": (
            clipping(lambda pixels, gradient: (pixels * gradient).sum(1, keepdim=True)),
            clipping(lambda pixels, gradient: (pixels * gradient).sum(1, keepdim=True).clamp_min(0)),
        ),
        "the magnitude was taken before the sum over the channels: they may cancel": (
            clipping(lambda pixels, gradient: (pixels * gradient).abs().sum(1, keepdim=True))
        ),
        "the size of the gradient is used: its product with the pixel was asked for": (
            clipping(lambda pixels, gradient: gradient.norm(dim=1, keepdim=True))
        ),
        "the size of the pixel is used: its product with the gradient was asked for": (
            clipping(lambda pixels, gradient: pixels.norm(dim=1, keepdim=True))
        ),
        "two norms are multiplied: whether pixel and gradient agree is lost": (
            clipping(lambda pixels, gradient: pixels.norm(dim=1, keepdim=True) * gradient.norm(dim=1, keepdim=True))
        ),
        "pixel and gradient are added: their product was asked for": (
            clipping(lambda pixels, gradient: (pixels + gradient).sum(1, keepdim=True).abs())
        ),
        "the gradient is returned, or its product with the pixels: the pixels were asked for": (
            lambda pixels, gradient, share: kept(_contribution)(pixels, gradient, share) * gradient,
            lambda pixels, gradient, share: kept(_contribution)(pixels, gradient, share) * gradient * pixels,
            lambda pixels, gradient, share: clipping(lambda product: product.norm(dim=1, keepdim=True))(
                pixels * gradient, share
            ),
        ),
        "the channels are summed before they are multiplied": (
            clipping(lambda pixels, gradient: (pixels.sum(1, keepdim=True) * gradient.sum(1, keepdim=True)).abs())
        ),
        "only the strongest channel counts: add up all three": (
            clipping(lambda pixels, gradient: (pixels * gradient).abs().amax(1, keepdim=True))
        ),
        "the root of the squares of the products: add the products up, with their signs": (
            clipping(lambda pixels, gradient: (pixels * gradient).norm(dim=1, keepdim=True))
        ),
        "the cosine of pixel and gradient: their lengths count as well": (
            clipping(lambda pixels, gradient: F.cosine_similarity(pixels, gradient, dim=1)[:, None].abs())
        ),
        "the gradient lost its signs: whether it agrees with the pixel counts": (
            clipping(lambda pixels, gradient: (pixels * gradient.abs()).sum(1, keepdim=True).abs())
        ),
        "one channel alone: add up all three": tuple(
            clipping(lambda pixels, gradient, c=c: (pixels * gradient)[:, c : c + 1].abs()) for c in range(3)
        ),
    },
)
