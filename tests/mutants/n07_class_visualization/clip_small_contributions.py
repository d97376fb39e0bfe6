import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def contributions(pixels, gradient):
    return torch.einsum("nchw,nchw->nhw", pixels, gradient).abs()


def limits(size, share):
    return torch.quantile(size.flatten(1), share, dim=1)[:, None, None]


def clipped(pixels, size, share):
    return torch.where((size < limits(size, share))[:, None], torch.zeros(()), pixels)


@answers.right
def image_by_image(pixels, gradient, share):
    clipped_images = pixels.clone()
    for image, gradients in zip(clipped_images, gradient, strict=True):
        size = (image * gradients).sum(0).abs()
        image[:, size < size.quantile(share)] = 0.0
    return clipped_images


@answers.right
def in_numpy(pixels, gradient, share):
    x, g = pixels.numpy(), gradient.numpy()
    size = np.abs((x * g).sum(1))
    limit = np.quantile(size, share, axis=(1, 2), keepdims=True)
    return torch.from_numpy(x * (size >= limit - 1e-7)[:, None])


@answers.right
def by_the_square(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * ~(size.square() < limits(size, share).square() * (1 - 1e-6))[:, None]


@answers.wrong("the other way round")
def keeps_the_small(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * (size < limits(size, share))[:, None]


@answers.wrong("one by one")
def value_by_value(pixels, gradient, share):
    size = (pixels * gradient).abs()
    return pixels * (size >= size.flatten(1).quantile(share, dim=1).view(-1, 1, 1, 1))


@answers.wrong("one limit for the whole batch")
def shared_limit(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * (size >= torch.quantile(size, share))[:, None]


@answers.wrong("the share is used as a limit")
def absolute(pixels, gradient, share):
    return pixels * (contributions(pixels, gradient) >= share)[:, None]


@answers.wrong("a share of the largest value")
def relative(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * (size >= share * size.amax((1, 2), keepdim=True))[:, None]


@answers.wrong("the magnitude is missing")
def signed(pixels, gradient, share):
    return clipped(pixels, (pixels * gradient).sum(1), share)


@answers.wrong("before the sum over the channels")
def too_early(pixels, gradient, share):
    return clipped(pixels, (pixels.abs() * gradient.abs()).sum(1), share)


@answers.wrong("the size of the gradient is used")
def by_gradient(pixels, gradient, share):
    return clipped(pixels, gradient.square().sum(1).sqrt(), share)


@answers.wrong("the size of the pixel is used")
def by_pixel(pixels, gradient, share):
    return clipped(pixels, pixels.square().sum(1).sqrt(), share)


@answers.wrong("two norms are multiplied")
def by_both_norms(pixels, gradient, share):
    return clipped(pixels, pixels.norm(dim=1) * gradient.norm(dim=1), share)


@answers.wrong("the pixel at the limit is clipped as well")
def at_most(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * (size > limits(size, share))[:, None]


@answers.wrong("the quantile counts from the top")
def from_the_top(pixels, gradient, share):
    return clipped(pixels, contributions(pixels, gradient), 1 - share)


@answers.wrong("the limit is the mean")
def below_the_mean(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * (size >= size.mean((1, 2), keepdim=True))[:, None]


@answers.wrong("half of the pixels are clipped")
def median(pixels, gradient, share):
    return clipped(pixels, contributions(pixels, gradient), 0.5)


@answers.wrong("each row or column has its own quantile")
def row_by_row(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * (size >= size.quantile(share, dim=-1, keepdim=True))[:, None]


@answers.wrong("get the mean of the image")
def filled_with_the_mean(pixels, gradient, share):
    size = contributions(pixels, gradient)
    mean = pixels.flatten(2).mean(2)[..., None, None]
    return torch.where((size < limits(size, share))[:, None], mean, pixels)


@answers.wrong("a mask of zeros and ones")
def only_the_mask(pixels, gradient, share):
    return clipped(torch.ones_like(pixels), contributions(pixels, gradient), share)


@answers.wrong("pixel and gradient are added")
def added(pixels, gradient, share):
    return clipped(pixels, (pixels + gradient).sum(1).abs(), share)


@answers.wrong("the gradient is returned")
def clips_the_gradient(pixels, gradient, share):
    return clipped(gradient, contributions(pixels, gradient), share)


@answers.wrong("the gradient is returned")
def clips_the_products(pixels, gradient, share):
    return clipped(pixels * gradient, contributions(pixels, gradient), share)


@answers.wrong("summed before they are multiplied")
def sums_first(pixels, gradient, share):
    return clipped(pixels, (pixels.sum(1) * gradient.sum(1)).abs(), share)


@answers.wrong("only the strongest channel counts")
def strongest(pixels, gradient, share):
    return clipped(pixels, (pixels * gradient).abs().max(dim=1).values, share)


@answers.wrong("the root of the squares of the products")
def length_of_the_products(pixels, gradient, share):
    return clipped(pixels, torch.linalg.vector_norm(pixels * gradient, dim=1), share)


@answers.wrong("the magnitude is missing")
def evidence_for(pixels, gradient, share):
    return clipped(pixels, (pixels * gradient).sum(1).relu(), share)


@answers.wrong("the cosine of pixel and gradient")
def cosine(pixels, gradient, share):
    return clipped(pixels, torch.nn.functional.cosine_similarity(pixels, gradient, dim=1).abs(), share)


@answers.wrong("the gradient lost its signs")
def size_of_the_slope(pixels, gradient, share):
    return clipped(pixels, contributions(pixels, abs(gradient)), share)


@answers.wrong("one channel alone")
def red_alone(pixels, gradient, share):
    return clipped(pixels, (pixels[:, 0] * gradient[:, 0]).abs(), share)


@answers.wrong("made smaller as well")
def shrunk(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * torch.relu(1 - limits(size, share) / size)[:, None]


@answers.wrong("an axis is missing")
def images_as_channels(pixels, gradient, share):
    size = contributions(pixels, gradient)
    return pixels * (size >= limits(size, share))


@answers.wrong("the gradient is returned")
def long_products(pixels, gradient, share):
    product = pixels * gradient
    return clipped(product, product.norm(dim=1), share)
