"""From one octave of DeepDream to the next."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of, noise, pixels


def octave_start(base: Tensor, previous_base: Tensor, previous_result: Tensor) -> Tensor:
    """Add the enlarged detail of the last octave to the photograph: the image with which the next octave begins.

    Args:
        base: (N, 3, H, W), the photograph at the size of the next octave.
        previous_base: (N, 3, h, w), the photograph at the size of the last octave.
        previous_result: (N, 3, h, w), what the last octave made of it.

    Returns:
        (N, 3, H, W) in [0, 1]: the photograph as sharp as it is at this size, and on it the detail of the last
        octave, enlarged by bilinear interpolation (``align_corners=False``).
    """
    detail = previous_result - previous_base
    enlarged = F.interpolate(detail, size=base.shape[-2:], mode="bilinear", align_corners=False)
    return (base + enlarged).clamp(0, 1)


def _enlarged(images: Tensor, base: Tensor, **how: object) -> Tensor:
    return F.interpolate(images, size=base.shape[-2:], **({"mode": "bilinear", "align_corners": False} | how))


def _start(formula: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return lambda base, before, result: formula(base, before, result).clamp(0, 1)


def _stretched(images: Tensor) -> Tensor:
    return (images - images.min()) / (images.max() - images.min())


def _by_factor(images: Tensor, factor: float) -> Tensor:
    return F.interpolate(images, scale_factor=factor, mode="bilinear", align_corners=False)


def _octave(title: str, base: Tensor, previous_base: Tensor, detail: Tensor, *, expected: Tensor) -> Check:
    fed = {"base": base, "previous_base": previous_base, "previous_result": previous_base + detail}
    return Check(title, fed, expected)


def _ramp(rows: int, columns: int) -> Tensor:
    return torch.linspace(-0.3, 0.3, rows).view(1, 1, rows, 1).expand(1, 3, rows, columns).contiguous()


def _weights(small: int, large: int) -> Tensor:
    """(large, small): the share of each small pixel in each large one; middles of pixels stay where they are."""
    shares = torch.zeros(large, small, dtype=torch.float64)
    for place in range(large):
        here = min(max((place + 0.5) * small / large - 0.5, 0.0), small - 1.0)
        left = min(int(here), small - 2)
        shares[place, left], shares[place, left + 1] = left + 1 - here, here - left
    return shares


def _interpolated(title: str, base: Tensor, previous_base: Tensor, strength: float) -> Check:
    """Row by row, then column by column, in double precision."""
    detail = strength * noise(*previous_base.shape, seed=3)
    down, right = (_weights(previous_base.shape[axis], base.shape[axis]) for axis in (2, 3))
    enlarged = down @ detail.double() @ right.T
    return _octave(title, base, previous_base, detail, expected=(base + enlarged).clamp(0, 1).float())


_BASE, _SMALL = 0.3 + 0.4 * pixels(1, 3, 4, 6), 0.3 + 0.4 * pixels(1, 3, 2, 3)
# Enlarged twice, bilinear interpolation takes 3/4 of the nearer pixel and 1/4 of the next; the border is continued.
_TWICE = torch.tensor([[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]])
_RAMP = (_TWICE @ torch.tensor([-0.3, 0.3])).view(1, 1, 4, 1)

ENTRY = Entry(
    name="octave_start",
    reference=octave_start,
    stars=1,
    minutes=10,
    checks=[
        _octave("no detail yet: the photograph, bit for bit", _BASE, _SMALL, 0 * _SMALL, expected=_BASE),
        _octave("everything a little lighter", _BASE, _SMALL, 0 * _SMALL + 0.25, expected=_BASE + 0.25),
        _octave("a detail that rises from −0.3 to 0.3", _BASE, _SMALL, _ramp(2, 3), expected=_BASE + _RAMP),
        _octave("clipped to [0, 1]", _BASE, _SMALL, 3 * _ramp(2, 3), expected=(_BASE + 3 * _RAMP).clamp(0, 1)),
        _octave("the same size again", _BASE, _BASE.clone(), _ramp(4, 6), expected=_BASE + _ramp(4, 6)),
        _interpolated("5×4 becomes 7×6: two images, no whole factor", pixels(2, 3, 7, 6), pixels(2, 3, 5, 4), 0.1),
        _interpolated("4×7 becomes 6×10, strong detail", pixels(1, 3, 6, 10), pixels(1, 3, 4, 7), 0.6),
        Check(
            "float32, as the photograph is",
            {"base": _BASE, "previous_base": _SMALL, "previous_result": _SMALL.clone()},
            "float32",
            dtype_of,
        ),
    ],
    hints=(
        "Which part of the last result did the photograph not have? Only that has no sharper version at the next size.",
        "Subtract the last photograph from the last result, enlarge the difference to the last two sizes of `base` "
        'with `F.interpolate(…, size=…, mode="bilinear", align_corners=False)`, add `base`, and clamp the sum.',
    ),
    mistakes={
        "the whole image is enlarged: the photograph itself becomes blurred; carry only the detail": (
            _start(lambda base, before, result: _enlarged(result, base))
        ),
        "the detail is lost: every octave begins with the photograph alone": (
            _start(lambda base, before, result: base)
        ),
        "the detail has the wrong sign: result minus base": (
            _start(lambda base, before, result: base + _enlarged(before - result, base))
        ),
        "the whole result is added to the photograph: subtract the last octave's photograph first": (
            _start(lambda base, before, result: base + _enlarged(result, base))
        ),
        "the mean of photograph and result: the detail counts in full": (
            _start(lambda base, before, result: (base + _enlarged(result, base)) / 2),
            lambda base, before, result: (base + _enlarged(result - before, base)) / 2,
        ),
        "not clipped: pixels leave [0, 1]": lambda base, before, result: base + _enlarged(result - before, base),
        "clipped at one end only: pixels leave [0, 1]": (
            lambda base, before, result: (base + _enlarged(result - before, base)).clamp(min=0),
            lambda base, before, result: (base + _enlarged(result - before, base)).clamp(max=1),
        ),
        "rescaled from its smallest to its largest value: clip, so that other pixels stay what they are": (
            _start(lambda base, before, result: _stretched(base + _enlarged(result - before, base)))
        ),
        "enlarged by bicubic interpolation: bilinear was asked for": (
            _start(lambda base, before, result: base + _enlarged(result - before, base, mode="bicubic"))
        ),
        "one factor for rows and columns, or a whole one: the sizes differ by any ratio; give `size` as (H, W)": (
            _start(lambda base, before, result: base + _by_factor(result - before, base.shape[2] / before.shape[2])),
            _start(lambda base, before, result: base + _by_factor(result - before, base.shape[3] / before.shape[3])),
            _start(lambda base, before, result: base + _by_factor(result - before, base.shape[2] // before.shape[2])),
            _start(lambda base, before, result: base + _by_factor(result - before, 2)),
            _start(lambda base, before, result: base + _by_factor(result - before, 1.4)),
            _start(lambda base, before, result: base + F.interpolate(result - before, size=base.shape[:1:-1])),
        ),
        "`base` is shrunk to find the detail: subtract the last octave's photograph as it was given": (
            _start(lambda base, before, result: base + _enlarged(result - _enlarged(base, before), base)),
        ),
        "the detail alone came back: the photograph belongs under it": (
            _start(lambda base, before, result: _enlarged(result - before, base)),
            lambda base, before, result: _enlarged(result - before, base),
        ),
        "the detail is weakened or strengthened: it counts once": (
            _start(lambda base, before, result: base + 0.5 * _enlarged(result - before, base)),
            _start(lambda base, before, result: base + 2 * _enlarged(result - before, base)),
        ),
        "the last octave's photograph is used: at this size there is a sharper one": (
            lambda base, before, result: result.clamp(0, 1),
        ),
        "the detail is clipped: what the last octave made darker is lost": (
            lambda base, before, result: base + _enlarged(result - before, base).clamp(0, 1),
            _start(lambda base, before, result: base + _enlarged((result - before).clamp(0, 1), base)),
        ),
        "the corners are aligned: align_corners=False was asked for": (
            _start(lambda base, before, result: base + _enlarged(result - before, base, align_corners=True))
        ),
        "enlarged in blocks (nearest): bilinear was asked for": (
            _start(
                lambda base, before, result: base + _enlarged(result - before, base, mode="nearest", align_corners=None)
            )
        ),
        "squeezed by a sigmoid: clip, so that pixels inside [0, 1] stay what they are": (
            lambda base, before, result: (base + _enlarged(result - before, base)).sigmoid()
        ),
        "the magnitude of the detail is added: what the last octave made darker becomes lighter": (
            _start(lambda base, before, result: base + _enlarged((result - before).abs(), base))
        ),
        "the detail of the first image is added to all": (
            _start(lambda base, before, result: base + _enlarged((result - before)[:1], base))
        ),
        "the detail is grey: each channel has its own": (
            _start(lambda base, before, result: base + _enlarged((result - before).mean(1, keepdim=True), base))
        ),
        "the ratio is enlarged: the detail is a difference": (
            _start(lambda base, before, result: base * _enlarged(result / before, base))
        ),
        "rounded to 256 levels: a picture in [0, 1] has all values": (
            lambda base, before, result: ((base + _enlarged(result - before, base)) * 255).round().clamp(0, 255) / 255
        ),
    },
)
