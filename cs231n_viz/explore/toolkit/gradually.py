"""For explorers whose picture takes longer than a moment: one more drawing, after whatever else is waiting."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cs231n_viz.explore.toolkit.base import Explorer

PAUSE = 0.005  # seconds between two drawings, in which moved controls and pressed buttons are handled


def again(explorer: Explorer) -> None:
    """Ask, from within ``draw``, for one more drawing.

    Inside a running event loop it is made after the events that have come in meanwhile, so that the page shows every
    step and a button to cancel is heard. In plain Python there is nobody to wait for: it is made at once.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        explorer.update()
    else:
        loop.call_later(PAUSE, explorer.update)


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Let the kernel's interrupt button call ``stop`` while steps are made between two cells.

    A kernel that runs no cell ignores interrupts; while a cell runs they belong to the cell.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
