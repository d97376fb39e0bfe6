"""Paintings that come with the package, as styles and textures for other pictures.

Example::

    style = load_painting("swirls")    # (3, 512, 512)
    painting_names()                   # all ten

``training/paintings.py`` generated them from their seeds alone; ``data/README.md`` says what each one imitates.
"""

from difflib import get_close_matches

from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.data_files import data_path
from cs231n_viz.pictures.images import ImageError, load_image

_FOLDER = "paintings"
# Texture -> (top, left, side) in its photograph, in pixels: large enough to show several of its elements.
_REGIONS = {
    "brick": (0, 0, 256),
    "grass": (0, 0, 256),
    "gravel": (80, 80, 256),
    "coins": (114, 86, 183),
    "hubble_deep_field": (240, 240, 256),
    "page": (48, 60, 128),
    "astronaut": (0, 0, 512),
}


def painting_names() -> list[str]:
    """List the paintings, names for :func:`load_painting`, in alphabetical order."""
    return sorted(path.stem for path in data_path(_FOLDER).glob("*.jpg"))


def load_painting(name: str) -> Tensor:
    """Load a painting that comes with the package.

    Args:
        name: One of :func:`painting_names`.

    Returns:
        (3, 512, 512) float32 on the CPU, RGB in [0, 1].

    Raises:
        ImageError: If there is no painting of that name; the message names the closest.
    """
    names = painting_names()
    if name not in names:
        close = get_close_matches(str(name).lower(), names, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ImageError(f"no painting {name!r}; {hint}There are {', '.join(names)}")
    return load_image(data_path(_FOLDER, f"{name}.jpg"))


def texture_names() -> list[str]:
    """List names for :func:`texture_sample`: photographs of textures, two of no texture (text, a face), paintings."""
    return [*_REGIONS, *painting_names()]


def texture_sample(name: str, side: int = 64, *, zoom: float = 1.0) -> Tensor:
    """Cut a square sample out of a texture.

    Args:
        name: One of :func:`texture_names`, or anything that ``load_image`` takes: its centre square.
        side: Side of the sample in pixels.
        zoom: Magnification; below 1 a larger part of the photograph, at most all of it, is reduced to the same side.

    Returns:
        (3, side, side), RGB in [0, 1].

    Raises:
        ImageError: If there is no such picture.
        ValueError: If ``side`` is below 1 or ``zoom`` is not above 0.
    """
    if side < 1 or not zoom > 0:
        raise ValueError(f"side must be 1 pixel or more and zoom above 0, got {side} and {zoom}")
    image = load_painting(name) if isinstance(name, str) and name in painting_names() else load_image(name)
    height, width = image.shape[-2:]
    short = min(height, width)
    centre = ((height - short) // 2, (width - short) // 2, short)
    top, left, region = _REGIONS.get(name, centre) if isinstance(name, str) else centre
    crop = min(max(round(region / zoom), 1), short)
    top, left = max(min(top, height - crop), 0), max(min(left, width - crop), 0)
    cropped = image[None, :, top : top + crop, left : left + crop]
    return F.interpolate(cropped, size=side, mode="bilinear", antialias=True, align_corners=False)[0].clamp(0, 1)
