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
    return torch.from_numpy(rows @ total @ columns.T)


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
