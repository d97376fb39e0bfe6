import pytest
import torch
from PIL import Image
from torch import nn

import cs231n_viz as viz
from cs231n_viz.pictures.images import resize
from tests.training.small_runs import run_for, stripes
from training import last_layer, pictures
from training.last_layer import Views, features, find_faces, fit, rotation_angle


@pytest.mark.parametrize("angle", [30, 38, 45, 60])
@pytest.mark.parametrize("size", [(120, 120), (100, 140)])
def test_black_corners_tell_by_how_much_a_picture_was_rotated(angle, size):
    assert rotation_angle(stripes(angle, size=size)) == pytest.approx(angle, abs=3)


def test_pictures_that_were_not_rotated_have_no_angle():
    assert rotation_angle(stripes(0)) is None
    assert rotation_angle(torch.zeros(3, 60, 80, dtype=torch.uint8)) is None
    one_corner = stripes(0)
    one_corner[:, :40, :40][:, torch.ones(40, 40).triu().flip(1).bool()] = 0
    assert rotation_angle(one_corner) is None


def small_views(monkeypatch, *, faces=((0, (30, 20, 40, 40)),)):
    """Views of three classes: one is rotated by 40 degrees but for one picture, one has a single rotated picture."""
    monkeypatch.setattr(last_layer, "find_faces", lambda images, rows: list(faces))
    angles = [0, 0, 0, 40, 40, 40, 0, 0, 0, 0, 40]
    images = [stripes(angle, seed=seed) for seed, angle in enumerate(angles)]
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    return Views(images, labels, ["Faces", "pagoda", "cup"], 48, seed=0)


def test_upright_views_show_what_was_up_above(monkeypatch):
    views = small_views(monkeypatch)
    assert [row for row, _ in views.rotated] == [3, 4, 5]  # of "cup" only one picture is rotated: not the class
    for image, label in (views._upright() for _ in range(20)):
        assert label == 1
        above, below = image[:, :8].mean((1, 2)), image[:, -8:].mean((1, 2))
        assert above[0] > above[1]  # red
        assert below[1] > below[0]  # green


def test_views_are_pictures_in_range_and_depend_on_the_seed_alone(monkeypatch):
    first, again = small_views(monkeypatch), small_views(monkeypatch)
    for kind in last_layer.VIEWS:
        for (views, labels), (same, _) in zip(first.batches(kind, 70), again.batches(kind, 70), strict=True):
            assert views.shape == (len(labels), 3, 48, 48)
            assert 0 <= views.min()
            assert views.max() <= 1
            assert torch.equal(views, same)
            assert set(labels.tolist()) <= {"upright": {1}, "face": {0}}.get(kind, {0, 1, 2})


def test_pasting_leaves_the_training_pictures_as_they_were(monkeypatch):
    views = small_views(monkeypatch)
    before = [image.clone() for image in views.images]
    for _ in range(30):
        views._small()
        views._face()
    assert all(map(torch.equal, before, views.images))


def test_small_views_show_every_class_equally_often(monkeypatch):
    views = small_views(monkeypatch)
    counts = torch.bincount(torch.tensor([views._small()[1] for _ in range(300)]))
    assert counts.min() > 70


def test_recoloured_views_show_flowers_in_all_hues(monkeypatch):
    monkeypatch.setattr(last_layer, "find_faces", lambda images, rows: [])
    red = torch.tensor([200, 20, 20], dtype=torch.uint8)[:, None, None].expand(3, 40, 40).contiguous()
    views = Views([red, red], torch.tensor([0, 1]), ["Faces", "flower"], 24, seed=0)
    images, labels = zip(*(views._recoloured() for _ in range(40)), strict=True)
    assert set(labels) == {1}
    colours = torch.stack(images).mean((2, 3))
    assert set(colours.argmax(1).tolist()) == {0, 1, 2}
    assert colours.amax(1).std() < 0.01  # as light as before


