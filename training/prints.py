"""Three generated paintings in flat colours and lines, as in prints: waves, marble and hatching."""

import cv2
import numpy as np

from training.strokes import area, dot, finish, follow, grid, line, mix, noise, palette, step

_INDIGO = ((20, 38, 84), (34, 66, 124), (62, 104, 156), (122, 158, 186), (190, 208, 206), (236, 228, 204))
_OUTLINE = (16, 26, 58)
_INKS = np.array([(14, 16, 22), (244, 244, 238), (22, 148, 158), (120, 210, 206),
                  (12, 60, 78), (250, 248, 240), (14, 16, 22), (226, 236, 230)])  # fmt: skip
# The hatched landscape. Hills: base, height, number of waves and phase; stones: x, y and radius.
_HILLS = ((0.38, 0.07, 6, 1.0), (0.5, 0.06, 5, 3.6), (0.62, 0.08, 4, 0.2), (0.78, 0.07, 5, 2.4))
_HATCHED = (0.5, 2.2, 0.9, 2.5)  # radians, the direction of each hill's first lines
_STONES = ((0.1, 0.45, 0.05), (0.33, 0.6, 0.06), (0.62, 0.66, 0.05),
           (0.8, 0.8, 0.15), (0.2, 0.83, 0.13), (0.47, 0.91, 0.1))  # fmt: skip


def waves(size: int, random: np.random.Generator) -> np.ndarray:
    """Curling waves in rows, as in a woodblock print: indigo and cream, outlined, with foam on the crests."""
    side = 2 * size
    sheet = _sky(side, random).astype(np.uint8)
    rows = ((0.3, 0.09, 0.3), (0.44, 0.17, 0.43), (0.62, 0.24, 0.62), (0.79, 0.19, 0.47),
            (0.97, 0.25, 0.6), (1.09, 0.17, 0.4))  # fmt: skip
    for base, height, length in rows:
        _row(sheet, random, base=base, height=height, length=length)
    fibres = noise(side, random, cell=0.004, octaves=1) - 0.5
    paper = cv2.blur(fibres, (61, 1)) * 90 + 14 * (noise(side, random, cell=0.05) - 0.5)
    return finish(sheet + paper[..., None], size)


def _sky(side: int, random: np.random.Generator) -> np.ndarray:
    """Paint cream paper with a graded band, long clouds and a red sun."""
    x, y = grid(side)
    sky = palette(np.clip(y / 0.35, 0, 1), [(98, 132, 160), (206, 204, 180), (240, 226, 192), (236, 196, 150)])
    sky = mix(sky, (196, 62, 44), step(0.105, 0.102, np.hypot(x - 0.73, y - 0.15)))
    cloud = 0.5 + 0.5 * np.sin(70 * y + 3 * np.sin(6 * x) + 4 * noise(side, random, cell=0.5, octaves=2))
    gaps = step(0.3, 0.5, noise(side, random, cell=0.3, octaves=2))
    return mix(sky, (246, 238, 214), 0.8 * step(0.72, 0.76, cloud) * gaps)


def _crest(along: np.ndarray, *, height: float, length: float, phase: float, curl: float) -> np.ndarray:
    """Trace a row of waves from left to right, their crests rolled over: (K, 2), y upwards from the row's base."""
    turn = 2 * np.pi * along / length + phase
    share = (0.5 + 0.5 * np.cos(turn)) ** 1.7
    rolled = curl * share**3
    past = ((turn + np.pi) % (2 * np.pi) - np.pi) * length / (2 * np.pi)  # distance beyond the nearest crest
    middle = np.stack([along - past, np.full_like(along, 0.5 * height)], -1)
    arm = np.stack([along, share * height], -1) - middle
    cos, sin = np.cos(rolled), np.sin(rolled)
    return middle + np.stack([arm[:, 0] * cos + arm[:, 1] * sin, arm[:, 1] * cos - arm[:, 0] * sin], -1)


def _row(sheet: np.ndarray, random: np.random.Generator, *, base: float, height: float, length: float) -> None:
    """Draw one row of waves: a filled body with stripes that follow the crest, then the foam."""
    side, phase = len(sheet), random.uniform(0, 2 * np.pi)
    along = np.linspace(-0.4, 1.4, 1500)
    stripes = (0, 1, 4, 0, 2, 5, 1, 3, 0, 2, 1, 4, 0, 1, 3, 0, 1)
    for number, tone in enumerate(stripes):
        share = max(0.12, 1 - number / 11)
        crest = _crest(along, height=height * share, length=length, phase=phase + 0.09 * number, curl=3.1 * share)
        points = np.stack([crest[:, 0], base + 0.013 * number - crest[:, 1]], -1) * side
        area(sheet, np.concatenate([points, [(1.5 * side, 1.3 * side), (-0.5 * side, 1.3 * side)]]), _INDIGO[tone])
        line(sheet, points, _OUTLINE, width=side / (260 if number == 0 else 420))
        if number == 0:
            top, up = points, crest[:, 1] / height
    _foam(sheet, top[up > 0.45], random, height=height)


