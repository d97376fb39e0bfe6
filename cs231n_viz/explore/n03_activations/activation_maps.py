"""Explorer of notebook 03: where in a photograph does a unit answer, and which pixels does it see?"""

from collections.abc import Callable
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import GREY, ORANGE, PALE, SCALE, Canvas, coloured, number, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.explore.toolkit.tiles import Sheet
from cs231n_viz.network.capture import activations
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import sample_images

ORDERS = ("by channel", "by mean", "by maximum")
_ROOM, _TILE = 404, 190  # CSS pixels of the grid, and of each picture beside it
_MAP, _MASKED, _PHOTO, _SEEN = (450, 32), (662, 32), (450, 246), (662, 246)  # their corners, (x, y)
_KEPT = 12  # pairs of photograph and layer whose maps are remembered; at most 6 MB each in the shipped networks


def activation_maps(
    model: Classifier,
    photograph: str = "cat",
    layer: str | None = None,
    *,
    threshold_mask: Callable[..., Tensor] | None = None,
) -> Explorer:
    """See all maps of a layer at once, one of them as a mask over the photograph, and what one of its cells sees.

    Args:
        model: Any classifier.
        photograph: The one to begin with, of ``sample_images()``.
        layer: The layer to begin with; the last one with maps of more than one cell if omitted.
        threshold_mask: If given, masks the photograph: ``threshold_mask(map (h, w), image (3, H, W), quantile=)`` ->
            (3, H, W).

    Returns:
        The explorer; ``controls`` are ``photograph``, ``layer``, ``order``, ``unit``, ``quantile`` in per cent, ``row``
        and ``col``. A click in the grid chooses a unit, one on the large map a cell, and one on a photograph the
        cell whose receptive field is centred there; the arrow keys move on from the last click.

    Raises:
        KeyError: If ``layer`` has no maps.
    """
    return _Maps(model, photograph, layer, threshold_mask or darkened).explorer


def darkened(activation: Tensor, image: Tensor, *, quantile: float = 0.9) -> Tensor:
    """The photograph where a unit's map, stretched, is above its quantile; elsewhere a quarter as bright.

    Args:
        activation: (h, w).
        image: (3, H, W).
        quantile: Share of the map's cells below the threshold.

    Returns:
        (3, H, W).
    """
    stretched = F.interpolate(activation[None, None], size=image.shape[1:], mode="bilinear", align_corners=False)
    return torch.where(stretched[0, 0] > activation.flatten().quantile(quantile), image, image / 4)


