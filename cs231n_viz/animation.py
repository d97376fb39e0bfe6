"""Save a sequence of pictures as one moving picture."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image
from torch import Tensor

from cs231n_viz.images import to_pil

_DESCRIPTION = 0x010E  # the EXIF tag "ImageDescription"
_FORMATS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}


def save_animation(
    frames: Iterable[Tensor], path: str | Path, *, fps: float = 12.0, settings: Mapping[str, object] | None = None
) -> Path:
    """Save pictures as an animation that repeats for ever.

    Args:
        frames: (3, H, W) each, RGB in [0, 1], all of one size; an iterator is run to its end.
        path: ``.webp`` keeps the colours, ``.gif`` opens everywhere with 256 colours a frame, ``.png`` is lossless.
        fps: Frames per second.
        settings: What the pictures were made with; stored inside the file as JSON, see :func:`animation_settings`.

    Returns:
        The path.

    Raises:
        ValueError: If the ending is another, there are no frames, they differ in size, or ``fps`` is not above 0.
    """
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None or not fps > 0:
        raise ValueError(f"wanted a name ending in {', '.join(_FORMATS)} and fps > 0, got {path.name!r} and {fps}")
    pictures = [to_pil(frame) for frame in frames]
    sizes = sorted({picture.size for picture in pictures})
    if len(sizes) != 1:
        raise ValueError(f"wanted at least one frame, all of one size; got {sizes or 'none'}")
    options = {"save_all": True, "append_images": pictures[1:], "duration": round(1000 / fps), "loop": 0}
    pictures[0].save(path, kind, **options, **_told(kind, json.dumps(dict(settings or {}))))
    return path


def animation_settings(path: str | Path) -> dict[str, object]:
    """The settings that :func:`save_animation` stored in a file; empty if there are none."""
    with Image.open(path) as picture:
        told = picture.info.get("comment", b"{}") if picture.format == "GIF" else picture.getexif().get(_DESCRIPTION)
    return json.loads(told or "{}")


def _told(kind: str, text: str) -> dict[str, object]:
    """The option of PIL that puts a text into a file of this kind."""
    if kind == "GIF":
        return {"comment": text.encode()}
    exif = Image.Exif()
    exif[_DESCRIPTION] = text
    return {"exif": exif, "quality": 85} if kind == "WEBP" else {"exif": exif}
