"""Explorer of notebook 01: the weights of the second layer, and why they say little."""

import numpy as np
from torch import nn

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import Canvas, greys
from cs231n_viz.explore.toolkit.controls import dropdown, slider
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.explore.toolkit.tile_grid import draw_tiles
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
        The explorer; ``controls`` are ``unit``, ``order`` and ``channel``. A click on a kernel or on a filter chooses
        the channel that links them.

    Raises:
        ValueError: If the network has no second convolution.
    """
    name, weights = _second_convolution(model)
    tiles = np.stack([to_uint8(tile) for tile in first_layer_filters(model)])
    controls = {
        "unit": slider("unit", 0, len(weights) - 1),
        "order": dropdown("order", _ORDERS),
        "channel": slider("channel", 0, weights.shape[1] - 1, value=_strongest_first(weights[0])[0]),
    }

    def draw(unit: int, order: str, channel: int) -> Drawing:
        kernels = weights[unit]  # (C, h, w)
        strongest = _strongest_first(kernels)
        sequence = strongest if order == _ORDERS[1] else list(range(len(kernels)))
        limit = float(np.abs(kernels).max()) or 1.0
        channels, height, width = kernels.shape
        choose = {"choose": lambda place: setattr(controls["channel"], "value", sequence[place]), "side": 404}
        choose["chosen"] = sequence.index(channel)
        canvas = Canvas(474)
        canvas.heading(8, f"unit {unit} of {name}: {channels} kernels of {height}×{width}")
        spots = [draw_tiles(canvas, greys(0.5 + kernels[sequence] / (2 * limit)), (8, 32), **choose)]
        canvas.scale_bar((8, 442), 190, limit, signed=None, low=-limit)
        if len(tiles) == channels:  # else there is another layer between the two
            canvas.heading(450, "the filters whose maps they read")
            spots.append(draw_tiles(canvas, tiles[sequence], (450, 32), **choose))
        share = (kernels[channel] ** 2).sum() / max((kernels**2).sum(), 1e-12)
        text = (
            f"Half of the unit's sum of squared weights is in {_kernels_with_half(kernels)} of its {channels} kernels. "
            f"The framed kernel reads the map of filter {channel}: {share:.0%} of that sum, number "
            f"{strongest.index(channel) + 1} in strength."
        )
        return Drawing(canvas.array, paragraph(text), spots=spots)

    alt = "The kernels of one unit in grey, and the first-layer filters whose feature maps they read."
    return Explorer(
        draw,
        controls,
        panel=[("unit", "order"), ("channel",)],
        view=ClickablePicture(exact=True, alt=alt),
        pointing="Click a kernel or a filter: a kernel and the filter whose map it reads are linked.",
    )


def _second_convolution(model: Classifier) -> tuple[str, np.ndarray]:
    kinds = {name: module for name, module in network_of(model).named_modules() if isinstance(module, nn.Conv2d)}
    in_order = [layer.name for layer in model.layers() if layer.name in kinds]
    if len(in_order) < 2:
        raise ValueError(f"{model.name} has {len(in_order)} convolution; this explorer needs a second one")
    return in_order[1], kinds[in_order[1]].weight.detach().cpu().numpy()


def _strongest_first(kernels: np.ndarray) -> list[int]:
    """The channels of kernels (C, h, w) by their sum of squares."""
    return np.argsort(-(kernels**2).sum(axis=(1, 2)), kind="stable").tolist()


def _kernels_with_half(kernels: np.ndarray) -> int:
    """How many of the strongest kernels hold half of the sum of squares?"""
    descending = np.sort((kernels**2).sum(axis=(1, 2)))[::-1]
    return int(np.searchsorted(np.cumsum(descending), descending.sum() / 2)) + 1
