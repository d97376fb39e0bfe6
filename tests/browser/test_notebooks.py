"""Every explorer of the course, in real JupyterLab: run the notebook, move a control, see the picture change.

Before them the page with the map of the course, and whether these tests would notice what goes wrong.
"""

import re

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect
from playwright.sync_api import TimeoutError as NothingChanged

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


def explorer(notebook, name: str) -> Locator:
    """The code cell that shows ``viz.explore.<name>``, with all its controls unfolded."""
    cell = notebook.panel.locator(".jp-CodeCell").filter(has_text=f"viz.explore.{name}(")
    expect(cell).to_have_count(1)
    cell.scroll_into_view_if_needed()
    more = cell.get_by_role("button", name="more controls")
    shown(cell).wait_for()
    if more.is_visible():
        more.click()
        expect(cell.get_by_role("button", name="fewer controls")).to_be_visible()
    return cell


def shown(cell: Locator) -> Locator:
    """The picture of an explorer, plain or clickable."""
    return cell.locator(".cs231n-picture img").first


# While the kernel is busy the page keeps back what a slider says, and a button's click would overtake it. It is sent
# when the kernel has answered what came before, which is before the kernel answers the second of these.
HEARD = """async () => {
    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    await kernel.requestKernelInfo();
    await kernel.requestKernelInfo();
}"""


def press(slider: Locator, key: str) -> None:
    """Press a key on a slider's handle, and wait until the page shows that it moved and the kernel knows."""
    handle = slider.locator(".noUi-handle")
    before = handle.get_attribute("aria-valuetext")
    handle.focus()
    slider.page.keyboard.press(key)
    expect(handle).not_to_have_attribute("aria-valuetext", before)
    slider.page.evaluate(HEARD)


def slider(cell: Locator, label: str) -> Locator:
    return cell.locator(".widget-slider").filter(has=cell.page.get_by_text(label, exact=True))


def place(cell: Locator, x: float, y: float) -> tuple[float, float]:
    """Where (x, y) of an explorer's picture, in its own CSS pixels, lies in the window."""
    picture = shown(cell)
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    scale = box["width"] / 860
    return box["x"] + x * scale, box["y"] + y * scale


def upload(cell: Locator, file) -> None:
    """Choose a file as a person does; the widget's file input never enters the page."""
    with cell.page.expect_file_chooser() as chooser:
        cell.get_by_role("button", name=re.compile("choose a file")).click()
    chooser.value.set_files(file)


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


def test_a_control_moved_in_the_page_changes_the_picture(lab, open_notebook):
    notebook = open_notebook(lab.write("coloured.ipynb", COLOURED))
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
    notebook = open_notebook(lab.write("broken.ipynb", callback, button, "raise ValueError('of the cell')"))
    notebook.run_all()
    assert notebook.errors() == ["ValueError: of the cell"]
    notebook.panel.get_by_role("button", name="Fail").click()
    assert "KeyError: 'of the callback'" in notebook.errors()


def test_notebook_00_answers_to_its_controls(open_notebook):
    notebook = open_notebook("00_cnn_review.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "convolution")
    with notebook.changes(shown(cell)):
        cell.get_by_label("preset", exact=True).select_option("blur")
    with notebook.changes(shown(cell)):
        press(slider(cell, "output cell"), "ArrowRight")
    with notebook.changes(shown(cell)):
        press(slider(cell, "padding, px"), "ArrowRight")
    clickable, mouse = cell.locator(".cs231n-clickable"), notebook.page.mouse
    with notebook.changes(shown(cell)):  # a number of the kernel: the mouse over it is enough
        mouse.move(*place(cell, 200, 480))
    expect(clickable).to_have_css("cursor", "pointer")
    mouse.move(*place(cell, 440, 420))  # between the panels there is nothing to choose
    expect(clickable).to_have_css("cursor", "default")
    with notebook.changes(shown(cell)):  # a cell of the output
        mouse.click(*place(cell, 500, 60))
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowDown")
    weight = cell.locator("input[type=number]").first
    with notebook.changes(shown(cell)):
        weight.fill("5")
        weight.press("Enter")
    with notebook.changes(shown(cell)):
        cell.locator(".jupyter-widgets.widget-play button").first.click()

    cell = explorer(notebook, "stack_calculator")
    with notebook.changes(shown(cell)):
        cell.get_by_label("start from", exact=True).select_option(index=1)
    stride = cell.get_by_label("stride")
    with notebook.changes(shown(cell)):
        stride.fill("5")
        stride.press("Enter")

    cell = explorer(notebook, "pooling")
    with notebook.changes(shown(cell)):
        cell.get_by_label("keep", exact=True).select_option("average")

    cells = notebook.panel.locator(".jp-Cell").count()
    cell.get_by_label("keep").press("b")  # in JupyterLab's command mode this key inserts a cell
    assert notebook.panel.locator(".jp-Cell").count() == cells

    cell = explorer(notebook, "receptive_fields")
    with notebook.changes(shown(cell)):
        cell.get_by_label("layer", exact=True).select_option("conv5")
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):
        notebook.page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowRight")
    assert notebook.errors() == []


