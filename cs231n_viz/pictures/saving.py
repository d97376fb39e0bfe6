"""Pictures on disk that know how they were made: PNG files with their settings inside.

Example::

    path = save_png(ascent.latest.image, "cat.png", ascent.settings)
    read_settings(path)
"""

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, count
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from cs231n_viz.pictures.images import to_pil

KEY = "cs231n_viz"  # of the text chunk
_LONGEST = 80  # characters of a file name that is made up, without its ending


def save_png(image: Tensor, path: str | Path, settings: Mapping[str, object]) -> Path:
    """Keep a picture, 8 bits per channel, and what it was made with.

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
    handle, name = tempfile.mkstemp(suffix=".part", prefix=f".{path.stem[:40]}-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            Image.fromarray(pixels).save(file, "PNG", pnginfo=chunks)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
        return _move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_settings(path: str | Path) -> dict[str, object]:
    """What was the picture in this file made with?

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
    """A name that says the most important settings: ``"dream-mini_vgg-relu3_1-steps20.png"``.

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
    return (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
