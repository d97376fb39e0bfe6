"""Explorer of notebook 11: neural style transfer step by step, with the three terms of the loss."""

from collections.abc import Mapping
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.explore.toolkit.canvas import BLUE, GREEN, ORANGE, Canvas
from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown, selection_slider, slider
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import in_colour, layers_to_match, layers_with_maps, models_by_name
from cs231n_viz.explore.toolkit.score_chart import score_chart
from cs231n_viz.explore.toolkit.wipe import Wiped, WipePicture
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource, load_image
from cs231n_viz.pictures.paintings import load_painting, painting_names
from cs231n_viz.pictures.scenes import object_mask
from cs231n_viz.style.loss import CONTENT_LAYERS, StyleLoss, Terms
from cs231n_viz.style.transfer import Schedule, Stylisation, stylize
from cs231n_viz.synthesis.ascent import Step

NONE, BLENDED, HALVES, OBJECT = "no other", "everywhere, blended", "on the right half", "behind the object"
_COLOURS = {
    "of the painting": "style",
    "content's luminance": "luminance",
    "content's, matched": "histogram",
}
_TERMS = {"content": BLUE, "style": ORANGE, "tv": GREEN}
_DECADES = 1e-4  # of the largest term: smaller ones, such as 0, stand at the bottom of the chart
_SIDE, _TOP, _RIGHT, _SMALL = 440, 8, 500, 150  # of the picture and the paintings, in CSS pixels


def style(
    models: Classifier | Mapping[str, Classifier],
    photograph: ImageSource = "astronaut",
    painting: ImageSource = "swirls",
    *,
    size: int = 224,
    steps: int = 40,
) -> LiveAscent:
    """Choose a photograph and a painting, start, and watch the photograph take on the style of the painting.

    Args:
        models: A classifier, or name -> classifier, whose features define content and style.
        photograph: Initial photograph, of ``sample_images()``, or a picture of your own.
        painting: Initial painting, of ``painting_names()``, or a picture of your own.
        size: Initial longer side of the result.
        steps: Initial number of steps at each of the two sizes.

    Returns:
        The explorer; ``controls`` are ``photograph`` and ``painting``, each with a button for files of your own
        (``photograph_file``, ``painting_file``), ``other`` (a second painting), the ``region`` it
        goes to and its ``share``, ``colours``, the weights ``content``, ``style`` and ``tv``, ``scale`` of the style,
        ``network``, ``content_layer``, ``depth`` of the style, ``start_from``, ``size``, ``steps``, ``seed``, and the
        buttons.

    Raises:
        ValueError: If there is no model, or no such painting or photograph.
    """
    return _Style(models_by_name(models), photograph, painting, size, steps).explorer


