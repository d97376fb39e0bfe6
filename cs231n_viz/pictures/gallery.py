"""Galleries: labelled pictures to run the methods on, loaded one at a time.

Example::

    gallery = Gallery.scenes(200)           # or .photos() .crops() .digits() .folder("holiday") .torchvision(...)
    gallery = Gallery.photographs(20)       # what `make pictures` fetched, or scenes
    image, label = gallery[0]
    gallery.categories[label]               # the class by name
    gallery.masks[0]                        # scenes: where the object is

A gallery holds names and labels; a picture is read, cropped or composed when it is asked for, and not stored.
"""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import index as as_index
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cs231n_viz.pictures import folders, photographs
from cs231n_viz.pictures.images import load_image, sample_images, to_pil, to_uint8
from cs231n_viz.pictures.scenes import CLASSES, SCALE, Scenes, masks_checksum

# What the photographs show, in the words of the shipped networks' categories.
_PHOTO_CATEGORIES = {
    "astronaut": "Faces",
    "cat": "cat",
    "china": "pagoda",
    "coffee": "cup",
    "flower": "flower",
    "grace_hopper": "Faces",
    "motorcycle": "Motorbikes",
}
_CROP_SIDES = (0.25, 1.0)  # smallest and largest side of a crop, as a share of the photograph's short side


