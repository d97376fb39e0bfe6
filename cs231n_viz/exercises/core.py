"""What an exercise is, and how an answer is checked. Nothing here prints: ``exercise`` does, once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from inspect import Signature, signature
from typing import Any

from cs231n_viz.exercises import report
from cs231n_viz.exercises.compare import describe, equal, same_number, unchanged

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
    """

    name: str
    reference: Function
    checks: Sequence[Check]
    mistakes: Mapping[str, Function | tuple[Function, ...]]
    stars: int = 1
    minutes: int = 5
    same: Callable[[Any, Any], bool] = equal

    @property
    def header(self) -> str:
        """Name, difficulty and time in one line."""
        return f"{self.name}  {'★' * self.stars} · {self.minutes} min"

    def mistaken_answers(self) -> Iterator[tuple[str, Function]]:
        """Yield each known mistake as (diagnosis, answer); answers have the signature of the reference."""
        asked = signature(self.reference)
        for diagnosis, variants in self.mistakes.items():
            for variant in variants if isinstance(variants, tuple) else (variants,):
                yield diagnosis, _with_signature(asked, variant)


@dataclass(frozen=True)
class Outcome:
    """What one call gave: a value or an error, and the names of the arguments that it changed."""

    value: Any = None
    error: Exception | None = None
    changed: tuple[str, ...] = ()


def examine(entry: Entry, function: Function) -> tuple[Function, str]:
    """Run all checks on an answer, and write the report.

    Args:
        entry: The exercise.
        function: The student's answer.

    Returns:
        The function that later cells should use, ``function`` itself if it is right and the reference if not, and the
        text that tells the student so.
    """
    complaint = report.signature_complaint(entry.reference, function)
    if complaint:
        return entry.reference, "\n".join([entry.header, f"✗ {complaint}", report.fallback(entry.name)])
    with _known_by_its_name(function):
        outcomes = [run(entry.checks[0], function)]
        if _not_attempted(outcomes[0].error):
            return entry.reference, f"{entry.name}: not attempted, using the reference for now"
        outcomes += [run(check, function) for check in entry.checks[1:]]
    right, lines = _judge(entry, outcomes, function)
    closing = f"Right: your {entry.name} is used from here on." if right else report.fallback(entry.name)
    return function if right else entry.reference, "\n".join([entry.header, *lines, closing])


def run(check: Check, function: Function) -> Outcome:
    """Call a function as ``check`` asks, on copies of the arguments."""
    fed = deepcopy(dict(check.fed))
    value, error = None, None
    try:
        value = check.ask(function, **fed) if check.ask else function(**fed)
    except Exception as caught:  # whatever a student's code raises is part of the outcome
        error = caught
    changed = tuple(name for name in fed if not unchanged(fed[name], check.fed[name]))
    return Outcome(value, error, changed)


def passes(entry: Entry, check: Check, outcome: Outcome) -> bool:
    """Is the outcome of a check the expected one?"""
    if isinstance(check.expected, Raises):
        return isinstance(outcome.error, check.expected.kind)
    return outcome.error is None and _same(entry, outcome.value, check.expected)


def diagnose(entry: Entry, outcomes: Sequence[Outcome], failed: int) -> str | None:
    """Find the known mistake that gives these outcomes.

    Args:
        entry: The exercise.
        outcomes: One per check.
        failed: Index of the first check that fails. A mistake must be wrong there, and in the same way; among several
            the one that agrees on most checks is named.

    Returns:
        The diagnosis, or None.
    """
    best, most = None, 0
    for diagnosis, mistaken in entry.mistaken_answers():
        theirs = [run(check, mistaken) for check in entry.checks]
        agree = [_alike(entry, mine, other) for mine, other in zip(outcomes, theirs, strict=True)]
        wrong_there = not passes(entry, entry.checks[failed], theirs[failed])
        if agree[failed] and wrong_there and sum(agree) > most:
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
    for index, (check, outcome) in enumerate(zip(entry.checks, outcomes, strict=True)):
        passed = passes(entry, check, outcome)
        lines.append(f"{'✓' if passed else '✗'} {check.title}")
        if right and not passed:
            lines += _explain(entry, outcomes, index, function)
        right = right and passed
    if any(report.can_change(value) for check in entry.checks for value in check.fed.values()):
        changed = sorted({name for outcome in outcomes for name in outcome.changed})
        lines.append(f"{'✗' if changed else '✓'} its inputs are left as they were")
        lines += report.changed(changed) if changed else []
        right = right and not changed
    return right, lines


def _explain(entry: Entry, outcomes: Sequence[Outcome], failed: int, function: Function) -> list[str]:
    check, outcome = entry.checks[failed], outcomes[failed]
    likely = diagnose(entry, outcomes, failed)
    rows = [("fed", report.arguments(check.fed))]
    if outcome.error is None:
        rows += [("came out", report.compact(outcome.value)), ("expected", report.compact(check.expected))]
        error_expected = isinstance(check.expected, Raises)
        likely = likely or ("a value came out where an error was asked for" if error_expected else "")
        likely = likely or describe(outcome.value, check.expected)
    else:
        rows += [("stopped", report.error_line(outcome.error, function)), ("expected", report.compact(check.expected))]
    return report.table([*rows, ("likely", likely)] if likely else rows)


def _alike(entry: Entry, mine: Outcome, other: Outcome) -> bool:
    if mine.error is not None or other.error is not None:
        return type(mine.error) is type(other.error)
    return _same(entry, mine.value, other.value) or same_number(mine.value, other.value)


def _same(entry: Entry, got: Any, expected: Any) -> bool:
    try:
        return bool(entry.same(got, expected))
    except (TypeError, ValueError, RuntimeError):  # something that cannot even be compared
        return False


def _not_attempted(error: Exception | None) -> bool:
    # PyTorch raises the same class for operations it lacks ("not implemented for 'Long'"): that is an attempt.
    return (
        isinstance(error, NotImplementedError) and "not implemented for" not in str(error) and "aten" not in str(error)
    )


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
