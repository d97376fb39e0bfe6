"""``make lab``: one line where nothing is to be installed; a clone that was moved; and ``make reset``."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from jupyter_core.paths import ENV_CONFIG_PATH
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from jupyterlab.commands import get_app_dir
from traitlets.config import PyFileConfigLoader

import jupyter_settings

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["01_first_layer", "06_decomposition", "06b_method_trials", "10_texture"]
PYTHON = """\
#!/bin/sh
echo "$@" >> called
case "$*" in *"-m pip"*) exit 0;; esac
"""


def make(folder: Path, *arguments: str, fails: bool = False) -> str:
    # What `make test VENV=folder` was called with is in the environment, and would be this make's folder, too.
    given = ("MAKE", "MFLAGS", "GIT_", "VENV", "ARGS", "PYTHON", "TORCH_INDEX")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(given)}
    environment |= {
        f"GIT_{who}_{what}": "nobody@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    ran = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert (ran.returncode != 0) == fails, ran.stdout + ran.stderr
    return ran.stdout


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=somebody", "-c", "user.email=nobody@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def archive(tmp_path) -> Path:
    """The course without git, with a Python that only notes what it is called with."""
    folder = tmp_path / "course"
    (folder / "notebooks").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "jupyter_settings.py"):
        shutil.copy(ROOT / name, folder)
    for name in NAMES:
        (folder / f"notebooks/{name}.ipynb").write_text(f"original {name}")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").write_text(PYTHON)
    (folder / ".venv/bin/python").chmod(0o755)
    return folder


@pytest.fixture
def clone(archive) -> Path:
    """A clone of it."""
    folder = archive.with_name("clone")
    (archive / ".gitignore").write_text(".venv/\nnotebooks/set_aside/\n")
    for arguments in (["init"], ["add", "."], ["commit", "-m", "the course"], ["clone", ".", str(folder)]):
        git(archive, *arguments)
    return folder


def called(folder: Path) -> list[str]:
    """What Python was called with since the last time."""
    lines = (folder / "called").read_text().splitlines() if (folder / "called").exists() else []
    (folder / "called").unlink(missing_ok=True)
    return [line for line in lines if line.startswith("-m")]


def test_everything_is_installed_once_and_then_one_line_says_so(archive):
    make(archive, "setup")
    locked, own = called(archive)
    assert locked.endswith("-r requirements.lock")
    assert {"--no-deps", "--editable"} <= set(own.split())
    lines = make(archive, "lab", "ARGS=--no-browser").splitlines()
    assert lines == ["Everything is installed. JupyterLab starts at the address below; Ctrl+C, twice, ends it."]
    (lab,) = called(archive)
    assert lab.startswith("-m jupyterlab --ip=127.0.0.1 ")
    assert "--LabApp.default_url=/lab/tree/index.ipynb" in lab.split()
    assert "token" not in lab
    assert lab.endswith(" --no-browser")


@pytest.mark.parametrize("outside", [False, True], ids=["environment inside", "environment elsewhere"])
def test_a_clone_that_was_moved_or_renamed_installs_its_own_package_again_and_nothing_else(archive, tmp_path, outside):
    if outside:
        (archive / ".venv").rename(tmp_path / "environment")
    where = [f"VENV={tmp_path / 'environment'}"] if outside else []
    make(archive, "setup", *where)
    called(archive)
    moved = archive.rename(tmp_path / "another name")
    for _ in range(2):
        make(moved, "setup", *where)
    (own,) = called(moved)
    assert own.split()[:3] == ["-m", "pip", "install"]
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(own.split())
    # Back at the old place the package of the other one would be imported.
    back = moved.rename(archive)
    make(back, "setup", *where)
    assert len(called(back)) == 1


def test_another_lock_installs_everything_again(archive):
    make(archive, "setup")
    called(archive)
    with (archive / "requirements.lock").open("a") as file:
        file.write("# changed\n")
    make(archive, "setup")
    assert len(called(archive)) == 2
    make(archive, "setup", "TORCH_INDEX=https://example.org/cpu")
    assert "https://example.org/cpu" in called(archive)[0]


def test_jupyterlab_finds_its_settings(archive, tmp_path):
    make(archive, "setup")
    assert (archive / "called").read_text().splitlines()[-1] == "jupyter_settings.py"
    assert "`python jupyter_settings.py`" in (ROOT / "README.md").read_text()  # for conda
    jupyter_settings.write(tmp_path)
    settings = json.loads((tmp_path / "share/jupyter/lab/settings/overrides.json").read_text())
    assert settings["@jupyterlab/notebook-extension:tracker"] == {"kernelShutdown": True}
    for plugin, values in settings.items():
        extension, name = plugin.split(":")
        schema = json.loads((Path(get_app_dir()) / f"schemas/{extension}/{name}.json").read_text())
        assert set(values) <= set(schema["properties"])


def test_the_server_sends_short_messages_at_once(tmp_path, monkeypatch):
    jupyter_settings.write(tmp_path)
    assert str(Path(sys.prefix, "etc/jupyter")) in ENV_CONFIG_PATH
    config = PyFileConfigLoader("jupyter_server_config.py", str(tmp_path / "etc/jupyter")).load_config()
    chosen = ServerApp(config=config).kernel_websocket_connection_class
    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", lambda self: "connected")
    handler = Mock(spec=KernelWebsocketHandler)
    assert chosen(websocket_handler=handler).connect() == "connected"
    handler.set_nodelay.assert_called_once_with(True)


def test_settings_of_others_are_kept_beside_those_of_the_course(tmp_path):
    jupyter_settings.write(tmp_path)
    jupyter_settings.write(tmp_path)
    assert len(list(tmp_path.rglob("*.*"))) == len(jupyter_settings.FILES)
    theirs = tmp_path / "etc/jupyter/jupyter_server_config.py"
    for port in (7, 8):
        theirs.write_text(f"c.ServerApp.port = {port}")
        jupyter_settings.write(tmp_path)
        assert theirs.read_text() == jupyter_settings.SERVER
    kept = sorted(path.read_text() for path in theirs.parent.glob("*.before"))
    assert kept == ["c.ServerApp.port = 7", "c.ServerApp.port = 8"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["10", "10_texture", "10_texture.ipynb", "notebooks/10_texture.ipynb"])
def test_reset_gives_back_the_original_and_moves_the_own_copy_aside(clone, name):
    notebook = clone / "notebooks/10_texture.ipynb"
    for mine in ("my work", "more of it"):
        notebook.write_text(mine)
        text = make(clone, "reset", f"NOTEBOOK={name}")
        (aside,) = re.findall(
            r"^Your copy is now (notebooks/set_aside/10_texture-\d{4}-\d\d-\d\d-\d{6}\.ipynb)\.$", text, re.M
        )
        assert (clone / aside).read_text() == mine
        assert notebook.read_text() == "original 10_texture"
    assert len(list((clone / "notebooks/set_aside").iterdir())) == 2  # both, and nothing half done
    for other in NAMES[:-1]:
        assert (clone / f"notebooks/{other}.ipynb").read_text() == f"original {other}"


@pytest.mark.parametrize(("short", "name"), [("6", "06_decomposition"), ("06b", "06b_method_trials"), ("1", NAMES[0])])
def test_reset_knows_a_notebook_by_its_number_also_one_that_was_deleted(clone, short, name):
    (clone / f"notebooks/{name}.ipynb").unlink()
    assert "Your copy" not in make(clone, "reset", f"NOTEBOOK={short}")
    assert (clone / f"notebooks/{name}.ipynb").read_text() == f"original {name}"
    assert "nothing to do" in make(clone, "reset", f"NOTEBOOK={short}")


@pytest.mark.parametrize("wanted", [[], ["NOTEBOOK=77"], ["NOTEBOOK=texture"]])
def test_reset_of_no_notebook_names_them_all_and_changes_nothing(clone, wanted):
    text = make(clone, "reset", *wanted, fails=True)
    assert text.splitlines()[1:] == [f"{name}.ipynb" for name in NAMES]
    assert not (clone / "notebooks/set_aside").exists()


def test_reset_undoes_also_what_was_committed(clone):
    (clone / "notebooks/10_texture.ipynb").write_text("my work")
    git(clone, "commit", "-a", "-m", "mine")
    make(clone, "reset", "NOTEBOOK=10")
    assert (clone / "notebooks/10_texture.ipynb").read_text() == "original 10_texture"


def test_reset_without_git_takes_what_was_there_at_first(archive):
    make(archive, "setup")
    (archive / "notebooks/10_texture.ipynb").write_text("my work")
    with (archive / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    make(archive, "setup")  # does not take the changed one for an original
    make(archive, "reset", "NOTEBOOK=10")
    assert (archive / "notebooks/10_texture.ipynb").read_text() == "original 10_texture"


def test_reset_without_git_and_installation_says_so(archive):
    assert "No originals here" in make(archive, "reset", "NOTEBOOK=10", fails=True)
    assert (archive / "notebooks/10_texture.ipynb").read_text() == "original 10_texture"


def test_copies_that_were_moved_aside_are_neither_tested_nor_committed():
    assert "--ignore=notebooks/set_aside" in make(ROOT, "--dry-run", "test")
    assert "notebooks/set_aside/" in (ROOT / ".gitignore").read_text().splitlines()
