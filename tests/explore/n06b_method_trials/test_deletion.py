"""The explorer of deletion and insertion: what is deleted is what the curves deleted."""

import numpy as np
import pytest
import torch

from cs231n_viz import explore
from cs231n_viz.attribution import scoring
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control


@pytest.fixture(scope="module")
def trial(model):
    """Three pictures with a bright square, its mask, and two methods with their curves."""
    torch.manual_seed(0)
    images = torch.rand(3, 3, 48, 48) * 0.3
    masks = torch.zeros(3, 48, 48, dtype=torch.bool)
    for index, (row, col) in enumerate([(4, 6), (20, 8), (24, 24)]):
        masks[index, row : row + 14, col : col + 14] = True
    images = torch.where(masks[:, None], images + 0.6, images)
    maps = {"truth": masks.float(), "signed": torch.randn(3, 3, 48, 48)}
    curves = {name: scoring.deletion_insertion(model, images, 2, found, steps=4) for name, found in maps.items()}
    return images, masks, maps, curves


def test_deletion_follows_every_control(trial):
    explorer = explore.deletion(*trial, names=["a", "b", "c"])
    move_every_control(explorer)


def test_the_numbers_are_those_of_the_scores(trial):
    images, masks, maps, curves = trial
    explorer = explore.deletion(images, masks, maps, curves)
    explorer.controls["picture"].value = 1
    deletion, insertion = (float(area[1]) for area in curves["truth"].areas)
    text = explorer.text.value
    assert f"area {deletion:.2f} under deletion, {insertion:.2f} under insertion" in text
    assert "100% of the map lies on the object" in text
    assert "its maximum lies on it" in text
    assert f"{float(scoring.mass_in_mask(maps['signed'][1:2], masks[1:2])):.0%} of the map" in text


def test_what_is_blurred_away_is_what_the_map_calls_important(trial):
    images, masks, maps, curves = trial
    explorer = explore.deletion(images, masks, maps, curves)
    explorer.controls["share"].value = round(100 * float(masks[0].float().mean()))
    row, col = (int(axis.float().mean()) for axis in masks[0].nonzero(as_tuple=True))  # the middle of the object

    def seen(left, y, x):
        return explorer.picture[int((32 + (y + 0.5) * 204 / 48) * SCALE), int((left + (x + 0.5) * 204 / 48) * SCALE)]

    original = (images[0, :, row, col].numpy() * 255).round()
    assert np.abs(seen(436, row, col) - original).max() > 20  # blurred where the map is high
    assert np.abs(seen(650, row, col) - original).max() < 8  # sharp in the other picture
    far = (images[0, :, 40, 40].numpy() * 255).round()
    assert np.abs(seen(436, 40, 40) - far).max() < 8


def test_maps_and_curves_must_belong_together(trial):
    images, masks, maps, curves = trial
    with pytest.raises(ValueError, match="must be of the same methods"):
        explore.deletion(images, masks, maps, {"truth": curves["truth"]})
    with pytest.raises(ValueError, match=r"truth: \(3, 3, 3\) maps, curves and masks for 2 images"):
        explore.deletion(images[:2], masks, maps, curves)


def test_deletion_updates_are_fast(trial):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.deletion(*trial), "share", range(0, 50, 5)) < 0.1
