"""Exercises of notebook 09: the total variation of a picture, and the loss of a feature inversion."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def total_variation(images: Tensor) -> Tensor:
    """How restless are pictures?

    Args:
        images: (N, 3, H, W).

    Returns:
        Scalar: the sum of the squares of all steps from a pixel to the one below it and to the one to its right, in
        every channel of every picture.
    """
    down = images[:, :, 1:, :] - images[:, :, :-1, :]
    right = images[:, :, :, 1:] - images[:, :, :, :-1]
    return down.square().sum() + right.square().sum()


def _steps(images: Tensor, axis: int) -> Tensor:
    return images.diff(dim=axis)


def _variation(*axes: int, of: Callable[[Tensor], Tensor] = lambda steps: steps.square().sum()) -> Callable:
    return lambda images: sum(of(_steps(images, axis)) for axis in axes)


def _around(images: Tensor) -> Tensor:
    return sum((images.roll(-1, axis) - images).square().sum() for axis in (2, 3))


def _diagonal(images: Tensor) -> Tensor:
    return (images[..., 1:, 1:] - images[..., :-1, :-1]).square().sum()


def _first_only(images: Tensor) -> Tensor:
    return total_variation(images[:1])


def _mean_then_square(images: Tensor) -> Tensor:
    return sum(_steps(images, axis).sum().square() for axis in (2, 3))


def _stripes(rows: int, columns: int, *, vertical: bool) -> Tensor:
    line = torch.arange(columns if vertical else rows) % 2.0
    return (line if vertical else line[:, None]).expand(1, 3, rows, columns).contiguous()


def _varies(title: str, images: Tensor, expected: float) -> Check:
    return Check(title, {"images": images}, torch.tensor(expected))


_COLOURS = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 3, 4).contiguous()
_POINT = torch.zeros(2, 3, 5, 5)
_POINT[1, 2, 2, 1] = 0.5
_SLOPE = (0.1 * torch.arange(4.0)[:, None] + 0.25 * torch.arange(3.0)).expand(1, 3, 4, 3).contiguous()

_TOTAL_VARIATION = Entry(
    name="total_variation",
    reference=total_variation,
    stars=1,
    minutes=10,
    checks=[
        _varies("three constant colours: 0", _COLOURS, 0.0),
        _varies("vertical stripes: a step of 1 between all columns", _stripes(4, 6, vertical=True), 3 * 4 * 5),
        _varies("horizontal stripes: a step of 1 between all rows", _stripes(4, 6, vertical=False), 3 * 3 * 6),
        _varies("a slope", _SLOPE, 3 * (9 * 0.01 + 8 * 0.0625)),
        _varies("one point of 0.5 in the second of two pictures: four steps", _POINT, 4 * 0.25),
    ],
    mistakes={
        "the axes are channels and rows: in (N, 3, H, W) rows are axis 2 and columns axis 3": _variation(1, 2),
        "channels are compared with each other: only rows and columns were asked for": (
            _variation(1, 2, 3),
            _variation(1, 3),
        ),
        "only steps to the right: the steps down are missing, stripes across them cost nothing": _variation(3),
        "only steps down: the steps to the right are missing, stripes across them cost nothing": _variation(2),
        "magnitudes in place of squares": _variation(2, 3, of=lambda steps: steps.abs().sum()),
        "the mean in place of the sum": (
            _variation(2, 3, of=lambda steps: steps.square().mean()),
            lambda images: total_variation(images) / images.numel(),
            lambda images: total_variation(images) / images[0].numel(),
        ),
        "the last row and column are compared with the first: a picture has borders": _around,
        "summed before squaring: steps up and down cancel": _mean_then_square,
        "steps along the diagonal: below and to the right were asked for": _diagonal,
        "every step is counted twice, from both sides": lambda images: 2 * total_variation(images),
        "only the first picture counts": _first_only,
        "the square root was not asked for": (
            lambda images: total_variation(images).sqrt(),
            _variation(2, 3, of=lambda steps: steps.square().sum().sqrt()),
        ),
    },
)


def inversion_loss(features: Tensor, wanted: Tensor, images: Tensor, *, tv: float = 1.0, sixth: float = 0.01) -> Tensor:
    """How far is a picture from having the wanted features and looking natural?

    Args:
        features: (1, C, h, w), those of the picture.
        wanted: (1, C, h, w), those of the photograph.
        images: (1, 3, H, W), the picture, RGB in [0, 1].
        tv: Weight of the mean squared steps: the mean over all steps down plus the mean over all steps to the right.
        sixth: Weight of the mean of (2x − 1)⁶ over all pixels x.

    Returns:
        Scalar ‖features − wanted‖² / ‖wanted‖² + tv · variation + sixth · sixth power.
    """
    distance = (features - wanted).square().sum() / wanted.square().sum()
    down, right = images.diff(dim=2).square().mean(), images.diff(dim=3).square().mean()
    return distance + tv * (down + right) + sixth * (2 * images - 1).pow(6).mean()


_Distance = Callable[[Tensor, Tensor], Tensor]


def _relative(features: Tensor, wanted: Tensor) -> Tensor:
    return (features - wanted).square().sum() / wanted.square().sum()


def _vary(images: Tensor) -> Tensor:
    return images.diff(dim=2).square().mean() + images.diff(dim=3).square().mean()


def _power(images: Tensor) -> Tensor:
    return (2 * images - 1).pow(6).mean()


def _loss(
    distance: _Distance = _relative,
    vary: Callable[[Tensor], Tensor] = _vary,
    power: Callable[[Tensor], Tensor] = _power,
    sign: float = 1.0,
) -> Callable[..., Tensor]:
    def loss(features: Tensor, wanted: Tensor, images: Tensor, tv: float = 1.0, sixth: float = 0.01) -> Tensor:
        return distance(features, wanted) + sign * (tv * vary(images) + sixth * power(images))

    return loss


def _swapped(features: Tensor, wanted: Tensor, images: Tensor, tv: float = 1.0, sixth: float = 0.01) -> Tensor:
    return _loss()(features, wanted, images, sixth, tv)


def _score(*args: object, **kwargs: object) -> Tensor:
    return -_loss()(*args, **kwargs)


_WANTED = ((torch.arange(24.0) * 7) % 5 - 1).reshape(1, 2, 3, 4)
_GREY = torch.full((1, 3, 4, 4), 0.5)
_LIGHT = torch.full((1, 3, 4, 4), 0.75)
_FLAT = torch.tensor([0.25, 0.5, 0.75]).view(1, 3, 1, 1).expand(1, 3, 4, 4).contiguous()
_MOVED = _WANTED + ((torch.arange(24.0) * 5) % 3 - 1).reshape(1, 2, 3, 4)
_SQUARES = (_MOVED - _WANTED).square().sum() / _WANTED.square().sum()
_BARS, _BEAMS = (_stripes(5, 4, vertical=vertical) / 2 + 0.25 for vertical in (True, False))


def _inverts(title: str, pair: tuple[Tensor, Tensor], images: Tensor, expected: float, **weights: float) -> Check:
    fed = {"features": pair[0], "wanted": pair[1], "images": images, **weights}
    return Check(title, fed, torch.as_tensor(float(expected)))


_INVERSION_LOSS = Entry(
    name="inversion_loss",
    reference=inversion_loss,
    stars=2,
    minutes=15,
    checks=[
        _inverts("the features are there and the picture is grey: 0", (_WANTED, _WANTED), _GREY, 0.0),
        _inverts("features of 0 cost 1", (0 * _WANTED, _WANTED), _GREY, 1.0),
        _inverts("half the features cost a quarter", (_WANTED / 2, _WANTED), _GREY, 0.25),
        _inverts("other features", (_MOVED, _WANTED), _GREY, _SQUARES),
        _inverts("a light picture pays for its distance from grey", (_WANTED, _WANTED), _LIGHT, 2 * 0.5**6, sixth=2.0),
        _inverts("three constant colours do not vary", (_WANTED, _WANTED), _FLAT, 2 / 3 * 0.5**6, tv=5.0, sixth=1.0),
        _inverts("vertical stripes", (_WANTED, _WANTED), _BARS, 3 * 0.25 + 0.5**6, tv=3.0, sixth=1.0),
        _inverts("horizontal stripes", (_MOVED, _WANTED), _BEAMS, _SQUARES + 0.25 * 4 + 0.5**6, tv=4.0, sixth=1.0),
    ],
    mistakes={
        "not divided by ‖wanted‖²: deep layers with small activations would hardly count": (
            _loss(lambda features, wanted: (features - wanted).square().sum()),
            _loss(lambda features, wanted: (features - wanted).square().mean()),
        ),
        "divided by the features of the picture: making them large would be the cheapest way down": _loss(
            lambda features, wanted: (features - wanted).square().sum() / features.square().sum()
        ),
        "the distance is not squared: ‖·‖² over ‖·‖² was asked for": _loss(
            lambda features, wanted: (features - wanted).norm() / wanted.norm()
        ),
        "divided by ‖wanted‖, not by its square": _loss(
            lambda features, wanted: (features - wanted).square().sum() / wanted.norm()
        ),
        "each feature is divided on its own: zeros in the features of the photograph blow up": _loss(
            lambda features, wanted: ((features - wanted) / wanted).square().sum()
        ),
        "this is minus the similarity: a product has no smallest value at the wanted features": _loss(
            lambda features, wanted: -(features * wanted).sum() / wanted.square().sum()
        ),
        "the regularisers are subtracted: this is a loss, they add up": _loss(sign=-1),
        "minus the loss: an objective for ascent, but the loss was asked for": _score,
        "the sixth power is not centred: grey must cost nothing, write (2x − 1)⁶": _loss(
            power=lambda images: images.pow(6).mean()
        ),
        "the pixels are not doubled: black and white must cost 1, write (2x − 1)⁶": _loss(
            power=lambda images: (images - 0.5).pow(6).mean()
        ),
        "the sixth power is summed: take its mean": _loss(power=lambda images: (2 * images - 1).pow(6).sum()),
        "the variation compares channels: rows are axis 2, columns axis 3": _loss(
            vary=lambda images: images.diff(dim=1).square().mean() + images.diff(dim=2).square().mean()
        ),
        "the variation looks down only": _loss(vary=lambda images: images.diff(dim=2).square().mean()),
        "the variation looks to the right only": _loss(vary=lambda images: images.diff(dim=3).square().mean()),
        "the variation is summed: take the means": _loss(
            vary=lambda images: images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()
        ),
        "the weights of variation and sixth power are swapped": _swapped,
    },
)

ENTRIES = [_TOTAL_VARIATION, _INVERSION_LOSS]
