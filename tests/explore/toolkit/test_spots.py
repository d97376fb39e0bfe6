"""Where a picture can be pointed at: cells are chosen, arrow keys go on cell by cell, and a sentence says so."""

import numpy as np
import pytest

from cs231n_viz.explore import ClickablePicture, Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import SCALE, Canvas
from cs231n_viz.explore.toolkit.controls import PictureChoice, slider
from cs231n_viz.explore.toolkit.picture import Spot
from cs231n_viz.explore.toolkit.tile_grid import draw_tiles
from cs231n_viz.pictures.images import ImageError
from tests.explore.controls import press
from tests.explore.toolkit.test_upload import given

BLACK = np.zeros((200, 400, 3), np.uint8)


@pytest.fixture
def explorer():
    """Two grids: rows × columns of 2 × 4 at the left, 3 × 3 at the right, and a strip that follows the mouse."""

    def draw(x, y, z):
        def choose(column):
            controls["z"].value = column

        return Drawing(
            BLACK,
            spots=(
                Spot((10, 20), (80, 40), (2, 4), lambda row, col: set_to("xy", (col, row)), (y, x)),
                Spot((100, 20), (60, 60), (3, 3), lambda row, col: choose(col), (1, z)),
                Spot((0, 90), (50, 5), (1, 5), lambda row, col: choose(2), hover=True),
            ),
        )

    def set_to(names, values):
        for name, value in zip(names, values, strict=True):
            controls[name].value = value

    controls = {name: slider(name, 0, 3) for name in "xyz"}
    return Explorer(draw, controls, view=ClickablePicture(), pointing="Click a cell.")


def values(explorer):
    return tuple(control.value for control in explorer.controls.values())


def click(explorer, x, y):
    explorer.view.position = (round(y * SCALE), round(x * SCALE))


def test_a_click_chooses_the_cell_under_it_and_none_beside_the_grids(explorer):
    click(explorer, 89.5, 20)
    assert values(explorer) == (3, 0, 0)
    click(explorer, 10, 59.5)
    assert values(explorer) == (0, 1, 0)
    for x, y in ((9, 30), (90, 30), (50, 19), (50, 60)):
        click(explorer, x, y)
        assert values(explorer) == (0, 1, 0)
    click(explorer, 159, 30)
    assert values(explorer) == (0, 1, 2)


def test_arrow_keys_need_no_click_go_cell_by_cell_and_stay_in_their_grid(explorer):
    seen = [values(explorer)]
    for _ in range(5):
        press(explorer, "right")
        seen.append(values(explorer))
    assert [x for x, _, _ in seen] == [0, 1, 2, 3, 3, 3]
    press(explorer, "down")
    press(explorer, "left")
    assert values(explorer) == (2, 1, 0)
    explorer.controls["x"].value = 0  # the slider, and then a key
    press(explorer, "right")
    assert values(explorer) == (1, 1, 0)


def test_arrow_keys_go_on_in_the_grid_that_was_clicked_even_where_nothing_changed(explorer):
    click(explorer, 105, 45)
    assert values(explorer) == (0, 0, 0)
    press(explorer, "right")
    assert values(explorer) == (0, 0, 1)


def test_the_page_is_told_where_something_can_be_chosen_and_what_follows_the_mouse(explorer):
    scaled = [(20, 10, 60, 90, False), (20, 100, 80, 160, False), (90, 0, 95, 50, True)]
    assert explorer.view.areas == tuple((*(round(v * SCALE) for v in area[:4]), area[4]) for area in scaled)
    assert "Click a cell." in explorer.message.value
    click(explorer, 20, 92)
    assert values(explorer) == (0, 0, 2)
    press(explorer, "right")  # what follows the mouse takes no keys
    assert values(explorer) == (1, 0, 2)


def test_a_notice_takes_the_place_of_the_sentence():
    explorer = Explorer(lambda x: Drawing(BLACK, notice="no" * x), {"x": slider("x", 0, 1)}, pointing="Click.")
    assert "Click." in explorer.message.value
    explorer.controls["x"].value = 1
    assert "Click." not in explorer.message.value


def test_tiles_are_chosen_where_they_are_drawn():
    seen, canvas = [], Canvas(300, 300)
    tiles = np.arange(7, dtype=np.uint8)[:, None, None, None].repeat(3, 3) * 30 + np.zeros((7, 2, 2, 3), np.uint8)
    spot = draw_tiles(canvas, tiles, (5, 10), side=90, choose=seen.append, chosen=4)
    assert (spot.cells, spot.chosen) == ((3, 3), (1, 1))
    for row in range(3):
        for column in range(3):
            y, x = ((10 + 30 * row + 10) * SCALE, (5 + 30 * column + 10) * SCALE)
            before = len(seen)
            spot.choose(*spot.cell_at((round(y), round(x))))
            assert (len(seen) > before) == (3 * row + column < 7)
            if len(seen) > before:
                assert canvas.array[round(y), round(x), 0] == 30 * seen[-1]
    assert seen == list(range(7))


def test_a_photograph_is_one_of_the_course_or_what_was_given_or_a_file(tmp_path):
    choice = PictureChoice("cat")
    assert choice(choice.dropdown.value) == "cat"
    grey = np.zeros((4, 4))
    choice = PictureChoice(grey)
    assert choice(choice.dropdown.value) is grey
    assert "cat" in choice.dropdown.options
    choice = PictureChoice(tmp_path / "dog.jpg")
    assert choice.dropdown.value == "dog.jpg"
    assert choice("dog.jpg") == tmp_path / "dog.jpg"
    choice.file.value = given("notes.txt", "text/plain", b"no picture")
    assert choice.dropdown.value == "2: notes.txt"
    with pytest.raises(ImageError, match=r"notes\.txt"):
        choice("2: notes.txt")
    choice.file.value = ()  # what a reset does
    assert choice.dropdown.value == "2: notes.txt"
