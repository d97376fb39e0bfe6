"""Hand-outs for a class, from the notebooks of the course: no outputs, no answers, a table of points."""

import ast
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

from cs231n_viz.exercises import find
from cs231n_viz.exercises.core import Entry
from cs231n_viz.exercises.grading.cells import exercise_of, parsed
from cs231n_viz.writing import write_text_over

Notebook = dict[str, Any]
_REVEAL = re.compile(r"^\s*(#\s*)*[\w.]*\breveal\(.*$")
_FOLD = re.compile(r"<details>.*?</details>", re.DOTALL)

# nbgrader looks for its settings here. It takes the points of a hidden test for a cell that raises nothing.
NBGRADER_SETTINGS = """\
import os
import tempfile

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "cs231n_viz"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ExecutePreprocessor.timeout = 600  # seconds a cell
# What students got right must not count as progress of whoever grades.
os.environ["CS231N_VIZ_PROGRESS"] = tempfile.mkdtemp()
"""


def make_assignments(notebooks: Path, out: Path, *, nbgrader: bool = False, answers: bool = False) -> list[Path]:
    """Make a hand-out of every notebook in a folder that has exercises.

    Args:
        notebooks: The notebooks of the course; they stay as they are.
        out: Gets the hand-outs; with ``nbgrader`` it becomes a course folder, with ``source/NAME/NAME.ipynb`` and
            ``nbgrader_config.py``.
        nbgrader: Mark the exercises and their tests as nbgrader wants them.
        answers: Leave the folds with answers below the questions, for a class that checks itself.

    Returns:
        The hand-outs.

    Raises:
        FileNotFoundError: If there is no notebook with exercises in the folder.
    """
    made = []
    for path in sorted(notebooks.glob("*.ipynb")):
        original = json.loads(path.read_text(encoding="utf-8"))
        if not _exercises(original):
            continue
        target = out / "source" / path.stem / path.name if nbgrader else out / path.name
        handed = hand_out(original, nbgrader=nbgrader, answers=answers)
        write_text_over(target, json.dumps(handed, indent=1, ensure_ascii=False) + "\n")
        made.append(target)
    if not made:
        raise FileNotFoundError(f"no notebook with exercises in {notebooks}; name the folder of the course's notebooks")
    if nbgrader:
        write_text_over(out / "nbgrader_config.py", NBGRADER_SETTINGS)
    return made


def hand_out(notebook: Notebook, *, nbgrader: bool = False, answers: bool = False) -> Notebook:
    """Turn a notebook of the course into a hand-out.

    Outputs are cleared, every exercise is a stub again, calls that show a solution are gone, the folds below the
    questions are a place for an answer, and a table of the exercises follows the title. Everything else stays: text,
    code, hints, explorers.

    Args:
        notebook: Notebook format 4, as read by ``json``; not changed.
        nbgrader: Add nbgrader's metadata, and after each exercise a hidden test that is worth its points.
        answers: Leave the folds as they are.
    """
    handed = deepcopy(notebook)
    handed["metadata"].pop("widgets", None)
    cells = []
    for cell in filter(_shows_no_solution, handed["cells"]):
        cells.append(cell)
        if cell["cell_type"] != "code":
            cell["source"] = _source(cell) if answers else _FOLD.sub("*Your answer:*", _source(cell))
            continue
        cell.update(outputs=[], execution_count=None)
        names = _exercises_of(cell)
        if names:
            cell["source"] = _stubs(_source(cell), solution_marks=nbgrader)
        if names and nbgrader:
            cell["metadata"]["nbgrader"] = _nbgrader(names[0], solution=True)
            cells += [_hidden_test(find(name)) for name in names]
    cells.insert(1, _markdown("assignment", _table([find(name) for name in _exercises(notebook)])))
    handed["cells"] = cells
    return handed


def _exercises(notebook: Notebook) -> list[str]:
    return [name for cell in notebook["cells"] if cell["cell_type"] == "code" for name in _exercises_of(cell)]


def _exercises_of(cell: dict[str, Any]) -> list[str]:
    return [name for node in parsed("", _source(cell)).body if (name := exercise_of(node))]


def _source(cell: dict[str, Any]) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def _stubs(source: str, *, solution_marks: bool) -> str:
    """Of a cell its imports and the exercises, emptied: decorator, signature, docstring, the comments after it."""
    body = parsed("", source).body
    imports = [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    stubs = [_stub(source.splitlines(), node, solution_marks) for node in body if exercise_of(node)]
    return "\n\n\n".join([*(["\n".join(imports)] if imports else []), *stubs])


def _stub(lines: list[str], node: ast.FunctionDef, solution_marks: bool) -> str:
    first, *_ = node.body
    documented = ast.get_docstring(node) is not None
    if first.lineno == node.lineno and not documented:  # def f(x): return x
        head = [*lines[node.decorator_list[0].lineno - 1 : node.lineno - 1]]
        head.append(lines[node.lineno - 1].encode()[: first.col_offset].decode().rstrip())
    else:
        end = first.end_lineno if documented else first.lineno - 1
        head = lines[node.decorator_list[0].lineno - 1 : end]
    body = ["raise NotImplementedError"]
    body = ["### BEGIN SOLUTION", *body, "### END SOLUTION"] if solution_marks else body
    return "\n".join([*head, *(" " * 4 + line for line in body)])


def _shows_no_solution(cell: dict[str, Any]) -> bool:
    """Take the calls of ``reveal`` out of a cell, commented out or not; False if neither code nor a hint is left."""
    if cell["cell_type"] != "code" or "reveal(" not in _source(cell):
        return True
    kept = [line for line in _source(cell).splitlines() if not _REVEAL.match(line)]
    cell["source"] = "\n".join(kept)
    return any("hint(" in line or (line.strip() and not line.strip().startswith("#")) for line in kept)


def _table(entries: list[Entry]) -> str:
    rows = [f"| `{one.name}` | {'★' * one.stars} | {one.minutes} | {one.points} |" for one in entries]
    minutes, points = sum(one.minutes for one in entries), sum(one.points for one in entries)
    return "\n".join(
        [
            "### The exercises",
            "",
            "| exercise | difficulty | minutes | points |",
            "|---|---|---:|---:|",
            *rows,
            f"| **together** | | **{minutes}** | **{points}** |",
            "",
            "Write each function in its cell and run it: the checks tell what is right, and what is not yet. "
            "A function may use imports and helpers from the cells above it.",
        ]
    )


def _markdown(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def _nbgrader(name: str, *, solution: bool, points: int = 0) -> dict[str, Any]:
    """Metadata of an answer, or of the test that is worth the points."""
    shared = {"grade_id": name, "schema_version": 3, "solution": solution, "task": False}
    return {**shared, "grade": not solution, "locked": not solution, **({} if solution else {"points": points})}


def _hidden_test(entry: Entry) -> dict[str, Any]:
    name = entry.name
    claim = f'"{name} is not right yet"'
    source = f"""\
# {name}: {entry.points} point{"s" * (entry.points > 1)}; nothing to write here
### BEGIN HIDDEN TESTS
from cs231n_viz.exercises import core, find

entry = find("{name}")
assert {name} is not entry.reference and core.examine(entry, {name})[0] is {name}, {claim}
### END HIDDEN TESTS"""
    metadata = {"nbgrader": _nbgrader(f"{name}-points", solution=False, points=entry.points)}
    shared = {"cell_type": "code", "id": f"{name}-points".replace("_", "-"), "execution_count": None, "outputs": []}
    return {**shared, "metadata": metadata, "source": source}
