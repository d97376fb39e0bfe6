import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


def tall(rows):
    return rows.unsqueeze(2).unsqueeze(3)


@answers.right
def one_by_one(x, gamma, beta, styles, *, eps=1e-5):
    made = [
        F.instance_norm(x[n : n + 1], weight=gamma[k], bias=beta[k], eps=eps) for n, k in enumerate(styles.tolist())
    ]
    return torch.cat(made)


@answers.right
def by_choosing(x, gamma, beta, styles, *, eps=1e-5):
    chosen = F.one_hot(styles, len(gamma)).to(x.dtype)
    return tall(chosen @ gamma) * F.group_norm(x, x.shape[1], eps=eps) + tall(chosen @ beta)


@answers.right
def as_one_scale_and_shift(x, gamma, beta, styles, *, eps=1e-5):
    variance, mean = torch.var_mean(x, (2, 3), correction=0)
    scale = gamma[styles] / (variance + eps).sqrt()
    return x * tall(scale) + tall(beta[styles] - scale * mean)


@answers.wrong("the style of the first")
def first_style(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x, weight=gamma[styles[0]], bias=beta[styles[0]], eps=eps)


@answers.wrong("not normalised before")
def scaled_only(x, gamma, beta, styles, *, eps=1e-5):
    return x * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("the statistics mix the images")
def batch(x, gamma, beta, styles, *, eps=1e-5):
    return F.batch_norm(x, None, None, training=True, eps=eps) * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("β is missing")
def no_shift(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x, eps=eps) * tall(gamma[styles])


@answers.wrong("γ is missing")
def no_scale(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x, eps=eps) + tall(beta[styles])


@answers.wrong("the shift comes before the scale")
def shift_first(x, gamma, beta, styles, *, eps=1e-5):
    return tall(gamma[styles]) * (F.instance_norm(x, eps=eps) + tall(beta[styles]))


@answers.wrong("γ and β are swapped")
def swapped(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x, eps=eps) * tall(beta[styles]) + tall(gamma[styles])


@answers.wrong("1 + γ multiplies")
def one_more(x, gamma, beta, styles, *, eps=1e-5):
    normal = F.instance_norm(x, eps=eps)
    return normal + normal * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("divided by n - 1")
def unbiased(x, gamma, beta, styles, *, eps=1e-5):
    variance, mean = torch.var_mean(x, (2, 3), keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("mix the channels")
def layer(x, gamma, beta, styles, *, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], eps=eps) * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("rows or of columns")
def rows(x, gamma, beta, styles, *, eps=1e-5):
    normal = (x - x.mean(3, keepdim=True)) / (x.var(3, correction=0, keepdim=True) + eps).sqrt()
    return normal * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("left out or fixed")
def no_eps(x, gamma, beta, styles, *, eps=1e-5):
    normal = (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), correction=0, keepdim=True)
    return normal * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("left out or fixed")
def default_eps(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x) * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("outside the root")
def eps_outside(x, gamma, beta, styles, *, eps=1e-5):
    normal = (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), correction=0, keepdim=True) + eps)
    return normal * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("the contrast is left")
def centred(x, gamma, beta, styles, *, eps=1e-5):
    return (x - x.mean((2, 3), keepdim=True)) * tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("in the order of the table")
def in_order(x, gamma, beta, styles, *, eps=1e-5):
    rows = torch.arange(len(x)) % len(gamma)
    return F.instance_norm(x, eps=eps) * tall(gamma[rows]) + tall(beta[rows])


@answers.wrong("counted from 0")
def from_one(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x, eps=eps) * tall(gamma[styles - 1]) + tall(beta[styles - 1])


@answers.wrong("no gradient reaches gamma")
def detached(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x, eps=eps) * tall(gamma.detach()[styles]) + tall(beta[styles])


@answers.wrong("β is subtracted")
def minus(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x, eps=eps) * tall(gamma[styles]) - tall(beta[styles])


@answers.wrong("the mean of all styles")
def all_styles(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x, eps=eps) * gamma.mean(0)[:, None, None] + beta.mean(0)[:, None, None]


@answers.wrong("come before the normalisation")
def too_early(x, gamma, beta, styles, *, eps=1e-5):
    return F.instance_norm(x * tall(gamma[styles]) + tall(beta[styles]), eps=eps)


@answers.right
def built_in(x, gamma, beta, styles, *, eps=1e-5):
    return torch.addcmul(tall(beta[styles]), tall(gamma[styles]), F.instance_norm(x, eps=eps))


def mean(x):
    return x.mean((2, 3), keepdim=True)


def variance(x, c=0):
    return x.var((2, 3), correction=c, keepdim=True)


def normal(x, eps):
    return (x - mean(x)) / (variance(x) + eps).sqrt()


@answers.wrong("that of the first image")
def first_shift(x, gamma, beta, styles, *, eps=1e-5):
    return tall(gamma[styles]) * normal(x, eps) + tall(beta[styles[:1]])


@answers.wrong("the maps are added again")
def residual(x, gamma, beta, styles, *, eps=1e-5):
    return tall(gamma[styles]) * normal(x, eps) + tall(beta[styles]) + x


@answers.wrong("divided by γ")
def over_gamma(x, gamma, beta, styles, *, eps=1e-5):
    return normal(x, eps) / tall(gamma[styles]) + tall(beta[styles])


@answers.wrong("the sign of γ")
def unsigned_gamma(x, gamma, beta, styles, *, eps=1e-5):
    return tall(gamma[styles].abs()) * normal(x, eps) + tall(beta[styles])


@answers.wrong("read from the end")
def reversed_styles(x, gamma, beta, styles, *, eps=1e-5):
    return tall(gamma[styles.flip(0)]) * normal(x, eps) + tall(beta[styles.flip(0)])


@answers.wrong("the mean is not taken away")
def with_mean(x, gamma, beta, styles, *, eps=1e-5):
    return tall(gamma[styles]) * x / (variance(x) + eps).sqrt() + tall(beta[styles])


@answers.wrong("by the variance")
def over_variance(x, gamma, beta, styles, *, eps=1e-5):
    return tall(gamma[styles]) * (x - mean(x)) / (variance(x) + eps) + tall(beta[styles])


@answers.wrong("the styles are sorted")
def sorted_first(x, gamma, beta, styles, *, eps=1e-5):
    rows = torch.tensor(sorted(styles.tolist()))
    return gamma[rows][..., None, None] * F.instance_norm(x, eps=eps) + beta[rows][..., None, None]
