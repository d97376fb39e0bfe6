"""Explorer of notebook 12: any mixture of styles, on a photograph, a folder of pictures or the webcam, at once."""

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from statistics import median

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from cs231n_viz.explore.n12_fast_style.camera import Camera, NoCameraError
from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import GREY, Canvas, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP, checkbox, dropdown, slider
from cs231n_viz.explore.toolkit.picture import ImageView
from cs231n_viz.pictures.folders import list_folder
from cs231n_viz.pictures.images import centre_square, load_image, sample_images
from cs231n_viz.pictures.paintings import load_painting, painting_names
from cs231n_viz.style.fast import FastStyle, load_fast_style
from cs231n_viz.style.painter import Painter

SIZES = ("128", "192", "256", "384", "512")
_LARGE, _SMALL, _TOP, _LEFT = 540, 270, 30, 306  # CSS pixels
_PITCH = 136  # of the paintings, likewise
_OWN = "my own picture"
_BREATH = 0.005  # seconds between two frames of the webcam, in which the page's events are heard


def fast_style(
    network: FastStyle | None = None,
    picture: str = "cat",
    *,
    folder: str | Path | None = None,
    size: int = 256,
    camera: Callable[[], Camera] = Camera,
) -> Explorer:
    """Mix the styles of a network live.

    Args:
        network: The one that ships if omitted.
        picture: The one to begin with, of ``sample_images()``; with a folder, its first picture.
        folder: Offer the pictures in this folder in place of the photographs that come with the course.
        size: Side of the square that is painted, in pixels; one of 128, 192, 256, 384, 512.
        camera: Opens the webcam.

    Returns:
        The explorer; ``controls`` are ``picture``, ``size``, ``file``, ``webcam``, and a weight for each style under
        the style's name.

    Raises:
        ValueError: If the size is another, or the folder holds no pictures.
    """
    if str(size) not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}, got {size}")
    names = sample_images() if folder is None else list(list_folder(folder).names)
    first = picture if folder is None else names[0]
    network = load_fast_style() if network is None else network
    return _Mixing(network, (names, first, None if folder is None else Path(folder)), size, camera).explorer


