"""Texture synthesis block by block: pieces of a sample that overlap, cut where they differ least (image quilting)."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.deprecation import renamed
from cs231n_viz.texture.growth import (
    Growing,
    Growth,
    Size,
    check_sample,
    check_side,
    check_size,
    check_tolerance,
    check_whole,
)

_BAR = 16  # blocks from one move of the progress bar to the next
_ROUNDING = 1e-9  # of a sum of squared differences in float64; what is below is an exact match


def quilt(
    sample: Tensor,
    size: Size,
    block: int = 32,
    *,
    overlap: int | None = None,
    tolerance: float = 0.1,
    seed: int = 0,
    progress: bool = True,
) -> Tensor:
    """Put a texture together from whole blocks of a sample (image quilting): is that enough, if the seams are hidden?

    Row by row, each block of the sample is drawn among those that agree best with what its place already holds above
    and on the left. Within the overlap the new block begins along the path on which the two differ least.

    Args:
        sample: (3, h, w), RGB in [0, 1].
        size: Side of the picture to make, or (height, width); at least ``block``.
        block: Side of a block in pixels, at least 2, at most the sample's shorter side. It must be larger than the
            texture's elements, and leave the sample some choice.
        overlap: Pixels that a block shares with its neighbours; a sixth of the block if omitted.
        tolerance: Blocks whose difference is within this share above the smallest may be drawn.
        seed: Random seed; the same seed gives the same picture.
        progress: Show a bar.

    Returns:
        (3, H, W); each of its pixels is a pixel of the sample, and the middle of each block a piece of it.

    Raises:
        ValueError: If the sample is no picture in [0, 1] or smaller than the block, or the overlap larger than half
            a block.

    Source: Efros & Freeman, "Image quilting for texture synthesis and transfer", SIGGRAPH 2001, section 2.
    Differs from the paper: the block that goes on in the sample where its neighbour came from fits exactly and would
        be taken again and again, up to the sample's edge; it is left out, if there is any other.
    """
    options = {"overlap": overlap, "tolerance": tolerance, "seed": seed, "progress": progress}
    return grow_quilt(sample, size, block, every=_BAR, **options).image


def grow_quilt(
    sample: Tensor,
    size: Size,
    block: int = 32,
    *,
    overlap: int | None = None,
    tolerance: float = 0.1,
    seed: int = 0,
    every: int = 1,
    progress: bool = True,
) -> Growing:
    """Quilt a texture as :func:`quilt` does, to be watched: the picture after every block, or after so many.

    Arguments and exceptions are those of :func:`quilt`; ``every`` is at least 1.
    """
    sample = check_sample(sample)
    check_tolerance(tolerance)
    check_side("block", block, sample, least=2)
    overlap = max(block // 6, 1) if overlap is None else overlap
    check_whole("overlap", overlap, (1, block // 2), f", half a block of {block} pixels")
    sides = check_size(size, block, why="the side of one block")
    if every < 1:
        raise ValueError(f"every must be at least 1 block, got {every}")
    settings = {"method": "quilt", "size": size, "block": block, "overlap": overlap, "tolerance": tolerance}
    quilting = _Quilt(sample, sides, block=block, overlap=overlap)
    stages = _pictures(_lay(quilting, tolerance, np.random.default_rng(seed)), sample, sides, every)
    total = -(-quilting.rows * quilting.cols // every)
    return Growing(stages, total, settings=settings | {"seed": seed}, progress=progress)


quilt_steps = renamed(grow_quilt, "quilt_steps")


def minimum_cut(error: Tensor) -> Tensor:
    """Find the path from top to bottom along which two overlapping pictures differ least (minimum error boundary cut).

    Exact, by dynamic programming: the cheapest path to a pixel comes from one of the three above it.

    Args:
        error: (h, w), the cost of cutting through each pixel: the squared difference of the two pictures there.

    Returns:
        (h,) column of the path in each row, neighbours at most 1 apart; of equally cheap paths the leftmost from below.

    Raises:
        ValueError: If ``error`` is not a matrix with at least one entry, or not finite.

    Source: Efros & Freeman, SIGGRAPH 2001, section 2.1.
    """
    if error.ndim != 2 or not error.numel() or not error.isfinite().all():
        raise ValueError(
            f"wanted finite errors (h, w), got {'other values in ' * (error.ndim == 2)}{tuple(error.shape)}"
        )
    costs = error.detach().cpu().double().numpy()
    height, width = costs.shape
    total = np.full((height, width + 2), np.inf)  # a column of infinity on either side: edges need no rule of their own
    total[:, 1:-1] = costs
    for row in range(1, height):
        above = total[row - 1]
        total[row, 1:-1] += np.minimum(np.minimum(above[:-2], above[1:-1]), above[2:])
    path = np.empty(height, np.int64)
    path[-1] = total[-1, 1:-1].argmin()
    for row in range(height - 2, -1, -1):
        left = path[row + 1]  # the padded column left of it
        path[row] = left - 1 + total[row, left : left + 3].argmin()
    return torch.from_numpy(path)


def _pictures(blocks: Iterator[Tensor], sample: Tensor, sides: tuple[int, int], every: int) -> Iterator[Growth]:
    """The picture after every so many blocks and after the last, without what overhangs on the right and below."""
    count, shown = 0, 0
    for count, origins in enumerate(blocks, 1):
        if count % every == 0:
            shown = count
            yield Growth.of(sample, origins[: sides[0], : sides[1]])
    if shown < count:
        yield Growth.of(sample, origins[: sides[0], : sides[1]])


def _lay(quilting: "_Quilt", tolerance: float, random: np.random.Generator) -> Iterator[Tensor]:
    """Lay blocks row by row; yields where the pixels come from, the same tensor after each block."""
    for row in range(quilting.rows):
        for col in range(quilting.cols):
            errors = quilting.errors(row, col)
            candidates = np.flatnonzero(errors <= errors.min() * (1 + tolerance) + _ROUNDING)
            chosen = int(candidates[random.integers(len(candidates))])
            quilting.put(row, col, divmod(chosen, errors.shape[1]))
            yield quilting.origins


class _Quilt:
    """Blocks in rows and columns; each begins ``step`` pixels after the one before."""

    def __init__(self, sample: Tensor, sides: tuple[int, int], *, block: int, overlap: int) -> None:
        self.sample = sample.double()
        self.block, self.overlap, self.step = block, overlap, block - overlap
        self.rows, self.cols = (max(-(-(side - overlap) // self.step), 1) for side in sides)
        covered = [count * self.step + overlap for count in (self.rows, self.cols)]
        self.picture = self.sample.new_zeros(3, *covered)
        self.origins = torch.full((*covered, 2), -1)
        self._corners: dict[tuple[int, int], tuple[int, int]] = {}  # (row, col): first pixel of the block in the sample
        self._spectrum = torch.fft.rfft2(torch.cat([self.sample, self.sample.square().sum(0, keepdim=True)]))

    def errors(self, row: int, col: int) -> np.ndarray:
        """Squared difference of every block of the sample, by its first pixel, from what the place already holds.

        Sum of m (s - t)² = sum of m s² - 2 m t s + m t², for all blocks at once by a correlation of the sample.
        """
        overlap, block = self.overlap, self.block
        mask = self.picture.new_zeros(block, block)
        mask[: overlap * (row > 0)] = 1
        mask[:, : overlap * (col > 0)] = 1
        held = self._held(row, col) * mask
        height, width = self.sample.shape[1:]
        template = torch.fft.rfft2(torch.cat([-2 * held, mask[None]]), s=(height, width))
        correlation = torch.fft.irfft2((self._spectrum * template.conj()).sum(0), s=(height, width))
        # The correlation is circular; blocks that would leave the sample are cut off.
        errors = (correlation[: height - block + 1, : width - block + 1] + held.square().sum()).clamp_min(0).numpy()
        return self._without_continuations(errors, row, col)

    def put(self, row: int, col: int, corner: tuple[int, int]) -> None:
        """Lay the block of the sample that begins at ``corner``, cut where it overlaps."""
        (top, left), block = corner, self.block
        new = self.sample[:, top : top + block, left : left + block]
        fresh = self._fresh((new - self._held(row, col)).square().sum(0), above=row > 0, before=col > 0)
        down, right = row * self.step, col * self.step
        self._held(row, col)[:, fresh] = new[:, fresh]
        places = fresh.nonzero()
        self.origins[down + places[:, 0], right + places[:, 1]] = places + torch.tensor(corner)
        self._corners[row, col] = corner

    def _held(self, row: int, col: int) -> Tensor:
        down, right = row * self.step, col * self.step
        return self.picture[:, down : down + self.block, right : right + self.block]

    def _fresh(self, difference: Tensor, *, above: bool, before: bool) -> Tensor:
        """(block, block) bool: what lies below and to the right of the cuts, the pixels of the path included."""
        along = torch.arange(self.block)
        fresh = torch.ones(self.block, self.block, dtype=torch.bool)
        if before:
            fresh &= along >= minimum_cut(difference[:, : self.overlap])[:, None]
        if above:
            fresh &= along[:, None] >= minimum_cut(difference[: self.overlap].T)
        return fresh

    def _without_continuations(self, errors: np.ndarray, row: int, col: int) -> np.ndarray:
        """The errors, infinite for blocks that go on in the sample where a neighbour came from."""
        left, above = self._corners.get((row, col - 1)), self._corners.get((row - 1, col))
        places = {(left[0], left[1] + self.step)} if left else set()
        places |= {(above[0] + self.step, above[1])} if above else set()
        places = [place for place in places if place[0] < errors.shape[0] and place[1] < errors.shape[1]]
        if len(places) < errors.size:
            for place in places:
                errors[place] = np.inf
        return errors
