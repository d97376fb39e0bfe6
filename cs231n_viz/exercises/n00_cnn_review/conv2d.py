"""A convolution layer, before the bias."""

from collections.abc import Callable

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


def _one_side(image: Tensor, kernels: Tensor, stride: int, padding: int, *, axis: int) -> Tensor:
    """Rows and columns of positions are both counted with one side of the filter."""
    padded = F.pad(image, (padding,) * 4)
    height, width = kernels.shape[-2:]
    rows, columns = ((length - kernels.shape[axis]) // stride + 1 for length in padded.shape[1:])
    windows = [
        [padded[:, y * stride : y * stride + height, x * stride : x * stride + width] for x in range(columns)]
        for y in range(rows)
    ]
    maps = [torch.stack([(kernels * window).sum(dim=(1, 2, 3)) for window in row], dim=-1) for row in windows]
    return torch.stack(maps, dim=-2)


def _channels_kept(image: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
    kept = [_conv(image[c : c + 1], kernels[:, c : c + 1], stride, padding) for c in range(len(image))]
    return torch.stack(kept, dim=1)


def _windows_not_moved(image: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
    rows, columns = _conv(image, kernels, stride, padding).shape[1:]
    return _conv(image, kernels, 1, padding)[:, :rows, :columns]


def _as_many_columns_as_rows(image: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
    maps = _conv(image, kernels, stride, padding)
    missing = maps.shape[1] - maps.shape[2]  # too many columns are left at 0
    return F.pad(maps, (0, missing))


def _square_windows(image: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
    """Windows as wide as the filter is tall; weights that a narrower filter lacks are 0."""
    height, width = kernels.shape[-2:]
    return _conv(image, F.pad(kernels, (0, height - width)), stride, padding)


def _padded_here(*sides: int) -> Callable[..., Tensor]:
    """Zeros by ``sides`` (left, right, top, bottom): none, ``padding`` or twice as many."""
    return lambda image, kernels, s, p: conv2d(F.pad(image, [p * side for side in sides]), kernels, stride=s)


def _bordered(image: Tensor, padding: int, mode: str) -> Tensor:
    return F.pad(image[None], (padding,) * 4, mode=mode)[0] if padding else image


def _edge_padded(image: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
    return conv2d(_bordered(image, padding, "replicate"), kernels, stride=stride)


def _by_torch(title: str, image: Tensor, kernels: Tensor, **options: int) -> Check:
    expected = F.conv2d(image[None], kernels, **options)[0]
    return Check(title, {"image": image, "kernels": kernels, **options}, expected)


ENTRY = Entry(
    name="conv2d",
    reference=conv2d,
    stars=3,
    minutes=20,
    hints=(
        "Pad first. Then count the positions along each axis: rows with the height of the filter, columns with its "
        "width. Each position gives K numbers.",
        "Cut the window at (i·stride, j·stride) out of all channels, multiply it with each filter as it is, not "
        "turned, and sum over channels, rows and columns; two loops and `sum(dim=(1, 2, 3))` do, and so do `unfold` "
        "and `einsum`.",
    ),
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
        _by_torch("a filter taller than wide, with fractions", integers(2, 4, 6) / 8, integers(2, 2, 3, 2) / 4),
        _by_torch("a filter wider than tall", integers(2, 5, 4), integers(3, 2, 1, 3)),
        _by_torch("nothing square, all together", integers(3, 6, 10), integers(4, 3, 2, 3), stride=2, padding=1),
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
        "only the last channel is used: does the loop over channels overwrite the sum instead of adding to it, `+=`?": (
            lambda image, kernels, s, p: _conv(image[-1:], kernels[:, -1:], s, p)
        ),
        "the products are averaged over the window: they are summed": (
            lambda image, kernels, s, p: _conv(image, kernels, s, p) / kernels[0, 0].numel(),
            lambda image, kernels, s, p: _conv(image, kernels, s, p) / kernels[0].numel(),
        ),
        "the channels are not summed: a filter gives one map, not one for each channel": _channels_kept,
        "the maps of all filters are added: each filter has a map of its own": (
            lambda image, kernels, s, p: _conv(image, kernels, s, p).sum(dim=0, keepdim=True),
            lambda image, kernels, s, p: _conv(image, kernels, s, p).sum(dim=0),
        ),
        "squeezed: a single filter, row or column keeps its axis of length 1, (K, H', W')": (
            lambda image, kernels, s, p: _conv(image, kernels, s, p).squeeze()
        ),
        "a ReLU follows: the sum itself was asked for, negative or not": (
            lambda image, kernels, s, p: _conv(image, kernels, s, p).relu()
        ),
        "rounded to whole numbers: pixels and weights have fractions": (
            lambda image, kernels, s, p: _conv(image, kernels, s, p).round(),
            lambda image, kernels, s, p: _conv(image, kernels, s, p).trunc(),
        ),
        "the number of columns is counted with the height of the filter: take its width": (
            lambda image, kernels, s, p: _one_side(image, kernels, s, p, axis=2)
        ),
        "the number of rows is counted with the width of the filter: take its height": (
            lambda image, kernels, s, p: _one_side(image, kernels, s, p, axis=3)
        ),
        "as many columns as rows are counted: they follow from the widths": _as_many_columns_as_rows,
        "the windows are as wide as the filter is tall: a filter need not be square": _square_windows,
        "the stride counts the positions, but does not move the window: it begins at (i * stride, j * stride)": (
            _windows_not_moved
        ),
        "the stride moves the window along one axis only: both have it": (
            lambda image, kernels, s, p: _conv(image, kernels, 1, p)[:, ::s],
            lambda image, kernels, s, p: _conv(image, kernels, 1, p)[:, :, ::s],
        ),
        "the pixels under the filter lie `stride` apart: that is dilation, the stride moves the whole window": (
            lambda image, kernels, s, p: F.conv2d(image[None], kernels, padding=p, dilation=s)[0]
        ),
        "zeros are missing on some sides: `padding` of them go on all four": (
            _padded_here(1, 0, 1, 0),
            _padded_here(0, 1, 0, 1),
            _padded_here(1, 1, 0, 0),
            _padded_here(0, 0, 1, 1),
            _padded_here(0, 2, 0, 2),
            _padded_here(2, 0, 2, 0),
        ),
        "the border is mirrored: pad with zeros": (
            lambda image, kernels, s, p: conv2d(_bordered(image, p, "reflect"), kernels, stride=s)
        ),
        "the border continues at the other side of the image: pad with zeros": (
            lambda image, kernels, s, p: conv2d(_bordered(image, p, "circular"), kernels, stride=s)
        ),
        "the border has another value: pad with zeros": (
            lambda image, kernels, s, p: conv2d(F.pad(image, [p] * 4, value=1.0), kernels, stride=s),
            lambda image, kernels, s, p: conv2d(F.pad(image, [p] * 4, value=image.mean().item()), kernels, stride=s),
            lambda image, kernels, s, p: conv2d(F.pad(image, [p] * 4, value=-1.0), kernels, stride=s),
        ),
        "only one filter is used: each of the K gives a map": lambda image, kernels, s, p: _conv(
            image, kernels[:1], s, p
        ),
        "half flipped, along one axis: the filter is not turned at all": (
            lambda image, kernels, s, p: _conv(image, kernels.flip(-2), s, p),
            lambda image, kernels, s, p: _conv(image, kernels.flip(-1), s, p),
        ),
        "the last row and column of positions are missing: there are (room // stride) + 1": (
            lambda image, kernels, s, p: _conv(image, kernels, s, p)[:, :-1, :-1]
        ),
        "padded to keep the size, whatever `padding` says": (
            lambda image, kernels, s, p: F.conv2d(
                image[None], kernels, stride=s, padding=[side // 2 for side in kernels.shape[2:]]
            )[0],
            lambda image, kernels, s, p: _conv(image, kernels, s, 1),
        ),
        "the stride is ignored": lambda image, kernels, s, p: _conv(image, kernels, 1, p),
        "the padding is ignored": lambda image, kernels, s, p: _conv(image, kernels, s, 0),
        "the border repeats the pixels at the edge: pad with zeros": _edge_padded,
    },
)
