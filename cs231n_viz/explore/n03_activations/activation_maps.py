"""Explorer of notebook 03: where in a photograph is a unit active, and which pixels does it see?"""

from collections.abc import Callable
from html import escape

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import ORANGE, PALE, SCALE, Canvas, coloured, number, position_in
from cs231n_viz.explore.toolkit.controls import dropdown, picture_dropdown, slider
from cs231n_viz.explore.toolkit.heatmap import resized
from cs231n_viz.explore.toolkit.models import Photographs, chosen_layer, layers_with_maps, unit_seeing
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.explore.toolkit.tile_grid import TileGrid
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import to_uint8

ORDERS = ("by channel", "by mean", "by maximum")
_ROOM, _TILE = 404, 190  # CSS pixels of the grid, and of each picture beside it
_MAP, _MASKED, _PHOTO, _SEEN = (450, 32), (662, 32), (450, 246), (662, 246)  # their corners, (x, y)


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
        photograph: Initial photograph, of ``sample_images()``.
        layer: Initial layer; the last one with maps of more than one cell if omitted.
        threshold_mask: If given, masks the photograph: ``threshold_mask(map (h, w), image (3, H, W), quantile=)`` ->
            (3, H, W).

    Returns:
        The explorer; ``controls`` are ``photograph``, ``layer``, ``order``, ``unit``, ``quantile`` in per cent, ``row``
        and ``col``. A click in the grid chooses a unit, one on the large map a cell, and one on a photograph the
        cell whose receptive field is centred there; the arrow keys move on from the last click.

    Raises:
        KeyError: If ``layer`` has no maps.
    """
    return _Maps(model, photograph, chosen_layer(model, layer), threshold_mask or darkened).explorer


def darkened(activation: Tensor, image: Tensor, *, quantile: float = 0.9) -> Tensor:
    """The photograph, a quarter as bright where a unit's enlarged map is not above its quantile.

    Args:
        activation: (h, w).
        image: (3, H, W).
        quantile: Share of the map's cells below the threshold.

    Returns:
        (3, H, W).
    """
    large = torch.from_numpy(resized(activation.numpy(), tuple(image.shape[1:])))
    return torch.where(large > activation.flatten().quantile(quantile), image, image / 4)


class _Maps:
    def __init__(self, model: Classifier, photograph: str, layer: str, mask: Callable[..., Tensor]) -> None:
        self.layers, self.mask = layers_with_maps(model), mask
        self.photographs = Photographs(model)
        self.grid, self.on_grid = TileGrid(side=_ROOM), True
        self.sequence = np.arange(1)
        self.tiles: tuple[tuple, np.ndarray] = ((), np.empty(0))  # the grid drawn last, and what it shows
        self.controls = {
            "photograph": picture_dropdown(photograph),
            "layer": dropdown("layer", list(self.layers), value=layer),
            "order": dropdown("order", ORDERS, value=ORDERS[2]),
            "unit": slider("unit", 0, self.layers[layer].shape[0] - 1),
            "quantile": slider("quantile, %", 0, 99, value=95),
            "row": slider("row", 0, self.layers[layer].shape[1] - 1),
            "col": slider("column", 0, self.layers[layer].shape[2] - 1),
        }
        first = self.photographs.maps(photograph, layer)
        self.controls["unit"].value = int(first.max(axis=(1, 2)).argmax())
        self._to_the_maximum(first[self.controls["unit"].value])
        self.view = ClickablePicture(
            alt="A grid of all maps of a layer; one of them large, as a mask over the photograph, and what a cell sees."
        )
        panel = [("photograph", "layer"), ("order", "unit"), ("quantile",), ("row", "col")]
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=panel)
        self.view.observe(self._follow_click, names="position")

    def _follow_layer(self, change: dict) -> None:
        """Another layer has other units: begin with the most active one."""
        channels, rows, columns = self.layers[change["new"]].shape
        maps = self.photographs.maps(self.controls["photograph"].value, change["new"])
        with self.explorer.hold():
            for name, count in (("unit", channels), ("row", rows), ("col", columns)):
                self.controls[name].max = count - 1
            self.controls["unit"].value = int(maps.max(axis=(1, 2)).argmax())
            self._to_the_maximum(maps[self.controls["unit"].value])

    def _to_the_maximum(self, values: np.ndarray) -> None:
        self.controls["row"].value, self.controls["col"].value = divmod(int(values.argmax()), values.shape[1])

    def _follow_click(self, change: dict) -> None:
        tile = self.grid.index_at(change["new"])
        if tile is not None:
            self.on_grid = True
            self.controls["unit"].value = int(self.sequence[tile])
        layer = self.layers[self.controls["layer"].value]
        cells = layer.shape[1:]
        for corner in (_MAP, _MASKED, _PHOTO):
            if place := position_in(change["new"], corner, _TILE):
                on_map = tuple(int(share * count) for share, count in zip(place, cells, strict=True))
                self.on_grid = False
                with self.explorer.hold():
                    row, col = on_map if corner == _MAP else unit_seeing(place, layer.field)
                    self.controls["row"].value, self.controls["col"].value = row, col

    def draw(self, photograph: str, layer: str, order: str, unit: int, quantile: int, row: int, col: int) -> Drawing:
        maps = self.photographs.maps(photograph, layer)
        channels, rows, columns = maps.shape
        unit, row, col = min(unit, channels - 1), min(row, rows - 1), min(col, columns - 1)
        if self.tiles[0] != (photograph, layer, order):
            self.sequence = _sequence(maps, order)
            self.tiles = (photograph, layer, order), _tiles(maps[self.sequence])
        canvas = Canvas(446)
        canvas.heading(8, f"{layer}: {channels} maps of {rows}×{columns}, {order}")
        chosen = int(np.flatnonzero(self.sequence == unit)[0])
        self.grid.draw(canvas, self.tiles[1], (8, 32), chosen=chosen)
        image, box = self.photographs.image(photograph)[0].cpu(), self.layers[layer].field.box(row, col)
        masked = self.mask(torch.from_numpy(maps[unit]), image, quantile=quantile / 100)
        canvas.panel(to_uint8(_checked(masked, image)), _MASKED, _TILE, f"above its quantile 0.{quantile:02d}")
        _large_map(canvas, maps[unit], row, col, title=f"unit {unit}")
        _field(canvas, to_uint8(image), box, title=f"cell ({row}, {col}) sees")
        text = self._sentence(layer, maps[unit], unit, row, col, quantile)
        return Drawing(canvas.array, text, at=self._standing(chosen, row, col, (rows, columns)))

    def _standing(self, tile: int, row: int, col: int, cells: tuple[int, int]) -> tuple[float, float]:
        """Where the arrow keys go on: from tile to tile, or from cell to cell where a cell was pointed at."""
        if self.on_grid:
            self.view.step = self.grid.pitch
            return self.grid.middle_of(tile)
        self.view.step = tuple(max(1, round(_TILE * SCALE / count)) for count in cells)
        return _MAP[0] + (col + 0.5) * _TILE / cells[1], _MAP[1] + (row + 0.5) * _TILE / cells[0]

    def _sentence(self, layer: str, values: np.ndarray, unit: int, row: int, col: int, quantile: int) -> str:
        top, left, bottom, right = self.layers[layer].field.box(row, col)
        threshold = float(np.quantile(values, quantile / 100))
        text = (
            f"Unit {unit} of <b>{escape(layer)}</b>: mean {number(values.mean())}, maximum {number(values.max())}; "
            f"{quantile} % of its {values.size} cells are at or below {number(threshold)}. Cell ({row}, {col}) has "
            f"activation {number(values[row, col])} and sees rows {top} to {bottom - 1}, columns {left} to {right - 1}."
        )
        return paragraph(text)


def _large_map(canvas: Canvas, values: np.ndarray, row: int, col: int, *, title: str) -> None:
    """The map of one unit, with a frame around the chosen cell."""
    limit = float(np.abs(values).max()) or 1.0
    canvas.panel(coloured(values, limit, signed=bool(values.min() < 0)), _MAP, _TILE, title, smooth=False)
    high, wide = (max(_TILE / n, 6) for n in values.shape)
    middle = [(index + 0.5) * _TILE / n for index, n in zip((row, col), values.shape, strict=True)]
    canvas.frame((_MAP[0] + middle[1] - wide / 2, _MAP[1] + middle[0] - high / 2), (wide, high), colour=ORANGE, width=2)


def _field(canvas: Canvas, photo: np.ndarray, box: tuple[int, int, int, int], *, title: str) -> None:
    """The photograph with the receptive field of the chosen cell, and the field alone."""
    top, left, bottom, right = box
    alone = np.full((max(bottom - top, right - left),) * 2 + (3,), PALE, np.uint8)
    alone[: bottom - top, : right - left] = photo[top:bottom, left:right]
    canvas.panel(photo, _PHOTO, _TILE, title)
    canvas.panel(alone, _SEEN, _TILE, "the same, larger")
    canvas.box(box, _PHOTO, _TILE / photo.shape[0])


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
