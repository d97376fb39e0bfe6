"""Explorer of notebook 05: where in a picture is the evidence for a class, and where against it?"""

from collections.abc import Callable, Mapping
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from cs231n_viz.attribution.grad_cam import cam
from cs231n_viz.attribution.grad_cam import grad_cam as exact_grad_cam
from cs231n_viz.attribution.saliency import guided_backprop
from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import GREY, Canvas, number, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP, checkbox, dropdown, slider
from cs231n_viz.explore.toolkit.heatmap import (
    by_name,
    cells,
    laid_over,
    layers_with_maps,
    rank_and_probability,
    stretched,
)
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import sample_images

GRAD, CAM, GUIDED = METHODS = ("Grad-CAM", "CAM", "Guided Grad-CAM")
_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_LEFTS = (8, 294, 580)
_SCENES = 8
_KEPT = 64  # maps and attributions that are remembered


def class_activation(
    models: Classifier | Mapping[str, Classifier],
    picture: str = "cat",
    category: str | None = None,
    *,
    layer: str | None = None,
    grad_cam: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Ask any class, at any layer, where in a picture the evidence for it is.

    Args:
        models: A classifier, or name -> classifier.
        picture: The one to begin with, of ``sample_images()``, or ``"scene 1"`` to ``"scene 8"``.
        category: The class to begin with; the most probable one if omitted.
        layer: The layer to begin with; the last one with maps of more than one cell if omitted.
        grad_cam: If given, makes the maps: ``grad_cam(model, images, targets, layer, signed=)`` -> (N, h, w).

    Returns:
        The explorer; ``controls`` are ``picture``, ``network``, ``category``, ``layer``, ``method``, ``signed`` and
        ``opacity`` in per cent.

    Raises:
        KeyError: If the model has no such category, or ``layer`` has no maps.
        ValueError: If there is no model.
    """
    return _Evidence(by_name(models), (picture, category, layer), grad_cam or exact_grad_cam).explorer


class _Evidence:
    def __init__(self, models: dict[str, Classifier], first: tuple, grad_cam: Callable[..., Tensor]) -> None:
        picture, category, layer = first
        self.models, self.grad_cam = models, grad_cam
        self.scenes = Gallery.scenes(_SCENES, seed=0)
        self.images: dict[tuple, Tensor] = {}
        remember = lru_cache(maxsize=_KEPT)
        self.logits, self.map_of, self.guided = remember(self._logits), remember(self._map_of), remember(self._guided)
        name, model = next(iter(models.items()))
        layers = layers_with_maps(model)
        chosen = layers[-1] if layer is None else layer
        if chosen not in layers:
            raise KeyError(f"{model.name} has no maps in layer {layer!r}; those with maps: {', '.join(layers)}")
        likely = int(self.logits(name, picture).argmax()) if category is None else model.index(category)
        pictures = [*sample_images(), *(f"scene {number + 1}" for number in range(_SCENES))]
        self.controls = {
            "picture": dropdown("picture", pictures, value=picture),
            "network": dropdown("network", list(models), value=name),
            "category": dropdown("class", model.categories, value=model.categories[likely]),
            "layer": dropdown("layer", layers, value=chosen),
            "method": dropdown("method", METHODS),
            "opacity": slider("opacity, %", 0, 100, value=60),
            "signed": checkbox("signed: also what speaks against"),
        }
        names = [("picture", "network"), ("category", "layer"), ("method", "opacity"), ("signed",)]
        panel = [widgets.HBox([self.controls[name] for name in row], layout=GAP) for row in names]
        self.controls["network"].observe(self._follow_network, names="value")
        view = ImageView(alt="A picture, the map of a class cell by cell, and the same stretched over the picture.")
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel)

    def image(self, network: str, picture: str) -> Tensor:
        """(1, 3, H, W), as the network wants it."""
        model = self.models[network]
        key = (picture, model.input_size)
        if key not in self.images:
            kind, _, place = picture.partition(" ")
            self.images[key] = model.prepare(self.scenes[int(place) - 1][0] if kind == "scene" else picture)
        return self.images[key]

    def _logits(self, network: str, picture: str) -> Tensor:
        model = self.models[network]
        with torch.no_grad(), evaluating(model):
            return model(self.image(network, picture))[0].cpu()

    def _follow_network(self, change: dict) -> None:
        """Keep the class and the layer if the other network has them too."""
        model, controls = self.models[change["new"]], self.controls
        likely = model.categories[int(self.logits(change["new"], controls["picture"].value).argmax())]
        layers = layers_with_maps(model)
        with self.explorer.hold():
            for name, options, fallback in (("category", model.categories, likely), ("layer", layers, layers[-1])):
                kept = controls[name].value
                controls[name].options = options
                controls[name].value = kept if kept in options else fallback

    def _map_of(self, network: str, picture: str, category: int, layer: str | None) -> np.ndarray:
        """(h, w), signed; the class activation map itself if ``layer`` is None."""
        model, image = self.models[network], self.image(network, picture)
        if layer is None:
            return cam(model, image, category)[0].cpu().numpy()
        targets = torch.tensor([category], device=image.device)
        return _checked(self.grad_cam(model, image, targets, layer, signed=True))

    def _guided(self, network: str, picture: str, category: int) -> np.ndarray:
        """Guided backprop, (3, H, W)."""
        model, image = self.models[network], self.image(network, picture)
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
                notice = f"{network} does not end in global average pooling and one linear layer: Grad-CAM is shown."
        values = self.map_of(network, picture, target, at)
        if not (values > 0).any():
            notice += f" Nothing in this map speaks for {category}: without signed it is 0 everywhere."
        canvas = Canvas(_TOP + _SIDE + 34)
        self._panels(canvas, (network, picture, target), values, (method, signed and method != GUIDED, opacity))
        place = "the last maps" if at is None else layer
        return Drawing(canvas.array, self._sentence((network, picture, target), values, place), notice.strip())

    def _panels(self, canvas: Canvas, about: tuple[str, str, int], values: np.ndarray, how: tuple) -> None:
        method, signed, opacity = how
        photo = to_pixels(self.image(*about[:2])[0].cpu())
        shown = values if signed else values.clip(0)
        size = "×".join(map(str, values.shape))
        titles = [about[1], f"the map, {size}", f"{method}, over the picture"]
        canvas.paste(photo, (_LEFTS[0], _TOP), (_SIDE, _SIDE), smooth=True)
        limit = cells(canvas, shown, (_LEFTS[1], _TOP), side=_SIDE, signed=signed)
        if method == GUIDED:
            titles[0], titles[2] = "guided backprop", "their product: Guided Grad-CAM"
            fine = self.guided(*about)
            canvas.paste(_around_grey(fine), (_LEFTS[0], _TOP), (_SIDE, _SIDE), smooth=True)
            last = _around_grey(fine * stretched(shown, fine.shape[1:]))
        else:
            last = laid_over(photo, shown, limit=limit, signed=signed, opacity=opacity / 100) if limit else photo
        canvas.paste(last, (_LEFTS[2], _TOP), (_SIDE, _SIDE), smooth=True)
        for left, title in zip(_LEFTS, titles, strict=True):
            canvas.text((left, _TOP - 6), title, size=13, colour=GREY, anchor="ls")

    def _sentence(self, about: tuple[str, str, int], values: np.ndarray, place: str) -> str:
        network, picture, target = about
        logits, names = self.logits(network, picture), self.models[network].categories
        rank, probability = rank_and_probability(logits, target)
        best = ", ".join(f"{names[i]} {logits.softmax(0)[i]:.0%}" for i in logits.topk(3).indices.tolist())
        text = (
            f"<b>{names[target]}</b>: logit {number(float(logits[target]))}, probability {probability:.1%}, number "
            f"{rank} of {len(names)}. In {place}, {number(float(values.clip(0).sum()), 3)} speaks for it and "
            f"{number(float((-values).clip(0).sum()), 3)} against it. {network} thinks: {best}."
        )
        return f'<div style="line-height: 1.5; max-width: 850px">{text}</div>'


def _around_grey(fine: np.ndarray) -> np.ndarray:
    """Attributions (3, H, W) as colours around grey; 1 value in 200 lies beyond the end of the scale."""
    limit = float(np.quantile(np.abs(fine).max(axis=0), 0.995)) or 1.0
    return to_pixels(0.5 + fine / (2 * limit))


def _checked(maps: Tensor) -> np.ndarray:
    if maps.ndim != 3 or len(maps) != 1:
        raise ValueError(f"grad_cam must return (1, h, w) for one picture, got {tuple(maps.shape)}")
    return maps[0].detach().cpu().numpy()
