"""Texture synthesis pixel by pixel, by comparing neighbourhoods with those of a sample (Efros–Leung)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.deprecation import renamed
from cs231n_viz.texture.growth import Growing, Growth, Size, check_sample, check_side, check_size, check_tolerance

_SEED = 3  # side of the patch that growth starts from
_MOST_DIFFERENT = 0.3  # a match that is further away is refused ...
_LOOSEN = 1.1  # ... until a whole layer was refused; then the limit grows by this
_ROUNDING = 1e-12  # of a distance in float64; what is below is an exact match
_SMALLEST_BY_FFT = 13  # windows from this side on are compared by Fourier transforms, which take less time for them


def efros_leung(
    sample: Tensor, size: Size, window: int = 11, *, seed: int = 0, progress: bool = True, tolerance: float = 0.1
) -> Tensor:
    """Grow a texture pixel by pixel from a sample (Efros–Leung): can it be continued without any model of it?

    From a small patch the picture grows outwards. For each new pixel, the window around it is compared with every
    window of the sample, as far as it is filled; one of those that fit almost as well as the best is drawn, and the
    pixel in its middle is copied. The window is the one thing to choose: it must be larger than the largest element
    of the texture. Too small a window forgets the pattern, too large a one copies the sample.

    Args:
        sample: (3, h, w), RGB in [0, 1]; 64 x 64 holds most textures, if it shows several of their elements.
        size: Side of the picture to make, or (height, width); at least 3.
        window: Side of the window in pixels, odd, at least 3 and at most the sample's shorter side.
        seed: Random seed; the same seed gives the same picture.
        progress: Show a bar. The time grows with the number of pixels in both pictures and in the window.
        tolerance: Windows whose distance is within this share above the smallest may be drawn.

    Returns:
        (3, H, W); each of its pixels is a pixel of the sample.

    Raises:
        ValueError: If the sample is no picture in [0, 1] or smaller than the window, or the window is even.

    Source: Efros & Leung, "Texture synthesis by non-parametric sampling", ICCV 1999, with the constants of the
        authors' pseudocode: weights Gaussian with sigma = window / 6.4, tolerance 0.1, matches further than 0.3 refused
        until none is left nearer. Differences are squared, weighted, averaged over colours and known pixels.
    Differs from the paper: colour instead of grey; windows that leave the sample are not compared. Pixels of one
        layer whose windows do not see each other are matched together, which changes the time and not the result.
    """
    return grow_efros_leung(sample, size, window, seed=seed, progress=progress, tolerance=tolerance).image


def grow_efros_leung(
    sample: Tensor, size: Size, window: int = 11, *, seed: int = 0, progress: bool = True, tolerance: float = 0.1
) -> Growing:
    """Grow a texture as :func:`efros_leung` does, to be watched: the picture after every layer of pixels.

    Arguments and exceptions are those of :func:`efros_leung`.

    Returns:
        The growth; its first stage is the patch that all starts from.
    """
    sample = check_sample(sample)
    sides = check_size(size, _SEED, why=f"growth starts from {_SEED}x{_SEED} pixels")
    check_tolerance(tolerance)
    check_side("window", window, sample, least=_SEED, odd=True)
    settings = {"method": "efros_leung", "size": size, "window": window, "tolerance": tolerance, "seed": seed}
    stages = _grow(sample, _Matcher(sample, sides, window=window, tolerance=tolerance), np.random.default_rng(seed))
    layers = -(-(max(sides) - _SEED) // 2)
    return Growing(stages, 1 + layers, settings=settings, progress=progress)


efros_leung_steps = renamed(grow_efros_leung, "efros_leung_steps")


def _grow(sample: Tensor, matcher: "_Matcher", random: np.random.Generator) -> Iterator[Growth]:
    matcher.fill(*_patch(matcher.origins.shape, sample.shape, random))
    yield Growth.of(sample, matcher.origins)
    limit = _MOST_DIFFERENT
    while (matcher.origins < 0).any():
        places = _layer(matcher.origins[..., 0] >= 0, random)
        draws = random.random(len(places))
        filled = 0
        with _one_core():
            for batch in _independent(places, matcher.window):
                origins, distances = matcher.match(places[batch], draws[batch.numpy()])
                near = distances < limit
                matcher.fill(places[batch][near], origins[near])
                filled += int(near.sum())
        if not filled:
            limit *= _LOOSEN
        yield Growth.of(sample, matcher.origins)


@contextmanager
def _one_core() -> Iterator[None]:
    """Use one thread: for matrix products as small as these, threads wait for each other longer than they work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _patch(picture: Sequence[int], sample: Sequence[int], random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The pixels in the middle of the picture (H, W, 2), and those of the sample (3, h, w) that are put there."""
    patch = torch.cartesian_prod(torch.arange(_SEED), torch.arange(_SEED))
    middle = torch.tensor([(side - _SEED) // 2 for side in picture[:2]])
    return patch + middle, patch + torch.tensor([random.integers(side - _SEED + 1) for side in sample[1:]])


def _layer(filled: Tensor, random: np.random.Generator) -> Tensor:
    """Empty pixels beside filled ones, (n, 2), by decreasing number of filled neighbours, at random among equals."""
    neighbours = F.conv2d(filled[None, None].float(), torch.ones(1, 1, 3, 3), padding=1)[0, 0]
    places = torch.nonzero((neighbours > 0) & ~filled)
    places = places[torch.from_numpy(random.permutation(len(places)))]
    counts = neighbours[places[:, 0], places[:, 1]]
    return places[torch.argsort(counts, descending=True, stable=True)]


def _independent(places: Tensor, window: int) -> list[Tensor]:
    """Batches of these places; matched one after the other, they give what matching each place in turn gives.

    A place waits for those before it that its window can see, and only for those.
    """
    turns = np.zeros((places.amax(0) + window).tolist(), np.int32)  # 0: not in the list, or it comes later
    batches: list[list[int]] = []
    for index, (row, col) in enumerate(places.tolist()):
        turn = int(turns[row : row + window, col : col + window].max())
        turns[row + window // 2, col + window // 2] = turn + 1
        if turn == len(batches):
            batches.append([])
        batches[turn].append(index)
    return [torch.tensor(batch) for batch in batches]


class _Matcher:
    """All windows of the sample, beside the picture that grows."""

    def __init__(self, sample: Tensor, sides: tuple[int, int], *, window: int, tolerance: float) -> None:
        self.window, self.tolerance = window, tolerance
        grey = bool((sample[1:] == sample[:1]).all())  # then one channel is enough
        self._sample = sample[: 1 if grey else 3].double()
        terms = torch.cat([self._sample.square().sum(0, keepdim=True), self._sample])  # s² over all channels, and s
        self._rows, self._columns = (side - window + 1 for side in self._sample.shape[1:])
        self._spectra = self._bank = None
        if window >= _SMALLEST_BY_FFT:
            self._spectra = torch.fft.rfft2(terms)
        else:  # one column for each window
            windows = terms.unfold(1, window, 1).unfold(2, window, 1).permute(0, 3, 4, 1, 2)
            self._bank = windows.reshape(-1, self._rows * self._columns)
        offsets = torch.arange(window) - window // 2
        gauss = torch.exp(-offsets.double().square() / (2 * (window / 6.4) ** 2))
        self._weights = torch.outer(gauss, gauss).flatten()
        self.origins = torch.full((*sides, 2), -1)
        # Colours and, last, whether they are known; a margin of unknown ones goes round the picture.
        self._picture = torch.zeros(len(self._sample) + 1, *(side + window - 1 for side in sides), dtype=torch.double)

    def fill(self, places: Tensor, origins: Tensor) -> None:
        """Copy pixels of the sample, (n, 2), to places in the picture, (n, 2)."""
        self.origins[places[:, 0], places[:, 1]] = origins
        rows, cols = (places + self.window // 2).unbind(1)
        self._picture[:-1, rows, cols] = self._sample[:, origins[:, 0], origins[:, 1]]
        self._picture[-1, rows, cols] = 1

    def match(self, places: Tensor, draws: np.ndarray) -> tuple[Tensor, Tensor]:
        """For each place, (n, 2), a pixel of the sample, (n, 2), with similar surroundings, and their distance, (n,).

        ``draws``, (n,) in [0, 1), choose among the candidates.
        """
        distances = self._distances(places)
        candidates = distances <= distances.min(1, keepdims=True) * (1 + self.tolerance) + _ROUNDING
        ranks = candidates.cumsum(1)
        chosen = (ranks > (draws * ranks[:, -1])[:, None]).argmax(1)
        origins = np.stack(np.divmod(chosen, self._columns), axis=1) + self.window // 2
        return torch.from_numpy(origins), torch.from_numpy(distances[np.arange(len(places)), chosen])

    def _distances(self, places: Tensor) -> np.ndarray:
        """(n, P): mean squared difference to every window over known pixels, weighted by nearness to the middle."""
        views = self._picture.unfold(1, self.window, 1).unfold(2, self.window, 1)
        *colours, known = views[:, places[:, 0], places[:, 1]].flatten(2)  # each (n, window²)
        weights = known * self._weights
        weights /= weights.sum(1, keepdim=True) * len(colours)
        weighted = [colour * weights for colour in colours]
        # sum w (s - t)² = sum w s² - 2 sum (w t) s + sum w t²: the first two are one product for all windows
        products = self._products(torch.stack([weights, *(-2 * colour for colour in weighted)], dim=1))
        squares = sum((colour * values).sum(1) for colour, values in zip(colours, weighted, strict=True))
        return np.maximum(products.numpy() + squares.numpy()[:, None], 0)

    def _products(self, factors: Tensor) -> Tensor:
        """(n, 1 + C, window²) -> (n, P): the sum over each window of the sample of s² and s, times these factors."""
        if self._bank is not None:
            return factors.flatten(1) @ self._bank
        size = self._sample.shape[1:]
        spectra = torch.fft.rfft2(factors.unflatten(2, (self.window, self.window)), s=size)
        correlation = torch.fft.irfft2((spectra.conj() * self._spectra).sum(1), s=size)
        return correlation[:, : self._rows, : self._columns].flatten(1)  # what is beyond goes round the sample's border
