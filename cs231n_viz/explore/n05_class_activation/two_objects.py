"""Explorer of notebook 05: two objects in one picture, and a map for each of their classes."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.attribution import scoring
from cs231n_viz.attribution.grad_cam import grad_cam as exact_grad_cam
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import Canvas
from cs231n_viz.explore.toolkit.controls import PictureChoice, checkbox, dropdown, replace_options, slider
from cs231n_viz.explore.toolkit.heatmap import BAR, Heatmap, map_panel, outlined, overlay
from cs231n_viz.explore.toolkit.models import chosen_layer, layers_with_maps, models_by_name, rank_and_probability
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.explore.toolkit.subject import hide
from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import sample_images, to_uint8
from cs231n_viz.pictures.scenes import OBJECTS, object_pair

PAIR = "two objects"
_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_LEFTS = (8, 294, 580)
_MOST_MAPS = 64  # pictures, and pairs of maps, that are remembered


class Scene(NamedTuple):
    """A picture as a network takes it, and the two classes that maps are made for."""

    images: Tensor  # (1, C, S, S)
    logits: Tensor  # (K,)
    classes: list[int]
    masks: Tensor | None  # (2, S, S) of the two objects; None for a picture without


def two_objects(
    models: Classifier | Mapping[str, Classifier],
    left: str = "motorcycle",
    right: str = "astronaut",
    *,
    grad_cam: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Put two objects into one picture and see whether the map of each class lies on its own object.

    Photographs and pictures of one's own are shown with the maps of their two most probable classes, and so are the
    objects if a network does not know their classes.

    Args:
        models: A classifier, or name -> classifier.
        left: Initial object at the left, of ``scenes.OBJECTS``.
        right: The one at the right. All shipped networks are sure of both in the pair that is shown at first.
        grad_cam: If given, makes the maps: ``grad_cam(model, images, targets, layer, signed=)`` -> (N, h, w).

    Returns:
        The explorer; ``controls`` are ``picture``, ``file``, ``network``, ``layer``, ``left``, ``right``, ``share`` and
        ``opacity`` in per cent, ``signed`` and ``outlines``.

    Raises:
        KeyError: If an object is unknown.
        ValueError: If there is no model.
    """
    return _TwoObjects(models_by_name(models), (left, right), grad_cam or exact_grad_cam).explorer


