import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


def windows_of(image, size, stride):
    """Yield (channel, row, column, window)."""
    for c, channel in enumerate(image):
        for y in range((image.shape[1] - size) // stride + 1):
            for x in range((image.shape[2] - size) // stride + 1):
                yield c, y, x, channel[y * stride : y * stride + size, x * stride : x * stride + size]


def pool_by(reduce, image, size, stride):
    rows, columns = ((n - size) // stride + 1 for n in image.shape[1:])
    out = torch.zeros(len(image), rows, columns, dtype=image.dtype)
    for c, y, x, window in windows_of(image, size, stride):
        out[c, y, x] = reduce(window)
    return out


@answers.right
def with_loops(image, size, stride):
    return pool_by(torch.max, image, size, stride)


@answers.right
def from_minus_infinity(image, size, stride):
    def largest(window):
        best = float("-inf")
        for value in window.flatten().tolist():
            best = max(best, value)
        return best

    return pool_by(largest, image, size, stride)


@answers.right
def in_numpy(image, size, stride):
    windows = np.lib.stride_tricks.sliding_window_view(image.numpy(), (size, size), axis=(1, 2))
    return torch.from_numpy(windows[:, ::stride, ::stride].max((-1, -2)))


@answers.right
def rows_then_columns(image, size, stride):
    return image.unfold(1, size, stride).amax(-1).unfold(2, size, stride).amax(-1)


@answers.wrong("starts from zero")
def from_zero(image, size, stride):
    def largest(window):
        best = 0
        for value in window.flatten().tolist():
            if value > best:
                best = value
        return best

    return pool_by(largest, image, size, stride)


@answers.wrong("the average of the window")
def average(image, size, stride):
    return pool_by(torch.mean, image, size, stride)


@answers.wrong("the minimum of the window")
def minimum(image, size, stride):
    return pool_by(torch.min, image, size, stride)


@answers.wrong("over the channels too")
def over_channels(image, size, stride):
    return image.unfold(1, size, stride).unfold(2, size, stride).amax((0, 3, 4))


@answers.wrong("over the channels too")
def over_channels_kept(image, size, stride):
    return F.max_pool2d(image.amax(0, keepdim=True)[None], size, stride)[0]


@answers.wrong("moved by their size")
def stride_is_size(image, size, stride):
    return F.max_pool2d(image[None], size)[0]


@answers.wrong("the size of the stride")
def size_is_stride(image, size, stride):
    return F.max_pool2d(image[None], stride, stride)[0]


@answers.wrong("the largest magnitude")
def magnitude(image, size, stride):
    return pool_by(lambda window: window.abs().max(), image, size, stride)


@answers.wrong("the largest magnitude")
def magnitude_with_sign(image, size, stride):
    return pool_by(lambda window: window.flatten()[window.abs().argmax()], image, size, stride)


@answers.wrong("did you forget `return`")
def forgets_return(image, size, stride):
    pool_by(torch.max, image, size, stride)


@answers.wrong("something works in place")
def relu_in_place_afterwards(image, size, stride):
    result = pool_by(torch.max, image, size, stride)
    image.clamp_(min=0)
    return result


@answers.right
def as_columns(image, size, stride):
    rows = (image.shape[1] - size) // stride + 1
    columns = F.unfold(image[:, None], size, stride=stride)  # (C, size², positions)
    return columns.max(1).values.unflatten(1, (rows, -1))


@answers.wrong("reach over the edge")
def half_windows_too(image, size, stride):
    starts = [range(0, n - size + stride, stride) for n in image.shape[1:]]
    return torch.stack(
        [
            torch.stack([image[:, y : y + size, x : x + size].amax((1, 2)) for x in starts[1] if x < image.shape[2]], 1)
            for y in starts[0]
            if y < image.shape[1]
        ],
        1,
    )


@answers.wrong("the image is padded")
def padded(image, size, stride):
    return F.max_pool2d(image[None], size, stride, size // 2)[0]


@answers.wrong("only one axis is pooled")
def rows_alone(image, size, stride):
    return image.unfold(1, size, stride).amax(-1)


@answers.wrong("every `stride`-th pixel")
def subsampled(image, size, stride):
    return image[:, ::stride, ::stride]


@answers.wrong("the window is summed")
def summed(image, size, stride):
    return pool_by(torch.sum, image, size, stride)


@answers.wrong("the median of the window")
def medians(image, size, stride):
    return pool_by(torch.median, image, size, stride)


@answers.wrong("the places of the maxima")
def places(image, size, stride):
    return pool_by(torch.argmax, image, size, stride).long()


@answers.wrong("rounded to whole numbers")
def whole_numbers(image, size, stride):
    return pool_by(torch.max, image, size, stride).to(torch.int64)


@answers.wrong("as many columns as rows")
def a_square_map(image, size, stride):
    count = (image.shape[1] - size) // stride + 1
    out = torch.empty(len(image), count, count)
    for y in range(count):
        for x in range(count):
            out[:, y, x] = image[:, y * stride : y * stride + size, x * stride : x * stride + size].amax((1, 2))
    return out


@answers.wrong("not small enough")
def from_minus_a_hundred(image, size, stride):
    return pool_by(lambda window: max([-100.0, *window.flatten().tolist()]), image, size, stride)


@answers.wrong("a corner or the diagonal")
def along_the_diagonal(image, size, stride):
    return pool_by(lambda window: window.diagonal().max(), image, size, stride)


@answers.wrong("size and stride are swapped")
def arguments_swapped(image, size, stride):
    return F.max_pool2d(image[None], kernel_size=stride, stride=size)[0]


@answers.wrong("only one channel came out")
def first_channel(image, size, stride):
    return F.max_pool2d(image[None], size, stride)[0, :1]


@answers.wrong("the maximum of the whole map")
def one_maximum(image, size, stride):
    return image.flatten(1).max(1).values[:, None, None]


@answers.wrong("keeps its axis of length 1")
def squeezed(image, size, stride):
    return F.max_pool2d(image[None], size, stride).squeeze()


@answers.wrong("over the channels too")
def over_channels_in_every_map(image, size, stride):
    rows, columns = ((n - size) // stride + 1 for n in image.shape[1:])
    out = torch.zeros(len(image), rows, columns)
    for _, y, x, _ in windows_of(image, size, stride):
        out[:, y, x] = image[:, y * stride : y * stride + size, x * stride : x * stride + size].max()
    return out


@answers.wrong("lost where it just fits")
def range_ends_too_early(image, size, stride):
    rows, columns = (range(0, n - size, stride) for n in image.shape[1:])
    maxima = [[image[:, y : y + size, x : x + size].amax((1, 2)) for x in columns] for y in rows]
    return torch.stack([torch.stack(row, -1) for row in maxima], 1)


@answers.wrong("length // stride windows")
def one_window_each_stride(image, size, stride):
    channels, height, width = image.shape
    out = torch.empty(channels, height // stride, width // stride)
    for y in range(out.shape[1]):
        for x in range(out.shape[2]):
            out[:, y, x] = image[:, y * stride :, x * stride :][:, :size, :size].amax((1, 2))
    return out


@answers.wrong("moved by their size")
def stride_down_only(image, size, stride):
    return F.max_pool2d(image[None], size, (stride, size))[0]
