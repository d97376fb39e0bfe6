"""Three generated paintings of tiles, panes and planes: mosaic, stained glass, facets."""

import cv2
import numpy as np
from scipy.spatial import cKDTree

from training.strokes import area, dot, finish, grid, line, mix, noise, palette, slope, step


def mosaic(size: int, random: np.random.Generator) -> np.ndarray:
    """A sun over water and a rosette, in small bevelled tiles of gold, teal and red glass."""
    side = 2 * size
    centres = _settled(random.uniform(0, 1, (2300, 2)), random)
    x, y = grid(side)
    places = np.stack([x, y], -1).reshape(-1, 2) + 0.004 * (noise(side, random, cell=0.03).reshape(-1, 1) - 0.5)
    gaps, tiles = cKDTree(centres).query(places, k=2)
    edge = ((gaps[:, 1] - gaps[:, 0]) * 512).reshape(side, side).astype(np.float32)
    tile = tiles[:, 0].reshape(side, side)
    colours = _motif(*centres.T) + random.normal(0, 15, (len(centres), 1)) + random.normal(0, 6, (len(centres), 3))
    dull = random.random(len(centres)) < 0.08
    colours[dull] = colours[dull] * 0.6 + 30
    tilt = random.normal(0, 0.11, (2, len(centres)))
    lean = 512 * (tilt[0][tile] * (x - centres[tile, 0]) + tilt[1][tile] * (y - centres[tile, 1]))
    bevel = slope(cv2.GaussianBlur(np.minimum(edge, 4.5), (0, 0), 1.6))
    glass = colours[tile] * (1 + 0.10 * lean + 0.9 * bevel + 0.22 * (noise(side, random, cell=0.015) - 0.5))[..., None]
    grout = palette(noise(side, random, cell=0.01, octaves=2), [(38, 32, 30), (84, 74, 66)])
    return finish(mix(grout, np.clip(glass, 0, 255), step(1.1, 1.9, edge)), size)