class _TwoObjects:
    def __init__(self, models: dict[str, Classifier], objects: tuple[str, str], grad_cam: Callable) -> None:
        self.models, self.grad_cam = models, grad_cam
        self.choice = PictureChoice(PAIR, [PAIR, *sample_images()], label="picture")
        remember = lru_cache(maxsize=_MOST_MAPS)
        self.scene, self.maps = remember(self._scene), remember(self._maps)
        model = next(iter(models.values()))
        object_pair(*objects)  # raises for unknown objects before anything is shown
        self.controls = {
            "picture": self.choice.dropdown,
            "file": self.choice.file,
            "left": dropdown("left", list(OBJECTS), value=objects[0]),
            "right": dropdown("right", list(OBJECTS), value=objects[1]),
            "network": dropdown("network", list(models)),
            "layer": dropdown("layer", list(layers_with_maps(model)), value=chosen_layer(model, None)),
            "share": slider("size, %", 20, 100, value=100),
            "opacity": slider("opacity, %", 0, 100, value=60),
            "signed": checkbox("signed: also evidence against"),
            "outlines": checkbox("outlines of the objects", True),
        }
        panel = [("left", "right"), ("network", "layer"), ("picture", "file"), ("share", "opacity")]
        self.controls["network"].observe(self._follow_network, names="value")
        view = ImageView(alt="Two objects in one picture, and over it the maps of both classes.")
        self.explorer = Explorer(self.draw, self.controls, view=view, panel=[*panel, ("signed", "outlines")])

    def _follow_network(self, change: dict) -> None:
        """Keep the layer if the other network has it too."""
        model = self.models[change["new"]]
        with self.explorer.hold():
            replace_options(self.controls["layer"], list(layers_with_maps(model)), chosen_layer(model, None))

    def _scene(self, network: str, picture: str, objects: tuple[str, str], share: int) -> Scene:
        model, masks = self.models[network], None
        if picture == PAIR:
            size = model.input_size
            source, masks = object_pair(*objects, size=size, share=share / 100, grey=1.0, close_up=True)
        images = model.prepare(self.choice(picture) if masks is None else source)
        with torch.no_grad(), evaluating(model):
            logits = model(images)[0].cpu()
        classes = [OBJECTS[name] for name in objects]
        if masks is not None and set(classes) <= set(model.categories):
            return Scene(images, logits, [model.index(name) for name in classes], masks)
        return Scene(images, logits, logits.topk(2).indices.tolist(), masks)

    def _maps(self, network: str, layer: str, *what: object) -> Tensor:
        """The maps (2, h, w) of both classes, signed."""
        scene = self.scene(network, *what)
        images = scene.images.expand(2, -1, -1, -1)
        targets = torch.tensor(scene.classes, device=images.device)
        return _checked(self.grad_cam(self.models[network], images, targets, layer, signed=True))

    def draw(
        self,
        network: str,
        layer: str,
        picture: str,
        left: str,
        right: str,
        share: int,
        opacity: int,
        signed: bool,
        outlines: bool,
    ) -> Drawing:
        pasted = picture == PAIR
        hide(self.controls, left=not pasted, right=not pasted, share=not pasted, outlines=not pasted)
        what = (picture, (left, right), share)
        scene, maps = self.scene(network, *what), self.maps(network, layer, *what)
        photo, canvas = to_uint8(scene.images[0].expand(3, -1, -1)), Canvas(_TOP + _SIDE + BAR)
        names = [self.models[network].categories[index] for index in scene.classes]
        canvas.panel(photo, (_LEFTS[0], _TOP), _SIDE, f"{left} and {right}" if pasted else picture, bold=True)
        for values, name, start in zip(maps.numpy(), names, _LEFTS[1:], strict=True):
            shown = values if signed else values.clip(0)
            limit = float(np.abs(shown).max())
            pixels = overlay(photo, shown, limit=limit, signed=signed, opacity=opacity / 100)
            for mask in scene.masks.numpy() if pasted and outlines else ():
                pixels = outlined(pixels, mask)
            map_panel(canvas, Heatmap(pixels, limit or None, signed), (start, _TOP), _SIDE, f"evidence for {name}")
        empty = [name for name, values in zip(names, maps, strict=True) if not (values > 0).any()]
        lacking = f"There is no evidence for {escape(' or '.join(empty))} in {escape(layer)}: that map is 0 everywhere."
        return Drawing(canvas.array, paragraph(_sentence(names, scene, maps)), lacking if empty else "")


def _sentence(names: list[str], scene: Scene, maps: Tensor) -> str:
    rows = []
    for name, index, values in zip(names, scene.classes, maps, strict=True):
        rank, probability = rank_and_probability(scene.logits, index)
        rows.append(f"<b>{escape(name)}</b> has rank {rank} and probability {probability:.1%}")
        if scene.masks is not None:
            left, right = (float(scoring.mass_in_mask(values[None], mask[None])) for mask in scene.masks)
            rows[-1] += f"; of its map {left:.0%} lie on the left object and {right:.0%} on the right one"
    if scene.masks is not None:
        left, right = (f"{float(mask.float().mean()):.0%}" for mask in scene.masks)
        rows.append(f"A constant map would have {left} and {right} there")
    return ".<br>".join(rows) + "."


def _checked(maps: Tensor) -> Tensor:
    if maps.ndim != 3 or len(maps) != 2:
        raise ValueError(f"grad_cam must return (2, h, w) for two targets, got {tuple(maps.shape)}")
    return maps.detach().cpu()
