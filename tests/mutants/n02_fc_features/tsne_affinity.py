import math

import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def entropy(p):
    """In bits."""
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def bisect(kernel, perplexity, effective=lambda p: 2 ** entropy(p)):
    """The p whose effective number is the perplexity; ``kernel(beta)`` gives p, narrower for larger beta."""
    beta, low, high = 1.0, 0.0, math.inf
    for _ in range(300):
        if effective(kernel(beta)) > perplexity:
            low, beta = beta, (2 * beta if high == math.inf else (beta + high) / 2)
        else:
            high, beta = beta, (low + beta) / 2
    return kernel(beta)


def gaussian(energies, normalise=True):
    def kernel(beta):
        weights = np.exp(-(energies - energies.min()) * beta)
        return weights / weights.sum() if normalise else weights

    return kernel


def doubles(distances):
    return distances.numpy().astype(float)


@answers.right
def by_doubling_and_halving(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(doubles(distances) ** 2), perplexity))


@answers.right
def by_natural_logarithms(distances, perplexity):
    def effective(p):
        p = p[p > 0]
        return math.exp(-(p * np.log(p)).sum())

    return torch.from_numpy(bisect(gaussian(doubles(distances) ** 2), perplexity, effective))


@answers.right
def by_a_root_finder(distances, perplexity):
    from scipy.optimize import brentq

    squared = doubles(distances) ** 2
    squared = (squared - squared.min()) / squared.max()

    def p(log_beta):
        weights = np.exp(-squared * math.exp(log_beta))
        return weights / weights.sum()

    if squared.max() == 0:
        return torch.from_numpy(p(0))
    best = brentq(lambda log_beta: entropy(p(log_beta)) - math.log2(perplexity), -20, 8, xtol=1e-12)
    return torch.from_numpy(p(best)).float()


@answers.right
def over_sigma_itself(distances, perplexity):
    squared = distances.double() ** 2
    low, high = 1e-9, 1e9
    for _ in range(400):
        sigma = math.sqrt(low * high)
        p = torch.softmax(-squared / (2 * sigma**2), dim=0)
        if 2 ** entropy(p.numpy()) > perplexity:
            high = sigma
        else:
            low = sigma
    return p


@answers.wrong("the distances are not squared")
def plain_distances(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(doubles(distances)), perplexity))


@answers.wrong("the squares are squared again")
def fourth_power(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(doubles(distances) ** 4), perplexity))


@answers.wrong("the perplexity is used as σ")
def perplexity_as_sigma(distances, perplexity):
    return torch.softmax(-(distances**2) / (2 * perplexity**2), dim=0)


@answers.wrong("σ is 1 whatever the perplexity")
def standard_normal(distances, perplexity):
    return torch.softmax(-(distances**2) / 2, dim=0)


@answers.wrong("Student's t")
def student(distances, perplexity):
    weights = 1 / (1 + distances**2)
    return weights / weights.sum()


@answers.wrong("the nearest few share alike")
def uniform_over_nearest(distances, perplexity):
    p = torch.zeros(len(distances))
    p[distances.argsort()[: round(perplexity)]] = 1 / round(perplexity)
    return p


@answers.wrong("the entropy itself is set to the perplexity")
def entropy_is_perplexity(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(doubles(distances) ** 2), perplexity, entropy))


@answers.wrong("the entropy itself is set to the perplexity")
def natural_entropy_is_perplexity(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(doubles(distances) ** 2), perplexity, lambda p: entropy(p) * math.log(2)))


@answers.wrong("log and power have different bases")
def two_to_the_natural(distances, perplexity):
    return torch.from_numpy(
        bisect(gaussian(doubles(distances) ** 2), perplexity, lambda p: 2 ** (entropy(p) * math.log(2)))
    )


@answers.wrong("log and power have different bases")
def e_to_the_bits(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(doubles(distances) ** 2), perplexity, lambda p: math.exp(entropy(p))))


@answers.wrong("p does not sum to 1")
def never_normalised(distances, perplexity):
    squared = doubles(distances) ** 2
    return torch.from_numpy(bisect(gaussian(squared, normalise=False), perplexity, lambda w: 2 ** entropy(w / w.sum())))


@answers.wrong("where all p are equal")
def inverse_of_the_largest(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(doubles(distances) ** 2), perplexity, lambda p: 1 / p.max()))


@answers.wrong("0 / 0 is NaN")
def sigma_within_a_hundred(distances, perplexity):
    low, high = 0.01, 100.0
    for _ in range(200):
        sigma = (low + high) / 2
        weights = torch.exp(-(distances.double() ** 2) / (2 * sigma**2))
        p = weights / weights.sum()
        if 2 ** -(p * torch.log2(p.clamp_min(1e-300))).sum() > perplexity:
            high = sigma
        else:
            low = sigma
    return p


@answers.wrong("something works in place")
def squares_in_place(distances, perplexity):
    distances.square_()
    return torch.from_numpy(bisect(gaussian(doubles(distances)), perplexity))


