"""Explorers of notebook 01: what do the first filters look for, and how do they respond to a photograph?"""

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import Canvas, number
from cs231n_viz.explore.toolkit.controls import PictureChoice, checkbox, dropdown, slider
from cs231n_viz.explore.toolkit.heatmap import cut_out
from cs231n_viz.explore.toolkit.models import Photographs, load_or_say, models_by_name, spot_on_photograph
from cs231n_viz.explore.toolkit.picture import ClickablePicture, Spot
from cs231n_viz.explore.toolkit.tile_grid import draw_cells, draw_tiles
from cs231n_viz.network.capture import network_of
from cs231n_viz.network.models import Classifier, offline_models
from cs231n_viz.pictures.images import ImageSource, to_uint8
from cs231n_viz.representation.filters import first_convolution, normalise_filters, smooth_share

_TILE = 190  # CSS pixels of the pictures beside the grid
_POINTING = "Click a place on the response, or on the photograph, to see the patch there."


def filters(
    models: Classifier | Sequence[str] | Mapping[str, Classifier] | None = None,
    *,
    image: ImageSource = "cat",
    normalise_filters: Callable[[Tensor], Tensor] = normalise_filters,
    dominant_orientation: Callable[[Tensor], float] | None = None,
) -> Explorer:
    """Browse the filters of first layers, trained and untrained; a click on one shows its feature map.

    Args:
        models: A classifier, names for ``load_model``, or name -> model; all that need no download if omitted.
        image: The photograph that the chosen filter is convolved with at first: what ``load_image`` takes.
        normalise_filters: Turns weights (K, 3, h, w) into colours in [0, 1].
        dominant_orientation: If given, computes the orientation of the chosen filter, (h, w) -> degrees.

    Returns:
        The explorer; ``controls`` are ``network``, ``trained``, ``filter``, ``photograph`` and ``file``. It opens with
        the filter that is most clearly an oriented edge. A click on the response shows the patch that it comes from.
        A network whose weights cannot be loaded is reported in place.
    """
    choice = PictureChoice(image)
    layers = _FirstLayers(offline_models() if models is None else models, choice)
    controls = {
        "network": dropdown("network", layers.names),
        "trained": checkbox("trained", True),
        "filter": slider("filter", 0, 63, value=layers.oriented()),
        "photograph": choice.dropdown,
        "file": choice.file,
    }

    def draw(network: str, trained: bool, filter: int, photograph: str) -> Drawing:
        layer = layers.get(network, trained)
        controls["filter"].max = len(layer.weights) - 1
        chosen = min(filter, len(layer.weights) - 1)
        tiles = np.stack([to_uint8(t) for t in _checked(normalise_filters(layer.weights), layer.weights)])
        canvas = Canvas(474)
        canvas.heading(8, f"{network}, {'trained' if trained else 'untrained'}: {len(tiles)} filters")
        choose = {"choose": lambda index: setattr(controls["filter"], "value", index), "chosen": chosen}
        grid = draw_tiles(canvas, tiles, (8, 32), side=400, **choose)
        canvas.panel(tiles[chosen], (450, 32), _TILE, f"filter {chosen}", smooth=False)
        spots = layer.look(canvas, photograph, chosen, photo=(662, 32), response=(450, 246), patch=(662, 246))
        return Drawing(canvas.array, _about(layer.weights[chosen], chosen, dominant_orientation), spots=(grid, *spots))

    return Explorer(
        draw,
        controls,
        panel=[("network", "trained"), ("filter", "photograph"), ("file",)],
        view=ClickablePicture(
            exact=True, alt="A grid of filters; the chosen one large, a photograph, its response, and a patch."
        ),
        hint="Choose another network, or the untrained one.",
        pointing=f"Click a filter to see it at work. {_POINTING}",
    )


class _FirstLayer:
    """The filters of a network's first layer, their responses to photographs, and the place that was pointed at."""

    def __init__(self, model: Classifier, choice: PictureChoice) -> None:
        convolution = first_convolution(model)
        name = next(name for name, module in network_of(model).named_modules() if module is convolution)
        self.layer, self.photographs = model.layer(name), Photographs(model, choice)
        self.weights = convolution.weight.detach().cpu().float().expand(-1, 3, -1, -1)
        self.pointed: tuple[tuple[str, int], tuple[int, int]] = ("", 0), (0, 0)

    def response(self, photograph: str, chosen: int) -> tuple[np.ndarray, tuple[int, int]]:
        """The response (h, w) of a filter, and the cell that was pointed at, or the strongest."""
        values = self.photographs.maps(photograph, self.layer.name)[chosen]
        row, col = np.unravel_index(int(values.argmax()), values.shape)
        return values, self.pointed[1] if self.pointed[0] == (photograph, chosen) else (int(row), int(col))

    def look(
        self,
        canvas: Canvas,
        photograph: str,
        chosen: int,
        *,
        relu: bool = False,
        sides: tuple[float, float] = (_TILE, _TILE),
        **corners: tuple[float, float],
    ) -> tuple[Spot, Spot]:
        """Draw a filter's response, the photograph and a patch of it, at ``corners`` of these names.

        Args:
            canvas: Drawn on.
            photograph: Its name.
            chosen: Which filter.
            relu: Leave only what is positive.
            sides: Of photograph and response, and of the patch.
            corners: (x, y) of ``photo``, ``response`` and ``patch``.

        Returns:
            Where response and photograph can be pointed at.
        """
        values, (row, col) = self.response(photograph, chosen)
        photo, field, (side, small) = self.photographs.shown(photograph), self.layer.field, sides
        canvas.panel(photo, corners["photo"], side, "photograph")
        canvas.box(field.box(row, col), corners["photo"], side / photo.shape[0])
        title = f"patch: {number(values[row, col])}"
        canvas.panel(cut_out(photo, field.box(row, col, clip=False)), corners["patch"], small, title, smooth=False)

        def choose(row: int, col: int) -> bool:
            self.pointed = (photograph, chosen), (row, col)
            return True

        title = f"{'after the ReLU' if relu else 'response'}, {values.shape[0]}×{values.shape[1]}"
        scale = {"title": title, "limit": float(np.abs(values).max()) or 1.0, "signed": True}
        cells = {"side": side, "choose": choose, "chosen": (row, col), **scale}
        return (
            draw_cells(canvas, values.clip(0) if relu else values, corners["response"], **cells),
            spot_on_photograph(corners["photo"], side, field, choose),
        )


