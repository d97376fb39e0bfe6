"""Explorer of notebook 03: all units of a layer at once, live, while the picture changes (the DeepVis toolbox)."""

from collections.abc import Sequence
from functools import lru_cache
from html import escape

import numpy as np

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, PALE, Canvas, coloured, number, themed
from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown, slider
from cs231n_viz.explore.toolkit.models import Photographs, chosen_layer, layers_with_maps
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.explore.toolkit.tile_grid import ORDERS, SCALES, draw_tiles, in_order, map_tiles
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageError, ImageSource, to_uint8
from cs231n_viz.plotting.patches import patch_in_field
from cs231n_viz.representation.top_patches import TopPatches

_WALL, _SIDE, _LEFT, _TOP = 632, 202, 650, 32  # CSS pixels: the wall, the panels beside it, and their corner
_MAP, _BELOW = (_LEFT, 262), (_LEFT, 532)  # corners of the second and third panel, (x, y)
_MOST_UNITS = 32  # whose patches are remembered, 0.7 MB each for fields of 163 pixels


def unit_wall(
    model: Classifier,
    photograph: ImageSource = "cat",
    layer: str | None = None,
    *,
    patches: TopPatches | Sequence[TopPatches] = (),
) -> Explorer:
    """Watch all units of a layer while the picture changes: under the camera, or with pictures of your own.

    Args:
        model: Any classifier.
        photograph: Initial photograph: what ``load_image`` takes.
        layer: Initial layer; the last one with maps of more than one cell if omitted.
        patches: What ``top_patches`` found for some of its layers; the chosen unit's nine strongest are shown.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``layer``, ``scale``, ``file``, with the browser's camera, which
        films, ``order`` and ``unit``. A click on the wall chooses a unit, and the arrow keys move on from there: it is
        shown large, with the receptive field of its strongest cell.

    Raises:
        KeyError: If ``layer`` has no maps.
        ValueError: If ``patches`` are not those of a layer of this network.

    Source: Yosinski et al., "Understanding Neural Networks Through Deep Visualization", 2015, arXiv:1506.06579, sec. 2.
    """
    given = {one.layer: one for one in ([patches] if isinstance(patches, TopPatches) else patches)}
    layers = layers_with_maps(model)
    for name, one in given.items():
        if name not in layers or len(one.values) != layers[name].shape[0]:
            channels = {other: found.shape[0] for other, found in layers.items()}
            raise ValueError(
                f"patches are of {len(one.values)} channels of a layer {name!r}; the maps of {model.name}: {channels}"
            )
    return _Wall(model, photograph, chosen_layer(model, layer), given).explorer


