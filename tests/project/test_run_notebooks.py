import json

import pytest

from tests import run_notebooks

WIDGET = """\
import ipywidgets, sys
print("kept")
print("a progress bar", file=sys.stderr)
display(ipywidgets.IntSlider())
"""


def write(path, *sources):
    """A notebook as an old editor leaves it: cells without ids."""
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# Title"}]
    for source in sources:
        cells.append({"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None})
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}))
    return path


def test_keeps_printed_output_and_drops_widgets_and_progress_bars(tmp_path):
    path = write(tmp_path / "demo.ipynb", WIDGET)
    assert run_notebooks.main([str(path)]) == 0
    notebook = json.loads(path.read_text())
    assert [output["text"] for output in notebook["cells"][1]["outputs"]] == [["kept\n"]]
    assert "widgets" not in notebook["metadata"]


@pytest.mark.slow
def test_of_an_explorer_the_still_is_kept(tmp_path):
    needed = "import numpy as np\nfrom cs231n_viz.explore import Explorer"
    path = write(tmp_path / "demo.ipynb", f"{needed}\nExplorer(lambda: np.zeros((4, 6, 3), np.uint8), {{}})")
    assert run_notebooks.main([str(path)]) == 0
    (output,) = json.loads(path.read_text())["cells"][1]["outputs"]
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert '<img alt="The picture that follows the controls above it." src="data:image/' in "".join(
        output["data"]["text/html"]
    )


def test_a_second_run_changes_nothing(tmp_path):
    path = write(tmp_path / "demo.ipynb", "1 + 1", "1 + 1")
    run_notebooks.main([str(path)])
    first = path.read_text()
    run_notebooks.main([str(path)])
    assert path.read_text() == first


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('the reason')", "the reason"),
        # an error inside a widget's callback, which a plain run of the notebook would swallow
        (
            "import ipywidgets as w\nb = w.Button()\nout = w.Output()\n@out.capture()\ndef f(_):\n    1 / 0\n"
            "b.on_click(f)\nb.click()",
            "ZeroDivisionError",
        ),
        (f"print({str(run_notebooks.ROOT)!r} + '/notebooks')", "path of this machine"),
        ("print('x' * 2_100_000)", "MB with outputs"),
    ],
)
def test_an_unfit_notebook_is_reported_and_left_as_it_was(tmp_path, capsys, source, reason):
    path = write(tmp_path / "demo.ipynb", source)
    before = path.read_text()
    assert run_notebooks.main([str(path)]) == 1
    assert reason in capsys.readouterr().out
    assert path.read_text() == before


def test_answers_that_were_kept_earlier_are_not_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("CS231N_VIZ_PROGRESS", str(tmp_path))
    path = write(tmp_path / "demo.ipynb", "import os; os.listdir(os.environ['CS231N_VIZ_PROGRESS'])")
    assert run_notebooks.main([str(path)]) == 0
    assert json.loads(path.read_text())["cells"][1]["outputs"][0]["data"]["text/plain"] == ["[]"]
