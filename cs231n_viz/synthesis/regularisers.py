"""What keeps a synthesised picture from becoming noise: terms of the objective, and changes made after each step.

The terms (``total_variation``, ``sixth_power``, ``l2``) are functions of the images, to be subtracted from an
objective. The changes are functions ``(pixels, gradient, index) -> pixels`` of a picture measured from the mean colour,
where 0 is "nothing there"; :func:`after_each_step` hands them to ``ascend``.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

from cs231n_viz.synthesis.ascent import After

Change = Callable[[Tensor, Tensor, int], Tensor]


def total_variation(images: Tensor, beta: float = 2.0) -> Tensor:
    """How restless is a picture? Mean over all pixels of (squared step down + squared step right) ** (beta / 2).

    Args:
        images: (N, 3, H, W).
        beta: 2 punishes large steps, 1 is the length of contours.

    Returns:
        Scalar, summed over the images.

    Source: Mahendran & Vedaldi, arXiv:1412.0035, section 3.
    Differs from the paper: the mean over pixels and channels in place of the sum, so that its weight does not depend
        on the size of the picture.
    """
    down = (images[..., 1:, :-1] - images[..., :-1, :-1]).square()
    right = (images[..., :-1, 1:] - images[..., :-1, :-1]).square()
    steps = down + right
    if beta != 2:
        steps = (steps + 1e-8) ** (beta / 2)  # the root has no gradient at 0
    return steps.mean(dim=(1, 2, 3)).sum()


def l2(images: Tensor, centre: Tensor | float = 0.5) -> Tensor:
    """Mean squared distance from the mean colour, summed over the images.

    Source: Simonyan et al., arXiv:1312.6034, eq. 1. Differs from the paper: mean over pixels in place of the sum.
    """
    return (images - centre).square().mean(dim=(1, 2, 3)).sum()


def sixth_power(images: Tensor, centre: Tensor | float = 0.5) -> Tensor:
    """Mean of (2 × distance from the mean colour) ** 6: nothing inside the range of a picture, steep at its ends.

    Source: Mahendran & Vedaldi, arXiv:1412.0035, section 3 (the alpha-norm, alpha = 6).
    """
    return (2 * (images - centre)).pow(6).mean(dim=(1, 2, 3)).sum()


def decay(rate: float) -> Change:
    """Shrink every pixel towards the mean colour by ``rate``: the L2 regulariser as a change."""
    _check(0 <= rate < 1, f"the rate of a decay is from 0 to below 1, got {rate}")
    return lambda pixels, gradient, index: pixels * (1 - rate)


def blur(sigma: float, *, every: int = 4) -> Change:
    """Blur by a Gaussian of ``sigma`` pixels in every so many steps: fine structure has to earn its place again."""
    _check(sigma > 0 and every >= 1, f"wanted sigma > 0 and every >= 1, got {sigma} and {every}")
    size = 2 * max(1, round(3 * sigma)) + 1

    def change(pixels: Tensor, gradient: Tensor, index: int) -> Tensor:
        if (index + 1) % every:
            return pixels
        return transforms.gaussian_blur(pixels, [size, size], [sigma, sigma])

    return change


def _quieten(pixels: Tensor, importance: Tensor, share: float) -> Tensor:
    """Set the ``share`` of each picture's pixels that matter least to the mean colour; importance is (N, H, W)."""
    limit = importance.flatten(1).quantile(share, dim=1).view(-1, 1, 1)
    return pixels * (importance >= limit)[:, None]


def clip_small_pixels(share: float) -> Change:
    """Set the ``share`` of pixels with the smallest norm over the channels to the mean colour."""
    _check(0 <= share < 1, f"share must be from 0 to below 1, got {share}")
    return lambda pixels, gradient, index: _quieten(pixels, pixels.norm(dim=1), share)


def clip_small_gradients(share: float) -> Change:
    """Set the ``share`` of pixels whose gradient has the smallest norm over the channels to the mean colour."""
    _check(0 <= share < 1, f"share must be from 0 to below 1, got {share}")
    return lambda pixels, gradient, index: _quieten(pixels, gradient.norm(dim=1), share)


def clip_small_contributions(share: float) -> Change:
    """Set the ``share`` of pixels with the smallest |sum over channels of pixel × gradient| to the mean colour.

    To first order that is how much the objective changes when the pixel is taken away.
    """
    _check(0 <= share < 1, f"share must be from 0 to below 1, got {share}")
    return lambda pixels, gradient, index: _quieten(pixels, (pixels * gradient).sum(dim=1).abs(), share)


def after_each_step(changes: Sequence[Change], centre: Tensor | float = 0.5) -> After:
    """Make changes, in their order, to the pixels of a ``Pixels`` parameterisation after each step.

    Source: Yosinski et al., arXiv:1506.06579, section 3 (decay, blur, clipping by norm and by contribution).
    """

    def after(image_of: nn.Module, gradients: list[Tensor], index: int) -> None:
        (parameter,), (gradient,) = image_of.parameters(), gradients
        pixels = parameter.data - centre
        for change in changes:
            pixels = change(pixels, gradient, index)
        parameter.data.copy_(pixels + centre)

    return after


def _check(right: bool, message: str) -> None:
    if not right:
        raise ValueError(message)
