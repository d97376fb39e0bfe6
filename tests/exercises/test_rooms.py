"""Where an exercise is found: one file, named as in its notebook and as its answers; and what that file may do."""

import ast
import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from cs231n_viz.exercises import ROOMS, find, names

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cs231n_viz"
ROOM_OF = {name: room for room, exercises in ROOMS.items() for name in exercises}


def modules(folder):
    """Room -> the names of its modules."""
    rooms = sorted(path for path in folder.iterdir() if path.name.startswith("n"))
    return {room.name: {path.stem for path in room.glob("*.py")} - {"__init__"} for room in rooms}


@pytest.mark.parametrize("folder", [PACKAGE / "exercises", ROOT / "tests" / "mutants"], ids=["exercises", "mutants"])
def test_one_exercise_is_one_file_and_one_file_of_answers(folder):
    assert modules(folder) == {room: set(exercises) for room, exercises in ROOMS.items()}


@pytest.mark.parametrize("name", names())
def test_an_exercise_has_the_name_of_its_file_and_its_function(name):
    entry = find(name)
    assert entry.name == name == entry.reference.__name__
    assert entry.reference.__module__ == f"cs231n_viz.exercises.{ROOM_OF[name]}.{name}"


@pytest.mark.parametrize("room", ROOMS)
def test_the_notebook_asks_for_the_exercises_of_its_room_in_this_order_with_stars_and_minutes(room):
    notebook = json.loads((ROOT / "notebooks" / f"{room.removeprefix('n')}.ipynb").read_text())
    code = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    asked = re.findall(r'^@exercise\("(\w+)"\)  # (.+)$', code, flags=re.MULTILINE)
    assert [name for name, _ in asked] == ROOMS[room]
    for name, effort in asked:
        assert find(name).header == f"{name}  {effort}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_a_docstring_and_nothing_else(room):
    (docstring,) = ast.parse((PACKAGE / "exercises" / room / "__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)


@pytest.mark.parametrize("name", names())
def test_no_expected_value_comes_from_the_reference(name):
    """Importing the module makes the checks, and must not call the reference."""
    path, calls = find(name).reference.__code__.co_filename, []

    def record(frame, event, _):
        if event == "call" and (frame.f_code.co_filename, frame.f_code.co_name) == (path, name):
            calls.append(frame.f_back.f_lineno)

    before = sys.getprofile()
    sys.setprofile(record)
    try:
        runpy.run_path(path)
    finally:
        sys.setprofile(before)
    assert not calls


def test_no_module_of_the_package_imports_the_exercises_and_they_import_no_method():
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        if path.is_relative_to(PACKAGE / "exercises"):
            assert not re.search(r"^(import|from) cs231n_viz(?!\.(exercises|writing)\b)", text, flags=re.MULTILINE), (
                path
            )
        else:
            assert not re.search(r"(import|from) .*\bexercises\b", text), path
