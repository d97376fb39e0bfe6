"""Plates: pictures that take minutes to make, and therefore come with the package.

Example::

    plate = load_plate("classes")
    plate.image                # (3, H, W)
    plate.settings["arguments"]

``training/plates.py`` declares and makes them; what each was made with is inside its file.
"""

import hashlib
import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cs231n_viz.data_files import data_path
from cs231n_viz.pictures.images import ImageError, load_image
from cs231n_viz.pictures.saving import animation_settings

_FOLDER = "plates"
_RESTORE = "Restore it, for example with: git checkout data/plates"
SUMS, CAPTIONS = "sha256.json", "captions.json"  # file -> sha256; name -> caption and alt
PAD = 8  # white pixels around each tile of a sheet
TITLE = 19  # height of the letters of its title, between the tile and another PAD


@dataclass(frozen=True)
class Plate:
    """A picture that took minutes to make, and what it was made with.

    Attributes:
        name: Its name.
        path: Its file, a JPEG, or an animated WebP.
        image: (3, H, W) float32 on the CPU, RGB in [0, 1]; of an animation the first frame.
        settings: The method with its arguments and seed, the layout, the networks with the sha256 of their weights,
            and the versions of what computed it.
        caption: What it shows and how it was made, for everybody.
        alt: What is to be seen, for those who do not see it.
    """

    name: str
    path: Path
    image: Tensor
    settings: dict[str, object]
    caption: str
    alt: str

    def tiles(self, count: int) -> Tensor:
        """Cut a sheet of titled tiles of one size into its pictures, in the order in which it is read.

        Args:
            count: How many there are: as many as classes or channels in ``settings["arguments"]``.

        Returns:
            (count, 3, h, w), RGB in [0, 1].

        Raises:
            ValueError: If the sheet does not consist of that many tiles.
        """
        columns = self.settings.get("layout", {}).get("columns", 1)
        rows, bar = -(-count // columns), TITLE + PAD
        width, no_width = divmod(self.image.shape[2] - PAD, columns)
        height, no_height = divmod(self.image.shape[1] - PAD, max(rows, 1))
        if count < 1 or columns == 1 or no_width or no_height or height <= bar + PAD:
            raise ValueError(f"plate {self.name!r} is no sheet of {count} tiles of one size")
        corners = [(PAD + row * height + bar, PAD + column * width) for row in range(rows) for column in range(columns)]
        return torch.stack(
            [self.image[:, top : top + height - bar - PAD, left : left + width - PAD] for top, left in corners[:count]]
        )


def plate_names() -> list[str]:
    """List the plates, names for :func:`load_plate`, in alphabetical order."""
    return sorted(Path(file).stem for file in _sums())


def load_plate(name: str) -> Plate:
    """Load a plate that comes with the package.

    Args:
        name: One of :func:`plate_names`.

    Raises:
        ImageError: If there is no plate of that name (the message names the closest), or its file is missing, damaged
            or not the published one.
    """
    files = {Path(file).stem: file for file in _sums()}
    if name not in files:
        close = get_close_matches(str(name).lower(), files, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ImageError(f"no plate {name!r}; {hint}There are {', '.join(sorted(files))}")
    path = data_path(_FOLDER) / files[name]
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "that of no file"
    if digest != _sums()[files[name]]:
        raise ImageError(
            f"{path} is missing or damaged: its sha256 is {digest}, expected {_sums()[files[name]]}. {_RESTORE}"
        )
    words = _names_in(CAPTIONS).get(name)
    if not (isinstance(words, dict) and words.keys() == {"caption", "alt"}):
        raise ImageError(f"{data_path(_FOLDER, CAPTIONS)} has no caption and alt of plate {name!r}. {_RESTORE}")
    return Plate(name=name, path=path, image=load_image(path), settings=animation_settings(path), **words)


def _sums() -> dict[str, str]:
    return _names_in(SUMS)


def _names_in(file: str) -> dict[str, Any]:
    """Read a JSON file of names with values that lies beside the plates."""
    try:
        entries = json.loads(data_path(_FOLDER, file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ImageError(f"{file} of the plates is missing or damaged ({error}). {_RESTORE}") from error
    if not isinstance(entries, dict):
        raise ImageError(f"{file} of the plates is damaged: {type(entries).__name__}, not names. {_RESTORE}")
    return entries
