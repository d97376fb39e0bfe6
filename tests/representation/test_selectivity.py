import pytest
import torch

import cs231n_viz as viz


def test_selectivity_of_closed_forms():
    labels = torch.tensor([4, 4, 7, 7, 9, 9])
    responses = torch.tensor(
        [
            [1.0, 2, 0, 3],
            [1.0, 4, 0, 3],
            [1.0, 0, 0, 1],
            [1.0, 0, 0, 1],
            [1.0, 0, 0, 1],
            [1.0, 0, 0, 1],
        ]
    )
    score, favourite = viz.selectivity(responses, labels)
    torch.testing.assert_close(score, torch.tensor([0, 1, 0, 0.5]))  # alike, only one, never, (3 - 1)/(3 + 1)
    assert favourite[1] == 4
    assert favourite[3] == 4


def test_selectivity_weighs_classes_not_pictures():
    labels = torch.tensor([0] + [1] * 9 + [2])
    responses = torch.tensor([[1.0]] + [[0.5]] * 9 + [[0.0]])
    assert viz.selectivity(responses, labels).score.item() == pytest.approx((1 - 0.25) / (1 + 0.25))


def test_unfit_responses_are_refused():
    with pytest.raises(ValueError, match="at least 0"):
        viz.selectivity(torch.tensor([[-1.0], [1]]), [0, 1])
    with pytest.raises(ValueError, match="only one"):
        viz.selectivity(torch.ones(2, 3), [1, 1])
    with pytest.raises(ValueError, match=r"got \(2, 3\), \(3,\)"):
        viz.selectivity(torch.ones(2, 3), [0, 1, 2])
