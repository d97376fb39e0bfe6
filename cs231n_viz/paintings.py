"""Paintings that come with the package, as styles and textures for other pictures.

Example::

    style = load_painting("swirls")    # (3, 512, 512)
    painting_names()                   # what else there is

``training/paintings.py`` painted them from their seeds alone; ``data/README.md`` says what each one imitates.
"""

from difflib import get_close_matches

from torch import Tensor

from cs231n_viz.data_files import data_path
from cs231n_viz.images import ImageError, load_image

_FOLDER = "paintings"


def painting_names() -> list[str]:
    """Which paintings are there? Names for :func:`load_painting`, in alphabetical order."""
    return sorted(path.stem for path in data_path(_FOLDER).glob("*.jpg"))


def load_painting(name: str) -> Tensor:
    """What are the pixels of this painting?

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
