"""Exercise of notebook 05: what is each channel worth to a class? Its gradient says so, in any network."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry


def grad_cam_weights(head: nn.Module, maps: Tensor, targets: Tensor) -> Tensor:
    """What is each channel worth to a class, to first order?

    Args:
        head: The rest of the network, from the maps to the logits (N, K).
        maps: (N, C, h, w), what the layer puts out.
        targets: (N,), the class that is asked about, one for each picture.

    Returns:
        (N, C): the gradient of the target's logit with respect to each map, averaged over its places.
    """
    maps = maps.detach().requires_grad_()
    logits = head(maps)
    scores = logits[torch.arange(len(maps)), targets]  # pictures do not touch each other: one sum serves all
    return torch.autograd.grad(scores.sum(), maps)[0].mean((2, 3))


Score = Callable[[Tensor, Tensor], Tensor]
Summary = Callable[[Tensor, Tensor], Tensor]


def _chosen(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.gather(1, targets[:, None]).sum()


def _weighted(
    score: Score = _chosen, summary: Summary = lambda gradients, maps: gradients.mean((2, 3))
) -> Callable[..., Tensor]:
    """The reference with another number that is derived, or another summary of the gradient."""

    def mistaken(head: nn.Module, maps: Tensor, targets: Tensor) -> Tensor:
        maps = maps.detach().requires_grad_()
        gradients = torch.autograd.grad(score(head(maps), targets), maps)[0]
        return summary(gradients, maps.detach())

    return mistaken


def _over_the_batch(gradients: Tensor, _: Tensor) -> Tensor:
    return gradients.mean((0, 2, 3)).expand(gradients.shape[:2])


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
        on = (self.first(maps.flatten(1)) > 0).float()
        return ((self.second.weight[targets] * on) @ self.first.weight).detach().reshape(maps.shape).mean((2, 3))


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


_MAPS = torch.tensor([[[[0.5, 1.0], [0.0, 0.2]], [[0.1, 0.0], [0.3, 0.4]]]])  # (1, 2, 2, 2)
_TWO = torch.tensor(
    [
        [[[0.5, 0.0, 1.0], [0.0, 2.0, 0.0]], [[1.0, 0.5, 0.0], [0.0, 0.0, 3.0]]],
        [[[0.0, 1.0, 0.0], [1.5, 0.0, 0.5]], [[0.0, 0.0, 2.0], [0.5, 1.0, 0.0]]],
    ]
)  # (2, 2, 2, 3)
_DEEP, _EACH = _Head(12, 6, 4), torch.tensor([0, 2])

_GRAD_CAM_WEIGHTS = Entry(
    name="grad_cam_weights",
    reference=grad_cam_weights,
    stars=2,
    minutes=15,
    checks=[
        Check(
            "a linear head: the averages of its weights",
            {"head": _linear_head(), "maps": _MAPS, "targets": torch.tensor([1])},
            torch.tensor([[-0.75, 0.25]]),
        ),
        Check(
            "averages and a linear layer: its weights, divided by the number of places",
            {"head": _averaging_head(), "maps": _TWO[:1], "targets": torch.tensor([2])},
            torch.tensor([[-0.5 / 6, 0.25 / 6]]),
        ),
        Check(
            "a ReLU on the way, and two pictures with targets of their own",
            {"head": _DEEP, "maps": _TWO, "targets": _EACH},
            _DEEP.expected(_TWO, _EACH),
        ),
    ],
    mistakes={
        "the gradients are added up: average them over the places": (
            _weighted(summary=lambda gradients, _: gradients.sum((2, 3)))
        ),
        "averaged over the pictures as well: each has weights of its own": _weighted(summary=_over_the_batch),
        "the mean of the scores was derived: each gradient is divided by the number of pictures, take the sum": (
            _weighted(lambda logits, targets: _chosen(logits, targets) / len(targets))
        ),
        "the first target is used for all pictures": _weighted(lambda logits, targets: logits[:, targets[0]].sum()),
        "this is the gradient of all logits together: pick that of the target": (
            _weighted(lambda logits, targets: logits.sum())
        ),
        "this is the gradient of the probability, behind the softmax: the logit was asked for": (
            _weighted(lambda logits, targets: _chosen(logits.softmax(1), targets))
        ),
        "this is the gradient of the loss: the logit was asked for": (
            _weighted(lambda logits, targets: F.cross_entropy(logits, targets, reduction="sum")),
            _weighted(F.cross_entropy),
        ),
        "this is the gradient of the logarithm of the probability: the logit was asked for": (
            _weighted(lambda logits, targets: _chosen(logits.log_softmax(1), targets))
        ),
        "this is the gradient for the class that the network predicts: the target was asked for": (
            _weighted(lambda logits, targets: logits.amax(1).sum())
        ),
        "the largest gradient of each map: take the mean": _weighted(summary=lambda g, _: g.amax((2, 3))),
        "negative gradients are cut off before the mean: a channel may speak against the class": (
            _weighted(summary=lambda gradients, _: gradients.clamp_min(0).mean((2, 3)))
        ),
        "the gradients lost their signs before the mean": _weighted(summary=lambda g, _: g.abs().mean((2, 3))),
        "already multiplied with the maps: the gradient alone is averaged": (
            _weighted(summary=lambda gradients, maps: (gradients * maps).mean((2, 3)))
        ),
        "not averaged yet: one number for each channel": _weighted(summary=lambda gradients, _: gradients),
    },
)

ENTRIES = [_GRAD_CAM_WEIGHTS]
