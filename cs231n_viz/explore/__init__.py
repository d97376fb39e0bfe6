"""Explorers: small interactive pictures, each with ``.controls`` (name -> widget) and ``.picture`` (RGB array).

They stand in the folder of the notebook that shows them; what they share is in ``toolkit``.
"""

import warnings
from collections.abc import Callable

from cs231n_viz.explore.n00_cnn_review.convolution import convolution
from cs231n_viz.explore.n00_cnn_review.pooling import pooling
from cs231n_viz.explore.n00_cnn_review.receptive_fields import receptive_fields
from cs231n_viz.explore.n00_cnn_review.stack_calculator import stack_calculator
from cs231n_viz.explore.n01_first_layer.filters import filters, responses
from cs231n_viz.explore.n01_first_layer.second_layer import second_layer
from cs231n_viz.explore.n02_fc_features.embedding import embedding
from cs231n_viz.explore.n02_fc_features.neighbours import neighbours
from cs231n_viz.explore.n03_activations.activation_maps import activation_maps
from cs231n_viz.explore.n03_activations.top_patches import top_patches
from cs231n_viz.explore.n03_activations.unit_wall import unit_wall
from cs231n_viz.explore.n04_saliency.occlusion import occlusion
from cs231n_viz.explore.n04_saliency.saliency import saliency
from cs231n_viz.explore.n04_saliency.segmentation import segmentation
from cs231n_viz.explore.n05_class_activation.class_activation import class_activation
from cs231n_viz.explore.n05_class_activation.two_objects import two_objects
from cs231n_viz.explore.n06_decomposition.relevance import relevance
from cs231n_viz.explore.n06b_method_trials.all_methods import all_methods
from cs231n_viz.explore.n06b_method_trials.deletion import deletion
from cs231n_viz.explore.n07_class_visualization.class_visualization import class_visualization
from cs231n_viz.explore.n08_fooling.fooling import fooling
from cs231n_viz.explore.n09_deepdream_inversion.deep_dream import deep_dream
from cs231n_viz.explore.n09_deepdream_inversion.inversion import inversion
from cs231n_viz.explore.n10_texture.texture import growing, texture
from cs231n_viz.explore.n11_style_transfer.style import style
from cs231n_viz.explore.n12_fast_style.fast_style import fast_style
from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent
from cs231n_viz.explore.toolkit.picture import ClickablePicture, ImageView

__all__ = [
    "ClickablePicture",
    "Drawing",
    "Explorer",
    "ImageView",
    "LiveAscent",
    "activation_maps",
    "all_methods",
    "class_activation",
    "class_visualization",
    "convolution",
    "deep_dream",
    "deletion",
    "embedding",
    "fast_style",
    "filters",
    "fooling",
    "growing",
    "inversion",
    "neighbours",
    "occlusion",
    "pooling",
    "receptive_fields",
    "relevance",
    "responses",
    "saliency",
    "second_layer",
    "segmentation",
    "stack_calculator",
    "style",
    "texture",
    "top_patches",
    "two_objects",
    "unit_wall",
]

_RENAMED = {"judge": "deletion", "outline": "segmentation"}


def __getattr__(name: str) -> Callable[..., Explorer]:
    """The explorers that had another name."""
    if name in _RENAMED:
        new = _RENAMED[name]
        warnings.warn(f"viz.explore.{name} is now viz.explore.{new}", DeprecationWarning, stacklevel=2)
        return globals()[new]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
