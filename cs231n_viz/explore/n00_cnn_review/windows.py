"""What convolution and pooling share: a grey patch, its windows, and the grids of input and output."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from cs231n_viz.explore.toolkit.base import Explorer
from cs231n_viz.explore.toolkit.canvas import BLUE, LINE, ORANGE, PALE, Canvas, greys
from cs231n_viz.explore.toolkit.controls import PictureChoice
from cs231n_viz.explore.toolkit.picture import Spot
from cs231n_viz.pictures.images import ImageError, ImageSource, load_image, resize_shorter

SIDE = 364  # CSS pixels of either grid
TOP, LEFT, RIGHT = 32, 8, 478
# Where a photograph has both edges and a smooth part: (top, left, side) as shares of its height, width and height.
_PLACES = {"coffee": (0.2, 0.3, 0.45), "cat": (0.2, 0.3, 0.32), "astronaut": (0.1, 0.33, 0.24)}
_SIDE = 12  # pixels of a patch: enough to recognise an edge, few enough to print numbers


def input_panel(
    canvas: Canvas, pixels: np.ndarray, place: tuple[int, int], *, size: int, stride: int, padding: int = 0
) -> tuple[tuple[float, float], float]:
    """Draw the input, hatched where no window reaches, and the window at ``place`` with its numbers.

    Args:
        canvas: Drawn on, at the left.
        pixels: (h, w), grey values in [0, 1], without the padding.
        place: (row, column) of the output cell.
        size: Side of the window.
        stride: Pixels from window to window.
        padding: Zeros around the input.

    Returns:
        Where the window begins, (x, y), and the side of a cell, in CSS pixels.
    """
    padded = np.pad(pixels, padding)
    height, width = padded.shape
    cell = SIDE / max(height, width)
    around = f", padding {padding}" if padding else ""
    canvas.heading(LEFT, f"input {pixels.shape[0]}×{pixels.shape[1]}{around}")
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
    canvas.heading(RIGHT, title)
    row, column = place
    for y, block in ((0, colours[:row]), (row, colours[row : row + 1, : column + 1])):
        if block.size:
            canvas.paste(block, (RIGHT, TOP + y * cell), (block.shape[1] * cell, block.shape[0] * cell))
    canvas.grid((RIGHT, TOP), cell, (rows, columns))
    if values is not None and cell > 32:
        for at in (divmod(index, columns) for index in range(row * columns + column + 1)):
            corner = (RIGHT + at[1] * cell, TOP + at[0] * cell)
            one = np.index_exp[at[0] : at[0] + 1, at[1] : at[1] + 1]
            canvas.numbers(values[one], corner, cell, background=colours[one], size=min(14, int(cell * 0.34)))
    canvas.frame((RIGHT + column * cell, TOP + row * cell), (cell, cell), colour=BLUE, width=3.4)


def cell_spots(
    control: widgets.IntSlider, input_shape: tuple[int, int], output_shape: tuple[int, int], size: int, stride: int
) -> tuple[Spot, Spot]:
    """Where a window can be chosen: at its output cell, and at any pixel of the input, which is near its middle."""
    (height, width), (rows, columns) = input_shape, output_shape

    def choose(row: int, column: int) -> None:
        control.value = row * columns + column

    def choose_window(*pixel: int) -> None:
        choose(
            *(
                min(max(round((place - (size - 1) / 2) / stride), 0), count - 1)
                for place, count in zip(pixel, output_shape, strict=True)
            )
        )

    cell, of_output = SIDE / max(height, width), SIDE / max(rows, columns, 6)
    place = divmod(min(control.value, rows * columns - 1), columns)
    return (
        Spot((RIGHT, TOP), (columns * of_output, rows * of_output), (rows, columns), choose, place),
        Spot((LEFT, TOP), (width * cell, height * cell), (height, width), choose_window),
    )


def link_cells(explorer: Explorer, shape: Callable[[], tuple[int, int]], follow: list[str]) -> None:
    """Keep the range of the controls ``cell`` and ``play`` at the number of output cells, and link the two.

    Args:
        explorer: Has both controls.
        shape: The (rows, columns) of the output for the present controls.
        follow: Names of the controls that change it.
    """
    controls = explorer.controls

    def resize(_: object = None) -> None:
        try:
            rows, columns = shape()
        except ImageError:
            return  # a file that is no picture: the drawing raises the same error, and it is shown in place
        with explorer.hold():
            controls["cell"].max = controls["play"].max = max(rows * columns, 1) - 1

    for name in follow:
        controls[name].observe(resize, names="value")
    resize()
    rows, columns = shape()
    controls["cell"].value = rows * 3 // 5 * columns + columns // 2
    widgets.link((controls["cell"], "value"), (controls["play"], "value"))


@dataclass(frozen=True)
class GreyPatch:
    """A small grey patch of a photograph.

    Attributes:
        pixels: (h, w), grey values in [0, 1].
        photo: (H, W), the grey photograph it is taken from; None for a patch that was given as numbers.
        box: (top, left, height, width) of the patch in ``photo``, in its pixels.
    """

    pixels: np.ndarray
    photo: np.ndarray | None = None
    box: tuple[int, int, int, int] = (0, 0, 0, 0)


class GreyPatches:
    """Small grey patches of the photographs that two controls offer; each photograph is read once."""

    def __init__(self, image: ImageSource | None) -> None:
        """``image``: what ``load_image`` takes, or a 2-D array of 3 to 16 rows and columns in [0, 1], used as it is.

        Raises:
            ImageError: If it cannot be read.
            ValueError: If a 2-D array is too small or too large.
        """
        self.choice = PictureChoice("coffee" if image is None else image)
        self._grey = lru_cache(maxsize=8)(self._read)
        self(self.choice.dropdown.value)

    def _read(self, title: str) -> Tensor:
        """A photograph, (1, H, W), small enough to be convolved while a slider moves; numbers as they are, (H, W)."""
        source = self.choice(title)
        if getattr(source, "ndim", 0) != 2:
            return resize_shorter(load_image(source).mean(0, keepdim=True), 288)[0, :, :, :432]
        if not (3 <= min(source.shape) and max(source.shape) <= 16):
            raise ValueError(f"a patch must have 3 to 16 rows and columns, got {source.shape[0]}x{source.shape[1]}")
        return torch.as_tensor(np.asarray(source, dtype=np.float64))

    def __call__(self, title: str, centre: tuple[float, float] | None = None) -> GreyPatch:
        """Reduce a square of a photograph to a few pixels; ``centre`` of the square as (down, right) shares."""
        grey = self._grey(title)
        if grey.ndim == 2:
            return GreyPatch(grey.numpy())
        height, width = grey.shape[-2:]
        down, right, share = _PLACES.get(title, (0.35, 0.35, 0.3))
        extent = min(int(share * height), width)
        top, left = int(down * height), int(right * width)
        if centre is not None:
            top, left = int(centre[0] * height - extent / 2), int(centre[1] * width - extent / 2)
        box = (max(0, min(top, height - extent)), max(0, min(left, width - extent)), extent, extent)
        square = grey[:, box[0] : box[0] + extent, box[1] : box[1] + extent]
        pixels = resize_shorter(square, _SIDE)[0, 0].clamp(0, 1)
        return GreyPatch(pixels.double().numpy(), grey[0].double().numpy(), box)


def windows_of(image: np.ndarray, size: int, stride: int) -> np.ndarray:
    """Every window of an image (H, W), (rows, columns, size, size)."""
    return sliding_window_view(image, (size, size))[::stride, ::stride]


def convolve(image: np.ndarray, kernel: np.ndarray, *, stride: int = 1, padding: int = 0) -> np.ndarray:
    """The sum of products of ``kernel`` with every window, as deep learning means "convolution": not flipped."""
    return np.einsum("yxij,ij->yx", windows_of(np.pad(image, padding), len(kernel), stride), kernel)


def call_with_tensors(
    function: Callable, shape: tuple[int, ...], image: np.ndarray, *args: object, **options: int
) -> np.ndarray:
    """Call a learner's function of tensors (C, H, W) with one grey channel; arrays among ``args`` become tensors too.

    Raises:
        ValueError: If it does not return one channel of this shape.
    """
    tensors = [torch.from_numpy(a)[None, None].float() if isinstance(a, np.ndarray) else a for a in args]
    result = function(torch.from_numpy(image)[None].float(), *tensors, **options)
    output = np.asarray(result.detach() if isinstance(result, torch.Tensor) else result, dtype=np.float64)
    if output.ndim != 3 or output.shape[0] != 1:
        raise ValueError(f"{function.__name__} must return (1, rows, columns) for this input, got {output.shape}")
    if output.shape[1:] != shape:
        name = function.__name__
        raise ValueError(f"{name} returned {output.shape[1:]} here; the output size formula says {shape}")
    return output[0]


def remainder_note(size: int, window: int, stride: int, padding: int = 0) -> str:
    """A sentence if the output size formula gives no whole number, else nothing."""
    room = size + 2 * padding - window
    rest = room % stride
    if not rest:
        return ""
    padded = f"{size} + 2·{padding} − {window}" if padding else f"{size} − {window}"
    which = "The last row and column are" if rest == 1 else f"The last {rest} rows and columns are"
    return (
        f"({padded}) / {stride} = {room / stride:g} is not a whole number. It is rounded down to {room // stride}, "
        f"so the output has {room // stride + 1} rows. {which} never seen."
    )
