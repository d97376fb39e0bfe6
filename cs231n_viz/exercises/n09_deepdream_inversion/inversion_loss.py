"""The loss of feature inversion."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import central_differences, gradient_of, noise, pixels, stripes


def inversion_loss(features: Tensor, wanted: Tensor, images: Tensor, *, tv: float = 1.0, sixth: float = 0.01) -> Tensor:
    """Add the distance to the wanted features and two penalties on unnatural images (the loss of feature inversion).

    Args:
        features: (1, C, h, w), those of the image.
        wanted: (1, C, h, w), those of the photograph.
        images: (1, 3, H, W), the image, RGB in [0, 1].
        tv: Weight of the mean squared steps: the mean over all steps down plus the mean over all steps to the right.
        sixth: Weight of the mean of (2x − 1)⁶ over all pixels x.

    Returns:
        Scalar ‖features − wanted‖² / ‖wanted‖² + tv · variation + sixth · sixth power.
    """
    distance = (features - wanted).square().sum() / wanted.square().sum()
    down, right = images.diff(dim=2).square().mean(), images.diff(dim=3).square().mean()
    return distance + tv * (down + right) + sixth * (2 * images - 1).pow(6).mean()


def _steps(images: Tensor, axis: int) -> Tensor:
    return images.diff(dim=axis).square().mean()


def _loss(
    distance: Callable[[Tensor, Tensor], Tensor] = lambda f, w: (f - w).square().sum() / w.square().sum(),
    variation: Callable[[Tensor], Tensor] = lambda images: _steps(images, 2) + _steps(images, 3),
    power: Callable[[Tensor], Tensor] = lambda images: (2 * images - 1).pow(6).mean(),
    sign: float = 1.0,
) -> Callable[..., Tensor]:
    return lambda features, wanted, images, tv, sixth: (
        distance(features, wanted) + sign * (tv * variation(images) + sixth * power(images))
    )


_WANTED = ((torch.arange(24.0) * 7) % 5 - 1).reshape(1, 2, 3, 4)
_MOVED = _WANTED + ((torch.arange(24.0) * 5) % 3 - 1).reshape(1, 2, 3, 4)
# _WANTED repeats -1, 1, 3, 0, 2: four times 15 and then 11 are 71. The difference is -1, 0 or 1, eight times each.
_DISTANCE = 16 / 71
_GREY = torch.full((1, 3, 4, 4), 0.5)
_LIGHT = torch.full((1, 3, 4, 4), 0.75)
_FLAT = torch.tensor([0.25, 0.5, 0.75]).view(1, 3, 1, 1).expand(1, 3, 4, 4).contiguous()
_VERTICAL, _HORIZONTAL = (stripes(5, 4, vertical=vertical) / 2 + 0.25 for vertical in (True, False))


def _inverts(title: str, features: Tensor, images: Tensor, expected: float, **weights: float) -> Check:
    return Check(title, {"features": features, "wanted": _WANTED, "images": images, **weights}, torch.tensor(expected))


def _number(features: Tensor, wanted: Tensor, images: Tensor, tv: float, sixth: float) -> float:
    """The loss in Python's floats, pixel by pixel."""
    pairs = list(zip(features.flatten().tolist(), wanted.flatten().tolist(), strict=True))
    distance = sum((f - w) ** 2 for f, w in pairs) / sum(w**2 for _, w in pairs)
    steps: tuple[list[float], list[float]] = ([], [])
    for channel in images[0].tolist():
        for row, values in enumerate(channel):
            steps[0].extend((here - above) ** 2 for here, above in zip(values, channel[row - 1], strict=True) if row)
            steps[1].extend((here - before) ** 2 for here, before in zip(values[1:], values[:-1], strict=True))
    variation = sum(sum(squares) / len(squares) for squares in steps)
    powers = [(2 * x - 1) ** 6 for x in images.flatten().tolist()]
    return distance + tv * variation + sixth * sum(powers) / len(powers)


_FED = {
    "features": noise(1, 4, 3, 2, seed=1),
    "wanted": noise(1, 4, 3, 2, seed=2),
    "images": 1.5 * pixels(1, 3, 5, 3) - 0.25,
    "tv": 0.7,
    "sixth": 0.3,
}


