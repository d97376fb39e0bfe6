"""Galleries of files: a person's own folder of pictures, and the data sets that torchvision knows.

``Gallery.folder`` and ``Gallery.torchvision`` are the ways in. Names are listed once; a picture is read when it is
asked for.
"""

import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from torchvision import datasets
from tqdm import tqdm

from cs231n_viz.pictures.images import _FORMATS as FORMATS
from cs231n_viz.pictures.images import ImageError, centre_square, load_image


@dataclass(frozen=True)
class Files:
    """Loads picture ``index`` of a list of files.

    Attributes:
        root: The folder that the names start from.
        names: Paths below it, with forward slashes.
        size: Side of the square to make of each, or None to leave it as it is.
    """

    root: str
    names: tuple[str, ...]
    size: int | None = None

    def __call__(self, index: int) -> Tensor:
        """(3, H, W) in [0, 1]; raises ImageError for a picture that is damaged beyond its header."""
        image = load_image(Path(self.root, self.names[index]))
        return image if self.size is None else centre_square(image, self.size)[0]


@dataclass(frozen=True)
class Listing:
    """The pictures below a folder: names in order, a label each, class names, a fingerprint, and what was left out."""

    names: tuple[str, ...]
    labels: list[int]
    categories: list[str]
    key: str
    skipped: list[tuple[str, str]]


def list_folder(folder: str | os.PathLike, *, without: Sequence[str] = (), check: bool = True) -> Listing:
    """List the pictures in a folder, with the class of each.

    Each sub-folder is a class, whatever lies deeper included; a folder without sub-folders is one class of its own
    name. Hidden files are passed over.

    Args:
        folder: Where to look.
        without: Sub-folders to leave out.
        check: Look into each file, so that ``skipped`` can tell; else go by the file's name alone.

    Returns:
        The listing, in alphabetical order of class and name.

    Raises:
        FileNotFoundError: There is no such folder.
        ImageError: No picture is in it; the message says what was found instead.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"{str(root)!r} is {'a file' if root.exists() else 'not there'}; wanted a folder")
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name not in without)
    classes = [name for name in classes if not name.startswith(".")]
    names, labels, skipped, kept, digest = [], [], [], [], hashlib.sha256()
    for path, size in tqdm(_walk(root, classes), desc=f"looking into {root.name}", unit="file", delay=2):
        name = path.relative_to(root).as_posix()
        reason = _reason(path, name, size, beside=bool(classes), check=check)
        if reason:
            skipped.append((str(path), reason))
            continue
        category = name.split("/")[0] if classes else root.resolve().name
        if not kept or kept[-1] != category:
            kept.append(category)
        names.append(name)
        labels.append(len(kept) - 1)
        digest.update(f"{name}|{size}\n".encode())
    if not names:
        raise ImageError(f"no picture in {str(root)!r}; {_found(skipped)}")
    key = f"{root.resolve().name}, {len(names)} pictures {digest.hexdigest()[:12]}"
    return Listing(tuple(names), labels, kept, key, skipped)


def _walk(root: Path, classes: list[str]) -> Iterator[tuple[Path, int]]:
    """Yield all files with their sizes: those of each class in order of their names, then those outside the classes."""
    for start in [root / name for name in classes] + [root]:
        files = []
        for place, folders, inside in os.walk(start):
            folders[:] = sorted(name for name in folders if not name.startswith(".")) if start != root else []
            files += [Path(place, name) for name in inside if not name.startswith(".")]
        yield from ((path, path.stat().st_size if path.exists() else 0) for path in sorted(files))


def _reason(path: Path, name: str, size: int, *, beside: bool, check: bool) -> str:
    """Why a file is left out; empty if it is not."""
    if beside and "/" not in name:
        return "lies beside the class folders, in none of them"
    if not path.is_file():
        return "is no file, or a link to nothing"
    if not size:
        return "is empty"
    if not check:
        suffixes = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
        return "" if path.suffix.lower() in suffixes else "is no picture by its name"
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.verify()
    except Exception as error:  # PIL raises nearly anything on malformed bytes
        return f"is not a readable picture ({type(error).__name__}: {str(error).replace(str(path), 'the file')})"
    return ""


def _found(skipped: list[tuple[str, str]]) -> str:
    if not skipped:
        return "it is empty; wanted pictures in it, or folders with pictures"
    path, reason = skipped[0]
    return f"{len(skipped)} files were skipped, for example {Path(path).name!r}, which {reason}"


@dataclass(frozen=True)
class Source:
    """Where the files of a data set come from and where they belong.

    Attributes:
        url: What to download.
        folder: What must then lie in the root folder.
        splits: The parts to choose from, the usual one first; empty where there is only the whole.
    """

    url: str
    folder: str
    splits: tuple[str, ...] = ()


SOURCES = {
    "Caltech101": Source(
        "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip", "caltech101/101_ObjectCategories"
    ),
    "Imagenette": Source(
        "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz", "imagenette2-160", ("train", "val")
    ),
    "CIFAR10": Source(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "cifar-10-batches-py", ("train", "test")
    ),
    "STL10": Source("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz", "stl10_binary", ("train", "test")),
    "OxfordIIITPet": Source(
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz and annotations.tar.gz beside it",
        "oxford-iiit-pet",
        ("trainval", "test"),
    ),
    "Flowers102": Source(
        "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz (its folder jpg), with imagelabels.mat and "
        "setid.mat beside it",
        "flowers-102",
        ("train", "val", "test"),
    ),
}
_NETTE_SIZES = {"imagenette2-160": "160px", "imagenette2-320": "320px", "imagenette2": "full"}
_STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
_BACKGROUND = ("BACKGROUND_Google",)  # no class: torchvision leaves it out as well


@dataclass(frozen=True)
class Pictures:
    """Loads picture ``index`` of one of torchvision's data sets; opens it on first use, in each process anew."""

    name: str
    root: str
    split: str

    def __call__(self, index: int) -> Tensor:
        """(3, H, W) in [0, 1]."""
        picture, _ = opened(self.name, self.root, self.split)[index]
        return load_image(picture)


