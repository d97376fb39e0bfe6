"""Scores as text."""

import pytest

from cs231n_viz.explore.toolkit.score_chart import score_text


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
