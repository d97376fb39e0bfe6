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


@answers.wrong("the graph is lost")
def a_number(content_weight, content_current, content_original):
    return content_weight * ((content_current - content_original) ** 2).sum().item()


@answers.wrong("the graph is lost")
def detached(content_weight, content_current, content_original):
    return content_weight * ((content_current.detach() - content_original) ** 2).sum()
