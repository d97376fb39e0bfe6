"""Class selectivity of units."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def selectivity(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Score how much each unit prefers one class to the others.

    Args:
        responses: (N, C), not negative: the activations of C units on N images, after a ReLU.
        labels: (N,), whole numbers: the class of each image.

    Returns:
        Score (C,) in [0, 1], (m_best - m_rest) / (m_best + m_rest): m_best is the largest class mean of the unit,
        m_rest the mean of its other class means; 0 for a unit that is never active. And the favourite (C,), the label
        of the class with the largest mean.
    """
    classes = labels.unique()
    means = torch.stack([responses[labels == c].mean(dim=0) for c in classes])  # (K, C)
    best, place = means.max(dim=0)
    rest = (means.sum(dim=0) - best) / (len(classes) - 1)  # every class counts the same, however many images it has
    total = best + rest
    return torch.where(total > 0, (best - rest) / total.clamp_min(1e-12), 0.0), classes[place]


def _scored(
    *,
    summary: Callable[[Tensor], Tensor] = lambda rows: rows.mean(dim=0),
    rest_of: Callable[[Tensor, Tensor], Tensor] = lambda means, best: (means.sum(0) - best) / (len(means) - 1),
    score: Callable[[Tensor, Tensor], Tensor] = lambda best, rest: ((best - rest) / (best + rest)).nan_to_num(0),
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The reference, with the mistakes that can be made on the way."""

    def scored(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes = labels.unique()
        means = torch.stack([summary(responses[labels == c]) for c in classes])
        best, place = means.max(dim=0)
        return score(best, rest_of(means, best)), classes[place]

    return scored


def _rest_by_images(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    score, favourite = selectivity(responses, labels)
    for c, label in enumerate(favourite):
        mine = labels == label
        best, rest = responses[mine, c].mean(), responses[~mine, c].mean()
        score[c] = (best - rest) / (best + rest) if best + rest > 0 else 0.0
    return score, favourite


def _favourites_place(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    score, favourite = selectivity(responses, labels)
    return score, torch.searchsorted(labels.unique(), favourite)


def _favourite_of_one_image(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return selectivity(responses, labels)[0], labels[responses.argmax(dim=0)]


def _favourites_of_active_units(function: Callable, responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """A unit that is never active has no favourite: whatever is returned for it is right."""
    score, favourite = function(responses, labels)
    return score, torch.where(responses.amax(dim=0) > 0, favourite, 0)


def _preferred(
    title: str,
    responses: list[list[float]],
    labels: list[int],
    scores: list[float],
    favourites: list[int],
    ask: Callable | None = None,
) -> Check:
    fed = {"responses": torch.tensor(responses), "labels": torch.tensor(labels)}
    return Check(title, fed, (torch.tensor(scores), torch.tensor(favourites)), ask)


ENTRY = Entry(
    name="selectivity",
    reference=selectivity,
    stars=2,
    minutes=15,
    checks=[
        _preferred(
            "means 3 and 1 of two classes: (3 - 1) / (3 + 1)",
            [[2.0, 1.0], [4.0, 0.0], [1.0, 6.0], [1.0, 8.0]],
            [0, 0, 1, 1],
            [0.5, 13 / 15],
            [0, 1],
        ),
        _preferred(
            "three classes: the rest is the mean of the other class means",
            [[6.0], [3.0], [1.0]],
            [0, 1, 2],
            [0.5],
            [0],
        ),
        _preferred(
            "a class counts once, however many images it has",
            [[5.0, 9.0], [3.0, 0.0], [3.0, 0.0], [3.0, 3.0], [1.0, 3.5]],
            [0, 1, 1, 1, 2],
            [3 / 7, 27 / 45],
            [0, 0],
        ),
        _preferred(
            "one strong image does not make a favourite class",
            [[7.0], [0.0], [0.0], [4.0], [5.0], [3.0]],
            [0, 0, 0, 1, 1, 1],
            [(4 - 7 / 3) / (4 + 7 / 3)],
            [1],
        ),
        _preferred(
            "the favourite is a label, also where numbers are left out",
            [[1.0, 3.0], [3.0, 1.0]],
            [4, 7],
            [0.5, 0.5],
            [7, 4],
        ),
        _preferred(
            "a unit that is never active has score 0",
            [[0.0, 1.0], [0.0, 3.0]],
            [0, 1],
            [0.0, 0.5],
            [0, 1],
            _favourites_of_active_units,
        ),
    ],
    mistakes={
        "the mean of all classes stands for the rest: leave the best class out": (
            _scored(rest_of=lambda means, best: means.mean(dim=0))
        ),
        "the rest is averaged over images: each class counts once, average the class means": _rest_by_images,
        "the rest is the second best class alone: it is the mean of all the other class means": (
            _scored(rest_of=lambda means, best: means.topk(2, dim=0).values[1])
        ),
        "the class means are added up: divide by the number of the other classes": (
            _scored(rest_of=lambda means, best: means.sum(dim=0) - best)
        ),
        "each class is represented by its strongest image: take the mean": (
            _scored(summary=lambda rows: rows.amax(dim=0))
        ),
        "each class is represented by the sum over its images: large classes win, take the mean": (
            _scored(summary=lambda rows: rows.sum(dim=0))
        ),
        "the difference is not divided: a unit with large activations is not a selective one": (
            _scored(score=lambda best, rest: best - rest)
        ),
        "divided by m_best alone: the denominator is m_best + m_rest": (
            _scored(score=lambda best, rest: ((best - rest) / best).nan_to_num(0))
        ),
        "0 / 0 is NaN: a unit that is never active needs care": (
            _scored(score=lambda best, rest: (best - rest) / (best + rest))
        ),
        "the favourite is a position in the list of classes: return the label that stands there": _favourites_place,
        "the favourite is the class of the single strongest image: take the class with the largest mean": (
            _favourite_of_one_image
        ),
    },
)
