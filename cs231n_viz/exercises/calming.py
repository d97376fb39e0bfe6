"""Exercises of notebook 07: what is done to a picture after a step: blur it, and clip what matters little."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry


def gaussian_blur(images: Tensor, *, sigma: float) -> Tensor:
    """What is left of pictures when every value becomes a weighted mean of its neighbours?

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


def clip_small_pixels(pixels: Tensor, share: float) -> Tensor:
    """Which picture is left when the pixels that deviate least are set to the mean colour?

    Args:
        pixels: (N, 3, H, W), measured from the mean colour, which is 0.
        share: From 0 to 1; that share of each picture's pixels goes.

    Returns:
        (N, 3, H, W): all three channels are 0 where the pixel's L2 norm over its channels is below the quantile
        ``share`` of the picture's norms.
    """
    norm = pixels.norm(dim=1)  # (N, H, W)
    limit = norm.flatten(1).quantile(share, dim=1).view(-1, 1, 1)
    return pixels * (norm >= limit)[:, None]


def clip_small_contributions(pixels: Tensor, gradient: Tensor, share: float) -> Tensor:
    """Which picture is left when the pixels go that the objective would miss least?

    Args:
        pixels: (N, 3, H, W), measured from the mean colour, which is 0.
        gradient: (N, 3, H, W), of the objective.
        share: From 0 to 1; that share of each picture's pixels goes.

    Returns:
        (N, 3, H, W): all three channels are 0 where the magnitude of Σ_c pixel_c · gradient_c is below the
        quantile ``share`` of the picture.
    """
    contribution = (pixels * gradient).sum(dim=1).abs()  # (N, H, W), the change when the pixel becomes 0
    limit = contribution.flatten(1).quantile(share, dim=1).view(-1, 1, 1)
    return pixels * (contribution >= limit)[:, None]


def _blur(
    weights_of: Callable[[Tensor, float], Tensor] = lambda d, sigma: torch.exp(-d.square() / (2 * sigma**2)),
    *,
    sums_to_one: bool = True,
    mode: str = "reflect",
    axes: tuple[bool, bool] = (True, True),
    reach_of: Callable[[float], int] = lambda sigma: round(3 * sigma),
    mixed: bool = False,
) -> Callable[..., Tensor]:
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


