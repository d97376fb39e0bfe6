"""The part of a photograph where a unit is most active."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry


def threshold_mask(activation: Tensor, image: Tensor, *, quantile: float = 0.9) -> Tensor:
    """Darken a photograph except where the activation of a unit lies above a quantile.

    Args:
        activation: (h, w), the map of one unit.
        image: (3, H, W), the photograph.
        quantile: The share of the h · w values that lies below the threshold; between two of them the threshold is
            interpolated linearly, as ``torch.quantile`` does.

    Returns:
        (3, H, W): the photograph where the map, stretched bilinearly to (H, W), lies above the threshold; everywhere
        else a quarter of its brightness.
    """
    threshold = activation.flatten().quantile(quantile)
    stretched = F.interpolate(activation[None, None], size=image.shape[1:], mode="bilinear", align_corners=False)
    above = stretched[0, 0] > threshold  # (H, W); nothing, for a unit that is 0 everywhere
    return torch.where(above, image, image / 4)


def _stretched(activation: Tensor, image: Tensor, **how: object) -> Tensor:
    how = how or {"mode": "bilinear", "align_corners": False}
    return F.interpolate(activation[None, None], size=image.shape[1:], **how)[0, 0]


def _masked(
    *,
    threshold: Callable[[Tensor, float], Tensor] = lambda values, q: values.flatten().quantile(q),
    above: Callable[[Tensor, Tensor], Tensor] = torch.gt,
    late: bool = False,
    rest: float = 0.25,
    **how: object,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def masked(activation: Tensor, image: Tensor, quantile: float) -> Tensor:
        stretched = _stretched(activation, image, **how)
        mask = above(stretched, threshold(stretched if late else activation, quantile))
        return torch.where(mask, image, image * rest)

    return masked


def _sides_swapped(activation: Tensor, image: Tensor, quantile: float) -> Tensor:
    large = F.interpolate(activation[None, None], size=(image.shape[2], image.shape[1]), mode="bilinear")[0, 0]
    return torch.where(large.T > activation.flatten().quantile(quantile), image, image / 4)


def _stretched_to(size: Sequence[int], activation: Tensor, image: Tensor, quantile: float) -> Tensor:
    large = F.interpolate(activation[None, None], size=tuple(size), mode="bilinear")[0, 0]
    return torch.where(large > activation.flatten().quantile(quantile), image, image / 4)


def _one_channel(activation: Tensor, image: Tensor, quantile: float) -> Tensor:
    return torch.cat([_masked()(activation, image, quantile)[:1], image[1:]])


def _of_the_range(values: Tensor, q: float) -> Tensor:
    return values.min() + q * (values.max() - values.min())


def _of_the_active(values: Tensor, q: float) -> Tensor:
    return (values[values > 0] if (values > 0).any() else values.flatten()).quantile(q)


def _thresholded_first(activation: Tensor, image: Tensor, quantile: float) -> Tensor:
    mask = (activation > activation.flatten().quantile(quantile)).float()
    return image * (0.25 + 0.75 * _stretched(mask, image))


def _softly(activation: Tensor, image: Tensor, quantile: float) -> Tensor:
    weight = _stretched(activation, image)
    return image * weight.clamp_min(0) / weight.max().clamp_min(1e-12)


def _below(activation: Tensor, image: Tensor, quantile: float, rest: Tensor) -> Tensor:
    return torch.where(_stretched(activation, image) > activation.flatten().quantile(quantile), image, rest)


def _mask_alone(activation: Tensor, image: Tensor, quantile: float) -> Tensor:
    return _masked(rest=0.0)(activation, torch.ones_like(image), quantile)[0]


_MAP = torch.tensor([[0.0, 1.0, 2.0], [4.0, 8.0, 3.0], [0.5, 1.5, 2.5]])
_NEGATIVE_MAP = torch.tensor([[-7.0, -1.0], [-4.0, -6.0]])
_SPARSE_MAP = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]])


def _shown(title: str, activation: Tensor, rows: str, **quantile: float) -> Check:
    """``rows`` draws the expected mask, # for a pixel that stays."""
    mask = torch.tensor([[mark == "#" for mark in row] for row in rows.split()])
    image = 1 - torch.arange(3 * mask.numel()).reshape(3, *mask.shape) / 200
    expected = image * torch.where(mask, 1.0, 0.25)
    return Check(title, {"activation": activation, "image": image, **quantile}, expected)


