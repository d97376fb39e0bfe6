"""The segmentation explorer: seeds and masks are those of the package, and wrong settings are explained."""

import asyncio
import re

import numpy as np
import pytest
import torch

from cs231n_viz import Gallery, explore, grabcut
from cs231n_viz.attribution import grabcut as grabcut_module
from cs231n_viz.exercises import find
from cs231n_viz.explore.toolkit.canvas import SCALE
from tests.explore.controls import median_seconds, move_every_control, until


@pytest.fixture(scope="module")
def scenes():
    """Three scenes of 96 px, their objects, and two maps: one that points at a part of the object, and a spot."""
    gallery = Gallery.scenes(3, seed=3, size=96)
    images, masks = torch.stack([image for image, _ in gallery]), torch.stack(list(gallery.masks))
    down, right = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing="ij")
    spot = torch.exp(-2 * (down - 0.07) ** 2 - 3 * (right + 0.11) ** 2).expand(3, -1, -1)  # no two values are alike
    return images, masks, {"part": spot.flip(1, 2) * (0.3 + 0.7 * masks), "spot": spot}


def numbers(explorer):
    """The numbers of the sentence below the picture."""
    return [float(value) for value in re.findall(r"\d+(?:\.\d+)?", explorer.text.value.split("max-width: 850px")[1])]


def test_segmentation_follows_every_control(scenes):
    move_every_control(explore.segmentation(*scenes, names=["a", "b", "c"]))


@pytest.mark.parametrize("rounds", [1, 5, 8])
def test_the_sentence_about_the_mask_tells_what_one_counts_by_hand(scenes, rounds):
    images, masks, maps = scenes
    explorer = explore.segmentation(images, masks, maps)
    for name, value in {"picture": 1, "map": "spot", "foreground": 20, "background": 40, "rounds": rounds}.items():
        explorer.controls[name].value = value
    mask = grabcut(images[1], maps["spot"][1], foreground=0.8, background=0.4, rounds=rounds)
    marks = find("grabcut_seeds").reference(maps["spot"][1], foreground=0.8, background=0.4)
    both, either = (mask & masks[1]).sum().item(), (mask | masks[1]).sum().item()
    beside = (~masks[1])[marks == 1].float().mean().item()
    upon = masks[1][marks == 0].float().mean().item()
    assert 0.05 < both / either < 0.95
    assert min(beside, upon) > 0.01
    found = numbers(explorer)
    assert found[:5] == [rounds, round(both / either, 2), mask.sum().item(), masks[1].sum().item(), both]
    assert found[5:7] == [pytest.approx(100 * beside, abs=0.06), (marks == 1).sum().item()]
    assert found[7:9] == [pytest.approx(100 * upon, abs=0.06), (marks == 0).sum().item()]
    assert found[9:] == [pytest.approx(100 * (marks == 2).float().mean().item(), abs=0.51)]


def panel_of(explorer, left):
    """What a panel of 96 px shows, at the middle of each pixel, (96, 96, 3)."""
    middles = (np.arange(96) + 0.5) * 204 / 96
    rows, columns = ((corner + middles) * SCALE for corner in (32, left))
    return explorer.picture[np.ix_(rows.astype(int), columns.astype(int))].astype(int)


@pytest.mark.parametrize(
    ("control", "value", "panels"),
    [
        ("picture", 2, {8, 222, 436, 650}),
        ("map", "spot", {222, 436, 650}),
        ("foreground", 30, {436, 650}),
        ("background", 85, {436, 650}),
        ("rounds", 1, {650}),
    ],
)
def test_each_control_of_a_segmentation_changes_its_panels(scenes, control, value, panels):
    explorer = explore.segmentation(*scenes)
    before = {left: panel_of(explorer, left) for left in (8, 222, 436, 650)}
    explorer.controls[control].value = value
    assert {left for left, shown in before.items() if (panel_of(explorer, left) != shown).any()} == panels


def inner(mask):
    """Without the two pixels on either side of the border, where lines are drawn."""
    around = torch.nn.functional.pad(mask[None, None].float(), (2, 2, 2, 2), mode="replicate")
    return (torch.nn.functional.avg_pool2d(around, 5, stride=1)[0, 0] == 1).numpy()


def test_the_panels_show_the_seeds_and_what_is_cut_out(scenes):
    images, masks, maps = scenes
    explorer = explore.segmentation(images, masks, maps)
    marks, mask = grabcut_module.seeds(maps["part"][0]), grabcut(images[0], maps["part"][0])
    away = inner(masks[0]) | inner(~masks[0])
    away[[0, -1]] = away[:, [0, -1]] = False  # the frame
    seeds = panel_of(explorer, 436)
    warm, cold, grey = (inner(marks == code) & away for code in (1, 0, 2))
    assert min(warm.sum(), cold.sum(), grey.sum()) > 20
    assert (seeds[warm][:, 0] > seeds[warm][:, 2] + 40).all()
    assert (seeds[cold][:, 2] > seeds[cold][:, 0] + 40).all()
    assert (np.ptp(seeds[grey], axis=1) <= 1).all()
    cut, photo = panel_of(explorer, 650), (images[0] * 255).round().permute(1, 2, 0).numpy()
    kept, gone = inner(mask) & away, inner(~mask) & away
    assert min(kept.sum(), gone.sum()) > 20
    assert (cut[gone] == 255).all()
    assert np.abs(cut[kept] - photo[kept]).mean() < 6  # sampled a little beside the middle


