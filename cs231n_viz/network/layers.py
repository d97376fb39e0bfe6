"""List the layers of a network in order of execution, with shapes and receptive fields."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import activations, channels_first, check_layers, evaluating, network_of, watch
from cs231n_viz.network.checks import channels_of
from cs231n_viz.network.receptive_field import FieldTracer, ReceptiveField

_LARGEST_PROBE = 1024  # side in pixels; no network here needs a larger picture for a layer with feature maps


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        name: Dotted name, as every method takes it; ``name:2`` is the second call of a module that is called twice.
        kind: Class of the module, for example ``"Conv2d"``.
        shape: Shape of its output for one picture: (C, h, w), or (C,) after flattening.
        field: The exact receptive fields of its units.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    field: ReceptiveField

    @property
    def receptive_field(self) -> int | tuple[int, int]:
        """Side of the receptive field in pixels."""
        return self.field.size

    @property
    def stride(self) -> int | tuple[int, int]:
        """Pixels between the receptive fields of neighbouring units."""
        return self.field.stride

    @property
    def offset(self) -> int | tuple[int, int]:
        """First pixel that unit 0 sees."""
        return self.field.offset


@torch.no_grad()
def trace_layers(model: nn.Module, image: Tensor) -> list[Layer]:
    """List the layers of a network in order of execution.

    Args:
        model: Any network that takes (1, 3, H, W); run once, in eval mode, and left as it was.
        image: One picture, (1, 3, H, W); its size determines shapes and where boxes are clipped.

    Returns:
        One entry per call of a submodule, in the order in which the calls end; a module whose output is not a
        single tensor is left out.
    """
    layers: list[Layer] = []
    tracer = FieldTracer(image)

    def record(name: str, module: nn.Module, output: object) -> None:
        if isinstance(output, Tensor) and id(output) in tracer.fields:
            maps = channels_first(output, image)  # traced as well, if axes are moved
            shape = tuple(maps.shape[1:])
            rows, columns = tracer.fields[id(maps)]
            if len(shape) == 3:
                field = ReceptiveField(rows, columns, tracer.image_size, shape[1:])
            else:  # flattened, or tokens: one box for all
                field = ReceptiveField(rows.pooled(1), columns.pooled(1), tracer.image_size, (1, 1))
            layers.append(Layer(name, type(module).__name__, shape, field))

    with evaluating(model), watch(model, record), tracer:
        model(image)
    return layers


def receptive_field(model: nn.Module, layer: str, *, image_size: tuple[int, int] | None = None) -> ReceptiveField:
    """Compute the exact receptive field of a layer: which pixels does a unit depend on?

    Args:
        model: A ``Classifier``, or any network that takes (1, 3, H, W).
        layer: Name from ``model.layers()``.
        image_size: (height, width) of the picture; defaults to the model's input size, or 224 px.

    Returns:
        Size, stride and offset in pixels, and ``.box(row, col)``.

    Raises:
        KeyError: If ``layer`` is not a layer of ``model``, or the forward pass does not call it.
    """
    check_layers(model, [layer])
    side = getattr(model, "input_size", 224)
    parameter = next(network_of(model).parameters(), torch.empty(0))
    image = torch.zeros(
        1, channels_of(model), *(image_size or (side, side)), device=parameter.device, dtype=parameter.dtype
    )
    fields = {entry.name: entry.field for entry in trace_layers(model, image)}
    if layer not in fields:
        close = get_close_matches(layer, fields, n=3, cutoff=0.3)
        raise KeyError(f"the forward pass never reached layer {layer!r}; close names: {', '.join(close)}")
    return fields[layer]


def survives(model: nn.Module, layers: Sequence[str], size: tuple[int, int]) -> bool:
    """Whether a picture of this height and width is large enough for the kernels and pools up to some layers.

    Raises:
        RuntimeError: If memory does not suffice to try it.
    """
    parameter = next(network_of(model).parameters(), torch.empty(0))
    try:
        activations(model, torch.zeros(1, channels_of(model), *size).to(parameter), layers)
    except (RuntimeError, ValueError) as error:  # the input of a convolution or pool is smaller than its kernel
        if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
            raise
        return False
    return True


def smallest_side(model: nn.Module, layers: Sequence[str]) -> int:
    """Find the smallest square picture that is large enough for the kernels and pools up to some layers, by bisection.

    Args:
        model: Any network.
        layers: Names from ``model.layers()``, of layers with feature maps.

    Returns:
        Its side in pixels.

    Raises:
        ValueError: If no square of up to 1024 pixels will do, as after flattening.
    """

    def reached(side: int) -> bool:
        return survives(model, layers, (side, side))

    too_small, side = 0, 1
    while not reached(side):
        if side >= _LARGEST_PROBE:
            raise ValueError(f"no square picture of up to {side} pixels reaches {', '.join(layers)}")
        too_small, side = side, 2 * side
    return too_small + 1 + bisect_left(range(too_small + 1, side), True, key=reached)
