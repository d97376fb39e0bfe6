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


@answers.wrong("one number for each pixel")
def pixel_by_pixel(images, fooled):
    change = fooled - images
    return change.square().sum(1).sqrt(), change.abs().max(dim=1).values


@answers.wrong("the norms of the changed image")
def of_the_result(images, fooled):
    return fooled.flatten(1).norm(dim=1), largest(fooled)


@answers.wrong("the difference of two norms")
def difference_of_norms(images, fooled):
    return abs(images.flatten(1).norm(dim=1) - fooled.flatten(1).norm(dim=1)), largest(fooled - images)


@answers.wrong("of the pixels' lengths")
def longest_pixel(images, fooled):
    change = fooled - images
    return change.flatten(1).norm(dim=1), change.norm(dim=1).amax((1, 2))


@answers.wrong("the largest minus the smallest")
def width_of_the_range(images, fooled):
    change = (fooled - images).flatten(1)
    return change.norm(dim=1), change.max(1).values - change.min(1).values


@answers.wrong("divided by the size of the image")
def per_value(images, fooled):
    change = (fooled - images).flatten(1)
    return change.norm(dim=1) / change.shape[1], largest(change)


@answers.wrong("divided by the norm of the image")
def relative(images, fooled):
    change = fooled - images
    return change.flatten(1).norm(dim=1) / images.flatten(1).norm(dim=1), largest(change)


@answers.wrong("matrix norms")
def spectral(images, fooled):
    change = fooled - images
    return torch.linalg.svdvals(change).amax((1, 2)), largest(change)


@answers.wrong("rounded to levels of 255")
def in_whole_levels(images, fooled):
    change = (torch.round(fooled * 255) - torch.round(images * 255)) / 255
    return change.flatten(1).norm(dim=1), largest(change)


@answers.wrong("a small number is added below the root")
def never_zero(images, fooled):
    change = fooled - images
    return (change.pow(2).sum((1, 2, 3)) + 1e-8).sqrt(), largest(change)


@answers.wrong("2 values were expected")
def stacked(images, fooled):
    change = (fooled - images).flatten(1)
    return torch.stack([change.norm(dim=1), change.abs().amax(1)])


@answers.wrong("L∞ of one colour")
def largest_red(images, fooled):
    change = fooled - images
    return change.flatten(1).norm(dim=1), change[:, 0].abs().amax((1, 2))


@answers.wrong("the lengths of the pixels are added up")
def sum_of_lengths(images, fooled):
    change = fooled - images
    return change.square().sum(1).sqrt().sum((1, 2)), largest(change)


@answers.wrong("L2 twice")
def twice(images, fooled):
    two = (fooled - images).flatten(1).norm(dim=1)
    return two, two
