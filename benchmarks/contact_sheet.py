"""Lay every figure that the notebooks store on pages, to be looked at: ``python -m benchmarks.contact_sheet``.

One PNG for each page of a notebook, in build/contact_sheets; each figure at the size at which the notebook shows it,
under the number and name of its cell and that size in pixels.
"""

import argparse
import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "build" / "contact_sheets"
FIGURE = re.compile(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)")
WIDTH, HEIGHT = 2000, 2400  # of a page; a taller figure gets a taller page
GAP, LINE = 12, 22  # pixels between figures, and for the line above each


def figures(path: Path) -> Iterator[tuple[str, Image.Image]]:
    """Title and picture of each stored figure, in order."""
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        for output in cell.get("outputs", []):
            shown = output.get("data", {})
            inside = "".join(shown.get("text/html", ""))
            encoded = [*FIGURE.findall(inside), *(shown[kind] for kind in ("image/png", "image/jpeg") if kind in shown)]
            for data in encoded:
                picture = Image.open(io.BytesIO(base64.b64decode("".join(data)))).convert("RGB")
                yield f"{path.stem[:3]} [{number}] {cell['id']}, {picture.width} x {picture.height}", picture


def pages(shown: Iterator[tuple[str, Image.Image]]) -> Iterator[Image.Image]:
    """Place pictures in rows from left to right, on as few pages as they need in this order."""
    rows, left, top, tall = [], GAP, GAP, 0
    for title, picture in shown:
        if left > GAP and left + picture.width + GAP > WIDTH:
            left, top, tall = GAP, top + tall + GAP, 0
        if rows and top + picture.height + LINE + GAP > HEIGHT:
            yield _drawn(rows)
            rows, left, top, tall = [], GAP, GAP, 0
        rows.append((left, top, title, picture))
        left, tall = left + picture.width + GAP, max(tall, picture.height + LINE)
    if rows:
        yield _drawn(rows)


def _drawn(placed: list[tuple[int, int, str, Image.Image]]) -> Image.Image:
    right = max(left + picture.width for left, _, _, picture in placed)
    bottom = max(top + LINE + picture.height for _, top, _, picture in placed)
    page = Image.new("RGB", (right + GAP, bottom + GAP), "#ddd")
    draw = ImageDraw.Draw(page)
    for left, top, title, picture in placed:
        draw.text((left, top), title, fill="black", font=ImageFont.load_default(16))
        page.paste(picture, (left, top + LINE))
    return page


def main() -> None:
    """Write the pages, and print their names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    PAGES.mkdir(parents=True, exist_ok=True)
    for path in parser.parse_args().notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        for number, page in enumerate(pages(figures(path)), 1):
            target = PAGES / f"{path.stem}_{number}.png"
            page.save(target)
            print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()
