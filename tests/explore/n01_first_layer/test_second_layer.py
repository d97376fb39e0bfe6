"""The explorer of the second layer's weights."""

import pytest
from torch import nn

from cs231n_viz import explore, wrap
from tests.explore.controls import median_seconds, move_every_control


def test_second_layer_follows_every_control(model):
    explorer = explore.second_layer(model)
    move_every_control(explorer)
    with pytest.raises(ValueError, match="needs a second one"):
        explore.second_layer(
            wrap(nn.Sequential(model.network[0], nn.AdaptiveAvgPool2d(1), nn.Flatten()), list("abcdef"))
        )


def test_second_layer_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.second_layer(model)
    assert median_seconds(explorer, "unit", range(10)) < 0.1
    assert len(explorer.seconds) >= len(range(10))