def _settled(points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Space points evenly: move each to the mean of the places that are nearest to it (Lloyd's algorithm)."""
    samples = random.uniform(-0.01, 1.01, (60000, 2))
    for _ in range(6):
        nearest = cKDTree(points).query(samples)[1]
        count = np.bincount(nearest, minlength=len(points)).clip(1)
        points = np.stack([np.bincount(nearest, axis, len(points)) / count for axis in samples.T], -1)
    return points


def _motif(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute the colours of the tiles at (x, y): (N, 3)."""
    golds = np.array([(240, 196, 84), (206, 150, 46), (248, 220, 140), (176, 118, 34)])
    teals = np.array([(22, 104, 112), (36, 150, 150), (120, 200, 188), (12, 62, 84)])
    reds = np.array([(176, 36, 34), (212, 82, 48), (120, 20, 36), (236, 150, 96)])
    far = np.hypot(x - 0.36, y - 0.36)
    turn = np.arctan2(y - 0.36, x - 0.36)
    rays = np.sin(12 * turn + 14 * far) > 0
    ring = (far * 24).astype(int)
    colours = np.where(rays[:, None], golds[ring % 4], golds[(ring + 2) % 4] * 0.72 + teals[2] * 0.28)
    colours = np.where((far < 0.27)[:, None], reds[ring % 4], colours)
    colours = np.where(
        (far < 0.2)[:, None], np.where((np.sin(8 * turn) > 0.1)[:, None], golds[ring % 3], reds[2]), colours
    )
    colours = np.where((far < 0.09)[:, None], teals[ring % 3], colours)
    colours = np.where(((far > 0.27) & (far < 0.305))[:, None], (242, 232, 206), colours)
    wave = y - 0.72 - 0.05 * np.sin(9 * x)
    colours = np.where((wave > 0)[:, None], teals[(wave * 26 + 0.5 * np.sin(30 * x)).astype(int) % 4], colours)
    colours = np.where(((wave > 0) & (wave < 0.028))[:, None], (238, 230, 208), colours)
    bloom, spin = np.hypot(x - 0.8, y - 0.74), np.arctan2(y - 0.74, x - 0.8)
    leaf = bloom < 0.13 + 0.05 * np.cos(6 * spin)
    colours = np.where(leaf[:, None], reds[(bloom * 30).astype(int) % 4], colours)
    return np.where((bloom < 0.05)[:, None], golds[0], colours).astype(np.float64)


def stained_glass(size: int, random: np.random.Generator) -> np.ndarray:
    """A rose window: large panes of saturated glass, lit from behind, between dark leads."""
    side = 2 * size
    x, y = grid(side)
    pane = _panes(x + 0.012 * (noise(side, random, cell=0.2) - 0.5), y, random)
    kinds, pane = np.unique(pane, return_inverse=True)
    pane = pane.reshape(x.shape)
    edge = cv2.distanceTransform((~_borders(pane)).astype(np.uint8), cv2.DIST_L2, 5) * 512 / size
    count = len(kinds)
    glasses = np.array([(196, 22, 34), (18, 58, 176), (238, 176, 20), (14, 122, 74), (112, 28, 140), (232, 96, 20),
                        (24, 140, 196), (120, 176, 40), (206, 44, 104)])  # fmt: skip
    colours = glasses[[_glass(kind, random) for kind in kinds]] + random.normal(0, 10, (count, 3))
    direction = random.uniform(0, 2 * np.pi, count)[pane]
    streaks = noise(side, random, cell=0.12, octaves=5)
    ripple = np.sin(70 * (np.cos(direction) * x + np.sin(direction) * y) + 9 * streaks)
    light = 0.55 + 0.75 * step(0, 75, edge) * (0.6 + 0.4 * streaks) + 0.07 * ripple + 0.25 * (streaks - 0.5)
    glass = colours[pane] * light[..., None] + 70 * (np.clip(light - 0.95, 0, 1) ** 1.2)[..., None]
    lead = 24 + 26 * slope(cv2.GaussianBlur(np.minimum(edge, 8), (0, 0), 2))[..., None] * np.float32([1, 1, 1.1])
    painted = _painted(side, random)
    return finish(mix(lead, np.clip(glass, 0, 255) * painted[..., None], step(5.0, 7.0, edge)), size)


def _glass(kind: int, random: np.random.Generator) -> int:
    """Choose the colour of a pane: in the rose the colours take turns, around it they are random."""
    if kind >= 200:
        return int(random.choice([1, 3, 4, 6, 1, 3, 6, 7, 8, 2]))
    turns = {50: (2,), 60: (4, 1), 100: (0, 5), 140: (6, 1), 160: (2, 3)}
    first = max(start for start in turns if start <= kind)
    return turns[first][(kind - first) % len(turns[first])]


def _borders(pane: np.ndarray) -> np.ndarray:
    """Return where one pane meets another."""
    borders = np.zeros(pane.shape, bool)
    borders[1:] |= pane[1:] != pane[:-1]
    borders[:, 1:] |= pane[:, 1:] != pane[:, :-1]
    return borders


def _panes(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Find the number of the pane that each pixel lies in: petals around the centre, irregular shapes further out."""
    right, below = x - 0.46, y - 0.48
    far, turn = np.hypot(right, below), (np.arctan2(below, right) / (2 * np.pi)) % 1
    free = cKDTree(_settled(random.uniform(0, 1, (58, 2)), random)).query(np.stack([x, y], -1).reshape(-1, 2))[1]
    pane = 200 + free.reshape(x.shape)
    pane = np.where(far < 0.44, 160 + (turn * 20 + 0.5).astype(int) % 20, pane)
    petals = far < 0.33 + 0.06 * np.abs(np.cos(10 * np.pi * turn))
    pane = np.where(petals, 100 + (turn * 10 + 0.5).astype(int) % 10, pane)
    leaf = (far < 0.3) & (np.abs((turn * 10) % 1 - 0.5) < 0.32 * np.sin(3.1 * (far / 0.3).clip(0, 1)) ** 0.7)
    pane = np.where(leaf, 140 + (turn * 10).astype(int), pane)
    pane = np.where(far < 0.13, 60 + (turn * 6).astype(int), pane)
    pane = np.where(far < 0.055, 50, pane)
    return pane


def _painted(side: int, random: np.random.Generator) -> np.ndarray:
    """Draw thin vines in dark enamel, and dirt: the share of the light that they let through."""
    sheet = np.full((side, side), 255, np.uint8)
    for start in random.uniform(0, side, (26, 2)):
        turn = random.uniform(0, 2 * np.pi) + np.cumsum(np.linspace(0.02, 0.3, 26)) * random.choice([-1, 1])
        vine = start + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], -1), 0) * side / 110
        line(sheet, vine, 90, width=side / 260)
        for place in vine[4:22:4]:
            dot(sheet, place + random.normal(0, side / 90, 2), 105, radius=side / 190)
    grime = 0.82 + 0.18 * step(0.1, 0.5, noise(side, random, cell=0.02, octaves=3))
    return cv2.GaussianBlur(sheet, (0, 0), 1) / np.float32(255) * grime