def test_an_explorer_fills_the_window_and_its_keys_follow_its_sliders(lab, open_notebook):
    code = 'import cs231n_viz as viz\nviz.explore.receptive_fields(viz.load_model("mini_alexnet"))'
    notebook = open_notebook(lab.write("stage.ipynb", code))
    notebook.run_all()
    cell, page = explorer(notebook, "receptive_fields"), notebook.page
    press(slider(cell, "row"), "ArrowRight")
    handle = slider(cell, "column").locator(".noUi-handle")
    expect(handle).to_have_attribute("aria-label", "column")
    before = float(handle.get_attribute("aria-valuenow"))
    cell.locator(".cs231n-clickable").focus()  # not clicked: the first key goes on from what the sliders say
    with notebook.changes(shown(cell)):
        page.keyboard.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", f"{before + 1:.1f}")

    cell.get_by_role("button", name="stage").click()
    stage, window = cell.locator(".cs231n-on-stage"), page.viewport_size
    assert stage.bounding_box() == {"x": 0, "y": 0, **window}
    assert shown(cell).bounding_box()["width"] > 0.7 * window["width"]
    with notebook.changes(shown(cell)):
        cell.get_by_label("layer", exact=True).select_option("conv1")
    page.keyboard.press("Escape")
    expect(stage).to_have_count(0)
    cell.get_by_role("button", name="reset").click()
    expect(cell.get_by_label("layer", exact=True)).not_to_have_value("conv1")

    for theme in ("Dark", "Light"):
        with notebook.changes(shown(cell)):
            page.evaluate(
                "name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})", f"JupyterLab {theme}"
            )
    assert notebook.errors() == []

    still = notebook.panel.locator(".cs231n-still")
    expect(still).to_be_hidden()
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    notebook.close()
    lab.end_kernels()
    notebook = open_notebook("stage.ipynb")  # in which no widgets are left
    expect(still.get_by_role("img", name="The photograph with the receptive field")).to_be_visible()
    expect(notebook.panel.get_by_text("model not found")).to_be_hidden()


def test_notebook_01_answers_to_its_controls(open_explorers):
    notebook = open_explorers("01_first_layer.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "filters")
    with notebook.changes(shown(cell)):
        cell.get_by_label("network", exact=True).select_option("mini_vgg")
    with notebook.changes(shown(cell)):
        cell.locator("input[type=checkbox]").first.click()
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):
        notebook.page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    with notebook.changes(shown(cell)):  # the response
        notebook.page.mouse.click(*place(cell, 470, 270))

    cell = explorer(notebook, "responses")
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph", exact=True).select_option("coffee")
    cell.locator(".cs231n-clickable").focus()  # not clicked: the key goes on from the strongest response
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowUp")
    with notebook.changes(shown(cell)):
        press(slider(cell, "filter"), "ArrowRight")

    cell = explorer(notebook, "second_layer")
    with notebook.changes(shown(cell)):
        press(slider(cell, "unit"), "ArrowRight")
    with notebook.changes(shown(cell)):  # a filter
        notebook.page.mouse.click(*place(cell, 470, 60))
    assert notebook.errors() == []


