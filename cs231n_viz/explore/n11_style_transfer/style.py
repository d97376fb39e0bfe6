"""Explorer of notebook 11: one picture painted as others are, while one looks on, with the three terms of the loss."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.explore.toolkit.ascending import Ascending, Values, fit
from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import BLUE, GREEN, GREY, LINE, ORANGE, PALE, Canvas
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import load_image, sample_images
from cs231n_viz.pictures.paintings import load_painting, painting_names
from cs231n_viz.pictures.scenes import object_mask
from cs231n_viz.style.loss import Terms
from cs231n_viz.style.transfer import Stylisation, content_layer_of, style_layers_of, stylize
from cs231n_viz.synthesis.ascent import Step

NONE, BLENDED, HALVES, OBJECT = "no other", "everywhere, blended", "on the right half", "behind the object"
_COLOURS = {
    "of the painting": "style",
    "of the content: luminance": "luminance",
    "of the content: matched": "histogram",
}
_TERMS = {"content": BLUE, "style": ORANGE, "tv": GREEN}
_WEIGHTS = {"content": 0.1, "style": 1.0, "tv": 1.0}  # what one step of the slider is worth
_SIDE, _TOP, _LEFT, _RIGHT, _WIDE, _HIGH, _SMALL = 440, 8, 8, 500, 350, 210, 150
_POINTS = 200


def style(
    models: Classifier | Mapping[str, Classifier],
    photograph: str = "astronaut",
    painting: str = "swirls",
    *,
    size: int = 224,
    steps: int = 40,
) -> Ascending:
    """Choose a photograph and a painting, start, and watch the one be painted as the other.

    Args:
        models: A classifier, or name -> classifier: whose features say what content and style are.
        photograph: The one to begin with, of ``sample_images()``.
        painting: The one to begin with, of ``painting_names()``.
        size: Longer side of the result to begin with.
        steps: Steps at each of the two sizes to begin with.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``painting``, ``other`` (a second painting), the ``region`` it
        goes to and its ``share``, ``colours``, the weights ``content``, ``style`` and ``tv``, ``scale`` of the strokes,
        ``network``, ``content_layer``, ``depth`` of the style, ``start_from``, ``size``, ``steps``, ``seed``, and the
        buttons.

    Raises:
        ValueError: If there is no model.
        ImageError: If there is no such painting or photograph.
    """
    named = dict(models) if isinstance(models, Mapping) else {models.name: models}
    if not named:
        raise ValueError("wanted at least one model, got none")
    load_image(photograph), load_painting(painting)
    return _Painter(named, (photograph, painting), (size, steps)).explorer


class _Painter:
    def __init__(self, models: dict[str, Classifier], names: tuple[str, str], numbers: tuple[int, int]) -> None:
        self.models = models
        first = models[next(iter(models))]
        paintings = painting_names()
        self.controls: dict[str, widgets.Widget] = {
            "photograph": dropdown("photograph", sample_images(), value=names[0]),
            "painting": dropdown("painting", paintings, value=names[1]),
            "other": dropdown("and another", [NONE, *paintings]),
            "region": dropdown("it goes", [BLENDED, HALVES, OBJECT]),
            "share": slider("its share, %", 0, 100, value=50),
            "colours": dropdown("colours", list(_COLOURS)),
            "content": slider("content · 10", 0, 100, value=10),
            "style": slider("style", 0, 100, value=10),
            "tv": slider("TV", 0, 200, value=30),
            "scale": slider("strokes, %", 50, 250, value=100),
            "network": dropdown("network", list(models)),
            "content_layer": dropdown("content at", _maps(first), value=content_layer_of(first)),
            "depth": slider("style layers", 1, len(style_layers_of(first)), value=len(style_layers_of(first))),
            "start_from": dropdown("start from", ["content", "noise"]),
            "size": slider("size, px", 64, 384, value=numbers[0]),
            "steps": slider("steps", 2, 150, value=numbers[1]),
            "seed": slider("seed of noise", 0, 99),
        }
        self.controls["network"].observe(self._follow_network, names="value")
        keys = list(self.controls)
        pairs = [keys[i : i + 2] for i in range(0, len(keys), 2)]
        panel = [widgets.HBox([self.controls[key] for key in pair], layout=GAP) for pair in pairs]
        self.content_of = lru_cache(maxsize=8)(lambda name: load_image(name)[None])
        self.painting_of = lru_cache(maxsize=8)(lambda name: load_painting(name)[None])
        self.explorer = Ascending(
            self.begin, self.controls, name="style", draw=self.draw, preview=self.preview, panel=panel
        )

    def _follow_network(self, change: dict) -> None:
        """The layers are those of the network."""
        model, depth, at = self.models[change["new"]], self.controls["depth"], self.controls["content_layer"]
        at.options = _maps(model)
        at.value = content_layer_of(model)
        depth.max = depth.value = len(style_layers_of(model))

    def begin(
        self, photograph: str, painting: str, other: str, region: str, share: int, colours: str, content: int,
        style: int, tv: int, scale: int, network: str, content_layer: str, depth: int, start_from: str, size: int,
        steps: int, seed: int,
    ) -> Stylisation:  # fmt: skip
        """The ascent that the controls ask for."""
        model, picture = self.models[network], self.content_of(photograph)
        styles = [self.painting_of(name) for name in (painting, other) if name != NONE]
        masks = None
        if other != NONE and region != BLENDED:
            masks = regions(photograph, region, tuple(picture.shape[-2:]))
        shares = [100 - share, share] if other != NONE and masks is None else None
        weights = {
            name: unit * value for (name, unit), value in zip(_WEIGHTS.items(), (content, style, tv), strict=True)
        }
        return stylize(
            model, picture, styles, style_weights=shares, masks=masks, colours=_COLOURS[colours],
            content_weight=weights["content"], style_weight=weights["style"], tv_weight=weights["tv"],
            content_layer=content_layer, style_layers=style_layers_of(model)[:depth], style_scale=scale / 100,
            start=start_from, size=size, steps=steps, seed=seed, progress=False,
        )  # fmt: skip

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
        fit(canvas, image, (_LEFT, _TOP), (_SIDE, _SIDE))
        names = [values[key] for key in ("painting", "other") if values[key] != NONE]
        for number, name in enumerate(names):
            left, top = _RIGHT + number * (_SMALL + 24), _TOP + _SIDE - _SMALL
            canvas.text((left, top - 20), name, size=13, bold=True)
            fit(canvas, self.painting_of(name)[0], (left, top), (_SMALL, _SMALL))
        return canvas


def regions(photograph: str, region: str, size: tuple[int, int]) -> list[Tensor]:
    """Where the first painting goes and where the other, (H, W) each; they add up to one everywhere.

    Raises:
        ValueError: If the object is asked for, and nobody has outlined it.
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


