"""Fetch archives of pictures: a download that goes on where it broke off, and is checked before it is unpacked.

A folder appears under its name only once it is complete, so that whatever is there need not be fetched again.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from cs231n_viz.writing import left_behind, own_part

_TIMEOUT = 30  # seconds without a byte, after which a connection counts as broken
_CHUNK = 1 << 18  # bytes
_NO_SUCH_RANGE = 416  # the answer to a request for what comes after the last byte
_PARTIAL = 206  # the answer of a server that sends only the range asked for


@dataclass(frozen=True)
class Archive:
    """A file to download, and the folder of it that is wanted.

    Attributes:
        url: Its address.
        md5: Its checksum.
        folder: Where the folder belongs, relative to the root; its last part is the folder's name in the archive.
        inner: The archive inside this one that holds the folder; empty if this one does.
    """

    url: str
    md5: str
    folder: str
    inner: str = ""

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]


def fetch(archive: Archive, root: Path) -> None:
    """Download an archive and put its folder in place, unless it is there.

    What was downloaded before a connection broke is kept under ``root`` and continued by the next call; once the
    folder is in place, the archive is removed.

    Args:
        archive: The archive.
        root: The folder that ``archive.folder`` is relative to; created where it is missing.

    Raises:
        OSError: If the connection is missing or breaks, the disk is full, or the checksum is wrong; what is in place
            stays, and what is wrong is removed.
    """
    target = root / archive.folder
    if target.is_dir():
        return
    root.mkdir(parents=True, exist_ok=True)
    from torchvision.datasets.utils import check_md5  # takes longer to import than the whole package

    whole = root / archive.file
    if whole.exists() and not check_md5(whole, archive.md5):
        whole.unlink()
    if not whole.exists():
        download(archive.url, whole, lambda file: check_md5(file, archive.md5))
    _unpack(archive, whole, target)
    whole.unlink()


def download(url: str, place: Path, is_right: Callable[[Path], bool]) -> None:
    """Download a file, or what an earlier call lacks of it, whether its connection broke or it was killed.

    Args:
        url: Its address.
        place: Its path; its folder exists. Nothing is there before the file is whole and right.
        is_right: Whether the file that arrived is the one that was wanted.

    Raises:
        OSError: If the connection is missing, breaks, or sends no byte for 30 seconds, if the answer is no proper one,
            the disk is full, or the file is not the right one, which is then removed.
    """
    kept = place.with_name(f"{place.name}.part")
    with _claimed(place, kept) as part:
        _download(url, part, place.name)
        if not is_right(part):
            part.unlink()
            raise OSError(f"{place.name} arrived with a wrong checksum and was removed")
        part.replace(place)


@contextmanager
def _claimed(place: Path, kept: Path) -> Iterator[Path]:
    """What arrived so far, under a name of this process alone, so that two downloads never write to one file."""
    part = own_part(place)
    start = part.name.rsplit(".", 2)[0] + "."
    for found in [kept, *(left for left in left_behind(place.parent) if left.name.startswith(start))]:
        with suppress(FileNotFoundError):  # another process was faster
            found.unlink() if part.exists() else found.replace(part)
    try:
        yield part
    finally:
        with suppress(FileNotFoundError):
            part.replace(kept)


def _download(url: str, part: Path, name: str) -> None:
    """Append to ``part`` what it lacks, and turn what is raised for a bad connection into a ``ConnectionError``."""
    try:
        _append(url, part, name)
    except TimeoutError as error:
        raise ConnectionError(f"the connection broke: no byte for {_TIMEOUT} seconds") from error
    except HTTPException as error:
        raise ConnectionError(f"the answer of the server is no proper one ({type(error).__name__}: {error})") from error


def _append(url: str, part: Path, name: str) -> None:
    """Append to ``part`` what it lacks; start over where the server cannot send a range."""
    have = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"User-Agent": "cs231n_viz"} | ({"Range": f"bytes={have}-"} if have else {}))
    try:
        response = urlopen(request, timeout=_TIMEOUT)
    except HTTPError as error:
        if have and error.code == _NO_SUCH_RANGE:
            return  # nothing is missing, or the file is another one: the checksum tells
        raise
    with response:
        if response.status != _PARTIAL:
            part.unlink(missing_ok=True)
            have = 0
        total = None if response.length is None else have + response.length
        bar = tqdm(desc=name, initial=have, total=total, unit="B", unit_scale=True)
        with bar, part.open("ab") as file:
            while chunk := response.read1(_CHUNK):  # what has arrived, so that none of it is lost when it breaks
                file.write(chunk)
                bar.update(len(chunk))
    size = part.stat().st_size
    if total is not None and size < total:  # http.client does not tell this from the end of the file
        raise ConnectionError(f"the connection broke after {size / 1e6:.0f} of {total / 1e6:.0f} MB of {name}")


def _unpack(archive: Archive, whole: Path, target: Path) -> None:
    """Unpack beside the target and move the folder there in one step, so that no half of it is taken for all."""
    from torchvision.datasets.utils import extract_archive

    beside = whole.with_name(f"{archive.file}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        extract_archive(whole, beside)
        if archive.inner:
            extract_archive(beside / archive.inner, beside)
        target.parent.mkdir(parents=True, exist_ok=True)
        (beside / target.name).replace(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
