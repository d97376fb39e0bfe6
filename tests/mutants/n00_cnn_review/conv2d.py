import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


def slide(image, kernels, stride, padding, product):
    """The loops that the wrong answers share; ``product`` is where they differ."""
    channels, rows, columns = image.shape
    padded = torch.zeros(channels, rows + 2 * padding, columns + 2 * padding, dtype=image.dtype)
    padded[:, padding : padding + rows, padding : padding + columns] = image
    count, _, height, width = kernels.shape
    out_rows = (rows + 2 * padding - height) // stride + 1
    out_columns = (columns + 2 * padding - width) // stride + 1
    out = torch.zeros(count, out_rows, out_columns, dtype=image.dtype)
    for k in range(count):
        for y in range(out_rows):
            for x in range(out_columns):
                top, left = y * stride, x * stride
                out[k, y, x] = product(padded[:, top : top + height, left : left + width], kernels[k])
    return out


@answers.right
def with_loops(image, kernels, *, stride=1, padding=0):
    return slide(image, kernels, stride, padding, lambda window, kernel: (window * kernel).sum())


@answers.right
def with_columns(image, kernels, *, stride=1, padding=0):
    columns = F.unfold(image[None], kernels.shape[-2:], padding=padding, stride=stride)[0]
    rows = (image.shape[1] + 2 * padding - kernels.shape[2]) // stride + 1
    return (kernels.flatten(1) @ columns).unflatten(1, (rows, -1))


@answers.right
def in_numpy(image, kernels, *, stride=1, padding=0):
    padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernels.shape[-2:], axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    return torch.from_numpy(np.tensordot(kernels.numpy(), windows, axes=((1, 2, 3), (0, 3, 4))))


@answers.right
def shifts_the_picture(image, kernels, stride=1, padding=0):
    padded = F.pad(image, [padding] * 4)
    height, width = kernels.shape[-2:]
    rows, columns = padded.shape[1] - height + 1, padded.shape[2] - width + 1
    total = 0
    for i in range(height):
        for j in range(width):
            total = total + torch.tensordot(kernels[:, :, i, j], padded[:, i : i + rows, j : j + columns], dims=1)
    return total[:, ::stride, ::stride]


@answers.right
@torch.no_grad()
def in_float32(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None].float(), kernels.float(), stride=stride, padding=padding)[0]


@answers.wrong("the filter is flipped")
def true_convolution(image, kernels, *, stride=1, padding=0):
    return slide(image, kernels, stride, padding, lambda window, kernel: (window * kernel.flip(1, 2)).sum())


@answers.wrong("rows and columns of the filter")
def transposed(image, kernels, *, stride=1, padding=0):
    swapped = kernels.permute(0, 1, 3, 2)
    return slide(image, swapped, stride, padding, lambda window, kernel: (window * kernel).sum())


@answers.wrong("the channels are averaged")
def channel_mean(image, kernels, *, stride=1, padding=0):
    return slide(image, kernels, stride, padding, lambda window, kernel: (window * kernel).mean(0).sum())


@answers.wrong("only the first channel")
def first_channel(image, kernels, *, stride=1, padding=0):
    return slide(image, kernels, stride, padding, lambda window, kernel: (window[0] * kernel[0]).sum())


@answers.wrong("averaged over the window")
def window_mean(image, kernels, *, stride=1, padding=0):
    return slide(image, kernels, stride, padding, lambda window, kernel: (window * kernel).mean())


@answers.wrong("averaged over the window")
def window_mean_channel_sum(image, kernels, *, stride=1, padding=0):
    return slide(image, kernels, stride, padding, lambda window, kernel: (window * kernel).mean((1, 2)).sum())


@answers.wrong("the stride is ignored")
def no_stride(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, padding=padding)[0]


@answers.wrong("the padding is ignored")
def no_padding(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, stride=stride)[0]


@answers.wrong("repeats the pixels at the edge")
def edge_padding(image, kernels, *, stride=1, padding=0):
    padded = torch.from_numpy(np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)), mode="edge"))
    return F.conv2d(padded[None], kernels, stride=stride)[0]


