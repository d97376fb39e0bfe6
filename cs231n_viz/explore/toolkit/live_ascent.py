"""The base of every explorer that optimises an image: it starts an ascent, shows every step, and saves the result.

Example::

    def begin(category, steps):  # gets the values of the controls that it names
        return class_visualization(model, model.index(category), steps=steps, progress=False)

    controls = {"category": dropdown("class", model.categories), "steps": slider("steps", 16, 512, value=256)}
    explorer = LiveAscent(begin, controls, name="class_visualization")

The buttons are ``controls["start"]``, ``"pause"`` (which then resumes), ``"stop"`` and ``"save"``; the same can be
done by the methods :meth:`LiveAscent.start`, ``pause``, ``resume``, ``stop``, ``save``, and ``finish`` for a cell that
needs the end result. Inside a running event loop a few steps are made at a time, so that the page follows and buttons
are heard; in plain Python ``start`` runs to the end. A control that ``begin`` takes stops a run when it is moved, or,
in the first two seconds after the button, starts it again; any other control only changes how the run is drawn. The
kernel's interrupt button stops a run too.
"""

import html
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import ipywidgets as widgets
import numpy as np

from cs231n_viz.explore.toolkit import base
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, controls_of, running_loop
from cs231n_viz.explore.toolkit.controls import GAP
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.explore.toolkit.score_chart import empty_picture, image_and_scores, score_text
from cs231n_viz.explore.toolkit.tile_grid import as_one_image
from cs231n_viz.explore.toolkit.upload import PictureUpload
from cs231n_viz.explore.toolkit.wipe import HINT, WipePicture
from cs231n_viz.pictures.saving import file_name, save_png
from cs231n_viz.synthesis.ascent import Ascent, Step

State = Literal["ready", "running", "paused", "stopped", "finished"]
Values = dict[str, object]
SLICE = 0.12  # seconds of steps between two drawings: up to eight drawings a second
# Seconds after a click on start in which a moved control starts again. A page sends a slider's value only when the
# kernel has heard the one before, so that a click right after it comes first.
LATE = 2.0


