"""Work that can be watched: an iterator over its stages that is also its result."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from tqdm import tqdm

Stage = TypeVar("Stage")


class Watched(Iterator[Stage], Generic[Stage]):
    """Stages of some work, one by one, or its end at once.

    Iterate over it to watch; :meth:`finish` does the work that is left and gives the last stage. It can be left at any
    time, by an interrupt too: ``.latest`` is what was reached.

    Args:
        stages: Does the work, and yields each stage.
        total: Number of stages.
        settings: What the work is done with, to be saved beside its result.
        progress: Show a bar while :meth:`finish` works.

    Attributes:
        latest: The stage that was reached, None before the first one.
        done: Number of stages so far.
    """

    unit = "step"

    def __init__(
        self,
        stages: Iterator[Stage],
        total: int,
        *,
        settings: dict[str, object] | None = None,
        progress: bool = True,
    ) -> None:
        self._stages, self.total = stages, total
        self.settings = settings or {}
        self.progress = progress
        self.latest: Stage | None = None
        self.done = 0

    def __next__(self) -> Stage:
        self.latest = next(self._stages)
        self.done += 1
        return self.latest

    def __len__(self) -> int:
        """How many stages are left."""
        return max(0, self.total - self.done)

    def finish(self) -> Stage:
        """Do the work that is left, and give the last stage.

        An interrupt ends it at once; ``.latest`` then holds what was reached.
        """
        quiet = not (self.progress and len(self))
        with tqdm(initial=self.done, total=self.total, unit=self.unit, disable=quiet) as bar:
            for _ in self:
                self._show(bar)
        return self.latest

    def _show(self, bar: tqdm) -> None:
        """Bring the bar up to the latest stage."""
        bar.update(self.done - bar.n)
