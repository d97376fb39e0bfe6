import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def norms(pixels):
    return pixels.square().sum(1).sqrt()


def limits(size, share):
    return torch.quantile(size.flatten(1), share, dim=1)[:, None, None]


def clipped(pixels, size, share):
    return torch.where((size < limits(size, share))[:, None], torch.zeros(()), pixels)


@answers.right
def image_by_image(pixels, share):
    clipped_images = pixels.clone()
    for image in clipped_images:
        size = torch.linalg.vector_norm(image, dim=0)
        image[:, size < size.quantile(share)] = 0
    return clipped_images


@answers.right
def in_numpy(pixels, share):
    x = pixels.numpy()
    size = np.sqrt((x.astype(np.float64) ** 2).sum(1))
    limit = np.quantile(size, share, axis=(1, 2), keepdims=True)
    return torch.from_numpy(np.where((size >= limit - 1e-9)[:, None], x, 0))


@answers.right
def by_where(pixels, share):
    return clipped(pixels, norms(pixels), share)


@answers.wrong("the other way round")
def keeps_the_small(pixels, share):
    size = norms(pixels)
    return pixels * (size < limits(size, share))[:, None]


@answers.wrong("one by one")
def value_by_value(pixels, share):
    size = pixels.abs()
    return pixels * (size >= size.flatten(1).quantile(share, dim=1).view(-1, 1, 1, 1))


@answers.wrong("one limit for the whole batch")
def shared_limit(pixels, share):
    size = norms(pixels)
    return pixels * (size >= torch.quantile(size, share))[:, None]


@answers.wrong("the share is used as a limit")
def absolute(pixels, share):
    return pixels * (norms(pixels) >= share).unsqueeze(1)


@answers.wrong("a share of the largest value")
def relative(pixels, share):
    size = norms(pixels)
    return pixels * (size >= share * size.flatten(1).max(1).values.view(-1, 1, 1)).unsqueeze(1)


@answers.wrong("their norm was asked for")
def summed(pixels, share):
    return clipped(pixels, pixels.sum(1).abs(), share)


@answers.wrong("the sign counts")
def signed(pixels, share):
    return clipped(pixels, pixels[:, 0] + pixels[:, 1] + pixels[:, 2], share)


@answers.wrong("only the strongest channel")
def strongest(pixels, share):
    return clipped(pixels, pixels.abs().max(dim=1).values, share)


@answers.wrong("the magnitudes are added up")
def l1(pixels, share):
    return clipped(pixels, pixels.norm(p=1, dim=1), share)


@answers.wrong("the pixel at the limit is clipped as well")
def at_most(pixels, share):
    size = norms(pixels)
    return pixels * (size > limits(size, share))[:, None]


@answers.wrong("the quantile counts from the top")
def from_the_top(pixels, share):
    return clipped(pixels, norms(pixels), 1 - share)


@answers.wrong("the limit is the mean")
def below_the_mean(pixels, share):
    size = norms(pixels)
    return pixels * (size >= size.mean((1, 2), keepdim=True))[:, None]


@answers.wrong("half of the pixels are clipped")
def median(pixels, share):
    return clipped(pixels, norms(pixels), 0.5)


@answers.wrong("each row or column has its own quantile")
def row_by_row(pixels, share):
    size = norms(pixels)
    return pixels * (size >= size.quantile(share, dim=-1, keepdim=True))[:, None]


@answers.wrong("get the mean of the image")
def filled_with_the_mean(pixels, share):
    size = norms(pixels)
    mean = pixels.flatten(2).mean(2)[..., None, None]
    return torch.where((size < limits(size, share))[:, None], mean, pixels)


@answers.wrong("a mask of zeros and ones")
def only_the_mask(pixels, share):
    return clipped(torch.ones_like(pixels), norms(pixels), share)


@answers.wrong("the third powers are added up")
def third_powers(pixels, share):
    return clipped(pixels, torch.linalg.vector_norm(pixels, ord=3, dim=1), share)


@answers.wrong("made smaller as well")
def shrunk(pixels, share):
    size = norms(pixels)
    limit = torch.quantile(size.flatten(1), share, dim=1)[:, None, None]
    return pixels * torch.relu(size - limit)[:, None] / size[:, None]


@answers.wrong("an axis is missing")
def images_as_channels(pixels, share):
    size = norms(pixels)
    return pixels * (size >= torch.quantile(size.flatten(1), share, dim=1)[:, None, None])


@answers.wrong("an axis is missing")
def images_as_columns(pixels, share):
    size = norms(pixels)
    return pixels * (size >= torch.quantile(size.flatten(1), share, dim=1))[:, None]
