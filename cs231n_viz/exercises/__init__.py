"""Exercises that know when an answer is wrong, and why.

A cell of a notebook holds a signature and ``raise NotImplementedError`` under the decorator::

    from cs231n_viz.exercises import exercise, reveal

    @exercise("output_size")
    def output_size(size, *, kernel, stride=1, padding=0):
        raise NotImplementedError

Running it checks the function, prints a line per check, and binds the name to the function if it is right and to the
reference if not, so that the notebook runs from top to bottom before, during and after the work.

One exercise is one file, in the room of its notebook and named as in the decorator, with one ``ENTRY``. To add an
exercise, write that file, name it below, and put the answers that people give into the file of the same name and room
in ``tests/mutants``.
"""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from cs231n_viz.exercises.core import Check, Entry, Raises, examine
from cs231n_viz.exercises.report import Fold

__all__ = ["Check", "Entry", "Fold", "Raises", "exercise", "find", "names", "reveal"]

# The exercises of each notebook, in the order of the course; a module is imported when its exercise is first used.
ROOMS = {
    "n00_cnn_review": ["conv2d", "output_size", "parameter_count", "max_pool", "receptive_field"],
    "n01_first_layer": ["normalise_filters", "dominant_orientation"],
    "n02_fc_features": ["pairwise_distances", "top_k", "purity_at_k", "cosine_similarity", "pca", "tsne_affinity"],
    "n03_activations": ["threshold_mask", "receptive_field_box", "streaming_top_k", "selectivity"],
    "n04_saliency": ["occlusion_step", "saliency_map", "guided_relu", "grabcut_seeds"],
    "n05_class_activation": ["cam_map", "grad_cam_weights", "grad_cam_map"],
    "n06_decomposition": ["lrp_linear", "deep_lift_multiplier"],
    "n06b_method_trials": ["deletion_curve"],
    "n07_class_visualization": [
        "ascent_step",
        "l2_gradient",
        "gaussian_blur",
        "clip_small_pixels",
        "clip_small_contributions",
    ],
    "n08_fooling": ["fool", "perturbation_norms", "fgsm_step"],
    "n09_deepdream_inversion": [
        "dream_gradient",
        "jittered_gradient",
        "octave_start",
        "total_variation",
        "inversion_loss",
    ],
    "n10_texture": ["window_distances", "minimum_cut", "gram", "covariance", "gram_error"],
    "n11_style_transfer": ["content_loss", "style_loss", "tv_loss"],
    "n12_fast_style": ["instance_norm", "conditional_instance_norm", "mix_styles", "perceptual_loss"],
}
_ROOM_OF = {name: room for room, exercises in ROOMS.items() for name in exercises}


def exercise(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Check the function below the decorator at once.

    Args:
        name: One of ``names()``.

    Returns:
        A decorator that prints the report and returns the function itself if it is right, the reference if it is wrong
        or not attempted (``NotImplementedError``).

    Raises:
        ValueError: If there is no exercise of that name.
    """
    entry = find(name)

    def check(function: Callable[..., Any]) -> Callable[..., Any]:
        usable, text = examine(entry, function)
        print(f"{text}\n", end="")  # one write: a line feed of its own may arrive as a second stream
        return usable

    return check


def reveal(name: str) -> Fold:
    """Show the reference solution in a fold, as the last line of a cell.

    Raises:
        ValueError: If there is no exercise of that name.
    """
    entry = find(name)
    return Fold.of(f"Reference solution of {entry.header}", entry.reference)


def names() -> list[str]:
    """List the names of all exercises, in the order of the course."""
    return list(_ROOM_OF)


def find(name: str) -> Entry:
    """Get the exercise of a name.

    Raises:
        ValueError: If there is none; the message lists the closest names.
    """
    if isinstance(name, str) and name in _ROOM_OF:
        return import_module(f"{__name__}.{_ROOM_OF[name]}.{name}").ENTRY
    if callable(name):
        raise ValueError('the decorator needs the name of the exercise: @exercise("name")')
    close = get_close_matches(str(name), _ROOM_OF, n=3, cutoff=0.4) or names()
    raise ValueError(f"there is no exercise {name!r}; the closest: {', '.join(close)}")
