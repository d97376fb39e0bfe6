import hashlib
import itertools
import json
import re
import time
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

import cs231n_viz as viz
from cs231n_viz.data_files import data_path, data_root
from cs231n_viz.pictures import scenes
from cs231n_viz.pictures.scenes import OBJECTS, object_pair
from training.scene_report import NETWORKS, predictions

MASKS = sorted(path.stem for path in data_path("masks").glob("*.png"))


def test_at_least_eight_photographs_have_a_mask_of_their_size():
    assert len(MASKS) >= 8
    assert sorted(scenes.MASKED) == MASKS
    assert set(OBJECTS) <= set(MASKS)
    for name in MASKS:
        mask = scenes.object_mask(name)
        assert mask.shape == viz.load_image(name).shape[1:]
        assert 0.01 < mask.mean() < 0.8, name


@pytest.mark.parametrize(
    ("photo", "inside", "outside"),
    [
        ("motorcycle", [(125, 300), (680, 400), (350, 335), (340, 125)], [(20, 20), (166, 305), (600, 200)]),
        ("cat", [(165, 115), (310, 130), (260, 250), (380, 10)], [(10, 40), (430, 100)]),
        ("coffee", [(290, 30), (100, 200), (420, 75), (350, 300)], [(20, 20), (580, 380)]),
        ("china", [(205, 40), (150, 110), (90, 260), (340, 340)], [(20, 20), (450, 250)]),
        ("flower", [(310, 220), (310, 95), (310, 350), (440, 220)], [(20, 20), (350, 400)]),
        ("astronaut", [(230, 100), (170, 70), (450, 420)], [(20, 20), (400, 60), (320, 150)]),
        ("grace_hopper", [(250, 200), (250, 40), (165, 220), (368, 200)], [(20, 20), (480, 200)]),
    ],
)  # fmt: skip
def test_a_mask_has_all_of_its_object_and_nothing_else(photo, inside, outside):
    mask = scenes.object_mask(photo)
    assert all(mask[y, x] for x, y in inside)
    assert not any(mask[y, x] for x, y in outside)


def test_the_readme_lists_every_mask_with_its_checksum():
    listed = dict(re.findall(r"\| `masks/(\w+)\.png` \| `([0-9a-f]{64})` \|", (data_root() / "README.md").read_text()))
    assert listed == {
        name: hashlib.sha256(data_path("masks", f"{name}.png").read_bytes()).hexdigest() for name in MASKS
    }


@pytest.mark.slow
def test_the_script_draws_the_masks_that_ship():
    from training.masks import OUTLINES, object_mask

    for photo, sketch in json.loads(OUTLINES.read_text()).items():
        drawn, shipped = object_mask(photo, sketch).astype(bool), scenes.object_mask(photo)
        assert (drawn != shipped).sum() <= 0.005 * shipped.sum(), photo  # other versions of OpenCV may move a pixel


def test_a_scene_depends_on_seed_and_number_alone():
    few, many = viz.Gallery.scenes(7), viz.Gallery.scenes(60)
    later, sooner = many[5][0], many[2][0]
    assert torch.equal(few[2][0], sooner)
    assert torch.equal(few[5][0], later)
    assert torch.equal(few.masks[5], many.masks[5])
    assert few.labels == many.labels[:7]
    assert few.backgrounds == many.backgrounds[:7]
    assert not torch.equal(viz.Gallery.scenes(7, seed=1)[5][0], later)


