import heapq

import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


@answers.right
def heaps(batches, k):
    heaps, number = None, 0
    for batch in batches:
        for row in batch.tolist():
            heaps = heaps or [[] for _ in row]
            for heap, value in zip(heaps, row, strict=True):
                heapq.heappush(heap, (value, -number))
                if len(heap) > k:
                    heapq.heappop(heap)
            number += 1
    ordered = [sorted(heap, reverse=True) + [(-float("inf"), 1)] * (k - len(heap)) for heap in heaps]
    values = torch.tensor([[value for value, _ in row] for row in ordered])
    return values, torch.tensor([[-name for _, name in row] for row in ordered])


@answers.right
def in_numpy(batches, k):
    values = numbers = None
    seen = 0
    for batch in batches:
        new = batch.numpy()
        if values is None:
            values, numbers = np.full((k, new.shape[1]), -np.inf), np.full((k, new.shape[1]), -1)
        both = np.concatenate([values, new])
        named = np.concatenate([numbers, np.repeat(np.arange(seen, seen + len(new))[:, None], new.shape[1], 1)])
        order = np.argsort(-both, axis=0, kind="stable")[:k]
        values, numbers = np.take_along_axis(both, order, 0), np.take_along_axis(named, order, 0)
        seen += len(new)
    return torch.from_numpy(values.T.astype(np.float32)), torch.from_numpy(numbers.T.copy())


@answers.right
def replaces_the_weakest(batches, k):
    best = None
    number = 0
    for batch in batches:
        for row in batch:
            if best is None:
                best = [(float("-inf"), -1)] * k
                best = [list(best) for _ in row]
            for c, value in enumerate(row.tolist()):
                if value > best[c][-1][0]:
                    best[c] = sorted([*best[c][:-1], (value, number)], key=lambda pair: -pair[0])
            number += 1
    values = torch.tensor([[value for value, _ in row] for row in best])
    return values, torch.tensor([[name for _, name in row] for row in best])


@answers.right
def sorts_each_time(batches, k):
    held, seen = None, 0
    for batch in batches:
        fresh = torch.stack([batch.T, torch.arange(seen, seen + len(batch)).float().expand_as(batch.T)], dim=2)
        held = fresh if held is None else torch.cat([held, fresh], dim=1)
        order = held[..., 0].argsort(dim=1, descending=True)[:, :k]
        held = held.gather(1, order[..., None].expand(-1, -1, 2)).contiguous()
        seen += len(batch)
    missing = torch.tensor([-torch.inf, -1]).expand(len(held), k - held.shape[1], 2)
    held = torch.cat([held, missing], dim=1)
    return held[..., 0], held[..., 1].long()


def merge(batches, k, *, begin=float("-inf"), offset=None, order=None, strongest=None, reset=False, gather=True):
    state, seen = None, 0
    for step, batch in enumerate(batches):
        channels = batch.shape[1]
        if state is None or reset:
            state = torch.full((channels, k), begin), torch.full((channels, k), -1)
        first = seen if offset is None else offset(step, batch)
        names = first + torch.arange(len(batch)).repeat(channels, 1)
        new = batch.t()
        if strongest:
            new, where = new.topk(strongest)
            names = torch.gather(names, 1, where)
        values, names = torch.hstack([state[0], new]), torch.hstack([state[1], names])
        where = (order or torch.Tensor.neg)(values).argsort(dim=1, stable=True)[:, :k]
        state = values.gather(1, where), names.gather(1, where) if gather else where
        seen += len(batch)
    return state


def padded(values, names, k):
    lacking = k - values.shape[1]
    if lacking <= 0:
        return values, names
    return (
        torch.nn.functional.pad(values, (0, lacking), value=float("-inf")),
        torch.nn.functional.pad(names, (0, lacking), value=-1),
    )


@answers.wrong("everything is kept until the end")
def keeps_all(batches, k):
    everything = torch.cat(list(batches))
    values, names = everything.topk(min(k, len(everything)), dim=0)
    return padded(values.T, names.T, k)


@answers.wrong("everything is kept until the end")
def keeps_lists(batches, k):
    columns, number = {}, 0
    for batch in batches:
        for row in batch.tolist():
            for c, value in enumerate(row):
                columns.setdefault(c, []).append((value, number))
            number += 1
    best = [sorted(columns[c], reverse=True)[:k] for c in sorted(columns)]
    values = torch.tensor([[value for value, _ in row] for row in best])
    return padded(values, torch.tensor([[name for _, name in row] for row in best]), k)


@answers.wrong("everything is kept until the end")
def keeps_arrays(batches, k):
    everything = np.concatenate([batch.numpy().copy() for batch in batches])
    order = np.argsort(-everything, axis=0)[:k]
    values = np.take_along_axis(everything, order, 0)
    return padded(torch.from_numpy(values.T.copy()), torch.from_numpy(order.T.copy()), k)


