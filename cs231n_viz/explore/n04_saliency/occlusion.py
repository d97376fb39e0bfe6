"""Explorer of notebook 04: drag an occluder over a photograph, and fill in the map of all its positions."""

import time
from collections.abc import Callable, Iterator
from html import escape

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from cs231n_viz.attribution.occlusion import grow_occlusion
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, INK, LINE, ORANGE, PALE, Canvas, coloured, number
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.heatmap import BAR, Heatmap, map_panel
from cs231n_viz.explore.toolkit.picture import ClickablePicture, Spot
from cs231n_viz.explore.toolkit.subject import Subject
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource

FILLS = {"grey": 0.5, "black": 0.0, "white": 1.0}
_SIDE, _TOP = 270, 32  # of the panels, in CSS pixels
_PHOTO, _MAP, _BARS = 8, 294, 586  # where they begin
_SLICE = 0.05  # seconds of occlusion between two drawings


def occlusion(
    model: Classifier,
    photograph: ImageSource = "motorcycle",
    category: str | None = None,
    *,
    occlusion_step: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Cover a part of a photograph, watch the logits, and fill in the map of all positions.

    Args:
        model: Any classifier.
        photograph: Initial photograph, of ``sample_images()``, or what ``load_image`` takes.
        category: The class whose logit is watched at first; the most probable one if omitted.
        occlusion_step: If given, computes the drop of the logit: ``occlusion_step(model, images, targets, top=, left=,
            window=, fill=)`` -> (N,).

    Returns:
        The explorer; ``controls`` are ``photograph``, ``file``, ``category``, ``window``, ``stride``, ``fill``, ``row``
        and ``col`` of the window's first pixel, and the buttons ``start`` and ``cancel``. A click or a drag on either
        picture moves the window.

    Raises:
        KeyError: If the model has no such category.
    """
    return _Occluder(model, photograph, category, occlusion_step).explorer


def _covered(images: Tensor, corner: tuple[int, int], window: int, fill: float) -> Tensor:
    covered = images.clone()
    covered[:, :, corner[0] : corner[0] + window, corner[1] : corner[1] + window] = fill
    return covered


class _Occluder:
    def __init__(
        self, model: Classifier, photograph: ImageSource, category: str | None, step: Callable[..., Tensor] | None
    ) -> None:
        self.model, self.step, self.side = model, step, model.input_size
        subject = Subject(model, photograph, category)
        self.photographs = subject.photographs[model.name]
        strides = [n for n in (32, 16, 8, 4) if n <= self.side // 4]
        window = max(4, self.side // 7)
        self.controls = {
            **subject.controls,
            "window": slider("window, px", 4, self.side // 2, value=window),
            "stride": dropdown("stride, px", [str(n) for n in strides], value=str(strides[min(2, len(strides) - 1)])),
            "fill": dropdown("fill", list(FILLS)),
            "row": slider("row", 0, self.side - 1, value=(self.side - window) // 2),
            "col": slider("column", 0, self.side - 1, value=(self.side - window) // 2),
            "start": widgets.Button(description="fill in the map", button_style="primary"),
            "cancel": widgets.Button(description="cancel", disabled=True),
        }
        self.bar = widgets.FloatProgress(0, max=1.0, layout=widgets.Layout(width="240px"))
        self.steps: Iterator[Tensor] | None = None
        self.map, self.made_for = np.empty((0, 0)), ()
        filling = widgets.HBox([self.controls["start"], self.controls["cancel"], self.bar], layout=GAP)
        self.controls["start"].on_click(lambda _: self.start())
        self.controls["cancel"].on_click(lambda _: self.cancel())
        self.explorer = Explorer(
            self.draw,
            self.controls,
            view=ClickablePicture(
                alt="The photograph with the occluder, the map of the drop of the logit, and the logits as bars."
            ),
            panel=[("photograph", "category"), ("window", "stride"), ("fill", "file"), ("row", "col"), filling],
            pointing="Drag the window, on the photograph or on the map.",
        )
        subject.hold = self.explorer.hold

    def start(self) -> None:
        """Start the map for the present controls; the drawings that follow fill it in."""
        values = {name: self.controls[name].value for name in ("photograph", "category", "window", "stride", "fill")}
        images = self.photographs.image(values["photograph"])
        window, stride, fill = values["window"], int(values["stride"]), FILLS[values["fill"]]
        target = self.model.index(values["category"])
        self.made_for = tuple(values.values())
        self.steps = grow_occlusion(self.model, images, target, window=window, stride=stride, fill=fill)
        self.controls["cancel"].disabled = False
        self.explorer.update()

    def cancel(self) -> None:
        """Stop filling in the map, and keep what there is of it."""
        self.steps = None
        self.controls["cancel"].disabled = True
        self.explorer.update()

    def _centre(self, row: int, col: int) -> None:
        window = self.controls["window"].value
        for name, middle in (("row", row), ("col", col)):
            self.controls[name].value = min(max(middle - window // 2, 0), self.side - window)

    def _advance(self, key: tuple) -> None:
        """Occlude some more windows, if a map is being filled in; drop a map for other controls."""
        if key != self.made_for:
            self.steps, self.map, self.made_for = None, np.empty((0, 0)), key
        end = time.perf_counter() + _SLICE
        while self.steps is not None:
            try:
                self.map = next(self.steps)[0].cpu().numpy()
            except StopIteration:
                self.steps = None
            except Exception:
                self.steps = None
                raise
            if time.perf_counter() > end:
                break
        self.bar.value = float(np.isfinite(self.map).mean()) if self.map.size else 0.0
        self.controls["cancel"].disabled = self.steps is None
        self.controls["start"].disabled = self.steps is not None or self.bar.value == 1

    def draw(self, photograph: str, category: str, window: int, stride: str, fill: str, row: int, col: int) -> Drawing:
        self._advance((photograph, category, window, stride, fill))
        images, before = self.photographs.image(photograph), self.photographs.logits(photograph)
        row, col = (min(first, self.side - window) for first in (row, col))
        covered = _covered(images, (row, col), window, FILLS[fill])
        target = self.model.index(category)
        with torch.no_grad():
            after = self.model(covered)[0].cpu()
        drop = float(before[target] - after[target])
        if self.step is not None:
            where = {"top": row, "left": col, "window": window, "fill": FILLS[fill]}
            targets = torch.tensor([target], device=images.device)
            drop = _checked(self.step(self.model, images.clone(), targets, **where))
        canvas = Canvas(_TOP + _SIDE + BAR)
        canvas.text((_PHOTO, _TOP - 6), photograph, size=13, anchor="ls", bold=True)
        canvas.fit(covered[0], (_PHOTO, _TOP), (_SIDE, _SIDE))
        canvas.box((row, col, row + window, col + window), (_PHOTO, _TOP), _SIDE / self.side)
        self._map(canvas, self.photographs.shown(photograph), window, int(stride))
        self._bars(canvas, before, after, target)
        text = self._sentence((row, col), window, drop, before, after, target)
        middle = (row + window // 2, col + window // 2)
        spots = [Spot((x, _TOP), (_SIDE, _SIDE), (self.side, self.side), self._centre, middle) for x in (_PHOTO, _MAP)]
        return Drawing(canvas.array, text, unfinished=self.steps is not None, spots=spots)

    def _map(self, canvas: Canvas, photo: np.ndarray, window: int, stride: int) -> None:
        rows = (self.side - window) // stride + 1
        pale = np.repeat(255 - (255 - photo.mean(2, keepdims=True)) * 0.5, 3, axis=2)
        title, limit = f"drop of the logit, {rows}×{rows}", None
        if np.isfinite(self.map).any():
            limit = float(np.nanmax(np.abs(self.map)))
            values = np.full((self.side, self.side), np.nan)
            first = (window - stride) // 2 if window > stride else 0  # each value is drawn at the middle of its window
            large = self.map.repeat(stride, axis=0).repeat(stride, axis=1)[: self.side - first, : self.side - first]
            values[first : first + large.shape[0], first : first + large.shape[1]] = large
            mixed = 0.35 * pale + 0.65 * coloured(values, limit)
            pale = np.where(np.isnan(values)[..., None], pale, mixed)
        map_panel(canvas, Heatmap(pale.astype(np.uint8), limit, True), (_MAP, _TOP), _SIDE, title)

    def _bars(self, canvas: Canvas, before: Tensor, after: Tensor, target: int) -> None:
        """The five largest logits and the target's, before and after."""
        shown = list(dict.fromkeys([target, *before.argsort(descending=True)[:5].tolist()]))
        values = torch.stack([before[shown], after[shown]])
        low, high = min(0.0, float(values.min())), max(1e-6, float(values.max()))
        for x, label, colour in ((0, "logits", INK), (60, "before", BLUE), (116, "with the window", ORANGE)):
            canvas.text((_BARS + x, _TOP - 6), label, size=13, colour=colour, anchor="ls", bold=not x)

        def along(value: float) -> float:
            return _BARS + (value - low) / (high - low) * 262

        for place, index in enumerate(shown):
            y = _TOP + 4 + place * 48
            name = self.model.categories[index]
            canvas.text((_BARS, y), name[:30], size=13, bold=index == target)
            for line, (logits, colour) in enumerate(((before, BLUE), (after, ORANGE))):
                start, end = sorted((along(0.0), along(float(logits[index]))))
                canvas.frame((_BARS, y + 19 + 11 * line), (262, 9), colour=PALE, fill=PALE)
                canvas.frame((start, y + 19 + 11 * line), (max(end - start, 1), 9), colour=colour, fill=colour)
            canvas.line([(along(0.0), y + 17), (along(0.0), y + 41)], colour=GREY, width=1.5)
        canvas.line([(_BARS - 12, _TOP), (_BARS - 12, _TOP + _SIDE)], colour=LINE)

    def _sentence(
        self, corner: tuple[int, int], window: int, drop: float, before: Tensor, after: Tensor, target: int
    ) -> str:
        probabilities = [each.softmax(0)[target].item() for each in (before, after)]
        moves = "falls" if drop >= 0 else "rises"
        text = (
            f"With rows {corner[0]} to {corner[0] + window - 1} and columns {corner[1]} to {corner[1] + window - 1} "
            f"covered, the logit of <b>{escape(self.model.categories[target])}</b> {moves} by {number(abs(drop))}, its "
            f"probability goes from {probabilities[0]:.1%} to {probabilities[1]:.1%}."
        )
        if np.isfinite(self.map).any():
            text += f" On the map: from {number(np.nanmin(self.map))} to {number(np.nanmax(self.map))}."
        return paragraph(text)


def _checked(drop: Tensor) -> float:
    if tuple(drop.shape) != (1,):
        raise ValueError(f"occlusion_step must return one value for the one picture, (1,), got {tuple(drop.shape)}")
    return float(drop)
