"""Grading: right answers get their points, wrong and hostile ones lose theirs, and nobody else loses anything."""

import ast
import csv
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from cs231n_viz.exercises import ROOMS, find
from cs231n_viz.exercises import __main__ as command
from cs231n_viz.exercises.grading import run
from cs231n_viz.exercises.grading.cells import answers, parsed, read_cells
from cs231n_viz.exercises.grading.judging import MISSING, RIGHT, WRONG, verdict
from cs231n_viz.exercises.grading.pages import gradescope, page, table
from cs231n_viz.exercises.grading.values import Foreign, decode, decode_error, encode, encode_error
from tests.exercises.classroom import HOSTILE, hand_in, hostile, mutants, references

ROOM = "n00_cnn_review"
POINTS = {name: find(name).points for name in ROOMS[ROOM]}
FULL = sum(POINTS.values())


def cells(*sources):
    return [parsed(f"x.ipynb, cell {number}", text) for number, text in enumerate(sources, start=1)]


def needed(*sources):
    """The statements that the answer to `top_k` in these cells needs, as written by `ast.unparse`."""
    return [ast.unparse(node) for _, node in answers(cells(*sources))["top_k"].needs]


# --- finding answers


def test_an_answer_is_found_with_the_imports_and_helpers_of_the_cells_above():
    found = needed(
        "%matplotlib inline\nimport torch, os\nfrom torch import nn\nmodel = load()",
        "LIMIT = 3\ndef helper(x):\n    return other(x, LIMIT)",
        "def other(x, n):\n    return torch.sort(x, n)",
        'unused = 1\n@exercise("top_k")  # ★\ndef top_k(distances, k):\n    model = 1\n    return helper(distances)',
        "helper = None",
    )
    assert found == [
        "import torch, os",
        "LIMIT = 3",
        "def helper(x):\n    return other(x, LIMIT)",
        "def other(x, n):\n    return torch.sort(x, n)",
    ]


def test_what_changes_a_helper_is_needed_too():
    answer = '@viz.exercises.exercise("top_k")\ndef top_k(d, k):\n    return table[k]'
    assert needed("table = {}\ntable[1] = 2", "table.update(a=1)\nother = {}\nother[1] = 3", answer) == [
        "table = {}",
        "table[1] = 2",
        "table.update(a=1)",
    ]


def test_the_function_of_another_exercise_is_its_reference_and_the_last_answer_counts():
    first = '@exercise("pairwise_distances")\ndef distances_of(a, b):\n    return 0'
    twice = [f'@exercise("top_k")\ndef top_k(d, k):\n    return distances_of({n}, d)' for n in (1, 2)]
    found = answers(cells(first, *twice))
    assert found["top_k"].others == (("distances_of", "pairwise_distances"),)
    assert found["top_k"].cell.place == "x.ipynb, cell 3"


def test_a_cell_that_is_no_python_is_an_answer_with_a_reason():
    found = answers(cells('@exercise("top_k")\ndef top_k(d, k):\n    return (d', "%%bash\nls | wc"))
    assert "line 3" in found["top_k"].error


def test_a_cell_nested_too_deeply_is_the_error_of_that_cell_alone():
    right = '@exercise("top_k")\ndef top_k(d, k):\n    return d'
    deep = '@exercise("pca")\ndef pca(features, k):\n    return ' + "+".join(["1"] * 20_000)
    found = answers(cells(deep, right))
    assert found["pca"].error
    assert not found["top_k"].error


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cells": [1]}', '{"cells": [{"cell_type": "code"}]}', "[" * 100_000]
)
def test_what_is_no_notebook_is_said_to_be_none(text, tmp_path):
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(ValueError, match=r"a\.ipynb is not a Jupyter notebook"):
        read_cells(tmp_path / "a.ipynb")


# --- values on their way from one process to the other


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        2.5,
        float("inf"),
        "text",
        [1, (2.0, "a"), {3}],
        {"a": 1, 2: [None]},
        torch.tensor([[1.5, -2.0]], dtype=torch.float64),
        torch.arange(6).reshape(2, 3).T,
        torch.tensor(True),
        torch.zeros(0, 3),
        torch.tensor([1 + 2j]),
        torch.tensor([0.1], dtype=torch.bfloat16),
        np.arange(4.0).reshape(2, 2),
        np.float32(0.1),
    ],
)
def test_a_value_arrives_as_it_was(value):
    back = decode(json.loads(json.dumps(encode(value))))
    assert type(back) is type(value)
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        assert back.dtype == value.dtype
        assert back.shape == value.shape
        assert (back == value).all()
    else:
        assert back == value


