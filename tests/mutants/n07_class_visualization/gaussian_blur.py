import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional
from torchvision.transforms.v2 import functional as transforms

from tests.mutants import Answers

answers = Answers()


def line(sigma, reach=None):
    reach = round(3 * sigma) if reach is None else reach
    at = torch.arange(-reach, reach + 1).float()
    weights = torch.exp(-(at**2) / (2 * sigma**2))
    return weights / weights.sum()


def blurred(images, square, mode="reflect"):
    reach = len(square) // 2
    channels = images.shape[1]
    kernels = square.expand(channels, 1, *square.shape)
    return functional.conv2d(functional.pad(images, [reach] * 4, mode=mode), kernels, groups=channels)


def round_spot(weights):
    return weights[:, None] * weights[None]


@answers.right
def one_square_kernel(images, *, sigma):
    return blurred(images, round_spot(line(sigma)))


@answers.right
def by_torchvision(images, *, sigma):
    size = 2 * round(3 * sigma) + 1
    return transforms.gaussian_blur(images, [size, size], [sigma, sigma])


@answers.right
def by_scipy(images, *, sigma):
    blurred_images = ndimage.gaussian_filter(images.numpy(), sigma, axes=(2, 3), mode="mirror", radius=round(3 * sigma))
    return torch.from_numpy(np.ascontiguousarray(blurred_images))


@answers.wrong("do not sum to 1")
def too_bright(images, *, sigma):
    return blurred(images, round_spot(line(sigma) / line(sigma).max()))


@answers.wrong("blurred down only")
def down_only(images, *, sigma):
    weights = line(sigma)
    square = torch.zeros(len(weights), len(weights))
    square[:, len(weights) // 2] = weights
    return blurred(images, square)


@answers.wrong("blurred across only")
def across_only(images, *, sigma):
    weights = line(sigma)
    square = torch.zeros(len(weights), len(weights))
    square[len(weights) // 2] = weights
    return blurred(images, square)


def with_exponent(images, sigma, exponent):
    reach = round(3 * sigma)
    weights = torch.exp(-exponent(torch.arange(-reach, reach + 1).float()))
    return blurred(images, round_spot(weights / weights.sum()))


@answers.wrong("σ instead of σ²")
def sigma_not_squared(images, *, sigma):
    return with_exponent(images, sigma, lambda d: d**2 / (2 * sigma))


@answers.wrong("the 2 in the exponent is missing")
def without_the_two(images, *, sigma):
    return with_exponent(images, sigma, lambda d: (d / sigma) ** 2)


@answers.wrong("|d| instead of d²")
def exponential(images, *, sigma):
    return with_exponent(images, sigma, lambda d: d.abs() / (2 * sigma**2))


@answers.wrong("this is a box")
def box(images, *, sigma):
    return with_exponent(images, sigma, lambda d: 0 * d)


@answers.wrong("the weights end too early")
def short(images, *, sigma):
    return blurred(images, round_spot(line(sigma, round(1.5 * sigma))))


@answers.wrong("the border darkens")
def zero_padding(images, *, sigma):
    return blurred(images, round_spot(line(sigma)), mode="constant")


@answers.wrong("the border pixel is repeated")
def repeated(images, *, sigma):
    return blurred(images, round_spot(line(sigma)), mode="replicate")


@answers.wrong("the channels are mixed")
def grey(images, *, sigma):
    blurred_images = blurred(images, round_spot(line(sigma)))
    return blurred_images.mean(1, keepdim=True).repeat(1, images.shape[1], 1, 1)


@answers.wrong("the weights end too early")
def rounded_down(images, *, sigma):
    return blurred(images, round_spot(line(sigma, int(3 * sigma))))


@answers.wrong("the weights end too early")
def two_sigmas(images, *, sigma):
    return blurred(images, round_spot(line(sigma, round(2 * sigma))))


@answers.wrong("the weights reach too far")
def rounded_up(images, *, sigma):
    return blurred(images, round_spot(line(sigma, int(np.ceil(3 * sigma)))))


@answers.wrong("the weights reach too far")
def as_scipy_truncates(images, *, sigma):
    return torch.from_numpy(ndimage.gaussian_filter(images.numpy(), sigma, axes=(2, 3), mode="mirror"))


@answers.wrong("the border pixel is mirrored too")
def symmetric(images, *, sigma):
    return torch.from_numpy(
        ndimage.gaussian_filter(images.numpy(), sigma, axes=(2, 3), mode="reflect", radius=round(3 * sigma))
    )


@answers.wrong("the other side of the image comes in")
def wrapped(images, *, sigma):
    return blurred(images, round_spot(line(sigma)), mode="circular")


@answers.wrong("the image shrinks")
def unpadded(images, *, sigma):
    weights = round_spot(line(sigma)).expand(images.shape[1], 1, -1, -1)
    return functional.conv2d(images, weights, groups=images.shape[1])


@answers.wrong("blurred twice")
def twice(images, *, sigma):
    return one_square_kernel(one_square_kernel(images, sigma=sigma), sigma=sigma)


@answers.wrong("the integral of the Gaussian")
def density(images, *, sigma):
    at = torch.arange(-round(3 * sigma), round(3 * sigma) + 1).float()
    return blurred(images, round_spot(torch.distributions.Normal(0, sigma).log_prob(at).exp()))


@answers.wrong("the result is cut off")
def as_a_picture(images, *, sigma):
    return one_square_kernel(images, sigma=sigma).clamp(0, 1)


@answers.wrong("all are the first image")
def the_first(images, *, sigma):
    return one_square_kernel(images[:1], sigma=sigma).repeat(len(images), 1, 1, 1)


@answers.wrong("fall in a straight line")
def triangle(images, *, sigma):
    reach = round(3 * sigma)
    weights = reach + 1 - torch.arange(-reach, reach + 1).abs().float()
    return blurred(images, round_spot(weights / weights.sum()))


@answers.wrong("there may be any number")
def for_photographs(images, *, sigma):
    reach = round(3 * sigma)
    kernel = line(sigma).float().repeat(3, 1, 1, 1)
    padded = functional.pad(images, (reach,) * 4, mode="reflect")
    return functional.conv2d(functional.conv2d(padded, kernel.mT, groups=3), kernel, groups=3)


@answers.wrong("divided by their own sum")
def weighed_anew_at_the_border(images, *, sigma):
    def matrix(size):
        apart = torch.arange(size)[:, None] - torch.arange(size)
        weights = torch.exp(-(apart**2) / (2 * sigma**2)) * (apart.abs() <= round(3 * sigma))
        return weights / weights.sum(1, keepdim=True)

    return matrix(images.shape[2]) @ images @ matrix(images.shape[3]).mT
