"""Compose scenes: an object is cut out of its photograph and pasted on another, so that its position is known.

The masks in ``data/masks`` say which pixels belong to the object. A scene is random, by its seed and number alone, in
its object, the object's size, position and mirroring, and its background: part of another photograph, or a texture.
The object's mean colour is moved some way towards the background's, and its edge is soft. ``Gallery.scenes`` makes
them. :func:`object_pair` puts two objects side by side on plain grey.
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

# Photographs whose object is pasted, and its class in the words of both shipped networks. Cup, pagoda and Grace Hopper
# have masks as well, but one network or both seldom classify them correctly.
OBJECTS = {"astronaut": "Faces", "cat": "cat", "flower": "flower", "motorcycle": "Motorbikes"}
CLASSES = tuple(sorted(set(OBJECTS.values()), key=str.lower))
MASKED = ("astronaut", "camera", "cat", "china", "coffee", "coins", "flower", "grace_hopper", "motorcycle", "rocket")
SCALE = (0.8, 1.0)  # smallest and largest longer side of the object's box, as a share of the scene's side
BACKGROUNDS = ("brick", "camera", "china", "clock", "coffee", "coins", "flower", "grass", "gravel", "moon",
               "motorcycle", "page", "retina", "rocket", "text")  # fmt: skip
_LOWEST_ROW = {"astronaut": 200, "grace_hopper": 350}  # only the head is pasted, as in a portrait, not half a person
# The side on which the photograph, or the line above, cuts the object off; it lies on the border of the scene as well.
_CUT = {"astronaut": "bottom", "cat": "top", "grace_hopper": "bottom"}
_OVERSHOOT = 1 / 6  # of the object's height, at most, lies beyond that border
_TRIES = 12  # random crops of a background; the one that shows least of the background's own object is used
_BLUR = 4  # size in pixels of a background's smallest detail: out of focus, as in a photograph
_MATCH = 0.25  # how far the object's mean colour moves towards the background's, as a share of their difference
_MAX_SHIFT = 24  # of it, in grey levels of 255
_SIDE = 320  # longer side in pixels at which cut-outs are cached
_BACKGROUND_SIDES = (0.4, 1.0)  # smallest and largest side of a background, as a share of its photograph's short side


@dataclass(frozen=True)
class Plan:
    """All that is random about one scene.

    Attributes:
        photo: Name of the photograph of the object.
        background: Name of the photograph or texture behind it.
        box: (left, top, width, height) of the object in the scene, in pixels; it may reach beyond a border.
        mirrored: Whether the object is mirrored.
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
    """The scenes of one seed: ``scenes(i)`` composes scene i, ``scenes.mask(i)`` says where its object is.

    Attributes:
        seed: Random seed.
        size: Side of a scene in pixels.
        scale: Smallest and largest longer side of the object's box, as a share of ``size``.
    """

    seed: int
    size: int
    scale: tuple[float, float] = SCALE

    def label(self, index: int) -> int:
        """Return the class, as an index of ``CLASSES``; every round of ``len(CLASSES)`` scenes has each class once."""
        round_, position = divmod(index, len(CLASSES))
        return _order(self.seed, round_)[position]

    def background(self, index: int) -> str:
        """Return the name of the photograph or texture behind the object."""
        return self._subject(index, np.random.default_rng((self.seed, index, 2)))[1]

    def plan(self, index: int) -> Plan:
        """Choose all that is random about scene ``index``."""
        random = np.random.default_rng((self.seed, index, 2))
        photo, background = self._subject(index, random)
        box = self._box(photo, random)
        crop = _crop(background, random)
        mirrored, flipped = (random.random(2) < 0.5).tolist()
        return Plan(photo, background, box, mirrored, crop, flipped)

    def _subject(self, index: int, random: np.random.Generator) -> tuple[str, str]:
        """Choose a photograph of the scene's class, and a background that does not show that class."""
        category = CLASSES[self.label(index)]
        photos = [photo for photo in OBJECTS if OBJECTS[photo] == category]
        backgrounds = [name for name in BACKGROUNDS if OBJECTS.get(name) != category]
        return photos[random.integers(len(photos))], backgrounds[random.integers(len(backgrounds))]

    def __call__(self, index: int) -> Tensor:
        """Compose scene ``index``, (3, size, size) in [0, 1]."""
        plan = self.plan(index)
        scene = _background(plan, self.size)
        pixels, rows, columns = self._object(plan)
        alpha = pixels[:, :, 3:] * np.float32(1 / 255)
        colours = pixels[:, :, :3] + _shift(pixels, scene) * alpha  # the pixels are multiplied by alpha already
        scene[rows, columns] = np.clip(scene[rows, columns] * (1 - alpha) + colours, 0, 255)
        return torch.from_numpy(np.ascontiguousarray(scene.transpose(2, 0, 1)) / np.float32(255))

    def mask(self, index: int) -> Tensor:
        """Return where the object of scene ``index`` covers more than half of a pixel: (size, size), bool."""
        pixels, rows, columns = self._object(self.plan(index))
        mask = torch.zeros(self.size, self.size, dtype=torch.bool)
        mask[rows, columns] = torch.from_numpy(pixels[:, :, 3] > 127)
        return mask

    def _box(self, photo: str, random: np.random.Generator) -> tuple[int, int, int, int]:
        """Choose size and position of the object: left, top, width, height."""
        source = _cut_out(photo)
        factor = random.uniform(*self.scale) * self.size / max(source.size)
        width, height = (max(2, round(side * factor)) for side in source.size)
        across, down = random.uniform(0, 1, 2)
        left, top = round(across * (self.size - width)), round(down * (self.size - height))
        beyond = round(down * _OVERSHOOT * height)
        if _CUT.get(photo) == "top":
            top = -beyond
        if _CUT.get(photo) == "bottom":
            top = self.size - height + beyond
        return left, top, width, height

    def _object(self, plan: Plan) -> tuple[np.ndarray, slice, slice]:
        """Resize the object: its visible part, (h, w, 4) uint8, colours multiplied by alpha; its rows and columns."""
        left, top, width, height = plan.box
        resized = _cut_out(plan.photo).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
        rows = slice(max(0, top), min(self.size, top + height))
        pixels = np.asarray(resized)[rows.start - top : rows.stop - top]
        return pixels[:, ::-1] if plan.mirrored else pixels, rows, slice(left, left + width)


