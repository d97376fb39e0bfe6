"""Scores of attributions: is one any good? Four questions that can be answered with numbers.

Does it depend on what the network has learned (:func:`randomization_test`)? Does it find the pixels that the
probability rests on (:func:`deletion_insertion`)? Does it point at the object (:func:`pointing_game`), and how much of
it lies there (:func:`mass_in_mask`)?
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.capture import evaluating, network_of
from cs231n_viz.network.checks import (
    Targets,
    check_baseline,
    check_each,
    check_images,
    check_logits,
    check_targets,
    check_whole,
)
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.running import held, outside_inference_mode
from cs231n_viz.pictures.images import gaussian_blur

Method = Callable[[nn.Module, Tensor, Tensor], Tensor]  # (model, images, targets) -> (N, h, w) or (N, C, H, W)
Similarity = Literal["rank", "ssim"]


def as_maps(attribution: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """Reduce an attribution to one value per pixel, at least 0.

    Args:
        attribution: (N, C, h, w), reduced to |sum over channels|, or (N, h, w), whose values below 0 become 0.
        size: (H, W), to which smaller maps are enlarged bilinearly.

    Returns:
        (N, H, W), or (N, h, w) without ``size``.
    """
    maps = attribution.detach()
    maps = maps.sum(1).abs() if maps.ndim == 4 else maps.clamp_min(0)
    if size is not None and tuple(maps.shape[1:]) != tuple(size):
        maps = F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    return maps


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Correlate the ranks of the pixels of each map with those of its partner (Spearman); (N, H, W) twice -> (N,).

    A constant map has no ranking: its correlation is taken as 0.

    Raises:
        ValueError: If a map holds NaN, which has no rank.
    """
    from scipy.stats import spearmanr

    def correlation(a: Tensor, b: Tensor) -> float:
        varied = a.min() < a.max() and b.min() < b.max()
        return float(spearmanr(a, b).statistic) if varied else 0.0

    _check_numbers(first), _check_numbers(second)
    pairs = zip(first.flatten(1).cpu(), second.flatten(1).cpu(), strict=True)
    return torch.tensor([correlation(a, b) for a, b in pairs])


def _check_numbers(attribution: Tensor) -> None:
    if attribution.isnan().any():
        places = attribution.isnan().flatten(1).any(1).nonzero().flatten().tolist()
        raise ValueError(f"maps must be numbers; those of pictures {places} hold NaN")


