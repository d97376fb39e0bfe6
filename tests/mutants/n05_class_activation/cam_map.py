import numpy as np
import torch

from tests.mutants import Answers

answers = Answers()


def weighted(maps, weights):
    return (maps * weights[:, :, None, None]).sum(1)


@answers.right
def by_picture(maps, weight, bias, targets):
    return torch.stack([torch.tensordot(weight[k], one, dims=1) for one, k in zip(maps, targets, strict=True)])


@answers.right
def by_channel(maps, weight, bias, targets):
    total = torch.zeros_like(maps[:, 0])
    for channel in range(maps.shape[1]):
        total += weight[targets, channel].view(-1, 1, 1) * maps[:, channel]
    return total


@answers.right
def as_a_convolution(maps, weight, bias, targets):
    every = torch.nn.functional.conv2d(maps, weight[:, :, None, None])
    return every[torch.arange(len(maps)), targets]


@answers.right
def in_numpy(maps, weight, bias, targets):
    rows = weight.numpy()[targets.numpy()]
    return torch.from_numpy(np.matmul(rows[:, None], maps.flatten(2).numpy()).reshape(len(maps), *maps.shape[2:]))


@answers.wrong("the bias is added at every position")
def with_bias(maps, weight, bias, targets):
    return weighted(maps, weight[targets]) + bias[targets].view(-1, 1, 1)


@answers.wrong("the sum starts from one")
def from_ones(maps, weight, bias, targets):
    total = torch.ones(len(maps), *maps.shape[2:])
    for channel in range(maps.shape[1]):
        total += weight[targets, channel].view(-1, 1, 1) * maps[:, channel]
    return total


@answers.wrong("weights of the first target")
def one_target(maps, weight, bias, targets):
    return torch.tensordot(maps, weight[targets[0]], dims=([1], [0]))


@answers.wrong("is cut off: this map is signed")
def rectified(maps, weight, bias, targets):
    return weighted(maps, weight[targets]).relu()


@answers.wrong("the weights lost their signs")
def unsigned_weights(maps, weight, bias, targets):
    return weighted(maps, abs(weight)[targets])


@answers.wrong("the class that the network predicts")
def of_the_prediction(maps, weight, bias, targets):
    best = (maps.mean(dim=(2, 3)) @ weight.T + bias).max(dim=1).indices
    return weighted(maps, weight[best])


@answers.wrong("divided by the number of positions")
def divided(maps, weight, bias, targets):
    return weighted(maps, weight[targets]) / (maps.shape[2] * maps.shape[3])


@answers.wrong("the channels are averaged")
def mean_of_channels(maps, weight, bias, targets):
    return (maps * weight[targets][..., None, None]).mean(dim=1)


@answers.wrong("scaled to lie between 0 and 1")
def stretched_range(maps, weight, bias, targets):
    cams = weighted(maps, weight[targets])
    cams = cams - cams.flatten(1).min(1).values.view(-1, 1, 1)
    return cams / cams.flatten(1).max(1).values.view(-1, 1, 1)


@answers.wrong("softmax over the classes")
def probabilities(maps, weight, bias, targets):
    every = torch.softmax(torch.nn.functional.conv2d(maps, weight[:, :, None, None]), dim=1)
    return torch.stack([one[k] for one, k in zip(every, targets, strict=True)])


@answers.wrong("something works in place")
def changes_the_maps(maps, weight, bias, targets):
    maps *= weight[targets][:, :, None, None]
    return maps.sum(1)


@answers.wrong("the weights of all targets are added up")
def mixed(maps, weight, bias, targets):
    return torch.tensordot(maps, weight[targets].sum(0), dims=([1], [0]))


@answers.wrong("the bias is subtracted")
def without_bias_twice(maps, weight, bias, targets):
    return weighted(maps, weight[targets]) - bias[targets].view(-1, 1, 1)


@answers.wrong("the bias is spread over the positions")
def bias_in_equal_shares(maps, weight, bias, targets):
    share = bias[targets] / (maps.shape[2] * maps.shape[3])
    return weighted(maps, weight[targets]) + share.view(-1, 1, 1)


@answers.wrong("the map has lost its signs")
def magnitudes(maps, weight, bias, targets):
    return abs(weighted(maps, weight[targets]))


@answers.wrong("negative weights are cut off")
def positive_weights(maps, weight, bias, targets):
    return weighted(maps, weight[targets].relu())


@answers.wrong("divided by its maximum")
def at_most_one(maps, weight, bias, targets):
    cams = weighted(maps, weight[targets])
    return cams / cams.flatten(1).max(1).values.view(-1, 1, 1)


@answers.wrong("all are maps of the first image")
def the_first_image(maps, weight, bias, targets):
    return torch.stack([(maps[0] * weight[k].view(-1, 1, 1)).sum(0) for k in targets])


@answers.wrong("the strongest channel of each position")
def strongest_channel(maps, weight, bias, targets):
    return (maps * weight[targets][:, :, None, None]).max(dim=1).values


@answers.wrong("averaged or summed over the positions")
def logit_without_bias(maps, weight, bias, targets):
    return (maps.mean((2, 3)) * weight[targets]).sum(1)


@answers.wrong("the maps of all classes")
def every_class(maps, weight, bias, targets):
    return torch.nn.functional.conv2d(maps, weight[:, :, None, None])


@answers.wrong("the channels are not added up yet")
def not_summed(maps, weight, bias, targets):
    return weight[targets][..., None, None] * maps


@answers.wrong("scaled to a length or a sum of 1")
def unit_weights(maps, weight, bias, targets):
    rows = weight[targets]
    return weighted(maps, rows / rows.norm(dim=1, keepdim=True))


@answers.wrong("scaled to a length or a sum of 1")
def softmax_of_the_weights(maps, weight, bias, targets):
    return weighted(maps, torch.softmax(weight[targets], dim=-1))


@answers.wrong("an axis of length 1")
def with_an_axis(maps, weight, bias, targets):
    return (maps * weight[targets][:, :, None, None]).sum(1, keepdim=True)


@answers.wrong("'float64' came out")
def in_doubles(maps, weight, bias, targets):
    return weighted(maps.double(), weight[targets].double())


@answers.wrong("the weights of the first class")
def class_zero(maps, weight, bias, targets):
    return torch.tensordot(maps, weight[0], dims=([1], [0]))


@answers.wrong("averaged or summed over the positions")
def one_number(maps, weight, bias, targets):
    return (maps * weight[targets][:, :, None, None]).sum((1, 2, 3))


@answers.wrong("mixes channels and positions")
def reshaped(maps, weight, bias, targets):
    count, channels, height, width = maps.shape
    positions = maps.reshape(count, height * width, channels)
    return (positions * weight[targets][:, None]).sum(2).view(count, height, width)


@answers.wrong("columns of the weights")
def columns(maps, weight, bias, targets):
    return torch.einsum("cn,nchw->nhw", weight[:, targets], maps)


@answers.wrong("something works in place")
def maps_weighed_in_place(maps, weight, bias, targets):
    maps *= weight[targets][:, :, None, None]
    return maps.sum(1)
