"""Explorer of notebook 03: which patches of a gallery excite a channel most?"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import ipywidgets as widgets
import numpy as np
from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import GREY, LINE, ORANGE, PALE, SCALE, Canvas, number, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.representation.selectivity import Selectivity
from cs231n_viz.representation.top_patches import TopPatches

_ORDERS = ("by channel", "by selectivity")
_SIDE, _TOP, _LEFT, _RIGHT = 404, 32, 8, 448  # the patches and the picture, in CSS pixels
_GAP = 5  # between patches
_KEPT = 512  # pictures that are remembered, 150 kB each


def top_patches(
    found: Mapping[str, TopPatches | Sequence[TopPatches]],
    gallery: Gallery,
    *,
    taste: Mapping[tuple[str, str], Selectivity] | None = None,
) -> Explorer:
    """Browse the nine strongest patches of every channel, and see where in its picture each was cut out.

    Args:
        found: Name of a network -> what ``top_patches`` gave for one of its layers, or for several.
        gallery: The gallery that was searched.
        taste: (name of the network, layer) -> the ``selectivity`` of its channels; without it, channels stay in their
            own order.

    Returns:
        The explorer; ``controls`` are ``network``, ``layer``, ``order``, ``channel``, which is a place in that order,
        and ``patch``. A click on a patch locates it; the arrow keys move on.

    Raises:
        ValueError: If ``found`` is empty.
    """
    if not found:
        raise ValueError("found is empty; wanted the patches of at least one network, name -> top_patches(…)")
    return _Patches(found, gallery, taste or {}).explorer


class _Patches:
    def __init__(self, found: Mapping, gallery: Gallery, taste: Mapping[tuple[str, str], Selectivity]) -> None:
        self.found: dict[str, dict[str, TopPatches]] = {}
        for name, several in found.items():
            several = [several] if isinstance(several, TopPatches) else several
            self.found[name] = {one.layer: one for one in several}
        self.gallery, self.taste = gallery, taste
        self.pictures: OrderedDict[tuple, np.ndarray] = OrderedDict()
        first = next(iter(self.found))
        layers = list(self.found[first])
        channels = len(self.found[first][layers[0]].values)
        self.controls = {
            "network": dropdown("network", list(self.found)),
            "layer": dropdown("layer", layers),
            "order": dropdown("order", _ORDERS[: 2 if taste else 1], value=_ORDERS[1 if taste else 0]),
            "channel": slider("channel", 0, channels - 1),
            "patch": slider("patch", 1, self._shown(self.found[first][layers[0]])),
        }
        self.view = ClickablePicture(alt="Nine patches in order of strength, and one of them framed in its picture.")
        self.view.step = (round(_SIDE / 3 * SCALE),) * 2
        pairs = [("network", "layer"), ("order", "channel"), ("patch",)]
        panel = [widgets.HBox([self.controls[name] for name in pair], layout=GAP) for pair in pairs]
        self.controls["network"].observe(self._follow_network, names="value")
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=panel)
        self.view.observe(self._follow_click, names="position")

    @staticmethod
    def _shown(patches: TopPatches) -> int:
        return min(9, patches.values.shape[1])

    def _follow_network(self, change: dict) -> None:
        with self.explorer.hold():
            self.controls["layer"].options = list(self.found[change["new"]])
            self._follow_layer({})

    def _follow_layer(self, _: dict) -> None:
        patches = self.found[self.controls["network"].value].get(self.controls["layer"].value)
        if patches is not None:  # while the layers of another network are filled in, none is chosen
            self.controls["channel"].max = len(patches.values) - 1
            self.controls["patch"].max = self._shown(patches)

    def _follow_click(self, change: dict) -> None:
        y, x = (value / SCALE - edge for value, edge in zip(change["new"], (_TOP, _LEFT), strict=True))
        down, right = int(y // (_SIDE / 3)), int(x // (_SIDE / 3))
        if 0 <= down < 3 and 0 <= right < 3:
            self.controls["patch"].value = min(3 * down + right + 1, self.controls["patch"].max)

    def _picture(self, patches: TopPatches, channel: int, rank: int) -> np.ndarray:
        """(H, W, 3), uint8; every picture is made once."""
        key = (int(patches.image_index[channel, rank]), patches.region.image_size)
        if key not in self.pictures:
            self.pictures[key] = to_pixels(patches.picture(channel, rank))
            if len(self.pictures) > _KEPT:
                self.pictures.popitem(last=False)
        self.pictures.move_to_end(key)
        return self.pictures[key]

    def draw(self, network: str, layer: str, order: str, channel: int, patch: int) -> Drawing:
        patches = self.found[network].get(layer) or next(iter(self.found[network].values()))
        place = min(channel, len(patches.values) - 1)
        taste = self.taste.get((network, patches.layer))
        chosen, notice = place, ""
        if order == _ORDERS[1] and taste is not None:
            chosen = int(_order(taste.score)[place])
        elif order == _ORDERS[1]:
            notice = f"No selectivity was given for {patches.layer} of {network}: its channels stay in their own order."
        canvas = Canvas(462)
        canvas.text((_LEFT, 4), f"channel {chosen} of {patches.layer}, {network}", size=16, bold=True)
        for rank in range(self._shown(patches)):
            self._patch(canvas, patches, chosen, rank, marked=rank == patch - 1)
        rank = min(patch, self._shown(patches)) - 1
        self._located(canvas, patches, chosen, rank)
        return Drawing(canvas.array, self._sentence(patches, chosen, rank, taste), notice)

    def _patch(self, canvas: Canvas, patches: TopPatches, channel: int, rank: int, *, marked: bool) -> None:
        """One patch in its receptive field; what lies in the padding is grey, so that all nine have one scale."""
        top, left, bottom, right = patches.boxes[channel, rank].tolist()
        field = patches.region
        row, column = patches.positions[channel, rank].tolist()
        full = field.box(row, column, clip=False)
        side = _SIDE / 3 - _GAP
        size = max(full[2] - full[0], full[3] - full[1])
        seen = np.full((size, size, 3), PALE, np.uint8)
        patch = self._picture(patches, channel, rank)[top:bottom, left:right]
        seen[top - full[0] : bottom - full[0], left - full[1] : right - full[1]] = patch
        at = (_LEFT + rank % 3 * _SIDE / 3, _TOP + rank // 3 * _SIDE / 3)
        canvas.paste(seen, at, (side, side), smooth=size > 40)
        if marked:
            canvas.frame((at[0] - 2, at[1] - 2), (side + 4, side + 4), colour=ORANGE, width=3)

    def _located(self, canvas: Canvas, patches: TopPatches, channel: int, rank: int) -> None:
        picture = self._picture(patches, channel, rank)
        top, left, bottom, right = patches.boxes[channel, rank].tolist()
        scale = _SIDE / picture.shape[0]
        index = int(patches.image_index[channel, rank])
        canvas.text((_RIGHT, 4), f"patch {rank + 1} in picture {index}: {self._label(index)}", size=16, bold=True)
        canvas.paste(picture, (_RIGHT, _TOP), (_SIDE, _SIDE), smooth=True)
        canvas.frame((_RIGHT, _TOP), (_SIDE, _SIDE), colour=LINE)
        size = (max(5, (right - left) * scale), max(5, (bottom - top) * scale))
        canvas.frame((_RIGHT + left * scale, _TOP + top * scale), size, colour=ORANGE, width=3)
        caption = f"answer {number(patches.values[channel, rank])}"
        canvas.text((_RIGHT + _SIDE, 456), caption, size=12, colour=GREY, anchor="rs")

    def _label(self, index: int) -> str:
        return self.gallery.categories[self.gallery.labels[index]]

    def _sentence(self, patches: TopPatches, channel: int, rank: int, taste: Selectivity | None) -> str:
        labels = [self._label(int(i)) for i in patches.image_index[channel, : self._shown(patches)]]
        counted = sorted(set(labels), key=lambda label: (-labels.count(label), label))
        text = "Classes of the patches: " + ", ".join(f"{labels.count(label)} {label}" for label in counted) + "."
        if taste is not None:
            favourite = self.gallery.categories[int(taste.favourite[channel])]
            text += f" Over the whole gallery: selectivity {number(taste.score[channel])}, favourite {favourite}."
        return f'<div style="line-height: 1.5; max-width: 850px">{text}</div>'


def _order(score: Tensor) -> np.ndarray:
    return np.argsort(-score.numpy(), kind="stable")
