"""The size of a receptive field."""

from collections.abc import Callable, Sequence
from math import prod

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import ALEXNET


def receptive_field(stack: Sequence[tuple[int, int]]) -> int:
    """Count the input pixels along one axis that a unit of the last layer can see.

    Args:
        stack: (kernel, stride) of each layer, from the image upwards; convolutions and pooling alike.

    Returns:
        The side of the receptive field in pixels of the image.
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


def _summed_from_zero(stack: Sequence[tuple[int, int]]) -> int:
    steps = [1, *(sum(stride for _, stride in stack[:layer]) for layer in range(1, len(stack)))]
    return 1 + sum((kernel - 1) * step for (kernel, _), step in zip(stack, steps, strict=False))


def _steps_of_kernels(stack: Sequence[tuple[int, int]]) -> int:
    field, step = 1, 1
    for kernel, stride in stack:
        field += (kernel - 1) * step
        step *= kernel if stride > 1 else 1
    return field


def _downwards_one_too_many(stack: Sequence[tuple[int, int]]) -> int:
    field = 1
    for kernel, stride in reversed(stack):
        field = field * stride + kernel - 1
    return field


def _each(add: Callable[[int, int], int]) -> Callable[[Sequence[tuple[int, int]]], int]:
    """An answer that adds something else for each layer, made of its kernel and the step of the layer below."""

    def answer(stack: Sequence[tuple[int, int]]) -> int:
        field, step = 1, 1
        for kernel, stride in stack:
            field += add(kernel, step)
            step *= stride
        return field

    return answer


def _multiplied_at_the_end(stack: Sequence[tuple[int, int]]) -> int:
    field = 1
    for kernel, stride in stack:
        field = (field + kernel - 1) * stride
    return field


def _recurrence_upwards(stack: Sequence[tuple[int, int]]) -> int:
    field = 1
    for kernel, stride in stack:
        field = (field - 1) * stride + kernel
    return field


_VGG16 = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (2, 2), *[(3, 1), (3, 1), (3, 1), (2, 2)] * 2, *[(3, 1)] * 3]

ENTRY = Entry(
    name="receptive_field",
    reference=receptive_field,
    stars=2,
    minutes=10,
    hints=(
        "Two numbers go up with you: how many pixels a unit sees, and how many pixels lie between neighbouring units.",
        "Start with one pixel and a step of 1. Each layer adds (kernel - 1) steps of the layer below, and only then "
        "multiplies the step by its own stride.",
    ),
    checks=[
        Check("one 3×3 layer sees 3 pixels", {"stack": [(3, 1)]}, 3),
        Check("its stride does not change what one unit sees", {"stack": [(3, 2)]}, 3),
        Check("two 3×3 layers see 5", {"stack": [(3, 1), (3, 1)]}, 5),
        Check("with stride 2 in the lower one they see 7", {"stack": [(3, 2), (3, 1)]}, 7),
        Check("a window of 4 above one of 3 at stride 4 sees 15, gaps included", {"stack": [(3, 4), (4, 1)]}, 15),
        Check("between two of stride 2, one of 1×1 at stride 3", {"stack": [(3, 2), (1, 3), (3, 2)]}, 15),
        Check("no layer at all: the pixel itself", {"stack": []}, 1),
        Check("AlexNet's fifth convolution", {"stack": [(kernel, stride) for kernel, stride, _ in ALEXNET]}, 163),
        Check("VGG-16's last convolution", {"stack": _VGG16}, 196),
    ],
    mistakes={
        "strides are ignored: above a stride of 2, neighbours are two pixels apart": (
            lambda stack: 1 + sum(kernel - 1 for kernel, _ in stack)
        ),
        "a layer's own stride is multiplied in too early: it spreads the layers above, not its own": _early_stride,
        "only the stride of the layer below is used: the strides of all layers below multiply": _last_stride_only,
        "strides are added up: they multiply": (_summed_strides, _summed_from_zero),
        "the step is multiplied by the kernel: neighbouring units lie a stride apart, whatever the kernel": (
            _steps_of_kernels
        ),
        "gaps are left out: a stride larger than the kernel, that of a 1×1 layer too, spreads what lies above": (
            lambda stack: receptive_field([(kernel, min(stride, kernel)) for kernel, stride in stack]),
            lambda stack: receptive_field([(kernel, stride) for kernel, stride in stack if kernel > 1]),
        ),
        "the stride of the first layer is forgotten: the layers above it lie that far apart": (
            lambda stack: receptive_field(
                [(kernel, stride if layer else 1) for layer, (kernel, stride) in enumerate(stack)]
            )
        ),
        "from the top down a field becomes (field - 1) * stride + kernel: its units lie field - 1 strides apart": (
            _downwards_one_too_many
        ),
        "the kernels are summed: neighbouring fields overlap, each layer adds kernel - 1": (
            lambda stack: sum(kernel for kernel, _ in stack)
        ),
        "the kernels are multiplied: neighbouring fields overlap, each layer adds kernel - 1": (
            lambda stack: prod(kernel for kernel, _ in stack)
        ),
        "the stack is walked from the wrong end: its first layer lies on the image": (
            lambda stack: receptive_field(stack[::-1]),
            _recurrence_upwards,
        ),
        "each layer adds kernel times the step: of its kernel places, one is counted already, so kernel - 1": (
            _each(lambda kernel, step: kernel * step),
            _each(lambda kernel, step: kernel * step - 1),
        ),
        "twice half the kernel is only right where it is odd: each layer adds kernel - 1": (
            _each(lambda kernel, step: 2 * (kernel // 2) * step),
            _each(lambda kernel, step: kernel // 2 * 2 * step if kernel > 2 else step),
        ),
        "half the kernel is added: it reaches out on both sides": _each(lambda kernel, step: (kernel // 2) * step),
        "kernel and stride are swapped: each layer is (kernel, stride)": (
            lambda stack: receptive_field([(stride, kernel) for kernel, stride in stack])
        ),
        "0 without any layer: then the field is the pixel itself, 1": (
            lambda stack: receptive_field(stack) if stack else 0
        ),
        "every layer is spread by all strides: only those of the layers below it spread a layer": (
            lambda stack: 1 + sum(kernel - 1 for kernel, _ in stack) * prod(stride for _, stride in stack)
        ),
        "the first or the last layer is left out: all of them widen the field": (
            lambda stack: receptive_field(stack[1:]),
            lambda stack: receptive_field(stack[:-1]),
        ),
        "the stride is subtracted from the kernel: neighbouring windows of a layer say nothing about one unit": (
            lambda stack: 1 + sum(kernel - stride for kernel, stride in stack)
        ),
        "each layer multiplies the field by its kernel or stride: it adds (kernel - 1) steps": (_multiplied_at_the_end),
        "pooling is left out: it counts like a convolution": (
            lambda stack: receptive_field([(kernel, stride) for kernel, stride in stack if (kernel, stride) != (2, 2)]),
            _each(lambda kernel, step: (kernel - 1) * step if kernel > 2 else 0),
        ),
        "this is the distance between neighbouring units, the product of the strides: the field was asked for": (
            lambda stack: prod(stride for _, stride in stack)
        ),
        "this is the area: the side was asked for": lambda stack: receptive_field(stack) ** 2,
        "the pixel to begin with is missing: start from 1": lambda stack: receptive_field(stack) - 1,
    },
)
