"""Right answers are kept between sessions, whatever the disk does; the map shows what is done; hints come in steps."""

import json
import linecache
import multiprocessing
import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import count
from pathlib import Path

import platformdirs
import pytest

import cs231n_viz as viz
from cs231n_viz.exercises import ROOMS, exercise, find, hint, names, progress, progress_folder, record, restore
from cs231n_viz.exercises.course_map import PARTS

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[2]
RIGHT = """\
@exercise("output_size")  # a comment
def output_size(size, *, kernel, stride=1, padding=0):
    free = size + 2 * padding - kernel
    if free < 0 or free % stride:
        raise ValueError("does not fit")
    return free // stride + 1
"""
HELPED = """\
import operator
ONE = 1
unused = print("a side effect")

def positions(free, stride):
    return operator.floordiv(free, stride) + ONE

"""
# The same with a helper, a constant and an import of its own cell.
WITH_HELPER = HELPED + RIGHT.replace("free // stride + 1", "positions(free, stride)")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CS231N_VIZ_PROGRESS", str(tmp_path / "kept"))
    monkeypatch.setattr(viz.exercises, "_hints_given", {})
    return tmp_path / "kept"


def run_cell(source, scope=None, numbers=count()):  # noqa: B008
    """As IPython does: every cell is a file of its own, whose lines Python can look up."""
    name = f"<cell {next(numbers)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    scope = {"exercise": exercise, "restore": restore} if scope is None else scope
    exec(compile(source, name, "exec"), scope)
    return scope


def test_a_right_answer_is_taken_up_in_a_new_session(folder, capsys):
    mine = run_cell(RIGHT)["output_size"]
    assert mine is not find("output_size").reference
    capsys.readouterr()
    scope = run_cell('restore("output_size")')  # nothing else is defined there
    assert scope["output_size"] not in (mine, find("output_size").reference)
    assert scope["output_size"](227, kernel=11, stride=4) == 55
    assert capsys.readouterr().out.splitlines()[-1] == "Right: your output_size is used from here on."


def test_what_an_answer_uses_of_its_own_cell_comes_with_it_and_nothing_else(capsys):
    run_cell(WITH_HELPER)
    capsys.readouterr()
    scope = run_cell('restore("output_size")')
    assert scope["output_size"](7, kernel=3) == 5
    assert scope["ONE"] == 1
    assert "unused" not in scope
    assert "side effect" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "source",
    [
        RIGHT.replace("@exercise", "@viz.exercises.exercise"),
        RIGHT.replace('@exercise("output_size")  # a comment', '@exercise(\n    "output_size"\n)\n@plain'),
        RIGHT.replace("def output_size", "def mine"),
        "if True:\n" + "".join(f"    {line}\n" for line in RIGHT.splitlines()),
    ],
    ids=["by its full name", "other decorators", "another name", "indented"],
)
def test_answers_that_are_written_in_another_way_are_taken_up_too(source):
    decorators = {"exercise": exercise, "restore": restore, "viz": viz, "plain": lambda function: function}
    run_cell(source, dict(decorators))
    scope = run_cell('restore("output_size")', dict(decorators))
    assert scope["output_size"](7, kernel=3) == 5


