"""Seeing inside convolutional networks: the helper package of the notebooks.

Import it as ``import cs231n_viz as viz``. Images are (N, 3, H, W), RGB in [0, 1]; layers are named as in
``model.layers()``; every method leaves the model as it found it.
"""

from importlib import import_module
from types import ModuleType

from cs231n_viz import scoring
from cs231n_viz.attribution import deconvnet, gradient, gradient_times_input, guided_backprop, saliency
from cs231n_viz.cam import cam, grad_cam, guided_grad_cam
from cs231n_viz.capture import activations, capture
from cs231n_viz.deep_lift import deep_lift
from cs231n_viz.features import features, pixels
from cs231n_viz.fields import ReceptiveField
from cs231n_viz.filters import first_layer_filters, normalise_filters
from cs231n_viz.gallery import Gallery
from cs231n_viz.images import ImageError, load_image, sample_images
from cs231n_viz.layers import Layer, receptive_field
from cs231n_viz.models import Classifier, load_model, offline_models, wrap
from cs231n_viz.neighbours import distances, embed, explained_variance, nearest, purity, thumbnail_grid
from cs231n_viz.occlusion import occlusion, occlusion_steps
from cs231n_viz.operations import UnknownOperationError
from cs231n_viz.patch_index import StaleIndexError
from cs231n_viz.patches import TopPatches, load_patches, top_patches
from cs231n_viz.path_gradients import (
    completeness_error,
    expected_gradients,
    integrated_gradients,
    smooth_grad,
)
from cs231n_viz.propagation import Ledger
from cs231n_viz.relevance import lrp, lrp_layers
from cs231n_viz.segment import grabcut
from cs231n_viz.selectivity import Selectivity, selectivity
from cs231n_viz.weights import WeightsError

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "Gallery",
    "ImageError",
    "Layer",
    "Ledger",
    "ReceptiveField",
    "Selectivity",
    "StaleIndexError",
    "TopPatches",
    "UnknownOperationError",
    "WeightsError",
    "activations",
    "cam",
    "capture",
    "completeness_error",
    "deconvnet",
    "deep_lift",
    "distances",
    "embed",
    "exercises",
    "expected_gradients",
    "explained_variance",
    "explore",
    "features",
    "first_layer_filters",
    "grabcut",
    "grad_cam",
    "gradient",
    "gradient_times_input",
    "guided_backprop",
    "guided_grad_cam",
    "integrated_gradients",
    "load_image",
    "load_model",
    "load_patches",
    "lrp",
    "lrp_layers",
    "nearest",
    "normalise_filters",
    "occlusion",
    "occlusion_steps",
    "offline_models",
    "pixels",
    "plotting",
    "purity",
    "receptive_field",
    "saliency",
    "sample_images",
    "scoring",
    "selectivity",
    "smooth_grad",
    "thumbnail_grid",
    "top_patches",
    "wrap",
]

_LATER = ("exercises", "explore", "plotting")  # they import matplotlib and ipywidgets: only where they are used


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return import_module(f"cs231n_viz.{name}")
    raise AttributeError(f"module 'cs231n_viz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
