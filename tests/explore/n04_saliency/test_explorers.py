"""The explorers of notebook 04: the occluder and its map, attributions that sharpen, outlines cut from seeds."""

import asyncio
import re

import numpy as np
import pytest
import torch
from torch import nn

from cs231n_viz import Gallery, explore, grabcut, guided_backprop, occlusion, saliency, wrap
from cs231n_viz.attribution import grabcut as segmentation
from cs231n_viz.exercises import rectified
from cs231n_viz.exercises import saliency as exercises
from cs231n_viz.explore.n04_saliency import occlusion as occluding
from cs231n_viz.explore.n04_saliency import saliency as saliency_explorer
from cs231n_viz.explore.n04_saliency.saliency import ABS, GUIDED, LOGIT, METHODS, PATH, SAMPLES, SMOOTH, as_picture
from cs231n_viz.explore.toolkit import gradually
from cs231n_viz.explore.toolkit.canvas import SCALE, number
from tests.explore.n00_cnn_review.test_explorers import median_seconds, move_every_control
from tests.networks import small_classifier

PHOTO, MAP, THIRD = (8, 32), (294, 32), (580, 32)


@pytest.fixture(scope="module")
def model():
    """48 px, maps of 24×24 and 12×12."""
    model = small_classifier()
    model.network.fc.weight.data *= 100  # logits that differ by more than the two digits that are shown
    return model


@pytest.fixture
def few(monkeypatch):
    """Methods that sharpen step by step take few steps, where many would only cost time."""
    monkeypatch.setattr(saliency_explorer, "SAMPLES", 3)
    monkeypatch.setattr(saliency_explorer, "SEGMENTS", 3)


def at(corner, share_down, share_right):
    return int((corner[1] + share_down * 270) * SCALE), int((corner[0] + share_right * 270) * SCALE)


def values_of(explorer, *names):
    return tuple(explorer.controls[name].value for name in names)


def test_occlusion_follows_every_control(model):
    move_every_control(explore.occlusion(model))


def test_the_occluder_says_what_the_covered_window_costs(model):
    explorer = explore.occlusion(model, "coffee", "b")
    for name, value in {"window": 10, "row": 7, "col": 30, "fill": "white"}.items():
        explorer.controls[name].value = value
    images = model.prepare("coffee")
    covered = images.clone()
    covered[:, :, 7:17, 30:40] = 1.0
    drop = (model(images) - model(covered))[0, 1].item()
    assert "rows 7 to 16 and columns 30 to 39" in explorer.text.value
    assert f"{'falls' if drop >= 0 else 'rises'} by {abs(drop):.2f}" in explorer.text.value


@pytest.mark.parametrize("corner", [PHOTO, MAP])
def test_a_click_centres_the_occluder_and_keeps_it_in_the_picture(model, corner):
    explorer = explore.occlusion(model)
    explorer.controls["window"].value = 10
    explorer.view.position = at(corner, 0.5, 0.75)
    assert values_of(explorer, "row", "col") == (19, 31)
    explorer.view.position = at(corner, 0.0, 0.99)
    assert values_of(explorer, "row", "col") == (0, 38)
    explorer.view.position = at((586, 32), 0.5, 0.5)  # the bars
    assert values_of(explorer, "row", "col") == (0, 38)


def test_in_plain_python_the_map_fills_at_once_and_is_that_of_the_package(model):
    explorer = explore.occlusion(model, "cat", "c")
    before = explorer.picture
    explorer.controls["window"].value = 12
    explorer.controls["stride"].value = "4"
    explorer.controls["start"].click()
    assert (explorer.picture != before).any()
    expected = occlusion(model, model.prepare("cat"), 2, window=12, stride=4, fill=0.5, progress=False)[0]
    assert expected.max() - expected.min() > 0.1
    assert f"from {number(expected.min())} to {number(expected.max())}" in explorer.text.value
    assert explorer.controls["cancel"].disabled
    explorer.controls["stride"].value = "8"  # a map for other controls is not kept
    assert "On the map" not in explorer.text.value


def test_in_an_event_loop_the_map_fills_step_by_step_and_can_be_cancelled(model, monkeypatch):
    monkeypatch.setattr(occluding, "_SLICE", 0.0)  # one batch of windows for every drawing
    monkeypatch.setattr(gradually, "PAUSE", 0.1)  # between two drawings: on a quiet machine all would be over too soon

    async def fill():
        explorer = explore.occlusion(model)
        explorer.controls["window"].value = 8
        explorer.controls["stride"].value = "4"
        explorer.controls["start"].click()
        pictures = []
        for _ in range(200):
            await asyncio.sleep(0.01)
            pictures.append(explorer.picture)
            if len({picture.tobytes() for picture in pictures}) >= 3:
                break
        assert not explorer.controls["cancel"].disabled
        explorer.controls["cancel"].click()
        stopped = explorer.picture
        await asyncio.sleep(0.3)
        assert (explorer.picture == stopped).all()
        assert explorer.controls["cancel"].disabled
        return len({picture.tobytes() for picture in pictures})

    assert asyncio.run(fill()) >= 3


