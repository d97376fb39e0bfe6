"""Is there room for a picture of this size? Asked before the work begins, not when the machine has stopped."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import activations, network_of, watch

_COPIES = 4  # of each activation while gradients are taken: itself, what is kept for the way back, its gradient, room
PROBE = 64  # side of the picture by which a network's appetite is measured


def bytes_per_pixel(model: nn.Module, layers: Sequence[str], *, side: int = PROBE) -> float:
    """How many bytes does a pixel of the picture take, if gradients are taken through these layers?

    An estimate on the safe side, from the sizes of all activations up to the deepest of the layers.

    Args:
        model: Any network; run once on a small picture.
        layers: Names from ``model.layers()``.
        side: Of that picture in pixels.
    """
    parameter = next(network_of(model).parameters(), torch.empty(0))
    total = 0

    def add(layer: str, module: nn.Module, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor) and not any(module.children()):
            total += output.numel() * output.element_size()

    with watch(model, add):
        activations(model, torch.zeros(1, 3, side, side).to(parameter), layers)
    return _COPIES * total / side**2


def check_room(
    model: nn.Module, layers: Sequence[str], size: tuple[int, int], *, side: int = PROBE, others: int = 0
) -> None:
    """Refuse a picture that would not fit into memory.

    Args:
        model: Any network.
        layers: Through which gradients are taken.
        size: Height and width of the picture in pixels.
        side: Of the picture by which the network's appetite is measured, if it cannot do with 64 pixels.
        others: How many more pictures of this size are kept, as L-BFGS does.

    Raises:
        ValueError: If it needs more than is free; the message names the largest square that fits.
    """
    parameter = next(network_of(model).parameters(), torch.empty(0))
    each = bytes_per_pixel(model, layers, side=side) + 3 * parameter.element_size() * others
    needed, free = each * size[0] * size[1], free_memory(parameter.device)
    if needed > free:
        raise ValueError(
            f"{size[0]}x{size[1]} pixels would take about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
            f"the largest square that fits has {math.isqrt(int(free / each)) // 16 * 16} pixels"
        )


def free_memory(device: torch.device) -> float:
    """Bytes that are free on a device; half of the memory where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():  # counts what the system would give back; AVPHYS_PAGES does not
        entries = dict(line.split(":") for line in meminfo.read_text().splitlines())
        if "MemAvailable" in entries:
            return 1024.0 * int(entries["MemAvailable"].split()[0])
    if hasattr(os, "sysconf"):
        return 0.5 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return float("inf")
