"""A picture to wipe across: left of a handle stands what was there before, right of it what has been made of it."""

from dataclasses import dataclass
from pathlib import Path

import torch
import traitlets
from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import SCALE, Box, Canvas
from cs231n_viz.explore.toolkit.picture import _CSS, _FOLLOW, ImageView, encode

HINT = "Drag the handle across the picture, or press ← → on it: left of it is the photograph as it was."


@dataclass(frozen=True)
class Wiped(Drawing):
    """A drawing that shows what has been made of a picture.

    Attributes:
        before: That picture, (3 or 1, H, W) in [0, 1]; None if nothing has been made of it yet.
        box: Where in the drawing the result stands, in CSS pixels.
    """

    before: Tensor | None = None
    box: Box = (0, 0, 0, 0)


class WipePicture(ImageView):
    """Shows a :class:`Wiped` drawing; the handle is moved in the browser alone.

    Attributes:
        share: Of the width of the result, from the left, that the picture before covers at first.
    """

    _esm = _FOLLOW + Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    _css = (
        _CSS
        + """
.cs231n-picture { position: relative; }
.cs231n-wipe { position: absolute; cursor: ew-resize; touch-action: none; }
.cs231n-wipe[hidden] { display: none; }
.cs231n-picture .cs231n-wipe img { width: 100%; height: 100%; border: 0; border-radius: 0; }
.cs231n-handle { position: absolute; top: 0; bottom: 0; width: 3px; margin-left: -1.5px; background: white;
  box-shadow: 0 0 0 1px #222; }
.cs231n-handle::after { content: "⇔"; position: absolute; top: 50%; left: 50%; transform: translate(-50%, -50%);
  width: 2em; line-height: 2em; border-radius: 1em; background: white; color: #222; text-align: center;
  box-shadow: 0 0 0 1px #222; }
.cs231n-handle:focus-visible { outline: 3px solid #0072B2; }
"""
    )

    before = traitlets.Bytes().tag(sync=True)
    box = traitlets.Tuple().tag(sync=True)
    share = traitlets.Float(1 / 3).tag(sync=True)
    _shown: tuple[Tensor, Box] | None = None  # what ``before`` was made of

    def compare(self, drawing: Drawing) -> None:
        """Lay the picture before over the result in a drawing, if there is one."""
        if not isinstance(drawing, Wiped) or drawing.before is None:
            self.box = ()
            return
        if self._shown is None or self._shown[1] != drawing.box or not torch.equal(self._shown[0], drawing.before):
            canvas = Canvas(drawing.box[3], drawing.box[2])  # enlarged as the result is
            canvas.fit(drawing.before, (0, 0), drawing.box[2:])
            self._shown, self.before = (drawing.before, drawing.box), encode(canvas.array)
        height, width = (side / SCALE for side in drawing.picture.shape[:2])
        left, top, wide, high = drawing.box
        self.box = (left / width, top / height, wide / width, high / height)
