"""A generator: from the FC6 code of ``mini_alexnet`` back to a picture, as a prior for synthesis."""

from collections import OrderedDict
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from cs231n_viz.data_files import data_path
from cs231n_viz.weights import check_sum, fill, read_state

_WIDTHS = (128, 192, 128, 96, 64, 32)  # channels at 4, 8, 16, 32, 64 and 128 pixels


class Generator(nn.Module):
    """An up-convolutional network that turns a code into a picture which has that code.

    Codes are (N, 512), the rectified FC6 activations; pictures are (N, 3, 128, 128), RGB in [0, 1].

    Args:
        code: Length of a code.
        batch_norm: Build for training, with a batch norm behind every convolution.

    Attributes:
        mean: (code,) mean of the codes of natural pictures.
        std: (code,) their standard deviation.

    Source: Dosovitskiy & Brox, arXiv:1602.02644, section 3 (the inverse of FC6).
    Differs from the paper: 3 M parameters, 128 px, nearest-neighbour upsampling before 3x3 convolutions in place of
        strided deconvolutions, which leave a checkerboard.
    """

    layer = "relu6"
    size = 128

    def __init__(self, code: int = 512, *, batch_norm: bool = False) -> None:
        super().__init__()
        first = _WIDTHS[0]
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("std", torch.ones(code))
        self.dense = nn.Sequential(
            nn.Linear(code, 512), nn.LeakyReLU(0.2), nn.Linear(512, first * 16), nn.LeakyReLU(0.2),
            nn.Unflatten(1, (first, 4, 4)),
        )  # fmt: skip
        modules: list[tuple[str, nn.Module]] = []
        for stage, (narrow, wide) in enumerate(pairwise(_WIDTHS), start=1):
            modules.append((f"up{stage}", nn.Upsample(scale_factor=2)))
            for position, channels in enumerate((narrow, wide) if stage < 4 else (narrow,)):
                name = f"{stage}_{position}"
                modules.append((f"conv{name}", nn.Conv2d(channels, wide, 3, padding=1)))
                modules += [(f"norm{name}", nn.BatchNorm2d(wide))] if batch_norm else []
                modules.append((f"relu{name}", nn.LeakyReLU(0.2)))
        modules.append(("conv_rgb", nn.Conv2d(_WIDTHS[-1], 3, 3, padding=1)))
        self.upward = nn.Sequential(OrderedDict(modules))

    def forward(self, codes: Tensor) -> Tensor:
        """Pictures (N, 3, 128, 128) in [0, 1] of ``codes`` (N, 512)."""
        return self.upward(self.dense(codes)).sigmoid()


def load_generator(path: Path | str | None = None) -> Generator:
    """The generator that ships, for the codes of ``mini_alexnet`` at ``relu6``.

    Args:
        path: Another weights file, as ``python -m training.generator`` writes it.

    Raises:
        WeightsError: If the file is missing, damaged, or made for another network.
    """
    file = data_path("weights", "generator.safetensors") if path is None else Path(path)
    if path is None:
        check_sum(file)
    generator = Generator()
    fill(generator, {key: value.float() for key, value in read_state(file).items()}, "the generator")
    return generator.eval().requires_grad_(False)
