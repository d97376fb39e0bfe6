import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.mutants import Answers

answers = Answers()


def total_of(maps, weights):
    return torch.stack([torch.tensordot(w, one, dims=1) for w, one in zip(weights, maps, strict=True)])


def stretched(total, size, **how):
    how = how or {"mode": "bilinear", "align_corners": False}
    return functional.interpolate(total.unsqueeze(1), size=size, **how).squeeze(1)


@answers.right
def by_einsum(maps, weights, *, size, signed=False):
    total = torch.einsum("nc,ncij->nij", weights, maps)
    return stretched(total if signed else total.relu(), size)


@answers.right
def by_upsample_module(maps, weights, *, size, signed=False):
    total = (weights[..., None, None] * maps).sum(1, keepdim=True)
    total = total if signed else nn.ReLU()(total)
    return nn.Upsample(size=tuple(size), mode="bilinear")(total)[:, 0]


@answers.right
def in_numpy(maps, weights, *, size, signed=False):
    def along(n, cells):
        at = ((np.arange(n) + 0.5) * cells / n - 0.5).clip(0, cells - 1)
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))

    total = np.einsum("nc,ncij->nij", weights.numpy(), maps.numpy())
    total = total if signed else np.maximum(total, 0)
    rows, columns = (along(n, cells) for n, cells in zip(size, maps.shape[2:], strict=True))
    return torch.from_numpy(rows @ total @ columns.T).float()


@answers.right
def channel_by_channel(maps, weights, *, size, signed=False):
    total = torch.zeros(len(maps), *maps.shape[-2:])
    for c in range(maps.shape[1]):
        total += weights[:, c].reshape(-1, 1, 1) * maps[:, c]
    if not signed:
        total[total < 0] = 0
    return stretched(total, size)


@answers.wrong("the ReLU is missing")
def without_relu(maps, weights, *, size, signed=False):
    return stretched(total_of(maps, weights), size)


@answers.wrong("the ReLU comes before the sum")
def early_relu(maps, weights, *, size, signed=False):
    terms = weights[:, :, None, None] * maps
    return stretched((terms if signed else terms.relu()).sum(1), size)


@answers.wrong("the ReLU comes before the sum")
def always_early_relu(maps, weights, *, size, signed=False):
    return stretched((weights[:, :, None, None] * maps).relu().sum(1), size)


@answers.wrong("negative weights are cut off")
def positive_weights(maps, weights, *, size, signed=False):
    total = total_of(maps, weights.clamp(min=0))
    return stretched(total if signed else total.relu(), size)


@answers.wrong("the ReLU comes after the stretching")
def late_relu(maps, weights, *, size, signed=False):
    large = stretched(total_of(maps, weights), size)
    return large if signed else large.relu()


@answers.wrong("the sum starts from one")
def from_ones(maps, weights, *, size, signed=False):
    total = torch.ones(len(maps), *maps.shape[-2:])
    for c in range(maps.shape[1]):
        total += weights[:, c].reshape(-1, 1, 1) * maps[:, c]
    return stretched(total if signed else total.relu(), size)


@answers.wrong("the weights of the first one")
def first_weights(maps, weights, *, size, signed=False):
    total = torch.tensordot(maps, weights[0], dims=([1], [0]))
    return stretched(total if signed else total.relu(), size)


@answers.wrong("the channels are averaged")
def mean_of_channels(maps, weights, *, size, signed=False):
    total = (weights[:, :, None, None] * maps).mean(1)
    return stretched(total if signed else total.relu(), size)


@answers.wrong("magnitudes: evidence against")
def magnitudes(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total if signed else total.abs(), size)


@answers.wrong("signed is ignored")
def never_signed(maps, weights, *, size, signed=False):
    return stretched(total_of(maps, weights).clamp(min=0), size)


