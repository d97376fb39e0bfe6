"""Compute receptive fields: which pixels of the picture each unit of a network depends on.

Here is how; ``receptive_field(model, layer)`` itself stands in ``layers.py``.

The network is run once and every call of a torch function is followed, so the result is exact whatever the forward
pass does: residual additions, concatenations, functional ReLUs and pools, modules that are used twice. For each row and
each column of a layer the first and the last pixel are kept that it sees, and each operation says which rows or
columns of its input those of its output are made of: the windows of a convolution or a pool, also of unequal sizes,
the mirrored or repeated border of a padding, the places from which values were moved.

Where all windows are alike, there are also the three numbers of the textbooks, padding included: unit ``i`` sees the
pixels ``offset + i * stride`` up to, but not including, ``offset + i * stride + size``. A convolution or pool with
kernel k, stride s, padding p and dilation d changes them as follows; where branches meet, a unit sees the smallest
interval that contains what it sees through each of them.

    size   += (k - 1) * d * stride
    offset -= p * stride
    stride *= s

Only operations that are known to mix nothing over space keep the fields. After everything else, a group norm or
attention, a unit counts as seeing all. A unit that sees nothing but padding has the box of those three numbers, clipped
to the picture.

Source: Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, eq. 1-8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cs231n_viz.network.interception import ELEMENTWISE, RECTIFIERS, SCALES, SUMS, operation, tensors_in


class Grid(NamedTuple):
    """Fields of one size at one distance along an axis of the picture, in pixels, padding included."""

    size: int
    stride: int
    offset: int

    def window(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> "Grid":
        """Compute the fields after a convolution or a pool."""
        size = self.size + (kernel - 1) * dilation * self.stride
        return Grid(size, self.stride * stride, self.offset - padding * self.stride)

    def union(self, other: "Grid") -> "Grid | None":
        """Compute the fields where two branches meet; None if their strides differ, so that units do not line up."""
        if self.stride != other.stride:
            return None
        start = min(self.offset, other.offset)
        return Grid(max(self.offset + self.size, other.offset + other.size) - start, self.stride, start)


@dataclass(frozen=True, eq=False)
class Axis:
    """What the rows, or the columns, of a layer see along the same axis of the picture.

    Attributes:
        side: Of the picture, in pixels.
        first: First pixel that each row sees, (n,); ``side`` where it sees nothing.
        end: One past the last pixel that it sees, (n,); 0 where it sees nothing.
        grid: Size, stride and offset where all rows see as much at one distance, but for the borders; else None.
    """

    side: int
    first: Tensor
    end: Tensor
    grid: Grid | None = None

    @classmethod
    def of_picture(cls, side: int) -> "Axis":
        """Each row of the picture sees itself."""
        places = torch.arange(side)
        return cls(side, places, places + 1, Grid(1, 1, 0))

    @classmethod
    def whole(cls, side: int, count: int) -> "Axis":
        """``count`` rows that may depend on every pixel."""
        return cls(side, torch.zeros(count, dtype=torch.long), torch.full((count,), side))

    def made_of(self, rows: Tensor, grid: Grid | None = None) -> "Axis":
        """Compute the fields after an operation: row i of its output is made of the ``rows[i]``, (n, k), of its input.

        Numbers that are no row of the input stand for padding.
        """
        inside = (rows >= 0) & (rows < len(self.first))
        rows = rows.clamp(0, len(self.first) - 1)
        first = torch.where(inside, self.first[rows], self.side).amin(1)
        return Axis(self.side, first, torch.where(inside, self.end[rows], 0).amax(1), grid)

    def window(self, kernel: int, stride: int, padding: int, dilation: int, *, units: int) -> "Axis":
        """Compute the fields of the ``units`` after a convolution or a pool."""
        rows = torch.arange(units)[:, None] * stride - padding + torch.arange(kernel) * dilation
        return self.made_of(rows, self.grid and self.grid.window(kernel, stride, padding, dilation))

    def transposed(self, kernel: int, stride: int, padding: int, dilation: int, *, units: int) -> "Axis":
        """Compute the fields of the ``units`` after a transposed convolution."""
        places = torch.arange(units)[:, None] + padding - torch.arange(kernel) * dilation
        rows = torch.where(places % stride == 0, places // stride, -1)
        spread = (kernel - 1) * dilation - padding
        return self.made_of(rows, self.grid.window(kernel, 1, spread, dilation) if self.grid and stride == 1 else None)

    def pooled(self, units: int) -> "Axis":
        """Compute the fields of the ``units`` after adaptive pooling, whose windows may differ in size."""
        n = len(self.first)
        if n % units == 0:
            return self.window(n // units, n // units, 0, 1, units=units)
        start = torch.arange(units) * n // units
        stop = (torch.arange(1, units + 1) * n + units - 1) // units
        rows = start[:, None] + torch.arange((stop - start).max())
        return self.made_of(torch.where(rows < stop[:, None], rows, -1))

    def repeated(self, count: int) -> "Axis":
        """The one row of the layer, ``count`` times."""
        return Axis(self.side, self.first.expand(count), self.end.expand(count))

    def union(self, other: "Axis") -> "Axis":
        """Compute the fields where two branches meet."""
        grid = self.grid and other.grid and self.grid.union(other.grid)
        return Axis(self.side, self.first.minimum(other.first), self.end.maximum(other.end), grid)

    @property
    def size(self) -> int:
        """Pixels that a row sees, padding included; without a grid, of the row that sees most."""
        return self.grid.size if self.grid else max(int((self.end - self.first).max()), 0)

    @property
    def stride(self) -> int:
        """Pixels between the fields of neighbouring rows; 0 without a grid."""
        return self.grid.stride if self.grid else 0

    @property
    def offset(self) -> int:
        """First pixel that row 0 sees."""
        return self.grid.offset if self.grid else self.interval(0)[0]

    def interval(self, row: int, *, clip: bool = True) -> tuple[int, int]:
        """The pixels that a row sees: the first, and one past the last."""
        first, end = int(self.first[row]), int(self.end[row])
        if first < end and (clip or not self.grid):
            return first, end
        size, stride, offset = self.grid or (0, 0, 0)
        first = offset + row * stride
        return (first, first + size) if not clip else tuple(min(max(p, 0), self.side) for p in (first, first + size))


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
        """Side of the field in pixels, padding included; of the largest where they differ; (height, width)."""
        return self._both("size")

    @property
    def stride(self) -> int | tuple[int, int]:
        """Pixels between the fields of neighbouring units; 0 where they have no one distance."""
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
            clip: Give the smallest box that holds all pixels the unit sees; else, where size and stride are the same
                for all units, their box, which may reach into the padding.

        Returns:
            (top, left, bottom, right), half-open.

        Raises:
            IndexError: If the layer has no such unit.
        """
        if not (0 <= row < self.shape[0] and 0 <= col < self.shape[1]):
            raise IndexError(f"no unit ({row}, {col}) in a map of {self.shape[0]}x{self.shape[1]}")
        top, bottom = self.rows.interval(row, clip=clip)
        left, right = self.columns.interval(col, clip=clip)
        return top, left, bottom, right


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
        "interpolate",  # to the nearest
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


