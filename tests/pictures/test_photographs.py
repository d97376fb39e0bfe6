"""What ``make pictures`` fetches, and the gallery of it."""

import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image

import cs231n_viz as viz
from cs231n_viz.pictures import __main__ as command
from cs231n_viz.pictures import folders, photographs

SPECIES = {"Abyssinian": "1", "beagle": "2"}


def picture(path: Path, colour=(200, 100, 50)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 9), colour).save(path)


@pytest.fixture
def fetched(tmp_path, monkeypatch) -> Path:
    """The layouts of torchvision, with 20 pictures of each class, as the folder that is looked in by default."""
    for name in ("ant", "Faces", "Faces_easy", "BACKGROUND_Google"):
        for i in range(20):
            picture(tmp_path / f"caltech101/101_ObjectCategories/{name}/image_{i:04d}.jpg", (i, i, i))
    for split in ("train", "val"):
        for i in range(20):
            picture(tmp_path / f"imagenette2-160/{split}/n03028079/{split}_{i}.JPEG")
    lines = ["#Image CLASS-ID SPECIES BREED ID"]
    for breed, species in SPECIES.items():
        for i in range(20):
            picture(tmp_path / f"oxford-iiit-pet/images/{breed}_{i}.jpg")
            lines.append(f"{breed}_{i} 1 {species} 1")
    (tmp_path / "oxford-iiit-pet/annotations").mkdir()
    (tmp_path / "oxford-iiit-pet/annotations/list.txt").write_text("\n".join(lines))
    monkeypatch.setenv(photographs.VARIABLE, str(tmp_path))
    return tmp_path


def shown(gallery: viz.Gallery) -> list[str]:
    return [gallery.categories[label] for label in gallery.labels]


def test_photographs_carry_the_names_of_the_shipped_networks(fetched, capsys):
    gallery = viz.Gallery.photographs(50)
    assert gallery.categories == ["ant", "cat", "church", "dog", "Faces"]
    kinds = {Path(name).name.split("_")[0]: kind for name, kind in zip(gallery.names, shown(gallery), strict=True)}
    assert (kinds["Abyssinian"], kinds["beagle"], kinds["val"]) == ("cat", "dog", "church")
    assert gallery.masks is None
    assert gallery[0][0].shape == (3, 224, 224)
    assert capsys.readouterr().out == ""


def test_none_of_them_was_in_the_training_set(fetched):
    """Of 40 pictures of Caltech-101 and 40 pets a fifth was held out, of Imagenette its validation pictures."""
    gallery = viz.Gallery.photographs(50)
    sources = Counter(name.split("/")[0] for name in gallery.names)
    assert sources == {"caltech101": 8, "oxford-iiit-pet": 8, "imagenette2-160": 20}
    assert all("/val/" in name for name in gallery.names if "imagenette" in name)


def test_the_training_scripts_hold_out_the_same_pictures(pictures):
    from training.pictures import find

    held_out = {path for rows in find(pictures).held_out.values() for path, _ in rows}
    gallery = viz.Gallery.photographs(1000, folder=pictures)
    assert {pictures.resolve() / name for name in gallery.names} == {path.resolve() for path in held_out}


def test_the_real_ones_are_known_to_a_shipped_network_by_name(pictures):
    gallery = viz.Gallery.photographs(6, categories=["cat", "Faces", "Motorbikes", "church"], folder=pictures)
    model = viz.load_model("mini_vgg")
    assert set(viz.Gallery.photographs(1, folder=pictures).categories) <= set(model.categories)
    found = [model.predict(image, k=1)[0][0][0] for image, _ in gallery]
    assert sum(a == b for a, b in zip(found, shown(gallery), strict=True)) > len(gallery) // 2  # chance is one in 113


def test_the_categories_take_turns_and_their_number_is_bounded(fetched):
    gallery = viz.Gallery.photographs(2, categories=["church", "cat"])
    assert shown(gallery) == ["church", "cat", "church", "cat"]
    assert max(Counter(shown(viz.Gallery.photographs(3))).values()) == 3


def test_the_choice_depends_on_the_seed_alone(fetched):
    few, many = (viz.Gallery.photographs(n, categories=["church"]) for n in (3, 9))
    assert many.names[:3] == few.names
    mixed = viz.Gallery.photographs(9, categories=["ant", "church"])
    assert [name for name in mixed.names if "imagenette" in name] == many.names
    again, other = (viz.Gallery.photographs(9, categories=["church"], seed=seed) for seed in (0, 1))
    assert (again.names, again.key) == (many.names, many.key)
    assert other.names != many.names
    assert len({many.key, few.key, other.key, viz.Gallery.photographs(9, categories=["church"], size=8).key}) == 4


def test_another_picture_under_the_same_name_changes_the_key(fetched):
    before = viz.Gallery.photographs(9, categories=["church"])
    with (fetched / before.names[0]).open("ab") as file:
        file.write(b"more")
    assert viz.Gallery.photographs(9, categories=["church"]).key != before.key


