"""Inside the sandbox: run an answer, and send what it returned, check by check. It knows no verdict to send."""

import ast
import builtins
import json
import os
import sys
import traceback
from types import ModuleType
from typing import Any

import torch

from cs231n_viz.exercises import core, find, guard, report
from cs231n_viz.exercises.core import Entry, Outcome
from cs231n_viz.exercises.grading.cells import Answer
from cs231n_viz.exercises.grading.values import encode, encode_error

PACKAGE = __name__.rsplit(".", 2)[0]  # cs231n_viz.exercises


def run(answer: Answer, entry: Entry, pipe: int, seconds: float) -> None:
    """Define the function and call it as the checks ask.

    Args:
        answer: As found in the notebook.
        entry: The exercise.
        pipe: Gets a line of JSON for each outcome; before these, {"complaint": ...} if the signature is wrong, or
            {"broken": ...} if there is no function to call.
        seconds: For all checks together, and as much for what stands above the function.
    """
    torch.manual_seed(0)
    try:
        with guard.time_limit(seconds):
            function = _define(answer)
    except BaseException as error:  # whatever a student's code raises
        where = [frame for frame in traceback.extract_tb(error.__traceback__) if ", cell " in frame.filename]
        place = f"{where[-1].filename}, line {where[-1].lineno}: " if where else ""
        return _send(pipe, {"broken": place + report.error_line(error, len)})
    complaint = report.signature_complaint(entry.reference, function)
    if complaint:
        return _send(pipe, {"complaint": complaint})
    with core._known_by_its_name(function):
        for outcome in core._run_all(entry, function, seconds):
            _send(pipe, _described(outcome, answer.cell.place))


def _define(answer: Answer) -> Any:
    """Run what the function needs, then its own definition, as the notebook would."""
    scope: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    scope |= {name: find(exercise).reference for name, exercise in answer.others}
    _hide_references()
    for place, statement in [*answer.needs, (answer.cell.place, answer.function)]:
        module = ast.Module([statement], [])
        exec(compile(module, place, "exec"), scope)
    return scope[answer.function.name]


def _hide_references() -> None:
    """Whoever imports the solution has not written it. A determined cheat still can: it is public, after all."""
    open_ = ModuleType(PACKAGE)
    open_.exercise = lambda name: lambda function: function
    open_.reveal = open_.hint = open_.progress = lambda *_, **__: None
    sys.modules[PACKAGE.rsplit(".", 1)[0]].exercises = open_
    before = builtins.__import__

    def import_(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if (globals or {}).get("__name__") == "__main__" and name.startswith(PACKAGE):
            if name != PACKAGE:
                raise ImportError(f"{name} holds the solutions, and is closed while answers are graded")
            if fromlist:
                return open_
        return before(name, globals, locals, fromlist, level)

    builtins.__import__ = import_


def _described(outcome: Outcome, place: str) -> dict[str, Any]:
    text = {"changed": dict(outcome.changed), "replaced": list(outcome.replaced)}
    if outcome.error is None:
        return {**text, "value": encode(outcome.value)}
    lines = [frame.lineno for frame in traceback.extract_tb(outcome.error.__traceback__) if frame.filename == place]
    return {**text, "error": encode_error(outcome.error), "line": lines[-1] if lines else None}


def _send(pipe: int, message: dict[str, Any]) -> None:
    line = json.dumps(message).encode() + b"\n"
    while line:
        line = line[os.write(pipe, line) :]
