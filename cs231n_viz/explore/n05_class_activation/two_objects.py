"""Explorer of notebook 05: two objects in one picture, and a map for each of their classes."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.attribution import scoring
from cs231n_viz.attribution.grad_cam import grad_cam as exact_grad_cam
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import Canvas, number
from cs231n_viz.explore.toolkit.controls import checkbox, dropdown, replace_options, slider
from cs231n_viz.explore.toolkit.heatmap import outlined, overlay
from cs231n_viz.explore.toolkit.models import chosen_layer, layers_with_maps, models_by_name, rank_and_probability
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import to_uint8
from cs231n_viz.pictures.scenes import OBJECTS, Pair, object_pair

_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_LEFTS = (8, 294, 580)
_MOST_MAPS = 64  # pictures, and pairs of maps, that are remembered


def two_objects(
    models: Classifier | Mapping[str, Classifier],
    left: str = "cat",
    right: str = "motorcycle",
    *,
    grad_cam: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Put two objects into one picture and see whether the map of each class lies on its own object.

    Args:
        models: A classifier that knows the classes of ``scenes.OBJECTS``, or name -> classifier.
        left: Initial object at the left, of ``scenes.OBJECTS``.
        right: The one at the right.
        grad_cam: If given, makes the maps: ``grad_cam(model, images, targets, layer, signed=)`` -> (N, h, w).

    Returns:
        The explorer; ``controls`` are ``network``, ``layer``, ``left``, ``right``, ``share`` and ``opacity`` in per
        cent, ``signed`` and ``outlines``.

    Raises:
        KeyError: If an object is unknown, or a model does not know its class.
        ValueError: If there is no model.
    """
    return _TwoObjects(models_by_name(models), (left, right), grad_cam or exact_grad_cam).explorer


class _TwoObjects:
    def __init__(self, models: dict[str, Classifier], objects: tuple[str, str], grad_cam: Callable) -> None:
        self.models, self.grad_cam = models, grad_cam
        self.targets = {
            (name, photo): model.index(category)
            for name, model in models.items()
            for photo, category in OBJECTS.items()
        }
        remember = lru_cache(maxsize=_MOST_MAPS)
        self.scene, self.maps = remember(self._scene), remember(self._maps)
        model = next(iter(models.values()))
        object_pair(*objects)  # raises for unknown objects before anything is shown
        self.controls = {
            "left": dropdown("left", list(OBJECTS), value=objects[0]),
            "right": dropdown("right", list(OBJECTS), value=objects[1]),
            "network": dropdown("network", list(models)),
            "layer": dropdown("layer", list(layers_with_maps(model)), value=chosen_layer(model, None)),
            "share": slider("size, %", 20, 50, value=50),
            "opacity": slider("opacity, %", 0, 100, value=60),
            "signed": checkbox("signed: also evidence against"),
            "outlines": checkbox("outlines of the objects", True),
        }
        panel = [("left", "right"), ("network", "layer"), ("share", "opacity"), ("signed", "outlines")]
        self.controls["network"].observe(self._follow_network, names="value")
        view = ImageView(alt="Two objects in one picture, and over it the maps of both classes.")
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=panel)

    def _follow_network(self, change: dict) -> None:
        """Keep the layer if the other network has it too."""
        model = self.models[change["new"]]
        with self.explorer.hold():
            replace_options(self.controls["layer"], list(layers_with_maps(model)), chosen_layer(model, None))

    def _scene(self, network: str, objects: tuple[str, str], share: int) -> tuple[Pair, Tensor]:
        """The picture, and its logits (K,)."""
        model = self.models[network]
        picture = object_pair(*objects, size=model.input_size, share=share / 100)
        with torch.no_grad(), evaluating(model):
            return picture, model(picture.image[None].to(model.mean))[0].cpu()

    def _maps(self, network: str, layer: str, objects: tuple[str, str], share: int) -> Tensor:
        """The maps (2, h, w) of both classes, signed."""
        model, picture = self.models[network], self.scene(network, objects, share)[0]
        images = picture.image[None].to(model.mean).expand(2, -1, -1, -1)
        targets = torch.tensor([self.targets[network, name] for name in objects], device=images.device)
        return _checked(self.grad_cam(model, images, targets, layer, signed=True))

    def draw(
        self, network: str, layer: str, left: str, right: str, share: int, opacity: int, signed: bool, outlines: bool
    ) -> Drawing:
        picture, logits = self.scene(network, (left, right), share)
        maps = self.maps(network, layer, (left, right), share)
        photo, masks = to_uint8(picture.image), picture.masks.numpy()
        canvas = Canvas(_TOP + _SIDE + 6)
        canvas.panel(photo, (_LEFTS[0], _TOP), _SIDE, f"{left} and {right}")
        for values, name, start in zip(maps.numpy(), (left, right), _LEFTS[1:], strict=True):
            shown = values if signed else values.clip(0)
            limit = float(np.abs(shown).max())
            pixels = overlay(photo, shown, limit=limit, signed=signed, opacity=opacity / 100)
            for mask in masks if outlines else ():
                pixels = outlined(pixels, mask)
            title = f"{OBJECTS[name]}: up to {number(limit, 3)}" if limit else f"{OBJECTS[name]}: no evidence for it"
            canvas.panel(pixels, (start, _TOP), _SIDE, title)
        sentence = self._sentence(network, (left, right), picture.masks, logits, maps)
        empty = [OBJECTS[n] for n, values in zip((left, right), maps, strict=True) if not (values > 0).any()]
        lacking = f"There is no evidence for {' or '.join(empty)} in {escape(layer)}: that map is 0 everywhere."
        notice = lacking if empty else ""
        return Drawing(canvas.array, sentence, notice)

    def _sentence(self, network: str, objects: tuple[str, str], masks: Tensor, logits: Tensor, maps: Tensor) -> str:
        rows = []
        for name, values in zip(objects, maps, strict=True):
            shares = [float(scoring.mass_in_mask(values[None], mask[None])) for mask in masks]
            rank, probability = rank_and_probability(logits, self.targets[network, name])
            rows.append(
                f"<b>{OBJECTS[name]}</b> has rank {rank} and probability {probability:.1%}; of its map "
                f"{shares[0]:.0%} lie on the left object and {shares[1]:.0%} on the right one."
            )
        areas = [f"{float(mask.float().mean()):.0%}" for mask in masks]
        rows.append(f"A constant map would have {areas[0]} and {areas[1]} there.")
        return paragraph("<br>".join(rows))


def _checked(maps: Tensor) -> Tensor:
    if maps.ndim != 3 or len(maps) != 2:
        raise ValueError(f"grad_cam must return (2, h, w) for two targets, got {tuple(maps.shape)}")
    return maps.detach().cpu()
