"""Exercise of notebook 12: what is half of one style and half of another?"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry, Raises

Paint = Callable[[Tensor, Tensor, Tensor], Tensor]


def mix_styles(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, *, weights: Tensor) -> Tensor:
    """What does a picture look like in a mixture of styles?

    Args:
        paint: ``paint(image, gamma, beta)`` -> picture: the network, for one style's γ (C,) and β (C,).
        image: What to paint, any shape.
        gammas: (S, C), one row for each style.
        betas: (S, C), likewise.
        weights: (S,), at least 0; only their ratios count.

    Returns:
        The picture that one pass gives with the weighted means of γ and β.

    Raises:
        ValueError: If a weight is negative or all are 0.
    """
    if (weights < 0).any() or weights.sum() == 0:
        raise ValueError(f"weights must be at least 0 and not all 0, got {weights.tolist()}")
    shares = weights / weights.sum()
    return paint(image, shares @ gammas, shares @ betas)


def _shared(share: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Other shares than the weights divided by their sum."""

    def mistaken(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, *, weights: Tensor) -> Tensor:
        _check(weights)
        shares = share(weights)
        return paint(image, shares @ gammas, shares @ betas)

    return mistaken


def _check(weights: Tensor) -> None:
    if (weights < 0).any() or weights.sum() == 0:
        raise ValueError("no mixture")


def _pictures_mixed(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, *, weights: Tensor) -> Tensor:
    _check(weights)
    shares = weights / weights.sum()
    return sum(share * paint(image, gammas[k], betas[k]) for k, share in enumerate(shares))


def _scales_only(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, *, weights: Tensor) -> Tensor:
    _check(weights)
    return paint(image, (weights / weights.sum()) @ gammas, betas[weights.argmax()])


def _swapped(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, *, weights: Tensor) -> Tensor:
    _check(weights)
    shares = weights / weights.sum()
    return paint(image, shares @ betas, shares @ gammas)


def _unchecked(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, *, weights: Tensor) -> Tensor:
    shares = weights / weights.sum()
    return paint(image, shares @ gammas, shares @ betas)


class _Paint(nn.Module):
    """A network of two lines that is no linear function of γ and β: (γ · image + β), rectified, squared."""

    def forward(self, image: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        return (gamma[:, None] * image + beta[:, None]).relu().square()


_IMAGE = torch.tensor([[1.0, 2.0, -1.0], [0.0, 1.0, 3.0]])  # (C, places)
_GAMMAS = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 4.0]])
_BETAS = torch.tensor([[0.0, 1.0], [1.0, -2.0], [5.0, 0.5]])


def _fed(*weights: float) -> dict[str, object]:
    given = torch.tensor(weights)
    return {"paint": _Paint(), "image": _IMAGE, "gammas": _GAMMAS, "betas": _BETAS, "weights": given}


def _painted(gamma: list[float], beta: list[float]) -> Tensor:
    return _Paint()(_IMAGE, torch.tensor(gamma), torch.tensor(beta))


_MIX = Entry(
    name="mix_styles",
    reference=mix_styles,
    stars=2,
    minutes=10,
    checks=[
        Check("one style alone", _fed(0.0, 1.0, 0.0), _painted([3.0, -1.0], [1.0, -2.0])),
        Check("half of one and half of another", _fed(0.5, 0.5, 0.0), _painted([2.0, 0.5], [0.5, -0.5])),
        Check("three parts to one: only ratios count", _fed(3.0, 0.0, 1.0), _painted([0.75, 2.5], [1.25, 0.875])),
        Check("weights that are all 0 are refused", _fed(0.0, 0.0, 0.0), Raises()),
        Check("a negative weight is refused", _fed(2.0, -0.5, 0.0), Raises()),
    ],
    mistakes={
        "the weights are not divided by their sum: three parts to one is 75 % and 25 %": _shared(lambda w: w),
        "softmax of the weights: a style of weight 0 gets a share too": _shared(lambda w: w.softmax(0)),
        "the weights are divided by their largest, not by their sum": _shared(lambda w: w / w.max()),
        "the weights are divided by their length √(Σ w²), not by their sum": _shared(lambda w: w / w.norm()),
        "only the strongest style is used": _shared(lambda w: (torch.arange(len(w)) == w.argmax()).float()),
        "the pictures are mixed: that is one pass for each style, and two pictures laid over each other": (
            _pictures_mixed
        ),
        "only γ is mixed, β is that of one style": _scales_only,
        "γ and β are swapped": _swapped,
        "weights that are no mixture are not refused": _unchecked,
    },
)

ENTRIES = [_MIX]