def test_names_that_are_missing_are_named_and_nothing_is_bound():
    run_cell(
        RIGHT.replace("free // stride + 1", "quotient(free, stride) + conv2d"),
        {"exercise": exercise, "quotient": lambda a, b: a // b, "conv2d": 1},
    )
    scope = {"restore": restore}
    with pytest.raises(NameError, match=r'your output_size uses conv2d, quotient, .*restore\("conv2d"\)$'):
        run_cell('restore("output_size")', scope)
    assert "output_size" not in scope
    scope |= {"quotient": lambda a, b: a // b, "conv2d": 1}
    assert run_cell('restore("output_size")', scope)["output_size"](7, kernel=3) == 5


def test_without_a_kept_answer_the_error_says_where_to_write_one():
    with pytest.raises(LookupError, match=r'no right answer to gram was kept; run its cell, @exercise\("gram"\)'):
        restore("gram")
    with pytest.raises(ValueError, match="the closest: gram"):
        restore("gramm")


def test_an_answer_whose_code_cannot_be_read_counts_but_is_not_taken_up():
    exercise("output_size")(
        eval(
            "lambda size, *, kernel, stride=1, padding=0: ref(size, kernel=kernel, stride=stride, padding=padding)",
            {"ref": find("output_size").reference},
        )
    )
    assert list(progress().done) == ["output_size"]
    with pytest.raises(LookupError, match="with its code"):
        restore("output_size")


def test_a_kept_answer_that_fails_the_checks_is_reported_and_the_reference_bound(folder, capsys):
    run_cell(RIGHT)
    path = folder / "output_size.json"
    path.write_text(path.read_text().replace("2 * padding", "padding"))
    scope = run_cell('restore("output_size")')
    assert scope["output_size"] is find("output_size").reference
    assert "padding is counted once" in capsys.readouterr().out


def test_wrong_and_missing_answers_keep_nothing_and_erase_nothing(folder):
    run_cell(RIGHT.replace("2 * padding", "padding"))
    run_cell('@exercise("gram")\ndef gram(features, normalize=True):\n    raise NotImplementedError')
    assert not folder.exists()
    run_cell(RIGHT)
    before = (folder / "output_size.json").read_text()
    run_cell(RIGHT.replace("2 * padding", "padding"))
    assert (folder / "output_size.json").read_text() == before


def test_the_same_answer_keeps_its_time_and_another_right_one_takes_its_place(folder):
    run_cell(RIGHT)
    path = folder / "output_size.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"answered": "2001-02-03T04:05:06+00:00"}))
    run_cell(RIGHT)
    assert progress().done == {"output_size": "2001-02-03T04:05:06+00:00"}
    run_cell(WITH_HELPER)
    assert "positions" in json.loads(path.read_text())["source"]
    assert progress().done["output_size"] > "2026"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"source": 3, "answered": "2026-01-01"}',
        b'{"source": ""}',
        b"\xff\xfe",
        b"[" * 10**5,
        b'{"source": "def f(:", "answered": "2026-01-01"}',
        b'{"source": "", "answered": "yesterday"}',
    ],
)
def test_a_damaged_file_is_moved_aside_with_one_sentence(folder, capsys, content):
    folder.mkdir()
    (folder / "output_size.json").write_bytes(content)
    run_cell(RIGHT)
    last = capsys.readouterr().out.splitlines()[-1]
    (aside,) = folder.glob("output_size-damaged-*")
    assert aside.read_bytes() == content
    assert last == f"The kept answer to output_size was damaged; its file is now {aside.name} in {folder}."
    assert progress().notes == []
    assert list(progress().done) == ["output_size"]


def test_the_map_says_so_too_and_stands(folder):
    folder.mkdir()
    (folder / "gram.json").write_bytes(b"{")
    shown = progress()
    assert shown.total.exercises == (0, len(names()))
    assert "The kept answer to gram was damaged" in repr(shown)
    assert "The kept answer to gram was damaged" in shown._repr_html_()


