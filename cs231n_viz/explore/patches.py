"""Small grey patches of real photographs, and the arithmetic of windows that slide over them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torchvision.transforms.v2 import functional as TF

from cs231n_viz.images import ImageSource, load_image

# Where a photograph has both edges and a smooth part: (top, left, side) as shares of its height, width and height.
_SPOTS = {"coffee": (0.2, 0.3, 0.45), "cat": (0.2, 0.3, 0.32), "astronaut": (0.1, 0.33, 0.24)}
_SIDE = 12  # pixels of a patch: enough to recognise an edge, few enough to print numbers


@dataclass(frozen=True)
class Patch:
    """A patch and where it comes from.

    Attributes:
        pixels: (h, w), grey values in [0, 1].
        photo: (H, W), the grey photograph it is taken from; None for a patch that was given as numbers.
        box: (top, left, height, width) of the patch in ``photo``, in its pixels.
    """

    pixels: np.ndarray
    photo: np.ndarray | None = None
    box: tuple[int, int, int, int] = (0, 0, 0, 0)


def take_patch(image: ImageSource | None = None, *, side: int = _SIDE) -> Patch:
    """Cut a patch out of a photograph and reduce it to a few pixels.

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
        return Patch(pixels)
    name = "coffee" if image is None else image
    grey = load_image(name).mean(0, keepdim=True)
    grey = TF.resize(grey, [288], antialias=True)[:, :, :432]
    top, left, share = _SPOTS.get(name if isinstance(name, str) else "", (0.35, 0.35, 0.3))
    height, width = grey.shape[-2:]
    extent = min(int(share * height), width)
    box = (int(top * height), min(int(left * width), width - extent), extent, extent)
    cut = TF.crop(grey, *box)
    pixels = TF.resize(cut, [side, side], antialias=True)[0].clamp(0, 1)
    return Patch(pixels.double().numpy(), grey[0].double().numpy(), box)


def windows_of(image: np.ndarray, size: int, stride: int) -> np.ndarray:
    """Every window a filter looks at, (rows, columns, size, size)."""
    return sliding_window_view(image, (size, size))[::stride, ::stride]


def convolve(image: np.ndarray, kernel: np.ndarray, *, stride: int = 1, padding: int = 0) -> np.ndarray:
    """The sum of products of ``kernel`` with every window, as deep learning means "convolution": not flipped."""
    return np.einsum("yxij,ij->yx", windows_of(np.pad(image, padding), len(kernel), stride), kernel)


def by_student(function: Callable, image: np.ndarray, *args: object, **options: int) -> np.ndarray:
    """Call a function of tensors (C, H, W) with one grey channel; arrays among ``args`` become tensors too.

    Raises:
        ValueError: If it does not return one channel of a map.
    """
    tensors = [torch.from_numpy(a)[None, None].float() if isinstance(a, np.ndarray) else a for a in args]
    result = function(torch.from_numpy(image)[None].float(), *tensors, **options)
    found = np.asarray(result.detach() if isinstance(result, torch.Tensor) else result, dtype=np.float64)
    if found.ndim != 3 or found.shape[0] != 1:
        raise ValueError(f"{function.__name__} must return (1, rows, columns) for this input, got {found.shape}")
    return found[0]


def left_over(size: int, window: int, stride: int, padding: int = 0) -> str:
    """One sentence if the steps do not divide the room a window has, else nothing."""
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
