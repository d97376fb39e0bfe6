"""Explorer of notebook 05: where in a picture is the evidence for a class, and where against it?"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.attribution.grad_cam import cam
from cs231n_viz.attribution.grad_cam import grad_cam as exact_grad_cam
from cs231n_viz.attribution.saliency import guided_backprop
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import Canvas, number
from cs231n_viz.explore.toolkit.controls import checkbox, dropdown, picture_dropdown, replace_options, slider
from cs231n_viz.explore.toolkit.heatmap import around_grey, map_cells, overlay, resized, robust_limit
from cs231n_viz.explore.toolkit.models import (
    Photographs,
    chosen_layer,
    layers_with_maps,
    models_by_name,
    rank_and_probability,
)
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import ImageSource, to_uint8

GRAD, CAM, GUIDED = METHODS = ("Grad-CAM", "CAM", "Guided Grad-CAM")
_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_LEFTS = (8, 294, 580)
_SCENES = 8
_MOST_MAPS = 64  # maps and attributions that are remembered


def class_activation(
    models: Classifier | Mapping[str, Classifier],
    picture: str = "cat",
    category: str | None = None,
    *,
    layer: str | None = None,
    grad_cam: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Show where in a picture the evidence for a class is, by CAM, Grad-CAM or Guided Grad-CAM, at any layer.

    Args:
        models: A classifier, or name -> classifier.
        picture: Initial picture, of ``sample_images()``, or ``"scene 1"`` to ``"scene 8"``.
        category: Initial class; the most probable one if omitted.
        layer: Initial layer; the last one with maps of more than one cell if omitted.
        grad_cam: If given, makes the maps: ``grad_cam(model, images, targets, layer, signed=)`` -> (N, h, w).

    Returns:
        The explorer; ``controls`` are ``picture``, ``network``, ``category``, ``layer``, ``method``, ``signed`` and
        ``opacity`` in per cent.

    Raises:
        KeyError: If the model has no such category, or ``layer`` has no maps.
        ValueError: If there is no model.
    """
    return _ClassActivation(models_by_name(models), picture, category, layer, grad_cam or exact_grad_cam).explorer


class _ClassActivation:
    def __init__(
        self,
        models: dict[str, Classifier],
        picture: str,
        category: str | None,
        layer: str | None,
        grad_cam: Callable[..., Tensor],
    ) -> None:
        self.models, self.grad_cam = models, grad_cam
        self.scenes = Gallery.scenes(_SCENES, seed=0)
        self.photographs = {name: Photographs(model, self._load) for name, model in models.items()}
        remember = lru_cache(maxsize=_MOST_MAPS)
        self.map_of, self.guided = remember(self._map_of), remember(self._guided)
        first, model = next(iter(models.items()))
        chosen = self.photographs[first].category(picture) if category is None else model.index(category)
        scenes = [f"scene {number + 1}" for number in range(_SCENES)]
        self.controls = {
            "picture": picture_dropdown(picture, extra=scenes, label="picture"),
            "network": dropdown("network", list(models)),
            "category": dropdown("class", model.categories, value=model.categories[chosen]),
            "layer": dropdown("layer", list(layers_with_maps(model)), value=chosen_layer(model, layer)),
            "method": dropdown("method", METHODS),
            "opacity": slider("opacity, %", 0, 100, value=60),
            "signed": checkbox("signed: also evidence against"),
        }
        panel = [("picture", "network"), ("category", "layer"), ("method", "opacity"), ("signed",)]
        self.controls["network"].observe(self._follow_network, names="value")
        view = ImageView(alt="A picture, the map of a class cell by cell, and the same over the picture.")
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel)

    def _load(self, picture: str) -> ImageSource:
        kind, _, place = picture.partition(" ")
        return self.scenes[int(place) - 1][0] if kind == "scene" else picture

    def _follow_network(self, change: dict) -> None:
        """Keep the class and the layer if the other network has them too."""
        model, photographs = self.models[change["new"]], self.photographs[change["new"]]
        likely = model.categories[photographs.category(self.controls["picture"].value)]
        with self.explorer.hold():
            replace_options(self.controls["category"], model.categories, likely)
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
        target, notice = self.models[network].categories.index(category), ""
        at: str | None = layer
        if method == CAM:
            try:
                self.map_of(network, picture, target, None)
                at = None
            except TypeError:
                shown_as = "does not end in global average pooling and one linear layer: Grad-CAM is shown."
                notice = f"{escape(network)} {shown_as}"
        values = self.map_of(network, picture, target, at)
        if not (values > 0).any():
            notice += f" There is no evidence for {escape(category)} in this map: without signed it is 0 everywhere."
        canvas = Canvas(_TOP + _SIDE + 34)
        signed = signed and method != GUIDED
        self._panels(canvas, network, picture, target, values, method=method, signed=signed, opacity=opacity / 100)
        place = "the last feature maps" if at is None else layer
        return Drawing(canvas.array, self._sentence(network, picture, target, values, place), notice.strip())

    def _panels(
        self,
        canvas: Canvas,
        network: str,
        picture: str,
        target: int,
        values: np.ndarray,
        *,
        method: str,
        signed: bool,
        opacity: float,
    ) -> None:
        shown = values if signed else values.clip(0)
        size = "×".join(map(str, values.shape))
        limit = map_cells(canvas, shown, (_LEFTS[1], _TOP), side=_SIDE, title=f"the map, {size}", signed=signed)
        if method == GUIDED:
            guided = self.guided(network, picture, target)
            product = guided * resized(shown, guided.shape[1:])
            canvas.panel(_around_grey(guided), (_LEFTS[0], _TOP), _SIDE, "guided backprop")
            canvas.panel(_around_grey(product), (_LEFTS[2], _TOP), _SIDE, "their product: Guided Grad-CAM")
        else:
            photo = to_uint8(self.photographs[network].image(picture)[0])
            over = overlay(photo, shown, limit=limit, signed=signed, opacity=opacity)
            canvas.panel(photo, (_LEFTS[0], _TOP), _SIDE, picture)
            canvas.panel(over, (_LEFTS[2], _TOP), _SIDE, f"{method}, over the picture")

    def _sentence(self, network: str, picture: str, target: int, values: np.ndarray, place: str) -> str:
        logits, names = self.photographs[network].logits(picture), self.models[network].categories
        rank, probability = rank_and_probability(logits, target)
        names = [escape(name) for name in names]
        best = ", ".join(f"{names[i]} {logits.softmax(0)[i]:.0%}" for i in logits.topk(3).indices.tolist())
        text = (
            f"<b>{names[target]}</b>: logit {number(float(logits[target]))}, probability {probability:.1%}, rank "
            f"{rank} of {len(names)}. In {escape(place)}, the evidence for it sums up to "
            f"{number(float(values.clip(0).sum()), 3)}, the evidence against it to "
            f"{number(float((-values).clip(0).sum()), 3)}. {escape(network)} predicts: {best}."
        )
        return paragraph(text)


def _around_grey(attribution: np.ndarray) -> np.ndarray:
    return around_grey(attribution, robust_limit(np.abs(attribution).max(axis=0)))


def _checked(maps: Tensor) -> np.ndarray:
    if maps.ndim != 3 or len(maps) != 1:
        raise ValueError(f"grad_cam must return (1, h, w) for one picture, got {tuple(maps.shape)}")
    return maps[0].detach().cpu().numpy()
