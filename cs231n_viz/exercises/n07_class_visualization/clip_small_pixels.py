"""Clipping pixels of small norm, a regulariser of class visualisation."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import noise


def clip_small_pixels(pixels: Tensor, share: float) -> Tensor:
    """Set the pixels of smallest norm to the mean colour.

    Args:
        pixels: (N, 3, H, W), measured from the mean colour, which is 0.
        share: From 0 to 1; that share of each image's pixels is set to 0.

    Returns:
        (N, 3, H, W): all three channels are 0 where the pixel's L2 norm over its channels is below the quantile
        ``share`` of the image's norms.
    """
    norm = pixels.norm(dim=1)  # (N, H, W)
    limit = norm.flatten(1).quantile(share, dim=1).view(-1, 1, 1)
    return pixels * (norm >= limit)[:, None]


# What this exercise shares with clip_small_contributions. An importance is (N, 1, H, W), or (N, 3, H, W) by mistake.

Importance = Callable[..., Tensor]


def _quantile(size: Tensor, share: float) -> Tensor:
    return size.flatten(1).quantile(share, dim=1).view(-1, 1, 1, 1)


def clipping(
    importance: Importance,
    limit_of: Callable[[Tensor, float], Tensor | float] = _quantile,
    keep: Callable[[Tensor, Tensor], Tensor] = torch.ge,
) -> Callable[..., Tensor]:
    """An answer, right or mistaken: keep the pixels whose ``importance(pixels, …)`` reaches a limit."""

    def clipped(pixels: Tensor, *rest: Tensor | float) -> Tensor:
        *gradient, share = rest
        size = importance(pixels, *gradient)
        return pixels * keep(size, limit_of(size, share))

    return clipped


def _filled(importance: Importance, value: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def filled(pixels: Tensor, *rest: Tensor | float) -> Tensor:
        size = importance(pixels, *rest[:-1])
        return torch.where(size >= _quantile(size, rest[-1]), pixels, value(pixels))

    return filled


def _softened(importance: Importance) -> Callable[..., Tensor]:
    def softened(pixels: Tensor, *rest: Tensor | float) -> Tensor:
        size = importance(pixels, *rest[:-1])
        return pixels * (1 - _quantile(size, rest[-1]) / size).clamp_min(0)

    return softened


def _without_an_axis(importance: Importance) -> Callable[..., Tensor]:
    def clipped(pixels: Tensor, *rest: Tensor | float) -> Tensor:
        size = importance(pixels, *rest[:-1])
        return pixels * (size >= _quantile(size, rest[-1]))[:, 0]

    return clipped


def kept(importance: Importance) -> Callable[..., Tensor]:
    """A mistake: 1 where a pixel stays, and 0 where it is clipped."""

    def mask(pixels: Tensor, *rest: Tensor | float) -> Tensor:
        size = importance(pixels, *rest[:-1])
        return (size >= _quantile(size, rest[-1])).to(pixels).expand_as(pixels)

    return mask


def clipping_mistakes(importance: Importance, of_each_value: Importance) -> dict[str, Callable[..., Tensor]]:
    """The mistakes that can be made whatever the importance is."""
    return {
        "the other way round: what matters most is set to 0": clipping(importance, keep=torch.lt),
        "values are set to 0 one by one: a pixel is clipped in all its channels": clipping(of_each_value),
        "one limit for the whole batch: each image has its own quantile": (
            clipping(importance, lambda size, share: size.flatten().quantile(share))
        ),
        "the share is used as a limit: it says how many pixels are clipped, not how small they are": (
            clipping(importance, lambda size, share: share)
        ),
        "the pixel at the limit is clipped as well: only what lies below it is, and nothing for a share of 0": (
            clipping(importance, keep=torch.gt)
        ),
        "the quantile counts from the top: a share of 0.6 lies below the limit, not above": (
            clipping(importance, lambda size, share: _quantile(size, 1 - share))
        ),
        "the limit is the mean: a quantile was asked for": (
            clipping(importance, lambda size, share: size.mean((1, 2, 3), keepdim=True))
        ),
        "half of the pixels are clipped whatever the share": (
            clipping(importance, lambda size, share: _quantile(size, 0.5))
        ),
        "each row or column has its own quantile: an image has one": (
            clipping(importance, lambda size, share: size.quantile(share, dim=3, keepdim=True)),
            clipping(importance, lambda size, share: size.quantile(share, dim=2, keepdim=True)),
        ),
        "the clipped pixels get the mean of the image: 0 is the mean colour": (
            _filled(importance, lambda pixels: pixels.mean((2, 3), keepdim=True))
        ),
        "a mask of zeros and ones: the pixels were asked for": kept(importance),
        "a share of the largest value is used as the limit; a quantile was asked for": (
            clipping(importance, lambda size, share: share * size.amax((1, 2, 3), keepdim=True))
        ),
        "what stays is made smaller as well: a pixel is set to 0 or left as it is": _softened(importance),
        "an axis is missing, so that images meet channels or rows: limits (N, 1, 1), a mask (N, 1, H, W)": (
            _without_an_axis(importance)
        ),
    }


def without_least(pixels: Tensor, importance: Tensor, count: int) -> Tensor:
    """The expected images: sort each image's pixels by ``importance`` (N, H, W) and set the first ``count`` to 0."""
    expected = pixels.clone()
    for image, values in zip(expected, importance.flatten(1).tolist(), strict=True):
        least = sorted(range(len(values)), key=values.__getitem__)[:count]
        image.flatten(1)[:, least] = 0
    return expected