def facets(size: int, random: np.random.Generator) -> np.ndarray:
    """A cubist still life of planes in ochre, umber and grey-blue, each shaded towards one of its edges."""
    side = 2 * size
    sheet = palette(0.4 + 0.2 * noise(side, random), [(90, 66, 44), (170, 140, 96)])
    pieces = _split(np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float), random, depth=0)
    for piece in pieces:
        _plane(sheet, piece, random, solid=0.94)
    for _ in range(34):
        middle, reach = random.normal(0.5, 0.22, 2), random.uniform(0.07, 0.24)
        turns = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 5)))
        _plane(sheet, middle + reach * np.stack([np.cos(turns), np.sin(turns)], -1), random, solid=0.7)
    for _ in range(12):
        _arc(sheet, random)
    hatch = noise(side, random, cell=0.006, octaves=2) - 0.5
    brushed = cv2.filter2D(hatch, -1, np.eye(19, dtype=np.float32) / 19) + cv2.filter2D(
        noise(side, random, cell=0.004, octaves=1) - 0.5, -1, np.fliplr(np.eye(19, dtype=np.float32)) / 19
    )
    return finish(sheet + (42 * brushed + 26 * (noise(side, random, cell=0.05) - 0.5))[..., None], size)


def _split(piece: np.ndarray, random: np.random.Generator, *, depth: int) -> list[np.ndarray]:
    """Split a convex polygon recursively along a few preferred directions."""
    low, high = piece.min(0), piece.max(0)
    extent = (high - low).max()
    if depth > 2 and (extent < 0.11 or random.random() < 0.12 * (depth - 2)) and extent < 0.36:
        return [piece]
    turn = random.choice([0.35, 1.15, 1.75, 2.6, 0.0]) + random.normal(0, 0.16)
    normal = np.array([np.cos(turn), np.sin(turn)])
    height = (piece - piece.mean(0)) @ normal - random.normal(0, 0.12) * extent
    parts = []
    for sign in (1, -1):
        part = _clip(piece, sign * height)
        if len(part) > 2:
            parts += _split(part, random, depth=depth + 1)
    return parts


def _clip(piece: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Clip a convex polygon to where ``height``, given at its corners, is positive."""
    corners = []
    for here, there, up, next_up in zip(piece, np.roll(piece, -1, 0), height, np.roll(height, -1), strict=True):
        if up >= 0:
            corners.append(here)
        if up * next_up < 0:
            corners.append(here + (there - here) * up / (up - next_up))
    return np.array(corners)


_EARTH = ((196, 152, 78), (222, 190, 128), (136, 94, 48), (84, 58, 38), (120, 136, 150), (84, 100, 122),
          (176, 184, 182), (160, 118, 70), (58, 52, 52), (232, 214, 172), (142, 74, 48))  # fmt: skip


def _plane(
    sheet: np.ndarray, piece: np.ndarray, random: np.random.Generator, *, solid: float, drawn: float = 0.5
) -> None:
    """Draw one plane: dark or light at one edge, fading across, with a charcoal line along some of its edges."""
    side = len(sheet)
    corners = piece * side
    low = np.clip(np.floor(corners.min(0)).astype(int) - 2, 0, side)
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 2, 0, side)
    if (high - low).min() < 2:
        return
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    area(mask, corners - low, 255)
    edge = random.integers(len(piece)) if drawn else len(piece) - 1
    along = corners[(edge + 1) % len(piece)] - corners[edge]
    normal = np.array([-along[1], along[0]]) / (np.linalg.norm(along) + 1e-6)
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
    depth = np.abs((columns - corners[edge, 0]) * normal[0] + (rows - corners[edge, 1]) * normal[1])
    depth = (depth / (np.abs((corners - corners[edge]) @ normal).max() + 1e-6)).clip(0, 1)
    colour = np.array(_EARTH[random.integers(len(_EARTH))]) + random.normal(0, 9) + random.normal(0, 3, 3)
    shade = palette(depth, [colour * 0.42, colour * 0.9, colour * 1.15 + 26][:: random.choice([-1, 1])])
    window = sheet[low[1] : high[1], low[0] : high[0]]
    fade = 1 if solid > 0.9 else 1 - 0.8 * depth
    window[:] = mix(window, shade, mask / 255 * solid * fade)
    for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
        if random.random() < drawn:
            _charcoal(sheet, np.stack([start, end]), random)


def _charcoal(sheet: np.ndarray, points: np.ndarray, random: np.random.Generator) -> None:
    """Draw a dark line of random width."""
    line(sheet, points, (44, 36, 34), width=random.choice([2, 3, 4, 6]) * len(sheet) / 1024)


def _arc(sheet: np.ndarray, random: np.random.Generator) -> None:
    """Draw part of a round object: a table's edge, a glass, the body of a guitar."""
    middle, reach = random.normal(0.5, 0.2, 2), random.uniform(0.05, 0.2)
    turns = random.uniform(0, 6) + np.linspace(0, random.uniform(1.5, 4), 50)
    ring = middle + reach * np.stack([np.cos(turns), np.sin(turns)], -1)
    _plane(sheet, ring, random, solid=0.8, drawn=0)
    line(sheet, ring * len(sheet), (40, 32, 32), width=len(sheet) / 260)
