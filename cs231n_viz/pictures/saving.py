"""Save pictures and animations with the settings that made them inside the file.

Example::

    path = save_png(ascent.latest.image, "cat.png", ascent.settings)
    read_settings(path)
"""

import json
import re
import warnings
from collections.abc import Iterable, Mapping
from io import BytesIO
from itertools import accumulate
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin
from torch import Tensor

from cs231n_viz.pictures.images import FORMATS, to_pil, to_uint8
from cs231n_viz.writing import write_new, write_over

KEY = "cs231n_viz"  # keyword of the PNG text chunk that holds the settings
_MAX_NAME = 80  # characters of a file name made from settings, without its suffix
_DESCRIPTION = 0x010E  # the EXIF tag "ImageDescription"
_ANIMATIONS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}  # suffix -> format


def save_png(image: Tensor, path: str | Path, settings: Mapping[str, object]) -> Path:
    """Save a picture as PNG, 8 bits per channel, with the settings that made it.

    An existing file is never overwritten: the new one is then called ``name-2.png``, ``name-3.png`` and so on. The
    file appears under its name only when it is complete.

    Args:
        image: (3, H, W) or (1, 3, H, W), RGB in [0, 1].
        path: Ends in ``.png``; its folder exists.
        settings: Anything that JSON can represent; read back by :func:`read_settings`.

    Returns:
        The absolute path of the file.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If ``image`` has another shape or range, or ``path`` another suffix.
        TypeError: If JSON cannot represent the settings.
    """
    pixels, path = _pixels(image), Path(path).absolute()
    if path.suffix.lower() != ".png":
        raise ValueError(f"the path must end in .png, got {path.name!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}; make it first, or choose another")
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(KEY, _as_json(settings))
    data = BytesIO()
    Image.fromarray(pixels).save(data, "PNG", pnginfo=chunks)
    return write_new(path, data.getvalue())


def read_settings(path: str | Path) -> dict[str, object]:
    """Read the settings that :func:`save_png` stored in a file.

    Args:
        path: A file that :func:`save_png` wrote.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        ValueError: If it is not a picture, or has no settings, or damaged ones.
    """
    text = _text_inside(Path(path))
    if text is None:
        raise ValueError(f"{path} has no settings inside; save_png writes them, other programs may have dropped them")
    return _from_json(text, path)


def file_name(name: str, values: Mapping[str, object]) -> str:
    """Make a file name out of the most important settings: ``"dream-mini_vgg-relu3_1-steps20.png"``.

    Args:
        name: Its first part.
        values: Setting -> value. A text is added as it is, a number after the setting's name, and of a setting that is
            True the name alone; other values are left out.
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
    return "-".join(slug for slug, length in zip(slugs, lengths, strict=True) if slug and length <= _MAX_NAME) + ".png"


def save_animation(
    frames: Iterable[Tensor], path: str | Path, *, fps: float = 12.0, settings: Mapping[str, object] | None = None
) -> Path:
    """Save pictures as an animation in an endless loop.

    Args:
        frames: (3, H, W) each, RGB in [0, 1], all of one size; an iterator is exhausted.
        path: ``.webp`` keeps the colours, ``.gif`` opens everywhere but has 256 colours a frame, ``.png`` is lossless.
        fps: Frames per second.
        settings: The settings that made the pictures, stored inside the file as JSON; see :func:`animation_settings`.

    Returns:
        The path.

    Raises:
        ValueError: If the suffix is another, there are no frames, they differ in size, or ``fps`` is not above 0.
    """
    path = Path(path)
    kind = _ANIMATIONS.get(path.suffix.lower())
    if kind is None or not fps > 0:
        raise ValueError(f"wanted a name ending in {', '.join(_ANIMATIONS)} and fps > 0, got {path.name!r} and {fps}")
    pictures = [to_pil(frame) for frame in frames]
    sizes = sorted({picture.size for picture in pictures})
    if len(sizes) != 1:
        raise ValueError(f"wanted at least one frame, all of one size; got {sizes or 'none'}")
    options = {"save_all": True, "append_images": pictures[1:], "duration": round(1000 / fps), "loop": 0}
    options |= _settings_option(kind, _as_json(settings or {}))
    data = BytesIO()
    pictures[0].save(data, kind, **options)
    write_over(path, data.getvalue())
    return path


def animation_settings(path: str | Path) -> dict[str, object]:
    """Read the settings that :func:`save_animation` stored in a file; empty if there are none.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        ValueError: If it is not a picture, or has damaged settings.
    """
    return _from_json(_text_inside(Path(path), exif=True) or "{}", path)


def _text_inside(path: Path, *, exif: bool = False) -> str | bytes | None:
    """The text that a picture holds beside its pixels: under our keyword in a PNG, as a GIF's comment, or in EXIF."""
    data = path.read_bytes()  # its errors say what is wrong with the file, PIL's what is wrong with the picture
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about size and about damaged metadata
            with Image.open(BytesIO(data), formats=FORMATS) as picture:
                if not exif:
                    return picture.info.get(KEY)
                return picture.info.get("comment") if picture.format == "GIF" else picture.getexif().get(_DESCRIPTION)
    except Exception as error:  # PIL raises many kinds for malformed bytes
        raise ValueError(f"{path} is not a picture, or a damaged one") from error


def _from_json(text: str | bytes, path: str | Path) -> dict[str, object]:
    try:
        settings = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"the settings in {path} are damaged ({error})") from error
    if not isinstance(settings, dict):
        raise ValueError(f"the settings in {path} are damaged: wanted names with values, got {type(settings).__name__}")
    return settings


def _pixels(image: Tensor) -> np.ndarray:
    """Check a picture and convert it to (H, W, 3), uint8."""
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
    """Raise a ``TypeError`` that names the setting that JSON cannot represent, ``"recipe.start"`` if it is nested."""
    for key, value in settings.items():
        if isinstance(value, dict):
            _check_settings(value, f"{inside}{key}.")
            continue
        try:
            json.dumps({key: value}, allow_nan=False)
        except (TypeError, ValueError) as error:
            kind = type(value).__name__
            raise TypeError(f"settings must be what JSON can represent; '{inside}{key}' is a {kind}: {error}") from None


def _settings_option(kind: str, text: str) -> dict[str, object]:
    """Return the options with which PIL stores a text in a file of this format."""
    if kind == "GIF":
        return {"comment": text.encode()}
    exif = Image.Exif()
    exif[_DESCRIPTION] = text
    return {"exif": exif, "quality": 85} if kind == "WEBP" else {"exif": exif}
