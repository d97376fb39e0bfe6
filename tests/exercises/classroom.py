"""A class to be graded: hand-outs filled with right answers, with those of ``tests/mutants``, and with hostile ones.

``python -m tests.exercises.classroom FOLDER`` writes the hand-ins of thirty students, fourteen notebooks each.
"""

import ast
import inspect
import json
import re
import sys
from copy import deepcopy
from importlib import import_module
from itertools import cycle
from pathlib import Path

from cs231n_viz.exercises import ROOMS, find
from cs231n_viz.exercises.assignments import hand_out
from cs231n_viz.exercises.grading.cells import exercise_of
from cs231n_viz.exercises.grading.reference import answer_of

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

# Bodies of an answer to `parameter_count`. None could harm more than the class itself, were it not held back.
HOSTILE = {
    "leaves": "import sys; sys.exit(0)",
    "leaves-at-once": "import os; os._exit(0)",
    "never-ends": "while True: pass",
    "forks": """\
import os, time
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)""",
    "talks": "for _ in range(10_000): print('x' * 100_000)",
    "patches": """\
import sys, torch
    core = sys.modules["cs231n_viz.exercises.core"]
    core.passes = core._same = lambda *_: True
    core._judge = lambda *_: (True, ["all is well"])
    sys.modules["cs231n_viz.exercises.compare"].equal = torch.equal = torch.allclose = lambda *_, **__: True""",
    "deletes": """\
import os, shutil
    for folder in (".", os.environ["TMPDIR"], HANDINS):
        shutil.rmtree(folder, ignore_errors=True)""",
    "hoards": "import torch\n    kept = [torch.ones(10_000_000) for _ in range(100)]",
    "kills": """\
import os, signal
    for process in (os.getppid(), 0):
        try: os.kill(process, signal.SIGKILL)
        except OSError: pass""",
    "forges": """\
import os
    for number in range(3, 64):
        try: os.write(number, b'{"right": true}\\n{"status": "right", "points": 99}\\n')
        except OSError: pass
    os._exit(0)""",
}


def answered(room, answers, student=""):
    """The hand-in of a student: the hand-out of a notebook, its exercises replaced by cells of code.

    Args:
        room: As in ``ROOMS``.
        answers: Exercise -> source of a cell; what is missing stays a stub.
        student: Stands in a comment, so that no two hand-ins are the same file.
    """
    original = json.loads((NOTEBOOKS / f"{room.removeprefix('n')}.ipynb").read_text())
    notebook = hand_out(original)
    for cell in notebook["cells"]:
        given = [answers[name] for name in asked_in(cell) if name in answers]
        if given:
            cell["source"] = "\n\n".join([f"# {student}", *given])
    return notebook


def asked_in(cell):
    """The exercises of a cell, one or more."""
    return re.findall(r'^@exercise\("(\w+)"\)', "".join(cell["source"]), re.MULTILINE) * (cell["cell_type"] == "code")


def references(names):
    return {name: answer_of(find(name)) for name in names}


def hostile(kind, folder):
    body = HOSTILE[kind].replace("HANDINS", repr(str(folder)))
    head = '@exercise("parameter_count")\ndef parameter_count(in_channels, out_channels, kernel, *, bias=True):'
    return f"{head}\n    {body}\n    return 1\n"


def mutants(room, name):
    """Wrong answers to an exercise, each as the source of a cell with the helpers that it needs."""
    module = import_module(f"tests.mutants.{room}.{name}")
    tree = ast.parse(inspect.getsource(module))
    wrong = {function.__name__ for function, _ in module.answers.wrongs}
    bare = deepcopy(tree)
    bare.body = [node for node in bare.body if "answers" not in ast.unparse(node).lower() or hasattr(node, "name")]
    for node in bare.body:
        if hasattr(node, "decorator_list"):
            node.decorator_list = []
    if "tests" in ast.unparse(bare):  # takes something of another module of the tests
        return []
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in wrong and exercise_of(node) is None:
            own = ast.FunctionDef(**{**dict(ast.iter_fields(node)), "name": name, "decorator_list": []})
            asked = f'@exercise("{name}")\n{ast.unparse(ast.fix_missing_locations(own))}'
            found.append(f"{ast.unparse(bare)}\n\n{asked}\n")
    return found


def hand_in(folder, student, answers, rooms=tuple(ROOMS)):
    for room in rooms:
        path = folder / student / f"{room.removeprefix('n')}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(answered(room, answers, student)))


def class_of_thirty(folder):
    """Write the hand-ins of a class; returns the points that each student deserves."""
    every = [(room, name) for room, names in ROOMS.items() for name in names]
    right = references(name for _, name in every)
    full = sum(find(name).points for name in right)
    wrong = {name: cycle(mutants(room, name)) for room, name in every if mutants(room, name)}
    deserved = {"blank": 0, "reference": full}
    hand_in(folder, "blank", {})
    hand_in(folder, "reference", right)
    for number in range(18):
        mistaken = {name: next(wrong[name]) for place, name in enumerate(wrong) if (place + number) % 10 == 0}
        hand_in(folder, f"student-{number:02}", {**right, **mistaken})
        deserved[f"student-{number:02}"] = full - sum(find(name).points for name in mistaken)
    for kind in HOSTILE:
        hand_in(folder, kind, {**right, "parameter_count": hostile(kind, folder)})
        deserved[kind] = full - find("parameter_count").points
    return deserved


if __name__ == "__main__":
    place = Path(sys.argv[1]).resolve()
    (place.parent / "deserved.json").write_text(json.dumps(class_of_thirty(place), indent=1))
