"""Compose scenes: a known object cut out of its photograph and pasted on another, so that its place is known.

The masks of ``data/masks`` say what belongs to the object. A scene draws, from its seed and its number alone, an
object, its size, place and side, and a background: part of another photograph, or a texture. The object's brightness
and colour move some way towards the background's, and its edge is soft. ``Gallery.scenes`` is the way in.
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cs231n_viz.data_files import data_path
from cs231n_viz.pictures.images import load_image, to_uint8

# Photographs whose object becomes a scene's, and its class in the words of both shipped networks. Cup, pagoda and
# Grace Hopper have masks as well, but one network or both seldom name them.
OBJECTS = {"astronaut": "Faces", "cat": "cat", "flower": "flower", "motorcycle": "Motorbikes"}
CLASSES = tuple(sorted(set(OBJECTS.values()), key=str.lower))
MASKED = ("astronaut", "camera", "cat", "china", "coffee", "coins", "flower", "grace_hopper", "motorcycle", "rocket")
SCALE = (0.8, 1.0)  # longer side of the object's box, as a share of the scene's side
BACKGROUNDS = ("brick", "camera", "china", "clock", "coffee", "coins", "flower", "grass", "gravel", "moon",
               "motorcycle", "page", "retina", "rocket", "text")  # fmt: skip
_LOWEST_ROW = {"astronaut": 200, "grace_hopper": 350}  # the head is pasted, as portraits show it, not half a person
# Where the photograph, or the line above, cuts the object off: that side lies on the border of the scene as well.
_CUT = {"astronaut": "bottom", "cat": "top", "grace_hopper": "bottom"}
_OVERSHOOT = 1 / 6  # of the object's height, at most, is beyond that border
_TRIES = 12  # crops of a background, of which the one is taken that shows least of the background's own object
_BLUR = 4  # pixels that a background's smallest detail takes: out of focus, as the background of a photograph is
_MATCH = 0.25  # how far the object's mean colour moves towards the background's
_MOST_SHIFT = 24  # grey levels of 255
_SIDE = 320  # the longer side at which cut-outs are kept
_BACKGROUND_SIDES = (0.4, 1.0)  # of the photograph's short side


@dataclass(frozen=True)
class Plan:
    """What scene number ``index`` consists of, before anything is painted.

    Attributes:
        photo: The photograph of the object.
        background: The photograph or texture behind it.
        box: (left, top, width, height) of the object in the scene, in pixels; it may reach beyond a border.
        mirrored: Whether the object looks the other way.
        crop: (left, top, side) of the background, in pixels of its photograph.
        flipped: Whether the background is mirrored.
    """

    photo: str
    background: str
    box: tuple[int, int, int, int]
    mirrored: bool
    crop: tuple[float, float, float]
    flipped: bool


@dataclass(frozen=True)
class Scenes:
    """The recipe of a gallery of scenes: ``scenes(i)`` paints picture i, ``scenes.mask(i)`` says where its object is.

    Attributes:
        seed: Another seed, other scenes.
        size: Side of a scene in pixels.
        scale: Smallest and largest longer side of the object's box, as a share of ``size``.
    """

    seed: int
    size: int
    scale: tuple[float, float] = SCALE

    def label(self, index: int) -> int:
        """The class, as an index of ``CLASSES``; every run of ``len(CLASSES)`` scenes has each class once."""
        turn, place = divmod(index, len(CLASSES))
        return _order(self.seed, turn)[place]

    def background(self, index: int) -> str:
        """The name of the photograph or texture behind the object."""
        return self._subject(index, np.random.default_rng((self.seed, index, 2)))[1]

    def plan(self, index: int) -> Plan:
        """All that is random about scene ``index``."""
        random = np.random.default_rng((self.seed, index, 2))
        photo, background = self._subject(index, random)
        box = self._place(photo, random)
        crop = _crop(background, random)
        mirrored, flipped = (random.random(2) < 0.5).tolist()
        return Plan(photo, background, box, mirrored, crop, flipped)

    def _subject(self, index: int, random: np.random.Generator) -> tuple[str, str]:
        shown = CLASSES[self.label(index)]
        photos = [name for name, category in OBJECTS.items() if category == shown]
        behind = [name for name in BACKGROUNDS if OBJECTS.get(name) != shown]
        return photos[random.integers(len(photos))], behind[random.integers(len(behind))]

    def __call__(self, index: int) -> Tensor:
        """Scene ``index``, (3, size, size) in [0, 1]."""
        plan = self.plan(index)
        scene = _behind(plan, self.size)
        pixels, rows, columns = self._pasted(plan)
        weight = pixels[:, :, 3:] * np.float32(1 / 255)
        colours = pixels[:, :, :3] + _shift(pixels, scene) * weight  # they come multiplied by alpha
        scene[rows, columns] = np.clip(scene[rows, columns] * (1 - weight) + colours, 0, 255)
        return torch.from_numpy(np.ascontiguousarray(scene.transpose(2, 0, 1)) / np.float32(255))

    def mask(self, index: int) -> Tensor:
        """Where the object of scene ``index`` covers more than half of a pixel: (size, size), bool."""
        pixels, rows, columns = self._pasted(self.plan(index))
        mask = torch.zeros(self.size, self.size, dtype=torch.bool)
        mask[rows, columns] = torch.from_numpy(pixels[:, :, 3] > 127)
        return mask

    def _place(self, photo: str, random: np.random.Generator) -> tuple[int, int, int, int]:
        source = _cut_out(photo)
        share = random.uniform(*self.scale) * self.size / max(source.size)
        width, height = (max(2, round(side * share)) for side in source.size)
        across, down = random.uniform(0, 1, 2)
        left, top = round(across * (self.size - width)), round(down * (self.size - height))
        beyond = round(down * _OVERSHOOT * height)
        if _CUT.get(photo) == "top":
            top = -beyond
        if _CUT.get(photo) == "bottom":
            top = self.size - height + beyond
        return left, top, width, height

    def _pasted(self, plan: Plan) -> tuple[np.ndarray, slice, slice]:
        """The visible object at its size, (h, w, 4) uint8 with colours multiplied by alpha, and where it goes."""
        left, top, width, height = plan.box
        resized = _cut_out(plan.photo).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
        rows = slice(max(0, top), min(self.size, top + height))
        pixels = np.asarray(resized)[rows.start - top : rows.stop - top]
        return pixels[:, ::-1] if plan.mirrored else pixels, rows, slice(left, left + width)


@lru_cache(maxsize=1024)
def _order(seed: int, turn: int) -> list[int]:
    return np.random.default_rng((seed, turn, 1)).permutation(len(CLASSES)).tolist()


def _shift(pixels: np.ndarray, scene: np.ndarray) -> np.ndarray:
    """What to add to the object's colours so that its mean comes some way towards the background's."""
    red, green, blue, alpha = pixels[::2, ::2].reshape(-1, 4).sum(0, dtype=np.float64)
    mean = np.array([red, green, blue]) * (255 / max(alpha, 1))
    return np.clip(_MATCH * (scene[::4, ::4].mean((0, 1)) - mean), -_MOST_SHIFT, _MOST_SHIFT).astype(np.float32)


def _crop(background: str, random: np.random.Generator) -> tuple[float, float, float]:
    """A square part of a background, with as little as possible of what the photograph itself shows."""
    photo, shown = _photograph(background), _shown(background)
    best, least = (0.0, 0.0, 0.0), np.inf
    for across, down, share in random.uniform(0, 1, (_TRIES if shown is not None else 1, 3)):
        low, high = _BACKGROUND_SIDES
        side = min(photo.size) * (low + (high - low) * share)
        left, top = across * (photo.width - side), down * (photo.height - side)
        part = 0.0 if shown is None else _share(shown, round(left), round(top), int(side))
        if part < least:
            best, least = (float(left), float(top), float(side)), part
    return best


def _share(shown: np.ndarray, left: int, top: int, side: int) -> float:
    """The share of a square that is object, from the sums over all rectangles that start in the corner."""
    right, bottom = left + side, top + side
    inside = shown[bottom, right] - shown[top, right] - shown[bottom, left] + shown[top, left]
    return float(inside) / side**2


def _behind(plan: Plan, size: int) -> np.ndarray:
    """The background as (size, size, 3) float32, 0 to 255."""
    left, top, side = plan.crop
    box = (left, top, left + side, top + side)
    photo = _photograph(plan.background)
    coarse = max(1, round(size / _BLUR))
    pixels = photo.resize((coarse, coarse), Image.Resampling.BILINEAR, box=box, reducing_gap=2)
    pixels = np.asarray(pixels.resize((size, size), Image.Resampling.BICUBIC))
    return (pixels[:, ::-1] if plan.flipped else pixels).astype(np.float32)


def object_mask(photo: str) -> np.ndarray:
    """Load the mask of the object in a bundled photograph.

    Args:
        photo: A name from :func:`~cs231n_viz.pictures.images.sample_images` that has a mask in ``data/masks``.

    Returns:
        (H, W) bool, of the photograph's size.

    Raises:
        FileNotFoundError: There is no mask of that photograph.
    """
    return np.asarray(Image.open(data_path("masks", f"{photo}.png")).convert("L")) > 127


def masks_checksum() -> str:
    """A short fingerprint of the masks that scenes are made with."""
    checksum = 0
    for photo in OBJECTS:
        checksum = zlib.crc32(data_path("masks", f"{photo}.png").read_bytes(), checksum)
    return f"{checksum:08x}"


@lru_cache(maxsize=64)
def _photograph(name: str) -> Image.Image:
    """A sample image, at most 640 pixels wide or high: more than a scene ever shows."""
    photo = Image.fromarray(to_uint8(load_image(name)))
    photo.thumbnail((640, 640))
    return photo


@lru_cache(maxsize=64)
def _shown(background: str) -> np.ndarray | None:
    """Sums over the mask of a background's own object: [i, j] counts rows below i and columns below j."""
    if background not in MASKED:
        return None
    mask = Image.fromarray(object_mask(background))
    mask.thumbnail(_photograph(background).size)
    return np.pad(np.asarray(mask).astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))


