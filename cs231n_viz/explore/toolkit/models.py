"""What explorers ask of the networks they are given: names, layers, and photographs prepared once."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.picture import Spot
from cs231n_viz.network.capture import activations, evaluating
from cs231n_viz.network.layers import Layer
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.models import Classifier, load_model, offline_models
from cs231n_viz.network.receptive_field import ReceptiveField
from cs231n_viz.network.shipped import WeightsError
from cs231n_viz.pictures.images import ImageSource, to_uint8
from cs231n_viz.representation.gram import style_layers
from cs231n_viz.style.colours import luminance

_MOST_MAPS = 16  # pairs of photograph and layer whose maps are remembered; at most 6 MB each in the shipped networks


def models_by_name(models: Classifier | Mapping[str, Classifier]) -> dict[str, Classifier]:
    """Name -> model; a single classifier has its own name.

    Raises:
        ValueError: If there is none.
    """
    named = dict(models) if isinstance(models, Mapping) else {models.name: models}
    if not named:
        raise ValueError("models is empty; wanted at least one model: a classifier, or name -> classifier")
    return named


def in_colour(model: Classifier) -> Classifier:
    """The same network for colour pictures, of which one of grey pictures sees the luminance; others as they are."""
    return model if len(model.mean) == 3 else _SeesLuminance(model)


class _SeesLuminance(Classifier):
    def __init__(self, model: Classifier) -> None:
        mean, std = model.mean.flatten().tolist() * 3, model.std.flatten().tolist() * 3
        options = {"mean": mean, "std": std, "input_size": model.input_size, "name": model.name}
        super().__init__(model.network, model.categories, **options)
        self.to(model.mean)

    def normalised(self, images: Tensor) -> Tensor:
        return luminance(super().normalised(images))


def load_or_say(name: str, weights: str | None = "DEFAULT") -> Classifier:
    """Load a network; where it needs a download that fails, say so, and which networks need none.

    Raises:
        WeightsError: If its weights cannot be had.
    """
    try:
        return load_model(name, weights=weights)
    except WeightsError as error:
        if name in offline_models():
            raise
        reason = getattr(error.__cause__, "reason", error.__cause__ or error)  # of an URLError: the error of the socket
        reason, here = getattr(reason, "strerror", None) or reason, ", ".join(offline_models())
        raise WeightsError(f"{name} needs one download, which failed ({reason}). These need none: {here}.") from error


def layers_with_maps(model: Classifier) -> dict[str, Layer]:
    """The layers whose feature maps have more than one cell, by name, in order of execution."""
    return {layer.name: layer for layer in model.layers() if len(layer.shape) == 3 and min(layer.shape[1:]) > 1}


def layers_to_match(model: Classifier, *, pools: bool = False) -> tuple[str, ...]:
    """``style_layers(model)``; of a network without ``nn.ReLU`` all layers with maps."""
    try:
        return style_layers(model, pools=pools)
    except ValueError:
        if not (layers := tuple(layers_with_maps(model))):
            raise
        return layers


def chosen_layer(model: Classifier, layer: str | None) -> str:
    """The layer that was asked for; the last one with maps if none was.

    Raises:
        KeyError: If it has no maps.
    """
    layers = layers_with_maps(model)
    if layer is not None and layer not in layers:
        raise KeyError(f"{model.name} has no maps in layer {layer!r}; those with maps: {', '.join(layers)}")
    return list(layers)[-1] if layer is None else layer


def unit_seeing(place: tuple[float, float], field: ReceptiveField) -> tuple[int, int]:
    """The unit (row, col) whose receptive field has its centre nearest to a place in the picture.

    Args:
        place: (down, right), as shares of the sides of the picture.
        field: Of the layer.
    """
    unit = []
    for share, axis, side, count in zip(place, (field.rows, field.columns), field.image_size, field.shape, strict=True):
        index = round((share * side - axis.offset - axis.size / 2) / axis.stride) if axis.stride else 0
        unit.append(min(max(index, 0), count - 1))
    return unit[0], unit[1]


def spot_on_photograph(
    at: tuple[float, float], side: float, field: ReceptiveField, choose: Callable[[int, int], object]
) -> Spot:
    """Let a place in a photograph, put at (x, y) as a square, choose the unit (row, col) that looks there."""

    def look_at(*pixel: int) -> object:
        down, right = ((place + 0.5) / count for place, count in zip(pixel, field.image_size, strict=True))
        return choose(*unit_seeing((down, right), field))

    return Spot(at, (side, side), field.image_size, look_at)


class Photographs:
    """Photographs as a network takes them, its logits and feature maps for them; each is computed once."""

    def __init__(self, model: Classifier, load: Callable[[str], ImageSource] = lambda name: name) -> None:
        """``load`` turns the name of a photograph into what ``Classifier.prepare`` takes."""
        self._model, self._load = model, load
        self.image, self.logits = cache(self._image), cache(self._logits)
        self.maps = lru_cache(maxsize=_MOST_MAPS)(self._maps)

    def forget(self) -> None:
        """Compute everything anew: a name stands for another photograph now."""
        for remembered in (self.image, self.logits, self.maps):
            remembered.cache_clear()

    def _image(self, name: str) -> Tensor:
        """(1, 3, S, S), RGB in [0, 1]."""
        return to_channels_last(self._model, self._model.prepare(self._load(name)))

    def shown(self, name: str) -> np.ndarray:
        """(S, S, 3), uint8: what the network sees, in three equal channels if that is grey."""
        return to_uint8(self.image(name)[0].expand(3, -1, -1))

    def _logits(self, name: str) -> Tensor:
        """(K,), on the cpu."""
        with torch.no_grad(), evaluating(self._model):
            return self._model(self.image(name))[0].cpu()

    def _maps(self, name: str, layer: str) -> np.ndarray:
        """The activations (C, h, w) of a layer."""
        return activations(self._model, self.image(name), [layer])[layer][0].float().cpu().numpy()

    def category(self, name: str) -> int:
        """The class with the largest logit."""
        return int(self.logits(name).argmax())


def rank_and_probability(logits: Tensor, category: int) -> tuple[int, float]:
    """The rank of a class among all, from 1, and its probability; ``logits`` is (K,)."""
    return 1 + int((logits > logits[category]).sum()), float(logits.softmax(0)[category])