def test_a_learners_occlusion_step_is_used_and_a_wrong_shape_is_named(model):
    explorer = explore.occlusion(model, occlusion_step=exercises.occlusion_step)
    assert explorer.text.value == explore.occlusion(model).text.value
    always = explore.occlusion(model, occlusion_step=lambda *args, **kwargs: torch.tensor([7.25]))
    assert "falls by 7.25" in always.text.value
    broken = explore.occlusion(model, occlusion_step=lambda *args, **kwargs: torch.zeros(2))
    assert "must return one value" in str(broken.error)


def test_saliency_follows_every_control(model, few):
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    models = {"one": model, "two": wrap(network.eval(), ["a", "b", "d"], input_size=48)}
    move_every_control(explore.saliency(models), skip={"unit", "row", "col"})
    explorer = explore.saliency(models, method=GUIDED)
    explorer.controls["layer"].value = "relu2"
    explorer.controls["unit"].value = 0
    move_every_control(explorer, skip={"category", "network"})


def test_only_the_controls_of_what_is_explained_are_shown(model):
    explorer = explore.saliency(model)
    hidden = {name for name, control in explorer.controls.items() if control.layout.display == "none"}
    assert hidden == {"unit", "row", "col"}
    explorer.controls["layer"].value = "conv2"
    hidden = {name for name, control in explorer.controls.items() if control.layout.display == "none"}
    assert hidden == {"category"}


def test_a_layer_begins_with_its_strongest_neuron_and_a_click_chooses_another(model):
    explorer = explore.saliency(model, "coffee", method=GUIDED)
    explorer.controls["layer"].value = "relu2"
    with torch.no_grad():
        maps = model.network[:5]((model.prepare("coffee") - model.mean) / model.std)[0]
    unit, row, col = np.unravel_index(int(maps.argmax()), maps.shape)
    assert values_of(explorer, "unit", "row", "col") == (unit, row, col)
    assert f"answers {maps.max():.2f}" in explorer.text.value
    explorer.view.position = at(THIRD, 2.5 / 12, 10.5 / 12)
    assert values_of(explorer, "row", "col") == (2, 10)
    explorer.view.position = at(PHOTO, 0.5, 0.5)
    assert values_of(explorer, "row", "col") == (2, 10)


def test_the_middle_panel_shows_the_method_of_the_package(model):
    explorer = explore.saliency(model, "cat", "b", method=GUIDED)
    expected = as_picture(guided_backprop(model, model.prepare("cat"), 1)[0], GUIDED)
    row, col = 30, 20
    y, x = (int((corner + (place + 0.5) * 270 / 48) * SCALE) for corner, place in ((32, row), (294, col)))
    np.testing.assert_allclose(explorer.picture[y, x].astype(int), expected[row, col].astype(int), atol=1)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_a_class_and_a_neuron(model, few, method):
    explorer = explore.saliency(model, method=method)
    assert explorer.error is None
    explorer.controls["layer"].value = "conv2"
    assert explorer.error is None
    assert "Neuron" in explorer.text.value


def test_integrated_gradients_end_with_credits_that_sum_up_to_the_rise(model):
    explorer = explore.saliency(model, "cat", "a", method=PATH)
    images = model.prepare("cat")
    rise = (model(images) - model(torch.zeros_like(images)))[0, 0].item()
    assert f"rises by {rise:.3f}".replace("-", "−") in explorer.text.value
    credit = float(explorer.text.value.split("sum up to ")[1].split(".</div>")[0].replace("−", "-"))
    assert credit == pytest.approx(rise, rel=0.05, abs=0.01)


def test_smooth_grad_sharpens_over_several_drawings_and_can_be_left_at_any(model):
    async def look():
        explorer = explore.saliency(model, method=SMOOTH)
        first = explorer.picture
        await asyncio.sleep(0.1)
        explorer.controls["method"].value = ABS
        left = explorer.picture
        await asyncio.sleep(0.05)
        assert (explorer.picture == left).all()
        explorer.controls["method"].value = SMOOTH
        for _ in range(200):
            await asyncio.sleep(0.02)
            if f"Mean of {SAMPLES} gradients" in explorer.text.value:
                break
        return first, explorer

    first, explorer = asyncio.run(look())
    assert f"Mean of {SAMPLES} gradients" in explorer.text.value
    assert (explorer.picture != first).any()
    assert len(explorer.seconds) > SAMPLES / 2


