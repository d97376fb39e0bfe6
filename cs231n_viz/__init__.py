"""Seeing inside convolutional networks: the helper package of the notebooks.

Import it as ``import cs231n_viz as viz``. Images are (N, 3, H, W), RGB in [0, 1]; layers are named as in
``model.layers()``; every method leaves the model as it found it.
"""

from importlib import import_module
from types import ModuleType

from cs231n_viz.capture import activations, capture
from cs231n_viz.fields import ReceptiveField
from cs231n_viz.filters import first_layer_filters, normalise_filters
from cs231n_viz.gallery import Gallery
from cs231n_viz.images import ImageError, load_image, sample_images
from cs231n_viz.layers import Layer, receptive_field
from cs231n_viz.models import Classifier, load_model, offline_models, wrap
from cs231n_viz.weights import WeightsError

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "Gallery",
    "ImageError",
    "Layer",
    "ReceptiveField",
    "WeightsError",
    "activations",
    "capture",
    "exercises",
    "explore",
    "first_layer_filters",
    "load_image",
    "load_model",
    "normalise_filters",
    "offline_models",
    "plotting",
    "receptive_field",
    "sample_images",
    "wrap",
]

_LATER = ("exercises", "explore", "plotting")  # they import matplotlib and ipywidgets: only where they are used


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return import_module(f"cs231n_viz.{name}")
    raise AttributeError(f"module 'cs231n_viz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
