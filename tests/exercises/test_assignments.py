"""Hand-outs: the course's notebooks without outputs and answers; with nbgrader, its own workflow gives the points."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from cs231n_viz.exercises import ROOMS, find, names
from cs231n_viz.exercises.__main__ import main
from cs231n_viz.exercises.assignments import hand_out, make_assignments
from tests.exercises.classroom import NOTEBOOKS, answered, asked_in, references


def read(path):
    return json.loads(path.read_text())


def source(cell):
    return "".join(cell["source"])


def code(notebook):
    return {cell["id"]: source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return {path.stem: path for path in make_assignments(NOTEBOOKS, tmp_path_factory.mktemp("plain"))}


@pytest.mark.parametrize("room", ROOMS)
def test_a_hand_out_is_the_notebook_without_outputs_and_solutions(room, plain):
    path = plain[room.removeprefix("n")]
    nbformat.validate(nbformat.read(path, as_version=4))
    handed, original = read(path), read(NOTEBOOKS / path.name)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in handed["cells"])
    assert "reveal(" not in path.read_text()
    assert path.stat().st_size < 200_000
    shown = {key: text for key, text in code(original).items() if "reveal(" in text}
    hints = {key: [line for line in text.splitlines() if "hint(" in line] for key, text in shown.items()}
    left = {key: "\n".join(lines) for key, lines in hints.items() if lines}
    assert {key: text for key, text in code(original).items() if key not in shown} | left == code(handed)


def prose(notebook):
    return {cell["id"]: source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"}


@pytest.mark.parametrize("room", ROOMS)
def test_the_questions_of_a_hand_out_have_no_answers_unless_these_are_asked_for(room, plain):
    handed, original = read(plain[room.removeprefix("n")]), read(NOTEBOOKS / f"{room.removeprefix('n')}.ipynb")
    before, after = prose(original), prose(handed)
    assert [key for key in after if key != "assignment"] == list(before)
    asked = [key for key, text in before.items() if "<details>" in text]
    assert asked
    assert {key: text for key, text in before.items() if key not in asked} == {
        key: after[key] for key in before.keys() - asked
    }
    for key in asked:
        outside = re.split(r"<details>[\s\S]*?</details>", before[key])
        assert after[key].split("*Your answer:*") == outside
    kept = prose(hand_out(original, answers=True))
    assert {key: kept[key] for key in before} == before


@pytest.mark.parametrize("room", ROOMS)
def test_the_table_at_the_top_lists_what_the_exercise_cells_say(room, plain):
    notebook = read(plain[room.removeprefix("n")])
    table = source(notebook["cells"][1])
    asked = re.findall(r'@exercise\("(\w+)"\)  # (★+) · (\d+) min · (\d+) point', "\n".join(code(notebook).values()))
    assert len(asked) == len(ROOMS[room])
    for name, stars, minutes, points in asked:
        assert f"| `{name}` | {stars} | {minutes} | {points} |" in table
    minutes, points = (sum(int(row[column]) for row in asked) for column in (2, 3))
    assert f"| **together** | | **{minutes}** | **{points}** |" in table


@pytest.mark.parametrize("room", ["n05_class_activation", "n10_texture"])
def test_answers_in_an_instructors_copy_are_emptied(room):
    filled = answered(room, references(ROOMS[room]))
    filled["cells"].append({"cell_type": "code", "metadata": {}, "source": "1 + 1\nviz.exercises.reveal('gram')"})
    after = code(hand_out({**filled, "cells": [{"id": "x", **cell} for cell in filled["cells"]]}))
    for name in ROOMS[room]:
        (cell,) = [text for text in after.values() if f'@exercise("{name}")' in text]
        assert cell.rstrip().endswith('"""\n    raise NotImplementedError')
        assert "return" not in cell.split('"""')[-1]
        assert compile(cell, name, "exec")
    assert after["x"] == "1 + 1"


@pytest.mark.parametrize(
    ("cell", "stub"),
    [
        ('@exercise("top_k")\ndef top_k(d, k): return d.topk(k)', '@exercise("top_k")\ndef top_k(d, k):\n'),
        (
            '@exercise("top_k")  # ★\ndef top_k(\n    d, k\n):\n    # -> (Q, k)\n    return d.topk(k)\n\nhelper = 1',
            '@exercise("top_k")  # ★\ndef top_k(\n    d, k\n):\n    # -> (Q, k)\n',
        ),
        (
            '@exercise("top_k")\ndef top_k(d, k):\n    """Do."""\n    return 1',
            '@exercise("top_k")\ndef top_k(d, k):\n    """Do."""\n',
        ),
    ],
)
def test_a_stub_keeps_signature_comments_and_docstring(cell, stub):
    cells = [{"cell_type": "markdown", "source": "# T"}, {"cell_type": "code", "metadata": {}, "source": [cell]}]
    handed = hand_out({"cells": cells, "metadata": {}})
    assert handed["cells"][-1]["source"] == stub + "    raise NotImplementedError"


