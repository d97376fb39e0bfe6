"""Compute receptive fields: which pixels of the picture each unit of a network depends on.

Here is how; ``receptive_field(model, layer)`` itself stands in ``layers.py``.

The network is run once and every call of a torch function is followed, so the result is exact whatever the forward
pass does: residual additions, concatenations, functional ReLUs and pools, modules that are used twice.

Along one axis, unit ``i`` of a layer sees the pixels ``offset + i * stride`` up to, but not including,
``offset + i * stride + size``. A convolution or pool with kernel k, stride s, padding p and dilation d changes that
as follows; where branches meet, a unit sees the smallest interval that contains what it sees through each of them.

    size   += (k - 1) * d * stride
    offset -= p * stride
    stride *= s

A constant padding, and a crop, which is one of negative width, change the offset alone. Only operations that are known
to mix nothing over space keep the fields, and where maps are rearranged, the same is done to the numbers of their rows
and columns, which shows what a unit is made of. After everything else a unit counts as seeing all: after a group norm,
attention, a transposed convolution, a padding that repeats or mirrors the maps, or pooling windows of unequal sizes.
A unit that sees nothing but padding still has the box of its interval, clipped to the picture; and near the borders the
box of a dilated kernel may begin or end with pixels that fall between those it sees.

Source: Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, eq. 1-8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cs231n_viz.network.interception import ELEMENTWISE, RECTIFIERS, SCALES, SUMS, operation, tensors_in


@dataclass(frozen=True)
class Axis:
    """The receptive fields of a layer along one axis of the picture, in pixels, padding included."""

    size: int
    stride: int
    offset: int
    seen: tuple[int, int]  # first pixel that any unit sees, and one past the last: strides may skip some

    def window(self, kernel: int, stride: int, padding: int, dilation: int, *, units: int) -> "Axis":
        """Compute the fields of the ``units`` after a convolution or a pool."""
        size = self.size + (kernel - 1) * dilation * self.stride
        step, offset = self.stride * stride, self.offset - padding * self.stride
        end = offset + (units - 1) * step + size
        return Axis(size, step, offset, (max(self.seen[0], offset), min(self.seen[1], end)))

    def union(self, other: "Axis") -> "Axis | None":
        """Compute the fields where two branches meet; None if their strides differ, so that units do not line up."""
        if self.stride != other.stride:
            return None
        start = min(self.offset, other.offset)
        seen = min(self.seen[0], other.seen[0]), max(self.seen[1], other.seen[1])
        return Axis(max(self.offset + self.size, other.offset + other.size) - start, self.stride, start, seen)


@dataclass(frozen=True)
class ReceptiveField:
    """Which pixels the units of one layer see.

    Attributes:
        rows: The fields along the height of the picture.
        columns: The fields along its width.
        image_size: (height, width) of the picture.
        shape: (rows, columns) of the layer; (1, 1) after flattening.
    """

    rows: Axis
    columns: Axis
    image_size: tuple[int, int]
    shape: tuple[int, int]

    def _both(self, name: str) -> int | tuple[int, int]:
        pair = getattr(self.rows, name), getattr(self.columns, name)
        return pair[0] if pair[0] == pair[1] else pair

    @property
    def size(self) -> int | tuple[int, int]:
        """Side of the field in pixels, padding included; (height, width) where they differ."""
        return self._both("size")

    @property
    def stride(self) -> int | tuple[int, int]:
        """Pixels between the fields of neighbouring units."""
        return self._both("stride")

    @property
    def offset(self) -> int | tuple[int, int]:
        """First pixel that unit 0 sees; negative where the field begins in the padding."""
        return self._both("offset")

    def box(self, row: int = 0, col: int = 0, *, clip: bool = True) -> tuple[int, int, int, int]:
        """Compute the pixels that unit (row, col) sees: ``image[:, top:bottom, left:right]``.

        Args:
            row: Row of the unit in its feature map.
            col: Column of the unit.
            clip: Clip the box to the pixels that the layer sees; else it may reach into the padding.

        Returns:
            (top, left, bottom, right), half-open.

        Raises:
            IndexError: If the layer has no such unit.
        """
        if not (0 <= row < self.shape[0] and 0 <= col < self.shape[1]):
            raise IndexError(f"no unit ({row}, {col}) in a map of {self.shape[0]}x{self.shape[1]}")
        top = self.rows.offset + row * self.rows.stride
        left = self.columns.offset + col * self.columns.stride
        box = (top, left, top + self.rows.size, left + self.columns.size)
        if not clip:
            return box
        limits = (self.rows.seen, self.columns.seen) * 2
        return tuple(min(max(edge, first), last) for edge, (first, last) in zip(box, limits, strict=True))


Axes = tuple[Axis, Axis]

# Names of operations that mix nothing over space: a unit of the result sees what the same unit of the operands sees.
_POINTWISE = (
    RECTIFIERS
    | ELEMENTWISE
    | (SUMS | SCALES)
    | frozenset(
        {
            *("abs", "absolute", "neg", "negative", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "square", "pow"),
            *("reciprocal", "sign", "sin", "cos", "erf", "prelu", "rrelu", "mish", "logsigmoid", "softsign", "relu6"),
            *("hardshrink", "softshrink", "tanhshrink", "clamp_max", "round", "floor", "ceil", "heaviside", "rpow"),
            *("maximum", "minimum", "where", "lerp", "addcmul", "addcdiv", "masked_fill", "multiply", "divide"),
            *("subtract", "rdiv", "rtruediv", "ipow", "gt", "lt", "ge", "le", "eq", "ne", "logical_not", "nan_to_num"),
            *("clone", "contiguous", "detach", "requires_grad", "copy", "to", "type", "type_as", "float", "double"),
            *("half", "bfloat16", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"),
            *("alpha_dropout", "feature_alpha_dropout", "batch_norm", "local_response_norm", "channel_shuffle"),
        }
    )
)
# Names of those that only rearrange values, which positions show.
_MOVES = frozenset(
    {
        *("view", "reshape", "view_as", "reshape_as", "transpose", "permute", "swapaxes", "swapdims", "movedim"),
        *("moveaxis", "getitem", "unsqueeze", "squeeze", "flatten", "unflatten", "chunk", "split", "tensor_split"),
        *("split_with_sizes", "unbind", "cat", "concat", "concatenate", "stack", "narrow", "select", "expand"),
        *("expand_as", "repeat", "tile", "flip", "roll", "rot90", "index_select", "gather", "take_along_dim", "get"),
    }
)
_OF_THE_SHAPE = frozenset(
    {
        *("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "randint_like"),
        *("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"),
    }
)
_REDUCTIONS = frozenset({"mean", "sum", "amax", "amin", "std", "var", "prod", "logsumexp"})


def _pair(value: int | tuple[int, ...] | None, default: int) -> tuple[int, int]:
    if value is None or value == () or value == []:
        return default, default
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _conv_window(input: Tensor, weight: Tensor, bias=None, stride=1, padding=0, dilation=1, groups=1) -> list:
    kernel, dilation = tuple(weight.shape[-2:]), _pair(dilation, 1)
    if isinstance(padding, str):
        spare = [d * (k - 1) // 2 if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        padding = tuple(spare)
    return list(zip(kernel, _pair(stride, 1), _pair(padding, 0), dilation, strict=True))


def _max_window(input: Tensor, kernel_size, stride=None, padding=0, dilation=1, *_, **__) -> list:
    kernel = _pair(kernel_size, 1)
    strides = kernel if stride in (None, (), []) else _pair(stride, 1)
    return list(zip(kernel, strides, _pair(padding, 0), _pair(dilation, 1), strict=True))


def _average_window(input: Tensor, kernel_size, stride=None, padding=0, *_, **__) -> list:
    return _max_window(input, kernel_size, stride, padding)


def _padding_window(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> list:
    """As a convolution with a kernel of one pixel, whose padding is that before the first row and column."""
    left, _, top, _ = (*pad, 0, 0)[:4]
    return [(1, 1, top, 1), (1, 1, left, 1)]


def _is_over_space(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> bool:
    """Whether a padding adds constants, around maps or as maps."""
    return mode == "constant" and input.ndim >= 3


_WINDOWS: dict[Callable, Callable[..., list]] = {
    torch.conv2d: _conv_window,
    F.max_pool2d: _max_window,
    torch.max_pool2d: _max_window,
    torch.nn.functional.max_pool2d_with_indices: _max_window,
    F.avg_pool2d: _average_window,
    F.pad: _padding_window,
}


class FieldTracer(TorchFunctionMode):
    """Follow the receptive fields from the picture through every torch function that is called, while open."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image_size = tuple(image.shape[-2:])
        self.fields: dict[int, Axes] = {id(image): tuple(Axis(1, 1, 0, (0, side)) for side in self.image_size)}
        self.alive: list[Tensor] = [image]  # ids are only unique among living tensors

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        inputs = [t for t in tensors_in(chain(args, (kwargs or {}).values())) if id(t) in self.fields]
        if inputs and operation(function) not in _OF_THE_SHAPE:
            self._outputs = tensors_in([result])
            for output in self._outputs:
                self.fields[id(output)] = self._field(function, args, kwargs or {}, inputs, output)
                self.alive.append(output)
        if operation(function) == "setitem" and inputs:  # returns nothing: what it changes is its first argument
            self.fields[id(args[0])] = self.whole()
            self.alive.append(args[0])
        return result

    def whole(self) -> Axes:
        """Return the fields of units that may depend on every pixel: all see the same, so the stride is 0."""
        return tuple(Axis(side, 0, 0, (0, side)) for side in self.image_size)

    def _field(self, function: Callable, args: tuple, kwargs: dict, inputs: list[Tensor], output: Tensor) -> Axes:
        source, axes, name = inputs[0], self.fields[id(inputs[0])], operation(function)
        if function is F.pad and not _is_over_space(*args, **kwargs):
            return self.whole()
        if function in _WINDOWS:
            windows = _WINDOWS[function](*args, **kwargs)
            sides = output.shape[-2:]
            return tuple(axis.window(*w, units=n) for axis, w, n in zip(axes, windows, sides, strict=True))
        if output.ndim < 3 or source.ndim < 3:  # flattened: each unit sees what all units of its input see
            axes = self._reduced(inputs)
            return axes if output.ndim < 3 else tuple(replace(axis, stride=0) for axis in axes)
        if function in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d) or name in _REDUCTIONS:
            return self._adaptive(source, axes, output)
        if name in _MOVES and not _joins_channels(name, args, kwargs):
            return self._moved(function, args, kwargs, inputs, output)
        if name in _POINTWISE | _MOVES and not _uses_the_batch(name, args, kwargs):
            return self._pointwise(inputs, output)
        return self.whole()

    def _pointwise(self, inputs: list[Tensor], output: Tensor) -> Axes:
        if any(t.shape[-2:] != output.shape[-2:] for t in inputs):  # broadcasting or resampling over space
            return self.whole()
        return self._union(inputs)

    def _union(self, inputs: list[Tensor]) -> Axes:
        axes = self.fields[id(inputs[0])]
        for other in inputs[1:]:
            axes = tuple(a and a.union(b) for a, b in zip(axes, self.fields[id(other)], strict=True))
        return axes if all(axes) else self.whole()

    def _moved(self, function: Callable, args: tuple, kwargs: dict, inputs: list[Tensor], output: Tensor) -> Axes:
        """The fields after values were rearranged, as the numbers of rows and columns show if rearranged likewise."""
        if any(t.ndim < 3 or t.shape[-2:] != inputs[0].shape[-2:] or not t.is_floating_point() for t in inputs):
            return self.whole()
        index = next((i for i, each in enumerate(self._outputs) if each is output), 0)
        windows = []
        for dim in (-2, -1):
            numbers = function(*(_numbered(value, self.fields, dim) for value in args), **kwargs)
            windows.append(_progression(tensors_in([numbers])[index], dim))
        if None in windows:
            return self.whole()
        axes = zip(self._union(inputs), windows, output.shape[-2:], strict=True)
        return tuple(axis.window(1, step, -start, 1, units=n) for axis, (start, step), n in axes)

    def _reduced(self, inputs: list[Tensor]) -> Axes:
        """Compute the field of one window over the whole map, as after flattening or a linear layer."""
        fields = []
        for tensor in inputs:
            sides = tensor.shape[-2:] if tensor.ndim >= 4 else (1, 1)
            axes = self.fields[id(tensor)]
            fields.append([axis.window(n, n, 0, 1, units=1) for axis, n in zip(axes, sides, strict=True)])
        axes = fields[0]
        for other in fields[1:]:
            axes = [a and a.union(b) for a, b in zip(axes, other, strict=True)]
        return tuple(axes) if all(axes) else self.whole()

    def _adaptive(self, source: Tensor, axes: Axes, output: Tensor) -> Axes:
        if output.ndim != source.ndim:
            return self.whole()
        windows = []
        for axis, n, m in zip(axes, source.shape[-2:], output.shape[-2:], strict=True):
            if n % m:  # windows of unequal size: no single stride describes them
                return self.whole()
            windows.append(axis.window(n // m, n // m, 0, 1, units=m))
        return tuple(windows)


def _joins_channels(name: str, args: tuple, kwargs: dict) -> bool:
    """Whether a call concatenates maps (N, C, h, w), which needs no look at positions."""
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    return name in ("cat", "concat", "concatenate") and dim == 1 and all(t.ndim == 4 for t in tensors_in(args[:1]))


def _uses_the_batch(name: str, args: tuple, kwargs: dict) -> bool:
    return name == "batch_norm" and bool(kwargs.get("training", args[5] if len(args) > 5 else False))


def _numbered(value: object, known: dict, dim: int) -> object:
    """The same arguments with tensors of row or column numbers; NaN for those that do not depend on the picture."""
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return type(value)(_numbered(part, known, dim) for part in value)
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    if id(value) not in known:
        return torch.full_like(value, torch.nan, dtype=torch.float32)
    side = value.shape[dim]
    shape = (side, 1) if dim == -2 else (side,)
    return torch.arange(side, dtype=torch.float32, device=value.device).view(shape).expand(value.shape).contiguous()


def _progression(numbers: Tensor, dim: int) -> tuple[int, int] | None:
    """Start and step of numbers that depend on their place along one axis alone, and grow evenly; else None."""
    numbers = numbers.movedim(dim, 0).flatten(1)
    low = numbers.nan_to_num(nan=torch.inf).amin(1)
    high = numbers.nan_to_num(nan=-torch.inf).amax(1)
    places = (low <= high).nonzero()[:, 0]
    if not (low[places] == high[places]).all():
        return None
    if len(places) < 2:
        return (int(low[places]) - int(places), 1) if len(places) else (0, 1)
    step = (low[places[-1]] - low[places[0]]) / (places[-1] - places[0])
    start = low[places[0]] - places[0] * step
    even = step >= 0 and step == step.round() and torch.equal(low[places], start + places * step)
    return (int(start), int(step)) if even else None
