"""A convolution layer, before the bias."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import integers


def conv2d(image: Tensor, kernels: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
    """Cross-correlate an image with filters: what a convolution layer computes, before the bias.

    Args:
        image: (C, H, W).
        kernels: (K, C, h, w), one filter per output channel.
        stride: Steps from one position to the next.
        padding: Zeros added on all four sides.

    Returns:
        (K, H', W'): at each position, the sum of the products of a filter with the window below it, over all channels.
    """
    height, width = kernels.shape[-2:]
    padded = F.pad(image, (padding, padding, padding, padding))
    windows = padded.unfold(1, height, stride).unfold(2, width, stride)  # (C, H', W', h, w)
    return torch.einsum("cyxij,kcij->kyx", windows, kernels)  # not flipped: a cross-correlation


def _conv(image: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
    return conv2d(image, kernels, stride=stride, padding=padding)


def _edge_padded(image: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
    padded = F.pad(image[None], (padding,) * 4, mode="replicate")[0] if padding else image
    return conv2d(padded, kernels, stride=stride)


def _by_torch(title: str, image: Tensor, kernels: Tensor, **options: int) -> Check:
    expected = F.conv2d(image[None], kernels, **options)[0]
    return Check(title, {"image": image, "kernels": kernels, **options}, expected)


ENTRY = Entry(
    name="conv2d",
    reference=conv2d,
    stars=3,
    minutes=20,
    checks=[
        Check(
            "one 2×2 filter on a 3×3 image, by hand",
            {"image": torch.arange(9.0).reshape(1, 3, 3), "kernels": torch.tensor([[[[1.0, 2.0], [0.0, -1.0]]]])},
            torch.tensor([[[-2.0, 0.0], [4.0, 6.0]]]),
        ),
        _by_torch("two channels are summed", integers(2, 3, 3), integers(1, 2, 2, 2)),
        _by_torch("three filters give three maps", integers(2, 3, 3), integers(3, 2, 2, 2)),
        _by_torch("stride 2", integers(1, 5, 5), integers(1, 1, 3, 3), stride=2),
        _by_torch("a border of zeros", integers(1, 3, 3) + 7, integers(1, 1, 3, 3), padding=1),
        _by_torch("nothing square, all together", integers(3, 6, 9), integers(4, 3, 2, 3), stride=2, padding=1),
    ],
    mistakes={
        "the filter is flipped: that is the convolution of mathematics, networks use cross-correlation": (
            lambda image, kernels, s, p: _conv(image, kernels.flip(-1, -2), s, p)
        ),
        "rows and columns of the filter are swapped": lambda image, kernels, s, p: _conv(image, kernels.mT, s, p),
        "the channels are averaged: they are summed": (
            lambda image, kernels, s, p: _conv(image, kernels, s, p) / len(image)
        ),
        "only the first channel is used: sum over all of them": (
            lambda image, kernels, s, p: _conv(image[:1], kernels[:, :1], s, p)
        ),
        "the products are averaged over the window: they are summed": (
            lambda image, kernels, s, p: _conv(image, kernels, s, p) / kernels[0, 0].numel(),
            lambda image, kernels, s, p: _conv(image, kernels, s, p) / kernels[0].numel(),
        ),
        "the stride is ignored": lambda image, kernels, s, p: _conv(image, kernels, 1, p),
        "the padding is ignored": lambda image, kernels, s, p: _conv(image, kernels, s, 0),
        "the border repeats the pixels at the edge: pad with zeros": _edge_padded,
    },
)
