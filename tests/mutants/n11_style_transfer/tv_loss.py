import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_diff(img, tv_weight):
    return tv_weight * sum(img.diff(dim=axis).pow(2).sum() for axis in (-1, -2))


@answers.right
def by_mse(img, tv_weight):
    down = F.mse_loss(img[:, :, :-1], img[:, :, 1:], reduction="sum")
    return tv_weight * (down + F.mse_loss(img[..., :-1], img[..., 1:], reduction="sum"))


@answers.right
def by_convolution(img, tv_weight):
    grey = img.transpose(0, 1)
    down = F.conv2d(grey, torch.tensor([-1.0, 1.0]).view(1, 1, 2, 1))
    right = F.conv2d(grey, torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2))
    return tv_weight * (down.square().sum() + right.square().sum())


@answers.wrong("the axes are channels and rows")
def forgot_the_batch(img, tv_weight):
    return tv_weight * (((img[:, 1:] - img[:, :-1]) ** 2).sum() + ((img[:, :, 1:] - img[:, :, :-1]) ** 2).sum())


@answers.wrong("only steps to the right")
def horizontal(img, tv_weight):
    return tv_weight * ((img[:, :, :, 1:] - img[:, :, :, :-1]) ** 2).sum()


@answers.wrong("only steps down")
def vertical(img, tv_weight):
    return tv_weight * ((img[:, :, 1:] - img[:, :, :-1]) ** 2).sum()


@answers.wrong("magnitudes are summed")
def absolute(img, tv_weight):
    return tv_weight * (img.diff(dim=2).abs().sum() + img.diff(dim=3).abs().sum())


@answers.wrong("the mean instead of the sum")
def averaged(img, tv_weight):
    return tv_weight * (img.diff(dim=2).square().mean() + img.diff(dim=3).square().mean())


@answers.wrong("the last row and column are left out")
def cropped(img, tv_weight):
    here = img[:, :, :-1, :-1]
    return tv_weight * (((img[:, :, 1:, :-1] - here) ** 2).sum() + ((img[:, :, :-1, 1:] - here) ** 2).sum())


@answers.wrong("compared with the first")
def around(img, tv_weight):
    return tv_weight * (((img - img.roll(1, 2)) ** 2).sum() + ((img - img.roll(1, 3)) ** 2).sum())


@answers.wrong("the weight is left out")
def unweighted(img, tv_weight):
    return img.diff(dim=2).square().sum() + img.diff(dim=3).square().sum()


@answers.wrong("the weight is inside the square")
def weighted_too_early(img, tv_weight):
    return (tv_weight * img).diff(dim=2).square().sum() + (tv_weight * img).diff(dim=3).square().sum()


@answers.wrong("the square root was not asked for")
def root(img, tv_weight):
    return tv_weight * (img.diff(dim=2).norm() + img.diff(dim=3).norm())


@answers.wrong("no gradient reaches img")
def detached(img, tv_weight):
    x = img.detach()
    return tv_weight * (x.diff(dim=2).pow(2).sum() + x.diff(dim=3).pow(2).sum())


@answers.wrong("in brackets")
def brackets(img, tv_weight):
    return tv_weight * img.diff(dim=2).pow(2).sum() + img.diff(dim=3).pow(2).sum()


@answers.wrong("central differences")
def central(img, tv_weight):
    return tv_weight * ((img[:, :, 2:] - img[:, :, :-2]).pow(2).sum() + (img[..., 2:] - img[..., :-2]).pow(2).sum())


@answers.wrong("the length of each slope")
def isotropic(img, tv_weight):
    down, right = img[:, :, 1:, :-1] - img[:, :, :-1, :-1], img[:, :, :-1, 1:] - img[:, :, :-1, :-1]
    return tv_weight * torch.sqrt(down**2 + right**2).sum()


@answers.wrong("no ½")
def half(img, tv_weight):
    return tv_weight / 2 * (img.diff(dim=2).pow(2).sum() + img.diff(dim=3).pow(2).sum())


