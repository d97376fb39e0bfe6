"""Total variation, squared."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import COLOURS, SLOPE, gradient_of, noise, stripes


def total_variation(images: Tensor) -> Tensor:
    """Sum the squared differences of neighbouring pixels (total variation).

    Args:
        images: (N, 3, H, W).

    Returns:
        Scalar: the sum of the squares of all steps from a pixel to the one below it and to the one to its right, in
        every channel of every image.
    """
    down = images[:, :, 1:, :] - images[:, :, :-1, :]
    right = images[:, :, :, 1:] - images[:, :, :, :-1]
    return down.square().sum() + right.square().sum()


def _variation(
    *axes: int, of: Callable[[Tensor], Tensor] = lambda steps: steps.square().sum()
) -> Callable[[Tensor], Tensor]:
    return lambda images: sum(of(images.diff(dim=axis)) for axis in axes)


def _varies(title: str, images: Tensor, expected: float) -> Check:
    return Check(title, {"images": images}, torch.tensor(expected))


def _pixel_by_pixel(images: Tensor) -> tuple[float, Tensor]:
    """The sum and its gradient, in double precision: each step s adds s², and pushes its two pixels by 2s."""
    values, total = images.double(), 0.0
    gradient = torch.zeros_like(values)
    for row in range(images.shape[2]):
        for column in range(images.shape[3]):
            for below, beside in ((row + 1, column), (row, column + 1)):
                if below < images.shape[2] and beside < images.shape[3]:
                    step = values[:, :, below, beside] - values[:, :, row, column]
                    total += float(step.square().sum())
                    gradient[:, :, below, beside] += 2 * step
                    gradient[:, :, row, column] -= 2 * step
    return total, gradient.float()


def _centred(images: Tensor) -> Tensor:
    rows, columns = images[:, :, 2:] - images[:, :, :-2], images[..., 2:] - images[..., :-2]
    return (rows.square().sum() + columns.square().sum()) / 4


def _isotropic(images: Tensor, eps: float) -> Tensor:
    down, right = images[..., 1:, :-1] - images[..., :-1, :-1], images[..., :-1, 1:] - images[..., :-1, :-1]
    return (down.square() + right.square() + eps).sqrt().sum()


def _added(images: Tensor) -> Tensor:
    return (images.diff(dim=2)[..., :-1] + images.diff(dim=3)[:, :, :-1]).square().sum()


def _cropped(images: Tensor) -> Tensor:
    down, right = images[..., 1:, :-1] - images[..., :-1, :-1], images[..., :-1, 1:] - images[..., :-1, :-1]
    return (down.square() + right.square()).sum()


_NOISE = noise(2, 3, 5, 4, seed=2)
_POINT = torch.zeros(2, 3, 5, 5)
_POINT[1, 2, 2, 1] = 0.5

ENTRY = Entry(
    name="total_variation",
    reference=total_variation,
    stars=1,
    minutes=10,
    checks=[
        _varies("three constant colours: 0", COLOURS, 0.0),
        _varies("vertical stripes: a step of 1 between all columns", stripes(4, 6, vertical=True), 3 * 4 * 5),
        _varies("horizontal stripes: a step of 1 between all rows", stripes(4, 6, vertical=False), 3 * 3 * 6),
        _varies("a slope", SLOPE, 3 * (9 * 0.01 + 8 * 0.0625)),
        _varies("one point of 0.5 in the second of two images: four steps", _POINT, 4 * 0.25),
        _varies("noise, two images", _NOISE, _pixel_by_pixel(_NOISE)[0]),
        Check("its gradient", {"images": _NOISE}, _pixel_by_pixel(_NOISE)[1], gradient_of("images")),
    ],
    hints=(
        "How many steps down has a column of H pixels, and how many steps to the right a row of W? Two tensors of "
        "differences, not of the same shape.",
        "Slice twice along axis 2, without the first and without the last row, and subtract; the same along axis 3. "
        "Square each and add the two sums.",
    ),
    mistakes={
        "the axes are channels and rows: in (N, 3, H, W) rows are axis 2 and columns axis 3": _variation(1, 2),
        "channels are compared with each other: only rows and columns were asked for": (
            _variation(1, 2, 3),
            _variation(1, 3),
        ),
        "one image is compared with the next: only rows and columns were asked for": (
            _variation(0, 2, 3),
            _variation(0, 2),
            _variation(0, 1),
        ),
        "only steps to the right: the steps down are missing, horizontal stripes would count 0": _variation(3),
        "only steps down: the steps to the right are missing, vertical stripes would count 0": _variation(2),
        "magnitudes instead of squares": _variation(2, 3, of=lambda steps: steps.abs().sum()),
        "the mean instead of the sum: no number of images, channels, pixels or steps divides it": (
            _variation(2, 3, of=lambda steps: steps.square().mean()),
            lambda images: total_variation(images) / images.numel(),
            lambda images: total_variation(images) / images[0].numel(),
            lambda images: total_variation(images) / len(images),
            lambda images: total_variation(images) / images[0, 0].numel(),
            lambda images: total_variation(images) / 3,
            lambda images: total_variation(images) / (3 * len(images)),
            lambda images: total_variation(images).view(1) / (images.numel() * 2),
        ),
        "one number for each image: the sum over all was asked for": (
            lambda images: sum(images.diff(dim=axis).square().sum((1, 2, 3)) for axis in (2, 3))
        ),
        "a plain number came out: `.item()` and `float` cut the graph, the loss must stay a tensor": (
            lambda images: total_variation(images).item()
        ),
        "half of it: no ½ was asked for": lambda images: total_variation(images) / 2,
        "the last row and column are left out: their steps count too": _cropped,
        "steps over two pixels (central differences): neighbours were asked for": (
            _centred,
            lambda images: 4 * _centred(images),
        ),
        "the length of each slope, √(down² + right²), is summed: squares were asked for": (
            *(lambda images, eps=eps: _isotropic(images, eps) for eps in (0.0, 1e-12, 1e-8, 1e-6)),
            *(
                lambda images, eps=eps: _isotropic(F.pad(images, (0, 1, 0, 1), mode="replicate"), eps)
                for eps in (0.0, 1e-12, 1e-8, 1e-6)
            ),
        ),
        "the channels are averaged first: each counts on its own": (
            lambda images: total_variation(images.mean(1, keepdim=True))
        ),
        "differences of differences: only those of neighbours were asked for": (
            lambda images: sum(images.diff(n=2, dim=axis).square().sum() for axis in (2, 3)),
            lambda images: images.diff(dim=2).diff(dim=3).square().sum(),
        ),
        "the last row and column are compared with the first: an image has borders": (
            lambda images: sum((images.roll(-1, axis) - images).square().sum() for axis in (2, 3))
        ),
        "summed before squaring: steps up and down cancel": _variation(2, 3, of=lambda steps: steps.sum().square()),
        "steps along the diagonal: below and to the right were asked for": (
            lambda images: (images[..., 1:, 1:] - images[..., :-1, :-1]).square().sum()
        ),
        "every step is counted twice, from both sides": lambda images: 2 * total_variation(images),
        "only the first image counts": lambda images: total_variation(images[:1]),
        "the square root was not asked for": (
            lambda images: total_variation(images).sqrt(),
            lambda images: sum((images.diff(dim=axis).square() + 1e-8).sqrt().sum() for axis in (2, 3)),
            _variation(2, 3, of=lambda steps: steps.square().sum().sqrt()),
        ),
        "only the first channel counts": (lambda images: total_variation(images[:, :1])),
        "the two steps of a pixel are added before they are squared": _added,
        "a border of 0 is added, and the steps to it are counted": (
            lambda images: total_variation(F.pad(images, (0, 1, 0, 1))),
            lambda images: total_variation(F.pad(images, (1, 1, 1, 1))),
        ),
        "the rows are strung together: the end of one is no neighbour of the beginning of the next": (
            lambda images: images.flatten(2).diff(dim=2).square().sum(),
            lambda images: images.flatten(2).diff(dim=2).square().sum() + images.diff(dim=2).square().sum(),
        ),
        "the larger of the two sums: they are added": (
            lambda images: torch.maximum(images.diff(dim=2).square().sum(), images.diff(dim=3).square().sum())
        ),
    },
)