class Gallery:
    """Pictures with labels, loaded when they are asked for.

    Attributes:
        categories: Class names.
        labels: For each picture the index of its class.
        names: Name of each picture.
        key: A short text that identifies the contents: equal keys, equal pictures. For a folder it holds a hash over
            the relative names and the file sizes.
        skipped: (path, reason) of each file of a folder that could not be used.
        masks: For scenes, where the object is: ``masks[i]`` is (H, W), bool. Else None.
        backgrounds: For scenes, the name of each background. Else None.
    """

    def __init__(
        self,
        load: Callable[[int], Tensor],
        labels: Sequence[int],
        categories: Sequence[str],
        *,
        names: Sequence[str],
        key: str = "",
        skipped: Sequence[tuple[str, str]] = (),
        masks: "Lazy | None" = None,
        backgrounds: Sequence[str] | None = None,
    ) -> None:
        self._load = load
        self.labels, self.categories, self.names = list(labels), list(categories), list(names)
        self.key = key or f"{len(self.labels)} pictures {_checksum(*self.names, *self.labels)}"
        self.skipped = list(skipped)
        self.masks = masks
        self.backgrounds = None if backgrounds is None else list(backgrounds)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Picture ``index`` as (3, H, W) in [0, 1], with its label."""
        index = _position(index, len(self))
        return self._load(index), self.labels[index]

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"<Gallery {self.key}: {len(self)} pictures, {len(self.categories)} categories>"

    def subset(self, indices: Sequence[int]) -> "Gallery":
        """Select some of the pictures, in the order given; the categories stay, so that labels keep their meaning.

        Args:
            indices: Positions in this gallery; negative ones count from the end.

        Raises:
            IndexError: If a position is outside the gallery.
        """
        indices = tuple(_position(index, len(self)) for index in indices)
        return Gallery(
            _Subset(self._load, indices),
            [self.labels[i] for i in indices],
            self.categories,
            names=[self.names[i] for i in indices],
            key=f"{self.key}[{len(indices)} of them, {_checksum(*indices)}]",
            skipped=self.skipped,
            masks=None if self.masks is None else Lazy(_Subset(self.masks.load, indices), len(indices)),
            backgrounds=None if self.backgrounds is None else [self.backgrounds[i] for i in indices],
        )

    def in_memory(self) -> "Gallery":
        """Load every picture now and store it as bytes, 150 kB each at 224 px, to iterate over them many times.

        Returns:
            The same gallery, with the same ``key``; its pictures are rounded to the nearest of 256 levels.
        """
        pictures = _InMemory([to_uint8(image) for image, _ in self])
        return Gallery(
            pictures,
            self.labels,
            self.categories,
            names=self.names,
            key=self.key,
            skipped=self.skipped,
            masks=self.masks,
            backgrounds=self.backgrounds,
        )

    @classmethod
    def photos(cls) -> "Gallery":
        """Load the photographs that installed packages bring, each at its own size.

        A photograph of something that the shipped networks know carries that category; any other, its own name.
        """
        names = sample_images()
        labels, categories = photo_labels(names)
        return cls(Photos(tuple(names)), labels, categories, names=names, key=f"photos({len(names)})")

    @classmethod
    def crops(cls, n: int = 600, *, size: int = 224, seed: int = 0) -> "Gallery":
        """Crop random squares out of the photographs, from a quarter of the short side up to all of it.

        Args:
            n: Number of crops; the photographs take turns.
            size: Side of a crop in pixels.
            seed: Random seed for places and sizes. Crop i is the same for every ``n``.

        Returns:
            (3, size, size) each, labelled as in :meth:`photos`.

        Raises:
            ValueError: If ``n`` or ``size`` is below 1, or ``seed`` negative.
        """
        check_counts(n=n, size=size, seed=seed)
        photos = sample_images()
        names = [photos[i % len(photos)] for i in range(n)]
        labels, categories = photo_labels(names)
        key = f"crops({n}, size={size}, seed={seed})"
        return cls(Crops(tuple(photos), size, seed), labels, categories, names=names, key=key)

    @classmethod
    def scenes(cls, n: int = 2000, *, seed: int = 0, size: int = 224, scale: tuple[float, float] = SCALE) -> "Gallery":
        """Paste known objects on other photographs and textures, with masks that say what is where.

        Args:
            n: Number of scenes; the classes take turns, so that they are equally frequent.
            seed: Random seed. Scene i is the same for every ``n``.
            size: Side of a scene in pixels.
            scale: Smallest and largest longer side of the object, as a share of ``size``. Over the default range
                both shipped networks classify at least three of four scenes correctly.

        Returns:
            (3, size, size) each, with ``masks`` and ``backgrounds``; see :mod:`cs231n_viz.pictures.scenes`.

        Raises:
            ValueError: If ``n`` is below 1, ``size`` below 16, ``seed`` negative, or ``scale`` not within (0, 1].
        """
        check_counts(n=n, size=size, seed=seed)
        if size < 16 or not 0 < scale[0] <= scale[1] <= 1:
            raise ValueError(f"scenes want size >= 16 and 0 < scale[0] <= scale[1] <= 1, got {size=}, {scale=}")
        scenes = Scenes(seed, size, tuple(scale))
        labels = [scenes.label(i) for i in range(n)]
        names = [f"{CLASSES[label]} {i}" for i, label in enumerate(labels)]
        key = f"scenes({n}, seed={seed}, size={size}, scale={scale[0]:g}-{scale[1]:g}, masks {masks_checksum()})"
        backgrounds = [scenes.background(i) for i in range(n)]
        masks = Lazy(scenes.mask, n)
        return cls(scenes, labels, CLASSES, names=names, key=key, masks=masks, backgrounds=backgrounds)

    @classmethod
    def photographs(
        cls,
        per_class: int = 10,
        *,
        categories: Sequence[str] | None = None,
        size: int = 224,
        seed: int = 0,
        folder: str | os.PathLike | None = None,
    ) -> "Gallery":
        """Load photographs that ``make pictures`` fetched; where there are none, scenes, and a line that says so.

        They are of Caltech-101, Imagenette and the Oxford-IIIT pets, under the names that the shipped networks have
        for their categories, and only pictures that were held out when these were trained.

        Args:
            per_class: Number of photographs of each category, or all that there are if these are fewer.
            categories: Names of the categories, which take turns; all if omitted.
            size: Resize each photograph to this short side in pixels and crop the centre square.
            seed: Random seed for the choice. The first photographs of a category are the same for every ``per_class``.
            folder: Where they lie; :func:`~cs231n_viz.pictures.photographs.photographs_folder` if omitted.

        Returns:
            (3, size, size) each. Scenes are those of the ``categories`` that scenes have, ``per_class`` of each; they
            are the ones with ``masks`` and ``backgrounds``.

        Raises:
            ValueError: If there is no such category, naming the closest; if ``per_class`` or ``size`` is below 1, or
                ``seed`` negative.
            FileNotFoundError: If nothing was fetched and no scene shows any of the ``categories``.
        """
        check_counts(per_class=per_class, size=size, seed=seed)
        root = (photographs.photographs_folder() if folder is None else Path(folder)).expanduser().resolve()
        available = photographs.unseen(root)
        if not available:
            return cls._scenes_instead(per_class, categories, size, seed)
        rows = photographs.draw(available, per_class, categories, seed=seed)
        names = [path.relative_to(root).as_posix() for path, _ in rows]
        shown = list(available if categories is None else categories)
        labels = [shown.index(category) for _, category in rows]
        facts = _checksum(*names, *(path.stat().st_size for path, _ in rows))
        key = f"photographs({len(rows)} of {len(shown)} categories, size={size}, {facts})"
        return cls(folders.Files(str(root), tuple(names), size), labels, shown, names=names, key=key)

    @classmethod
    def _scenes_instead(cls, per_class: int, categories: Sequence[str] | None, size: int, seed: int) -> "Gallery":
        """Make scenes of those of the categories that scenes have, and say so."""
        wanted = [label for label, name in enumerate(CLASSES) if categories is None or name in categories]
        fetch = "`make pictures` (or viz.fetch_photographs()) fetches them, once, with a connection"
        if not wanted:
            raise FileNotFoundError(
                f"there are no photographs of {', '.join(categories)}, and no scenes instead, which show "
                f"{', '.join(CLASSES)}; {fetch}"
            )
        print(f"No photographs have been fetched: scenes of {', '.join(CLASSES[i] for i in wanted)} instead. {fetch}.")
        scenes = cls.scenes(per_class * len(CLASSES), size=size, seed=seed)
        chosen = [i for i, label in enumerate(scenes.labels) if label in wanted]
        return scenes if len(chosen) == len(scenes) else scenes.subset(chosen)

    @classmethod
    def digits(cls) -> "Gallery":
        """Load scikit-learn's 1797 hand-written digits: (3, 8, 8), three equal channels, light ink on dark paper."""
        _, labels = digits()
        names = [f"digit {i}" for i in range(len(labels))]
        return cls(load_digit, labels, [str(d) for d in range(10)], names=names, key=f"digits({len(labels)})")

    @classmethod
    def folder(cls, path: str | os.PathLike, *, size: int | None = None, follow_links: bool = False) -> "Gallery":
        """Load pictures of your own: each sub-folder is a class; a folder without any is one class of its own name.

        Files that cannot be read are skipped, and ``skipped`` says which and why. Only their headers are checked: a
        picture that is damaged after its header raises an ``ImageError`` with its name when it is asked for.

        Args:
            path: The folder.
            size: Resize each picture to this short side in pixels and crop the centre square; None keeps its own size.
            follow_links: Also read folders that are links, and files that are links to outside of the folder.

        Raises:
            FileNotFoundError: If there is no such folder.
            ImageError: If there is no picture in it.
            ValueError: If ``size`` is below 1.
        """
        check_counts(seed=0, size=1 if size is None else size)
        listing = folders.list_folder(path, follow_links=follow_links)
        load = folders.Files(str(Path(path).expanduser().resolve()), listing.names, size)
        key = f"folder({listing.key}{'' if size is None else f', size={size}'})"
        names = [folders.displayable(name) for name in listing.names]
        return cls(load, listing.labels, listing.categories, names=names, key=key, skipped=listing.skipped)

    @classmethod
    def torchvision(
        cls, name: str, root: str | os.PathLike, *, split: str | None = None, download: bool = False
    ) -> "Gallery":
        """Load a data set of torchvision: Caltech101, Imagenette, CIFAR10, STL10, OxfordIIITPet or Flowers102.

        Args:
            name: Name of torchvision's class.
            root: The folder that torchvision calls root.
            split: For example "train"; the data set's first split if omitted. Caltech101 has none.
            download: Download what is missing, with a progress bar.

        Raises:
            ValueError: If there is no such data set or split; names the closest.
            FileNotFoundError: If the files are not under ``root``; says where they come from and belong.
            ConnectionError: If they could not be downloaded; says how to put them in place by hand.
        """
        root = Path(root).expanduser().resolve()
        _, split = folders.source_of(name, split)
        if download:
            folders.download(name, root, split)
        if name == "Caltech101":
            listing = folders.list_caltech(root)
            load = folders.Files(str(folders.location(name, root)), listing.names)
        else:
            listing = folders.list_data_set(name, root, split)
            load = folders.DataSet(name, str(root), split)
        key = f"{name}({listing.key})"
        return cls(load, listing.labels, listing.categories, names=listing.names, key=key, skipped=listing.skipped)


