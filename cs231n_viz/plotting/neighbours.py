"""Neighbours and embeddings of pictures: rows of thumbnails, scatter plots, and the lecture's grid of thumbnails."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import to_uint8
from cs231n_viz.plotting.figures import BOX_COLOUR

# Okabe and Ito's palette without black and with a darker yellow, told apart with any kind of colour vision. Beyond
# seven classes a colour returns with another shape.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#A89400")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")


@moved_keywords(found="neighbours")
def show_neighbours(gallery: Gallery, query: int, neighbours: Mapping[str, Tensor], *, size: float = 1.25) -> Figure:
    """Draw a picture and, row by row, its neighbours; those of another class get a frame and a cross.

    Args:
        gallery: Where query and neighbours come from.
        query: Index of the query.
        neighbours: Title of a row -> (k,) indices of neighbours, the nearest first.
        size: Inches per thumbnail; the text grows with it.

    Returns:
        The figure; ``plotting.figure`` gives it alternative text.

    Raises:
        ValueError: If ``neighbours`` is empty.
    """
    if not neighbours:
        raise ValueError("neighbours is empty; wanted at least one row of them")
    rows = {title: [int(i) for i in indices] for title, indices in neighbours.items()}
    columns = 1 + max(map(len, rows.values()))
    width, height = size * (columns + 0.35), 1.34 * size * len(rows)
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
    _draw_thumbnail(axes[0, 0], image, gallery.categories[label], size=size)
    axes[0, 0].set_title("query", fontsize=7 * size, loc="left")
    for line, (title, indices) in zip(axes, rows.items(), strict=True):
        line[1].set_title(title, fontsize=7 * size, loc="left")
        for ax, index in zip(line[1:], indices, strict=False):
            other, its_label = gallery[index]
            _draw_thumbnail(ax, other, gallery.categories[its_label], size=size, crossed=its_label != label)
    return fig


def show_embedding(
    points: Tensor,
    labels: Sequence[int] | Tensor,
    *,
    categories: Sequence[str] = (),
    ax: Axes | None = None,
    title: str = "",
    legend: bool = True,
    size: float = 20,
) -> Axes:
    """Draw an embedding as a scatter plot; each class has a colour and a marker of its own.

    Args:
        points: (N, 2), as ``embed`` returns them.
        labels: (N,), the class of each point.
        categories: Names of the classes. Where all are single characters, such as digits, they are the markers.
        ax: Axes to draw on; the current ones if omitted.
        title: Text above the axes.
        legend: Name the classes beside the axes.
        size: Area of a marker in square points.

    Returns:
        The axes, without ticks: a unit of these coordinates means nothing to a reader.

    Raises:
        ValueError: If ``points`` is not (N, 2), or there is not one label for each.
    """
    points, labels = torch.as_tensor(points).detach().cpu(), torch.as_tensor(labels)
    if points.ndim != 2 or points.shape[1] != 2 or len(labels) != len(points):
        raise ValueError(f"wanted points (N, 2) and N labels, got {tuple(points.shape)} and {len(labels)} labels")
    ax = plt.gca() if ax is None else ax
    named = bool(categories) and all(len(name) == 1 for name in categories)  # the name is the marker
    for number, (colour, shape) in enumerate(class_markers(int(labels.max()) + 1)):
        x, y = points[labels == number].T
        if len(x):
            name = categories[number] if categories else str(number)
            marker, area = (f"${name}$", 1.3 * size) if named else (shape, size)
            ax.scatter(x, y, s=area, marker=marker, color=colour, label=name, linewidth=0.2)
    ax.set(xticks=[], yticks=[], title=title)
    ax.set_aspect("equal", adjustable="datalim")  # distances are what the map is about
    if legend and not named:
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def show_thumbnails(gallery: Gallery, grid: Tensor, *, side: int = 40, ax: Axes | None = None, title: str = "") -> Axes:
    """Draw pictures in the cells of a grid, as the lecture does with an embedding by t-SNE.

    Args:
        gallery: Where the pictures come from.
        grid: (rows, columns) of indices, -1 where there is none; from ``thumbnail_grid``.
        side: Side of a thumbnail in pixels.
        ax: Axes to draw on; the current ones if omitted.
        title: Text above the axes.

    Returns:
        The axes.

    Raises:
        ValueError: If ``grid`` is not (rows, columns).
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


def thumbnail(image: Tensor, side: int) -> np.ndarray:
    """Crop the middle square of a picture and make it small.

    Args:
        image: (3, H, W), RGB in [0, 1].
        side: Side of the result in pixels. Pictures smaller than that keep sharp pixels.

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
    filter_ = Image.Resampling.NEAREST if square < side else Image.Resampling.BOX
    return np.array(Image.fromarray(to_uint8(middle)).resize((side, side), filter_))


def thumbnails(pictures: Iterable[tuple[Tensor, int]], side: int) -> np.ndarray:
    """Make thumbnails of all pictures of a gallery.

    Args:
        pictures: A gallery, or any (image, label) pairs.
        side: Side of each thumbnail in pixels.

    Returns:
        (N, side, side, 3), uint8.
    """
    return np.stack([thumbnail(image, side) for image, _ in pictures])


def class_markers(count: int) -> list[tuple[str, str]]:
    """Give each of ``count`` classes a colour and a marker; no pair comes twice up to 56."""
    return [(COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]) for i in range(count)]


def _draw_thumbnail(ax: Axes, image: Tensor, label: str, *, size: float, crossed: bool = False) -> None:
    """A small picture over its label; ``crossed``, with a frame and a cross."""
    ax.imshow(thumbnail(image, max(96, round(80 * size))))
    ax.text(0.5, -0.04, label, transform=ax.transAxes, ha="center", va="top", fontsize=6.4 * size)
    if crossed:
        frame = Rectangle((0, 0), 1, 1, transform=ax.transAxes, fill=False, edgecolor=BOX_COLOUR, linewidth=4)
        ax.add_patch(frame)
        for colour, width in (("white", 4.5), (BOX_COLOUR, 2.5)):  # a pale rim, to be seen on any picture
            ax.plot([0.76, 0.94], [0.94, 0.76], transform=ax.transAxes, color=colour, linewidth=width)
            ax.plot([0.76, 0.94], [0.76, 0.94], transform=ax.transAxes, color=colour, linewidth=width)
