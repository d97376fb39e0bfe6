"""The explorers of first filters and their responses: clicks choose, and a learner's function feeds them."""

import torch

from cs231n_viz import explore, load_image
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control


def test_filters_follow_every_control_and_clicks():
    explorer = explore.filters()
    move_every_control(explorer)
    explorer.controls["network"].value = "mini_alexnet"
    pitch = int(400 * SCALE) // 8
    explorer.view.position = (int(32 * SCALE) + pitch + 5, int(8 * SCALE) + 3 * pitch + 5)
    assert explorer.controls["filter"].value == 11
    explorer.view.position = (0, 0)  # beside the grid
    assert explorer.controls["filter"].value == 11


def test_filters_of_a_network_that_cannot_be_had_are_reported_in_place(model, monkeypatch):
    def unreachable(*args, **kwargs):
        raise OSError("no connection")

    monkeypatch.setattr("torchvision.models.get_model", unreachable)
    explorer = explore.filters(["mini_alexnet", "resnet18"])
    explorer.controls["network"].value = "resnet18"
    assert "resnet18" in str(explorer.error)
    assert "Offline, these work" in explorer.message.value
    explorer.controls["network"].value = "mini_alexnet"
    assert explorer.error is None


def test_filters_use_a_learners_functions(model):
    explorer = explore.filters(
        {"mine": model}, normalise_filters=lambda w: w * 0 + 0.5, dominant_orientation=lambda w: 37.4
    )
    assert explorer.error is None
    assert "37°" in explorer.text.value
    assert (explorer.picture[int(60 * SCALE), int(470 * SCALE)] == 128).all()
    broken = explore.filters({"mine": model}, normalise_filters=lambda w: w * 100)
    assert "must lie in [0, 1]" in str(broken.error)


def test_responses_follow_every_control_and_run_the_network_once_per_photograph(model, monkeypatch):
    runs = []
    monkeypatch.setattr(model.network[0], "forward", lambda x, f=model.network[0].forward: runs.append(1) or f(x))
    explorer = explore.responses(model)
    for _ in range(2):
        for photograph in ("coffee", "cat"):
            explorer.controls["photograph"].value = photograph
    assert len(runs) == 2
    move_every_control(explorer)


def test_responses_show_the_true_maximum(model):
    explorer = explore.responses(model, "coffee")
    explorer.controls["filter"].value = 3
    with torch.no_grad():
        images = model.prepare(load_image("coffee"))
        expected = model.network[0]((images - model.mean) / model.std)[0, 3]
    assert f"{expected.max():.2f}".replace("-", "−") in explorer.text.value
    assert f"{(expected > 0).float().mean():.0%} of the positions" in explorer.text.value


def test_filters_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.filters({"mini": model})
    assert median_seconds(explorer, "filter", range(6)) < 0.1
    assert len(explorer.seconds) >= len(range(6))


def test_responses_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    explorer = explore.responses(model)
    assert median_seconds(explorer, "filter", range(6)) < 0.1
    assert len(explorer.seconds) >= len(range(6))
