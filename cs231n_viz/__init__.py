"""Seeing inside convolutional networks: the helper package of the notebooks.

Import it as ``import cs231n_viz as viz``. Images are (N, 3, H, W), RGB in [0, 1]; layers are named as in
``model.layers()``; every method leaves the model as it found it.
"""

from importlib import import_module
from types import ModuleType

from cs231n_viz import objectives, regularisers, robustness, scoring
from cs231n_viz.animation import save_animation
from cs231n_viz.ascent import Ascent, AscentError, Step, ascend
from cs231n_viz.attribution import deconvnet, gradient, gradient_times_input, guided_backprop, saliency
from cs231n_viz.cam import cam, grad_cam, guided_grad_cam
from cs231n_viz.capture import activations, capture
from cs231n_viz.class_visualization import Regularisers, class_visualization, visualize
from cs231n_viz.code_space import class_visualization_of_code, reconstruct, visualize_code
from cs231n_viz.deep_dream import deep_dream, zoom
from cs231n_viz.deep_lift import deep_lift
from cs231n_viz.efros_leung import efros_leung, efros_leung_steps
from cs231n_viz.facets import facets, multifaceted
from cs231n_viz.fast_style import FastStyle, Painter, load_fast_style
from cs231n_viz.features import features, pixels
from cs231n_viz.fields import ReceptiveField
from cs231n_viz.filters import first_layer_filters, normalise_filters
from cs231n_viz.fooling import fgsm, fooling_image
from cs231n_viz.gallery import Gallery
from cs231n_viz.generator import Generator, load_generator
from cs231n_viz.gram import covariance_matrix, gram_matrix
from cs231n_viz.growth import Growth, copied_share, origin_map
from cs231n_viz.histogram import match_histogram
from cs231n_viz.images import ImageError, load_image, sample_images
from cs231n_viz.inversion import invert, psnr
from cs231n_viz.keep import read_settings, save_png
from cs231n_viz.layers import Layer, receptive_field
from cs231n_viz.models import Classifier, load_model, offline_models, wrap
from cs231n_viz.neighbours import distances, embed, explained_variance, nearest, purity, thumbnail_grid
from cs231n_viz.new_style import train_style
from cs231n_viz.occlusion import occlusion, occlusion_steps
from cs231n_viz.operations import UnknownOperationError
from cs231n_viz.paintings import load_painting, painting_names
from cs231n_viz.parameterisation import Codes, Fourier, Pixels
from cs231n_viz.patch_index import StaleIndexError
from cs231n_viz.patches import TopPatches, load_patches, top_patches
from cs231n_viz.path_gradients import (
    completeness_error,
    expected_gradients,
    integrated_gradients,
    smooth_grad,
)
from cs231n_viz.propagation import Ledger
from cs231n_viz.quilting import minimum_cut, quilt, quilt_steps
from cs231n_viz.random_filters import RandomFilters
from cs231n_viz.regularisers import total_variation
from cs231n_viz.relevance import lrp, lrp_layers
from cs231n_viz.segment import grabcut
from cs231n_viz.selectivity import Selectivity, selectivity
from cs231n_viz.style import Stylisation, stylize
from cs231n_viz.texture import gram_distance, grams, start_noise, style_layers, synthesize_texture
from cs231n_viz.texture_samples import texture_names, texture_sample
from cs231n_viz.transfer import transfer
from cs231n_viz.weights import WeightsError

__version__ = "0.1.0"
__all__ = [
    "Ascent",
    "AscentError",
    "Classifier",
    "Codes",
    "FastStyle",
    "Fourier",
    "Gallery",
    "Generator",
    "Growth",
    "ImageError",
    "Layer",
    "Ledger",
    "Painter",
    "Pixels",
    "RandomFilters",
    "ReceptiveField",
    "Regularisers",
    "Selectivity",
    "StaleIndexError",
    "Step",
    "Stylisation",
    "TopPatches",
    "UnknownOperationError",
    "WeightsError",
    "activations",
    "ascend",
    "cam",
    "capture",
    "class_visualization",
    "class_visualization_of_code",
    "completeness_error",
    "copied_share",
    "covariance_matrix",
    "deconvnet",
    "deep_dream",
    "deep_lift",
    "distances",
    "efros_leung",
    "efros_leung_steps",
    "embed",
    "exercises",
    "expected_gradients",
    "explained_variance",
    "explore",
    "facets",
    "features",
    "fgsm",
    "first_layer_filters",
    "fooling_image",
    "grabcut",
    "grad_cam",
    "gradient",
    "gradient_times_input",
    "gram_distance",
    "gram_matrix",
    "grams",
    "guided_backprop",
    "guided_grad_cam",
    "integrated_gradients",
    "invert",
    "load_fast_style",
    "load_generator",
    "load_image",
    "load_model",
    "load_painting",
    "load_patches",
    "lrp",
    "lrp_layers",
    "match_histogram",
    "minimum_cut",
    "multifaceted",
    "nearest",
    "normalise_filters",
    "objectives",
    "occlusion",
    "occlusion_steps",
    "offline_models",
    "origin_map",
    "painting_names",
    "pixels",
    "plotting",
    "psnr",
    "purity",
    "quilt",
    "quilt_steps",
    "read_settings",
    "receptive_field",
    "reconstruct",
    "regularisers",
    "robustness",
    "saliency",
    "sample_images",
    "save_animation",
    "save_png",
    "scoring",
    "selectivity",
    "smooth_grad",
    "start_noise",
    "style_layers",
    "stylize",
    "synthesize_texture",
    "texture_names",
    "texture_sample",
    "thumbnail_grid",
    "top_patches",
    "total_variation",
    "train_style",
    "transfer",
    "visualize",
    "visualize_code",
    "wrap",
    "zoom",
]

_LATER = ("exercises", "explore", "plotting")  # they import matplotlib and ipywidgets: only where they are used


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return import_module(f"cs231n_viz.{name}")
    raise AttributeError(f"module 'cs231n_viz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
