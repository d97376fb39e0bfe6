import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


@answers.right
def one_axis_after_the_other(gradient_of, images, *, down, right):
    seen = torch.roll(torch.roll(images, down, 2), right, 3)
    return torch.roll(torch.roll(gradient_of(seen), -right, 3), -down, 2)


@answers.right
def by_index(gradient_of, images, *, down, right):
    h, w = images.shape[-2:]
    rows, columns = (torch.arange(h) - down) % h, (torch.arange(w) - right) % w
    gradient = gradient_of(images[:, :, rows][..., columns])
    out = torch.empty_like(gradient)
    out[:, :, rows[:, None], columns] = gradient
    return out


@answers.right
def by_slices(gradient_of, images, *, down, right):
    h, w = images.shape[-2:]

    def roll(x, d, r):
        x = torch.cat([x[:, :, h - d % h :], x[:, :, : h - d % h]], 2)
        return torch.cat([x[..., w - r % w :], x[..., : w - r % w]], 3)

    return roll(gradient_of(roll(images, down, right)), -down, -right)


@answers.wrong("not shifted back")
def one_way(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (2, 3)))


@answers.wrong("the image is not shifted")
def gradient_only(gradient_of, images, *, down, right):
    return gradient_of(images).roll((-down, -right), (-2, -1))


@answers.wrong("a second time")
def twice(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (2, 3))).roll((down, right), (2, 3))


@answers.wrong("the other way")
def up_and_left(gradient_of, images, *, down, right):
    return gradient_of(images.roll((-down, -right), (2, 3))).roll((down, right), (2, 3))


@answers.wrong("down and right are swapped")
def columns_first(gradient_of, images, *, down, right):
    return gradient_of(images.roll((down, right), (3, 2))).roll((-down, -right), (3, 2))


@answers.wrong("only the rows")
def half_back(gradient_of, images, *, down, right):
    return torch.roll(gradient_of(torch.roll(images, (down, right), (2, 3))), -down, 2)


def padded(x, d, r):
    h, w = x.shape[-2:]
    x = functional.pad(x, (max(r, 0), max(-r, 0), max(d, 0), max(-d, 0)))
    return x[:, :, max(-d, 0) : max(-d, 0) + h, max(-r, 0) : max(-r, 0) + w]


@answers.wrong("filled up with black")
def with_a_black_border(gradient_of, images, *, down, right):
    return padded(gradient_of(padded(images, down, right)), -down, -right)


@answers.wrong("no shift at all")
def still(gradient_of, images, *, down, right):
    return gradient_of(images)


@answers.wrong("something works in place")
def over_the_original(gradient_of, images, *, down, right):
    images.copy_(images.roll((down, right), (2, 3)))
    return gradient_of(images).roll((-down, -right), (2, 3))
