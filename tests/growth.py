"""What stays in memory after many runs."""

import gc
from collections.abc import Callable
from dataclasses import dataclass

import psutil
from torch import Tensor, nn

RUNS = 200
_MEGABYTES = 16  # of noise: torch and malloc keep some of what was freed, which does not grow with the runs


@dataclass(frozen=True)
class Growth:
    """What was there after some runs that was not there before: in all, not for each run.

    Attributes:
        runs: Number of runs.
        tensors: Tensors that hang in reference cycles, or are kept.
        objects: Objects that are kept.
        megabytes: Resident memory of the process.
    """

    runs: int
    tensors: int
    objects: int
    megabytes: float

    @property
    def flat(self) -> bool:
        """Whether nothing grows with the number of runs."""
        return self.tensors < self.runs / 4 and self.objects < self.runs / 2 and self.megabytes < _MEGABYTES


def growth(run: Callable[[], object], runs: int = RUNS) -> Growth:
    """Run something many times, and count what stays of it."""
    for _ in range(2 + runs // 10):
        run()
    process = psutil.Process()
    gc.collect()
    gc.disable()
    tensors, objects, memory = _tensors(), len(gc.get_objects()), process.memory_info().rss
    try:
        for _ in range(runs):
            run()
        tensors = _tensors() - tensors
        gc.collect()
        kept = len(gc.get_objects()) - objects  # a cache that is full exchanges what it holds
        return Growth(runs, tensors, kept, (process.memory_info().rss - memory) / 1e6)
    finally:
        gc.enable()


def _tensors() -> int:
    return sum(issubclass(type(each), Tensor) for each in gc.get_objects())


def hooks(model: nn.Module) -> int:
    """Count the hooks of a network."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)
