import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


def stretch(activation, image, **how):
    how = how or {"mode": "bilinear", "align_corners": False}
    return functional.interpolate(activation[None, None], image.shape[1:], **how).squeeze()


def darken(image, mask, rest=0.25):
    return image * (rest + (1 - rest) * mask)


@answers.right
def by_arithmetic(activation, image, *, quantile=0.9):
    mask = (stretch(activation, image) > torch.quantile(activation, quantile)).float()
    return image * mask + 0.25 * image * (1 - mask)


@answers.right
def in_place_on_a_copy(activation, image, *, quantile=0.9):
    out = image.clone()
    out[:, stretch(activation, image) <= np.quantile(activation.numpy(), quantile)] *= 0.25
    return out


@answers.right
def upsample_module(activation, image, *, quantile=0.9):
    large = nn.Upsample(size=tuple(image.shape[-2:]), mode="bilinear")(activation[None, None])[0, 0]
    ordered = activation.flatten().sort().values
    place = quantile * (len(ordered) - 1)
    low = int(place)
    limit = ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
    return torch.stack([torch.where(large > limit, channel, 0.25 * channel) for channel in image])


@answers.right
def in_numpy(activation, image, *, quantile=0.9):
    def along(n, cells):
        at = ((np.arange(n) + 0.5) * cells / n - 0.5).clip(0, cells - 1)
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))

    values = activation.numpy()
    large = along(image.shape[1], values.shape[0]) @ values @ along(image.shape[2], values.shape[1]).T
    return torch.from_numpy(image.numpy() * np.where(large > np.quantile(values, quantile) + 1e-6, 1, 0.25))


@answers.wrong("a share of the maximum")
def share_of_the_maximum(activation, image, *, quantile=0.9):
    return darken(image, (stretch(activation, image) > activation.max() * quantile).float())


@answers.wrong("the part below the threshold stays")
def inverted(activation, image, *, quantile=0.9):
    out = image.clone()
    out[:, stretch(activation, image) >= torch.quantile(activation, quantile)] /= 4
    return out


@answers.wrong("not the share that stays")
def share_that_stays(activation, image, *, quantile=0.9):
    return darken(image, (stretch(activation, image) > torch.quantile(activation, 1 - quantile)).float())


@answers.wrong("the quantile of the stretched map")
def late_quantile(activation, image, *, quantile=0.9):
    large = stretch(activation, image)
    return darken(image, (large > large.quantile(quantile)).float())


@answers.wrong("the mask has blocks")
def blocks(activation, image, *, quantile=0.9):
    mask = (activation > activation.quantile(quantile)).float()
    return darken(image, stretch(mask, image, mode="nearest"))


@answers.wrong("align_corners=True")
def corners(activation, image, *, quantile=0.9):
    large = stretch(activation, image, mode="bilinear", align_corners=True)
    return darken(image, (large > activation.quantile(quantile)).float())


@answers.wrong("the mask was stretched")
def stretched_mask(activation, image, *, quantile=0.9):
    return darken(image, stretch((activation > activation.quantile(quantile)).float(), image))


@answers.wrong(">= keeps every pixel")
def at_least(activation, image, *, quantile=0.9):
    return darken(image, (stretch(activation, image) >= torch.quantile(activation, quantile)).float())


@answers.wrong("the rest is black")
def black(activation, image, *, quantile=0.9):
    return image * (stretch(activation, image) > torch.quantile(activation, quantile))


@answers.wrong("weighted by the map")
def weighted(activation, image, *, quantile=0.9):
    large = stretch(activation, image).relu()
    return image * large / large.max().clamp_min(1e-9)


@answers.wrong("this is the mask")
def the_mask(activation, image, *, quantile=0.9):
    return stretch(activation, image) > torch.quantile(activation, quantile)


@answers.wrong("ranked by magnitude")
def magnitude(activation, image, *, quantile=0.9):
    strength = activation.abs()
    return darken(image, (stretch(strength, image) > torch.quantile(strength, quantile)).float())


@answers.wrong("something works in place")
def darkens_in_place(activation, image, *, quantile=0.9):
    image[:, stretch(activation, image) <= torch.quantile(activation, quantile)] *= 0.25
    return image


