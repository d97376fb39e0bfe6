"""The code of a notebook: which function answers which exercise, and what that function needs of the cells above."""

import ast
import json
import re
import symtable
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LARGEST = 50_000_000  # bytes; a notebook of the course with all its outputs has 2 million

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Cell:
    """A code cell: where it stands, and what it says.

    Attributes:
        place: For messages and tracebacks, such as ``05.ipynb, cell 12``; cells count from 1, text cells included.
        source: As written.
        body: Its statements; empty if it is not Python.
        error: Why it is not Python, or "".
    """

    place: str
    source: str
    body: tuple[ast.stmt, ...]
    error: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer to an exercise.

    Attributes:
        exercise: Name of the exercise.
        cell: The cell that it stands in.
        function: The decorated function, without the decorator.
        needs: Statements of the cells above that it cannot do without, in order, each with the place of its cell.
        others: Names that it takes from other exercises -> names of these exercises.
        error: Why there is no function, or "".
    """

    exercise: str
    cell: Cell
    function: Function | None = None
    needs: tuple[tuple[str, ast.stmt], ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    error: str = ""


def read_cells(path: Path) -> list[Cell]:
    """Read the code cells of a notebook.

    Raises:
        ValueError: If the file is no notebook.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} has more than {LARGEST // 1_000_000} MB; clear its outputs")
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
        sources = [(kind, source if isinstance(source, str) else "".join(source)) for kind, source in cells]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path.name} is not a Jupyter notebook (format 4): {error}") from None
    return [
        parsed(f"{path.name}, cell {number}", source)
        for number, (kind, source) in enumerate(sources, start=1)
        if kind == "code"
    ]


def parsed(place: str, source: str) -> Cell:
    """Parse the source of a cell; lines for IPython alone (``%matplotlib inline``, ``!pip install``) are left out."""
    problem = ""
    for text in (source, re.sub(r"^( *)[%!].*$|^( *).*\?$", r"\1\2pass", source, flags=re.MULTILINE)):
        try:
            tree = ast.parse(text, place)
            ast.unparse(tree)  # here what is nested too deeply is the error of one cell, later of all
            return Cell(place, source, tuple(tree.body))
        except SyntaxError as error:
            problem = f"line {error.lineno}: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:  # null bytes, thousands of brackets
            problem = str(error) or type(error).__name__
    return Cell(place, source, (), problem)


def exercise_of(node: ast.stmt) -> str | None:
    """The name in ``@exercise("name")`` above a function, also as ``@viz.exercises.exercise("name")``; else None."""
    for decorator in node.decorator_list if isinstance(node, Function) else ():
        if isinstance(decorator, ast.Call):
            called = decorator.func
            named = [*decorator.args, *(keyword.value for keyword in decorator.keywords)]
            if getattr(called, "attr", getattr(called, "id", "")) == "exercise" and named:
                return named[0].value if isinstance(getattr(named[0], "value", None), str) else None
    return None


def answers(cells: Sequence[Cell]) -> dict[str, Answer]:
    """Find the answers in a notebook: exercise -> answer, the last one where there are several."""
    found, above, taken = {}, [], {}
    for cell in cells:
        if cell.error:
            for name in re.findall(r"^@[\w.]*exercise\([\"'](\w+)[\"']", cell.source, re.MULTILINE):
                found[name] = Answer(name, cell, error=f"the cell is not Python: {cell.error}")
        for node in cell.body:
            name = exercise_of(node)
            if name:
                needs, others = needed_by(node, above, taken)
                found[name] = Answer(name, cell, _undecorated(node), tuple(needs), tuple(others.items()))
                taken[node.name] = name
            else:
                above.append((cell.place, node))
    return found


def needed_by(
    function: Function, above: Sequence[tuple[str, ast.stmt]], taken: dict[str, str]
) -> tuple[list[tuple[str, ast.stmt]], dict[str, str]]:
    """The statements above that bind or change what a function reads, and what these read in turn.

    Args:
        function: Its own name and the decorator do not count.
        above: Statements, each with its place.
        taken: Names of functions that answer exercises -> names of these exercises.

    Returns:
        The statements, in order, and those of ``taken`` that are read.
    """
    statements = [(place, node, bound_by(node) | changed_by(node)) for place, node in above]
    wanted, waiting = set(), read_by(_undecorated(function)) - {function.name}
    while waiting:
        wanted |= waiting
        more = [read_by(node) for _, node, names in statements if names & waiting - taken.keys()]
        waiting = set().union(*more) - wanted
    # The function of another exercise is its reference, as in a notebook where that one is still open.
    others = {name: taken[name] for name in wanted & taken.keys() if name != function.name}
    own = wanted - others.keys() - {function.name}
    return [(place, node) for place, node, names in statements if names & own], others


def read_by(node: ast.stmt) -> set[str]:
    """The global names that a statement reads, function bodies included; Python's own tables know the scopes."""
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    found = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    waiting = table.get_children()
    while waiting:
        inner = waiting.pop()
        found |= {symbol.get_name() for symbol in inner.get_symbols() if symbol.is_global()}
        waiting += inner.get_children()
    return found


def bound_by(node: ast.stmt) -> set[str]:
    """The names that a statement binds at the top level of a notebook."""
    found = set()
    for part in _same_scope(node):
        if isinstance(part, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in part.names}
        elif isinstance(part, Function | ast.ClassDef):
            found.add(part.name)
        elif isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            found.add(part.id)
    return found


def changed_by(node: ast.stmt) -> set[str]:
    """The names whose objects a statement changes: ``a[0] = 1``, ``a.b = 1``, and calls such as ``a.append(1)``."""
    targets = [
        part
        for part in _same_scope(node)
        if isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load)
    ]
    calls = [part.value.func for part in _same_scope(node) if isinstance(part, ast.Expr) and _is_method(part.value)]
    return {_root(part) for part in [*targets, *calls]} - {""}


def _is_method(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a statement that run where it stands: not the bodies of functions, classes and comprehensions."""
    yield node
    closed = (Function, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    children: Iterable[ast.AST] = () if isinstance(node, closed) else ast.iter_child_nodes(node)
    for child in children:
        yield from _same_scope(child)


def _undecorated(node: Function) -> Function:
    others = [one for one in node.decorator_list if not (isinstance(one, ast.Call) and _names_exercise(one))]
    bare = type(node)(**{**dict(ast.iter_fields(node)), "decorator_list": others})
    return ast.copy_location(bare, node)


def _names_exercise(decorator: ast.Call) -> bool:
    return getattr(decorator.func, "attr", getattr(decorator.func, "id", "")) == "exercise"
