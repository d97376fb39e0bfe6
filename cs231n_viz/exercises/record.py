"""Right answers, kept from one session to the next: a file for each exercise, in the user's data folder.

Whoever writes an exercise's file replaces it whole, and different exercises have different files, so that two kernels
that work at the same time lose nothing. Nothing here raises what a disk may do: an answer is right with or without one.
"""

import ast
import builtins
import inspect
import json
import linecache
import os
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from cs231n_viz.writing import write_text_over

VARIABLE = "CS231N_VIZ_PROGRESS"  # of the environment: another folder


@dataclass(frozen=True)
class Answer:
    """A right answer.

    Attributes:
        source: Its code without the ``@exercise`` line, after what it uses from its own cell; "" where the code could
            not be read.
        answered: When it was first right, in ISO 8601 with the time zone.
    """

    source: str
    answered: str


def progress_folder() -> Path:
    """Return the folder of the kept answers, whether or not it is there.

    It is the one in the environment variable ``CS231N_VIZ_PROGRESS``, else ``cs231n_viz/answers`` where the system
    keeps a user's data: ``~/.local/share`` on Linux, ``~/Library/Application Support`` on macOS, ``%LOCALAPPDATA%`` on
    Windows.

    Raises:
        FileNotFoundError: If the user has no home folder.
    """
    chosen = os.environ.get(VARIABLE)
    folder = Path(chosen) if chosen else user_data_path("cs231n_viz", appauthor=False) / "answers"
    try:
        folder = folder.expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(f"there is no home folder; {VARIABLE} may name another one") from error
    return folder.absolute()


def keep(name: str, function: Callable[..., Any]) -> str:
    """Keep a right answer; one with the same code keeps its time.

    Args:
        name: Of the exercise.
        function: The answer.

    Returns:
        "", or one sentence that says why it could not be kept.
    """
    try:
        before, complaint = kept(name)
        source = source_of(function)
        if before is None or before.source != source:
            path = progress_folder() / f"{name}.json"
            answer = Answer(source, datetime.now().astimezone().isoformat(timespec="seconds"))
            write_text_over(path, json.dumps(asdict(answer), indent=1))
    except Exception as error:  # whatever a disk, or the code of an answer, has in store
        return f"Only for now: it could not be kept for your next session ({error})."
    return complaint


def kept(name: str) -> tuple[Answer | None, str]:
    """Read the answer to an exercise; a damaged file is moved aside.

    Returns:
        The answer, None if there is none; and "" or one sentence that says what is wrong with its file.
    """
    try:
        path = progress_folder() / f"{name}.json"
        text = path.read_bytes().decode("utf-8")
        answer = Answer(**json.loads(text))
        datetime.fromisoformat(answer.answered)
        ast.parse(answer.source)
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"The answer to {name} could not be read ({error})."
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None, _move_aside(path, name)
    return answer, ""


def source_of(function: Callable[..., Any]) -> str:
    """Read the code of an answer that can be run elsewhere.

    Returns:
        Its ``def`` without the ``@exercise`` line, after the imports, functions, classes and constants of its own cell
        that it uses; "" if the code cannot be read, or is no ``def``.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    lines = linecache.getlines(code.co_filename, function.__globals__) if code else []
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _first_line(node) == code.co_firstlineno:
            statements = [*_used_by(node, tree.body), node] if node in tree.body else [node]
            return "\n\n".join(_without_exercise(part, lines) for part in statements)
    return ""


def missing_names(source: str, scope: Mapping[str, Any]) -> set[str]:
    """List the names that code takes from elsewhere, and that neither a scope nor Python has."""
    return {name for name in _read(ast.parse(source)) if name not in scope and not hasattr(builtins, name)}


def run_source(source: str, name: str, scope: dict[str, Any]) -> Callable[..., Any]:
    """Run the code of a kept answer.

    Args:
        source: As :func:`source_of` gave it.
        name: Of the exercise; error messages call the code so.
        scope: The names that it finds, and that its own are added to.

    Returns:
        The function that it defines.
    """
    filename = f"<your {name}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)  # so that errors and source_of see the lines
    exec(compile(source, filename, "exec"), scope)
    (*_, answer) = ast.parse(source).body
    return scope[answer.name]


def _used_by(answer: ast.FunctionDef, body: list[ast.stmt]) -> list[ast.stmt]:
    """The definitions at the top of a cell that an answer uses, and those that these use, in their order."""
    definitions = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    others = [node for node in body if isinstance(node, definitions) and node is not answer]
    used: list[ast.stmt] = []
    while True:
        read = set().union(*(_read(node) for node in [answer, *used]))
        more = [node for node in others if node not in used and _bound(node, inside=False) & read]
        if not more:
            return [node for node in others if node in used]
        used += more


def _read(tree: ast.AST) -> set[str]:
    """The names that code reads and never binds itself."""
    return _names(tree, ast.Load) - _bound(tree)


def _bound(tree: ast.AST, *, inside: bool = True) -> set[str]:
    """The names that code binds, those inside of its functions included or not."""
    found = set() if isinstance(tree, ast.FunctionDef | ast.ClassDef) and not inside else _names(tree, ast.Store)
    for node in ast.walk(tree) if inside else [tree]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _names(tree: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


def _first_line(node: ast.stmt) -> int:
    """The line that Python calls the first of a function: that of its first decorator."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def _without_exercise(node: ast.stmt, lines: list[str]) -> str:
    """The lines of a statement, without those of a decorator ``@exercise(...)``."""
    skipped: set[int] = set()
    for decorator in getattr(node, "decorator_list", []):
        called = getattr(decorator, "func", None)
        if getattr(called, "id", getattr(called, "attr", "")) == "exercise":
            skipped.update(range(decorator.lineno, decorator.end_lineno + 1))
    numbers = range(_first_line(node), node.end_lineno + 1)
    return textwrap.dedent("".join(lines[number - 1] for number in numbers if number not in skipped)).rstrip()


def _move_aside(path: Path, name: str) -> str:
    aside = path.with_name(f"{name}-damaged-{datetime.now():%Y-%m-%d-%H%M%S-%f}.txt")
    try:
        os.replace(path, aside)
    except OSError as error:
        return f"The kept answer to {name} is damaged, and could not be moved aside ({error})."
    return f"The kept answer to {name} was damaged; its file is now {aside.name} in {aside.parent}."
