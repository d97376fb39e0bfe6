"""Galleries of files: a person's own folder of pictures, and the data sets that torchvision knows.

``Gallery.folder`` and ``Gallery.torchvision`` use them. The files are listed once; a picture is read when it is asked
for.
"""

import hashlib
import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from tqdm import tqdm

from cs231n_viz.pictures.fetching import Archive, fetch
from cs231n_viz.pictures.images import FORMATS, ImageError, centre_square, load_image

_IS_LINK = "is a link out of its place; follow_links=True reads what it points to"
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Files:
    """Load picture ``index`` of a list of files.

    Attributes:
        root: The folder that the names are relative to.
        names: Relative paths, with forward slashes.
        size: Side in pixels of the square that each is resized and cropped to; None keeps its own size.
    """

    root: str
    names: tuple[str, ...]
    size: int | None = None

    def __call__(self, index: int) -> Tensor:
        """Load it as (3, H, W) in [0, 1]; an ``ImageError`` if it is damaged after its header."""
        image = load_image(Path(self.root, self.names[index]))
        return image if self.size is None else centre_square(image, self.size)[0]


@dataclass(frozen=True)
class Listing:
    """The pictures below a folder.

    Attributes:
        names: Their paths relative to the folder, in order.
        labels: For each the index of its class.
        categories: Class names.
        key: The folder's name, the number of pictures, and a hash over names and file sizes.
        skipped: (path, reason) of each file that is not among them.
    """

    names: tuple[str, ...]
    labels: list[int]
    categories: list[str]
    key: str
    skipped: list[tuple[str, str]]


def list_folder(
    folder: str | os.PathLike, *, without: Sequence[str] = (), check: bool = True, follow_links: bool = False
) -> Listing:
    """List the pictures in a folder, with the class of each.

    Each sub-folder is a class, with everything below it; a folder without sub-folders is one class of its own name.
    Hidden files are ignored.

    Args:
        folder: The folder.
        without: Names of sub-folders to ignore.
        check: Open each file, so that ``skipped`` holds those that are not pictures; else only look at its suffix.
        follow_links: Also read what links point to: folders, and files outside of the folder. Each folder is read once,
            even where links go round in a circle.

    Returns:
        The listing, in alphabetical order of class and name.

    Raises:
        FileNotFoundError: If there is no such folder.
        ImageError: If there is no picture in it; the message says what is there instead.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"{str(root)!r} is {'a file' if root.exists() else 'not there'}; wanted a folder")
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name not in without)
    classes = [name for name in classes if not name.startswith(".")]
    names, labels, skipped, categories, digest = [], [], [], [], hashlib.sha256()
    true_root = root.resolve()
    walk = _walk(root, classes, skipped, follow_links=follow_links)
    for path, size in tqdm(walk, desc=f"reading {displayable(root.name)}", unit="file", delay=2):
        name = path.relative_to(root).as_posix()
        reason = _reason(path, name, size, has_classes=bool(classes), check=check)
        if not (reason or follow_links) and path.is_symlink() and not path.resolve().is_relative_to(true_root):
            reason = _IS_LINK
        if reason:
            skipped.append((displayable(str(path)), displayable(reason)))
            continue
        category = displayable(name.split("/")[0] if classes else true_root.name)
        if not categories or categories[-1] != category:
            categories.append(category)
        names.append(name)
        labels.append(len(categories) - 1)
        digest.update(f"{name}|{size}\n".encode("utf-8", "surrogateescape"))
    if not names:
        raise ImageError(f"no picture in {str(root)!r}; {_contents(skipped)}")
    key = f"{displayable(true_root.name)}, {len(names)} pictures {digest.hexdigest()[:12]}"
    return Listing(tuple(names), labels, categories, key, skipped)


def displayable(name: str) -> str:
    """A name as text: bytes that are not UTF-8, as in the names of other systems' files, become �."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _walk(
    root: Path, classes: list[str], skipped: list[tuple[str, str]], *, follow_links: bool
) -> Iterator[tuple[Path, int]]:
    """Yield all files with their sizes: class by class, sorted by name, then those directly in ``root``.

    What lies in folders that are links, unless these are followed, or cannot be listed is not among them, but these
    are added to ``skipped``.
    """

    def unreadable(error: OSError) -> None:
        skipped.append((displayable(str(error.filename)), f"cannot be listed ({error.strerror})"))

    def entered(folder: Path) -> bool:
        """Whether to list a folder, noting why not."""
        if folder.is_symlink() and not follow_links:
            skipped.append((displayable(str(folder)), _IS_LINK))
            return False
        status = folder.stat()
        place = status.st_dev, status.st_ino
        if place in seen:
            skipped.append((displayable(str(folder)), "is a link to a folder that is read already"))
            return False
        seen.add(place)
        return True

    seen = {(status.st_dev, status.st_ino) for status in [root.stat()]}
    for start in [*(root / name for name in classes), root]:
        if start != root and not entered(start):
            continue
        files = []
        for folder, subfolders, file_names in os.walk(start, onerror=unreadable, followlinks=follow_links):
            visible = sorted(name for name in subfolders if not name.startswith(".")) if start != root else []
            subfolders[:] = [name for name in visible if entered(Path(folder, name))]
            files += [Path(folder, name) for name in file_names if not name.startswith(".")]
        yield from ((path, _size(path)) for path in sorted(files))


