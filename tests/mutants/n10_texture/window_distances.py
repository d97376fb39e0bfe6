import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


def gaussian(side, power=2.0, scale=2.0):
    sigma = side / 6.4
    rows, columns = np.mgrid[:side, :side] - side // 2
    return torch.tensor(np.exp(-(rows**2 + columns**2) / (scale * sigma**power)), dtype=torch.float32)


def slide(sample, side, one):
    height, width = sample.shape[1] - side + 1, sample.shape[2] - side + 1
    rows = [[one(sample[:, i : i + side, j : j + side]) for j in range(width)] for i in range(height)]
    return torch.tensor(rows)


@answers.right
def by_loops(sample, window, known):
    side = window.shape[1]
    weights = gaussian(side) * known
    return slide(sample, side, lambda part: ((part - window) ** 2 * weights).sum() / weights.sum() / len(sample))


@answers.right
def by_correlations(sample, window, known):
    weights = gaussian(window.shape[1]) * known
    weights = weights / weights.sum() / len(sample)
    sample, window = sample.double(), window.double()
    kernel = weights.double().expand(1, *window.shape)
    squares = F.conv2d(sample[None] ** 2, kernel)
    cross = F.conv2d(sample[None], kernel * window)
    return (squares - 2 * cross + (kernel * window**2).sum())[0, 0].float()


@answers.right
def by_columns(sample, window, known):
    side = window.shape[1]
    weights = (gaussian(side) * known).flatten()
    columns = F.unfold(sample[None], side)[0].view(len(sample), side * side, -1)
    off = columns - window.flatten(1)[..., None]
    distances = torch.einsum("csp,s->p", off * off, weights) / (len(sample) * weights.sum())
    return distances.view(sample.shape[1] - side + 1, -1)


@answers.wrong("not known are compared")
def unmasked(sample, window, known):
    return by_loops(sample, window, torch.ones_like(known))


@answers.wrong("the Gaussian is missing")
def box(sample, window, known):
    weights = known.float()
    return slide(sample, window.shape[1], lambda part: ((part - window) ** 2 * weights).mean(0).sum() / weights.sum())


@answers.wrong("σ instead of σ²")
def sigma_once(sample, window, known):
    weights = gaussian(window.shape[1], power=1) * known
    return slide(sample, window.shape[1], lambda part: ((part - window) ** 2 * weights).mean(0).sum() / weights.sum())


@answers.wrong("the 2 in the exponent")
def narrow(sample, window, known):
    weights = gaussian(window.shape[1], scale=1) * known
    return slide(sample, window.shape[1], lambda part: ((part - window) ** 2 * weights).mean(0).sum() / weights.sum())


@answers.wrong("do not sum to 1")
def not_normalised(sample, window, known):
    weights = gaussian(window.shape[1]) * known
    return slide(sample, window.shape[1], lambda part: ((part - window) ** 2 * weights).mean(0).sum())


@answers.wrong("the more is known")
def over_all_weights(sample, window, known):
    weights = gaussian(window.shape[1])
    return slide(
        sample, window.shape[1], lambda part: ((part - window) ** 2 * weights * known).mean(0).sum() / weights.sum()
    )


@answers.wrong("not squared")
def magnitudes(sample, window, known):
    weights = gaussian(window.shape[1]) * known
    return slide(sample, window.shape[1], lambda part: ((part - window).abs() * weights).mean(0).sum() / weights.sum())


@answers.wrong("summed over the channels")
def every_channel(sample, window, known):
    return len(sample) * by_loops(sample, window, known)


@answers.wrong("two colours of the same grey")
def in_grey(sample, window, known):
    return by_loops(sample.mean(0)[None], window.mean(0)[None], known)


@answers.wrong("turned around")
def flipped(sample, window, known):
    return by_loops(sample, torch.flip(window, [1, 2]), known)


@answers.wrong("the square root")
def rooted(sample, window, known):
    return torch.sqrt(by_loops(sample, window, known))


def compare(sample, window, weights):
    windows = sample.unfold(1, window.shape[1], 1).unfold(2, window.shape[1], 1)
    return ((windows - window[:, None, None]) ** 2 * weights).mean(0).sum((-2, -1))


def bell(side, middle, sigma):
    d = torch.arange(side) - middle
    g = torch.exp(-(d**2) / (2 * sigma**2))
    return g[:, None] * g


@answers.wrong("from the corner")
def corner(sample, window, known):
    w = bell(window.shape[1], 0, window.shape[1] / 6.4) * known
    return compare(sample, window, w / w.sum())


