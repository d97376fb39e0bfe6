"""The still of an explorer: what stands in its place where no kernel runs, such as on a page or in a reopened notebook.

It is an output of its own, after that of the widgets: a reopened notebook has nothing to show in their place, and
JupyterLab then says "model not found" whatever else the same output holds.
"""

import io

import numpy as np
from PIL import Image

from cs231n_viz.plotting.alt_text import DescribedFigure

LARGEST = 40_000  # bytes of a still: a notebook with its outputs has to stay below 2 MB
_WIDTH = 860

# One of the two outputs is seen: the widgets as soon as they are there, else the still.
_STYLE = """<style>
.jp-OutputArea:has(.cs231n-explorer) .jp-OutputArea-child:has(.cs231n-still),
.jp-OutputArea-child:has(+ .jp-OutputArea-child .cs231n-still):not(:has(.cs231n-explorer)) { display: none; }
</style>"""
_CAPTION = "A still of the explorer. Run this cell, and those above it, to turn its controls."


def still(picture: np.ndarray, alt: str) -> dict[str, str]:
    """The output that shows a still, as its media types.

    Args:
        picture: (H, W, 3), RGB, uint8.
        alt: What it shows, for those who do not see it.
    """
    image = Image.fromarray(picture)
    if image.width > _WIDTH:
        image = image.resize((_WIDTH, round(image.height * _WIDTH / image.width)), Image.Resampling.LANCZOS)
    shown = DescribedFigure(alt, _jpeg(image), "image/jpeg")._repr_mimebundle_()
    page = f'{_STYLE}<div class="cs231n-still">{shown["text/html"]}<div><small>{_CAPTION}</small></div></div>'
    return {"text/html": page, "text/plain": alt}


def _jpeg(image: Image.Image) -> bytes:
    """A file of at most :data:`LARGEST` bytes, as good as that allows."""
    for quality in range(80, 0, -10):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
        if file.tell() <= LARGEST:
            break
    return file.getvalue()