class _Mixing:
    def __init__(
        self, network: FastStyle, source: tuple[list[str], str, Path | None], size: int, camera: Callable[[], Camera]
    ) -> None:
        names, first, self.folder = source
        self.painter, self.open_camera = Painter(network), camera
        self.camera: Camera | None = None
        self.own: Tensor | None = None
        self.fault: Exception | None = None
        self.seconds: deque[float] = deque(maxlen=25)
        self.image = lru_cache(maxsize=32)(self._image)
        file = widgets.FileUpload(accept="image/*", description="choose a file", layout={"width": "200px"})
        self.controls = {
            "picture": dropdown("picture", [*names, _OWN], value=first),
            "size": dropdown("size, px", SIZES, value=str(size)),
            "file": file,
            "webcam": checkbox("webcam"),
        }
        first_style = network.styles[0]
        weights = {style: slider(style, 0, 100, value=100 * (style == first_style)) for style in network.styles}
        rows = [("picture", "size"), ("file", "webcam"), *zip(*[iter(weights)] * 2, strict=False)]
        rows += [(network.styles[-1],)] * (len(weights) % 2)
        self.controls |= weights
        panel = [widgets.HBox([self.controls[name] for name in row], layout=GAP) for row in rows]
        file.observe(self._take_file, names="value")
        self.controls["picture"].observe(self._forget_fault, names="value")
        self.controls["webcam"].observe(self._switch_camera, names="value")
        alt = "A photograph, and the same painted in the chosen mixture of styles."
        self.explorer = Explorer(_taking(self.draw, self.controls), self.controls, panel=panel, view=ImageView(alt=alt))

    def _image(self, picture: str, size: int) -> Tensor:
        if picture == _OWN:
            if self.own is None:
                raise ValueError("no file chosen yet; press “choose a file”")
            return centre_square(self.own, size)[0]
        return centre_square(load_image(picture if self.folder is None else self.folder / picture), size)[0]

    def _take_file(self, change: dict) -> None:
        with self.explorer.hold():
            try:
                self.own, self.fault = load_image(bytes(change["new"][-1]["content"])), None
            except OSError as error:
                self.fault = OSError(f"{change['new'][-1]['name']}: {error}")
            except ValueError as error:
                self.fault = ValueError(f"{change['new'][-1]['name']}: {error}")
            self.image.cache_clear()
            fault, self.controls["picture"].value = self.fault, _OWN
            self.fault = fault

    def _forget_fault(self, _: object) -> None:
        self.fault = None

    def _switch_camera(self, change: dict) -> None:
        if self.camera is not None:
            self.camera.close()
        self.camera, self.fault = None, None
        if not change["new"]:
            return
        try:
            self.camera = self.open_camera()
        except NoCameraError as error:
            self.fault = error
            self.controls["webcam"].value = False
            self.fault = error  # which switching it off has cleared
        else:
            self._film()

    def _film(self) -> None:
        """One frame after the other, as long as the webcam is on and a notebook's event loop runs."""
        if self.camera is None:
            return
        self.explorer.update()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        loop.call_later(_BREATH, self._film)

    def draw(self, picture: str, size: str, webcam: bool, file: object, **weights: int) -> Drawing:
        notice = ""
        if self.fault is not None and isinstance(self.fault, NoCameraError):
            notice = f"Not filmed: {self.fault}."
        elif self.fault is not None:
            raise self.fault
        if self.camera is not None:
            photo = centre_square(torch.from_numpy(self.camera.read()).permute(2, 0, 1).float().div(255), int(size))[0]
        else:
            photo = self.image(picture, int(size))
        mixture = torch.tensor([float(weights[style]) for style in self.painter.styles])
        pixels = to_pixels(photo)
        start = time.perf_counter()
        if mixture.any():
            painted = self.painter(photo, mixture)
            self.seconds.append(time.perf_counter() - start)
        else:
            painted, notice = pixels, notice + " All weights are 0: this is the photograph itself."
        return Drawing(self._page(pixels, painted, mixture), self._text(mixture, int(size)), notice.strip())

    def _page(self, photo: np.ndarray, painted: np.ndarray, mixture: Tensor) -> np.ndarray:
        """The photograph, below it up to four paintings of the mixture, and what the network makes of it."""
        canvas = Canvas(_TOP + _LARGE + 8)
        canvas.text((8, _TOP - 8), "photograph", size=13, colour=GREY, anchor="ls")
        canvas.text((_LEFT, _TOP - 8), "one forward pass", size=13, colour=GREY, anchor="ls")
        canvas.paste(photo, (8, _TOP), (_SMALL, _SMALL), smooth=True)
        canvas.paste(painted, (_LEFT, _TOP), (_LARGE, _LARGE), smooth=True)
        chosen = [style for style in self.painter.styles if style in painting_names()]
        chosen = [style for style in chosen if mixture[self.painter.styles.index(style)]]
        chosen.sort(key=lambda style: -mixture[self.painter.styles.index(style)])
        for place, style in enumerate(chosen[:4]):
            corner = 8 + place % 2 * _PITCH, _TOP + _SMALL + 12 + place // 2 * _PITCH
            canvas.paste(_thumbnail(style), corner, (_PITCH - 8, _PITCH - 8), smooth=True)
        return canvas.array

    def _text(self, mixture: Tensor, size: int) -> str:
        shares = mixture / mixture.sum().clamp_min(1e-9)
        parts = [
            f"{share:.0%} {style}" for style, share in zip(self.painter.styles, shares.tolist(), strict=True) if share
        ]
        text = f"<b>{' + '.join(parts) or 'nothing'}</b>, {size} × {size} px."
        if self.seconds:
            taken = median(self.seconds)
            text += f" {taken * 1e3:.0f} ms for a picture, that is {1 / taken:.0f} a second."
        return f'<div style="line-height: 1.5; max-width: 850px">{text}</div>'


@lru_cache(maxsize=32)
def _thumbnail(style: str) -> np.ndarray:
    return to_pixels(centre_square(load_painting(style), 190)[0])


def _taking(draw: Callable[..., Drawing], names: dict[str, widgets.Widget]) -> Callable[..., Drawing]:
    """The same function with named parameters, which is how an explorer knows what to follow."""

    def follow(**values: object) -> Drawing:
        return draw(**values)

    kind = inspect.Parameter.KEYWORD_ONLY
    follow.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    return follow
