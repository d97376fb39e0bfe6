"""The strongest images of a stream: batches that can be read once, in memory that does not grow with their number."""

import tracemalloc
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import noise


def streaming_top_k(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """Find the k images with the largest activation of each channel, reading the batches once and keeping none.

    Args:
        batches: Activations, (n, C) each: n images, C channels. The batches may differ in n and are too many to keep.
        k: How many images per channel.

    Returns:
        Values (C, k), strongest first, and the numbers of their images (C, k), counted from the first image of the
        stream. Where the stream has fewer than k images, the places left over hold -inf and -1.
    """
    values = numbers = None
    seen = 0
    for batch in batches:
        n, channels = batch.shape
        if values is None:
            values = torch.full((channels, k), -torch.inf)
            numbers = torch.full((channels, k), -1)
        candidates = torch.cat([values, batch.T], dim=1)  # (C, k + n): the best so far and the new ones
        named = torch.cat([numbers, torch.arange(seen, seen + n).expand(channels, n)], dim=1)
        values, places = candidates.topk(k, dim=1)
        numbers = named.gather(1, places)  # the places are those among the candidates
        seen += n
    return values, numbers


# A stream, and whether a function that reads it needs more memory the longer it lasts.


class Stream:
    """An iterator over batches; each is made when it is asked for, and cannot be had again."""

    def __init__(self, make: Callable[[int], Tensor], length: int) -> None:
        """``make(number)`` gives a batch, for the numbers below ``length``."""
        self._make, self._length, self._next = make, length, 0

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Tensor:
        if self._next == self._length:
            raise StopIteration
        self._next += 1
        return self._make(self._next - 1)

    def __str__(self) -> str:
        """Read by the student after the word "fed"."""
        shown = [f"{self._make(number).tolist()}" for number in range(min(self._length, 3))]
        if len(shown[0]) > 60:
            return f"a stream of {self._length} batches of {tuple(self._make(0).shape)}"
        return "a stream of " + ", ".join(shown) + (" …" if self._length > 3 else "")


_WARM = 20  # batches
_FLAT, _GROWS = "memory stays flat", "memory grows with the stream"


def _memory_over(function: Callable[..., Any], batches: Stream, k: int) -> str:
    """Does what ``function(batches, k)`` keeps grow with the number of batches?

    What is alive is measured whenever the next batch is asked for: tensors, which Python does not count, by following
    each one that is made, and lists and NumPy arrays by Python's own count.

    Returns:
        ``_FLAT``, or ``_GROWS`` if at the end most of what came in after the first batches is still held.
    """
    early = late = bytes_per_batch = number = 0

    def measured() -> Iterator[Tensor]:
        nonlocal early, late, bytes_per_batch, number
        for number, batch in enumerate(batches):
            bytes_per_batch = batch.nbytes
            tensors.follow(batch)
            late = tensors.alive() + tracemalloc.get_traced_memory()[0]
            early = late if number == _WARM else early  # by then, whatever is made once has been made
            yield batch
            del batch

    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        with _Followed() as tensors:
            function(measured(), k)
    finally:
        if not tracing:
            tracemalloc.stop()
    if number < _WARM:
        return "the stream was not read to its end"
    return _GROWS if late - early > 0.5 * bytes_per_batch * (number - _WARM) else _FLAT


class _Followed(TorchFunctionMode):
    """Remembers, without holding it, every tensor that is made while the mode is on."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[weakref.ref] = []

    def __torch_function__(self, func: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, list | tuple) else [result]:
            if isinstance(value, Tensor):
                self.follow(value)
        return result

    def follow(self, tensor: Tensor) -> None:
        self._made.append(weakref.ref(tensor))

    def alive(self) -> int:
        """Bytes of what is still held; views of one tensor count once."""
        living = [(ref, ref()) for ref in self._made]
        self._made = [ref for ref, tensor in living if tensor is not None]
        with torch._C.DisableTorchFunction():
            storages = [tensor.untyped_storage() for _, tensor in living if tensor is not None]
            return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


# The mistakes.


def _merged(
    *,
    start: float = -torch.inf,
    first: Callable[[int, int, int], int] = lambda seen, step, n: seen,
    rank: Callable[[Tensor], Tensor] = lambda values: values,
    taken: int | None = None,
    places_as_numbers: bool = False,
    unmoved: bool = False,
    forget: bool = False,
) -> Callable[[Iterable[Tensor], int], tuple[Tensor, Tensor]]:
    """The reference, with the mistakes that can be made on the way."""

    def merged(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
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
            moved = places if places_as_numbers else named.gather(1, places)
            values = candidates.gather(1, places)
            numbers = torch.where(places < k, numbers, moved) if unmoved else moved
            seen += n
        return values, numbers

    return merged


def _counted_from_the_last(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    lengths = [0]

    def first(seen: int, step: int, n: int) -> int:
        lengths.append(n)
        return lengths[-2]

    return _merged(first=first)(batches, k)


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


def _with_numbers(change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    """The reference, whose values and numbers are then changed."""
    return lambda batches, k: change(*streaming_top_k(batches, k))


def _counted_by_the_first(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    lengths = []

    def first(seen: int, step: int, n: int) -> int:
        lengths.append(n)
        return step * lengths[0]

    return _merged(first=first)(batches, k)


def _shorter_ones_skipped(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    kept = []  # the checks are short
    for batch in batches:
        kept += [batch] * (len(batch) >= len(kept[0]) if kept else True)
    return streaming_top_k(iter(kept), k)


def _read_twice(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    list(batches)
    return _all_kept(batches, k)


def _replaced(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """Each value takes the place of the smallest so far, and nothing is sorted."""
    values = numbers = None
    for number, image in enumerate(image for batch in batches for image in batch):
        if values is None:
            values, numbers = torch.full((len(image), k), -torch.inf), torch.full((len(image), k), -1)
        weakest, place = values.min(dim=1)
        rows = (image > weakest).nonzero()[:, 0]
        values[rows, place[rows]], numbers[rows, place[rows]] = image[rows], number
    return values, numbers


def _first_lost(batches: Iterable[Tensor], k: int, *, counted: bool = False) -> tuple[Tensor, Tensor]:
    first = next(batches)
    values, numbers = streaming_top_k(batches, k)
    if values is None:
        return torch.full((first.shape[1], k), -torch.inf), torch.full((first.shape[1], k), -1)
    return values, torch.where(numbers < 0, -1, numbers + len(first)) if counted else numbers


def _one_ranking(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    values, numbers = streaming_top_k((batch.amax(dim=1, keepdim=True) for batch in batches), k)
    return values[0], numbers[0]


def _first_places(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """Each value that is larger than the last place takes it, and nothing is sorted."""
    values, numbers = streaming_top_k(batches, k)
    order = numbers.argsort(dim=1)
    return values.gather(1, order), numbers.gather(1, order)


def _whole_numbers(function: Callable[..., Any], batches: Stream, k: int) -> list[list[int]]:
    """The numbers as Python's own: floats cannot look up an image in a later cell."""
    return function(batches, k)[1].tolist()


def _begun_with_the_first(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    values, numbers, seen = torch.empty(0), torch.empty(0), 0
    for batch in batches:
        new, places = batch.T.topk(k, dim=1)
        named = places + seen
        if seen:
            new, places = torch.cat([values, new], dim=1).topk(k, dim=1)
            named = torch.cat([numbers, named], dim=1).gather(1, places)
        values, numbers, seen = new, named, seen + len(batch)
    return values, numbers


def _cut_off(batches: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    values, numbers = streaming_top_k(batches, k)
    filled = int((numbers >= 0).sum(dim=1).max())
    return values[:, :filled], numbers[:, :filled]


def _turned(how: Callable[[Tensor], Tensor]) -> Callable[[Iterable[Tensor], int], tuple[Tensor, Tensor]]:
    return lambda batches, k: tuple(how(part) for part in streaming_top_k(batches, k))


_FOUR = [[0.3, -2.0], [0.9, 0.1], [0.5, -0.4], [0.2, 0.6]]  # images 0 to 3, two channels


def _ranking(title: str, batches: list[list[list[float]]], k: int, values: list, numbers: list) -> Check:
    stream = Stream(lambda number: torch.tensor(batches[number]), len(batches))
    return Check(title, {"batches": stream, "k": k}, (torch.tensor(values), torch.tensor(numbers)))


ENTRY = Entry(
    name="streaming_top_k",
    reference=streaming_top_k,
    stars=3,
    minutes=20,
    hints=(
        "What has to be remembered between two batches? Only the k best so far of each channel, with their numbers, "
        "and how many images have gone by.",
        "Begin with -inf and -1. `torch.cat` the best so far and the transposed batch, likewise their numbers, take "
        "`topk` along the images, and let `gather` pick the numbers at the places that it returns.",
    ),
    checks=[
        _ranking(
            "the three strongest of one batch, strongest first",
            [_FOUR],
            3,
            [[0.9, 0.5, 0.3], [0.6, 0.1, -0.4]],
            [[1, 2, 0], [3, 1, 2]],
        ),
        _ranking(
            "images are counted on from batch to batch",
            [_FOUR[:2], _FOUR[2:]],
            2,
            [[0.9, 0.5], [0.6, 0.1]],
            [[1, 2], [3, 1]],
        ),
        _ranking(
            "several of the best may be in one batch, and batches differ in length",
            [[[0.8, -0.1], [0.7, -0.2], [0.1, -0.9]], [[0.3, -0.5], [0.2, -0.6]], [[0.75, -0.3]]],
            4,
            [[0.8, 0.75, 0.7, 0.3], [-0.1, -0.2, -0.3, -0.5]],
            [[0, 5, 1, 3], [0, 1, 5, 3]],
        ),
        _ranking(
            "k = 1 keeps its axis, and the last of three batches counts",
            [[[0.1, 0.9]], [[0.2, 0.3]], [[0.5, 0.4]]],
            1,
            [[0.5], [0.9]],
            [[2], [0]],
        ),
        _ranking(
            "with fewer images than k, the rest is -inf and -1",
            [[[0.4, 0.5]], [[0.6, 0.3]]],
            3,
            [[0.6, 0.4, -torch.inf], [0.5, 0.3, -torch.inf]],
            [[1, 0, -1], [0, 1, -1]],
        ),
        Check(
            "numbers of images are whole",
            {"batches": Stream(lambda number: torch.tensor([[0.5, 0.1], [0.2, 0.7]]) - number, 2), "k": 3},
            [[0, 1, 2], [1, 0, 3]],
            _whole_numbers,
        ),
        Check(
            "what it keeps does not grow with the stream",
            {"batches": Stream(lambda number: noise(64, 16, seed=number), 40), "k": 64},
            _FLAT,
            _memory_over,
        ),
    ],
    mistakes={
        "everything is kept until the end: merge each batch into the k best so far, and let it go": (
            _all_kept,
            _each_batch_kept,
        ),
        "images are counted from 1: the first of the stream is number 0": (
            _with_numbers(lambda values, numbers: (values, torch.where(numbers >= 0, numbers + 1, -1))),
            _with_numbers(lambda values, numbers: (values, torch.where(numbers >= 0, numbers + 1, 0))),
        ),
        "this is the number of the batch: the number of the image was asked for": (
            _merged(first=lambda seen, step, n: step - torch.arange(n))
        ),
        "only the images of the last batch are added: add up those of all batches before": _counted_from_the_last,
        "negative activations are dropped: they count, too": (
            _with_numbers(
                lambda values, numbers: (
                    torch.where(values > 0, values, -torch.inf),
                    torch.where(values > 0, numbers, -1),
                )
            ),
        ),
        "the best so far begin as a negative number: activations below it lose, and it is left over; begin with -inf": (
            _merged(start=-1.0),
            _merged(start=-10.0),
            _merged(start=-100.0),
            _merged(start=-1e9),
            _merged(start=-1e6),
            _merged(start=-1e4),
            _merged(start=-1e10),
            _merged(start=-999.0),
            _merged(start=torch.finfo(torch.float32).min),
        ),
        "every channel has the numbers of the first: each has its own ranking": (
            _with_numbers(lambda values, numbers: (values, numbers[:1].expand_as(numbers)))
        ),
        "the next number is one off: add len(batch) after each batch": (
            _merged(first=lambda seen, step, n: seen + step),
            _merged(first=lambda seen, step, n: seen - step),
            _merged(first=lambda seen, step, n: seen + n),
        ),
        "places left over hold the number 0, which is an image: -1 marks them": (
            _with_numbers(lambda values, numbers: (values, numbers.clamp_min(0)))
        ),
        "places left over hold the value 0, which may be an activation: -inf marks them": (
            _with_numbers(lambda values, numbers: (torch.where(numbers < 0, 0.0, values), numbers)),
            _with_numbers(lambda values, numbers: (torch.where(numbers < 0, 0.0, values), numbers.clamp_min(0))),
        ),
        "values and numbers are in the wrong order: (values, numbers)": (
            _with_numbers(lambda values, numbers: (numbers, values))
        ),
        "the numbers are floats: they have to be `long`, and above 2²⁴ floats leave some out": (
            _with_numbers(lambda values, numbers: (values, numbers.float())),
            _with_numbers(lambda values, numbers: (values, numbers.double())),
        ),
        "only the first batches are looked at: the best may come last": (
            lambda batches, k: streaming_top_k(islice(batches, 1), k),
            lambda batches, k: streaming_top_k(islice(batches, 2), k),
            lambda batches, k: streaming_top_k(islice(batches, k), k),
        ),
        "the first batch is left out of the ranking: `next(batches)` takes it from the stream": (
            _first_lost,
            lambda batches, k: _first_lost(batches, k, counted=True),
        ),
        "the k are right, but not sorted: strongest first": (_first_places, _replaced),
        "a batch smaller than the first is left out: batches may differ in length": _shorter_ones_skipped,
        "the stream can be read once: a second loop over it finds nothing": _read_twice,
        "the numbers of the best so far stay where they were while their values move: gather both": (
            _merged(unmoved=True)
        ),
        "squeezed: for k = 1 an axis of length 1 stays, (C, 1)": (
            _with_numbers(lambda values, numbers: (values.squeeze(), numbers.squeeze())),
            _with_numbers(lambda values, numbers: (values.squeeze(1), numbers.squeeze(1))),
        ),
        "only the strongest of each channel: all k were asked for": (
            _with_numbers(lambda values, numbers: (values[:, :1], numbers[:, :1])),
            _with_numbers(lambda values, numbers: (values[:, 0], numbers[:, 0])),
        ),
        "only the k-th of each channel: all k were asked for": (
            _with_numbers(lambda values, numbers: (values[:, -1], numbers[:, -1]))
        ),
        "all channels share one ranking: each has its own": _one_ranking,
        "these numbers count within their batch: add how many images came before": (
            _merged(first=lambda seen, step, n: 0)
        ),
        "batches may differ in length: add up the images, do not multiply the number of the batch": (
            _merged(first=lambda seen, step, n: step * n),
            _counted_by_the_first,
        ),
        "the best so far begin as zeros, which beat every negative activation: begin with -inf": _merged(start=0.0),
        "these are places among the candidates: gather the images' numbers along with the values": (
            _merged(places_as_numbers=True)
        ),
        "these are the weakest: the strongest were asked for": _merged(start=torch.inf, rank=torch.neg),
        "the k are right, but weakest first": _turned(lambda part: part.flip(1)),
        "ranked by magnitude: a strongly negative value is no strong activation": (
            _merged(rank=lambda values: values.abs().nan_to_num(posinf=-1))
        ),
        "only the last batch counts: the best so far must compete with it": _merged(forget=True),
        "only the best of each batch is looked at: one batch may hold several of the k": _merged(taken=1),
        "a batch may hold fewer than k images: begin with k places of -inf": _begun_with_the_first,
        "fewer than k images: the result still has k places, filled up with -inf and -1": _cut_off,
        "the axes are (k, C): channels come first": _turned(lambda part: part.T),
    },
)
