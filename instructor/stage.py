"""Open one explorer alone in the browser, without its code or anything else: ``make stage ARGS="saliency"``.

The explorer and what it needs are taken from the notebook that shows it, and run by Voilà on this machine only; the
address carries a token. The picture fills the window; Escape shows the plain page, "full screen" hides the browser.
"""

import argparse
import ast
import importlib.util
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tests.notebook_slices import reduced

# Voilà's page for JupyterLab, without the style sheets that it asks of another machine.
PAGE = """{% extends 'lab/index.html.j2' %}
{% block notebook_css %}{{ super() | replace('https://cdn.jsdelivr.net/', 'data:text/css,') }}{% endblock %}
"""
NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def explorers_in(source: str) -> Iterator[tuple[str, ast.Call]]:
    """The calls of ``viz.explore.name(...)`` outside of functions, each with its name."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("viz.explore."):
                name = ast.unparse(node.func).split(".")[2]
                if name[0].islower():
                    yield name, node


def course(folder: Path = NOTEBOOKS) -> dict[str, tuple[Path, int]]:
    """Every explorer of the course: name -> its notebook, and the number of its code cell."""
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        for number, source in enumerate(_sources(path)):
            if "viz.explore." in source:
                found |= {name: (path, number) for name, _ in explorers_in(source) if name not in found}
    return found


def stage_of(path: Path, number: int, name: str) -> nbformat.NotebookNode:
    """A notebook of two cells: what the explorer needs, without outputs, and the explorer, on stage at once."""
    sources = _sources(path)
    needed = reduced(sources, [number])
    call = next(node for found, node in explorers_in(sources[number]) if found == name)
    inside = [node for node in ast.parse(sources[number]).body if node.lineno < call.lineno]
    before = [source for place, source in needed.items() if place < number]
    before += [ast.unparse(node) for node in inside if node.end_lineno < call.lineno]
    show = f'_shown = {ast.unparse(call)}\n_shown.bar.title, _shown.bar.staged = "{name}", True\n_shown'
    there = f"import os\nos.chdir({str(path.parent)!r})"
    cells = [new_code_cell("\n".join(["%%capture", there, *before])), new_code_cell(show)]
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return notebook


def _sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def main() -> None:
    """Serve the explorer that is named on the command line until Ctrl+C."""
    known = course()
    parser = argparse.ArgumentParser(prog="make stage", description=__doc__.split("\n")[0])
    parser.add_argument("explorer", choices=sorted(known), metavar="explorer", help=", ".join(sorted(known)))
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    given = parser.parse_args()
    if importlib.util.find_spec("voila") is None:
        sys.exit("make stage needs Voilà, once: .venv/bin/python -m pip install -e '.[stage]'")
    token = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="stage-") as folder:
        file = Path(folder) / f"{given.explorer}.ipynb"
        nbformat.write(stage_of(*known[given.explorer], given.explorer), file)
        page = Path(folder) / "share" / "voila" / "templates" / "stage"
        page.mkdir(parents=True)
        (page / "conf.json").write_text('{"base_template": "lab"}')
        (page / "index.html.j2").write_text(PAGE)
        print(f"{given.explorer} at http://127.0.0.1:{given.port}/?token={token}   (Ctrl+C ends it)", flush=True)
        options = [f"--port={given.port}", "--Voila.ip=127.0.0.1", "--token", "--template=stage"]
        options += [f"--theme={given.theme}"]
        options += ["--no-browser"] if given.no_browser else []
        paths = os.pathsep.join(filter(None, [f"{folder}/share", os.environ.get("JUPYTER_PATH")]))
        # the token is not on the command line, where others could read it
        environment = {**os.environ, "JUPYTER_TOKEN": token, "JUPYTER_PATH": paths}
        command = [sys.executable, "-m", "voila", str(file), "--Voila.log_level=WARN", *options]
        raise SystemExit(subprocess.call(command, env=environment))


if __name__ == "__main__":
    main()
