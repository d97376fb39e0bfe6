"""The features of a gallery in every layer that an explorer offers, each computed once."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from tqdm.auto import tqdm

from cs231n_viz.capture import activations
from cs231n_viz.features import pixels
from cs231n_viz.gallery import Gallery
from cs231n_viz.models import Classifier, load_model, offline_models

PIXELS = ("", "pixels")  # stands for (network, layer)
_LARGEST = 25_000  # numbers per picture: 200 pictures then take 20 MB a layer
_KINDS = {"MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "Linear"}
_BATCH = 16


class Banks:
    """Rows of numbers for every picture of a gallery, by network and layer.

    Attributes:
        networks: Names to choose from.
    """

    def __init__(
        self,
        gallery: Gallery,
        models: Sequence[str] | Mapping[str, Classifier],
        *,
        layers: Sequence[str] | None = None,
        features: Mapping[str, Mapping[str, Tensor]] | None = None,
    ) -> None:
        """Compute now what needs no download, so that no later change waits for a network.

        Raises:
            ValueError: If given features are not one row per picture, or a network has none of ``layers``.
        """
        self.gallery, self.networks = gallery, list(models)
        self._wanted = layers
        self._models = dict(models) if isinstance(models, Mapping) else {}
        self._rows: dict[tuple[str, str], Tensor] = {PIXELS: pixels(gallery)}
        for network, known in (features or {}).items():
            for layer, rows in known.items():
                if len(rows) != len(gallery):
                    raise ValueError(f"wanted {len(gallery)} rows for {layer} of {network}, got {len(rows)}")
                self._rows[network, layer] = rows.flatten(1)
        for network in self.networks:
            if network in self._models or network in offline_models():
                self._fill(network)

    def layers(self, network: str) -> list[str]:
        """The layers of a network to choose from, in order of execution."""
        found = self._model(network).layers()
        if self._wanted is not None:
            names = [layer.name for layer in found if layer.name in self._wanted]
        else:
            small = [layer for layer in found if math.prod(layer.shape) <= _LARGEST]
            names = [layer.name for layer in small if layer.kind in _KINDS] or [layer.name for layer in small]
        if not names:
            raise ValueError(f"{network} has none of the layers {', '.join(self._wanted or ['of a usable size'])}")
        return names

    def rows(self, space: tuple[str, str]) -> Tensor:
        """(N, D) of the whole gallery; ``space`` is (network, layer), or ``PIXELS``."""
        if space not in self._rows:
            self._fill(space[0])
        return self._rows[space]

    def row_of(self, space: tuple[str, str], image: Tensor) -> Tensor:
        """(1, D) of one more picture, (3, H, W) in [0, 1]."""
        if space == PIXELS:
            return pixels([(image, 0)])
        model = self._model(space[0])
        return activations(model, model.prepare([image]), [space[1]])[space[1]].flatten(1).float().cpu()

    def _model(self, network: str) -> Classifier:
        if network not in self._models:
            self._models[network] = load_model(network)
        return self._models[network]

    def _fill(self, network: str) -> None:
        """One pass over the gallery for all layers that are still missing."""
        missing = [layer for layer in self.layers(network) if (network, layer) not in self._rows]
        if not missing:
            return
        model, found = self._model(network), {layer: [] for layer in missing}
        with tqdm(total=len(self.gallery), desc=network, unit="picture", leave=False) as shown:
            for start in range(0, len(self.gallery), _BATCH):
                part = [self.gallery[i][0] for i in range(start, min(start + _BATCH, len(self.gallery)))]
                images = model.prepare(part).contiguous(memory_format=torch.channels_last)
                for layer, values in activations(model, images, missing).items():
                    found[layer].append(values.flatten(1).float().cpu())
                shown.update(len(part))
        for layer, parts in found.items():
            self._rows[network, layer] = torch.cat(parts)
