"""How an ascent is shown: its picture beside the scores of its steps, and a bar that says how far it is."""

import math
from collections.abc import Sequence

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from cs231n_viz.ascent import Step
from cs231n_viz.explore.canvas import BLUE, GREY, LINE, ORANGE, PALE, Canvas, number, to_pixels
from cs231n_viz.explore.controls import GAP

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