def test_a_learners_saliency_map_is_used_and_a_wrong_shape_is_named(model):
    ours, theirs = explore.saliency(model), explore.saliency(model, saliency_map=exercises.saliency_map)
    np.testing.assert_array_equal(ours.picture, theirs.picture)
    calls = []

    def counted(*args, **kwargs):
        calls.append(kwargs["magnitude"])
        return saliency(*args, **kwargs)

    explorer = explore.saliency(model, saliency_map=counted)
    explorer.controls["method"].value = METHODS[1]
    explorer.controls["method"].value = ABS
    assert calls == ["abs", "square"]  # a finished map is not made again
    broken = explore.saliency(model, saliency_map=lambda model, images, targets, magnitude: images)
    assert "must return (1, 48, 48)" in str(broken.error)
    broken.controls["method"].value = GUIDED
    assert broken.error is None


def test_another_network_keeps_the_class_if_it_has_it(model):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    explorer = explore.saliency({"one": model, "two": wrap(network.eval(), ["x", "b"], input_size=48)}, category="b")
    explorer.controls["layer"].value = "relu2"
    explorer.controls["network"].value = "two"
    assert values_of(explorer, "category", "layer") == ("b", LOGIT)
    assert explorer.error is None
    explorer.controls["category"].value = "x"
    explorer.controls["network"].value = "one"
    assert values_of(explorer, "category") == ("a",)


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


def test_outline_follows_every_control(scenes):
    move_every_control(explore.outline(*scenes, names=["a", "b", "c"]))


@pytest.mark.parametrize("rounds", [1, 5, 8])
def test_the_sentence_about_the_outline_tells_what_one_counts_by_hand(scenes, rounds):
    images, masks, maps = scenes
    explorer = explore.outline(images, masks, maps)
    for name, value in {"picture": 1, "map": "spot", "foreground": 80, "background": 40, "rounds": rounds}.items():
        explorer.controls[name].value = value
    mask = grabcut(images[1], maps["spot"][1], foreground=0.8, background=0.4, rounds=rounds)
    marks = rectified.grabcut_seeds(maps["spot"][1], foreground=0.8, background=0.4)
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
        ("foreground", 70, {436, 650}),
        ("background", 85, {436, 650}),
        ("rounds", 1, {650}),
    ],
)
def test_each_control_of_an_outline_changes_its_panels(scenes, control, value, panels):
    explorer = explore.outline(*scenes)
    before = {left: panel_of(explorer, left) for left in (8, 222, 436, 650)}
    explorer.controls[control].value = value
    assert {left for left, shown in before.items() if (panel_of(explorer, left) != shown).any()} == panels


def inner(mask):
    """Without the two pixels on either side of the border, where lines are drawn."""
    around = torch.nn.functional.pad(mask[None, None].float(), (2, 2, 2, 2), mode="replicate")
    return (torch.nn.functional.avg_pool2d(around, 5, stride=1)[0, 0] == 1).numpy()


def test_the_panels_show_the_seeds_and_what_is_cut_out(scenes):
    images, masks, maps = scenes
    explorer = explore.outline(images, masks, maps)
    marks, mask = segmentation.seeds(maps["part"][0]), grabcut(images[0], maps["part"][0])
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


@pytest.mark.parametrize(("foreground", "background", "why"), [(60, 80, "20 % of the pixels"), (70, 70, "every pixel")])
def test_quantiles_that_leave_nothing_to_decide_are_explained(scenes, foreground, background, why):
    explorer = explore.outline(*scenes)
    before = explorer.picture
    with explorer.hold():
        explorer.controls["foreground"].value, explorer.controls["background"].value = foreground, background
    assert explorer.error is None
    assert why in explorer.message.value
    assert "Choose a background below" in explorer.message.value
    assert explorer.text.value == ""
    assert (explorer.picture != before).any()
    explorer.controls["background"].value = 30
    assert explorer.message.value == ""
    assert "the IoU is" in explorer.text.value


def test_in_an_event_loop_the_outline_is_shown_round_by_round(scenes, monkeypatch):
    monkeypatch.setattr(gradually, "PAUSE", 0.05)

    async def look():
        explorer = explore.outline(*scenes)
        texts = []
        for _ in range(400):
            await asyncio.sleep(0.01)
            if explorer.text.value not in texts:
                texts.append(explorer.text.value)
            if "After 5 rounds" in texts[-1]:
                return texts
        raise AssertionError(texts)

    texts = asyncio.run(look())
    assert "After 1 of 5 rounds" in texts[0] or "After 2 of 5 rounds" in texts[0]
    assert len(texts) >= 4


