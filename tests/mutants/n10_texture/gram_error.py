import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_norms(found, target):
    return (torch.linalg.matrix_norm(found - target) / torch.linalg.matrix_norm(target)) ** 2


@answers.right
def by_flattening(found, target):
    return ((found - target).flatten(1) ** 2).sum(1) / (target.flatten(1) ** 2).sum(1)


@answers.right
def by_means(found, target):
    return torch.stack([(g - t).pow(2).mean() / t.pow(2).mean() for g, t in zip(found, target, strict=True)])


@answers.wrong("the square is missing")
def magnitudes(found, target):
    return (found - target).abs().flatten(1).sum(1) / target.abs().flatten(1).sum(1)


@answers.wrong("the square root")
def ratio(found, target):
    return torch.linalg.matrix_norm(found - target) / torch.linalg.matrix_norm(target)


@answers.wrong("norm of the target is not squared")
def half_squared(found, target):
    return torch.linalg.matrix_norm(found - target) ** 2 / torch.linalg.matrix_norm(target)


@answers.wrong("not divided by")
def absolute(found, target):
    return ((found - target) ** 2).sum((1, 2))


@answers.wrong("normalised twice")
def twice(found, target):
    return by_norms(found, target) / torch.linalg.matrix_norm(target) ** 2


@answers.wrong("divided by a sum")
def mixed(found, target):
    return ((found - target) ** 2).mean((1, 2)) / (target**2).sum((1, 2))


@answers.wrong("divided by the first matrix")
def other_unit(found, target):
    return (torch.linalg.matrix_norm(found - target) / torch.linalg.matrix_norm(found)) ** 2


@answers.wrong("its own target")
def each_entry(found, target):
    return (((found - target) / target) ** 2).mean((1, 2))


@answers.wrong("the lengths are compared")
def lengths(found, target):
    norm = torch.linalg.matrix_norm
    return (norm(found) - norm(target)) ** 2 / norm(target) ** 2


@answers.wrong("only the diagonal")
def energies(found, target):
    mine, theirs = (torch.diagonal(matrix, dim1=1, dim2=2) for matrix in (found, target))
    return ((mine - theirs) ** 2).sum(1) / (theirs**2).sum(1)


@answers.wrong("one number for the whole batch")
def all_together(found, target):
    return (((found - target) ** 2).sum() / (target**2).sum()).repeat(len(found))


@answers.wrong("no gradient reaches found")
def item(found, target):
    pairs = zip(found, target, strict=True)
    return torch.tensor([((g - t).square().sum() / t.square().sum()).item() for g, t in pairs])


@answers.wrong("lengths of the columns")
def columns(found, target):
    return (found - target).square().sum(1) / target.square().sum(1)


@answers.wrong("one number for the whole batch")
def scalar(found, target):
    return (found - target).square().sum() / target.square().sum()


@answers.wrong("in the denominator")
def eps(found, target):
    return (found - target).square().sum((1, 2)) / (target.square().sum((1, 2)) + 1e-3)


@answers.wrong("by both lengths")
def both(found, target):
    return (found - target).square().sum((1, 2)) / (target.norm(dim=(1, 2)) * found.norm(dim=(1, 2)))


@answers.wrong("no ½")
def half(found, target):
    return 0.5 * (found - target).square().sum((1, 2)) / target.square().sum((1, 2))


@answers.wrong("divided by a mean")
def sum_over_mean(found, target):
    return (found - target).square().sum((1, 2)) / target.square().mean((1, 2))


@answers.wrong("the mean over the batch")
def mean_of_batch(found, target):
    return ((found - target).square().sum((1, 2)) / target.square().sum((1, 2))).mean()


@answers.wrong("no gradient reaches found")
def no_grad(found, target):
    with torch.no_grad():
        return (found - target).square().sum((1, 2)) / target.square().sum((1, 2))


@answers.wrong("the largest entry")
def largest(found, target):
    return (found - target).square().sum((1, 2)) / target.flatten(1).abs().max(1).values ** 2


@answers.wrong("summed before squaring")
def square_of_sum(found, target):
    return (found - target).square().sum((1, 2)) / target.sum((1, 2)).square()


@answers.wrong("the difference of the squares")
def difference_of_squares(found, target):
    return (found.square() - target.square()).sum((1, 2)) / target.square().sum((1, 2))


@answers.wrong("the angle")
def angle(found, target):
    return 1 - F.cosine_similarity(found.flatten(1), target.flatten(1))


@answers.wrong("only one half")
def upper_half(found, target):
    return (found - target).triu().square().sum((1, 2)) / target.triu().square().sum((1, 2))


@answers.wrong("singular value")
def spectral(found, target):
    return torch.linalg.matrix_norm(found - target, 2) ** 2 / torch.linalg.matrix_norm(target, 2) ** 2


@answers.wrong("axes of length 1")
def kept_axes(found, target):
    return (found - target).square().sum((1, 2), keepdim=True) / target.square().sum((1, 2), keepdim=True)


@answers.wrong("not divided by")
def plain_mean(found, target):
    return (found - target).pow(2).mean((1, 2))


@answers.wrong("its own target")
def entry_by_entry_summed(found, target):
    return (found / target - 1).pow(2).sum((1, 2))
