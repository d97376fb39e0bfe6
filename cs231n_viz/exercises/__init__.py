"""Exercises that know when an answer is wrong, and why.

A cell of a notebook holds a signature and ``raise NotImplementedError`` under the decorator::

    from cs231n_viz.exercises import exercise, reveal

    @exercise("output_size")
    def output_size(size, *, kernel, stride=1, padding=0):
        raise NotImplementedError

Running it checks the function, prints a line per check, and binds the name to the function if it is right and to the
reference if not, so that the notebook runs from top to bottom before, during and after the work.

To add an exercise, append an ``Entry`` to the module of its notebook; to add a notebook, name its module below.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from cs231n_viz.exercises import (
    activations,
    class_activation,
    class_visualization,
    cnn_review,
    decomposition,
    deepdream_inversion,
    fast_style,
    fc_features,
    first_layer,
    fooling,
    saliency,
    style_transfer,
    texture,
)
from cs231n_viz.exercises.core import Check, Entry, Raises, examine
from cs231n_viz.exercises.reveal import Fold, fold

__all__ = ["Check", "Entry", "Fold", "Raises", "exercise", "find", "names", "reveal"]

_NOTEBOOKS = (
    cnn_review,
    first_layer,
    fc_features,
    activations,
    saliency,
    class_activation,
    decomposition,
    class_visualization,
    fooling,
    deepdream_inversion,
    texture,
    style_transfer,
    fast_style,
)
_ENTRIES = {entry.name: entry for notebook in _NOTEBOOKS for entry in notebook.ENTRIES}


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
    return fold(find(name))


def names() -> list[str]:
    """The names of all exercises, in the order of the course."""
    return list(_ENTRIES)


def find(name: str) -> Entry:
    """The exercise of a name.

    Raises:
        ValueError: If there is none; the message lists the closest names.
    """
    if isinstance(name, str) and name in _ENTRIES:
        return _ENTRIES[name]
    if callable(name):
        raise ValueError('the decorator needs the name of the exercise: @exercise("name")')
    close = get_close_matches(str(name), _ENTRIES, n=3, cutoff=0.4) or names()
    raise ValueError(f"there is no exercise {name!r}; the closest: {', '.join(close)}")