def test_scenes_are_pictures_of_classes_that_both_shipped_networks_know():
    gallery = viz.Gallery.scenes(600, size=96)
    image, label = gallery[3]
    assert image.shape == (3, 96, 96)
    assert image.dtype == torch.float32
    assert 0 <= image.min() <= image.max() <= 1
    assert gallery.categories[label] in gallery.names[3]
    assert set(Counter(gallery.labels).values()) == {600 // len(gallery.categories)}
    for name in NETWORKS:
        assert set(gallery.categories) <= set(viz.load_model(name).categories)


def test_the_background_never_shows_the_class():
    gallery = viz.Gallery.scenes(600)
    assert len(set(gallery.backgrounds)) == len(scenes.BACKGROUNDS)
    for label, background in zip(gallery.labels, gallery.backgrounds, strict=True):
        assert OBJECTS.get(background) != gallery.categories[label]


def test_the_mask_is_where_the_object_was_pasted(monkeypatch):
    """With one object on two backgrounds, what does not change lies inside the mask, and all else outside."""
    monkeypatch.setattr(scenes, "_MATCH", 0.0)
    painter = scenes.Scenes(0, 224)
    for index in range(12):
        plan = painter.plan(index)
        views = []
        for grey in (0.0, 255.0):
            flat = np.full((224, 224, 3), grey, np.float32)
            monkeypatch.setattr(scenes, "_background", lambda plan, size, flat=flat: flat.copy())
            views.append(painter(index))
        alpha = 1 - (views[1] - views[0]).mean(0)
        mask = painter.mask(index)
        assert mask.shape == (224, 224)
        assert (alpha[mask] > 0.49).all()
        assert (alpha[~mask] < 0.51).all()
        assert ((alpha > 0.02) & (alpha < 0.98)).sum() > 100, "soft edges"
        left, top, width, height = plan.box
        assert scenes.SCALE[0] * 224 - 1 <= max(width, height) <= scenes.SCALE[1] * 224 + 1
        rows, columns = mask.nonzero().T
        assert top <= rows.min()
        assert rows.max() < top + height
        assert left <= columns.min()
        assert columns.max() < left + width


def test_objects_appear_on_both_sides_at_many_places_and_sizes():
    plans = [scenes.Scenes(0, 224).plan(i) for i in range(200)]
    assert 60 < sum(plan.mirrored for plan in plans) < 140
    assert len({plan.photo for plan in plans}) == len(OBJECTS)
    sizes = np.array([max(plan.box[2:]) / 224 for plan in plans])
    assert sizes.max() - sizes.min() > 0.8 * (scenes.SCALE[1] - scenes.SCALE[0])
    assert np.std([plan.box[0] / max(1, 224 - plan.box[2]) for plan in plans]) > 0.2


def test_an_object_takes_on_some_of_the_background_brightness(monkeypatch):
    painter = scenes.Scenes(0, 64)
    means = []
    for grey in (0.0, 255.0):
        flat = np.full((64, 64, 3), grey, np.float32)
        monkeypatch.setattr(scenes, "_background", lambda plan, size, flat=flat: flat.copy())
        scene, mask = painter(1), scenes._cut_out(painter.plan(1).photo)
        means.append(scene[:, painter.mask(1)].mean())
        assert mask.mode == "RGBa"
    assert 0.05 < means[1] - means[0] < 0.3


def test_masks_and_backgrounds_go_along_with_a_subset():
    gallery = viz.Gallery.scenes(20)
    part = gallery.subset([9, 4])
    assert torch.equal(part.masks[0], gallery.masks[9])
    assert len(part.masks) == 2
    assert part.backgrounds == [gallery.backgrounds[9], gallery.backgrounds[4]]


@pytest.mark.parametrize("scale", [(0.0, 0.5), (0.8, 0.5), (0.5, 1.2)])
def test_an_invalid_range_of_sizes_is_refused(scale):
    with pytest.raises(ValueError, match="scale"):
        viz.Gallery.scenes(5, scale=scale)


def test_two_thousand_scenes_take_at_most_twenty_seconds():
    gallery = viz.Gallery.scenes(2000)
    [gallery[i] for i in range(60)]  # the cut-outs are made once
    start = time.process_time()
    [gallery[i] for i in range(60, 160)]
    assert 20 * (time.process_time() - start) <= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_each_shipped_network_classifies_three_of_four_scenes_correctly(name):
    model, painter, count = viz.load_model(name).to(memory_format=torch.channels_last), scenes.Scenes(0, 224), 300
    wanted = torch.tensor([model.index(scenes.CLASSES[painter.label(i)]) for i in range(count)])
    assert (predictions(model, painter, count) == wanted).float().mean() >= 0.75


def test_the_masks_are_black_and_white():
    for name in MASKS:
        assert Image.open(data_path("masks", f"{name}.png")).mode in ("1", "L")
        assert set(np.unique(Image.open(data_path("masks", f"{name}.png")).convert("L"))) == {0, 255}


@pytest.mark.parametrize(("left", "right"), list(itertools.product(OBJECTS, OBJECTS)))
def test_either_object_lies_in_its_own_half(left, right):
    image, masks = object_pair(left, right, size=96)
    assert image.shape == (3, 96, 96)
    assert masks.shape == (2, 96, 96)
    assert masks.dtype == torch.bool
    assert not masks[0, :, 48:].any()
    assert not masks[1, :, :48].any()
    assert masks.float().mean((1, 2)).min() > 0.05
    assert 0 <= image.min()
    assert image.max() <= 1


def test_outside_the_objects_there_is_only_grey():
    image, masks = object_pair("flower", "motorcycle", size=160, grey=0.5)
    near = torch.nn.functional.max_pool2d(masks.any(0)[None].float(), 5, 1, 2)[0] > 0  # the edge is soft
    assert torch.allclose(image[:, ~near], torch.tensor(0.5))
    assert (image[:, masks[0]].mean(1) - 0.5).abs().max() > 0.05


def test_the_object_is_that_of_its_photograph():
    image, masks = object_pair("motorcycle", "flower", size=224)
    red, _, blue = image[:, masks[1]].mean(1)
    assert red > blue + 0.2  # the flower is orange


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5])
def test_the_longer_side_takes_the_share_that_was_asked_for(share):
    _, masks = object_pair("flower", "motorcycle", size=200, share=share)
    for mask in masks:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert abs(int(max(rows, columns)) - 200 * share) <= 3


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_in_a_close_up_each_object_fills_its_half(share):
    _, masks = object_pair("astronaut", "motorcycle", size=200, share=share, close_up=True)
    for mask in masks:
        rows, columns = (int(mask.any(axis).sum()) for axis in (1, 0))
        assert abs(max(columns / 100, rows / 200) - share) <= 0.06  # soft edges are half transparent