def _as_masks(masks: Tensor) -> Tensor:
    """Masks as (N, H, W)."""
    masks = masks[:, 0] if masks.ndim == 4 and masks.shape[1] == 1 else masks
    if masks.ndim != 3:
        raise ValueError(f"masks must be (N, H, W), got {tuple(masks.shape)}")
    return masks


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Compare each map with its partner by structural similarity (SSIM), windows of 7 x 7; (N, H, W) twice -> (N,).

    Of the maps, the absolute values count, divided by their largest: their scale makes no difference, and 0 stays 0.
    The similarity of a map to itself is 1. Where both are near 0 they count as similar: two sparse maps are, for that
    alone.

    Raises:
        ValueError: If the maps are smaller than 3 x 3.

    Source: Wang et al., IEEE Transactions on Image Processing 13(4), 2004, eq. 13.
    """
    from skimage.metrics import structural_similarity

    side = min(7, *first.shape[1:])
    if side < 3:
        raise ValueError(f"ssim wants maps of at least 3 x 3, got {tuple(first.shape[1:])}; as_maps enlarges them")
    side -= 1 - side % 2  # a window has a middle
    pairs = zip(_normalised(first), _normalised(second), strict=True)
    return torch.tensor([float(structural_similarity(a, b, win_size=side, data_range=1.0)) for a, b in pairs])


def _normalised(maps: Tensor) -> np.ndarray:
    """The magnitudes of each map, the largest of which becomes 1."""
    maps = maps.detach().abs().double().cpu()
    largest = maps.amax((1, 2), keepdim=True)
    return (maps / torch.where(largest > 0, largest, 1)).numpy()


def randomization_test(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    method: Method,
    *,
    similarity: Similarity = "rank",
    seed: int = 0,
) -> dict[str, float]:
    """Re-initialise the network layer by layer, and measure how similar the maps stay (model randomisation test).

    Does an attribution notice when the network forgets what it has learned? From the logits down to the pixels, one
    layer after the other gets random weights and keeps them. A map that hardly changes shows the picture, not the
    network.

    Args:
        model: Any classifier; it has its own weights again afterwards, also after an error.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        method: (model, images, targets) -> attribution, (N, h, w) or (N, C, H, W).
        similarity: Of two maps: ``"rank"``, :func:`rank_correlation` at the size that they have, or ``"ssim"``,
            :func:`ssim` at the size of the picture.
        seed: Random seed for the new weights.

    Returns:
        Layer -> mean similarity of the maps to the original ones, when it and all layers after it are random.

    Raises:
        ValueError: If images or targets do not fit, or there is no such similarity.

    Source: Adebayo et al., arXiv:1810.03292, section 3.1 (cascading randomization).
    """
    if similarity not in get_args(Similarity):
        raise ValueError(f"similarity must be {' or '.join(map(repr, get_args(Similarity)))}, got {similarity!r}")
    images = check_images(images, model)
    rows = check_each(targets, len(images), model)
    # An SSIM window has its meaning in pixels of the picture: coarse maps are enlarged, as in the paper.
    compare, size = (ssim, tuple(images.shape[2:])) if similarity == "ssim" else (rank_correlation, None)
    (_, original), *others = randomized_maps(model, images, rows, method, seed=seed)
    original = as_maps(original, size)
    return {layer: compare(original, as_maps(maps, size)).mean().item() for layer, maps in others}


def randomized_maps(
    model: nn.Module, images: Tensor, targets: Targets, method: Method, *, seed: int = 0
) -> Iterator[tuple[str, Tensor]]:
    """Make the maps that :func:`randomization_test` compares, while more and more layers are re-initialised.

    Args:
        model: As there; it has its own weights whenever the caller holds a map.
        images: As there.
        targets: As there.
        method: As there.
        seed: Random seed for the new weights.

    Yields:
        (layer, what ``method`` gave): first ``("", …)`` of the network as it is, then from the logits down to the
        pixels, with this layer and all after it random.
    """
    images = check_images(images, model)
    rows = check_each(targets, len(images), model)
    yield "", method(model, images, rows)
    layers = [name for name, module in network_of(model).named_modules() if list(module.parameters(recurse=False))]
    for count in range(1, len(layers) + 1):
        with outside_inference_mode(), held(model), _randomised(model, layers[::-1][:count], seed):
            maps = method(model, images, rows)
        yield layers[-count], maps


@contextmanager
def _randomised(model: nn.Module, names: list[str], seed: int) -> Iterator[None]:
    """Re-initialise some modules while open: normal weights with the mean and standard deviation that they have."""
    originals = {}
    random = torch.Generator().manual_seed(seed)
    try:
        for name in names:
            for key, value in network_of(model).get_submodule(name).named_parameters(recurse=False):
                originals[name, key] = value.detach().clone()
                noise = torch.randn(value.shape, generator=random).to(value)
                centre, spread = (value.mean(), value.std()) if value.numel() > 1 else (0, value.abs())
                value.data.copy_(centre + noise * spread)
        yield
    finally:
        for (name, key), value in reversed(originals.items()):  # of a shared weight, the first copy is the original
            getattr(network_of(model).get_submodule(name), key).data.copy_(value)


class Curves(NamedTuple):
    """Probability of the target while pixels are deleted or inserted: two curves, each (N, steps + 1)."""

    deletion: Tensor
    insertion: Tensor

    @property
    def areas(self) -> tuple[Tensor, Tensor]:
        """Areas under both curves, each (N,), in [0, 1]: better if small for deletion, and if large for insertion."""
        steps = self.deletion.shape[1] - 1
        return tuple(torch.trapezoid(curve, dx=1 / steps, dim=1) for curve in self)


@torch.no_grad()
def deletion_insertion(
    model: nn.Module, images: Tensor, targets: Targets, attribution: Tensor, *,
    steps: int = 32, batch: int = 16, substrate: Tensor | float | None = None,
) -> Curves:  # fmt: skip
    """Delete and insert pixels, the most important first, and follow the probability of the class.

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        attribution: (N, h, w) or (N, C, H, W), more for more important pixels.
        steps: Number of equal shares in which pixels are deleted or inserted.
        batch: Pictures per forward pass.
        substrate: What is left where pixels are deleted, and what others are inserted into: one value, (3, H, W) or
            (N, 3, H, W), RGB in [0, 1]; the picture blurred (Gaussian, σ = 12 px) if omitted.

    Returns:
        The probabilities, from the picture to the substrate (deletion), and back (insertion).

    Raises:
        ValueError: If images, targets or the substrate are out of range.

    Source: Petsiuk et al., arXiv:1806.07421, section 4.3.
    Differs from the paper: the substrate is the blurred picture for both curves, so that neither draws sharp shapes;
        the paper deletes to grey, ``substrate=model.mean``, and inserts into a blurred picture.
    """
    images = check_images(images, model)
    check_whole(steps=steps, batch=batch)
    if min(steps, batch) < 1:
        raise ValueError(f"steps and batch must be at least 1, got {steps} and {batch}")
    with evaluating(model):
        rows = check_targets(targets, len(images), check_logits(model(images[:1]), model).shape[1], model)
    order = as_maps(attribution, tuple(images.shape[2:])).flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).to(order).expand_as(order))
    share = (rank.view(len(images), 1, *images.shape[2:]) + 0.5) / order.shape[1]
    if substrate is None:
        ground = gaussian_blur(images, min(51, 2 * min(images.shape[2:]) - 1), sigma=12.0)
    else:
        ground = check_images(check_baseline(substrate, images, name="substrate"), model)
    deleted = [torch.where(share < step / steps, ground, images) for step in range(steps + 1)]
    inserted = [torch.where(share < step / steps, images, ground) for step in range(1, steps)]  # the ends are those
    stack = torch.stack(deleted + inserted, dim=1).flatten(0, 1)
    with evaluating(model):
        logits = torch.cat([model(to_channels_last(model, part)) for part in stack.split(batch)])
    targets_of = rows.repeat_interleave(2 * steps).to(logits.device)
    curves = logits.softmax(1).gather(1, targets_of[:, None]).view(len(images), 2 * steps).cpu()
    deletion, between = curves.split([steps + 1, steps - 1], dim=1)
    return Curves(deletion, torch.cat([deletion[:, -1:], between, deletion[:, :1]], dim=1))


def pointing_game(attribution: Tensor, masks: Tensor, *, tolerance: int = 15) -> Tensor:
    """Test whether the maximum of an attribution lies on the object (pointing game).

    Args:
        attribution: (N, h, w) or (N, C, H, W).
        masks: (N, H, W) or (N, 1, H, W) bool, True on the object.
        tolerance: Distance in pixels, straight to the nearest pixel of the object, by which the maximum may miss.

    Returns:
        (N,) bool. The share of True over a gallery is the score. Of equal maxima the first counts, from the top, then
        from the left. A map that is 0 everywhere points nowhere: False.

    Raises:
        ValueError: If a map holds NaN, or masks have another shape.

    Source: Zhang et al., arXiv:1608.00507, section 4.1, with its 15 pixels.
    """
    _check_numbers(attribution)
    masks = _as_masks(masks)
    size = tuple(masks.shape[1:])
    maps = as_maps(attribution, size)
    best = maps.flatten(1).argmax(1)
    rows, columns = torch.arange(size[0])[:, None], torch.arange(size[1])[None]
    hits = []
    for index, mask in zip(best.tolist(), masks.bool(), strict=True):
        near = (rows - index // size[1]) ** 2 + (columns - index % size[1]) ** 2 <= tolerance**2
        hits.append((mask.cpu() & near).any())
    return torch.stack(hits) & (maps.flatten(1).amax(1) > 0).cpu()


def mass_in_mask(attribution: Tensor, masks: Tensor) -> Tensor:
    """Measure the share of an attribution that lies on the object.

    Args:
        attribution: (N, h, w) or (N, C, H, W).
        masks: (N, H, W) or (N, 1, H, W) bool, True on the object.

    Returns:
        (N,) in [0, 1]; chance is the object's share of the picture. 0 for a map that is 0 everywhere.

    Raises:
        ValueError: If a map holds NaN, or masks have another shape.
    """
    _check_numbers(attribution)
    masks = _as_masks(masks)
    maps = as_maps(attribution, tuple(masks.shape[1:]))
    total = maps.sum((1, 2))
    return (maps * masks.to(maps)).sum((1, 2)) / torch.where(total > 0, total, 1)
