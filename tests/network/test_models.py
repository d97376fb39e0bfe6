import hashlib
import http.server
import json
import os
import re
import shutil
import threading
from functools import partial

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

import cs231n_viz as viz
from cs231n_viz.data_files import data_path
from cs231n_viz.network import models, shipped

MINI = ["mini_alexnet", "mini_vgg"]


@pytest.fixture
def no_connection(monkeypatch, tmp_path):
    """An empty weights cache, and every address out of reach."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    return tmp_path


@pytest.mark.parametrize("name", MINI)
def test_shipped_networks_are_plain_small_and_frozen(name):
    model = viz.load_model(name)
    kinds = {type(module) for module in model.network}
    pooled = {nn.AdaptiveAvgPool2d} if name == "mini_vgg" else set()
    assert kinds == {nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Linear} | pooled
    assert sum(p.numel() for p in model.parameters()) <= {"mini_alexnet": 4.5e6, "mini_vgg": 2.5e6}[name]
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert len(model.categories) == 113
    assert {"cat", "dog", "flower", "church", "Motorbikes"} <= set(model.categories)
    assert model(torch.rand(2, 3, 224, 224)).shape == (2, 113)


def test_mini_alexnet_has_alexnets_shape():
    shapes = {layer.name: layer.shape for layer in viz.load_model("mini_alexnet", weights=None).layers()}
    assert shapes["conv1"] == (64, 55, 55)
    assert shapes["conv5"] == (128, 13, 13)
    assert shapes["pool5"] == (128, 6, 6)
    assert shapes["fc6"] == shapes["fc7"] == (512,)
    model = viz.load_model("mini_alexnet", weights=None)
    assert (model.layer("conv5").receptive_field, model.layer("pool5").receptive_field) == (163, 195)


@pytest.mark.parametrize("name", MINI)
def test_untrained_weights_depend_on_the_seed_alone(name):
    before = torch.random.get_rng_state()
    first, again, other = (viz.load_model(name, weights=None, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    images = torch.rand(1, 3, 224, 224)
    assert torch.equal(first(images), again(images))
    assert not torch.equal(first(images), other(images))
    assert first(images).std() > 0.01  # signal survives an untrained stack


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "inception_v3", "squeezenet1_1"])
def test_torchvision_networks_without_weights_need_no_connection(name, no_connection):
    model = viz.load_model(name, weights=None, seed=3)
    assert len(model.categories) == 1000
    assert model.input_size == (299 if name == "inception_v3" else 224)
    assert model(torch.rand(1, 3, model.input_size, model.input_size)).shape == (1, 1000)
    again = viz.load_model(name, weights=None, seed=3)
    key = next(iter(model.network.state_dict()))
    assert torch.equal(model.network.state_dict()[key], again.network.state_dict()[key])


def test_missing_weights_say_what_where_from_and_what_works(no_connection):
    with pytest.raises(viz.WeightsError) as error:
        viz.load_model("resnet18")
    for part in ("resnet18-f37072fd.pth", "https://", str(no_connection / "checkpoints"), "mini_alexnet, mini_vgg"):
        assert part in str(error.value)


@pytest.fixture
def weights_server(tmp_path, monkeypatch):
    """torchvision's address for SqueezeNet, moved to a server on loopback with a small true file."""
    served, cache = tmp_path / "served", tmp_path / "cache"
    served.mkdir()
    torch.manual_seed(5)
    state = torchvision.models.squeezenet1_1(weights=None).state_dict()
    torch.save(state, served / "w.pth")
    digest = hashlib.sha256((served / "w.pth").read_bytes()).hexdigest()[:8]
    name = f"squeezenet1_1-{digest}.pth"
    (served / "w.pth").rename(served / name)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=served)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    entry = torchvision.models.SqueezeNet1_1_Weights.DEFAULT
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    monkeypatch.setattr(type(entry), "url", property(lambda self: url))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(cache))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield served / name, cache / "checkpoints" / name, state
    server.shutdown()
    server.server_close()


def test_default_weights_are_fetched_once_and_then_come_from_the_cache(weights_server):
    served, cached, state = weights_server
    key = "classifier.1.weight"
    assert torch.equal(viz.load_model("squeezenet1_1").network.state_dict()[key], state[key])
    assert cached.exists()
    served.unlink()
    assert torch.equal(viz.load_model("squeezenet1_1").network.state_dict()[key], state[key])


def test_a_prepared_cache_needs_no_server(weights_server):
    served, cached, state = weights_server
    cached.parent.mkdir(parents=True)
    shutil.move(served, cached)
    assert torch.equal(
        viz.load_model("squeezenet1_1").network.state_dict()["features.0.weight"], state["features.0.weight"]
    )


def test_a_damaged_download_or_cache_is_a_weights_error(weights_server):
    served, cached, _ = weights_server
    served.write_bytes(served.read_bytes()[:-100])
    with pytest.raises(viz.WeightsError, match="could not be had"):
        viz.load_model("squeezenet1_1")
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(b"not weights at all")
    with pytest.raises(viz.WeightsError, match=f"{cached.name} is damaged"):
        viz.load_model("squeezenet1_1")