def test_an_outline_is_made_once(scenes, monkeypatch):
    made = []
    original = segmentation.cut_rounds
    monkeypatch.setattr(segmentation, "cut_rounds", lambda *args: made.append(1) or original(*args))
    explorer = explore.outline(*scenes)
    for name, values in {"rounds": (2, 5), "map": ("spot", "part"), "picture": (1, 0)}.items():
        for value in values:
            explorer.controls[name].value = value
    assert len(made) == 3


def test_a_learners_seeds_are_used_and_wrong_ones_are_named(scenes):
    masks = scenes[1]
    ours, theirs = (explore.outline(*scenes, grabcut_seeds=own) for own in (None, rectified.grabcut_seeds))
    np.testing.assert_array_equal(ours.picture, theirs.picture)
    best = explore.outline(*scenes, grabcut_seeds=lambda saliency, **quantiles: masks[0].byte())
    assert numbers(best)[1:5] == [1.0, *[masks[0].sum().item()] * 3]
    for wrong, message in {
        lambda saliency, **quantiles: saliency: "codes 0, 1 and 2",
        lambda saliency, **quantiles: torch.zeros(4, 4): r"must return \(96, 96\), got \(4, 4\)",
        lambda saliency, **quantiles: None: "got NoneType",
        lambda saliency, **quantiles: torch.full_like(saliency, 2).byte(): "seeds of both sides",
    }.items():
        explorer = explore.outline(*scenes, grabcut_seeds=wrong)
        assert re.search(message, str(explorer.error)), explorer.error
        assert "Not drawn" in explorer.message.value


def test_a_small_map_is_enlarged_and_a_flat_one_is_explained(scenes):
    images, masks, maps = scenes
    small = torch.nn.functional.avg_pool2d(maps["spot"], 8)
    explorer = explore.outline(images, masks, {"small": small})
    assert numbers(explorer)[2] == grabcut(images[0], small[0]).sum().item()
    same = explore.outline(images, masks, {"seeds": maps["spot"]})  # named like a panel
    assert same.error is None
    flat = explore.outline(images, masks, {"flat": torch.ones(3, 96, 96)})
    assert "same everywhere" in flat.message.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.zeros(3, 1, 96, 96)}, r"images must be \(N, 3, H, W\), got \(3, 1, 96, 96\)"),
        ({"images": torch.full((3, 3, 96, 96), 200.0)}, r"in \[0, 1\]"),
        ({"masks": torch.zeros(2, 96, 96, dtype=torch.bool)}, r"masks must be \(3, 96, 96\) bool, got \(2, 96, 96\)"),
        ({"masks": torch.zeros(3, 96, 96)}, "masks must be .* got .* torch.float32"),
        ({"maps": {}}, "maps is empty"),
        ({"maps": {"own": torch.zeros(96, 96)}}, r"own: a map must be \(3, h, w\), got \(96, 96\)"),
        ({"maps": {"own": torch.zeros(3, 3, 96, 96)}}, "take the maximum of the channels"),
        ({"maps": {"own": torch.zeros(2, 96, 96)}}, r"own: a map must be \(3, h, w\), got \(2, 96, 96\)"),
        ({"maps": {"own": -torch.ones(3, 96, 96)}}, "take the magnitude"),
        ({"maps": {"own": torch.full((3, 96, 96), torch.nan)}}, "own: a map must be finite"),
        ({"names": ["a", "b"]}, "got 2 names for 3 images"),
    ],
)
def test_an_outline_of_what_does_not_fit_is_refused(scenes, change, message):
    arguments = dict(zip(("images", "masks", "maps"), scenes, strict=True)) | change
    with pytest.raises(ValueError, match=message):
        explore.outline(**arguments)


def test_what_cannot_be_shown_is_refused(model):
    with pytest.raises(ValueError, match="a method of saliency"):
        explore.saliency(model, method="magic")
    with pytest.raises(ValueError, match="at least one model"):
        explore.saliency({})
    with pytest.raises(KeyError, match="no category 'dragon'"):
        explore.occlusion(model, category="dragon")


def test_updates_are_fast(model):
    """The promise is 100 ms for 95 % of the updates."""
    assert median_seconds(explore.occlusion(model), "row", range(10)) < 0.1
    assert median_seconds(explore.saliency(model), "category", "abc") < 0.1


def test_every_round_of_an_outline_is_fast(scenes):
    """Each of the five is a picture of its own, so that the hand waits for one."""
    explorer = explore.outline(*scenes)
    explorer.seconds.clear()
    seconds = median_seconds(explorer, "foreground", range(60, 90, 5))
    assert len(explorer.seconds) == 6 * 5
    assert seconds / 5 < 0.1
