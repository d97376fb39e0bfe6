"""The gradient of a jittered image."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import integers, pixels


def jittered_gradient(
    gradient_of: Callable[[Tensor], Tensor], images: Tensor, *, down: int, right: int
) -> Tensor:  # fmt: skip
    """Show the network shifted images, and shift the gradient back (jitter).

    Args:
        gradient_of: Images (N, 3, H, W) -> gradient (N, 3, H, W).
        images: (N, 3, H, W).
        down: Pixels by which the network sees the images shifted down; what leaves comes in at the other side.
        right: And to the right.

    Returns:
        (N, 3, H, W), the gradient at the positions of ``images``: nothing of the shift is left.
    """
    shifted = images.roll((down, right), dims=(2, 3))
    return gradient_of(shifted).roll((-down, -right), dims=(2, 3))


def _rolled(images: Tensor, down: int, right: int) -> Tensor:
    return images.roll((down, right), (2, 3))


def _filled(images: Tensor, down: int, right: int) -> Tensor:
    """Shifted, and black where nothing comes in."""
    rows, columns = torch.arange(images.shape[2])[:, None] - down, torch.arange(images.shape[3]) - right
    inside = (rows >= 0) & (rows < images.shape[2]) & (columns >= 0) & (columns < images.shape[3])
    return _rolled(images, down, right) * inside


_Move = Callable[[int, int], tuple[int, int]]


def _jittered(there: _Move, back: _Move, shift: Callable[..., Tensor] = _rolled) -> Callable[..., Tensor]:
    return lambda gradient_of, images, down, right: shift(
        gradient_of(shift(images, *there(down, right))), *back(down, right)
    )


class Weighted:
    """The gradient of Σ w x² / 2: w x, with other weights at every position."""

    def __init__(self, rows: int, columns: int) -> None:
        self.weights = integers(1, 3, rows, columns)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), as the argument."""
        return self.weights * images


def _shifted(title: str, images: Tensor, down: int, right: int) -> Check:
    weighted = Weighted(*images.shape[2:])
    rows = (torch.arange(images.shape[2]) + down) % images.shape[2]  # where each row is seen
    columns = (torch.arange(images.shape[3]) + right) % images.shape[3]
    fed = {"gradient_of": weighted, "images": images, "down": down, "right": right}
    return Check(title, fed, weighted.weights[:, :, rows][..., columns] * images)


ENTRY = Entry(
    name="jittered_gradient",
    reference=jittered_gradient,
    stars=1,
    minutes=10,
    checks=[
        _shifted("no shift: the plain gradient", pixels(1, 3, 3, 4), 0, 0),
        _shifted("one row down", pixels(1, 3, 4, 3), 1, 0),
        _shifted("down and to the right", pixels(1, 3, 5, 4), 1, 2),
        _shifted("up and to the left, an image that is not square", pixels(1, 3, 4, 6), -1, -2),
        _shifted("two images", pixels(2, 3, 5, 5), 2, -1),
    ],
    mistakes={
        "the gradient is not shifted back: it belongs to other pixels": (
            _jittered(lambda d, r: (d, r), lambda d, r: (0, 0))
        ),
        "the image is not shifted, only the gradient": _jittered(lambda d, r: (0, 0), lambda d, r: (-d, -r)),
        "shifted a second time instead of back": _jittered(lambda d, r: (d, r), lambda d, r: (d, r)),
        "the image is shifted the other way: down means towards larger row numbers": (
            _jittered(lambda d, r: (-d, -r), lambda d, r: (d, r))
        ),
        "down and right are swapped: rows are axis 2, columns axis 3": (
            _jittered(lambda d, r: (r, d), lambda d, r: (-r, -d))
        ),
        "only the rows are shifted back": _jittered(lambda d, r: (d, r), lambda d, r: (-d, 0)),
        "filled up with black: what leaves at one side must come in at the other": (
            _jittered(lambda d, r: (d, r), lambda d, r: (-d, -r), _filled)
        ),
        "there is no shift at all": _jittered(lambda d, r: (0, 0), lambda d, r: (0, 0)),
    },
)
