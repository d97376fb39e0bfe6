"""A button for a picture of the user's own, which the browser makes small before it is sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from torch import Tensor

from cs231n_viz.pictures.images import ImageError, load_image

_CSS = """
.cs231n-upload { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
.cs231n-upload button { width: auto; min-width: 140px; margin-left: 94px; }
.cs231n-on-stage .cs231n-upload button { margin-left: 0; }
"""


class PictureUpload(anywidget.AnyWidget):
    """A button that chooses a picture file, onto which one can also be dropped.

    Attributes:
        value: The file as ``ipywidgets.FileUpload`` has it: one mapping with ``name``, ``type``, ``size`` and
            ``content``, or nothing. ``content`` is the file, or a JPEG of at most ``side`` pixels a side if it is
            larger.
        description: What the button says.
        side: Longest side of what is sent.
        disabled: Whether no file is taken.
    """

    _esm = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    _css = _CSS

    value = traitlets.Tuple().tag(sync=True, echo_update=False)
    description = traitlets.Unicode("choose a file").tag(sync=True)
    side = traitlets.Int(2048).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


def uploaded_picture(files: Sequence[Mapping[str, Any]]) -> Tensor | None:
    """The picture in the value of a :class:`PictureUpload`, (3, H, W) in [0, 1]; None if no file was chosen yet.

    Raises:
        ImageError: If it is no picture; the message names the file.
    """
    if not files:
        return None
    file = files[-1]
    try:
        return load_image(bytes(file["content"]))
    except ImageError as error:
        raise ImageError(f"{_about(file)}; wanted a picture, such as a PNG, JPEG or WebP file") from error


def _about(file: Mapping[str, Any]) -> str:
    """What a file is, by its name, its kind and its size."""
    size, kind = int(file.get("size") or len(file["content"])), str(file.get("type") or "of unknown kind")
    amount = f"{size} bytes" if size < 10_000 else f"{size / 1e6:.2f} MB"
    is_broken = kind.startswith("image/")
    return (
        f"{file['name']} ({kind}, {amount}) {'is not a picture that can be read' if is_broken else 'is not a picture'}"
    )
