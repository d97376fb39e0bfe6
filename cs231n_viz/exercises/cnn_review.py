"""Exercises of notebook 00: what does a convolution layer compute? Those that only count are in ``cnn_sizes``."""

import torch
from torch import Tensor
from torch.nn import functional

from cs231n_viz.exercises import cnn_sizes
from cs231n_viz.exercises.core import Check, Entry


def conv2d(image: Tensor, kernels: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
    """What does a convolution layer compute, before the bias?

    Args:
        image: (C, H, W).
        kernels: (K, C, h, w), one filter per output channel.
        stride: Steps from one place to the next.
        padding: Zeros added on all four sides.

    Returns:
        (K, H', W'): at each place, the sum of the products of a filter with the window below it, over all channels.
    """
    height, width = kernels.shape[-2:]
    padded = functional.pad(image, (padding, padding, padding, padding))
    windows = padded.unfold(1, height, stride).unfold(2, width, stride)  # (C, H', W', h, w)
    return torch.einsum("cyxij,kcij->kyx", windows, kernels)  # not flipped: a cross-correlation


def _edge_padded(image: Tensor, kernels: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    padded = functional.pad(image[None], (padding,) * 4, mode="replicate")[0] if padding else image
    return conv2d(padded, kernels, stride=stride)


def _one_channel_only(image: Tensor, kernels: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return conv2d(image[:1], kernels[:, :1], stride=stride, padding=padding)


def _random(seed: int, *shape: int) -> Tensor:
    return torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(seed)).double()


def _oracle(title: str, image: Tensor, kernels: Tensor, **options: int) -> Check:
    expected = functional.conv2d(image[None], kernels, **options)[0]
    return Check(title, {"image": image, "kernels": kernels, **options}, expected)


_COUNTING = torch.arange(9.0, dtype=torch.float64).reshape(1, 3, 3)
_CORNERS = torch.tensor([[[[1.0, 2.0], [0.0, -1.0]]]], dtype=torch.float64)

_CONV2D = Entry(
    name="conv2d",
    reference=conv2d,
    stars=3,
    minutes=20,
    checks=[
        Check(
            "one 2×2 filter on a 3×3 picture, by hand",
            {"image": _COUNTING, "kernels": _CORNERS},
            torch.tensor([[[-2.0, 0.0], [4.0, 6.0]]], dtype=torch.float64),
        ),
        _oracle("two channels are summed", _random(1, 2, 3, 3), _random(2, 1, 2, 2, 2)),
        _oracle("three filters give three maps", _random(3, 2, 3, 3), _random(4, 3, 2, 2, 2)),
        _oracle("stride 2", _random(5, 1, 5, 5), _random(6, 1, 1, 3, 3), stride=2),
        _oracle("a border of zeros", _random(7, 1, 3, 3) + 4, _random(8, 1, 1, 3, 3), padding=1),
        _oracle("nothing square, all together", _random(9, 3, 6, 9), _random(10, 4, 3, 2, 3), stride=2, padding=1),
    ],
    mistakes={
        "the filter is flipped: that is the convolution of mathematics, networks use cross-correlation": (
            lambda image, kernels, **options: conv2d(image, kernels.flip(-1, -2), **options)
        ),
        "rows and columns of the filter are swapped": (
            lambda image, kernels, **options: conv2d(image, kernels.mT, **options)
        ),
        "the channels are averaged: they are summed": (
            lambda image, kernels, **options: conv2d(image, kernels, **options) / len(image)
        ),
        "only the first channel is used: sum over all of them": _one_channel_only,
        "the products are averaged over the window: they are summed": (
            lambda image, kernels, **options: conv2d(image, kernels, **options) / kernels[0, 0].numel(),
            lambda image, kernels, **options: conv2d(image, kernels, **options) / kernels[0].numel(),
        ),
        "the stride is ignored": lambda image, kernels, stride=1, padding=0: conv2d(image, kernels, padding=padding),
        "the padding is ignored": lambda image, kernels, stride=1, padding=0: conv2d(image, kernels, stride=stride),
        "the border repeats the pixels at the edge: pad with zeros": _edge_padded,
    },
)


def max_pool(image: Tensor, size: int, stride: int) -> Tensor:
    """What is left of each channel when only the largest value of every window is kept?

    Args:
        image: (C, H, W), of any sign.
        size: Side of the square window.
        stride: Steps from one window to the next; windows overlap where it is smaller than ``size``.

    Returns:
        (C, H', W').
    """
    windows = image.unfold(1, size, stride).unfold(2, size, stride)  # (C, H', W', size, size)
    return windows.amax(dim=(-2, -1))


def _pooled_channels(image: Tensor, size: int, stride: int) -> Tensor:
    return max_pool(image, size, stride).amax(dim=0, keepdim=True)


def _pooling(title: str, image: Tensor, size: int, stride: int) -> Check:
    expected = functional.max_pool2d(image[None], size, stride)[0]
    return Check(title, {"image": image, "size": size, "stride": stride}, expected)


_MAX_POOL = Entry(
    name="max_pool",
    reference=max_pool,
    stars=2,
    minutes=10,
    checks=[
        Check(
            "2×2 windows of a 4×4 picture, by hand",
            {"image": torch.arange(16.0).reshape(1, 4, 4), "size": 2, "stride": 2},
            torch.tensor([[[5.0, 7.0], [13.0, 15.0]]]),
        ),
        _pooling("negative values count too", _random(11, 1, 4, 4) - 5, 2, 2),
        _pooling("each channel by itself", _random(12, 3, 4, 4), 2, 2),
        _pooling("windows of 3 that overlap at stride 2, as in AlexNet", _random(13, 2, 5, 7), 3, 2),
        _pooling("windows of 1 at stride 2 with gaps between them", _random(14, 1, 5, 3), 1, 2),
    ],
    mistakes={
        "the maximum starts from zero: negative values are lost, start from the first value or -inf": (
            lambda image, size, stride: max_pool(image, size, stride).clamp_min(0)
        ),
        "this is the average of the window: the maximum was asked for": (
            lambda image, size, stride: functional.avg_pool2d(image[None], size, stride)[0]
        ),
        "this is the minimum of the window": lambda image, size, stride: -max_pool(-image, size, stride),
        "the maximum runs over the channels too: each channel is pooled by itself": (
            _pooled_channels,
            lambda image, size, stride: _pooled_channels(image, size, stride)[0],
        ),
        "the windows are moved by their size: move them by `stride`, they may overlap": (
            lambda image, size, stride: max_pool(image, size, size)
        ),
        "the windows have the size of the stride: they have `size` rows and columns": (
            lambda image, size, stride: max_pool(image, stride, stride)
        ),
        "the largest magnitude is kept, with its sign or without: the largest value was asked for": (
            lambda image, size, stride: max_pool(image.abs(), size, stride),
            lambda image, size, stride: torch.where(
                max_pool(image, size, stride) >= max_pool(-image, size, stride),
                max_pool(image, size, stride),
                -max_pool(-image, size, stride),
            ),
        ),
    },
)

_SIZE, _COUNT, _FIELD = cnn_sizes.ENTRIES
ENTRIES = [_SIZE, _COUNT, _CONV2D, _MAX_POOL, _FIELD]  # in the order of the notebook
