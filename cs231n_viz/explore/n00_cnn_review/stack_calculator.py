"""Explorer of notebook 00: a calculator for a stack of layers that the learner edits."""

import html
from collections.abc import Callable
from dataclasses import replace

import ipywidgets as widgets
import numpy as np

from cs231n_viz.explore.n00_cnn_review.stack_sizes import KINDS, PRESETS, Formulas, Row, Stage, compute_stack
from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import BLUE, GREEN, GREY, INK, ORANGE, Canvas, Colour
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, number_box
from cs231n_viz.explore.toolkit.picture import WIDTH, ClickablePicture, Spot

_COLOURS: dict[str, Colour] = {"convolution": BLUE, "pooling": ORANGE, "fully connected": GREEN}
_HIGH = 250  # of the picture
_MOST_LAYERS = 16  # more would not be readable
_FIELDS = {"kernel": (1, 32), "stride": (1, 16), "padding": (0, 16), "filters": (1, 10000)}


def stack_calculator(
    *,
    output_size: Callable[..., int] | None = None,
    parameter_count: Callable[..., int] | None = None,
    receptive_field: Callable[..., int] | None = None,
) -> Explorer:
    """Edit a stack of layers; see the output size, the parameters and the receptive field of each.

    Args:
        output_size: A function of your own, ``(size, *, kernel, stride, padding)`` -> length.
        parameter_count: Your own ``(in_channels, out_channels, kernel, *, bias)`` -> number of parameters.
        receptive_field: Your own ``([(kernel, stride), ...])`` -> side in pixels.

    Returns:
        The explorer; ``controls`` are ``preset``, ``height``, ``width``, ``channels``, ``layer`` (which one is
        edited), ``kind``, ``kernel``, ``stride``, ``padding``, ``filters``, ``add`` and ``remove``. A click on a
        block chooses the layer that makes it.
    """
    return _Calculator(Formulas(output_size, parameter_count, receptive_field)).explorer


