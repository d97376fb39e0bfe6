import torch

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