@dataclass(frozen=True)
class Lazy:
    """A sequence that computes item i by ``load(i)`` when it is asked for."""

    load: Callable[[int], Any]
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return self.load(_position(index, self.length))

    def __iter__(self) -> Iterator[Any]:
        return (self.load(index) for index in range(self.length))


@dataclass(frozen=True)
class _Subset:  # a class rather than a closure: a gallery is pickled for the workers of a cluster
    load: Callable[[int], Any]
    indices: tuple[int, ...]

    def __call__(self, index: int) -> Any:
        return self.load(self.indices[index])


def check_counts(*, seed: int, **counts: int) -> None:
    """Raise a ``ValueError`` unless the seed is a whole number from 0 up and every other one from 1 up."""
    for name, count in {**counts, "seed": seed}.items():
        least = 0 if name == "seed" else 1
        if isinstance(count, bool) or not isinstance(count, int) or count < least:
            raise ValueError(f"{name} must be a whole number from {least} up, got {count!r}")


def _position(index: int, length: int) -> int:
    """Resolve a negative index."""
    if not -length <= as_index(index) < length:
        raise IndexError(f"picture {index} of a gallery of {length}")
    return as_index(index) % length


def _checksum(*parts: object) -> str:
    return f"{zlib.crc32('|'.join(map(str, parts)).encode()):08x}"


