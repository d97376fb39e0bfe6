"""Rows of patches, one row per channel: what is a channel most active for?"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from cs231n_viz.deprecation import moved_keywords, renamed
from cs231n_viz.representation.top_patches import TopPatches

_PAPER = 0.94  # grey level of what lies outside of the picture
_GAP = 6  # pixels between patches


@moved_keywords(found="patches")
def show_patches(
    patches: TopPatches,
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
        patches: What ``top_patches`` gave.
        channels: Which channels, from top to bottom.
        ranks: Which of each channel's patches, 0 for the strongest.
        titles: Text beside each row; the channel's number if omitted.
        height: Inches per row.

    Returns:
        The figure; ``plotting.figure`` gives it alternative text.

    Raises:
        ValueError: If there is not one title for each channel.
    """
    if titles is not None and len(titles) != len(channels):
        raise ValueError(f"wanted one title for each of {len(channels)} channels, got {len(titles)}")
    titles = [f"channel {channel}" for channel in channels] if titles is None else titles
    rows = [[patch_in_field(patches, channel, rank) for rank in ranks] for channel in channels]
    fig, axes = plt.subplots(
        len(rows), 1, figsize=(height * len(ranks) + 1.6, height * len(rows)), squeeze=False, layout="constrained"
    )
    for ax, squares, title in zip(axes[:, 0], rows, titles, strict=True):
        gap = np.ones((squares[0].shape[0], _GAP, 3), np.float32)
        row = [part for square in squares for part in (square, gap)][:-1]
        ax.imshow(np.concatenate(row, axis=1))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(title, rotation=0, ha="right", va="center")
    return fig


def patch_in_field(
    patches: TopPatches, channel: int, rank: int, *, picture: np.ndarray | None = None, fill: float = _PAPER
) -> np.ndarray:
    """Cut a patch out of its picture and put it in its place within its unit's full receptive field.

    Args:
        patches: What ``top_patches`` gave.
        channel: Which channel.
        rank: Which of its patches, 0 for the strongest.
        picture: (H, W, 3), the picture that holds the patch, if it is at hand; if omitted it is loaded, in [0, 1].
        fill: Value of what lies outside the picture, in the padding.

    Returns:
        (S, S, 3), S the larger side of the receptive field, of the picture's type.
    """
    if picture is None:
        picture = patches.picture(channel, rank).permute(1, 2, 0).numpy()
    row, column = patches.positions[channel, rank].tolist()
    top, left, bottom, right = patches.region.box(row, column, clip=False)
    side = max(bottom - top, right - left)
    y0, x0, y1, x1 = patches.boxes[channel, rank].tolist()
    square = np.full((side, side, 3), fill, picture.dtype)
    square[y0 - top : y1 - top, x0 - left : x1 - left] = picture[y0:y1, x0:x1]
    return square


framed = renamed(moved_keywords(found="patches")(patch_in_field), "framed")