@answers.wrong("everything is kept until the end")
def grows_one_tensor(batches, k):
    everything = torch.empty(0)
    for batch in batches:
        everything = torch.cat([everything, batch]) if len(everything) else batch.clone()
    values, names = everything.topk(min(k, len(everything)), dim=0)
    return padded(values.T, names.T, k)


@answers.wrong("everything is kept until the end")
def keeps_views(batches, k):
    rows = [row for batch in batches for row in batch]
    everything = torch.stack(rows)
    values, names = everything.topk(min(k, len(everything)), dim=0)
    return padded(values.T, names.T, k)


@answers.wrong("count within their batch")
def number_in_the_batch(batches, k):
    return merge(batches, k, offset=lambda step, batch: 0)


@answers.wrong("do not multiply the number of the batch")
def step_times_length(batches, k):
    return merge(batches, k, offset=lambda step, batch: step * batch.shape[0])


@answers.wrong("begin as zeros")
def zeros(batches, k):
    return merge(batches, k, begin=0.0)


@answers.wrong("places among the candidates")
def places(batches, k):
    return merge(batches, k, gather=False)


@answers.wrong("these are the weakest")
def weakest(batches, k):
    return merge(batches, k, begin=float("inf"), order=lambda values: values)


@answers.wrong("weakest first")
def ascending(batches, k):
    values, names = in_numpy(batches, k)
    return values[:, list(range(k))[::-1]], names[:, list(range(k))[::-1]]


@answers.wrong("ranked by magnitude")
def magnitude(batches, k):
    return merge(batches, k, order=lambda values: torch.where(values.isinf(), 1.0, -values.abs()))


@answers.wrong("only the last batch counts")
def forgetful(batches, k):
    return merge(batches, k, reset=True)


@answers.wrong("only the best of each batch")
def one_per_batch(batches, k):
    return merge(batches, k, strongest=1)


@answers.wrong("begin with k places of -inf")
def topk_of_the_first(batches, k):
    best, seen = None, 0
    for batch in batches:
        values, names = torch.topk(batch, k, dim=0)
        names = names + seen
        seen += len(batch)
        if best is not None:
            values, where = torch.topk(torch.cat([best[0], values]), k, dim=0)
            names = torch.cat([best[1], names]).gather(0, where)
        best = values, names
    return best[0].T, best[1].T


@answers.wrong("the result still has k places")
def fewer_places(batches, k):
    held, names, seen = None, None, 0
    for batch in batches:
        counted = torch.arange(seen, seen + len(batch))[:, None].expand(batch.shape)
        held = batch if held is None else torch.cat([held, batch])
        names = counted if names is None else torch.cat([names, counted])
        held, where = held.topk(min(k, len(held)), dim=0)
        names = names.gather(0, where)
        seen += len(batch)
    return held.T, names.T


@answers.wrong("channels come first")
def axes_swapped(batches, k):
    values, names = in_numpy(batches, k)
    return values.T, names.T


@answers.wrong("counted from 1")
def from_one(batches, k):
    values, names = in_numpy(batches, k)
    return values, names + 1


@answers.wrong("counted from 1")
def from_one_but_for_the_empty(batches, k):
    values, names = in_numpy(batches, k)
    names[names >= 0] += 1
    return values, names


@answers.wrong("the number of the batch: the number")
def batch_numbers(batches, k):
    sizes = []

    def counted():
        for batch in batches:
            sizes.append(len(batch))
            yield batch

    values, names = in_numpy(counted(), k)
    ends = torch.tensor(sizes).cumsum(0)
    return values, torch.where(names < 0, -1, torch.searchsorted(ends, names.contiguous(), right=True))


@answers.wrong("one off")
def one_more_each_time(batches, k):
    count = [0]

    def first(step, batch):
        at = count[0]
        count[0] += len(batch) + 1
        return at

    return merge(batches, k, offset=first)


@answers.wrong("the number 0, which is an image")
def zeros_as_numbers(batches, k):
    values, names = in_numpy(batches, k)
    return values, names.clamp(min=0)


@answers.wrong("the value 0, which may be")
def zeros_as_values(batches, k):
    values, names = in_numpy(batches, k)
    return values.nan_to_num(neginf=0.0), names


@answers.wrong("in the wrong order: (values")
def numbers_first(batches, k):
    return in_numpy(batches, k)[::-1]


@answers.wrong("the numbers are floats")
def one_float_tensor(batches, k):
    values, names = in_numpy(batches, k)
    both = torch.stack([values, names.float()])
    return both[0], both[1]


@answers.wrong("only the first batches")
def the_first_batch(batches, k):
    batch = next(iter(batches))
    values, names = batch.topk(min(k, len(batch)), dim=0)
    return padded(values.T, names.T, k)