def test_notebook_02_answers_to_its_controls(open_explorers, tmp_path):
    notebook = open_explorers("02_fc_features.ipynb", {"pictures_shown = ": 96})
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "neighbours")
    with notebook.changes(shown(cell)):
        cell.get_by_label("network", exact=True).select_option("mini_vgg")
    with notebook.changes(shown(cell)):
        cell.get_by_label("metric", exact=True).select_option("cosine")
    with notebook.changes(shown(cell)):
        press(slider(cell, "picture"), "ArrowRight")
    with notebook.changes(shown(cell)):  # the last neighbour in the features
        notebook.page.mouse.click(*place(cell, 790, 260))
    own, broken = tmp_path / "own.png", tmp_path / "broken.jpg"
    Image.new("RGB", (64, 48), (200, 30, 30)).save(own)
    broken.write_bytes(b"no picture")
    with notebook.changes(shown(cell)):
        upload(cell, own)
    with notebook.changes(shown(cell)):
        upload(cell, broken)
    expect(cell.locator(".cs231n-error").filter(has_text="Not drawn")).to_contain_text("broken.jpg")

    cell = explorer(notebook, "embedding")
    with notebook.changes(shown(cell)):
        cell.get_by_label("map of", exact=True).select_option("pixels")
    with notebook.changes(shown(cell)):
        press(slider(cell, "perplexity"), "ArrowRight")
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):
        notebook.page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.15 * box["height"])
    with notebook.changes(shown(cell)):
        cell.get_by_label("show", exact=True).select_option("grid of thumbnails")
    with notebook.changes(shown(cell)):
        notebook.page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowDown")
    with notebook.changes(shown(cell)):
        press(slider(cell, "picture"), "ArrowRight")
    assert notebook.errors() == []


def test_notebook_03_answers_to_its_controls(open_explorers):
    notebook = open_explorers("03_activations.ipynb", {"pictures = ": 24})
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "activation_maps")
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph", exact=True).select_option("coffee")
    with notebook.changes(shown(cell)):
        cell.get_by_label("layer", exact=True).select_option("relu2")
    with notebook.changes(shown(cell)):
        cell.get_by_label("order", exact=True).select_option("by mean")
    with notebook.changes(shown(cell)):
        cell.get_by_label("scale", exact=True).select_option("one for all maps")
    with notebook.changes(shown(cell)):
        press(slider(cell, "quantile, %"), "ArrowLeft")
    with notebook.changes(shown(cell)):
        press(slider(cell, "row"), "ArrowUp")
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):  # a tile of the grid
        notebook.page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.4 * box["height"])
    with notebook.changes(shown(cell)):  # a cell of the large map
        notebook.page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.2 * box["height"])
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowRight")

    cell = explorer(notebook, "top_patches")
    with notebook.changes(shown(cell)):
        cell.get_by_label("network", exact=True).select_option("mini_vgg")
    with notebook.changes(shown(cell)):
        cell.get_by_label("order", exact=True).select_option("by channel")
    with notebook.changes(shown(cell)):
        press(slider(cell, "channel"), "ArrowRight")
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):
        notebook.page.mouse.click(box["x"] + 0.24 * box["width"], box["y"] + 0.5 * box["height"])
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowRight")

    cell = explorer(notebook, "unit_wall")
    with notebook.changes(shown(cell)):
        cell.get_by_label("scale", exact=True).select_option("one for all maps")
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph", exact=True).select_option("coffee")
    assert notebook.errors() == []


