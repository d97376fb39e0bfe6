"""Explorer of notebook 01: the weights of the second layer, and why they say little."""

import numpy as np
from torch import nn

from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import GREY, Canvas, greys, number
from cs231n_viz.explore.toolkit.controls import dropdown, slider
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.explore.toolkit.tile_grid import TileGrid
from cs231n_viz.network.capture import network_of
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import to_uint8
from cs231n_viz.representation.filters import first_layer_filters

_ORDERS = ("by channel", "strongest first")


def second_layer(model: Classifier) -> Explorer:
    """Choose a unit of the second convolution; see its weights, one small grey kernel per input channel.

    A kernel is applied to the *feature map of another filter*, not to a photograph. So each kernel stands beside the
    filter of the first layer whose feature map it reads.

    Args:
        model: Any classifier with two convolutions.

    Returns:
        The explorer; ``controls`` are ``unit`` and ``order``.

    Raises:
        ValueError: If the network has no second convolution.
    """
    name, weights = _second_convolution(model)
    tiles = np.stack([to_uint8(tile) for tile in first_layer_filters(model)])
    controls = {"unit": slider("unit", 0, len(weights) - 1), "order": dropdown("order", _ORDERS)}
    kernel_grid, filter_grid = TileGrid(side=404), TileGrid(side=404)

    def draw(unit: int, order: str) -> Drawing:
        kernels = weights[unit]  # (C, h, w)
        strength = np.sqrt((kernels**2).sum(axis=(1, 2)))
        sequence = np.argsort(-strength, kind="stable") if order == _ORDERS[1] else np.arange(len(kernels))
        limit = float(np.abs(kernels).max()) or 1.0
        canvas = Canvas(446)
        channels, height, width = kernels.shape
        canvas.heading(8, f"unit {unit} of {name}: {channels} kernels of {height}×{width}")
        kernel_grid.draw(canvas, greys(0.5 + kernels[sequence] / (2 * limit)), (8, 32))
        if len(tiles) == channels:  # else there is another layer between the two
            canvas.heading(450, "the filters whose maps they read")
            filter_grid.draw(canvas, tiles[sequence], (450, 32))
        ends = f"Black is {number(-limit, 3)}, mid-grey 0, white {number(limit, 3)}. "
        half = _kernels_with_half(strength**2)
        text = ends + f"Half of the unit's sum of squared weights is in {half} of its {channels} kernels."
        return Drawing(canvas.array, f'<div style="line-height: 1.5; color: rgb{GREY}">{text}</div>')

    alt = "The kernels of one unit in grey, and the first-layer filters whose feature maps they read."
    return Explorer(draw, controls, panel=[("unit", "order")], view=ImageView(exact=True, alt=alt))


def _second_convolution(model: Classifier) -> tuple[str, np.ndarray]:
    kinds = {name: module for name, module in network_of(model).named_modules() if isinstance(module, nn.Conv2d)}
    in_order = [layer.name for layer in model.layers() if layer.name in kinds]
    if len(in_order) < 2:
        raise ValueError(f"{model.name} has {len(in_order)} convolution; this explorer needs a second one")
    return in_order[1], kinds[in_order[1]].weight.detach().cpu().numpy()


def _kernels_with_half(squares: np.ndarray) -> int:
    """How many of the strongest kernels hold half of the sum?"""
    descending = np.sort(squares)[::-1]
    return int(np.searchsorted(np.cumsum(descending), descending.sum() / 2)) + 1
