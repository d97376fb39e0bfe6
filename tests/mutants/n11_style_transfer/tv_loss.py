import torch
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


@answers.right
def by_diff(img, tv_weight):
    return tv_weight * sum(img.diff(dim=axis).pow(2).sum() for axis in (-1, -2))


@answers.right
def by_mse(img, tv_weight):
    down = functional.mse_loss(img[:, :, :-1], img[:, :, 1:], reduction="sum")
    return tv_weight * (down + functional.mse_loss(img[..., :-1], img[..., 1:], reduction="sum"))


@answers.right
def by_convolution(img, tv_weight):
    grey = img.transpose(0, 1)
    down = functional.conv2d(grey, torch.tensor([-1.0, 1.0]).view(1, 1, 2, 1))
    right = functional.conv2d(grey, torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2))
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
