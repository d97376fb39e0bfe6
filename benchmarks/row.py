"""One line of the benchmark: what was measured, and what it must reach; and how to measure times."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A measured number and its budget; ``sign`` says on which side of ``limit``, if there is one, it must lie.

    ``ceiling`` is the best that the processor allows, in the same unit, where that is known.
    """

    what: str
    measured: float
    sign: str  # "≤" or "≥"
    limit: float | None
    unit: str = ""
    ceiling: float | None = None

    @property
    def fits(self) -> bool:
        if self.limit is None:
            return math.isfinite(self.measured)
        return self.measured <= self.limit if self.sign == "≤" else self.measured >= self.limit

    def __str__(self) -> str:
        verdict = "" if self.fits else "   MISSED"
        limit = "no limit" if self.limit is None else f"{self.sign} {self.limit:.4g}{self.unit}"
        ceiling = "" if self.ceiling is None else f"; ceiling {self.ceiling:.4g}{self.unit}"
        return f"{self.what:72} {self.measured:8.2f}{self.unit} ({limit}{ceiling}){verdict}"


def fastest_seconds(work: Callable[[], object], *, repeats: int = 1) -> float:
    """Time several runs and return the fastest."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def alternating_seconds(works: Sequence[Callable[[], object]], *, repeats: int = 5) -> list[float]:
    """Time several works in turns, so that other load on the machine affects all alike; the fastest run of each.

    The first run of each is not counted.
    """
    rounds = [[fastest_seconds(work) for work in works] for _ in range(repeats + 1)]
    return [min(times) for times in zip(*rounds[1:], strict=True)]
