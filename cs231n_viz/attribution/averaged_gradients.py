"""Gradients averaged over noise (SmoothGrad), over a path (integrated gradients) or over many (expected gradients)."""

import numpy as np
import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.checks import Targets, check_baseline, check_images, check_numbers, check_whole
from cs231n_viz.network.gradients import class_scores, differentiate


def smooth_grad(
    model: nn.Module, images: Tensor, targets: Targets, *, samples: int = 25, noise: float = 0.15, seed: int = 0
) -> Tensor:
    """Average the gradient over noisy copies of the image (SmoothGrad): what stays of it under noise?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        samples: Number of noisy copies.
        noise: Standard deviation of the noise as a share of each picture's range of values.
        seed: Random seed for the noise.

    Returns:
        (N, 3, H, W), signed, in logits per unit of RGB.

    Raises:
        ValueError: If images or targets are out of range, or ``samples`` or ``noise`` too small.

    Source: Smilkov et al., arXiv:1706.03825, section 3; 10 to 20 % of noise, 50 samples there.
    """
    check_whole(samples=samples)
    check_numbers(noise=noise)
    if samples < 1 or noise < 0:
        raise ValueError(f"samples must be at least 1 and noise at least 0, got {samples} and {noise}")
    images = check_images(images, model)
    random = torch.Generator().manual_seed(seed)
    deviation = noise * (images.amax(dim=(1, 2, 3), keepdim=True) - images.amin(dim=(1, 2, 3), keepdim=True))
    total = torch.zeros_like(images)
    for _ in range(samples):
        noisy = images + deviation * torch.randn(images.shape, generator=random).to(images)
        total += differentiate(model, noisy, lambda pixels: class_scores(model, pixels, targets))
    return total / samples


def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    *,
    baseline: Tensor | float = 0.0,
    steps: int = 64,
    complete: bool = False,
) -> Tensor:
    """Integrate the gradient along the straight path from a baseline to the picture (integrated gradients).

    Which values changed the logit on that path, and by how much? In the limit of many steps the attributions add up to
    the difference of the logits at its two ends (completeness); ``completeness_error`` measures how far a finite sum is
    from that. The gradient of a network of ReLUs is discontinuous at many places on the path, so that 64 steps may
    leave an error of several percent.

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        baseline: Where the path begins: one value, (3, H, W) or (N, 3, H, W), in [0, 1]; black if omitted.
        steps: Gradients along the path, at the nodes of Gauss-Legendre quadrature.
        complete: Fit the weights of the quadrature to the difference of the logits, which two forward passes give: of
            all weights under which the attributions add up to it, take the nearest in least squares to those of
            Gauss-Legendre. The sum is then right, the map no more accurate: at 64 steps its distance from the limit
            of many steps is 2.5 % instead of 2.3 % (bundled photographs, ``mini_alexnet``), and larger with fewer
            steps. A single step has no weights to fit.

    Returns:
        (N, 3, H, W), signed, in logits. With ``complete`` their sum is the difference of the logits, unless a weight
        would have to become negative for it.

    Raises:
        ValueError: If images, targets, the baseline or ``steps`` are out of range.

    Source: Sundararajan et al., arXiv:1703.01365, eq. 1, and eq. 3 for the sum. For ``complete``: calibrated weights,
        Deville & Särndal, "Calibration Estimators in Survey Sampling", JASA 87, 1992.
    Differs from the paper: Gauss-Legendre quadrature instead of an even Riemann sum; ``complete``, if asked for.
    """
    images = check_images(images, model)
    check_whole(steps=steps)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    start = check_baseline(baseline, images)
    path = images - start
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    weights, slopes = torch.from_numpy(weights / 2).to(images)[:, None], []
    mean, sloped = torch.zeros_like(images), torch.zeros_like(images)
    for node, weight in zip((nodes + 1) / 2, weights, strict=True):
        point = start + float(node) * path
        gradients = weight * differentiate(model, point, lambda pixels: class_scores(model, pixels, targets))
        mean += gradients
        slopes.append((gradients * path).flatten(1).sum(1) / weight)  # derivative of the logit along the path
        sloped += gradients * slopes[-1].view(-1, 1, 1, 1)
    if complete and steps > 1:
        first, last = _end_scores(model, images, start, targets)
        tilt, average = _tilt(torch.stack(slopes), weights, first=first, last=last)
        mean = mean + tilt * (sloped - average * mean)
    return mean * path


def _tilt(slopes: Tensor, weights: Tensor, *, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """The t for which Σ wₖ (1 + t (sₖ - s̄)) sₖ is the difference of the logits, and s̄ = Σ wₖ sₖ, both (N, 1, 1, 1).

    For slopes s (K, N), weights w (K, 1), and the logits at the two ends of the path, (N,) each. t stops where a weight
    would become negative. It is 0 where rounding explains what is missing or that the slopes differ.
    """
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
    """Average integrated gradients over baselines that are ordinary pictures, by random draws (expected gradients).

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        baselines: (B, 3, H, W), RGB in [0, 1].
        samples: Random pairs of a baseline and a place on the path from it.
        seed: Random seed for the draws, which are stratified: one place in each of ``samples`` equal parts of the
            path, and the number of draws of any two baselines differs by at most one.

    Returns:
        (N, 3, H, W), signed, in logits.

    Raises:
        ValueError: If images, baselines or targets are out of range, or there are no samples.

    Source: Erion et al., arXiv:1906.10670, eq. 3.
    """
    images, baselines = check_images(images, model), check_images(baselines, model)
    check_whole(samples=samples)
    if samples < 1 or baselines.shape[1:] != images.shape[1:]:
        got = f"{samples} samples, baselines {tuple(baselines.shape)}"
        raise ValueError(f"wanted 1 sample or more and baselines (B, {tuple(images.shape[1:])}), got {got}")
    random = torch.Generator().manual_seed(seed)
    total = torch.zeros_like(images)
    first = torch.randint(len(baselines), (len(images), 1), generator=random)
    draws = (first + torch.stack([torch.randperm(samples, generator=random) for _ in images])) % len(baselines)
    for part in range(samples):
        start = baselines[draws[:, part]]
        place = (part + torch.rand(len(images), 1, 1, 1, generator=random).to(images)) / samples
        point = start + place * (images - start)
        gradients = differentiate(model, point, lambda pixels: class_scores(model, pixels, targets))
        total += gradients * (images - start)
    return total / samples


def completeness_error(
    model: nn.Module, images: Tensor, targets: Targets, attribution: Tensor, *, baseline: Tensor | float = 0.0
) -> Tensor:
    """Measure how far the sum of an attribution is from the difference of the logits at baseline and picture.

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        attribution: (N, 3, H, W), of ``integrated_gradients`` or ``deep_lift``.
        baseline: The baseline of the attribution.

    Returns:
        (N,), at least 0, relative to the difference of the logits.

    Raises:
        ValueError: If images, targets or the baseline are out of range.
    """
    images = check_images(images, model)
    start = check_baseline(baseline, images)
    first, last = _end_scores(model, images, start, targets)
    difference = last - first
    error = (attribution.flatten(1).sum(1) - difference).abs()
    return torch.where(error == 0, 0, error / difference.abs())


@torch.no_grad()
def _end_scores(model: nn.Module, images: Tensor, start: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """The logits at both ends of the path, (N,) each."""
    with evaluating(model):
        return class_scores(model, start, targets), class_scores(model, images, targets)
