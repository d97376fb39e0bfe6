"""Augment pictures: a random affine warp for each, random colour changes and CutMix for a batch."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def _affine(image: Tensor, random: torch.Generator, areas: tuple[float, float]) -> Tensor:
    """Choose a random affine map, (2, 3), from output to input coordinates in [-1, 1].

    It scales, stretches, rotates, shears and mirrors. A view covers a part of the picture's area between ``areas``.
    """
    u = torch.rand(7, generator=random).tolist()
    height, width = image.shape[-2:]
    side = math.sqrt(width * height * math.exp(math.log(areas[0]) + u[0] * math.log(areas[1] / areas[0])))
    aspect = math.exp((u[1] - 0.5) * math.log(4 / 3))
    sx, sy = side * aspect / width, side / aspect / height
    shift_x, shift_y = (2 * u[2] - 1) * (1 - sx), (2 * u[3] - 1) * (1 - sy)
    angle, shear = (2 * u[4] - 1) * math.radians(12), (2 * u[5] - 1) * 0.15
    mirror = -1.0 if u[6] < 0.5 else 1.0
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor(
        [
            [mirror * sx * cos, sx * (shear - sin), shift_x],
            [mirror * sy * sin, sy * (cos + shear * sin), shift_y],
        ]
    )


def random_views(
    images: list[Tensor], size: int, random: torch.Generator, *, areas: tuple[float, float] = (0.25, 1.8)
) -> Tensor:
    """Warp each uint8 (3, h, w) picture to ``size`` by a random affine map: (N, 3, size, size) in [0, 1].

    ``areas`` are the smallest and the largest part of a picture's area that a view covers. By default some cover more
    than the picture, since ordinary photographs show objects smaller than the data sets do.
    """
    views = []
    for image in images:
        grid = F.affine_grid(_affine(image, random, areas)[None], [1, 3, size, size], align_corners=False)
        view = F.grid_sample(image[None].float(), grid, padding_mode="reflection", align_corners=False)
        views.append(view)
    return torch.cat(views).div_(255)


def random_colours(images: Tensor, random: torch.Generator, *, strength: float = 0.4) -> Tensor:
    """Change brightness, contrast, saturation and white balance of each image randomly, (N, 3, H, W) in [0, 1]."""
    n = len(images)

    def factor(*shape: int, scale: float = strength) -> Tensor:
        return 1 + scale * (2 * torch.rand(n, *shape, generator=random) - 1)

    grey = torch.tensor([0.299, 0.587, 0.114]).expand(3, 3)
    saturation = factor(1, 1)
    mix = saturation * torch.eye(3) + (1 - saturation) * grey
    mix = mix * factor(3, 1, scale=0.1) * factor(1, 1)
    offset = images.mean(dim=(1, 2, 3), keepdim=True) * (1 - factor(1, 1, 1))  # contrast, about the mean
    return torch.einsum("nij,njhw->nihw", mix, images).add_(offset).clamp_(0, 1)


def cut_mix(images: Tensor, labels: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Paste one random box of the batch in reverse order (CutMix): images, labels of the pasted, share that is left.

    Source: Yun et al., "CutMix", ICCV 2019, arXiv:1905.04899, eq. 1-2, with Beta(1, 1).
    """
    u = torch.rand(3, generator=random).tolist()
    height, width = images.shape[-2:]
    side = math.sqrt(1 - u[0])
    cut_h, cut_w = int(height * side), int(width * side)
    top, left = int(u[1] * (height - cut_h + 1)), int(u[2] * (width - cut_w + 1))
    mixed = images.clone()
    mixed[..., top : top + cut_h, left : left + cut_w] = images.flip(0)[..., top : top + cut_h, left : left + cut_w]
    return mixed, labels.flip(0), 1 - cut_h * cut_w / (height * width)
