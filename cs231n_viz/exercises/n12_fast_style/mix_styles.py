"""A mixture of styles in one forward pass."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry, Raises
from cs231n_viz.exercises.fixtures import dtype_of, noise

Paint = Callable[[Tensor, Tensor, Tensor], Tensor]


def mix_styles(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, *, weights: Tensor) -> Tensor:
    """Paint an image in a mixture of styles, in one pass with the weighted means of their γ and β.

    Args:
        paint: ``paint(image, gamma, beta)`` -> image: the network, for one style's γ (C,) and β (C,).
        image: What to paint, any shape.
        gammas: (S, C), one row for each style.
        betas: (S, C), likewise.
        weights: (S,), at least 0; only their ratios count.

    Returns:
        The image that one pass gives with the weighted means of γ and β.

    Raises:
        ValueError: If a weight is negative or all are 0.
    """
    if (weights < 0).any() or weights.sum() == 0:
        raise ValueError(f"weights must be at least 0 and not all 0, got {weights.tolist()}")
    shares = weights / weights.sum()
    return paint(image, shares @ gammas, shares @ betas)


def _one_pass(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, shares: Tensor) -> Tensor:
    return paint(image, shares @ gammas, shares @ betas)


def _images_mixed(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, shares: Tensor) -> Tensor:
    return sum(share * paint(image, gammas[k], betas[k]) for k, share in enumerate(shares))


def _mixed(
    share: Callable[[Tensor], Tensor] = lambda w: w / w.sum(), passes: Callable[..., Tensor] = _one_pass
) -> Callable[..., Tensor]:
    """Other shares than the weights divided by their sum, or another use of them."""

    def mistaken(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, weights: Tensor) -> Tensor:
        if (weights < 0).any() or weights.sum() == 0:
            raise ValueError("no mixture")
        return passes(paint, image, gammas, betas, share(weights))

    return mistaken


def _refusing(what: Callable[[Tensor], bool]) -> Callable[..., Tensor]:
    def mistaken(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, weights: Tensor) -> Tensor:
        if what(weights):
            raise ValueError("no mixture")
        return mix_styles(paint, image, gammas, betas, weights=weights)

    return mistaken


def _images_summed(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, shares: Tensor) -> Tensor:
    return sum(paint(image, share * gammas[k], share * betas[k]) for k, share in enumerate(shares))


def _chained(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, shares: Tensor) -> Tensor:
    for gamma, beta, share in zip(gammas, betas, shares, strict=True):
        image = paint(image, share * gamma, share * beta)
    return image


def _equal_shares(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, weights: Tensor) -> Tensor:
    weights = weights if weights.any() else torch.ones_like(weights)
    return mix_styles(paint, image, gammas, betas, weights=weights)


def _asserted(paint: Paint, image: Tensor, gammas: Tensor, betas: Tensor, weights: Tensor) -> Tensor:
    if (weights < 0).any() or weights.sum() == 0:
        raise AssertionError
    return mix_styles(paint, image, gammas, betas, weights=weights)


class _Paint(nn.Module):
    """A network of two lines that is no linear function of γ and β: (γ · image + β), rectified, squared."""

    def forward(self, image: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        return (gamma[:, None] * image + beta[:, None]).relu().square()


_IMAGE = torch.tensor([[1.0, 2.0, -1.0], [0.0, 1.0, 3.0]])  # (C, positions)
_GAMMAS = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 4.0]])
_BETAS = torch.tensor([[0.0, 1.0], [1.0, -2.0], [5.0, 0.5]])


def _fed(*weights: float) -> dict[str, object]:
    return {"paint": _Paint(), "image": _IMAGE, "gammas": _GAMMAS, "betas": _BETAS, "weights": torch.tensor(weights)}


def _painted(gamma: list[float], beta: list[float]) -> Tensor:
    return _Paint()(_IMAGE, torch.tensor(gamma), torch.tensor(beta))


_MANY = {
    "paint": _Paint(),
    "image": noise(3, 5, seed=1),
    "gammas": noise(4, 3, seed=2),
    "betas": noise(4, 3, seed=3),
    "weights": torch.tensor([0.001, 0.0, 0.0025, 0.0005]),
}


def _shared(rows: Tensor) -> Tensor:
    return (2 * rows[0] + 5 * rows[2] + rows[3]) / 8


_MANY_PAINTED = _Paint()(_MANY["image"], _shared(_MANY["gammas"]), _shared(_MANY["betas"]))


ENTRY = Entry(
    name="mix_styles",
    reference=mix_styles,
    stars=2,
    minutes=10,
    checks=[
        Check("one style alone", _fed(0.0, 1.0, 0.0), _painted([3.0, -1.0], [1.0, -2.0])),
        Check("half of one and half of another", _fed(0.5, 0.5, 0.0), _painted([2.0, 0.5], [0.5, -0.5])),
        Check("three parts to one: only ratios count", _fed(3.0, 0.0, 1.0), _painted([0.75, 2.5], [1.25, 0.875])),
        Check("four styles, three channels, small weights", _MANY, _MANY_PAINTED),
        Check("float32, as the image is", _MANY, "float32", dtype_of),
        Check("weights that are all 0 are refused", _fed(0.0, 0.0, 0.0), Raises()),
        Check("a negative weight is refused", _fed(2.0, -0.5, 0.0), Raises()),
        Check("a negative weight is refused where the others outweigh it, too", _fed(1.0, 3.0, -0.1), Raises()),
    ],
    hints=(
        "What must the shares of the styles sum to? With them, γ of the mixture is a weighted mean of the rows of "
        "`gammas`, and the network is called once.",
        "First raise `ValueError` if any weight is below 0 or all are 0. Divide the weights by their sum; "
        "`shares @ gammas` is (C,), the same for β; return `paint(image, …, …)`.",
    ),
    mistakes={
        "the weights are not divided by their sum: three parts to one is 75 % and 25 %": _mixed(lambda w: w),
        "softmax of the weights: a style of weight 0 gets a share too": _mixed(lambda w: w.softmax(0)),
        "the weights are divided by their largest, not by their sum": _mixed(lambda w: w / w.max()),
        "the weights are divided by their length √(Σ w²), not by their sum": _mixed(lambda w: w / w.norm()),
        "only the strongest style is used": _mixed(lambda w: (torch.arange(len(w)) == w.argmax()).float()),
        "the images are mixed: that is one pass for each style, and two images laid over each other": (
            _mixed(passes=_images_mixed)
        ),
        "only γ is mixed, β is that of one style": (
            _mixed(passes=lambda paint, image, g, b, shares: paint(image, shares @ g, b[0])),
            _mixed(passes=lambda paint, image, g, b, shares: paint(image, shares @ g, b[shares.argmax()])),
        ),
        "γ and β are swapped": _mixed(passes=lambda paint, image, g, b, shares: _one_pass(paint, image, b, g, shares)),
        "weights that are no mixture are not refused": (
            lambda paint, image, g, b, weights: _one_pass(paint, image, g, b, weights / weights.sum())
        ),
        "negative weights become 0: they are to be refused": lambda paint, image, g, b, weights: mix_styles(
            paint, image, g, b, weights=weights.clamp(min=0)
        ),
        "the sign of the weights is dropped: negative ones are to be refused": (
            lambda paint, image, g, b, weights: mix_styles(paint, image, g, b, weights=weights.abs())
        ),
        "weights of 0 become equal shares: nothing but zeros is to be refused": _equal_shares,
        "another kind of error: `assert` raises AssertionError, a ValueError was asked for": _asserted,
        "the mean of the rows without weights": _mixed(lambda w: torch.full_like(w, 1 / len(w))),
        "the sum is divided by the number of styles, not by the sum of the weights": _mixed(lambda w: w / len(w)),
        "only β is mixed, γ is that of one style": (
            _mixed(passes=lambda paint, image, g, b, shares: paint(image, g[shares.argmax()], shares @ b))
        ),
        "the squares of the weights are the shares": _mixed(lambda w: w.square() / w.square().sum()),
        "all styles one after the other: each pass paints over the last": _mixed(passes=_chained),
        "+1e-3 or so in the denominator: small weights are a mixture, too": (
            _mixed(lambda w: w / (w.sum() + 1e-3)),
            _mixed(lambda w: w / (w.sum() + 1e-5)),
            _mixed(lambda w: w / (w.sum() + 1e-6)),
        ),
        "weights of 0 are refused: a style may have no part": _refusing(lambda w: bool((w <= 0).any())),
        "weights that do not sum to 1 are refused: only their ratios count": (
            _refusing(lambda w: abs(float(w.sum()) - 1) > 1e-4)
        ),
        "the images of all styles are summed: one pass with the mixture was asked for": _mixed(passes=_images_summed),
        "γ and β came back: paint with them": _mixed(passes=lambda paint, image, g, b, s: (s @ g, s @ b)),
        "all styles that take part count alike: their weights are their shares": _mixed(
            lambda w: w.sign() / w.sign().sum()
        ),
        "only one of γ and β is divided by the sum of the weights: both are weighted means": (
            _mixed(lambda w: w, lambda paint, image, g, b, w: paint(image, w @ g / w.sum(), w @ b)),
            _mixed(lambda w: w, lambda paint, image, g, b, w: paint(image, w @ g, w @ b / w.sum())),
        ),
    },
)
