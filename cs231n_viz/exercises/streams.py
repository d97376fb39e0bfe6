"""Batches that can be read once, and whether a function that reads them needs more memory the longer they last."""

import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Stream:
    """An iterator over batches; each is made when it is asked for, and cannot be had again."""

    def __init__(self, make: Callable[[int], Tensor], length: int) -> None:
        """``make(number)`` gives a batch, for the numbers below ``length``."""
        self._make, self._length, self._next = make, length, 0

    @classmethod
    def of(cls, *batches: list[list[float]]) -> "Stream":
        """A short stream of the batches given, each a list of rows."""
        return cls(_Batches(batches), len(batches))

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Tensor:
        if self._next == self._length:
            raise StopIteration
        self._next += 1
        return self._make(self._next - 1)

    def __str__(self) -> str:
        """Read by the student behind the word "fed"."""
        shown = [f"{self._make(number).tolist()}" for number in range(min(self._length, 3))]
        if len(shown[0]) > 60:
            return f"a stream of {self._length} batches of {tuple(self._make(0).shape)}"
        return "a stream of " + ", ".join(shown) + (" …" if self._length > 3 else "")


class _Batches:
    def __init__(self, batches: tuple[list[list[float]], ...]) -> None:
        self._batches = batches

    def __call__(self, number: int) -> Tensor:
        return torch.tensor(self._batches[number])


def noise_batch(number: int) -> Tensor:
    """Batch ``number`` of a long stream: 64 pictures with 16 channels."""
    return torch.randn(64, 16, generator=torch.Generator().manual_seed(number))


_WARM = 20  # batches
FLAT, GROWS = "memory stays flat", "memory grows with the stream"


def memory_over(function: Callable[..., Any], batches: Stream, k: int) -> str:
    """Does what ``function(batches, k)`` keeps grow with the number of batches?

    What is alive is looked at whenever the next batch is asked for: tensors, which Python does not count, by following
    each one that is made, and lists and NumPy arrays by Python's own count.

    Returns:
        ``FLAT``, or ``GROWS`` if at the end most of what came in after the first batches is still held.
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
    return GROWS if late - early > 0.5 * bytes_per_batch * (number - _WARM) else FLAT


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
