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


def _with_epsilon(epsilon: float) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    return _scored(score=lambda best, rest: (best - rest) / (best + rest + epsilon))


def _absent_classes_too(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    means = torch.stack([responses[labels == c].mean(dim=0) for c in range(int(labels.max()) + 1)]).nan_to_num(0)
    best, favourite = means.max(dim=0)
    rest = (means.sum(dim=0) - best) / (len(means) - 1)
    return ((best - rest) / (best + rest)).nan_to_num(0), favourite


def _scores_alone(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    def answer(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        score, favourite = selectivity(responses, labels)
        return change(score), favourite

    return answer


def _silenced_below(limit: float) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    def answer(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        score, favourite = selectivity(responses, labels)
        return torch.where(responses.amax(dim=0) > limit, score, 0.0), favourite

    return answer


def _numbered_labels(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    means = torch.stack([responses[labels == c].mean(dim=0) for c in range(len(labels.unique()))])
    best, favourite = means.max(dim=0)
    rest = (means.sum(dim=0) - best) / (len(means) - 1)
    return ((best - rest) / (best + rest)).nan_to_num(0), favourite


def _least_liked(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    classes = labels.unique()
    means = torch.stack([responses[labels == c].mean(dim=0) for c in classes])
    return selectivity(responses, labels)[0], classes[means.argmin(dim=0)]


def _favourite_by(number: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The favourite is chosen by another number of each class than its mean."""

    def answer(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes = labels.unique()
        numbers = torch.stack([number(responses[labels == c]) for c in classes])
        return selectivity(responses, labels)[0], classes[numbers.argmax(dim=0)]

    return answer


def _labels_as_integers(function: Callable, responses: Tensor, labels: Tensor) -> list[int]:
    """The favourites as Python's numbers: floats cannot look up a name in a later cell."""
    return function(responses, labels)[1].tolist()


def _rest_by_images(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    score, favourite = selectivity(responses, labels)
    for c, label in enumerate(favourite):
        mine = labels == label
        best, rest = responses[mine, c].mean(), responses[~mine, c].mean()
        score[c] = (best - rest) / (best + rest) if best + rest > 0 else 0.0
    return score, favourite


def _runs(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    classes, counts = labels.unique_consecutive(return_counts=True)
    means = torch.stack([part.mean(dim=0) for part in responses.split(counts.tolist())])
    best, place = means.max(dim=0)
    rest = (means.sum(dim=0) - best) / (len(means) - 1)
    return ((best - rest) / (best + rest)).nan_to_num(0), classes[place]


def _two_orders(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    score, favourite = selectivity(responses, labels)
    appeared = torch.tensor(list(dict.fromkeys(labels.tolist())))
    return score, appeared[torch.searchsorted(labels.unique(), favourite)]


def _scored_by_the_sum(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    classes = labels.unique()
    means = torch.stack([responses[labels == c].mean(dim=0) for c in classes])
    place = torch.stack([responses[labels == c].sum(dim=0) for c in classes]).argmax(dim=0)
    best = means.gather(0, place[None])[0]
    rest = (means.sum(dim=0) - best) / (len(classes) - 1)
    return ((best - rest) / (best + rest)).nan_to_num(0), classes[place]


def _over_all(responses: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    classes = labels.unique()
    means = torch.stack([responses[labels == c].mean(dim=0) for c in classes])
    best, place = means.max(dim=0)
    rest = (means.sum(dim=0) - best) / (len(means) - 1)
    return ((best - rest) / means.sum(dim=0)).nan_to_num(0), classes[place]


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
    hints=(
        "First a table of class means: a row for each class that occurs, a column for each unit. Everything else is "
        "read off this table.",
        "`labels.unique()` gives the classes, `means.max(dim=0)` the best mean and its row. The rest is (sum - best) / "
        "(K - 1). Look the row up among the classes, and let `torch.where` catch 0 / 0.",
    ),
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
            [[3.0, 0.0], [3.0, 3.0], [5.0, 9.0], [3.0, 0.0], [1.0, 3.5]],
            [1, 1, 0, 1, 2],
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
            "the favourite is a label, in any order and also where numbers are left out",
            [[1.0, 3.0], [3.0, 1.0]],
            [7, 4],
            [0.5, 0.5],
            [4, 7],
        ),
        _preferred("weak units are scored, too", [[0.003], [0.001]], [0, 1], [0.5], [0]),
        Check(
            "favourites are whole numbers, as labels are",
            {"responses": torch.tensor([[1.0, 3.0], [3.0, 1.0]]), "labels": torch.tensor([2, 5])},
            [5, 2],
            _labels_as_integers,
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
        "the smallest class mean stands for the rest: it is the mean of all but the best": (
            _scored(rest_of=lambda means, best: means.amin(dim=0))
        ),
        "this is m_best's share of all class means: the score is (m_best - m_rest) / (m_best + m_rest)": (
            _scored(rest_of=lambda means, best: means.sum(0), score=lambda best, total: (best / total).nan_to_num(0)),
        ),
        "divided by m_rest or by the sum of all class means: the denominator is m_best plus m_rest": (
            _scored(score=lambda best, rest: ((best - rest) / rest).nan_to_num(0)),
            _over_all,
        ),
        "the sign is turned: m_best comes first": _scores_alone(torch.neg),
        "this is a ratio of means: the score is a difference over a sum": (
            _scored(score=lambda best, rest: (best / rest).nan_to_num(0)),
            _scored(score=lambda best, rest: (rest / best).nan_to_num(0)),
        ),
        "these are deviations from the mean in standard deviations: divide by m_best + m_rest instead": (
            _scored(
                rest_of=lambda means, best: (best - means.mean(0)) / means.std(0), score=lambda _, z: z.nan_to_num(0)
            ),
            _scored(
                rest_of=lambda means, best: (best - means.mean(0)) / means.std(0, correction=0),
                score=lambda _, z: z.nan_to_num(0),
            ),
        ),
        "each class is represented by its median: take the mean": (
            _scored(summary=lambda rows: rows.median(dim=0).values),
            _scored(summary=lambda rows: rows.quantile(0.5, dim=0)),
        ),
        "the share of active images is counted: take the mean of the activations": (
            _scored(summary=lambda rows: (rows > 0).float().mean(dim=0))
        ),
        "only the active images of a class are averaged: zeros count too": (
            _scored(summary=lambda rows: rows.sum(dim=0) / (rows > 0).sum(dim=0).clamp_min(1))
        ),
        "a small number in the denominator draws weak units towards 0: treat only a zero apart": (
            _with_epsilon(1.0),
            _with_epsilon(1e-1),
            _with_epsilon(1e-2),
            _with_epsilon(1e-3),
            _with_epsilon(1e-4),
            _with_epsilon(1e-5),
            _with_epsilon(1e-6),
        ),
        "labels that no image has are counted as classes: `labels.unique()` names those that occur": (
            _absent_classes_too
        ),
        "weak units count as never active: only a unit without any activation has score 0": (
            _silenced_below(0.1),
            _silenced_below(0.05),
            _silenced_below(0.01),
            _silenced_below(1e-2 / 3),
        ),
        "the labels are taken for 0, 1, 2, …: they may leave numbers out": _numbered_labels,
        "the sum is divided by the number of all classes: the others are one less": (
            _scored(rest_of=lambda means, best: (means.sum(0) - best) / len(means))
        ),
        "a unit that is never active is given another score: 0 was asked for": (
            _scored(score=lambda best, rest: ((best - rest) / (best + rest)).nan_to_num(1)),
            _scored(score=lambda best, rest: ((best - rest) / (best + rest)).nan_to_num(-1)),
            _scored(score=lambda best, rest: ((best - rest) / (best + rest)).nan_to_num(0.5)),
        ),
        "the score is squared or its root is taken": (
            _scores_alone(torch.square),
            _scores_alone(torch.sqrt),
        ),
        "the favourite is the class that is liked least": _least_liked,
        "favourite and score are in the wrong order: (score, favourite)": (
            lambda responses, labels: selectivity(responses, labels)[::-1]
        ),
        "the favourite is chosen by the sum over a class: it grows with the class, take that of the largest mean": (
            _favourite_by(lambda rows: rows.sum(dim=0)),
            _scored_by_the_sum,
        ),
        "runs of equal labels are taken for classes: the images of a class may be anywhere": _runs,
        "classes in the order of their appearance, means in that of their labels: both need the same order": (
            _two_orders
        ),
        "the favourites are floats: labels are whole numbers": (
            lambda responses, labels: (selectivity(responses, labels)[0], selectivity(responses, labels)[1].float()),
        ),
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
