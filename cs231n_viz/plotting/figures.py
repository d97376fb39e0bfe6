"""Pictures, grids, heatmaps and boxes on matplotlib axes: data first, options after, axes in, axes out.

Zero is always the palette's neutral colour. Nothing here calls ``plt.show`` or changes a setting of matplotlib.
"""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

BOX_COLOUR = "#D55E00"  # vermillion of Okabe and Ito's palette, told apart with any kind of colour vision


def show_image(image: Tensor, *, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw one picture.

    Args:
        image: (3, H, W), RGB in [0, 1].
        ax: Axes to draw on; the current ones if omitted.
        title: Text above the axes.

    Returns:
        The axes.

    Raises:
        ValueError: If ``image`` has another shape or range.
    """
    return _show(image, "image", ax, title)


def show_images(
    images: Tensor | Sequence[Tensor], *, titles: Sequence[str] | None = None, columns: int = 5, size: float = 2.2
) -> Figure:
    """Draw several pictures side by side in a new figure.

    Args:
        images: (N, 3, H, W), or N pictures (3, H, W), RGB in [0, 1].
        titles: One text above each picture.
        columns: Pictures per row.
        size: Inches per picture.

    Returns:
        The figure; ``plotting.figure`` gives it alternative text.

    Raises:
        ValueError: If there are no pictures, or not one title for each.
    """
    pictures = list(images)
    if not pictures:
        raise ValueError("images is empty; wanted at least one picture (3, H, W)")
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"wanted one title for each of {len(pictures)} images, got {len(titles)}")
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(size * columns, size * rows * 1.1), squeeze=False, layout="constrained"
    )
    for ax in axes.flat[len(pictures) :]:
        ax.set_axis_off()
    for index, image in enumerate(pictures):
        show_image(image, ax=axes.flat[index], title=titles[index] if titles is not None else "")
    return fig


def tile(images: Tensor, columns: int = 8, pad: int = 1) -> Tensor:
    """Lay pictures of one size out in a grid, row by row, white between them.

    Args:
        images: (K, 3, h, w).
        columns: Pictures per row.
        pad: Pixels around each picture.

    Returns:
        (3, H, W); places that no picture fills are white.

    Raises:
        ValueError: If ``images`` has another shape, is empty, or ``columns`` is below 1.
    """
    images = torch.as_tensor(images)
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise ValueError(f"images must be (K, 3, h, w) with K of at least 1, got {tuple(images.shape)}")
    if columns < 1 or pad < 0:
        raise ValueError(f"columns must be at least 1 and pad at least 0, got {columns} and {pad}")
    count, _, height, width = images.shape
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    page = images.new_ones(3, rows * (height + pad) + pad, columns * (width + pad) + pad)
    for index, image in enumerate(images):
        top = pad + index // columns * (height + pad)
        left = pad + index % columns * (width + pad)
        page[:, top : top + height, left : left + width] = image
    return page


def show_grid(filters: Tensor, *, columns: int = 8, pad: int = 1, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw small pictures, such as filters, in a grid, every element as a sharp square.

    Args:
        filters: (K, 3, h, w), RGB in [0, 1], for example from ``first_layer_filters``.
        columns: Pictures per row.
        pad: White pixels between them.
        ax: Axes to draw on; the current ones if omitted.
        title: Text above the axes.

    Returns:
        The axes.

    Raises:
        ValueError: If ``filters`` has another shape or range.
    """
    ax = _show(tile(filters, columns, pad), "filters", ax, title, interpolation="nearest")
    ax.set_axis_off()
    return ax


def show_heatmap(
    heatmap: Tensor,
    *,
    image: Tensor | None = None,
    signed: bool = False,
    limit: float | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw a heatmap, over ``image`` if given; zero is always the palette's neutral colour.

    Args:
        heatmap: (h, w); stretched to the size of the image.
        image: (3, H, W), RGB in [0, 1].
        signed: Diverging palette centred on zero, for maps with both signs.
        limit: Value at the end of the palette. Defaults to the largest magnitude in ``heatmap``; pass one shared
            limit to compare several maps.
        ax: Axes to draw on; the current ones if omitted.
        title: Text above the axes.

    Returns:
        The axes; the heatmap is the last of ``ax.images``.

    Raises:
        ValueError: If ``heatmap`` is not (h, w), is not finite, or has negative values although ``signed`` is off.
    """
    values = _checked_heatmap(heatmap, signed)
    ax = plt.gca() if ax is None else ax
    height, width = values.shape if image is None else image.shape[-2:]
    limit = limit or float(np.abs(values).max()) or 1.0
    if image is not None:
        ax.imshow(_pixels(image, "image"))
    ax.imshow(
        values,
        cmap="RdBu_r" if signed else "viridis",
        vmin=-limit if signed else 0.0,
        vmax=limit,
        alpha=1.0 if image is None else 0.6,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),  # exactly over the pixels of the image
        interpolation="nearest",
    )
    ax.set(xticks=[], yticks=[], title=title)
    return ax


def _checked_heatmap(heatmap: Tensor, signed: bool) -> np.ndarray:
    values = torch.as_tensor(heatmap).detach().cpu().float().numpy()
    if values.ndim != 2:
        raise ValueError(f"heatmap must be (h, w), got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("heatmap holds nan or infinite values")
    if not signed and values.min() < 0:
        raise ValueError(f"heatmap has negative values, down to {values.min():.3g}: pass signed=True")
    return values


def draw_box(
    box: tuple[int, int, int, int], ax: Axes, color: str = BOX_COLOUR, *, linewidth: float = 2.0, label: str = ""
) -> Axes:
    """Draw a rectangle around pixels of a picture that ``ax`` already shows.

    Args:
        box: (top, left, bottom, right), half-open: around ``image[:, top:bottom, left:right]``.
        ax: Axes to draw on.
        color: Colour of the line.
        linewidth: Its width in points.
        label: Name in the legend.

    Returns:
        The axes.

    Raises:
        ValueError: If the box is turned inside out.
    """
    top, left, bottom, right = box
    if bottom < top or right < left:
        raise ValueError(f"box must be (top, left, bottom, right), got {box}")
    corner = (left - 0.5, top - 0.5)  # matplotlib puts the centre of pixel 0 at 0
    style = {"edgecolor": color, "linewidth": linewidth, "label": label or "_nolegend_"}
    ax.add_patch(Rectangle(corner, right - left, bottom - top, fill=False, **style))
    return ax


def _show(image: Tensor, name: str, ax: Axes | None, title: str, **options: str) -> Axes:
    """Draw a picture (3, H, W) without ticks; ``name`` stands for it in an error."""
    ax = plt.gca() if ax is None else ax
    ax.imshow(_pixels(image, name), **options)
    ax.set(xticks=[], yticks=[], title=title)
    return ax


def _pixels(image: Tensor, name: str) -> np.ndarray:
    """(3, H, W) as the (H, W, 3) that matplotlib takes, checked rather than rescaled."""
    pixels = torch.as_tensor(image).detach().cpu().float().numpy()
    if pixels.ndim != 3 or pixels.shape[0] != 3:
        raise ValueError(f"{name} must be (3, H, W), got {pixels.shape}")
    if not np.isfinite(pixels).all() or pixels.min() < -1e-3 or pixels.max() > 1 + 1e-3:
        raise ValueError(f"{name} must lie in [0, 1], got {pixels.min():.3g} to {pixels.max():.3g}")
    return pixels.transpose(1, 2, 0).clip(0, 1)