def test_it_can_be_pickled_for_another_process(fetched):
    gallery = viz.Gallery.photographs(2, size=8)
    assert torch.equal(pickle.loads(pickle.dumps(gallery))[3][0], gallery[3][0])


def test_a_set_that_is_missing_is_done_without(fetched):
    (fetched / "oxford-iiit-pet").rename(fetched / "elsewhere")
    assert viz.Gallery.photographs(5).categories == ["ant", "church", "Faces"]


def test_an_unknown_category_gets_the_closest_name(fetched):
    with pytest.raises(ValueError, match=r"no photographs of 'chrch' .* did you mean 'church'"):
        viz.Gallery.photographs(5, categories=["chrch"])
    with pytest.raises(ValueError, match="there are ant, cat, church, dog, Faces"):
        viz.Gallery.photographs(5, categories=["xyz"])


@pytest.mark.parametrize(("name", "value"), [("per_class", 0), ("size", 0), ("seed", -1)])
def test_counts_that_mean_nothing_are_refused(name, value, fetched):
    with pytest.raises(ValueError, match=f"{name} must be a whole number from . up, got {value}"):
        viz.Gallery.photographs(**{name: value})


def test_without_them_there_are_scenes_and_a_line_that_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(photographs.VARIABLE, str(tmp_path / "nothing"))
    gallery = viz.Gallery.photographs(2, categories=["cat", "Motorbikes", "church"], seed=3)
    assert Counter(shown(gallery)) == {"cat": 2, "Motorbikes": 2}
    assert gallery.masks is not None
    scenes = viz.Gallery.scenes(8, seed=3)
    assert torch.equal(gallery[0][0], scenes[scenes.names.index(gallery.names[0])][0])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("No photographs have been fetched: scenes of cat, Motorbikes instead.")
    assert "make pictures" in line
    assert viz.Gallery.photographs(2, seed=3).key == scenes.key  # of all categories
    with pytest.raises(FileNotFoundError, match=r"no photographs of church, and no scenes .* cat, .*make pictures"):
        viz.Gallery.photographs(2, categories=["church"])


def test_the_folder_is_that_of_the_environment_or_of_the_system(monkeypatch):
    monkeypatch.setenv(photographs.VARIABLE, "~/pictures")
    assert viz.photographs_folder() == Path.home() / "pictures"
    monkeypatch.delenv(photographs.VARIABLE)
    folder = viz.photographs_folder()
    assert folder.is_absolute()
    assert folder.parts[-2:] == ("cs231n_viz", "pictures")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_DATA_HOME", "/data/of/mine")
        assert viz.photographs_folder() == Path("/data/of/mine/cs231n_viz/pictures")


def no_connection(*arguments, **options):
    raise OSError("Name or service not known")


def test_without_a_connection_one_sentence_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cs231n_viz.pictures.fetching.urlopen", no_connection)
    assert command.main([str(tmp_path / "new")]) == 1
    written = capsys.readouterr()
    assert written.out == ""
    for part in ("Imagenette", "Caltech101", "OxfordIIITPet", "Name or service not known", "scenes", "again"):
        assert part in written.err
    assert len(written.err.splitlines()) == 1


def test_what_is_there_is_not_fetched_and_the_place_is_named(fetched, monkeypatch, capsys):
    monkeypatch.setattr("cs231n_viz.pictures.fetching.urlopen", no_connection)
    assert command.main([]) == 0
    assert capsys.readouterr().out == f"The photographs lie in {fetched}\n"
    monkeypatch.setenv(photographs.VARIABLE, str(fetched / "elsewhere"))
    assert command.main([str(fetched)]) == 0
    assert photographs.VARIABLE in capsys.readouterr().out.splitlines()[1]


def test_one_set_that_fails_does_not_keep_the_others_away(tmp_path, monkeypatch):
    asked = []

    def fetch(archive, root):
        asked.append(archive.folder)
        if "caltech" in archive.folder:
            no_connection()

    monkeypatch.setattr(folders, "fetch", fetch)
    with pytest.raises(ConnectionError, match="Caltech101: Name or service not known") as caught:
        viz.fetch_photographs(tmp_path)
    assert "Imagenette" not in str(caught.value)
    assert {Path(folder).name for folder in asked} == {
        "101_ObjectCategories",
        "imagenette2-160",
        "annotations",
        "images",
    }


def test_addresses_and_checksums_are_those_of_torchvision():
    """Of Caltech-101 and where torchvision keeps them within a method, its source has them."""
    import inspect

    import torchvision
    from torchvision import datasets

    here = torchvision.__version__
    if tuple(map(int, here.split(".")[:2])) < (0, 29):
        pytest.skip(f"torchvision {here} names an earlier archive of Caltech-101 than the locked one")
    for name in photographs.FETCHED:
        source = inspect.getsource(getattr(datasets, name))
        for archive in folders.SOURCES[name].archives:
            assert archive.md5 in source
            assert archive.url in source


@pytest.mark.slow
def test_the_command_is_there_for_those_without_make():
    shown = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "cs231n_viz.pictures", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert photographs.VARIABLE in shown.stdout