@answers.wrong("left out of the ranking")
def loses_the_first(batches, k):
    channels = next(batches).shape[1]
    values, names = torch.full((channels, k), -torch.inf), torch.full((channels, k), -1)
    seen = 0
    for batch in batches:
        counted = torch.arange(seen, seen + len(batch)).repeat(channels, 1)
        values, where = torch.cat([values, batch.T], 1).topk(k)
        names = torch.cat([names, counted], 1).gather(1, where)
        seen += len(batch)
    return values, names


@answers.wrong("but not sorted")
def in_order_of_arrival(batches, k):
    values, names = in_numpy(batches, k)
    names, where = names.sort(dim=1)
    return values.gather(1, where), names


@answers.wrong("only the strongest of each channel")
def maximum_alone(batches, k):
    values, names = in_numpy(batches, k)
    return values[:, 0], names[:, 0]


@answers.wrong("only the k-th of each channel")
def kth_alone(batches, k):
    values, names = in_numpy(batches, k)
    return values[:, k - 1], names[:, k - 1]


@answers.wrong("all channels share one ranking")
def strongest_channel(batches, k):
    values, names = in_numpy((batch.max(1, keepdim=True).values for batch in batches), k)
    return values.squeeze(0), names.squeeze(0)


@answers.wrong("2 values were expected")
def values_alone(batches, k):
    return in_numpy(batches, k)[0]


@answers.wrong("only the images of the last batch are added")
def previous_length(batches, k):
    before = [0]

    def offset(step, batch):
        before.append(len(batch))
        return before[step]

    return merge(batches, k, offset=offset)


@answers.wrong("negative activations are dropped")
def positive_only(batches, k):
    values, names = in_numpy(batches, k)
    return values.masked_fill(values <= 0, -torch.inf), names.masked_fill(values <= 0, -1)


@answers.wrong("begin as a negative number")
def minus_a_billion(batches, k):
    return merge(batches, k, begin=-1e9)


@answers.wrong("the numbers of the first")
def names_of_channel_zero(batches, k):
    values, names = in_numpy(batches, k)
    return values, names[0].repeat(len(names), 1)


@answers.wrong("squeezed")
def squeezed(batches, k):
    values, names = in_numpy(batches, k)
    return values.squeeze(), names.squeeze()


@answers.wrong("only the first batches")
def k_batches(batches, k):
    return merge((batch for _, batch in zip(range(k), batches, strict=False)), k)


def merged(batches, k, start=-float("inf"), skip=lambda batch, first: False, count=lambda batch, first: len(batch)):
    best, seen, first = None, 0, None
    for batch in batches:
        if best is None:
            best = torch.full((k, batch.shape[1]), start)
            who = torch.full((k, batch.shape[1]), -1)
            first = len(batch)
        if skip(batch, first):
            continue
        names = torch.arange(seen, seen + len(batch))[:, None].repeat(1, batch.shape[1])
        best, order = torch.cat([best, batch]).topk(k, dim=0)
        who = torch.cat([who, names]).gather(0, order)
        seen += count(batch, first)
    return best.T, who.T


@answers.wrong("begin as a negative number")
def from_minus_one(batches, k):
    return merged(batches, k, start=-1.0)


@answers.wrong("a batch smaller than the first")
def whole_batches_only(batches, k):
    return merged(batches, k, skip=lambda batch, first: len(batch) < first)


@answers.wrong("do not multiply the number of the batch")
def first_length_for_all(batches, k):
    return merged(batches, k, count=lambda batch, first: first)


@answers.wrong("can be read once")
def counts_first(batches, k):
    count = sum(len(batch) for batch in batches)
    return tuple(part.T for part in torch.cat(list(batches)).topk(min(k, count), dim=0))


@answers.wrong("but not sorted")
def weakest_replaced(batches, k):
    values, numbers, number = None, None, 0
    for batch in batches:
        if values is None:
            values, numbers = torch.full((batch.shape[1], k), -torch.inf), torch.full((batch.shape[1], k), -1)
        for image in batch:
            weakest, place = values.min(dim=1)
            for c in range(len(image)):
                if image[c] > weakest[c]:
                    values[c, place[c]], numbers[c, place[c]] = image[c], number
            number += 1
    return values, numbers


@answers.wrong("stay where they were")
def only_new_numbers_written(batches, k):
    best, seen = None, 0
    for batch in batches:
        if best is None:
            best, who = torch.full((k, batch.shape[1]), -torch.inf), torch.full((k, batch.shape[1]), -1)
        best, places = torch.cat([best, batch]).topk(k, dim=0)
        new = places >= k
        who[new] = places[new] - k + seen
        seen += len(batch)
    return best.T, who.T
