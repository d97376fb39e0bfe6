"""Four generated paintings in strokes, dots and washes: swirls, embers, pointillism, watercolour."""

import cv2
import numpy as np

from training.strokes import Oil, dot, finish, follow, grid, mix, noise, palette, slope, step

_VORTICES = (  # x, y, radius as shares of the side; which way round
    (0.30, 0.30, 0.19, 1), (0.66, 0.46, 0.15, -1), (0.86, 0.16, 0.13, 1), (0.08, 0.62, 0.11, -1),
    (0.55, 0.11, 0.09, -1), (0.42, 0.68, 0.09, 1), (0.93, 0.66, 0.09, 1), (0.07, 0.10, 0.08, 1),
)  # fmt: skip


def swirls(size: int, random: np.random.Generator) -> np.ndarray:
    """A night sky of whirling suns over dark hills, in thick short strokes."""
    side = 2 * size
    colours, angle = _night(side, random)
    oil = Oil(colours)
    for width, count, steps in ((30, 900, 9), (20, 2600, 8), (13, 5200, 7)):
        _lay(oil, colours, angle, random, width=width * size / 512, count=count, steps=steps, vary=17)
    return finish(oil.lit(0.75), size)


def _night(side: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colour and direction of the strokes of the night sky."""
    x, y = grid(side)
    cloud = noise(side, random, cell=0.3)
    along, down = np.ones_like(x), 0.5 * np.sin(9 * x + 5 * y)
    tone = 0.12 + 0.5 * step(0.25, 0.8, 0.5 + 0.3 * np.sin(34 * y + 7 * np.sin(5 * x) + 5 * cloud) + 0.3 * cloud - 0.2)
    core = np.zeros_like(x)
    for centre_x, centre_y, radius, sense in _VORTICES:
        right, below = x - centre_x, y - centre_y
        far = np.hypot(right, below) / radius
        near = np.exp(-(far**2))
        along += 7 * near * (-below * sense - 0.12 * right) / (radius * (far + 0.2))
        down += 7 * near * (right * sense - 0.12 * below) / (radius * (far + 0.2))
        turn = np.arctan2(below, right) * sense
        rings = 0.5 + 0.5 * np.sin(11 * far - turn + 2 * cloud)
        share = step(0.15, 0.6, np.exp(-((far / 1.15) ** 4)))
        tone = tone * (1 - share) + share * (0.3 + 0.55 * rings)
        core = np.maximum(core, np.exp(-((far / 0.5) ** 4)) + 0.85 * share * step(0.62, 0.9, rings))
    blues = palette(tone, [(14, 22, 66), (24, 48, 124), (44, 92, 172), (104, 156, 206), (204, 220, 200)])
    yellows = palette(
        noise(side, random, cell=0.06), [(222, 138, 28), (246, 192, 48), (252, 224, 112), (255, 246, 196)]
    )
    colours, angle = mix(blues, yellows, core), np.arctan2(down, along)
    return _hills(colours, angle, random)


def _hills(colours: np.ndarray, angle: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Add three ridges in front of the sky, with strokes that run along them."""
    x, y = grid(len(angle))
    greens = [(12, 22, 44), (22, 60, 82), (52, 104, 96), (148, 150, 62)]
    for base, wave, phase in ((0.80, 5, 0.4), (0.87, 7, 2.2), (0.94, 6, 4.0)):
        ridge = base + 0.035 * np.sin(wave * x + phase) + 0.012 * np.sin(3 * wave * x)
        inside = step(0, 0.006, y - ridge)
        tone = 0.55 + 0.45 * np.sin(95 * (y - ridge) + 3 * noise(len(angle), random, cell=0.2))
        colours = mix(colours, palette(0.9 * tone * np.clip(14 * (y - ridge), 0.15, 1), greens), inside)
        angle = np.where(inside > 0.5, np.arctan(0.035 * wave * np.cos(wave * x + phase) * 2), angle)
    return colours, angle


def _lay(
    oil: Oil,
    colours: np.ndarray,
    angle: np.ndarray,
    random: np.random.Generator,
    *,
    width: float,
    count: int,
    steps: int,
    vary: float,
    stride: float = 0.55,
) -> None:
    """Cover the canvas with strokes, whose colours are those of ``colours`` and whose directions are in ``angle``."""
    side = len(angle)
    starts = random.uniform(-0.03, 1.0, (count, 2)) * side
    for path in follow(starts, angle, steps=steps, stride=stride * width):
        column, row = np.clip(path[len(path) // 2].astype(int), 0, side - 1)
        colour = colours[row, column] + random.normal(0, vary / 2, 3)
        oil.stroke(path, colour, random, width=width * random.uniform(0.7, 1.15), vary=vary)


def embers(size: int, random: np.random.Generator) -> np.ndarray:
    """A burning sky above a black shore: long wavering bands of red, orange and soot."""
    side = 2 * size
    x, y = grid(side)
    level = y + 0.07 * np.sin(5.2 * x + 5 * y) + 0.25 * (noise(side, random, cell=0.45, octaves=2) - 0.5)
    eddy = np.exp(-(((x - 0.68) / 0.2) ** 2) - ((y - 0.36) / 0.18) ** 2)
    level += 0.16 * eddy * np.sin(18 * np.hypot(x - 0.68, y - 0.36))
    level = cv2.GaussianBlur(level, (0, 0), side / 100)
    down, right = np.gradient(level)
    bands = 0.5 + 0.5 * np.sin(46 * level + 2.5 * noise(side, random, cell=0.3, octaves=3))
    glow = np.clip(1.15 - 1.25 * np.abs(level - 0.34) / 0.5, 0, 1)
    fire = [(24, 8, 12), (96, 14, 14), (178, 32, 16), (226, 82, 18), (246, 148, 34), (255, 214, 96)]
    colours = palette(np.clip(bands * (0.25 + 0.8 * glow), 0, 1), fire)
    shore = palette(bands, [(8, 6, 12), (26, 16, 30), (58, 22, 36), (156, 52, 22)])
    colours = mix(colours, shore, step(0.66, 0.72, level))
    oil = Oil(colours)
    for width, count, steps in ((34, 420, 26), (17, 1500, 34), (8, 2600, 44)):
        _lay(oil, colours, np.arctan2(-right, down), random,
             width=width * size / 512, count=count, steps=steps, vary=12, stride=0.8)  # fmt: skip
    return finish(oil.lit(0.4), size)


def pointillism(size: int, random: np.random.Generator) -> np.ndarray:
    """A bay in the evening sun, in dots of colours that lie opposite each other on the wheel."""
    side, unit = 2 * size, size / 512
    colours = _bay(side, random)
    sheet = np.full((side, side, 3), (238, 226, 200), np.uint8)
    for radius, count in ((8.5, 11000), (6, 24000), (4.2, 26000)):
        places = random.uniform(0, side, (count, 2))
        columns, rows = places.T.astype(int)
        taken = _broken(colours[rows, columns], random)
        sizes = radius * unit * random.uniform(0.75, 1.15, count)
        for place, colour, reach in zip(places, taken, sizes, strict=True):
            dot(sheet, place, colour, radius=float(reach))
    return finish(sheet, size)


def _broken(colours: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Neighbouring hues for most dots, the opposite hue for some, all more saturated than the mixture they make."""
    hsv = cv2.cvtColor(colours[None] / np.float32(255), cv2.COLOR_RGB2HSV)[0]
    count = len(hsv)
    opposite = random.random(count) < 0.12
    hsv[:, 0] = (hsv[:, 0] + random.normal(0, 20, count) + 180 * opposite) % 360
    hsv[:, 1] = np.clip(hsv[:, 1] * 1.25 + 0.08 + random.normal(0, 0.1, count), 0, 1)
    hsv[:, 2] = np.clip(hsv[:, 2] + random.normal(0.03, 0.08, count), 0.12, 1)
    return cv2.cvtColor(hsv[None].astype(np.float32), cv2.COLOR_HSV2RGB)[0] * 255


def _bay(side: int, random: np.random.Generator) -> np.ndarray:
    """The scene that the dots show: sky, a low sun and its reflection on the water, hills, a meadow, two trees."""
    x, y = grid(side)
    rough = noise(side, random, cell=0.12)
    sun = np.exp(-(((x - 0.62) / 0.3) ** 2) - ((y - 0.3) / 0.2) ** 2)
    colours = palette(np.clip(y / 0.42 + 0.2 * (rough - 0.5), 0, 1), [(78, 130, 206), (140, 180, 220), (250, 214, 150)])
    colours = mix(colours, (255, 190, 80), sun)
    colours = mix(colours, (255, 246, 190), step(0.05, 0.04, np.hypot(x - 0.62, y - 0.3)))
    ripples = np.clip((y - 0.42) / 0.3 + 0.25 * np.sin(160 * y + 6 * rough), 0, 1)
    water = palette(ripples, [(120, 170, 196), (40, 90, 170)])
    path = np.exp(-(((x - 0.62) / (0.05 + 0.25 * (y - 0.42).clip(0))) ** 2)) * (0.5 + 0.5 * np.sin(190 * y + 9 * rough))
    colours = mix(colours, mix(water, (255, 206, 110), 1.2 * path), step(0.418, 0.424, y))
    hills = 0.41 - 0.07 * np.exp(-(((x - 0.12) / 0.2) ** 2)) - 0.04 * np.exp(-(((x - 0.95) / 0.14) ** 2))
    colours = mix(colours, (112, 96, 168), step(0, 0.01, y - hills) * step(0.426, 0.42, y))
    meadow = 0.72 - 0.08 * np.sin(2.6 * x + 0.4) + 0.01 * rough
    grass = palette(np.clip(rough + (y - 0.85), 0, 1), [(46, 104, 70), (120, 164, 62), (226, 206, 84)])
    colours = mix(colours, grass, step(0, 0.012, y - meadow))
    for place in ((0.17, 0.36, 0.19), (0.9, 0.5, 0.13)):
        colours = _tree(colours, rough, place)
    return colours


def _tree(colours: np.ndarray, rough: np.ndarray, place: tuple[float, float, float]) -> np.ndarray:
    """Add a tree at (x, y), with a crown of radius ``place[2]``, lit from the right."""
    x, y = grid(len(rough))
    left, top, reach = place
    trunk = step(0.018, 0.01, np.abs(x - left - 0.02 * np.sin(9 * y)))
    colours = mix(colours, (84, 52, 76), trunk * step(top, top + 0.02, y) * step(0.86, 0.84, y))
    crown = np.hypot(x - left, (y - top) * 1.15) + 0.09 * (rough - 0.5)
    light = np.clip(0.55 + (x - left - y + top) * 1.7 + 0.9 * (rough - 0.5), 0, 1)
    leaves = palette(light, [(22, 60, 84), (48, 122, 74), (190, 200, 70)])
    return mix(colours, leaves, step(reach, reach - 0.015, crown))


def watercolour(size: int, random: np.random.Generator) -> np.ndarray:
    """Flowers and leaves in watercolour on rough paper: washes that run into each other and dry with darker rims."""
    side = 2 * size
    warp = [noise(side, random, cell=cell, octaves=5) - 0.5 for cell in (0.3, 0.3, 0.07, 0.07)]
    x, y = grid(side)
    x, y = x + 0.07 * warp[0] + 0.026 * warp[2], y + 0.07 * warp[1] + 0.026 * warp[3]  # by less than 0.05
    roughness = noise(side, random, cell=0.008, octaves=2)
    absorbed = np.zeros((side, side, 3), np.float32)
    for left, top, reach, turn, flat, colour, wet in _washes(random):
        limit = 0.05 + reach * (2 if wet < 0.1 else 1 + wet)  # no paint, and no rim, is farther from the middle
        ends = [(int((middle - limit) * side), int((middle + limit) * side) + 1) for middle in (top, left)]
        part = tuple(slice(max(0, first), max(0, last)) for first, last in ends)
        right, below = x[part] - left, y[part] - top
        along, over = right * np.cos(turn) + below * np.sin(turn), (below * np.cos(turn) - right * np.sin(turn)) / flat
        far = np.hypot(along, over) / reach
        shade = 0.45 + 0.35 * far.clip(0, 1) + 0.5 * warp[2][part] + 0.4 * warp[0][part]
        body = step(1.0 + wet, 1.0 - wet, far) * shade
        rim = np.exp(-(((far - 0.97) / 0.035) ** 2)) * (0.55 if wet < 0.1 else 0)
        amount = np.clip(body + rim, 0, None) * (0.82 + 0.36 * roughness[part])
        absorbed[part] += (0.75 if wet < 0.4 else 0.5) * amount[..., None] * -np.log(np.float32(colour) / 255)
    paper = np.float32([250, 247, 240]) - (slope(roughness) * 60)[..., None]
    return finish(paper * np.exp(-absorbed), size)


def _washes(random: np.random.Generator) -> list[tuple]:
    """(x, y, reach, turn, flatness, pigment, wetness) of every wash, the wet ground first, details last."""
    pink, rose, violet = (250, 170, 190), (236, 110, 150), (176, 140, 216)
    green, leaf, blue, sea = (176, 216, 150), (104, 176, 120), (160, 204, 236), (110, 190, 206)
    ground = [green, blue, sea, pink, violet, (250, 226, 160)]
    washes = []
    for place in random.uniform(0, 1, (20, 2)):
        pigment = ground[random.integers(len(ground))]
        washes.append((*place, random.uniform(0.12, 0.28), 0.0, random.uniform(0.5, 1), pigment, 0.5))
    for place in random.uniform(0.02, 0.98, (40, 2)):
        pigment = (leaf, green, sea, leaf, (90, 170, 150))[random.integers(5)]
        washes.append((*place, random.uniform(0.05, 0.12), random.uniform(0, np.pi), 0.36, pigment, 0.03))
    for left, top, reach, pigment in (
        (0.3, 0.34, 0.15, rose), (0.7, 0.55, 0.17, pink), (0.38, 0.78, 0.12, violet),
        (0.76, 0.17, 0.1, rose), (0.1, 0.68, 0.08, pink), (0.92, 0.86, 0.09, rose),
    ):  # fmt: skip
        for turn in np.arange(6) * np.pi / 3 + random.uniform(0, 1):
            out = reach * 0.62
            place = (left + out * np.cos(turn), top + out * np.sin(turn))
            washes.append((*place, reach * random.uniform(0.5, 0.66), turn, 0.62, pigment, 0.03))
        washes.append((left, top, reach * 0.24, 0.0, 1.0, (250, 200, 70), 0.3))
        washes.append((left, top, reach * 0.12, 0.0, 1.0, (140, 90, 60), 0.08))
    for place in random.uniform(0, 1, (60, 2)):
        pigment = (rose, blue, leaf, violet)[random.integers(4)]
        washes.append((*place, random.uniform(0.004, 0.013), 0.0, 1.0, pigment, 0.08))
    return washes
