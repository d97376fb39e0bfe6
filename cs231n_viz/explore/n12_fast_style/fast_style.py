"""Explorer of notebook 12: any mixture of styles in real time, on a photograph, a folder of pictures or the camera."""

import time
from collections import deque
from functools import lru_cache
from html import escape
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import SCALE, Canvas
from cs231n_viz.explore.toolkit.controls import (
    PictureChoice,
    dropdown,
    replace_options,
    slider,
    upload_button,
    uploaded_picture,
)
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.pictures.folders import list_folder
from cs231n_viz.pictures.images import ImageSource, centre_square, load_image, sample_images, to_uint8
from cs231n_viz.pictures.paintings import load_painting, painting_names
from cs231n_viz.style.fast import FastStyle, load_fast_style
from cs231n_viz.style.painter import Painter

SIZES = ("128", "192", "256", "384", "512")
_LARGE, _SMALL, _TOP, _LEFT = 540, 270, 30, 306  # CSS pixels
_PITCH = 136  # of the paintings, likewise
_OWN = "my own picture"
_READABLE = 0.5  # seconds that a text stays while the camera films


def fast_style(
    network: FastStyle | None = None,
    picture: ImageSource = "cat",
    *,
    folder: str | Path | None = None,
    size: int = 256,
) -> Explorer:
    """Mix the styles of a feed-forward style network with sliders, in real time.

    Args:
        network: The one that ships if omitted.
        picture: Initial picture, of ``sample_images()``, or one of your own; with a folder, its first picture.
        folder: Offer the pictures in this folder instead of the photographs that come with the course.
        size: Side of the square that is painted, in pixels; one of 128, 192, 256, 384, 512.

    Returns:
        The explorer; ``controls`` are ``picture``, ``size``, ``file``, with the browser's camera, and a weight for each
        style under the style's name.

    Raises:
        ValueError: If the size is another, or the folder holds no pictures.
    """
    if str(size) not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}, got {size}")
    names = sample_images() if folder is None else list(list_folder(folder).names)
    choice = PictureChoice(picture if folder is None else names[0], names, label="picture")
    network = load_fast_style() if network is None else network
    return _FastStyle(network, choice, None if folder is None else Path(folder), size).explorer


class _FastStyle:
    def __init__(self, network: FastStyle, choice: PictureChoice, folder: Path | None, size: int) -> None:
        self.painter, self.choice, self.folder = Painter(network), choice, folder
        self.seconds: deque[float] = deque(maxlen=25)
        self.said = 0.0  # when the text was written last
        self.image = lru_cache(maxsize=32)(self._image)
        replace_options(choice.dropdown, [*choice.dropdown.options, _OWN])
        styles = network.styles
        self.controls = {
            "picture": choice.dropdown,
            "size": dropdown("size, px", SIZES, value=str(size)),
            "file": upload_button(live=True),
            **{style: slider(style, 0, 100, value=100 * (style == styles[0])) for style in styles},
        }
        panel = [("picture", "file"), *(styles[i : i + 2] for i in range(0, len(styles), 2)), ("size",)]
        first = ("picture", "file", *styles[:3])
        self.controls["file"].observe(self._follow_file, names="value")
        self.controls["picture"].observe(self._follow_picture, names="value")
        view = ImageView(alt="A photograph, and the same in the chosen mixture of styles.")
        self.explorer = Explorer(self.draw, self.controls, panel=panel, first=first, view=view)
        self.controls["file"].observe(self.explorer.update, names="filming")  # the last frame once more, sharp

    def _image(self, picture: str, size: int) -> Tensor:
        if picture != _OWN:
            source = self.choice(picture) if self.folder is None else self.folder / picture
            return centre_square(load_image(source), size)[0]
        own = uploaded_picture(self.controls["file"].value)
        if own is None:
            raise ValueError("no file chosen yet; press “choose a file”")
        return centre_square(own, size)[0]

    def _follow_file(self, change: dict) -> None:
        self.image.cache_clear()
        if change["new"]:
            self.controls["picture"].value = _OWN

    def _follow_picture(self, change: dict) -> None:
        if change["new"] != _OWN:
            self.controls["file"].filming = False

    def draw(self, picture: str, size: str, file: object, **weights: int) -> Drawing:
        self.controls["file"].frame_side = int(size)
        photo = self.image(picture, int(size))
        mixture = torch.tensor([float(weights[style]) for style in self.painter.styles])
        pixels, notice = to_uint8(photo), ""
        start = time.perf_counter()
        if mixture.any():
            painted = self.painter(photo, mixture)
            self.seconds.append(time.perf_counter() - start)
        else:
            painted, notice = pixels, "All weights are 0: this is the photograph itself."
        return Drawing(self._page(pixels, painted, mixture), self._text(mixture, int(size)), notice)

    def _page(self, photo: np.ndarray, painted: np.ndarray, mixture: Tensor) -> np.ndarray:
        """The photograph, below it up to four paintings of the mixture, and the output of the network."""
        filming = self.controls["file"].filming
        canvas = Canvas(_TOP + _LARGE + 8, scale=1 if filming else SCALE)  # a quarter of the pixels, for more frames
        canvas.panel(photo, (8, _TOP), _SMALL, "photograph")
        canvas.panel(painted, (_LEFT, _TOP), _LARGE, "one forward pass")
        chosen = [style for style in self.painter.styles if style in painting_names()]
        chosen = [style for style in chosen if mixture[self.painter.styles.index(style)]]
        chosen.sort(key=lambda style: -mixture[self.painter.styles.index(style)])
        for place, style in enumerate(chosen[:4]):
            corner = 8 + place % 2 * _PITCH, _TOP + _SMALL + 12 + place // 2 * _PITCH
            canvas.paste(_thumbnail(style), corner, (_PITCH - 8, _PITCH - 8), smooth=True)
        return canvas.array

    def _text(self, mixture: Tensor, size: int) -> str:
        if self.controls["file"].filming and time.perf_counter() - self.said < _READABLE:
            return self.explorer.text.value  # new numbers with every frame cannot be read, and cost the page time
        self.said = time.perf_counter()
        shares = mixture / mixture.sum().clamp_min(1e-9)
        parts = [
            f"{share:.0%} {escape(style)}"
            for style, share in zip(self.painter.styles, shares.tolist(), strict=True)
            if share
        ]
        text = f"<b>{' + '.join(parts) or 'nothing'}</b>, {size} × {size} px."
        if self.seconds:
            text += f" The network takes {median(self.seconds) * 1e3:.0f} ms for a picture"
            if len(self.seconds) > 1:
                whole = median(islice(reversed(self.explorer.seconds), len(self.seconds)))
                text += f", with drawing and encoding {whole * 1e3:.0f} ms; the way to this page comes on top"
            text += "."
        return paragraph(text)


@lru_cache(maxsize=32)
def _thumbnail(style: str) -> np.ndarray:
    return to_uint8(centre_square(load_painting(style), 190)[0])
