"""What the checks of several exercises ask of an answer besides its value."""

import numpy as np
import pytest
import torch

from cs231n_viz.exercises.fixtures import dtype_of, is_attached


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda x: 2 * x, "float32"),
        (lambda x: x.double(), "float64"),
        (lambda x: x > 0, "bool"),
        (lambda x: x.numpy(), "ndarray"),
        (lambda x: None, "NoneType"),
    ],
)
def test_the_dtype_of_an_answer_is_its_name_and_of_anything_else_its_type(answer, expected):
    assert dtype_of(answer, x=torch.ones(2)) == expected


def test_an_answer_is_attached_while_a_gradient_could_reach_it():
    leaf = torch.ones(2, requires_grad=True)
    assert is_attached(lambda x: 2 * x, x=leaf)
    assert not is_attached(lambda x: (2 * x).detach(), x=leaf)
    assert not is_attached(lambda x: 2 * x, x=torch.ones(2))
    assert not is_attached(lambda x: np.ones(2), x=leaf)
