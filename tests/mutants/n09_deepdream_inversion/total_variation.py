import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_diff(images):
    return images.diff(dim=-1).pow(2).sum() + images.diff(dim=-2).pow(2).sum()


@answers.right
def by_loops(images):
    total = torch.zeros(())
    for row in range(images.shape[2]):
        for column in range(images.shape[3]):
            here = images[:, :, row, column]
            if row + 1 < images.shape[2]:
                total = total + ((images[:, :, row + 1, column] - here) ** 2).sum()
            if column + 1 < images.shape[3]:
                total = total + ((images[:, :, row, column + 1] - here) ** 2).sum()
    return total


@answers.right
def by_roll_without_the_last(images):
    down = (images.roll(-1, 2) - images)[:, :, :-1]
    right = (images.roll(-1, 3) - images)[:, :, :, :-1]
    return torch.cat([down.flatten(), right.flatten()]).square().sum()


@answers.wrong("the axes are channels and rows")
def of_a_single_picture(images):
    """Right for (H, W, 3), and in use for (N, 3, H, W)."""
    return ((images[:, 1:] - images[:, :-1]) ** 2).sum() + ((images[:, :, 1:] - images[:, :, :-1]) ** 2).sum()


@answers.wrong("channels are compared")
def all_three_axes(images):
    return sum(images.diff(dim=axis).square().sum() for axis in (1, 2, 3))


@answers.wrong("only steps to the right")
def rightwards(images):
    return ((images[..., 1:] - images[..., :-1]) ** 2).sum()


@answers.wrong("only steps down")
def downwards(images):
    return ((images[..., 1:, :] - images[..., :-1, :]) ** 2).sum()


@answers.wrong("magnitudes instead of squares")
def absolute(images):
    return images.diff(dim=2).abs().sum() + images.diff(dim=3).abs().sum()


@answers.wrong("the mean instead of the sum")
def means(images):
    return images.diff(dim=2).square().mean() + images.diff(dim=3).square().mean()


@answers.wrong("compared with the first")
def around(images):
    return (images - images.roll(1, 2)).square().sum() + (images - images.roll(1, 3)).square().sum()


@answers.wrong("summed before squaring")
def squared_last(images):
    return images.diff(dim=2).sum() ** 2 + images.diff(dim=3).sum() ** 2


@answers.wrong("along the diagonal")
def diagonal(images):
    return (images[:, :, :-1, :-1] - images[:, :, 1:, 1:]).pow(2).sum()


@answers.wrong("counted twice")
def from_both_sides(images):
    rows, columns = images.diff(dim=2), images.diff(dim=3)
    return rows.square().sum() + (-rows).square().sum() + columns.square().sum() + (-columns).square().sum()


@answers.wrong("only the first image")
def one_picture(images):
    return images[0].diff(dim=1).square().sum() + images[0].diff(dim=2).square().sum()


@answers.wrong("the square root")
def lengths(images):
    return (images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()).sqrt()


@answers.wrong("the length of each slope")
def iso(images):
    dx = images[:, :, :-1, 1:] - images[:, :, :-1, :-1]
    dy = images[:, :, 1:, :-1] - images[:, :, :-1, :-1]
    return torch.sqrt(dx**2 + dy**2 + 1e-8).sum()


@answers.wrong("are left out")
def crop(images):
    dx = images[:, :, :-1, 1:] - images[:, :, :-1, :-1]
    dy = images[:, :, 1:, :-1] - images[:, :, :-1, :-1]
    return (dx**2 + dy**2).sum()


@answers.wrong("central differences")
def central(images):
    return ((images[:, :, 2:] - images[:, :, :-2]) ** 2).sum() / 4 + (
        (images[..., 2:] - images[..., :-2]) ** 2
    ).sum() / 4


@answers.wrong("no gradient reaches images")
def det(images):
    x = images.detach()
    return x.diff(dim=2).square().sum() + x.diff(dim=3).square().sum()


@answers.wrong("no gradient reaches images")
def made_anew(images):
    return torch.tensor((images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()).item())


@answers.wrong("no gradient reaches images")
def numpy(images):
    x = images.numpy()
    return torch.tensor((np.diff(x, axis=2) ** 2).sum() + (np.diff(x, axis=3) ** 2).sum())


@answers.wrong("the mean instead of the sum")
def n(images):
    return (images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()) / images.shape[0]


@answers.wrong("one number for each image")
def per(images):
    return images.diff(dim=2).square().sum((1, 2, 3)) + images.diff(dim=3).square().sum((1, 2, 3))


@answers.wrong("averaged first")
def grey(images):
    g = images.mean(1)
    return g.diff(dim=1).square().sum() + g.diff(dim=2).square().sum()


@answers.wrong("one image is compared")
def batch(images):
    return images.diff(dim=0).square().sum() + images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()


@answers.wrong("no ½")
def half(images):
    return (images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()) / 2


@answers.wrong("differences of differences")
def laplacian(images):
    return images.diff(n=2, dim=2).square().sum() + images.diff(n=2, dim=3).square().sum()


@answers.wrong("a plain number came out")
def a_number(images):
    return float(images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum())


def steps(x, a):
    return x.diff(dim=a)


@answers.wrong("added before they are squared")
def added_first(images):
    return (steps(images, 2)[..., :-1] + steps(images, 3)[:, :, :-1]).square().sum()


@answers.wrong("a border of 0")
def zero_border(images):
    return (
        F.pad(images, (0, 1, 0, 1)).diff(dim=2).square().sum() + F.pad(images, (0, 1, 0, 1)).diff(dim=3).square().sum()
    )


@answers.wrong("strung together")
def strung_together(images):
    return images.flatten(2).diff(dim=2).square().sum()


@answers.wrong("the larger of the two")
def larger(images):
    return torch.maximum(steps(images, 2).square().sum(), steps(images, 3).square().sum())


@answers.wrong("only the first channel")
def red_only(images):
    return steps(images[:, 0], 1).square().sum() + steps(images[:, 0], 2).square().sum()


@answers.wrong("the length of each slope")
def lengths_up_to_the_border(images):
    down, right = F.pad(images.diff(dim=2), (0, 0, 0, 1)), F.pad(images.diff(dim=3), (0, 1))
    return torch.hypot(down, right).sum()


@answers.wrong("the mean instead of the sum")
def per_image(images):
    return (images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()) / images.shape[0]
