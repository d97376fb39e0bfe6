"""Buttons for a picture of the user's own, a file or the camera's, which the browser makes small before it is sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from torch import Tensor

from cs231n_viz.pictures.images import ImageError, load_image

_CSS = """
.cs231n-upload { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
.cs231n-upload button { width: auto; margin: 2px 0; }
.cs231n-upload button[hidden] { display: none; }
.cs231n-upload button:first-child { min-width: 140px; margin-left: 94px; }
.cs231n-on-stage .cs231n-upload button { margin-left: 0; }
.cs231n-upload video { width: 380px; max-width: 100%; transform: scaleX(-1); }
"""

_HERE = Path(__file__).parent


class PictureUpload(anywidget.AnyWidget):
    """A button that chooses a picture file, onto which one can also be dropped, and one for the browser's camera.

    The camera gives one picture, which counts as a file, or, if ``live``, one after the other: the next is taken when
    the kernel has received the one before, so that none waits in a queue. It stops when its button is pressed, when
    the page is hidden or the widget is gone, and when ``filming`` is set to False.

    Attributes:
        value: The file as ``ipywidgets.FileUpload`` has it: one mapping with ``name``, ``type``, ``size`` and
            ``content``, or nothing. ``content`` is the file, or a JPEG of at most ``side`` pixels a side if it is
            larger. In the frames of a live camera ``frame`` is True.
        description: What the button says.
        side: Longest side of what is sent.
        disabled: Whether no file is taken.
        live: Whether the camera films.
        frame_side: Shorter side of what it films.
        filming: Whether it is filming now.
        received: How many values have come.
    """

    # One module: what a widget imports would need an address.
    _esm = "".join((_HERE / name).read_text(encoding="utf-8") for name in ("camera.js", "upload.js"))
    _css = _CSS

    value = traitlets.Tuple().tag(sync=True, echo_update=False)
    description = traitlets.Unicode("choose a file").tag(sync=True)
    side = traitlets.Int(2048).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)
    frame_side = traitlets.Int(256).tag(sync=True)
    filming = traitlets.Bool(False).tag(sync=True)
    received = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("value")
    def _without_late_frames(self, proposal: dict) -> tuple:
        """A frame that was on its way when the filming was stopped does not count."""
        files = proposal["value"]
        return self.value if files and files[-1].get("frame") and not self.filming else files

    @traitlets.observe("value")
    def _receive(self, change: dict) -> None:
        self.filming = self.filming and bool(change["new"])  # a reset stops it, too
        self.received += 1


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
