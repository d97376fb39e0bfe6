"""Explorer of notebook 02: which pictures are nearest, in pixels and in the features of a layer?"""

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from cs231n_viz.explore.n02_fc_features.rich_gallery import rich_gallery
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, ORANGE, PAPER, SCALE, Canvas
from cs231n_viz.explore.toolkit.controls import dropdown, replace_options, slider, upload_button, uploaded_picture
from cs231n_viz.explore.toolkit.models import load_or_say, models_by_name
from cs231n_viz.explore.toolkit.picture import ClickablePicture, Spot
from cs231n_viz.network.capture import activations
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.models import Classifier, offline_models
from cs231n_viz.network.shipped import WeightsError
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.plotting.neighbours import thumbnail, thumbnails
from cs231n_viz.representation.features import pixels
from cs231n_viz.representation.neighbours import distances

PIXELS = ("", "pixels")  # stands for (network, layer)
_LARGEST = 25_000  # numbers per picture: 200 pictures then take 20 MB a layer
_KINDS = {"MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "Linear"}
_BATCH = 16
_K = 5
_THUMB, _QUERY = 126, 168  # CSS pixels
_LEFT, _PITCH = 200, 132
_ROW, _TOP = 176, 8
_GALLERY, _OWN = "a picture of the gallery", "my own picture"

Distances = Callable[[Tensor, Tensor], Tensor]


class FeatureBank:
    """The features of every picture of a gallery, by network and layer.

    Attributes:
        networks: Names to choose from.
    """

    def __init__(
        self,
        gallery: Gallery,
        models: Classifier | Sequence[str] | Mapping[str, Classifier],
        *,
        layers: Sequence[str] | None = None,
        features: Mapping[str, Mapping[str, Tensor]] | None = None,
    ) -> None:
        """Compute now what needs no download, so that no later change waits for a network.

        Raises:
            ValueError: If given features are not one row per picture, or a network has none of ``layers``.
        """
        self._models = models_by_name(models) if isinstance(models, Classifier | Mapping) else {}
        self.gallery, self.networks = gallery, list(self._models or models)
        self._wanted = layers
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
        layers = self._model(network).layers()
        if self._wanted is not None:
            names = [layer.name for layer in layers if layer.name in self._wanted]
        else:
            small = [layer for layer in layers if math.prod(layer.shape) <= _LARGEST]
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
            self._models[network] = load_or_say(network)
        return self._models[network]

    def _fill(self, network: str) -> None:
        """One pass over the gallery for all layers that are still missing."""
        missing = [layer for layer in self.layers(network) if (network, layer) not in self._rows]
        if not missing:
            return
        model, features = self._model(network), {layer: [] for layer in missing}
        with tqdm(total=len(self.gallery), desc=network, unit="picture", leave=False) as bar:
            for start in range(0, len(self.gallery), _BATCH):
                part = [self.gallery[i][0] for i in range(start, min(start + _BATCH, len(self.gallery)))]
                images = to_channels_last(model, model.prepare(part))
                for layer, values in activations(model, images, missing).items():
                    features[layer].append(values.flatten(1).float().cpu())
                bar.update(len(part))
        for layer, parts in features.items():
            self._rows[network, layer] = torch.cat(parts)


def neighbours(
    gallery: Gallery | None = None,
    models: Classifier | Sequence[str] | Mapping[str, Classifier] | None = None,
    *,
    layers: Sequence[str] | None = None,
    features: Mapping[str, Mapping[str, Tensor]] | None = None,
    pairwise_distances: Distances = distances,
    cosine_similarity: Distances | None = None,
    top_k: Callable[[Tensor, int], Tensor] | None = None,
) -> Explorer:
    """Choose a picture, or drop in one of your own, and see its five nearest: in pixels, and in a layer's features.

    Args:
        gallery: The pictures to search; if omitted, about 200 photographs where ``make pictures`` has fetched some,
            else scenes.
        models: A classifier, names for ``load_model``, or name -> model; all that need no download if omitted.
        layers: Names of layers to offer, for each network those that it has. If omitted, the pooled maps and the
            fully connected layers.
        features: Network -> layer -> (N, D), where they are known already. All else that needs no download is
            computed now, once, with a progress bar.
        pairwise_distances: (Q, D), (N, D) -> (Q, N).
        cosine_similarity: Likewise; the package's if omitted.
        top_k: (Q, N), k -> (Q, k) indices of the smallest.

    Returns:
        The explorer; ``controls`` are ``network``, ``layer``, ``metric``, ``source``, ``query`` and ``file``. A click
        on a neighbour looks for its own neighbours. A file that is no picture is reported in place.
    """
    gallery = rich_gallery() if gallery is None else gallery
    bank = FeatureBank(gallery, offline_models() if models is None else models, layers=layers, features=features)
    metrics = {
        "L2": pairwise_distances,
        "cosine": cosine_similarity or (lambda queries, rows: 1 - distances(queries, rows, metric="cosine")),
    }
    return _Neighbours(gallery, bank, metrics, top_k or _smallest).explorer


def _last_hidden(layers: list[str]) -> str:
    """The layer before the logits, which know only the classes that they were trained for."""
    return layers[-2:][0]


def _smallest(distances: Tensor, k: int) -> Tensor:
    return distances.sort(dim=1, stable=True).indices[:, :k]


class _Neighbours:
    def __init__(
        self, gallery: Gallery, bank: FeatureBank, metrics: dict[str, Distances], top_k: Callable[[Tensor, int], Tensor]
    ) -> None:
        self.gallery, self.bank, self.metrics, self.top_k = gallery, bank, metrics, top_k
        self.small = thumbnails(gallery, round(_THUMB * SCALE))
        self.own: tuple[Any, Tensor | None] | None = None  # the latest file, and its picture
        layers = bank.layers(bank.networks[0])
        self.controls = {
            "network": dropdown("network", bank.networks),
            "layer": dropdown("layer", layers, value=_last_hidden(layers)),
            "metric": dropdown("metric", list(metrics)),
            "source": dropdown("look for", [_GALLERY, _OWN]),
            "query": slider("picture", 0, len(gallery) - 1),
            "file": upload_button(),
        }
        self.controls["network"].observe(self._follow_network, names="value")
        self.controls["query"].observe(lambda _: self._look_for(_GALLERY), names="value")
        self.controls["file"].observe(lambda _: self._look_for(_OWN), names="value")
        panel = [("network", "layer"), ("metric", "source"), ("query", "file")]
        alt = "A picture, its five nearest in pixels, and its five nearest in the features of a layer."
        self.explorer = Explorer(
            self.draw,
            self.controls,
            panel=panel,
            view=ClickablePicture(alt=alt),
            hint="Choose another file or network.",
            pointing="Click a neighbour to look for its own neighbours.",
        )

    def _follow_network(self, change: dict) -> None:
        """Offer the layers of the chosen network; keep the layer if it has one of that name."""
        try:
            layers = self.bank.layers(change["new"])
        except (WeightsError, OSError, ValueError):
            return  # draw raises the same error, and it is shown in place
        with self.explorer.hold():
            replace_options(self.controls["layer"], layers, _last_hidden(layers))

    def _look_for(self, source: str) -> None:
        self.controls["source"].value = source

    def draw(self, network: str, layer: str, metric: str, source: str, query: int, file: Any) -> Drawing:
        picture = self._own_picture(file) if source == _OWN else None
        spaces = {"pixels": PIXELS, f"{layer} of {network}": (network, layer)}
        canvas = Canvas(_TOP + 2 * _ROW + 6)
        self._query(canvas, query, picture)
        label = None if picture is not None else self.gallery.labels[query]
        sentences, spots = [], []
        for row, (title, space) in enumerate(spaces.items()):
            indices = self._nearest(space, metric, None if picture is not None else query, picture)
            spots.append(self._row(canvas, f"nearest in {title}, {metric}", indices, _TOP + row * _ROW, label))
            sentences.append(self._sentence(title, indices, label))
        missing = "No file chosen yet: this is a picture of the gallery." if source == _OWN and picture is None else ""
        return Drawing(canvas.array, paragraph(" ".join(sentences)), missing, spots=spots)

    def _own_picture(self, file: Any) -> Tensor | None:
        if self.own is None or self.own[0] != file:
            self.own = (file, uploaded_picture(file))
        return self.own[1]

    def _nearest(self, space: Any, metric: str, query: int | None, picture: Tensor | None) -> list[int]:
        rows = self.bank.rows(space)
        wanted = rows[query : query + 1] if picture is None else self.bank.row_of(space, picture)
        values = self.metrics[metric](wanted, rows)
        if tuple(values.shape) != (1, len(rows)):
            raise ValueError(f"the metric must return (1, {len(rows)}), got {tuple(values.shape)}")
        values = values if metric == "L2" else -values  # a similarity is large where a distance is small
        k = min(_K, len(rows) - 1)
        indices = torch.as_tensor(self.top_k(values, k + 1)).flatten().tolist()
        return [index for index in indices if index != query][:k]

    def _query(self, canvas: Canvas, query: int, picture: Tensor | None) -> None:
        side = round(_QUERY * SCALE)
        pixels = self.gallery[query][0] if picture is None else picture
        canvas.text((8, _TOP), "query", size=14, bold=True)
        canvas.put(thumbnail(pixels, side), (8, _TOP + 22))
        name = "my own" if picture is not None else self.gallery.categories[self.gallery.labels[query]]
        canvas.text((8 + _QUERY / 2, _TOP + 26 + _QUERY), _short(name, 22), size=13, anchor="ma")
        if picture is None and self.gallery.backgrounds is not None:
            ground = f"on {self.gallery.backgrounds[query]}"
            canvas.text((8 + _QUERY / 2, _TOP + 44 + _QUERY), _short(ground, 24), size=12, colour=GREY, anchor="ma")

    def _row(self, canvas: Canvas, title: str, indices: list[int], top: int, label: int | None) -> Spot:
        canvas.text((_LEFT, top), title, size=14, bold=True)
        for place, index in enumerate(indices):
            x, y = _LEFT + place * _PITCH, top + 22
            canvas.put(self.small[index], (x, y))
            its = self.gallery.labels[index]
            canvas.text(
                (x + _THUMB / 2, y + _THUMB + 3), _short(self.gallery.categories[its], 17), size=12, anchor="ma"
            )
            if label is not None and its != label:
                canvas.frame((x, y), (_THUMB, _THUMB), colour=ORANGE, width=4)
                for colour, width in ((PAPER, 7), (ORANGE, 4)):  # a pale rim: visible on any picture
                    canvas.line([(x + 98, y + 10), (x + 116, y + 28)], colour=colour, width=width)
                    canvas.line([(x + 116, y + 10), (x + 98, y + 28)], colour=colour, width=width)
        size = _PITCH * len(indices), _THUMB
        return Spot((_LEFT, top + 22), size, (1, len(indices)), lambda _, place: self._query_is(indices[place]))

    def _query_is(self, index: int) -> None:
        self.controls["query"].value = index
        self._look_for(_GALLERY)

    def _sentence(self, title: str, indices: list[int], label: int | None) -> str:
        names = [self.gallery.categories[self.gallery.labels[index]] for index in indices]
        if label is None:
            return f"In {html.escape(title)}: {html.escape(', '.join(names))}."
        same = int(np.sum([self.gallery.labels[index] == label for index in indices]))
        return f"In {html.escape(title)}, <b>{same} of {len(indices)}</b> are of the query's class."


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
