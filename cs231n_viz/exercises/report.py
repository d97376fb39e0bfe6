"""The text of a report: values shown compactly, errors in one line, references in a fold. Nothing here prints."""

import html
import inspect
import linecache
import textwrap
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cs231n_viz.exercises.fixtures import LostGraph
from cs231n_viz.exercises.guard import SECONDS, TimeUp

_ADVICE = {
    "values": "something works in place (`+=`, `x[...] =`, `.pop()`, a method ending in `_`): work on a copy",
    "requires_grad": "`requires_grad_()` was called on the input itself: call it on `x.detach().clone()`",
    "requires_grad of parameters": "`requires_grad_()` was called on the network: leave that of its parameters alone",
    "gradient": "`.backward()` also fills the `.grad` of whatever was given: use `torch.autograd.grad(score, x)`",
    "mode": "`.train()` or `.eval()` was called on the network that was given: leave its mode alone",
}
WIDTH = 110  # characters of a line in the output of a notebook cell
_LABEL = 11  # characters of "  came out " and its like


def compact(value: Any) -> str:
    """Show a value in little space: arrays with their shape, rounded, large ones abridged; numbers as Python does."""
    if isinstance(value, Tensor | np.ndarray):
        array = _as_numpy(value) if isinstance(value, Tensor) else value
        kind = "tensor" if isinstance(value, Tensor) else "numpy array"
        digits = {"float_kind": lambda x: f"{x:.4g}"}
        # 64 values are the most that can be read; beyond, the corners tell enough
        body = np.array2string(array, separator=", ", formatter=digits, threshold=64, edgeitems=2, max_line_width=WIDTH)
        body = "\n".join(line for line in body.split("\n") if line.strip())  # NumPy separates planes by empty lines
        return f"{kind} {tuple(value.shape)}" + ("\n" if "\n" in body else " ") + body
    if isinstance(value, nn.Module):
        return f"a network ({type(value).__name__})"
    if isinstance(value, float):
        return repr(float(f"{value:.6g}"))
    if isinstance(value, list | tuple | dict | str | int | None):
        return textwrap.shorten(repr(value), 2 * WIDTH, placeholder=" …")
    return textwrap.shorten(str(value), WIDTH, placeholder=" …")


def arguments(fed: Mapping[str, Any]) -> str:
    """Show the arguments of a call: on one line if they fit, else a line or a block for each."""
    shown = [f"{name} = {compact(value)}" for name, value in fed.items()]
    line = ", ".join(shown)
    return line if "\n" not in line and len(line) <= WIDTH - _LABEL else "\n".join(shown)


def table(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Lay labelled values out in two columns.

    Args:
        rows: (label, text); a text may have several lines.

    Returns:
        Indented lines.
    """
    lines = []
    for label, text in rows:
        first, *rest = text.split("\n")
        lines += [f"  {label:<{_LABEL - 2}}{first}", *(" " * _LABEL + line for line in rest)]
    return lines


def error_line(error: BaseException, function: Callable[..., Any]) -> str:
    """Describe an error in one line: where in the student's own code, and what.

    Args:
        error: As caught.
        function: The student's function; only lines of the cell or file that defines it are quoted.

    Returns:
        For example ``line 4, `y = image[9]`: IndexError: index 9 is out of bounds``.
    """
    message = textwrap.shorten(str(error).split("\n")[0], WIDTH, placeholder=" …")
    what = f"{type(error).__name__}: {message}" if message else type(error).__name__
    what = "it was still running when its time was over" if isinstance(error, TimeUp) else what
    code = getattr(inspect.unwrap(function), "__code__", None)
    own = [f for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    if not own:
        return what
    source = linecache.getline(own[-1].filename, own[-1].lineno or 0).strip()
    return (
        f"line {own[-1].lineno}"
        + (f", `{textwrap.shorten(source, 60, placeholder=' …')}`" if source else "")
        + f": {what}"
    )


def signature_complaint(reference: Callable[..., Any], function: Callable[..., Any]) -> str | None:
    """Say how names, order or defaults of the parameters differ from what is asked for; None if they do not."""
    wanted, given = inspect.signature(reference), inspect.signature(function)
    if [*wanted.parameters] == [*given.parameters] and _defaults(wanted) == _defaults(given):
        return None
    what = "defaults" if [*wanted.parameters] == [*given.parameters] else "parameters"
    return f"the {what} differ: yours are {_plain(given)}, asked for are {_plain(wanted)}"


def advice(error: BaseException) -> str | None:
    """Say what leads to an error that is no mistake of one exercise alone; None for any other."""
    if isinstance(error, TimeUp):
        return f"a loop that never ends; the checks stop an answer after {SECONDS:g} seconds"
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted, from outside or by itself"
    if isinstance(error, SystemExit):
        return "exit() and sys.exit() end the whole notebook: use return, or raise an error"
    if isinstance(error, RecursionError):
        return "the function calls itself without an end"
    return str(error) if isinstance(error, LostGraph) else None


def changed(how: Mapping[str, str]) -> list[str]:
    """Explain which inputs were changed, in what respect (as ``compare.change`` names it), and why that is likely."""
    listed = ", ".join(f"`{name}` ({what})" for name, what in how.items())
    return table([("changed", listed), ("likely", _ADVICE[next(iter(how.values()))])])


def replaced(names: Sequence[str]) -> list[str]:
    """Explain that an answer has replaced what it should only call."""
    listed = ", ".join(f"`{name}`" for name in names)
    return [
        "✗ Python, NumPy, PyTorch and the checks are left as they were",
        *table([("changed", f"{listed}: put back"), ("likely", "a name of a library was assigned to, or deleted")]),
    ]


def fallback(name: str) -> str:
    """Write the last line after a wrong answer."""
    return f"Not right yet: {name} is the reference for now, so that the notebook runs on."


def can_change(value: Any) -> bool:
    """Can a function change this argument for its caller?"""
    return isinstance(value, Tensor | np.ndarray | nn.Module | list | dict)


@dataclass(frozen=True)
class Fold:
    """Text that a notebook shows behind a fold, and a terminal as it is."""

    summary: str
    text: str

    @classmethod
    def of(cls, summary: str, function: Callable[..., Any]) -> "Fold":
        """The source of a function, seen only by those who open the fold."""
        return cls(summary, textwrap.dedent(inspect.getsource(function)).rstrip())

    def _repr_html_(self) -> str:
        summary, text = html.escape(self.summary), html.escape(self.text)
        return f"<details><summary>{summary}</summary><pre><code>{text}</code></pre></details>"

    def __repr__(self) -> str:
        """The fallback of pages without HTML."""
        return f"{self.summary}\n\n{self.text}"


def _as_numpy(tensor: Tensor) -> np.ndarray:
    dense = tensor.detach().cpu().to_dense()
    return (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()  # NumPy has no bfloat16


def _defaults(signature: inspect.Signature) -> list[str]:
    return [repr(parameter.default) for parameter in signature.parameters.values()]


def _plain(signature: inspect.Signature) -> str:
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))
