"""Gradients averaged over noise, over a path, or over many paths."""

import numpy as np
import torch
from torch import Tensor, nn

from cs231n_viz.capture import evaluating
from cs231n_viz.scores import Targets, check_baseline, check_images, class_scores, differentiate


def smooth_grad(
    model: nn.Module, images: Tensor, targets: Targets, *, samples: int = 25, noise: float = 0.15, seed: int = 0
) -> Tensor:
    """What stays of the gradient when the picture trembles?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index, or (N,) of them.
        samples: Gradients to average.
        noise: Standard deviation of the noise as a share of each picture's range of values.
        seed: Of the noise.

    Returns:
        (N, 3, H, W), signed.

    Source: Smilkov et al., arXiv:1706.03825, section 3; 10 to 20 % of noise, 50 samples there.
    """
    if samples < 1 or noise < 0:
        raise ValueError(f"samples must be at least 1 and noise at least 0, got {samples} and {noise}")
    images = check_images(images)
    random = torch.Generator().manual_seed(seed)
    spread = noise * (images.amax(dim=(1, 2, 3), keepdim=True) - images.amin(dim=(1, 2, 3), keepdim=True))
    total = torch.zeros_like(images)
    for _ in range(samples):
        trembling = images + spread * torch.randn(images.shape, generator=random).to(images)
        total += differentiate(model, trembling, lambda pixels: class_scores(model, pixels, targets))
    return total / samples


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    *,
    baseline: Tensor | float = 0.0,
    steps: int = 64,
) -> Tensor:
    """Which values made the logit rise on the way from a baseline to the picture?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index, or (N,) of them.
        baseline: Where the straight path begins: one value, (3, H, W) or (N, 3, H, W); black if omitted.
        steps: Gradients along the path, at the nodes of Gauss and Legendre.

    Returns:
        (N, 3, H, W), signed, in logits. Their sum is the rise of the logit, up to the error of the integration that
        ``completeness_error`` measures.

    Source: Sundararajan et al., arXiv:1703.01365, eq. 1; eq. 3 for the sum.
    Differs from the paper: Gauss and Legendre's nodes in place of an even Riemann sum, for a smaller error.
    """
    images = check_images(images)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    start = check_baseline(baseline, images)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(images)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        point = start + float(node) * (images - start)
        total += float(weight) * differentiate(model, point, lambda pixels: class_scores(model, pixels, targets))
    return total * (images - start)


def expected_gradients(
    model: nn.Module, images: Tensor, targets: Targets, *, baselines: Tensor, samples: int = 64, seed: int = 0
) -> Tensor:
    """What do integrated gradients say on average, when ordinary pictures are the baselines?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index, or (N,) of them.
        baselines: (B, 3, H, W), RGB in [0, 1].
        samples: Random pairs of a baseline and a place on the way from it.
        seed: Of the draws; places are spread evenly over the way, one in each of ``samples`` equal parts, and
            baselines are drawn equally often, up to one.

    Returns:
        (N, 3, H, W), signed, in logits.

    Source: Erion et al., arXiv:1906.10670, eq. 3.
    """
    images, baselines = check_images(images), check_images(baselines)
    if samples < 1 or baselines.shape[1:] != images.shape[1:]:
        got = f"{samples} samples, baselines {tuple(baselines.shape)}"
        raise ValueError(f"wanted 1 sample or more and baselines (B, {tuple(images.shape[1:])}), got {got}")
    random = torch.Generator().manual_seed(seed)
    total = torch.zeros_like(images)
    first = torch.randint(len(baselines), (len(images), 1), generator=random)
    draws = (first + torch.stack([torch.randperm(samples, generator=random) for _ in images])) % len(baselines)
    for part in range(samples):
        start = baselines[draws[:, part]]
        way = (part + torch.rand(len(images), 1, 1, 1, generator=random).to(images)) / samples
        point = start + way * (images - start)
        found = differentiate(model, point, lambda pixels: class_scores(model, pixels, targets))
        total += found * (images - start)
    return total / samples


@torch.no_grad()
def completeness_error(
    model: nn.Module, images: Tensor, targets: Targets, attribution: Tensor, *, baseline: Tensor | float = 0.0
) -> Tensor:
    """How far is the sum of an attribution from the rise of the logit that it explains?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index, or (N,) of them.
        attribution: (N, 3, H, W), of ``integrated_gradients`` or ``deep_lift``.
        baseline: The one that it was made with.

    Returns:
        (N,), relative to the rise of the logit.
    """
    images = check_images(images)
    start = check_baseline(baseline, images)
    with evaluating(model):
        rise = class_scores(model, images, targets) - class_scores(model, start, targets)
    error = (attribution.flatten(1).sum(1) - rise).abs()
    return torch.where(error == 0, 0, error / rise.abs())
