import json

import pytest

from cs231n_viz import data_files
from cs231n_viz.data_files import data_path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data folder with one file, in the place where a checkout has it."""
    (tmp_path / "data" / "weights").mkdir(parents=True)
    (tmp_path / "data" / "weights" / "mini_vgg.safetensors").touch()
    (tmp_path / "cs231n_viz").mkdir()
    monkeypatch.setattr(data_files, "_PACKAGE", tmp_path / "cs231n_viz")
    return tmp_path


def test_a_checkout_uses_the_folder_beside_the_package(root):
    assert data_files.data_path("weights") == root / "data" / "weights"


def test_an_installed_wheel_uses_the_folder_inside_the_package(root):
    (root / "data").rename(root / "cs231n_viz" / "data")
    assert data_files.data_path("weights") == root / "cs231n_viz" / "data" / "weights"


@pytest.mark.parametrize("parts", [("weights", "mini_vg.safetensors"), ("weight",), ("nowhere", "at", "all")])
def test_a_missing_file_is_named(root, parts):
    with pytest.raises(FileNotFoundError, match="'" + "/".join(parts) + "' is not among"):
        data_files.data_path(*parts)


def test_the_nearest_name_is_offered(root):
    with pytest.raises(FileNotFoundError, match=r"did you mean 'mini_vgg\.safetensors'"):
        data_files.data_path("weights", "mini_vg.safetensors")


def test_the_readme_of_the_data_names_every_file_and_its_sum():
    text = data_path("README.md").read_text()
    for path in data_path("weights").iterdir():
        assert path.name in text, path.name
    for name, sha in json.loads(data_path("weights", "sha256.json").read_text()).items():
        assert f"| `weights/{name}` | `{sha}` |" in text
