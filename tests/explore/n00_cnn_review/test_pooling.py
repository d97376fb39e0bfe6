"""The pooling explorer: every control moves the picture, and the maximum is named."""

import numpy as np

from cs231n_viz import explore
from cs231n_viz.exercises import find
from tests.explore.controls import median_seconds, move_every_control


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


def test_pooling_updates_are_fast():
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.pooling()
    assert median_seconds(explorer, "cell", range(20)) < 0.1
    assert len(explorer.seconds) >= len(range(20))