class LiveAscent(Explorer):
    """Controls, buttons, a progress bar and the picture of an ascent.

    Attributes:
        ascent: The latest one; None before the first start.
        step: Its latest step.
        scores: The scores of all its steps so far.
        state: ready, running, paused, stopped or finished.
        progress: The bar, and beside it the step, the score and the time left.
    """

    def __init__(
        self,
        begin: Callable[..., Ascent],
        controls: Mapping[str, widgets.Widget],
        *,
        name: str,
        draw: Callable[[Step, Ascent, Values], np.ndarray | Drawing] | None = None,
        preview: Callable[[Values], np.ndarray | Drawing] | None = None,
        panel: Sequence[Sequence[str] | widgets.Widget] | None = None,
        first: Sequence[str] | None = None,
        view: ImageView | None = None,
    ) -> None:
        """Build the explorer; no ascent is started yet.

        Args:
            begin: Gets the values of the controls that it names; returns an ``Ascent``, or any iterator of Steps with
                ``total`` and, to be saved with the picture, ``settings``.
            controls: Name -> widget.
            name: What is made, the first word of the names of files.
            draw: ``draw(step, ascent, values)`` -> (H, W, 3) uint8, or a ``Drawing``; ``values`` are those that the
                ascent was started with, and of other controls the present ones. The image beside its scores if
                omitted.
            preview: ``preview(values)`` -> the same, shown before the first start.
            panel: How the controls are arranged, without the buttons, as for ``Explorer``; in pairs if omitted, those
                of ``first`` before the others.
            first: Names of the controls that are seen before "more" is pressed; the first five if omitted.
            view: Where the picture is shown; an ``ImageView`` if omitted. A ``WipePicture`` compares ``Wiped`` drawings
                with the picture that they are made of.
        """
        self._begin, self._show, self._preview, self._name = begin, draw, preview, name
        self.ascent: Ascent | None = None
        self.step: Step | None = None
        self.scores: list[float] = []
        self.state: State = "ready"
        self._started_with: Values = {}
        self._start_values: Values = {}
        self._note, self._timer, self._clicked = "", 0, -math.inf
        self._start_due, self._step_due, self._spent = False, False, 0.0
        self._inputs = {  # a file counts by its name among the pictures to choose from
            key: control
            for key, control in controls.items()
            if hasattr(control, "value") and not isinstance(control, PictureUpload)
        }
        self._settings = controls_of(begin, self._inputs)
        self.progress = Progress()
        buttons = self._buttons()
        rows = _in_pairs(controls, first or ()) if panel is None else panel
        rows = [*rows, widgets.HBox([*buttons.values()]), self.progress]
        words = {"hint": "Change a control and press start."}
        if isinstance(view, WipePicture):
            words["pointing"] = HINT
        view = ImageView() if view is None else view
        super().__init__(self._render, {**controls, **buttons}, view=view, panel=rows, first=first, **words)
        for key, control in self._inputs.items():
            control.observe(self._follow_setting if key in self._settings else self.update, names="value")

    def _buttons(self) -> dict[str, widgets.Button]:
        """The buttons by name; each calls the method of that name."""
        icons = {"start": "play", "pause": "pause", "stop": "stop", "save": "download"}
        buttons = {
            key: widgets.Button(description=key, icon=icon, disabled=key != "start", layout={"width": "100px"})
            for key, icon in icons.items()
        }
        buttons["start"].button_style = "primary"
        buttons["start"].on_click(lambda _: self._click_start())
        buttons["pause"].on_click(lambda _: self.resume() if self.state == "paused" else self.pause())
        buttons["stop"].on_click(lambda _: self.stop())
        buttons["save"].on_click(lambda _: self.save())
        return buttons

    @property
    def values(self) -> Values:
        """The present values of the controls."""
        return {key: control.value for key, control in self._inputs.items()}

    def start(self) -> None:
        """Start a new ascent with the present values of the controls."""
        self._start_due, self._note = True, ""
        self._go()

    def _click_start(self) -> None:
        self._clicked = time.perf_counter()
        self.start()

    def pause(self) -> None:
        """Make no more steps until :meth:`resume`; nothing happens if no ascent is running."""
        if self.state == "running":
            self.state, self._clicked = "paused", -math.inf
            self.update()

    def resume(self) -> None:
        """Go on after :meth:`pause`, from the same step."""
        if self.state == "paused":
            self._go()

    def stop(self) -> None:
        """End the run; its picture stays."""
        if self.state in ("running", "paused"):
            self.state = "stopped"
            self.update()

    def finish(self) -> Step | None:
        """Make all steps that are left, now, for a cell that goes on with the result; start if nothing has started.

        An interrupt ends the run as :meth:`stop` does; ``step`` is what was reached.
        """
        if self.state == "ready":
            self.start()
        self.resume()
        while self.state == "running" and not self._held:
            self._step_due = self._due = True
            self.flush()
        self.flush()
        return self.step

    def save(self) -> Path | None:
        """Write the image to the current folder as a PNG with its settings inside, and say where."""
        if self.step is None:
            return None
        path = None
        made_with = {
            "made by": self._name,
            "controls": self._started_with,
            "settings": getattr(self.ascent, "settings", {}),
            "step": len(self.scores) - 1,
            "score": self.step.score,
        }
        try:
            path = save_png(as_one_image(self.step.image), file_name(self._name, self._started_with), made_with)
            self._note = f"Saved as <code>{html.escape(str(path))}</code>."
        except (OSError, TypeError, ValueError) as error:
            self._note = f"<b>Not saved:</b> {html.escape(str(error))}"
        self.update()
        return path

    def reset(self) -> None:
        """Give every control the value that it had at first, and forget the run."""
        self.stop()
        self.ascent = self.step = None
        self.scores, self.state, self._started_with, self._note = [], "ready", {}, ""
        super().reset()
        self.update()

    def close(self) -> None:
        """Stop, and leave the page."""
        self.state = "stopped"
        super().close()

    def _follow_setting(self, _: object) -> None:
        """Stop the run, whose settings are no longer those of the controls; or start it again if it has just begun."""
        self._note = ""
        if self.state == "running" and time.perf_counter() - self._clicked < LATE:
            self.start()
            return
        self.stop()
        self.update()

    def _go(self) -> None:
        self.state, self._step_due, self._due = "running", True, True
        self._schedule(0.0)

    def _schedule(self, seconds: float) -> None:
        """Have the next steps made: after the events that have come in meanwhile, or at once in plain Python."""
        self._timer += 1  # of several timers only the last one counts
        loop = running_loop()
        if loop is None:
            self._step_due = True
            self.update()
        else:
            loop.call_later(seconds, self._tick, self._timer)

    def _tick(self, timer: int) -> None:
        if timer == self._timer and self.state == "running":
            self._step_due = self._due = True
            try:
                with _interruptible(self.stop):
                    self.flush()
            except KeyboardInterrupt:  # out of a callback it would end the event loop, and the kernel with it
                self.update()

    def _render(self) -> Drawing:
        """Make the steps that are due, and draw the latest one."""
        since, stepping = time.perf_counter(), self._step_due and self.state == "running"
        self._step_due = False
        try:
            if stepping:
                self._advance()
            drawing = self._drawing_of_step()
        except BaseException as error:  # an interrupt too
            self.state = "stopped"
            self._show_state()
            self._due |= not isinstance(error, Exception)  # what an interrupt leaves is still to be drawn
            raise
        if stepping and len(self.scores) > 1:
            self._spent += time.perf_counter() - since
        self._show_state()
        if isinstance(self.view, WipePicture):
            self.view.compare(drawing)
        if self.state == "running":
            self._schedule(base.PAUSE)
        return drawing

    def _advance(self) -> None:
        """Make steps for ``SLICE`` seconds; of a new ascent only the first one, so that it is soon seen."""
        end = time.perf_counter() + SLICE
        if self._start_due:
            self._start_ascent()
            end = 0.0
        before = time.perf_counter()
        for step in self.ascent:
            self.step = step
            self.scores.append(step.score)
            now = time.perf_counter()
            if self.state != "running" or 2 * now - before > end:  # another step would take as long
                return
            before = now
        if self.step is None:
            raise ValueError("the ascent ended before its first step")
        self.state = "finished"

    def _start_ascent(self) -> None:
        self._start_due, self.ascent, self.step, self.scores, self._spent = False, None, None, [], 0.0
        self._started_with = {key: self._inputs[key].value for key in self._settings}
        self._start_values = self.values
        ascent = self._begin(**self._started_with)
        if not (hasattr(ascent, "__next__") and hasattr(ascent, "total")):
            kind = type(ascent).__name__
            raise TypeError(f"begin must return an Ascent, or an iterator of Steps with .total; got a {kind}")
        self.ascent = ascent

    def _drawing_of_step(self) -> Drawing:
        """The picture of the latest step, or the preview, and above it what is to be known about it."""
        changed = [key for key, old in self._started_with.items() if self._inputs[key].value != old]
        given = None if self.step is None else self._given_anew(changed)
        if self.step is None:
            result = empty_picture() if self._preview is None else self._preview(self.values)
        elif given is not None:
            result = given
        elif self._show is None:
            result = image_and_scores(self.step, self.scores, self.ascent.total)
        else:
            result = self._show(self.step, self.ascent, {**self.values, **self._started_with})
        drawing = result if isinstance(result, Drawing) else Drawing(result)
        what = "This picture" if given is None else "The last run"
        sentence = f"{what} was made with other settings; press start to use the present ones."
        notices = (drawing.notice, sentence if self.step is not None and changed else "", self._note)
        return replace(drawing, notice="<br>".join(filter(None, notices)))

    def _given_anew(self, changed: Sequence[str]) -> np.ndarray | Drawing | None:
        """The preview of what a person has chosen since the run, such as another photograph; None if it is the same.

        Only choices by name count: a slider that is moved does not take a result away.
        """
        running = self.state in ("running", "paused")
        if running or self._preview is None or not any(hasattr(self._inputs[key], "options") for key in changed):
            return None
        now, before = self._preview(self.values), self._preview({**self._start_values, **self._numbers()})
        pictures = [each.picture if isinstance(each, Drawing) else each for each in (now, before)]
        return None if np.array_equal(*pictures) else now

    def _numbers(self) -> Values:
        """The present values of the controls that are no choice by name."""
        return {key: control.value for key, control in self._inputs.items() if not hasattr(control, "options")}

    def _show_state(self) -> None:
        """Bring the buttons and the bar up to date."""
        pause, resumes = self.controls["pause"], self.state == "paused"
        pause.description, pause.icon = ("resume", "play") if resumes else ("pause", "pause")
        pause.disabled = self.controls["stop"].disabled = self.state not in ("running", "paused")
        self.controls["save"].disabled = self.step is None
        total = 1 if self.ascent is None else self.ascent.total
        made = f"after step {len(self.scores) - 1} of {total - 1}" if self.scores else "nothing made yet"
        if self.state != "running":  # not with every step: a screen reader would not come to an end
            self.view.alt = f"The picture of the {self._name}, {made}."
        self.progress.show(self.scores, total, state=self.state, spent=self._spent)