@lru_cache(maxsize=64)
def _cut_out(photo: str, *, soft: bool = True) -> Image.Image:
    """The object's rectangle in its photograph, in PIL's mode for colours that are multiplied by alpha.

    With soft edges, and of a person the head alone, as scenes show it; else the mask as it is.
    """
    lowest = _LOWEST_ROW.get(photo) if soft else None
    pixels, mask = to_uint8(load_image(photo))[:lowest], object_mask(photo)[:lowest]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    alpha = (_soft(mask, _CUT.get(photo)) if soft else np.uint8(255) * mask)[window]
    picture = Image.fromarray(np.dstack([pixels[window], alpha])).convert("RGBa")
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    return picture


def _soft(mask: np.ndarray, cut: str | None) -> np.ndarray:
    """Alpha, 0 to 255: falls to 0 within the outline, so that none of the old background comes along.

    A side on which the object is cut off keeps its full edge, for there the scene ends.
    """
    from cv2 import DIST_L2, distanceTransform

    padding = ("edge" if cut == "top" else "constant", "edge" if cut == "bottom" else "constant")
    padded = np.pad(np.pad(mask, ((1, 0), (0, 0)), padding[0]), ((0, 1), (0, 0)), padding[1])
    inside = distanceTransform(np.pad(padded, ((0, 0), (1, 1))).astype(np.uint8), DIST_L2, 5)[1:-1, 1:-1]
    softness = 0.006 * np.sqrt(mask.sum()) + 1  # pixels
    return np.uint8(255 * np.clip((inside - 0.5) / softness, 0, 1))


