"""Labelled pictures to run the methods on."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from cs231n_viz.images import load_image, sample_images

# What the photographs show, in the words of the shipped networks' categories.
_SHOWN = {
    "astronaut": "Faces",
    "cat": "cat",
    "china": "pagoda",
    "coffee": "cup",
    "flower": "flower",
    "grace_hopper": "Faces",
    "motorcycle": "Motorbikes",
}


class Gallery:
    """Pictures with labels, loaded when they are asked for.

    Attributes:
        categories: Class names.
        labels: For each picture the index of its class.
        names: For each picture what it is called.
    """

    def __init__(
        self, load: Callable[[int], Tensor], labels: Sequence[int], categories: Sequence[str], *, names: Sequence[str]
    ) -> None:
        self._load = load
        self.labels, self.categories, self.names = list(labels), list(categories), list(names)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Picture ``index`` as (3, H, W) in [0, 1], with its label."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"picture {index} of a gallery of {len(self)}")
        index %= len(self)
        return self._load(index), self.labels[index]

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        return (self[index] for index in range(len(self)))

    @classmethod
    def photos(cls) -> "Gallery":
        """The photographs that the course's own packages bring along, each at its own size.

        A photograph of something that the shipped networks know carries that category; any other, its own name.
        """
        names = sample_images()
        shown = [_SHOWN.get(name, name) for name in names]
        categories = sorted(set(shown), key=str.lower)
        labels = [categories.index(name) for name in shown]
        return cls(lambda index: load_image(names[index]), labels, categories, names=names)