def shrinking(seed: int, *shape: int) -> Tensor:
    """Values of both signs; of several images each is smaller than the one before."""
    return noise(*shape, seed=seed) / (1 + torch.arange(shape[0])).view(-1, 1, 1, 1)


# norms 1.41, 1.39, 1.30 and 3.16; by |sum|, sum of magnitudes, largest channel or sum two others are the smallest
_FOUR = torch.tensor([[1.0, 0.8, 0.0, -3.0], [-1.0, 0.8, 0.0, -1.0], [0.0, 0.8, 1.3, 0.0]]).view(1, 3, 1, 4)
_TWENTY, _NINE = shrinking(0, 2, 3, 4, 5), shrinking(1, 1, 3, 3, 3)
_FIFTEEN = shrinking(5, 3, 3, 3, 5)
_FIFTEEN_CLIPPED = without_least(_FIFTEEN, (_FIFTEEN**2).sum(1), 5)  # 0.33 · 14 lies between the fifth and the sixth


ENTRY = Entry(
    name="clip_small_pixels",
    reference=clip_small_pixels,
    stars=1,
    minutes=10,
    hints=(
        "How large is a pixel, over its channels, and below which size lies the given share of an image's pixels?",
        "`pixels.norm(dim=1)` is (N, H, W); flatten it and take `quantile(share, dim=1)`, one limit for each image,"
        " and multiply the pixels by a mask with an axis for the channels.",
    ),
    checks=[
        Check(
            "of four pixels the two smallest become 0",
            {"pixels": _FOUR, "share": 0.5},
            _FOUR * torch.tensor([1.0, 0.0, 0.0, 1.0]),
        ),
        Check(
            "two images of 20 pixels: in each the 12 smallest",
            {"pixels": _TWENTY, "share": 0.6},
            without_least(_TWENTY, (_TWENTY**2).sum(1), 12),
        ),
        Check("a share of 0 takes nothing away", {"pixels": _NINE, "share": 0.0}, _NINE),
        Check("a third of 15 pixels, of three images", {"pixels": _FIFTEEN, "share": 0.33}, _FIFTEEN_CLIPPED),
    ],
    mistakes={
        **clipping_mistakes(lambda pixels: pixels.norm(dim=1, keepdim=True), torch.abs),
        "the channels are summed: +1 and −1 would be nothing; their norm was asked for": (
            clipping(lambda pixels: pixels.sum(1, keepdim=True).abs())
        ),
        "the sign counts: a dark pixel deviates as much as a bright one": (
            clipping(lambda pixels: pixels.sum(1, keepdim=True))
        ),
        "only the strongest channel is looked at; the norm over the channels was asked for": (
            clipping(lambda pixels: pixels.abs().amax(1, keepdim=True))
        ),
        "the magnitudes are added up; the root of the squares was asked for": (
            clipping(lambda pixels: pixels.abs().sum(1, keepdim=True))
        ),
        "the third powers are added up: the norm is the root of the squares": (
            clipping(lambda pixels: pixels.norm(p=3, dim=1, keepdim=True))
        ),
    },
)
