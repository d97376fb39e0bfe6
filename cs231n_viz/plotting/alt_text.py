"""Alternative text: figures and pictures with a description for those who cannot see them.

A notebook shows what :func:`figure` and :func:`picture` return when it is the last line of a cell::

    figure(show_grid(first_layer_filters(model)), "The 64 filters of the first layer: edges and colours.")
"""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from cs231n_viz.pictures.plates import load_plate


class DescribedFigure:
    """A finished figure; a notebook shows it as one picture with alternative text.

    Attributes:
        alt: The alternative text.
        picture: The encoded picture.
        mime: ``"image/png"`` or ``"image/jpeg"``, whichever is smaller; of a plate ``"image/webp"``.
    """

    def __init__(self, alt: str, picture: bytes, mime: str) -> None:
        self.alt, self.picture, self.mime = alt, picture, mime

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """HTML, the only form in which JupyterLab shows alternative text; no second copy of the picture."""
        code = base64.b64encode(self.picture).decode()
        page = f'<img alt="{html.escape(self.alt)}" src="data:{self.mime};base64,{code}" style="max-width: 100%">'
        return {"text/html": page, "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


def figure(fig: Figure | Axes, alt: str, *, dpi: int = 90) -> DescribedFigure:
    """Finish a figure: render it as a compact picture with alternative text, and close it.

    Args:
        fig: A figure, or any of its axes.
        alt: What the picture shows, in one or two sentences, for those who do not see it.
        dpi: Pixels per inch of the figure's size.

    Returns:
        What a notebook shows when it is the last line of a cell.

    Raises:
        ValueError: If ``alt`` is empty.
    """
    _check_alt(alt)
    fig = fig.figure if isinstance(fig, Axes) else fig
    file = io.BytesIO()
    raw = {"compress_level": 0}  # decoded at once: compressing it would take as long as drawing the figure
    fig.savefig(file, format="png", dpi=dpi, bbox_inches="tight", facecolor="white", pil_kwargs=raw)
    plt.close(fig)
    return _described(Image.open(file).convert("RGB"), alt)


def picture(pixels: np.ndarray, alt: str, *, width: int = 860) -> DescribedFigure:
    """Give a picture alternative text, for example what an explorer shows, so that the page teaches without it.

    Args:
        pixels: (H, W, 3), RGB, uint8.
        alt: What the picture shows, in one or two sentences.
        width: Most pixels per row; a wider picture is reduced.

    Returns:
        What a notebook shows when it is the last line of a cell.

    Raises:
        ValueError: If ``alt`` is empty or ``pixels`` is not such an array.
    """
    _check_alt(alt)
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be (H, W, 3) of uint8, got {pixels.shape} of {pixels.dtype}")
    image = Image.fromarray(pixels)
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    return _described(image, alt)


def plate(name: str) -> DescribedFigure:
    """Show a plate, one of the pictures that took minutes to make and come with the package.

    A still one is shown as WebP, half the size of its file, so that a notebook has room for several.

    Args:
        name: One of :func:`~cs231n_viz.pictures.plates.plate_names`.

    Returns:
        What a notebook shows when it is the last line of a cell.

    Raises:
        ImageError: If there is no such plate (says which there are).
    """
    chosen = load_plate(name)
    encoded = chosen.path.read_bytes()
    if chosen.path.suffix != ".webp":  # else a film
        file = io.BytesIO()
        Image.open(io.BytesIO(encoded)).save(file, "WEBP", quality=82, method=6)
        encoded = file.getvalue()
    return DescribedFigure(chosen.alt, encoded, "image/webp")


def _check_alt(alt: str) -> None:
    if not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the picture shows")


def _described(image: Image.Image, alt: str) -> DescribedFigure:
    """The picture as PNG or JPEG, whichever is smaller."""
    return DescribedFigure(alt, *min(_png(image), _jpeg(image), key=lambda encoded: len(encoded[0])))


def _png(image: Image.Image) -> tuple[bytes, str]:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue(), "image/png"


def _jpeg(image: Image.Image) -> tuple[bytes, str]:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, optimize=True)
    return file.getvalue(), "image/jpeg"
