"""Pictures at other sizes, for octaves and for coarse-to-fine synthesis."""

from torch import Tensor
from torch.nn import functional as F


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, H, W) at another size, bilinear and antialiased; untouched if it has this size."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