class Payload:
    """What a hostile file holds: unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("hash_fits", [False, True])
def test_code_in_a_cached_file_is_never_run(hash_fits, tmp_path, monkeypatch, no_connection):
    """The error that names the cache advises to put a file there by hand: it may be anything."""
    crafted = tmp_path / "crafted.pth"
    torch.save({"features.0.weight": Payload(tmp_path / "ran")}, crafted)
    digest = hashlib.sha256(crafted.read_bytes()).hexdigest()[:8] if hash_fits else "f37072fd"
    entry = torchvision.models.ResNet18_Weights.DEFAULT
    monkeypatch.setattr(type(entry), "url", property(lambda self: f"https://nowhere.invalid/resnet18-{digest}.pth"))
    cached = no_connection / "checkpoints" / f"resnet18-{digest}.pth"
    cached.parent.mkdir(parents=True)
    shutil.move(crafted, cached)
    message = "code in it is never run" if hash_fits else "damaged, or another file.*wanted f37072fd"
    with pytest.raises(viz.WeightsError, match=message):
        viz.load_model("resnet18")
    assert not (tmp_path / "ran").exists()


def test_the_hash_of_a_cached_file_is_checked_on_every_load(weights_server):
    _, cached, _ = weights_server
    viz.load_model("squeezenet1_1")
    data = bytearray(cached.read_bytes())
    data[len(data) // 2] ^= 1  # in the middle of the weights: the file can still be read
    cached.write_bytes(data)
    with pytest.raises(viz.WeightsError, match="damaged, or another file"):
        viz.load_model("squeezenet1_1")


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "densenet121", "resnet18"])
def test_trained_networks_are_built_as_torchvision_builds_them(name, monkeypatch, tmp_path):
    """Against torchvision's own loading of the same state dict, auxiliary heads and old names of layers included."""
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    state = torchvision.models.get_model(name, weights=None, **extra).state_dict()
    old = re.compile(r"(denselayer1\.norm)1(?!\.num_batches)")
    state = {old.sub(r"\1.1", key): torch.rand_like(value) if value.is_floating_point() else value
             for key, value in state.items()}  # fmt: skip
    if name == "densenet121":
        assert any("denselayer1.norm.1" in key for key in state)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: dict(state))
    theirs = torchvision.models.get_model(name, weights="DEFAULT").eval()
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "state.safetensors")
    monkeypatch.setattr(models, "fetch", lambda *_: tmp_path / "state.safetensors")
    ours = viz.load_model(name).network
    assert repr(ours) == repr(theirs)
    wanted, got = theirs.state_dict(), ours.state_dict()
    assert got.keys() == wanted.keys()
    assert all(torch.equal(got[key], value) for key, value in wanted.items())
    settings = ("aux_logits", "transform_input")
    assert [getattr(ours, key, None) for key in settings] == [getattr(theirs, key, None) for key in settings]


