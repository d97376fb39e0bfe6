"""Class activation mapping (CAM)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of


def cam_map(maps: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Weigh the last feature maps by the linear layer's weights of a class (CAM). Where is the evidence?

    Args:
        maps: (N, C, h, w), the last feature maps of a network that averages them.
        weight: (K, C), of the linear layer after the averages; row k belongs to class k.
        bias: (K,), of the same layer.
        targets: (N,), the class that is asked about, one for each image.

    Returns:
        (N, h, w), signed: the sum over the channels of map times weight. Its mean plus ``bias[target]`` is the logit.
    """
    return torch.einsum("nchw,nc->nhw", maps, weight[targets])  # the bias belongs to no position


def _predicted(maps: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    logits = F.linear(maps.mean((2, 3)), weight, bias)
    return cam_map(maps, weight, bias, logits.argmax(dim=1))


def _softmax_at_each_position(maps: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    every = torch.einsum("nchw,kc->nkhw", maps, weight).softmax(dim=1)
    return every[torch.arange(len(maps)), targets]


def _scaled(*fed: Tensor) -> Tensor:
    cams = cam_map(*fed)
    low, high = cams.amin((1, 2), keepdim=True), cams.amax((1, 2), keepdim=True)
    return (cams - low) / (high - low)


_MAPS = torch.tensor(
    [
        [[[0.0, 1.0, 3.0], [2.0, 0.0, 0.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 4.0]]],
        [[[2.0, 0.0, 0.0], [0.0, 5.0, 1.0]], [[0.0, 3.0, 0.0], [1.0, 0.0, 0.0]]],
    ]
)  # (2, 2, 2, 3), after a ReLU
_BOTH = torch.tensor(
    [[[[1.0, 2.0, 0.0], [3.0, 1.0, 2.0]], [[2.0, 1.0, 1.0], [1.0, 0.0, 4.0]]]]
)  # channels that overlap
_WEIGHT = torch.tensor([[2.0, -1.0], [1.0, 3.0], [-0.5, 0.25]])
_BIAS = torch.tensor([0.5, -2.0, 1.0])


def _fed(images: slice, *targets: int) -> dict[str, Tensor]:
    return {"maps": _MAPS[images], "weight": _WEIGHT, "bias": _BIAS, "targets": torch.tensor(targets)}


ENTRY = Entry(
    name="cam_map",
    reference=cam_map,
    stars=2,
    minutes=10,
    hints=(
        "Which weights belong to the target of an image, and what is the logit if you exchange the sum over the "
        "channels and the mean over the positions?",
        "`weight[targets]` is (N, C): a weight for each channel of each image. Multiply it with the maps, broadcast"
        " over the positions or as an einsum, and sum over the channels; the bias stays out.",
    ),
    checks=[
        Check(
            "one image, the class that the network predicts",
            _fed(slice(0, 1), 1),
            torch.tensor([[[3.0, 1.0, 3.0], [2.0, 0.0, 12.0]]]),
        ),
        Check(
            "evidence against the class is below 0",
            _fed(slice(0, 1), 0),
            torch.tensor([[[-1.0, 2.0, 6.0], [4.0, 0.0, -4.0]]]),
        ),
        Check(
            "its mean, plus the bias of the class, is the logit",
            _fed(slice(1, 2), 2),
            torch.tensor([-0.5 * 8 / 6 + 0.25 * 4 / 6 + 1.0]),
            lambda function, **fed: function(**fed).mean((1, 2)) + fed["bias"][fed["targets"]],
        ),
        Check(
            "two images, each with a target of its own",
            _fed(slice(0, 2), 0, 2),
            torch.tensor([[[-1.0, 2.0, 6.0], [4.0, 0.0, -4.0]], [[-1.0, 0.75, 0.0], [0.25, -2.5, -0.5]]]),
        ),
        Check(
            "one image, asked about all three classes",
            {"maps": _BOTH.repeat(3, 1, 1, 1), "weight": _WEIGHT, "bias": _BIAS, "targets": torch.arange(3)},
            torch.tensor(
                [
                    [[0.0, 3.0, -1.0], [5.0, 2.0, 0.0]],
                    [[7.0, 5.0, 3.0], [6.0, 1.0, 14.0]],
                    [[0.0, -0.75, 0.25], [-1.25, -0.5, 0.0]],
                ]
            ),
        ),
        Check("in float32, as later cells compare it", _fed(slice(0, 2), 2, 1), "float32", dtype_of),
    ],
    mistakes={
        "the bias is added at every position: it belongs to none, and is added to the mean of the map": (
            lambda maps, weight, bias, targets: cam_map(maps, weight, bias, targets) + bias[targets, None, None]
        ),
        "the sum starts from one: begin with zeros": lambda *fed: cam_map(*fed) + 1,
        "all images get the weights of the first target: each has its own row": (
            lambda maps, weight, bias, targets: cam_map(maps, weight, bias, targets[:1].expand(len(maps)))
        ),
        "negative evidence is cut off: this map is signed": lambda *fed: cam_map(*fed).clamp_min(0),
        "the weights lost their signs: a negative one makes the channel evidence against the class": (
            lambda maps, weight, bias, targets: cam_map(maps, weight.abs(), bias, targets)
        ),
        "this is the map of the class that the network predicts: the target was asked for": _predicted,
        "divided by the number of positions: the mean of the map is the logit, not its sum": (
            lambda maps, *rest: cam_map(maps, *rest) / maps[0, 0].numel()
        ),
        "the channels are averaged: add them up": lambda maps, *rest: cam_map(maps, *rest) / maps.shape[1],
        "scaled to lie between 0 and 1: then its mean is no logit any more": _scaled,
        "softmax over the classes at each position: the logit was asked for, and it is a sum": (
            _softmax_at_each_position
        ),
        "the weights of all targets are added up for each image: each has one": (
            lambda maps, weight, bias, targets: torch.einsum("nchw,mc->nhw", maps, weight[targets])
        ),
        "the bias is subtracted: leave it out": (
            lambda maps, weight, bias, targets: cam_map(maps, weight, bias, targets) - bias[targets, None, None]
        ),
        "the bias is spread over the positions: it belongs to none": (
            lambda maps, weight, bias, targets: (
                cam_map(maps, weight, bias, targets) + (bias[targets] / maps[0, 0].numel())[:, None, None]
            )
        ),
        "the map has lost its signs: evidence against the class is below 0": lambda *fed: cam_map(*fed).abs(),
        "negative weights are cut off: these channels are evidence against the class, and count": (
            lambda maps, weight, bias, targets: cam_map(maps, weight.clamp_min(0), bias, targets)
        ),
        "divided by its maximum: then its mean is no logit any more": (
            lambda *fed: cam_map(*fed) / cam_map(*fed).amax((1, 2), keepdim=True),
            lambda *fed: cam_map(*fed) / cam_map(*fed).abs().amax((1, 2), keepdim=True),
        ),
        "reshaped where the axes had to be permuted, permute(0, 2, 3, 1): that mixes channels and positions": (
            lambda maps, weight, bias, targets: cam_map(
                maps.reshape(len(maps), *maps.shape[2:], -1).permute(0, 3, 1, 2), weight, bias, targets
            )
        ),
        "columns of the weights are taken: row k belongs to class k, weight[targets]": (
            lambda maps, weight, bias, targets: torch.einsum("nchw,cn->nhw", maps, weight[:, targets]),
            lambda maps, weight, bias, targets: torch.einsum("cn,nchw->nhw", weight[:, targets], maps),
        ),
        "all are maps of the first image": lambda maps, *rest: cam_map(maps[:1].expand_as(maps), *rest),
        "the strongest channel of each position: add all of them up": (
            lambda maps, weight, bias, targets: (maps * weight[targets][:, :, None, None]).amax(1)
        ),
        "averaged or summed over the positions: the map itself was asked for": (
            lambda *fed: cam_map(*fed).mean((1, 2)),
            lambda *fed: cam_map(*fed).sum((1, 2)),
        ),
        "the maps of all classes: pick that of each image's target": (
            lambda maps, weight, bias, targets: torch.einsum("nchw,kc->nkhw", maps, weight)
        ),
        "the channels are not added up yet": (
            lambda maps, weight, bias, targets: maps * weight[targets][:, :, None, None]
        ),
        "the weights are scaled to a length or a sum of 1: then the mean of the map is no logit": (
            lambda maps, weight, bias, targets: cam_map(maps, F.normalize(weight, dim=1), bias, targets),
            lambda maps, weight, bias, targets: cam_map(maps, weight.softmax(1), bias, targets),
            lambda maps, weight, bias, targets: cam_map(maps, weight / weight.sum(1, keepdim=True), bias, targets),
        ),
        "the weights of the first class are taken for all images: take those of each target": (
            lambda maps, weight, bias, targets: cam_map(maps, weight, bias, torch.zeros_like(targets))
        ),
    },
)
