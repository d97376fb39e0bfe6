"""Tools of the generated paintings in ``brushwork.py``, ``prints.py`` and ``shapes.py``: noise, palettes, brushes.

Everything is painted on a sheet of twice the wanted side and reduced at the end, which smooths every edge.
Coordinates are pixels of the sheet, (x, y), unless a function says otherwise; colours are RGB, 0 to 255.
"""

from collections.abc import Sequence

import cv2
import numpy as np

Colour = Sequence[float]
_SHIFT = 4  # cv2 takes coordinates in sixteenths of a pixel


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Give x and y of every pixel, each (side, side) float32 from 0 to 1."""
    line = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(line, line)
    return x, y


def noise(side: int, random: np.random.Generator, *, cell: float = 0.25, octaves: int = 4) -> np.ndarray:
    """Make smooth noise with detail of several sizes (value noise).

    Args:
        side: Side of the sheet in pixels.
        random: Decides the noise.
        cell: Size of the largest blobs, as a share of the side.
        octaves: Number of sizes; each is half the one before, with half its amplitude.

    Returns:
        (side, side) float32 in [0, 1], both ends reached.
    """
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        cells = max(2, round(2**octave / cell)) + 2
        coarse = random.standard_normal((cells, cells)).astype(np.float32)
        total += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = np.percentile(total, [1, 99])
    return np.clip((total - low) / (high - low), 0, 1).astype(np.float32)


def palette(tone: np.ndarray, colours: Sequence[Colour]) -> np.ndarray:
    """Colour tones in [0, 1]: by colours evenly spaced along a list, interpolated in between; adds an axis of three."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(tone, stops, channel) for channel in np.transpose(colours)], -1).astype(np.float32)


def mix(first: np.ndarray | Colour, second: np.ndarray | Colour, share: np.ndarray) -> np.ndarray:
    """Interpolate: ``first`` where ``share`` (H, W) is 0, ``second`` where it is 1."""
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(first, np.float32) * (1 - share) + np.asarray(second, np.float32) * share


def step(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """Take a soft step (smoothstep): 0 below ``low``, 1 above ``high``."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def follow(starts: np.ndarray, angle: np.ndarray, *, steps: int, stride: float) -> np.ndarray:
    """Trace the paths of brushes that follow a field of directions.

    Args:
        starts: (N, 2), where each path begins, in pixels.
        angle: (side, side), the direction at each pixel in radians.
        steps: Number of points of a path.
        stride: Pixels from one point to the next.

    Returns:
        (N, steps, 2), the points of each path.
    """
    path, most = [starts.astype(np.float32)], len(angle) - 1
    for _ in range(steps - 1):
        column, row = np.clip(path[-1].T.astype(int), 0, most)
        turn = angle[row, column]
        path.append(path[-1] + stride * np.stack([np.cos(turn), np.sin(turn)], -1))
    return np.stack(path, 1)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Round points to the fractions of a pixel that cv2 takes."""
    return np.round(np.asarray(points) * 2**_SHIFT).astype(np.int32)


def line(sheet: np.ndarray, points: np.ndarray, colour: Colour | float, *, width: float, closed: bool = False) -> None:
    """Draw a smooth line through points (K, 2)."""
    colour = tuple(np.clip(np.atleast_1d(colour), 0, 255).tolist())
    cv2.polylines(sheet, [_fixed(points)], closed, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def area(sheet: np.ndarray, points: np.ndarray, colour: Colour | float) -> None:
    """Fill a polygon (K, 2)."""
    cv2.fillPoly(sheet, [_fixed(points)], tuple(np.clip(np.atleast_1d(colour), 0, 255).tolist()), cv2.LINE_AA, _SHIFT)


def dot(sheet: np.ndarray, centre: np.ndarray, colour: Colour | float, *, radius: float) -> None:
    """Fill a disc."""
    x, y = np.round(np.asarray(centre) * 2**_SHIFT).astype(int).tolist()
    colour = tuple(np.clip(np.atleast_1d(colour), 0, 255).tolist())
    cv2.circle(sheet, (x, y), round(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)


class Oil:
    """A canvas and the thickness of the paint on it.

    Attributes:
        paint: (side, side, 3) uint8.
        relief: (side, side) uint8, how thick the paint lies.
    """

    def __init__(self, ground: np.ndarray) -> None:
        self.paint = np.clip(ground, 0, 255).astype(np.uint8)
        self.relief = np.full(ground.shape[:2], 90, np.uint8)

    def stroke(
        self, path: np.ndarray, colour: Colour, random: np.random.Generator, *, width: float, vary: float = 14
    ) -> None:
        """Paint one stroke of a brush whose bristles differ a little in lightness, and in where they start and end.

        Args:
            path: (K, 2), the path of the middle of the brush.
            colour: Mean colour of the paint.
            random: Decides how the bristles differ.
            width: Width of the brush in pixels.
            vary: Standard deviation of the bristles' lightness, in levels of 255.
        """
        way = np.gradient(path, axis=0)
        across = np.stack([-way[:, 1], way[:, 0]], -1) / (np.linalg.norm(way, axis=1, keepdims=True) + 1e-6)
        count = max(2, round(width / 3))
        light = random.normal(0, vary, count)
        tint = random.normal(0, vary / 3, (count, 3))
        first = random.integers(0, max(1, len(path) // 5) + 1, count)
        last = len(path) - random.integers(0, max(1, len(path) // 5) + 1, count)
        offsets = np.linspace(-0.5, 0.5, count)
        points = path + across * offsets[:, None, None] * width
        shades = np.asarray(colour) + light[:, None] + tint
        thick = 190 - 260 * offsets**2 + 2.2 * light
        fixed, shades, thick = _fixed(points), np.clip(shades, 0, 255).tolist(), np.clip(thick, 0, 255).tolist()
        width = max(1, round(width / count + 1.5))
        for bristle in range(count):
            curve = [fixed[bristle, first[bristle] : last[bristle]]]
            cv2.polylines(self.paint, curve, False, shades[bristle], width, cv2.LINE_AA, _SHIFT)
            cv2.polylines(self.relief, curve, False, thick[bristle], width, cv2.LINE_AA, _SHIFT)

    def lit(self, strength: float = 0.6) -> np.ndarray:
        """Light the canvas from the upper left, so that its ridges show: (side, side, 3) float32."""
        thick = cv2.GaussianBlur(self.relief.astype(np.float32), (0, 0), 1.2)
        return self.paint + (slope(thick) * strength)[..., None]


def slope(thick: np.ndarray) -> np.ndarray:
    """Measure how much a surface (H, W) rises to the lower right: positive where light from the upper left falls."""
    down, right = np.gradient(thick)
    return (down + right).astype(np.float32)


def finish(sheet: np.ndarray, size: int) -> np.ndarray:
    """Reduce the sheet to the size of the painting: (size, size, 3) uint8."""
    small = cv2.resize(sheet.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(np.round(small), 0, 255).astype(np.uint8)
