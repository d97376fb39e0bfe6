"""Saved pictures: what is read back from the file, what is never overwritten, what is refused."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cs231n_viz import writing
from cs231n_viz.pictures.saving import file_name, read_settings, save_png

SETTINGS = {"class": "cañón", "steps": 256, "lr": 0.05, "jitter": True, "layers": ["relu1", "relu2"], "seed": None}


def picture(*size):
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch", [False, True])
def test_the_file_holds_the_pixels_and_the_settings(tmp_path, batch):
    image = picture(5, 7)
    path = save_png(image[None] if batch else image, tmp_path / "a.png", SETTINGS)
    assert path == tmp_path / "a.png"
    with Image.open(path) as read:
        assert (read.format, read.mode, read.size) == ("PNG", "RGB", (7, 5))
        pixels = np.asarray(read)
    assert (pixels == (image * 255).round().byte().permute(1, 2, 0).numpy()).all()
    assert read_settings(path) == SETTINGS


def test_black_and_white_are_exact_and_rounding_errors_are_clipped(tmp_path):
    image = torch.tensor([-1e-6, 0.0, 1.0, 1 + 1e-6]).expand(3, 1, 4)
    with Image.open(save_png(image, tmp_path / "a.png", {})) as read:
        assert np.asarray(read)[0, :, 0].tolist() == [0, 0, 255, 255]


def test_nothing_is_ever_overwritten(tmp_path):
    paths = [save_png(picture(4, 4), tmp_path / "cat.png", {"number": number}) for number in range(4)]
    assert [path.name for path in paths] == ["cat.png", "cat-2.png", "cat-3.png", "cat-4.png"]
    assert [read_settings(path)["number"] for path in paths] == [0, 1, 2, 3]


@pytest.mark.parametrize("links", [True, False])
def test_nothing_is_overwritten_nor_left_where_there_are_no_links(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(writing.os, "link", _no_links)
    (tmp_path / "cat.png").write_bytes(b"mine")
    path = save_png(picture(4, 4), tmp_path / "cat.png", {})
    assert sorted(os.listdir(tmp_path)) == ["cat-2.png", "cat.png"]
    assert (tmp_path / "cat.png").read_bytes() == b"mine"
    assert read_settings(path) == {}


def _no_links(*_):
    raise PermissionError("this file system has no links")


def test_a_file_that_could_not_be_written_is_not_there(tmp_path, monkeypatch):
    def half(self, file, *args, **kwargs):
        file.write(b"\x89PNG half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OSError, match="no space left"):
        save_png(picture(4, 4), tmp_path / "cat.png", {})
    assert os.listdir(tmp_path) == []


def test_others_may_read_the_file_as_any_other_file(tmp_path):
    (tmp_path / "plain").touch()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "plain", save_one(tmp_path))]
    assert modes[0] == modes[1]


def save_one(folder):
    return save_png(picture(4, 4), folder / "a.png", {})


def test_a_relative_path_and_a_string_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert save_png(picture(4, 4), "a.png", {}) == Path.cwd() / "a.png"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*holidays"):
        save_png(picture(4, 4), tmp_path / "holidays" / "a.png", {})


@pytest.mark.parametrize("name", ["a.jpg", "a"])
def test_another_kind_of_file_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"must end in \.png"):
        save_png(picture(4, 4), tmp_path / name, {})


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (torch.zeros(4, 4), r"shape \(4, 4\)"),
        (torch.zeros(1, 4, 4), r"shape \(1, 4, 4\)"),
        (torch.zeros(2, 3, 4, 4), "one at a time"),
        (torch.zeros(4, 4, 3), r"shape \(4, 4, 3\)"),
        (torch.zeros(3, 0, 4), r"shape \(3, 0, 4\)"),
        (np.zeros((3, 4, 4)), "must be a tensor"),
        ([[0.5]], "got list"),
        (torch.full((3, 4, 4), 1.5), r"must be in \[0, 1\], got values from 1.5"),
        (torch.full((3, 4, 4), -0.2), r"from -0.2"),
        (torch.full((3, 4, 4), float("nan")), "nan"),
    ],
)
def test_what_is_not_a_picture_is_refused_and_nothing_is_written(tmp_path, image, what):
    with pytest.raises(ValueError, match=what):
        save_png(image, tmp_path / "a.png", {})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("value", "kind"), [(torch.zeros(2), "Tensor"), (float("nan"), "float"), ({1}, "set")])
def test_settings_that_json_cannot_represent_are_named(tmp_path, value, kind):
    with pytest.raises(TypeError, match=f"'start' is a {kind}"):
        save_png(picture(4, 4), tmp_path / "a.png", {"steps": 3, "start": value})
    with pytest.raises(TypeError, match=rf"'recipe.start' is a {kind}"):
        save_png(picture(4, 4), tmp_path / "a.png", {"recipe": {"steps": 3, "start": value}})
    assert os.listdir(tmp_path) == []


def test_a_file_without_settings_and_one_that_is_not_a_picture_have_different_errors(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("a poem")
    with pytest.raises(ValueError, match="no settings inside"):
        read_settings(tmp_path / "plain.png")
    with pytest.raises(ValueError, match="is not a picture"):
        read_settings(tmp_path / "text.png")
    with pytest.raises(FileNotFoundError):
        read_settings(tmp_path / "none.png")


def test_a_file_name_holds_texts_numbers_and_the_names_of_what_is_on():
    values = {"category": "Persian cat", "steps": 256, "lr": 0.05, "blur": False, "jitter": True, "layer": "conv1_1"}
    assert file_name("dream", values) == "dream-Persian_cat-steps256-lr0.05-jitter-conv1_1.png"
    assert file_name("dream", {"path": "../../etc/passwd", "empty": "", "list": [1]}) == "dream-etc_passwd.png"
    long = file_name("dream", {str(number): "word" * 4 for number in range(20)})
    assert len(long) <= 83
    assert long.startswith("dream-wordword")
    assert long.endswith("word.png")
