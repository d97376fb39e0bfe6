"""Gaussian blur, as two one-dimensional convolutions."""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import integers


def gaussian_blur(images: Tensor, *, sigma: float) -> Tensor:
    """Blur images with a Gaussian: every value becomes a weighted mean of its neighbours.

    Args:
        images: (N, C, H, W), any values.
        sigma: Standard deviation of the weights exp(−d² / 2σ²) in pixels.

    Returns:
        (N, C, H, W): each channel blurred down and across, by weights at distances up to round(3σ) that sum to 1,
        mirrored at the border pixel, which is not repeated (PyTorch's "reflect").
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


def _padded(pad: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[Tensor, float], Tensor]:
    """Blur with another border: pad by more than the weights reach, blur, and cut off again."""

    def blurred(images: Tensor, sigma: float) -> Tensor:
        reach = round(3 * sigma)
        wide = torch.from_numpy(pad(images.numpy(), reach))
        return _blur(mode="constant")(wide, sigma)[:, :, reach:-reach, reach:-reach]

    return blurred


def _as_numpy(mode: str) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda images, reach: np.pad(images, [(0, 0), (0, 0), (reach, reach), (reach, reach)], mode=mode)


def _three_channels(images: Tensor, sigma: float) -> Tensor:
    if images.shape[1] == 3:
        return _blur()(images, sigma)
    return F.conv2d(images, torch.ones(3, 1, 1, 1), groups=3)  # refused


def _unpadded(images: Tensor, sigma: float) -> Tensor:
    reach = round(3 * sigma)
    return _blur()(images, sigma)[:, :, reach:-reach, reach:-reach]


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
    hints=(
        "Which weights do the neighbours at distance 0, 1, …, round(3σ) get, and why may you go down first and "
        "across afterwards?",
        "Make the weights with `torch.arange` and `torch.exp`, divide them by their sum, pad with `F.pad(…, "
        'mode="reflect")`, view every channel as an image of one channel, and convolve with a (1, 1, k, 1) and a '
        "(1, 1, 1, k) kernel.",
    ),
    checks=[
        _spot("one bright pixel becomes a round spot", 9, 9, 1.0),
        _spot("a wider one", 15, 17, 2.0),
        _by_scipy("two images, up to their borders", torch.arange(2 * 3 * 9 * 8.0).sqrt().view(2, 3, 9, 8), 1.0),
        _spot("3σ = 2.7, the weights reach 3 pixels", 9, 11, 0.9),
        _spot("3σ = 2.4, the weights reach 2 pixels", 7, 9, 0.8),
        _by_scipy("two images of four channels, values of both signs", integers(2, 4, 7, 9) / 4, 1.2),
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
            _blur(reach_of=lambda sigma: round(1.5 * sigma)),
            _blur(reach_of=lambda sigma: round(2 * sigma)),
            _blur(reach_of=lambda sigma: int(3 * sigma)),
            _blur(reach_of=lambda sigma: round(3 * sigma) - 1),
        ),
        "padded with 0: the border darkens": _blur(mode="constant"),
        "the border pixel is repeated; a mirrored border was asked for": _blur(mode="replicate"),
        "the channels are mixed: each is blurred alone": _blur(mixed=True),
        "the weights reach too far: distances up to round(3σ) were asked for": (
            _blur(reach_of=lambda sigma: math.ceil(3 * sigma)),
            _blur(reach_of=lambda sigma: round(3 * sigma) + 1),
            _blur(reach_of=lambda sigma: round(4 * sigma)),
            _blur(reach_of=lambda sigma: int(4 * sigma + 0.5)),
        ),
        "the border pixel is mirrored too; reflect begins with its neighbour": _padded(_as_numpy("symmetric")),
        "the other side of the image comes in at the border; a mirrored border was asked for": (
            _padded(_as_numpy("wrap"))
        ),
        "nothing is padded: the image shrinks": _unpadded,
        "blurred twice": lambda images, sigma: _blur()(_blur()(images, sigma), sigma),
        "divided by the integral of the Gaussian: sampled and cut off, the weights must be divided by their sum": (
            _blur(
                lambda d, sigma: torch.exp(-d.square() / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi)),
                sums_to_one=False,
            )
        ),
        "the result is cut off at 0 or 1: any values may come": (
            lambda images, sigma: _blur()(images, sigma).clamp(0, 1),
            lambda images, sigma: _blur()(images, sigma).clamp_min(0),
        ),
        "all are the first image": lambda images, sigma: _blur()(images, sigma)[:1].expand_as(images),
        "weights that fall in a straight line: this is no Gaussian": (
            _blur(lambda d, sigma: 1 - d.abs() / (d.max() + 1)),
            _blur(lambda d, sigma: (1 - d.abs() / (3 * sigma)).clamp_min(0)),
        ),
        "three channels are written into the kernel: there may be any number": _three_channels,
        "at the border the weights inside are divided by their own sum: mirror the image there": (
            lambda images, sigma: (
                _blur(mode="constant")(images, sigma) / _blur(mode="constant")(torch.ones_like(images), sigma)
            )
        ),
    },
)
