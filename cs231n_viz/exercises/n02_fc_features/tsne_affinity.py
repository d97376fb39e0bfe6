"""The affinities of t-SNE in feature space."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def tsne_affinity(distances: Tensor, perplexity: float) -> Tensor:
    """Compute one row of t-SNE's affinities, p(j | i). Whom does t-SNE call a neighbour?

    Args:
        distances: (N - 1,), L2, from image i to every other image.
        perplexity: The effective number of neighbours, between 1 and N - 1.

    Returns:
        (N - 1,), p(j | i) = exp(-d_j² / 2σ²) / Σ_k exp(-d_k² / 2σ²), with the σ whose entropy H = -Σ p log2 p gives
        2^H = perplexity.
    """
    squared = distances.double().square()
    squared = (squared - squared.min()) / squared.mean().clamp_min(1e-30)  # no underflow; a shift cancels in p
    low, high = -30.0, 30.0  # of log(1 / 2σ²): halve the interval until it is small
    for _ in range(80):
        middle = (low + high) / 2
        p = torch.softmax(-squared * math.exp(middle), dim=0)
        effective = math.exp(torch.special.entr(p).sum())  # e^H with natural logarithms is 2^H with log2
        low, high = (middle, high) if effective > perplexity else (low, middle)  # too many: narrower
    return p


def _near(got: Any, expected: Tensor) -> bool:
    """Equal to three digits: a search need not go on for ever."""
    if not isinstance(got, Tensor) or got.shape != expected.shape or got.is_complex():
        return False
    return torch.allclose(got.detach().cpu().to_dense().double(), expected.double(), rtol=1e-3, atol=1e-4)


def _bits(p: Tensor) -> Tensor:
    return torch.special.entr(p).sum() / math.log(2)


def _search(
    energy: Callable[[Tensor], Tensor],
    *,
    measure: Callable[[Tensor], Tensor] = lambda p: 2 ** _bits(p),
    give: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda p, shifted, weights: p,
) -> Callable[[Tensor, float], Tensor]:
    """An answer with another energy of the distances, or another idea of perplexity."""

    def answer(distances: Tensor, perplexity: float) -> Tensor:
        values = energy(distances.double())
        low, high = -40.0, 40.0
        for _ in range(100):
            narrow = 2 ** ((low + high) / 2)
            weights = torch.exp(-(values - values.min()) * narrow)
            p = weights / weights.sum()
            low, high = ((low + high) / 2, high) if measure(p) > perplexity else (low, (low + high) / 2)
        return give(p, weights, torch.exp(-values * narrow))

    return answer


def _fixed(weights_of: Callable[[Tensor, float], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """An answer without a search."""

    def answer(distances: Tensor, perplexity: float) -> Tensor:
        weights = weights_of(distances.double(), perplexity)
        return weights / weights.sum()

    return answer


def _unshifted(dtype: torch.dtype) -> Callable[[Tensor, float], Tensor]:
    def answer(distances: Tensor, perplexity: float) -> Tensor:
        squared = distances.to(dtype).square()
        low, high = 1e-3, 100.0  # of sigma itself
        for _ in range(100):
            sigma = (low + high) / 2
            weights = torch.exp(-squared / (2 * sigma**2))
            p = weights / weights.sum()
            low, high = (low, sigma) if 2 ** _bits(p) > perplexity else (sigma, high)
        return p

    return answer


def _within(low: float, high: float | None = None) -> Callable[[Tensor, float], Tensor]:
    """The search for σ itself between two numbers, the upper one the largest distance if not given."""

    def answer(distances: Tensor, perplexity: float) -> Tensor:
        squared, ends = distances.double().square(), [low, high or float(distances.max())]
        for _ in range(60):
            sigma = sum(ends) / 2
            p = torch.softmax(-squared / (2 * sigma**2), dim=0)
            ends[2 ** _bits(p) > perplexity] = sigma
        return p

    return answer


def _bits_with_zeros(p: Tensor) -> Tensor:
    return -(p * p.log2()).sum()  # NaN where one of them is 0


def _flat(distances: Tensor, perplexity: float) -> Tensor:
    rank = distances.argsort().argsort()
    return (rank < round(perplexity)).double()


def _student_searched(distances: Tensor, perplexity: float) -> Tensor:
    squared = distances.double().square() / distances.double().square().mean()
    low, high = -40.0, 40.0
    for _ in range(100):
        weights = 1 / (1 + squared * 2 ** ((low + high) / 2))
        p = weights / weights.sum()
        low, high = ((low + high) / 2, high) if 2 ** _bits(p) > perplexity else (low, (low + high) / 2)
    return p


def _sigma_of(say: Callable[[Tensor], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """Two distances and their p give the width: log(p₁ / p₂) = (d₂² - d₁²) / 2σ²."""

    def answer(distances: Tensor, perplexity: float) -> Tensor:
        p, squared = _search(torch.square)(distances, perplexity), distances.double().square()
        near, far = squared.argmin(), squared.argmax()
        return say(((squared[far] - squared[near]) / (2 * (p[near] / p[far]).log())).sqrt())

    return answer


def _nearest_alone(distances: Tensor, perplexity: float) -> Tensor:
    return (distances == distances.min()).double()


def _affinity(title: str, distances: Tensor, p: Tensor) -> Check:
    """The perplexity is that of the expected p, which is a Gaussian of the distances."""
    return Check(title, {"distances": distances, "perplexity": float(2 ** _bits(p))}, p)


_STEPS = torch.tensor([1.0, 2.0, 3.0]).sqrt()  # squared distances 1, 2, 3
_HALVING = torch.tensor([4.0, 2.0, 1.0]) / 7  # each neighbour half as likely as the one before
_NEARLY_ALIKE = torch.tensor([1.0, 2 ** (-1 / 8), 2 ** (-1 / 4)]) / (1 + 2 ** (-1 / 8) + 2 ** (-1 / 4))
_FAR = 100 + torch.tensor([0.0, 1.0, 2.0, 3.0, 1344.0]) / 64  # without a rounding error
_SIX = torch.tensor([9.0, 1.0, 16.0, 4.0, 0.0, 25.0])
_EIGHTHS = (1 / 8.0) ** _SIX
_THIRDS = (1 / 3.0) ** (_SIX / 4)

ENTRY = Entry(
    name="tsne_affinity",
    reference=tsne_affinity,
    stars=3,
    minutes=20,
    hints=(
        "Given σ, p follows from the formula. How does the perplexity of p change as σ grows? Then σ can be found by "
        "halving an interval.",
        "In each of some 50 steps take the middle of the interval, `torch.softmax(-d² / (2σ²), dim=0)`, and "
        "2 ** -(p · log2 p).sum(). If that is above the perplexity, σ is too large: the middle becomes the new upper "
        "end, otherwise the lower. Scale the d² first, and keep log2(0) out.",
    ),
    checks=[
        _affinity("squared distances 1, 2, 3: each step halves p", _STEPS, _HALVING),
        _affinity("equal distances share alike", torch.full((4,), 3.0), torch.full((4,), 0.25)),
        _affinity("a perplexity of 1.4, nearly all for the nearest", _SIX.sqrt(), _EIGHTHS / _EIGHTHS.sum()),
        _affinity("six neighbours in any order", _SIX.sqrt(), _THIRDS / _THIRDS.sum()),
        _affinity("distances a thousand times as large give the same p", 1000 * _STEPS, _HALVING),
        _affinity("distances of a thousandth, and σ larger than all of them", _STEPS / 1000, _NEARLY_ALIKE),
        _affinity(
            "all are far away, one so far that its p is 0", _FAR, torch.softmax(-_FAR.double().square() / 6, dim=0)
        ),
    ],
    mistakes={
        "the distances are not squared: the Gaussian falls with d²": _search(lambda d: d),
        "the squares are squared again: `distances` are no squares yet, one square is enough": _search(lambda d: d**4),
        "the perplexity is used as σ: search for the σ that has this perplexity": (
            _fixed(lambda d, perplexity: torch.exp(-d.square() / (2 * perplexity**2))),
            _fixed(lambda d, perplexity: torch.exp(-d.square() / (2 * perplexity))),
            _fixed(lambda d, perplexity: torch.exp(-d.square() / perplexity)),
            _fixed(lambda d, perplexity: torch.exp(-d.square() / perplexity**2)),
            _fixed(lambda d, perplexity: torch.exp(-d.square() * perplexity)),
        ),
        "σ is taken from the distances, their mean, median or deviation: search for the σ that has the perplexity": (
            _fixed(lambda d, perplexity: torch.exp(-d.square() / (2 * d.mean() ** 2))),
            _fixed(lambda d, perplexity: torch.exp(-d.square() / (2 * d.median() ** 2))),
            _fixed(lambda d, perplexity: torch.exp(-d.square() / (2 * d.var().clamp_min(1e-12)))),
            _fixed(lambda d, perplexity: torch.exp(-d.square() / d.square().mean())),
            _fixed(lambda d, perplexity: torch.exp(-d.square() / d.mean() ** 2)),
        ),
        "the interval is halved on the wrong side: too many neighbours need a smaller σ, too few a larger one": (
            _fixed(lambda d, perplexity: torch.ones_like(d)),
            _nearest_alone,
        ),
        "one is added to the perplexity, or taken away: image i is not among its own neighbours": (
            lambda d, perplexity: _search(torch.square)(d, perplexity + 1),
            lambda d, perplexity: _search(torch.square)(d, perplexity - 1),
        ),
        "1 / Σ p² is another count of neighbours: perplexity is 2 to the entropy": (
            _search(torch.square, measure=lambda p: 1 / p.square().sum())
        ),
        "p is divided by 2 or by the number of images: one row of p(j | i) sums to 1": (
            lambda d, perplexity: _search(torch.square)(d, perplexity) / 2,
            lambda d, perplexity: _search(torch.square)(d, perplexity) / len(d),
            lambda d, perplexity: _search(torch.square)(d, perplexity) / (2 * len(d)),
            lambda d, perplexity: _search(torch.square)(d, perplexity) / (len(d) + 1),
        ),
        "the farthest images get the largest p: the exponent is minus d² / 2σ²": (
            lambda d, perplexity: _search(torch.square)(d.max() + d.min() - d, perplexity),
            _search(lambda d: -d.square()),
        ),
        "the heavy tail of the map, searched for its width: among the features p is a Gaussian": _student_searched,
        "the answer is σ, its square or 1 / 2σ²: the p that belong to it were asked for": (
            _sigma_of(lambda sigma: sigma),
            _sigma_of(lambda sigma: sigma**2),
            _sigma_of(lambda sigma: 1 / (2 * sigma**2)),
        ),
        "sorted: p stays in the order of the distances": (
            lambda d, perplexity: _search(torch.square)(d.sort().values, perplexity),
            lambda d, perplexity: _search(torch.square)(d.sort(descending=True).values, perplexity),
        ),
        "σ is 1 whatever the perplexity: search for the σ that has it": (
            _fixed(lambda d, perplexity: torch.exp(-d.square() / 2))
        ),
        "Student's t with its heavy tail: t-SNE uses that on the map, among the features it is a Gaussian": (
            _fixed(lambda d, perplexity: 1 / (1 + d.square()))
        ),
        "the nearest few share alike: p falls smoothly with the distance": _fixed(_flat),
        "the entropy itself is set to the perplexity: it is 2 to the entropy": (
            _search(torch.square, measure=_bits),
            _search(torch.square, measure=lambda p: torch.special.entr(p).sum()),
        ),
        "log and power have different bases: 2^H with log2, or e^H with the natural logarithm": (
            _search(torch.square, measure=lambda p: 2 ** torch.special.entr(p).sum()),
            _search(torch.square, measure=lambda p: _bits(p).exp()),
        ),
        "p does not sum to 1: divide by the sum": (
            _search(torch.square, give=lambda p, shifted, weights: shifted),
            _search(torch.square, give=lambda p, shifted, weights: weights),
        ),
        "1/p is what perplexity counts only where all p are equal: it is 2 to the entropy of them all": (
            _search(torch.square, measure=lambda p: 1 / p.amax())
        ),
        "exp of large numbers is 0, and 0 / 0 is NaN: subtract the smallest d² first, and let σ grow": (
            _unshifted(torch.float64),
            _unshifted(torch.float32),
        ),
        "0 · log 0 is NaN, and no comparison with NaN is true: leave out what is 0, or use torch.special.entr": (
            _search(torch.square, measure=lambda p: 2 ** _bits_with_zeros(p)),
            _search(lambda d: d.square().float(), measure=lambda p: 2 ** _bits_with_zeros(p)),
        ),
        "σ ends at a limit of the search: scale the distances first, or begin with a much wider interval": (
            _within(0.0, 1.0),
            _within(0.0),
            _within(0.0, 10.0),
            _within(0.0, 100.0),
            _within(1e-2, 1e6),
        ),
        "image i is counted among its neighbours: its own distance, 0, does not belong to the sums": (
            lambda d, perplexity: _search(torch.square)(torch.cat([torch.zeros(1), d]), perplexity)[1:]
        ),
    },
    same=_near,
)
