"""Explorer of notebook 00: what does a convolution compute, cell by cell?"""

from collections.abc import Callable

import ipywidgets as widgets
import numpy as np

from cs231n_viz.explore.n00_cnn_review.windows import (
    RIGHT,
    GreyPatch,
    call_with_tensors,
    convolve,
    grey_patch,
    input_panel,
    link_cells,
    output_panel,
    remainder_note,
    windows_of,
)
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREEN, GREY, ORANGE, Canvas, coloured, greys, number
from cs231n_viz.explore.toolkit.controls import GAP, NumberGrid, dropdown, flat, slider
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.pictures.images import ImageSource

KERNELS: dict[str, list[list[float]]] = {
    "vertical edge": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "horizontal edge": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    "Sobel, vertical": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "Sobel, horizontal": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "lecture notes": [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "blur": [[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125], [0.0625, 0.125, 0.0625]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
}


def convolution(image: ImageSource | None = None, *, conv2d: Callable | None = None) -> Explorer:
    """Slide an editable 3×3 kernel over a patch of a photograph and watch one output cell being computed.

    Args:
        image: What ``load_image`` takes, or a 2-D array of 3 to 16 rows and columns in [0, 1]; coffee if omitted.
        conv2d: Computes the output instead of ours: ``conv2d(image (1, H, W), kernels (1, 1, 3, 3), stride=,
            padding=)`` -> (1, h, w). The products shown stay the true ones, so a disagreement becomes visible.

    Returns:
        The explorer; ``controls`` are ``preset``, ``kernel``, ``stride``, ``padding``, ``cell`` and ``play``.
    """
    patch = grey_patch(image)
    controls = {
        "preset": dropdown("preset", [*KERNELS, "your own"], value="vertical edge"),
        "kernel": NumberGrid(flat(KERNELS["vertical edge"]), label="kernel"),
        "stride": slider("stride", 1, 4),
        "padding": slider("padding", 0, 2),
        "cell": slider("output cell", 0, 1),
        "play": widgets.Play(interval=400, tooltip="run through the output cells"),
    }
    left = widgets.VBox([controls["preset"], controls["stride"], controls["padding"]])
    running = widgets.HBox([controls["cell"], controls["play"]])
    panel = [widgets.HBox([left, controls["kernel"]], layout=GAP), running]

    def draw(kernel: tuple[float, ...], stride: int, padding: int, cell: int) -> Drawing:
        weights = np.array(kernel).reshape(3, 3)
        output = convolve(patch.pixels, weights, stride=stride, padding=padding)
        if conv2d is not None:
            sizes = {"stride": stride, "padding": padding}
            output = call_with_tensors(conv2d, output.shape, patch.pixels, weights, **sizes)
        return _Scene(patch, weights, stride, padding, output).drawing(min(cell, output.size - 1))

    explorer = Explorer(
        draw,
        controls,
        panel=panel,
        view=ImageView(alt="The padded patch with the window, the output so far, and the nine products."),
        hint="Change a number of the kernel, the stride or the padding.",
    )
    _connect(explorer, patch)
    return explorer


class _Scene:
    """Everything on the picture except which cell is being computed."""

    def __init__(self, patch: GreyPatch, kernel: np.ndarray, stride: int, padding: int, output: np.ndarray) -> None:
        self.patch, self.kernel, self.stride, self.padding, self.output = patch, kernel, stride, padding, output
        self.padded = np.pad(patch.pixels, padding)
        self.signed = bool((kernel < 0).any() or (output < 0).any())
        self.limit = float(np.abs(np.nan_to_num(output)).max()) or 1.0

    def drawing(self, cell: int) -> Drawing:
        row, column = divmod(cell, self.output.shape[1])
        window = windows_of(self.padded, 3, self.stride)[row, column]
        canvas = Canvas(612)
        input_panel(canvas, self.patch.pixels, (row, column), size=3, stride=self.stride, padding=self.padding)
        self._output(canvas, (row, column))
        self._products(canvas, window, self.output[row, column])
        self._whole_photograph(canvas)
        notes = [remainder_note(side, 3, self.stride, self.padding) for side in sorted(set(self.patch.pixels.shape))]
        return Drawing(canvas.array, self._sum_html(window, row, column), " ".join(filter(None, notes)))

    def _colours(self, values: np.ndarray) -> np.ndarray:
        return coloured(values, self.limit) if self.signed else greys(values, self.limit)

    def _output(self, canvas: Canvas, place: tuple[int, int]) -> None:
        rows, columns = self.output.shape
        output_panel(canvas, self._colours(self.output), place, title=f"output {rows}×{columns}, stride {self.stride}")
        canvas.scale_bar((RIGHT, 408), 150, self.limit, signed=True if self.signed else None)

    def _products(self, canvas: Canvas, window: np.ndarray, total: float) -> None:
        cell, top = 46, 462
        blocks = [
            (8, "window", window, greys(window), ORANGE, 1),
            (180, "kernel", self.kernel, coloured(self.kernel, np.abs(self.kernel).max() * 2), GREY, 1),
            (352, "products", window * self.kernel, None, GREY, 1),
        ]
        for (x, title, values, background, colour, width), sign in zip(blocks, "×=→", strict=True):
            canvas.text((x, top - 6), title, size=13, colour=GREY, anchor="ls")
            if background is not None:
                canvas.paste(background, (x, top), (3 * cell, 3 * cell))
            canvas.grid((x, top), cell, (3, 3))
            canvas.numbers(values, (x, top), cell, background=background, size=12, digits=4 if title == "kernel" else 2)
            canvas.frame((x, top), (3 * cell, 3 * cell), colour=colour, width=2.5 if colour == ORANGE else width)
            canvas.text((x + 3 * cell + 17, top + 1.5 * cell), sign, size=20, anchor="mm")
        canvas.text((524, top - 6), "sum", size=13, colour=GREY, anchor="ls")
        canvas.frame((524, top + cell * 0.75), (92, 1.5 * cell), colour=BLUE, width=3.4)
        canvas.text((570, top + 1.5 * cell), number(total), size=22, anchor="mm", bold=True)

    def _whole_photograph(self, canvas: Canvas) -> None:
        if self.patch.photo is None:
            return
        photo = self.patch.photo
        shown = convolve(photo, self.kernel)
        limit = float(np.percentile(np.abs(shown), 99.5)) or 1.0  # a few very bright pixels would leave the rest pale
        colours = coloured(shown, limit) if self.signed else greys(shown, max(limit, 1e-9))
        height, width = photo.shape
        size = (206 * min(1.0, width / height / 1.5), 206 * min(1.0, width / height / 1.5) * height / width)
        left = 852 - size[0]
        canvas.text((left, 456), "same kernel, whole photograph", size=12, colour=GREY, anchor="ls")
        canvas.paste(colours, (left, 462), size, smooth=True)
        top, x, h, w = (edge * size[0] / width for edge in self.patch.box)
        canvas.frame((left + x, 462 + top), (w, h), colour=GREEN, width=2)

    def _sum_html(self, window: np.ndarray, row: int, column: int) -> str:
        terms = [f"{number(x)}·{_factor(w)}" for x, w in zip(window.flat, self.kernel.flat, strict=True)]
        total, shown = float((window * self.kernel).sum()), float(self.output[row, column])
        text = f"output[{row}, {column}] = {' + '.join(terms)} = <b>{number(total, 3)}</b>"
        if not np.isclose(total, shown, atol=1e-4):
            text += f"<br><b>Your conv2d says {number(shown, 3)} here.</b>"
        return paragraph(text)


def _factor(weight: float) -> str:
    text = f"{weight:g}".replace("-", "−")
    return f"({text})" if weight < 0 else text


def _connect(explorer: Explorer, patch: GreyPatch) -> None:
    """Choosing a preset fills in the kernel; the range of cells follows the size of the output."""
    controls = explorer.controls

    def fill(change: dict) -> None:
        if change["new"] in KERNELS:
            controls["kernel"].value = flat(KERNELS[change["new"]])

    def name_preset(change: dict) -> None:
        names = {flat(kernel): name for name, kernel in KERNELS.items()}
        controls["preset"].value = names.get(change["new"], "your own")

    def shape() -> tuple[int, int]:
        stride, padding = controls["stride"].value, controls["padding"].value
        rows, columns = ((side + 2 * padding - 3) // stride + 1 for side in patch.pixels.shape)
        return rows, columns

    controls["preset"].observe(fill, names="value")
    controls["kernel"].observe(name_preset, names="value")
    link_cells(explorer, shape, ["stride", "padding"])
