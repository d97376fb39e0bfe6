"""A gallery whose pictures are in memory, for those who go over them many times."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from cs231n_viz.gallery import Gallery


def kept(gallery: Gallery) -> Gallery:
    """Make every picture of a small gallery now, and hold it as bytes: 150 kB each at 224 px.

    Args:
        gallery: Any gallery; its pictures are rounded to the nearest of 256 levels.

    Returns:
        The same gallery, with the same ``key``, which makes its pictures no more.
    """
    pictures = _Kept([(image * 255).round().byte() for image, _ in gallery])
    return Gallery(
        pictures,
        gallery.labels,
        gallery.categories,
        names=gallery.names,
        key=gallery.key,
        skipped=gallery.skipped,
        masks=gallery.masks,
        backgrounds=gallery.backgrounds,
    )


@dataclass(frozen=True)
class _Kept:  # a class rather than a closure: a gallery goes to the workers of a cluster by pickle
    pictures: Sequence[Tensor]

    def __call__(self, index: int) -> Tensor:
        return self.pictures[index].float() / 255