@answers.wrong("too many or too few")
def batch_axis_left(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, stride=stride, padding=padding)


@answers.wrong("a numpy.ndarray came out")
def numpy_comes_out(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, stride=stride, padding=padding)[0].numpy()


@answers.wrong("the sign is flipped")
def negated(image, kernels, *, stride=1, padding=0):
    return -F.conv2d(image[None], kernels, stride=stride, padding=padding)[0]


@answers.wrong("every value is 2 times")
def counted_twice(image, kernels, *, stride=1, padding=0):
    return 2 * F.conv2d(image[None], kernels, stride=stride, padding=padding)[0]


@answers.wrong("every value is off by 1")
def with_a_bias(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, torch.ones(len(kernels)), stride=stride, padding=padding)[0]


@answers.wrong("something works in place")
def scales_the_image(image, kernels, *, stride=1, padding=0):
    image *= 2
    return F.conv2d(image[None], kernels, stride=stride, padding=padding)[0] / 2


@answers.wrong("counted with the height of the filter")
def a_square_filter_assumed(image, kernels, *, stride=1, padding=0):
    padded = F.pad(image, (padding, padding, padding, padding))
    side = kernels.shape[2]
    rows = (padded.shape[1] - side) // stride + 1
    columns = (padded.shape[2] - side) // stride + 1
    out = torch.zeros(len(kernels), rows, columns)
    for k, kernel in enumerate(kernels):
        for y in range(rows):
            for x in range(columns):
                window = padded[:, y * stride : y * stride + kernel.shape[1], x * stride : x * stride + kernel.shape[2]]
                out[k, y, x] = (window * kernel).sum()
    return out


@answers.wrong("counted with the width of the filter")
def rows_by_the_width(image, kernels, *, stride=1, padding=0):
    padded = F.pad(image, (padding, padding, padding, padding))
    _, _, height, width = kernels.shape
    rows = (padded.shape[1] - width) // stride + 1
    columns = (padded.shape[2] - width) // stride + 1
    out = torch.zeros(len(kernels), rows, columns)
    for y in range(rows):
        for x in range(columns):
            window = padded[:, y * stride : y * stride + height, x * stride : x * stride + width]
            out[:, y, x] = (window[None] * kernels).sum((1, 2, 3))
    return out


@answers.wrong("the channels are not summed")
def a_map_per_channel(image, kernels, *, stride=1, padding=0):
    padded = F.pad(image, [padding] * 4)
    windows = padded.unfold(1, kernels.shape[2], stride).unfold(2, kernels.shape[3], stride)
    return torch.einsum("cyxij,kcij->kcyx", windows, kernels)


@answers.wrong("the maps of all filters are added")
def filters_added(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels.sum(0, keepdim=True), stride=stride, padding=padding)[0]


@answers.wrong("a ReLU follows")
def with_relu(image, kernels, *, stride=1, padding=0):
    return F.relu(F.conv2d(image[None], kernels, stride=stride, padding=padding)[0])


@answers.wrong("rounded to whole numbers")
def rounded(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, stride=stride, padding=padding)[0].round().int()


@answers.wrong("rounded to whole numbers")
def in_whole_numbers(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, stride=stride, padding=padding)[0].long()


@answers.wrong("along one axis only")
def stride_down_only(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, stride=(stride, 1), padding=padding)[0]


@answers.wrong("that is dilation")
def dilated(image, kernels, *, stride=1, padding=0):
    return F.conv2d(image[None], kernels, dilation=stride, padding=padding)[0]


@answers.wrong("zeros are missing on some sides")
def padded_at_the_near_end(image, kernels, *, stride=1, padding=0):
    return F.conv2d(F.pad(image, (padding, 0, padding, 0))[None], kernels, stride=stride)[0]


@answers.wrong("zeros are missing on some sides")
def padded_left_and_right(image, kernels, *, stride=1, padding=0):
    return F.conv2d(F.pad(image, (padding, padding))[None], kernels, stride=stride)[0]


