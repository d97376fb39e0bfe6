from collections import Counter

import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


@answers.right
def with_loops(indices, labels, query_labels):
    shares = []
    for row, wanted in zip(indices.tolist(), query_labels.tolist(), strict=True):
        shares.append(sum(int(labels[i]) == wanted for i in row) / len(row))
    return torch.tensor(shares)


@answers.right
def in_numpy(indices, labels, query_labels):
    return torch.from_numpy(np.mean(labels.numpy()[indices.numpy()] == query_labels.numpy()[:, None], axis=1))


@answers.right
def counts_divided(indices, labels, query_labels):
    return labels[indices].eq(query_labels.unsqueeze(1)).sum(1) / indices.shape[1]


@answers.right
def by_take(indices, labels, query_labels):
    classes = torch.take(labels, indices)
    return 1 - torch.count_nonzero(classes - query_labels.view(-1, 1), dim=1) / indices.size(1)


@answers.wrong("these are counts")
def counts(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).sum(dim=1)


@answers.wrong("that is the recall")
def recall(indices, labels, query_labels):
    sizes = torch.bincount(labels)[query_labels]
    return (labels[indices] == query_labels[:, None]).sum(dim=1) / sizes


@answers.wrong("one number for all")
def overall(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).double().mean()


@answers.wrong("averaged over the queries")
def over_queries(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).float().mean(0)


@answers.wrong("the indices themselves are compared")
def no_lookup(indices, labels, query_labels):
    return (indices == query_labels.unsqueeze(1)).float().mean(1)


@answers.wrong("column j is compared with query j")
def broadcast_along_rows(indices, labels, query_labels):
    return (labels[indices] == query_labels).float().mean(1)


@answers.wrong("a majority vote")
def majority(indices, labels, query_labels):
    return (torch.mode(labels[indices], dim=1).values == query_labels).float()


@answers.wrong("wherever any neighbour matches")
def any_fits(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).any(dim=1).float()


@answers.wrong("only the nearest neighbour counts")
def first_only(indices, labels, query_labels):
    return (labels[indices[:, 0]] == query_labels).float()


@answers.wrong("the most frequent class among the neighbours")
def most_common(indices, labels, query_labels):
    shares = [Counter(labels[row].tolist()).most_common(1)[0][1] / len(row) for row in indices]
    return torch.tensor(shares)


@answers.wrong("the share of wrong neighbours")
def impurity(indices, labels, query_labels):
    return (labels[indices] != query_labels[:, None]).float().mean(1)


@answers.wrong("something works in place")
def overwrites(indices, labels, query_labels):
    shares = (labels[indices] == query_labels[:, None]).float().mean(1)
    indices[:] = labels[indices]
    return shares


@answers.wrong("leave only 0 and 1")
def floor_division(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).sum(dim=1) // indices.shape[1]


@answers.wrong("leave only 0 and 1")
def all_or_nothing(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).all(dim=1).float()


@answers.wrong("the size of the bank")
def over_the_bank(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).sum(1) / labels.numel()


@answers.wrong("the number of queries")
def over_the_queries(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).sum(1) / len(indices)


@answers.wrong("k + 1 or k - 1")
def with_the_query(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).sum(1) / (indices.shape[1] + 1)


@answers.wrong("the first or the last neighbour")
def without_the_first(indices, labels, query_labels):
    return (labels[indices[:, 1:]] == query_labels[:, None]).double().mean(1)


@answers.wrong("these are percent")
def percent(indices, labels, query_labels):
    return with_loops(indices, labels, query_labels) * 100


@answers.wrong("has more than a few digits")
def two_digits(indices, labels, query_labels):
    return torch.tensor([round(share, 2) for share in with_loops(indices, labels, query_labels).tolist()])


@answers.wrong("they are classes already")
def looked_up_twice(indices, labels, query_labels):
    classes = labels[query_labels % len(labels)]
    return (labels[indices] == classes[:, None]).float().mean(1)


@answers.wrong("the first images of the bank")
def labels_in_order(indices, labels, query_labels):
    return torch.stack([(labels[row] == labels[i]).float().mean() for i, row in enumerate(indices)])


@answers.wrong("later neighbours count less")
def average_precision(indices, labels, query_labels):
    matches = (labels[indices] == query_labels[:, None]).float()
    return (matches.cumsum(1) / torch.arange(1, matches.shape[1] + 1)).mean(1)


@answers.wrong("k is fixed at 5")
def five_neighbours(indices, labels, query_labels):
    return (labels[indices] == query_labels[:, None]).sum(1) / 5


@answers.wrong("up to the first of another class")
def until_the_first_miss(indices, labels, query_labels):
    shares = []
    for row, wanted in zip(labels[indices].tolist(), query_labels.tolist(), strict=True):
        misses = [place for place, label in enumerate(row) if label != wanted]
        shares.append((misses[0] if misses else len(row)) / len(row))
    return torch.tensor(shares)


@answers.wrong("the classes among the neighbours are counted")
def one_over_the_classes(indices, labels, query_labels):
    return torch.tensor([1 / len(row.unique()) for row in labels[indices]])


@answers.wrong("in the whole bank")
def share_of_the_bank(indices, labels, query_labels):
    return (query_labels[:, None] == labels).sum(1) / len(labels)


@answers.wrong("as if they were numbers")
def label_differences(indices, labels, query_labels):
    return (labels[indices] - query_labels[:, None]).abs().double().mean(1)


@answers.wrong("does not hold the queries")
def without_itself(indices, labels, query_labels):
    same = labels[indices] == query_labels[:, None]
    return (same & (indices != torch.arange(len(indices))[:, None])).float().mean(1)


@answers.wrong("booleans have no mean")
def mean_of_booleans(indices, labels, query_labels):
    return (labels[indices] == query_labels.unsqueeze(1)).mean(-1)


@answers.wrong("taken for the query")
def first_neighbour_as_the_query(indices, labels, query_labels):
    classes = labels[indices]
    return (classes == classes[:, 0, None]).double().mean(-1)
