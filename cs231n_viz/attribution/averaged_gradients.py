"""Gradients averaged over noise, over a path, or over many paths."""

import numpy as np
import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.checks import Targets, check_baseline, check_images
from cs231n_viz.network.gradients import class_scores, differentiate


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
    complete: bool = True,
) -> Tensor:
    """Which values made the logit rise on the way from a baseline to the picture?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index, or (N,) of them.
        baseline: Where the straight path begins: one value, (3, H, W) or (N, 3, H, W); black if omitted.
        steps: Gradients along the path, at the nodes of Gauss and Legendre.
        complete: Weigh them so that the sum is right. The slope of a network of ReLUs jumps at many places on the
            path, and the plain rule misses the rise of the logit by some percent at 64 steps; but that rise is known,
            from two forward passes. So the weights are changed by as little as makes the sum right, in least squares.
            At 64 steps that is some percent, and costs the map next to nothing (distance from the limit of many steps,
            bundled photographs and ``mini_alexnet``: 2.5 % in place of 2.3); with few steps it costs more, and one
            step has no weights to change. Without it, ``completeness_error`` tells the error of the integration.

    Returns:
        (N, 3, H, W), signed, in logits. Their sum is the rise of the logit, if ``complete`` and if no weight has to
        become negative for it; ``completeness_error`` measures what is missing.

    Source: Sundararajan et al., arXiv:1703.01365, eq. 1; eq. 3 for the sum. The weights are those of a control variate
        (Deville & Särndal, "Calibration Estimators in Survey Sampling", JASA 87, 1992).
    Differs from the paper: Gauss and Legendre's nodes in place of an even Riemann sum, for a smaller error; the
        weights.
    """
    images = check_images(images)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    start = check_baseline(baseline, images)
    way = images - start
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    weights, slopes = torch.from_numpy(weights / 2).to(images)[:, None], []
    mean, sloped = torch.zeros_like(images), torch.zeros_like(images)
    for node, weight in zip((nodes + 1) / 2, weights, strict=True):
        point = start + float(node) * way
        found = weight * differentiate(model, point, lambda pixels: class_scores(model, pixels, targets))
        mean += found
        slopes.append((found * way).flatten(1).sum(1) / weight)
        sloped += found * slopes[-1].view(-1, 1, 1, 1)
    if complete and steps > 1:
        tilt, average = _tilt(torch.stack(slopes), weights, _ends(model, images, start, targets))
        mean = mean + tilt * (sloped - average * mean)
    return mean * way


def _tilt(slopes: Tensor, weights: Tensor, ends: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The tilt t that makes Σ wₖ (1 + t (sₖ - s̄)) sₖ the rise, and s̄ = Σ wₖ sₖ: for slopes (K, N), (N, 1, 1, 1) each.

    The tilt stops where a weight would become negative. It is 0 where rounding explains what is missing or that the
    slopes differ.
    """
    first, last = ends
    rounding = torch.finfo(slopes.dtype).eps
    average = (weights * slopes).sum(0)
    missing, above = last - first - average, slopes - average
    tilt = missing / (weights * above.square()).sum(0)
    tilt = tilt.clamp(-1 / above.amax(0), -1 / above.amin(0))
    exact = missing.abs() <= 32 * rounding * torch.maximum(first.abs(), last.abs())
    alike = above.abs().amax(0) <= rounding**0.5 * slopes.abs().amax(0)
    return torch.where(exact | alike, 0, tilt).view(-1, 1, 1, 1), average.view(-1, 1, 1, 1)


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
    first, last = _ends(model, images, start, targets)
    rise = last - first
    error = (attribution.flatten(1).sum(1) - rise).abs()
    return torch.where(error == 0, 0, error / rise.abs())


@torch.no_grad()
def _ends(model: nn.Module, images: Tensor, start: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """The logits at both ends of the path, (N,) each."""
    with evaluating(model):
        return class_scores(model, start, targets), class_scores(model, images, targets)
