"""The base of every explorer of a synthesis: it starts one, shows it as it goes, and keeps what was made.

Example::

    def begin(category, steps):  # gets the values of the controls that it names
        return class_visualization(model, model.index(category), steps=steps, progress=False)

    controls = {"category": dropdown("class", model.categories), "steps": slider("steps", 16, 512, value=256)}
    explorer = Ascending(begin, controls, name="class_visualization")

The buttons are ``controls["start"]``, ``"pause"`` (which then resumes), ``"stop"`` and ``"save"``; the same can be
done by the methods :meth:`Ascending.start`, ``pause``, ``resume``, ``stop``, ``save``, and ``finish`` for a cell that
wants the end result. Inside a running event loop a few steps are made at a time, so that the page follows and buttons
are heard; in plain Python ``start`` runs to the end. A control that ``begin`` takes stops a run when it is moved; any
other control only changes how the run is drawn. The kernel's interrupt button stops a run too.
"""

import asyncio
import html
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import ipywidgets as widgets
import numpy as np

from cs231n_viz.ascent import Ascent, Step
from cs231n_viz.explore import gradually
from cs231n_viz.explore.base import Drawing, Explorer, View
from cs231n_viz.explore.climb import Progress, beside_scores, tiled, waiting
from cs231n_viz.keep import file_name, save_png

State = Literal["ready", "running", "paused", "stopped", "finished"]
Values = dict[str, object]
SLICE = 0.12  # seconds of steps between two drawings: up to eight drawings a second


