"""Explorer of notebook 11: neural style transfer step by step, with the three terms of the loss."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import BLUE, GREEN, GREY, ORANGE, Canvas
from cs231n_viz.explore.toolkit.controls import dropdown, picture_dropdown, slider
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import layers_with_maps, models_by_name
from cs231n_viz.explore.toolkit.score_chart import chart_frame, chart_line
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import load_image
from cs231n_viz.pictures.paintings import load_painting, painting_names
from cs231n_viz.pictures.scenes import object_mask
from cs231n_viz.representation.gram import style_layers
from cs231n_viz.style.loss import StyleLoss, Terms, content_layer
from cs231n_viz.style.transfer import Schedule, Stylisation, stylize
from cs231n_viz.synthesis.ascent import Step

NONE, BLENDED, HALVES, OBJECT = "no other", "everywhere, blended", "on the right half", "behind the object"
_COLOURS = {
    "of the painting": "style",
    "of the content: luminance": "luminance",
    "of the content: matched": "histogram",
}
_TERMS = {"content": BLUE, "style": ORANGE, "tv": GREEN}
_WEIGHTS = {"content": 0.1, "style": 1.0, "tv": 1.0}  # what one step of the slider is worth
_SIDE, _TOP, _LEFT, _RIGHT, _SMALL = 440, 8, 8, 500, 150  # of the picture and the paintings, in CSS pixels
_CHART_SIZE = (350, 210)


def style(
    models: Classifier | Mapping[str, Classifier],
    photograph: str = "astronaut",
    painting: str = "swirls",
    *,
    size: int = 224,
    steps: int = 40,
) -> LiveAscent:
    """Choose a photograph and a painting, start, and watch the photograph take on the style of the painting.

    Args:
        models: A classifier, or name -> classifier, whose features define content and style.
        photograph: Initial photograph, of ``sample_images()``.
        painting: Initial painting, of ``painting_names()``.
        size: Initial longer side of the result.
        steps: Initial number of steps at each of the two sizes.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``painting``, ``other`` (a second painting), the ``region`` it
        goes to and its ``share``, ``colours``, the weights ``content``, ``style`` and ``tv``, ``scale`` of the style,
        ``network``, ``content_layer``, ``depth`` of the style, ``start_from``, ``size``, ``steps``, ``seed``, and the
        buttons.

    Raises:
        ValueError: If there is no model, or no such painting or photograph.
    """
    return _Style(models_by_name(models), photograph, painting, size, steps).explorer


class _Style:
    def __init__(self, models: dict[str, Classifier], photograph: str, painting: str, size: int, steps: int) -> None:
        self.models = models
        first = next(iter(models.values()))
        paintings = painting_names()
        self.controls: dict[str, widgets.Widget] = {
            "photograph": picture_dropdown(photograph),
            "painting": picture_dropdown(painting, paintings, label="painting"),
            "other": dropdown("and another", [NONE, *paintings]),
            "region": dropdown("it goes", [BLENDED, HALVES, OBJECT]),
            "share": slider("its share, %", 0, 100, value=50),
            "colours": dropdown("colours", list(_COLOURS)),
            "content": slider("content · 10", 0, 100, value=10),
            "style": slider("style", 0, 100, value=10),
            "tv": slider("TV", 0, 200, value=30),
            "scale": slider("strokes, %", 50, 250, value=100),
            "network": dropdown("network", list(models)),
            "content_layer": dropdown("content at", list(layers_with_maps(first)), value=content_layer(first)),
            "depth": slider("style layers", 1, len(style_layers(first)), value=len(style_layers(first))),
            "start_from": dropdown("start from", ["content", "noise"]),
            "size": slider("size, px", 64, 384, value=size),
            "steps": slider("steps", 2, 150, value=steps),
            "seed": slider("seed of noise", 0, 99),
        }
        self.controls["network"].observe(self._follow_network, names="value")
        keys = list(self.controls)
        panel = [keys[i : i + 2] for i in range(0, len(keys), 2)]
        self.content_of = lru_cache(maxsize=8)(lambda name: load_image(name)[None])
        self.painting_of = lru_cache(maxsize=8)(lambda name: load_painting(name)[None])
        self.explorer = LiveAscent(
            self.begin, self.controls, name="style", draw=self.draw, preview=self.preview, panel=panel
        )

    def _follow_network(self, change: dict) -> None:
        """Offer the layers of the new network."""
        model, depth, at = self.models[change["new"]], self.controls["depth"], self.controls["content_layer"]
        at.options = list(layers_with_maps(model))
        at.value = content_layer(model)
        depth.max = depth.value = len(style_layers(model))

    def begin(self, **values: object) -> Stylisation:
        """The ascent that the controls ask for."""
        model, picture = self.models[values["network"]], self.content_of(values["photograph"])
        styles = [self.painting_of(name) for name in (values["painting"], values["other"]) if name != NONE]
        masks = shares = None
        if values["other"] != NONE and values["region"] == BLENDED:
            shares = (100 - values["share"], values["share"])
        elif values["other"] != NONE:
            masks = regions(values["photograph"], values["region"], tuple(picture.shape[-2:]))
        loss = StyleLoss(
            **{name: unit * values[name] for name, unit in _WEIGHTS.items()},
            content_layer=values["content_layer"],
            style_layers=style_layers(model, values["depth"]),
            shares=shares,
        )
        schedule = Schedule(size=values["size"], steps=values["steps"], start=values["start_from"])
        options = {"style_scale": values["scale"] / 100, "colours": _COLOURS[values["colours"]], "masks": masks}
        options |= {"seed": values["seed"], "progress": False}
        return stylize(model, picture, styles, loss=loss, schedule=schedule, **options)

    def preview(self, values: Values) -> Drawing:
        """The pictures that are given."""
        canvas = self._canvas(self.content_of(values["photograph"])[0], values)
        canvas.text((_RIGHT, _TOP + 2), "press start", size=16, colour=GREY)
        return Drawing(canvas.array)

    def draw(self, step: Step, ascent: Stylisation, values: Values) -> Drawing:
        """The picture, the terms of its loss so far, and the paintings."""
        canvas = self._canvas(step.image[0], values)
        _chart(canvas, ascent.terms[: len(self.explorer.scores)], ascent.total)
        return Drawing(canvas.array)

    def _canvas(self, image: Tensor, values: Values) -> Canvas:
        canvas = Canvas(_SIDE + 2 * _TOP)
        canvas.fit(image, (_LEFT, _TOP), (_SIDE, _SIDE))
        names = [values[key] for key in ("painting", "other") if values[key] != NONE]
        for number, name in enumerate(names):
            left, top = _RIGHT + number * (_SMALL + 24), _TOP + _SIDE - _SMALL
            canvas.text((left, top - 20), name, size=13, bold=True)
            canvas.fit(self.painting_of(name)[0], (left, top), (_SMALL, _SMALL))
        return canvas


def regions(photograph: str, region: str, size: tuple[int, int]) -> list[Tensor]:
    """Where the first painting goes and where the other, (H, W) each; they add up to one everywhere.

    Raises:
        ValueError: If the object is asked for, and there is no mask of it.
    """
    if region == HALVES:
        first = torch.ones(size)
        first[:, size[1] // 2 :] = 0
    else:
        try:
            mask = torch.from_numpy(object_mask(photograph).copy()).float()
        except FileNotFoundError:
            sentence = f"the object of {photograph} is not outlined; send the other painting elsewhere"
            raise ValueError(sentence) from None
        first = F.interpolate(mask[None, None], size=size, mode="nearest")[0, 0]
    return [first, 1 - first]


def _chart(canvas: Canvas, terms: Sequence[Terms], total: int) -> None:
    """The terms so far, on a logarithmic axis of four decades at most."""
    at = (_RIGHT, _TOP + 26)
    chart_frame(canvas, "terms of the loss, logarithmic", total, at, _CHART_SIZE)
    values = np.array([[max(each[name], 1e-12) for name in _TERMS] for each in terms])
    high = math.log10(values.max())
    low = max(math.log10(values[values > 1e-12].min()) if (values > 1e-12).any() else high - 1, high - 4)
    heights = ((np.log10(values) - low) / max(high - low, 0.1)).clip(0, 1)
    for place, (name, colour) in enumerate(_TERMS.items()):
        text = f"{name} {values[-1, place]:.3f}"
        canvas.text((_RIGHT + 122 * place, _TOP + 2), text, size=13, bold=True, colour=colour)
        chart_line(canvas, heights[:, place], total, at, _CHART_SIZE, colour=colour)
