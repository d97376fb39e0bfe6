"""Exercises that know when an answer is wrong, and why.

A cell of a notebook holds a signature and ``raise NotImplementedError`` under the decorator::

    from cs231n_viz.exercises import exercise

    @exercise("output_size")
    def output_size(size, *, kernel, stride=1, padding=0):
        raise NotImplementedError

Running it checks the function, prints a line per check, and binds the name to the function if it is right and to the
reference if not, so that the notebook runs from top to bottom before, during and after the work.

``hint(name)`` helps in two steps, ``reveal(name)`` shows a solution. A right answer is kept in the user's data folder:
``progress()`` shows what is done, and ``restore(name)`` takes such an answer up again in a new session.

One exercise is one file, in the room of its notebook and named as in the decorator, with one ``ENTRY``. To add an
exercise, write that file, name it below, and put the answers that people give into the file of the same name and room
in ``tests/mutants``.
"""

import sys
import textwrap
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from cs231n_viz.exercises.core import Check, Entry, Raises, examine
from cs231n_viz.exercises.course_map import CourseMap
from cs231n_viz.exercises.record import keep, kept, missing_names, progress_folder, run_source
from cs231n_viz.exercises.report import WIDTH, Fold, fallback

__all__ = [
    "Check",
    "CourseMap",
    "Entry",
    "Fold",
    "Raises",
    "exercise",
    "find",
    "hint",
    "names",
    "progress",
    "progress_folder",
    "restore",
    "reveal",
]

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
_hints_given: dict[str, int] = {}  # in this session: name of an exercise -> how many


def exercise(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Check the function below the decorator at once, and keep a right answer for the next session.

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
        note = keep(name, function) if usable is function else ""
        if text.endswith(fallback(name)):  # an attempt that is wrong
            note = f'viz.exercises.hint("{name}") gives a hint.'
        _say(text, note)
        return usable

    return check


def hint(name: str) -> None:
    """Print the next hint to an exercise: the first, then the second, then that ``reveal`` comes next.

    Raises:
        ValueError: If there is no exercise of that name.
    """
    hints, given = find(name).hints, _hints_given.get(name, 0)
    if given < len(hints):
        _hints_given[name] = given + 1
        text = f"{name}, hint {given + 1} of {len(hints)}: {hints[given]}"
    else:
        had = f"you have had all {len(hints)} hints" if hints else "there is no hint"
        text = f'{name}: {had}; reveal("{name}") comes next, and shows a solution.'
    _say(textwrap.fill(text, WIDTH))


def progress() -> CourseMap:
    """Draw the map of the course with the exercises that are right, as the last line of a cell.

    Every kept answer counts, also one that is wrong in the cell of today. They lie in ``progress_folder()``.

    Returns:
        A table in a notebook, text in a terminal: for each notebook its exercises, points, and minutes done and left.
    """
    answers = {name: kept(name) for name in names()}
    done = {name: answer.answered for name, (answer, _) in answers.items() if answer is not None}
    notes = [complaint for _, complaint in answers.values() if complaint]
    return CourseMap({room: [find(name) for name in exercises] for room, exercises in ROOMS.items()}, done, notes)


def restore(name: str) -> None:
    """Take up a kept right answer again: run its code in the caller's cell, check it, and bind the name to it.

    If the checks have become stricter and it fails them, the report says so, and the name is bound to the reference.

    Raises:
        ValueError: If there is no exercise of that name.
        LookupError: If no answer to it was kept, or its code could not be read.
        NameError: If it needs names that are not defined here.
    """
    entry, scope = find(name), sys._getframe(1).f_globals
    answer, complaint = kept(name)
    if answer is None or not answer.source:
        why = complaint or f"no right answer to {name} was kept" + (" with its code" if answer else "")
        raise LookupError(f'{why}; run its cell, @exercise("{name}"), in its notebook')
    missing = sorted(missing_names(answer.source, scope))
    if missing:
        raise NameError(
            f"your {name} uses {', '.join(missing)}, not defined here: first run the cell that defines it"
            + "".join(f', or restore("{other}")' for other in missing if other in _ROOM_OF)
        )
    function = run_source(answer.source, name, scope)
    scope[name], text = examine(entry, function)
    _say(f"your answer of {answer.answered[:10]}", text)


def reveal(name: str) -> Fold:
    """Show the reference solution in a fold, as the last line of a cell.

    Raises:
        ValueError: If there is no exercise of that name.
    """
    entry = find(name)
    return Fold.of(f"Reference solution of {entry.header}", entry.reference)


def _say(*paragraphs: str) -> None:
    lines = "\n".join(filter(None, paragraphs))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    lines = lines.encode(encoding, "replace").decode(encoding)  # a console of ASCII has neither ✓ nor ★
    print(f"{lines}\n", end="")  # one write: a line feed of its own may arrive as a second stream


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
