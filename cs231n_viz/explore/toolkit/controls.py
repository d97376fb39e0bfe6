"""Labelled controls of one size, and a grid of numbers that counts as a single control."""

from collections.abc import Sequence

import ipywidgets as widgets
import traitlets

_STYLE = {"description_width": "92px"}
GAP = widgets.Layout(grid_gap="28px", align_items="center")  # between groups of controls


def slider(label: str, low: int, high: int, *, value: int | None = None, fast: bool = True) -> widgets.IntSlider:
    """A slider over whole numbers; ``fast`` follows the hand, else only its release counts."""
    start = low if value is None else value
    layout = widgets.Layout(width="380px")
    return widgets.IntSlider(start, low, high, description=label, continuous_update=fast, style=_STYLE, layout=layout)


def dropdown(label: str, options: Sequence[str], *, value: str | None = None) -> widgets.Dropdown:
    """A choice of one among named options."""
    chosen = options[0] if value is None else value
    layout = widgets.Layout(width="380px")
    return widgets.Dropdown(options=options, value=chosen, description=label, style=_STYLE, layout=layout)


def checkbox(label: str, value: bool = False) -> widgets.Checkbox:
    """A yes or no, aligned with the other controls."""
    layout = widgets.Layout(width="380px")
    return widgets.Checkbox(value, description=label, style=_STYLE, layout=layout)


def number_box(label: str, low: int, high: int, value: int) -> widgets.BoundedIntText:
    """A whole number that cannot leave its range."""
    layout = widgets.Layout(width="200px")
    return widgets.BoundedIntText(value, low, high, description=label, style=_STYLE, layout=layout)


def flat(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The numbers row by row, as :class:`NumberGrid` holds them."""
    return tuple(float(number) for row in rows for number in row)


class NumberGrid(widgets.GridBox):
    """A square of editable numbers; ``value`` holds them row by row."""

    value = traitlets.Tuple()

    def __init__(self, value: tuple[float, ...], *, label: str, limit: float = 100.0) -> None:
        """Show ``value``, n·n numbers; each stays within ±``limit``."""
        side = round(len(value) ** 0.5)
        boxes = [
            widgets.BoundedFloatText(
                number,
                min=-limit,
                max=limit,
                step=0.25,
                layout=widgets.Layout(width="74px"),
                tooltip=f"{label}, row {1 + index // side}, column {1 + index % side}",
            )
            for index, number in enumerate(value)
        ]
        layout = widgets.Layout(grid_template_columns=f"repeat({side}, 78px)", grid_gap="2px")
        super().__init__(boxes, layout=layout)
        self.value = value
        for box in boxes:
            box.observe(self._collect, names="value")
        self.observe(self._spread, names="value")

    def _collect(self, _: object) -> None:
        self.value = tuple(box.value for box in self.children)

    def _spread(self, change: dict) -> None:
        for box, number in zip(self.children, change["new"], strict=True):
            box.unobserve(self._collect, names="value")
            box.value = number
            box.observe(self._collect, names="value")
