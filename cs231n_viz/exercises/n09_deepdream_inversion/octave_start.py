"""From one octave of DeepDream to the next."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import pixels


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


def _octave(title: str, base: Tensor, previous_base: Tensor, detail: Tensor, *, expected: Tensor) -> Check:
    fed = {"base": base, "previous_base": previous_base, "previous_result": previous_base + detail}
    return Check(title, fed, expected)


def _ramp(rows: int, columns: int) -> Tensor:
    return torch.linspace(-0.3, 0.3, rows).view(1, 1, rows, 1).expand(1, 3, rows, columns).contiguous()


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
        _octave("the same size again", _BASE, _BASE, _ramp(4, 6), expected=_BASE + _ramp(4, 6)),
    ],
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
            _start(lambda base, before, result: (base + _enlarged(result, base)) / 2)
        ),
        "not clipped: pixels leave [0, 1]": lambda base, before, result: base + _enlarged(result - before, base),
        "the detail is clipped: what the last octave made darker is lost": (
            _start(lambda base, before, result: base + _enlarged((result - before).clamp(0, 1), base))
        ),
        "the corners are aligned: align_corners=False was asked for": (
            _start(lambda base, before, result: base + _enlarged(result - before, base, align_corners=True))
        ),
        "enlarged in blocks (nearest): bilinear was asked for": (
            _start(
                lambda base, before, result: base + _enlarged(result - before, base, mode="nearest", align_corners=None)
            )
        ),
    },
)
