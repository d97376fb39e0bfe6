"""Explorer of notebook 00: which pixels does a unit see?"""

import math

import ipywidgets as widgets
import numpy as np

from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import GREY, ORANGE, SCALE, Canvas, coloured, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.network.capture import activations
from cs231n_viz.network.layers import Layer
from cs231n_viz.network.models import Classifier
from cs231n_viz.network.receptive_field import Axis
from cs231n_viz.pictures.images import ImageSource

_SIDE, _TOP, _LEFT, _RIGHT = 404, 32, 8, 448  # the two squares, in CSS pixels
_MOST_VALUES = 50_000_000  # of all layers together, 200 MB: beyond that a layer is run when it is chosen


def receptive_fields(model: Classifier, image: ImageSource = "cat") -> Explorer:
    """Choose a unit of any layer, by a click or by sliders, and see the pixels that it can see.

    Args:
        model: Any classifier.
        image: What ``load_image`` takes.

    Returns:
        The explorer; ``controls`` are ``layer``, ``row`` and ``col``. A click on the map chooses a unit, a click on
        the photograph the unit whose field is centred there; the arrow keys move on by one unit.

    Raises:
        ImageError: If the image cannot be read.
    """
    return _Fields(model, image).explorer


class _Fields:
    def __init__(self, model: Classifier, image: ImageSource) -> None:
        self.model, self.images = model, model.prepare(image)
        self.photo = to_pixels(self.images[0].cpu())
        self.layers = {layer.name: layer for layer in model.layers() if len(layer.shape) == 3}
        self.maps: dict[str, np.ndarray] = {}  # layer -> mean over its channels
        if sum(math.prod(layer.shape) for layer in self.layers.values()) <= _MOST_VALUES:
            self._run(list(self.layers))  # one pass for all, so that no later change waits for the network
        names = list(self.layers)
        self.controls = {
            "layer": dropdown("layer", names, value=names[len(names) // 2]),
            "row": slider("row", 0, 0),
            "col": slider("column", 0, 0),
        }
        self.layer = self.layers[self.controls["layer"].value]
        for name, side in zip(("row", "col"), self.layer.shape[1:], strict=True):
            self.controls[name].max = side - 1
            self.controls[name].value = side // 2
        self.view = ClickablePicture(alt="The photograph with the receptive field, and the map with the unit.")
        panel = [
            self.controls["layer"],
            widgets.HBox([self.controls["row"], self.controls["col"]], layout=GAP),
        ]
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=panel)
        self.view.observe(self._follow_click, names="position")

    def _run(self, names: list[str]) -> None:
        found = activations(self.model, self.images, names)
        self.maps.update({name: maps[0].mean(0).cpu().numpy() for name, maps in found.items()})

    def _follow_layer(self, change: dict) -> None:
        """Keep the relative place on the map when the layer changes."""
        self.layer = self.layers[change["new"]]
        with self.explorer.hold():
            for name, side in zip(("row", "col"), self.layer.shape[1:], strict=True):
                control = self.controls[name]
                share = (control.value + 0.5) / (control.max + 1)
                control.max = side - 1
                control.value = min(int(share * side), side - 1)

    def _follow_click(self, change: dict) -> None:
        y, x = (value / SCALE - edge for value, edge in zip(change["new"], (_TOP, 0), strict=True))
        rows, columns = self.layer.shape[1:]
        if x >= (_LEFT + _SIDE + _RIGHT) / 2:
            row, col = int(y / _SIDE * rows), int((x - _RIGHT) / _SIDE * columns)
        else:
            scale = self.photo.shape[0] / _SIDE
            field = self.layer.field
            row, col = _centred_at(y * scale, field.rows), _centred_at((x - _LEFT) * scale, field.columns)
        with self.explorer.hold():
            self.controls["row"].value = min(max(row, 0), rows - 1)
            self.controls["col"].value = min(max(col, 0), columns - 1)

    def draw(self, layer: str, row: int, col: int) -> Drawing:
        chosen = self.layers[layer]
        rows, columns = chosen.shape[1:]
        row, col = min(row, rows - 1), min(col, columns - 1)
        box = chosen.field.box(row, col)
        canvas = Canvas(462)
        self._photograph(canvas, box)
        self._map(canvas, chosen, row, col)
        self.view.step = (max(1, round(_SIDE * SCALE / rows)), max(1, round(_SIDE * SCALE / columns)))
        return Drawing(canvas.array, _sentence(chosen, row, col))

    def _photograph(self, canvas: Canvas, box: tuple[int, int, int, int]) -> None:
        top, left, bottom, right = box
        pale = (255 - (255 - self.photo) * 0.4).astype(np.uint8)
        pale[top:bottom, left:right] = self.photo[top:bottom, left:right]
        scale = _SIDE / self.photo.shape[0]
        canvas.text((_LEFT, 4), f"what it sees: {bottom - top}×{right - left} pixels", size=16, bold=True)
        canvas.paste(pale, (_LEFT, _TOP), (_SIDE, _SIDE), smooth=True)
        at = (_LEFT + left * scale, _TOP + top * scale)
        canvas.frame(at, (max(4, (right - left) * scale), max(4, (bottom - top) * scale)), colour=ORANGE, width=3)

    def _map(self, canvas: Canvas, layer: Layer, row: int, col: int) -> None:
        channels, rows, columns = layer.shape
        if layer.name not in self.maps:
            self._run([layer.name])
        values = self.maps[layer.name]
        colours = coloured(values, float(np.abs(values).max()), signed=bool(values.min() < 0))
        canvas.text((_RIGHT, 4), f"unit ({row}, {col}) of {layer.name}", size=16, bold=True)
        canvas.paste(colours, (_RIGHT, _TOP), (_SIDE, _SIDE))
        height, width = _SIDE / rows, _SIDE / columns
        high, wide = max(height, 10), max(width, 10)
        at = (_RIGHT + (col + 0.5) * width - wide / 2, _TOP + (row + 0.5) * height - high / 2)
        canvas.frame((at[0] - 1.5, at[1] - 1.5), (wide + 3, high + 3), colour=(255, 255, 255), width=1.5)
        canvas.frame(at, (wide, high), colour=ORANGE, width=3)
        caption = f"mean of {channels} maps of {rows}×{columns}"
        canvas.text((_RIGHT + _SIDE, 456), caption, size=12, colour=GREY, anchor="rs")


def _centred_at(pixel: float, axis: Axis) -> int:
    """The unit whose receptive field has its centre nearest to ``pixel``."""
    return round((pixel - axis.offset - axis.size / 2) / axis.stride) if axis.stride else 0


def _sentence(layer: Layer, row: int, col: int) -> str:
    top, left, bottom, right = layer.field.box(row, col)
    size, stride = layer.receptive_field, layer.stride
    whole = f"{size}×{size}" if isinstance(size, int) else "×".join(map(str, size))
    text = f"A unit of <b>{layer.name}</b> ({layer.kind}) sees {whole} pixels; the next unit looks {stride} px further."
    text += f" This one: rows {top} to {bottom - 1}, columns {left} to {right - 1}."
    if (top, left, bottom, right) != layer.field.box(row, col, clip=False):
        text += " The rest of its field lies in the padding, which is zero."
    return f'<div style="line-height: 1.5; max-width: 850px">{text}</div>'