class _FirstLayers:
    """First layers by the name of their network, each loaded when first asked for; now those that need no download."""

    def __init__(self, models: Classifier | Sequence[str] | Mapping[str, Classifier], choice: PictureChoice) -> None:
        self._given = models_by_name(models) if isinstance(models, Classifier | Mapping) else {}
        self.names = list(self._given or models)
        self._choice, self._layers = choice, {}
        for name in self.names:
            if name in self._given or name in offline_models():
                for trained in (True, False):
                    self.get(name, trained).response(choice.dropdown.value, 0)

    def get(self, name: str, trained: bool) -> _FirstLayer:
        """The first layer of a network, as it is or with random weights."""
        if (name, trained) not in self._layers:
            if name in self._given:
                model = self._given[name] if trained else _untrained(self._given[name])
            else:
                model = load_or_say(name, "DEFAULT" if trained else None)
            self._layers[name, trained] = _FirstLayer(model, self._choice)
        return self._layers[name, trained]

    def oriented(self) -> int:
        """The filter of the first network that is most clearly a grey edge or stripe; 0 if that is not loaded."""
        if (self.names[0], True) not in self._layers:
            return 0
        weights = self.get(self.names[0], True).weights
        grey = weights.mean(1)
        down, right = torch.gradient(grey, dim=(1, 2)) if min(grey.shape[1:]) > 1 else (grey, grey)
        xx, yy, xy = ((a * b).sum((1, 2)) for a, b in ((right, right), (down, down), (right, down)))
        coherence = ((xx - yy).square() + 4 * xy.square()).sqrt() / (xx + yy).clamp_min(
            1e-12
        )  # of the structure tensor
        return int((coherence * smooth_share(weights).nan_to_num() * grey.square().sum((1, 2)).sqrt()).argmax())


def _untrained(model: Classifier) -> Classifier:
    """The same network with random weights."""
    twin = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for module in twin.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    return twin


def _checked(tiles: Tensor, weights: Tensor) -> Tensor:
    if tuple(tiles.shape) != tuple(weights.shape):
        raise ValueError(f"normalise_filters must return {tuple(weights.shape)}, got {tuple(tiles.shape)}")
    if tiles.min() < -1e-4 or tiles.max() > 1 + 1e-4 or not torch.isfinite(tiles).all():
        raise ValueError(f"normalised filters must lie in [0, 1], got {tiles.min():.3g} to {tiles.max():.3g}")
    return tiles


def _about(weights: Tensor, chosen: int, orientation: Callable[[Tensor], float] | None) -> str:
    low, high = number(weights.min()), number(weights.max())
    text = f"Filter {chosen}: weights from {low} to {high}, mid-grey is zero. "
    text += "Blue responses are negative, red positive."
    if orientation is not None:
        text += f" It varies most at {float(orientation(weights.mean(0))):.0f}°."
    return paragraph(text)


def responses(model: Classifier, image: ImageSource = "cat") -> Explorer:
    """Choose a filter of the first layer and a photograph; see the feature map, large where the two match.

    Args:
        model: Any classifier whose first convolution sees the picture.
        image: Initial photograph: what ``load_image`` takes.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``filter``, ``relu`` and ``file``. A click on the response shows
        the patch that it comes from; the arrow keys go on to its neighbours. Each photograph is run through the
        network once.
    """
    choice = PictureChoice(image)
    layer = _FirstLayer(model, choice)
    tiles = [to_uint8(tile) for tile in normalise_filters(layer.weights)]
    controls = {
        "photograph": choice.dropdown,
        "filter": slider("filter", 0, len(tiles) - 1),
        "relu": checkbox("after the ReLU"),
        "file": choice.file,
    }

    def draw(photograph: str, filter: int, relu: bool) -> Drawing:
        canvas = Canvas(420)
        canvas.panel(tiles[filter], (376, 32), 108, f"filter {filter}", smooth=False)
        corners = {"photo": (8, 32), "response": (502, 32), "patch": (376, 176)}
        spots = layer.look(canvas, photograph, filter, relu=relu, sides=(350, 108), **corners)
        values, (row, col) = layer.response(photograph, filter)
        text = (
            f"{(values > 0).mean():.0%} of the positions respond above zero; the strongest response is "
            f"{number(values.max())}. In row {row}, column {col} it is {number(values[row, col])}: the filter times "
            "the framed patch, added up."
        )
        return Drawing(canvas.array, paragraph(text), spots=spots)

    panel = [("photograph", "filter"), ("relu", "file")]
    view = ClickablePicture(alt="A photograph, a filter, the map of the filter's responses, and a patch.")
    return Explorer(draw, controls, panel=panel, view=view, pointing=_POINTING)