class Pair(NamedTuple):
    """A picture, (3, size, size) in [0, 1], and where its left and its right object are, (2, size, size) bool."""

    image: Tensor
    masks: Tensor


def object_pair(left: str, right: str, *, size: int = 224, share: float = 0.5, grey: float = 0.75) -> Pair:
    """Put two objects of the bundled photographs side by side on plain grey.

    Args:
        left: A name of ``scenes.OBJECTS``.
        right: Another one, or the same.
        size: Side of the picture in pixels.
        share: Longer side of each object, of ``size``; at most a half.
        grey: Of the background, in [0, 1].

    Returns:
        The picture and both masks.

    Raises:
        KeyError: If an object is unknown.
        ValueError: If ``share`` or ``grey`` is out of range.
    """
    unknown = [name for name in (left, right) if name not in OBJECTS]
    if unknown:
        raise KeyError(f"no object {unknown[0]!r} to paste; there are {', '.join(OBJECTS)}")
    if not 0 < share <= 0.5 or not 0 <= grey <= 1:
        raise ValueError(f"share must be in (0, 0.5] and grey in [0, 1], got {share} and {grey}")
    picture = np.full((size, size, 3), 255 * grey, np.float32)
    masks = np.zeros((2, size, size), bool)
    for place, name in enumerate((left, right)):
        pixels, alpha = _resized(name, max(2, round(size * share)))
        height, width = alpha.shape
        top = round((size - height) * {"top": 0.0, "bottom": 1.0}.get(_CUT.get(name), 0.5))
        start = place * (size // 2) + (size // 2 - width) // 2
        window = np.s_[top : top + height, start : start + width]
        picture[window] = picture[window] * (1 - alpha[:, :, None]) + pixels
        masks[place][window] = alpha > 0.5
    return Pair(torch.from_numpy(picture.transpose(2, 0, 1).copy() / 255).clamp(0, 1), torch.from_numpy(masks))


def _resized(name: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    """An object's colours times alpha, (h, w, 3), 0 to 255, and alpha, (h, w), 0 to 1; ``side`` is the longer side."""
    picture = _cut_out(name, soft=False)
    scale = side / max(picture.size)
    shape = tuple(max(1, round(length * scale)) for length in picture.size)
    pixels = np.asarray(picture.resize(shape, Image.Resampling.BILINEAR), np.float32)
    return pixels[:, :, :3], pixels[:, :, 3] / 255