def above(activation, image, limit):
    return (stretch(activation, image) > limit).float()


@answers.wrong("a share of the maximum")
def share_of_the_range(activation, image, *, quantile=0.9):
    scaled = (activation - activation.min()) / (activation.max() - activation.min())
    return darken(image, (stretch(scaled, image) > quantile).float())


@answers.wrong("fixed at 0.9")
def default_only(activation, image, *, quantile=0.9):
    return darken(image, above(activation, image, activation.quantile(0.9)))


@answers.wrong("the positive values alone")
def of_the_active(activation, image, *, quantile=0.9):
    active = activation[activation > 0]
    return darken(
        image, above(activation, image, active.quantile(quantile) if len(active) else activation.quantile(quantile))
    )


@answers.wrong("interpolated linearly")
def by_sorting(activation, image, *, quantile=0.9):
    ordered = activation.flatten().sort().values
    return darken(image, above(activation, image, ordered[int(len(ordered) * quantile)]))


@answers.wrong("interpolated linearly")
def the_lower_value(activation, image, *, quantile=0.9):
    return darken(image, above(activation, image, activation.quantile(quantile, interpolation="lower")))


@answers.wrong("the mean or the median")
def mean_as_threshold(activation, image, *, quantile=0.9):
    return darken(image, above(activation, image, activation.mean()))


@answers.wrong("each row or column")
def row_quantiles(activation, image, *, quantile=0.9):
    excess = activation - activation.quantile(quantile, dim=1, keepdim=True)
    return darken(image, above(excess, image, 0))


@answers.wrong("stretched bicubically")
def bicubic(activation, image, *, quantile=0.9):
    large = stretch(activation, image, mode="bicubic", align_corners=False)
    return darken(image, (large > activation.quantile(quantile)).float())


@answers.wrong("height and width are swapped")
def width_first(activation, image, *, quantile=0.9):
    large = functional.interpolate(activation[None, None], size=(image.shape[2], image.shape[1]), mode="bilinear")
    return darken(image, (large.squeeze().T > activation.quantile(quantile)).float())


@answers.wrong("only one channel")
def red_alone(activation, image, *, quantile=0.9):
    out = image.clone()
    out[0] = darken(image[0], above(activation, image, activation.quantile(quantile)))
    return out


@answers.wrong("darkened to another share")
def half_as_bright(activation, image, *, quantile=0.9):
    return darken(image, above(activation, image, activation.quantile(quantile)), rest=0.5)


@answers.wrong("is subtracted")
def subtracts(activation, image, *, quantile=0.9):
    return image - 0.25 * (1 - above(activation, image, activation.quantile(quantile)))


@answers.wrong("the rest is grey")
def dark_grey(activation, image, *, quantile=0.9):
    mask = above(activation, image, activation.quantile(quantile))
    return image * mask + 0.25 * (1 - mask)


@answers.wrong("the mean or the median")
def one_deviation_above(activation, image, *, quantile=0.9):
    return darken(image, above(activation, image, activation.mean() + activation.std()))


@answers.wrong("negative values are set to 0 first")
def rectified(activation, image, *, quantile=0.9):
    activation = functional.relu(activation)
    return darken(image, stretch(activation, image) > torch.quantile(activation, quantile))


@answers.wrong("stretched by a whole factor")
def whole_scale_factor(activation, image, *, quantile=0.9):
    factors = image.shape[1] // activation.shape[0], image.shape[2] // activation.shape[1]
    large = functional.interpolate(activation[None, None], scale_factor=factors, mode="bilinear")[0, 0]
    return darken(image, large > torch.quantile(activation, quantile))


@answers.wrong("height and width are swapped")
def width_first_untransposed(activation, image, *, quantile=0.9):
    large = nn.Upsample((image.shape[2], image.shape[1]), mode="bilinear")(activation[None, None])[0, 0]
    return darken(image, large > torch.quantile(activation, quantile))


@answers.wrong("the rest is grey")
def rest_without_colour(activation, image, *, quantile=0.9):
    above = stretch(activation, image) > torch.quantile(activation, quantile)
    return torch.where(above, image, image.mean(0) / 4)