def _in_pairs(names: Iterable[str], first: Sequence[str]) -> list[Sequence[str]]:
    """Two names in a row, those of ``first`` before the others."""
    parts = [first, [name for name in names if name not in first]]
    return [part[start : start + 2] for part in parts for start in range(0, len(part), 2)]


class Progress(widgets.HBox):
    """A bar of the steps made, and beside it the score and the time left."""

    def __init__(self) -> None:
        self.bar = widgets.IntProgress(0, 0, 1, layout=widgets.Layout(width="300px"))
        self.label = widgets.HTML("press start")
        super().__init__([self.bar, self.label], layout=GAP)

    def show(self, scores: Sequence[float], total: int, *, state: str, spent: float) -> None:
        """Show the progress of a run.

        Args:
            scores: The scores so far, the first of which belongs to the start.
            total: How many there will be.
            state: State of the explorer.
            spent: Seconds that the steps after the start took.
        """
        made, steps = len(scores) - 1, total - 1
        self.bar.max = max(1, made, steps)
        self.bar.value = self.bar.max if state == "finished" else max(0, made)
        if not scores:
            self.label.value = "press start" if state == "ready" else state
            return
        text = f"step {made} of {steps}, score {score_text(scores[-1])}"
        if state != "running":
            text += f", {state}"
        elif made:
            text += f", {math.ceil(spent / made * max(0, steps - made))} s left"
        self.label.value = text


@contextmanager
def _interruptible(stop: Callable[[], None]) -> Iterator[None]:
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
