"""Explorers: small interactive pictures, each with ``.controls`` (name -> widget) and ``.picture`` (RGB array)."""

from cs231n_viz.explore.base import Drawing, Explorer
from cs231n_viz.explore.convolve import convolution
from cs231n_viz.explore.first_layer import filters, responses
from cs231n_viz.explore.picture import ClickablePicture, ImageView
from cs231n_viz.explore.pool import pooling
from cs231n_viz.explore.receptive import receptive_fields
from cs231n_viz.explore.second_layer import second_layer
from cs231n_viz.explore.stack import stack_calculator

__all__ = [
    "ClickablePicture",
    "Drawing",
    "Explorer",
    "ImageView",
    "convolution",
    "filters",
    "pooling",
    "receptive_fields",
    "responses",
    "second_layer",
    "stack_calculator",
]
