"""Explorer of notebook 00: which pixels does a unit see?"""

from html import escape

import numpy as np

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, Canvas
from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown, slider
from cs231n_viz.explore.toolkit.models import Photographs, spot_on_photograph
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.explore.toolkit.tile_grid import draw_cells
from cs231n_viz.network.layers import Layer
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource

_SIDE, _TOP, _LEFT, _RIGHT = 404, 32, 8, 448  # the two squares, in CSS pixels


def receptive_fields(model: Classifier, image: ImageSource = "cat") -> Explorer:
    """Choose a unit of any layer, by a click or by sliders, and see its receptive field in the photograph.

    Args:
        model: Any classifier.
        image: What ``load_image`` takes.

    Returns:
        The explorer; ``controls`` are ``layer``, ``row``, ``col``, ``photograph`` and ``file``. A click on the map
        chooses a unit, a click on the photograph the unit whose receptive field is centred there; the arrow keys move
        on by one unit.
    """
    return _Fields(model, PictureChoice(image)).explorer


class _Fields:
    def __init__(self, model: Classifier, choice: PictureChoice) -> None:
        self.photographs = Photographs(model, choice)
        self.layers = {layer.name: layer for layer in model.layers() if len(layer.shape) == 3}
        names = list(self.layers)
        layer = names[len(names) // 2]
        self.controls = {"layer": dropdown("layer", names, value=layer)}
        for name, label, side in zip(("row", "col"), ("row", "column"), self.layers[layer].shape[1:], strict=True):
            self.controls[name] = slider(label, 0, side - 1, value=side // 2)
        self.controls |= {"photograph": choice.dropdown, "file": choice.file}
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(
            self.draw,
            self.controls,
            view=ClickablePicture(alt="The photograph with the receptive field, and the map with the unit."),
            panel=[("layer", "photograph"), ("row", "col"), ("file",)],
            first=("layer", "photograph", "row", "col"),
            pointing="Click a unit on the map, or the place in the photograph that it should look at.",
        )

    def _follow_layer(self, change: dict) -> None:
        """Keep the relative place on the map when the layer changes."""
        with self.explorer.hold():
            for name, side in zip(("row", "col"), self.layers[change["new"]].shape[1:], strict=True):
                control = self.controls[name]
                share = (control.value + 0.5) / (control.max + 1)
                control.max = side - 1
                control.value = min(int(share * side), side - 1)

    def _choose(self, row: int, col: int) -> None:
        self.controls["row"].value, self.controls["col"].value = row, col

    def draw(self, layer: str, row: int, col: int, photograph: str) -> Drawing:
        chosen, photo = self.layers[layer], self.photographs.shown(photograph)
        row, col = min(row, chosen.shape[1] - 1), min(col, chosen.shape[2] - 1)
        canvas = Canvas(472)
        _field(canvas, photo, chosen.field.box(row, col))
        canvas.heading(_RIGHT, f"unit ({row}, {col}) of {layer}")
        mean = self.photographs.maps(photograph, layer).mean(0)
        cells = {"side": _SIDE, "choose": self._choose, "chosen": (row, col)}
        spots = (
            draw_cells(canvas, mean, (_RIGHT, _TOP), **cells),
            spot_on_photograph((_LEFT, _TOP), _SIDE, chosen.field, self._choose),
        )
        caption = "mean of {} maps of {}×{}".format(*chosen.shape)
        canvas.text((_RIGHT + _SIDE, _TOP + _SIDE + 8), caption, size=12, colour=GREY, anchor="ra")
        return Drawing(canvas.array, _sentence(chosen, row, col), spots=spots)


def _field(canvas: Canvas, photo: np.ndarray, box: tuple[int, int, int, int]) -> None:
    top, left, bottom, right = box
    pale = (255 - (255 - photo) * 0.4).astype(np.uint8)
    pale[top:bottom, left:right] = photo[top:bottom, left:right]
    canvas.heading(_LEFT, f"what it sees: {bottom - top}×{right - left} pixels")
    canvas.paste(pale, (_LEFT, _TOP), (_SIDE, _SIDE), smooth=True)
    canvas.box(box, (_LEFT, _TOP), _SIDE / photo.shape[0], width=3)


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