@answers.right
def by_newton(distances, perplexity):
    squared = distances.double() ** 2
    squared = (squared - squared.min()) / squared.max()
    low, high = 1e-9, 1e9
    while high / low > 1 + 1e-9:
        beta = (low * high) ** 0.5
        p = torch.softmax(-beta * squared, 0)
        if torch.exp(torch.distributions.Categorical(p).entropy()) > perplexity:
            low = beta
        else:
            high = beta
    return p.float()


@answers.wrong("the perplexity is used as σ")
def temperature(distances, perplexity):
    return torch.softmax(-(distances**2) / perplexity, dim=0)


@answers.wrong("mean, median or deviation")
def median_as_sigma(distances, perplexity):
    return torch.softmax(-(distances**2) / (2 * distances.median() ** 2), dim=0)


@answers.wrong("halved on the wrong side")
def runs_away(distances, perplexity):
    squared = doubles(distances) ** 2
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        weights = np.exp(-(squared - squared.min()) / squared.mean() * 2**middle)
        p = weights / weights.sum()
        if 2 ** entropy(p) > perplexity:
            high = middle
        else:
            low = middle
    return torch.from_numpy(p)


@answers.wrong("another count of neighbours")
def inverse_simpson(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(doubles(distances) ** 2), perplexity, lambda p: 1 / (p**2).sum()))


@answers.wrong("by 2 or by the number of images")
def symmetrised(distances, perplexity):
    p = by_doubling_and_halving(distances, perplexity)
    return p / (2 * len(p))


@answers.wrong("the farthest images")
def upside_down(distances, perplexity):
    return torch.from_numpy(bisect(gaussian(-(doubles(distances) ** 2)), perplexity))


@answers.wrong("searched for its width")
def wide_student(distances, perplexity):
    squared = doubles(distances) ** 2

    def kernel(beta):
        weights = 1 / (1 + beta * squared / squared.mean())
        return weights / weights.sum()

    return torch.from_numpy(bisect(kernel, perplexity))


@answers.wrong("the answer is σ")
def the_width(distances, perplexity):
    squared = distances.double() ** 2
    low, high = 1e-9, 1e9
    for _ in range(400):
        sigma = math.sqrt(low * high)
        if 2 ** entropy(torch.softmax(-squared / (2 * sigma**2), dim=0).numpy()) > perplexity:
            high = sigma
        else:
            low = sigma
    return sigma


@answers.wrong("in the order of the distances")
def nearest_first(distances, perplexity):
    return by_doubling_and_halving(distances.sort().values, perplexity)


@answers.wrong("one is added to the perplexity")
def itself_counted(distances, perplexity):
    return by_doubling_and_halving(distances, perplexity + 1)


@answers.wrong("0 / 0 is NaN")
def plain_exp_in_float32(distances, perplexity):
    low, high = 0.0, 10 * float(distances.max())
    for _ in range(80):
        sigma = (low + high) / 2
        weights = (-(distances**2) / (2 * sigma**2)).exp()
        p = weights / weights.sum()
        if 2 ** -(p * (p + 1e-12).log2()).sum() > perplexity:
            high = sigma
        else:
            low = sigma
    return p


@answers.wrong("0 · log 0")
def zeros_in_the_entropy(distances, perplexity):
    low, high = 1e-6, 1e6
    for _ in range(100):
        sigma = math.sqrt(low * high)
        p = torch.softmax(-distances.square() / (2 * sigma**2), 0)
        if 2 ** -(p * torch.log2(p)).sum() > perplexity:
            high = sigma
        else:
            low = sigma
    return p


def sigma_between(low, high, distances, perplexity):
    for _ in range(100):
        sigma = (low + high) / 2
        p = torch.softmax(-(distances.double() ** 2) / (2 * sigma * sigma), 0)
        low, high = (low, sigma) if 2 ** entropy(p.numpy()) > perplexity else (sigma, high)
    return p


@answers.wrong("a limit of the search")
def sigma_below_one(distances, perplexity):
    return sigma_between(0.0, 1.0, distances, perplexity)


@answers.wrong("a limit of the search")
def sigma_below_the_largest_distance(distances, perplexity):
    return sigma_between(0.0, distances.max().item(), distances, perplexity)


@answers.wrong("among its neighbours: its own distance")
def with_itself(distances, perplexity):
    all_distances = np.concatenate([[0.0], doubles(distances)])
    return torch.from_numpy(bisect(gaussian(all_distances**2), perplexity)[1:])


@answers.wrong("p does not sum to 1")
def weights_alone(distances, perplexity):
    beta = math.log(
        by_doubling_and_halving(distances, perplexity).amax() / by_doubling_and_halving(distances, perplexity).amin()
    )
    squared = doubles(distances) ** 2
    return torch.from_numpy(np.exp(-squared * beta / max(np.ptp(squared), 1e-300)))
