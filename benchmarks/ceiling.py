"""The physical ceiling: FLOPs, as PyTorch counts them, over the rate of matrix products measured in the same run.

Only convolutions and matrix products are counted; all else counts as free. So the work cannot be faster than that.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.row import Row
from cs231n_viz.network.precision import half_precision

T = TypeVar("T")
SIDE, REPEATS = 1024, 20
SHARE = 0.85  # of the ceiling, where a goal lies beyond it


class _NoModules:
    """In place of the counter's records of modules, whose hooks torch.autograd.grad refuses where inputs are leaves."""

    parents = ("Global",)

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


def counted(work: Callable[[], T]) -> tuple[T, int]:
    """What ``work`` returns, and its FLOPs."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()
    with counter:
        result = work()
    return result, counter.get_total_flops()


@cache
def product_rate(threads: int, dtype: torch.dtype = torch.float32) -> float:
    """FLOP/s of the fastest of some products of two square matrices, with so many threads."""
    before, times = torch.get_num_threads(), []
    one, other = (torch.rand(SIDE, SIDE).to(dtype) for _ in range(2))
    torch.set_num_threads(threads)
    try:
        for _ in range(REPEATS):
            start = time.perf_counter()
            one @ other
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return 2 * SIDE**3 / min(times)


def least_seconds(flops: int, dtype: torch.dtype = torch.float32) -> float | None:
    """The time that the FLOPs take at the rate of products, with the threads of this run; None where none counted."""
    return flops / product_rate(torch.get_num_threads(), dtype) if flops else None


def most_times(flops: int, seconds: float = 1.0, dtype: torch.dtype = torch.float32) -> float | None:
    """How often work of so many FLOPs can be done in ``seconds``: with those of a peer, the highest ratio to it."""
    return seconds / least_seconds(flops, dtype) if flops else None


def near_the_ceiling(what: str, measured: float, ceiling: float) -> Row:
    """For a ratio whose goal was found to lie beyond the ceiling: it must reach a share of the ceiling."""
    return Row(what, measured, "≥", SHARE * ceiling, ceiling=ceiling)


def optimisation_dtype() -> torch.dtype:
    """In which products are computed where the package optimises in bfloat16 if the processor is fast at it."""
    with half_precision(torch.device("cpu")):
        return (torch.ones(1, 1) @ torch.ones(1, 1)).dtype
