import hashlib
import http.server
import json
import os
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
from cs231n_viz.network import shipped
from cs231n_viz.network.shipped import ARCHITECTURES, fold_batch_norm


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shipped_networks_are_plain_small_and_frozen(name):
    model = viz.load_model(name)
    kinds = {type(module) for module in model.network}
    pool = nn.AvgPool2d if name == "mini_vgg_robust" else nn.MaxPool2d
    pooled = set() if name == "mini_alexnet" else {nn.AdaptiveAvgPool2d}
    assert kinds == {nn.Conv2d, nn.ReLU, pool, nn.Flatten, nn.Linear} | pooled
    assert sum(p.numel() for p in model.parameters()) <= (4.5e6 if name == "mini_alexnet" else 2.5e6)
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


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_folding_keeps_the_logits_and_the_trained_network(name):
    build = ARCHITECTURES[name]
    trained = build(7, batch_norm=True, dropout=0.5).train()
    for module in trained.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    plain = fold_batch_norm(trained, build(7))
    assert trained.training
    assert not plain.training
    assert all(torch.equal(value, before[key]) for key, value in trained.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d | nn.Dropout) for module in plain.modules())
    images = torch.randn(2, 3, 224, 224)
    torch.testing.assert_close(plain(images), trained.eval()(images), atol=1e-4, rtol=1e-4)


def test_an_error_for_missing_weights_names_file_address_and_what_works_offline(no_connection):
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
    with pytest.raises(viz.WeightsError, match="could not be downloaded"):
        viz.load_model("squeezenet1_1")
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(b"not weights at all")
    with pytest.raises(viz.WeightsError, match=f"{cached.name} is damaged"):
        viz.load_model("squeezenet1_1")


class Payload:
    """The content of a malicious file: unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("hash_fits", [False, True])
def test_code_in_a_cached_file_is_never_run(hash_fits, tmp_path, monkeypatch, no_connection):
    """The error message advises to put a file into the cache by hand: it may be any file."""
    crafted = tmp_path / "crafted.pth"
    torch.save({"features.0.weight": Payload(tmp_path / "ran")}, crafted)
    digest = hashlib.sha256(crafted.read_bytes()).hexdigest()[:8] if hash_fits else "f37072fd"
    entry = torchvision.models.ResNet18_Weights.DEFAULT
    monkeypatch.setattr(type(entry), "url", property(lambda self: f"https://nowhere.invalid/resnet18-{digest}.pth"))
    cached = no_connection / "checkpoints" / f"resnet18-{digest}.pth"
    cached.parent.mkdir(parents=True)
    shutil.move(crafted, cached)
    message = "code in it is never run" if hash_fits else "damaged, or another file.*expected f37072fd"
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


def test_a_shipped_file_with_a_wrong_checksum_is_refused(monkeypatch, tmp_path):
    shutil.copytree(data_path("weights"), tmp_path / "weights")
    path = tmp_path / "weights" / "mini_vgg.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr(shipped, "data_path", lambda *parts: tmp_path.joinpath(*parts))
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
    with pytest.raises(viz.WeightsError, match=r"fc.weight has shape \(10, 512\), expected \(1000, 512\)"):
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


def test_code_in_a_weights_file_is_never_run(tmp_path):
    torch.save({"x": Payload(tmp_path / "ran")}, tmp_path / "malicious.pt", _use_new_zipfile_serialization=True)
    with pytest.raises(viz.WeightsError, match="never run"):
        viz.load_model("resnet18", weights=tmp_path / "malicious.pt")
    assert not (tmp_path / "ran").exists()


def test_cards_state_the_checksum_of_the_file_that_ships():
    sums = json.loads(data_path("weights", "sha256.json").read_text())
    for name in ARCHITECTURES:
        file = f"{name}.safetensors"
        assert hashlib.sha256(data_path("weights", file).read_bytes()).hexdigest() == sums[file]
        assert sums[file] in data_path("weights", f"{name}.md").read_text()