class Ascending(Explorer):
    """Controls, buttons, a progress bar and the picture of an ascent.

    Attributes:
        ascent: The one that was begun last; None before.
        step: Its latest step.
        scores: Of all its steps so far.
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
        panel: Sequence[widgets.Widget] | None = None,
        view: View | None = None,
    ) -> None:
        """Build the explorer; nothing is begun yet.

        Args:
            begin: Gets the values of the controls that it names; returns an :class:`~cs231n_viz.ascent.Ascent`, or any
                iterator of Steps with ``total`` and, to be saved with the picture, ``settings``.
            controls: Name -> widget.
            name: What is made, the first word of the names of files.
            draw: ``draw(step, ascent, values)`` -> (H, W, 3) uint8, or a ``Drawing``; ``values`` are those that the
                ascent was begun with, of other controls the present ones. The picture beside its scores if omitted.
            preview: ``preview(values)`` -> the same, shown before the first start.
            panel: How the controls are arranged, without the buttons; one after another if omitted.
            view: Where the picture is shown; an ``ImageView`` if omitted.
        """
        self._begin, self._show, self._preview, self._name = begin, draw, preview, name
        self.ascent: Ascent | None = None
        self.step: Step | None = None
        self.scores: list[float] = []
        self.state: State = "ready"
        self._begun_with: Values = {}
        self._note, self._turn = "", 0
        self._begin_due, self._step_due, self._spent = False, False, 0.0
        takes = inspect.signature(begin).parameters.values()
        every = any(taken.kind is taken.VAR_KEYWORD for taken in takes)
        self._inputs = {key: control for key, control in controls.items() if hasattr(control, "value")}
        self._begins = [key for key in self._inputs if every or key in {taken.name for taken in takes}]
        self.progress = Progress()
        buttons = self._buttons()
        head = [widgets.HBox([control]) for control in controls.values()] if panel is None else panel
        head = [*head, widgets.HBox([*buttons.values()]), self.progress]
        hint = "Change a control and press start."
        super().__init__(self._render, {**controls, **buttons}, view=view, panel=head, hint=hint)
        for key, control in self._inputs.items():
            control.observe(self._follow_begin if key in self._begins else self.update, names="value")

    def _buttons(self) -> dict[str, widgets.Button]:
        """The buttons by name; they do what the method of that name does."""
        icons = {"start": "play", "pause": "pause", "stop": "stop", "save": "download"}
        buttons = {
            key: widgets.Button(description=key, icon=icon, disabled=key != "start", layout={"width": "100px"})
            for key, icon in icons.items()
        }
        buttons["start"].button_style = "primary"
        buttons["start"].on_click(lambda _: self.start())
        buttons["pause"].on_click(lambda _: self.resume() if self.state == "paused" else self.pause())
        buttons["stop"].on_click(lambda _: self.stop())
        buttons["save"].on_click(lambda _: self.save())
        return buttons

    @property
    def values(self) -> Values:
        """The present values of the controls."""
        return {key: control.value for key, control in self._inputs.items()}

    def start(self) -> None:
        """Begin anew with the present values of the controls."""
        self._begin_due, self._note = True, ""
        self._go()

    def pause(self) -> None:
        """Make no more steps until :meth:`resume`; of a run that is not under way, nothing."""
        if self.state == "running":
            self.state = "paused"
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
        """Make all steps that are left, now, for a cell that goes on with the result; begin if nothing has begun.

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
        """Write the picture to the current folder as a PNG with its settings inside, and say where."""
        if self.step is None:
            return None
        path = None
        made_with = {
            "made by": self._name,
            "controls": self._begun_with,
            "settings": getattr(self.ascent, "settings", {}),
            "step": len(self.scores) - 1,
            "score": self.step.score,
        }
        try:
            path = save_png(tiled(self.step.image), file_name(self._name, self._begun_with), made_with)
            self._note = f"Saved as <code>{html.escape(str(path))}</code>."
        except (OSError, TypeError, ValueError) as error:
            self._note = f"<b>Not saved:</b> {html.escape(str(error))}"
        self.update()
        return path

    def close(self) -> None:
        """Stop, and leave the page."""
        self.state = "stopped"
        super().close()

    def _follow_begin(self, _: object) -> None:
        """What is under way is no longer what the controls say."""
        self._note = ""
        self.stop()
        self.update()

    def _go(self) -> None:
        self.state, self._step_due, self._due = "running", True, True
        self._later(0.0)

    def _later(self, seconds: float) -> None:
        """Have the next steps made: after whatever else is waiting, or at once if nothing can be."""
        self._turn += 1  # of several timers only the last one counts
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._step_due = True
            self.update()
        else:
            loop.call_later(seconds, self._tick, self._turn)

    def _tick(self, turn: int) -> None:
        if turn == self._turn and self.state == "running":
            self._step_due = self._due = True
            try:
                with gradually.interruptible(self.stop):
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
            drawing = self._drawn()
        except BaseException as error:  # an interrupt too
            self.state = "stopped"
            self._tell()
            self._due |= not isinstance(error, Exception)  # what an interrupt leaves is still to be drawn
            raise
        if stepping and len(self.scores) > 1:
            self._spent += time.perf_counter() - since
        self._tell()
        if self.state == "running":
            self._later(gradually.PAUSE)
        return drawing

    def _advance(self) -> None:
        """Make steps for a moment; if one has to begin, only the first, so that it is soon seen."""
        end = time.perf_counter() + SLICE
        if self._begin_due:
            self._begin_anew()
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

    def _begin_anew(self) -> None:
        self._begin_due, self.ascent, self.step, self.scores, self._spent = False, None, None, [], 0.0
        self._begun_with = {key: self._inputs[key].value for key in self._begins}
        ascent = self._begin(**self._begun_with)
        if not (hasattr(ascent, "__next__") and hasattr(ascent, "total")):
            kind = type(ascent).__name__
            raise TypeError(f"begin must return an Ascent, or an iterator of Steps with .total; got a {kind}")
        self.ascent = ascent

    def _drawn(self) -> Drawing:
        if self.step is None:
            made = waiting() if self._preview is None else self._preview(self.values)
        elif self._show is None:
            made = beside_scores(self.step, self.scores, self.ascent.total)
        else:
            made = self._show(self.step, self.ascent, {**self.values, **self._begun_with})
        drawing = made if isinstance(made, Drawing) else Drawing(made)
        moved = self.step is not None and any(self._inputs[key].value != self._begun_with[key] for key in self._begins)
        sentence = "This picture was made with other settings; start begins anew with the present ones."
        notices = (drawing.notice, sentence if moved else "", self._note)
        return replace(drawing, notice="<br>".join(filter(None, notices)))

    def _tell(self) -> None:
        """Show the state by the buttons and the bar."""
        pause, resumes = self.controls["pause"], self.state == "paused"
        pause.description, pause.icon = ("resume", "play") if resumes else ("pause", "pause")
        pause.disabled = self.controls["stop"].disabled = self.state not in ("running", "paused")
        self.controls["save"].disabled = self.step is None
        total = 1 if self.ascent is None else self.ascent.total
        self.progress.show(self.scores, total, state=self.state, spent=self._spent)
