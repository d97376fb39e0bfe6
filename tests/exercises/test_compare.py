"""How a value is compared with the expected one, and how their difference is described."""

import pytest
import torch

from cs231n_viz.exercises.compare import change, describe, equal


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (None, "did you forget `return`"),
        ([1, 2], "a builtins.list came out"),
        (torch.full((2, 3), torch.nan), "NaN"),
        (torch.zeros(2, 3), "only zeros"),
        (torch.zeros(3, 2), "the axes are in another order"),
        (torch.zeros(1, 2, 3), "an axis of length 1"),
        (torch.zeros(5), "(2, 3) was expected"),
        (-torch.arange(6.0).reshape(2, 3), "the sign is flipped"),
        (torch.arange(6.0).reshape(2, 3) / 4, "0.25 times"),
        (torch.arange(6.0).reshape(2, 3) + 2, "off by 2"),
        (torch.arange(6.0).reshape(2, 3).flip(1), "axis 1 runs backwards"),
        (torch.tensor([[0.0, 1, 2], [3, 4, 9]]), "1 of 6 values differ, most at index (1, 2), by 4"),
    ],
)
def test_a_difference_that_is_no_listed_mistake_is_described(got, words):
    assert words in describe(got, torch.arange(6.0).reshape(2, 3))


def test_swapped_axes_of_a_square_are_described():
    square = torch.arange(9.0).reshape(3, 3)
    assert describe(square.T.clone(), square) == "the last two axes are swapped"


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        (5, 5, True),
        (torch.tensor(5), 5, True),
        (5.0, 5, False),
        (5, 5.0, True),
        ("5", 5.0, False),
        (float("nan"), 5.0, False),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), True),
        (torch.ones(2, 1), torch.ones(2), False),
        ([1, 2], (1, 2), True),
        ({"a": 1}, {"a": 2}, False),
        (None, 0, False),
    ],
)
def test_equal(got, expected, same):
    assert equal(got, expected) is same


def test_a_change_is_named_by_what_changed():
    x = torch.ones(2)
    assert change(x.clone(), x) is None
    assert change(x.clone().requires_grad_(), x) == "requires_grad"
    assert change(x + 1, x) == "values"
