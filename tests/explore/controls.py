"""What the tests of all explorers share: move the controls, measure an update, and wait in an event loop."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from unittest.mock import patch

import ipywidgets as widgets
import numpy as np

from cs231n_viz.explore import Explorer
from cs231n_viz.explore.toolkit import base, picture
from cs231n_viz.explore.toolkit.canvas import SCALE
from cs231n_viz.explore.toolkit.upload import PictureUpload

ENCODE = picture.encode  # conftest.py puts another one in its place


def shown_by(explorer: Explorer) -> list[dict]:
    """What a cell shows of an explorer: of each output its media types."""
    with patch.object(base, "display") as display:
        explorer._ipython_display_()
    return [call.args[0] for call in display.call_args_list]


def values_of(explorer: Explorer, *names: str) -> tuple:
    return tuple(explorer.controls[name].value for name in names)


def other_values(control: widgets.Widget) -> list:
    """Some values a control can take beside the one it has."""
    if isinstance(control, widgets.Checkbox):
        return [not control.value]
    if hasattr(control, "options"):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
    else:
        values = np.unique(np.linspace(control.min, min(control.max, 40), 4).round().astype(int)).tolist()
    return [value for value in values if value != control.value][:4]


def move_every_control(explorer: Explorer, skip: Collection[str] = ()) -> None:
    """Move each control that is shown on its own; the picture must have changed, and nothing failed."""
    for name, control in explorer.controls.items():
        if name in skip or control.layout.display == "none":
            continue
        if isinstance(control, widgets.Button | widgets.Play | widgets.GridBox | PictureUpload):
            continue
        before, values, start = explorer.picture, other_values(control), control.value
        assert values, name
        changed = False
        for value in values:
            control.value = value
            assert explorer.error is None, (name, value, explorer.error)
            changed |= explorer.picture.shape != before.shape or bool((explorer.picture != before).any())
        assert changed, f"{name} does not change the picture"
        control.value = start


def median_seconds(explorer: Explorer, name: str, values: Iterable) -> float:
    """Seconds of processor time per update, so that a busy machine does not decide the result."""
    spent = []
    with patch.object(picture, "encode", ENCODE):
        for value in values:
            start = time.process_time()
            explorer.controls[name].value = value
            spent.append(time.process_time() - start)
    return float(np.median(spent))


def position(corner: tuple[float, float], down: float, right: float, side: float) -> tuple[int, int]:
    """(row, column) of the picture, at shares of the sides of a square at (x, y)."""
    return int((corner[1] + down * side) * SCALE), int((corner[0] + right * side) * SCALE)


async def until(condition: Callable[[], object], *, passes: int = 10_000) -> None:
    """Let the event loop run until something holds; counted in passes, not in seconds."""
    for _ in range(passes):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def let_run(passes: int = 50) -> None:
    """Give everything that waits in the event loop its turn, many times."""
    for _ in range(passes):
        await asyncio.sleep(0)


def press(explorer: Explorer, arrow: str) -> None:
    """Press an arrow key on the picture, as the page does it: a step on from where the chosen cell lies."""
    down, right = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}[arrow]
    view = explorer.view
    top, left, bottom, end = view.reach or (0, 0, *view.size)
    row, column = view.at[0] + down * view.step[0], view.at[1] + right * view.step[1]
    view.position = (min(max(row, top), bottom - 1), min(max(column, left), end - 1))