class _Style:
    def __init__(
        self, models: dict[str, Classifier], photograph: ImageSource, painting: ImageSource, size: int, steps: int
    ) -> None:
        self.models = {name: in_colour(model) for name, model in models.items()}
        first = next(iter(self.models.values()))
        self.photos = PictureChoice(photograph)
        self.paintings = PictureChoice(painting, painting_names(), label="painting")
        self.photos.file.description, self.paintings.file.description = "choose a photograph", "choose a painting"
        self.controls: dict[str, widgets.Widget] = {
            "photograph": self.photos.dropdown,
            "photograph_file": self.photos.file,
            "painting": self.paintings.dropdown,
            "painting_file": self.paintings.file,
            "style": slider("style", 0, 100, value=10),
            "content": selection_slider("content", [tenth / 10 for tenth in range(101)], value=1),
            "colours": dropdown("colours", list(_COLOURS)),
            "tv": slider("TV", 0, 200, value=30),
            "scale": slider("strokes, %", 50, 250, value=100),
            "other": dropdown("and another", [NONE, *painting_names()]),
            "region": dropdown("it goes", [BLENDED, HALVES, OBJECT]),
            "share": slider("its share, %", 0, 100, value=50),
            "network": dropdown("network", list(models)),
            "content_layer": dropdown("content at", list(layers_with_maps(first)), value=_content_layer(first)),
            "depth": slider("style layers", 1, len(layers_to_match(first)), value=len(layers_to_match(first))),
            "start_from": dropdown("start from", ["content", "noise"]),
            "size": slider("size, px", 64, 384, value=size),
            "steps": slider("steps", 2, 150, value=steps),
            "seed": slider("seed of noise", 0, 99),
        }
        self.controls["network"].observe(self._follow_network, names="value")
        self.content_of = lru_cache(maxsize=8)(lambda title: load_image(self.photos(title))[None])
        self.painting_of = lru_cache(maxsize=8)(self._painting_of)
        first_five = ("photograph", "painting", "style", "content", "colours")
        self.explorer = LiveAscent(
            self.begin, self.controls, name="style", draw=self.draw, preview=self.preview, first=first_five,
            view=WipePicture(),
        )  # fmt: skip

    def _painting_of(self, title: str) -> Tensor:
        return (load_painting if title in painting_names() else load_image)(self.paintings(title))[None]

    def _follow_network(self, change: dict) -> None:
        """Offer the layers of the new network."""
        model, depth, at = self.models[change["new"]], self.controls["depth"], self.controls["content_layer"]
        at.options = list(layers_with_maps(model))
        at.value = _content_layer(model)
        depth.max = depth.value = len(layers_to_match(model))

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
            **{name: float(values[name]) for name in _TERMS},
            content_layer=values["content_layer"],
            style_layers=layers_to_match(model)[: values["depth"]],
            shares=shares,
        )
        schedule = Schedule(size=values["size"], steps=values["steps"], start=values["start_from"])
        options = {"style_scale": values["scale"] / 100, "colours": _COLOURS[values["colours"]], "masks": masks}
        options |= {"seed": values["seed"], "progress": False}
        return stylize(model, picture, styles, loss=loss, schedule=schedule, **options)

    def preview(self, values: Values) -> Wiped:
        """The pictures that are given."""
        return self._drawn(self.content_of(values["photograph"])[0], values, [], 0)

    def draw(self, step: Step, ascent: Stylisation, values: Values) -> Wiped:
        """The picture, the terms of its loss so far, and the paintings."""
        return self._drawn(step.image[0], values, ascent.terms[: len(self.explorer.scores)], ascent.total)

    def _drawn(self, image: Tensor, values: Values, terms: list[Terms], total: int) -> Wiped:
        canvas = Canvas(_SIDE + 2 * _TOP)
        box = canvas.fit(image, (8, _TOP), (_SIDE, _SIDE))
        names = [values[key] for key in ("painting", "other") if values[key] != NONE]
        for number, name in enumerate(names):
            left, top = _RIGHT + number * (_SMALL + 24), _TOP + _SIDE - _SMALL
            canvas.text((left, top - 20), name, size=13, bold=True)
            canvas.fit(self.painting_of(name)[0], (left, top), (_SMALL, _SMALL))
        if not terms:
            return Wiped(canvas.array)
        for place, (name, colour) in enumerate(_TERMS.items()):
            text = f"{name} {terms[-1][name]:.3f}"
            canvas.text((_RIGHT + 122 * place, _TOP + 2), text, size=13, bold=True, colour=colour)
        lines = np.array([[each[name] for name in _TERMS] for each in terms])
        lines = lines.clip(_DECADES * lines.max())
        score_chart(canvas, lines, total, (_RIGHT + 60, _TOP + 26), (290, 210), colours=list(_TERMS.values()))
        return Wiped(canvas.array, before=self.content_of(values["photograph"])[0], box=box)


def _content_layer(model: Classifier) -> str:
    """``content_layer(model)``, also of a network without ``nn.ReLU``."""
    layers = layers_to_match(model)
    return CONTENT_LAYERS.get(model.name, layers[2 * len(layers) // 3])


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
