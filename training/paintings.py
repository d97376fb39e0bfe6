"""Generate the ten paintings whose styles other pictures take on: ``python -m training.paintings``.

Each is a function of its size and a seed alone: the same seed gives the same pixels. They differ in stroke, scale and
palette. No picture of anybody else went into them. ``data/README.md`` lists what each one imitates, and the sha256 of
its file.
"""

import argparse
import hashlib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

import cv2
import numpy as np

from training import brushwork, prints, shapes

SIZE = 512  # side in pixels
SMALLEST = 64
# Colour at full resolution: at half of it, as JPEG usually has it, the dots of the pointillist would turn grey.
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
PAINTINGS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "swirls": brushwork.swirls,
    "mosaic": shapes.mosaic,
    "waves": prints.waves,
    "hatching": prints.hatching,
    "stained_glass": shapes.stained_glass,
    "pointillism": brushwork.pointillism,
    "embers": brushwork.embers,
    "watercolour": brushwork.watercolour,
    "facets": shapes.facets,
    "marble": prints.marble,
}
SEEDS = {name: number for number, name in enumerate(PAINTINGS, 1)}


def paint(name: str, *, size: int = SIZE, seed: int | None = None) -> np.ndarray:
    """Generate one of the paintings.

    Args:
        name: One of ``PAINTINGS``.
        size: Side in pixels; strokes grow in proportion.
        seed: Random seed; that of the shipped file if omitted.

    Returns:
        (size, size, 3) uint8, RGB.

    Raises:
        ValueError: If there is no painting of that name, or ``size`` is below 64.
    """
    if name not in PAINTINGS:
        close = get_close_matches(name, PAINTINGS, n=1, cutoff=0)
        raise ValueError(f"no painting {name!r}; did you mean {close[0]!r}? There are {', '.join(PAINTINGS)}")
    if size < SMALLEST:
        raise ValueError(f"size is the side of a painting in pixels, {SMALLEST} or more, got {size}")
    return PAINTINGS[name](size, np.random.default_rng(SEEDS[name] if seed is None else seed))


def main() -> None:
    """Write all paintings, or one, and print the lines for ``data/README.md``."""
    parser = argparse.ArgumentParser(prog="python -m training.paintings", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("data/paintings"))
    parser.add_argument("--only", choices=PAINTINGS, metavar="NAME", help=", ".join(PAINTINGS))
    parser.add_argument("--size", type=int, default=SIZE, help="side in pixels")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in [args.only] if args.only else PAINTINGS:
        path = args.out / f"{name}.jpg"
        pixels = paint(name, size=args.size)
        cv2.imwrite(str(path), np.ascontiguousarray(pixels[:, :, ::-1]), JPEG)
        print(f"| `paintings/{path.name}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |", flush=True)


if __name__ == "__main__":
    main()
