"""Explorers of notebook 01: what do the first filters look for, and how do they respond to a photograph?"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import Canvas, coloured, number
from cs231n_viz.explore.toolkit.controls import checkbox, dropdown, picture_dropdown, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture, ImageView
from cs231n_viz.explore.toolkit.tile_grid import TileGrid
from cs231n_viz.network.capture import activations, network_of
from cs231n_viz.network.models import Classifier, load_model, offline_models
from cs231n_viz.pictures.images import ImageSource, load_image, to_uint8
from cs231n_viz.representation.filters import first_convolution, normalise_filters

_TILE = 190  # CSS pixels of the pictures beside the grid


def filters(
    models: Sequence[str] | Mapping[str, Classifier] | None = None,
    *,
    image: ImageSource = "cat",
    normalise_filters: Callable[[Tensor], Tensor] = normalise_filters,
    dominant_orientation: Callable[[Tensor], float] | None = None,
) -> Explorer:
    """Browse the filters of first layers, trained and untrained; a click on one shows its feature map.

    Args:
        models: Names for ``load_model``, or name -> model; all that need no download if omitted.
        image: The photograph that the chosen filter is convolved with.
        normalise_filters: Turns weights (K, 3, h, w) into colours in [0, 1].
        dominant_orientation: If given, computes the orientation of the chosen filter, (h, w) -> degrees.

    Returns:
        The explorer; ``controls`` are ``network``, ``trained`` and ``filter``. A network whose weights cannot be
        loaded is reported in place.
    """
    layers = _FirstLayers(offline_models() if models is None else models)
    layers.prepare(image)
    controls = {
        "network": dropdown("network", layers.names),
        "trained": checkbox("trained", True),
        "filter": slider("filter", 0, 63),
    }
    view = ClickablePicture(exact=True, alt="A grid of filters; the chosen one large, and its response.")
    grid = TileGrid(side=400)

    def draw(network: str, trained: bool, filter: int) -> Drawing:
        model = layers.get(network, trained)
        weights = first_convolution(model).weight.detach().cpu()
        controls["filter"].max = len(weights) - 1
        chosen = min(filter, len(weights) - 1)
        tiles = np.stack([to_uint8(tile) for tile in _checked(normalise_filters(weights), weights)])
        canvas = Canvas(446)
        state = "trained" if trained else "untrained"
        canvas.heading(8, f"{network}, {state}: {len(weights)} filters")
        grid.draw(canvas, tiles, (8, 32), chosen=chosen)
        view.step = grid.pitch
        _beside(canvas, tiles[chosen], chosen, layers.responses(network, trained, image))
        return Drawing(canvas.array, _about(weights[chosen], chosen, dominant_orientation), at=grid.middle_of(chosen))

    explorer = Explorer(
        draw,
        controls,
        panel=[("network", "trained"), ("filter",)],
        view=view,
        hint="Choose another network, or the untrained one.",
    )

    def pick(change: dict) -> None:
        tile = grid.index_at(change["new"])
        if tile is not None:
            controls["filter"].value = tile

    view.observe(pick, names="position")
    return explorer


class _FirstLayers:
    """Models by name, each loaded when first asked for, and the responses of their first layers to a photograph."""

    def __init__(self, models: Sequence[str] | Mapping[str, Classifier]) -> None:
        ready = dict(models) if isinstance(models, Mapping) else {}
        self.names = list(models)
        self._models = {(name, True): model for name, model in ready.items()}
        self._responses: dict[tuple[str, bool], tuple[np.ndarray, np.ndarray]] = {}

    def prepare(self, image: ImageSource) -> None:
        """Do now what needs no download, so that no later change waits for a network."""
        for name in set(self.names) & set(offline_models()):
            self.responses(name, True, image)
            self.responses(name, False, image)

    def get(self, name: str, trained: bool) -> Classifier:
        key = (name, trained)
        if key not in self._models:
            given = self._models.get((name, True))
            title = given.name if given is not None else name
            self._models[key] = load_model(title, weights="DEFAULT" if trained else None)
        return self._models[key]

    def responses(self, name: str, trained: bool, image: ImageSource) -> tuple[np.ndarray, np.ndarray]:
        """The photograph (H, W, 3), uint8, and the feature maps (K, h, w)."""
        if (name, trained) not in self._responses:
            self._responses[name, trained] = _respond(self.get(name, trained), image)
        return self._responses[name, trained]


def _checked(tiles: Tensor, weights: Tensor) -> Tensor:
    if tuple(tiles.shape) != tuple(weights.shape):
        raise ValueError(f"normalise_filters must return {tuple(weights.shape)}, got {tuple(tiles.shape)}")
    if tiles.min() < -1e-4 or tiles.max() > 1 + 1e-4 or not torch.isfinite(tiles).all():
        raise ValueError(f"normalised filters must lie in [0, 1], got {tiles.min():.3g} to {tiles.max():.3g}")
    return tiles


def _respond(model: Classifier, image: ImageSource) -> tuple[np.ndarray, np.ndarray]:
    convolution = first_convolution(model)
    layer = next(name for name, module in network_of(model).named_modules() if module is convolution)
    images = model.prepare(load_image(image))
    return to_uint8(images[0]), activations(model, images, [layer])[layer][0].cpu().numpy()


def _beside(canvas: Canvas, tile: np.ndarray, chosen: int, responses: tuple[np.ndarray, np.ndarray]) -> None:
    """Four pictures right of the grid: the filter, the photograph, its response, what a ReLU leaves of it."""
    photo, maps = responses
    values = maps[chosen]
    limit = float(np.abs(values).max())
    canvas.panel(tile, (450, 32), _TILE, f"filter {chosen}", smooth=False)
    canvas.panel(photo, (662, 32), _TILE, "photograph")
    canvas.panel(coloured(values, limit), (450, 246), _TILE, "response", smooth=False)
    canvas.panel(coloured(np.maximum(values, 0), limit), (662, 246), _TILE, "after the ReLU", smooth=False)


def _about(weights: Tensor, chosen: int, orientation: Callable[[Tensor], float] | None) -> str:
    low, high = number(weights.min()), number(weights.max())
    text = f"Filter {chosen}: weights from {low} to {high}, mid-grey is zero. "
    text += "Blue responses are negative, red positive."
    if orientation is not None:
        text += f" It varies most at {float(orientation(weights.mean(0))):.0f}°."
    return paragraph(text)


def responses(model: Classifier, image: str = "cat") -> Explorer:
    """Choose a filter of the first layer and a photograph; see the feature map, large where the two match.

    Args:
        model: Any classifier whose first convolution sees RGB.
        image: Initial photograph, one of ``sample_images()``.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``filter`` and ``relu``. Each photograph is run through the
        network once.
    """
    weights = first_convolution(model).weight.detach().cpu()
    tiles = [to_uint8(tile) for tile in normalise_filters(weights)]
    respond = cache(partial(_respond, model))
    controls = {
        "photograph": picture_dropdown(image),
        "filter": slider("filter", 0, len(weights) - 1),
        "relu": checkbox("after the ReLU"),
    }

    def draw(photograph: str, filter: int, relu: bool) -> Drawing:
        photo, maps = respond(photograph)
        values = np.maximum(maps[filter], 0) if relu else maps[filter]
        return _draw_response(photo, tiles[filter], values, number_of=filter, limit=float(np.abs(maps[filter]).max()))

    panel = [("photograph", "filter"), ("relu",)]
    alt = "A photograph, a filter, and the map of the filter's responses."
    return Explorer(draw, controls, panel=panel, view=ImageView(alt=alt))


def _draw_response(photo: np.ndarray, tile: np.ndarray, values: np.ndarray, *, number_of: int, limit: float) -> Drawing:
    canvas = Canvas(424)
    size = (350, 350)
    canvas.heading(8, "photograph")
    canvas.paste(photo, (8, 32), size, smooth=True)
    canvas.heading(376, f"filter {number_of}")
    canvas.paste(tile, (376, 32), (108, 108))
    rows, columns = values.shape
    canvas.heading(502, f"response, {rows}×{columns}")
    canvas.paste(coloured(values, limit), (502, 32), size)
    canvas.scale_bar((502, 392), 350, limit, signed=True)
    share = float((values > 0).mean())
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    text = (
        f"{share:.0%} of the positions respond above zero; the strongest response, {number(values.max())}, "
        f"is in row {row}, column {column} of the map."
    )
    return Drawing(canvas.array, paragraph(text))
