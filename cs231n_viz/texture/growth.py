"""Pictures that are put together from pixels of a sample: what is there so far, and where each pixel came from.

``efros_leung`` and ``quilt`` invent no colour. Every pixel of their pictures stands somewhere in the sample, so a map
of these places says what no look at the picture can say: which parts are mixed afresh, and which are mere copies.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from cs231n_viz.pictures.images import load_image

Size = int | tuple[int, int]

# Corners of the map of places, for red-green blind eyes too: light above, dark below, blue on the left, orange right.
_CORNERS = torch.tensor([[[0.65, 0.85, 1.0], [1.0, 0.92, 0.55]], [[0.0, 0.1, 0.5], [0.55, 0.2, 0.0]]])


class Growth(NamedTuple):
    """A picture that grows.

    ``image`` (3, H, W) is 0 where nothing is yet; ``filled`` (H, W) bool; ``share`` of the pixels that are there;
    ``origins`` (H, W, 2) row and column in the sample of each pixel, -1 where nothing is yet.
    """

    image: Tensor
    filled: Tensor
    share: float
    origins: Tensor

    @classmethod
    def of(cls, sample: Tensor, origins: Tensor) -> "Growth":
        """The picture that these places of the sample (3, h, w) make."""
        filled = origins[..., 0] >= 0
        rows, cols = origins.clamp_min(0).unbind(-1)
        return cls(sample[:, rows, cols] * filled, filled, filled.double().mean().item(), origins.clone())


def origin_map(origins: Tensor, sample: Tensor) -> Tensor:
    """Where in the sample does each pixel come from?

    A verbatim copy shows as a smooth patch, a seam as an edge, pixels that are mixed afresh as grain.

    Args:
        origins: (H, W, 2), of a :class:`Growth`; the sample's own map is that of its own rows and columns.
        sample: (3, h, w).

    Returns:
        (3, H, W), RGB in [0, 1]: light for the sample's first rows, dark for its last, blue for its left, orange for
        its right; grey where nothing is yet.
    """
    height, width = sample.shape[-2:]
    down = (origins[..., :1] / max(height - 1, 1)).clamp(0, 1)
    right = (origins[..., 1:] / max(width - 1, 1)).clamp(0, 1)
    upper, lower = (left * (1 - right) + end * right for left, end in _CORNERS)
    colours = torch.where(origins[..., :1] >= 0, upper * (1 - down) + lower * down, 0.5)
    return colours.permute(2, 0, 1)


def copied_share(origins: Tensor) -> float:
    """How much of the picture is the sample word for word?

    Returns:
        Share of the neighbouring pairs of filled pixels, side by side or one above the other, that are the same two
        neighbours in the sample: near 1 for one copied piece, near 0 if each pixel comes from elsewhere.
    """
    kept = total = 0
    pairs = ((origins[:-1], origins[1:]), (origins[:, :-1], origins[:, 1:]))
    for (first, second), step in zip(pairs, torch.eye(2, dtype=origins.dtype), strict=True):
        both = (first >= 0).all(-1) & (second >= 0).all(-1)
        kept += int((both & (second - first == step).all(-1)).sum())
        total += int(both.sum())
    return kept / max(total, 1)


def check_sample(sample: Tensor) -> Tensor:
    """The sample as (3, h, w) float32 in [0, 1]; :class:`ImageError` says what else it is."""
    return load_image(sample)


def check_size(size: Size, least: int, *, why: str) -> tuple[int, int]:
    """Height and width to make, each at least ``least``; ``why`` names what needs so much."""
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    whole = len(sides) == 2 and all(isinstance(side, int) and not isinstance(side, bool) for side in sides)
    if not whole:
        raise ValueError(f"size must be a whole number or (height, width), got {size!r}")
    if min(sides) < least:
        raise ValueError(f"size must be at least {least}, {why}; got {size!r}")
    return sides


def check_tolerance(tolerance: float) -> None:
    """At least 0, and finite."""
    if not 0 <= tolerance < float("inf"):
        raise ValueError(f"tolerance must be at least 0 (the paper takes 0.1), got {tolerance!r}")
