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
