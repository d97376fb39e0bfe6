"""Max pooling."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import integers


def max_pool(image: Tensor, size: int, stride: int) -> Tensor:
    """Keep only the largest value of every window, channel by channel.

    Args:
        image: (C, H, W), of any sign.
        size: Side of the square window.
        stride: Steps from one window to the next; windows overlap where it is smaller than ``size``.

    Returns:
        (C, H', W'). Only windows that lie wholly inside the image count; a rest at its end is left out.
    """
    windows = image.unfold(1, size, stride).unfold(2, size, stride)  # (C, H', W', size, size)
    return windows.amax(dim=(-2, -1))


def _strongest(image: Tensor, size: int, stride: int) -> Tensor:
    largest, smallest = max_pool(image, size, stride), -max_pool(-image, size, stride)
    return torch.where(largest >= -smallest, largest, smallest)


def _by_torch(title: str, image: Tensor, size: int, stride: int) -> Check:
    expected = F.max_pool2d(image[None], size, stride)[0]
    return Check(title, {"image": image, "size": size, "stride": stride}, expected)


ENTRY = Entry(
    name="max_pool",
    reference=max_pool,
    stars=2,
    minutes=10,
    hints=(
        "How many windows of `size` fit along an axis if each begins `stride` after the one before? The channels stay "
        "apart, and a maximum may be negative.",
        "Two calls of `unfold(axis, size, stride)` lay all windows out as two new axes at the end; the maximum over "
        "these two is the answer (`amax`).",
    ),
    checks=[
        Check(
            "2×2 windows of a 4×4 image, by hand",
            {"image": torch.arange(16.0).reshape(1, 4, 4), "size": 2, "stride": 2},
            torch.tensor([[[5.0, 7.0], [13.0, 15.0]]]),
        ),
        _by_torch("negative values count too, very negative ones as well", 1000 * integers(1, 4, 4) - 7000, 2, 2),
        _by_torch("each channel by itself", integers(3, 4, 4), 2, 2),
        _by_torch("a last row too few for a window is left out; values with fractions", integers(2, 5, 6) / 4, 2, 2),
        _by_torch("windows of 3 that overlap at stride 2, as in AlexNet", integers(2, 5, 7), 3, 2),
        _by_torch("windows of 1 at stride 2 with gaps between them", integers(1, 5, 3), 1, 2),
    ],
    mistakes={
        "the maximum starts from zero: negative values are lost, start from the first value or -inf": (
            lambda image, size, stride: max_pool(image, size, stride).clamp_min(0)
        ),
        "the maximum starts from a number that is not small enough: start from the first value or -inf": (
            lambda image, size, stride: max_pool(image, size, stride).clamp_min(-1),
            lambda image, size, stride: max_pool(image, size, stride).clamp_min(-10),
            lambda image, size, stride: max_pool(image, size, stride).clamp_min(-100),
            lambda image, size, stride: max_pool(image, size, stride).clamp_min(-255),
            lambda image, size, stride: max_pool(image, size, stride).clamp_min(-999),
            lambda image, size, stride: max_pool(image, size, stride).clamp_min(-1000),
        ),
        "a corner or the diagonal of the window is looked at: the maximum runs over all of it": (
            lambda image, size, stride: image.unfold(1, size, stride).unfold(2, size, stride)[..., -1, -1],
            lambda image, size, stride: (
                image.unfold(1, size, stride).unfold(2, size, stride).diagonal(dim1=-2, dim2=-1).amax(-1)
            ),
        ),
        "size and stride are swapped": lambda image, size, stride: max_pool(image, stride, size),
        "only one channel came out: each has a map": lambda image, size, stride: max_pool(image[:1], size, stride),
        "the maximum of the whole map: each window has its own": (
            lambda image, size, stride: image.amax(dim=(1, 2), keepdim=True),
            lambda image, size, stride: image.amax(dim=(1, 2)),
        ),
        "this is the average of the window: the maximum was asked for": (
            lambda image, size, stride: F.avg_pool2d(image[None], size, stride)[0]
        ),
        "this is the minimum of the window": lambda image, size, stride: -max_pool(-image, size, stride),
        "the maximum runs over the channels too: each channel is pooled by itself": (
            lambda image, size, stride: max_pool(image, size, stride).amax(dim=0, keepdim=True),
            lambda image, size, stride: max_pool(image, size, stride).amax(dim=0),
            lambda image, size, stride: (
                max_pool(image, size, stride).amax(dim=0, keepdim=True).expand(len(image), -1, -1)
            ),
        ),
        "squeezed: a single channel, row or column keeps its axis of length 1, (C, H', W')": (
            lambda image, size, stride: max_pool(image, size, stride).squeeze()
        ),
        "the last window is lost where it just fits: there are (length - size) // stride + 1": (
            lambda image, size, stride: max_pool(image[:, :-1, :-1], size, stride)
        ),
        "length // stride windows: count the room that the first one leaves, (length - size) // stride + 1": (
            lambda image, size, stride: max_pool(F.pad(image, (0, size, 0, size), value=-torch.inf), size, stride)[
                :, : image.shape[1] // stride, : image.shape[2] // stride
            ]
        ),
        "the last windows reach over the edge: only those that lie inside count, as in PyTorch with ceil_mode=False": (
            lambda image, size, stride: F.max_pool2d(image[None], size, stride, ceil_mode=True)[0]
        ),
        "the image is padded: windows begin at its first pixel": (
            lambda image, size, stride: F.max_pool2d(image[None], size, stride, padding=size // 2)[0]
        ),
        "only one axis is pooled: the window has rows and columns": (
            lambda image, size, stride: F.max_pool2d(image[None], (size, 1), (stride, 1))[0],
            lambda image, size, stride: F.max_pool2d(image[None], (1, size), (1, stride))[0],
            lambda image, size, stride: image.unfold(1, size, stride).amax(dim=-1)[:, :, ::stride],
            lambda image, size, stride: image.unfold(2, size, stride).amax(dim=-1)[:, ::stride],
        ),
        "every `stride`-th pixel is taken: the maximum of the window was asked for": (
            lambda image, size, stride: image.unfold(1, size, stride).unfold(2, size, stride)[..., 0, 0],
            lambda image, size, stride: image[:, ::stride, ::stride],
        ),
        "the window is summed: the maximum was asked for": (
            lambda image, size, stride: image.unfold(1, size, stride).unfold(2, size, stride).sum(dim=(-2, -1))
        ),
        "this is the median of the window: the maximum was asked for": (
            lambda image, size, stride: (
                image.unfold(1, size, stride).unfold(2, size, stride).flatten(3).median(dim=-1).values
            )
        ),
        "these are the places of the maxima: their values were asked for": (
            lambda image, size, stride: F.max_pool2d(image[None], size, stride, return_indices=True)[1][0],
            lambda image, size, stride: image.unfold(1, size, stride).unfold(2, size, stride).flatten(3).argmax(-1),
        ),
        "rounded to whole numbers: activations have fractions": (
            lambda image, size, stride: max_pool(image, size, stride).trunc(),
            lambda image, size, stride: max_pool(image, size, stride).round(),
        ),
        "as many columns as rows are counted: the map need not be square": (
            lambda image, size, stride: max_pool(image, size, stride)[:, :, : (image.shape[1] - size) // stride + 1]
        ),
        "the windows are moved by their size: move them by `stride`, they may overlap": (
            lambda image, size, stride: max_pool(image, size, size),
            lambda image, size, stride: F.max_pool2d(image[None], size, (stride, size))[0],
            lambda image, size, stride: F.max_pool2d(image[None], size, (size, stride))[0],
        ),
        "the windows have the size of the stride: they have `size` rows and columns": (
            lambda image, size, stride: max_pool(image, stride, stride)
        ),
        "the largest magnitude is kept, with its sign or without: the largest value was asked for": (
            lambda image, size, stride: max_pool(image.abs(), size, stride),
            _strongest,
        ),
    },
)
