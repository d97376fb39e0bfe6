import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


@answers.right
def one_filter_at_a_time(weights):
    images = []
    for one in weights:
        largest = max(one.max().item(), -one.min().item())
        images.append(one / largest / 2 + 0.5 if largest > 0 else torch.full_like(one, 0.5))
    return torch.stack(images)


@answers.right
def in_numpy(weights):
    array = weights.numpy()
    flat = np.abs(array).reshape(len(array), -1).max(1)
    flat[flat == 0] = 1
    return torch.from_numpy((array / flat[:, None, None, None] + 1) / 2)


@answers.right
def nan_repaired(weights):
    scaled = weights / weights.flatten(1).norm(p=float("inf"), dim=1).view(-1, 1, 1, 1)
    return scaled.nan_to_num(0).add(1).div(2)


@answers.right
def tiny_number_below(weights):
    return 0.5 + 0.5 * weights / (weights.abs().flatten(1).max(1).values[:, None, None, None] + 1e-12)


def stretch(part):
    spread = part.max() - part.min()
    return (part - part.min()) / spread if spread > 0 else torch.full_like(part, 0.5)


@answers.wrong("in each channel by itself: that changes the hue")
def min_max_per_channel(weights):
    return torch.stack([torch.stack([stretch(channel) for channel in one]) for one in weights])


@answers.wrong("stretched to 0 and 1")
def min_max_per_filter(weights):
    return torch.stack([stretch(one) for one in weights])


@answers.wrong("minimum and maximum of all filters")
def min_max_of_all(weights):
    return stretch(weights)


@answers.wrong("each channel is scaled by its own")
def magnitude_per_channel(weights):
    out = torch.full_like(weights, 0.5)
    for k, one in enumerate(weights):
        for c, channel in enumerate(one):
            if channel.abs().max() > 0:
                out[k, c] += channel / channel.abs().max() / 2
    return out


@answers.wrong("all filters share one scale")
def one_scale(weights):
    return 0.5 + weights / weights.abs().max() / 2


@answers.wrong("instead of the largest magnitude")
def forgets_abs(weights):
    return torch.stack([0.5 + 0.5 * one / one.max() for one in weights])


@answers.wrong("only clamped")
def clamped(weights):
    return weights.clip(0, 1)


@answers.wrong("only clamped")
def scaled_and_clamped(weights):
    return torch.stack([torch.relu(one / one.abs().max()) for one in weights])


@answers.wrong("nothing is scaled")
def shifted(weights):
    return 0.5 + weights


@answers.wrong("the range is [-1, 1]")
def not_halved(weights):
    return torch.stack([one / one.abs().max().clamp_min(1e-12) for one in weights])


@answers.wrong("the standard deviation")
def standardised(weights):
    return torch.stack([(one - one.mean()) / one.std() for one in weights])


@answers.wrong("the standard deviation")
def standardised_and_squeezed(weights):
    return torch.stack([(0.1 * (one - one.mean()) / one.std() + 0.5).clip(0, 1) for one in weights])


@answers.wrong("0 / 0 is NaN")
def divides_by_zero(weights):
    return torch.stack([(one / one.abs().max() + 1) / 2 for one in weights])


@answers.wrong("something works in place")
def divides_in_place(weights):
    for one in weights:
        one /= one.abs().max().clamp_min(1e-12)
    return (weights + 1) / 2


def largest_of(weights):
    return weights.abs().flatten(1).max(1).values.clamp_min(1e-20)[:, None, None, None]


@answers.wrong("½ is missing")
def forgets_the_half(weights):
    return weights / largest_of(weights) + 0.5


@answers.wrong("½ is missing")
def forgets_the_half_and_clips(weights):
    return torch.stack([(0.5 + one / one.abs().max().clamp_min(1e-9)).clip(0, 1) for one in weights])


@answers.wrong("0.5 is missing")
def forgets_mid_grey(weights):
    return weights / (2 * largest_of(weights))


@answers.wrong("makes weak filters paler")
def epsilon(weights):
    return 0.5 + 0.5 * weights / (weights.abs().amax((1, 2, 3), keepdim=True) + 1e-3)