ENTRY = Entry(
    name="threshold_mask",
    reference=threshold_mask,
    stars=2,
    minutes=10,
    hints=(
        "One number is the threshold: the quantile of the small map itself. Which map is compared with it, and where "
        "do the pixels of the photograph come in?",
        "`activation.flatten().quantile(quantile)`; then stretch the map to (H, W) with `F.interpolate`, compare with "
        "`>`, and let `torch.where` choose between the image and a quarter of it.",
    ),
    checks=[
        _shown(
            "a map of the photograph's own size: above the quantile 0.6, 4 of 9 pixels stay",
            _MAP,
            "... ### ..#",
            quantile=0.6,
        ),
        _shown(
            "the map is stretched bilinearly; the quantile is 0.9 unless given",
            _MAP,
            "..... ..... ..#.. .###. ..#.. ..... .....",
        ),
        _shown(
            "3×3 on 6×9: the threshold is that of the nine values",
            _MAP,
            "......... ......... ..#####.. ..#####.. ......... .........",
            quantile=0.8,
        ),
        _shown("a map of negative values", _NEGATIVE_MAP, "...### ...### ...... ##....", quantile=0.6),
        _shown(
            "a threshold of zero: where the unit is not active, the photograph is darkened",
            _SPARSE_MAP,
            "...... ...### ...### ...###",
            quantile=0.5,
        ),
    ],
    mistakes={
        "the threshold is a share of the maximum: a quantile is the value below which a share of the cells lies": (
            _masked(threshold=lambda values, q: q * values.max()),
            _masked(threshold=_of_the_range),
        ),
        "the quantile is fixed at 0.9: that is only its default, use `quantile`": (
            _masked(threshold=lambda values, q: values.flatten().quantile(0.9))
        ),
        "the quantile of the positive values alone: all h · w values count, zeros too": (
            _masked(threshold=_of_the_active),
        ),
        "negative values are set to 0 first: the quantile is that of the map as it is": (
            _masked(threshold=lambda values, q: values.clamp_min(0).flatten().quantile(q)),
            lambda activation, image, quantile: _masked()(activation.clamp_min(0), image, quantile),
        ),
        "stretched by a whole factor: the photograph need not be so many times as large, size=image.shape[1:]": (
            lambda activation, image, quantile: _stretched_to(
                [large // small * small for large, small in zip(image.shape[1:], activation.shape, strict=True)],
                activation,
                image,
                quantile,
            )
        ),
        "the threshold is one of the values: between two of them the quantile is interpolated linearly": (
            _masked(threshold=lambda values, q: values.flatten().quantile(q, interpolation="lower")),
            _masked(threshold=lambda values, q: values.flatten().quantile(q, interpolation="higher")),
            _masked(threshold=lambda values, q: values.flatten().quantile(q, interpolation="nearest")),
            _masked(threshold=lambda values, q: values.flatten().sort().values[int(q * values.numel())]),
        ),
        "the threshold is the mean or the median of the map, or so many deviations above: take its quantile": (
            _masked(threshold=lambda values, q: values.mean()),
            _masked(threshold=lambda values, q: values.median()),
            _masked(threshold=lambda values, q: values.mean() + values.std()),
            _masked(threshold=lambda values, q: values.mean() + 2 * values.std()),
        ),
        "the quantile of each row or column: one number for the whole map": (
            lambda activation, image, quantile: torch.where(
                _stretched(activation / activation.quantile(quantile, dim=1, keepdim=True), image) > 1, image, image / 4
            ),
            lambda activation, image, quantile: torch.where(
                _stretched(activation - activation.quantile(quantile, dim=1, keepdim=True), image) > 0, image, image / 4
            ),
            lambda activation, image, quantile: torch.where(
                _stretched(activation - activation.quantile(quantile, dim=0, keepdim=True), image) > 0, image, image / 4
            ),
        ),
        "stretched bicubically: bilinear was asked for": _masked(mode="bicubic", align_corners=False),
        "height and width are swapped: the image is (3, H, W)": (
            _sides_swapped,
            lambda activation, image, quantile: _stretched_to(image.shape[:0:-1], activation, image, quantile),
        ),
        "only one channel is darkened: all three are": _one_channel,
        "darkened to another share: a quarter of its brightness was asked for, image / 4": (
            _masked(rest=0.5),
            _masked(rest=0.75),
            _masked(rest=0.1),
            _masked(rest=0.2),
            _masked(rest=1 / 3),
            _masked(rest=1 / 16),
        ),
        "a quarter, or three, is subtracted: dark pixels turn negative, multiply": (
            lambda activation, image, quantile: _below(activation, image, quantile, image - 0.25),
            lambda activation, image, quantile: _below(activation, image, quantile, image - 0.75),
            lambda activation, image, quantile: _below(activation, image, quantile, (image - 0.25).clamp_min(0)),
            lambda activation, image, quantile: _below(activation, image, quantile, (image - 0.75).clamp_min(0)),
        ),
        "the rest is grey: it is the photograph, a quarter as bright": (
            lambda activation, image, quantile: _below(activation, image, quantile, torch.tensor(0.25)),
            lambda activation, image, quantile: _below(activation, image, quantile, torch.tensor(0.5)),
            lambda activation, image, quantile: _below(activation, image, quantile, image.mean(0, keepdim=True) / 4),
        ),
        "the part below the threshold stays and the part above is darkened": _masked(above=torch.lt),
        "quantile is the share that lies below the threshold, not the share that stays": (
            _masked(threshold=lambda values, q: values.flatten().quantile(1 - q))
        ),
        "the quantile of the stretched map: take that of the h · w values themselves": _masked(late=True),
        "the mask has blocks: stretch the map bilinearly, and only then compare": (
            _masked(mode="nearest"),
            _masked(mode="nearest-exact"),
        ),
        "align_corners=True pulls the outer cells to the border: each cell stands for an equal share of the image": (
            _masked(mode="bilinear", align_corners=True)
        ),
        "the mask was stretched, and has soft edges: stretch the map, and only then compare": _thresholded_first,
        "at a threshold of zero, >= keeps every pixel where the activation is zero: use >": _masked(above=torch.ge),
        "the rest is black: a quarter of its brightness was asked for": _masked(rest=0.0),
        "the photograph is weighted by the map: each pixel either stays or is darkened": _softly,
        "this is the mask: the masked photograph was asked for": (
            _mask_alone,
            lambda activation, image, quantile: _mask_alone(activation, image, quantile) > 0,
        ),
        "ranked by magnitude: a strongly negative value is no strong activation": (
            lambda activation, image, quantile: _masked()(activation.abs(), image, quantile)
        ),
    },
)
