"""The total variation of style transfer, as a weighted loss."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import COLOURS, SLOPE, central_differences, gradient_of, noise, stripes


def tv_loss(img: Tensor, tv_weight: float) -> Tensor:
    """Sum the squared differences of neighbouring pixels, with a weight (total variation).

    Args:
        img: (1, 3, H, W).
        tv_weight: Weight of the term.

    Returns:
        Scalar: weight times the sum of the squares of all steps down and all steps to the right.
    """
    down = img[:, :, 1:, :] - img[:, :, :-1, :]
    right = img[:, :, :, 1:] - img[:, :, :, :-1]
    return tv_weight * (down.square().sum() + right.square().sum())


def _steps(
    *axes: int, of: Callable[[Tensor], Tensor] = lambda steps: steps.square().sum()
) -> Callable[[Tensor, float], Tensor]:
    return lambda img, weight: weight * sum(of(img.diff(dim=axis)) for axis in axes)


def _cropped(img: Tensor, weight: float) -> Tensor:
    down, right = img[..., 1:, :-1] - img[..., :-1, :-1], img[..., :-1, 1:] - img[..., :-1, :-1]
    return weight * (down.square() + right.square()).sum()


def _added(img: Tensor, weight: float) -> Tensor:
    return weight * (img.diff(dim=2)[..., :-1] + img.diff(dim=3)[:, :, :-1]).square().sum()


def _centred(img: Tensor, weight: float) -> Tensor:
    rows, columns = img[:, :, 2:] - img[:, :, :-2], img[..., 2:] - img[..., :-2]
    return weight * (rows.square().sum() + columns.square().sum()) / 4


def _isotropic(img: Tensor, weight: float, eps: float) -> Tensor:
    down, right = img[..., 1:, :-1] - img[..., :-1, :-1], img[..., :-1, 1:] - img[..., :-1, :-1]
    return weight * (down.square() + right.square() + eps).sqrt().sum()


def _varies(title: str, img: Tensor, weight: float, expected: float) -> Check:
    return Check(title, {"img": img, "tv_weight": weight}, torch.tensor(expected))


def _number(img: Tensor) -> float:
    """Pixel by pixel, in Python's floats."""
    total = 0.0
    for channel in img[0].tolist():
        for row, values in enumerate(channel):
            for column, here in enumerate(values):
                total += (channel[row + 1][column] - here) ** 2 if row + 1 < len(channel) else 0.0
                total += (values[column + 1] - here) ** 2 if column + 1 < len(values) else 0.0
    return total


_NOISE = noise(1, 3, 5, 4)

