"""Rows of patches, one row per channel, as the literature shows what a channel responds to."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from cs231n_viz.representation.top_patches import TopPatches

_PAPER = 0.94  # grey level of what lies outside of the picture
_GAP = 6  # pixels between patches


def show_patches(
    found: TopPatches,
    channels: Sequence[int],
    *,
    ranks: Sequence[int] = range(9),
    titles: Sequence[str] | None = None,
    height: float = 1.0,
) -> Figure:
    """Draw the patches of some channels, each channel in a row, all at one scale.

    A patch that the border of its picture clips stands in its place within the full receptive field; the rest, which
    is padding to the unit, is pale grey.

    Args:
        found: What ``top_patches`` gave.
        channels: Which channels, from top to bottom.
        ranks: Which of each channel's patches, 0 for the strongest.
        titles: Text beside each row; the channel's number if omitted.
        height: Inches per row.

    Returns:
        The figure; ``plotting.figure`` gives it a description.

    Raises:
        ValueError: If there is not one title for each channel.
    """
    if titles is not None and len(titles) != len(channels):
        raise ValueError(f"wanted one title for each of {len(channels)} channels, got {len(titles)}")
    titles = [f"channel {channel}" for channel in channels] if titles is None else titles
    rows = [[framed(found, channel, rank) for rank in ranks] for channel in channels]
    fig, axes = plt.subplots(
        len(rows), 1, figsize=(height * len(ranks) + 1.6, height * len(rows)), squeeze=False, layout="constrained"
    )
    for ax, patches, title in zip(axes[:, 0], rows, titles, strict=True):
        gap = np.ones((patches[0].shape[0], _GAP, 3), np.float32)
        row = [part for patch in patches for part in (patch, gap)][:-1]
        ax.imshow(np.concatenate(row, axis=1))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(title, rotation=0, ha="right", va="center")
    return fig


def framed(found: TopPatches, channel: int, rank: int) -> np.ndarray:
    """One patch within its full receptive field, (S, S, 3) in [0, 1]; S is the larger side of the field."""
    row, column = found.positions[channel, rank].tolist()
    top, left, bottom, right = found.region.box(row, column, clip=False)
    side = max(bottom - top, right - left)
    y, x, below, aside = found.boxes[channel, rank].tolist()
    square = np.full((side, side, 3), _PAPER, np.float32)
    patch = found.picture(channel, rank)[:, y:below, x:aside].permute(1, 2, 0).numpy()
    square[y - top : below - top, x - left : aside - left] = patch
    return square
