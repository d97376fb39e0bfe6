"""The distance of a window to every window of a sample (Efros–Leung)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import pixels


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
    sums_to: Callable[[Tensor, Tensor], Tensor | float] = lambda known, every: known.sum(),
    difference: Callable[[Tensor], Tensor] = torch.square,
    over: Callable[[Tensor], Tensor] = lambda squares: squares.mean(dim=0),
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def distances(sample: Tensor, window: Tensor, known: Tensor) -> Tensor:
        side = window.shape[-1]
        offset = torch.arange(side, dtype=torch.float32) - side // 2
        every = torch.outer(gauss(offset, side / 6.4), gauss(offset, side / 6.4))
        weights = every * known if masked else every
        weights = weights / sums_to(weights, every)
        windows = sample.unfold(1, side, 1).unfold(2, side, 1)
        return (over(difference(windows - window[:, None, None])) * weights).sum(dim=(-2, -1))

    return distances


def _compared(title: str, shape: tuple[int, int, int], rows: str) -> Check:
    """Window by window and pixel by pixel, in Python's floats; ``rows`` draws what is known, # for a known pixel."""
    known = [[mark == "#" for mark in row] for row in rows.split()]
    side, (channels, height, width) = len(known), shape
    sample, window = pixels(*shape), pixels(channels, side, side).sqrt()
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
    ],
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
        "the square root is taken; squared differences were asked for": lambda *fed: window_distances(*fed).sqrt(),
    },
)