ENTRY = Entry(
    name="tv_loss",
    reference=tv_loss,
    stars=1,
    minutes=10,
    checks=[
        _varies("three constant colours: 0", COLOURS, 1.0, 0.0),
        _varies("vertical stripes: steps of 1 to the right", stripes(4, 6, vertical=True), 2.0, 2 * 3 * 4 * 5),
        _varies("horizontal stripes: steps of 1 down", stripes(6, 4, vertical=False), 2.0, 2 * 3 * 4 * 5),
        _varies("a slope, weight 0.02", SLOPE, 0.02, 0.02 * 3 * (9 * 0.01 + 8 * 0.0625)),
        _varies("noise, weight 0.3", _NOISE, 0.3, 0.3 * _number(_NOISE)),
        Check(
            "its gradient",
            {"img": _NOISE, "tv_weight": 0.3},
            0.3 * central_differences(_number, _NOISE).float(),
            gradient_of("img"),
        ),
    ],
    hints=(
        "Two tensors of differences: one row shorter than the image, and one column shorter. What becomes of each, "
        "and where does the weight go?",
        "Slice `img` without its first and without its last row (axis 2) and subtract; the same with columns (axis 3). "
        "`.square().sum()` of both, added, times the weight.",
    ),
    mistakes={
        "the axes are channels and rows: in (1, 3, H, W) rows are axis 2 and columns axis 3": _steps(1, 2),
        "only steps to the right: horizontal stripes would count 0": _steps(3),
        "only steps down: vertical stripes would count 0": _steps(2),
        "the square is missing: magnitudes are summed": _steps(2, 3, of=lambda steps: steps.abs().sum()),
        "the mean instead of the sum: no number of channels, pixels or steps divides it": (
            _steps(2, 3, of=lambda steps: steps.square().mean()),
            lambda img, weight: tv_loss(img, weight) / img.numel(),
            lambda img, weight: tv_loss(img, weight) / (2 * img.numel()),
            lambda img, weight: tv_loss(img, weight) / img[0, 0].numel(),
            lambda img, weight: tv_loss(img, weight) / 3,
        ),
        "channels are compared with each other: only rows and columns were asked for": (_steps(1, 2, 3), _steps(1, 3)),
        "summed before squaring: steps up and down cancel": _steps(2, 3, of=lambda steps: steps.sum().square()),
        "steps over two pixels (central differences): neighbours were asked for": (
            _centred,
            lambda img, weight: 4 * _centred(img, weight),
        ),
        "the length of each slope, √(down² + right²), is summed: squares were asked for": (
            *(lambda img, weight, eps=eps: _isotropic(img, weight, eps) for eps in (0.0, 1e-12, 1e-8, 1e-6)),
            *(
                lambda img, weight, eps=eps: _isotropic(F.pad(img, (0, 1, 0, 1), mode="replicate"), weight, eps)
                for eps in (0.0, 1e-12, 1e-8, 1e-6)
            ),
        ),
        "a plain number came out: `.item()` and `float` cut the graph, the loss must stay a tensor": lambda *fed: (
            tv_loss(*fed).item()
        ),
        "half of it: no ½ was asked for": lambda img, weight: tv_loss(img, weight / 2),
        "every step is counted twice, from both sides": lambda img, weight: tv_loss(img, 2 * weight),
        "the weight counts for one direction only: put the sum in brackets": (
            lambda img, weight: _steps(2)(img, weight) + _steps(3)(img, 1.0),
            lambda img, weight: _steps(2)(img, 1.0) + _steps(3)(img, weight),
        ),
        "steps along the diagonal: below and to the right were asked for": (
            lambda img, weight: weight * (img[..., 1:, 1:] - img[..., :-1, :-1]).square().sum()
        ),
        "the channels are averaged first: each counts on its own": (
            lambda img, weight: tv_loss(img.mean(1, keepdim=True), weight)
        ),
        "a sum for each channel came back: one number was asked for": (
            lambda img, weight: weight * sum(img.diff(dim=axis).square().sum((0, 2, 3)) for axis in (2, 3)),
            lambda img, weight: weight * sum(img.diff(dim=axis).square().sum((2, 3)) for axis in (2, 3)),
        ),
        "the last row and column are left out: their steps count too": _cropped,
        "the last row and column are compared with the first: an image has borders": (
            lambda img, weight: weight * sum((img.roll(-1, axis) - img).square().sum() for axis in (2, 3))
        ),
        "the weight is left out": lambda img, weight: tv_loss(img, 1.0),
        "the weight is inside the square": lambda img, weight: tv_loss(weight * img, 1.0),
        "the square root was not asked for": _steps(2, 3, of=lambda steps: steps.square().sum().sqrt()),
        "only the first channel counts": lambda img, weight: tv_loss(img[:, :1], weight),
        "the two steps of a pixel are added before they are squared": _added,
        "a border of 0 is added, and the steps to it are counted": (
            lambda img, weight: tv_loss(F.pad(img, (0, 1, 0, 1)), weight),
            lambda img, weight: tv_loss(F.pad(img, (1, 1, 1, 1)), weight),
        ),
        "the rows are strung together: the end of one is no neighbour of the beginning of the next": (
            lambda img, weight: weight * img.flatten(2).diff(dim=2).square().sum(),
            lambda img, weight: weight * (img.flatten(2).diff(dim=2).square().sum() + img.diff(dim=2).square().sum()),
        ),
        "the weight is added: it multiplies": lambda img, weight: weight + tv_loss(img, 1.0),
        "divided by the weight: it multiplies": lambda img, weight: tv_loss(img, 1.0) / weight,
    },
)
