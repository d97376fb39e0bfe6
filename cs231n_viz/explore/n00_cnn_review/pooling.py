"""Explorer of notebook 00: what does pooling keep?"""

from collections.abc import Callable
from dataclasses import replace

import ipywidgets as widgets
import numpy as np

from cs231n_viz.explore.n00_cnn_review.windows import (
    GreyPatches,
    call_with_tensors,
    cell_spots,
    input_panel,
    link_cells,
    output_panel,
    remainder_note,
    windows_of,
)
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, ORANGE, Canvas, greys, number
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.pictures.images import ImageSource


def pooling(image: ImageSource | None = None, *, max_pool: Callable | None = None) -> Explorer:
    """Slide a pooling window over a patch of a photograph, and see which pixel is the maximum.

    Args:
        image: What ``load_image`` takes, or a 2-D array of 3 to 16 rows and columns in [0, 1]; coffee if omitted.
        max_pool: Computes the maxima instead of ours: ``max_pool(image (1, H, W), size, stride)`` -> (1, h, w).

    Returns:
        The explorer; ``controls`` are ``kind``, ``size``, ``stride``, ``cell``, ``play``, ``photograph`` and ``file``.
        A click on a cell of the output, or on a pixel of the input, moves the window there.
    """
    patches = GreyPatches(image)
    largest = min(4, *patches(patches.choice.dropdown.value).pixels.shape)
    controls = {
        "kind": dropdown("keep", ["maximum", "average"]),
        "size": slider("window, px", 1, largest, value=2),
        "stride": slider("stride, px", 1, 4, value=2),
        "cell": slider("output cell", 0, 1),
        "play": widgets.Play(interval=500, tooltip="run through the output cells"),
        "photograph": patches.choice.dropdown,
        "file": patches.choice.file,
    }

    def draw(kind: str, size: int, stride: int, cell: int, photograph: str) -> Drawing:
        pixels = patches(photograph).pixels
        windows = windows_of(pixels, size, stride)
        output = windows.max(axis=(2, 3)) if kind == "maximum" else windows.mean(axis=(2, 3))
        if max_pool is not None and kind == "maximum":
            output = call_with_tensors(max_pool, output.shape, pixels, size, stride)
        drawing = _draw(pixels, output, min(cell, output.size - 1), kind=kind, size=size, stride=stride)
        return replace(drawing, spots=cell_spots(controls["cell"], pixels.shape, output.shape, size, stride))

    explorer = Explorer(
        draw,
        controls,
        panel=[
            widgets.HBox([controls["kind"], controls["size"]], layout=GAP),
            widgets.HBox([controls["stride"], widgets.HBox([controls["cell"], controls["play"]])], layout=GAP),
            ("photograph", "file"),
        ],
        first=(),
        view=ClickablePicture(alt="The patch with the pooling window and its maximum, and the output so far."),
        hint="Change the window size or the stride.",
        pointing="Click a cell of the output, or a pixel of the input, to move the window there.",
    )

    def shape() -> tuple[int, int]:
        sides = patches(controls["photograph"].value).pixels.shape
        rows, columns = ((n - controls["size"].value) // controls["stride"].value + 1 for n in sides)
        return rows, columns

    link_cells(explorer, shape, ["size", "stride", "photograph"])
    return explorer


def _draw(pixels: np.ndarray, output: np.ndarray, cell: int, *, kind: str, size: int, stride: int) -> Drawing:
    place = divmod(cell, output.shape[1])
    window = windows_of(pixels, size, stride)[place]
    canvas = Canvas(432)
    corner, side = input_panel(canvas, pixels, place, size=size, stride=stride)
    if kind == "maximum":
        row, column = divmod(int(window.argmax()), size)
        maximum = (corner[0] + column * side, corner[1] + row * side)
        canvas.frame(maximum, (side, side), colour=BLUE, width=3.4)
    title = f"output {output.shape[0]}×{output.shape[1]}, stride {stride}"
    output_panel(canvas, greys(output), place, title=title, values=output)
    middle = (425, 200)
    canvas.line([(middle[0] - 30, middle[1]), (middle[0] + 26, middle[1])], colour=GREY, width=2)
    canvas.polygon(
        [(middle[0] + 34, middle[1]), (middle[0] + 22, middle[1] - 7), (middle[0] + 22, middle[1] + 7)],
        fill=GREY,
        colour=GREY,
    )
    canvas.text((middle[0], middle[1] - 16), "max" if kind == "maximum" else "mean", size=15, colour=GREY, anchor="ms")
    legend = [(8, ORANGE, "window")] + ([(110, BLUE, "the maximum")] if kind == "maximum" else [])
    for x, colour, label in legend:
        canvas.frame((x, 408), (14, 14), colour=colour, width=3)
        canvas.text((x + 21, 415), label, size=13, colour=GREY, anchor="lm")
    notes = [remainder_note(side, size, stride) for side in sorted(set(pixels.shape))]
    return Drawing(canvas.array, _formula(window, float(output[place]), kind, place), " ".join(filter(None, notes)))


def _formula(window: np.ndarray, shown: float, kind: str, place: tuple[int, int]) -> str:
    values = ", ".join(number(value) for value in window.flat)
    name, value = ("max", window.max()) if kind == "maximum" else ("mean", window.mean())
    text = f"output[{place[0]}, {place[1]}] = {name}({values}) = <b>{number(value, 3)}</b>"
    if not np.isclose(value, shown, atol=1e-4):
        text += f"<br><b>Your max_pool says {number(shown, 3)} here.</b>"
    return paragraph(text)
