"""How long an explorer takes from a moved control to the new picture, on the kernel's side."""

from collections.abc import Callable, Iterator

import ipywidgets as widgets
import numpy as np

import cs231n_viz as viz
from cs231n_viz import explore


def explorers() -> dict[str, Callable[[], explore.Explorer]]:
    """Every explorer of the course, as its notebook shows it."""
    alexnet = viz.load_model("mini_alexnet")
    return {
        "convolution": lambda: explore.convolution("coffee"),
        "pooling": lambda: explore.pooling("coffee"),
        "stack_calculator": explore.stack_calculator,
        "receptive_fields": lambda: explore.receptive_fields(alexnet),
        "filters": explore.filters,
        "responses": lambda: explore.responses(alexnet),
        "second_layer": lambda: explore.second_layer(alexnet),
    }


def settings(control: widgets.Widget) -> Iterator[object]:
    """Up to ten values that a control can take."""
    if isinstance(control, widgets.Dropdown | widgets.Select):
        yield from list(control.options)[:10]
    elif isinstance(control, widgets.IntSlider | widgets.BoundedIntText):
        top = min(control.max, control.min + 40)
        yield from sorted({int(value) for value in np.linspace(control.min, top, 10)})
    elif isinstance(control, widgets.Checkbox):
        yield from (not control.value, control.value)


def update_seconds(explorer: explore.Explorer) -> list[float]:
    """Move every control through its values; the seconds of each drawing.

    Raises:
        RuntimeError: If a drawing failed.
    """
    explorer.seconds.clear()
    for name, control in explorer.controls.items():
        before = getattr(control, "value", None)
        for value in settings(control):
            if isinstance(value, tuple):
                value = value[1]
            control.value = value
            if explorer.error is not None:
                raise RuntimeError(f"{name} = {value!r}: {explorer.error}")
        if before is not None and not isinstance(control, widgets.Select):
            control.value = before
    return list(explorer.seconds)