def _transposed_window(
    input: Tensor, weight: Tensor, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> list:
    return _conv_window(input, weight, None, stride, padding, dilation)


_WINDOWS: dict[Callable, Callable[..., list]] = {
    torch.conv2d: _conv_window,
    F.max_pool2d: _max_window,
    torch.max_pool2d: _max_window,
    torch.nn.functional.max_pool2d_with_indices: _max_window,
    F.avg_pool2d: _average_window,
}


class FieldTracer(TorchFunctionMode):
    """Follow the receptive fields from the picture through every torch function that is called, while open."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image_size = tuple(image.shape[-2:])
        self.fields: dict[int, Axes] = {id(image): tuple(Axis.of_picture(side) for side in self.image_size)}
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
            self.fields[id(args[0])] = self._whole(args[0])
            self.alive.append(args[0])
        return result

    def _whole(self, output: Tensor) -> Axes:
        """The fields of units that may depend on every pixel."""
        return tuple(Axis.whole(side, n) for side, n in zip(self.image_size, _sides(output), strict=True))

    def _field(self, function: Callable, args: tuple, kwargs: dict, inputs: list[Tensor], output: Tensor) -> Axes:
        source, axes, name = inputs[0], self.fields[id(inputs[0])], operation(function)
        sides = _sides(output)
        if function is F.pad:
            return self._padded(output, *args, **kwargs)
        if function in _WINDOWS:
            windows = _WINDOWS[function](*args, **kwargs)
            return tuple(axis.window(*w, units=n) for axis, w, n in zip(axes, windows, sides, strict=True))
        if function is torch.conv_transpose2d:
            windows = _transposed_window(*args, **kwargs)
            return tuple(axis.transposed(*w, units=n) for axis, w, n in zip(axes, windows, sides, strict=True))
        if output.ndim < 3 or source.ndim < 3:  # flattened: each unit sees what all units of its input see
            axes = self._reduced(inputs)
            return axes if output.ndim < 3 else tuple(a.repeated(n) for a, n in zip(axes, sides, strict=True))
        if function in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d) or name in _REDUCTIONS:
            if output.ndim == source.ndim:
                return tuple(axis.pooled(n) for axis, n in zip(axes, sides, strict=True))
        elif name in _MOVES and not _joins_channels(name, args, kwargs):
            return self._moved(function, args, kwargs, inputs, output)
        elif name in _POINTWISE | _MOVES and not _uses_the_batch(name, args, kwargs):
            return self._pointwise(inputs, output)
        return self._whole(output)

    def _padded(self, output: Tensor, input: Tensor, pad: Sequence[int], mode: str = "constant", value=None) -> Axes:
        """The fields after a padding, as the numbers of the rows and columns show when padded likewise."""
        if input.ndim < 3:
            return self._whole(output)
        axes, (left, right, top, bottom) = self.fields[id(input)], (*pad, 0, 0)[:4]
        padded = []
        for axis, widths in zip(axes, ((top, bottom), (left, right)), strict=True):
            rows = torch.arange(len(axis.first), dtype=torch.float32)[None, None]
            rows = F.pad(rows, widths, mode, *([-1.0] if mode == "constant" else []))[0, 0].long()
            padded.append(axis.made_of(rows[:, None], axis.grid and axis.grid.window(1, padding=widths[0])))
        return tuple(padded)

    def _pointwise(self, inputs: list[Tensor], output: Tensor) -> Axes:
        sides, fields = _sides(output), []
        for t in inputs:
            axes = self.fields[id(t)]
            if t.ndim != output.ndim or any(n not in (1, m) for n, m in zip(_sides(t), sides, strict=True)):
                return self._whole(output)
            fields.append([a if len(a.first) == n else a.repeated(n) for a, n in zip(axes, sides, strict=True)])
        return _union(fields)

    def _moved(self, function: Callable, args: tuple, kwargs: dict, inputs: list[Tensor], output: Tensor) -> Axes:
        """The fields after values were rearranged, as the numbers of rows and columns show if rearranged likewise."""
        mode = kwargs.get("mode", args[3] if len(args) > 3 else "nearest") if function is F.interpolate else "nearest"
        alike = all(t.ndim >= 3 and t.shape[-2:] == inputs[0].shape[-2:] and t.is_floating_point() for t in inputs)
        if not alike or not mode.startswith("nearest"):
            return self._whole(output)
        index = next((i for i, each in enumerate(self._outputs) if each is output), 0)
        moved = []
        for dim, axis in zip((-2, -1), _union([self.fields[id(t)] for t in inputs]), strict=True):
            numbers = function(*(_numbered(value, self.fields, dim) for value in args), **kwargs)
            rows = _rows(tensors_in([numbers])[index], dim)
            if rows is None:
                return self._whole(output)
            moved.append(axis.made_of(rows[:, None], axis.grid and _grid_of(rows, axis.grid)))
        return tuple(moved)

    def _reduced(self, inputs: list[Tensor]) -> Axes:
        """Compute the field of one window over the whole map, as after flattening or a linear layer."""
        return _union([[axis.pooled(1) for axis in self.fields[id(tensor)]] for tensor in inputs])


def _sides(tensor: Tensor) -> tuple[int, int]:
    return tuple(tensor.shape[-2:]) if tensor.ndim >= 3 else (1, 1)


def _union(fields: Sequence[Sequence[Axis]]) -> Axes:
    axes = tuple(fields[0])
    for others in fields[1:]:
        axes = tuple(a.union(b) for a, b in zip(axes, others, strict=True))
    return axes


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


def _rows(numbers: Tensor, dim: int) -> Tensor | None:
    """The row of which each row is made, -1 for those of none; None if one is made of several."""
    numbers = numbers.movedim(dim, 0).flatten(1)
    low = numbers.nan_to_num(nan=torch.inf).amin(1)
    high = numbers.nan_to_num(nan=-torch.inf).amax(1)
    some = low <= high
    return torch.where(some, low, -1).long() if torch.equal(low[some], high[some]) else None


def _grid_of(rows: Tensor, grid: Grid) -> Grid | None:
    """Size, stride and offset after rows were moved, where those that are left follow at one distance; else None."""
    places = (rows >= 0).nonzero()[:, 0]
    step = 1
    if len(places) > 1:
        step = int(rows[places[-1]] - rows[places[0]]) // int(places[-1] - places[0])
    start = int(rows[places[0]] - places[0] * step) if len(places) else 0
    even = step >= 0 and torch.equal(rows[places], start + places * step)
    return grid.window(1, step, -start) if even else None