def test_with_nbgrader_each_exercise_is_followed_by_a_hidden_test_worth_its_points(tmp_path):
    seen = []
    for path in make_assignments(NOTEBOOKS, tmp_path, nbgrader=True):
        assert path == tmp_path / "source" / path.stem / path.name
        notebook = read(path)
        nbformat.validate(nbformat.read(path, as_version=4))
        for number, cell in enumerate(notebook["cells"]):
            asked = asked_in(cell)
            tests = notebook["cells"][number + 1 : number + 1 + len(asked)]
            for name, test in zip(asked, tests, strict=True):
                worth = test["metadata"]["nbgrader"]
                assert (worth["solution"], worth["grade"], worth["locked"]) == (False, True, True)
                assert (worth["grade_id"], worth["points"]) == (f"{name}-points", find(name).points)
                assert source(test).count("HIDDEN TESTS") == 2
                assert "### BEGIN SOLUTION\n    raise NotImplementedError\n    ### END SOLUTION" in source(cell)
            if asked:
                marks = cell["metadata"]["nbgrader"]
                assert (marks["solution"], marks["grade"], marks["locked"]) == (True, False, False)
            seen += asked
    assert seen == names()


def test_a_folder_without_notebooks_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path))):
        make_assignments(tmp_path, tmp_path / "out")


@pytest.mark.slow
def test_the_command_makes_hand_outs_or_says_why_not(tmp_path, capsys):
    assert main(["assignments", "--notebooks", str(NOTEBOOKS), "--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{room.removeprefix('n')}.ipynb" for room in ROOMS}
    assert capsys.readouterr().out == f"{len(ROOMS)} hand-outs lie in {tmp_path}\n"
    assert main(["assignments", "--answers", "--notebooks", str(NOTEBOOKS), "--out", str(tmp_path)]) == 0
    assert all("<details>" in path.read_text() for path in tmp_path.iterdir())
    capsys.readouterr()
    assert main(["assignments", "--notebooks", str(tmp_path / "none")]) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err


def nbgrader(folder, *arguments):
    """With one of its commands; the kernel is this Python."""
    kernel = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True, exist_ok=True)
    started = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": started, "display_name": "Python 3", "language": "python"}))
    first = {"PATH": os.path.dirname(sys.executable), "JUPYTER_PATH": str(folder / "jupyter")}
    paths = {name: os.pathsep.join(filter(None, [place, os.environ.get(name)])) for name, place in first.items()}
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **paths}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("nbgrader"), reason="needs nbgrader: pip install -e .[nbgrader]")
def test_nbgraders_own_workflow_gives_the_points(tmp_path):
    course, name = tmp_path / "course", "06_decomposition"
    (path,) = [one for one in make_assignments(NOTEBOOKS, course, nbgrader=True) if one.stem == name]
    notebook = read(path)  # the setup and the exercises: the pictures between them take a minute
    notebook["cells"] = [
        cell for cell in notebook["cells"] if "nbgrader" in cell["metadata"] or cell["metadata"].get("tags")
    ]
    path.write_text(json.dumps(notebook))
    nbgrader(course, "generate_assignment", name)
    released = read(course / "release" / name / f"{name}.ipynb")
    assert not re.search("HIDDEN|SOLUTION|assert", json.dumps(released))
    right = references(["lrp_linear", "deep_lift_multiplier"])
    students = {"blank": {}, "half": {"lrp_linear": right["lrp_linear"]}, "all": right}
    for student, answers in students.items():
        handed = json.loads(json.dumps(released))
        for cell in handed["cells"]:
            cell["source"] = answers.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"])
        target = course / "submitted" / student / name / f"{name}.ipynb"
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(handed))
    nbgrader(course, "autograde", name)
    nbgrader(course, "generate_feedback", name)
    nbgrader(course, "export")
    header, *rows = [line.split(",") for line in (course / "grades.csv").read_text().splitlines()]
    scores = {row[header.index("student_id")]: float(row[header.index("score")]) for row in rows}
    assert scores == {"blank": 0, "half": 2, "all": 3}
    assert all((course / "feedback" / student / name / f"{name}.html").exists() for student in students)
