"""Maps that differ from those of one base picture only inside a box: what a small change can reach in a network.

A convolution or a pooling turns a changed box into a changed box, a little larger and then divided by the stride.
Outside it the maps of the base picture stay right, so that only the box has to be computed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = tuple[int, int]


@dataclass(frozen=True)
class Patch:
    """B variants of a base map (1, ..., H, W), each the base except for one box; the boxes are of one size.

    Attributes:
        base: (1, ..., H, W), the same map for the base picture.
        values: (B, ..., h, w), what is in the boxes.
        tops: B first rows of the boxes.
        lefts: B first columns.
    """

    base: Tensor
    values: Tensor
    tops: list[int]
    lefts: list[int]

    @property
    def size(self) -> Pair:
        """Rows and columns of a box."""
        return self.values.shape[-2], self.values.shape[-1]

    def whole(self) -> Tensor:
        """The complete maps (B, ..., H, W)."""
        count = len(self.tops)
        everywhere = self.base.expand(count, *self.base.shape[1:]).clone(memory_format=_layout(self.base))
        return _lay(everywhere, self.values, self.tops, self.lefts)

    def region(self, tops: list[int], lefts: list[int], size: Pair) -> Tensor:
        """The maps in other boxes, (B, ..., rows, columns)."""
        if (tops, lefts, size) == (self.tops, self.lefts, self.size):
            return self.values
        return self.cut(self.base, tops, lefts, size=size)

    def cut(self, padded: Tensor, tops: list[int], lefts: list[int], *, size: Pair, padding: Pair = (0, 0)) -> Tensor:
        """As ``region``, from a base with ``padding`` more rows and columns in front; ``tops`` count from there."""
        rows, cols = size
        boxes = [padded[..., i : i + rows, j : j + cols] for i, j in zip(tops, lefts, strict=True)]
        return _lay(
            torch.cat(boxes),
            self.values,
            [top + padding[0] - start for top, start in zip(self.tops, tops, strict=True)],
            [left + padding[1] - start for left, start in zip(self.lefts, lefts, strict=True)],
        )


def _layout(maps: Tensor) -> torch.memory_format:
    return torch.channels_last if maps.ndim == 4 else torch.contiguous_format


def _lay(ground: Tensor, values: Tensor, tops: list[int], lefts: list[int]) -> Tensor:
    """Write ``values`` over ``ground``, at an offset for each sample; what hangs over the edge is cut off."""
    whole = ground
    (rows, cols), (h, w) = ground.shape[-2:], values.shape[-2:]
    if len(set(tops)) == len(set(lefts)) == 1:  # one copy does for all
        ground, values, tops, lefts = ground[None], values[None], tops[:1], lefts[:1]
    for under, over, top, left in zip(ground, values, tops, lefts, strict=True):
        i, j, bottom, right = max(top, 0), max(left, 0), min(top + h, rows), min(left + w, cols)
        if i < bottom and j < right:
            under[..., i:bottom, j:right] = over[..., i - top : bottom - top, j - left : right - left]
    return whole


def common_box(patches: Sequence[Patch]) -> tuple[list[int], list[int], Pair]:
    """For each sample the smallest box that holds its boxes in all ``patches``, made of one size: tops, lefts, size."""
    height, width = patches[0].base.shape[-2:]
    tops, rows = _join([patch.tops for patch in patches], [patch.size[0] for patch in patches], height)
    lefts, cols = _join([patch.lefts for patch in patches], [patch.size[1] for patch in patches], width)
    return tops, lefts, (rows, cols)


def _join(starts: list[list[int]], sizes: list[int], length: int) -> tuple[list[int], int]:
    first = [min(each) for each in zip(*starts, strict=True)]
    last = [max(s + n for s, n in zip(each, sizes, strict=True)) for each in zip(*starts, strict=True)]
    size = max(b - a for a, b in zip(first, last, strict=True))
    return [min(a, length - size) for a in first], size


@dataclass(frozen=True)
class Sliding:
    """A convolution or a pooling: every value of its output sees one small window of its input.

    Attributes:
        kernel: Rows and columns of the window, gaps of a dilation included.
        stride: Step from one window to the next.
        padding: Rows above and columns to the left that the operation adds.
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
        """The base input with its padding, and as much behind as the last windows of ``result`` need."""
        (top, left), (below, right) = (
            self.padding,
            (
                max(0, (n - 1) * stride + kernel - pad - length)
                for n, stride, kernel, pad, length in zip(
                    result.shape[-2:], self.stride, self.kernel, self.padding, base.shape[-2:], strict=True
                )
            ),
        )
        if not (top or left or below or right):
            return base
        return F.pad(base, (left, right, top, below), value=self.edge).contiguous(memory_format=_layout(base))

    def reach(self, patch: Patch, result: Tensor) -> tuple[list[int], list[int], Pair]:
        """The boxes of the output that a change in the boxes of ``patch`` can alter: tops, lefts, size."""
        tops, rows = self._reach(0, patch.tops, patch.size[0], result.shape[-2])
        lefts, cols = self._reach(1, patch.lefts, patch.size[1], result.shape[-1])
        return tops, lefts, (rows, cols)

    def _reach(self, axis: int, starts: list[int], size: int, length: int) -> tuple[list[int], int]:
        kernel, stride, padding = self.kernel[axis], self.stride[axis], self.padding[axis]
        first = [max(0, -((kernel - 1 - padding - start) // stride)) for start in starts]
        last = [min(length - 1, (start + size - 1 + padding) // stride) for start in starts]
        count = max(1, *(b - a + 1 for a, b in zip(first, last, strict=True)))
        return [min(a, length - count) for a in first], count

    def apply(self, patch: Patch, padded: Tensor, result: Tensor, *, box: tuple[list[int], list[int], Pair]) -> Patch:
        """The output of the operation, computed in ``box`` only."""
        tops, lefts, size = box
        rows, cols = ((n - 1) * s + k for n, s, k in zip(size, self.stride, self.kernel, strict=True))
        starts = [top * self.stride[0] for top in tops], [left * self.stride[1] for left in lefts]
        region = patch.cut(padded, *starts, size=(rows, cols), padding=self.padding)
        return Patch(result, self.inside(region), tops, lefts)
