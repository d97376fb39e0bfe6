import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_loops(x, *, eps=1e-5):
    made = torch.empty_like(x)
    for n, image in enumerate(x):
        for c, values in enumerate(image):
            made[n, c] = (values - values.mean()) / (((values - values.mean()) ** 2).mean() + eps) ** 0.5
    return made


@answers.right
def by_second_moments(x, *, eps=1e-5):
    rows = x.flatten(2)
    mean = rows.mean(2, keepdim=True)
    variance = (rows**2).mean(2, keepdim=True) - mean**2
    return ((rows - mean) * torch.rsqrt(variance + eps)).view_as(x)


@answers.right
def by_group_norm(x, *, eps=1e-5):
    return F.group_norm(x, x.shape[1], eps=eps)


@answers.wrong("this is batch norm")
def by_batch_norm(x, *, eps=1e-5):
    return F.batch_norm(x, None, None, training=True, eps=eps)


@answers.wrong("the statistics mix the channels")
def by_layer_norm(x, *, eps=1e-5):
    return F.layer_norm(x, x.shape[1:], eps=eps)


@answers.wrong("normalised over the channels at each position")
def over_channels(x, *, eps=1e-5):
    return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], eps=eps).permute(0, 3, 1, 2)


@answers.wrong("divided by n - 1")
def unbiased(x, *, eps=1e-5):
    return (x - x.mean((2, 3), keepdim=True)) / torch.sqrt(x.var((2, 3), keepdim=True) + eps)


@answers.wrong("eps stands outside the root")
def eps_outside(x, *, eps=1e-5):
    return (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), correction=0, keepdim=True) + eps)


@answers.wrong("divided by the variance")
def by_variance(x, *, eps=1e-5):
    return (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), correction=0, keepdim=True) + eps)


@answers.wrong("eps is left out")
def no_eps(x, *, eps=1e-5):
    return (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), correction=0, keepdim=True)


@answers.wrong("the mean is not taken away")
def not_centred(x, *, eps=1e-5):
    return x / torch.sqrt(x.var((2, 3), correction=0, keepdim=True) + eps)


@answers.wrong("the contrast is left")
def centred_only(x, *, eps=1e-5):
    return x - x.mean((2, 3), keepdim=True)


@answers.wrong("something works in place")
def in_place(x, *, eps=1e-5):
    x -= x.mean((2, 3), keepdim=True)
    return x / ((x**2).mean((2, 3), keepdim=True) + eps).sqrt()


@answers.wrong("rows or of columns")
def rows(x, *, eps=1e-5):
    return (x - x.mean(3, keepdim=True)) / (x.var(3, correction=0, keepdim=True) + eps).sqrt()


@answers.wrong("scaled to the range")
def range(x, *, eps=1e-5):
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return (x - low) / (high - low + eps)


@answers.wrong("for everything")
def everything(x, *, eps=1e-5):
    return (x - x.mean()) / (x.var(correction=0) + eps).sqrt()


@answers.wrong("mean magnitude")
def magnitude(x, *, eps=1e-5):
    x = x - x.mean((2, 3), keepdim=True)
    return x / (x.abs().mean((2, 3), keepdim=True) + eps)


@answers.wrong("the sign is flipped")
def flipped(x, *, eps=1e-5):
    return (x.mean((2, 3), keepdim=True) - x) / (x.var((2, 3), correction=0, keepdim=True) + eps).sqrt()


@answers.wrong("the sum of the squares")
def length(x, *, eps=1e-5):
    flat = x.flatten(2)
    flat = flat - flat.mean(2, keepdim=True)
    return (flat / (flat.pow(2).sum(2, keepdim=True) + eps).sqrt()).view_as(x)


@answers.wrong("the mean is still in it")
def second_moment(x, *, eps=1e-5):
    return (x - x.mean((2, 3), keepdim=True)) / (x.pow(2).mean((2, 3), keepdim=True) + eps).sqrt()


@answers.wrong("a fixed number")
def fixed_eps(x, *, eps=1e-5):
    return F.instance_norm(x)


@answers.wrong("no gradient reaches x")
def detached(x, *, eps=1e-5):
    return F.instance_norm(x.detach(), eps=eps)


@answers.wrong("mean and variance are detached")
def detached_statistics(x, *, eps=1e-5):
    mean = x.mean((2, 3), keepdim=True).detach()
    variance = x.var((2, 3), correction=0, keepdim=True).detach()
    return (x - mean) / (variance + eps).sqrt()


@answers.wrong("eps is added twice")
def eps_twice(x, *, eps=1e-5):
    return (x - x.mean((2, 3), keepdim=True)) / ((x.var((2, 3), correction=0, keepdim=True) + eps).sqrt() + eps)


@answers.right
def built_in(x, *, eps=1e-5):
    return F.instance_norm(x, eps=eps)


def mean_of(x):
    return x.mean((2, 3), keepdim=True)


def variance_of(x, c=0):
    return x.var((2, 3), correction=c, keepdim=True)


@answers.wrong("only the mean is divided")
def brackets(x, *, eps=1e-5):
    return x - mean_of(x) / (variance_of(x) + eps).sqrt()


@answers.wrong("the least deviation")
def least_deviation(x, *, eps=1e-5):
    return (x - mean_of(x)) / variance_of(x).sqrt().clamp(min=eps)


@answers.wrong("the variance is that of all")
def one_variance(x, *, eps=1e-5):
    return (x - mean_of(x)) / (x.var((1, 2, 3), correction=0)[:, None, None, None] + eps).sqrt()


@answers.wrong("the mean is that of all")
def one_mean(x, *, eps=1e-5):
    return (x - x.mean((1, 2, 3), keepdim=True)) / (variance_of(x) + eps).sqrt()


@answers.wrong("clipped to")
def clipped(x, *, eps=1e-5):
    return ((x - mean_of(x)) / (variance_of(x) + eps).sqrt()).clamp(-1, 1)


@answers.wrong("multiplied by the deviation")
def multiplied(x, *, eps=1e-5):
    return (x - mean_of(x)) * (variance_of(x) + eps).sqrt()


@answers.wrong("'float64' came out")
def in_double(x, *, eps=1e-5):
    return ((x - mean_of(x)) / (variance_of(x) + eps).sqrt()).double()


@answers.wrong("the least deviation")
def least_variance(x, *, eps=1e-5):
    return (x - mean_of(x)) / torch.sqrt(torch.clamp_min(variance_of(x), eps))
