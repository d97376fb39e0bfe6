import gc
import pickle
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets as tv

import cs231n_viz as viz
from cs231n_viz.pictures import folders
from cs231n_viz.pictures import gallery as gallery_module


def picture(path: Path, colour=(200, 100, 50), size=(12, 9)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def test_photos_are_labelled_in_the_words_of_the_shipped_networks():
    gallery = viz.Gallery.photos()
    assert gallery.names == viz.sample_images()
    image, label = gallery[gallery.names.index("motorcycle")]
    assert gallery.categories[label] == "Motorbikes"
    assert image.ndim == 3
    assert image.shape[0] == 3
    labels = {name: gallery.categories[label] for name, label in zip(gallery.names, gallery.labels, strict=True)}
    assert labels["astronaut"] == labels["grace_hopper"] == "Faces"
    assert labels["moon"] == "moon"


def test_pictures_load_when_asked_for(monkeypatch):
    loaded = []
    monkeypatch.setattr(gallery_module, "load_image", lambda name: loaded.append(name))
    gallery = viz.Gallery.photos()
    assert loaded == []
    assert len(list(gallery)) == len(gallery) == len(loaded)
    gallery[-1]
    assert loaded[-1] == gallery.names[-1]
    with pytest.raises(IndexError, match=f"picture {len(gallery)} of a gallery of {len(gallery)}"):
        gallery[len(gallery)]


def test_crops_are_squares_of_the_photographs_that_do_not_depend_on_how_many():
    few, many, other = (
        viz.Gallery.crops(5, size=32),
        viz.Gallery.crops(40, size=32),
        viz.Gallery.crops(40, size=32, seed=1),
    )
    assert len({name for name in many.names}) == len(viz.sample_images())
    for i in (4, 1):
        image, label = many[i]
        assert image.shape == (3, 32, 32)
        assert 0 <= image.min() <= image.max() <= 1
        assert torch.equal(image, few[i][0])
        assert many.categories[label] == few.categories[few.labels[i]]
    assert not torch.equal(many[4][0], other[4][0])
    assert many.key != other.key != few.key


@pytest.mark.parametrize(("name", "value"), [("n", 0), ("size", 0), ("seed", -1), ("n", 2.5)])
def test_crops_refuse_counts_that_mean_nothing(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number from . up, got {value}"):
        viz.Gallery.crops(**{name: value})


def test_digits_are_light_on_dark_and_labelled_by_what_they_are():
    gallery = viz.Gallery.digits()
    assert len(gallery) == 1797
    assert gallery.categories == list("0123456789")
    image, label = gallery[0]
    assert image.shape == (3, 8, 8)
    assert label == 0
    assert image.max() > 0.9
    assert image[:, :, 0].max() == 0  # paper
    assert torch.equal(image[0], image[2])


def test_a_subset_keeps_order_labels_and_categories():
    gallery = viz.Gallery.digits()
    part = gallery.subset([7, -1, 7])
    assert part.names == [gallery.names[i] for i in (7, -1, 7)]
    assert part.labels == [gallery.labels[i] for i in (7, -1, 7)]
    assert part.categories == gallery.categories
    assert torch.equal(part[1][0], gallery[-1][0])
    assert part.key != gallery.key
    assert part.key == gallery.subset([7, 1796, 7]).key != gallery.subset([7, 7, -1]).key
    assert torch.equal(part.subset([1])[0][0], gallery[-1][0])
    with pytest.raises(IndexError, match="picture 1797 of a gallery of 1797"):
        gallery.subset([1797])


@pytest.mark.parametrize("make", ["photos", "crops", "digits", "scenes", "folder"])
def test_a_gallery_can_be_pickled_for_another_process(make, tmp_path):
    picture(tmp_path / "red" / "1.png")
    arguments = {"crops": (3,), "scenes": (3,), "folder": (tmp_path,)}.get(make, ())
    gallery = getattr(viz.Gallery, make)(*arguments)
    copy = pickle.loads(pickle.dumps(gallery.subset([0])))
    assert torch.equal(copy[0][0], gallery[0][0])
    assert copy.key == gallery.subset([0]).key


def test_a_folder_of_folders_has_their_names_as_classes(tmp_path):
    for name in ("zebra/2.png", "zebra/deeper/3.PNG", "ant/10.jpg", "ant/1.jpg", "ant/.hidden.jpg", ".cache/1.jpg"):
        picture(tmp_path / name)
    (tmp_path / "empty").mkdir()
    gallery = viz.Gallery.folder(tmp_path)
    assert gallery.names == ["ant/1.jpg", "ant/10.jpg", "zebra/2.png", "zebra/deeper/3.PNG"]
    assert [gallery.categories[label] for label in gallery.labels] == ["ant", "ant", "zebra", "zebra"]
    assert gallery[0][0].shape == (3, 9, 12)
    assert gallery.skipped == []
    assert viz.Gallery.folder(str(tmp_path), size=6)[3][0].shape == (3, 6, 6)


def test_a_flat_folder_is_one_class_of_its_own_name(tmp_path):
    for name in ("b.png", "a.png"):
        picture(tmp_path / "holiday" / name)
    gallery = viz.Gallery.folder(tmp_path / "holiday")
    assert gallery.categories == ["holiday"]
    assert gallery.names == ["a.png", "b.png"]


def test_unreadable_files_are_skipped_with_their_reason(tmp_path):
    whole = picture(tmp_path / "cats" / "whole.png", size=(60, 60))
    (tmp_path / "cats" / "notes.txt").write_text("not a picture")
    (tmp_path / "cats" / "empty.jpg").touch()
    (tmp_path / "cats" / "cut.png").write_bytes(whole.read_bytes()[:60])
    (tmp_path / "cats" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    picture(tmp_path / "stray.png")
    gallery = viz.Gallery.folder(tmp_path)
    assert gallery.names == ["cats/whole.png"]
    reasons = {Path(path).name: reason for path, reason in gallery.skipped}
    assert set(reasons) == {"notes.txt", "empty.jpg", "cut.png", "gone.jpg", "stray.png"}
    assert "empty" in reasons["empty.jpg"]
    assert "not a readable picture" in reasons["notes.txt"]
    assert "not a readable picture" in reasons["cut.png"]
    assert "link" in reasons["gone.jpg"]
    assert "beside the class folders" in reasons["stray.png"]


def test_a_picture_damaged_after_its_header_is_named_when_it_is_asked_for(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "half.jpg")
    data = (tmp_path / "half.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    gallery = viz.Gallery.folder(tmp_path)
    with pytest.raises(viz.ImageError, match=r"half\.jpg"):
        gallery[0]


def test_the_key_of_a_folder_changes_with_names_and_sizes(tmp_path):
    picture(tmp_path / "a" / "1.png")
    first = viz.Gallery.folder(tmp_path).key
    assert viz.Gallery.folder(tmp_path).key == first
    picture(tmp_path / "a" / "1.png", size=(90, 40))
    second = viz.Gallery.folder(tmp_path).key
    (tmp_path / "a" / "1.png").rename(tmp_path / "a" / "2.png")
    assert len({first, second, viz.Gallery.folder(tmp_path).key, viz.Gallery.folder(tmp_path, size=8).key}) == 4


def test_a_folder_without_pictures_says_what_is_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="not there; wanted a folder"):
        viz.Gallery.folder(tmp_path / "nowhere")
    with pytest.raises(viz.ImageError, match="it is empty"):
        viz.Gallery.folder(tmp_path)
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(viz.ImageError, match=r"1 files were skipped, for example 'notes\.txt'"):
        viz.Gallery.folder(tmp_path)


def caltech101(root: Path) -> None:
    for name in ("BACKGROUND_Google/image_0001.jpg", "ant/image_0001.jpg", "Faces/image_0002.jpg"):
        picture(root / "caltech101/101_ObjectCategories" / name)


def imagenette(root: Path) -> None:
    for split in ("train", "val"):
        for wnid in ("n01440764", "n03417042"):
            picture(root / "imagenette2-160" / split / wnid / f"{wnid}_1.JPEG")


def cifar10(root: Path) -> None:
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for name in ["test_batch", *(f"data_batch_{i}" for i in range(1, 6))]:
        batch = {"data": np.full((2, 3072), 51, np.uint8), "labels": [3, 1]}
        (folder / name).write_bytes(pickle.dumps(batch))
    names = "airplane automobile bird cat deer dog frog horse ship truck".split()
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))


def stl10(root: Path) -> None:
    folder = root / "stl10_binary"
    folder.mkdir()
    for split in ("train", "test"):
        (folder / f"{split}_X.bin").write_bytes(bytes([51]) * (2 * 3 * 96 * 96))
        (folder / f"{split}_y.bin").write_bytes(bytes([4, 2]))
    (folder / "class_names.txt").write_text("airplane\nbird\ncar\ncat\n")


def oxford_pets(root: Path) -> None:
    lines = "Abyssinian_1 1 1 1\nbeagle_2 2 2 1\n"
    for name in ("Abyssinian_1", "beagle_2"):
        picture(root / "oxford-iiit-pet" / "images" / f"{name}.jpg")
    for split in ("trainval", "test"):
        path = root / "oxford-iiit-pet" / "annotations" / f"{split}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(lines)


def flowers102(root: Path) -> None:
    from scipy.io import savemat

    for number in (1, 2, 3):
        picture(root / "flowers-102" / "jpg" / f"image_{number:05d}.jpg")
    savemat(root / "flowers-102" / "imagelabels.mat", {"labels": [2, 1, 3]})
    savemat(root / "flowers-102" / "setid.mat", {"trnid": [1, 2], "valid": [2, 3], "tstid": [3, 1]})


LAYOUTS = {
    "Caltech101": (caltech101, ["ant", "Faces"]),
    "Imagenette": (imagenette, ["tench", "garbage truck"]),
    "CIFAR10": (cifar10, ["cat", "automobile"]),
    "STL10": (stl10, ["cat", "bird"]),
    "OxfordIIITPet": (oxford_pets, ["Abyssinian", "Beagle"]),
    "Flowers102": (flowers102, None),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_torchvisions_data_sets_are_read_from_their_own_layout(name, tmp_path, monkeypatch):
    for made_small in (tv.CIFAR10, tv.STL10, tv.Flowers102):  # they check the checksums of the real files
        monkeypatch.setattr(made_small, "_check_integrity", lambda self: True)
    monkeypatch.setattr(tv.CIFAR10, "_load_meta", lambda self: setattr(self, "classes", cifar_names(tmp_path)))
    make_files, expected = LAYOUTS[name]
    make_files(tmp_path)
    gallery = viz.Gallery.torchvision(name, tmp_path)
    image, label = gallery[0]
    assert image.ndim == 3
    assert image.shape[0] == 3
    assert 0 <= image.min() <= image.max() <= 1
    categories = {gallery.categories[label] for label in gallery.labels}
    assert label == gallery.labels[0]
    assert categories == set(expected) if expected else len(categories) == 2
    copy = pickle.loads(pickle.dumps(gallery))
    assert torch.equal(copy[0][0], image)
    assert copy.key.startswith(f"{name}(")


def cifar_names(root: Path) -> list[str]:
    return pickle.loads((root / "cifar-10-batches-py" / "batches.meta").read_bytes())["label_names"]


@pytest.mark.parametrize("name", folders.SOURCES)
def test_missing_files_are_asked_for_by_name_place_and_origin(name, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        viz.Gallery.torchvision(name, tmp_path)
    message = str(caught.value)
    for part in ("http", str(tmp_path / folders.SOURCES[name].folder), "download=True", "unpack"):
        assert part in message


@pytest.mark.parametrize("name", folders.SOURCES)
def test_without_a_connection_a_download_says_how_to_do_it_by_hand(name, tmp_path, monkeypatch):
    def no_connection(*arguments, **options):
        raise OSError("Name or service not known")

    for helper in ("urllib.request.urlopen", "torchvision.datasets.utils._urlretrieve"):
        monkeypatch.setattr(helper, no_connection)
    with pytest.raises(ConnectionError, match="By hand: download http") as caught:
        viz.Gallery.torchvision(name, tmp_path, download=True)
    assert str(tmp_path / folders.SOURCES[name].folder) in str(caught.value)


def test_unknown_data_sets_and_splits_get_the_closest_name(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'Caltech101'"):
        viz.Gallery.torchvision("caltech-101", tmp_path)
    with pytest.raises(ValueError, match="there are 'train', 'val'"):
        viz.Gallery.torchvision("Imagenette", tmp_path, split="test")
    with pytest.raises(ValueError, match="leave split out"):
        viz.Gallery.torchvision("Caltech101", tmp_path, split="train")


@pytest.mark.parametrize(("name", "least", "classes"), [("Caltech101", 8000, 100), ("Imagenette", 5000, 10)])
def test_the_real_data_sets_are_listed_and_read(name, least, classes, pictures):
    gallery = viz.Gallery.torchvision(name, pictures)
    assert len(gallery) >= least
    assert len(gallery.categories) == classes
    for index in range(0, len(gallery), len(gallery) // 7):
        image, label = gallery[index]
        assert min(image.shape[1:]) >= 100
        assert 0 <= label < classes


@dataclass(frozen=True)
class Painted:
    """Makes pictures of 200 x 200 when they are asked for."""

    def __call__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(np.full((3, 200, 200), index % 7 / 7, np.float32))


def peak_while_reading(gallery: viz.Gallery) -> int:
    gc.collect()
    tracemalloc.start()
    for image, _ in gallery:
        assert image.shape[0] == 3
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_ten_thousand_pictures_need_no_more_memory_than_a_hundred():
    few, many = (
        viz.Gallery(Painted(), [0] * n, ["grey"], names=[str(i) for i in range(n)]).subset(range(n))
        for n in (100, 10_000)
    )
    peaks = peak_while_reading(few), peak_while_reading(many.subset(range(0, 10_000, 10)))
    assert peaks[0] > 200 * 200 * 3 * 4  # pictures are counted
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.slow
def test_a_folder_of_ten_thousand_needs_memory_for_its_names_alone(tmp_path):
    for k in range(100):
        first = picture(tmp_path / f"class {k}" / "0.png", size=(64, 64))
        for i in range(1, 100):
            (tmp_path / f"class {k}" / f"{i}.png").hardlink_to(first)
    gc.collect()  # what other tests have left is not to be counted
    tracemalloc.start()
    gallery = viz.Gallery.folder(tmp_path)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(gallery) == 10_000
    assert held < 400 * len(gallery)  # bytes: name, label and place in the lists; the pixels would be 49 152 each
    few, many = gallery.subset(range(50)), gallery.subset(range(0, len(gallery), 20))
    assert peak_while_reading(many) < 1.5 * peak_while_reading(few)
