"""What convolution and pooling share: a grey patch, its windows, and the grids of input and output."""

from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torchvision.transforms.v2 import functional as TF

from cs231n_viz.explore.toolkit.base import Explorer
from cs231n_viz.explore.toolkit.canvas import BLUE, LINE, ORANGE, PALE, Canvas, greys
from cs231n_viz.pictures.images import ImageSource, load_image

SIDE = 364  # CSS pixels of either grid
TOP, LEFT, RIGHT = 32, 8, 478
# Where a photograph has both edges and a smooth part: (top, left, side) as shares of its height, width and height.
_SPOTS = {"coffee": (0.2, 0.3, 0.45), "cat": (0.2, 0.3, 0.32), "astronaut": (0.1, 0.33, 0.24)}
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
    later = np.arange(rows * columns).reshape(rows, columns) > place[0] * columns + place[1]
    canvas.paste(np.where(later[..., None], np.uint8(250), colours), (RIGHT, TOP), (columns * cell, rows * cell))
    canvas.grid((RIGHT, TOP), cell, (rows, columns))
    if values is not None and cell > 32:
        for at in zip(*np.nonzero(~later), strict=True):
            corner = (RIGHT + at[1] * cell, TOP + at[0] * cell)
            one = np.index_exp[at[0] : at[0] + 1, at[1] : at[1] + 1]
            canvas.numbers(values[one], corner, cell, background=colours[one], size=min(14, int(cell * 0.34)))
    canvas.frame((RIGHT + place[1] * cell, TOP + place[0] * cell), (cell, cell), colour=BLUE, width=3.4)


def link_cells(explorer: Explorer, shape: Callable[[], tuple[int, int]], follow: list[str]) -> None:
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


def grey_patch(image: ImageSource | None = None, *, side: int = _SIDE) -> GreyPatch:
    """Cut a patch out of a photograph, turn it grey and reduce it to a few pixels.

    Args:
        image: What ``load_image`` takes, or a 2-D array of 3 to 16 rows and columns in [0, 1], used as it is.
        side: Pixels of the patch along each side.

    Raises:
        ValueError: If a 2-D array is too small or too large.
    """
    if getattr(image, "ndim", 0) == 2:
        pixels = np.asarray(image, dtype=np.float64)
        if not (3 <= min(pixels.shape) and max(pixels.shape) <= 16):
            raise ValueError(f"a patch must have 3 to 16 rows and columns, got {pixels.shape[0]}x{pixels.shape[1]}")
        return GreyPatch(pixels)
    name = "coffee" if image is None else image
    grey = load_image(name).mean(0, keepdim=True)
    grey = TF.resize(grey, [288], antialias=True)[:, :, :432]
    top, left, share = _SPOTS.get(name if isinstance(name, str) else "", (0.35, 0.35, 0.3))
    height, width = grey.shape[-2:]
    extent = min(int(share * height), width)
    box = (int(top * height), min(int(left * width), width - extent), extent, extent)
    cut = TF.crop(grey, *box)
    pixels = TF.resize(cut, [side, side], antialias=True)[0].clamp(0, 1)
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