def _size(path: Path) -> int:
    """In bytes; 0 of what cannot be looked at, as a broken link."""
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _reason(path: Path, name: str, size: int, *, has_classes: bool, check: bool) -> str:
    """Say why a file is skipped; empty if it is not."""
    if has_classes and "/" not in name:
        return "lies beside the class folders, not in one of them"
    try:
        is_file = path.is_file()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not is_file:
        return "is not a regular file, or a broken link"
    if not size:
        return "is empty"
    if not check:
        return "" if path.suffix.lower() in _SUFFIXES else "has not the suffix of a picture"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about size and about damaged metadata
            with Image.open(path, formats=FORMATS) as image:
                image.verify()
    except Exception as error:  # PIL raises many kinds of errors for malformed bytes
        return f"is not a readable picture ({type(error).__name__}: {str(error).replace(str(path), 'the file')})"
    return ""


def _contents(skipped: list[tuple[str, str]]) -> str:
    """Say what a folder without pictures holds."""
    if not skipped:
        return "it is empty; wanted pictures in it, or folders with pictures"
    path, reason = skipped[0]
    return f"{len(skipped)} files were skipped, for example {Path(path).name!r}, which {reason}"


@dataclass(frozen=True)
class Source:
    """Where the files of a data set can be downloaded, and where torchvision looks for them.

    Attributes:
        url: Address of the archive.
        folder: Folder below the root that holds its contents.
        splits: Names of the splits, the default first; empty if there are none.
        archives: What to download of those sets that ``make pictures`` fetches; torchvision's own download, which
            starts over when a connection breaks and takes a half-unpacked folder for a whole one, fetches the others.
    """

    url: str
    folder: str
    splits: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()


