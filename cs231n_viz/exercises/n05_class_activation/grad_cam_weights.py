"""The channel weights of Grad-CAM."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import (
    TWO_MAPS,
    Score,
    all_target_logits,
    dtype_of,
    integers,
    pixels,
    predicted_logits,
    score_gradient,
    target_log_probabilities,
    target_logits,
    target_probabilities,
)


def grad_cam_weights(head: nn.Module, maps: Tensor, targets: Tensor) -> Tensor:
    """Average the gradient of a logit over each feature map (Grad-CAM, eq. 1). What is each channel worth to a class?

    Args:
        head: The rest of the network, from the maps to the logits (N, K).
        maps: (N, C, h, w), the output of the layer.
        targets: (N,), the class that is asked about, one for each image.

    Returns:
        (N, C): the gradient of the target's logit with respect to each map, averaged over its positions.
    """
    maps = maps.detach().requires_grad_()
    logits = head(maps)
    scores = logits[torch.arange(len(maps)), targets]  # images do not affect each other: one sum serves all
    return torch.autograd.grad(scores.sum(), maps)[0].mean((2, 3))


def _weighted(
    score: Score = target_logits,
    summary: Callable[[Tensor, Tensor], Tensor] = lambda gradients, maps: gradients.mean((2, 3)),
) -> Callable[..., Tensor]:
    """The reference with another score to differentiate, or another summary of the gradient."""
    return lambda head, maps, targets: summary(score_gradient(score, head, maps, targets), maps)


class _Head(nn.Module):
    """Flatten, linear, ReLU, linear, with small whole numbers as weights."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, classes)
        for layer, step in ((self.first, 5), (self.second, 3)):
            count = layer.weight.numel()
            layer.weight.data.copy_(((torch.arange(count) * step) % 7 - 3).reshape(layer.weight.shape) / 4)
            layer.bias.data.copy_(torch.arange(len(layer.bias)) % 3 / 2)

    def forward(self, maps: Tensor) -> Tensor:
        return self.second(self.first(maps.flatten(1)).relu())

    def expected(self, maps: Tensor, targets: Tensor) -> Tensor:
        """The averaged gradient by the chain rule, without autograd."""
        active = (self.first(maps.flatten(1)) > 0).float()
        return ((self.second.weight[targets] * active) @ self.first.weight).detach().reshape(maps.shape).mean((2, 3))


def _linear_head() -> nn.Module:
    head = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
    head[1].weight.data.copy_(torch.tensor([[1.0, -2, 3, 4, -1, 0, 2, -3]]) * torch.tensor([[1.0], [-0.5], [0.25]]))
    head[1].bias.data.copy_(torch.tensor([0.0, 0.3, 0.1]))
    return head


def _averaging_head() -> nn.Module:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    head[2].weight.data.copy_(torch.tensor([[2.0, -1.0], [1.0, 3.0], [-0.5, 0.25]]))
    head[2].bias.data.zero_()
    return head


_CURVES, _THREE = integers(4, 2, 3, 2) / 4, pixels(3, 2, 3, 2) - 0.5


def _curved(maps: Tensor) -> Tensor:
    """A head that is no module; the gradient of logit k is curve k times the maps."""
    return torch.einsum("kchw,nchw->nk", _CURVES, maps.square() / 2)


_MAPS = torch.tensor([[[[0.5, 1.0], [0.0, 0.2]], [[0.1, 0.0], [0.3, 0.4]]]])  # (1, 2, 2, 2)
_DEEP, _EACH = _Head(12, 6, 4), torch.tensor([0, 2])

