import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import TimeoutError as NothingChanged
from playwright.sync_api import expect

from tests.browser.lab_driver import CLOSE, START

COLOURED = """\
import io
import ipywidgets as widgets
from PIL import Image

def jpeg(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(buffer, "JPEG")
    return buffer.getvalue()

choice = widgets.Dropdown(options=["red", "green", "blue"], description="Colour")
deaf = widgets.Dropdown(options=["one", "two"], description="Deaf")
picture = widgets.Image(value=jpeg("red"), format="jpeg")
choice.observe(lambda change: setattr(picture, "value", jpeg(change.new)), "value")
widgets.VBox([choice, deaf, picture])
"""


def write(lab, name, *sources):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)"}  # else Lab asks for one
    nbformat.write(notebook, lab.folder / name)
    return name


def test_a_control_moved_in_the_page_changes_the_picture(lab, open_notebook):
    notebook = open_notebook(write(lab, "coloured.ipynb", COLOURED))
    notebook.run_all()
    picture = notebook.panel.locator("img.widget-image")
    with notebook.changes(picture):
        notebook.panel.get_by_label("Colour").select_option("green")
    assert notebook.errors() == []
    with pytest.raises(NothingChanged), notebook.changes(picture, timeout=1):
        notebook.panel.get_by_label("Deaf").select_option("two")


@pytest.mark.parametrize("wrapped", ["f", "widgets.Output().capture()(f)"])
def test_errors_are_seen_also_those_of_callbacks(lab, open_notebook, wrapped):
    slow = "def f(_):\n    time.sleep(1)\n    raise KeyError('of the callback')"
    callback = f"import time\nimport ipywidgets as widgets\n{slow}"
    button = f"b = widgets.Button(description='Fail')\nb.on_click({wrapped})\nb"
    notebook = open_notebook(write(lab, "broken.ipynb", callback, button, "raise ValueError('of the cell')"))
    notebook.run_all()
    assert notebook.errors() == ["ValueError: of the cell"]
    notebook.panel.get_by_role("button", name="Fail").click()
    assert "KeyError: 'of the callback'" in notebook.errors()


def test_the_first_page_is_the_index_with_the_map_of_the_course(lab, page):
    page.goto(f"http://127.0.0.1:{lab.port}/?token={lab.token}", wait_until="domcontentloaded")
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.wait_for(timeout=START * 1000)
    expect(panel.get_by_role("heading", level=1)).to_contain_text("Seeing inside convolutional networks")
    row = panel.get_by_role("row").filter(has=page.get_by_text("○ saliency_map ★★", exact=True))
    expect(row).to_be_visible()
    expect(row).to_contain_text("0 of 6")
    row.get_by_role("link").click()  # it leads to the notebook
    expect(panel.get_by_role("heading", level=1)).to_contain_text("04 · Which pixels matter?", timeout=START * 1000)
    page.evaluate(CLOSE)
    lab.end_kernels()