_CALTECH101 = Archive(
    "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
    "3138e1922a9193bfa496528edbbc45d0",
    "caltech101/101_ObjectCategories",
    inner="caltech-101/101_ObjectCategories.tar.gz",
)
_IMAGENETTE = Archive(
    "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz",
    "e793b78cc4c9e9a4ccc0c1155377a412",
    "imagenette2-160",
)
_PETS = (
    Archive(
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
        "95a8c909bbe2e81eed6a22bccdf3f68f",
        "oxford-iiit-pet/annotations",
    ),
    Archive(
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
        "5c4f3ee8e5d25df40f4fd59a7f44e54c",
        "oxford-iiit-pet/images",
    ),
)
SOURCES = {
    "Caltech101": Source(_CALTECH101.url, _CALTECH101.folder, archives=(_CALTECH101,)),
    "Imagenette": Source(_IMAGENETTE.url, _IMAGENETTE.folder, ("train", "val"), (_IMAGENETTE,)),
    "CIFAR10": Source(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "cifar-10-batches-py", ("train", "test")
    ),
    "STL10": Source("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz", "stl10_binary", ("train", "test")),
    "OxfordIIITPet": Source(
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz and annotations.tar.gz beside it",
        "oxford-iiit-pet",
        ("trainval", "test"),
        _PETS,
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
_BACKGROUND = ("BACKGROUND_Google",)  # not a class: torchvision leaves it out as well


@dataclass(frozen=True)
class DataSet:
    """Load picture ``index`` of one of torchvision's data sets, which each process opens on first use."""

    name: str
    root: str
    split: str

    def __call__(self, index: int) -> Tensor:
        """Load it as (3, H, W) in [0, 1]."""
        picture, _ = open_data_set(self.name, self.root, self.split)[index]
        return load_image(picture)


def source_of(name: str, split: str | None) -> tuple[Source, str]:
    """Look up the source of a data set; and the split, the default one if None is given.

    Raises:
        ValueError: If there is no such data set or split; the message names the closest, or all.
    """
    if name not in SOURCES:
        close = get_close_matches(str(name).lower(), [known.lower() for known in SOURCES], n=1, cutoff=0.4)
        hint = [f"did you mean {known!r}?" for known in SOURCES if close and known.lower() == close[0]]
        raise ValueError(f"no data set {name!r} here; {hint[0] if hint else 'there are ' + ', '.join(SOURCES)}")
    source = SOURCES[name]
    if split is not None and split not in source.splits:
        raise ValueError(
            f"{name} has no split {split!r}; {_choices(source.splits) or 'it is one whole: leave split out'}"
        )
    return source, split or (source.splits[0] if source.splits else "")


def download(name: str, root: Path, split: str) -> None:
    """Download what is missing of a data set, with a progress bar, into the layout of torchvision.

    Raises:
        ConnectionError: If that fails; the message says how to put the files in place by hand.
    """
    from torchvision import datasets  # takes longer to import than the whole package

    try:
        if SOURCES[name].archives:
            if not location(name, root).is_dir() or name == "OxfordIIITPet":  # the pets are two folders
                for archive in SOURCES[name].archives:
                    fetch(archive, root)
            return
        options: dict[str, Any] = {"train": split == "train"} if name == "CIFAR10" else {"split": split}
        getattr(datasets, name)(root, download=True, **options)
    except (OSError, RuntimeError) as error:  # the second is torchvision's
        raise ConnectionError(f"{name} could not be downloaded ({error}). {manual_download(name, root)}") from error


def manual_download(name: str, root: Path) -> str:
    """Say in one sentence how to put the files in place by hand."""
    source = SOURCES[name]
    return f"By hand: download {source.url}, and unpack it so that {str(root / source.folder)!r} exists."


def location(name: str, root: Path) -> Path:
    """Return the folder of a data set; of Imagenette's three sizes the smallest that is there."""
    if name == "Imagenette":
        return next((root / folder for folder in _NETTE_SIZES if (root / folder).is_dir()), root / "imagenette2-160")
    return root / SOURCES[name].folder


@lru_cache(maxsize=2)
def open_data_set(name: str, root: str, split: str) -> Any:
    """Open a data set as an object of torchvision's.

    Raises:
        FileNotFoundError: If files are missing or incomplete; the message says where they belong and come from.
    """
    from torchvision import datasets

    options: dict[str, Any] = {"train": split == "train"} if name == "CIFAR10" else {"split": split}
    if name == "Imagenette":
        options["size"] = _NETTE_SIZES[location(name, Path(root)).name]
    try:
        return getattr(datasets, name)(root, **options)
    except (OSError, RuntimeError) as error:
        raise missing_files(name, Path(root)) from error


def missing_files(name: str, root: Path) -> FileNotFoundError:
    """Make the error for files that are missing or incomplete."""
    folder = location(name, root)
    state = "is incomplete" if folder.exists() else "is not there"
    return FileNotFoundError(
        f"{str(folder)!r} {state}. With a connection: Gallery.torchvision({name!r}, {str(root)!r}, download=True). "
        f"{manual_download(name, root)}"
    )


def list_caltech(root: Path) -> Listing:
    """List Caltech-101 by its folders: torchvision's class fails without the background class, which is unused here."""
    folder = location("Caltech101", root)
    if not folder.is_dir():
        raise missing_files("Caltech101", root)
    return list_folder(folder, without=_BACKGROUND, check=False)


def list_data_set(name: str, root: Path, split: str) -> Listing:
    """List the pictures of a data set of torchvision's other than Caltech-101."""
    data = open_data_set(name, str(root), split)
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
    key = f"{split}, {len(labels)} pictures {zlib.crc32(facts):08x}"
    return Listing(tuple(names), labels, categories, key, [])


def _choices(splits: tuple[str, ...]) -> str:
    return f"there are {', '.join(map(repr, splits))}" if splits else ""