@answers.wrong("makes weak filters paler")
def at_least_a_tenth(weights):
    return 0.5 + 0.5 * weights / largest_of(weights).clamp(min=0.1)


@answers.wrong("makes weak filters paler")
def faint_ones_paler(weights):
    return 0.5 + 0.5 * weights / largest_of(weights).clamp(min=1e-4)


@answers.wrong("over channels, rows and columns")
def pixel_by_pixel(weights):
    return 0.5 + 0.5 * weights / weights.abs().amax(1, keepdim=True).clamp_min(1e-20)


@answers.wrong("over channels, rows and columns")
def row_by_row(weights):
    return 0.5 + 0.5 * weights / weights.abs().amax((1, 3), keepdim=True).clamp_min(1e-20)


@answers.wrong("the filters are mixed")
def colour_by_colour(weights):
    return 0.5 + 0.5 * weights / weights.abs().amax((0, 2, 3), keepdim=True).clamp_min(1e-20)


@answers.wrong("scaled by the L2 norm")
def unit_length(weights):
    return 0.5 + weights / (2 * weights.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None])


@answers.wrong("the sign is lost")
def magnitudes(weights):
    return weights.abs() / largest_of(weights)


@answers.wrong("a curve is no scale")
def sigmoids(weights):
    return 1 / (1 + torch.exp(-weights))


@answers.wrong("the range is 0 to 255")
def bytes_of_an_image(weights):
    return ((0.5 + weights / (2 * largest_of(weights))) * 255).byte()


@answers.wrong("a filter of zeros is black")
def empty_filters_black(weights):
    images = [0.5 + one / (2 * one.abs().max()) if one.any() else torch.zeros_like(one) for one in weights]
    return torch.stack(images)


@answers.wrong("rounded to steps")
def by_way_of_bytes(weights):
    return (255 * (0.5 + weights / (2 * largest_of(weights)))).byte() / 255


@answers.wrong("a numpy.ndarray came out")
def numpy_comes_out(weights):
    return in_numpy(weights).numpy()


@answers.wrong("in another order")
def colours_last(weights):
    return one_filter_at_a_time(weights).movedim(1, -1)


@answers.wrong("scaled by the mean or median")
def mean_magnitude(weights):
    means = weights.abs().flatten(1).mean(1).clamp_min(1e-9)
    return weights / (2 * means[:, None, None, None]) + 0.5


@answers.wrong("scaled by maximum minus minimum")
def range_as_scale(weights):
    flat = weights.flatten(1)
    spread = (flat.max(1).values - flat.min(1).values).clamp_min(1e-9)
    return weights / spread[:, None, None, None] + 0.5


@answers.wrong("the colours are negative")
def inverted(weights):
    return 0.5 - weights / (2 * largest_of(weights))


@answers.wrong("the channels are averaged")
def grey(weights):
    means = weights.mean(1, keepdim=True)
    return (0.5 + means / (2 * largest_of(means))).repeat(1, 3, 1, 1)


@answers.wrong("red and blue are swapped")
def blue_first(weights):
    return one_filter_at_a_time(weights)[:, [2, 1, 0]]


@answers.wrong("the first filter's scale")
def one_scale_for_all(weights):
    return 0.5 + 0.5 * weights / weights[0].abs().max()


@answers.wrong("makes weak filters paler")
def a_floor_of_1e_8(weights):
    largest = torch.clamp(weights.abs().amax((1, 2, 3), keepdim=True), min=1e-8)
    return weights / largest / 2 + 0.5


@answers.wrong("instead of the largest magnitude")
def largest_value_then_clipped(weights):
    largest = weights.flatten(1).max(1).values.view(-1, 1, 1, 1)
    return torch.clip(weights / (2 * largest) + 0.5, 0, 1)


@answers.wrong("scaled by a percentile")
def outliers_clipped(weights):
    scale = torch.quantile(weights.abs().flatten(1), 0.99, dim=1).clamp(min=1e-20)
    return (weights / scale[:, None, None, None] / 2 + 0.5).clip(0, 1)


@answers.wrong("each filter's mean is subtracted")
def centred(weights):
    moved = weights - weights.flatten(1).mean(1)[:, None, None, None]
    return one_filter_at_a_time(moved)
