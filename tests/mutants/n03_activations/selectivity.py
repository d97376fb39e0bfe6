import numpy as np
import torch
from torch.nn.functional import one_hot

from tests.mutants import Answers

answers = Answers()


def table(responses, labels, how=np.mean):
    """Label -> (C,), in the order of the labels."""
    return {int(c): how(responses.numpy()[labels.numpy() == c], axis=0) for c in np.unique(labels.numpy())}


def finish(means, rest, score=lambda best, rest: (best - rest) / max(best + rest, 1e-9)):
    names, rows = list(means), np.stack(list(means.values()))
    scores = [score(column.max(), rest(column)) for column in rows.T]
    return torch.tensor(np.array(scores)), torch.tensor([names[i] for i in rows.argmax(0)])


def others(column):
    return np.delete(column, column.argmax()).mean()


@answers.right
def in_numpy(responses, labels):
    return finish(table(responses, labels), others)


@answers.right
def by_matrix_product(responses, labels):
    names, place = torch.unique(labels, return_inverse=True)
    members = one_hot(place).to(responses).T  # (K, N)
    means = members @ responses / members.sum(1, keepdim=True)
    ordered = means.sort(dim=0, descending=True)
    best, rest = ordered.values[0], ordered.values[1:].mean(0)
    score = (best - rest) / (best + rest)
    score[best == 0] = 0
    return score, names[ordered.indices[0]]


@answers.right
def channel_by_channel(responses, labels):
    scores, favourites = [], []
    for column in responses.T:
        means = {}
        for label in sorted(set(labels.tolist())):
            means[label] = column[labels == label].mean().item()
        favourite = max(means, key=means.get)
        rest = [m for label, m in means.items() if label != favourite]
        rest = sum(rest) / len(rest)
        total = means[favourite] + rest
        scores.append((means[favourite] - rest) / total if total else 0.0)
        favourites.append(favourite)
    return torch.tensor(scores), torch.tensor(favourites)


@answers.right
def nan_repaired(responses, labels):
    sums = torch.zeros(int(labels.max()) + 1, responses.shape[1]).index_add_(0, labels, responses)
    counts = torch.bincount(labels, minlength=len(sums))
    present = counts > 0
    means = sums / counts.clamp_min(1)[:, None]
    best, favourite = means.masked_fill(~present[:, None], -1).max(0)
    rest = (means.sum(0) - best) / (present.sum() - 1)
    return ((best - rest) / (best + rest)).nan_to_num(0.0), favourite


@answers.wrong("leave the best class out")
def all_classes(responses, labels):
    return finish(table(responses, labels), np.mean)


@answers.wrong("averaged over images")
def other_pictures(responses, labels):
    _, favourite = in_numpy(responses, labels)
    rest = torch.stack([responses[labels != f, c].mean() for c, f in enumerate(favourite)])
    best = torch.stack([responses[labels == f, c].mean() for c, f in enumerate(favourite)])
    return ((best - rest) / (best + rest)).nan_to_num(0), favourite


@answers.wrong("the second best class alone")
def second_best(responses, labels):
    return finish(table(responses, labels), lambda column: np.sort(column)[-2])


@answers.wrong("the class means are added up")
def summed_rest(responses, labels):
    return finish(table(responses, labels), lambda column: column.sum() - column.max())


@answers.wrong("by its strongest image: take the mean")
def class_maxima(responses, labels):
    return finish(table(responses, labels, np.max), others)


@answers.wrong("large classes win")
def class_sums(responses, labels):
    return finish(table(responses, labels, np.sum), others)


@answers.wrong("the difference is not divided")
def difference(responses, labels):
    return finish(table(responses, labels), others, lambda best, rest: best - rest)


@answers.wrong("divided by m_best alone")
def over_the_best(responses, labels):
    return finish(table(responses, labels), others, lambda best, rest: (best - rest) / max(best, 1e-9))


@answers.wrong("0 / 0 is NaN")
def divides_by_zero(responses, labels):
    best = torch.stack([responses[labels == c].mean(0) for c in labels.unique()])
    top = best.amax(0)
    rest = (best.sum(0) - top) / (len(best) - 1)
    return (top - rest) / (top + rest), labels.unique()[best.argmax(0)]


@answers.wrong("a position in the list of classes")
def place_of_the_class(responses, labels):
    scores, _ = in_numpy(responses, labels)
    return scores, torch.tensor(np.stack(list(table(responses, labels).values())).argmax(0))


@answers.wrong("the single strongest image: take the class")
def strongest_picture(responses, labels):
    scores, _ = in_numpy(responses, labels)
    return scores, torch.stack([labels[i] for i in responses.argmax(0)])


@answers.wrong("something works in place")
def normalises_in_place(responses, labels):
    answer = in_numpy(responses, labels)
    responses /= responses.max()
    return answer
