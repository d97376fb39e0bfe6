"""Draw the masks of the bundled photographs: ``python -m training.masks``.

For each photograph ``training/outlines.json`` holds what a person drew: polygons, ellipses and strokes around the
object, and holes in it, in pixels (x, y) of the photograph, accurate to about three pixels. OpenCV's GrabCut then moves
the outline within a narrow band to where the colours change. The gaps between the motorcycle's spokes are too fine to
draw; there the disparity that comes with the stereo pair decides what is nearer than the wall and the floor. The masks
are smoothed, small pieces removed, and written as PNG (0 or 255) of the photograph's size.
"""

import argparse
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
from skimage.data import stereo_motorcycle

from cs231n_viz.pictures.images import load_image, to_uint8

OUTLINES = Path(__file__).with_name("outlines.json")
BAND = 4  # pixels either side of the hand-drawn line within which GrabCut may move it
ROUNDS = 4  # iterations of GrabCut
SMALLEST_PIECE = 0.004  # of the object's area: smaller pieces are removed; holes below a tenth of that are filled


def draw(sketch: dict, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rasterise the hand-drawn object less its holes, and the exact strokes: two (H, W) arrays of 0 and 1."""
    rough, certain = np.zeros((2, height, width), np.uint8)
    for polygon in sketch.get("outlines", []):
        cv2.fillPoly(rough, [np.int32(polygon)], 1)
    for x, y, half_width, half_height in sketch.get("ellipses", []):
        cv2.ellipse(rough, (x, y), (half_width, half_height), 0, 0, 360, 1, -1)
    for polygon in sketch.get("holes", []):
        cv2.fillPoly(rough, [np.int32(polygon)], 0)
    for thickness, *points in sketch.get("strokes", []):
        cv2.polylines(certain, [np.int32(points)], False, 1, thickness)
    return rough, certain


def nearer(disparity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find where the stereo pair shows something in front of the garage's wall and floor, and where it is undefined.

    The numbers hold for that one scene: the wall and its shelves have less than 27 pixels of disparity, and the
    floor's grows by 0.18 a row.
    """
    rows, columns = np.mgrid[: disparity.shape[0], : disparity.shape[1]]
    floor = 22.9 + 0.1806 * (rows - 300) - 0.003 * columns * np.clip((rows - 200) / 280, 0, 1)
    known = np.isfinite(disparity)
    return known & (np.nan_to_num(disparity) > np.maximum(27, floor + 0.9)), ~known


def trimap(photo: str, sketch: dict, *, height: int, width: int) -> np.ndarray:
    """Make GrabCut's initial labels (trimap): certain and probable object and background."""
    rough, certain = draw(sketch, height, width)
    band = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, [2 * sketch.get("band", BAND) + 1] * 2)
    inner = cv2.erode(rough, band, borderType=cv2.BORDER_REPLICATE)
    outer = cv2.dilate(rough, band)
    rough = rough | certain
    if sketch.get("depth"):
        near, unknown = nearer(stereo_motorcycle()[2])
        contact = draw({"outlines": sketch["ground"]}, height, width)[0].astype(bool)  # no nearer than the floor there
        inner = np.where(contact, inner, outer & near & ~unknown)
        outer = np.where(contact, outer, outer & (near | unknown))
        rough = np.where(contact, rough, outer)
    start = np.where(rough, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    start[outer == 0] = cv2.GC_BGD
    start[(inner | certain) > 0] = cv2.GC_FGD
    return start


def tidy(mask: np.ndarray, *, median: int) -> np.ndarray:
    """Smooth the outline, remove small pieces, fill small holes."""
    mask = cv2.medianBlur(mask, median) if median > 1 else mask
    least = SMALLEST_PIECE * mask.sum()
    for value in (1, 0):
        _, pieces, stats, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8), connectivity=4)
        small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < (least if value else least / 10))
        mask = np.where(np.isin(pieces, small[small > 0]), 1 - value, mask).astype(np.uint8)
    return mask


def object_mask(photo: str, sketch: dict) -> np.ndarray:
    """Compute the mask of the object in a photograph: (H, W) uint8, 0 or 1."""
    pixels = to_uint8(load_image(photo))
    start = trimap(photo, sketch, height=pixels.shape[0], width=pixels.shape[1])
    cv2.setRNGSeed(0)  # GrabCut initialises its colour models by k-means
    models = np.zeros((1, 65)), np.zeros((1, 65))
    rounds = sketch.get("rounds", ROUNDS)
    if rounds:
        cv2.grabCut(np.ascontiguousarray(pixels[:, :, ::-1]), start, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    mask = np.isin(start, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return tidy(mask, median=sketch.get("median", 5)) | draw(sketch, *pixels.shape[:2])[1]


def main() -> None:
    """Write all masks, or those named, and print their checksums for ``data/README.md``."""
    parser = argparse.ArgumentParser(prog="python -m training.masks", description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="*", help="names of sample images; all that have an outline if omitted")
    parser.add_argument("--folder", type=Path, default=Path("data/masks"))
    args = parser.parse_args()
    sketches = json.loads(OUTLINES.read_text())
    unknown = sorted(set(args.photos) - set(sketches))
    if unknown:
        parser.error(f"no outline of {', '.join(unknown)}; there are {', '.join(sorted(sketches))}")
    args.folder.mkdir(parents=True, exist_ok=True)
    for photo in args.photos or sorted(sketches):
        path = args.folder / f"{photo}.png"
        cv2.imwrite(str(path), object_mask(photo, sketches[photo]) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
        print(f"| `masks/{path.name}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |")


if __name__ == "__main__":
    main()