@answers.wrong("channels are compared")
def three_axes(img, tv_weight):
    return tv_weight * sum(img.diff(dim=d).pow(2).sum() for d in (1, 2, 3))


@answers.wrong("along the diagonal")
def diagonal(img, tv_weight):
    return tv_weight * (img[..., 1:, 1:] - img[..., :-1, :-1]).pow(2).sum()


@answers.wrong("averaged first")
def grey(img, tv_weight):
    g = img.mean(1)
    return tv_weight * (g.diff(dim=1).pow(2).sum() + g.diff(dim=2).pow(2).sum())


@answers.wrong("the mean instead of the sum")
def per_pixel(img, tv_weight):
    return tv_weight * (img.diff(dim=2).pow(2).sum() + img.diff(dim=3).pow(2).sum()) / (img.shape[2] * img.shape[3])


@answers.wrong("summed before squaring")
def square_last(img, tv_weight):
    return tv_weight * (img.diff(dim=2).sum() ** 2 + img.diff(dim=3).sum() ** 2)


@answers.wrong("a plain number came out")
def a_number(img, tv_weight):
    return tv_weight * (img.diff(dim=2).pow(2).sum() + img.diff(dim=3).pow(2).sum()).item()


@answers.wrong("a sum for each channel")
def per_channel(img, tv_weight):
    return tv_weight * (img.diff(dim=2).pow(2).sum((2, 3)) + img.diff(dim=3).pow(2).sum((2, 3)))


@answers.wrong("counted twice")
def both_sides(img, tv_weight):
    rows, columns = img.diff(dim=2), img.diff(dim=3)
    return tv_weight * (rows.pow(2).sum() + (-rows).pow(2).sum() + columns.pow(2).sum() + (-columns).pow(2).sum())


def steps(x, a):
    return x.diff(dim=a)


@answers.wrong("the weight is added")
def plus_weight(img, tv_weight):
    return tv_weight + steps(img, 2).square().sum() + steps(img, 3).square().sum()


@answers.wrong("a border of 0")
def zero_border(img, tv_weight):
    return (
        tv_weight * F.pad(img, (0, 1, 0, 1), mode="constant").diff(dim=2).square().sum()
        + tv_weight * F.pad(img, (0, 1, 0, 1)).diff(dim=3).square().sum()
    )


@answers.wrong("added before they are squared")
def added_first(img, tv_weight):
    return tv_weight * (steps(img, 2)[..., :-1] + steps(img, 3)[:, :, :-1]).square().sum()


@answers.wrong("strung together")
def strung_together(img, tv_weight):
    return tv_weight * img.flatten(2).diff(dim=2).square().sum()


@answers.wrong("divided by the weight")
def over_weight(img, tv_weight):
    return (steps(img, 2).square().sum() + steps(img, 3).square().sum()) / tv_weight


@answers.wrong("only the first channel")
def largest_channel(img, tv_weight):
    return tv_weight * (steps(img, 2).square().sum((2, 3)).max() + steps(img, 3).square().sum((2, 3)).max())


@answers.wrong("the length of each slope")
def lengths_with_a_little(img, tv_weight):
    down, right = (img[..., 1:, :-1], img[..., :-1, 1:])
    here = img[..., :-1, :-1]
    return tv_weight * torch.sqrt((down - here) ** 2 + (right - here) ** 2 + 1e-12).sum()


@answers.wrong("the length of each slope")
def lengths_up_to_the_border(img, tv_weight):
    down, right = F.pad(img.diff(dim=2), (0, 0, 0, 1)), F.pad(img.diff(dim=3), (0, 1))
    return tv_weight * torch.hypot(down, right).sum()


@answers.wrong("the mean instead of the sum")
def mean_of_the_colours(img, tv_weight):
    return tv_weight * sum(img.diff(dim=axis).square().sum() for axis in (2, 3)) / img.shape[1]