class AlwaysEqual:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


def test_an_object_that_claims_to_equal_everything_arrives_as_what_it_looks_like():
    back = decode(encode([AlwaysEqual()]))
    assert isinstance(back[0], Foreign)
    assert back[0] != 3
    assert isinstance(decode(encode(torch.zeros(3_000_000))), Foreign)  # larger than any answer


@pytest.mark.parametrize(
    "text",
    [
        {"tensor": ["torch.float32", [2], "AAAA"]},
        {"array": ["O", [1], "", False]},
        {"code": "print()"},
        {"a": 1, "b": 2},
    ],
)
def test_what_no_answer_returned_is_refused(text):
    with pytest.raises(ValueError, match="not a value"):
        decode(text)


def test_an_error_keeps_its_name_its_base_and_its_message():
    class Mine(ValueError):
        pass

    back = decode_error(json.loads(json.dumps(encode_error(Mine("no")))))
    assert (type(back).__name__, str(back)) == ("Mine", "no")
    assert isinstance(back, ValueError)
    assert type(decode_error(encode_error(ZeroDivisionError("x")))) is ZeroDivisionError
    assert str(decode_error(encode_error(KeyError("a")))) == "'a'"


# --- hand-ins and files


def test_hand_ins_are_folders_or_notebooks(tmp_path):
    for name in ("ann/05.ipynb", "ann/more/06.ipynb", "ann/.ipynb_checkpoints/05.ipynb", "bob.ipynb", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "cem").mkdir()
    found = {handin.student: [path.name for path in handin.notebooks] for handin in run.find_handins(tmp_path)}
    assert found == {"ann": ["05.ipynb", "06.ipynb"], "bob": ["bob.ipynb"], "cem": []}
    with pytest.raises(run.GradingError, match="STUDENT"):
        run.find_handins(tmp_path / "cem")


def test_notebooks_that_count_are_those_named_or_handed_in(tmp_path):
    small(tmp_path / "a.ipynb", '@exercise("top_k")\ndef top_k(d, k):\n    return d')
    files = {tmp_path / "a.ipynb": ""}
    assert run._that_count(files, []) == ROOMS["n02_fc_features"]
    assert run._that_count(files, ["06_", "00"]) == [*ROOMS[ROOM], *ROOMS["n06_decomposition"]]
    with pytest.raises(run.GradingError, match=r"'7'.*07_class_visualization"):
        run._that_count(files, ["7"])
    small(tmp_path / "a.ipynb", "1 + 1")
    with pytest.raises(run.GradingError, match="no hand-in has a cell with @exercise"):
        run._that_count(files, [])


def test_a_reference_that_fails_here_stops_the_grading(tmp_path, monkeypatch):
    def all_wrong(tasks, jobs):
        for _, kept, _ in tasks:
            kept.parent.mkdir(parents=True)
            kept.write_text(json.dumps({"verdicts": [verdict(find("gram"), WRONG, ["✗ no"]).as_json()]}))
            yield

    monkeypatch.setattr(run, "_in_processes", all_wrong)
    with pytest.raises(run.GradingError, match=r"reference itself fails.*gram"):
        run._grade_reference(["gram"], tmp_path, run.Limits())
    assert not list((tmp_path / "verdicts").iterdir())  # tried again next time


def test_whatever_a_student_wrote_is_shown_as_text_and_is_no_formula():
    evil = "<script>alert(1)</script>"
    verdicts = (verdict(find("gram"), WRONG, [evil]), verdict(find("top_k"), RIGHT, ["✓ a"]))
    grade = run.Grade(f"=1+{evil}", verdicts, (evil,))
    assert "<script" not in page(grade)
    assert page(grade).count("&lt;script&gt;") == 4  # title, heading, remark, report
    assert not re.search(r"(src|href)=|@import|url\(", page(grade))
    *_, row = csv.reader(table([grade]).splitlines())
    assert row == [f"'=1+{evil}", "0", "1", "1", evil]


def test_gradescope_gets_points_and_report_of_each_exercise():
    verdicts = (verdict(find("gram"), RIGHT, ["✓ a"]), verdict(find("pca"), MISSING, []))
    results = gradescope(run.Grade("ann", verdicts))
    gram, pca = find("gram").points, find("pca").points
    assert results["score"] == gram
    assert [(one["score"], one["max_score"], one["status"]) for one in results["tests"]] == [
        (gram, gram, "passed"),
        (0, pca, "failed"),
    ]
    assert "✓ a" in results["tests"][0]["output"]


