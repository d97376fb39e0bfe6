"""The explorer of all methods: its maps are those of the package, and they appear one by one."""

import asyncio
import itertools

import numpy as np
import pytest
from torch import nn

from cs231n_viz import explore, grad_cam, lrp
from cs231n_viz.explore.n04_saliency import saliency as saliency_explorer
from cs231n_viz.explore.n06b_method_trials import all_methods as module
from cs231n_viz.explore.n06b_method_trials.all_methods import PLACES, map_of
from cs231n_viz.explore.toolkit.canvas import PALE, SCALE
from tests.explore.controls import until
from tests.networks import small_classifier


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(saliency_explorer, "SAMPLES", 2)
    monkeypatch.setattr(saliency_explorer, "SEGMENTS", 2)


def tile(explorer, method, side=20):
    """What is shown around the middle of a tile."""
    left, top = PLACES[method]
    x, y = (int((edge + 82) * SCALE) for edge in (left, top))
    return explorer.picture[y - side : y + side, x - side : x + side]


def made(steps):
    """What is made at the end of some steps."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def test_all_methods_follow_the_controls(model):
    other = small_classifier(["a", "x"], gap=nn.AdaptiveMaxPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(10, 2))
    explorer = explore.all_methods({"one": model, "two": other}, "coffee", "b")
    for name, value in {"category": "c", "photograph": "cat", "network": "two"}.items():
        before = tile(explorer, "saliency: |gradient|", 70)
        explorer.controls[name].value = value
        assert explorer.error is None
        assert (tile(explorer, "saliency: |gradient|", 70) != before).any(), name


def test_every_tile_is_a_map_of_its_own(model):
    explorer = explore.all_methods(model, "coffee")
    tiles = {method: tile(explorer, method, 70).astype(int) for method in PLACES}
    assert len(tiles) == 14
    assert all(np.ptp(values) > 20 for values in tiles.values())
    names = list(tiles)
    alike = {(a, b) for i, a in enumerate(names) for b in names[:i] if np.abs(tiles[a] - tiles[b]).max() < 3}
    assert alike <= {("CAM", "Grad-CAM"), ("LRP zero", "gradient × input")}  # proportional; equal without biases


def test_maps_are_those_of_the_package(model):
    images = model.prepare("coffee")
    drawn = made(map_of(model, images, 1, "Grad-CAM"))
    assert drawn.limit == pytest.approx(float(grad_cam(model, images, 1, "relu2").max()))
    drawn = made(map_of(model, images, 1, "LRP composite"))
    values = lrp(model, images, 1, "composite")[0].sum(0).numpy()
    y, x = np.unravel_index(np.abs(values).argmax(), values.shape)
    assert drawn.signed
    assert (int(drawn.pixels[y, x, 0]) - int(drawn.pixels[y, x, 2])) * values[y, x] > 0  # red for, blue against


def test_a_method_that_a_network_does_not_allow_says_why_and_the_others_go_on():
    flat = small_classifier(flatten=nn.Flatten(), fc=nn.Linear(10 * 12 * 12, 3))
    explorer = explore.all_methods(flat, "coffee")
    assert "No map by CAM: " in explorer.text.value
    assert explorer.text.value.count("No map by") == 1
    assert np.ptp(tile(explorer, "Grad-CAM").astype(int)) > 0


def test_first_tiles_are_shown_while_the_rest_is_computed(model, monkeypatch, no_pause):
    monkeypatch.setattr(module, "_SLICE", 0.0)

    async def look():
        explorer, shown = explore.all_methods(model, "coffee"), []

        def several():
            done = {method for method in PLACES if (tile(explorer, method, 70) != PALE).any(-1).mean() > 0.5}
            if done not in shown:
                shown.append(done)
            return len(shown) == 4

        await until(several)
        return shown

    shown = asyncio.run(look())
    assert all(before < after for before, after in itertools.pairwise(shown))
    assert not shown[-1] & {"occlusion", "SmoothGrad", "integrated gradients"}
