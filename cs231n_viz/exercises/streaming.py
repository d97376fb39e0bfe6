"""Exercise of notebook 03: the strongest pictures of a stream."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.streams import FLAT, Stream, memory_over, noise_batch


def streaming_top_k(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """Find the k pictures that each channel answers to most, reading the batches once and keeping none of them.

    Args:
        batches: Responses, (n, C) each: n pictures, C channels. The batches may differ in n and are too many to keep.
        k: How many pictures per channel.

    Returns:
        Values (C, k), strongest first, and the numbers of their pictures (C, k), counted from the first picture of the
        stream. Where the stream has fewer than k pictures, the places left over hold -inf and -1.
    """
    values = numbers = None
    seen = 0
    for batch in batches:
        n, channels = batch.shape
        if values is None:
            values = torch.full((channels, k), -torch.inf)
            numbers = torch.full((channels, k), -1)
        candidates = torch.cat([values, batch.T], dim=1)  # (C, k + n): the best so far and the newcomers
        named = torch.cat([numbers, torch.arange(seen, seen + n).expand(channels, n)], dim=1)
        values, places = candidates.topk(k, dim=1)
        numbers = named.gather(1, places)  # the places are those among the candidates
        seen += n
    return values, numbers


def _merged(
    batches: Iterable[Tensor],
    k: int,
    *,
    start: float = -torch.inf,
    first: Callable[[int, int, int], int] = lambda seen, step, n: seen,
    rank: Callable[[Tensor], Tensor] = lambda values: values,
    taken: int | None = None,
    places_as_numbers: bool = False,
    forget: bool = False,
) -> tuple[Tensor, Tensor]:
    """The reference, with the mistakes that can be made on the way."""
    values, numbers, seen = torch.empty(0), torch.empty(0, dtype=torch.long), 0
    for step, batch in enumerate(batches):
        n, channels = batch.shape
        if not step or forget:
            values, numbers = torch.full((channels, k), start), torch.full((channels, k), -1)
        new = batch.T
        named = (torch.arange(n) + first(seen, step, n)).expand(channels, n)
        if taken is not None:  # of this batch only so many
            new, best = new.topk(min(taken, n), dim=1)
            named = named.gather(1, best)
        candidates, named = torch.cat([values, new], dim=1), torch.cat([numbers, named], dim=1)
        places = rank(candidates).topk(k, dim=1).indices
        values, numbers = candidates.gather(1, places), places if places_as_numbers else named.gather(1, places)
        seen += n
    return values, numbers


def _all_kept(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    everything = torch.cat(list(batches)).T
    room = torch.full((len(everything), k), -torch.inf)
    values, numbers = torch.cat([everything, room], dim=1).topk(k, dim=1)
    return values, torch.where(values.isinf(), -1, numbers)


def _each_batch_kept(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    best, seen = [], 0
    for batch in batches:
        best.append([part + seen * i for i, part in enumerate(batch.T.topk(min(k, len(batch)), dim=1))])
        seen += len(batch)
    values, places = _all_kept([part[0].T for part in best], k)
    numbers = torch.cat([part[1] for part in best], dim=1)
    return values, torch.where(places < 0, -1, numbers.gather(1, places.clamp_min(0)))


def _begun_with_the_first(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    values, numbers, seen = torch.empty(0), torch.empty(0), 0
    for batch in batches:
        found = batch.T.topk(k, dim=1)
        new, named = found.values, found.indices + seen
        if seen:
            new, places = torch.cat([values, new], dim=1).topk(k, dim=1)
            named = torch.cat([numbers, named], dim=1).gather(1, places)
        values, numbers, seen = new, named, seen + len(batch)
    return values, numbers


def _cut_off(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    values, numbers = streaming_top_k(batches, k)
    found = int((numbers >= 0).sum(dim=1).max())
    return values[:, :found], numbers[:, :found]


def _turned(pair: tuple[Tensor, Tensor], how: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    return how(pair[0]), how(pair[1])


_FOUR = [[0.3, -2.0], [0.9, 0.1], [0.5, -0.4], [0.2, 0.6]]  # pictures 0 to 3, two channels


def _ranking(title: str, batches: list[list[list[float]]], k: int, expected: tuple[list, list]) -> Check:
    fed = {"batches": Stream.of(*batches), "k": k}
    return Check(title, fed, tuple(torch.tensor(part) for part in expected))


_STREAMING_TOP_K = Entry(
    name="streaming_top_k",
    reference=streaming_top_k,
    stars=3,
    minutes=20,
    checks=[
        _ranking(
            "the three strongest of one batch, strongest first",
            [_FOUR],
            3,
            (
                [[0.9, 0.5, 0.3], [0.6, 0.1, -0.4]],
                [[1, 2, 0], [3, 1, 2]],
            ),
        ),
        _ranking(
            "pictures are counted on from batch to batch",
            [_FOUR[:2], _FOUR[2:]],
            2,
            (
                [[0.9, 0.5], [0.6, 0.1]],
                [[1, 2], [3, 1]],
            ),
        ),
        _ranking(
            "the best may all be in an early batch, and batches differ in length",
            [
                [[0.8, -0.1], [0.7, -0.2], [0.1, -0.9]],
                [[0.3, -0.5], [0.2, -0.6]],
                [[0.75, -0.3]],
            ],
            2,
            ([[0.8, 0.75], [-0.1, -0.2]], [[0, 5], [0, 1]]),
        ),
        _ranking(
            "with fewer pictures than k, the rest is -inf and -1",
            [[[0.4, 0.5]], [[0.6, 0.3]]],
            3,
            (
                [[0.6, 0.4, -torch.inf], [0.5, 0.3, -torch.inf]],
                [[1, 0, -1], [0, 1, -1]],
            ),
        ),
        Check(
            "what it keeps does not grow with the stream",
            {"batches": Stream(noise_batch, 40), "k": 64},
            FLAT,
            memory_over,
        ),
    ],
    mistakes={
        "everything is kept until the end: merge each batch into the k best so far, and let it go": (
            _all_kept,
            _each_batch_kept,
        ),
        "these numbers count within their batch: add how many pictures came before": (
            lambda batches, k: _merged(batches, k, first=lambda seen, step, n: 0)
        ),
        "batches may differ in length: add up the pictures, do not multiply the number of the batch": (
            lambda batches, k: _merged(batches, k, first=lambda seen, step, n: step * n)
        ),
        "the best so far begin as zeros, which beat every negative response: begin with -inf": (
            lambda batches, k: _merged(batches, k, start=0.0)
        ),
        "these are places among the candidates: gather the pictures' numbers along with the values": (
            lambda batches, k: _merged(batches, k, places_as_numbers=True)
        ),
        "these are the weakest: the strongest were asked for": (
            lambda batches, k: _merged(batches, k, start=torch.inf, rank=torch.neg)
        ),
        "the k are right, but weakest first": (
            lambda batches, k: _turned(streaming_top_k(batches, k), lambda part: part.flip(1))
        ),
        "ranked by magnitude: a strong negative response is no strong response": (
            lambda batches, k: _merged(batches, k, rank=lambda values: values.abs().nan_to_num(posinf=-1))
        ),
        "only the last batch counts: the best so far must compete with it": (
            lambda batches, k: _merged(batches, k, forget=True)
        ),
        "only the best of each batch is looked at: one batch may hold several of the k": (
            lambda batches, k: _merged(batches, k, taken=1)
        ),
        "a batch may hold fewer than k pictures: begin with k places of -inf": _begun_with_the_first,
        "fewer than k pictures: the result still has k places, filled up with -inf and -1": _cut_off,
        "the axes are (k, C): channels come first": (
            lambda batches, k: _turned(streaming_top_k(batches, k), lambda part: part.T)
        ),
    },
)

ENTRIES = [_STREAMING_TOP_K]
