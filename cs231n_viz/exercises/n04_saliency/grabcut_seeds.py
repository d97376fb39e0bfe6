"""The seeds of a segmentation by GrabCut."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry, Raises
from cs231n_viz.exercises.fixtures import dtype_of


def grabcut_seeds(saliency: Tensor, *, foreground: float = 0.95, background: float = 0.30) -> Tensor:
    """Mark the pixels that are surely the object, surely background, or left to GrabCut, by quantiles of saliency.

    Args:
        saliency: (H, W), at least 0.
        foreground: Above this quantile of the map lies the object.
        background: At or below this quantile lies the background.

    Returns:
        (H, W) uint8, in OpenCV's code: 1 for the object, 0 for the background, 2, "probably background", for the rest.

    Raises:
        ValueError: If no pixel lies above the foreground's quantile: there is nothing to start from.
    """
    marks = torch.full_like(saliency, 2, dtype=torch.uint8)
    marks[saliency <= saliency.quantile(background)] = 0
    above = saliency > saliency.quantile(foreground)
    if not above.any():
        raise ValueError("the largest value of the map is also its quantile: there are no seeds of the object")
    marks[above] = 1
    return marks


def _seeds(
    threshold: Callable[[Tensor, float], Tensor] = torch.quantile,
    *,
    codes: tuple[int, int, int] = (1, 0, 2),
    above: Callable[[Tensor, Tensor], Tensor] = torch.gt,
    below: Callable[[Tensor, Tensor], Tensor] = torch.le,
    refuses: bool = True,
) -> Callable[[Tensor, float, float], Tensor]:
    """The reference, with the mistakes that can be made on the way; ``codes`` of object, background and rest."""

    def seeds(saliency: Tensor, foreground: float, background: float) -> Tensor:
        marks = torch.full_like(saliency, codes[2], dtype=torch.uint8)
        marks[below(saliency, threshold(saliency, background))] = codes[1]
        chosen = above(saliency, threshold(saliency, foreground))
        if refuses and not chosen.any():
            raise ValueError
        marks[chosen] = codes[0]
        return marks

    return seeds


def _by_counting(saliency: Tensor, foreground: float, background: float, whole: Callable[[float], int] = int) -> Tensor:
    if (saliency == saliency[0, 0]).all():
        raise ValueError
    order, count = saliency.flatten().argsort(), saliency.numel()
    marks = torch.full_like(order, 2, dtype=torch.uint8)
    marks[order[: whole(count * background)]] = 0
    marks[order[int(count * foreground) :]] = 1
    return marks.view(saliency.shape)


def _by_deviation(saliency: Tensor, foreground: float, background: float) -> Tensor:
    marks = torch.full_like(saliency, 2, dtype=torch.uint8)
    marks[saliency <= saliency.mean()] = 0
    marks[saliency > saliency.mean() + saliency.std()] = 1
    if saliency.std() == 0:
        raise ValueError
    return marks


def _refuses_more(saliency: Tensor, foreground: float, background: float) -> Tensor:
    marks = _seeds()(saliency, foreground, background)
    if not (marks == 2).any():
        raise ValueError
    return marks


_RAMP = torch.tensor([[0.5, 3.0, 8.0, 200.0], [1.0, 2.0, 9.0, 1500.0], [0.0, 4.0, 5.0, 6.0]])
_SPARSE = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])

ENTRY = Entry(
    name="grabcut_seeds",
    reference=grabcut_seeds,
    stars=2,
    minutes=10,
    hints=(
        "Which two values of the map part its pixels, and which of the three codes does each part get?",
        "Fill a uint8 tensor of the map's shape with 2 (`torch.full_like` with a dtype), write 0 where the map is "
        "at most `saliency.quantile(background)` and 1 where it is above that of `foreground`; raise if no pixel "
        "is.",
    ),
    checks=[
        Check(
            "quantiles 0.75 and 0.4 of twelve values: three are the object, five the background",
            {"saliency": _RAMP, "foreground": 0.75, "background": 0.4},
            torch.tensor([[0, 0, 2, 1], [0, 0, 1, 1], [0, 2, 2, 2]]),
        ),
        Check(
            "the quantiles are 0.95 and 0.30 unless given",
            {"saliency": _RAMP},
            torch.tensor([[0, 2, 2, 2], [0, 0, 2, 1], [0, 2, 2, 2]]),
        ),
        Check(
            "a map that is 0 nearly everywhere: only what is not is the object",
            {"saliency": _SPARSE, "foreground": 0.8, "background": 0.5},
            torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]),
        ),
        Check("a constant map gives no seeds", {"saliency": torch.ones(3, 4)}, Raises()),
        Check(
            "nor does a map with its largest value in half of the pixels",
            {"saliency": torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 3)},
            Raises(),
        ),
        Check("the marks are uint8, which is all that OpenCV takes", {"saliency": _RAMP}, "uint8", dtype_of),
    ],
    mistakes={
        "the thresholds are shares of the maximum: a quantile is the value below which a share of the pixels lies": (
            _seeds(lambda values, share: share * values.max())
        ),
        "object and background are exchanged: 1 is the object in OpenCV's code": _seeds(codes=(0, 1, 2)),
        "the rest is marked 3, probably the object: 2 was asked for": _seeds(codes=(1, 0, 3)),
        "the rest is marked as surely background: GrabCut would have nothing to decide": _seeds(codes=(1, 0, 0)),
        "each row has its own quantile: the whole map has one": (
            _seeds(lambda values, share: values.quantile(share, dim=1, keepdim=True))
        ),
        "pixels of exactly the upper quantile count as the object: in a map full of zeros those are all": (
            _seeds(above=torch.ge)
        ),
        "pixels of exactly the lower quantile are left out: in a map full of zeros those are all": (
            _seeds(below=torch.lt)
        ),
        "the quantile counts from the top: a share of 0.95 lies below the threshold, not above": (
            _seeds(lambda values, share: values.quantile(1 - share))
        ),
        "a map that gives no seeds of the object must be refused": _seeds(refuses=False),
        "the object is marked 255: 1 is its code": _seeds(codes=(255, 0, 2)),
        "between the two quantiles, all is marked as the object": _seeds(codes=(1, 0, 1)),
        "the quantiles of the positive pixels alone: the whole map has them": (
            _seeds(lambda values, share: values[values > 0].quantile(share))
        ),
        "foreground and background are exchanged: the object lies above the quantile `foreground`": (
            lambda saliency, foreground, background: _seeds()(saliency, background, foreground)
        ),
        "rounded to 0 … 255 first: beside one large value all others become alike": (
            lambda saliency, *shares: _seeds()((255 * saliency / saliency.max()).round(), *shares),
            lambda saliency, *shares: _seeds()((255 * saliency / saliency.max()).trunc(), *shares),
        ),
        "an error where no pixel is left to GrabCut: only a map without seeds of the object is refused": _refuses_more,
        "foreground and background are ignored": lambda saliency, *_: _seeds()(saliency, 0.95, 0.30),
        "pixels are counted off: quantiles lie between two of them, and equal ones belong together": (
            _by_counting,
            lambda *fed: _by_counting(*fed, whole=math.ceil),
        ),
        "mean and standard deviation: quantiles were asked for": _by_deviation,
    },
)
