"""The gradient of a jittered image."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import noise


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


def _mirrored(images: Tensor, down: int, right: int) -> Tensor:
    rows, columns = torch.arange(images.shape[2]) - down, torch.arange(images.shape[3]) - right
    rows, columns = rows.clamp(0, images.shape[2] - 1), columns.clamp(0, images.shape[3] - 1)
    return images[:, :, rows][..., columns]


def _rescaled(gradient: Tensor) -> Tensor:
    return gradient / gradient.abs().mean()


def _along(*dims: int) -> Callable[[Tensor, int, int], Tensor]:
    return lambda images, down, right: images.roll((down, right), dims)


_Move = Callable[[int, int], tuple[int, int]]


def _jittered(there: _Move, back: _Move, shift: Callable[..., Tensor] = _rolled) -> Callable[..., Tensor]:
    return lambda gradient_of, images, down, right: shift(
        gradient_of(shift(images, *there(down, right))), *back(down, right)
    )


def _around_by(axis: int) -> Callable[..., Tensor]:
    return lambda gradient_of, images, down, right: _rolled(
        gradient_of(_rolled(images, down, right)), images.shape[axis] - down, images.shape[axis] - right
    )


class Weighted:
    """The gradient of Σ w x² / 2: w x, with other weights at every position."""

    def __init__(self, rows: int, columns: int) -> None:
        self.weights = noise(1, 3, rows, columns, seed=1)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), as the argument."""
        return self.weights * images

    def __repr__(self) -> str:
        """Read by the student after `gradient_of =`."""
        return "images -> weights * images, with other weights at every position"


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
        _shifted("no shift: the plain gradient", noise(1, 3, 3, 4), 0, 0),
        _shifted("one row down", noise(1, 3, 4, 3), 1, 0),
        _shifted("down and to the right", noise(1, 3, 5, 4), 1, 2),
        _shifted("up and to the left, an image that is not square", noise(1, 3, 4, 6), -1, -2),
        _shifted("two images", noise(2, 3, 5, 6), 2, -1),
        _shifted("nearly all around", noise(2, 3, 5, 3), -4, 2),
    ],
    hints=(
        "Follow one pixel: where does the network see it, and where must its gradient be written? Three steps: shift, "
        "gradient, shift back.",
        "`torch.roll` takes a tuple of shifts and a tuple of axes, here rows (2) and columns (3). Call `gradient_of` "
        "on the rolled images, and roll its result by the same amounts with the opposite sign.",
    ),
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
        "on the way back the two shifts are swapped": _jittered(lambda d, r: (d, r), lambda d, r: (-r, -d)),
        "only the rows are shifted back": _jittered(lambda d, r: (d, r), lambda d, r: (-d, 0)),
        "only the columns are shifted back": _jittered(lambda d, r: (d, r), lambda d, r: (0, -r)),
        "the shift to the right is left out": _jittered(lambda d, r: (d, 0), lambda d, r: (-d, 0)),
        "the shift down is left out": _jittered(lambda d, r: (0, r), lambda d, r: (0, -r)),
        "rows and columns are shifted by the same amount": (
            _jittered(lambda d, r: (d, d), lambda d, r: (-d, -d)),
            _jittered(lambda d, r: (r, r), lambda d, r: (-r, -r)),
        ),
        "other axes are shifted: in (N, 3, H, W) rows are axis 2, columns axis 3": (
            _jittered(lambda d, r: (d, r), lambda d, r: (-d, -r), _along(1, 2)),
            _jittered(lambda d, r: (d, r), lambda d, r: (-d, -r), _along(0, 1)),
        ),
        "one row or column off on the way back": tuple(
            _jittered(lambda d, r: (d, r), lambda d, r, rows=rows, columns=columns: (rows - d, columns - r))
            for rows, columns in ((1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
        ),
        "on around by the same side for both axes: there are H rows and W columns": (
            _around_by(2),
            _around_by(3),
        ),
        "rolled without `dims`: all values are one long row then, which runs on into the next channel and image": (
            _jittered(
                lambda d, r: (d, r),
                lambda d, r: (-d, -r),
                lambda images, down, right: images.roll(down * images.shape[3] + right),
            )
        ),
        "the shifted images came back: their gradient was asked for": (
            lambda gradient_of, images, down, right: _rolled(images, down, right),
            lambda gradient_of, images, down, right: images,
        ),
        "the gradient is added to the images: return it alone": (
            lambda gradient_of, images, down, right: (
                images + jittered_gradient(gradient_of, images, down=down, right=right)
            )
        ),
        "only the first image is seen: each of the batch has a gradient": (
            lambda gradient_of, images, down, right: jittered_gradient(
                gradient_of, images[:1], down=down, right=right
            ).expand_as(images),
        ),
        "the border is continued: what leaves at one side must come in at the other": (
            _jittered(lambda d, r: (d, r), lambda d, r: (-d, -r), _mirrored)
        ),
        "filled up with black: what leaves at one side must come in at the other": (
            _jittered(lambda d, r: (d, r), lambda d, r: (-d, -r), _filled)
        ),
        "the mean of two gradients, with the shift and without: one was asked for": (
            lambda gradient_of, images, down, right: (
                (gradient_of(images) + jittered_gradient(gradient_of, images, down=down, right=right)) / 2
            )
        ),
        "there is no shift at all": _jittered(lambda d, r: (0, 0), lambda d, r: (0, 0)),
        "one of the two shifts has the wrong sign on the way back": (
            _jittered(lambda d, r: (d, r), lambda d, r: (d, -r)),
            _jittered(lambda d, r: (d, r), lambda d, r: (-d, r)),
        ),
        "one of the two shifts has the wrong sign on the way there": (
            _jittered(lambda d, r: (-d, r), lambda d, r: (d, -r)),
            _jittered(lambda d, r: (d, -r), lambda d, r: (-d, r)),
        ),
        "negative shifts lose their sign: they go up and to the left": (
            _jittered(lambda d, r: (abs(d), abs(r)), lambda d, r: (-abs(d), -abs(r)))
        ),
        "the gradient is rescaled: that is done by the step": lambda gradient_of, images, down, right: _rescaled(
            jittered_gradient(gradient_of, images, down=down, right=right)
        ),
    },
)
