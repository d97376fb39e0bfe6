"""Labelled controls of one size, a grid of numbers that counts as a single control, and how they are arranged."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import ipywidgets as widgets
import traitlets

from cs231n_viz.explore.toolkit.upload import PictureUpload, uploaded_picture
from cs231n_viz.pictures.images import ImageError, ImageSource, sample_images

__all__ = [
    "CAMERA",
    "GAP",
    "MOST_SEEN",
    "NumberGrid",
    "PictureChoice",
    "arranged",
    "checkbox",
    "dropdown",
    "flat",
    "number_box",
    "replace_options",
    "replace_options_by_depth",
    "selection_slider",
    "slider",
    "upload_button",
    "uploaded_picture",
]

_STYLE = {"description_width": "92px"}
_LOOK = {"style": _STYLE, "layout": {"width": "380px"}}
GAP = widgets.Layout(grid_gap="0 28px", align_items="center")  # between groups of controls
CAMERA = "the camera"  # the option of a choice of pictures
MOST_SEEN = 5  # controls of an explorer before "more" is pressed


def slider(label: str, low: int, high: int, *, value: int | None = None, fast: bool = True) -> widgets.IntSlider:
    """A slider over whole numbers; ``fast`` follows the hand, else only its release counts."""
    start = low if value is None else value
    return widgets.IntSlider(start, low, high, description=label, continuous_update=fast, **_LOOK)


def dropdown(label: str, options: Sequence[str], *, value: str | None = None) -> widgets.Dropdown:
    """A choice of one among named options."""
    chosen = options[0] if value is None else value
    return widgets.Dropdown(options=options, value=chosen, description=label, **_LOOK)


def selection_slider(
    label: str, options: Sequence[float], *, value: float | None = None, unit: str = ""
) -> widgets.SelectionSlider:
    """A slider over some numbers, shown with their unit; it begins in the middle if no value is given."""
    start = options[len(options) // 2] if value is None else value
    named = [(f"{option:g} {unit}".strip(), option) for option in options]
    return widgets.SelectionSlider(options=named, value=start, description=label, **_LOOK)


def checkbox(label: str, value: bool = False) -> widgets.Checkbox:
    """A yes or no, aligned with the other controls."""
    return widgets.Checkbox(value, description=label, **_LOOK)


def upload_button(*, live: bool = False) -> PictureUpload:
    """Buttons for a picture of the user's own, a file or the camera's; :func:`uploaded_picture` reads it.

    With ``live`` the camera films: for explorers that show a picture in less than a tenth of a second.
    """
    return PictureUpload(live=live)


class PictureChoice:
    """A dropdown of photographs, and buttons for those of one's own; call it with an option to get the picture.

    Attributes:
        dropdown: The photographs that come with the course, what was given, every file that was chosen, and the live
            camera if there is one.
        file: The buttons.
    """

    def __init__(
        self, first: ImageSource, names: Sequence[str] = (), *, label: str = "photograph", live: bool = False
    ) -> None:
        """Offer ``names``, all of ``sample_images()`` if empty; ``first`` is one of them, or what ``load_image`` takes.

        With ``live`` the camera films, and a frame has the same title as the one before: whoever remembers pictures by
        their titles has to forget that one whenever ``file`` has another value.

        Raises:
            ValueError: If ``first`` is a text that is neither one of them nor a file.
        """
        names, self._own = list(names or sample_images()), {}  # option -> what was given, or a file from the button
        if not (isinstance(first, str) and first in names):
            if isinstance(first, str) and not Path(first).exists():
                raise ValueError(f"no {label} {first!r}; wanted one of {', '.join(names)}, or a picture of your own")
            given = Path(first).name if isinstance(first, str | os.PathLike) else "the one that was given"
            first, self._own[given] = given, first
        camera = [CAMERA] if live else []
        self.dropdown = dropdown(label, [*self._own, *names, *camera], value=first)
        self.file = upload_button(live=live)
        self.dropdown.observe(self._stop_filming, names="value")
        self.file.observe(self._take, names="value")

    def _stop_filming(self, change: dict) -> None:
        self.file.filming = self.file.filming and change["new"] == CAMERA

    def _take(self, change: dict) -> None:
        if change["new"] and change["new"][-1].get("frame"):
            self._own[CAMERA] = tuple(change["new"])
            self.dropdown.value = CAMERA
        elif change["new"]:
            title = f"{len(self._own) + 1}: {change['new'][-1]['name']}"
            self._own[title] = tuple(change["new"])
            self.dropdown.options = [*self.dropdown.options, title]
            self.dropdown.value = title

    def __call__(self, title: str) -> ImageSource:
        """The picture of an option, as ``load_image`` takes it; raises an ``ImageError`` if there is none."""
        if title == CAMERA and title not in self._own:
            raise ImageError("the camera has shown nothing yet; press its button")
        source = self._own.get(title, title)
        return uploaded_picture(source) if isinstance(source, tuple) else source


def replace_options(control: widgets.Dropdown, options: Sequence[str], default: str | None = None) -> None:
    """Give a dropdown other options; its value stays if it is among them, else it is ``default``, or the first."""
    before = control.value
    control.options = options
    control.value = before if before in options else options[0] if default is None else default


def replace_options_by_depth(control: widgets.Dropdown, layers: Sequence[str]) -> None:
    """Give a dropdown the layers of another network; the relative depth of the chosen one stays."""
    depth = control.index / max(1, len(control.options) - 1)
    control.options = layers
    control.value = layers[round(depth * (len(layers) - 1))]


def arranged(
    controls: Mapping[str, widgets.Widget],
    panel: Sequence[Sequence[str] | widgets.Widget],
    bar: widgets.Widget,
    first: Sequence[str] | None = None,
) -> widgets.VBox:
    """The form of an explorer: a few controls, the bar, the other controls in a fold, and what is always below.

    Args:
        controls: Name -> widget.
        panel: Rows, each given by the names of the controls in it, or as a widget, which is never folded away.
        bar: Its button "more" opens the fold.
        first: Names of the controls that are seen at first; the first :data:`MOST_SEEN` of the panel if omitted.

    Raises:
        ValueError: If ``first`` names a control that is in none of the rows.
    """
    names = [name for row in panel if not isinstance(row, widgets.Widget) for name in row]
    first = names[:MOST_SEEN] if first is None else first
    if unknown := [name for name in first if name not in names]:
        raise ValueError(f"first names {', '.join(unknown)}; the panel has {', '.join(names)}")
    seen, folded, place = [], [], 0
    for row in panel:
        if isinstance(row, widgets.Widget):
            seen.append(row)
            continue
        for names_of_row, rows in (
            ([name for name in row if name in first], seen),
            ([name for name in row if name not in first], folded),
        ):
            if names_of_row:
                rows.append(widgets.HBox([controls[name] for name in names_of_row], layout=GAP))
        place = len(seen)  # buttons that start something stay below the fold
    more = widgets.VBox(folded)
    more.add_class("cs231n-more")
    if not names:
        place = len(seen)
    form = widgets.VBox([*seen[:place], bar, more, *seen[place:]])
    form.add_class("cs231n-form")
    return form


def number_box(label: str, low: int, high: int, value: int) -> widgets.BoundedIntText:
    """A whole number that cannot leave its range."""
    layout = {"width": "200px"}
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
