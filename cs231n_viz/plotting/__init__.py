"""Figures: pictures, grids, heatmaps, patches and neighbours, and alternative text. Data first, axes in, axes out."""

from cs231n_viz.plotting.alt_text import figure, picture, plate
from cs231n_viz.plotting.figures import draw_box, show_grid, show_heatmap, show_image, show_images, tile
from cs231n_viz.plotting.neighbours import show_embedding, show_neighbours, show_thumbnails
from cs231n_viz.plotting.patches import framed, patch_in_field, show_patches

__all__ = [
    "draw_box",
    "figure",
    "framed",
    "patch_in_field",
    "picture",
    "plate",
    "show_embedding",
    "show_grid",
    "show_heatmap",
    "show_image",
    "show_images",
    "show_neighbours",
    "show_patches",
    "show_thumbnails",
    "tile",
]
