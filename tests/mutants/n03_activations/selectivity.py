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


@answers.wrong("the smallest class mean stands")
def against_the_smallest(responses, labels):
    return finish(table(responses, labels), np.min)


@answers.wrong("m_best's share")
def share_of_all(responses, labels):
    return finish(table(responses, labels), np.sum, lambda best, total: best / max(total, 1e-9))


@answers.wrong("divided by m_rest or")
def over_the_rest(responses, labels):
    return finish(table(responses, labels), others, lambda best, rest: (best - rest) / rest if rest else 0.0)


@answers.wrong("divided by m_rest or")
def over_the_sum(responses, labels):
    means = table(responses, labels)
    rows = np.stack(list(means.values()))
    best = rows.max(0)
    rest = (rows.sum(0) - best) / (len(rows) - 1)
    score = np.divide(best - rest, rows.sum(0), out=np.zeros_like(best), where=rows.sum(0) > 0)
    return torch.from_numpy(score), torch.tensor(list(means))[rows.argmax(0)]


@answers.wrong("the sign is turned")
def rest_first(responses, labels):
    return finish(table(responses, labels), others, lambda best, rest: (rest - best) / max(best + rest, 1e-9))


@answers.wrong("a ratio of means")
def quotient(responses, labels):
    return finish(table(responses, labels), others, lambda best, rest: best / rest if rest else 0.0)


@answers.wrong("in standard deviations")
def z_scores(responses, labels):
    means = table(responses, labels)
    rows = np.stack(list(means.values()))
    score = (rows.max(0) - rows.mean(0)) / np.maximum(rows.std(0), 1e-9)
    return torch.from_numpy(score), torch.tensor(list(means))[rows.argmax(0)]


@answers.wrong("by its median")
def medians(responses, labels):
    return finish(table(responses, labels, np.median), others)


@answers.wrong("the share of active images")
def active_share(responses, labels):
    return finish(table((responses > 0).float(), labels), others)


@answers.wrong("only the active images of a class")
def mean_of_the_active(responses, labels):
    def active_mean(rows, axis):
        return rows.sum(axis) / np.maximum((rows > 0).sum(axis), 1)

    return finish(table(responses, labels, active_mean), others)


@answers.wrong("draws weak units towards 0")
def epsilon(responses, labels):
    return finish(table(responses, labels), others, lambda best, rest: (best - rest) / (best + rest + 1e-3))


@answers.wrong("counted as classes")
def all_numbers_are_classes(responses, labels):
    means = torch.zeros(int(labels.max()) + 1, responses.shape[1])
    for c in range(len(means)):
        if (labels == c).any():
            means[c] = responses[labels == c].mean(0)
    best, favourite = means.max(0)
    rest = (means.sum(0) - best) / (len(means) - 1)
    return (best - rest) / (best + rest).clamp_min(1e-9), favourite


@answers.wrong("liked least")
def smallest_mean(responses, labels):
    means = table(responses, labels)
    return in_numpy(responses, labels)[0], torch.tensor(list(means))[np.stack(list(means.values())).argmin(0)]


@answers.wrong("in the wrong order")
def favourite_first(responses, labels):
    score, favourite = in_numpy(responses, labels)
    return favourite, score


@answers.wrong("chosen by the sum over a class")
def favourite_of_the_sums(responses, labels):
    sums = table(responses, labels, np.sum)
    return in_numpy(responses, labels)[0], torch.tensor(list(sums))[np.stack(list(sums.values())).argmax(0)]


@answers.wrong("the favourites are floats")
def float_labels(responses, labels):
    score, favourite = in_numpy(responses, labels)
    return score, favourite.double()


@answers.wrong("2 values were expected")
def scores_alone(responses, labels):
    return in_numpy(responses, labels)[0]


@answers.wrong("count as never active")
def weak_is_silent(responses, labels):
    score, favourite = in_numpy(responses, labels)
    score[responses.max(0).values < 0.01] = 0
    return score, favourite


@answers.wrong("they may leave numbers out")
def labels_from_zero(responses, labels):
    means = torch.stack([responses[labels == c].mean(0) for c in range(len(set(labels.tolist())))])
    best, favourite = means.max(0)
    rest = (means.sum(0) - best) / (len(means) - 1)
    return ((best - rest) / (best + rest)).nan_to_num(0.0), favourite


@answers.wrong("the others are one less")
def over_all_classes(responses, labels):
    return finish(table(responses, labels), lambda column: (column.sum() - column.max()) / len(column))


@answers.wrong("given another score")
def silent_units_score_one(responses, labels):
    score, favourite = in_numpy(responses, labels)
    return torch.where(responses.sum(0) > 0, score, 1.0), favourite


@answers.wrong("squared or its root")
def squared(responses, labels):
    score, favourite = in_numpy(responses, labels)
    return score**2, favourite


@answers.wrong("runs of equal labels")
def consecutive_labels(responses, labels):
    starts = [i for i in range(len(labels)) if i == 0 or labels[i] != labels[i - 1]]
    rows = np.stack([part.mean(0) for part in np.split(responses.numpy(), starts[1:])])
    scores = [(column.max() - others(column)) / max(column.max() + others(column), 1e-9) for column in rows.T]
    return torch.tensor(np.array(scores)), labels[starts][rows.argmax(0)]


@answers.wrong("both need the same order")
def names_as_they_appear(responses, labels):
    scores, _ = in_numpy(responses, labels)
    rows = np.stack(list(table(responses, labels).values()))
    names = list(dict.fromkeys(labels.tolist()))
    return scores, torch.tensor([names[i] for i in rows.argmax(0)])


@answers.wrong("chosen by the sum over a class")
def sum_chooses_and_is_scored(responses, labels):
    means, sums = table(responses, labels), table(responses, labels, np.sum)
    names, rows = list(means), np.stack(list(means.values()))
    place = np.stack(list(sums.values())).argmax(0)
    best = rows[place, np.arange(len(place))]
    rest = (rows.sum(0) - best) / (len(rows) - 1)
    return torch.tensor((best - rest) / np.maximum(best + rest, 1e-9)), torch.tensor([names[i] for i in place])
