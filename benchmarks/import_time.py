"""Time an import in a new interpreter, as a ratio to another one timed in alternation with it."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.row import Row


def import_seconds(modules: str) -> float:
    """Time ``import modules`` in a new interpreter, in seconds, without the start of the interpreter."""
    code = f"import time; start = time.perf_counter(); import {modules}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def import_times(modules: str, peer: str, *, repeats: int) -> tuple[float, float]:
    """The fastest import of ``modules`` and of ``peer``; the first, cold run of each is not counted."""
    pairs = [(import_seconds(modules), import_seconds(peer)) for _ in range(repeats + 1)][1:]
    ours, theirs = zip(*pairs, strict=True)
    return min(ours), min(theirs)


def rows(*, repeats: int = 3) -> Iterator[Row]:
    ours, theirs = import_times("cs231n_viz", "torch, torchvision", repeats=repeats)
    yield Row("import cs231n_viz", ours, "≤", None, " s")
    yield Row("import cs231n_viz / import torch, torchvision", ours / theirs, "≤", 1.3)
