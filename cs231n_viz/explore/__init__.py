"""Explorers: small interactive pictures, each with ``.controls`` (name -> widget) and ``.picture`` (RGB array)."""

from cs231n_viz.explore.activation_maps import activation_maps
from cs231n_viz.explore.base import Drawing, Explorer
from cs231n_viz.explore.class_activation import class_activation
from cs231n_viz.explore.class_visualization import class_visualization
from cs231n_viz.explore.convolve import convolution
from cs231n_viz.explore.deep_dream import deep_dream
from cs231n_viz.explore.embedding import embedding
from cs231n_viz.explore.fast_style import fast_style
from cs231n_viz.explore.first_layer import filters, responses
from cs231n_viz.explore.fooling import fooling
from cs231n_viz.explore.inversion import inversion
from cs231n_viz.explore.judge import judge
from cs231n_viz.explore.neighbours import neighbours
from cs231n_viz.explore.occlusion import occlusion
from cs231n_viz.explore.outline import outline
from cs231n_viz.explore.picture import ClickablePicture, ImageView
from cs231n_viz.explore.pool import pooling
from cs231n_viz.explore.receptive import receptive_fields
from cs231n_viz.explore.relevance import relevance
from cs231n_viz.explore.saliency import saliency
from cs231n_viz.explore.second_layer import second_layer
from cs231n_viz.explore.stack import stack_calculator
from cs231n_viz.explore.style import style
from cs231n_viz.explore.texture import growing, texture
from cs231n_viz.explore.top_patches import top_patches
from cs231n_viz.explore.two_objects import two_objects

__all__ = [
    "ClickablePicture",
    "Drawing",
    "Explorer",
    "ImageView",
    "activation_maps",
    "class_activation",
    "class_visualization",
    "convolution",
    "deep_dream",
    "embedding",
    "fast_style",
    "filters",
    "fooling",
    "growing",
    "inversion",
    "judge",
    "neighbours",
    "occlusion",
    "outline",
    "pooling",
    "receptive_fields",
    "relevance",
    "responses",
    "saliency",
    "second_layer",
    "stack_calculator",
    "style",
    "texture",
    "top_patches",
    "two_objects",
]
