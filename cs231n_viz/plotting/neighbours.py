"""Figures about neighbours and maps of features: rows of thumbnails, scatter plots, the lecture's grid."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.plotting.figures import BOX_COLOUR

__all__ = ["show_embedding", "show_neighbours", "show_thumbnails"]


def show_neighbours(gallery: Gallery, query: int, found: Mapping[str, Tensor], *, size: float = 1.25) -> Figure:
    """Draw a picture and, row by row, its neighbours; those of another class get a frame and a cross.

    Args:
        gallery: Where query and neighbours come from.
        query: Index of the query.
        found: Title of a row -> (k,) indices of neighbours, the nearest first.
        size: Inches per thumbnail.

    Returns:
        The figure; ``plotting.figure`` gives it a description.

    Raises:
        ValueError: If ``found`` is empty.
    """
    if not found:
        raise ValueError("found is empty; wanted at least one row of neighbours")
    rows = {title: [int(i) for i in indices] for title, indices in found.items()}
    columns = 1 + max(map(len, rows.values()))
    width, height = size * (columns + 0.35), (size + 0.42) * len(rows)
    fig, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(width, height),
        squeeze=False,
        layout="constrained",
        width_ratios=[1.35] + [1] * (columns - 1),
    )
    for ax in axes.flat:
        ax.set_axis_off()
    image, label = gallery[query]
    for position, (line, (title, indices)) in enumerate(zip(axes, rows.items(), strict=True)):
        if position == 0:
            _small(line[0], image, gallery.categories[label], title="query")
        line[1].set_title(title, fontsize=9, loc="left")
        for ax, index in zip(line[1:], indices, strict=False):
            other, its = gallery[index]
            _small(ax, other, gallery.categories[its], wrong=its != label)
    return fig


def _small(ax: Axes, image: Tensor, label: str, *, title: str = "", wrong: bool = False) -> None:
    pixels = thumbnail(image, 96)
    ax.imshow(pixels)
    ax.text(0.5, -0.04, label, transform=ax.transAxes, ha="center", va="top", fontsize=8)
    if title:
        ax.set_title(title, fontsize=9, loc="left")
    if wrong:
        frame = Rectangle((0, 0), 1, 1, transform=ax.transAxes, fill=False, edgecolor=BOX_COLOUR, linewidth=4)
        ax.add_patch(frame)
        for colour, width in (("white", 4.5), (BOX_COLOUR, 2.5)):  # a pale rim, to be seen on any picture
            ax.plot([0.76, 0.94], [0.94, 0.76], transform=ax.transAxes, color=colour, linewidth=width)
            ax.plot([0.76, 0.94], [0.76, 0.94], transform=ax.transAxes, color=colour, linewidth=width)


def show_embedding(
    points: Tensor,
    labels: Sequence[int] | Tensor,
    *,
    categories: Sequence[str] = (),
    ax: Axes | None = None,
    title: str = "",
    legend: bool = True,
) -> Axes:
    """Draw a map of pictures as points; each class has a colour and a shape of its own.

    Args:
        points: (N, 2), as ``embed`` returns them.
        labels: (N,), the class of each.
        categories: Names of the classes. Where all are single characters, such as digits, they are the markers.
        ax: Axes to draw on; the current ones if omitted.
        title: Text above the axes.
        legend: Name the classes beside the axes.

    Returns:
        The axes, without ticks: a unit of these coordinates means nothing to a reader.

    Raises:
        ValueError: If ``points`` is not (N, 2), or there is not one label for each.
    """
    points, labels = torch.as_tensor(points).detach().cpu(), torch.as_tensor(labels)
    if points.ndim != 2 or points.shape[1] != 2 or len(labels) != len(points):
        raise ValueError(f"wanted points (N, 2) and N labels, got {tuple(points.shape)} and {len(labels)} labels")
    ax = plt.gca() if ax is None else ax
    plain = bool(categories) and all(len(name) == 1 for name in categories)
    for number, (colour, shape) in enumerate(looks(int(labels.max()) + 1)):
        mine = points[labels == number]
        if len(mine):
            name = categories[number] if categories else str(number)
            marker, size = (f"${name}$", 26) if plain else (shape, 20)
            ax.scatter(mine[:, 0], mine[:, 1], s=size, marker=marker, color=colour, label=name, linewidth=0.2)
    ax.set(xticks=[], yticks=[], title=title)
    ax.set_aspect("equal", adjustable="datalim")  # distances are what the map is about
    if legend and not plain:
        ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def show_thumbnails(gallery: Gallery, grid: Tensor, *, side: int = 40, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw pictures in the cells of a grid, as the lecture does with the codes of t-SNE.

    Args:
        gallery: Where the pictures come from.
        grid: (rows, columns) of indices, -1 where there is none; from ``thumbnail_grid``.
        side: Of a thumbnail, in pixels.
        ax: Axes to draw on; the current ones if omitted.
        title: Text above the axes.

    Returns:
        The axes.
    """
    grid = torch.as_tensor(grid)
    if grid.ndim != 2:
        raise ValueError(f"grid must be (rows, columns), got {tuple(grid.shape)}")
    rows, columns = grid.shape
    page = np.full((rows * (side + 1), columns * (side + 1), 3), 255, np.uint8)
    for row, column in (grid >= 0).nonzero().tolist():
        top, left = row * (side + 1), column * (side + 1)
        page[top : top + side, left : left + side] = thumbnail(gallery[int(grid[row, column])][0], side)
    ax = plt.gca() if ax is None else ax
    ax.imshow(page)
    ax.set_axis_off()
    ax.set(title=title)
    return ax


# Okabe and Ito's palette without black and with a darker yellow, told apart with any kind of colour vision. Beyond
# seven classes a colour returns with another shape.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#A89400")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")


def thumbnail(image: Tensor, side: int) -> np.ndarray:
    """The middle square of a picture, made small.

    Args:
        image: (3, H, W), RGB in [0, 1].
        side: Of the result, in pixels. Pictures smaller than that keep sharp pixels.

    Returns:
        (side, side, 3), uint8.

    Raises:
        ValueError: If ``image`` is not (3, H, W).
    """
    image = torch.as_tensor(image).detach().cpu().float()
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"image must be (3, H, W), got {tuple(image.shape)}")
    height, width = image.shape[1:]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    middle = image[:, top : top + square, left : left + square].clamp(0, 1)
    pixels = (middle.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    how = Image.Resampling.NEAREST if square < side else Image.Resampling.BOX
    return np.array(Image.fromarray(pixels).resize((side, side), how))


def thumbnails(pictures: Iterable[tuple[Tensor, int]], side: int) -> np.ndarray:
    """Every picture of a gallery made small.

    Args:
        pictures: A gallery, or any (image, label) pairs.
        side: Of each thumbnail, in pixels.

    Returns:
        (N, side, side, 3), uint8.
    """
    return np.stack([thumbnail(image, side) for image, _ in pictures])


def looks(count: int) -> list[tuple[str, str]]:
    """A colour and a marker for each of ``count`` classes; no pair comes twice up to 56."""
    return [(COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]) for i in range(count)]
