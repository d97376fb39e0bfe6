"""The photographs that ``make pictures`` fetches: where they lie, what they show, which no shipped network has seen.

Example::

    fetch_photographs()                     # or `make pictures`; once, with a connection
    Gallery.photographs(20, categories=["cat", "dog", "Faces"])

They lie as torchvision's own classes leave them, in one folder: ``caltech101/``, ``imagenette2-160/``,
``oxford-iiit-pet/``. A folder of one's own may also hold ``flowers-102/``, or ``cats_dogs/{cat,dog}/`` instead of the
pets and ``flowers17/<kind>/`` instead of these flowers. ``training/pictures.py`` splits the same rows.
"""

import os
import random
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from platformdirs import user_data_path

from cs231n_viz.pictures import folders

FETCHED = ("Imagenette", "Caltech101", "OxfordIIITPet")  # the smallest first; 1 048 MB together
IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
VARIABLE = "CS231N_VIZ_DATA"  # of the environment: another folder
_SKIPPED = {"BACKGROUND_Google", "Faces_easy"}  # not a class, and the pictures of "Faces" again, cropped
_SUFFIXES = {".jpg", ".jpeg", ".png"}

Row = tuple[Path, str]  # a file, and what it shows in the words of the shipped networks' categories


def photographs_folder() -> Path:
    """Return the folder that fetched photographs belong in, whether or not it is there.

    It is the one in the environment variable ``CS231N_VIZ_DATA``, else ``cs231n_viz/pictures`` where the system keeps
    a user's data: ``~/.local/share`` on Linux, ``~/Library/Application Support`` on macOS, ``%LOCALAPPDATA%`` on
    Windows.
    """
    folder = os.environ.get(VARIABLE)
    return Path(folder).expanduser() if folder else user_data_path("cs231n_viz", appauthor=False) / "pictures"


def fetch_photographs(folder: str | os.PathLike | None = None) -> Path:
    """Fetch Imagenette (160 px), Caltech-101 and the Oxford-IIIT pets: 1048 MB, with progress bars.

    What is in place is not fetched again, and a download that broke off is continued. While it is unpacked, the
    largest takes about 1.6 GB of disk.

    Args:
        folder: Where to; :func:`photographs_folder` if omitted.

    Returns:
        The folder.

    Raises:
        ConnectionError: If a set could not be fetched, after the others have been tried; says which and why.
    """
    root = photographs_folder() if folder is None else Path(folder).expanduser()
    failed = {}
    for name in FETCHED:
        try:
            folders.download(name, root, folders.source_of(name, None)[1])
        except ConnectionError as error:
            failed[name] = error.__cause__
    if failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise ConnectionError(
            f"not fetched, so that notebooks go without: {reasons}. Everything works without them, on scenes; call it "
            "again with a connection, and it goes on where it stopped"
        )
    return root


def rows_of_folder(folder: Path) -> list[Row]:
    """List the pictures of a folder of folders, in order, each with the name of its folder."""
    return [
        (path, entry.name)
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and entry.name not in _SKIPPED
        for path in sorted(entry.iterdir())
        if path.suffix.lower() in _SUFFIXES
    ]


def pictures_by_set(root: Path) -> dict[str, list[Row]]:
    """List Caltech-101, the pets and the flowers, those that lie under ``root``, each in order."""
    rows = {}
    if (root / "caltech101/101_ObjectCategories").is_dir():
        rows["caltech101"] = rows_of_folder(root / "caltech101/101_ObjectCategories")
    pets = root / "oxford-iiit-pet"
    if (root / "cats_dogs").is_dir():
        rows["pets"] = rows_of_folder(root / "cats_dogs")
    elif (pets / "annotations/list.txt").is_file() and (pets / "images").is_dir():
        lines = (pets / "annotations/list.txt").read_text().splitlines()
        entries = [line.split() for line in lines if not line.startswith("#")]
        kinds = {"1": "cat", "2": "dog"}
        rows["pets"] = [(pets / f"images/{name}.jpg", kinds[species]) for name, _, species, _ in entries]
    if (root / "flowers17").is_dir():
        rows["flowers"] = [(path, "flower") for path, _ in rows_of_folder(root / "flowers17")]
    elif (root / "flowers-102/jpg").is_dir():
        rows["flowers"] = [(path, "flower") for path in sorted((root / "flowers-102/jpg").glob("*.jpg"))]
    return rows


def imagenette(root: Path, split: str) -> list[Row]:
    """List the pictures of a split of Imagenette, "train" or "val", in order; none where it is not there."""
    folder = root / "imagenette2-160" / split
    return [(path, IMAGENETTE[wnid]) for path, wnid in rows_of_folder(folder)] if folder.is_dir() else []


def hold_out(rows: Sequence[Row], name: str, *, seed: int = 0) -> tuple[list[Row], list[Row]]:
    """Split the rows of a set at random into the fifth that is held out of training, and the rest."""
    shuffled = list(rows)
    random.Random(f"{seed} {name}").shuffle(shuffled)
    fifth = len(shuffled) // 5
    return shuffled[:fifth], shuffled[fifth:]


def unseen(root: Path) -> dict[str, list[Row]]:
    """List by category the photographs under ``root`` that were held out when the shipped networks were trained.

    Returns:
        Category -> rows in order, the categories in alphabetical order; empty if nothing was fetched.
    """
    rows = imagenette(root, "val")
    for name, all_of_it in pictures_by_set(root).items():
        rows += hold_out(all_of_it, name)[0]
    by_category: dict[str, list[Row]] = {}
    for row in sorted(rows):
        by_category.setdefault(row[1], []).append(row)
    return {category: by_category[category] for category in sorted(by_category, key=str.lower)}


def draw(available: dict[str, list[Row]], per_class: int, categories: Sequence[str] | None, *, seed: int) -> list[Row]:
    """Draw at random up to ``per_class`` rows of each category; the categories take turns.

    The first rows of a category are the same for every ``per_class``, and do not depend on the other categories.

    Raises:
        ValueError: If there is no such category; names the closest.
    """
    wanted = list(available if categories is None else categories)
    for category in wanted:
        if category not in available:
            close = get_close_matches(category, available, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(available)}"
            raise ValueError(f"no photographs of {category!r} among those that were fetched; {hint}")
    columns = []
    for category in wanted:
        rows = list(available[category])
        random.Random(f"{seed} {category}").shuffle(rows)
        columns.append(rows[:per_class])
    return [rows[turn] for turn in range(per_class) for rows in columns if turn < len(rows)]
