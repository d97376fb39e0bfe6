"""Explorer of notebook 03: where in a photograph is a unit active, and which pixels does it see?"""

from collections.abc import Callable
from functools import lru_cache
from html import escape

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, Canvas, number
from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown, slider
from cs231n_viz.explore.toolkit.heatmap import cut_out, resized
from cs231n_viz.explore.toolkit.models import Photographs, chosen_layer, layers_with_maps, spot_on_photograph
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.explore.toolkit.tile_grid import ORDERS, SCALES, draw_cells, draw_tiles, in_order, map_tiles
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageError, ImageSource, to_uint8

_ROOM, _TILE = 404, 190  # CSS pixels of the grid, and of each picture beside it
_MAP, _MASKED, _PHOTO, _SEEN = (450, 32), (662, 32), (450, 284), (662, 284)  # their corners, (x, y)


def activation_maps(
    model: Classifier,
    photograph: ImageSource = "cat",
    layer: str | None = None,
    *,
    threshold_mask: Callable[..., Tensor] | None = None,
) -> Explorer:
    """See all maps of a layer at once, one of them as a mask over the photograph, and what one of its cells sees.

    Args:
        model: Any classifier.
        photograph: Initial photograph: what ``load_image`` takes.
        layer: Initial layer; the last one with maps of more than one cell if omitted.
        threshold_mask: If given, masks the photograph: ``threshold_mask(map (h, w), image (3, H, W), quantile=)`` ->
            (3, H, W).

    Returns:
        The explorer; ``controls`` are ``photograph``, ``layer``, ``order``, ``scale``, ``unit``, ``quantile`` in per
        cent, ``row``, ``col`` and ``file``. With a scale for each map, weak maps can be seen, and brightness says
        nothing about which is stronger; with one for all it does. A click in the grid chooses a unit, one on the large
        map a cell, and one on a photograph the cell whose receptive field is centred there; the arrow keys move on
        from the last click.

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
    def __init__(self, model: Classifier, photograph: ImageSource, layer: str, mask: Callable[..., Tensor]) -> None:
        self.layers, self.mask = layers_with_maps(model), mask
        choice = PictureChoice(photograph)
        self.photographs = Photographs(model, choice)
        self.tiles = lru_cache(maxsize=4)(self._tiles)
        first = self.photographs.maps(choice.dropdown.value, layer)
        unit, row, col = (int(index) for index in np.unravel_index(int(first.argmax()), first.shape))
        self.controls = {
            "photograph": choice.dropdown,
            "layer": dropdown("layer", list(self.layers), value=layer),
            "order": dropdown("order", ORDERS, value=ORDERS[2]),
            "scale": dropdown("scale", SCALES),
            "unit": slider("unit", 0, first.shape[0] - 1, value=unit),
            "quantile": slider("quantile, %", 0, 99, value=95),
            "row": slider("row", 0, first.shape[1] - 1, value=row),
            "col": slider("column", 0, first.shape[2] - 1, value=col),
            "file": choice.file,
        }
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(
            self.draw,
            self.controls,
            panel=[("photograph", "layer"), ("order", "scale"), ("quantile", "unit"), ("row", "col"), ("file",)],
            first=("photograph", "layer", "order", "scale", "quantile"),
            view=ClickablePicture(
                alt="All maps of a layer; one of them large, as a mask, and the pixels that one cell sees."
            ),
            pointing="Click a map to see it large, one of its cells for the pixels that this sees, or a place in a "
            "photograph for the cell that looks there.",
        )

    def _follow_layer(self, change: dict) -> None:
        """Another layer has other units: begin with the most active one."""
        try:
            maps = self.photographs.maps(self.controls["photograph"].value, change["new"])
        except ImageError:
            return  # draw raises the same error, and it is shown in place
        most = np.unravel_index(int(maps.argmax()), maps.shape)
        with self.explorer.hold():
            for name, count, index in zip(("unit", "row", "col"), maps.shape, most, strict=True):
                self.controls[name].max = count - 1
                self.controls[name].value = int(index)

    def _choose_cell(self, row: int, col: int) -> None:
        self.controls["row"].value, self.controls["col"].value = row, col

    def draw(
        self, photograph: str, layer: str, order: str, scale: str, unit: int, quantile: int, row: int, col: int
    ) -> Drawing:
        maps, field = self.photographs.maps(photograph, layer), self.layers[layer].field
        channels, rows, columns = maps.shape
        unit, row, col = min(unit, channels - 1), min(row, rows - 1), min(col, columns - 1)
        sequence, tiles, limit = self.tiles(photograph, layer, order, scale)
        canvas = Canvas(488)
        canvas.heading(8, f"{layer}: {channels} maps of {rows}×{columns}, {order}")
        choose = {"choose": lambda place: setattr(self.controls["unit"], "value", sequence[place])}
        spots = [draw_tiles(canvas, tiles, (8, 32), side=_ROOM, chosen=sequence.index(unit), **choose)]
        if scale == SCALES[1]:
            canvas.scale_bar((8, 446), 190, limit, signed=bool(maps.min() < 0))
        else:
            canvas.text((8, 446), "each map up to its own largest magnitude", size=12, colour=GREY)
        shown, values = self.photographs.shown(photograph), maps[unit]
        image = self.photographs.image(photograph)[0].cpu().expand(3, -1, -1)
        masked = _checked(self.mask(torch.from_numpy(values), image, quantile=quantile / 100), image)
        canvas.panel(to_uint8(masked), _MASKED, _TILE, f"above its {quantile} % quantile")
        canvas.panel(shown, _PHOTO, _TILE, f"cell ({row}, {col}) sees")
        canvas.box(field.box(row, col), _PHOTO, _TILE / shown.shape[0])
        canvas.panel(cut_out(shown, field.box(row, col, clip=False)), _SEEN, _TILE, "the same, larger")
        cells = {"side": _TILE, "choose": self._choose_cell, "chosen": (row, col)}
        spots.append(draw_cells(canvas, values, _MAP, title=f"unit {unit}, alone on its scale", **cells))
        spots += [spot_on_photograph(at, _TILE, field, self._choose_cell) for at in (_MASKED, _PHOTO)]
        return Drawing(canvas.array, self._sentence(layer, values, unit, row, col, quantile), spots=spots)

    def _tiles(self, photograph: str, layer: str, order: str, scale: str) -> tuple[list[int], np.ndarray, float]:
        """The units in order, their maps as tiles, and where a scale for all of them ends."""
        maps = self.photographs.maps(photograph, layer)
        sequence = in_order(maps, order)
        return sequence, *map_tiles(maps[sequence], _ROOM, scale)

    def _sentence(self, layer: str, values: np.ndarray, unit: int, row: int, col: int, quantile: int) -> str:
        top, left, bottom, right = self.layers[layer].field.box(row, col)
        threshold = np.quantile(values, quantile / 100)
        text = (
            f"Unit {unit} of <b>{escape(layer)}</b>: mean {number(values.mean())}, maximum {number(values.max())}; "
            f"{int((values > threshold).sum())} of its {values.size} cells are above the {quantile} % quantile, "
            f"{number(threshold)}. Cell ({row}, {col}) has activation {number(values[row, col])} and sees rows {top} "
            f"to {bottom - 1}, columns {left} to {right - 1}."
        )
        return paragraph(text)


def _checked(masked: Tensor, image: Tensor) -> Tensor:
    if tuple(masked.shape) != tuple(image.shape):
        raise ValueError(f"threshold_mask must return {tuple(image.shape)}, got {tuple(masked.shape)}")
    return masked
