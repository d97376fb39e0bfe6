import heapq

import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_sorting(distances, k):
    return distances.argsort(dim=1)[:, :k]


@answers.right
def in_numpy(distances, k):
    return torch.from_numpy(np.argsort(distances.numpy(), axis=1)[:, :k].copy())


@answers.right
def largest_of_the_negative(distances, k):
    return torch.topk(-distances, k).indices


@answers.right
def with_a_heap(distances, k):
    rows = [heapq.nsmallest(k, range(len(row)), key=row.__getitem__) for row in distances.tolist()]
    return torch.tensor(rows)


@answers.right
def one_after_another(distances, k):
    left, nearest = distances.clone(), []
    for _ in range(k):
        nearest.append(left.argmin(dim=1))
        left[torch.arange(len(left)), nearest[-1]] = float("inf")
    return torch.stack(nearest, dim=1)


@answers.wrong("these are the largest distances")
def largest(distances, k):
    return torch.topk(distances, k)[1]


@answers.wrong("these are the largest distances")
def last_of_the_sorted(distances, k):
    return torch.sort(distances, dim=1)[1][:, -k:]


@answers.wrong("these are the distances")
def values(distances, k):
    return torch.topk(distances, k, largest=False).values


@answers.wrong("the nearest come last")
def backwards(distances, k):
    return torch.argsort(distances, dim=1, descending=True)[:, -k:]


@answers.wrong("ordered by index")
def a_mask(distances, k):
    limit = distances.kthvalue(k, dim=1, keepdim=True).values
    return (distances <= limit).nonzero()[:, 1].reshape(len(distances), k)


@answers.wrong("sorted down the columns")
def wrong_axis(distances, k):
    return distances.argsort(0)[:, :k]


@answers.wrong("sorted down the columns")
def wrong_axis_turned(distances, k):
    return distances.T.argsort(dim=1)[:, :k]


@answers.wrong("the nearest is skipped")
def skips_the_first(distances, k):
    return torch.argsort(distances, dim=1)[:, 1:][:, :k]


@answers.wrong("these are the ranks")
def ranks(distances, k):
    return torch.argsort(torch.argsort(distances, dim=1), dim=1)[:, :k]


@answers.wrong("all images came out")
def never_cut(distances, k):
    return torch.sort(distances, dim=1).indices


@answers.wrong("only the k-th nearest")
def kth_only(distances, k):
    return torch.kthvalue(distances, k).indices


@answers.wrong("did you forget `return`")
def forgets_return(distances, k):
    torch.topk(distances, k, largest=False)


@answers.wrong("a torch.return_types.topk came out")
def both(distances, k):
    return torch.topk(distances, k, largest=False)


@answers.wrong("something works in place")
def overwrites(distances, k):
    indices = distances.argsort(dim=1)[:, :k]
    distances.scatter_(1, indices, float("inf"))
    return indices


@answers.wrong("whole numbers as floats")
def floats(distances, k):
    chosen = torch.zeros(len(distances), k)
    for i, row in enumerate(distances):
        chosen[i] = row.argsort()[:k]
    return chosen


@answers.wrong("counted from 1")
def from_one(distances, k):
    return 1 + torch.topk(distances, k, largest=False).indices


@answers.wrong("one too many")
def one_more(distances, k):
    return torch.sort(distances, dim=1).indices[:, : k + 1]


@answers.wrong("one too few")
def one_less(distances, k):
    return torch.sort(distances, dim=1).indices[:, : k - 1]


@answers.wrong("sorted together")
def flattened(distances, k):
    return torch.argsort(distances.flatten())[:k]


@answers.wrong("squeezed")
def squeezed(distances, k):
    return torch.topk(distances, k, largest=False).indices.squeeze()


@answers.wrong("the axes are (k, Q)")
def turned(distances, k):
    return torch.topk(distances, k, largest=False).indices.T


@answers.wrong("only the first query")
def one_query(distances, k):
    return torch.argsort(distances[0])[:k]


@answers.wrong("rounded to whole numbers")
def rounded(distances, k):
    return torch.sort(distances.int(), dim=1, stable=True).indices[:, :k]


@answers.wrong("a builtins.list came out")
def lists(distances, k):
    return torch.argsort(distances, dim=1)[:, :k].tolist()


@answers.right
def in_int32(distances, k):
    return distances.sort(dim=1).indices[:, :k].int()


@answers.wrong("turns negative numbers around")
def largest_of_the_inverse(distances, k):
    return torch.topk(1 / distances, k).indices


@answers.wrong("turns negative numbers around")
def squared(distances, k):
    return (distances**2).sort(dim=1).indices[:, :k]


@answers.wrong("an image at distance 0 is left out")
def never_itself(distances, k):
    others = torch.where(distances != 0, distances, torch.inf)
    return torch.topk(others, k, largest=False).indices


@answers.wrong("repeated k times")
def one_neighbour(distances, k):
    return torch.stack([distances.argmin(1)] * k, dim=1)


@answers.wrong("k is fixed")
def always_two(distances, k):
    return torch.sort(distances, dim=1).indices[:, :2]


@answers.wrong("this is a mask")
def mask(distances, k):
    return distances <= torch.sort(distances, dim=1).values[:, k - 1 : k]


@answers.wrong("repeated where distances are equal")
def looks_values_up(distances, k):
    rows = []
    for row in distances.tolist():
        rows.append([row.index(value) for value in sorted(row)[:k]])
    return torch.tensor(rows)


@answers.wrong("rank the distances themselves")
def by_weights(distances, k):
    weights = (-distances).exp()
    return weights.argsort(dim=1, descending=True, stable=True)[:, :k]


@answers.wrong("does not sort them")
def partitioned(distances, k):
    return torch.as_tensor(np.argpartition(distances.numpy(), k - 1, axis=-1)[:, :k])


@answers.wrong("the first k images are looked at")
def sliced_too_early(distances, k):
    return torch.sort(distances[:, :k], dim=1).indices
