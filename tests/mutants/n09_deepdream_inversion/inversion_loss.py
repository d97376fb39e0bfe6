import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


def vary(images):
    down = images[:, :, 1:] - images[:, :, :-1]
    right = images[..., 1:] - images[..., :-1]
    return (down**2).mean() + (right**2).mean()


def power(images):
    return ((images - 0.5) / 0.5).pow(6).mean()


def rest(images, tv, sixth):
    return tv * vary(images) + sixth * power(images)


def near(features, wanted):
    return (features - wanted).pow(2).sum() / wanted.pow(2).sum()


@answers.right
def with_norms(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (torch.linalg.norm(features - wanted) / torch.linalg.norm(wanted)) ** 2 + rest(images, tv, sixth)


@answers.right
def with_means(features, wanted, images, *, tv=1.0, sixth=0.01):
    distance = F.mse_loss(features, wanted) / wanted.square().mean()
    return distance + rest(images, tv, sixth)


@answers.right
def with_dots(features, wanted, images, *, tv=1.0, sixth=0.01):
    gap, goal = (features - wanted).flatten(), wanted.flatten()
    centred = (images - 0.5).flatten()
    return gap @ gap / (goal @ goal) + tv * vary(images) + sixth * 64 * (centred**6).mean()


@answers.wrong("not divided by")
def absolute(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (features - wanted).square().sum() + rest(images, tv, sixth)


@answers.wrong("not divided by")
def mean_square(features, wanted, images, *, tv=1.0, sixth=0.01):
    return F.mse_loss(features, wanted) + rest(images, tv, sixth)


@answers.wrong("divided by the features of the image")
def own_length(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (features - wanted).square().sum() / features.square().sum() + rest(images, tv, sixth)


@answers.wrong("the distance is not squared")
def lengths(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (features - wanted).norm() / wanted.norm() + rest(images, tv, sixth)


@answers.wrong("not by its square")
def length_below(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (features - wanted).square().sum() / wanted.norm() + rest(images, tv, sixth)


@answers.wrong("each feature is divided on its own")
def one_by_one(features, wanted, images, *, tv=1.0, sixth=0.01):
    return ((features / wanted - 1) ** 2).sum() + rest(images, tv, sixth)


@answers.wrong("minus the similarity")
def caricature(features, wanted, images, *, tv=1.0, sixth=0.01):
    return -(features * wanted).sum() / (wanted * wanted).sum() + rest(images, tv, sixth)


@answers.wrong("the regularisers are subtracted")
def as_in_ascent(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) - rest(images, tv, sixth)


@answers.wrong("minus the loss")
def objective(features, wanted, images, *, tv=1.0, sixth=0.01):
    return -near(features, wanted) - rest(images, tv, sixth)


@answers.wrong("the sixth power is not centred")
def from_black(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + tv * vary(images) + sixth * (images**6).mean()


@answers.wrong("not doubled")
def half(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + tv * vary(images) + sixth * ((images - 0.5) ** 6).mean()


@answers.wrong("the sixth power is summed")
def many_pixels(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + tv * vary(images) + sixth * ((2 * images - 1) ** 6).sum()


@answers.wrong("the variation compares channels")
def wrong_axes(features, wanted, images, *, tv=1.0, sixth=0.01):
    steps = (images[:, 1:] - images[:, :-1]).square().mean() + (images[:, :, 1:] - images[:, :, :-1]).square().mean()
    return near(features, wanted) + tv * steps + sixth * power(images)


@answers.wrong("the variation looks down only")
def downwards(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + tv * images.diff(dim=2).square().mean() + sixth * power(images)


@answers.wrong("the variation looks to the right only")
def rightwards(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + tv * images.diff(dim=3).square().mean() + sixth * power(images)


@answers.wrong("the variation is summed")
def all_steps(features, wanted, images, *, tv=1.0, sixth=0.01):
    steps = images.diff(dim=2).square().sum() + images.diff(dim=3).square().sum()
    return near(features, wanted) + tv * steps + sixth * power(images)


@answers.wrong("are swapped")
def mixed_up(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + rest(images, sixth, tv)


def mean_steps(x):
    return x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()


@answers.wrong("no gradient reaches features")
def det(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features.detach() - wanted).square().sum() / wanted.square().sum()
        + tv * mean_steps(images)
        + sixth * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("no gradient reaches images")
def detimg(features, wanted, images, *, tv=1.0, sixth=0.01):
    images = images.detach()
    return (
        (features - wanted).square().sum() / wanted.square().sum()
        + tv * mean_steps(images)
        + sixth * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("no gradient reaches features")
def item(features, wanted, images, *, tv=1.0, sixth=0.01):
    return torch.tensor(
        (
            (features - wanted).square().sum() / wanted.square().sum()
            + tv * mean_steps(images)
            + sixth * (2 * images - 1).pow(6).mean()
        ).item()
    )


@answers.wrong("in the denominator")
def eps(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).square().sum() / (wanted.square().sum() + 1e-3)
        + tv * mean_steps(images)
        + sixth * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("the mean over a sum")
def meansum(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).square().mean() / wanted.square().sum()
        + tv * mean_steps(images)
        + sixth * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("half of the variation")
def halftv(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).square().sum() / wanted.square().sum()
        + tv * mean_steps(images) / 2
        + sixth * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("squares in the distance")
def absval(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).abs().sum() / wanted.abs().sum()
        + tv * mean_steps(images)
        + sixth * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("another power")
def power4(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).square().sum() / wanted.square().sum()
        + tv * mean_steps(images)
        + sixth * (2 * images - 1).pow(4).mean()
    )


@answers.wrong("those of the defaults")
def defaults(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).square().sum() / wanted.square().sum()
        + mean_steps(images)
        + 0.01 * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("one mean over all steps")
def cat(features, wanted, images, *, tv=1.0, sixth=0.01):
    v = torch.cat([images.diff(dim=2).flatten(), images.diff(dim=3).flatten()]).square().mean()
    return (features - wanted).square().sum() / wanted.square().sum() + tv * v + sixth * (2 * images - 1).pow(6).mean()


@answers.wrong("half of the distance")
def half_too(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        0.5 * (features - wanted).square().sum() / wanted.square().sum()
        + tv * mean_steps(images)
        + sixth * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("squares in the variation")
def abs_steps(features, wanted, images, *, tv=1.0, sixth=0.01):
    v = images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()
    return (features - wanted).square().sum() / wanted.square().sum() + tv * v + sixth * (2 * images - 1).pow(6).mean()


@answers.wrong("has a square root")
def root(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).square().sum() / wanted.square().sum()
        + tv * mean_steps(images) ** 0.5
        + sixth * (2 * images - 1).pow(6).mean()
    )


@answers.wrong("compared with the first")
def around(features, wanted, images, *, tv=1.0, sixth=0.01):
    v = sum((images - images.roll(1, d)).square().mean() for d in (2, 3))
    return (features - wanted).square().sum() / wanted.square().sum() + tv * v + sixth * (2 * images - 1).pow(6).mean()


@answers.wrong("the variation is left out")
def no_tv(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (features - wanted).square().sum() / wanted.square().sum() + sixth * (2 * images - 1).pow(6).mean()


@answers.wrong("the sixth power is left out")
def no_sixth(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (features - wanted).square().sum() / wanted.square().sum() + tv * mean_steps(images)


@answers.wrong("the power of the mean")
def power_of_mean(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).square().sum() / wanted.square().sum()
        + tv * mean_steps(images)
        + sixth * (2 * images - 1).mean() ** 6
    )


@answers.wrong("the weights are left out")
def unweighted(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        (features - wanted).square().sum() / wanted.square().sum() + mean_steps(images) + (2 * images - 1).pow(6).mean()
    )


@answers.wrong("a plain number came out")
def a_number(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (near(features, wanted) + rest(images, tv, sixth)).item()


@answers.wrong("the angle")
def angle(features, wanted, images, *, tv=1.0, sixth=0.01):
    return (
        1
        - F.cosine_similarity(features.flatten(), wanted.flatten(), 0)
        + tv * mean_steps(images)
        + sixth * power(images)
    )


@answers.wrong("mind the brackets")
def brackets(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + tv * (mean_steps(images) + sixth * power(images))


@answers.wrong("the terms are multiplied")
def multiplied(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) * (tv * mean_steps(images) + sixth * power(images))


@answers.wrong("by the variance")
def over_variance(features, wanted, images, *, tv=1.0, sixth=0.01):
    return F.mse_loss(features, wanted) / wanted.var(correction=0) + tv * mean_steps(images) + sixth * power(images)


@answers.wrong("the variation of the features")
def variation_of_features(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + tv * mean_steps(features) + sixth * power(images)


@answers.wrong("the sixth power of the features")
def power_of_features(features, wanted, images, *, tv=1.0, sixth=0.01):
    return near(features, wanted) + tv * mean_steps(images) + sixth * power(features)


@answers.wrong("divided by the number of values")
def per_value(features, wanted, images, *, tv=1.0, sixth=0.01):
    steps = sum(images.diff(dim=axis).square().sum() for axis in (2, 3))
    return near(features, wanted) + tv * steps / images.numel() + sixth * power(images)


@answers.wrong("each feature is divided on its own")
def each_to_its_own(features, wanted, images, *, tv=1.0, sixth=0.01):
    return ((features - wanted) ** 2 / (wanted**2 + 1e-8)).mean() + rest(images, tv, sixth)
