"""Explorer of notebook 00: which pixels does a unit see?"""

import math
from html import escape

import numpy as np

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, ORANGE, PAPER, SCALE, Canvas, coloured, position_in
from cs231n_viz.explore.toolkit.controls import dropdown, slider
from cs231n_viz.explore.toolkit.models import unit_seeing
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.network.capture import activations
from cs231n_viz.network.layers import Layer
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource, to_uint8

_SIDE, _TOP, _LEFT, _RIGHT = 404, 32, 8, 448  # the two squares, in CSS pixels
_MOST_VALUES = 50_000_000  # of all layers together, 200 MB: beyond that a layer is run when it is chosen


def receptive_fields(model: Classifier, image: ImageSource = "cat") -> Explorer:
    """Choose a unit of any layer, by a click or by sliders, and see its receptive field in the photograph.

    Args:
        model: Any classifier.
        image: What ``load_image`` takes.

    Returns:
        The explorer; ``controls`` are ``layer``, ``row`` and ``col``. A click on the map chooses a unit, a click on
        the photograph the unit whose receptive field is centred there; the arrow keys move on by one unit.

    Raises:
        ImageError: If the image cannot be read.
    """
    return _Fields(model, image).explorer


class _Fields:
    def __init__(self, model: Classifier, image: ImageSource) -> None:
        self.model, self.images = model, model.prepare(image)
        self.photo = to_uint8(self.images[0])
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
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=[("layer",), ("row", "col")])
        self.view.observe(self._follow_click, names="position")

    def _run(self, names: list[str]) -> None:
        maps = activations(self.model, self.images, names)
        self.maps.update({name: values[0].mean(0).cpu().numpy() for name, values in maps.items()})

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
        on_photo = position_in(change["new"], (_LEFT, _TOP), _SIDE)
        on_map = position_in(change["new"], (_RIGHT, _TOP), _SIDE)
        if on_photo:
            row, col = unit_seeing(on_photo, self.layer.field)
        elif on_map:
            row, col = (int(share * cells) for share, cells in zip(on_map, self.layer.shape[1:], strict=True))
        else:
            return
        with self.explorer.hold():
            self.controls["row"].value, self.controls["col"].value = row, col

    def draw(self, layer: str, row: int, col: int) -> Drawing:
        chosen = self.layers[layer]
        rows, columns = chosen.shape[1:]
        row, col = min(row, rows - 1), min(col, columns - 1)
        box = chosen.field.box(row, col)
        canvas = Canvas(462)
        self._photograph(canvas, box)
        self._map(canvas, chosen, row, col)
        self.view.step = (max(1, round(_SIDE * SCALE / rows)), max(1, round(_SIDE * SCALE / columns)))
        at = _RIGHT + (col + 0.5) * _SIDE / columns, _TOP + (row + 0.5) * _SIDE / rows
        return Drawing(canvas.array, _sentence(chosen, row, col), at=at)

    def _photograph(self, canvas: Canvas, box: tuple[int, int, int, int]) -> None:
        top, left, bottom, right = box
        pale = (255 - (255 - self.photo) * 0.4).astype(np.uint8)
        pale[top:bottom, left:right] = self.photo[top:bottom, left:right]
        canvas.heading(_LEFT, f"what it sees: {bottom - top}×{right - left} pixels")
        canvas.paste(pale, (_LEFT, _TOP), (_SIDE, _SIDE), smooth=True)
        canvas.box(box, (_LEFT, _TOP), _SIDE / self.photo.shape[0], width=3)

    def _map(self, canvas: Canvas, layer: Layer, row: int, col: int) -> None:
        channels, rows, columns = layer.shape
        if layer.name not in self.maps:
            self._run([layer.name])
        values = self.maps[layer.name]
        colours = coloured(values, float(np.abs(values).max()), signed=bool(values.min() < 0))
        canvas.heading(_RIGHT, f"unit ({row}, {col}) of {layer.name}")
        canvas.paste(colours, (_RIGHT, _TOP), (_SIDE, _SIDE))
        height, width = _SIDE / rows, _SIDE / columns
        high, wide = max(height, 10), max(width, 10)
        at = (_RIGHT + (col + 0.5) * width - wide / 2, _TOP + (row + 0.5) * height - high / 2)
        canvas.frame((at[0] - 1.5, at[1] - 1.5), (wide + 3, high + 3), colour=PAPER, width=1.5)
        canvas.frame(at, (wide, high), colour=ORANGE, width=3)
        caption = f"mean of {channels} maps of {rows}×{columns}"
        canvas.text((_RIGHT + _SIDE, 456), caption, size=12, colour=GREY, anchor="rs")


def _sentence(layer: Layer, row: int, col: int) -> str:
    top, left, bottom, right = layer.field.box(row, col)
    size, stride = layer.receptive_field, layer.stride
    whole = f"{size}×{size}" if isinstance(size, int) else "×".join(map(str, size))
    what = f"<b>{escape(layer.name)}</b> ({escape(layer.kind)})"
    text = f"A unit of {what} sees {whole} pixels; neighbours are {stride} px apart."
    text += f" This one: rows {top} to {bottom - 1}, columns {left} to {right - 1}."
    if (top, left, bottom, right) != layer.field.box(row, col, clip=False):
        text += " The rest of its field lies in the padding, which is zero."
    return paragraph(text)
