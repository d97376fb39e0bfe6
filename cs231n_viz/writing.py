"""Files that are there in full or not at all.

A file is written beside its place under a hidden name and then moved there in one step, so whoever reads it meanwhile,
or after a crash, finds the old one or the new one. What a killed process left behind is removed by the next that
writes into the same folder.
"""

import os
import platform
import re
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psutil

_PART = re.compile(r"\..*\.([0-9a-f]{8})-(\d+)-[0-9a-f]{6}\.part", re.DOTALL)
_DAY = 86400  # seconds; older parts of other machines, whose processes cannot be asked after, count as left behind
_MAX_STEM = 40  # characters of the name that the hidden one repeats, so that it is not too long itself


def write_over(path: Path, data: bytes) -> None:
    """Write a file in one step; one of this name is replaced.

    Raises:
        OSError: If it cannot be written, as on a full disk; says which file and why, and nothing is changed.
    """
    with _part(path, data) as part:
        os.replace(part, path)


def write_text_over(path: Path, text: str) -> None:
    """Write a text as UTF-8 in one step, and make the folders that are missing; a file of this name is replaced.

    Raises:
        OSError: As `write_over`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_over(path, text.encode())


def write_new(path: Path, data: bytes) -> Path:
    """Write a file in one step; if the name is taken, as ``name-2.png``, ``name-3.png`` and so on.

    Returns:
        The path that it got.

    Raises:
        OSError: If it cannot be written, as on a full disk; says which file and why, and nothing is changed.
    """
    with _part(path, data) as part:
        return _move(part, path)


def own_part(path: Path) -> Path:
    """The hidden path beside a file that this process alone may write it to."""
    return path.with_name(f".{path.name[:_MAX_STEM]}.{_machine()}-{os.getpid()}-{secrets.token_hex(3)}.part")


def left_behind(folder: Path) -> list[Path]:
    """The parts in a folder whose processes are no longer there to finish them."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if _is_left(entry)]
    return []


def _is_left(entry: os.DirEntry[str]) -> bool:
    match = _PART.fullmatch(entry.name)
    if match and match[1] == _machine():
        return not psutil.pid_exists(int(match[2]))
    return bool(match) and time.time() - entry.stat(follow_symlinks=False).st_mtime > _DAY


@contextmanager
def _part(path: Path, data: bytes) -> Iterator[Path]:
    for left in left_behind(path.parent):
        with suppress(OSError):
            left.unlink()
    part = own_part(path)
    try:
        try:
            part.write_bytes(data)
            yield part
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"{str(path)!r} was not saved: {error.strerror or error}") from error


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _names(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _move(part: Path, path: Path) -> Path:
    """Rename the file to the first name that is free; by a link, which unlike renaming never replaces a file."""
    for name in _names(path):
        try:
            os.link(part, name)
        except FileExistsError:
            continue
        except OSError:  # the file system has no links
            if os.path.lexists(name):
                continue
            part.rename(name)
        return name
    raise AssertionError("unreachable: there is always another name")
