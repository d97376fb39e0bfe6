"""The pooling explorer: every control moves the picture, and the maximum is named."""

import numpy as np

from cs231n_viz import explore
from cs231n_viz.exercises import find
from tests.explore.controls import median_seconds, move_every_control, position, press


def test_pooling_follows_every_control_and_a_learners_function():
    explorer = explore.pooling("astronaut")
    move_every_control(explorer)
    ours, theirs = explore.pooling(), explore.pooling(max_pool=find("max_pool").reference)
    np.testing.assert_array_equal(ours.picture, theirs.picture)


def test_pooling_says_which_value_wins():
    explorer = explore.pooling(np.array([[0.1, 0.9, 0], [0.2, 0.3, 0], [0, 0, 0]]))
    explorer.controls["cell"].value = 0
    assert "max(0.10, 0.90, 0.20, 0.30) = <b>0.900</b>" in explorer.text.value
    explorer.controls["kind"].value = "average"
    assert "<b>0.375</b>" in explorer.text.value


def test_clicks_on_output_and_input_move_the_window_and_arrow_keys_go_on():
    explorer = explore.pooling()  # 12×12, windows of 2×2: 6×6
    explorer.view.position = position((478, 32), 1.5 / 6, 4.5 / 6, 364)
    assert explorer.controls["cell"].value == 10
    for row, column in ((6, 3), (7, 2)):  # pixels of the window of cell (3, 1)
        explorer.view.position = position((8, 32), (row + 0.5) / 12, (column + 0.5) / 12, 364)
        assert explorer.controls["cell"].value == 19
    press(explorer, "down")
    assert explorer.controls["cell"].value == 25


def test_pooling_updates_are_fast():
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.pooling()
    assert median_seconds(explorer, "cell", range(20)) < 0.1
    assert len(explorer.seconds) >= len(range(20))
