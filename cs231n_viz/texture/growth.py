"""Pictures that are put together from pixels of a sample: what is there so far, and where each pixel comes from.

``efros_leung`` and ``quilt`` invent no colour. Every pixel of their pictures stands somewhere in the sample, so a map
of these places shows what the picture cannot: which parts are new mixtures, and which are mere copies. Both can be
watched while they work: ``grow_efros_leung`` and ``grow_quilt`` return a :class:`Growing`.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from cs231n_viz.pictures.images import load_image
from cs231n_viz.progress import Watched

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


class Growing(Watched[Growth]):
    """A texture that can be watched while it grows, or taken when it is complete.

    Iterate over it for every :class:`Growth`; ``.image`` and ``.origins`` do the work that is left, with a bar if that
    was asked for. It can be left at any time: ``.latest`` is what was reached.

    Args:
        stages: The picture so far, again and again.
        total: Number of stages; Efros–Leung makes more where pixels without a match have to wait.
        settings: What the texture is made with, to be saved beside it.
        progress: Show a bar while ``.image`` or ``.origins`` work.
    """

    unit = "pixel"

    def _show(self, bar: tqdm) -> None:
        bar.total = self.latest.filled.numel()
        bar.update(int(self.latest.filled.sum()) - bar.n)

    @property
    def image(self) -> Tensor:
        """The complete picture, (3, H, W); each of its pixels is a pixel of the sample."""
        return self.finish().image

    @property
    def origins(self) -> Tensor:
        """Row and column in the sample of each pixel of the complete picture, (H, W, 2)."""
        return self.finish().origins


def origin_map(origins: Tensor, sample: Tensor) -> Tensor:
    """Colour each pixel by the place in the sample that it comes from.

    A verbatim copy shows as a smooth patch, a seam as an edge, a new mixture of single pixels as noise.

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
    """Measure how much of a picture is copied from the sample word for word.

    Args:
        origins: (H, W, 2), of a :class:`Growth`.

    Returns:
        Share of the neighbouring pairs of filled pixels, side by side or one above the other, that are the same two
        neighbours in the sample: near 1 for one copied piece, near 0 if each pixel comes from elsewhere.
    """
    copied = total = 0
    pairs = ((origins[:-1], origins[1:]), (origins[:, :-1], origins[:, 1:]))
    for (first, second), step in zip(pairs, torch.eye(2, dtype=origins.dtype), strict=True):
        both = (first >= 0).all(-1) & (second >= 0).all(-1)
        copied += int((both & (second - first == step).all(-1)).sum())
        total += int(both.sum())
    return copied / max(total, 1)


def check_sample(sample: Tensor) -> Tensor:
    """The sample as (3, h, w) float32 in [0, 1]; anything else raises an :class:`ImageError`."""
    return load_image(sample)


def check_size(size: Size, least: int, *, why: str) -> tuple[int, int]:
    """Height and width to make, each at least ``least``; ``why`` names what needs so much.

    Raises:
        ValueError: If it is neither a whole number nor two, or too small.
    """
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    whole = len(sides) == 2 and all(isinstance(side, int) and not isinstance(side, bool) for side in sides)
    if not whole:
        raise ValueError(f"size must be a whole number or (height, width), got {size!r}")
    if min(sides) < least:
        raise ValueError(f"size must be at least {least}, {why}; got {size!r}")
    return sides


def check_side(name: str, side: int, sample: Tensor, *, least: int, odd: bool = False) -> None:
    """Refuse the side of a window or block that the sample (3, h, w) cannot hold.

    Raises:
        ValueError: If ``side`` is no whole number, even where it must be odd, too small, or larger than the sample.
    """
    height, width = sample.shape[1:]
    most = min(height, width)
    if odd and most % 2 == 0:
        most -= 1
    if most < least:
        raise ValueError(f"the sample must be at least {least}x{least} pixels, got {height}x{width}")
    check_whole(name, side, (least, most), f" for a sample of {height}x{width} pixels", odd=odd)


def check_whole(name: str, value: int, limits: tuple[int, int], why: str, *, odd: bool = False) -> None:
    """Refuse what is no whole number within limits, both included; ``why`` follows them in the message."""
    least, most = limits
    if not isinstance(value, int) or not least <= value <= most or (odd and value % 2 == 0):
        hint = ""
        if isinstance(value, int | float):
            nearest = int(value) // 2 * 2 + 1 if odd else int(value)
            hint = f"; nearest is {min(max(nearest, least), most)}"
        kind = "an odd whole number" if odd else "a whole number"
        raise ValueError(f"{name} must be {kind} from {least} to {most}{why}, got {value!r}{hint}")


def check_tolerance(tolerance: float) -> None:
    """Refuse a tolerance below 0, or one that is not finite."""
    if not 0 <= tolerance < float("inf"):
        raise ValueError(f"tolerance must be at least 0 (the paper takes 0.1), got {tolerance!r}")
