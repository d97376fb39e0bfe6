import torch

from tests.mutants import Answers

answers = Answers()


def largest(change):
    return change.abs().flatten(1).max(dim=1).values


@answers.right
def with_linalg(images, fooled):
    change = (fooled - images).reshape(len(images), -1)
    return torch.linalg.vector_norm(change, dim=1), torch.linalg.vector_norm(change, ord=float("inf"), dim=1)


@answers.right
def by_the_formulas(images, fooled):
    change = images - fooled
    return (change**2).sum(dim=(1, 2, 3)) ** 0.5, torch.maximum(change.amax((1, 2, 3)), -change.amin((1, 2, 3)))


@answers.right
def picture_by_picture(images, fooled):
    changes = [after - before for before, after in zip(images, fooled, strict=True)]
    return torch.stack([c.norm() for c in changes]), torch.stack([c.abs().max() for c in changes])


@answers.wrong("the root is missing")
def squared(images, fooled):
    change = fooled - images
    return change.pow(2).sum((1, 2, 3)), largest(change)


@answers.wrong("the mean of the squares")
def root_mean_square(images, fooled):
    change = fooled - images
    return change.pow(2).mean((1, 2, 3)).sqrt(), largest(change)


@answers.wrong("this is L1")
def sum_of_magnitudes(images, fooled):
    change = fooled - images
    return change.abs().sum((1, 2, 3)), largest(change)


@answers.wrong("the colours are summed before")
def grey_first(images, fooled):
    change = fooled - images
    return change.sum(1).pow(2).sum((1, 2)).sqrt(), largest(change)


@answers.wrong("one norm over the whole batch")
def of_the_batch(images, fooled):
    return torch.norm(fooled - images), torch.max(torch.abs(fooled - images))


@answers.wrong("the magnitude is missing")
def upwards_only(images, fooled):
    change = fooled - images
    return change.flatten(1).norm(dim=1), change.amax((1, 2, 3))


@answers.wrong("this is the mean magnitude")
def average(images, fooled):
    change = fooled - images
    return change.flatten(1).norm(dim=1), change.abs().mean((1, 2, 3))


@answers.wrong("swapped")
def the_other_way_round(images, fooled):
    change = fooled - images
    return largest(change), change.flatten(1).norm(dim=1)


@answers.wrong("multiplied by 255")
def in_levels(images, fooled):
    change = 255 * (fooled - images)
    return change.flatten(1).norm(dim=1), largest(change)
