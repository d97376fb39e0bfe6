"""Keep names working that users may have written, with a warning that says what to write now."""

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ParamSpec, TypeVar

P, R = ParamSpec("P"), TypeVar("R")


def moved_keywords(**moved: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keywords under their old names, with a ``DeprecationWarning``.

    Args:
        moved: Old keyword -> its new place: ``"loss.style"`` for the field ``style`` of the dataclass that the
            parameter ``loss`` takes (whose default must be an instance), or the new name of a parameter.

    Returns:
        A decorator. A field that is given in both forms has the value of the old keyword.

    Example:
        >>> @moved_keywords(style_weight="loss.style", average="average_pooling")
        ... def paint(picture, *, loss=StyleLoss(), average_pooling=False): ...
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            old = {name: kwargs.pop(name) for name in moved if name in kwargs}
            if old:
                new, form = _translated(old, moved, defaults | kwargs)
                given = ", ".join(f"{name}=…" for name in old)
                name = function.__name__
                warnings.warn(f"{name}({given}) is now {name}({form})", DeprecationWarning, stacklevel=2)
                kwargs |= new
            return function(*args, **kwargs)

        return call

    return decorate


def _translated(
    old: Mapping[str, object], moved: Mapping[str, str], given: Mapping[str, object]
) -> tuple[dict[str, object], str]:
    """The keywords to call with instead of the old ones, and how a user would write them."""
    places: dict[str, dict[str, object]] = {}  # parameter -> field, or "" -> value
    for name, value in old.items():
        parameter, _, field = moved[name].partition(".")
        places.setdefault(parameter, {})[field] = value
    new, forms = {}, []
    for parameter, fields in places.items():
        if "" in fields:
            new[parameter] = fields[""]
            forms.append(f"{parameter}=…")
        else:
            new[parameter] = replace(given[parameter], **fields)
            fields_given = ", ".join(f"{field}=…" for field in fields)
            forms.append(f"{parameter}={type(given[parameter]).__name__}({fields_given})")
    return new, ", ".join(forms)


def renamed(function: Callable[P, R], old: str) -> Callable[P, R]:
    """Make the function that stands under an old name: it warns, and calls the one that took its place."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        warnings.warn(f"{old}() is now {function.__name__}()", DeprecationWarning, stacklevel=2)
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = old
    call.__doc__ = f"Deprecated: the old name of :func:`{function.__name__}`."
    return call
