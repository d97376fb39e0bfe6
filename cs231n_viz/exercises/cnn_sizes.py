"""Exercises of notebook 00 that count: sizes, parameters, receptive fields."""

from collections.abc import Callable, Sequence
from math import prod

from cs231n_viz.exercises.core import Check, Entry, Raises


def output_size(size: int, *, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """How many places does a filter have along one axis?

    Args:
        size: Length of the input along this axis.
        kernel: Length of the filter.
        stride: Steps from one place to the next.
        padding: Zeros added at either end.

    Returns:
        The length of the output, a whole number.

    Raises:
        ValueError: If the filter does not fit: larger than the padded input, or the steps do not divide the rest.
    """
    room = size + 2 * padding - kernel  # how far the filter can move
    if room < 0 or room % stride:
        raise ValueError(f"a filter of {kernel} at stride {stride} does not fit {size} + 2 * {padding}")
    return room // stride + 1


def _sizing(rule: Callable[[int, int, int, int], float]) -> Callable[..., float]:
    """A mistaken ``output_size`` from a rule of size, kernel, stride and padding."""
    return lambda size, kernel, stride=1, padding=0: rule(size, kernel, stride, padding)


def _large_filters_too(size: int, kernel: int, stride: int, padding: int) -> int:
    if (size + 2 * padding - kernel) % stride:
        raise ValueError("does not divide")
    return (size + 2 * padding - kernel) // stride + 1


_OUTPUT_SIZE = Entry(
    name="output_size",
    reference=output_size,
    stars=1,
    minutes=5,
    checks=[
        Check("a 3×3 filter on 7×7 has 5 places per side", {"size": 7, "kernel": 3}, 5),
        Check("with stride 2 it has 3", {"size": 7, "kernel": 3, "stride": 2}, 3),
        Check("padding 1 keeps the size", {"size": 7, "kernel": 3, "padding": 1}, 7),
        Check("AlexNet's first layer: 11×11 at stride 4 on 227×227", {"size": 227, "kernel": 11, "stride": 4}, 55),
        Check("stride and padding together", {"size": 9, "kernel": 5, "stride": 3, "padding": 4}, 5),
        Check("with stride 3, 3×3 does not fit 7×7", {"size": 7, "kernel": 3, "stride": 3}, Raises()),
        Check("5×5 does not fit 3×3", {"size": 3, "kernel": 5}, Raises()),
    ],
    mistakes={
        "the + 1 is missing: the filter also has the place where it starts": (
            _sizing(lambda n, k, s, p: (n + 2 * p - k) // s)
        ),
        "padding is counted once, but it is added at both ends: 2 * padding": (
            _sizing(lambda n, k, s, p: (n + p - k) // s + 1)
        ),
        "padding is ignored": _sizing(lambda n, k, s, p: (n - k) // s + 1),
        "the division comes too early: first subtract the kernel from the padded size, then divide by the stride": (
            _sizing(lambda n, k, s, p: (n + 2 * p) // s - k + 1),
            _sizing(lambda n, k, s, p: n + 2 * p - k // s + 1),
        ),
        "the stride divides the + 1 too: it belongs after the division": (
            _sizing(lambda n, k, s, p: (n + 2 * p - k + 1) // s)
        ),
        "`/` gives a float: a size is a whole number, use `//` once you know that it divides": (
            _sizing(lambda n, k, s, p: (n + 2 * p - k) / s + 1)
        ),
        "rounded silently: PyTorch rounds down, the lecture asks for a ValueError where the steps do not divide": (
            _sizing(lambda n, k, s, p: (n + 2 * p - k) // s + 1)
        ),
        "a filter larger than the padded input has no place at all: raise ValueError for that too": (
            _sizing(_large_filters_too)
        ),
    },
)


def parameter_count(in_channels: int, out_channels: int, kernel: int, *, bias: bool = True) -> int:
    """How many numbers does a convolution layer learn?

    Args:
        in_channels: Channels of its input.
        out_channels: Number of filters, one output channel each.
        kernel: Side of the square filters.
        bias: Whether each filter has a bias.

    Returns:
        The number of weights and biases. The size of the picture does not matter: the filters are shared.
    """
    weights = out_channels * in_channels * kernel * kernel  # a filter sees all input channels
    return weights + (out_channels if bias else 0)


def _counting(rule: Callable[[int, int, int, bool], int]) -> Callable[..., int]:
    """A mistaken ``parameter_count`` from a rule of input channels, output channels, kernel and bias."""
    return lambda in_channels, out_channels, kernel, bias=True: rule(in_channels, out_channels, kernel, bias)


def _counts(*sizes: int) -> dict[str, int]:
    return dict(zip(("in_channels", "out_channels", "kernel"), sizes, strict=True))


_PARAMETER_COUNT = Entry(
    name="parameter_count",
    reference=parameter_count,
    stars=1,
    minutes=5,
    checks=[
        Check("twenty 4×4 filters on one channel: 320 weights", {**_counts(1, 20, 4), "bias": False}, 320),
        Check("340 with the biases", _counts(1, 20, 4), 340),
        Check("AlexNet's first layer, 64 filters of 11×11×3", _counts(3, 64, 11), 23_296),
        Check("a 1×1 convolution from 64 to 10 channels", _counts(64, 10, 1), 650),
        Check("3×3 from 5 to 7 channels, no biases", {**_counts(5, 7, 3), "bias": False}, 315),
    ],
    mistakes={
        "the input channels are missing: a filter has a weight for each of them": (
            _counting(lambda c, f, k, b: f * (k * k + b))
        ),
        "the output channels are missing: this is one filter": _counting(lambda c, f, k, b: c * k * k + b),
        "a bias per weight: there is one per filter": _counting(lambda c, f, k, b: c * f * k * k * (1 + b)),
        "a bias per input channel: there is one per filter, that is per output channel": (
            _counting(lambda c, f, k, b: c * f * k * k + b * c)
        ),
        "a bias per filter and input channel: the channels are summed first, then one bias is added": (
            _counting(lambda c, f, k, b: c * f * (k * k + b))
        ),
        "only one bias for the whole layer: there is one per filter": _counting(lambda c, f, k, b: c * f * k * k + b),
        "the biases are missing": _counting(lambda c, f, k, b: c * f * k * k),
        "the biases are counted although `bias` is False": _counting(lambda c, f, k, b: (c * k * k + 1) * f),
        "`kernel` is one side of the filter: it has kernel * kernel weights per channel": (
            _counting(lambda c, f, k, b: f * (c * k + b))
        ),
        "multiplied by the size of the output (36×28): the same weights are used at every place": (
            _counting(lambda c, f, k, b: c * f * k * k * 36 * 28 + b * f),
            _counting(lambda c, f, k, b: (c * k * k + b) * f * 36 * 28),
        ),
    },
)


def receptive_field(stack: Sequence[tuple[int, int]]) -> int:
    """How many input pixels along one axis can a unit of the last layer see?

    Args:
        stack: (kernel, stride) of each layer, from the picture upwards; convolutions and pooling alike.

    Returns:
        The side of the receptive field in pixels of the picture.
    """
    field, step = 1, 1  # one pixel; neighbouring units lie `step` pixels apart
    for kernel, stride in stack:
        field += (kernel - 1) * step  # kernel - 1 more neighbours, each a step of the layer below away
        step *= stride
    return field


def _early_stride(stack: Sequence[tuple[int, int]]) -> int:
    field, step = 1, 1
    for kernel, stride in stack:
        step *= stride
        field += (kernel - 1) * step
    return field


def _last_stride_only(stack: Sequence[tuple[int, int]]) -> int:
    steps = [1, *(stride for _, stride in stack)]
    return 1 + sum((kernel - 1) * step for (kernel, _), step in zip(stack, steps, strict=False))


def _summed_strides(stack: Sequence[tuple[int, int]]) -> int:
    field, step = 1, 1
    for kernel, stride in stack:
        field += (kernel - 1) * step
        step += stride
    return field


_ALEXNET = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1)]
_VGG16 = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (2, 2), *[(3, 1), (3, 1), (3, 1), (2, 2)] * 2, *[(3, 1)] * 3]

_RECEPTIVE_FIELD = Entry(
    name="receptive_field",
    reference=receptive_field,
    stars=2,
    minutes=10,
    checks=[
        Check("one 3×3 layer sees 3 pixels", {"stack": [(3, 1)]}, 3),
        Check("its stride does not change what one unit sees", {"stack": [(3, 2)]}, 3),
        Check("two 3×3 layers see 5", {"stack": [(3, 1), (3, 1)]}, 5),
        Check("with stride 2 in the lower one they see 7", {"stack": [(3, 2), (3, 1)]}, 7),
        Check("three layers of stride 2", {"stack": [(3, 2), (3, 2), (3, 2)]}, 15),
        Check("no layer at all: the pixel itself", {"stack": []}, 1),
        Check("AlexNet's fifth convolution", {"stack": _ALEXNET}, 163),
        Check("VGG-16's last convolution", {"stack": _VGG16}, 196),
    ],
    mistakes={
        "strides are ignored: above a stride of 2, neighbours are two pixels apart": lambda stack: (
            1 + sum(kernel - 1 for kernel, _ in stack)
        ),
        "a layer's own stride is multiplied in too early: it spreads the layers above, not its own": _early_stride,
        "only the stride of the layer below is used: the strides of all layers below multiply": _last_stride_only,
        "strides are added up: they multiply": _summed_strides,
        "the kernels are summed: neighbouring fields overlap, each layer adds kernel - 1": lambda stack: sum(
            kernel for kernel, _ in stack
        ),
        "the kernels are multiplied: neighbouring fields overlap, each layer adds kernel - 1": lambda stack: prod(
            kernel for kernel, _ in stack
        ),
        "the pixel to begin with is missing: start from 1": lambda stack: receptive_field(stack) - 1,
    },
)

ENTRIES = [_OUTPUT_SIZE, _PARAMETER_COUNT, _RECEPTIVE_FIELD]