def _maps(model: Classifier) -> list[str]:
    """Layers with positions, those of a single one aside."""
    return [layer.name for layer in model.layers() if len(layer.shape) == 3 and layer.shape[1] > 1]


def _chart(canvas: Canvas, terms: Sequence[Terms], total: int) -> None:
    """The terms so far, on a logarithmic axis of four decades at most."""
    x, y = _RIGHT, _TOP + 26
    canvas.frame((x, y), (_WIDE, _HIGH), colour=LINE, fill=PALE)
    values = np.array([[max(each[name], 1e-12) for name in _TERMS] for each in terms])
    high = math.log10(values.max())
    low = max(math.log10(values[values > 1e-12].min()) if (values > 1e-12).any() else high - 1, high - 4)
    span = max(high - low, 0.1)
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).round().astype(int))
    right = x + 6 + chosen / max(total - 1, 1) * (_WIDE - 12)
    for place, (name, colour) in enumerate(_TERMS.items()):
        canvas.text((x + 122 * place, _TOP + 2), f"{name} {values[-1, place]:.3f}", size=13, bold=True, colour=colour)
        up = y + _HIGH - 6 - ((np.log10(values[chosen, place]) - low) / span).clip(0, 1) * (_HIGH - 12)
        if len(chosen) > 1:
            canvas.line(list(zip(right.tolist(), up.tolist(), strict=True)), colour=colour, width=1.8)
        canvas.frame((right[-1] - 3, up[-1] - 3), (6, 6), colour=colour, fill=colour)
    canvas.text((x, y + _HIGH + 5), "terms of the loss, logarithmic", size=11, colour=GREY)
    canvas.text((x + _WIDE, y + _HIGH + 5), f"{total - 1} steps", size=11, colour=GREY, anchor="ra")
