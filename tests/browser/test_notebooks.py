"""Every explorer of the course, in real JupyterLab: run the notebook, move a control, see the picture change."""

from playwright.sync_api import Locator, expect


def explorer(notebook, name: str) -> Locator:
    """The code cell that shows ``viz.explore.<name>``."""
    cell = notebook.panel.locator(".jp-CodeCell").filter(has_text=f"viz.explore.{name}(")
    expect(cell).to_have_count(1)
    cell.scroll_into_view_if_needed()
    return cell


def shown(cell: Locator) -> Locator:
    """The picture of an explorer, plain or clickable."""
    return cell.locator(".cs231n-picture img").first


def press(slider: Locator, key: str) -> None:
    slider.locator(".noUi-handle").focus()
    slider.page.keyboard.press(key)


def slider(cell: Locator, label: str) -> Locator:
    return cell.locator(".widget-slider").filter(has=cell.page.get_by_text(label, exact=True))


def test_notebook_00_answers_to_its_controls(open_notebook):
    notebook = open_notebook("00_cnn_review.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "convolution")
    with notebook.changes(shown(cell)):
        cell.get_by_label("preset").select_option("blur")
    with notebook.changes(shown(cell)):
        press(slider(cell, "output cell"), "ArrowRight")
    with notebook.changes(shown(cell)):
        press(slider(cell, "padding"), "ArrowRight")
    weight = cell.locator("input[type=number]").first
    with notebook.changes(shown(cell)):
        weight.fill("5")
        weight.press("Enter")
    with notebook.changes(shown(cell)):
        cell.locator(".jupyter-widgets.widget-play button").first.click()

    cell = explorer(notebook, "stack_calculator")
    with notebook.changes(shown(cell)):
        cell.get_by_label("start from").select_option(index=1)
    stride = cell.get_by_label("stride")
    with notebook.changes(shown(cell)):
        stride.fill("5")
        stride.press("Enter")

    cell = explorer(notebook, "pooling")
    with notebook.changes(shown(cell)):
        cell.get_by_label("keep").select_option("average")

    cells = notebook.panel.locator(".jp-Cell").count()
    cell.get_by_label("keep").press("b")  # in JupyterLab's command mode this key inserts a cell
    assert notebook.panel.locator(".jp-Cell").count() == cells

    cell = explorer(notebook, "receptive_fields")
    with notebook.changes(shown(cell)):
        cell.get_by_label("layer").select_option("conv5")
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):
        notebook.page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
    with notebook.changes(shown(cell)):
        notebook.page.keyboard.press("ArrowRight")
    assert notebook.errors() == []


def test_notebook_01_answers_to_its_controls(open_notebook):
    notebook = open_notebook("01_first_layer.ipynb")
    notebook.run_all()
    assert notebook.errors() == []

    cell = explorer(notebook, "filters")
    with notebook.changes(shown(cell)):
        cell.get_by_label("network").select_option("mini_vgg")
    with notebook.changes(shown(cell)):
        cell.locator("input[type=checkbox]").first.click()
    box = shown(cell).bounding_box()
    with notebook.changes(shown(cell)):
        notebook.page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])

    cell = explorer(notebook, "responses")
    with notebook.changes(shown(cell)):
        cell.get_by_label("photograph").select_option("coffee")
    with notebook.changes(shown(cell)):
        press(slider(cell, "filter"), "ArrowRight")

    cell = explorer(notebook, "second_layer")
    with notebook.changes(shown(cell)):
        press(slider(cell, "unit"), "ArrowRight")
    assert notebook.errors() == []
