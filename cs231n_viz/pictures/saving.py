"""Save pictures and animations with the settings that made them inside the file.

Example::

    path = save_png(ascent.latest.image, "cat.png", ascent.settings)
    read_settings(path)
"""

import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate, count
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from cs231n_viz.pictures.images import to_pil, to_uint8

KEY = "cs231n_viz"  # of the text chunk
_LONGEST = 80  # characters of a file name that is made up, without its ending
_DESCRIPTION = 0x010E  # the EXIF tag "ImageDescription"
_FORMATS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}  # of animations


def save_png(image: Tensor, path: str | Path, settings: Mapping[str, object]) -> Path:
    """Save a picture as PNG, 8 bits per channel, with the settings that made it.

    A file that is there already is left alone: the new one is then called ``name-2.png``, ``name-3.png`` and so on.
    It appears under its name when it is complete.

    Args:
        image: (3, H, W) or (1, 3, H, W), RGB in [0, 1].
        path: Ends in ``.png``; its folder exists.
        settings: Anything that JSON can say; read back by :func:`read_settings`.

    Returns:
        Where it was written, an absolute path.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it is no such picture or no such path.
        TypeError: If JSON cannot say the settings.
    """
    pixels, path = _pixels(image), Path(path).absolute()
    if path.suffix.lower() != ".png":
        raise ValueError(f"the path must end in .png, got {path.name!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}; make it first, or choose another")
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(KEY, _as_json(settings))
    with _written_beside(path) as temporary:
        with temporary.open("xb") as file:
            Image.fromarray(pixels).save(file, "PNG", pnginfo=chunks)
        return _move(temporary, path)


def read_settings(path: str | Path) -> dict[str, object]:
    """Read the settings that :func:`save_png` stored in a file.

    Args:
        path: A file that :func:`save_png` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no picture, or one without settings.
    """
    try:
        with Image.open(path) as image:
            text = image.info.get(KEY)
    except UnidentifiedImageError:
        raise ValueError(f"{path} is no picture") from None
    if text is None:
        raise ValueError(f"{path} has no settings inside; save_png writes them, and other programs may drop them")
    return json.loads(text)


def file_name(name: str, values: Mapping[str, object]) -> str:
    """Make a file name out of the most important settings: ``"dream-mini_vgg-relu3_1-steps20.png"``.

    Args:
        name: What it begins with.
        values: Setting -> value. Words stand for themselves, numbers follow their name; what is off is left out.
    """
    parts = [name]
    for key, value in values.items():
        if isinstance(value, bool):
            parts += [key] * value
        elif isinstance(value, int | float):
            parts.append(f"{key}{value:g}")
        elif isinstance(value, str):
            parts.append(value)
    slugs = [re.sub(r"[^\w.]+", "_", part).strip("_.") for part in parts]
    lengths = accumulate(len(slug) + 1 for slug in slugs)  # with the hyphen, or the dot, that follows
    return "-".join(slug for slug, length in zip(slugs, lengths, strict=True) if slug and length <= _LONGEST) + ".png"


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
    options |= _settings_option(kind, _as_json(settings or {}))
    with _written_beside(path) as temporary:
        with temporary.open("xb") as file:
            pictures[0].save(file, kind, **options)
        os.replace(temporary, path)
    return path


def animation_settings(path: str | Path) -> dict[str, object]:
    """Read the settings that :func:`save_animation` stored in a file; empty if there are none."""
    with Image.open(path) as picture:
        text = picture.info.get("comment", b"{}") if picture.format == "GIF" else picture.getexif().get(_DESCRIPTION)
    return json.loads(text or "{}")


def _pixels(image: Tensor) -> np.ndarray:
    """(H, W, 3), uint8."""
    shape = tuple(getattr(image, "shape", ()))
    if shape[-3:-2] != (3,) or shape[:-3] not in ((), (1,)) or 0 in shape or not isinstance(image, Tensor):
        what = f"shape {shape}" if shape else type(image).__name__
        raise ValueError(f"a picture must be a tensor (3, H, W) or (1, 3, H, W), got {what}; save one at a time")
    image = image.detach().cpu().double().reshape(shape[-3:])
    low, high = image.min().item(), image.max().item()
    if not (-1e-3 <= low and high <= 1 + 1e-3):  # also true of NaN
        raise ValueError(f"a picture must be in [0, 1], got values from {low:.3g} to {high:.3g}; clamp it first")
    return to_uint8(image)


def _as_json(settings: Mapping[str, object]) -> str:
    _check_settings(settings, "")
    return json.dumps(dict(settings))


def _check_settings(settings: Mapping[str, object], inside: str) -> None:
    """Name the one that JSON cannot say, ``"recipe.start"`` if it is inside another."""
    for key, value in settings.items():
        if isinstance(value, dict):
            _check_settings(value, f"{inside}{key}.")
            continue
        try:
            json.dumps({key: value}, allow_nan=False)
        except (TypeError, ValueError) as error:
            kind = type(value).__name__
            raise TypeError(f"settings must be what JSON can say; '{inside}{key}' is a {kind}: {error}") from None


@contextmanager
def _written_beside(path: Path) -> Iterator[Path]:
    """A hidden name in the folder of ``path`` to write to, so that what is half written never has the real name."""
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(6)}.part")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _names(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _move(temporary: Path, path: Path) -> Path:
    """Give the file the first name that is free; a link, unlike a renaming, never replaces what is there."""
    for name in _names(path):
        try:
            os.link(temporary, name)
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            if name.exists():
                continue
            temporary.rename(name)
        return name
    raise AssertionError("the names never end")


def _settings_option(kind: str, text: str) -> dict[str, object]:
    """The option of PIL that puts a text into a file of this kind."""
    if kind == "GIF":
        return {"comment": text.encode()}
    exif = Image.Exif()
    exif[_DESCRIPTION] = text
    return {"exif": exif, "quality": 85} if kind == "WEBP" else {"exif": exif}
