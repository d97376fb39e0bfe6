"""Regularisers, which keep a synthesised picture from becoming noise: penalties, random views, changes after a step.

A :class:`Regularisers` says which, and how much of each; ``PRESETS`` holds the recipes of the literature. The penalties
(:func:`total_variation`, :func:`sixth_power`, :func:`l2`) are functions of the images, to be subtracted from an
objective. The changes are functions ``(pixels, gradient, index) -> pixels`` of a picture measured from the mean colour,
so that 0 is the mean colour; :func:`after_each_step` hands them to ``ascend``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cs231n_viz.pictures.images import gaussian_blur
from cs231n_viz.synthesis.ascent import After, Objective
from cs231n_viz.synthesis.views import jitter, robust

Change = Callable[[Tensor, Tensor, int], Tensor]


@dataclass(frozen=True)
class Regularisers:
    """What keeps an optimised picture from becoming noise; everything is off until it is asked for.

    Attributes:
        l2: Weight of the mean squared distance from the mean colour.
        tv: Weight of the total variation.
        decay: Share by which each pixel shrinks towards the mean colour after a step.
        blur: σ in pixels of the Gaussian that the picture is blurred by ...
        every: ... in every so many steps.
        clip_pixels: Share of the pixels, those of smallest norm, that are set to the mean colour after a step.
        clip_gradients: Likewise, those of smallest gradient.
        clip_contributions: Likewise, those of smallest |pixel × gradient|.
        jitter: Before each evaluation the picture is rolled by up to this many pixels.
        shift: Largest shift of a random view in pixels,
        scale: its largest relative change of size,
        turn: and its largest angle in degrees.
    """

    l2: float = 0.0
    tv: float = 0.0
    decay: float = 0.0
    blur: float = 0.0
    every: int = 4
    clip_pixels: float = 0.0
    clip_gradients: float = 0.0
    clip_contributions: float = 0.0
    jitter: int = 0
    shift: float = 0.0
    scale: float = 0.0
    turn: float = 0.0

    def changes(self) -> list[Change]:
        """What is done to the pixels after each step, in the published order: shrink, blur, clip."""
        switches = [
            (self.decay, decay),
            (self.blur, lambda sigma: blur(sigma, every=self.every)),
            (self.clip_pixels, clip_small_pixels),
            (self.clip_gradients, clip_small_gradients),
            (self.clip_contributions, clip_small_contributions),
        ]
        return [make(amount) for amount, make in switches if amount]

    def around(self, objective: Objective, *, centre: Tensor | float = 0.5, seed: int = 0) -> Objective:
        """The regularised objective: that of another random view of the picture each time, less the penalties.

        Args:
            objective: Images -> scalar.
            centre: The mean colour, grey or (3, 1, 1).
            seed: Random seed of jitter and views.
        """
        random = torch.Generator().manual_seed(seed)
        if self.shift or self.scale or self.turn:
            objective = robust(objective, seed=seed, shift=self.shift, scale=self.scale, turn=self.turn)

        def score(images: Tensor) -> Tensor:
            value = objective(jitter(images, self.jitter, random)[0] if self.jitter else images)
            value = value - self.l2 * l2(images, centre) if self.l2 else value
            return value - self.tv * total_variation(images) if self.tv else value

        return score


PRESETS: Mapping[str, Regularisers] = {
    "none": Regularisers(),
    # Simonyan et al., arXiv:1312.6034, section 2
    "l2": Regularisers(l2=100.0),
    # Yosinski et al., arXiv:1506.06579, the third of their published recipes, made for 1000 steps
    "yosinski": Regularisers(decay=1e-4, blur=1.0, every=4),
    # Olah et al., Distill 2017, with Mahendran & Vedaldi's total variation
    "robust": Regularisers(tv=200.0, shift=16.0, scale=0.2, turn=10.0),
    # the same for a channel's mean activation, which is far smaller than a logit
    "channel": Regularisers(tv=10.0, shift=8.0, scale=0.1, turn=10.0),
}


def total_variation(images: Tensor, beta: float = 2.0) -> Tensor:
    """Compute the total variation: the mean over all pixels of (squared step down + squared step right) ** (beta / 2).

    Args:
        images: (N, 3, H, W).
        beta: 2 penalises large steps most, 1 is the length of contours.

    Returns:
        Scalar, summed over the images.

    Raises:
        ValueError: If they have another shape, or are smaller than 2 × 2 pixels, not floating point or not finite.

    Source: Mahendran & Vedaldi, arXiv:1412.0035, section 3.
    Differs from the paper: the mean over pixels and channels instead of the sum, so that its weight does not depend
        on the size of the picture.
    """
    wanted = isinstance(images, Tensor) and images.layout == torch.strided and images.ndim == 4 and not images.is_meta
    if not wanted or not images.is_floating_point() or min(images.shape[-2:]) < 2 or not images.numel():
        got = f"{tuple(images.shape)}, {images.dtype}" if isinstance(images, Tensor) else f"a {type(images).__name__}"
        raise ValueError(f"images must be floating point (N, C, H, W) of at least 2 × 2 pixels, got {got}")
    down = (images[..., 1:, :-1] - images[..., :-1, :-1]).square()
    right = (images[..., :-1, 1:] - images[..., :-1, :-1]).square()
    steps = down + right
    if beta != 2:
        steps = (steps + 1e-8) ** (beta / 2)  # the root has no gradient at 0
    total = steps.mean(dim=(1, 2, 3)).sum()
    if not total.requires_grad and not total.isfinite():  # an ascent tells of its own
        raise ValueError("images must be finite; these hold NaN or infinity")
    return total


def l2(images: Tensor, centre: Tensor | float = 0.5) -> Tensor:
    """Compute the mean squared distance from the mean colour, summed over the images (L2 penalty).

    Source: Simonyan et al., arXiv:1312.6034, eq. 1. Differs from the paper: mean over pixels instead of the sum.
    """
    return (images - centre).square().mean(dim=(1, 2, 3)).sum()


def sixth_power(images: Tensor, centre: Tensor | float = 0.5) -> Tensor:
    """Compute the mean of (2 × distance from the mean colour) ** 6: flat inside the range of pixels, steep at its ends.

    Source: Mahendran & Vedaldi, arXiv:1412.0035, section 3 (the alpha-norm, alpha = 6).
    """
    return (2 * (images - centre)).pow(6).mean(dim=(1, 2, 3)).sum()


def decay(rate: float) -> Change:
    """Shrink every pixel towards the mean colour by ``rate`` after each step: L2 decay."""
    _check(0 <= rate < 1, f"the rate of a decay is from 0 to below 1, got {rate}")
    return lambda pixels, gradient, index: pixels * (1 - rate)


def blur(sigma: float, *, every: int = 4) -> Change:
    """Blur by a Gaussian of ``sigma`` pixels in every so many steps: high frequencies decay, low ones stay."""
    _check(sigma > 0 and every >= 1, f"wanted sigma > 0 and every >= 1, got {sigma} and {every}")
    size = 2 * max(1, round(3 * sigma)) + 1

    def change(pixels: Tensor, gradient: Tensor, index: int) -> Tensor:
        if (index + 1) % every:
            return pixels
        return gaussian_blur(pixels, size, sigma)

    return change


def clip_small_pixels(share: float) -> Change:
    """Set the ``share`` of pixels with the smallest norm over the channels to the mean colour."""
    return _clip(share, lambda pixels, gradient: pixels.norm(dim=1))


def clip_small_gradients(share: float) -> Change:
    """Set the ``share`` of pixels whose gradient has the smallest norm over the channels to the mean colour."""
    return _clip(share, lambda pixels, gradient: gradient.norm(dim=1))


def clip_small_contributions(share: float) -> Change:
    """Set the ``share`` of pixels with the smallest |sum over channels of pixel × gradient| to the mean colour.

    To first order that is how much the objective changes when the pixel is set to the mean colour.
    """
    return _clip(share, lambda pixels, gradient: (pixels * gradient).sum(dim=1).abs())


def _clip(share: float, importance_of: Callable[[Tensor, Tensor], Tensor]) -> Change:
    """Set the ``share`` of each picture's pixels that are least important, (N, H, W), to the mean colour."""
    _check(0 <= share < 1, f"share must be from 0 to below 1, got {share}")

    def change(pixels: Tensor, gradient: Tensor, index: int) -> Tensor:
        importance = importance_of(pixels, gradient)
        limit = importance.flatten(1).quantile(share, dim=1).view(-1, 1, 1)
        return pixels * (importance >= limit)[:, None]

    return change


def after_each_step(changes: Sequence[Change], centre: Tensor | float = 0.5) -> After:
    """Apply changes, in their order, to the pixels of a ``Pixels`` parameterisation after each step.

    Source: Yosinski et al., arXiv:1506.06579, section 3 (decay, blur, clipping by norm and by contribution).
    """

    def after(image_of: nn.Module, gradients: list[Tensor], index: int) -> None:
        (parameter,), (gradient,) = image_of.parameters(), gradients
        pixels = parameter.data - centre
        for change in changes:
            pixels = change(pixels, gradient, index)
        parameter.data.copy_(pixels + centre)

    return after


def _check(valid: bool, message: str) -> None:
    if not valid:
        raise ValueError(message)
