"""What style transfer refuses before it begins, each in one sentence."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cs231n_viz.capture import activations, check_layers
from cs231n_viz.models import Classifier

Layers = tuple[str, Sequence[str]]
Sizes = dict[str, tuple[int, int]]  # of what -> (height, width)
_COPIES = 4.0  # of each activation are held at once: itself, what was recorded, and gradients
_SPARE = 0.8  # share of the free memory that may be asked for


def check_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse a name that is none of the known ones."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")


def check_numbers(weights: dict[str, float], sizes: dict[str, float]) -> None:
    """Refuse weights below 0, content and style both without weight, and sizes that are not above 0."""
    for name, value in weights.items():
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be a number from 0 on, got {value}")
    if weights["content_weight"] == weights["style_weight"] == 0:
        raise ValueError("content_weight and style_weight are both 0, so nothing is asked of the picture; raise one")
    for name, value in sizes.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be above 0, got {value}")


def check_steps(steps: int | Sequence[int], scales: int) -> list[int]:
    """The steps at each size.

    Raises:
        ValueError: If there is not one number for each size, or one is negative.
    """
    counts = [steps] * scales if isinstance(steps, int) else list(steps)
    if len(counts) != scales or min(counts) < 0:
        raise ValueError(f"steps must be a number from 0 on, or one for each of {scales} sizes; got {steps}")
    return counts


def shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """Style weights as shares that add up to 1.

    Raises:
        ValueError: If there is no style, or not one weight for each, or a weight is negative, or all are 0.
    """
    if not count:
        raise ValueError("wanted at least one style, got none")
    if weights is None:
        return [1 / count] * count
    weights = [float(weight) for weight in weights]
    if len(weights) != count:
        raise ValueError(f"there are {len(weights)} style_weights for {count} style{'s' * (count > 1)}; give one each")
    if not all(0 <= weight < float("inf") for weight in weights):
        raise ValueError(f"style_weights must be numbers from 0 on, got {weights}")
    if not sum(weights):
        raise ValueError("all style_weights are 0; raise one, or set style_weight=0 to do without a style")
    return [weight / sum(weights) for weight in weights]


def check_masks(masks: Sequence[Tensor], count: int, size: tuple[int, int]) -> list[Tensor]:
    """Masks as float (H, W).

    Raises:
        ValueError: If there is not one for each style, or one is of another size than the content, leaves [0, 1], or
            is empty.
    """
    if len(masks) != count:
        raise ValueError(f"there are {len(masks)} masks for {count} style{'s' * (count > 1)}; give one each")
    for number, mask in enumerate(masks):
        if tuple(mask.shape) != size:
            raise ValueError(f"mask {number} is {tuple(mask.shape)}, but the content is {size}; make them alike")
        values = mask.float()
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(f"mask {number} leaves [0, 1]: {values.min():.3g} to {values.max():.3g}")
        if not values.any():
            raise ValueError(f"mask {number} is empty, so its style would go nowhere; leave both out")
    return [mask.float() for mask in masks]


def check_sizes(model: Classifier, layers: Layers, sizes: Sizes) -> None:
    """Refuse pictures of which the pools leave nothing; ``sizes`` are the smallest ones that will be used."""
    names = [layers[0], *layers[1]]
    check_layers(model, names)
    flat = [name for name in names if len(model.layer(name).shape) != 3]
    if flat:
        raise ValueError(f"{flat[0]} has no positions, so it has neither content nor style; take a layer before it")
    for what, size in sizes.items():
        if not _fits(model, names, size):
            least = next((side for side in range(1, 4096) if _fits(model, names, (side, side))), 4096)
            how = "a larger size or fewer scales" if what == "content" else "a larger style_scale or picture"
            raise ValueError(
                f"the {what} would be used at {size[1]} × {size[0]} pixels, and {names[-1]} needs {least} × {least} at "
                f"least; use {how}"
            )


def _fits(model: nn.Module, names: Sequence[str], size: tuple[int, int]) -> bool:
    try:
        activations(model, torch.zeros(1, 3, *size).to(next(model.parameters())), names)
    except RuntimeError:  # a convolution or pooling with nothing left to slide over
        return False
    return True


def check_memory(model: Classifier, layers: Layers, sizes: Sizes) -> None:
    """Refuse pictures whose activations would not fit into the memory that is free."""
    free = _SPARE * free_memory(next(model.parameters()).device)
    for what, (height, width) in sizes.items():
        needed = memory_needed(model, layers, (height, width))
        if needed > free:
            longest = int(max(height, width) * (free / needed) ** 0.5)
            raise ValueError(
                f"the {what} at {width} × {height} pixels would take about {needed / 1e9:.3g} GB, and {free / 1e9:.3g} "
                f"GB may be used; the largest that fits has a longer side of {longest}"
            )


def memory_needed(model: Classifier, layers: Layers, size: tuple[int, int]) -> float:
    """About how many bytes a step takes at (height, width): activations up to the deepest layer, and gradients."""
    found = model.layers()
    last = max(index for index, layer in enumerate(found) if layer.name in {layers[0], *layers[1]})
    values = sum(torch.Size(layer.shape).numel() for layer in found[: last + 1] if len(layer.shape) == 3)
    return 4 * _COPIES * values * size[0] * size[1] / model.input_size**2


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
