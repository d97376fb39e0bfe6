import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

import training.export as export
from training import augment, classifiers, pictures


@pytest.fixture
def root(tmp_path):
    """The four data sets in torchvision's layouts, a few small pictures each."""
    draw = np.random.default_rng(0)
    folders = {
        "caltech101/101_ObjectCategories/cup": 10,
        "caltech101/101_ObjectCategories/Faces": 5,
        "caltech101/101_ObjectCategories/Faces_easy": 5,
        "imagenette2-160/train/n03028079": 5,
        "imagenette2-160/val/n03028079": 3,
        "cats_dogs/cat": 5,
        "cats_dogs/dog": 5,
        "flowers17/3": 5,
    }
    for folder, count in folders.items():
        (tmp_path / folder).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.jpg")
    return tmp_path


def test_a_fifth_is_held_out_and_never_trained_on(root):
    found = pictures.find(root)
    assert found.categories == ["cup", "Faces", "church", "cat", "dog", "flower"]
    assert {name: len(rows) for name, rows in found.held_out.items()} == {
        "caltech101": 3,
        "pets": 2,
        "flowers": 1,
        "imagenette": 3,
    }
    held = {path for rows in found.held_out.values() for path, _ in rows}
    assert not held & {path for path, _ in found.train}
    assert pictures.find(root).train == found.train
    assert not any("Faces_easy" in str(path) for path, _ in found.train)


def run_for(root, out, epochs, monkeypatch, *, more=()):
    """Train a small mini_vgg on tiny pictures up to ``epochs`` of 2; returns its checkpoint."""
    recipe = dataclasses.replace(classifiers.RECIPES["mini_vgg"], sizes=((1.0, 32),), epochs=2)
    monkeypatch.setitem(classifiers.RECIPES, "mini_vgg", recipe)
    arguments = [str(root), "--network", "mini_vgg", "--batch", "8", "--out", str(out), *more]
    args = classifiers.parser().parse_args(arguments)
    found = pictures.find(root)
    run = classifiers.Run(args, found)
    images = pictures.load(found.train)
    labels = torch.tensor([run.categories.index(name) for _, name in found.train])
    for epoch in range(len(run.history), epochs):
        run.epoch(epoch, images, labels)
        run.save()
    return torch.load(out / "mini_vgg/last.pt", weights_only=True)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(root, tmp_path, monkeypatch):
    whole = run_for(root, tmp_path / "whole", 2, monkeypatch)
    run_for(root, tmp_path / "parts", 1, monkeypatch)
    resumed = run_for(root, tmp_path / "parts", 2, monkeypatch)
    assert [row["epoch"] for row in resumed["history"]] == [1, 2]
    for key, value in whole["network"].items():
        assert torch.equal(value, resumed["network"][key]), key


def test_a_second_round_begins_with_the_weights_of_the_first(root, tmp_path, monkeypatch):
    first = run_for(root, tmp_path / "first", 2, monkeypatch)
    start = ["--start", str(tmp_path / "first/mini_vgg/last.pt"), "--lr", "1e-9"]
    second = run_for(root, tmp_path / "second", 1, monkeypatch, more=start)
    # at this step size nothing moves but batch norm's running statistics
    torch.testing.assert_close(second["network"]["fc.weight"], first["network"]["fc.weight"], atol=1e-6, rtol=0)
    assert [row["epoch"] for row in second["history"]] == [1]
    assert [run["epochs"] for run in second["earlier"]] == [2]
    assert second["seconds"] > first["seconds"]
    resumed = run_for(root, tmp_path / "second", 2, monkeypatch, more=start)
    assert len(resumed["history"]) == 2
    assert resumed["earlier"] == second["earlier"]


def test_cut_mix_ends_before_the_run_does(root, tmp_path, monkeypatch):
    epochs = []
    monkeypatch.setattr(classifiers.Run, "cut_mix", 1.0)
    monkeypatch.setattr(classifiers.Run, "cut_mix_until", 0.5)
    mixing = augment.cut_mix
    monkeypatch.setattr(augment, "cut_mix", lambda *given: epochs.append(1) or mixing(*given))
    run_for(root, tmp_path, 1, monkeypatch)
    mixed = len(epochs)
    run_for(root, tmp_path, 2, monkeypatch)
    assert mixed > 0
    assert len(epochs) == mixed


def test_an_exported_network_is_the_trained_one_in_half_precision(root, tmp_path, monkeypatch):
    state = run_for(root, tmp_path / "runs", 1, monkeypatch)
    folder = tmp_path / "weights"
    folder.mkdir()
    assert export.export(tmp_path / "runs/mini_vgg/last.pt", folder) == "mini_vgg"
    for module in ("models", "shipped"):
        monkeypatch.setattr(f"cs231n_viz.network.{module}.data_path", lambda *parts: tmp_path.joinpath(*parts))
    model = export.load_model("mini_vgg")
    assert model.categories == state["categories"]
    trained = classifiers.build("mini_vgg", len(model.categories))
    trained.load_state_dict(state["network"])
    images = torch.rand(2, 3, 64, 64)
    expected = trained.eval()(classifiers.normalise(images))
    torch.testing.assert_close(model(images), expected, atol=2e-2, rtol=2e-2)
    assert set(json.loads((folder / "sha256.json").read_text())) == {"mini_vgg.safetensors"}


def test_views_of_an_even_picture_are_even_and_in_range():
    random = torch.Generator().manual_seed(0)
    images = [torch.full((3, 30, 50), 51, dtype=torch.uint8), torch.randint(0, 256, (3, 40, 20), dtype=torch.uint8)]
    views = augment.random_views(images, 24, random)
    torch.testing.assert_close(views[0], torch.full((3, 24, 24), 0.2))
    coloured = augment.random_colours(views, random)
    assert 0 <= coloured.min()
    assert coloured.max() <= 1
    assert coloured.shape == (2, 3, 24, 24)


def test_views_reach_from_a_quarter_of_the_picture_to_more_than_all_of_it():
    random = torch.Generator().manual_seed(0)
    image = torch.zeros(3, 40, 60, dtype=torch.uint8)
    areas = [abs(torch.linalg.det(augment._affine(image, random)[:, :2]).item()) for _ in range(400)]
    assert 0.22 < min(areas) < 0.35
    assert 1.5 < max(areas) < 1.95


def test_cut_mix_says_the_share_that_it_left():
    random = torch.Generator().manual_seed(1)
    images = torch.zeros(2, 3, 20, 20)
    images[1] = 1
    mixed, others, share = augment.cut_mix(images, torch.tensor([4, 7]), random)
    assert others.tolist() == [7, 4]
    assert 1 - mixed[0].mean().item() == pytest.approx(share)
    assert mixed[1].mean().item() == pytest.approx(share)


def test_soft_labels_alone_have_no_loss_when_they_are_met():
    logits = torch.randn(4, 6)
    labels = logits.argmax(1)
    soft = (logits / 2).softmax(1)
    hard = classifiers.loss_of(logits, labels, labels, 1.0, None)
    torch.testing.assert_close(classifiers.loss_of(logits, labels, labels, 1.0, soft), 0.3 * hard)
