"""Exercise of notebook 03: how much does a unit prefer one class?"""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def selectivity(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How much does each unit prefer one class to the others?

    Args:
        responses: (N, C), not negative: the answer of C units to N pictures, behind a ReLU.
        labels: (N,), whole numbers: the class of each picture.

    Returns:
        Score (C,) in [0, 1], (m_best - m_rest) / (m_best + m_rest): m_best is the largest class mean of the unit,
        m_rest the mean of its other class means; 0 for a unit that never answers. And the favourite (C,), the label of
        the class with the largest mean.
    """
    classes = labels.unique()
    means = torch.stack([responses[labels == c].mean(dim=0) for c in classes])  # (K, C)
    best, place = means.max(dim=0)
    rest = (means.sum(dim=0) - best) / (len(classes) - 1)  # every class counts the same, however many pictures it has
    total = best + rest
    return torch.where(total > 0, (best - rest) / total.clamp_min(1e-12), 0.0), classes[place]


def _scored(
    responses: Tensor,
    labels: Tensor,
    *,
    summary: Callable[[Tensor], Tensor] = lambda rows: rows.mean(dim=0),
    rest_of: Callable[[Tensor, Tensor], Tensor] = lambda means, best: (means.sum(0) - best) / (len(means) - 1),
    score: Callable[[Tensor, Tensor], Tensor] = lambda best, rest: ((best - rest) / (best + rest)).nan_to_num(0),
) -> tuple[Tensor, Tensor]:
    """The reference, with the mistakes that can be made on the way."""
    classes = labels.unique()
    means = torch.stack([summary(responses[labels == c]) for c in classes])
    best, place = means.max(dim=0)
    return score(best, rest_of(means, best)), classes[place]


def _rest_by_pictures(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    score, favourite = selectivity(responses, labels)
    for c, label in enumerate(favourite):
        mine = labels == label
        best, rest = responses[mine, c].mean(), responses[~mine, c].mean()
        score[c] = (best - rest) / (best + rest) if best + rest > 0 else 0.0
    return score, favourite


def _favourites_place(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    score, favourite = selectivity(responses, labels)
    return score, torch.searchsorted(labels.unique(), favourite)


def _favourite_of_one_picture(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return selectivity(responses, labels)[0], labels[responses.argmax(dim=0)]


_SELECTIVITY = Entry(
    name="selectivity",
    reference=selectivity,
    stars=2,
    minutes=15,
    checks=[
        Check(
            "means 3 and 1 of two classes: (3 - 1) / (3 + 1)",
            {
                "responses": torch.tensor([[2.0, 1.0], [4.0, 0.0], [1.0, 6.0], [1.0, 8.0]]),
                "labels": torch.tensor([0, 0, 1, 1]),
            },
            (torch.tensor([0.5, 13 / 15]), torch.tensor([0, 1])),
        ),
        Check(
            "three classes: the rest is the mean of the other class means",
            {"responses": torch.tensor([[6.0], [3.0], [1.0]]), "labels": torch.tensor([0, 1, 2])},
            (torch.tensor([0.5]), torch.tensor([0])),
        ),
        Check(
            "a class counts once, however many pictures it has",
            {
                "responses": torch.tensor([[5.0, 9.0], [3.0, 0.0], [3.0, 0.0], [3.0, 3.0], [1.0, 3.5]]),
                "labels": torch.tensor([0, 1, 1, 1, 2]),
            },
            (torch.tensor([3 / 7, 27 / 45]), torch.tensor([0, 0])),
        ),
        Check(
            "one strong picture does not make a favourite class",
            {
                "responses": torch.tensor([[7.0], [0.0], [0.0], [4.0], [5.0], [3.0]]),
                "labels": torch.tensor([0, 0, 0, 1, 1, 1]),
            },
            (torch.tensor([(4 - 7 / 3) / (4 + 7 / 3)]), torch.tensor([1])),
        ),
        Check(
            "the favourite is a label, also where numbers are left out",
            {"responses": torch.tensor([[1.0, 3.0], [3.0, 1.0]]), "labels": torch.tensor([4, 7])},
            (torch.tensor([0.5, 0.5]), torch.tensor([7, 4])),
        ),
        Check(
            "a unit that never answers has score 0",
            {"responses": torch.tensor([[0.0, 1.0], [0.0, 3.0]]), "labels": torch.tensor([0, 1])},
            (torch.tensor([0.0, 0.5]), torch.tensor([0, 1])),
            lambda function, responses, labels: _without_silent_favourites(function(responses, labels), responses),
        ),
    ],
    mistakes={
        "the mean of all classes stands for the rest: leave the best class out": (
            lambda responses, labels: _scored(responses, labels, rest_of=lambda means, best: means.mean(dim=0))
        ),
        "the rest is averaged over pictures: each class counts once, average the class means": _rest_by_pictures,
        "the rest is the second best class alone: it is the mean of all the other class means": (
            lambda responses, labels: _scored(responses, labels, rest_of=lambda m, best: m.topk(2, dim=0).values[1])
        ),
        "the class means are added up: divide by the number of the other classes": (
            lambda responses, labels: _scored(responses, labels, rest_of=lambda means, best: means.sum(dim=0) - best)
        ),
        "each class is represented by its strongest picture: take the mean": (
            lambda responses, labels: _scored(responses, labels, summary=lambda rows: rows.amax(dim=0))
        ),
        "each class is represented by the sum over its pictures: large classes win, take the mean": (
            lambda responses, labels: _scored(responses, labels, summary=lambda rows: rows.sum(dim=0))
        ),
        "the difference is not divided: a unit with large responses is not a selective one": (
            lambda responses, labels: _scored(responses, labels, score=lambda best, rest: best - rest)
        ),
        "divided by m_best alone: the denominator is m_best + m_rest": (
            lambda responses, labels: _scored(
                responses, labels, score=lambda best, rest: ((best - rest) / best).nan_to_num(0)
            )
        ),
        "0 / 0 is NaN: a unit that never answers needs care": (
            lambda responses, labels: _scored(responses, labels, score=lambda best, rest: (best - rest) / (best + rest))
        ),
        "the favourite is a place in the list of classes: return the label that stands there": _favourites_place,
        "the favourite is the class of the single strongest picture: take the class with the largest mean": (
            _favourite_of_one_picture
        ),
    },
)


def _without_silent_favourites(answer: tuple[Tensor, Tensor], responses: Tensor) -> tuple[Tensor, Tensor]:
    """A unit that never answers has no favourite: whatever was returned for it is right."""
    score, favourite = answer
    return score, torch.where(responses.amax(dim=0) > 0, favourite, 0)


ENTRIES = [_SELECTIVITY]
