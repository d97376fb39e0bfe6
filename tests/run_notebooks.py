"""Execute notebooks in place, each on a fresh kernel, and store what a reader of the page should see.

    python tests/run_notebooks.py [notebooks/00_cnn_review.ipynb ...]

Without names: all of notebooks/, in order. A notebook is written back only when every cell ran. Widgets live in a
running kernel alone, so their views and state are left out, and of an explorer its still is kept; progress bars and
times of execution are left out, too. The kernels see no answers to exercises that were kept earlier, and keep none.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
MEGABYTE = 1_000_000
LARGEST = 2 * MEGABYTE  # of a stored notebook: code hosts stop showing larger ones
TIMEOUT = 900  # seconds per cell, a ceiling for the busiest machine


class UnfitOutputError(Exception):
    """An executed notebook holds something that must not be stored."""


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run every cell on a fresh kernel.

    Raises:
        CellExecutionError: A cell failed.
    """
    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.widget_registry = {}  # without it nbclient hides errors of widget callbacks, and stalls now and then
    with tempfile.TemporaryDirectory() as nothing:
        settings = {"CS231N_VIZ_PROGRESS": nothing, "CS231N_VIZ_FINISHED_STILLS": "1"}
        client.execute(env={**os.environ, **settings})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                raise CellExecutionError("".join(output.traceback), output.ename, output.evalue)


def tidy(notebook: NotebookNode) -> None:
    """Keep only what is the same in every run and on every machine."""
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if is_lasting(output)]


def is_lasting(output: NotebookNode) -> bool:
    """Whether an output means something to a reader without a kernel: no widget views, no progress bars."""
    if output.output_type == "stream":
        return output.name == "stdout"
    return WIDGET_VIEW not in output.get("data", {})


def name_cells(raw: dict) -> None:
    """Give cells that have no id one that depends on their source alone, so that a second run changes nothing."""
    taken = {cell["id"] for cell in raw["cells"] if "id" in cell}
    for cell in raw["cells"]:
        source = "".join(cell["source"])
        repeat = 0
        while "id" not in cell:
            name = hashlib.sha256(f"{source}{repeat}".encode()).hexdigest()[:8]
            if name not in taken:
                cell["id"] = name
                taken.add(name)
            repeat += 1


def refresh(path: Path) -> int:
    """Execute one notebook and write it back.

    Returns:
        The size of the stored file in bytes.

    Raises:
        CellExecutionError: A cell failed; the file stays as it was.
        UnfitOutputError: An output names a path of this machine, or the notebook grew too large; likewise.
    """
    raw = json.loads(path.read_text(encoding="utf-8"))
    name_cells(raw)
    raw["nbformat_minor"] = 5
    notebook = nbformat.reads(json.dumps(raw), as_version=4)
    execute(notebook, path.parent)
    tidy(notebook)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    for private in {str(ROOT), str(Path.home())} - {"/"}:
        if f"{private}/" in text:
            raise UnfitOutputError(f"an output names a path of this machine, {private}")
    if len(text) > LARGEST:
        raise UnfitOutputError(
            f"{len(text) / MEGABYTE:.1f} MB with outputs; at most {LARGEST / MEGABYTE:.0f} MB wanted"
        )
    path.write_text(text, encoding="utf-8", newline="\n")
    return len(text)


def main(arguments: list[str] | None = None) -> int:
    """Refresh the named notebooks, or all; returns 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/, in order")
    paths = parser.parse_args(arguments).notebooks or sorted((ROOT / "notebooks").glob("*.ipynb"))
    failed = 0
    for path in paths:
        start = time.perf_counter()
        try:
            result = f"{refresh(path) / MEGABYTE:5.2f} MB"
        except (CellExecutionError, UnfitOutputError) as error:
            failed, result = 1, f"FAILED, left as it was\n{error}"
        print(f"{path.name:<28} {time.perf_counter() - start:6.1f} s  {result}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
