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
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit import gradually
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, View
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, LINE, ORANGE, PALE, Canvas, number, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP
from cs231n_viz.pictures.saving import file_name, save_png
from cs231n_viz.synthesis.ascent import Ascent, Step

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
            begin: Gets the values of the controls that it names; returns an :class:`~cs231n_viz.synthesis.ascent.Ascent`, or any
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


SIDE, TOP, LEFT = 400, 8, 8  # of the picture, in CSS pixels
_CHART, _WIDE, _HIGH = 470, 370, 250  # the scores: where they begin, and how large they are
_POINTS = 200  # more are not told apart on the page


def tiled(images: Tensor, columns: int | None = None, *, gap: int = 4) -> Tensor:
    """Several pictures (N, 3, H, W) as one, (3, H', W'), row by row on white; one picture as it is.

    Args:
        images: Of one size, RGB in [0, 1].
        columns: How many side by side; as square as can be if omitted.
        gap: Pixels between them.
    """
    images = images.detach().cpu().float()
    count, _, height, width = images.shape
    columns = min(count, math.ceil(math.sqrt(count)) if columns is None else columns)
    rows = math.ceil(count / columns)
    sheet = torch.ones(3, rows * (height + gap) - gap, columns * (width + gap) - gap)
    for place, image in enumerate(images):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        sheet[:, top : top + height, left : left + width] = image
    return sheet


def fit(canvas: Canvas, image: Tensor, at: tuple[float, float], size: tuple[float, float]) -> None:
    """Put a picture (3, H, W) into the box at (x, y) of (width, height), as large as fits, in the middle."""
    height, width = image.shape[-2:]
    scale = min(size[0] / width, size[1] / height)
    wide, high = width * scale, height * scale
    corner = (at[0] + (size[0] - wide) / 2, at[1] + (size[1] - high) / 2)
    canvas.paste(to_pixels(image.detach().cpu()), corner, (wide, high), smooth=True)


def score_chart(
    canvas: Canvas, scores: Sequence[float], total: int, at: tuple[float, float], size: tuple[float, float]
) -> None:
    """Draw the scores so far as a line, in a box at (x, y) of (width, height); its width is that of ``total`` steps."""
    (x, y), (wide, high) = at, size
    values = np.asarray(scores, dtype=np.float64)
    low, high_score = float(values.min()), float(values.max())
    span = (high_score - low) or 1.0
    canvas.frame(at, size, colour=LINE, fill=PALE)
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).round().astype(int))
    right = x + np.asarray(chosen) / max(total - 1, len(values) - 1, 1) * (wide - 12) + 6
    up = y + high - 6 - (values[chosen] - low) / span * (high - 12)
    points = list(zip(right.tolist(), up.tolist(), strict=True))
    if len(points) > 1:
        canvas.line(points, colour=BLUE, width=1.8)
    last = points[-1]
    canvas.frame((last[0] - 3.5, last[1] - 3.5), (7, 7), colour=ORANGE, fill=ORANGE)
    for value, place, anchor in ((high_score, y + 4, "ra"), (low, y + high - 4, "rs")):
        canvas.text((x - 6, place), score_text(value), size=11, colour=GREY, anchor=anchor)
    canvas.text((x, y + high + 5), "0", size=11, colour=GREY)
    canvas.text((x + wide, y + high + 5), f"{total - 1} steps", size=11, colour=GREY, anchor="ra")


def score_text(score: float) -> str:
    """Four digits that count, with a true minus sign."""
    return number(score, max(0, 3 - math.floor(math.log10(abs(score))))) if 1e-3 <= abs(score) < 1e4 else f"{score:.3g}"


def beside_scores(step: Step, scores: Sequence[float], total: int) -> np.ndarray:
    """The picture of a step, several as a sheet, beside the scores so far, (H, W, 3) uint8."""
    canvas = Canvas(SIDE + 2 * TOP)
    fit(canvas, tiled(step.image), (LEFT, TOP), (SIDE, SIDE))
    canvas.text((_CHART, TOP + 2), "score", size=16, bold=True)
    canvas.text((_CHART + _WIDE, TOP + 2), score_text(scores[-1]), size=16, bold=True, anchor="ra", colour=ORANGE)
    score_chart(canvas, scores, total, (_CHART, TOP + 32), (_WIDE, _HIGH))
    return canvas.array


def waiting() -> np.ndarray:
    """Room for the picture before the first start."""
    canvas = Canvas(SIDE + 2 * TOP)
    canvas.frame((LEFT, TOP), (SIDE, SIDE), colour=LINE, fill=PALE)
    canvas.text((LEFT + SIDE / 2, TOP + SIDE / 2), "press start", size=16, colour=GREY, anchor="mm")
    return canvas.array


class Progress(widgets.HBox):
    """A bar of the steps made, and beside it the score and the time left."""

    def __init__(self) -> None:
        self.bar = widgets.IntProgress(0, 0, 1, layout=widgets.Layout(width="300px"))
        self.label = widgets.Label("press start")
        super().__init__([self.bar, self.label], layout=GAP)

    def show(self, scores: Sequence[float], total: int, *, state: str, spent: float) -> None:
        """Show how far it is.

        Args:
            scores: Of the pictures so far, the first of which is the start.
            total: How many pictures there will be.
            state: Of the explorer.
            spent: Seconds that the steps after the first picture took.
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
