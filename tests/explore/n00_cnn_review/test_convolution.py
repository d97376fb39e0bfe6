"""The convolution explorer: every control moves the picture, a learner's function feeds it, a wrong one is named."""

import math
import re

import numpy as np
import pytest

from cs231n_viz import explore
from cs231n_viz.exercises import find
from cs231n_viz.explore.n00_cnn_review.convolution import KERNELS
from cs231n_viz.explore.n00_cnn_review.windows import GreyPatches
from cs231n_viz.explore.toolkit.canvas import GREEN, SCALE
from tests.explore.controls import median_seconds, move_every_control, position, press


def test_convolution_follows_every_control():
    explorer = explore.convolution()
    assert explorer.picture.dtype == np.uint8
    move_every_control(explorer, skip={"preset"})
    before = explorer.picture
    explorer.controls["kernel"].children[4].value = 7.5
    assert (explorer.picture != before).any()
    assert explorer.controls["preset"].value == "your own"


@pytest.mark.parametrize("preset", list(KERNELS))
def test_convolution_presets_fill_in_the_kernel(preset):
    explorer = explore.convolution()
    explorer.controls["preset"].value = preset
    assert explorer.controls["kernel"].value == tuple(np.ravel(KERNELS[preset]))
    assert explorer.controls["preset"].value == preset
    assert explorer.error is None


def test_convolution_says_the_sum_of_the_nine_products():
    explorer = explore.convolution(np.arange(9).reshape(3, 3) / 10)
    explorer.controls["preset"].value = "sharpen"
    assert "output[0, 0]" in explorer.text.value
    assert f"<b>{5 * 0.4 - 0.1 - 0.3 - 0.5 - 0.7:.3f}</b>" in explorer.text.value.replace("−", "-").replace(
        "-0.0", "0.0"
    )


def test_convolution_counts_as_lecture_notes_do():
    picture = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
    explorer = explore.convolution(np.array(picture, float))
    explorer.controls["preset"].value = "lecture notes"
    sums = []
    for cell in range(9):
        explorer.controls["cell"].value = cell
        sums.append(float(re.search(r"<b>(.*?)</b>", explorer.text.value)[1]))
    assert sums == [4, 3, 4, 2, 4, 3, 2, 3, 4]  # counted by hand: the ones on the diagonals of each window


def test_convolution_says_where_the_steps_do_not_divide():
    explorer = explore.convolution()
    assert "cs231n-notice" not in explorer.message.value
    explorer.controls["stride"].value = 2
    assert "(12 − 3) / 2 = 4.5 is not a whole number" in explorer.message.value
    assert "last row and column are never seen" in explorer.message.value
    explorer.controls["stride"].value = 3
    assert "cs231n-notice" not in explorer.message.value


def test_convolution_runs_through_all_output_cells():
    explorer = explore.convolution()
    explorer.controls["stride"].value = 3
    assert explorer.controls["cell"].max == explorer.controls["play"].max == 4 * 4 - 1
    explorer.controls["play"].value = 5
    assert explorer.controls["cell"].value == 5
    assert "output[1, 1]" in explorer.text.value


def test_convolution_is_fed_by_a_learners_function():
    ours, theirs = explore.convolution(), explore.convolution(conv2d=find("conv2d").reference)
    assert theirs.error is None
    np.testing.assert_array_equal(ours.picture, theirs.picture)


def test_convolution_shows_what_a_wrong_function_says():
    def flipped(image, kernels, *, stride=1, padding=0):
        return find("conv2d").reference(image, kernels.flip(2, 3), stride=stride, padding=padding)

    explorer = explore.convolution(conv2d=flipped)
    assert explorer.error is None
    assert "Your conv2d says" in explorer.text.value


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image, kernels, *, stride, padding: image, "output size formula says"),
        (lambda image, kernels, *, stride, padding: image[0], "must return"),
        (lambda image, kernels: image, "unexpected keyword"),
    ],
)
def test_convolution_reports_a_function_that_cannot_be_used(function, message):
    explorer = explore.convolution(conv2d=function)
    assert message in str(explorer.error)
    assert "Not drawn" in explorer.message.value