def _foam(sheet: np.ndarray, points: np.ndarray, random: np.random.Generator, *, height: float) -> None:
    """Draw scalloped foam along the crest of a wave, and spray in front of it."""
    side = len(sheet)
    places = points[random.integers(0, len(points), max(40, len(points) // 3))]
    places = places + random.normal(0, 0.05 * height * side, places.shape)
    sizes = side * height * random.uniform(0.03, 0.085, len(places))
    for grown, colour in ((side / 380, _OUTLINE), (0, (244, 238, 218))):
        for place, reach in zip(places, sizes, strict=True):
            dot(sheet, place, colour, radius=float(reach + grown))
    for place in places[::4] + random.normal(0, 0.3 * height * side, places[::4].shape):
        dot(sheet, place, (246, 240, 222), radius=side * random.uniform(0.0015, 0.0045))


def marble(size: int, random: np.random.Generator) -> np.ndarray:
    """Ink floating on water: rings of black, turquoise and white, displaced by later drops and by a comb.

    Every drop of radius r at c moves what was at p to c + (p − c) √(1 + r²/|p − c|²). Here that is inverted from the
    last drop to the first, which gives the drop that each pixel belongs to.
    """
    side = 2 * size
    x, y = _combed(*grid(side), random)
    drops = _drops(random)
    owner, rim = _owner(x, y, drops)
    ink = _INKS[random.permutation(len(drops)) % len(_INKS)]
    ground = palette(noise(side, random, cell=0.3), [(16, 96, 112), (60, 170, 176), (210, 232, 226)])
    sheet = np.where((owner >= 0)[..., None], ink[owner], ground) + 16 * (rim[..., None] - 0.5)
    paper = noise(side, random, cell=0.006, octaves=2) - 0.5
    return finish(cv2.GaussianBlur(sheet.astype(np.float32), (0, 0), 0.8) + 14 * paper[..., None], size)


def _owner(x: np.ndarray, y: np.ndarray, drops: list[tuple[float, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Find the drop that each pixel belongs to, −1 for none, and its distance from the centre in radii."""
    shape = x.shape
    owner, rim = np.full(x.size, -1), np.zeros(x.size, np.float32)
    free, x, y = np.arange(x.size), x.ravel(), y.ravel()  # the pixels without a drop, and where their ink was
    for number in range(len(drops) - 1, -1, -1):
        left, top, reach = drops[number]
        right, below = x - left, y - top
        far = right**2 + below**2
        inside = far < reach**2
        owner[free[inside]] = number
        rim[free[inside]] = np.sqrt(far[inside]) / reach
        free, right, below, far = (values[~inside] for values in (free, right, below, far))
        shrink = np.sqrt(np.clip(1 - reach**2 / np.maximum(far, 1e-9), 0, None))
        x, y = left + right * shrink, top + below * shrink
    return owner.reshape(shape), rim.reshape(shape)


def _combed(x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Compute where the ink of every pixel was before the water was stirred."""
    side = len(x)
    x = x + 0.11 * (noise(side, random, cell=0.4, octaves=3) - 0.5) + 0.02 * np.sin(17 * y + 3 * x)
    y = y + 0.11 * (noise(side, random, cell=0.4, octaves=3) - 0.5) + 0.02 * np.sin(15 * x)
    for left, top, reach, turn in ((0.3, 0.62, 0.2, 2.6), (0.74, 0.3, 0.18, -2.2), (0.8, 0.8, 0.13, 1.8)):
        right, below = x - left, y - top
        angle = turn * np.exp(-(right**2 + below**2) / reach**2)
        x = left + right * np.cos(angle) - below * np.sin(angle)
        y = top + right * np.sin(angle) + below * np.cos(angle)
    return x, y


def _drops(random: np.random.Generator) -> list[tuple[float, float, float]]:
    """Choose x, y and radius of the drops in their order: many at the same few places, which makes rings."""
    drops = []
    for row, column in random.permutation([(row, column) for row in range(5) for column in range(5)]):
        left, top = (np.array([column, row]) + random.uniform(0.1, 0.9, 2)) / 5
        drops += [(left, top, random.uniform(0.025, 0.064)) for _ in range(random.integers(8, 14))]
    drops += [(*place, random.uniform(0.006, 0.02)) for place in random.uniform(0, 1, (30, 2))]
    return drops


def hatching(size: int, random: np.random.Generator) -> np.ndarray:
    """Hills, boulders and a sun in pen and ink: the darker a place, the more layers of hatching cross there."""
    side = 2 * size
    tone, angle, edges = _relief(side, random)
    paper = palette(noise(side, random, cell=0.02, octaves=3), [(236, 226, 200), (248, 241, 222)])
    ink = np.full((side, side), 255, np.uint8)
    for level, (limit, turn) in enumerate(((0.9, 0.0), (0.58, 1.3), (0.4, 0.6), (0.24, -0.6))):
        uneven = tone + 0.05 * (noise(side, random, cell=0.06) - 0.5)
        _hatch(ink, uneven, angle + turn, random, limit=limit, level=level)
    for edge in (piece for outline in edges for piece in outline):
        for weight, shift in ((3, 0.0), (2, 2.0)):  # drawn twice, a little apart
            line(ink, edge + random.normal(0, 0.4, edge.shape).cumsum(0) / 2 + shift, 20, width=weight * side / 1024)
    return finish(mix(paper, (26, 22, 26), 1 - ink / np.float32(255)), size)


def _hatch(
    ink: np.ndarray, tone: np.ndarray, angle: np.ndarray, random: np.random.Generator, *, limit: float, level: int
) -> None:
    """Draw one layer of lines along ``angle``, wherever the picture is darker than ``limit``."""
    side, gap = len(ink), len(ink) / 140
    taken = np.zeros((142, 142), bool)
    starts = random.uniform(0, side, (14000, 2))
    paths = follow(starts, angle, steps=30, stride=side / 220)
    columns, rows = np.clip(paths.T.astype(int), 0, side - 1)
    tones = tone[rows, columns].T
    cells = np.clip((paths / gap).astype(int), 0, 141) @ (1, len(taken))  # as indices of the flattened ones
    taken = taken.ravel()
    for path, own, dark in zip(paths, cells, tones, strict=True):
        free = (dark < limit + random.normal(0, 0.03)) & ~taken[own]
        length = len(path) if free.all() else int(np.argmin(free))
        if length >= 5:
            taken[own[:length]] = True
            shaky = path[:length] + random.normal(0, 0.4, (length, 2))
            line(ink, shaky, 20 + 12 * level, width=random.choice([2, 2, 3]) * side / 1024)


def _relief(side: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[list[np.ndarray]]]:
    """Compute the tone, the direction of the first lines, and the visible pieces of each outline."""
    x, y = grid(side)
    rough = noise(side, random, cell=0.2)
    far = np.hypot(x - 0.7, y - 0.17)
    cloud = np.sin(40 * y + 5 * np.sin(5 * x) + 6 * rough)
    tone = 0.68 + 0.2 * cloud + 0.5 * np.exp(-((far / 0.15) ** 2)) - 0.1 * y
    angle = np.where(far < 0.3, np.arctan2(y - 0.17, x - 0.7), 0.3 * np.cos(5 * x))
    turns, across = np.linspace(0, 2 * np.pi, 90), np.linspace(-0.02, 1.02, 200)
    ring = np.stack([np.cos(turns), np.sin(turns)], -1)
    owner, edges = np.zeros((side, side), int), [np.array([0.7, 0.17]) + 0.07 * ring]
    for number, hill in enumerate(_HILLS):
        depth = y - _ridge(x, hill)
        inside, facing = depth > 0, hill[2] * x + hill[3]
        shade = 0.58 + 0.25 * np.cos(facing) + 0.5 * (rough - 0.5) - 0.45 * np.exp(-((depth / 0.035) ** 2))
        tone = np.where(inside, shade, tone)
        angle = np.where(inside, _HATCHED[number] + 0.5 * np.sin(facing) + 2 * depth, angle)
        owner[inside] = len(edges)
        edges.append(np.stack([across, _ridge(across, hill)], -1))
    for left, top, reach in _STONES:
        tone, angle, ball = _stone((x - left) / reach, (y - top) / reach, tone, angle, rough)
        owner[ball] = len(edges)
        edges.append(np.array([left, top]) + reach * ring)
    return tone, angle, [_seen(owner, number, edge * side) for number, edge in enumerate(edges)]


def _ridge(x: np.ndarray, hill: tuple[float, float, float, float]) -> np.ndarray:
    """Compute the y of the ridge of a hill."""
    base, height, wave, phase = hill
    return base - height * np.sin(wave * x + phase) - 0.02 * np.sin(17 * x + 5 * phase)


def _stone(
    right: np.ndarray, below: np.ndarray, tone: np.ndarray, angle: np.ndarray, rough: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add a round stone of radius 1 with its shadow on the ground: new tone and direction, and the stone's mask."""
    ball = np.hypot(right, below) < 1
    tone = np.where((np.hypot((right - 0.7) / 1.3, (below - 0.9) / 0.28) < 1) & ~ball, 0.1, tone)
    rebound = 0.3 * step(0.75, 1.0, (right + below) / 1.41)  # light reflected by the ground
    tone = np.where(ball, 0.55 - 0.42 * right - 0.36 * below + 0.2 * (rough - 0.5) + rebound, tone)
    return tone, np.where(ball, 2.36 + 0.9 * (below - right) / 1.41, angle), ball


def _seen(owner: np.ndarray, number: int, edge: np.ndarray) -> list[np.ndarray]:
    """Return the pieces of an outline that nothing nearer hides."""
    columns, rows = np.clip(edge.T.astype(int), 0, len(owner) - 1)
    seen = owner[rows, columns] <= number
    pieces = np.split(edge, np.flatnonzero(np.diff(seen)) + 1)
    return [piece for piece in pieces[0 if seen[0] else 1 :: 2] if len(piece) > 1]
