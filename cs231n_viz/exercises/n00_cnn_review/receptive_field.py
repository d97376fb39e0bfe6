"""The size of a receptive field."""

from collections.abc import Sequence
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


_VGG16 = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (2, 2), *[(3, 1), (3, 1), (3, 1), (2, 2)] * 2, *[(3, 1)] * 3]

ENTRY = Entry(
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
        Check("AlexNet's fifth convolution", {"stack": [(kernel, stride) for kernel, stride, _ in ALEXNET]}, 163),
        Check("VGG-16's last convolution", {"stack": _VGG16}, 196),
    ],
    mistakes={
        "strides are ignored: above a stride of 2, neighbours are two pixels apart": (
            lambda stack: 1 + sum(kernel - 1 for kernel, _ in stack)
        ),
        "a layer's own stride is multiplied in too early: it spreads the layers above, not its own": _early_stride,
        "only the stride of the layer below is used: the strides of all layers below multiply": _last_stride_only,
        "strides are added up: they multiply": _summed_strides,
        "the kernels are summed: neighbouring fields overlap, each layer adds kernel - 1": (
            lambda stack: sum(kernel for kernel, _ in stack)
        ),
        "the kernels are multiplied: neighbouring fields overlap, each layer adds kernel - 1": (
            lambda stack: prod(kernel for kernel, _ in stack)
        ),
        "the pixel to begin with is missing: start from 1": lambda stack: receptive_field(stack) - 1,
    },
)