def _peak(height: int, width: int, count: int = 1) -> Tensor:
    image = torch.zeros(count, 3, height, width)
    image[:, :, height // 2, width // 2] = torch.tensor([1.0, 2.0, -1.0])
    return image


def _blurs(title: str, images: Tensor, sigma: float) -> Check:
    return Check(title, {"images": images, "sigma": sigma}, gaussian_blur(images, sigma=sigma))


_RAMP = torch.arange(2 * 3 * 9 * 8, dtype=torch.float32).sqrt().view(2, 3, 9, 8)

_GAUSSIAN_BLUR = Entry(
    name="gaussian_blur",
    reference=gaussian_blur,
    stars=2,
    minutes=15,
    checks=[
        _blurs("one bright pixel becomes a round spot", _peak(9, 9), 1.0),
        _blurs("a wider one", _peak(15, 13), 2.0),
        _blurs("two pictures, up to their borders", _RAMP, 1.0),
    ],
    mistakes={
        "the weights do not sum to 1: the picture becomes brighter": _blur(sums_to_one=False),
        "blurred down only: the second direction is missing": _blur(axes=(True, False)),
        "blurred across only: the second direction is missing": _blur(axes=(False, True)),
        "σ in place of σ² in the exponent": _blur(lambda d, sigma: torch.exp(-d.square() / (2 * sigma))),
        "the 2 in the exponent is missing: the spot is too narrow": _blur(
            lambda d, sigma: torch.exp(-d.square() / sigma**2)
        ),
        "|d| in place of d²: this is no Gaussian": _blur(lambda d, sigma: torch.exp(-d.abs() / (2 * sigma**2))),
        "all neighbours weigh the same: this is a box": _blur(lambda d, sigma: torch.ones_like(d)),
        "the weights end too early: distances up to round(3σ) were asked for": _blur(
            reach_of=lambda sigma: round(1.5 * sigma)
        ),
        "padded with 0: the border darkens": _blur(mode="constant"),
        "the border pixel is repeated; a mirrored border was asked for": _blur(mode="replicate"),
        "the channels are mixed: each is blurred alone": _blur(mixed=True),
    },
)


def _norms(pixels: Tensor, gradient: Tensor) -> Tensor:
    return pixels.norm(dim=1)


def _contributions(pixels: Tensor, gradient: Tensor) -> Tensor:
    return (pixels * gradient).sum(dim=1).abs()


def _each_picture(importance: Tensor, share: float) -> Tensor:
    return importance.flatten(1).quantile(share, dim=1).view(-1, 1, 1)


def _clip(
    importance: Callable[[Tensor, Tensor], Tensor],
    limit: Callable[[Tensor, float], Tensor | float] = _each_picture,
    *,
    keeps_small: bool = False,
    per_value: bool = False,
) -> Callable[[Tensor, Tensor, float], Tensor]:
    """Clipping, with the mistakes that can be made on the way."""

    def clipped(pixels: Tensor, gradient: Tensor, share: float) -> Tensor:
        if per_value:
            each = pixels.abs() if importance is _norms else (pixels * gradient).abs()
            return pixels * (each >= each.flatten(1).quantile(share, dim=1).view(-1, 1, 1, 1))
        size = importance(pixels, gradient)
        keep = size >= limit(size, share)
        return pixels * (~keep if keeps_small else keep)[:, None]

    return clipped


def _of_pixels(clipped: Callable[[Tensor, Tensor, float], Tensor]) -> Callable[[Tensor, float], Tensor]:
    return lambda pixels, share: clipped(pixels, pixels, share)


def _numbers(seed: int, *shape: int) -> Tensor:
    """Values of both signs; of several pictures each is smaller than the one before."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return values / (1 + torch.arange(shape[0])).view(-1, 1, 1, 1)


_BETWEEN = {
    "the other way round: what matters most is set to 0": {"keeps_small": True},
    "values are set to 0 one by one: a pixel goes with all its channels": {"per_value": True},
    "one limit for the whole batch: each picture has its own quantile": {
        "limit": lambda size, share: size.flatten().quantile(share)
    },
    "the share is used as a limit: it says how many pixels go, not how small they are": {
        "limit": lambda size, share: share
    },
    "a share of the largest value is used as the limit; a quantile was asked for": {
        "limit": lambda size, share: share * size.amax((1, 2), keepdim=True)
    },
}

# norms 1.41, 1.39, 1.30 and 3.16; by |sum|, sum of magnitudes, largest channel or sum two others are the smallest
_ROWS = torch.tensor([[1.0, 0.8, 0.0, -3.0], [-1.0, 0.8, 0.0, -1.0], [0.0, 0.8, 1.3, 0.0]]).view(1, 3, 1, 4)


def _small(title: str, pixels: Tensor, share: float) -> Check:
    return Check(title, {"pixels": pixels, "share": share}, clip_small_pixels(pixels, share))


_CLIP_SMALL_PIXELS = Entry(
    name="clip_small_pixels",
    reference=clip_small_pixels,
    stars=1,
    minutes=10,
    checks=[
        _small("of four pixels the two smallest go", _ROWS, 0.5),
        _small("two pictures: of each the same share", _numbers(0, 2, 3, 4, 5), 0.6),
        _small("a share of 0 takes nothing away", _numbers(1, 1, 3, 3, 3), 0.0),
    ],
    mistakes={
        **{message: _of_pixels(_clip(_norms, **options)) for message, options in _BETWEEN.items()},
        "the channels are summed: +1 and −1 would be nothing; their norm was asked for": _of_pixels(
            _clip(lambda pixels, _: pixels.sum(1).abs())
        ),
        "the sign counts: a dark pixel deviates as much as a bright one": _of_pixels(
            _clip(lambda pixels, _: pixels.sum(1))
        ),
        "only the strongest channel is looked at; the norm over the channels was asked for": _of_pixels(
            _clip(lambda pixels, _: pixels.abs().amax(1))
        ),
        "the magnitudes are added up; the root of the squares was asked for": _of_pixels(
            _clip(lambda pixels, _: pixels.abs().sum(1))
        ),
    },
)


def _missed(title: str, pixels: Tensor, gradient: Tensor, share: float) -> Check:
    fed = {"pixels": pixels, "gradient": gradient, "share": share}
    return Check(title, fed, clip_small_contributions(pixels, gradient, share))


_VALUES = torch.tensor([[3.0, 0.2, -1.0, 0.0], [0.0, 0.3, -2.0, 0.1], [0.0, -0.4, 2.0, 0.1]]).view(1, 3, 1, 4)
_SLOPES = torch.tensor([[-2.0, 1.0, 4.0, 9.0], [1.0, 1.0, -2.2, -9.0], [1.0, 1.0, 0.0, 3.0]]).view(1, 3, 1, 4)

_CLIP_SMALL_CONTRIBUTIONS = Entry(
    name="clip_small_contributions",
    reference=clip_small_contributions,
    stars=2,
    minutes=10,
    checks=[
        _missed("of four pixels the two go that matter least", _VALUES, _SLOPES, 0.5),
        _missed("two pictures", _numbers(0, 2, 3, 4, 5), _numbers(1, 2, 3, 4, 5), 0.6),
        _missed("a share of 0", _numbers(2, 1, 3, 3, 3), _numbers(3, 1, 3, 3, 3), 0.0),
    ],
    mistakes={
        **{message: _clip(_contributions, **options) for message, options in _BETWEEN.items()},
        "the magnitude is missing: a pixel that speaks strongly against the class matters too": _clip(
            lambda pixels, gradient: (pixels * gradient).sum(1)
        ),
        "the magnitude was taken before the sum over the channels: they may cancel": _clip(
            lambda pixels, gradient: (pixels * gradient).abs().sum(1)
        ),
        "the size of the gradient is used: its product with the pixel was asked for": _clip(
            lambda pixels, gradient: gradient.norm(dim=1)
        ),
        "the size of the pixel is used: its product with the gradient was asked for": _clip(_norms),
        "two norms are multiplied: whether pixel and gradient agree is lost": _clip(
            lambda pixels, gradient: pixels.norm(dim=1) * gradient.norm(dim=1)
        ),
    },
)

ENTRIES = [_GAUSSIAN_BLUR, _CLIP_SMALL_PIXELS, _CLIP_SMALL_CONTRIBUTIONS]