def test_notebook_04_answers_to_its_controls(open_explorers):
    notebook = open_explorers("04_saliency.ipynb", {"scenes, small_scenes = ": 3})
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "occlusion")
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph", exact=True).select_option("cat")
    expect(cell.get_by_label("class", exact=True).locator("option:checked")).to_have_text("cat")  # nobody chose one
    with notebook.changes(shown(cell)):
        cell.get_by_label("class", exact=True).select_option("dog")
    with notebook.changes(shown(cell)):
        press(slider(cell, "window, px"), "ArrowRight")
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):  # drag the window
        notebook.page.mouse.click(box["x"] + 0.1 * box["width"], box["y"] + 0.3 * box["height"])
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowRight")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="fill in the map").click()
    cell.get_by_role("button", name="cancel").click()
    expect(cell.get_by_role("button", name="cancel")).to_be_disabled()

    cell = explorer(notebook, "saliency")
    with notebook.changes(shown(cell)):
        cell.get_by_label("method", exact=True).select_option("SmoothGrad")
    expect(cell.get_by_text("Mean of 25 gradients")).to_be_visible()
    with notebook.changes(shown(cell)):
        cell.get_by_label("method", exact=True).select_option("guided backprop")
    with notebook.changes(shown(cell)):
        cell.get_by_label("explain", exact=True).select_option("relu4_2")
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):  # a cell of the layer's map
        notebook.page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.35 * box["height"])
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowDown")
    with notebook.changes(shown(cell)):
        press(slider(cell, "unit"), "ArrowLeft")
    with notebook.changes(shown(cell)):
        cell.get_by_label("network", exact=True).select_option("mini_alexnet")

    cell = explorer(notebook, "segmentation")
    expect(cell.get_by_text("After 5 rounds the IoU is")).to_be_visible()
    with notebook.changes(shown(cell)):
        press(slider(cell, "picture"), "ArrowRight")
    for label in ("object, %", "background, %"):
        with notebook.changes(shown(cell)):
            press(slider(cell, label), "ArrowLeft")
    press(slider(cell, "rounds"), "ArrowLeft")  # a fifth round may change nothing, so that the picture stays
    expect(cell.get_by_text("After 4 rounds the IoU is")).to_be_visible()
    with notebook.changes(shown(cell)):
        press(slider(cell, "rounds"), "Home")
    with notebook.changes(shown(cell)):
        cell.get_by_label("map", exact=True).select_option("centred Gaussian")
    for label in ("object, %", "background, %"):
        press(slider(cell, label), "End")
    expect(cell.get_by_text("40 % of the pixels would be seeds of both sides")).to_be_visible()
    press(slider(cell, "background, %"), "Home")
    expect(cell.get_by_text("the IoU is")).to_be_visible()
    assert notebook.errors() == []