@answers.wrong("divided by its maximum")
def normalised(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    large = stretched(total if signed else total.relu(), size)
    return large / large.flatten(1).max(1).values.view(-1, 1, 1)


@answers.wrong("blocks")
def blocks(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total if signed else total.relu(), size, mode="nearest")


@answers.wrong("align_corners=True")
def corners(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total if signed else total.relu(), size, mode="bilinear", align_corners=True)


@answers.wrong("not stretched: the map must have")
def small(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return total if signed else total.relu()


@answers.right
def with_antialias(maps, weights, *, size, signed=False):
    """Which matters only where a map is made smaller, as no heatmap is."""
    total = total_of(maps, weights)
    return stretched(total if signed else total.relu(), size, mode="bilinear", antialias=True)


@answers.wrong("'float64' came out")
def in_numpy_doubles(maps, weights, *, size, signed=False):
    return in_numpy(maps, weights, size=size, signed=signed).double()


@answers.wrong("blocks")
def areas(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total if signed else total.relu(), size, mode="area")


@answers.wrong("bicubic")
def cubic(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total if signed else total.relu(), size, mode="bicubic")


@answers.wrong("height and width of the size are exchanged")
def width_first(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total if signed else total.relu(), (size[1], size[0]))


@answers.wrong("the map is square")
def square(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total if signed else total.relu(), size[0])


@answers.wrong("signed is the other way round")
def signed_inverted(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total.relu() if signed else total, size)


@answers.wrong("before they are weighed")
def rectified_maps(maps, weights, *, size, signed=False):
    total = total_of(torch.relu(maps), weights)
    return stretched(total if signed else total.relu(), size)


@answers.wrong("the weights are scaled")
def softmaxed(maps, weights, *, size, signed=False):
    total = total_of(maps, torch.softmax(weights, 1))
    return stretched(total if signed else total.relu(), size)


@answers.wrong("the weights lost their signs")
def unsigned_weights(maps, weights, *, size, signed=False):
    total = total_of(maps, abs(weights))
    return stretched(total if signed else total.relu(), size)


@answers.wrong("a little of the negative part is left")
def leaky(maps, weights, *, size, signed=False):
    total = total_of(maps, weights)
    return stretched(total if signed else nn.LeakyReLU()(total), size)


@answers.wrong("the weights of all images are added up")
def mixed(maps, weights, *, size, signed=False):
    total = torch.einsum("nchw,mc->nhw", maps, weights)
    return stretched(total if signed else total.relu(), size)


@answers.wrong("the strongest channel of each position")
def strongest_channel(maps, weights, *, size, signed=False):
    total = (weights[:, :, None, None] * maps).max(dim=1).values
    return stretched(total if signed else total.relu(), size)


@answers.wrong("the channels are left apart")
def every_channel(maps, weights, *, size, signed=False):
    terms = weights[:, :, None, None] * maps
    return functional.interpolate(terms if signed else terms.relu(), size=size, mode="bilinear")


@answers.wrong("an axis of length 1")
def with_an_axis(maps, weights, *, size, signed=False):
    total = (weights[:, :, None, None] * maps).sum(1, keepdim=True)
    return functional.interpolate(total if signed else total.relu(), size=size, mode="bilinear")


@answers.wrong("divided by its maximum")
def by_the_strongest_of_the_batch(maps, weights, *, size, signed=False):
    total = (maps * weights[:, :, None, None]).sum(1, keepdim=True)
    total = total if signed else total.relu()
    cams = torch.nn.functional.interpolate(total, size, mode="bilinear")[:, 0]
    return cams / torch.max(cams)


@answers.wrong("stretched by a whole factor")
def whole_scale_factor(maps, weights, *, size, signed=False):
    total = (maps * weights[:, :, None, None]).sum(1, keepdim=True)
    total = total if signed else total.relu()
    factors = size[0] // maps.shape[2], size[1] // maps.shape[3]
    return torch.nn.functional.interpolate(total, scale_factor=factors, mode="bilinear")[:, 0]


@answers.wrong("224×224 whatever")
def for_one_network(maps, weights, *, size, signed=False):
    total = (maps * weights[:, :, None, None]).sum(1, keepdim=True)
    total = total if signed else total.relu()
    return torch.nn.functional.interpolate(total, (224, 224), mode="bilinear")[:, 0]


@answers.wrong("the minimum is subtracted")
def lifted(maps, weights, *, size, signed=False):
    total = (maps * weights[:, :, None, None]).sum(1, keepdim=True)
    total = total if signed else total - total.flatten(1).min(1).values[:, None, None, None]
    return torch.nn.functional.interpolate(total, size, mode="bilinear")[:, 0]