# --- a small class, through the command


ONE_THREAD = {**os.environ, **command._ONE_THREAD}
# The command, and a judge with less patience, again and again in one process: a new one would load PyTorch every time.
COMMANDS = """
import json, sys
from pathlib import Path
from cs231n_viz.exercises.__main__ import main
from cs231n_viz.exercises.grading import cells, judging, sandbox

def judge(hidden, *paths):
    limits = sandbox.Limits(memory=1 << 30, hidden=(Path(hidden),))
    found = {path: cells.answers(cells.read_cells(Path(path)))["parameter_count"] for path in paths}
    verdicts = {Path(path).stem: judging.judge(answer, limits, 1.0).as_json() for path, answer in found.items()}
    return json.dumps([verdicts, sandbox.has_namespaces()])

for line in sys.stdin:
    first, *arguments = json.loads(line)
    print("ended with", judge(*arguments) if first == "judge" else main([first, *arguments]), flush=True)
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where the answers of who grades are kept: nothing must come to lie there."""
    return tmp_path_factory.mktemp("grader") / "progress"


@pytest.fixture(scope="module")
def commanded(kept):
    """Call with the words of a command; returns what was printed, with what it ended with as its end."""
    environment = {**ONE_THREAD, "CS231N_VIZ_PROGRESS": str(kept)}
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([sys.executable, "-c", COMMANDS], **piped) as process:

        def command(*words):
            print(json.dumps([*map(str, words)]), file=process.stdin, flush=True)
            return "".join(iter_until(process.stdout, "ended with"))

        yield command
        process.stdin.close()


def iter_until(lines, start):
    """The lines up to the first that starts so."""
    for line in lines:
        yield line
        if line.startswith(start):
            return


def test_grading_starts_again_with_one_thread(monkeypatch):
    started = []
    monkeypatch.setattr(command.os, "environ", {"OMP_NUM_THREADS": "8"})
    monkeypatch.setattr(command.os, "execv", lambda *arguments: started.append(arguments))
    for _ in range(2):  # started so, it goes on
        command._in_one_thread(["grade", "hand-ins"])
    assert started == [(sys.executable, [sys.executable, "-m", "cs231n_viz.exercises", "grade", "hand-ins"])]
    assert command.os.environ["OMP_NUM_THREADS"] == "1"


def rows(out):
    with (out / "grades.csv").open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def small(path, *sources):
    """A hand-in of a few cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shared = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    path.write_text(json.dumps({"cells": [{**shared, "source": source} for source in sources]}))


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    """The hand-ins, and the points that each student deserves; who never ends would take too long here."""
    folder, right = tmp_path_factory.mktemp("class") / "hand-ins", references(ROOMS[ROOM])
    deserved = {"blank": 0, "reference": FULL}
    hand_in(folder, "blank", {}, [ROOM])
    hand_in(folder, "reference", right, [ROOM])
    mistaken = {name: mutants(ROOM, name)[0] for name in ("conv2d", "max_pool")}
    hand_in(folder, "mutant", {**right, **mistaken}, [ROOM])
    deserved["mutant"] = FULL - POINTS["conv2d"] - POINTS["max_pool"]
    for kind in HOSTILE.keys() - {"never-ends"}:
        small(folder / f"{kind}.ipynb", hostile(kind, folder), right["output_size"])
        deserved[kind] = POINTS["output_size"]
    small(folder / "zoe" / "a.ipynb", right["max_pool"])
    (folder / "zoe" / "b.ipynb").write_text("{")
    deserved["zoe"] = POINTS["max_pool"]
    return folder, deserved


@pytest.mark.slow
def test_a_class_gets_what_it_deserves_and_is_graded_once(classroom, commanded, kept, tmp_path):
    folder, deserved = classroom
    before = {path: path.read_bytes() for path in folder.rglob("*.ipynb")}
    assert commanded("grade", folder, "--out", tmp_path).endswith("ended with 0\n")
    assert {name: int(row["total"]) for name, row in rows(tmp_path).items() if name != "(points)"} == deserved
    assert rows(tmp_path)["(points)"]["total"] == str(FULL)
    assert rows(tmp_path)["mutant"]["conv2d"] == "0"
    assert "b.ipynb is not a Jupyter notebook" in rows(tmp_path)["zoe"]["remarks"]
    assert {path: path.read_bytes() for path in folder.rglob("*.ipynb")} == before
    assert not kept.exists()
    assert {path.stem for path in (tmp_path / "feedback").iterdir()} == deserved.keys()
    results = json.loads((tmp_path / "gradescope" / "patches" / "results.json").read_text())
    assert results["score"] == POINTS["output_size"]

    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "verdicts").iterdir()}
    small(folder / "zoe" / "b.ipynb", references(["conv2d"])["conv2d"])
    assert commanded("grade", folder, "--out", tmp_path).endswith("ended with 0\n")
    assert rows(tmp_path)["zoe"]["total"] == str(POINTS["max_pool"] + POINTS["conv2d"])
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "verdicts").iterdir()}
    assert {path for path in after if after[path] != first.get(path)} == after.keys() - first.keys()
    assert len(after) == len(first) + 1


# --- one answer at a time, with a second instead of thirty

HEAD = '@exercise("parameter_count")\ndef parameter_count(in_channels, out_channels, kernel, *, bias=True):\n    '
BODIES = {
    "right": "return out_channels * (in_channels * kernel**2 + bias)",
    "never-ends": "while True: pass",
    "cannot-be-interrupted": """\