@pytest.mark.parametrize(("foreground", "background", "why"), [(40, 80, "20 % of the pixels"), (30, 70, "every pixel")])
def test_shares_that_leave_nothing_to_decide_are_explained(scenes, foreground, background, why):
    explorer = explore.segmentation(*scenes)
    before = explorer.picture
    with explorer.hold():
        explorer.controls["foreground"].value, explorer.controls["background"].value = foreground, background
    assert explorer.error is None
    assert f"highest {foreground} % and the background its lowest {background} %" in explorer.text.value
    assert why in explorer.text.value
    assert "choose a smaller share" in explorer.message.value
    assert (explorer.picture != before).any()
    explorer.controls["background"].value = 30
    assert explorer.message.value == ""
    assert "the IoU is" in explorer.text.value


def test_in_an_event_loop_the_mask_is_shown_round_by_round(scenes, no_pause):
    async def look():
        explorer, texts = explore.segmentation(*scenes), []

        def finished():
            if explorer.text.value not in texts:
                texts.append(explorer.text.value)
            return "After 5 rounds" in texts[-1]

        await until(finished)
        return texts

    texts = asyncio.run(look())
    assert [f"After {done} of 5 rounds" in text for done, text in enumerate(texts[:-1], start=1)] == [True] * 4


def test_a_mask_is_made_once(scenes, monkeypatch):
    made = []
    original = grabcut_module.cut_rounds
    monkeypatch.setattr(grabcut_module, "cut_rounds", lambda *args: made.append(1) or original(*args))
    explorer = explore.segmentation(*scenes)
    for name, values in {"rounds": (2, 5), "map": ("spot", "part"), "picture": (1, 0)}.items():
        for value in values:
            explorer.controls[name].value = value
    assert len(made) == 3


def test_a_learners_seeds_are_used_and_wrong_ones_are_named(scenes):
    masks = scenes[1]
    ours, theirs = (explore.segmentation(*scenes, grabcut_seeds=own) for own in (None, find("grabcut_seeds").reference))
    np.testing.assert_array_equal(ours.picture, theirs.picture)
    best = explore.segmentation(*scenes, grabcut_seeds=lambda saliency, **quantiles: masks[0].byte())
    assert numbers(best)[1:5] == [1.0, *[masks[0].sum().item()] * 3]
    for wrong, message in {
        lambda saliency, **quantiles: saliency: "codes 0, 1 and 2",
        lambda saliency, **quantiles: torch.zeros(4, 4): r"must return \(96, 96\), got \(4, 4\)",
        lambda saliency, **quantiles: None: "got NoneType",
        lambda saliency, **quantiles: torch.full_like(saliency, 2).byte(): "seeds of both sides",
    }.items():
        explorer = explore.segmentation(*scenes, grabcut_seeds=wrong)
        assert re.search(message, str(explorer.error)), explorer.error
        assert "Not drawn" in explorer.message.value


def test_a_small_map_is_enlarged_and_a_flat_one_is_explained(scenes):
    images, masks, maps = scenes
    small = torch.nn.functional.avg_pool2d(maps["spot"], 8)
    explorer = explore.segmentation(images, masks, {"small": small})
    assert numbers(explorer)[2] == grabcut(images[0], small[0]).sum().item()
    same = explore.segmentation(images, masks, {"seeds": maps["spot"]})  # named like a panel
    assert same.error is None
    flat = explore.segmentation(images, masks, {"flat": torch.ones(3, 96, 96)})
    assert "map is constant" in flat.message.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(3, 1, 96, 96)}, r"images must be \(N, 3, H, W\), got \(3, 1, 96, 96\)"),
        ({"images": torch.full((3, 3, 96, 96), 200.0)}, r"in \[0, 1\]"),
        ({"masks": torch.zeros(2, 96, 96, dtype=torch.bool)}, r"masks must be \(3, 96, 96\) bool, got \(2, 96, 96\)"),
        ({"masks": torch.zeros(3, 96, 96)}, "masks must be .* got .* torch.float32"),
        ({"maps": {}}, "maps is empty"),
        ({"maps": {"own": torch.zeros(96, 96)}}, r"own: a map must be \(3, h, w\), got \(96, 96\)"),
        ({"maps": {"own": torch.zeros(3, 3, 96, 96)}}, "take the maximum over the channels"),
        ({"maps": {"own": torch.zeros(2, 96, 96)}}, r"own: a map must be \(3, h, w\), got \(2, 96, 96\)"),
        ({"maps": {"own": -torch.ones(3, 96, 96)}}, "take the magnitude"),
        ({"maps": {"own": torch.full((3, 96, 96), torch.nan)}}, "own: a map must be finite"),
        ({"names": ["a", "b"]}, "got 2 names for 3 images"),
    ],
)
def test_a_segmentation_of_what_does_not_fit_is_refused(scenes, change, message):
    arguments = dict(zip(("images", "masks", "maps"), scenes, strict=True)) | change
    with pytest.raises(ValueError, match=message):
        explore.segmentation(**arguments)


def test_every_round_of_a_segmentation_is_fast(scenes):
    """Each of the five is a picture of its own, so that the hand waits for one."""
    explorer = explore.segmentation(*scenes)
    explorer.seconds.clear()
    seconds = median_seconds(explorer, "foreground", range(40, 10, -5))
    assert len(explorer.seconds) == 6 * 5
    assert seconds / 5 < 0.1
