"""The theme of the page: in a dark one the paper of a drawing is dark and its ink light; pictures stay as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce

from PIL import Image, ImageChops

GROUND = 17  # grey level of dark paper, that of JupyterLab's page

_dark: ContextVar[bool] = ContextVar("dark", default=False)


@contextmanager
def theme(*, dark: bool) -> Iterator[None]:
    """What is drawn inside is drawn for a dark page, or for a light one."""
    token = _dark.set(dark)
    try:
        yield
    finally:
        _dark.reset(token)


def is_dark() -> bool:
    """Whether drawings are made for a dark page."""
    return _dark.get()


def turned(image: Image.Image) -> Image.Image:
    """A drawing for a dark page: light and dark change places, hues stay, and white becomes :data:`GROUND`."""
    bands = image.split()
    lowest, highest = reduce(ImageChops.darker, bands), reduce(ImageChops.lighter, bands)
    rest = ImageChops.invert(highest)  # each band becomes 255 - highest - lowest + band
    light = Image.merge("RGB", [ImageChops.add(ImageChops.subtract(band, lowest), rest) for band in bands])
    return light.point([round(GROUND + level * (255 - GROUND) / 255) for level in range(256)] * 3)