def source_of(name: str, split: str | None) -> tuple[Source, str]:
    """The source of a data set, and the split that is meant.

    Raises:
        ValueError: No such data set or split; the message names the closest, or all.
    """
    if name not in SOURCES:
        close = get_close_matches(str(name).lower(), [known.lower() for known in SOURCES], n=1, cutoff=0.4)
        hint = [f"did you mean {known!r}?" for known in SOURCES if close and known.lower() == close[0]]
        raise ValueError(f"no data set {name!r} here; {hint[0] if hint else 'there are ' + ', '.join(SOURCES)}")
    source = SOURCES[name]
    if split is not None and split not in source.splits:
        raise ValueError(
            f"{name} has no split {split!r}; {_either(source.splits) or 'it is one whole: leave split out'}"
        )
    return source, split or (source.splits[0] if source.splits else "")


def fetch(name: str, root: Path, split: str) -> None:
    """Download a data set through torchvision, which shows a progress bar and leaves files alone that are there.

    Raises:
        ConnectionError: It could not be reached; the message says how to put the files in place by hand.
    """
    options: dict[str, Any] = {"download": True}
    if name == "CIFAR10":
        options["train"] = split == "train"
    elif name != "Caltech101":
        options["split"] = split
    if name == "Imagenette":
        options["size"] = "160px"
    if name in ("Caltech101", "Imagenette") and location(name, root).is_dir():
        return
    try:
        getattr(datasets, name)(root, **options)
    except (OSError, RuntimeError) as error:  # urllib's errors are OSErrors; torchvision raises the other
        raise ConnectionError(f"{name} could not be downloaded ({error}). {by_hand(name, root)}") from error


def by_hand(name: str, root: Path) -> str:
    """How to do without a connection, in one sentence."""
    source = SOURCES[name]
    return f"By hand: download {source.url}, and unpack it so that {str(root / source.folder)!r} exists."


def location(name: str, root: Path) -> Path:
    """The folder of a data set; of Imagenette's three sizes the smallest that is there."""
    if name == "Imagenette":
        return next((root / folder for folder in _NETTE_SIZES if (root / folder).is_dir()), root / "imagenette2-160")
    return root / SOURCES[name].folder


@lru_cache(maxsize=2)
def opened(name: str, root: str, split: str) -> Any:
    """The data set as an object of torchvision's.

    Raises:
        FileNotFoundError: The files are missing or not whole; the message says where they belong and come from.
    """
    options: dict[str, Any] = {"train": split == "train"} if name == "CIFAR10" else {"split": split}
    if name == "Imagenette":
        options["size"] = _NETTE_SIZES[location(name, Path(root)).name]
    try:
        return getattr(datasets, name)(root, **options)
    except (OSError, RuntimeError) as error:
        raise missing(name, Path(root)) from error


def missing(name: str, root: Path) -> FileNotFoundError:
    """The error for files that are not there or not whole."""
    place = location(name, root)
    state = "is not whole" if place.exists() else "is not there"
    return FileNotFoundError(
        f"{str(place)!r} {state}. With a connection: Gallery.torchvision({name!r}, {str(root)!r}, download=True). "
        f"{by_hand(name, root)}"
    )


def caltech(root: Path) -> Listing:
    """Caltech-101 by its folders alone: torchvision's class wants the background class, which nobody needs, as well."""
    place = location("Caltech101", root)
    if not place.is_dir():
        raise missing("Caltech101", root)
    return list_folder(place, without=_BACKGROUND, check=False)


def describe(name: str, root: Path, split: str) -> tuple[list[int], list[str], list[str], str]:
    """Labels, categories, names of the pictures, and a fingerprint, of any but Caltech-101."""
    data = opened(name, str(root), split)
    files = [str(path) for path in getattr(data, "_images", getattr(data, "_image_files", []))]
    if name == "Imagenette":
        files, labels = [path for path, _ in data._samples], [label for _, label in data._samples]
    else:
        targets = data.targets if name == "CIFAR10" else data.labels if name == "STL10" else data._labels
        labels = [int(label) for label in targets]
    categories = [entry[0] if isinstance(entry, tuple) else entry for entry in getattr(data, "classes", _STL10)]
    if len(categories) <= max(labels):
        categories = [f"class {label}" for label in range(max(labels) + 1)]
    names = [Path(path).relative_to(root).as_posix() for path in files]
    names = names or [f"{name} {split} {i}" for i in range(len(labels))]
    sizes = [Path(path).stat().st_size if Path(path).exists() else 0 for path in files]
    facts = "|".join(map(str, [*names, *sizes, *labels])).encode()
    return labels, categories, names, f"{name}({split}, {len(labels)} pictures {zlib.crc32(facts):08x})"


def _either(splits: tuple[str, ...]) -> str:
    return f"there are {', '.join(map(repr, splits))}" if splits else ""
