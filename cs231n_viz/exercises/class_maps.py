"""Exercise of notebook 05: from maps and what they are worth to the map of a class."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry


def grad_cam_map(maps: Tensor, weights: Tensor, *, size: tuple[int, int], signed: bool = False) -> Tensor:
    """Where do the channels that are worth something answer?

    Args:
        maps: (N, C, h, w).
        weights: (N, C), what each channel is worth to the class.
        size: (H, W) of the picture.
        signed: Keep what speaks against the class, below 0.

    Returns:
        (N, H, W): the weighted sum of the maps, without its negative part unless ``signed``, then stretched bilinearly.
    """
    total = (weights[:, :, None, None] * maps).sum(dim=1, keepdim=True)
    if not signed:
        total = total.clamp_min(0)
    return F.interpolate(total, size=size, mode="bilinear", align_corners=False)[:, 0]


def _combined(
    *,
    before: Callable[[Tensor], Tensor] = lambda terms: terms,
    after: Callable[[Tensor], Tensor] = lambda total: total.clamp_min(0),
    late: Callable[[Tensor], Tensor] = lambda stretched: stretched,
    stretch: dict[str, object] | None = None,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""
    how = {"mode": "bilinear", "align_corners": False} if stretch is None else stretch

    def mistaken(maps: Tensor, weights: Tensor, *, size: tuple[int, int], signed: bool = False) -> Tensor:
        total = before(weights[:, :, None, None] * maps).sum(dim=1, keepdim=True)
        total = total if signed else after(total)
        stretched = F.interpolate(total, size=size, **how)[:, 0]
        return stretched if signed else late(stretched)

    return mistaken


def _with(change: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda maps, weights, size, signed=False: grad_cam_map(maps, change(weights), size=size, signed=signed)


def _after_all(change: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda maps, weights, size, signed=False: change(grad_cam_map(maps, weights, size=size, signed=signed))


def _asked(title: str, pictures: slice, size: tuple[int, int], **signed: bool) -> Check:
    maps, weights = _MAPS[pictures], _WORTH[pictures]
    total = torch.einsum("nchw,nc->nhw", maps, weights)
    total = total if signed else total.clamp_min(0)
    along = [_bilinear(large, small) for large, small in zip(size, (2, 3), strict=True)]
    expected = torch.einsum("yi,nij,xj->nyx", along[0], total, along[1])
    return Check(title, {"maps": maps, "weights": weights, "size": size, **signed}, expected)


def _bilinear(large: int, small: int) -> Tensor:
    """(large, small): the share that each of the small places has in each of the large ones."""
    at = ((torch.arange(large) + 0.5) * small / large - 0.5).clamp(0, small - 1)
    return (1 - (at[:, None] - torch.arange(small)).abs()).clamp_min(0)


_MAPS = torch.tensor(
    [
        [[[0.5, 0.0, 1.0], [0.0, 2.0, -1.0]], [[1.0, 0.5, -2.0], [0.0, 0.0, 3.0]]],
        [[[0.0, 1.0, 0.0], [1.5, 0.0, 0.5]], [[0.0, 0.0, 2.0], [0.5, 1.0, 0.0]]],
    ]
)  # (2, 2, 2, 3), of a layer that is not behind a ReLU
_WORTH = torch.tensor([[1.0, -0.5], [-0.75, 2.0]])

_GRAD_CAM_MAP = Entry(
    name="grad_cam_map",
    reference=grad_cam_map,
    stars=2,
    minutes=10,
    checks=[
        _asked("not stretched: the weighted sum, its negative part set to 0", slice(0, 1), (2, 3)),
        _asked("signed: the negative part stays", slice(0, 1), (2, 3), signed=True),
        Check(
            "nothing speaks for the class: zeros, and not NaN",
            {"maps": _MAPS[1:], "weights": torch.tensor([[-1.0, -2.0]]), "size": (2, 3)},
            torch.zeros(1, 2, 3),
        ),
        _asked("two pictures, each with weights of its own", slice(0, 2), (2, 3)),
        _asked("stretched bilinearly to 5×7", slice(0, 2), (5, 7)),
    ],
    mistakes={
        "the ReLU is missing: without signed, what speaks against the class is 0": _combined(after=lambda total: total),
        "the ReLU comes before the sum: a channel that speaks against the class must count first": (
            _combined(before=lambda terms: terms.clamp_min(0))
        ),
        "negative weights are cut off: these channels speak against the class, and count": _with(
            lambda weights: weights.clamp_min(0)
        ),
        "the ReLU comes after the stretching: set to 0 first, or the borders are drawn in": (
            _combined(after=lambda total: total, late=lambda stretched: stretched.clamp_min(0))
        ),
        "the sum starts from one: begin with zeros": _combined(before=lambda terms: terms + 1 / terms.shape[1]),
        "all pictures get the weights of the first one": _with(lambda weights: weights[:1].expand_as(weights)),
        "the channels are averaged: add them up": _combined(before=lambda terms: terms / terms.shape[1]),
        "magnitudes: what speaks against the class is drawn as if it spoke for it": (
            _combined(after=lambda total: total.abs())
        ),
        "signed is ignored": (lambda maps, weights, size, signed=False: grad_cam_map(maps, weights, size=size)),
        "divided by its maximum: maps could not be compared, and where nothing speaks for the class 0 / 0 is NaN": (
            _after_all(lambda found: found / found.amax((1, 2), keepdim=True))
        ),
        "blocks: stretch bilinearly": _combined(stretch={"mode": "nearest"}),
        "align_corners=True pulls the outer cells to the border: each cell stands for an equal share of the picture": (
            _combined(stretch={"mode": "bilinear", "align_corners": True})
        ),
        "not stretched: the map must have the size of the picture": (
            lambda maps, weights, size, signed=False: grad_cam_map(
                maps, weights, size=tuple(maps.shape[2:]), signed=signed
            )
        ),
    },
)

ENTRIES = [_GRAD_CAM_MAP]
