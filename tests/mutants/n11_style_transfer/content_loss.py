import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_norm(content_weight, content_current, content_original):
    return content_weight * torch.norm(content_current - content_original) ** 2


@answers.right
def by_mse_sum(content_weight, content_current, content_original):
    return content_weight * functional.mse_loss(content_current, content_original, reduction="sum")


@answers.right
def by_dot(content_weight, content_current, content_original):
    gap = (content_current - content_original).flatten()
    return gap.dot(gap) * content_weight


@answers.wrong("the mean instead of the sum")
def by_mse(content_weight, content_current, content_original):
    return content_weight * functional.mse_loss(content_current, content_original)


@answers.wrong("magnitudes are summed")
def by_l1(content_weight, content_current, content_original):
    return content_weight * functional.l1_loss(content_current, content_original, reduction="sum")


@answers.wrong("differences of both signs cancel")
def unsquared(content_weight, content_current, content_original):
    return content_weight * torch.sum(content_current - content_original)


@answers.wrong("the square root was not asked for")
def the_norm(content_weight, content_current, content_original):
    return content_weight * (content_current - content_original).norm()


@answers.wrong("the weight is left out")
def unweighted(content_weight, content_current, content_original):
    return ((content_current - content_original) ** 2).sum()


@answers.wrong("the weight is inside the square")
def weighted_too_early(content_weight, content_current, content_original):
    return ((content_weight * (content_current - content_original)) ** 2).sum()


@answers.wrong("half of it")
def as_in_the_paper(content_weight, content_current, content_original):
    return 0.5 * content_weight * ((content_current - content_original) ** 2).sum()


@answers.wrong("a plain number came out")
def a_number(content_weight, content_current, content_original):
    return content_weight * ((content_current - content_original) ** 2).sum().item()


@answers.wrong("no gradient reaches content_current")
def detached(content_weight, content_current, content_original):
    return content_weight * ((content_current.detach() - content_original) ** 2).sum()


@answers.wrong("a quarter of it")
def quarter(content_weight, content_current, content_original):
    n = content_current[0].numel()
    return content_weight * ((content_current - content_original) ** 2).sum() / (4 * n)


@answers.wrong("relative to the content")
def relative(content_weight, content_current, content_original):
    return content_weight * ((content_current - content_original) ** 2).sum() / (content_original**2).sum()


@answers.wrong("a sum for each channel")
def per_channel(content_weight, content_current, content_original):
    return content_weight * ((content_current - content_original) ** 2).sum(dim=(0, 2, 3))


@answers.wrong("a sum for each channel")
def not_summed(content_weight, content_current, content_original):
    return content_weight * (content_current - content_original).pow(2)


@answers.wrong("squared before the difference")
def squares_first(content_weight, content_current, content_original):
    return content_weight * (content_current**2 - content_original**2).sum()


@answers.wrong("summed before squaring")
def square_last(content_weight, content_current, content_original):
    return content_weight * (content_current - content_original).sum() ** 2


@answers.wrong("the weight is added")
def plus(content_weight, content_current, content_original):
    return content_weight + ((content_current - content_original) ** 2).sum()


@answers.wrong("the sign is flipped")
def negative(content_weight, content_current, content_original):
    return -content_weight * ((content_current - content_original) ** 2).sum()


@answers.wrong("Gram matrices are compared")
def of_grams(content_weight, content_current, content_original):
    a, b = (x.flatten(2) @ x.flatten(2).mT / x[0, 0].numel() for x in (content_current, content_original))
    return content_weight * ((a - b) ** 2).sum()


@answers.wrong("no gradient reaches content_current")
def no_grad(content_weight, content_current, content_original):
    with torch.no_grad():
        return content_weight * ((content_current - content_original) ** 2).sum()


@answers.wrong("another power")
def fourth_power(content_weight, content_current, content_original):
    return content_weight * (content_current - content_original).pow(4).sum()


@answers.wrong("the product of the features")
def product(content_weight, content_current, content_original):
    return content_weight * (content_current * content_original).sum()


@answers.wrong("divided by the weight")
def over_weight(content_weight, content_current, content_original):
    return (content_current - content_original).square().sum() / content_weight


@answers.wrong("the largest difference")
def largest(content_weight, content_current, content_original):
    return content_weight * (content_current - content_original).square().max()


@answers.wrong("means over the positions")
def of_means(content_weight, content_current, content_original):
    return content_weight * (content_current.mean((2, 3)) - content_original.mean((2, 3))).square().sum()


@answers.wrong("a sum for each channel")
def one_entry(content_weight, content_current, content_original):
    return content_weight * (content_current - content_original).square().sum((1, 2, 3))
