"""Explorer of notebook 00: what does a convolution compute, cell by cell?"""

from collections.abc import Callable
from functools import lru_cache

import ipywidgets as widgets
import numpy as np

from cs231n_viz.explore.n00_cnn_review.windows import (
    RIGHT,
    GreyPatch,
    GreyPatches,
    call_with_tensors,
    cell_spots,
    convolve,
    input_panel,
    link_cells,
    output_panel,
    remainder_note,
    windows_of,
)
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREEN, GREY, ORANGE, Canvas, coloured, greys, number
from cs231n_viz.explore.toolkit.controls import GAP, NumberGrid, dropdown, flat, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture, Spot
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
        The explorer; ``controls`` are ``preset``, ``kernel``, ``stride``, ``padding``, ``cell``, ``play``,
        ``photograph`` and ``file``. A click on a cell of the output, or on a pixel of the input, moves the window
        there, one on the photograph the patch. The mouse over a number links window, kernel and product.
    """
    return _Convolution(GreyPatches(image), conv2d).explorer


class _Convolution:
    def __init__(self, patches: GreyPatches, conv2d: Callable | None) -> None:
        self.patches, self.conv2d = patches, conv2d
        self.centre: tuple[str, tuple[float, float]] | None = None  # a photograph, and where its patch was moved to
        self.term: tuple[int, int] | None = None  # the pair of numbers that the mouse is over
        self.whole = lru_cache(maxsize=1)(self._whole)
        self.controls = {
            "preset": dropdown("preset", [*KERNELS, "your own"], value="vertical edge"),
            "kernel": NumberGrid(flat(KERNELS["vertical edge"]), label="kernel"),
            "stride": slider("stride, px", 1, 4),
            "padding": slider("padding, px", 0, 2),
            "cell": slider("output cell", 0, 1),
            "play": widgets.Play(interval=400, tooltip="run through the output cells"),
            "photograph": patches.choice.dropdown,
            "file": patches.choice.file,
        }
        left = widgets.VBox([self.controls[name] for name in ("preset", "stride", "padding")])
        running = widgets.HBox([self.controls["cell"], self.controls["play"]])
        self.explorer = Explorer(
            self.draw,
            self.controls,
            panel=[
                widgets.HBox([left, self.controls["kernel"]], layout=GAP),
                running,
                ("photograph", "file"),
            ],
            first=(),
            view=ClickablePicture(alt="The padded patch with the window, the output so far, and the nine products."),
            hint="Change a number of the kernel, the stride or the padding.",
            pointing="Click an output cell or a pixel to move the window, the photograph to move the patch; point at "
            "one of the nine numbers to link all three.",
        )
        self.controls["preset"].observe(self._fill_kernel, names="value")
        self.controls["kernel"].observe(self._name_preset, names="value")
        link_cells(self.explorer, self._shape, ["stride", "padding", "photograph"])

    def _fill_kernel(self, change: dict) -> None:
        if change["new"] in KERNELS:
            self.controls["kernel"].value = flat(KERNELS[change["new"]])

    def _name_preset(self, change: dict) -> None:
        names = {flat(kernel): name for name, kernel in KERNELS.items()}
        self.controls["preset"].value = names.get(change["new"], "your own")

    def _patch(self, photograph: str) -> GreyPatch:
        moved = self.centre is not None and self.centre[0] == photograph
        return self.patches(photograph, self.centre[1] if moved else None)

    def _shape(self) -> tuple[int, int]:
        photograph, stride, padding = (self.controls[name].value for name in ("photograph", "stride", "padding"))
        rows, columns = ((side + 2 * padding - 3) // stride + 1 for side in self._patch(photograph).pixels.shape)
        return rows, columns

    def _link(self, row: int, column: int) -> bool:
        before, self.term = self.term, (row, column)
        return before != self.term

    def draw(self, kernel: tuple[float, ...], stride: int, padding: int, cell: int, photograph: str) -> Drawing:
        patch, weights = self._patch(photograph), np.array(kernel).reshape(3, 3)
        padded = np.pad(patch.pixels, padding)
        output = convolve(padded, weights, stride=stride)
        if self.conv2d is not None:
            sizes = {"stride": stride, "padding": padding}
            output = call_with_tensors(self.conv2d, output.shape, patch.pixels, weights, **sizes)
        place = divmod(min(cell, output.size - 1), output.shape[1])
        window = windows_of(padded, 3, stride)[place]
        canvas = Canvas(640)
        corner, side = input_panel(canvas, patch.pixels, place, size=3, stride=stride, padding=padding)
        if self.term is not None:
            at = corner[0] + self.term[1] * side, corner[1] + self.term[0] * side
            canvas.frame(at, (side, side), colour=GREEN, width=3)
        limit, signed = float(np.abs(np.nan_to_num(output)).max()) or 1.0, bool((weights < 0).any() or output.min() < 0)
        colours = coloured(output, limit) if signed else greys(output, limit)
        output_panel(canvas, colours, place, title=f"output {output.shape[0]}×{output.shape[1]}, stride {stride}")
        canvas.scale_bar((RIGHT, 408), 150, limit, signed=True if signed else None)
        spots = cell_spots(self.controls["cell"], padded.shape, output.shape, 3, stride)
        spots += self._products(canvas, window, weights, output[place])
        if patch.photo is not None:
            spots += (self._photograph(canvas, patch, photograph, kernel),)
        notes = [remainder_note(side, 3, stride, padding) for side in sorted(set(patch.pixels.shape))]
        text = self._sum_html(window, weights, place, float(output[place]))
        return Drawing(canvas.array, text, " ".join(filter(None, notes)), spots=spots)

    def _products(self, canvas: Canvas, window: np.ndarray, kernel: np.ndarray, total: float) -> tuple[Spot, ...]:
        cell, top = 46, 462
        blocks = [
            (8, "window", window, greys(window), ORANGE, 1),
            (180, "kernel", kernel, coloured(kernel, np.abs(kernel).max() * 2), GREY, 1),
            (352, "products", window * kernel, None, GREY, 1),
        ]
        for (x, title, values, background, colour, width), sign in zip(blocks, "×=→", strict=True):
            canvas.text((x, top - 6), title, size=13, colour=GREY, anchor="ls")
            if background is not None:
                canvas.paste(background, (x, top), (3 * cell, 3 * cell))
            canvas.grid((x, top), cell, (3, 3))
            canvas.numbers(values, (x, top), cell, background=background, size=12, digits=4 if title == "kernel" else 2)
            canvas.frame((x, top), (3 * cell, 3 * cell), colour=colour, width=2.5 if colour == ORANGE else width)
            if self.term is not None:
                at = x + self.term[1] * cell, top + self.term[0] * cell
                canvas.frame(at, (cell, cell), colour=GREEN, width=4)
            canvas.text((x + 3 * cell + 17, top + 1.5 * cell), sign, size=20, anchor="mm")
        canvas.text((524, top - 6), "sum", size=13, colour=GREY, anchor="ls")
        canvas.frame((524, top + cell * 0.75), (92, 1.5 * cell), colour=BLUE, width=3.4)
        canvas.text((570, top + 1.5 * cell), number(total), size=22, anchor="mm", bold=True)
        return tuple(Spot((x, top), (3 * cell, 3 * cell), (3, 3), self._link, hover=True) for x, *_ in blocks)

    def _whole(self, photograph: str, kernel: tuple[float, ...]) -> tuple[np.ndarray, float, bool]:
        """The response (h, w, 3) to a whole photograph in colours, the end of their scale, and whether it is signed."""
        weights = np.array(kernel).reshape(3, 3)
        shown = convolve(self.patches(photograph).photo, weights)
        limit = float(np.percentile(np.abs(shown), 99.5)) or 1.0  # a few very bright pixels would leave the rest pale
        signed = bool((weights < 0).any())
        return coloured(shown, limit) if signed else greys(shown, limit), limit, signed

    def _photograph(self, canvas: Canvas, patch: GreyPatch, photograph: str, kernel: tuple[float, ...]) -> Spot:
        colours, limit, signed = self.whole(photograph, kernel)
        height, width = patch.photo.shape
        size = (206 * min(1.0, width / height / 1.5), 206 * min(1.0, width / height / 1.5) * height / width)
        left = 852 - size[0]
        canvas.text((852, 456), "same kernel, whole photograph", size=12, colour=GREY, anchor="rs")
        canvas.paste(colours, (left, 462), size, smooth=True)
        canvas.scale_bar((left, 468 + size[1]), size[0], limit, signed=True if signed else None)
        top, x, h, w = (edge * size[0] / width for edge in patch.box)
        canvas.frame((left + x, 462 + top), (w, h), colour=GREEN, width=2)

        def move_patch(row: int, column: int) -> bool:
            self.centre = photograph, ((row + 0.5) / height, (column + 0.5) / width)
            return True

        return Spot((left, 462), size, (height, width), move_patch)

    def _sum_html(self, window: np.ndarray, kernel: np.ndarray, place: tuple[int, int], shown: float) -> str:
        terms = [f"{number(x)}·{_factor(w)}" for x, w in zip(window.flat, kernel.flat, strict=True)]
        if self.term is not None:
            index = 3 * self.term[0] + self.term[1]
            terms[index] = f"<mark>{terms[index]}</mark>"
        total = float((window * kernel).sum())
        text = f"output[{place[0]}, {place[1]}] = {' + '.join(terms)} = <b>{number(total, 3)}</b>"
        if not np.isclose(total, shown, atol=1e-4):
            text += f"<br><b>Your conv2d says {number(shown, 3)} here.</b>"
        return paragraph(text)


def _factor(weight: float) -> str:
    text = f"{weight:g}".replace("-", "−")
    return f"({text})" if weight < 0 else text