def photo_labels(photos: Sequence[str]) -> tuple[list[int], list[str]]:
    """Look up the labels of photographs by name, and the categories that these are indices of."""
    names = [_PHOTO_CATEGORIES.get(photo, photo) for photo in photos]
    categories = sorted(set(names), key=str.lower)
    return [categories.index(name) for name in names], categories


@dataclass(frozen=True)
class Photos:
    """Load photograph ``index`` of a list of sample images."""

    names: tuple[str, ...]

    def __call__(self, index: int) -> Tensor:
        """Load it as (3, H, W) in [0, 1]."""
        return load_image(self.names[index])


@dataclass(frozen=True)
class Crops:
    """Crop square ``index`` out of the photographs, which take turns."""

    photos: tuple[str, ...]
    size: int
    seed: int

    def __call__(self, index: int) -> Tensor:
        """Compute it as (3, size, size) in [0, 1]."""
        photo = photograph(self.photos[index % len(self.photos)])
        random = np.random.default_rng((self.seed, index))
        low, high = np.log(_CROP_SIDES)
        side = min(photo.size) * float(np.exp(random.uniform(low, high)))
        left, top = random.uniform(0, 1, 2) * (photo.width - side, photo.height - side)
        box = (left, top, left + side, top + side)
        crop = photo.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)
        return torch.from_numpy(np.array(crop)).permute(2, 0, 1) / 255


def load_digit(index: int) -> Tensor:
    """Load digit ``index`` as (3, 8, 8) in [0, 1]."""
    pixels = torch.from_numpy(digits()[0][index] / 16).float()
    return pixels.expand(3, -1, -1).contiguous()


@lru_cache(maxsize=1)
def digits() -> tuple[np.ndarray, list[int]]:
    """Load the digits of scikit-learn, (1797, 8, 8) from 0 to 16, and their labels."""
    from sklearn.datasets import load_digits  # takes a second to import

    bunch = load_digits()
    return bunch.images, bunch.target.tolist()


@lru_cache(maxsize=64)
def photograph(name: str) -> Image.Image:
    """Load a sample image as PIL's, cached: all of them together take some 20 MB."""
    return to_pil(load_image(name))


@dataclass(frozen=True)
class _InMemory:  # a class rather than a closure, as above
    pictures: Sequence[np.ndarray]  # (H, W, 3), uint8

    def __call__(self, index: int) -> Tensor:
        return torch.from_numpy(self.pictures[index]).permute(2, 0, 1).contiguous().float() / 255