def test_a_place_that_cannot_be_written_costs_one_sentence(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CS231N_VIZ_PROGRESS", str(tmp_path / "file" / "kept"))
    assert run_cell(RIGHT)["output_size"] is not find("output_size").reference
    *_, right, last = capsys.readouterr().out.splitlines()
    assert right == "Right: your output_size is used from here on."
    assert last.startswith("Only for now: it could not be kept for your next session (")
    assert progress().total.exercises[0] == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_costs_one_sentence(folder, capsys):
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert run_cell(RIGHT)["output_size"] is not find("output_size").reference
    assert "could not be kept" in capsys.readouterr().out.splitlines()[-1]


def test_without_a_home_nothing_is_written_beside_the_notebook(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CS231N_VIZ_PROGRESS")
    monkeypatch.setattr("cs231n_viz.exercises.record.user_data_path", lambda *_, **__: Path("~/.local/share/x"))

    def no_home(path):  # what Python does where it finds none
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    run_cell(RIGHT)
    assert "there is no home folder; CS231N_VIZ_PROGRESS may name another one" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_answers_lie_with_the_users_data_unless_told_otherwise(monkeypatch, folder):
    assert progress_folder() == folder
    monkeypatch.delenv("CS231N_VIZ_PROGRESS")
    assert progress_folder() == platformdirs.user_data_path("cs231n_viz", appauthor=False) / "answers"


def test_the_tests_keep_nothing_where_the_users_answers_are():
    """Also the processes that they start: nbval's kernels, JupyterLab."""
    code = "import tests, os; print(os.environ['CS231N_VIZ_PROGRESS'])"
    told = {**os.environ, "CS231N_VIZ_PROGRESS": "the user's own"}
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=told, capture_output=True, text=True, check=True)
    assert "cs231n_viz-progress-" in ran.stdout


def session(both, own):
    """Keep an answer to each of some exercises, in a process that begins when the other one does."""
    both.wait(60)
    for name in own:
        scope = {}
        exec(f"def answer(): return {name!r}", scope)
        assert record.keep(name, scope["answer"]) == ""


def test_two_sessions_at_the_same_time_lose_nothing(folder):
    first, second = names()[:30], names()[20:]  # ten of them by both
    # Forked where that can be: a new interpreter would first load PyTorch.
    start = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    both = start.Barrier(2)
    sessions = [start.Process(target=session, args=(both, own)) for own in (first, second)]
    for process in sessions:
        process.start()
    for process in sessions:
        process.join(60)
    assert [process.exitcode for process in sessions] == [0, 0]
    assert set(progress().done) == set(names())
    assert progress().notes == []
    assert {path.suffix for path in folder.iterdir()} == {".json"}  # nothing half written is left


class Table(HTMLParser):
    """Rows of cells as text; addresses; complains about tags that are not closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.links, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "a":
            self.links.append(dict(attributes)["href"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.rows and "table" in self.open:
            self.rows[-1][-1] += data


def test_the_map_has_a_row_for_each_notebook_with_what_is_done_and_left():
    run_cell(RIGHT)
    table = Table(progress()._repr_html_())
    rows = {row[0]: row[1:] for row in table.rows if len(row) == 4}
    assert rows["00 What does a convolution layer compute?"] == [
        "○ conv2d ★★★ ✓ output_size ★ ○ parameter_count ★ ○ max_pool ★★ ○ receptive_field ★★",
        "1 of 9",
        "5 done, 45 left",
    ]
    assert len(rows) == 1 + len(ROOMS)
    assert [link.removesuffix(".ipynb") for link in table.links] == [room.removeprefix("n") for room in ROOMS]
    assert all((ROOT / "notebooks" / link).is_file() for link in table.links)


def test_a_terminal_shows_the_same_map_in_lines_that_fit():
    run_cell(RIGHT)
    text = repr(progress())
    assert "✓ output_size ★ " in text
    assert "○ conv2d ★★★ " in text
    assert re.search(r"00 What does a convolution layer compute\? +1 of 9 points +5 min done, 45 left\n", text)
    assert text.count("○") + text.count("✓") == len(names()) + 1  # and the legend
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text


def test_the_map_shows_all_exercises_of_the_course_under_the_questions_of_their_notebooks():
    assert [room for rooms in PARTS.values() for room in rooms] == list(ROOMS)
    for rooms in PARTS.values():
        for room, question in rooms.items():
            stem = room.removeprefix("n")
            notebook = json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8"))
            title = "".join(notebook["cells"][0]["source"]).splitlines()[0]
            assert title == f"# {stem.partition('_')[0]} · {question}"


def test_hints_come_one_by_one_and_then_the_solution(capsys, monkeypatch):
    entry = find("saliency_map")
    two = replace(entry, hints=("look at the logit", "differentiate it"))
    monkeypatch.setattr(sys.modules[entry.reference.__module__], "ENTRY", two)
    for expected in (
        "saliency_map, hint 1 of 2: look at the logit",
        "saliency_map, hint 2 of 2: differentiate it",
        'saliency_map: you have had all 2 hints; reveal("saliency_map") comes next, and shows a solution.',
        'saliency_map: you have had all 2 hints; reveal("saliency_map") comes next, and shows a solution.',
    ):
        hint("saliency_map")
        assert capsys.readouterr().out == f"{expected}\n"


def test_an_exercise_without_a_hint_goes_on_to_the_solution(capsys, monkeypatch):
    none = replace(find("gram"), hints=())
    monkeypatch.setattr(sys.modules[none.reference.__module__], "ENTRY", none)
    hint("gram")
    assert capsys.readouterr().out == 'gram: there is no hint; reveal("gram") comes next, and shows a solution.\n'
    with pytest.raises(ValueError, match="the closest: gram"):
        hint("gramm")


@pytest.mark.parametrize("name", names())
def test_every_exercise_has_two_hints_and_neither_is_the_solution(name):
    first, second = find(name).hints
    body = [line.strip() for line in re.sub(r'"""[\s\S]*?"""', "", "".join(source(name))).splitlines()[1:]]
    for text in (first, second):
        assert 20 <= len(text) <= 400
        assert not [line for line in body if len(line) > 25 and line in text]
    assert first != second


def source(name):
    code = find(name).reference.__code__
    return linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :][:40]
