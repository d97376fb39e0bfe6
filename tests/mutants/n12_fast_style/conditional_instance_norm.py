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