def test_an_object_that_its_photograph_cuts_off_lies_at_that_border():
    _, masks = object_pair("cat", "astronaut", size=120)
    assert masks[0, 0].any()
    assert masks[1, -1].any()


def test_unknown_objects_and_invalid_sizes_are_refused():
    with pytest.raises(KeyError, match="no object 'dog' to paste; there are astronaut"):
        object_pair("dog", "cat")
    with pytest.raises(ValueError, match=r"share must be in \(0, 0.5\]"):
        object_pair("cat", "flower", share=0.7)
    with pytest.raises(ValueError, match=r"share must be in \(0, 1\]"):
        object_pair("cat", "flower", share=1.1, close_up=True)
    with pytest.raises(ValueError, match="grey in"):
        object_pair("cat", "flower", grey=2)


def test_the_maps_of_both_networks_follow_the_class():
    for name, layer in (("mini_vgg", "relu5_2"), ("mini_alexnet", "relu5")):
        model = viz.load_model(name)
        image, masks = object_pair("cat", "motorcycle", size=model.input_size)
        for own, category in enumerate(("cat", "Motorbikes")):
            cam = viz.grad_cam(model, image[None], model.index(category), layer)
            share = [float(viz.scoring.mass_in_mask(cam, mask[None])) for mask in masks]
            assert share[own] > 3 * share[1 - own] + 0.1
