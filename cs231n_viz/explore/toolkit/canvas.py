"""Drawing with Pillow for explorers: cells with numbers, frames, labels, all in one quiet style.

Coordinates are CSS pixels from the top left corner; the picture has :data:`SCALE` times as many, to be crisp.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from cs231n_viz.explore.toolkit.picture import SCALE, WIDTH
from cs231n_viz.explore.toolkit.theme import is_dark, turned
from cs231n_viz.pictures.images import to_uint8

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]  # left, top, width, height

# Okabe and Ito's palette, told apart with any kind of colour vision.
BLUE, ORANGE, GREEN = (0, 114, 178), (213, 94, 0), (0, 158, 115)
INK, GREY, PALE, LINE, PAPER = (34, 34, 34), (105, 105, 105), (240, 240, 240), (205, 205, 205), (255, 255, 255)


@cache
def font(size: int, bold: bool = False, scale: float = SCALE) -> ImageFont.FreeTypeFont:
    """Matplotlib's sans-serif, which has the signs × − Σ that Pillow's own font lacks; ``size`` in CSS pixels."""
    folder = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
    file = folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    pixels = round(size * scale)
    return ImageFont.truetype(str(file), pixels) if file.exists() else ImageFont.load_default(pixels)


@cache
def colour_table(name: str) -> np.ndarray:
    """The 256 colours of one of matplotlib's maps, (256, 3), uint8."""
    from matplotlib import colormaps  # heavy, and only needed for this table

    return (colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)


def coloured(values: np.ndarray, limit: float, *, signed: bool = True) -> np.ndarray:
    """Map numbers to colours; zero is white in the signed palette and dark in the other.

    Args:
        values: Any shape.
        limit: Magnitude at the end of the palette.
        signed: RdBu_r from -limit to limit, else viridis from 0 to limit.

    Returns:
        ``values.shape + (3,)``, uint8.
    """
    share = np.nan_to_num(np.asarray(values, dtype=np.float64)) / (limit or 1.0)
    share = (share + 1) / 2 if signed else share
    return colour_table("RdBu_r" if signed else "viridis")[(share.clip(0, 1) * 255).round().astype(int)]


def greys(values: np.ndarray, limit: float = 1.0) -> np.ndarray:
    """Grey values in [0, limit] as RGB, uint8, one axis more than ``values``."""
    level = (np.nan_to_num(values).clip(0, limit) / (limit or 1.0) * 255).round().astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=-1)


