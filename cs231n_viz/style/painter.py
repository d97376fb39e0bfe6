"""Fast style transfer in real time: the style network rearranged for speed; its pictures are 8-bit, to be shown."""

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.precision import is_faster_in_bfloat16
from cs231n_viz.style.fast import FastStyle


class _OnCells(nn.Module):
    """A convolution (odd kernel, mirrored borders) of an even-sized picture, computed on cells of 2 × 2 pixels.

    The same sum in another order: a cell is a pixel with four times the channels, in and out, so 9 × 9 pixels are
    5 × 5 cells. With only three channels to put out, processors need a third of the time.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        out, channels, kernel, _ = conv.weight.shape
        self.pad, cells = kernel // 2, kernel // 2 + 1
        # What pixel (a, b) of a cell sees: the kernel, shifted by (a, b).
        shifted = [F.pad(conv.weight.data, (b, 1 - b, a, 1 - a)) for a in (0, 1) for b in (0, 1)]
        weight = torch.stack(shifted).view(4, out, channels, cells, 2, cells, 2)
        weight = weight.permute(0, 1, 4, 6, 2, 3, 5).reshape(4 * out, 4 * channels, cells, cells)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", conv.bias.data.repeat(4))

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (self.pad,) * 4, mode="reflect").permute(0, 2, 3, 1)
        count, height, width, channels = x.shape
        x = x.reshape(count, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
        maps = F.conv2d(x.flatten(3).permute(0, 3, 1, 2), self.weight, self.bias)
        maps = maps.unflatten(1, (2, 2, -1)).permute(0, 3, 4, 1, 5, 2)  # (N, out, rows, 2, columns, 2)
        return maps.flatten(4).flatten(2, 3)


class _Enlarging(nn.Module):
    """Nearest upsampling by two and a 3 × 3 convolution with mirrored borders, without the enlarged map in between.

    Of the nine enlarged pixels under the kernel, several are copies of one: their weights are added beforehand, and a
    kernel of 2 × 2 pixels remains for each of the four pixels that come of one.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        # [row of the new pixel in its cell, row of the kernel on the old map, row of the kernel on the enlarged one]
        sums = torch.tensor([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]]).to(conv.weight)
        weight = torch.einsum("aru,bsv,ocuv->abocrs", sums, sums, conv.weight.data)
        self.register_buffer("weight", weight.flatten(0, 2).contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        count, _, height, width = x.shape
        # The enlarged picture mirrored by one pixel repeats its border, for that pixel's mirror is in the same cell.
        maps = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), self.weight).permute(0, 2, 3, 1)
        maps = maps.unflatten(3, (2, 2, -1))
        large = maps.new_empty(count, height, 2, width, 2, maps.shape[-1])
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            large[:, :, a, :, b] = maps[:, a : a + height, b : b + width, a, b]
        return large.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


class Painter:
    """A style network made ready for real time: bfloat16 where the processor is fast at it, 8-bit pictures.

    bfloat16 is for looking, not for numbers that are compared: it is off by about two levels of 255 at most.

    Args:
        network: From ``load_fast_style()``; left as it is.
    """

    def __init__(self, network: FastStyle) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.device = self.network.last.weight.device
        fast = self.device.type != "cpu" or is_faster_in_bfloat16()
        self.dtype = torch.bfloat16 if fast else torch.float32
        self.network.last = _OnCells(self.network.last)
        for layer in (self.network.up1, self.network.up2):
            layer.conv, layer.up = _Enlarging(layer.conv), False
        self.network.to(self.dtype, memory_format=torch.channels_last)
        self.styles = self.network.styles
        # Never touched, freed at once: after this the C library keeps freed blocks of up to this size instead of
        # returning them to the system, and a sixth of the time of a frame, spent on fetching them again, is saved.
        torch.empty(31 * 2**20, dtype=torch.uint8)

    @torch.inference_mode()
    def __call__(self, image: Tensor, weights: Tensor) -> np.ndarray:
        """Repaint one picture (3, H, W) in [0, 1] in a mixture (S,) of the styles; (H, W, 3) uint8."""
        x = image[None].to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        painted = self.network(x, weights)[0].permute(1, 2, 0).float()
        return painted.mul_(255).round_().to(torch.uint8).cpu().numpy()
