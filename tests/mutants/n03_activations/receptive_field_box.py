import torch
from torch import nn

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_gradient_support(layers, row, col, *, image_size):
    stack = [nn.Conv2d(1, 1, k, s, p, bias=False, dtype=torch.float64) for k, s, p in layers]
    for layer in stack:
        nn.init.constant_(layer.weight, 1 / layer.weight.numel())
    image = torch.ones(1, 1, *image_size, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(nn.Sequential(*stack)(image)[0, 0, row, col], image)
    rows, columns = gradient[0, 0].sum(1).nonzero(), gradient[0, 0].sum(0).nonzero()
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


@answers.right
def by_sets_of_pixels(layers, row, col, *, image_size):
    def seen(unit, size):
        sizes = [size]
        for kernel, stride, padding in layers:
            sizes.append((sizes[-1] + 2 * padding - kernel) // stride + 1)
        units = {unit}
        for depth in range(len(layers) - 1, -1, -1):
            kernel, stride, padding = layers[depth]
            below = {u * stride - padding + step for u in units for step in range(kernel)}
            units = {u for u in below if 0 <= u < sizes[depth]}
        return min(units), max(units) + 1

    (top, bottom), (left, right) = (seen(u, n) for u, n in zip((row, col), image_size, strict=True))
    return top, left, bottom, right


@answers.right
def limits_upwards(layers, row, col, *, image_size):
    edges = []
    for unit, length in ((row, image_size[0]), (col, image_size[1])):
        size, jump, start, units = 1, 1, 0, length
        low, high = 0, length
        for kernel, stride, padding in layers:
            size, start = size + (kernel - 1) * jump, start - padding * jump
            units, jump = (units + 2 * padding - kernel) // stride + 1, jump * stride
            low, high = max(low, start), min(high, start + (units - 1) * jump + size)
        edges.append((max(start + unit * jump, low), min(start + unit * jump + size, high)))
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


@answers.right
def recursive(layers, row, col, *, image_size):
    if not layers:
        return row, col, row + 1, col + 1
    *lower, (kernel, stride, padding) = layers
    shape = list(image_size)
    for k, s, p in lower:
        shape = [(n + 2 * p - k) // s + 1 for n in shape]
    first = [max(0, u * stride - padding) for u in (row, col)]
    last = [min(n - 1, u * stride - padding + kernel - 1) for u, n in zip((row, col), shape, strict=True)]
    top, left, _, _ = recursive(lower, *first, image_size=image_size)
    _, _, bottom, right = recursive(lower, *last, image_size=image_size)
    return top, left, bottom, right


def formula(layers, row, col, *, strides=None, paddings=None):
    strides = strides or [s for _, s, _ in layers]
    paddings = paddings or [p for _, _, p in layers]
    size, jump, start = 1, 1, 0
    for (kernel, _, _), stride, padding in zip(layers, strides, paddings, strict=True):
        size += (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
    return start + row * jump, start + col * jump, start + row * jump + size, start + col * jump + size


def clip(box, image_size):
    return tuple(min(max(edge, 0), n) for edge, n in zip(box, image_size * 2, strict=True))


@answers.wrong("reaches into the padding")
def not_clipped(layers, row, col, *, image_size):
    return formula(layers, row, col)


@answers.wrong("beyond a layer's last unit")
def clipped_once(layers, row, col, *, image_size):
    return clip(formula(layers, row, col), image_size)


@answers.wrong("pushed inside")
def pushed(layers, row, col, *, image_size):
    top, left, bottom, right = formula(layers, row, col)
    down = -top if top < 0 else min(0, image_size[0] - bottom)
    aside = -left if left < 0 else min(0, image_size[1] - right)
    return top + down, left + aside, bottom + down, right + aside


@answers.wrong("half-open")
def last_pixels(layers, row, col, *, image_size):
    top, left, bottom, right = by_sets_of_pixels(layers, row, col, image_size=image_size)
    return top, left, bottom - 1, right - 1


@answers.wrong("rows come first")
def x_before_y(layers, row, col, *, image_size):
    top, left, bottom, right = by_sets_of_pixels(layers, row, col, image_size=image_size)
    return left, top, right, bottom


@answers.wrong("the two corners were asked for")
def intervals(layers, row, col, *, image_size):
    top, left, bottom, right = by_sets_of_pixels(layers, row, col, image_size=image_size)
    return top, bottom, left, right


@answers.wrong("the second corner was asked for")
def corner_and_size(layers, row, col, *, image_size):
    top, left, bottom, right = by_sets_of_pixels(layers, row, col, image_size=image_size)
    return top, left, bottom - top, right - left


@answers.wrong("padding is ignored")
def no_padding(layers, row, col, *, image_size):
    return clip(formula(layers, row, col, paddings=[0] * len(layers)), image_size)


@answers.wrong("padding is counted twice")
def double_padding(layers, row, col, *, image_size):
    return clip(formula(layers, row, col, paddings=[2 * p for _, _, p in layers]), image_size)


@answers.wrong("padding is counted in pixels")
def padding_in_pixels(layers, row, col, *, image_size):
    without = formula(layers, row, col, paddings=[0] * len(layers))
    return clip(tuple(edge - sum(p for _, _, p in layers) for edge in without), image_size)


@answers.wrong("strides are ignored")
def no_strides(layers, row, col, *, image_size):
    return clip(formula(layers, row, col, strides=[1] * len(layers)), image_size)


@answers.wrong("multiplied in too early")
def own_stride_first(layers, row, col, *, image_size):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        start -= padding * jump
        jump *= stride
        size += (kernel - 1) * jump
    top, left = start + row * jump, start + col * jump
    return clip((top, left, top + size, left + size), image_size)


@answers.wrong("only the stride of the layer below")
def last_stride(layers, row, col, *, image_size):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding in layers:
        size, start, jump = size + (kernel - 1) * jump, start - padding * jump, stride
    top, left = start + row * jump, start + col * jump
    return clip((top, left, top + size, left + size), image_size)


@answers.wrong("centred on row times stride")
def centred(layers, row, col, *, image_size):
    top, left, bottom, right = formula(layers, 0, 0)
    step = formula(layers, 1, 0)[0] - top
    half = (bottom - top) // 2
    corner = row * step - half, col * step - half
    return clip((*corner, corner[0] + bottom - top, corner[1] + right - left), image_size)


@answers.wrong("something works in place")
def empties_the_list(layers, row, col, *, image_size):
    box = by_sets_of_pixels(layers, row, col, image_size=image_size)
    layers.clear()
    return box


@answers.wrong("row and column are swapped")
def col_before_row(layers, row, col, *, image_size):
    return by_sets_of_pixels(layers, col, row, image_size=image_size)


@answers.wrong("image_size is (height, width)")
def width_before_height(layers, row, col, *, image_size):
    return by_sets_of_pixels(layers, row, col, image_size=(image_size[1], image_size[0]))


@answers.wrong("it need not be square")
def height_for_both(layers, row, col, *, image_size):
    return by_sets_of_pixels(layers, row, col, image_size=(image_size[0], image_size[0]))


@answers.wrong("from the wrong end")
def from_the_top(layers, row, col, *, image_size):
    return clip(formula(list(reversed(layers)), row, col), image_size)


@answers.wrong("one too far")
def one_too_far(layers, row, col, *, image_size):
    top, left, bottom, right = by_sets_of_pixels(layers, row, col, image_size=image_size)
    return top, left, bottom + 1, right + 1


@answers.wrong("only at the top and left")
def never_negative(layers, row, col, *, image_size):
    return tuple(max(edge, 0) for edge in formula(layers, row, col))


@answers.wrong("only at the bottom and right")
def never_too_large(layers, row, col, *, image_size):
    return tuple(min(edge, n) for edge, n in zip(formula(layers, row, col), (*image_size, *image_size), strict=True))


@answers.wrong("the last row or column is lost")
def ends_before_the_last(layers, row, col, *, image_size):
    return clip(formula(layers, row, col), (image_size[0] - 1, image_size[1] - 1))


@answers.wrong("the wrong way: subtract it")
def padding_added(layers, row, col, *, image_size):
    return clip(formula(layers, row, col, paddings=[-p for _, _, p in layers]), image_size)


@answers.wrong("each layer widens the field")
def last_kernel_only(layers, row, col, *, image_size):
    top, left, _, _ = formula(layers, row, col)
    kernel = layers[-1][0]
    return clip((top, left, top + kernel, left + kernel), image_size)


@answers.wrong("the kernels add up whole")
def summed_kernels(layers, row, col, *, image_size):
    top, left, _, _ = formula(layers, row, col)
    size = sum(kernel for kernel, _, _ in layers)
    return clip((top, left, top + size, left + size), image_size)


@answers.wrong("2 values came out")
def slices(layers, row, col, *, image_size):
    top, left, bottom, right = by_sets_of_pixels(layers, row, col, image_size=image_size)
    return slice(top, bottom), slice(left, right)


@answers.wrong("keeps its size after top and left")
def size_added_late(layers, row, col, *, image_size):
    top, left, bottom, _ = formula(layers, row, col)
    size = bottom - top
    top, left = max(top, 0), max(left, 0)
    return top, left, min(top + size, image_size[0]), min(left + size, image_size[1])


@answers.wrong("counted from 1")
def from_one(layers, row, col, *, image_size):
    return clip(formula(layers, row - 1, col - 1), image_size)


@answers.wrong("only the padding of one layer")
def padding_of_the_first(layers, row, col, *, image_size):
    paddings = [layers[0][2]] + [0] * (len(layers) - 1)
    return clip(formula(layers, row, col, paddings=paddings), image_size)


@answers.wrong("the pixels between two units")
def cells(layers, row, col, *, image_size):
    jump = formula(layers, 1, 0)[0] - formula(layers, 0, 0)[0]
    return clip((row * jump, col * jump, (row + 1) * jump, (col + 1) * jump), image_size)


@answers.wrong("this is the whole image")
def everything(layers, row, col, *, image_size):
    return 0, 0, image_size[0], image_size[1]


def downwards(layers, unit, length, *, size=lambda n, k, s, p: (n + 2 * p - k) // s + 1, far=0, late=0, order=reversed):
    lengths = [length]
    for kernel, stride, padding in layers:
        lengths.append(size(lengths[-1], kernel, stride, padding))
    low = high = unit
    for depth in order(range(len(layers))):
        kernel, stride, padding = layers[depth]
        low = max(0, low * stride - padding)
        high = min(lengths[depth] - 1 + late, high * stride - padding + kernel - 1 + far)
    return low, high + 1


def box_of(layers, row, col, image_size, **how):
    top, bottom = downwards(layers, row, image_size[0], **how)
    left, right = downwards(layers, col, image_size[1], **how)
    return top, left, bottom, right


@answers.wrong("beyond a layer's last unit")
def sizes_rounded_up(layers, row, col, *, image_size):
    return box_of(layers, row, col, image_size, size=lambda n, k, s, p: 1 - (k - n - 2 * p) // s)


@answers.wrong("with padding on both sides")
def sizes_with_one_padding(layers, row, col, *, image_size):
    return box_of(layers, row, col, image_size, size=lambda n, k, s, p: (n - k + p) // s + 1)


@answers.wrong("reaches one unit too far")
def kernel_for_kernel_minus_one(layers, row, col, *, image_size):
    return box_of(layers, row, col, image_size, far=1)


@answers.wrong("cut off one too late")
def size_for_size_minus_one(layers, row, col, *, image_size):
    return box_of(layers, row, col, image_size, late=1)


@answers.wrong("the row is used for the columns")
def row_twice(layers, row, col, *, image_size):
    return box_of(layers, row, row, image_size)


@answers.wrong("from the wrong end")
def first_layer_first(layers, row, col, *, image_size):
    return box_of(layers, row, col, image_size, order=iter)