def _slope(argument: str) -> Check:
    def formula(value: Tensor) -> float:
        return _number(**{**_FED, argument: value})

    expected = central_differences(formula, _FED[argument]).float()
    return Check(f"its gradient reaches the {argument}", _FED, expected, gradient_of(argument))


ENTRY = Entry(
    name="inversion_loss",
    reference=inversion_loss,
    stars=2,
    minutes=15,
    checks=[
        _inverts("the features are the wanted ones and the image is grey: 0", _WANTED, _GREY, 0.0),
        _inverts("features of 0: 1", 0 * _WANTED, _GREY, 1.0),
        _inverts("half the features: a quarter", _WANTED / 2, _GREY, 0.25),
        _inverts("other features", _MOVED, _GREY, _DISTANCE),
        _inverts("a light image: the penalty on its distance from grey", _WANTED, _LIGHT, 2 * 0.5**6, sixth=2.0),
        _inverts("three constant colours do not vary", _WANTED, _FLAT, 2 / 3 * 0.5**6, tv=5.0, sixth=1.0),
        _inverts("vertical stripes", _WANTED, _VERTICAL, 3 * 0.25 + 0.5**6, tv=3.0, sixth=1.0),
        _inverts("horizontal stripes", _MOVED, _HORIZONTAL, _DISTANCE + 0.25 * 4 + 0.5**6, tv=4.0, sixth=1.0),
        Check("other features and an image of all colours, not square", _FED, torch.tensor(_number(**_FED))),
        _slope("features"),
        _slope("images"),
    ],
    hints=(
        "Three terms, each a number: how far are the features, relative to the wanted ones; how large are the steps "
        "between neighbouring pixels; how far are pixels from grey?",
        "Divide `.square().sum()` of the difference by that of `wanted`. Take the mean of the squared `images.diff` "
        "along axis 2 and that along axis 3, add the two and multiply by `tv`. The last term is `sixth` times the mean "
        "of a sixth power, `.pow(6)`.",
    ),
    mistakes={  # distances of features f and wanted features w
        "not divided by ‖wanted‖²: deep layers with small activations would hardly count": (
            _loss(lambda f, w: (f - w).square().sum()),
            _loss(lambda f, w: (f - w).square().mean()),
        ),
        "the mean over a sum: both have to be sums, or both means": (
            _loss(lambda f, w: (f - w).square().mean() / w.square().sum()),
            _loss(lambda f, w: (f - w).square().sum() / w.square().mean()),
        ),
        "half of the distance: no ½ was asked for": _loss(lambda f, w: (f - w).square().sum() / w.square().sum() / 2),
        "magnitudes instead of squares in the distance": _loss(lambda f, w: (f - w).abs().sum() / w.abs().sum()),
        "+1e-3 or so in the denominator: not asked for, the wanted features are not 0": (
            _loss(lambda f, w: (f - w).square().sum() / (w.square().sum() + 1e-3)),
            _loss(lambda f, w: (f - w).square().sum() / (w.square().sum() + 1)),
        ),
        "divided by the features of the image: making them large would be the easiest way to a small loss": (
            _loss(lambda f, w: (f - w).square().sum() / f.square().sum())
        ),
        "the distance is not squared: ‖·‖² over ‖·‖² was asked for": _loss(lambda f, w: (f - w).norm() / w.norm()),
        "divided by ‖wanted‖, not by its square": _loss(lambda f, w: (f - w).square().sum() / w.norm()),
        "each feature is divided on its own: zeros in the features of the photograph blow up": (
            _loss(lambda f, w: ((f - w) / w).square().sum()),
            _loss(lambda f, w: ((f - w) / w).square().mean()),
            _loss(lambda f, w: ((f - w).square() / (w.square() + 1e-8)).sum()),
            _loss(lambda f, w: ((f - w).square() / (w.square() + 1e-8)).mean()),
        ),
        "this is minus the similarity: a product has no smallest value at the wanted features": (
            _loss(lambda f, w: -(f * w).sum() / w.square().sum())
        ),
        "the regularisers are subtracted: this is a loss, they add up": _loss(sign=-1),
        "minus the loss: an objective for ascent, but the loss was asked for": lambda *fed: -_loss()(*fed),
        "the sixth power is not centred: grey must have no penalty, write (2x − 1)⁶": (
            _loss(power=lambda images: images.pow(6).mean())
        ),
        "the pixels are not doubled: black and white must have a penalty of 1, write (2x − 1)⁶": (
            _loss(power=lambda images: (images - 0.5).pow(6).mean())
        ),
        "the sixth power is summed: take its mean": _loss(power=lambda images: (2 * images - 1).pow(6).sum()),
        "the variation compares channels: rows are axis 2, columns axis 3": (
            _loss(variation=lambda images: _steps(images, 1) + _steps(images, 2))
        ),
        "half of the variation: the two means are added": (
            _loss(variation=lambda images: (_steps(images, 2) + _steps(images, 3)) / 2)
        ),
        "one mean over all steps: those down have one of their own, and so have those to the right": (
            _loss(
                variation=lambda images: torch.cat(
                    [images.diff(dim=2).square().flatten(), images.diff(dim=3).square().flatten()]
                ).mean()
            )
        ),
        "divided by the number of values: there are fewer steps, one row less down and one column less to the right": (
            _loss(
                variation=lambda images: (
                    (images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()) / images.numel()
                )
            ),
        ),
        "magnitudes instead of squares in the variation": (
            _loss(variation=lambda images: images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean())
        ),
        "the variation has a square root: it was not asked for": (
            _loss(variation=lambda images: (_steps(images, 2) + _steps(images, 3)).sqrt()),
            _loss(variation=lambda images: _steps(images, 2).sqrt() + _steps(images, 3).sqrt()),
        ),
        "the last row and column are compared with the first: an image has borders": (
            _loss(variation=lambda images: sum((images.roll(-1, axis) - images).square().mean() for axis in (2, 3)))
        ),
        "a plain number came out: `.item()` and `float` cut the graph, the loss must stay a tensor": (
            lambda *fed: _loss()(*fed).item()
        ),
        "the variation is left out": _loss(variation=lambda images: torch.tensor(0.0)),
        "the sixth power is left out": _loss(power=lambda images: torch.tensor(0.0)),
        "another power: the sixth was asked for": (
            _loss(power=lambda images: (2 * images - 1).square().mean()),
            _loss(power=lambda images: (2 * images - 1).pow(4).mean()),
            _loss(power=lambda images: (2 * images - 1).pow(3).mean()),
        ),
        "the power of the mean: take the mean of the powers": (
            _loss(power=lambda images: (2 * images - 1).mean().pow(6))
        ),
        "the weights are left out": lambda f, w, images, tv, sixth: _loss()(f, w, images, 1.0, 1.0),
        "the weights are those of the defaults: use the arguments": (
            lambda f, w, images, tv, sixth: _loss()(f, w, images, 1.0, 0.01)
        ),
        "the variation looks down only": _loss(variation=lambda images: _steps(images, 2)),
        "the variation looks to the right only": _loss(variation=lambda images: _steps(images, 3)),
        "the variation is summed: take the means": (
            _loss(variation=lambda images: sum(images.diff(dim=axis).square().sum() for axis in (2, 3)))
        ),
        "the weights of variation and sixth power are swapped": (
            lambda features, wanted, images, tv, sixth: _loss()(features, wanted, images, sixth, tv)
        ),
        "the angle is compared: features twice as large are not the wanted ones": (
            _loss(lambda f, w: 1 - F.cosine_similarity(f.flatten(), w.flatten(), dim=0))
        ),
        "the weight of the variation multiplies the sixth power as well: mind the brackets": (
            lambda f, w, images, tv, sixth: _loss()(f, w, images, tv, tv * sixth)
        ),
        "the variation of the features: that of the image was asked for": lambda f, w, images, tv, sixth: (
            _loss()(f, w, images, 0.0, sixth) + tv * (_steps(f, 2) + _steps(f, 3))
        ),
        "the sixth power of the features: that of the image was asked for": lambda f, w, images, tv, sixth: (
            _loss()(f, w, images, tv, 0.0) + sixth * (2 * f - 1).pow(6).mean()
        ),
        "the terms are multiplied: they are added": lambda f, w, images, tv, sixth: (
            _loss()(f, w, images, 0.0, 0.0) * _loss()(w, w, images, tv, sixth)
        ),
        "divided by the variance of the wanted features: their squares sum to ‖wanted‖²": (
            _loss(lambda f, w: (f - w).square().mean() / w.var(correction=0)),
            _loss(lambda f, w: (f - w).square().mean() / w.var()),
        ),
    },
)
