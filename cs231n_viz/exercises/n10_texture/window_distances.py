"""The distance of a window to every window of a sample (Efros–Leung)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import noise


def window_distances(sample: Tensor, window: Tensor, known: Tensor) -> Tensor:
    """Compare the known pixels of a window with every window of the sample, by Gaussian-weighted squared differences.

    Args:
        sample: (C, H, W), the texture.
        window: (C, w, w), w odd; anything may stand where it is not known.
        known: (w, w) bool, True for at least one pixel.

    Returns:
        (H - w + 1, W - w + 1): the mean over channels and known pixels of the squared difference, each pixel weighted
        by exp(-d² / 2σ²), d its distance from the middle and σ = w / 6.4. The weights of the known pixels sum to 1.
    """
    side = window.shape[-1]
    offset = torch.arange(side) - side // 2
    gauss = torch.exp(-offset.square() / (2 * (side / 6.4) ** 2))
    weights = torch.outer(gauss, gauss) * known
    weights = weights / weights.sum()
    windows = sample.unfold(1, side, 1).unfold(2, side, 1)  # (C, rows, columns, w, w)
    squares = (windows - window[:, None, None]).square().mean(dim=0)  # over the channels
    return (squares * weights).sum(dim=(-2, -1))


def _distances(
    *,
    masked: bool = True,
    gauss: Callable[[Tensor, float], Tensor] = lambda d, sigma: torch.exp(-d.square() / (2 * sigma**2)),
    middle: Callable[[int], float] = lambda side: side // 2,
    divisor: float = 6.4,
    sums_to: Callable[[Tensor, Tensor], Tensor | float] = lambda known, every: known.sum(),
    difference: Callable[[Tensor], Tensor] = torch.square,
    over: Callable[[Tensor], Tensor] = lambda squares: squares.mean(dim=0),
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def distances(sample: Tensor, window: Tensor, known: Tensor) -> Tensor:
        side = window.shape[-1]
        offset = torch.arange(side, dtype=torch.float32) - middle(side)
        every = torch.outer(gauss(offset, side / divisor), gauss(offset, side / divisor))
        weights = every * known if masked else every
        weights = weights / sums_to(weights, every)
        windows = sample.unfold(1, side, 1).unfold(2, side, 1)
        return (over(difference(windows - window[:, None, None])) * weights).sum(dim=(-2, -1))

    return distances


def _weighted_inside(sample: Tensor, window: Tensor, known: Tensor) -> Tensor:
    side = window.shape[-1]
    distance = (torch.arange(side) - side // 2).square()
    weights = torch.exp(-(distance[:, None] + distance) / (2 * (side / 6.4) ** 2)) * known
    windows = sample.unfold(1, side, 1).unfold(2, side, 1)
    return ((windows - window[:, None, None]) * weights / weights.sum()).square().mean(0).sum((-2, -1))


def _sum_of_gaussians(sample: Tensor, window: Tensor, known: Tensor) -> Tensor:
    side = window.shape[-1]
    gauss = torch.exp(-(torch.arange(side) - side // 2).square() / (2 * (side / 6.4) ** 2))
    weights = (gauss[:, None] + gauss) * known
    windows = sample.unfold(1, side, 1).unfold(2, side, 1)
    return ((windows - window[:, None, None]).square() * weights / weights.sum()).mean(0).sum((-2, -1))


def _compared(title: str, shape: tuple[int, int, int], rows: str) -> Check:
    """Window by window and pixel by pixel, in Python's floats; ``rows`` draws what is known, # for a known pixel."""
    known = [[mark == "#" for mark in row] for row in rows.split()]
    side, (channels, height, width) = len(known), shape
    sample, window = noise(*shape), noise(channels, side, side, seed=1)
    window = window.where(torch.tensor(known), 9.0)  # anything may stand where it is not known
    weights = {
        (i, j): math.exp(-((i - side // 2) ** 2 + (j - side // 2) ** 2) / (2 * (side / 6.4) ** 2))
        for i in range(side)
        for j in range(side)
        if known[i][j]
    }

    def distance(top: int, left: int) -> float:
        total = 0.0
        for (i, j), weight in weights.items():
            for c in range(channels):
                total += weight * (sample[c, top + i, left + j].item() - window[c, i, j].item()) ** 2
        return total / (channels * sum(weights.values()))

    expected = [[distance(top, left) for left in range(width - side + 1)] for top in range(height - side + 1)]
    return Check(title, {"sample": sample, "window": window, "known": torch.tensor(known)}, torch.tensor(expected))


ENTRY = Entry(
    name="window_distances",
    reference=window_distances,
    stars=2,
    minutes=15,
    checks=[
        _compared("grey, all pixels known", (1, 6, 7), "### ### ###"),
        _compared("only the upper half is known", (1, 8, 8), "##### ##### ..... ..... ....."),
        _compared("in colour, a corner is known", (3, 9, 7), "##... ##... ##... ..... ....."),
        _compared("one pixel is known, not that in the middle", (2, 6, 5), "... ..# ..."),
        _compared(
            "a window as large as the sample is high",
            (2, 7, 8),
            "####... ##..... ###..## #...... ####### ####... .###...",
        ),
    ],
    hints=(
        "For each place of the window: squared differences, a mean over the channels, then a weighted mean over the "
        "known pixels. The weights are the same at every place.",
        "`sample.unfold(1, w, 1).unfold(2, w, 1)` is (C, rows, columns, w, w); subtract `window[:, None, None]`. The "
        "weights are the outer product of exp(−d² / 2σ²) with itself, times `known`, divided by their sum. Sum over "
        "the last two axes.",
    ),
    mistakes={
        "pixels that are not known are compared too": _distances(masked=False),
        "all pixels weigh the same: the Gaussian is missing": _distances(gauss=lambda d, sigma: torch.ones_like(d)),
        "σ instead of σ² in the exponent": _distances(gauss=lambda d, sigma: torch.exp(-d.square() / (2 * sigma))),
        "the 2 in the exponent is missing": _distances(gauss=lambda d, sigma: torch.exp(-d.square() / sigma**2)),
        "the weights do not sum to 1": _distances(sums_to=lambda known, every: 1.0),
        "divided by the weights of all pixels, not of the known ones: the more is known, the further away": (
            _distances(sums_to=lambda known, every: every.sum())
        ),
        "the difference is not squared": _distances(difference=torch.abs),
        "summed over the channels; the mean was asked for": _distances(over=lambda squares: squares.sum(dim=0)),
        "channels are averaged before they are compared: two colours of the same grey look equal": (
            lambda sample, window, known: window_distances(sample.mean(0, True), window.mean(0, True), known)
        ),
        "the window is turned around: this is a convolution, a correlation was asked for": (
            lambda sample, window, known: window_distances(sample, window.flip(-2, -1), known)
        ),
        "the distance is measured from the corner: d is that from the middle": _distances(middle=lambda side: 0),
        "half a pixel off: of w pixels, w odd, number w // 2 is the middle": (
            _distances(middle=lambda side: side / 2),
            _distances(middle=lambda side: (side + 1) / 2),
        ),
        "another σ: w / 6.4 was asked for": (
            _distances(gauss=lambda d, sigma: torch.exp(-d.square() / (2 * (sigma // 1) ** 2))),
            _distances(divisor=6.0),
            _distances(divisor=3.2),
            _distances(divisor=12.8),
            lambda sample, window, known: _distances(divisor=window.shape[-1])(sample, window, known),
            lambda sample, window, known: _distances(divisor=window.shape[-1] / 6.4)(sample, window, known),
        ),
        "magnitude instead of square in the exponent": (
            _distances(gauss=lambda d, sigma: torch.exp(-d.abs() / (2 * sigma**2)))
        ),
        "divided by the number of known pixels, not by the sum of their weights": (
            _distances(sums_to=lambda known, every: (known > 0).sum())
        ),
        "the known and the unknown pixels are exchanged": (
            lambda sample, window, known: window_distances(sample, window, ~known)
        ),
        "the window is set to 0 where it is not known, and compared there all the same": (
            lambda sample, window, known: _distances(masked=False)(sample, window * known, known)
        ),
        "rows and columns of the result are exchanged": lambda *fed: window_distances(*fed).T,
        "rows and columns of the window are exchanged": (
            lambda sample, window, known: window_distances(sample, window.mT, known.mT),
            lambda sample, window, known: window_distances(sample, window.mT, known),
            lambda sample, window, known: window_distances(sample, window, known.mT),
        ),
        "one row and one column of places are missing: there are H - w + 1 and W - w + 1": (
            lambda *fed: window_distances(*fed)[:-1, :-1]
        ),
        "the square root is taken; squared differences were asked for": lambda *fed: window_distances(*fed).sqrt(),
        "the weights are inside the square": _weighted_inside,
        "the sample is padded: only windows that lie inside it count": lambda sample, window, known: window_distances(
            F.pad(sample, (window.shape[-1] // 2,) * 4), window, known
        ),
        "two Gaussians are added: exp(-(dx² + dy²) / 2σ²) is their product": _sum_of_gaussians,
        "the weights are divided by their largest, not by their sum": _distances(
            sums_to=lambda known, every: known.max()
        ),
        "the mean over the pixels on top of it: the weights already sum to 1": lambda sample, window, known: (
            window_distances(sample, window, known) / known.numel()
        ),
        "the sign is flipped: the most similar window has the smallest distance": lambda *fed: -window_distances(*fed),
    },
)
