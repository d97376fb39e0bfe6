"""Galleries of files: a person's own folder of pictures, and the data sets that torchvision knows.

``Gallery.folder`` and ``Gallery.torchvision`` are the ways in. Names are listed once; a picture is read when it is
asked for.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF
from tqdm import tqdm

from cs231n_viz.images import _FORMATS as FORMATS
from cs231n_viz.images import ImageError, load_image


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
        return image if self.size is None else square(image, self.size)


@dataclass(frozen=True)
class Listing:
    """The pictures below a folder: names in order, a label each, class names, a fingerprint, and what was left out."""

    names: tuple[str, ...]
    labels: list[int]
    categories: list[str]
    key: str
    skipped: list[tuple[str, str]]


def square(image: Tensor, size: int) -> Tensor:
    """The centre of a picture (3, H, W) after its short side was brought to ``size``: (3, size, size)."""
    return TF.center_crop(TF.resize(image, [size], antialias=True), [size, size]).clamp(0, 1)


def list_folder(folder: str | os.PathLike, *, without: Sequence[str] = (), check: bool = True) -> Listing:
    """Which pictures lie in a folder, and of which class?

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
    """All files with their sizes: those of each class in order of their names, and those beside the classes."""
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
