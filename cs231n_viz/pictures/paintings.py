"""Paintings that come with the package, as styles and textures for other pictures.

Example::

    style = load_painting("swirls")    # (3, 512, 512)
    painting_names()                   # what else there is

``training/paintings.py`` painted them from their seeds alone; ``data/README.md`` says what each one imitates.
"""

from difflib import get_close_matches

from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.data_files import data_path
from cs231n_viz.pictures.images import ImageError, load_image

_FOLDER = "paintings"


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
        ImageError: There is no painting of that name; the message offers the nearest one.
    """
    names = painting_names()
    if name not in names:
        close = get_close_matches(str(name).lower(), names, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ImageError(f"no painting {name!r}; {hint}There are {', '.join(names)}")
    return load_image(data_path(_FOLDER, f"{name}.jpg"))


# Where in the photograph: top, left, side in pixels. Small enough to show the elements, large enough to show several.
_REGIONS = {
    "brick": (0, 0, 256),
    "grass": (0, 0, 256),
    "gravel": (80, 80, 256),
    "coins": (114, 86, 183),
    "hubble_deep_field": (240, 240, 256),
    "page": (48, 60, 128),
    "astronaut": (0, 0, 512),
}


def texture_names() -> list[str]:
    """List names for :func:`texture_sample`: photographs of textures, two of no texture (text, a face), paintings."""
    return [*_REGIONS, *painting_names()]


def texture_sample(name: str, side: int = 64, *, zoom: float = 1.0) -> Tensor:
    """Cut a square sample out of a texture.

    Args:
        name: One of :func:`texture_names`, or anything ``load_image`` takes; of that, the square in the middle.
        side: Of the sample in pixels.
        zoom: Below 1 a larger piece of the photograph is reduced to the same side, at most the whole.

    Returns:
        (3, side, side), RGB in [0, 1].

    Raises:
        ImageError: If there is no such picture.
        ValueError: If ``side`` or ``zoom`` makes no sense.
    """
    if side < 1 or not zoom > 0:
        raise ValueError(f"wanted side from 1 pixel on and zoom above 0, got {side} and {zoom}")
    image = load_painting(name) if isinstance(name, str) and name in painting_names() else load_image(name)
    height, width = image.shape[-2:]
    least = min(height, width)
    whole = ((height - least) // 2, (width - least) // 2, least)
    top, left, base = _REGIONS.get(name, whole) if isinstance(name, str) else whole
    piece = min(max(round(base / zoom), 1), least)
    top, left = (max(min(start, whole_side - piece), 0) for start, whole_side in ((top, height), (left, width)))
    cut = image[None, :, top : top + piece, left : left + piece]
    return F.interpolate(cut, size=side, mode="bilinear", antialias=True, align_corners=False)[0].clamp(0, 1)
