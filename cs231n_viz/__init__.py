"""Seeing inside convolutional networks: the helper package of the notebooks.

Import it as ``import cs231n_viz as viz``. Images are (N, 3, H, W), RGB in [0, 1]; layers are named as in
``model.layers()``; every method leaves the model as it found it.
"""

import os
import warnings
from importlib import import_module
from types import ModuleType

# Threads that spin while they wait take the core from whoever else needs it; set before torch loads its OpenMP library.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from cs231n_viz.attribution import scoring
from cs231n_viz.attribution.averaged_gradients import (
    completeness_error,
    expected_gradients,
    integrated_gradients,
    smooth_grad,
)
from cs231n_viz.attribution.deep_lift import deep_lift
from cs231n_viz.attribution.grabcut import grabcut
from cs231n_viz.attribution.grad_cam import cam, grad_cam, guided_grad_cam
from cs231n_viz.attribution.lrp import lrp, lrp_layers
from cs231n_viz.attribution.lrp_rules import Ledger
from cs231n_viz.attribution.occlusion import OcclusionMap, grow_occlusion, occlusion, occlusion_steps
from cs231n_viz.attribution.saliency import (
    deconvnet,
    gradient,
    gradient_times_input,
    guided_backprop,
    saliency,
)
from cs231n_viz.data_files import data_path, data_root
from cs231n_viz.network.capture import activations, capture
from cs231n_viz.network.interception import UnknownOperationError
from cs231n_viz.network.layers import Layer, receptive_field
from cs231n_viz.network.memory import bytes_per_pixel
from cs231n_viz.network.models import Classifier, load_model, offline_models, wrap
from cs231n_viz.network.receptive_field import ReceptiveField
from cs231n_viz.network.shipped import WeightsError
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import ImageError, centre_square, load_image, resize, sample_images
from cs231n_viz.pictures.paintings import load_painting, painting_names, texture_names, texture_sample
from cs231n_viz.pictures.photographs import fetch_photographs, photographs_folder
from cs231n_viz.pictures.plates import Plate, load_plate, plate_names
from cs231n_viz.pictures.saving import read_settings, save_animation, save_png
from cs231n_viz.pictures.scenes import OBJECTS, object_mask, object_pair
from cs231n_viz.representation.embedding import embed, explained_variance, thumbnail_grid
from cs231n_viz.representation.features import features, pixels
from cs231n_viz.representation.filters import first_convolution, first_layer_filters, normalise_filters, smooth_share
from cs231n_viz.representation.gram import covariance_matrix, gram_distance, gram_matrix, grams, style_layers
from cs231n_viz.representation.neighbours import distances, nearest, purity
from cs231n_viz.representation.selectivity import Selectivity, selectivity
from cs231n_viz.representation.top_patches import StaleIndexError, TopPatches, load_patches, top_patches
from cs231n_viz.style.colours import luminance
from cs231n_viz.style.fast import FastStyle, load_fast_style, save_fast_style
from cs231n_viz.style.loss import JointLoss, StyleLoss, content_layer
from cs231n_viz.style.painter import Painter
from cs231n_viz.style.training import StyleTraining, train_style
from cs231n_viz.style.transfer import Schedule, Stylisation, stylize
from cs231n_viz.synthesis import objectives, regularisers, views
from cs231n_viz.synthesis.ascent import Ascent, AscentError, Step, Update, ascend
from cs231n_viz.synthesis.class_visualization import class_visualization, visualize
from cs231n_viz.synthesis.deep_dream import DreamUpdate, deep_dream, zoom
from cs231n_viz.synthesis.facets import diversity, facets, multifaceted
from cs231n_viz.synthesis.fooling import fgsm, fooling_image
from cs231n_viz.synthesis.generator import (
    CodePrior,
    Codes,
    Generator,
    class_visualization_of_code,
    load_generator,
    reconstruct,
    visualize_code,
)
from cs231n_viz.synthesis.inversion import ImagePrior, invert, psnr
from cs231n_viz.synthesis.parameterisation import Fourier, Pixels, start_noise
from cs231n_viz.synthesis.regularisers import Regularisers, total_variation
from cs231n_viz.synthesis.transferability import transfer
from cs231n_viz.texture.efros_leung import efros_leung, efros_leung_steps, grow_efros_leung
from cs231n_viz.texture.growth import Growing, Growth, copied_share, origin_map
from cs231n_viz.texture.neural import RandomFilters, TextureLoss, match_histogram, synthesize_texture
from cs231n_viz.texture.quilting import grow_quilt, minimum_cut, quilt, quilt_steps

__version__ = "0.1.0"
__all__ = [
    "OBJECTS",
    "Ascent",
    "AscentError",
    "Classifier",
    "CodePrior",
    "Codes",
    "DreamUpdate",
    "FastStyle",
    "Fourier",
    "Gallery",
    "Generator",
    "Growing",
    "Growth",
    "ImageError",
    "ImagePrior",
    "JointLoss",
    "Layer",
    "Ledger",
    "OcclusionMap",
    "Painter",
    "Pixels",
    "Plate",
    "RandomFilters",
    "ReceptiveField",
    "Regularisers",
    "Schedule",
    "Selectivity",
    "StaleIndexError",
    "Step",
    "StyleLoss",
    "StyleTraining",
    "Stylisation",
    "TextureLoss",
    "TopPatches",
    "UnknownOperationError",
    "Update",
    "WeightsError",
    "activations",
    "ascend",
    "bytes_per_pixel",
    "cam",
    "capture",
    "centre_square",
    "class_visualization",
    "class_visualization_of_code",
    "completeness_error",
    "content_layer",
    "copied_share",
    "covariance_matrix",
    "data_path",
    "data_root",
    "deconvnet",
    "deep_dream",
    "deep_lift",
    "distances",
    "diversity",
    "efros_leung",
    "efros_leung_steps",
    "embed",
    "exercises",
    "expected_gradients",
    "explained_variance",
    "explore",
    "facets",
    "features",
    "fetch_photographs",
    "fgsm",
    "first_convolution",
    "first_layer_filters",
    "fooling_image",
    "grabcut",
    "grad_cam",
    "gradient",
    "gradient_times_input",
    "gram_distance",
    "gram_matrix",
    "grams",
    "grow_efros_leung",
    "grow_occlusion",
    "grow_quilt",
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
    "load_plate",
    "lrp",
    "lrp_layers",
    "luminance",
    "match_histogram",
    "minimum_cut",
    "multifaceted",
    "nearest",
    "normalise_filters",
    "object_mask",
    "object_pair",
    "objectives",
    "occlusion",
    "occlusion_steps",
    "offline_models",
    "origin_map",
    "painting_names",
    "photographs_folder",
    "pixels",
    "plate_names",
    "plotting",
    "psnr",
    "purity",
    "quilt",
    "quilt_steps",
    "read_settings",
    "receptive_field",
    "reconstruct",
    "regularisers",
    "resize",
    "saliency",
    "sample_images",
    "save_animation",
    "save_fast_style",
    "save_png",
    "scoring",
    "selectivity",
    "smooth_grad",
    "smooth_share",
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
    "views",
    "visualize",
    "visualize_code",
    "wrap",
    "zoom",
]

_LATER = ("exercises", "explore", "plotting")  # they import matplotlib and ipywidgets: only where they are used


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return import_module(f"cs231n_viz.{name}")
    if name == "robustness":
        warnings.warn("viz.robustness is now viz.views", DeprecationWarning, stacklevel=2)
        return views
    raise AttributeError(f"module 'cs231n_viz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
