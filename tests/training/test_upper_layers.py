import copy
import dataclasses
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn

from cs231n_viz.network.shipped import ARCHITECTURES
from tests.training.small_runs import run_for, stripes
from training import last_layer, pictures, upper_layers
from training.export import folded
from training.upper_layers import VIEWS, Stage, merged, sampling_weights, split, tune


def checkpoint(name="mini_alexnet", classes=4, *, seed=0):
    """A network whose batch norms do something, as a checkpoint holds it."""
    torch.manual_seed(seed)
    network = ARCHITECTURES[name](classes, batch_norm=True).train()
    for _ in range(3):
        network(torch.randn(6, 3, 96, 96))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    return {"name": name, "categories": list("abcdefgh"[:classes]), "network": network.eval().state_dict()}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_merging_the_batch_norms_leaves_the_logits_as_they_were(name):
    state = checkpoint(name)
    original = ARCHITECTURES[name](4, batch_norm=True).eval()
    original.load_state_dict(state["network"])
    images = torch.randn(2, 3, 224, 224)
    lower, upper = split(merged(state))
    assert list(dict(lower.named_children()))[-1] == "pool2"
    with torch.no_grad():
        torch.testing.assert_close(upper(lower(images)), original(images), rtol=1e-4, atol=1e-5)


def test_classes_and_kinds_are_sampled_as_often_as_the_stage_says():
    labels = torch.tensor([0] * 40 + [1] * 160)
    kinds = torch.arange(5).repeat_interleave(200)
    stage = Stage("pool2", 1, {"plain": 1.2, "small": 0.9}, {"plain": 0.15, "small": 0.2})
    weights, length = sampling_weights(labels.repeat(5), kinds, stage)
    assert length == int(200 * (1.2 + 0.9))
    per_kind = weights.view(5, 200)
    assert per_kind.sum(1).tolist() == pytest.approx([240, 0, 0, 180, 0])
    assert per_kind[0, -1] / per_kind[0, 0] == pytest.approx(16**0.15)  # recorded by the root of the size of the class
    assert per_kind[3, -1] / per_kind[3, 0] == pytest.approx(16**0.2)


EVERYTHING = Stage("pool2", 10, dict.fromkeys(VIEWS, 1.0), {})


def upper_layers_of(classes=4, *, channels=9, side=5, dropout=0.0):
    """What tune() makes use of, in small: convolution, batch norm whose statistics are not its own, dropout."""
    torch.manual_seed(0)
    layers = {"conv3": nn.Conv2d(channels, 16, 3, padding=1), "norm3": nn.BatchNorm2d(16), "relu3": nn.ReLU()}
    layers |= {"flatten": nn.Flatten(), "drop6": nn.Dropout(dropout), "fc6": nn.Linear(16 * side**2, 32)}
    layers |= {"relu6": nn.ReLU(), "fc8": nn.Linear(32, classes)}
    nn.init.uniform_(layers["norm3"].running_mean, -0.2, 0.2)
    nn.init.uniform_(layers["norm3"].running_var, 0.5, 2)
    return nn.Sequential(OrderedDict(layers)).eval().requires_grad_(False)


