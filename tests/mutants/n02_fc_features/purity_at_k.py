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
