"""One explorer alone in the browser: what is served, to whom, and what else is there."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from cs231n_viz import explore
from instructor import stage


@pytest.fixture(scope="module")
def known():
    return stage.course()


def test_every_explorer_can_be_staged(known):
    assert set(known) == {name for name in explore.__all__ if name[0].islower()}


@pytest.mark.parametrize("name", ["pooling", "filters"])
def test_an_explorer_is_shown_alone(known, name):
    before, shown = stage.stage_of(*known[name], name).cells
    assert before.source.startswith("%%capture\n")  # nothing else is seen
    assert [found for found, _ in stage.explorers_in(shown.source)] == [name]
    assert not list(stage.explorers_in(before.source.removeprefix("%%capture\n")))
    assert ast.parse(shown.source).body[-1].value.id == "_shown"


def test_the_two_cells_run_and_the_explorer_is_on_stage_at_once(known, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the first cell goes to the folder of the notebook
    before, shown = stage.stage_of(*known["stack_calculator"], "stack_calculator").cells
    names = {}
    exec(before.source.removeprefix("%%capture\n"), names)
    exec(shown.source, names)
    assert Path.cwd() == stage.NOTEBOOKS
    assert isinstance(names["_shown"], explore.Explorer)
    assert names["_shown"].error is None
    assert (names["_shown"].bar.title, names["_shown"].bar.staged) == ("stack_calculator", True)


@pytest.fixture
def serve(known, monkeypatch):
    """Call ``make stage`` with some arguments; gives the command, its environment and the notebook it would serve."""

    def call(*arguments):
        started = {}

        def start(command, env):
            (file,) = [part for part in command if part.endswith(".ipynb")]
            started.update(command=command, env=env, notebook=nbformat.read(file, as_version=4))
            return 0

        monkeypatch.setattr(sys, "argv", ["stage", *arguments])
        monkeypatch.setattr(stage, "course", lambda: known)
        monkeypatch.setattr(stage.importlib.util, "find_spec", lambda _: object())
        monkeypatch.setattr(subprocess, "call", start)
        with pytest.raises(SystemExit) as ended:
            stage.main()
        assert ended.value.code == 0
        return started

    return call


def test_it_is_served_on_this_machine_only_and_with_a_token_that_nobody_else_can_read(serve, capsys):
    tokens = []
    for _ in range(2):
        started, said = serve("pooling", "--port=9000", "--no-browser"), capsys.readouterr().out
        address = re.search(r"http://([\d.]+):(\d+)/\?token=(\S+)", said)
        assert address.groups()[:2] == ("127.0.0.1", "9000")
        assert started["env"]["JUPYTER_TOKEN"] == address[3]
        assert len(address[3]) >= 32
        assert not any(address[3] in part for part in started["command"])  # others could read it there
        assert {"--Voila.ip=127.0.0.1", "--port=9000", "--token", "--no-browser"} <= set(started["command"])
        tokens.append(address[3])
    assert tokens[0] != tokens[1]


def test_one_notebook_is_served_by_a_server_without_files_and_terminals(serve):
    started = serve("pooling", "--theme=dark")
    assert started["command"][1:3] == ["-m", "voila"]  # given one notebook, it shows that and lists no folder
    assert len(started["notebook"].cells) == 2
    assert not any(cell.outputs for cell in started["notebook"].cells)
    assert "--theme=dark" in started["command"]


@pytest.mark.parametrize(("arguments", "said"), [(["pool"], "'pooling'"), ([], "required: explorer")])
def test_an_unknown_explorer_is_an_error_that_names_those_there_are(known, monkeypatch, capsys, arguments, said):
    monkeypatch.setattr(sys, "argv", ["stage", *arguments])
    monkeypatch.setattr(stage, "course", lambda: known)
    with pytest.raises(SystemExit):
        stage.main()
    assert said in capsys.readouterr().err


def test_without_voila_it_says_how_to_get_it(known, monkeypatch):
    monkeypatch.setattr(stage, "course", lambda: known)
    monkeypatch.setattr(sys, "argv", ["stage", "pooling"])
    monkeypatch.setattr(stage.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r"needs Voilà.*pip install"):
        stage.main()
