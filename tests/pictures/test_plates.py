"""Plates: what ships is whole, says what made it, and nothing else is read under its name."""

import hashlib
import json
import shutil

import pytest
import torch
from PIL import Image

from cs231n_viz import data_files
from cs231n_viz.data_files import data_path
from cs231n_viz.pictures.images import ImageError
from cs231n_viz.pictures.plates import load_plate, plate_names


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of one plate, which a test may damage, in the place where a checkout has it."""
    copy = tmp_path / "data" / "plates"
    copy.mkdir(parents=True)
    for file in ("channel_small.jpg", "sha256.json", "captions.json"):
        shutil.copy(data_path("plates", file), copy)
    (tmp_path / "data" / "secret.jpg").write_bytes((copy / "channel_small.jpg").read_bytes())
    (tmp_path / "cs231n_viz").mkdir()
    monkeypatch.setattr(data_files, "_PACKAGE", tmp_path / "cs231n_viz")
    return copy


@pytest.mark.parametrize("name", plate_names())
def test_a_plate_is_a_picture_that_says_what_made_it(name):
    plate = load_plate(name)
    assert plate.name == name
    assert plate.image.dtype == torch.float32
    assert plate.image.shape[0] == 3
    assert 0 <= plate.image.min() < plate.image.max() <= 1
    with Image.open(plate.path) as file:
        assert plate.image.shape[1:] == (file.height, file.width)
        assert file.width <= 1600
    assert {"method", "networks", "arguments", "seed", "layout", "weights", "versions"} == plate.settings.keys()
    assert len(plate.caption) > 20
    assert len(plate.alt) > 20


@pytest.mark.parametrize("name", plate_names())
def test_the_networks_of_a_plate_are_those_that_ship(name):
    sums = json.loads(data_path("weights", "sha256.json").read_text())
    settings = load_plate(name).settings
    assert settings["networks"]
    assert settings["weights"] == {network: sums[f"{network}.safetensors"] for network in settings["networks"]}


def test_the_folder_holds_what_is_listed_and_is_a_small_download():
    sums = json.loads(data_path("plates", "sha256.json").read_text())
    files = {path.name: path.stat().st_size for path in data_path("plates").iterdir()}
    assert files.keys() == sums.keys() | {"sha256.json", "captions.json"}
    assert json.loads(data_path("plates", "captions.json").read_text()).keys() == set(plate_names())
    assert sum(files.values()) <= 12e6


def test_the_readme_of_the_data_names_every_plate_and_its_sum():
    text = data_path("README.md").read_text()
    for name, sha in json.loads(data_path("plates", "sha256.json").read_text()).items():
        assert hashlib.sha256(data_path("plates", name).read_bytes()).hexdigest() == sha
        assert f"| `plates/{name}` | `{sha}` |" in text


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ImageError, match=r"no plate 'chanel_small'; did you mean 'channel_small'\? There are "):
        load_plate("chanel_small")


@pytest.mark.parametrize(
    "name", ["../secret", "../data/secret", "channel_small.jpg", "./channel_small", "sha256", "", ".", None, 3]
)
def test_only_names_are_read_not_paths(folder, name):
    with pytest.raises(ImageError, match=r"no plate .*There are channel_small"):
        load_plate(name)


@pytest.mark.parametrize("damage", ["cut", "changed", "another", "gone"])
def test_a_damaged_file_is_refused(folder, damage):
    path = folder / "channel_small.jpg"
    whole = path.read_bytes()
    assert load_plate("channel_small").path == path
    path.unlink()
    if damage == "cut":
        path.write_bytes(whole[:-100])
    elif damage == "changed":
        path.write_bytes(whole[:-50] + bytes([whole[-50] ^ 1]) + whole[-49:])
    elif damage == "another":
        Image.new("RGB", (96, 96)).save(path)
    with pytest.raises(ImageError, match=r"channel_small\.jpg is missing or damaged: .*git checkout data/plates"):
        load_plate("channel_small")
