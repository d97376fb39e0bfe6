"""The arithmetic of a stack of layers: sizes, numbers of parameters, receptive fields."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

KINDS = ("convolution", "pooling", "fully connected")


@dataclass(frozen=True)
class Stage:
    """One layer of a stack.

    Attributes:
        kind: One of :data:`KINDS`.
        filters: Filters of a convolution, units of a fully connected layer; pooling ignores it.
        kernel: Side of the window.
        stride: Of the window.
        padding: Zeros around the input.
    """

    kind: str
    filters: int = 0
    kernel: int = 1
    stride: int = 1
    padding: int = 0

    @property
    def title(self) -> str:
        """The name of the layer in tables."""
        if self.kind == "fully connected":
            return f"fully connected, {self.filters} units"
        extra = f", stride {self.stride}" if self.stride > 1 else ""
        extra += f", padding {self.padding}" if self.padding else ""
        many = f", {self.filters} filters" if self.kind == "convolution" else ""
        return f"{self.kind} {self.kernel}×{self.kernel}{many}{extra}"


@dataclass(frozen=True)
class Row:
    """The output and the parameters of one layer of a stack.

    Attributes:
        stage: The layer.
        shape: (height, width, channels) of its output; None where it cannot be built.
        weights: Number of weights.
        biases: Number of biases.
        field: Side of its receptive field in pixels; 0 where a unit sees the whole picture.
        note: Why it cannot be built, or what its rounded output size leaves out; else empty.
    """

    stage: Stage
    shape: tuple[int, int, int] | None
    weights: int = 0
    biases: int = 0
    field: int = 0
    note: str = ""


@dataclass(frozen=True)
class Formulas:
    """Functions that a learner may bring; None stands for ours.

    Attributes:
        output_size: ``(size, *, kernel, stride, padding)`` -> length; may raise ValueError where it does not fit.
        parameter_count: ``(in_channels, out_channels, kernel, *, bias)`` -> number of parameters.
        receptive_field: ``([(kernel, stride), ...])`` -> side in pixels.
    """

    output_size: Callable[..., int] | None = None
    parameter_count: Callable[..., int] | None = None
    receptive_field: Callable[..., int] | None = None


def compute_stack(shape: tuple[int, int, int], stages: Sequence[Stage], formulas: Formulas | None = None) -> list[Row]:
    """Compute the output size, the parameters and the receptive field of each layer of a stack.

    Args:
        shape: (height, width, channels) of the picture.
        stages: The layers, from the picture onwards.
        formulas: A learner's own functions instead of ours.

    Returns:
        One row per layer. Where a window does not fit at all, its row and the following have no shape.
    """
    formulas = formulas or Formulas()
    rows: list[Row] = []
    current: tuple[int, int, int] | None = shape
    windows: list[tuple[int, int]] = []  # (kernel, stride) so far
    flat = False
    for stage in stages:
        if current is None:
            rows.append(Row(stage, None, note="has no input"))
            continue
        flat = flat or stage.kind == "fully connected"
        if flat and stage.kind != "fully connected":
            row = Row(stage, None, note="cannot follow a fully connected layer, whose output has no rows and columns")
        elif flat:
            row = _fully_connected(stage, current, formulas)
        else:
            windows.append((stage.kernel, stage.stride))
            row = _windowed(stage, current, windows, formulas)
        rows.append(row)
        current = row.shape
    return rows


def _fully_connected(stage: Stage, shape: tuple[int, int, int], formulas: Formulas) -> Row:
    inputs = shape[0] * shape[1] * shape[2]
    return Row(stage, (1, 1, stage.filters), *_parameters(inputs, stage.filters, 1, formulas))


def _windowed(stage: Stage, shape: tuple[int, int, int], windows: list[tuple[int, int]], formulas: Formulas) -> Row:
    sizes, notes = zip(*(_size(side, stage, formulas) for side in shape[:2]), strict=True)
    note = "; ".join(dict.fromkeys(filter(None, notes)))
    if min(sizes) < 1:
        return Row(stage, None, note=note)
    field = (formulas.receptive_field or _field)(windows)
    if stage.kind == "pooling":
        return Row(stage, (*sizes, shape[2]), field=field, note=note)
    parameters = _parameters(shape[2], stage.filters, stage.kernel, formulas)
    return Row(stage, (*sizes, stage.filters), *parameters, field, note)


def _size(side: int, stage: Stage, formulas: Formulas) -> tuple[int, str]:
    padded = side + 2 * stage.padding
    room = padded - stage.kernel
    if room < 0:
        return 0, f"a window of {stage.kernel} is larger than its input of {padded}: make it smaller, or pad"
    size, note = room // stage.stride + 1, ""
    if room % stage.stride:
        parts = f"{side} + 2·{stage.padding} − {stage.kernel}" if stage.padding else f"{side} − {stage.kernel}"
        steps = room / stage.stride
        note = f"({parts}) / {stage.stride} = {steps:g} is not whole: rounded down, {room % stage.stride} px never seen"
    if formulas.output_size is not None:
        try:
            size = int(formulas.output_size(side, kernel=stage.kernel, stride=stage.stride, padding=stage.padding))
        except ValueError as error:  # the exercise asks for one where the steps do not divide
            note = note or f"your output_size refuses: {error}"
    return size, note


def _parameters(inputs: int, outputs: int, kernel: int, formulas: Formulas) -> tuple[int, int]:
    if formulas.parameter_count is None:
        return inputs * outputs * kernel * kernel, outputs
    weights = formulas.parameter_count(inputs, outputs, kernel, bias=False)
    return weights, formulas.parameter_count(inputs, outputs, kernel, bias=True) - weights


def _field(windows: Sequence[tuple[int, int]]) -> int:
    field, step = 1, 1
    for kernel, stride in windows:
        field += (kernel - 1) * step
        step *= stride
    return field


def _conv(filters: int, kernel: int, stride: int = 1, padding: int = 0) -> Stage:
    return Stage("convolution", filters, kernel, stride, padding)


def _pool(kernel: int, stride: int) -> Stage:
    return Stage("pooling", 0, kernel, stride)


def _dense(units: int) -> Stage:
    return Stage("fully connected", units)


PRESETS: dict[str, tuple[tuple[int, int, int], list[Stage]]] = {
    "39 × 31 × 1, of lecture notes": ((39, 31, 1), [_conv(20, 4), _pool(2, 2), _dense(10)]),
    "AlexNet": (
        (224, 224, 3),
        [
            *(_conv(64, 11, 4, 2), _pool(3, 2), _conv(192, 5, 1, 2), _pool(3, 2)),
            *(_conv(384, 3, 1, 1), _conv(256, 3, 1, 1), _conv(256, 3, 1, 1), _pool(3, 2)),
            *(_dense(4096), _dense(4096), _dense(1000)),
        ],
    ),
    "mini_vgg": (
        (192, 192, 3),
        [
            *(_conv(32, 3, 1, 1), _pool(2, 2), _conv(64, 3, 1, 1), _pool(2, 2)),
            *(_conv(96, 3, 1, 1), _conv(96, 3, 1, 1), _pool(2, 2)),
            *(_conv(160, 3, 1, 1), _conv(160, 3, 1, 1), _pool(2, 2)),
            *(_conv(256, 3, 1, 1), _conv(256, 3, 1, 1), _pool(12, 1), _dense(113)),
        ],
    ),
    "three 3×3 for one 7×7": ((32, 32, 16), [_conv(16, 3), _conv(16, 3), _conv(16, 3)]),
}