class _Calculator:
    """The stack and the controls that edit one layer of it at a time."""

    def __init__(self, formulas: Formulas) -> None:
        self.formulas = formulas
        self.stages: list[Stage] = []
        self._filling = False
        self.explorer: Explorer | None = None
        self.controls = self._make_controls()
        self._load_preset()
        self.explorer = Explorer(
            self.draw,
            self.controls,
            panel=self._panel(),
            view=ClickablePicture(alt="The volumes between the layers, as blocks."),
            hint="Change a number, or choose a preset.",
            pointing="Click a block to edit the layer that makes it.",
        )
        for name in ("height", "width", "channels"):
            self.controls[name].observe(self.explorer.update, names="value")

    def _make_controls(self) -> dict[str, widgets.Widget]:
        controls: dict[str, widgets.Widget] = {
            "preset": dropdown("start from", list(PRESETS)),
            "height": number_box("height", 1, 1024, 32),
            "width": number_box("width", 1, 1024, 32),
            "channels": number_box("channels", 1, 1024, 3),
            "layer": widgets.Select(options=[("", 0)], rows=8, layout=widgets.Layout(width="400px")),
            "kind": dropdown("kind", KINDS),
            **{name: number_box(name, low, high, low) for name, (low, high) in _FIELDS.items()},
            "add": widgets.Button(description="add below", icon="plus", tooltip="add a copy below this layer"),
            "remove": widgets.Button(description="remove", icon="trash", tooltip="remove this layer"),
        }
        controls["layer"].tooltip = "the layer to edit"
        controls["kind"].layout.width = "308px"
        controls["preset"].observe(self._load_preset, names="value")
        controls["layer"].observe(self._show_layer, names="value")
        for name in ("kind", *_FIELDS):
            controls[name].observe(self._edit, names="value")
        controls["add"].on_click(self._add)
        controls["remove"].on_click(self._remove)
        return controls

    def _panel(self) -> list[widgets.Widget]:
        part = self.controls
        size = widgets.HBox([part["height"], part["width"], part["channels"]])
        numbers = widgets.HBox(
            [widgets.VBox([part["kernel"], part["padding"]]), widgets.VBox([part["stride"], part["filters"]])]
        )
        buttons = widgets.HBox([part["add"], part["remove"]], layout=widgets.Layout(margin="4px 0 0 94px"))
        editor = widgets.VBox([part["kind"], numbers, buttons])
        return [part["preset"], size, widgets.HBox([part["layer"], editor], layout=GAP)]

    def _load_preset(self, _: object = None) -> None:
        shape, stages = PRESETS[self.controls["preset"].value]
        self.stages = list(stages)
        self._filling = True
        for name, value in zip(("height", "width", "channels"), shape, strict=True):
            self.controls[name].value = value
        self._filling = False
        self._list_layers(0)

    def _list_layers(self, chosen: int) -> None:
        """Rewrite the list of layers, select one, and fill the editor with it."""
        self._filling = True
        titles = [(f"{number}  {stage.title}", number - 1) for number, stage in enumerate(self.stages, start=1)]
        self.controls["layer"].options = titles
        self.controls["layer"].value = chosen
        self._filling = False
        self._show_layer()

    def _show_layer(self, _: object = None) -> None:
        if self._filling:
            return
        stage = self.stages[self.controls["layer"].value]
        self._filling = True
        for name in ("kind", *_FIELDS):
            self.controls[name].value = max(getattr(stage, name), 1) if name == "filters" else getattr(stage, name)
        for name in _FIELDS:
            self.controls[name].disabled = (stage.kind == "pooling") if name == "filters" else stage.kind == KINDS[2]
        self._filling = False
        if self.explorer is not None:
            self.explorer.update()

    def _edit(self, change: dict) -> None:
        if self._filling:
            return
        chosen = self.controls["layer"].value
        values = {name: self.controls[name].value for name in ("kind", *_FIELDS)}
        self.stages[chosen] = replace(self.stages[chosen], **values)
        self._list_layers(chosen)

    def _add(self, _: object) -> None:
        if len(self.stages) < _MOST_LAYERS:
            chosen = self.controls["layer"].value
            self.stages.insert(chosen + 1, self.stages[chosen])
            self._list_layers(chosen + 1)

    def _remove(self, _: object) -> None:
        if len(self.stages) > 1:
            chosen = self.controls["layer"].value
            del self.stages[chosen]
            self._list_layers(min(chosen, len(self.stages) - 1))

    def draw(self) -> Drawing:
        shape = tuple(self.controls[name].value for name in ("height", "width", "channels"))
        rows = compute_stack(shape, self.stages, self.formulas)
        chosen = self.controls["layer"].value
        notes = [f"Layer {n}: {html.escape(row.note)}." for n, row in enumerate(rows, start=1) if row.note]
        if len(self.stages) == _MOST_LAYERS:
            notes.append(f"{_MOST_LAYERS} layers are the most this calculator holds.")
        slot = _slot(len(rows))
        size, cells = (slot * len(rows), _HIGH), (1, len(rows))
        spot = Spot(
            (8 + slot, 0), size, cells, lambda _, layer: setattr(self.controls["layer"], "value", layer), (0, chosen)
        )
        return Drawing(_volumes(shape, rows, chosen), _table(shape, rows, chosen), "<br>".join(notes[:2]), spots=[spot])


def _slot(layers: int) -> float:
    """The width that each block has, the input among them."""
    return min(150, (WIDTH - 16) / (layers + 1))