def test_patches_have_limits():
    with pytest.raises(ValueError, match="3 to 16"):
        explore.convolution(np.zeros((40, 40)))


def test_clicks_on_output_and_input_move_the_window_and_arrow_keys_go_on():
    explorer = explore.convolution()
    explorer.controls["padding"].value = 1  # input 14×14 with the padding, output 12×12
    start = explorer.controls["cell"].value
    press(explorer, "left")  # nothing was clicked yet
    assert explorer.controls["cell"].value == start - 1
    explorer.view.position = position((478, 32), 3.5 / 12, 7.5 / 12, 364)
    assert explorer.controls["cell"].value == 3 * 12 + 7
    assert "output[3, 7]" in explorer.text.value
    explorer.view.position = position((8, 32), 5.5 / 14, 2.5 / 14, 364)  # the middle of the window of cell (4, 1)
    assert "output[4, 1]" in explorer.text.value
    press(explorer, "up")
    assert "output[3, 1]" in explorer.text.value
    explorer.view.position = position((8, 32), 0.5 / 14, 13.5 / 14, 364)  # a corner: the nearest window
    assert "output[0, 11]" in explorer.text.value


@pytest.mark.parametrize("left", [8, 180, 352])
def test_a_number_that_is_pointed_at_is_linked_in_window_kernel_and_products(left):
    explorer = explore.convolution(np.arange(25).reshape(5, 5) / 25)
    before = explorer.picture
    explorer.view.position = position((left, 462), 1.5 / 3, 2.5 / 3, 138)
    for x in (8, 180, 352):
        corner = position((x, 462), 1 / 3, 2 / 3, 138)
        assert tuple(explorer.picture[corner[0] + 3, corner[1] + 3]) == GREEN
        assert tuple(before[corner[0] + 3, corner[1] + 3]) != GREEN
    row, column = divmod(explorer.controls["cell"].value, 3)
    pixel = position((8, 32), (row + 1) / 5, (column + 2) / 5, 364)
    assert tuple(explorer.picture[pixel[0] + 3, pixel[1] + 3]) == GREEN
    assert f"<mark>{(5 * (row + 1) + column + 2) / 25:.2f}·1</mark>" in explorer.text.value
    assert [area[4] for area in explorer.view.areas] == [False, False, True, True, True]  # the mouse is enough there


def test_a_click_on_the_photograph_moves_the_patch_there():
    explorer = explore.convolution("astronaut")
    patches = GreyPatches("astronaut")
    high, wide = patches("astronaut").photo.shape
    width = 206 * min(1, wide / high / 1.5)
    explorer.controls["preset"].value = "identity"
    for place in (position((852 - width, 462), 0.8 * high / wide, 0.25, width), (int(462 * SCALE), int(851.9 * SCALE))):
        explorer.view.position = place
        row = math.floor((place[0] / SCALE - 462) / width * wide)  # the pixel of the photograph under the mouse
        column = math.floor((place[1] / SCALE - 852 + width) / width * wide)
        patch = patches("astronaut", ((row + 0.5) / high, (column + 0.5) / wide))
        top, left, side, _ = patch.box
        assert abs(top + side / 2 - row) <= 1 or top == 0
        assert abs(left + side / 2 - column) <= 1 or left == wide - side
        cell = divmod(explorer.controls["cell"].value, 10)  # the kernel keeps the middle of its window
        assert f"<b>{patch.pixels[cell[0] + 1, cell[1] + 1]:.3f}</b>" in explorer.text.value
    explorer.controls["photograph"].value = "cat"
    assert explorer.error is None


def test_convolution_updates_are_fast():
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.convolution()
    assert median_seconds(explorer, "cell", range(20)) < 0.1
    assert len(explorer.seconds) >= len(range(20))
