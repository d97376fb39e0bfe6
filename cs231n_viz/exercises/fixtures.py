"""What several exercises share: exact tensors, networks of a few lines, and scores that mistaken answers follow."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Score = Callable[[Tensor, Tensor], Tensor]  # logits (N, K) and targets (N,) -> (N,)

# (kernel, stride, padding) of the convolutions and pools of AlexNet, as torchvision has it, up to its fifth convolution
ALEXNET = [(11, 4, 2), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1)]

# Two images, two channels, 2×3 positions, of a layer that is not followed by a ReLU.
TWO_MAPS = torch.tensor(
    [
        [[[0.5, 0.0, 1.0], [0.0, 2.0, -1.0]], [[1.0, 0.5, -2.0], [0.0, 0.0, 3.0]]],
        [[[0.0, 1.0, 0.0], [1.5, 0.0, 0.5]], [[0.0, 0.0, 2.0], [0.5, 1.0, 0.0]]],
    ]
)

# For total variation: three constant colours, and a slope of 0.1 a row and 0.25 a column in every channel.
COLOURS = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 3, 4).contiguous()
SLOPE = (0.1 * torch.arange(4.0)[:, None] + 0.25 * torch.arange(3.0)).expand(1, 3, 4, 3).contiguous()


def stripes(rows: int, columns: int, *, vertical: bool) -> Tensor:
    """(1, 3, rows, columns) of 0 and 1 in turn, from column to column if vertical, else from row to row."""
    line = torch.arange(columns if vertical else rows) % 2.0
    return (line if vertical else line[:, None]).expand(1, 3, rows, columns).contiguous()


def pixels(*shape: int) -> Tensor:
    """Sixteenths in [0, 1], different from position to position."""
    index = torch.arange(torch.Size(shape).numel(), dtype=torch.float32)
    return ((index * 11 + 3) % 17 / 16).reshape(shape)


def integers(*shape: int) -> Tensor:
    """Whole numbers from -6 to 6 as float32, different from position to position."""
    index = torch.arange(torch.Size(shape).numel(), dtype=torch.float32)
    return ((index * 7 + index.div(5, rounding_mode="floor")) % 13 - 6).reshape(shape)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal noise."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def linear(weights: Tensor) -> nn.Module:
    """A network whose logits are weighted sums over the pixels, weights (K, 3, H, W); its gradient is its weights."""
    layer = nn.Linear(weights[0].numel(), len(weights), bias=False)
    layer.weight.data.copy_(weights.flatten(1))
    return nn.Sequential(nn.Flatten(), layer).eval()


class Squares(nn.Module):
    """Logits Σ w x² / 2 over the pixels: the gradient at an image is w x."""

    def __init__(self, weights: Tensor) -> None:
        """``weights`` is (K, 3, H, W)."""
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, K)."""
        return torch.einsum("kchw,nchw->nk", self.weights, images.square() / 2)


class LostGraph(Exception):
    """An answer that can be differentiated was asked for; its message says what cuts it off."""


def gradient_of(argument: str) -> Callable[..., Tensor]:
    """For ``Check(ask=...)``: the gradient of an answer's sum with respect to one of its arguments.

    Raises:
        LostGraph: If the answer does not depend on the argument as autograd sees it.
    """

    def ask(function: Callable[..., Tensor], **fed: Any) -> Tensor:
        leaf = fed[argument].clone().requires_grad_()
        try:
            value = function(**{**fed, argument: leaf})
        except RuntimeError as error:
            if "numpy() on Tensor that requires grad" not in str(error):
                raise
            value = None
        gradient = None
        if isinstance(value, Tensor) and value.requires_grad:
            (gradient,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
        if gradient is None:
            raise LostGraph(
                f"no gradient reaches {argument}: `.detach()`, `.data`, `.item()`, `no_grad`, NumPy or a new tensor "
                "cuts the graph, and gradient descent would stand still"
            )
        return gradient

    return ask


def central_differences(formula: Callable[[Tensor], Any], at: Tensor, step: float = 1e-5) -> Tensor:
    """The gradient of a number at a point, in double precision, without autograd.

    Args:
        formula: Tensor of float64 -> number.
        at: The point.
        step: Half the distance of two values; the error is of the order of its square.
    """
    point, gradient = at.detach().double(), torch.zeros(at.shape, dtype=torch.float64)
    for index in range(point.numel()):
        aside = torch.zeros_like(point)
        aside.view(-1)[index] = step
        gradient.view(-1)[index] = (float(formula(point + aside)) - float(formula(point - aside))) / (2 * step)
    return gradient


def dtype_of(function: Callable[..., Any], **fed: Any) -> str:
    """For ``Check(ask=...)``: the name of an answer's dtype, such as "float32"; of anything but a tensor its type."""
    value = function(**fed)
    return str(value.dtype).removeprefix("torch.") if isinstance(value, Tensor) else type(value).__name__


def is_attached(function: Callable[..., Any], **fed: Any) -> bool:
    """For ``Check(ask=...)``: does the answer still hang on a graph, so that it cannot be drawn or saved?"""
    value = function(**fed)
    return isinstance(value, Tensor) and value.requires_grad


def target_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """Each image's logit of its own target, (N,)."""
    return logits[torch.arange(len(targets)), targets]


def target_probabilities(logits: Tensor, targets: Tensor) -> Tensor:
    """A mistake: the probability instead of the logit."""
    return target_logits(logits.softmax(1), targets)


def target_log_probabilities(logits: Tensor, targets: Tensor) -> Tensor:
    """A mistake: minus the loss instead of the logit."""
    return target_logits(logits.log_softmax(1), targets)


def predicted_logits(logits: Tensor, _: Tensor) -> Tensor:
    """A mistake: the predicted class instead of the target."""
    return logits.amax(1)


def all_target_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """A mistake: every target's logit of every image, which is what ``logits[:, targets].sum()`` says."""
    return logits[:, targets].sum(1)


def score_gradient(score: Score, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """The gradient of ``score(logits, targets).sum()`` with respect to the images; mistaken answers start from it."""
    leaf = images.detach().clone().requires_grad_()
    return torch.autograd.grad(score(model(leaf), targets).sum(), leaf)[0]
