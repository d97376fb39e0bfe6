"""Scores as text."""

import numpy as np
import pytest

from cs231n_viz.explore.toolkit.score_chart import log_heights, score_text


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0, "0"),
        (3.14159, "3.142"),
        (-42.4242, "−42.42"),
        (0.012345, "0.01235"),
        (9999.6, "10000"),
        (123456, "1.23e+05"),
    ],
)
def test_scores_have_four_digits(score, text):
    assert score_text(score) == text


def test_scores_over_decades_stand_at_their_logarithms_and_the_best_is_on_top():
    np.testing.assert_allclose(log_heights(np.array([1.0, 10.0, 1000.0])), [0, 1 / 3, 1])
    np.testing.assert_allclose(log_heights(np.array([-100.0, -1.0, -10.0])), [0, 1, 1 / 2])


@pytest.mark.parametrize("scores", [[1.0, 9.0], [-1.0, 100.0], [0.0, 100.0], [-9.0, -1.0], [1.0, np.nan, 100.0]])
def test_scores_of_both_signs_or_of_one_decade_have_a_plain_scale(scores):
    assert log_heights(np.array(scores)) is None