def number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign and no negative zero; with more than three digits, no trailing zeros."""
    text = f"{round(float(value), digits) + 0.0:.{digits}f}"
    if digits > 3:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def themed(colour: Colour) -> Colour:
    """A colour of paper or ink in a picture that is pasted: on a dark page, what it is turned into."""
    return turned(Image.new("RGB", (1, 1), colour)).getpixel((0, 0)) if is_dark() else colour


class Canvas:
    """A white picture to draw on; for a dark page, what is drawn is turned, and what is pasted stays as it is."""

    def __init__(self, height: int, width: int = WIDTH, *, scale: float = SCALE) -> None:
        """Sizes in CSS pixels; ``scale`` is how many pixels of the picture each of them has."""
        self._scale = scale
        self.image = Image.new("RGB", (self._px(width), self._px(height)), PAPER)
        self._pen = ImageDraw.Draw(self.image)
        self._pasted = Image.new("L", self.image.size) if is_dark() else None

    def _px(self, value: float) -> int:
        return round(value * self._scale)

    @property
    def array(self) -> np.ndarray:
        """(H, W, 3), uint8."""
        if self._pasted is None:
            return np.array(self.image)
        return np.array(Image.composite(self.image, turned(self.image), self._pasted))

    def _paste(self, image: Image.Image, place: tuple[int, int]) -> None:
        self.image.paste(image, place)
        if self._pasted is not None:
            self._pasted.paste(255, (*place, place[0] + image.width, place[1] + image.height))

    def text(
        self,
        at: tuple[float, float],
        text: str,
        *,
        size: int = 15,
        colour: Colour = INK,
        anchor: str = "la",
        bold: bool = False,
    ) -> None:
        """Write one line; ``anchor`` as in Pillow: l, m, r and a, m, s."""
        place = (self._px(at[0]), self._px(at[1]))
        self._pen.text(place, text, font=font(size, bold, self._scale), fill=colour, anchor=anchor)

    def heading(self, x: float, text: str) -> None:
        """Write the title of a panel at the top of the picture."""
        self.text((x, 4), text, size=16, bold=True)

    def paste(
        self, pixels: np.ndarray, at: tuple[float, float], size: tuple[float, float], *, smooth: bool = False
    ) -> None:
        """Put an array (h, w, 3) at (x, y), stretched to (width, height)."""
        left, top = self._px(at[0]), self._px(at[1])
        right, bottom = self._px(at[0] + size[0]), self._px(at[1] + size[1])
        how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
        image = Image.fromarray(np.ascontiguousarray(pixels)).resize((right - left, bottom - top), how)
        self._paste(image, (left, top))

    def panel(
        self,
        pixels: np.ndarray,
        at: tuple[float, float],
        side: float,
        title: str,
        *,
        bold: bool = False,
        smooth: bool = True,
    ) -> None:
        """Put a square array (h, w, 3) at (x, y) with a small title above it."""
        self.text((at[0], at[1] - 6), title, size=13, colour=INK if bold else GREY, anchor="ls", bold=bold)
        self.paste(pixels, at, (side, side), smooth=smooth)

    def fit(self, image: Tensor | None, at: tuple[float, float], size: tuple[float, float]) -> Box:
        """Put an image (3 or 1, H, W) into the middle of the box at (x, y) of (width, height), as large as fits.

        The box stays empty, with a frame, if there is no image yet.

        Returns:
            Where the image stands: left, top, width and height.
        """
        if image is None:
            self.frame(at, size, colour=GREY)
            return (*at, *size)
        height, width = image.shape[-2:]
        scale = min(size[0] / width, size[1] / height)
        wide, high = width * scale, height * scale
        corner = (at[0] + (size[0] - wide) / 2, at[1] + (size[1] - high) / 2)
        self.paste(to_uint8(image.expand(3, -1, -1)), corner, (wide, high), smooth=True)
        return (*corner, wide, high)

    def row(
        self, pictures: Mapping[str, Tensor | None], side: float, *, at: tuple[float, float] = (8, 30)
    ) -> list[Box]:
        """Fit pictures side by side into squares, the first at (x, y), each under its title; say where they stand."""
        boxes = []
        for place, (title, picture) in enumerate(pictures.items()):
            corner = (at[0] + place * (side + 16), at[1])
            self.text((corner[0], at[1] - 22), title, size=14, bold=True)
            boxes.append(self.fit(picture, corner, (side, side)))
        return boxes

    def put(self, pixels: np.ndarray, at: tuple[float, float], *, drawn: np.ndarray | bool = False) -> None:
        """Put an array (h, w, 3) at (x, y) as it is, one array element per pixel of the picture.

        ``drawn`` says where it is paper and ink, such as a chart, and no picture: everywhere, or (h, w).
        """
        place = (self._px(at[0]), self._px(at[1]))
        self._paste(Image.fromarray(np.ascontiguousarray(pixels)), place)
        if self._pasted is not None and np.any(drawn):
            mask = np.broadcast_to(drawn, pixels.shape[:2]).astype(np.uint8) * 255
            self._pasted.paste(0, place, Image.fromarray(mask))

    def frame(
        self,
        at: tuple[float, float],
        size: tuple[float, float],
        *,
        colour: Colour = INK,
        width: float = 1,
        fill: Colour | None = None,
    ) -> None:
        """A rectangle at (x, y) of (width, height); the line lies inside."""
        corners = (self._px(at[0]), self._px(at[1]), self._px(at[0] + size[0]) - 1, self._px(at[1] + size[1]) - 1)
        self._pen.rectangle(corners, outline=colour, width=max(1, self._px(width)), fill=fill)

    def box(self, box: tuple[int, int, int, int], at: tuple[float, float], scale: float, *, width: float = 2) -> None:
        """Frame the pixels (top, left, bottom, right) of a picture that was put at (x, y) with ``scale`` px a pixel."""
        top, left, bottom, right = box
        size = (max(4, (right - left) * scale), max(4, (bottom - top) * scale))  # to be seen around one pixel, too
        self.frame((at[0] + left * scale, at[1] + top * scale), size, colour=ORANGE, width=width)

    def line(self, points: Sequence[tuple[float, float]], *, colour: Colour = INK, width: float = 1) -> None:
        """A broken line through the points."""
        self._pen.line([(self._px(x), self._px(y)) for x, y in points], fill=colour, width=max(1, self._px(width)))

    def polygon(self, points: Sequence[tuple[float, float]], *, fill: Colour, colour: Colour = INK) -> None:
        """A filled polygon."""
        self._pen.polygon([(self._px(x), self._px(y)) for x, y in points], fill=fill, outline=colour, width=1)

    def grid(self, at: tuple[float, float], cell: float, shape: tuple[int, int], *, colour: Colour = LINE) -> None:
        """Thin lines around every cell of a grid of (rows, columns)."""
        (x, y), (rows, columns) = at, shape
        for row in range(rows + 1):
            self.line([(x, y + row * cell), (x + columns * cell, y + row * cell)], colour=colour, width=0.7)
        for column in range(columns + 1):
            self.line([(x + column * cell, y), (x + column * cell, y + rows * cell)], colour=colour, width=0.7)

    def hatch(self, at: tuple[float, float], size: tuple[float, float], *, colour: Colour = ORANGE) -> None:
        """Slanted lines over an area that does not take part."""
        width, height = self._px(size[0]), self._px(size[1])
        stripes = Image.new("L", (width, height))
        pen = ImageDraw.Draw(stripes)
        for start in range(-height, width, self._px(7)):
            pen.line([(start, height), (start + height, 0)], fill=170, width=2)
        self.image.paste(colour, (self._px(at[0]), self._px(at[1])), stripes)

    def numbers(
        self,
        values: np.ndarray,
        at: tuple[float, float],
        cell: float,
        *,
        background: np.ndarray | None = None,
        size: int = 12,
        digits: int = 2,
    ) -> None:
        """Print one number per cell, black or white, whichever reads better on ``background`` (h, w, 3)."""
        for (row, column), value in np.ndenumerate(values):
            dark = background is not None and background[row, column] @ (0.3, 0.59, 0.11) < 128
            middle = (at[0] + (column + 0.5) * cell, at[1] + (row + 0.5) * cell)
            self.text(middle, number(value, digits), size=size, anchor="mm", colour=PAPER if dark else INK)

    def scale_bar(
        self, at: tuple[float, float], width: float, limit: float, *, signed: bool | None, low: float | None = None
    ) -> None:
        """A strip that explains the colours; ``signed`` None for greys, which may begin at ``low`` instead of 0."""
        low = (-limit if signed else 0.0) if low is None else low
        ramp = np.linspace(low, limit, 256)[None]
        strip = greys(ramp - low, limit - low) if signed is None else coloured(ramp, limit, signed=signed)
        x, y = at
        self.paste(strip, at, (width, 10))
        self.frame(at, (width, 10), colour=LINE)
        marks = [(x, low, "la"), (x + width, limit, "ra"), (x + width / 2, (low + limit) / 2, "ma")]
        for place, value, anchor in marks if width >= 180 else marks[:2]:
            self.text((place, y + 14), f"{value:.3g}".replace("-", "−"), size=12, colour=GREY, anchor=anchor)