class _Wall:
    def __init__(self, model: Classifier, photograph: ImageSource, layer: str, patches: dict[str, TopPatches]) -> None:
        self.layers, self.patches = layers_with_maps(model), patches
        choice = PictureChoice(photograph, live=True)
        self.photographs = Photographs(model, choice)
        choice.file.observe(lambda _: self.photographs.forget(), names="value")
        self.crops = lru_cache(maxsize=_MOST_UNITS)(self._crops)
        first = self.photographs.maps(choice.dropdown.value, layer)
        self.controls = {
            "photograph": choice.dropdown,
            "layer": dropdown("layer", list(self.layers), value=layer),
            "scale": dropdown("scale", SCALES),
            "file": choice.file,
            "order": dropdown("order", ORDERS),
            "unit": slider("unit", 0, len(first) - 1, value=int(first.max(axis=(1, 2)).argmax())),
        }
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(
            self.draw,
            self.controls,
            panel=[("photograph", "layer"), ("file", "scale"), ("order", "unit")],
            first=("photograph", "layer", "file", "scale"),
            view=ClickablePicture(
                alt="All maps of a layer; beside them the photograph with what the chosen unit's strongest cell sees, "
                "the unit's map, and its strongest patches."
            ),
            pointing="Click a map to see its unit large; the arrow keys go on. The button “camera” films.",
        )

    def _follow_layer(self, change: dict) -> None:
        """Another layer has other units: begin with the most active one."""
        try:
            maps = self.photographs.maps(self.controls["photograph"].value, change["new"])
        except ImageError:
            return  # draw raises the same error, and it is shown in place
        with self.explorer.hold():
            self.controls["unit"].max = len(maps) - 1
            self.controls["unit"].value = int(maps.max(axis=(1, 2)).argmax())

    def draw(self, photograph: str, layer: str, scale: str, file: object, order: str, unit: int) -> Drawing:
        maps, field = self.photographs.maps(photograph, layer), self.layers[layer].field
        unit = min(unit, len(maps) - 1)
        values, signed = maps[unit], bool(maps.min() < 0)
        cell = divmod(int(values.argmax()), values.shape[1])
        sequence = in_order(maps, order)
        canvas = Canvas(740)
        canvas.heading(8, f"{layer}: {len(maps)} maps of {values.shape[0]}×{values.shape[1]}")
        tiles, limit = map_tiles(maps[sequence], _WALL, scale)
        wall = draw_tiles(
            canvas,
            tiles,
            (8, _TOP),
            side=_WALL,
            choose=lambda place: setattr(self.controls["unit"], "value", sequence[place]),
            chosen=sequence.index(unit),
        )
        below = _TOP + wall.size[1] + 6
        if scale == SCALES[1]:
            canvas.scale_bar((8, below), 190, limit, signed=signed)
        else:
            canvas.text((8, below), "each map up to its own largest magnitude", size=12, colour=GREY)
        photo, box = self.photographs.shown(photograph), field.box(*cell)
        canvas.panel(photo, (_LEFT, _TOP), _SIDE, f"what its cell {cell} sees", smooth=True)
        canvas.box(box, (_LEFT, _TOP), _SIDE / photo.shape[0])
        largest = float(np.abs(values).max())
        canvas.panel(coloured(values, largest, signed=signed), _MAP, _SIDE, f"unit {unit}", smooth=False)
        canvas.scale_bar((_LEFT, _MAP[1] + _SIDE + 6), _SIDE, largest, signed=signed)
        self._panel_below(canvas, photo, box, layer, unit)
        return Drawing(canvas.array, self._sentence(layer, unit, values, cell), spots=[wall])

    def _panel_below(self, canvas: Canvas, photo: np.ndarray, box: tuple, layer: str, unit: int) -> None:
        """The nine strongest patches of the unit, or, where they were not given, what its cell sees."""
        if layer not in self.patches:
            top, left, bottom, right = box
            alone = np.full((max(bottom - top, right - left),) * 2 + (3,), themed(PALE), np.uint8)
            alone[: bottom - top, : right - left] = photo[top:bottom, left:right]
            canvas.panel(alone, _BELOW, _SIDE, "the same, larger")
            return
        canvas.text((_BELOW[0], _BELOW[1] - 6), "its strongest patches", size=13, colour=GREY, anchor="ls")
        pitch = _SIDE / 3
        for rank, crop in enumerate(self.crops(layer, unit)):
            at = _BELOW[0] + rank % 3 * pitch, _BELOW[1] + rank // 3 * pitch
            canvas.paste(crop, at, (pitch - 3, pitch - 3), smooth=True)

    def _crops(self, layer: str, unit: int) -> list[np.ndarray]:
        patches = self.patches[layer]
        shown = range(min(9, patches.values.shape[1]))
        return [
            patch_in_field(patches, unit, rank, picture=to_uint8(patches.picture(unit, rank)), fill=themed(PALE)[0])
            for rank in shown
        ]

    def _sentence(self, layer: str, unit: int, values: np.ndarray, cell: tuple[int, int]) -> str:
        top, left, bottom, right = self.layers[layer].field.box(*cell)
        return paragraph(
            f"Unit {unit} of <b>{escape(layer)}</b>: its largest activation here is {number(values.max())}, in cell "
            f"{cell}, which sees rows {top} to {bottom - 1}, columns {left} to {right - 1}."
        )