def test_a_shipped_file_with_a_wrong_sum_is_refused(monkeypatch, tmp_path):
    shutil.copytree(data_path("weights"), tmp_path / "weights")
    path = tmp_path / "weights" / "mini_vgg.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    for module in (models, shipped):
        monkeypatch.setattr(module, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(viz.WeightsError, match=r"mini_vgg\.safetensors is damaged: its sha256"):
        viz.load_model("mini_vgg")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_from_a_path(tmp_path, suffix):
    model = viz.load_model("mini_vgg", weights=None, seed=7)
    path = tmp_path / f"mine{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save({key: value.contiguous() for key, value in model.network.state_dict().items()}, path)
    images = torch.rand(1, 3, 224, 224)
    assert torch.equal(viz.load_model("mini_vgg", weights=path)(images), model(images))


def test_foreign_weights_are_refused_with_their_difference(tmp_path):
    state = torchvision.models.resnet18(weights=None).state_dict()
    path = tmp_path / "w.pt"
    torch.save({**state, "fc.weight": torch.zeros(10, 512)}, path)
    with pytest.raises(viz.WeightsError, match=r"fc.weight has shape \(10, 512\), wanted \(1000, 512\)"):
        viz.load_model("resnet18", weights=path)
    with pytest.raises(viz.WeightsError, match="keys missing"):
        viz.load_model("alexnet", weights=path)
    torch.save([1, 2], path)
    with pytest.raises(viz.WeightsError, match="must hold a state dict"):
        viz.load_model("resnet18", weights=path)
    path.write_bytes(b"garbage")
    with pytest.raises(viz.WeightsError, match=r"w\.pt"):
        viz.load_model("resnet18", weights=path)
    with pytest.raises(viz.WeightsError, match="there is no weights file"):
        viz.load_model("resnet18", weights=tmp_path / "none.pt")


class Evil:
    def __reduce__(self):
        return (print, ("code from a weights file ran",))


def test_code_in_a_weights_file_is_never_run(tmp_path, capsys):
    torch.save({"x": Evil()}, tmp_path / "evil.pt", _use_new_zipfile_serialization=True)
    with pytest.raises(viz.WeightsError, match="never run"):
        viz.load_model("resnet18", weights=tmp_path / "evil.pt")
    assert "ran" not in capsys.readouterr().out


def test_an_unknown_name_lists_the_closest():
    with pytest.raises(ValueError, match=r"no model 'mini_alexnt'; close names: mini_alexnet"):
        viz.load_model("mini_alexnt")
    with pytest.raises(ValueError, match="resnet18"):
        viz.load_model("resnet-18")


def test_categories_by_name():
    model = viz.load_model("mini_vgg", weights=None)
    assert model.categories[model.index("cat")] == "cat"
    assert model.index("motorbikes") == model.index("Motorbikes")
    with pytest.raises(KeyError, match="no category 'motorbike'; close names: 'Motorbikes'"):
        model.index("motorbike")


def test_prepare_keeps_the_middle_and_the_range():
    model = viz.load_model("mini_alexnet", weights=None)
    batch = model.prepare(["motorcycle", viz.load_image("cat"), "coins"])
    assert batch.shape == (3, 3, 224, 224)
    assert 0 <= batch.min() < batch.max() <= 1
    wide = torch.zeros(3, 224, 448)
    wide[:, :, 112:336] = 1
    assert torch.equal(model.prepare(wide), torch.ones(1, 3, 224, 224))
    with pytest.raises(ValueError, match="empty list"):
        model.prepare([])


def test_wrong_image_shapes_are_named():
    model = viz.load_model("mini_alexnet", weights=None)
    with pytest.raises(ValueError, match=r"must be \(N, 3, H, W\), got \(3, 224, 224\); model.prepare"):
        model(torch.rand(3, 224, 224))
    with pytest.raises(ValueError, match="k must be from 1 to 113, got 0"):
        model.predict("cat", k=0)


def test_wrap_normalises_inside_and_leaves_the_network_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
                            nn.Flatten(), nn.Linear(4, 2)).train()  # fmt: skip
    running = network[1].running_mean.clone()
    model = viz.wrap(network, ["a", "b"], mean=[0.5, 0.4, 0.3], std=[0.1, 0.2, 0.3], input_size=32)
    images = torch.rand(2, 3, 32, 32)
    model.predict(images, k=1)
    model.layers()
    assert network.training
    assert torch.equal(network[1].running_mean, running)
    network.eval()
    by_hand = (images - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    torch.testing.assert_close(model(images), network(by_hand))
    with pytest.raises(ValueError, match=r"\(N, 3\) logits for these categories, got \(1, 2\)"):
        viz.wrap(network, ["a", "b", "c"], input_size=32)
    with pytest.raises(ValueError, match="std above 0"):
        viz.wrap(network, ["a", "b"], std=[1, 0, 1])


def test_probabilities_are_sorted_and_sum_to_one():
    model = viz.load_model("mini_vgg", weights=None)
    ((*rows,),) = model.predict("cat", k=113)
    shares = [p for _, p in rows]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)


SHOWN = {
    "motorcycle": "Motorbikes",
    "astronaut": "Faces",
    "grace_hopper": "Faces",
    "cat": "cat",
    "flower": "flower",
    "coffee": "cup",
    "china": "pagoda",
}


@pytest.mark.parametrize(("photo", "category"), SHOWN.items())
@pytest.mark.parametrize("name", MINI)
def test_the_bundled_photographs_come_out_right(name, photo, category):
    ((*answers,),) = viz.load_model(name).predict(photo, k=3)
    wanted = answers if category == "pagoda" else answers[:1]  # china: among the first three
    assert category in [label for label, _ in wanted]


def test_cards_tell_the_sum_of_the_file_that_ships():
    sums = json.loads(data_path("weights", "sha256.json").read_text())
    for name in MINI:
        file = f"{name}.safetensors"
        assert hashlib.sha256(data_path("weights", file).read_bytes()).hexdigest() == sums[file]
        assert sums[file] in data_path("weights", f"{name}.md").read_text()


LEAST = {"mini_alexnet": {"caltech101": 0.74, "imagenette": 0.80}, "mini_vgg": {"caltech101": 0.78, "imagenette": 0.85}}


@pytest.mark.slow
@pytest.mark.parametrize("name", MINI)
def test_cards_tell_the_held_out_accuracy_of_the_file_that_ships(name, pictures):
    training = pytest.importorskip("training.classifiers")
    from training.export import SETS

    found = training.pictures.find(pictures)
    card = data_path("weights", f"{name}.md").read_text()
    model = viz.load_model(name)
    for key, (crops, labels) in training.held_out_sets(found, model.input_size).items():
        top, _ = training.accuracy(model.network, crops, labels, len(model.categories))
        assert f"| {SETS[key][0]} | {len(labels)} | {top:.1%} |" in card
        assert top >= LEAST[name].get(key, 0)
