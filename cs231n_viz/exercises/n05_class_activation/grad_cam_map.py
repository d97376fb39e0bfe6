"""The map of Grad-CAM, from feature maps and their weights."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import TWO_MAPS, dtype_of


def grad_cam_map(maps: Tensor, weights: Tensor, *, size: tuple[int, int], signed: bool = False) -> Tensor:
    """Weigh feature maps, add them up, drop what is negative, and stretch to the image (Grad-CAM, eq. 2).

    Args:
        maps: (N, C, h, w).
        weights: (N, C), what each channel is worth to the class.
        size: (H, W) of the image.
        signed: Keep the evidence against the class, below 0.

    Returns:
        (N, H, W): the weighted sum of the maps, without its negative part unless ``signed``, then stretched bilinearly.
    """
    total = (weights[:, :, None, None] * maps).sum(dim=1, keepdim=True)
    if not signed:
        total = total.clamp_min(0)
    return F.interpolate(total, size=size, mode="bilinear", align_corners=False)[:, 0]


def _combined(
    *,
    weigh: Callable[[Tensor], Tensor] = lambda weights: weights,
    before: Callable[[Tensor], Tensor] = lambda terms: terms,
    after: Callable[[Tensor], Tensor] = lambda total: total.clamp_min(0),
    late: Callable[[Tensor], Tensor] = lambda stretched: stretched,
    **how: object,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""
    how = how or {"mode": "bilinear", "align_corners": False}

    def mistaken(maps: Tensor, weights: Tensor, size: tuple[int, int], signed: bool) -> Tensor:
        total = before(weigh(weights)[:, :, None, None] * maps).sum(dim=1, keepdim=True)
        total = total if signed else after(total)
        stretched = F.interpolate(total, size=size, **how)[:, 0]
        return stretched if signed else late(stretched)

    return mistaken


def _scaled(maps: Tensor, weights: Tensor, size: tuple[int, int], signed: bool) -> Tensor:
    cams = grad_cam_map(maps, weights, size=size, signed=signed)
    return cams / cams.amax((1, 2), keepdim=True)


def _by_the_strongest(maps: Tensor, weights: Tensor, size: tuple[int, int], signed: bool) -> Tensor:
    cams = grad_cam_map(maps, weights, size=size, signed=signed)
    return cams / cams.max()


def _by_a_whole_factor(maps: Tensor, weights: Tensor, size: tuple[int, int], signed: bool) -> Tensor:
    size = [large // small * small for large, small in zip(size, maps.shape[2:], strict=True)]
    return grad_cam_map(maps, weights, size=size, signed=signed)


def _asked(title: str, images: slice, size: tuple[int, int], *, weights: Tensor | None = None, **signed: bool) -> Check:
    maps, weights = TWO_MAPS[images], _WEIGHTS[images] if weights is None else weights
    total = torch.einsum("nchw,nc->nhw", maps, weights)
    total = total if signed else total.clamp_min(0)
    along = [_bilinear(large, small) for large, small in zip(size, total.shape[1:], strict=True)]
    expected = torch.einsum("yi,nij,xj->nyx", along[0], total, along[1])
    return Check(title, {"maps": maps, "weights": weights, "size": size, **signed}, expected)


def _bilinear(large: int, small: int) -> Tensor:
    """(large, small): the share that each of the small positions has in each of the large ones."""
    at = ((torch.arange(large) + 0.5) * small / large - 0.5).clamp(0, small - 1)
    return (1 - (at[:, None] - torch.arange(small)).abs()).clamp_min(0)


_WEIGHTS = torch.tensor([[1.0, -0.5], [-0.75, 2.0]])

ENTRY = Entry(
    name="grad_cam_map",
    reference=grad_cam_map,
    stars=2,
    minutes=10,
    hints=(
        "In which order come the weighted sum, the ReLU and the stretching, and which of them does `signed` switch "
        "off?",
        "Broadcast the weights to (N, C, 1, 1), multiply and sum over the channels with `keepdim=True`, clamp at 0 "
        "unless signed, and give the (N, 1, h, w) to `F.interpolate` with mode bilinear and align_corners=False; "
        "drop the axis of length 1.",
    ),
    checks=[
        _asked("not stretched: the weighted sum, its negative part set to 0", slice(0, 1), (2, 3)),
        _asked("signed: the negative part stays", slice(0, 1), (2, 3), signed=True),
        Check(
            "no evidence for the class: zeros, and not NaN",
            {"maps": TWO_MAPS[1:], "weights": torch.tensor([[-1.0, -2.0]]), "size": (2, 3)},
            torch.zeros(1, 2, 3),
        ),
        _asked("two images, each with weights of its own", slice(0, 2), (2, 3)),
        _asked("stretched bilinearly to 5×7", slice(0, 2), (5, 7)),
        _asked(
            "both channels are evidence for the class",
            slice(0, 2),
            (2, 3),
            weights=torch.tensor([[0.5, 1.0], [2.0, 0.25]]),
        ),
        _asked("stretched to 4×3, and signed", slice(0, 2), (4, 3), signed=True),
        Check(
            "in float32, as later cells compare it",
            {"maps": TWO_MAPS, "weights": _WEIGHTS, "size": (4, 5)},
            "float32",
            dtype_of,
        ),
    ],
    mistakes={
        "the ReLU is missing: without signed, evidence against the class is 0": _combined(after=lambda total: total),
        "the ReLU comes before the sum: a channel with evidence against the class must count first": (
            _combined(before=lambda terms: terms.clamp_min(0))
        ),
        "negative weights are cut off: these channels are evidence against the class, and count": (
            _combined(weigh=lambda weights: weights.clamp_min(0))
        ),
        "the ReLU comes after the stretching: set to 0 first, or negative neighbours eat into the positive ones": (
            _combined(after=lambda total: total, late=lambda stretched: stretched.clamp_min(0))
        ),
        "the sum starts from one: begin with zeros": _combined(before=lambda terms: terms + 1 / terms.shape[1]),
        "all images get the weights of the first one": _combined(weigh=lambda weights: weights[:1].expand_as(weights)),
        "the channels are averaged: add them up": _combined(before=lambda terms: terms / terms.shape[1]),
        "magnitudes: evidence against the class is drawn as if it were for it": (
            _combined(after=lambda total: total.abs())
        ),
        "signed is ignored": lambda maps, weights, size, signed: grad_cam_map(maps, weights, size=size),
        "divided by its maximum: maps could not be compared, and without evidence for the class 0 / 0 is NaN": (
            _scaled,
            _by_the_strongest,
        ),
        "stretched by a whole factor: the size need not be so many times as large": _by_a_whole_factor,
        "224×224 whatever `size` is": (
            lambda maps, weights, size, signed: grad_cam_map(maps, weights, size=(224, 224), signed=signed)
        ),
        "the minimum is subtracted: what is negative is set to 0 instead": (
            _combined(after=lambda total: total - total.amin((2, 3), keepdim=True))
        ),
        "blocks: stretch bilinearly": (
            _combined(mode="nearest"),
            _combined(mode="nearest-exact"),
            _combined(mode="area"),
        ),
        "align_corners=True pulls the outer cells to the border: each cell stands for an equal share of the image": (
            _combined(mode="bilinear", align_corners=True)
        ),
        "not stretched: the map must have the size of the image": (
            lambda maps, weights, size, signed: grad_cam_map(maps, weights, size=tuple(maps.shape[2:]), signed=signed)
        ),
        "bicubic: stretch bilinearly": _combined(mode="bicubic", align_corners=False),
        "height and width of the size are exchanged": (
            lambda maps, weights, size, signed: grad_cam_map(maps, weights, size=size[::-1], signed=signed)
        ),
        "the map is square: the size has a height and a width": (
            lambda maps, weights, size, signed: grad_cam_map(maps, weights, size=(size[0], size[0]), signed=signed),
            lambda maps, weights, size, signed: grad_cam_map(maps, weights, size=(size[1], size[1]), signed=signed),
        ),
        "signed is the other way round: with it, the negative part stays": (
            lambda maps, weights, size, signed: grad_cam_map(maps, weights, size=size, signed=not signed)
        ),
        "the maps lose their negative part before they are weighed": (
            lambda maps, weights, size, signed: grad_cam_map(maps.clamp_min(0), weights, size=size, signed=signed)
        ),
        "the weights are scaled: they were to be taken as they are": (
            _combined(weigh=lambda weights: weights.softmax(1)),
            _combined(weigh=lambda weights: F.normalize(weights, dim=1)),
        ),
        "the weights lost their signs: a negative one makes the channel evidence against the class": (
            _combined(weigh=lambda weights: weights.abs())
        ),
        "a little of the negative part is left: it is 0": _combined(after=lambda total: F.leaky_relu(total)),
        "the weights of all images are added up for each: each has its own": (
            _combined(weigh=lambda weights: weights.sum(0, keepdim=True).expand_as(weights))
        ),
        "the strongest channel of each position: add all of them up": (
            _combined(before=lambda terms: terms.amax(1, keepdim=True))
        ),
        "the channels are left apart: add them up": (
            lambda maps, weights, size, signed: F.interpolate(
                (maps * weights[:, :, None, None]).clamp_min(float("-inf") if signed else 0),
                size=size,
                mode="bilinear",
                align_corners=False,
            )
        ),
    },
)