@answers.wrong("whatever `padding` says")
def always_the_same_size(image, kernels, *, stride=1, padding=0):
    height, width = kernels.shape[-2:]
    return F.conv2d(image[None], kernels, stride=stride, padding=(height // 2, width // 2))[0]


@answers.wrong("the border is mirrored")
def mirrored(image, kernels, *, stride=1, padding=0):
    padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)), mode="reflect")
    return F.conv2d(torch.from_numpy(padded)[None], kernels, stride=stride)[0]


@answers.wrong("at the other side of the image")
def wrapped(image, kernels, *, stride=1, padding=0):
    padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)), mode="wrap")
    return F.conv2d(torch.from_numpy(padded)[None], kernels, stride=stride)[0]


@answers.wrong("the border has another value")
def ones_around(image, kernels, *, stride=1, padding=0):
    padded = np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)), constant_values=1)
    return F.conv2d(torch.from_numpy(padded)[None], kernels, stride=stride)[0]


@answers.wrong("only one filter")
def first_filter(image, kernels, *, stride=1, padding=0):
    return slide(image, kernels[:1], stride, padding, lambda window, kernel: (window * kernel).sum())


@answers.wrong("half flipped, along")
def upside_down(image, kernels, *, stride=1, padding=0):
    return slide(image, kernels, stride, padding, lambda window, kernel: (window * kernel.flip(1)).sum())


@answers.wrong("row and column of positions are missing")
def one_position_less(image, kernels, *, stride=1, padding=0):
    return with_columns(image, kernels, stride=stride, padding=padding)[:, :-1, :-1]


@answers.wrong("keeps its axis of length 1")
def squeezed(image, kernels, *, stride=1, padding=0):
    return torch.squeeze(F.conv2d(image[None], kernels, stride=stride, padding=padding))


@answers.wrong("overwrite the sum instead of adding")
def last_channel(image, kernels, *, stride=1, padding=0):
    for c in range(len(image)):
        out = slide(
            image[c : c + 1], kernels[:, c : c + 1], stride, padding, lambda window, kernel: (window * kernel).sum()
        )
    return out


@answers.wrong("does not move the window")
def windows_side_by_side(image, kernels, *, stride=1, padding=0):
    padded = F.pad(image, [padding] * 4)
    height, width = kernels.shape[-2:]
    rows, columns = (padded.shape[1] - height) // stride + 1, (padded.shape[2] - width) // stride + 1
    out = torch.empty(len(kernels), rows, columns)
    for y in range(rows):
        for x in range(columns):
            out[:, y, x] = (padded[:, y : y + height, x : x + width] * kernels).sum((1, 2, 3))
    return out


@answers.wrong("zeros are missing on some sides")
def all_zeros_at_the_far_end(image, kernels, *, stride=1, padding=0):
    return F.conv2d(F.pad(image, (0, 2 * padding, 0, 2 * padding))[None], kernels, stride=stride)[0]


@answers.wrong("as many columns as rows")
def one_side_for_both(image, kernels, *, stride=1, padding=0):
    padded = F.pad(image, [padding] * 4)
    count, _, height, width = kernels.shape
    side = (padded.shape[1] - height) // stride + 1
    out = torch.zeros(count, side, side)
    for y in range(side):
        for x in range(side):
            window = padded[:, y * stride : y * stride + height, x * stride : x * stride + width]
            if window.shape[2] == width:
                out[:, y, x] = (window * kernels).sum((1, 2, 3))
    return out


@answers.wrong("as wide as the filter is tall")
def square_windows(image, kernels, *, stride=1, padding=0):
    padded = F.pad(image, [padding] * 4)
    side = kernels.shape[2]
    rows, columns = (padded.shape[1] - side) // stride + 1, (padded.shape[2] - side) // stride + 1
    out = torch.zeros(len(kernels), rows, columns)
    for i in range(side):
        for j in range(min(side, kernels.shape[3])):
            for y in range(rows):
                for x in range(columns):
                    out[:, y, x] += kernels[:, :, i, j] @ padded[:, y * stride + i, x * stride + j]
    return out
