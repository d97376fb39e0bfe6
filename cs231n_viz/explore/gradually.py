"""For explorers whose picture takes longer than a moment: one more drawing, after whatever else is waiting."""

import asyncio

from cs231n_viz.explore.base import Explorer

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
