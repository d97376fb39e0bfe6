"""The fast path for pictures: encoded bytes into one widget, 2 ms against 100 for a figure that is drawn again."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anywidget
import numpy as np
import traitlets
from PIL import Image

WIDTH = 860  # of every explorer's picture on the page, in CSS pixels
SCALE = 2.0  # pixels of a picture for each of them, so that it is crisp


def encode(picture: np.ndarray, *, exact: bool = False) -> bytes:
    """Make a file of a picture.

    Args:
        picture: (H, W, 3), RGB, uint8.
        exact: PNG, where every pixel matters, as for filters; else JPEG, which is many times faster.

    Raises:
        ValueError: If ``picture`` is not such an array.
    """
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"a picture must be (H, W, 3) of uint8, got {picture.shape} of {picture.dtype}")
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    if exact:
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "JPEG", quality=85, subsampling=0)  # full colour resolution: thin coloured frames stay sharp
    return file.getvalue()


# Shared by both pictures: an <img> that follows the model.
_FOLLOW = """
function follow(model, box) {
  const img = document.createElement("img");
  let url = null;
  const show = () => {
    const old = url;
    url = URL.createObjectURL(new Blob([model.get("value")], { type: model.get("mime") }));
    img.src = url;
    if (old) URL.revokeObjectURL(old);
  };
  img.addEventListener("load", () => {  // for the stage
    const aspect = img.naturalWidth / img.naturalHeight;
    box.style.setProperty("--aspect", aspect);
    box.closest(".cs231n-explorer")?.classList.toggle("cs231n-wide", aspect > 1.75);
  });
  const label = () => {
    img.alt = model.get("alt");
    box.style.width = model.get("width") + "px";
  };
  img.draggable = false;
  box.classList.add("cs231n-picture");
  box.appendChild(img);
  model.on("change:value", show);
  model.on("change:alt change:width", label);
  show();
  label();
  const stop = () => {
    model.off("change:value", show);
    model.off("change:alt change:width", label);
    if (url) URL.revokeObjectURL(url);
  };
  return { img, stop };
}
"""

_CSS = """
.cs231n-picture { max-width: 100%; line-height: 0; }
.cs231n-picture img { width: 100%; user-select: none; }
.cs231n-clickable { cursor: crosshair; touch-action: none; }
.cs231n-clickable:focus-visible { outline: 3px solid #0072B2; outline-offset: 2px; }
"""


class ImageView(anywidget.AnyWidget):
    """A picture that takes arrays.

    Attributes:
        alt: What the picture shows, for those who do not see it.
        width: Its width in CSS pixels; narrower where the page is.
    """

    _esm = (
        _FOLLOW
        + """
export default { render({ model, el }) {
  const box = document.createElement("div");
  el.appendChild(box);
  return follow(model, box).stop;
} };
"""
    )
    _css = _CSS

    value = traitlets.Bytes().tag(sync=True)
    mime = traitlets.Unicode("image/jpeg").tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int(WIDTH).tag(sync=True)

    def __init__(self, *, exact: bool = False, alt: str = "", width: int = WIDTH) -> None:
        """Args as in :func:`encode`; ``alt`` says what is shown, ``width`` is in CSS pixels."""
        super().__init__(mime="image/png" if exact else "image/jpeg", alt=alt, width=width)
        self._exact = exact

    def show(self, picture: np.ndarray) -> None:
        """Show (H, W, 3), uint8."""
        self.value = encode(picture, exact=self._exact)


_POINT = (
    _FOLLOW
    + """
function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "cs231n-clickable";
  box.tabIndex = 0;
  box.setAttribute("role", "application");
  box.setAttribute("aria-roledescription", "picture to point at");
  box.setAttribute("aria-label", model.get("alt") + " Click, drag or use the arrow keys.");
  el.appendChild(box);
  const { img, stop } = follow(model, box);
  let frame = 0, next = null, asked = 0;
  const clamp = (x, low, high) => Math.max(low, Math.min(high - 1, x));

  // Keys go on from what is chosen, however it was chosen; of several keys in a row, from the one before, whose answer
  // may still be on its way.
  const here = () => {
    const at = model.get("at");
    return next !== null && performance.now() - asked < 1000 || at.length === 0 ? next ?? model.get("position") : at;
  };

  const send = (row, col) => {       // at most once per frame, the latest position
    const [height, width] = model.get("size");
    next = [clamp(row, 0, height), clamp(col, 0, width)];
    asked = performance.now();
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      model.set("position", next);
      model.save_changes();
    });
  };
  const placeOf = (event) => {
    const rect = img.getBoundingClientRect();
    const [height, width] = model.get("size");
    return [Math.floor((event.clientY - rect.top) / rect.height * height),
            Math.floor((event.clientX - rect.left) / rect.width * width)];
  };
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    box.focus({ preventScroll: true });
    box.setPointerCapture(event.pointerId);
    send(...placeOf(event));
  });
  box.addEventListener("pointermove", (event) => {  // the pointer says where something can be chosen
    const [row, col] = placeOf(event), areas = model.get("areas");
    const area = areas.find(([top, left, bottom, right]) => row >= top && row < bottom && col >= left && col < right);
    box.style.cursor = areas.length ? (area ? "pointer" : "default") : "";
    if (event.buttons & 1 || model.get("hover") || area?.[4]) send(row, col);
  });
  box.addEventListener("blur", () => { next = frame ? next : null; });
  box.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    const [row, col] = here();
    const [down, right] = model.get("step"), reach = model.get("reach");
    const [top, left, bottom, end] = reach.length ? reach : [0, 0, ...model.get("size")];
    send(clamp(row + move[0] * down, top, bottom), clamp(col + move[1] * right, left, end));
  });
  return () => {
    cancelAnimationFrame(frame);
    stop();
  };
}
export default { render };
"""
)


@dataclass(frozen=True)
class Spot:
    """A grid of cells on a picture that a person points at: tiles, the cells of a map, the pixels of a photograph.

    Attributes:
        at: (x, y) of its corner, in CSS pixels.
        size: (width, height).
        cells: (rows, columns).
        choose: Called with the (row, column) of a cell that is clicked, dragged over or reached by an arrow key. It
            returns True if the picture is another one now although no control has moved.
        chosen: The cell that is chosen now; the arrow keys go on from there, cell by cell.
        hover: The mouse chooses without a click.
    """

    at: tuple[float, float]
    size: tuple[float, float]
    cells: tuple[int, int]
    choose: Callable[[int, int], object]
    chosen: tuple[int, int] | None = None
    hover: bool = False

    def cell_at(self, position: tuple[int, int]) -> tuple[int, int] | None:
        """The cell under (row, column) of the picture; None beside the grid."""
        places = zip(position, self.at[::-1], self.size[::-1], self.cells, strict=True)
        row, column = (int((value / SCALE - edge) / side * count // 1) for value, edge, side, count in places)
        return (row, column) if 0 <= row < self.cells[0] and 0 <= column < self.cells[1] else None

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the chosen cell, (x, y) in CSS pixels."""
        row, column = self.chosen
        return (
            self.at[0] + (column + 0.5) * self.size[0] / self.cells[1],
            self.at[1] + (row + 0.5) * self.size[1] / self.cells[0],
        )

    @property
    def area(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) in pixels of the picture."""
        (x, y), (width, height) = self.at, self.size
        return round(y * SCALE), round(x * SCALE), round((y + height) * SCALE), round((x + width) * SCALE)


class ClickablePicture(ImageView):
    """A picture that reports where it is clicked or dragged; the arrow keys move the position by one step.

    It draws nothing itself: whoever observes ``position`` does.

    Attributes:
        position: (row, column) in pixels of the array that is shown.
        step: (rows, columns) that an arrow key moves.
        at: Where what is chosen lies, in the same pixels; the arrow keys go on from there. Empty if nobody says.
        hover: Report where the mouse is, pressed or not.
        areas: The parts where something can be chosen, (top, left, bottom, right, hover); all of it if empty.
        reach: (top, left, bottom, right) of the part that the arrow keys stay in.
        size: (height, width) of the array that is shown.
    """

    _esm = _POINT

    size = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(1, 1)).tag(sync=True)
    step = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(1, 1)).tag(sync=True)
    position = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(0, 0)).tag(sync=True)
    hover = traitlets.Bool(False).tag(sync=True)
    at = traitlets.Tuple().tag(sync=True)
    areas = traitlets.Tuple().tag(sync=True)
    reach = traitlets.Tuple().tag(sync=True)
    _silent = False

    def offer(self, spots: Sequence[Spot], pointed: int) -> None:
        """Say where something can be chosen; arrow keys go on in the spot ``pointed``, or the first with a choice."""
        self.areas = tuple((*spot.area, spot.hover) for spot in spots)
        if current := next((spot for spot in [*spots[pointed:], *spots] if spot.chosen is not None), None):
            (width, height), (rows, columns) = current.size, current.cells
            self.step = max(1, round(height * SCALE / rows)), max(1, round(width * SCALE / columns))
            self.reach = current.area
            self.stand_at(current.middle)

    def stand_at(self, at: tuple[float, float]) -> None:
        """Say where what is chosen lies, (x, y) in CSS pixels; ``position`` follows, and nobody is told."""
        place = (round(at[1] * SCALE), round(at[0] * SCALE))
        self._silent = True
        try:
            self.at = self.position = place
        finally:
            self._silent = False

    def notify_change(self, change: dict) -> None:
        """Tell the page of every change, and those who observe ``position`` only of what a person has chosen."""
        if self._silent and change["name"] == "position":
            self.send_state("position")
        else:
            super().notify_change(change)

    def show(self, picture: np.ndarray) -> None:
        """Show (H, W, 3), uint8."""
        with self.hold_sync():
            self.size = picture.shape[:2]
            super().show(picture)
