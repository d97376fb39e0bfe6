"""What every explorer is: controls, one ``draw`` function, one picture, and a line of text that says what is wrong.

Example::

    size = widgets.IntSlider(description="size", min=1, max=50)
    Explorer(lambda size: np.full((size, size, 3), 128, np.uint8), {"size": size})

Updates are latest-wins. Inside a running event loop, which is where a notebook handles its widgets, a change only
notes that a drawing is due; it is made when the loop is next free, from the values as they are then, so a burst of
events costs one drawing. In plain Python there is no loop and the drawing is made at once. Either way,
:attr:`Explorer.picture` and :attr:`Explorer.error` always belong to the present values of the controls: reading them
makes the drawing that is due.
"""

import asyncio
import html
import inspect
import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
import traitlets
from IPython.display import display

from cs231n_viz.explore.toolkit.bar import Bar
from cs231n_viz.explore.toolkit.controls import arranged
from cs231n_viz.explore.toolkit.picture import ClickablePicture, ImageView, Spot
from cs231n_viz.explore.toolkit.still import still
from cs231n_viz.explore.toolkit.theme import GROUND, theme

_GONE = (
    "The kernel that drew this explorer is gone. To have it back, click into this cell, then choose “Run All Above "
    "Selected Cell” in the menu Run, and run the cell itself."
)
# Set where notebooks are executed to be stored: a still then shows what an explorer arrives at, not how it begins.
FINISHED_STILLS = "CS231N_VIZ_FINISHED_STILLS"
PAUSE = 0.005  # seconds between two drawings of a refinement, in which moved controls and pressed buttons are handled


@dataclass(frozen=True)
class Drawing:
    """What a ``draw`` function returns when a picture alone does not say it.

    Attributes:
        picture: (H, W, 3), RGB, uint8.
        text: HTML below the picture, for example a calculation.
        notice: One sentence above the picture about a setting that deserves a second look.
        unfinished: Ask for one more drawing, which refines this one. The page shows every one of them, and a control
            that is moved meanwhile is heard.
        at: Where in a picture to point at the present choice lies, (x, y) in CSS pixels; an arrow key goes on from
            there.
        spots: Where in a picture to point at something can be chosen, instead of ``at``.
    """

    picture: np.ndarray
    text: str = ""
    notice: str = ""
    unfinished: bool = False
    at: tuple[float, float] | None = None
    spots: Sequence[Spot] = ()


