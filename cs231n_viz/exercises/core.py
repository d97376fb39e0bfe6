"""What an exercise is, and how an answer is checked. Nothing here prints: ``exercise`` does, once."""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from inspect import Signature, signature
from typing import Any

import torch

from cs231n_viz.exercises import compare, fixtures, guard, report
from cs231n_viz.exercises.compare import describe, equal, same_number

Function = Callable[..., Any]


@dataclass(frozen=True)
class Raises:
    """Instead of an expected value: the call must raise this kind of error."""

    kind: type[Exception] = ValueError

    def __str__(self) -> str:
        """Read by the student after the word "expected"."""
        return f"{self.kind.__name__} is raised"


@dataclass(frozen=True)
class Check:
    """One call whose result is known in closed form, or from an independent computation.

    Attributes:
        title: What is checked, in a few words; one line of the report.
        fed: Arguments of the call by name. Every call gets a fresh copy.
        expected: The result, or ``Raises()``. Never computed by the reference.
        ask: ``ask(function, **fed)`` is compared with ``expected``, for properties that take more than one call
            (``lambda f, x: f(x) - f(x + 3)``); by default the plain call.
    """

    title: str
    fed: Mapping[str, Any]
    expected: Any
    ask: Function | None = None


@dataclass(frozen=True)
class Entry:
    """An exercise: the solution that ``reveal`` shows, the checks, and the mistakes people really make.

    Attributes:
        name: As in ``@exercise("name")``, a Python identifier.
        reference: A readable solution, complete in itself; its signature is the one asked for.
        checks: From the simplest question to the hardest.
        mistakes: Diagnosis -> a function that makes this mistake, or a tuple of variants. It is called with all
            arguments of ``reference`` by position, defaults filled in. An answer that agrees with one of them where it
            first fails gets this diagnosis.
        stars: Difficulty, 1 to 3.
        minutes: Time a student may need.
        same: ``same(got, expected)``, how values are compared.
        hints: What ``hint`` says, from a nudge to the line of thought; each tells more than the one before.
    """

    name: str
    reference: Function
    checks: Sequence[Check]
    mistakes: Mapping[str, Function | tuple[Function, ...]]
    stars: int = 1
    minutes: int = 5
    same: Callable[[Any, Any], bool] = equal
    hints: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Freeze the checks: an answer can reach them, and must not be able to empty them."""
        object.__setattr__(self, "checks", tuple(self.checks))

    @property
    def points(self) -> int:
        """What a right answer is worth in a class: one point for each star."""
        return self.stars

    @property
    def header(self) -> str:
        """Name, difficulty, time and points in one line."""
        return f"{self.name}  {'★' * self.stars} · {self.minutes} min · {self.points} point{'s' * (self.points > 1)}"

    def mistaken_answers(self) -> Iterator[tuple[str, Function]]:
        """Yield each known mistake as (diagnosis, answer); answers have the signature of the reference."""
        asked = signature(self.reference)
        for diagnosis, variants in self.mistakes.items():
            for variant in variants if isinstance(variants, tuple) else (variants,):
                yield diagnosis, _with_signature(asked, variant)


@dataclass(frozen=True)
class Outcome:
    """What one call gave: a value or an error, and what it changed: argument -> how, and names in the libraries."""

    value: Any = None
    error: BaseException | None = None
    changed: Mapping[str, str] = field(default_factory=dict)
    replaced: Sequence[str] = ()


def examine(entry: Entry, function: Function, seconds: float = guard.SECONDS) -> tuple[Function, str]:
    """Run all checks on an answer, and write the report.

    Args:
        entry: The exercise.
        function: The student's answer. Whatever it does (endless loops, exits, floods of output, functions of PyTorch
            that it replaces) becomes part of the report; nothing of it reaches the caller.
        seconds: The time that all checks may take together.

    Returns:
        The function that later cells should use, ``function`` itself if it is right and the reference if not, and the
        text that tells the student so.
    """
    complaint = report.signature_complaint(entry.reference, function)
    if complaint:
        return entry.reference, "\n".join([entry.header, f"✗ {complaint}", report.fallback(entry.name)])
    with _known_by_its_name(function), guard.little_output():
        outcomes = list(_run_all(entry, function, seconds))
    if _not_attempted(outcomes[0].error):
        return entry.reference, f"{entry.name}: not attempted, using the reference for now"
    right, lines = _judge(entry, outcomes, function)
    closing = f"Right: your {entry.name} is used from here on." if right else report.fallback(entry.name)
    return function if right else entry.reference, "\n".join([entry.header, *lines, closing])


def run(check: Check, function: Function, seconds: float | None = None) -> Outcome:
    """Call a function as ``check`` asks, on copies of the arguments.

    Args:
        check: What is asked.
        function: An answer.
        seconds: Stop it after so many; by default it is trusted to end.
    """
    fed = deepcopy(dict(check.fed))
    value, error = None, None
    try:
        # Answers are asked for gradients even where the notebook has switched them off for good.
        with torch.inference_mode(False), torch.enable_grad(), guard.time_limit(seconds or 3600):
            value = check.ask(function, **fed) if check.ask else function(**fed)
    except BaseException as caught:  # whatever a student's code raises is part of the outcome, exits included
        error = caught
    changed = {name: how for name in fed if (how := compare.change(fed[name], check.fed[name]))}
    return Outcome(value, error, changed)


def _run_all(entry: Entry, function: Function, seconds: float) -> Iterator[Outcome]:
    """The outcome of each check, up to an endless loop, an interrupt or a first call that was not attempted."""
    own = [sys.modules[name] for name in (__name__, entry.reference.__module__)]
    libraries = guard.Libraries([compare, fixtures, guard, report, *own])
    end = time.monotonic() + seconds
    for check in entry.checks:
        outcome = run(check, function, max(end - time.monotonic(), 0.1))
        yield replace(outcome, replaced=libraries.mend())
        if isinstance(outcome.error, guard.TimeUp | KeyboardInterrupt) or _not_attempted(outcome.error):
            return


def passes(entry: Entry, check: Check, outcome: Outcome) -> bool:
    """Is the outcome of a check the expected one?"""
    if isinstance(check.expected, Raises):
        return isinstance(outcome.error, check.expected.kind)
    return outcome.error is None and _same(entry, outcome.value, check.expected)


def diagnose(entry: Entry, outcomes: Sequence[Outcome], failed: int) -> str | None:
    """Find the known mistake that gives these outcomes.

    Args:
        entry: The exercise.
        outcomes: One per check that was run.
        failed: Index of the first check that fails. A mistake must be wrong there, and in the same way, and must
            explain at least half of all failures; among several the one that agrees on most checks is named.

    Returns:
        The diagnosis, or None.
    """
    checks = entry.checks[: len(outcomes)]
    failures = [not passes(entry, check, outcome) for check, outcome in zip(checks, outcomes, strict=True)]
    best, most = None, 0
    for diagnosis, mistaken in entry.mistaken_answers():
        there = run(checks[failed], mistaken)  # first, as most mistakes give something else there
        if passes(entry, checks[failed], there) or not _alike(entry, outcomes[failed], there):
            continue
        agree = [
            index == failed or _alike(entry, mine, run(check, mistaken))
            for index, (check, mine) in enumerate(zip(checks, outcomes, strict=True))
        ]
        explained = sum(same for same, failure in zip(agree, failures, strict=True) if failure)
        if 2 * explained >= sum(failures) and sum(agree) > most:
            best, most = diagnosis, sum(agree)
    return best


def _with_signature(asked: Signature, function: Function) -> Function:
    def answer(*args: Any, **kwargs: Any) -> Any:
        bound = asked.bind(*args, **kwargs)
        bound.apply_defaults()
        return function(*bound.arguments.values())

    answer.__signature__ = asked
    return answer


def _judge(entry: Entry, outcomes: Sequence[Outcome], function: Function) -> tuple[bool, list[str]]:
    """Is everything right, and the lines of the report: one per check, details under the first that fails."""
    lines, right = [], True
    for index, (check, outcome) in enumerate(zip(entry.checks, outcomes, strict=False)):
        passed = passes(entry, check, outcome)
        lines.append(f"{'✓' if passed else '✗'} {check.title}")
        if right and not passed:
            lines += _explain(entry, outcomes, index, function)
        right = right and passed
    lines += [f"– {check.title}: not tried" for check in entry.checks[len(outcomes) :]]
    if any(report.can_change(value) for check in entry.checks for value in check.fed.values()):
        changed = {name: how for outcome in outcomes for name, how in outcome.changed.items()}
        lines.append(f"{'✗' if changed else '✓'} its inputs are left as they were")
        lines += report.changed(changed) if changed else []
        right = right and not changed
    replaced = sorted({name for outcome in outcomes for name in outcome.replaced})
    lines += report.replaced(replaced) if replaced else []
    return right and not replaced, lines


def _explain(entry: Entry, outcomes: Sequence[Outcome], failed: int, function: Function) -> list[str]:
    check, outcome = entry.checks[failed], outcomes[failed]
    rows = [("fed", report.arguments(check.fed))]
    if outcome.error is None:
        rows += [("came out", report.compact(outcome.value)), ("expected", report.compact(check.expected))]
        error_expected = isinstance(check.expected, Raises)
        likely = "a value came out where an error was asked for" if error_expected else ""
        likely = diagnose(entry, outcomes, failed) or likely or describe(outcome.value, check.expected)
    else:
        rows += [("stopped", report.error_line(outcome.error, function)), ("expected", report.compact(check.expected))]
        likely = report.advice(outcome.error) or diagnose(entry, outcomes, failed)
    return report.table([*rows, ("likely", likely)] if likely else rows)


def _alike(entry: Entry, mine: Outcome, other: Outcome) -> bool:
    if mine.error is not None or other.error is not None:
        # Numbers in a message, such as shapes, depend on how an answer is written.
        return type(mine.error) is type(other.error) and _words(mine.error) == _words(other.error)
    return _same(entry, mine.value, other.value) or same_number(mine.value, other.value)


def _words(error: BaseException | None) -> str:
    # PyTorch raises one class for nearly everything, so that only the message tells two of them apart.
    return re.sub(r"[\d\W]+", " ", str(error)) if type(error) is RuntimeError else ""


def _same(entry: Entry, got: Any, expected: Any) -> bool:
    try:
        return bool(entry.same(got, expected))
    except (TypeError, ValueError, RuntimeError):  # something that cannot even be compared
        return False


def _not_attempted(error: BaseException | None) -> bool:
    # PyTorch raises the same class for operations it lacks, such as the mean of booleans: that is an attempt.
    lacking = ("not implemented for", "aten", "infer output dtype")
    return isinstance(error, NotImplementedError) and not any(words in str(error) for words in lacking)


@contextmanager
def _known_by_its_name(function: Function) -> Iterator[None]:
    """Let a recursive answer call itself: its name is bound only after the decorator has returned."""
    scope, name = getattr(function, "__globals__", {}), getattr(function, "__name__", "")
    absent = object()
    before = scope.get(name, absent)
    scope[name] = function
    try:
        yield
    finally:
        if before is absent:
            del scope[name]
        else:
            scope[name] = before