@answers.wrong("another σ")
def sigma(sample, window, known):
    w = bell(window.shape[1], window.shape[1] // 2, 6.4) * known
    return compare(sample, window, w / w.sum())


@answers.wrong("another σ")
def sigma_six(sample, window, known):
    w = bell(window.shape[1], window.shape[1] // 2, window.shape[1] / 6) * known
    return compare(sample, window, w / w.sum())


@answers.wrong("the number of known pixels")
def count(sample, window, known):
    w = bell(window.shape[1], window.shape[1] // 2, window.shape[1] / 6.4) * known
    return compare(sample, window, w / known.sum())


@answers.wrong("set to 0 where")
def zeroed(sample, window, known):
    w = bell(window.shape[1], window.shape[1] // 2, window.shape[1] / 6.4)
    return compare(sample, window * known, w / w.sum())


@answers.wrong("columns of the result")
def transposed(sample, window, known):
    w = bell(window.shape[1], window.shape[1] // 2, window.shape[1] / 6.4) * known
    return compare(sample, window, w / w.sum()).T


@answers.wrong("are missing")
def too_few(sample, window, known):
    w = bell(window.shape[1], window.shape[1] // 2, window.shape[1] / 6.4) * known
    return compare(sample[:, :-1, :-1], window, w / w.sum())


@answers.wrong("columns of the window")
def mask_transposed(sample, window, known):
    w = bell(window.shape[1], window.shape[1] // 2, window.shape[1] / 6.4) * known.T
    return compare(sample, window, w / w.sum())


@answers.wrong("magnitude instead of square")
def linear_exponent(sample, window, known):
    d = (torch.arange(window.shape[1]) - window.shape[1] // 2).abs()
    g = torch.exp(-d / (2 * (window.shape[1] / 6.4) ** 2))
    w = g[:, None] * g * known
    return compare(sample, window, w / w.sum())


@answers.wrong("unknown pixels are exchanged")
def exchanged(sample, window, known):
    w = bell(window.shape[1], window.shape[1] // 2, window.shape[1] / 6.4) * ~known
    return compare(sample, window, w / w.sum())


def gaussian_of(window, s=None):
    n = window.shape[1]
    d = torch.arange(n) - n // 2
    s = s or n / 6.4
    return torch.outer(torch.exp(-(d**2) / (2 * s**2)), torch.exp(-(d**2) / (2 * s**2)))


def all_windows(sample, n):
    return sample.unfold(1, n, 1).unfold(2, n, 1)


@answers.wrong("the weights are inside")
def weights_inside(sample, window, known):
    w = gaussian_of(window) * known
    return ((all_windows(sample, window.shape[1]) - window[:, None, None]) * w / w.sum()).square().mean(0).sum((-1, -2))


@answers.wrong("the sign is flipped")
def similarity(sample, window, known):
    w = gaussian_of(window) * known
    return (
        -((all_windows(sample, window.shape[1]) - window[:, None, None]).square() * (w / w.sum())).mean(0).sum((-1, -2))
    )


@answers.wrong("by their largest")
def over_the_largest(sample, window, known):
    w = gaussian_of(window) * known
    return (
        ((all_windows(sample, window.shape[1]) - window[:, None, None]).square() * (w / w.max())).mean(0).sum((-1, -2))
    )


@answers.wrong("the mean over the pixels")
def mean_on_top(sample, window, known):
    w = gaussian_of(window) * known
    return ((all_windows(sample, window.shape[1]) - window[:, None, None]).square() * (w / w.sum())).mean((0, -1, -2))


@answers.wrong("the sample is padded")
def padded(sample, window, known):
    n = window.shape[1]
    p = F.pad(sample[None], (n // 2,) * 4)[0]
    w = gaussian_of(window) * known
    return ((all_windows(p, n) - window[:, None, None]).square() * (w / w.sum())).mean(0).sum((-1, -2))


@answers.wrong("two Gaussians")
def two_gaussians(sample, window, known):
    n = window.shape[1]
    d = torch.arange(n) - n // 2
    g = torch.exp(-(d**2) / (2 * (n / 6.4) ** 2))
    w = (g[:, None] + g) * known
    return ((all_windows(sample, n) - window[:, None, None]).square() * (w / w.sum())).mean(0).sum((-1, -2))


@answers.wrong("half a pixel off")
def half_a_pixel_off(sample, window, known):
    w = window.shape[1]
    at = torch.arange(w) - w / 2
    weights = torch.exp(-(at[:, None] ** 2 + at**2) / (2 * (w / 6.4) ** 2)) * known
    gaps = sample.unfold(1, w, 1).unfold(2, w, 1) - window[:, None, None]
    return (gaps.square() * weights).mean(0).sum((2, 3)) / weights.sum()


@answers.wrong("another σ")
def whole_sigma(sample, window, known):
    w = window.shape[1]
    at = torch.arange(w) - w // 2
    weights = torch.exp(-(at[:, None] ** 2 + at**2) / (2 * (w // 6.4) ** 2)) * known
    gaps = sample.unfold(1, w, 1).unfold(2, w, 1) - window[:, None, None]
    return (gaps.square() * weights).mean(0).sum((2, 3)) / weights.sum()
