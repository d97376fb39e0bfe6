"""Gaussian blur, as two one-dimensional convolutions."""

import math
from collections.abc import Callable

import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry


def gaussian_blur(images: Tensor, *, sigma: float) -> Tensor:
    """Blur images with a Gaussian: every value becomes a weighted mean of its neighbours.

    Args:
        images: (N, C, H, W), any values.
        sigma: Standard deviation of the weights exp(−d² / 2σ²) in pixels.

    Returns:
        (N, C, H, W): each channel blurred down and across, by weights at distances up to round(3σ) that sum to 1,
        mirrored at the border.
    """
    reach = round(3 * sigma)
    distance = torch.arange(-reach, reach + 1, dtype=images.dtype)
    weights = torch.exp(-distance.square() / (2 * sigma**2))
    weights = weights / weights.sum()
    rows = F.pad(images.flatten(0, 1)[:, None], (reach, reach, reach, reach), mode="reflect")  # every channel alone
    down = F.conv2d(rows, weights.view(1, 1, -1, 1))
    return F.conv2d(down, weights.view(1, 1, 1, -1)).view_as(images)


def _blur(
    weights_of: Callable[[Tensor, float], Tensor] = lambda d, sigma: torch.exp(-d.square() / (2 * sigma**2)),
    *,
    sums_to_one: bool = True,
    mode: str = "reflect",
    axes: tuple[bool, bool] = (True, True),
    reach_of: Callable[[float], int] = lambda sigma: round(3 * sigma),
    mixed: bool = False,
) -> Callable[[Tensor, float], Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def blurred(images: Tensor, sigma: float) -> Tensor:
        reach = reach_of(sigma)
        weights = weights_of(torch.arange(-reach, reach + 1, dtype=images.dtype), sigma)
        weights = weights / weights.sum() if sums_to_one else weights
        given = images.mean(1, keepdim=True).expand_as(images) if mixed else images
        rows = F.pad(given.flatten(0, 1)[:, None], (reach,) * 4, mode=mode)
        down = F.conv2d(rows, weights.view(1, 1, -1, 1)) if axes[0] else rows[:, :, reach : rows.shape[2] - reach]
        right = F.conv2d(down, weights.view(1, 1, 1, -1)) if axes[1] else down[..., reach : rows.shape[3] - reach]
        return right.view_as(images)

    return blurred


def _spot(title: str, height: int, width: int, sigma: float) -> Check:
    """One bright pixel in the middle: the blurred image is the product of two normalised Gaussians, in closed form."""
    colour = torch.tensor([1.0, 2.0, -1.0])
    image = torch.zeros(1, 3, height, width)
    image[0, :, height // 2, width // 2] = colour
    reach = round(3 * sigma)
    gaussian = {d: math.exp(-(d**2) / (2 * sigma**2)) for d in range(-reach, reach + 1)}
    down, right = (
        torch.tensor([gaussian.get(place - size // 2, 0.0) / sum(gaussian.values()) for place in range(size)])
        for size in (height, width)
    )
    expected = colour[:, None, None] * torch.outer(down, right)
    return Check(title, {"images": image, "sigma": sigma}, expected[None] + 0.0)  # + 0.0 turns -0 into 0


def _by_scipy(title: str, images: Tensor, sigma: float) -> Check:
    blurred = ndimage.gaussian_filter(images.numpy(), sigma, axes=(2, 3), mode="mirror", radius=round(3 * sigma))
    return Check(title, {"images": images, "sigma": sigma}, torch.from_numpy(blurred))


ENTRY = Entry(
    name="gaussian_blur",
    reference=gaussian_blur,
    stars=2,
    minutes=15,
    checks=[
        _spot("one bright pixel becomes a round spot", 9, 9, 1.0),
        _spot("a wider one", 15, 17, 2.0),
        _by_scipy("two images, up to their borders", torch.arange(2 * 3 * 9 * 8.0).sqrt().view(2, 3, 9, 8), 1.0),
    ],
    mistakes={
        "the weights do not sum to 1: the image becomes brighter": _blur(sums_to_one=False),
        "blurred down only: the second direction is missing": _blur(axes=(True, False)),
        "blurred across only: the second direction is missing": _blur(axes=(False, True)),
        "σ instead of σ² in the exponent": _blur(lambda d, sigma: torch.exp(-d.square() / (2 * sigma))),
        "the 2 in the exponent is missing: the spot is too narrow": (
            _blur(lambda d, sigma: torch.exp(-d.square() / sigma**2))
        ),
        "|d| instead of d²: this is no Gaussian": _blur(lambda d, sigma: torch.exp(-d.abs() / (2 * sigma**2))),
        "all neighbours weigh the same: this is a box": _blur(lambda d, sigma: torch.ones_like(d)),
        "the weights end too early: distances up to round(3σ) were asked for": (
            _blur(reach_of=lambda sigma: round(1.5 * sigma))
        ),
        "padded with 0: the border darkens": _blur(mode="constant"),
        "the border pixel is repeated; a mirrored border was asked for": _blur(mode="replicate"),
        "the channels are mixed: each is blurred alone": _blur(mixed=True),
    },
)