class Explorer(widgets.VBox):
    """Controls above a picture that follows them.

    Attributes:
        controls: Name -> widget. Those whose name ``draw`` takes are followed; others, such as buttons, only shown.
        seconds: How long the latest drawings took, from the values to the encoded picture.
        message: The widget above the picture: empty, a notice, or what went wrong.
        text: The widget below the picture.
        view: The widget that shows the picture.
        bar: The widget between the controls: more of them, reset, and the stage.
    """

    def __init__(
        self,
        draw: Callable[..., np.ndarray | Drawing],
        controls: Mapping[str, widgets.Widget],
        *,
        view: ImageView | None = None,
        panel: Sequence[Sequence[str] | widgets.Widget] | None = None,
        first: Sequence[str] | None = None,
        hint: str = "Change a control to try again.",
        pointing: str = "",
    ) -> None:
        """Build the explorer and draw once.

        Args:
            draw: Gets the values of the controls by name; returns the picture, (H, W, 3) uint8, or a ``Drawing``.
                May raise: the explorer says so and goes on with the next change.
            controls: Name -> widget.
            view: Where the picture is shown; an ``ImageView`` if omitted.
            panel: How the controls are arranged: rows, each the names of some controls, or a widget. One control a row
                if omitted.
            first: Names of the controls that are seen before "more" is pressed; the first five if omitted.
            hint: What to try when ``draw`` has raised.
            pointing: What a click on the picture does, one sentence above it; notices take its place.
        """
        self.controls = dict(controls)
        self.view = ImageView(alt="The picture that follows the controls above it.") if view is None else view
        self.seconds: deque[float] = deque(maxlen=1000)
        self.message = widgets.HTML(layout=widgets.Layout(min_height="1.8em"))
        self.text = widgets.HTML()
        self._draw, self._hint = draw, hint
        self._pointing = f'<div class="cs231n-pointing">☝ {pointing}</div>' if pointing else ""
        self._spots, self._pointed = (), 0
        if isinstance(self.view, ClickablePicture):
            self.view.observe(self._point, names="position")
        self._followed = controls_of(draw, self.controls)
        self._picture = np.full((120, 860, 3), 255, np.uint8)
        self._error: Exception | None = None
        self._due, self._drawing, self._held, self._unfinished = True, False, 0, False
        self._scheduled_on: asyncio.AbstractEventLoop | None = None
        for name in self._followed:
            self.controls[name].observe(self.update, names="value")
        self._initial, self._displayed = self._values(), False
        self.bar = Bar(self.reset)
        self.bar.observe(self.update, names="dark")
        form = arranged(self.controls, [[name] for name in self.controls] if panel is None else panel, self.bar, first)
        gone = widgets.HTML(f'<div role="alert" class="cs231n-notice cs231n-error">{_GONE}</div>')
        parts = {"message": self.message, "gone": gone, "view": self.view, "below": self.text}
        for name, part in parts.items():
            part.add_class(f"cs231n-{name}")
        super().__init__([form, *parts.values()], layout=widgets.Layout(padding="8px 12px"))
        self.add_class("cs231n-explorer")
        self.flush()

    @property
    def picture(self) -> np.ndarray:
        """The picture for the present values of the controls, (H, W, 3), uint8; the last good one after an error."""
        self.flush()
        return self._picture

    @property
    def error(self) -> Exception | None:
        """What ``draw`` raised for the present values; None if all is well."""
        self.flush()
        return self._error

    def update(self, _: object = None) -> None:
        """Ask for a drawing: at once without an event loop, else as soon as the loop is free."""
        self._due = True
        if self._held or self._drawing:
            return  # whoever holds or draws looks at _due when done
        loop = running_loop()
        if loop is None:
            self.flush()
        elif self._scheduled_on is not loop:
            self._scheduled_on = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Make the drawing that is due, if any, from the values as they are now."""
        self._scheduled_on = None
        while self._due and not self._drawing and not self._held:
            self._due, self._drawing = False, True
            try:
                self._draw_once()
            finally:
                self._drawing = False

    def finish(self) -> object:  # what a subclass has to show for it; here nothing
        """Make all drawings that refine the present one, now."""
        while self._unfinished and not self._held:
            self._due = True
            self.flush()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Set several controls as one change: at most one drawing, when the context closes."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._due:
                self.update()

    def _ipython_display_(self) -> None:
        """Show the explorer, and a still, which is seen wherever there are no widgets."""
        display({**self._repr_mimebundle_(), "text/plain": ""}, raw=True)
        if os.environ.get(FINISHED_STILLS):
            self.finish()
        display(still(self.picture, self.view.alt), raw=True)

    def _repr_mimebundle_(self, **kwargs: object) -> dict:
        """What a notebook shows; what the controls are when it is first shown, they are again after a reset."""
        if not self._displayed:
            self._initial, self._displayed = self._values(), True
        return super()._repr_mimebundle_(**kwargs)

    def _values(self) -> dict[str, object]:
        return {name: control.value for name, control in self.controls.items() if hasattr(control, "value")}

    def reset(self) -> None:
        """Give every control the value that it had at first."""
        with self.hold():
            for _ in range(2):  # what one control offers may follow from another one
                for name, value in self._initial.items():
                    with suppress(traitlets.TraitError):
                        self.controls[name].value = value

    def _draw_once(self) -> None:
        start = time.perf_counter()
        try:
            with theme(dark=self.bar.dark):
                result = self._draw(**{name: self.controls[name].value for name in self._followed})
            drawing = result if isinstance(result, Drawing) else Drawing(result)
            if drawing.at is not None and isinstance(self.view, ClickablePicture):
                self.view.stand_at(drawing.at)
            if drawing.spots:
                self._spots = drawing.spots
                self.view.offer(drawing.spots, self._pointed)
            self.view.show(drawing.picture)
        except Exception as error:  # whatever a learner's function raises belongs on the page, not in a log
            self._error, self._unfinished = error, False
            self.message.value = _error_html(error, self._hint)
            self.view.show(_faded(self._picture, GROUND if self.bar.dark else 255))
        else:
            self._picture, self._error, self._unfinished = drawing.picture, None, drawing.unfinished
            self.message.value = _notice_html(drawing.notice) or self._pointing
            self.text.value = drawing.text
            if drawing.unfinished:
                self._refine()
        self.seconds.append(time.perf_counter() - start)

    def _point(self, change: dict) -> None:
        """Let the spot that was pointed at choose; the arrow keys go on there."""
        for index, spot in enumerate(self._spots):
            if cell := spot.cell_at(change["new"]):
                with self.hold():
                    moved = spot.chosen is not None and index != self._pointed
                    self._pointed = index if moved else self._pointed
                    if spot.choose(*cell) or moved:
                        self.update()
                return

    def _refine(self) -> None:
        """Have one more drawing made: after the events that have come in meanwhile, or at once in plain Python."""
        loop = running_loop()
        if loop is None:
            self.update()
        else:
            loop.call_later(PAUSE, self.update)


def controls_of(function: Callable, controls: Mapping[str, widgets.Widget]) -> list[str]:
    """The names of the controls whose values a function takes; with ``**kwargs``, of all that have a value."""
    parameters = inspect.signature(function).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return [
        name for name, control in controls.items() if hasattr(control, "value") and (takes_all or name in parameters)
    ]


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that this code runs in; None in plain Python."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def paragraph(text: str) -> str:
    """HTML for the text below a picture, as wide as the picture."""
    return f'<div class="cs231n-text" style="line-height: 1.5; max-width: 850px">{text}</div>'


def _faded(picture: np.ndarray, paper: int) -> np.ndarray:
    """The last good picture, near the grey level of the paper: it no longer shows what the controls say."""
    faded = (paper + (np.arange(256) - paper) * 0.3).astype(np.uint8)
    return faded[picture]


def _error_html(error: Exception, hint: str) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    outside = isinstance(error, OSError)  # files and downloads fail for reasons that are in no line of code
    place = f" (in {html.escape(last[0].name)}, line {last[0].lineno})" if last and not outside else ""
    what = html.escape(str(error) or "no message")
    head = f"<b>Not drawn: {html.escape(type(error).__name__)}</b>{place}"
    return _boxed(f"{head}<br>{what}<br>{html.escape(hint)}", "cs231n-notice cs231n-error")


def _notice_html(notice: str) -> str:
    return _boxed(notice, "cs231n-notice") if notice else ""


def _boxed(body: str, classes: str) -> str:
    return f'<div role="status" class="{classes}">{body}</div>'
