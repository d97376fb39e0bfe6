"""A network that was never trained and has one layer: how much of a texture is in its filters at all?"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class RandomFilters(nn.Module):
    """A bank of random filters of several sizes, rectified. It takes the place of a model in texture synthesis.

    What it matches was never learned from any picture. If its textures convince, it was not the training that did it.

    Args:
        sizes: Sides of the filters in pixels, odd.
        filters: How many of each size.
        seed: Of the weights.

    Raises:
        ValueError: If a size is even, or there are none.

    Source: Ustyuzhaninov et al., "What does it take to generate natural textures?", ICLR 2017.
    Differs from the paper: normal weights of mean 0 (each filter sees contrasts and no brightness, without which the
        largest of them drown the rest), fewer and smaller filters (theirs are 128 of each size up to 55), so that
        a laptop can wait for it.

    Example:
        >>> synthesize_texture(RandomFilters(), sample, size=128).image
    """

    name = "random_filters"

    def __init__(self, sizes: Sequence[int] = (3, 5, 7, 11, 15, 23), *, filters: int = 24, seed: int = 0) -> None:
        super().__init__()
        if not sizes or filters < 1 or any(size < 3 or size % 2 == 0 for size in sizes):
            raise ValueError(
                f"wanted odd sizes from 3 on and at least 1 filter of each, got {tuple(sizes)} and {filters}"
            )
        random = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator when they are built
            self.banks = nn.ModuleList(
                nn.Conv2d(3, filters, size, padding=size // 2, bias=False).requires_grad_(False) for size in sizes
            )
        for bank, size in zip(self.banks, sizes, strict=True):
            weight = torch.randn(bank.weight.shape, generator=random) / size
            bank.weight.copy_(weight - weight.mean((2, 3), keepdim=True))
        self.relu = nn.ReLU()
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), RGB in [0, 1] -> (N, sizes · filters, H, W), not negative."""
        centred = images - 0.5
        return self.relu(torch.cat([bank(centred) for bank in self.banks], dim=1))
