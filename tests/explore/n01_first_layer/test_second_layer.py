"""The explorer of the second layer's weights."""

import pytest
from torch import nn

from cs231n_viz import explore, wrap
from cs231n_viz.explore.toolkit.canvas import ORANGE, SCALE
from tests.explore.controls import median_seconds, move_every_control, press


def test_second_layer_follows_every_control(model):
    explorer = explore.second_layer(model)
    move_every_control(explorer)
    with pytest.raises(ValueError, match="needs a second one"):
        explore.second_layer(
            wrap(nn.Sequential(model.network[0], nn.AdaptiveAvgPool2d(1), nn.Flatten()), list("abcdef"))
        )


def test_kernel_and_filter_are_linked_wherever_one_of_them_is_clicked(model):
    explorer = explore.second_layer(model)  # 6 kernels of 3×3, in a grid of 3 columns
    kernels = model.network[3].weight.detach()[0].square().sum((1, 2))
    order = kernels.argsort(descending=True).tolist()
    assert explorer.controls["channel"].value == order[0]
    explorer.controls["order"].value = "strongest first"
    pitch = int(404 * SCALE) // 3
    for left in (8, 450):
        explorer.view.position = (int(32 * SCALE) + pitch + 5, int(left * SCALE) + pitch + 5)  # the fifth
        assert explorer.controls["channel"].value == order[4]
        assert f"reads the map of filter {order[4]}: {kernels[order[4]] / kernels.sum():.0%}" in explorer.text.value
        for x in (8, 450):  # both are framed
            assert (explorer.picture[int(32 * SCALE) + pitch - 2, int(x * SCALE) + pitch + 20] == ORANGE).all()
        press(explorer, "left")
        assert explorer.controls["channel"].value == order[3]


def test_second_layer_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.second_layer(model)
    assert median_seconds(explorer, "unit", range(10)) < 0.1
    assert len(explorer.seconds) >= len(range(10))
