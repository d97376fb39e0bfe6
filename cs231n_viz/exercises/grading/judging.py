"""From answers to verdicts. The process that judges never runs an answer: it gets values, and compares them."""

import json
import linecache
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace, TracebackType
from typing import Any

from cs231n_viz.exercises import core, find, guard
from cs231n_viz.exercises.core import Entry, Outcome
from cs231n_viz.exercises.grading import answering
from cs231n_viz.exercises.grading.cells import Answer
from cs231n_viz.exercises.grading.sandbox import Limits, run_apart
from cs231n_viz.exercises.grading.values import decode, decode_error

RIGHT, WRONG, NOT_ATTEMPTED, MISSING = "right", "wrong", "not attempted", "not handed in"
_WAYS = {"values", "requires_grad", "gradient", "mode"}  # in which an argument can be changed


class ProcessEnded(BaseException):
    """The process of an answer ended in the middle of a check."""


@dataclass(frozen=True)
class Verdict:
    """What one answer is worth, and why.

    Attributes:
        exercise: Name of the exercise.
        status: One of ``RIGHT``, ``WRONG``, ``NOT_ATTEMPTED``, ``MISSING``.
        points: Those of the exercise if the answer is right, else 0.
        out_of: Those of the exercise.
        text: The report, as the notebook prints it.
    """

    exercise: str
    status: str
    points: int
    out_of: int
    text: str

    def as_json(self) -> dict[str, Any]:
        """For the file that keeps it."""
        return asdict(self)


def verdict(entry: Entry, status: str, lines: Iterable[str]) -> Verdict:
    """Write a verdict on an answer to an exercise."""
    text = "\n".join([entry.header, *lines])
    return Verdict(entry.name, status, entry.points if status == RIGHT else 0, entry.points, text)


def judge(answer: Answer, limits: Limits, seconds: float = guard.SECONDS) -> Verdict:
    """Run an answer in a sandbox and judge what comes back.

    Args:
        answer: As found in a notebook.
        limits: What it may take; its seconds are replaced by what ``seconds`` allows.
        seconds: For all checks together; the notebook gives as many.
    """
    entry = find(answer.exercise)
    if answer.error:
        return verdict(entry, WRONG, [f"✗ {answer.error}"])
    limits = replace(limits, seconds=2 * seconds + 5)
    ended = run_apart(lambda pipe: answering.run(answer, entry, pipe, seconds), limits)
    try:
        return _from_messages(entry, answer, [json.loads(line) for line in ended.sent.splitlines()], ended.how)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        how = ended.how or f"what it sent cannot be read ({type(error).__name__})"
        return verdict(entry, WRONG, [f"✗ no values came back: {how}"])


def _from_messages(entry: Entry, answer: Answer, messages: list[dict[str, Any]], how: str) -> Verdict:
    first = messages[0] if messages else {}
    for kind, words in (("broken", "the cell cannot be run: "), ("complaint", "")):
        if kind in first:
            return verdict(entry, WRONG, [f"✗ {words}{str(first[kind])[:1000]}"])
    place, source = answer.cell.place, answer.cell.source
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
    outcomes = [_outcome(message, place) for message in messages[: len(entry.checks)]]
    if outcomes and core._not_attempted(outcomes[0].error):
        return verdict(entry, NOT_ATTEMPTED, ["not attempted"])
    if len(outcomes) < len(entry.checks) and not (outcomes and isinstance(outcomes[-1].error, _LAST)):
        late = "time was over" in how
        outcomes.append(Outcome(error=guard.TimeUp() if late else ProcessEnded(how or "not all values came back")))
    surrogate = SimpleNamespace(__code__=SimpleNamespace(co_filename=place))  # tells in which cell an error arose
    right, lines = core._judge(entry, outcomes, surrogate)
    return verdict(entry, RIGHT if right else WRONG, lines)


_LAST = guard.TimeUp | KeyboardInterrupt  # nothing is tried after these


def _outcome(message: dict[str, Any], place: str) -> Outcome:
    changed = {str(name)[:80]: how if how in _WAYS else "values" for name, how in message["changed"].items()}
    replaced = [str(name)[:80] for name in message["replaced"]][:20]
    if "error" not in message:
        return Outcome(decode(message["value"]), None, changed, replaced)
    return Outcome(None, _placed(decode_error(message["error"]), message["line"], place), changed, replaced)


def _placed(error: BaseException, line: int | None, place: str) -> BaseException:
    """Let an error seem to come from a line of a cell, so that the report can quote that line."""
    if not isinstance(line, int) or not 0 < line < 100_000:
        return error
    try:
        exec(compile("\n" * (line - 1) + "raise error", place, "exec"), {"error": error})
    except BaseException as raised:
        trace: TracebackType | None = raised.__traceback__
        return raised.with_traceback(trace.tb_next if trace else None)
    return error