def recorded_views(classes=4, count=100, *, channels=9, side=5):
    """Inputs with a channel for each label and for each kind; soft labels that agree with the labels."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    inputs = torch.rand(count, channels, side, side, generator=random)
    inputs[torch.arange(count), labels] += 4
    soft = torch.full((count, classes), 0.02)
    soft[torch.arange(count), labels] = 1 - 0.02 * (classes - 1)
    kinds = torch.arange(count) // (count // len(VIEWS))
    inputs[torch.arange(count), classes + kinds] += 4
    return {"inputs": inputs.bfloat16(), "labels": labels, "kinds": kinds, "soft": soft}


def test_tuning_learns_the_labels_and_repeats_itself():
    views = recorded_views()
    before = upper_layers_of(dropout=0.1)
    tuned, again = copy.deepcopy(before), copy.deepcopy(before)
    for upper in (tuned, again):
        tune(upper, views, EVERYTHING, lr=1e-2, seed=1)
    for key, value in tuned.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
        if "running" in key:
            assert torch.equal(value, before.state_dict()[key]), key

    def accuracy(layers):
        with torch.no_grad():
            return (layers(views["inputs"].float()).argmax(1) == views["labels"]).float().mean()

    assert accuracy(before) < 0.5
    assert accuracy(tuned) == 1


def test_a_stage_changes_the_layers_after_its_own():
    upper = split(merged(checkpoint()))[1]
    before = copy.deepcopy(upper.state_dict())
    tune(upper, recorded_views(channels=128, side=13), Stage("flatten", 1, {"plain": 1.0}, {}), lr=1e-3, seed=1)
    changed = {key for key, value in upper.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {f"fc{number}.{kind}" for number in (6, 7, 8) for kind in ("weight", "bias")}


def test_soft_labels_count_most_on_plain_views():
    views = recorded_views()
    views["soft"] = views["soft"].roll(1, dims=1)  # they contradict the labels
    upper = upper_layers_of()
    tune(upper, views, dataclasses.replace(EVERYTHING, epochs=60), lr=1e-2, seed=1)
    with torch.no_grad():
        predicted = upper(views["inputs"].float()).argmax(1)
    plain, recoloured = (views["kinds"] == list(VIEWS).index(kind) for kind in ("plain", "recoloured"))
    assert (predicted[plain] == (views["labels"][plain] + 1) % 4).float().mean() > 0.9
    assert (predicted[recoloured] != views["labels"][recoloured]).float().mean() < 0.1


def test_only_the_layers_after_pool2_change_and_nothing_is_done_twice(root, tmp_path, monkeypatch):
    for number in range(4):
        folder = root / "caltech101/101_ObjectCategories/pagoda"
        folder.mkdir(exist_ok=True)
        Image.fromarray(stripes(40, seed=number).permute(1, 2, 0).numpy()).save(folder / f"{number}.png")
    before = run_for(root, tmp_path / "runs", 1, monkeypatch)
    network = folded(before)
    monkeypatch.setattr(upper_layers, "VIEWS", dict.fromkeys(VIEWS, 8))
    stages = tuple(dataclasses.replace(stage, epochs=1) for stage in upper_layers.STAGES)
    monkeypatch.setattr(upper_layers, "STAGES", stages)
    monkeypatch.setattr(upper_layers, "ProcessPoolExecutor", lambda *_, mp_context: ThreadPoolExecutor(1))
    monkeypatch.setattr(upper_layers, "load_model", lambda _: SimpleNamespace(network=network, input_size=32))
    monkeypatch.setattr(upper_layers, "load_teacher", lambda *_: network)
    row = [label for _, label in pictures.find(root).train].index("Faces")
    monkeypatch.setattr(last_layer, "find_faces", lambda images, rows: [(row, (10, 10, 20, 20))])
    out = tmp_path / "third/mini_vgg"

    def call(lr):
        given = [str(root), str(tmp_path / "runs/mini_vgg/last.pt"), "--teacher", "none", "--shards", "2"]
        given += ["--lr", str(lr), "--out", str(tmp_path / "third")]
        monkeypatch.setattr("sys.argv", ["upper_layers", *given])
        upper_layers.main()
        return torch.load(out / "last.pt", weights_only=True), {
            file.name: file.stat().st_mtime_ns for file in out.glob("*.pt")
        }

    after, files = call(3e-4)
    assert set(files) == {"views_0.pt", "views_1.pt", "stage_1.pt", "stage_2.pt", "last.pt"}
    assert after["upper_layers"]["shards"] == 2
    old, new = folded(before).state_dict(), folded(after).state_dict()
    unchanged = {key for key in old if torch.allclose(old[key], new[key], rtol=1e-4, atol=1e-7)}
    assert unchanged == {f"conv{name}.{kind}" for name in ("1_1", "2_1") for kind in ("weight", "bias")}

    again, later = call(1.0)  # with nothing left to train, this learning rate changes nothing
    for key, value in folded(again).state_dict().items():
        assert torch.equal(value, new[key]), key
    assert {name for name in files if later[name] != files[name]} == {"last.pt"}