def _volumes(shape: tuple[int, int, int], rows: list[Row], chosen: int) -> np.ndarray:
    canvas = Canvas(_HIGH)
    blocks = [(shape, GREY, "input"), *((row.shape, _COLOURS[row.stage.kind], _short(row.stage)) for row in rows)]
    slot = _slot(len(rows))
    tallest = max(shape[:2])
    most = max(s[2] for s, colour, _ in blocks if s and colour != GREEN)
    for index, (size, colour, label) in enumerate(blocks):
        middle = 8 + (index + 0.5) * slot
        bold = index == chosen + 1
        small = 13 if slot > 75 else 10 if slot > 60 else 9
        canvas.text((middle, 14), label, size=small, anchor="mm", colour=INK if bold else GREY, bold=bold)
        if size is None:
            canvas.text((middle, 120), "?", size=30, colour=ORANGE, anchor="mm", bold=True)
            continue
        _block(canvas, (middle, 120), size, (tallest, most, slot), colour=colour, bold=bold)
        flat = index > 0 and rows[index - 1].stage.kind == KINDS[2]
        canvas.text((middle, 218), f"{size[2]}" if flat else f"{size[0]}×{size[1]}", size=small, anchor="mm", bold=bold)
        canvas.text((middle, 236), "units" if flat else f"×{size[2]}", size=small, anchor="mm", colour=GREY)
    return canvas.array


def _short(stage: Stage) -> str:
    names = {"convolution": "conv", "pooling": "pool", "fully connected": "fc"}
    return names[stage.kind] + ("" if stage.kind == KINDS[2] else f" {stage.kernel}×{stage.kernel}")


def _block(
    canvas: Canvas,
    middle: tuple[float, float],
    size: tuple[int, int, int],
    room: tuple[int, int, float],
    *,
    colour: Colour,
    bold: bool,
) -> None:
    """A box in oblique view: as high and deep as the map, as thick as it has channels (by square roots)."""
    tallest, most, slot = room
    height, width, channels = size
    up = 6 + 104 * (height / tallest) ** 0.5
    away = (3 + 46 * (width / tallest) ** 0.5) * min(1.0, slot / 100)
    thick = 3 + (slot * 0.5 - 6) * min(1.0, channels / most) ** 0.5
    x, y = middle[0] - (thick + away) / 2, middle[1] + up / 2 + away * 0.35
    lift = away * 0.7
    shades = [tuple(round(255 - (255 - c) * share) for c in colour) for share in (0.55, 0.3, 0.75)]
    front = [(x, y), (x + thick, y), (x + thick, y - up), (x, y - up)]
    top = [(x, y - up), (x + thick, y - up), (x + thick + away, y - up - lift), (x + away, y - up - lift)]
    side = [(x + thick, y), (x + thick + away, y - lift), (x + thick + away, y - up - lift), (x + thick, y - up)]
    for face, shade in zip((front, top, side), shades, strict=True):
        canvas.polygon(face, fill=shade, colour=INK if bold else colour)


def _table(shape: tuple[int, int, int], rows: list[Row], chosen: int) -> str:
    height, width, channels = shape
    head = "".join(f'<th style="{_CELL}">{t}</th>' for t in ("layer", "output", "weights", "biases", "receptive field"))
    body = _line(["input", f"{height}×{width}×{channels}", "", "", "1"])
    for index, row in enumerate(rows):
        body += _line(_cells(row, height, width), marked=index == chosen)
    weights, biases = sum(row.weights for row in rows), sum(row.biases for row in rows)
    total = _line([f"together {weights + biases:,}", "", f"{weights:,}", f"{biases:,}", ""], top=True)
    return f'<table style="border-collapse: collapse; line-height: 1.5">{f"<tr>{head}</tr>{body}{total}"}</table>'


_CELL = "padding: 1px 14px; text-align: right"


def _cells(row: Row, height: int, width: int) -> list[str]:
    if row.shape is None:
        return [row.stage.title, "—", "—", "—", "—"]
    flat = row.stage.kind == KINDS[2]
    size = f"{row.shape[2]} units" if flat else "×".join(map(str, row.shape))
    sees = "everything" if flat else f"{row.field}×{row.field}"
    if not flat and row.field > max(height, width):
        sees += " (more than the picture)"
    return [row.stage.title, size, f"{row.weights:,}", f"{row.biases:,}", sees]


def _line(cells: list[str], *, marked: bool = False, top: bool = False) -> str:
    style = ("background: #0072B222; font-weight: 600;" if marked else "") + ("border-top: 1px solid;" if top else "")
    first = f'<td style="{_CELL}; text-align: left">{cells[0]}</td>'
    return f'<tr style="{style}">{first}' + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells[1:]) + "</tr>"