class _Maps:
    def __init__(self, model: Classifier, photograph: str, layer: str | None, mask: Callable[..., Tensor]) -> None:
        self.model, self.mask = model, mask
        self.layers = {entry.name: entry for entry in model.layers() if len(entry.shape) == 3 and entry.shape[1] > 1}
        chosen = list(self.layers)[-1] if layer is None else layer
        if chosen not in self.layers:
            raise KeyError(f"{model.name} has no maps in layer {layer!r}; those with maps: {', '.join(self.layers)}")
        self.images: dict[str, Tensor] = {}
        self.look = lru_cache(maxsize=_KEPT)(self._look)
        self.sheet = Sheet(side=_ROOM)
        self.sequence = np.arange(1)
        self.tiles: tuple[tuple, np.ndarray] = ((), np.empty(0))  # the grid drawn last, and what it shows
        self.controls = {
            "photograph": dropdown("photograph", sample_images(), value=photograph),
            "layer": dropdown("layer", list(self.layers), value=chosen),
            "order": dropdown("order", ORDERS, value=ORDERS[2]),
            "unit": slider("unit", 0, self.layers[chosen].shape[0] - 1),
            "quantile": slider("quantile, %", 0, 99, value=95),
            "row": slider("row", 0, self.layers[chosen].shape[1] - 1),
            "col": slider("column", 0, self.layers[chosen].shape[2] - 1),
        }
        first = self.look(photograph, chosen)
        self.controls["unit"].value = int(first.max(axis=(1, 2)).argmax())
        self._to_the_maximum(first[self.controls["unit"].value])
        self.view = ClickablePicture(
            alt="A grid of all maps of a layer; one of them large, as a mask over the photograph, and what a cell sees."
        )
        pairs = [("photograph", "layer"), ("order", "unit"), ("quantile",), ("row", "col")]
        panel = [widgets.HBox([self.controls[name] for name in pair], layout=GAP) for pair in pairs]
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=panel)
        self.view.observe(self._follow_click, names="position")

    def _look(self, photograph: str, layer: str) -> np.ndarray:
        """The maps (C, h, w) of a layer."""
        if photograph not in self.images:
            self.images[photograph] = self.model.prepare(photograph)
        found = activations(self.model, self.images[photograph], [layer])[layer]
        return found[0].float().cpu().numpy()

    def _follow_layer(self, change: dict) -> None:
        """Another layer has other units: begin with the one that answers most strongly."""
        channels, rows, columns = self.layers[change["new"]].shape
        maps = self.look(self.controls["photograph"].value, change["new"])
        with self.explorer.hold():
            for name, count in (("unit", channels), ("row", rows), ("col", columns)):
                self.controls[name].max = count - 1
            self.controls["unit"].value = int(maps.max(axis=(1, 2)).argmax())
            self._to_the_maximum(maps[self.controls["unit"].value])

    def _to_the_maximum(self, values: np.ndarray) -> None:
        self.controls["row"].value, self.controls["col"].value = divmod(int(values.argmax()), values.shape[1])

    def _follow_click(self, change: dict) -> None:
        y, x = (value / SCALE for value in change["new"])
        tile = self.sheet.index_at(change["new"])
        if tile is not None:
            self.view.step = self.sheet.pitch
            self.controls["unit"].value = int(self.sequence[tile])
        for corner in (_MAP, _MASKED, _PHOTO):
            if 0 <= x - corner[0] < _TILE and 0 <= y - corner[1] < _TILE:
                self._choose_cell((y - corner[1]) / _TILE, (x - corner[0]) / _TILE, on_map=corner == _MAP)

    def _choose_cell(self, down: float, right: float, *, on_map: bool) -> None:
        """The cell at a share of the map's sides, or the one whose field is centred at that share of the photograph."""
        layer = self.layers[self.controls["layer"].value]
        cells, axes = layer.shape[1:], (layer.field.rows, layer.field.columns)
        self.view.step = tuple(max(1, round(_TILE * SCALE / n)) for n in cells)
        with self.explorer.hold():
            for name, share, n, axis, side in zip(
                ("row", "col"), (down, right), cells, axes, layer.field.image_size, strict=True
            ):
                place = int(share * n) if on_map else round((share * side - axis.offset - axis.size / 2) / axis.stride)
                self.controls[name].value = min(max(place, 0), n - 1)

    def draw(self, photograph: str, layer: str, order: str, unit: int, quantile: int, row: int, col: int) -> Drawing:
        maps = self.look(photograph, layer)
        channels, rows, columns = maps.shape
        unit, row, col = min(unit, channels - 1), min(row, rows - 1), min(col, columns - 1)
        if self.tiles[0] != (photograph, layer, order):
            self.sequence = _sequence(maps, order)
            self.tiles = (photograph, layer, order), _tiles(maps[self.sequence])
        canvas = Canvas(446)
        canvas.text((8, 4), f"{layer}: {channels} maps of {rows}×{columns}, {order}", size=16, bold=True)
        chosen = int(np.flatnonzero(self.sequence == unit)[0])
        self.sheet.draw(canvas, self.tiles[1], (8, 32), chosen=chosen)
        image = self.images[photograph][0].cpu()
        masked = self.mask(torch.from_numpy(maps[unit]), image, quantile=quantile / 100)
        self._beside(canvas, maps[unit], (unit, row, col, quantile), image, to_pixels(_checked(masked, image)))
        return Drawing(canvas.array, self._sentence(layer, maps[unit], (unit, row, col, quantile)))

    def _beside(
        self, canvas: Canvas, values: np.ndarray, place: tuple[int, int, int, int], image: Tensor, masked: np.ndarray
    ) -> None:
        """Four pictures: the map with its cell, the masked photograph, the cell's field in it, the field alone."""
        unit, row, col, quantile = place
        photo = to_pixels(image)
        top, left, bottom, right = self.layers[self.controls["layer"].value].field.box(row, col)
        limit = float(np.abs(values).max()) or 1.0
        colours = coloured(values, limit, signed=bool(values.min() < 0))
        seen = np.full((max(bottom - top, right - left),) * 2 + (3,), PALE, np.uint8)
        seen[: bottom - top, : right - left] = photo[top:bottom, left:right]
        titles = [
            f"unit {unit}",
            f"above its quantile 0.{quantile:02d}",
            f"cell ({row}, {col}) sees",
            "the same, larger",
        ]
        pictures = [(colours, _MAP), (masked, _MASKED), (photo, _PHOTO), (seen, _SEEN)]
        for title, (pixels, (x, y)) in zip(titles, pictures, strict=True):
            canvas.text((x, y - 6), title, size=13, colour=GREY, anchor="ls")
            canvas.paste(pixels, (x, y), (_TILE, _TILE), smooth=pixels is not colours)
        scale = _TILE / photo.shape[0]
        size = (max(4, (right - left) * scale), max(4, (bottom - top) * scale))
        canvas.frame((_PHOTO[0] + left * scale, _PHOTO[1] + top * scale), size, colour=ORANGE, width=2)
        high, wide = (max(_TILE / n, 6) for n in values.shape)
        middle = [(index + 0.5) * _TILE / n for index, n in zip((row, col), values.shape, strict=True)]
        canvas.frame(
            (_MAP[0] + middle[1] - wide / 2, _MAP[1] + middle[0] - high / 2), (wide, high), colour=ORANGE, width=2
        )

    def _sentence(self, layer: str, values: np.ndarray, place: tuple[int, int, int, int]) -> str:
        unit, row, col, quantile = place
        top, left, bottom, right = self.layers[layer].field.box(row, col)
        threshold = float(np.quantile(values, quantile / 100))
        text = (
            f"Unit {unit} of <b>{layer}</b>: mean {number(values.mean())}, maximum {number(values.max())}; "
            f"{quantile} % of its {values.size} cells lie at or below {number(threshold)}. Cell ({row}, {col}) answers "
            f"{number(values[row, col])} and sees rows {top} to {bottom - 1}, columns {left} to {right - 1}."
        )
        return f'<div style="line-height: 1.5; max-width: 850px">{text}</div>'


def _sequence(maps: np.ndarray, order: str) -> np.ndarray:
    strength = {ORDERS[1]: maps.mean(axis=(1, 2)), ORDERS[2]: maps.max(axis=(1, 2))}.get(order)
    return np.arange(len(maps)) if strength is None else np.argsort(-strength, kind="stable")


def _tiles(maps: np.ndarray) -> np.ndarray:
    """All maps on one scale, (C, side, side, 3), uint8, each enlarged or thinned out to the room that it has."""
    room = int(_ROOM * SCALE) // int(np.ceil(np.sqrt(len(maps)))) - 4
    rows, columns = (np.arange(room) * n // room for n in maps.shape[1:])
    limit = float(np.abs(maps).reshape(len(maps), -1).max(axis=1).max())
    return coloured(maps[:, rows[:, None], columns], limit, signed=bool(maps.min() < 0))


def _checked(masked: Tensor, image: Tensor) -> Tensor:
    if tuple(masked.shape) != tuple(image.shape):
        raise ValueError(f"threshold_mask must return {tuple(image.shape)}, got {tuple(masked.shape)}")
    return masked
