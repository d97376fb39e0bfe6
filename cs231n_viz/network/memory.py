"""Estimate how much memory gradients through a network need, and refuse pictures that would not fit.

Checked before the work begins: a machine that runs out of memory stops other programs, too.
"""

import math
from collections.abc import Sequence

import psutil
import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import activations, network_of, watch
from cs231n_viz.network.checks import channels_of

PROBE = 64  # side in pixels of the picture on which the activations are counted
_COPIES = 4  # of each activation while gradients are taken: itself, what backward needs, its gradient, room to spare
_USABLE = 0.8  # share of the free memory that may be used


def bytes_per_pixel(model: nn.Module, layers: Sequence[str], *, side: int = PROBE) -> float:
    """Estimate the memory in bytes that each pixel of a picture needs while gradients are taken through some layers.

    An upper bound, from the sizes of all activations up to the deepest of the layers.

    Args:
        model: Any network; run once on a small picture.
        layers: Names from ``model.layers()``.
        side: Side of that picture in pixels; more for a network whose pools need more than the default.
    """
    parameter = _a_parameter(model)
    total = 0

    def count(layer: str, module: nn.Module, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor) and not any(module.children()):
            total += output.numel() * output.element_size()

    with watch(model, count):
        activations(model, torch.zeros(1, channels_of(model), side, side).to(parameter), layers)
    return _COPIES * total / side**2


def check_memory(
    model: nn.Module,
    layers: Sequence[str],
    size: tuple[int, int],
    *,
    what: str = "picture",
    side: int = PROBE,
    copies: int = 0,
) -> None:
    """Refuse a picture that needs more memory than is free.

    Args:
        model: Any network.
        layers: Names of the layers through which gradients are taken.
        size: Height and width of the picture in pixels.
        what: What the picture is called in the message.
        side: As for :func:`bytes_per_pixel`.
        copies: How many more pictures of this size are stored, as by L-BFGS.

    Raises:
        ValueError: If it needs more than may be used; the message names the largest size that fits.
    """
    parameter = _a_parameter(model)
    each = bytes_per_pixel(model, layers, side=side) + channels_of(model) * parameter.element_size() * copies
    height, width = size
    needed, usable = each * height * width, _USABLE * free_memory(parameter.device)
    if needed > usable:
        longest = math.floor(max(size) * math.sqrt(usable / needed))
        raise ValueError(
            f"the {what} at {width} × {height} pixels would take about {needed / 1e9:.3g} GB, and {usable / 1e9:.3g} "
            f"GB may be used; the largest that fits has a longer side of {longest}"
        )


def free_memory(device: torch.device) -> float:
    """Return how many bytes are free on a device, including caches that the system would release."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def _a_parameter(model: nn.Module) -> Tensor:
    return next(network_of(model).parameters(), torch.empty(0))