def test_a_kind_of_view_without_pictures_is_named(monkeypatch):
    views = small_views(monkeypatch, faces=())
    with pytest.raises(ValueError, match="no picture to make face views from"):
        next(views.batches("face", 3))
    with pytest.raises(ValueError, match="no picture to make recoloured views from"):
        next(views.batches("recoloured", 3))


def test_faces_are_found_where_they_are():
    upper = viz.load_image("astronaut")[None, :, :256, 96:352]
    image = (resize(upper, (192, 192))[0] * 255).byte()
    ((row, (left, top, wide, high)),) = find_faces([torch.zeros(3, 9, 9), image], [1])
    assert row == 1
    assert left < 96 < left + wide  # the nose
    assert top < 88 < top + high


def test_fitting_learns_the_labels_and_keeps_the_outputs_for_plain_views():
    random = torch.Generator().manual_seed(0)
    layer = nn.Linear(8, 3).requires_grad_(False)
    inputs = torch.randn(900, 8, generator=random)
    plain = torch.arange(900) < 600
    predicted = layer(inputs).argmax(1)
    often = torch.rand(900, generator=random) < 0.8  # class 0 is always right, the others often
    labels = torch.where(plain, torch.where((predicted == 0) | often, predicted, 3 - predicted), 2)
    inputs[~plain, 0] += 6  # a feature that only the new views have
    before = layer.weight.clone()
    fitted = {keep: fit(layer, inputs, labels, plain, epochs=20, lr=0.05, keep=keep, seed=0) for keep in (0.0, 10.0)}
    assert torch.equal(layer.weight, before)
    for trained in fitted.values():
        assert (trained(inputs[~plain]).argmax(1) == 2).float().mean() > 0.95
        assert torch.equal(trained.weight[0], before[0])  # it is learned already
        assert not torch.equal(trained.weight[1], before[1])
    before = layer(inputs[plain]).log_softmax(1)
    after = {keep: trained(inputs[plain]).log_softmax(1) for keep, trained in fitted.items()}
    change = {keep: (outputs - before).abs().mean() for keep, outputs in after.items()}
    assert change[10.0] < 0.8 * change[0.0]


def test_only_the_last_layer_of_a_checkpoint_changes(root, tmp_path, monkeypatch):
    for number in range(4):
        folder = root / "caltech101/101_ObjectCategories/pagoda"
        folder.mkdir(exist_ok=True)
        pixels = stripes(40, seed=number).permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(folder / f"{number}.png")
    before = run_for(root, tmp_path / "runs", 1, monkeypatch)
    monkeypatch.setattr(last_layer, "VIEWS", dict.fromkeys(last_layer.VIEWS, 8))
    row = [label for _, label in pictures.find(root).train].index("Faces")
    monkeypatch.setattr(last_layer, "find_faces", lambda images, rows: [(row, (10, 10, 20, 20))])
    given = [str(root), str(tmp_path / "runs/mini_vgg/last.pt"), "--rounds", "1", "--out", str(tmp_path / "third")]
    monkeypatch.setattr("sys.argv", ["last_layer", *given])
    last_layer.main()
    after = torch.load(tmp_path / "third/mini_vgg/last.pt", weights_only=True)
    changed = {key for key, value in before["network"].items() if not torch.equal(value, after["network"][key])}
    assert changed == {"fc.weight", "fc.bias"}
    assert after["last_layer"]["rounds"] == 1


def test_features_come_with_their_labels_and_say_which_are_plain(monkeypatch):
    views = small_views(monkeypatch)
    monkeypatch.setattr(last_layer, "VIEWS", {"plain": 5, "upright": 3})
    trunk = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    inputs, labels, plain = features(trunk, views, rounds=2)
    assert inputs.shape == (16, 3)
    assert plain.tolist() == [True] * 10 + [False] * 6
    assert labels[10:].tolist() == [1] * 6
