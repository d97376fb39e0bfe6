"""Exercises of notebook 05: where is the evidence? The map of a class, and what becomes of it in any network."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises import class_maps, class_weights
from cs231n_viz.exercises.core import Check, Entry


def cam_map(maps: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Which places speak for a class, in a network that averages its last maps and adds them up?

    Args:
        maps: (N, C, h, w), the last maps.
        weight: (K, C), of the linear layer behind the averages; row k belongs to class k.
        bias: (K,), of the same layer.
        targets: (N,), the class that is asked about, one for each picture.

    Returns:
        (N, h, w), signed: the sum over the channels of map times weight. Its mean plus ``bias[target]`` is the logit.
    """
    return torch.einsum("nchw,nc->nhw", maps, weight[targets])  # the bias belongs to no place


Arguments = tuple[Tensor, Tensor, Tensor, Tensor]


def _after(change: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The right map, and what is done to it: ``change(map, maps, weight, bias, targets)``."""

    def mistaken(maps: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        return change(cam_map(maps, weight, bias, targets), maps, weight, bias, targets)

    return mistaken


def _predicted(maps: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    logits = F.linear(maps.mean((2, 3)), weight, bias)
    return cam_map(maps, weight, bias, logits.argmax(dim=1))


def _softmax_at_each_place(maps: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    every = torch.einsum("nchw,kc->nkhw", maps, weight).softmax(dim=1)
    return every[torch.arange(len(maps)), targets]


def _scaled(found: Tensor, *_: Tensor) -> Tensor:
    low, high = found.amin((1, 2), keepdim=True), found.amax((1, 2), keepdim=True)
    return (found - low) / (high - low)


_MAPS = torch.tensor(
    [
        [[[0.0, 1.0, 3.0], [2.0, 0.0, 0.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 4.0]]],
        [[[2.0, 0.0, 0.0], [0.0, 5.0, 1.0]], [[0.0, 3.0, 0.0], [1.0, 0.0, 0.0]]],
    ]
)  # (2, 2, 2, 3)
_WEIGHT = torch.tensor([[2.0, -1.0], [1.0, 3.0], [-0.5, 0.25]])
_BIAS = torch.tensor([0.5, -2.0, 1.0])


def _fed(pictures: slice, *targets: int) -> dict[str, Tensor]:
    return {"maps": _MAPS[pictures], "weight": _WEIGHT, "bias": _BIAS, "targets": torch.tensor(targets)}


_CAM_MAP = Entry(
    name="cam_map",
    reference=cam_map,
    stars=2,
    minutes=10,
    checks=[
        Check(
            "one picture, the class that the network would choose",
            _fed(slice(0, 1), 1),
            torch.tensor([[[3.0, 1.0, 3.0], [2.0, 0.0, 12.0]]]),
        ),
        Check(
            "what speaks against the class is below 0",
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
            "two pictures, each with a target of its own",
            _fed(slice(0, 2), 0, 2),
            torch.tensor([[[-1.0, 2.0, 6.0], [4.0, 0.0, -4.0]], [[-1.0, 0.75, 0.0], [0.25, -2.5, -0.5]]]),
        ),
    ],
    mistakes={
        "the bias is added at every place: it belongs to none, and is added to the mean of the map": (
            _after(lambda found, maps, weight, bias, targets: found + bias[targets, None, None])
        ),
        "the sum starts from one: begin with zeros": _after(lambda found, *_: found + 1),
        "all pictures get the weights of the first target: each has its own row": (
            lambda maps, weight, bias, targets: cam_map(maps, weight, bias, targets[:1].expand(len(maps)))
        ),
        "what speaks against the class is cut off: this map is signed": _after(lambda found, *_: found.clamp_min(0)),
        "the weights lost their signs: a negative one says that the channel speaks against the class": (
            lambda maps, weight, bias, targets: cam_map(maps, weight.abs(), bias, targets)
        ),
        "this is the map of the class that the network predicts: the target was asked for": _predicted,
        "divided by the number of places: the mean of the map is the logit, not its sum": (
            _after(lambda found, *_: found / found[0].numel())
        ),
        "the channels are averaged: add them up": _after(lambda found, maps, *_: found / maps.shape[1]),
        "scaled to lie between 0 and 1: then its mean is no logit any more": _after(_scaled),
        "softmax over the classes at each place: the logit was asked for, and it is a sum": _softmax_at_each_place,
    },
)

ENTRIES = [_CAM_MAP, *class_weights.ENTRIES, *class_maps.ENTRIES]
