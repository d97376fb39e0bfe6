"""Explorer of notebook 03: for which patches of a gallery is a channel most active?"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, LINE, ORANGE, PALE, Canvas, number, themed
from cs231n_viz.explore.toolkit.controls import dropdown, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture, Spot
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import to_uint8
from cs231n_viz.plotting.patches import patch_in_field
from cs231n_viz.representation.selectivity import Selectivity
from cs231n_viz.representation.top_patches import TopPatches

_ORDERS = ("by channel", "by selectivity")
_SIDE, _TOP, _LEFT, _RIGHT = 404, 32, 8, 448  # the patches and the picture, in CSS pixels
_GAP = 5  # between patches
_MOST_PICTURES = 512  # that are remembered, 150 kB each


@moved_keywords(found="patches", taste="selectivity")
def top_patches(
    patches: Mapping[str, TopPatches | Sequence[TopPatches]],
    gallery: Gallery,
    *,
    selectivity: Mapping[tuple[str, str], Selectivity] | None = None,
) -> Explorer:
    """Browse the nine strongest patches of every channel, and see where in its picture each was cut out.

    Args:
        patches: Name of a network -> the result of ``viz.top_patches`` for one of its layers, or for several.
        gallery: The gallery that was searched.
        selectivity: (name of the network, layer) -> the ``viz.selectivity`` of its channels; without it, channels stay
            in their own order.

    Returns:
        The explorer; ``controls`` are ``network``, ``layer``, ``order``, ``channel``, which is a place in that order,
        and ``patch``. A click on a patch shows where in its picture it is; the arrow keys move on.

    Raises:
        ValueError: If ``patches`` is empty.
    """
    if not patches:
        raise ValueError("patches is empty; wanted those of at least one network, name -> top_patches(…)")
    return _Patches(patches, gallery, selectivity or {}).explorer


class _Patches:
    def __init__(self, patches: Mapping, gallery: Gallery, selectivity: Mapping[tuple[str, str], Selectivity]) -> None:
        self.patches: dict[str, dict[str, TopPatches]] = {}  # network -> layer -> its patches
        for name, several in patches.items():
            several = [several] if isinstance(several, TopPatches) else several
            self.patches[name] = {one.layer: one for one in several}
        self.gallery, self.selectivity = gallery, selectivity
        self.pictures: OrderedDict[tuple, np.ndarray] = OrderedDict()
        first = next(iter(self.patches))
        layers = list(self.patches[first])
        channels = len(self.patches[first][layers[0]].values)
        self.controls = {
            "network": dropdown("network", list(self.patches)),
            "layer": dropdown("layer", layers),
            "order": dropdown("order", _ORDERS[: 2 if selectivity else 1], value=_ORDERS[1 if selectivity else 0]),
            "channel": slider("channel", 0, channels - 1),
            "patch": slider("patch", 1, self._shown(self.patches[first][layers[0]])),
        }
        panel = [("network", "layer"), ("order", "channel"), ("patch",)]
        self.controls["network"].observe(self._follow_network, names="value")
        self.controls["layer"].observe(self._follow_layer, names="value")
        view = ClickablePicture(alt="Nine patches in order of strength, and one of them framed in its picture.")
        pointing = "Click a patch to see where in its picture it is."
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel, pointing=pointing)

    @staticmethod
    def _shown(patches: TopPatches) -> int:
        return min(9, patches.values.shape[1])

    def _follow_network(self, change: dict) -> None:
        with self.explorer.hold():
            self.controls["layer"].options = list(self.patches[change["new"]])
            self._follow_layer({})

    def _follow_layer(self, _: dict) -> None:
        patches = self.patches[self.controls["network"].value].get(self.controls["layer"].value)
        if patches is not None:  # while the layers of another network are filled in, none is chosen
            self.controls["channel"].max = len(patches.values) - 1
            self.controls["patch"].max = self._shown(patches)

    def _picture(self, patches: TopPatches, channel: int, rank: int) -> np.ndarray:
        """(H, W, 3), uint8; every picture is made once."""
        key = (int(patches.image_index[channel, rank]), patches.region.image_size)
        if key not in self.pictures:
            self.pictures[key] = to_uint8(patches.picture(channel, rank).expand(3, -1, -1))
            if len(self.pictures) > _MOST_PICTURES:
                self.pictures.popitem(last=False)
        self.pictures.move_to_end(key)
        return self.pictures[key]

    def draw(self, network: str, layer: str, order: str, channel: int, patch: int) -> Drawing:
        patches = self.patches[network].get(layer) or next(iter(self.patches[network].values()))
        place = min(channel, len(patches.values) - 1)
        selectivity = self.selectivity.get((network, patches.layer))
        chosen, notice = place, ""
        if order == _ORDERS[1] and selectivity is not None:
            chosen = int(np.argsort(-selectivity.score.numpy(), kind="stable")[place])
        elif order == _ORDERS[1]:
            where = escape(f"{patches.layer} of {network}")
            notice = f"No selectivity was given for {where}: its channels stay in their own order."
        canvas = Canvas(462)
        canvas.heading(_LEFT, f"channel {chosen} of {patches.layer}, {network}")
        for rank in range(self._shown(patches)):
            self._patch(canvas, patches, chosen, rank, marked=rank == patch - 1)
        rank = min(patch, self._shown(patches)) - 1
        self._located(canvas, patches, chosen, rank)
        spot = Spot((_LEFT, _TOP), (_SIDE, _SIDE), (3, 3), self._choose_patch, divmod(rank, 3))
        return Drawing(canvas.array, self._sentence(patches, chosen, selectivity), notice, spots=[spot])

    def _choose_patch(self, row: int, column: int) -> None:
        self.controls["patch"].value = min(3 * row + column + 1, self.controls["patch"].max)

    def _patch(self, canvas: Canvas, patches: TopPatches, channel: int, rank: int, *, marked: bool) -> None:
        """One patch in its receptive field; what lies in the padding is grey, so that all nine have one scale."""
        pixels = patch_in_field(
            patches, channel, rank, picture=self._picture(patches, channel, rank), fill=themed(PALE)[0]
        )
        side = _SIDE / 3 - _GAP
        at = (_LEFT + rank % 3 * _SIDE / 3, _TOP + rank // 3 * _SIDE / 3)
        canvas.paste(pixels, at, (side, side), smooth=len(pixels) > 40)
        if marked:
            canvas.frame((at[0] - 2, at[1] - 2), (side + 4, side + 4), colour=ORANGE, width=3)

    def _located(self, canvas: Canvas, patches: TopPatches, channel: int, rank: int) -> None:
        picture = self._picture(patches, channel, rank)
        index = int(patches.image_index[channel, rank])
        canvas.heading(_RIGHT, f"patch {rank + 1} in picture {index}: {self._label(index)}")
        canvas.paste(picture, (_RIGHT, _TOP), (_SIDE, _SIDE), smooth=True)
        canvas.frame((_RIGHT, _TOP), (_SIDE, _SIDE), colour=LINE)
        canvas.box(patches.boxes[channel, rank].tolist(), (_RIGHT, _TOP), _SIDE / picture.shape[0], width=3)
        caption = f"activation {number(patches.values[channel, rank])}"
        canvas.text((_RIGHT + _SIDE, 456), caption, size=12, colour=GREY, anchor="rs")

    def _label(self, index: int) -> str:
        return self.gallery.categories[self.gallery.labels[index]]

    def _sentence(self, patches: TopPatches, channel: int, selectivity: Selectivity | None) -> str:
        labels = [self._label(int(i)) for i in patches.image_index[channel, : self._shown(patches)]]
        counted = sorted(set(labels), key=lambda label: (-labels.count(label), label))
        text = "Classes of the patches: " + ", ".join(f"{labels.count(label)} {label}" for label in counted) + "."
        if selectivity is not None:
            score, favourite = number(selectivity.score[channel]), int(selectivity.favourite[channel])
            text += f" Over the whole gallery: selectivity {score}, for {self.gallery.categories[favourite]}."
        return paragraph(escape(text))