def test_notebook_05_answers_to_its_controls(open_explorers):
    notebook = open_explorers("05_class_activation.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "class_activation")
    with notebook.changes(shown(cell)):
        cell.get_by_label("picture", exact=True).select_option("scene 2")
    with notebook.changes(shown(cell)):
        cell.get_by_label("class", exact=True).select_option("cat")
    with notebook.changes(shown(cell)):
        cell.get_by_label("network", exact=True).select_option("mini_alexnet")
    with notebook.changes(shown(cell)):
        cell.get_by_label("layer", exact=True).select_option("relu3")
    with notebook.changes(shown(cell)):
        cell.locator("input[type=checkbox]").first.click()
    with notebook.changes(shown(cell)):
        cell.get_by_label("method", exact=True).select_option("Guided Grad-CAM")

    cell = explorer(notebook, "two_objects")
    with notebook.changes(shown(cell)):
        cell.get_by_label("left", exact=True).select_option("flower")
    with notebook.changes(shown(cell)):
        press(slider(cell, "size, %"), "ArrowLeft")
    with notebook.changes(shown(cell)):
        cell.get_by_label("network", exact=True).select_option("mini_alexnet")
    with notebook.changes(shown(cell)):
        cell.locator("input[type=checkbox]").first.click()
    assert notebook.errors() == []


def test_notebook_06_answers_to_its_controls(open_explorers):
    notebook = open_explorers("06_decomposition.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "relevance")
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph", exact=True).select_option("coffee")
    with notebook.changes(shown(cell)):
        cell.get_by_label("network", exact=True).select_option("mini_vgg")
    with notebook.changes(shown(cell)):
        cell.get_by_label("class", exact=True).select_option(index=1)
    with notebook.changes(shown(cell)):
        cell.get_by_label("method", exact=True).select_option("LRP: gamma")
    with notebook.changes(shown(cell)):
        press(slider(cell, "γ"), "ArrowRight")
    with notebook.changes(shown(cell)):
        cell.get_by_label("method", exact=True).select_option("DeepLIFT: rescale")
    expect(slider(cell, "γ")).to_be_hidden()
    with notebook.changes(shown(cell)):
        cell.get_by_label("baseline", exact=True).select_option("blurred")
    assert notebook.errors() == []


def test_notebook_06b_answers_to_its_controls(open_explorers):
    few = {"scene_count = ": 2, "curve_count = ": 2, "values[chosen], steps=": 2}
    notebook = open_explorers("06b_method_trials.ipynb", few)
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "deletion")
    with notebook.changes(shown(cell)):
        press(slider(cell, "picture"), "ArrowRight")
    with notebook.changes(shown(cell)):
        press(slider(cell, "share, %"), "ArrowRight")
    with notebook.changes(shown(cell)):
        cell.get_by_label("method", exact=True).select_option("Grad-CAM")
    with notebook.changes(shown(cell)):
        cell.get_by_label("against", exact=True).select_option("edges (control)")

    cell = explorer(notebook, "all_methods")
    with notebook.changes(shown(cell)):
        cell.get_by_label("class", exact=True).select_option("dog")
    assert notebook.errors() == []


def test_notebook_07_answers_to_its_controls(open_explorers):
    notebook = open_explorers("07_class_visualization.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "class_visualization")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    cell.get_by_role("button", name="pause").click()
    expect(cell.get_by_role("button", name="resume")).to_be_visible()
    expect(cell.get_by_text("(optimised): cat has rank")).to_be_visible()
    expect(cell.get_by_text("(not optimised): cat has rank")).to_be_visible()
    cell.get_by_role("button", name="resume").click()
    press(slider(cell, "TV"), "ArrowRight")  # other settings than those of the run
    expect(cell.get_by_role("button", name="stop")).to_be_disabled()
    cell.get_by_label("recipe", exact=True).select_option("yosinski")
    # The kernel moves the sliders to the recipe: a key pressed before that would be undone.
    expect(slider(cell, "TV").locator(".noUi-handle")).to_have_attribute("aria-valuenow", "0.0")
    press(slider(cell, "clip pixels"), "ArrowRight")
    expect(slider(cell, "clip pixels")).to_contain_text("1 %")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    cell.get_by_role("button", name="stop").click()
    cell.get_by_label("maximise", exact=True).select_option("relu3_2")
    channel = slider(cell, "channel")  # it has no room for a step before the kernel has named the layer's channels
    expect(channel.locator(".noUi-handle")).to_have_attribute("aria-valuemax", "95.0")
    expect(channel.locator(".noUi-target")).not_to_have_attribute("disabled", "true")
    press(channel, "ArrowRight")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    expect(cell.get_by_text("channel 1 of relu3_2")).to_be_visible()
    assert notebook.errors() == []


def test_notebook_09_answers_to_its_controls(open_explorers):
    notebook = open_explorers("09_deepdream_inversion.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "deep_dream")
    with notebook.changes(shown(cell)):
        press(slider(cell, "octaves"), "ArrowLeft")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    cell.get_by_role("button", name="pause").click()
    expect(cell.get_by_role("button", name="resume")).to_be_visible()
    cell.get_by_role("button", name="resume").click()
    cell.get_by_role("button", name="stop").click()
    expect(cell.get_by_role("button", name="stop")).to_be_disabled()
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph", exact=True).select_option("flower")
        cell.get_by_label("network", exact=True).select_option("mini_alexnet")
        cell.get_by_role("button", name="start").click()

    cell = explorer(notebook, "inversion")
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph", exact=True).select_option("coffee")
    press(slider(cell, "restarts"), "ArrowRight")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    cell.get_by_role("button", name="stop").click()
    expect(cell.get_by_text("feature error").first).to_be_visible()
    assert notebook.errors() == []


def test_notebook_08_answers_to_its_controls(open_explorers):
    notebook = open_explorers("08_fooling.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "fooling")
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph", exact=True).select_option("cat")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    expect(cell.get_by_text("Fooled at step")).to_be_visible()
    with notebook.changes(shown(cell)):
        press(slider(cell, "change ×"), "ArrowRight")
    handle, area = cell.locator(".cs231n-handle"), cell.locator(".cs231n-wipe")
    handle.press("Home")
    handle.press("PageUp")
    expect(handle).to_have_attribute("aria-valuenow", "10")
    area.click(position={"x": area.bounding_box()["width"] * 0.75, "y": 9})
    expect(handle).to_have_attribute("aria-valuenow", "75")
    assert area.locator("img").evaluate("img => getComputedStyle(img).clipPath").startswith("inset(0px 25")
    assert shown(cell).bounding_box()["width"] * 270 / 860 == pytest.approx(area.bounding_box()["width"], abs=2)
    cell.get_by_label("network", exact=True).select_option("mini_alexnet")
    cell.get_by_label("make it a", exact=True).select_option("strawberry")
    expect(cell.get_by_text("other settings")).to_be_visible()
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    assert notebook.errors() == []


def test_notebook_10_answers_to_its_controls(open_explorers):
    notebook = open_explorers("10_texture.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "growing")
    with notebook.changes(shown(cell)):
        cell.get_by_label("sample", exact=True).select_option("gravel")
    with notebook.changes(shown(cell)):
        cell.get_by_label("window, px", exact=True).select_option("15")
    press(slider(cell, "size, px"), "End")  # large enough to be stopped in time
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    with notebook.changes(shown(cell)):  # it grows while one looks on
        notebook.page.wait_for_timeout(500)
    cell.get_by_role("button", name="stop").click()
    expect(cell.get_by_role("button", name="stop")).to_be_disabled()

    cell = explorer(notebook, "texture")
    with notebook.changes(shown(cell)):
        cell.get_by_label("sample", exact=True).select_option("brick")
    press(slider(cell, "layers"), "ArrowLeft")
    expect(cell.get_by_text("relu4_1. Press start.")).to_be_visible()
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    cell.get_by_role("button", name="pause").click()
    expect(cell.get_by_role("button", name="resume")).to_be_visible()
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="resume").click()
    expect(cell.get_by_text("By mini_alexnet (not optimised)")).to_be_visible()
    assert notebook.errors() == []


def test_notebook_11_answers_to_its_controls(open_explorers):
    notebook = open_explorers("11_style_transfer.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "style")
    with notebook.changes(shown(cell)):  # before the start the given pictures are shown
        cell.get_by_label("photograph", exact=True).select_option("cat")
    with notebook.changes(shown(cell)):
        cell.get_by_label("painting", exact=True).select_option("waves")
    with notebook.changes(shown(cell)):
        cell.get_by_label("and another", exact=True).select_option("mosaic")
    cell.get_by_label("it goes", exact=True).select_option("behind the object")
    cell.get_by_label("colours", exact=True).select_option("content's luminance")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    cell.get_by_role("button", name="pause").click()
    expect(cell.get_by_role("button", name="resume")).to_be_visible()
    cell.get_by_role("button", name="resume").click()
    press(slider(cell, "TV"), "ArrowRight")  # other settings than those of the run
    expect(cell.get_by_role("button", name="stop")).to_be_disabled()
    cell.get_by_label("network", exact=True).select_option("mini_alexnet")
    press(slider(cell, "style layers"), "ArrowLeft")
    with notebook.changes(shown(cell)):
        cell.get_by_role("button", name="start").click()
    cell.get_by_role("button", name="stop").click()
    cell.get_by_label("photograph", exact=True).select_option("moon")
    expect(cell.get_by_text("other settings")).to_be_visible()  # the kernel has heard of it, the page stands still
    cell.get_by_role("button", name="start").click()
    expect(cell.get_by_text("the object of moon is not outlined")).to_be_visible()
    assert notebook.errors() == []


def test_notebook_12_answers_to_its_controls(open_explorers, tmp_path):
    notebook = open_explorers("12_fast_style.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "fast_style")
    with notebook.changes(shown(cell)):
        press(slider(cell, "marble"), "ArrowRight")
    with notebook.changes(shown(cell)):
        cell.get_by_label("picture", exact=True).select_option("motorcycle")
    with notebook.changes(shown(cell)):
        cell.get_by_label("size, px", exact=True).select_option("512")
    own = tmp_path / "own.png"
    Image.new("RGB", (64, 48), (200, 30, 30)).save(own)
    with notebook.changes(shown(cell)):
        upload(cell, own)
    cell.get_by_role("button", name="camera", exact=True).click()
    for _ in range(3):  # one frame after the other
        with notebook.changes(shown(cell)):
            pass
    cell.get_by_label("picture", exact=True).select_option("coffee")
    expect(cell.get_by_role("button", name="camera", exact=True)).to_be_visible()  # it is off
    assert notebook.errors() == []