@lru_cache(maxsize=1024)
def _order(seed: int, round_: int) -> list[int]:
    """Shuffle the classes for one round of scenes."""
    return np.random.default_rng((seed, round_, 1)).permutation(len(CLASSES)).tolist()


def _shift(pixels: np.ndarray, scene: np.ndarray) -> np.ndarray:
    """Compute what to add to the object's colours so that its mean moves some way towards the background's."""
    red, green, blue, alpha = pixels[::2, ::2].reshape(-1, 4).sum(0, dtype=np.float64)
    mean = np.array([red, green, blue]) * (255 / max(alpha, 1))
    return np.clip(_MATCH * (scene[::4, ::4].mean((0, 1)) - mean), -_MAX_SHIFT, _MAX_SHIFT).astype(np.float32)


def _crop(background: str, random: np.random.Generator) -> tuple[float, float, float]:
    """Choose a square part of a background, the one of some random ones that shows least of the photograph's object."""
    photo, integral = _photograph(background), _integral_mask(background)
    best, least = (0.0, 0.0, 0.0), np.inf
    for across, down, u in random.uniform(0, 1, (_TRIES if integral is not None else 1, 3)):
        low, high = _BACKGROUND_SIDES
        side = min(photo.size) * (low + (high - low) * u)
        left, top = across * (photo.width - side), down * (photo.height - side)
        share = 0.0 if integral is None else _object_share(integral, round(left), round(top), int(side))
        if share < least:
            best, least = (float(left), float(top), float(side)), share
    return best


def _object_share(integral: np.ndarray, left: int, top: int, side: int) -> float:
    """Compute the share of a square that belongs to the object, from the integral image of its mask."""
    right, bottom = left + side, top + side
    inside = integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]
    return float(inside) / side**2


def _background(plan: Plan, size: int) -> np.ndarray:
    """Crop and blur the background: (size, size, 3) float32, 0 to 255."""
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
        FileNotFoundError: If there is no mask of that photograph.
    """
    return np.asarray(Image.open(data_path("masks", f"{photo}.png")).convert("L")) > 127


def masks_checksum() -> str:
    """Compute a short checksum of the masks that scenes are made with."""
    checksum = 0
    for photo in OBJECTS:
        checksum = zlib.crc32(data_path("masks", f"{photo}.png").read_bytes(), checksum)
    return f"{checksum:08x}"


@lru_cache(maxsize=64)
def _photograph(name: str) -> Image.Image:
    """Load a sample image, reduced to at most 640 pixels wide or high, which is more than a scene shows."""
    photo = Image.fromarray(to_uint8(load_image(name)))
    photo.thumbnail((640, 640))
    return photo


@lru_cache(maxsize=64)
def _integral_mask(background: str) -> np.ndarray | None:
    """Compute the integral image of the mask of a background's own object: at [i, j] the sum of ``mask[:i, :j]``."""
    if background not in MASKED:
        return None
    mask = Image.fromarray(object_mask(background))
    mask.thumbnail(_photograph(background).size)
    return np.pad(np.asarray(mask).astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))