ENTRY = Entry(
    name="grad_cam_weights",
    reference=grad_cam_weights,
    stars=2,
    minutes=15,
    hints=(
        "Which number do you differentiate, with respect to what, and over which axes is the result averaged?",
        "Detach the maps and let them require a gradient, run the head, pick each image's own logit and sum; "
        "`torch.autograd.grad` gives (N, C, h, w), whose mean over the last two axes was asked for.",
    ),
    checks=[
        Check(
            "a linear head: the averages of its weights",
            {"head": _linear_head(), "maps": _MAPS, "targets": torch.tensor([1])},
            torch.tensor([[-0.75, 0.25]]),
        ),
        Check(
            "averages and a linear layer: its weights, divided by the number of positions",
            {"head": _averaging_head(), "maps": TWO_MAPS[:1], "targets": torch.tensor([2])},
            torch.tensor([[-0.5 / 6, 0.25 / 6]]),
        ),
        Check(
            "a ReLU on the way, and two images with targets of their own",
            {"head": _DEEP, "maps": TWO_MAPS, "targets": _EACH},
            _DEEP.expected(TWO_MAPS, _EACH),
        ),
        Check(
            "three images of 3×2 positions, and a head that is a plain function",
            {"head": _curved, "maps": _THREE, "targets": torch.tensor([3, 0, 3])},
            (_CURVES[[3, 0, 3]] * _THREE).sum((2, 3)) / 6,
        ),
        Check(
            "in float32, as later cells compare it",
            {"head": _averaging_head(), "maps": TWO_MAPS, "targets": torch.tensor([2, 0])},
            "float32",
            dtype_of,
        ),
    ],
    mistakes={
        "the gradients are added up: average them over the positions": (
            _weighted(summary=lambda gradients, maps: gradients.sum((2, 3)))
        ),
        "averaged over the images as well: each has weights of its own": (
            _weighted(summary=lambda gradients, maps: gradients.mean((0, 2, 3)).expand(gradients.shape[:2]))
        ),
        "the mean of the scores was differentiated: each gradient is divided by the number of images, take the sum": (
            _weighted(lambda logits, targets: target_logits(logits, targets) / len(targets))
        ),
        "the first target is used for all images": _weighted(lambda logits, targets: logits[:, targets[0]]),
        "this is the gradient of all logits together: pick that of the target": (
            _weighted(lambda logits, targets: logits)
        ),
        "this is the gradient of the probability, after the softmax: the logit was asked for": (
            _weighted(target_probabilities)
        ),
        "this is the gradient of the loss: the logit was asked for": (
            _weighted(lambda logits, targets: F.cross_entropy(logits, targets, reduction="sum")),
            _weighted(F.cross_entropy),
        ),
        "this is the gradient of the logarithm of the probability: the logit was asked for": (
            _weighted(target_log_probabilities)
        ),
        "this is the gradient for the class that the network predicts: the target was asked for": (
            _weighted(predicted_logits)
        ),
        "the largest gradient of each map: take the mean": (
            _weighted(summary=lambda gradients, maps: gradients.amax((2, 3)))
        ),
        "negative gradients are cut off before the mean: a channel may be evidence against the class": (
            _weighted(summary=lambda gradients, maps: gradients.clamp_min(0).mean((2, 3)))
        ),
        "the gradients lost their signs before the mean": (
            _weighted(summary=lambda gradients, maps: gradients.abs().mean((2, 3)))
        ),
        "already multiplied with the maps: the gradient alone is averaged": (
            _weighted(summary=lambda gradients, maps: (gradients * maps).mean((2, 3)))
        ),
        "not averaged yet: one number for each channel": _weighted(summary=lambda gradients, maps: gradients),
        "the batch is mixed: logits[:, targets] sums all targets of every image, one each was asked for": (
            _weighted(all_target_logits)
        ),
        "negative weights are cut off: such a channel is evidence against the class": (
            _weighted(summary=lambda gradients, maps: gradients.mean((2, 3)).clamp_min(0))
        ),
        "the sign is flipped: this is the gradient of minus the logit": (
            _weighted(lambda logits, targets: -target_logits(logits, targets))
        ),
        "the length of the gradient: take its mean": (
            _weighted(summary=lambda gradients, maps: gradients.flatten(2).norm(dim=2)),
            _weighted(summary=lambda gradients, maps: gradients.square().mean((2, 3))),
        ),
        "divided by the number of channels as well: average over the positions alone": (
            _weighted(summary=lambda gradients, maps: gradients.mean((2, 3)) / maps.shape[1])
        ),
        "averaged over the channels: average over the positions, the last two axes": (
            _weighted(summary=lambda gradients, maps: gradients.mean(1))
        ),
        "the maps are averaged, not the gradient": _weighted(summary=lambda gradients, maps: maps.mean((2, 3))),
        "divided by a fixed number: h · w belongs to the layer": tuple(
            _weighted(summary=lambda gradients, maps, number=number: gradients.sum((2, 3)) / number)
            for number in (36, 49, 144, 169, 196)
        ),
        "divided by the square of one side: h and w may differ": (
            _weighted(summary=lambda gradients, maps: gradients.sum((2, 3)) / maps.shape[2] ** 2),
            _weighted(summary=lambda gradients, maps: gradients.sum((2, 3)) / maps.shape[3] ** 2),
        ),
        "averaged along one side only, added up along the other": (
            _weighted(summary=lambda gradients, maps: gradients.mean(2).sum(2)),
            _weighted(summary=lambda gradients, maps: gradients.mean(3).sum(2)),
        ),
        "averaged over the active positions: all of them count": (
            _weighted(
                summary=lambda gradients, maps: (
                    (gradients * (maps > 0)).sum((2, 3)) / (maps > 0).sum((2, 3)).clamp_min(1)
                )
            ),
            _weighted(summary=lambda gradients, maps: (gradients * (maps > 0)).mean((2, 3))),
        ),
        "the weights are scaled: then maps could not be compared": (
            _weighted(summary=lambda gradients, maps: gradients.mean((2, 3)).softmax(1)),
            _weighted(summary=lambda gradients, maps: F.normalize(gradients.mean((2, 3)), dim=1)),
            _weighted(summary=lambda gradients, maps: F.normalize(gradients.mean((2, 3)), p=1, dim=1)),
        ),
        "the maps lose their negative part first: the layer may not be followed by a ReLU": (
            lambda head, maps, targets: _weighted()(head, maps.clamp_min(0), targets)
        ),
    },
)
