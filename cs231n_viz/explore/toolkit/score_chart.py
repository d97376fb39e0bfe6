"""The scores of an ascent so far: as a line, as text, and beside the image that they belong to."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, LINE, ORANGE, PALE, Canvas, Colour, number
from cs231n_viz.explore.toolkit.tile_grid import as_one_image
from cs231n_viz.synthesis.ascent import Step

SIDE, TOP, LEFT = 400, 8, 8  # of the image, in CSS pixels
_CHART, _CHART_SIZE = 470, (370, 250)  # the chart beside it: its left edge, and (width, height)
_PAIR = 410  # side of each of two pictures above a chart
_MOST_POINTS = 200  # more are not told apart on the page
_DECADE = 10  # from this ratio of the scores on, their scale is logarithmic
_MARGIN = 6  # between the frame of a chart and its lines


def score_chart(
    canvas: Canvas,
    scores: Sequence[float] | np.ndarray,
    total: int,
    at: tuple[float, float],
    size: tuple[float, float],
    *,
    colours: Sequence[Colour] = (BLUE,),
) -> None:
    """Draw the scores so far as a line, in a box at (x, y) of (width, height); its width is that of ``total`` steps.

    Scores of one sign that span more than a decade, such as losses, are drawn on a logarithmic scale, which says so,
    with a line for each decade. The numbers stand left of the box, in a room of 60 px.

    Args:
        canvas: Drawn on.
        scores: (T,), or (T, K) for K lines.
        total: Number of steps that the width of the box stands for.
        at: (x, y) of the box.
        size: (width, height) of the box.
        colours: One for each line.
    """
    (x, y), high = at, size[1]
    values = np.asarray(scores, dtype=np.float64).reshape(len(scores), -1)
    smallest, largest = float(values.min()), float(values.max())
    heights = log_heights(values)
    _frame(canvas, "0" if heights is None else "0, logarithmic scale", total, at, size)
    if heights is None:
        heights = (values - smallest) / ((largest - smallest) or 1.0)
    else:
        _decades(canvas, smallest, largest, at, size)
    for line, colour in zip(heights.T, colours, strict=True):
        _line(canvas, line, total, at, size, colour=colour, mark=ORANGE if len(colours) == 1 else colour)
    for value, place, anchor in ((largest, y + 2, "ra"), (smallest, y + high - 2, "rs")):
        canvas.text((x - 6, place), score_text(value), size=12, colour=GREY, anchor=anchor)


def log_heights(values: np.ndarray) -> np.ndarray | None:
    """Where scores of any shape stand on a logarithmic scale, from 0 for the smallest to 1 for the largest.

    Negative ones stand as the losses that they are, the smallest loss on top. None if the scores are not all of one
    sign, or span less than a decade.
    """
    sizes = np.abs(values)
    if not (np.isfinite(values).all() and ((values > 0).all() or (values < 0).all())):
        return None
    if sizes.max() < _DECADE * sizes.min():
        return None
    logs = np.sign(values) * np.log(sizes)
    return (logs - logs.min()) / (logs.max() - logs.min())


def _decades(
    canvas: Canvas, smallest: float, largest: float, at: tuple[float, float], size: tuple[float, float]
) -> None:
    """A thin line for each power of ten, with its name where there is room for it."""
    (x, y), (wide, high) = at, size
    sign = 1 if smallest > 0 else -1
    low, end = sorted(math.log10(abs(value)) for value in (smallest, largest))
    for power in range(math.ceil(low), math.floor(end) + 1):
        value = sign * 10.0**power
        height = log_heights(np.array([smallest, value, largest]))[1]
        down = y + high - _MARGIN - height * (high - 2 * _MARGIN)
        canvas.line([(x, down), (x + wide, down)], colour=LINE)
        if y + 24 < down < y + high - 24:  # the ends have their own numbers
            canvas.text((x - 6, down), score_text(value), size=12, colour=GREY, anchor="rm")


def _frame(canvas: Canvas, label: str, total: int, at: tuple[float, float], size: tuple[float, float]) -> None:
    """The empty box of a chart, with a label below its left end and the number of steps below its right end."""
    (x, y), (wide, high) = at, size
    canvas.frame(at, size, colour=LINE, fill=PALE)
    canvas.text((x, y + high + 5), label, size=12, colour=GREY)
    canvas.text((x + wide, y + high + 5), f"{total - 1} steps", size=12, colour=GREY, anchor="ra")


def _line(
    canvas: Canvas,
    heights: np.ndarray,
    total: int,
    at: tuple[float, float],
    size: tuple[float, float],
    *,
    colour: Colour,
    mark: Colour,
) -> None:
    """A line of heights (T,), from 0 at the bottom to 1 at the top, with a square on its last point."""
    (x, y), (wide, high) = at, size
    chosen = np.unique(np.linspace(0, len(heights) - 1, min(len(heights), _MOST_POINTS)).round().astype(int))
    right = x + _MARGIN + chosen / max(total - 1, len(heights) - 1, 1) * (wide - 2 * _MARGIN)
    down = y + high - _MARGIN - heights[chosen] * (high - 2 * _MARGIN)
    if len(chosen) > 1:
        canvas.line(list(zip(right.tolist(), down.tolist(), strict=True)), colour=colour, width=1.8)
    canvas.frame((right[-1] - 3.5, down[-1] - 3.5), (7, 7), colour=mark, fill=mark)


def score_text(score: float) -> str:
    """Four significant digits, with a true minus sign."""
    return number(score, max(0, 3 - math.floor(math.log10(abs(score))))) if 1e-3 <= abs(score) < 1e4 else f"{score:.3g}"


def image_and_scores(step: Step, scores: Sequence[float], total: int) -> np.ndarray:
    """The image of a step, several as one sheet, beside the scores so far, (H, W, 3) uint8."""
    canvas = Canvas(SIDE + 2 * TOP)
    right = _CHART + _CHART_SIZE[0]
    canvas.fit(as_one_image(step.image), (LEFT, TOP), (SIDE, SIDE))
    canvas.text((_CHART, TOP + 2), "score", size=16, bold=True)
    canvas.text((right, TOP + 2), score_text(scores[-1]), size=16, bold=True, anchor="ra", colour=ORANGE)
    score_chart(canvas, scores, total, (_CHART, TOP + 32), _CHART_SIZE)
    return canvas.array


def pictures_and_scores(
    pictures: Mapping[str, Tensor | None], scores: Sequence[float] = (), total: int = 1
) -> np.ndarray:
    """Two pictures under their titles, and below them the scores so far, if there are any, (H, W, 3) uint8."""
    canvas = Canvas(_PAIR + (170 if scores else 40))
    canvas.row(pictures, _PAIR)
    if scores:
        score_chart(canvas, scores, total, (72, _PAIR + 44), (2 * _PAIR - 48, 90))
    return canvas.array


def empty_picture() -> np.ndarray:
    """A frame in the place of the image, before the first start, (H, W, 3) uint8."""
    canvas = Canvas(SIDE + 2 * TOP)
    canvas.frame((LEFT, TOP), (SIDE, SIDE), colour=LINE, fill=PALE)
    canvas.text((LEFT + SIDE / 2, TOP + SIDE / 2), "press start", size=16, colour=GREY, anchor="mm")
    return canvas.array
