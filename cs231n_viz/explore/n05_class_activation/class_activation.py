"""Explorer of notebook 05: where in a picture is the evidence for a class, and where against it?"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from html import escape

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.attribution.grad_cam import cam
from cs231n_viz.attribution.grad_cam import grad_cam as exact_grad_cam
from cs231n_viz.attribution.saliency import guided_backprop
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import Canvas, number
from cs231n_viz.explore.toolkit.controls import checkbox, dropdown, replace_options, slider
from cs231n_viz.explore.toolkit.heatmap import BAR, around_grey, heatmap, map_panel, overlay, resized
from cs231n_viz.explore.toolkit.models import chosen_layer, layers_with_maps, rank_and_probability
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.explore.toolkit.subject import Subject, hide
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import ImageSource

GRAD, CAM, GUIDED = METHODS = ("Grad-CAM", "CAM", "Guided Grad-CAM")
_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_LEFTS = (8, 294, 580)
_SCENES = 8
_MOST_MAPS = 64  # maps and attributions that are remembered


def class_activation(
    models: Classifier | Mapping[str, Classifier],
    picture: ImageSource = "cat",
    category: str | None = None,
    *,
    layer: str | None = None,
    grad_cam: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Show where in a picture the evidence for a class is, by CAM, Grad-CAM or Guided Grad-CAM, at any layer.

    Args:
        models: A classifier, or name -> classifier.
        picture: Initial picture, of ``sample_images()``, ``"scene 1"`` to ``"scene 8"``, or what ``load_image`` takes.
        category: Initial class; the most probable one if omitted.
        layer: Initial layer; the last one with maps of more than one cell if omitted.
        grad_cam: If given, makes the maps: ``grad_cam(model, images, targets, layer, signed=)`` -> (N, h, w).

    Returns:
        The explorer; ``controls`` are ``picture``, ``file``, ``network``, ``category``, ``method``, and those that the
        method has: ``layer``, ``signed`` and ``opacity`` in per cent.

    Raises:
        KeyError: If the model has no such category, or ``layer`` has no maps.
        ValueError: If there is no model.
    """
    scenes = Gallery.scenes(_SCENES, seed=0)
    extra = {f"scene {i + 1}": partial(lambda i: scenes[i][0], i) for i in range(_SCENES)}
    subject = Subject(models, picture, category, label="picture", extra=extra)
    return _ClassActivation(subject, layer, grad_cam or exact_grad_cam).explorer


class _ClassActivation:
    def __init__(self, subject: Subject, layer: str | None, grad_cam: Callable[..., Tensor]) -> None:
        self.subject, self.models, self.photographs = subject, subject.models, subject.photographs
        self.grad_cam = grad_cam
        remember = lru_cache(maxsize=_MOST_MAPS)
        self.map_of, self.guided = remember(self._map_of), remember(self._guided)
        model = next(iter(self.models.values()))
        self.controls = {
            **subject.controls,
            "layer": dropdown("layer", list(layers_with_maps(model)), value=chosen_layer(model, layer)),
            "method": dropdown("method", METHODS),
            "opacity": slider("opacity, %", 0, 100, value=60),
            "signed": checkbox("signed: also evidence against"),
        }
        self.explorer = Explorer(
            self.draw,
            self.controls,
            view=ImageView(alt="A picture, the map of a class cell by cell, and the same over the picture."),
            panel=[("picture", "network"), ("category", "layer"), ("method", "opacity"), ("signed", "file")],
        )
        subject.hold, subject.follow = self.explorer.hold, self._follow

    def _follow(self) -> None:
        """Keep the layer if the other network has it, too."""
        model = self.models[self.controls["network"].value]
        replace_options(self.controls["layer"], list(layers_with_maps(model)), chosen_layer(model, None))

    def _map_of(self, network: str, picture: str, category: int, layer: str | None) -> np.ndarray:
        """(h, w), signed; the class activation map itself if ``layer`` is None."""
        model, image = self.models[network], self.photographs[network].image(picture)
        if layer is None:
            return cam(model, image, category)[0].cpu().numpy()
        targets = torch.tensor([category], device=image.device)
        return _checked(self.grad_cam(model, image, targets, layer, signed=True))

    def _guided(self, network: str, picture: str, category: int) -> np.ndarray:
        """Guided backprop, (3, H, W)."""
        model, image = self.models[network], self.photographs[network].image(picture)
        return guided_backprop(model, image, category)[0].cpu().numpy()

    def draw(
        self, network: str, picture: str, category: str, layer: str, method: str, signed: bool, opacity: int
    ) -> Drawing:
        target, notice = self.models[network].index(category), ""
        at: str | None = layer
        if method == CAM:
            try:
                self.map_of(network, picture, target, None)
                at = None
            except TypeError:
                shown_as = "does not end in global average pooling and one linear layer: Grad-CAM is shown."
                notice, method = f"{escape(network)} {shown_as}", GRAD
        hide(self.controls, layer=at is None, signed=method == GUIDED, opacity=method == GUIDED)
        values = self.map_of(network, picture, target, at)
        if not (values > 0).any():
            notice += f" There is no evidence for {escape(category)} in this map: without signed it is 0 everywhere."
        signed = signed and method != GUIDED
        shown, size = heatmap(values if signed else values.clip(0), signed=signed), "×".join(map(str, values.shape))
        photo, canvas = self.photographs[network].shown(picture), Canvas(_TOP + _SIDE + BAR)
        map_panel(canvas, shown, (_LEFTS[1], _TOP), _SIDE, f"the map, {size}", smooth=False)
        if method == GUIDED:
            guided = self.guided(network, picture, target)
            product = around_grey(guided * resized(values.clip(0), guided.shape[1:]))
            map_panel(canvas, around_grey(guided), (_LEFTS[0], _TOP), _SIDE, "guided backprop")
            map_panel(canvas, product, (_LEFTS[2], _TOP), _SIDE, "their product: Guided Grad-CAM")
        else:
            over = overlay(
                photo, values if signed else values.clip(0), limit=shown.limit, signed=signed, opacity=opacity / 100
            )
            canvas.panel(photo, (_LEFTS[0], _TOP), _SIDE, picture, bold=True)
            canvas.panel(over, (_LEFTS[2], _TOP), _SIDE, f"{method}, over the picture", bold=True)
        place = "the last feature maps" if at is None else layer
        return Drawing(canvas.array, self._sentence(network, picture, target, values, place), notice.strip())

    def _sentence(self, network: str, picture: str, target: int, values: np.ndarray, place: str) -> str:
        logits, names = self.photographs[network].logits(picture), self.models[network].categories
        rank, probability = rank_and_probability(logits, target)
        text = (
            f"<b>{escape(names[target])}</b>: logit {number(float(logits[target]))}, probability {probability:.1%}, "
            f"rank {rank} of {len(names)}. In {escape(place)}, the evidence for it sums up to "
            f"{number(float(values.clip(0).sum()), 3)}, the evidence against it to "
            f"{number(float((-values).clip(0).sum()), 3)}. {self.subject.predictions(network, picture)}"
        )
        return paragraph(text)


def _checked(maps: Tensor) -> np.ndarray:
    if maps.ndim != 3 or len(maps) != 1:
        raise ValueError(f"grad_cam must return (1, h, w) for one picture, got {tuple(maps.shape)}")
    return maps[0].detach().cpu().numpy()