@lru_cache(maxsize=64)
def _cut_out(photo: str, *, soft: bool = True) -> Image.Image:
    """Cut an object out of its photograph, as an image of PIL whose colours are multiplied by alpha.

    With ``soft``, as in scenes, its edges are soft, and of a person there is only the head; else alpha is the mask.
    """
    lowest = _LOWEST_ROW.get(photo) if soft else None
    pixels, mask = to_uint8(load_image(photo))[:lowest], object_mask(photo)[:lowest]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    alpha = (_soft_alpha(mask, _CUT.get(photo)) if soft else np.uint8(255) * mask)[window]
    picture = Image.fromarray(np.dstack([pixels[window], alpha])).convert("RGBa")
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    return picture


def _soft_alpha(mask: np.ndarray, cut: str | None) -> np.ndarray:
    """Compute alpha, 0 to 255: it falls to 0 inside the outline, so that nothing of the old background is pasted.

    On the side on which the object is cut off alpha stays 255, since the scene ends there.
    """
    from cv2 import DIST_L2, distanceTransform

    padding = ("edge" if cut == "top" else "constant", "edge" if cut == "bottom" else "constant")
    padded = np.pad(np.pad(mask, ((1, 0), (0, 0)), padding[0]), ((0, 1), (0, 0)), padding[1])
    inside = distanceTransform(np.pad(padded, ((0, 0), (1, 1))).astype(np.uint8), DIST_L2, 5)[1:-1, 1:-1]
    softness = 0.006 * np.sqrt(mask.sum()) + 1  # pixels
    return np.uint8(255 * np.clip((inside - 0.5) / softness, 0, 1))


class Pair(NamedTuple):
    """A picture, (3, size, size) in [0, 1], and the masks of its left and its right object, (2, size, size) bool."""

    image: Tensor
    masks: Tensor


def object_pair(
    left: str, right: str, *, size: int = 224, share: float = 0.5, grey: float = 0.75, close_up: bool = False
) -> Pair:
    """Put two objects of the bundled photographs side by side on plain grey.

    Args:
        left: Name in ``OBJECTS`` of the object on the left.
        right: The same for the right.
        size: Side of the picture in pixels.
        share: Longer side of each object as a share of ``size``, at most a half; in a close-up, its size as a share of
            the largest that fits into its half, at most 1.
        grey: Value of the background, in [0, 1].
        close_up: Whether objects are cut out as in scenes: with soft edges, and of a person there is only the head.

    Returns:
        The picture and both masks.

    Raises:
        KeyError: If an object is unknown.
        ValueError: If ``share`` or ``grey`` is out of range.
    """
    unknown = [name for name in (left, right) if name not in OBJECTS]
    if unknown:
        raise KeyError(f"no object {unknown[0]!r} to paste; there are {', '.join(OBJECTS)}")
    most = 1 if close_up else 0.5
    if not 0 < share <= most or not 0 <= grey <= 1:
        raise ValueError(f"share must be in (0, {most}] and grey in [0, 1], got {share} and {grey}")
    picture = np.full((size, size, 3), 255 * grey, np.float32)
    masks = np.zeros((2, size, size), bool)
    for index, name in enumerate((left, right)):
        cut_out = _cut_out(name, soft=close_up)
        fits = min(size // 2 / cut_out.width, size / cut_out.height)
        pixels, alpha = _resized(cut_out, fits * share if close_up else max(2, round(size * share)) / max(cut_out.size))
        height, width = alpha.shape
        top = round((size - height) * {"top": 0.0, "bottom": 1.0}.get(_CUT.get(name), 0.5))
        start = index * (size // 2) + (size // 2 - width) // 2
        window = np.s_[top : top + height, start : start + width]
        picture[window] = picture[window] * (1 - alpha[:, :, None]) + pixels
        masks[index][window] = alpha > 0.5
    return Pair(torch.from_numpy(picture.transpose(2, 0, 1).copy() / 255).clamp(0, 1), torch.from_numpy(masks))


def _resized(picture: Image.Image, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Resize an object: colours times alpha, (h, w, 3), 0 to 255, and alpha, (h, w), 0 to 1."""
    shape = tuple(max(1, round(length * scale)) for length in picture.size)
    pixels = np.asarray(picture.resize(shape, Image.Resampling.BILINEAR), np.float32)
    return pixels[:, :, :3], pixels[:, :, 3] / 255
