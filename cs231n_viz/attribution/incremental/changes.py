"""Feature maps that differ from those of one base picture only inside a box: what a small change can reach.

A convolution or a pooling turns a changed box into a changed box, a little larger and then divided by the stride.
Outside it the maps of the base picture stay right, so that only the box has to be computed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = tuple[int, int]


class Boxes(NamedTuple):
    """B boxes of one size, one for each sample: their first rows, first columns, and (rows, columns)."""

    tops: list[int]
    lefts: list[int]
    size: Pair


@dataclass(frozen=True)
class ChangedMaps:
    """B variants of base maps (1, ..., H, W), each the base except for one box.

    Attributes:
        base: (1, ..., H, W), the same maps for the base picture.
        values: (B, ..., h, w), what is in the boxes.
        boxes: Where they are, of size (h, w).
    """

    base: Tensor
    values: Tensor
    boxes: Boxes

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the complete maps."""
        return len(self.boxes.tops), *self.base.shape[1:]

    def whole(self) -> Tensor:
        """The complete maps (B, ..., H, W)."""
        everywhere = self.base.expand(self.shape).clone(memory_format=_memory_format(self.base))
        return _overlay(everywhere, self.values, self.boxes.tops, self.boxes.lefts)

    def region(self, boxes: Boxes) -> Tensor:
        """The maps in other boxes, (B, ..., rows, columns)."""
        return self.values if boxes == self.boxes else self.cut(self.base, boxes)

    def cut(self, padded: Tensor, boxes: Boxes, *, padding: Pair = (0, 0)) -> Tensor:
        """As ``region``, from a base with ``padding`` rows above and columns to the left, which ``boxes`` count."""
        rows, cols = boxes.size
        regions = [padded[..., i : i + rows, j : j + cols] for i, j in zip(boxes.tops, boxes.lefts, strict=True)]
        return _overlay(
            torch.cat(regions),
            self.values,
            [top + padding[0] - start for top, start in zip(self.boxes.tops, boxes.tops, strict=True)],
            [left + padding[1] - start for left, start in zip(self.boxes.lefts, boxes.lefts, strict=True)],
        )


def _memory_format(maps: Tensor) -> torch.memory_format:
    return torch.channels_last if maps.ndim == 4 else torch.contiguous_format


def _overlay(ground: Tensor, values: Tensor, tops: list[int], lefts: list[int]) -> Tensor:
    """Write ``values`` over ``ground``, at an offset for each sample; what sticks out over the edge is cut off."""
    whole = ground
    (rows, cols), (h, w) = ground.shape[-2:], values.shape[-2:]
    if len(set(tops)) == len(set(lefts)) == 1:  # one copy does for all
        ground, values, tops, lefts = ground[None], values[None], tops[:1], lefts[:1]
    for under, over, top, left in zip(ground, values, tops, lefts, strict=True):
        i, j, bottom, right = max(top, 0), max(left, 0), min(top + h, rows), min(left + w, cols)
        if i < bottom and j < right:
            under[..., i:bottom, j:right] = over[..., i - top : bottom - top, j - left : right - left]
    return whole


def common_boxes(several: Sequence[ChangedMaps]) -> Boxes:
    """For each sample the smallest box that holds its boxes in all of ``several``, made of one size."""
    height, width = several[0].base.shape[-2:]
    tops, rows = _join([maps.boxes.tops for maps in several], [maps.boxes.size[0] for maps in several], height)
    lefts, cols = _join([maps.boxes.lefts for maps in several], [maps.boxes.size[1] for maps in several], width)
    return Boxes(tops, lefts, (rows, cols))


def _join(starts: list[list[int]], sizes: list[int], length: int) -> tuple[list[int], int]:
    first = [min(each) for each in zip(*starts, strict=True)]
    last = [max(s + n for s, n in zip(each, sizes, strict=True)) for each in zip(*starts, strict=True)]
    size = max(b - a for a, b in zip(first, last, strict=True))
    return [min(a, length - size) for a in first], size


@dataclass(frozen=True)
class SlidingWindow:
    """A convolution, a pooling or a padding: every value of its output depends on one small window of its input.

    Attributes:
        kernel: Rows and columns of the window, gaps of a dilation included.
        stride: Step from one window to the next.
        padding: Rows above and columns to the left that the operation adds; below 0, it crops them.
        edge: The value that it adds there.
        inside: The operation without its padding.
        whole: The operation as the network has it.
    """

    kernel: Pair
    stride: Pair
    padding: Pair
    edge: float
    inside: Callable[[Tensor], Tensor]
    whole: Callable[[Tensor], Tensor]

    def padded(self, base: Tensor, result: Tensor) -> Tensor:
        """The base input with its padding, below and to the right as much as the last windows of ``result`` need."""
        top, left = self.padding
        below, right = (
            max(0, (n - 1) * stride + kernel - pad - length)
            for n, stride, kernel, pad, length in zip(
                result.shape[-2:], self.stride, self.kernel, self.padding, base.shape[-2:], strict=True
            )
        )
        if not (top or left or below or right):
            return base
        return F.pad(base, (left, right, top, below), value=self.edge).contiguous(memory_format=_memory_format(base))

    def reach(self, maps: ChangedMaps, result: Tensor) -> Boxes:
        """The boxes of the output that the changes in ``maps`` can alter."""
        tops, rows = self._reach(0, maps.boxes.tops, maps.boxes.size[0], result.shape[-2])
        lefts, cols = self._reach(1, maps.boxes.lefts, maps.boxes.size[1], result.shape[-1])
        return Boxes(tops, lefts, (rows, cols))

    def _reach(self, axis: int, starts: list[int], size: int, length: int) -> tuple[list[int], int]:
        kernel, stride, padding = self.kernel[axis], self.stride[axis], self.padding[axis]
        first = [max(0, -((kernel - 1 - padding - start) // stride)) for start in starts]
        last = [min(length - 1, (start + size - 1 + padding) // stride) for start in starts]
        count = max(1, *(b - a + 1 for a, b in zip(first, last, strict=True)))
        return [min(a, length - count) for a in first], count

    def apply(self, maps: ChangedMaps, padded: Tensor, result: Tensor, *, boxes: Boxes) -> ChangedMaps:
        """The output of the operation, computed in ``boxes`` only; ``result`` is that of the base."""
        size = tuple((n - 1) * s + k for n, s, k in zip(boxes.size, self.stride, self.kernel, strict=True))
        tops, lefts = [top * self.stride[0] for top in boxes.tops], [left * self.stride[1] for left in boxes.lefts]
        region = maps.cut(padded, Boxes(tops, lefts, size), padding=self.padding)
        return ChangedMaps(result, self.inside(region), boxes)
