"""The two grids that convolution and pooling share: the input with its window, and the output computed so far."""

from collections.abc import Callable

import ipywidgets as widgets
import numpy as np

from cs231n_viz.explore.base import Explorer
from cs231n_viz.explore.canvas import BLUE, LINE, ORANGE, PALE, Canvas, greys
from cs231n_viz.explore.patches import windows_of

SIDE = 364  # CSS pixels of either grid
TOP, LEFT, RIGHT = 32, 8, 478


def input_panel(
    canvas: Canvas, pixels: np.ndarray, place: tuple[int, int], *, size: int, stride: int, padding: int = 0
) -> tuple[tuple[float, float], float]:
    """Draw the input, what lies outside of every window, and the window at ``place`` with its numbers.

    Args:
        canvas: Drawn on, at the left.
        pixels: (h, w), grey values in [0, 1], without the padding.
        place: (row, column) of the output cell.
        size: Side of the window.
        stride: Steps from window to window.
        padding: Zeros around the input.

    Returns:
        Where the window begins, (x, y), and the side of a cell, in CSS pixels.
    """
    padded = np.pad(pixels, padding)
    height, width = padded.shape
    cell = SIDE / max(height, width)
    around = f", padding {padding}" if padding else ""
    canvas.text((LEFT, 4), f"input {pixels.shape[0]}×{pixels.shape[1]}{around}", size=16, bold=True)
    canvas.frame((LEFT, TOP), (width * cell, height * cell), colour=LINE, fill=PALE)
    inner = (LEFT + padding * cell, TOP + padding * cell)
    canvas.paste(greys(pixels), inner, (pixels.shape[1] * cell, pixels.shape[0] * cell))
    canvas.grid((LEFT, TOP), cell, (height, width), colour=(150, 150, 150))
    rows, columns = ((n - size) // stride * stride + size for n in padded.shape)
    for x, y, w, h in ((columns, 0, width - columns, rows), (0, rows, width, height - rows)):
        if w and h:
            canvas.hatch((LEFT + x * cell, TOP + y * cell), (w * cell, h * cell))
    corner = (LEFT + place[1] * stride * cell, TOP + place[0] * stride * cell)
    window = windows_of(padded, size, stride)[place]
    canvas.numbers(window, corner, cell, background=greys(window), size=int(cell * 0.34))
    canvas.frame(corner, (size * cell, size * cell), colour=ORANGE, width=3.4)
    return corner, cell


def output_panel(
    canvas: Canvas, colours: np.ndarray, place: tuple[int, int], *, title: str, values: np.ndarray | None = None
) -> None:
    """Draw the output cells up to ``place``; the later ones stay empty.

    Args:
        canvas: Drawn on, at the right.
        colours: (rows, columns, 3), uint8, of the whole output.
        place: (row, column) of the cell being computed.
        title: Above the grid.
        values: Numbers to print into the cells, (rows, columns).
    """
    rows, columns = colours.shape[:2]
    cell = SIDE / max(rows, columns, 6)
    canvas.text((RIGHT, 4), title, size=16, bold=True)
    later = np.arange(rows * columns).reshape(rows, columns) > place[0] * columns + place[1]
    canvas.paste(np.where(later[..., None], np.uint8(250), colours), (RIGHT, TOP), (columns * cell, rows * cell))
    canvas.grid((RIGHT, TOP), cell, (rows, columns))
    if values is not None and cell > 32:
        for at in zip(*np.nonzero(~later), strict=True):
            corner = (RIGHT + at[1] * cell, TOP + at[0] * cell)
            one = np.index_exp[at[0] : at[0] + 1, at[1] : at[1] + 1]
            canvas.numbers(values[one], corner, cell, background=colours[one], size=min(14, int(cell * 0.34)))
    canvas.frame((RIGHT + place[1] * cell, TOP + place[0] * cell), (cell, cell), colour=BLUE, width=3.4)


def run_through(explorer: Explorer, shape: Callable[[], tuple[int, int]], follow: list[str]) -> None:
    """Keep the range of the controls ``cell`` and ``play`` at the number of output cells, and link the two.

    Args:
        explorer: Has both controls.
        shape: The (rows, columns) of the output for the present controls.
        follow: Names of the controls that change it.
    """
    controls = explorer.controls

    def resize(_: object = None) -> None:
        rows, columns = shape()
        with explorer.hold():
            controls["cell"].max = controls["play"].max = max(rows * columns, 1) - 1

    for name in follow:
        controls[name].observe(resize, names="value")
    resize()
    controls["cell"].value = controls["cell"].max * 3 // 5
    widgets.link((controls["cell"], "value"), (controls["play"], "value"))