import signal, time
    signal.setitimer(signal.ITIMER_REAL, 0)
    while True: time.sleep(1)""",
    "takes-the-solution": """\
from cs231n_viz.exercises import find
    return find("parameter_count").reference(in_channels, out_channels, kernel, bias=bias)""",
    "asks": "raise ValueError('read: ' + input())",
    "calls-home": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "reads-others": "import os; raise ValueError(str(os.listdir(HIDDEN)))",
    "writes-elsewhere": "open(HIDDEN + '/x', 'w')",
    "writes-here": "open('x', 'w').write('x'); import os; raise ValueError(str(os.listdir('.')))",
}


@pytest.fixture(scope="module")
def judged(commanded, tmp_path_factory):
    """Name of an answer -> verdict; whether there are namespaces; the folder that they should not see."""
    hidden, folder = tmp_path_factory.mktemp("hidden"), tmp_path_factory.mktemp("answers")
    (hidden / "secret").write_text("of another student")
    for name, body in BODIES.items():
        small(folder / f"{name}.ipynb", HEAD + body.replace("HIDDEN", repr(str(hidden))))
    small(folder / "other-defaults.ipynb", HEAD.replace("=True", "=False") + BODIES["right"])
    small(folder / "needs-a-broken-cell.ipynb", "\nbefore = 1 / 0", HEAD + "return before")
    small(folder / "uses-the-package.ipynb", "import cs231n_viz as viz\nfrom cs231n_viz.exercises import exercise",
          HEAD + "assert viz.__name__ and exercise\n    " + BODIES["right"])  # fmt: skip
    said = commanded("judge", hidden, *sorted(folder.iterdir()))
    return *json.loads(said.partition("ended with ")[2]), hidden


@pytest.mark.slow
def test_only_right_answers_are_right(judged):
    right = {name for name, one in judged[0].items() if one["status"] == RIGHT}
    assert right == {"right", "uses-the-package"}
    assert {one["points"] for name, one in judged[0].items() if name not in right} == {0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("never-ends", "line 3, `while True: pass`: it was still running when its time was over"),
        ("cannot-be-interrupted", "it was still running when its time was over"),
        ("takes-the-solution", "ImportError"),
        ("asks", "EOFError"),
        ("calls-home", "PermissionError: there is no network"),
        ("writes-here", "ValueError: ['x']"),
        ("other-defaults", "the defaults differ"),
        ("needs-a-broken-cell", "needs-a-broken-cell.ipynb, cell 1, line 2: ZeroDivisionError: division by zero"),
    ],
)
def test_the_report_says_what_happened(judged, name, text):
    assert text in judged[0][name]["text"]


@pytest.mark.slow
def test_an_answer_sees_no_other_hand_in_and_writes_nowhere_else(judged):
    verdicts, namespaces, hidden = judged
    if not namespaces:
        pytest.skip("this system has no namespaces, or keeps them for root")
    assert "ValueError: []" in verdicts["reads-others"]["text"]
    assert "Read-only file system" in verdicts["writes-elsewhere"]["text"]
    assert [path.name for path in hidden.iterdir()] == ["secret"]
