"""One step of gradient ascent on an image."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import (
    Score,
    Squares,
    all_target_logits,
    dtype_of,
    integers,
    linear,
    pixels,
    predicted_logits,
    score_gradient,
    target_log_probabilities,
    target_logits,
    target_probabilities,
)


def ascent_step(model: nn.Module, images: Tensor, targets: Tensor, *, lr: float = 0.01) -> Tensor:
    """Take one step of gradient ascent on the target's logit.

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,) class indices, one for each image.
        lr: Learning rate: by how much a value changes on average.

    Returns:
        (N, 3, H, W) in [0, 1], without a graph: images + lr · g / mean|g|, with each image's own gradient g and its
        own mean.
    """
    pixels = images.detach().clone().requires_grad_()
    score = model(pixels)[torch.arange(len(images)), targets].sum()
    (gradient,) = torch.autograd.grad(score, pixels)  # leaves the .grad of the parameters alone
    size = gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
    return (images + lr * gradient / size).clamp(0, 1).detach()


def _size(gradient: Tensor) -> Tensor:
    return gradient.abs().mean(dim=(1, 2, 3), keepdim=True)


def _step(
    score: Score = target_logits,
    *,
    sign: float = 1.0,
    size: Callable[[Tensor], Tensor | float] = _size,
    magnitude: bool = False,
    finish: Callable[[Tensor, Tensor], Tensor] = lambda moved, images: moved.clamp(0, 1),
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def step(model: nn.Module, images: Tensor, targets: Tensor, lr: float) -> Tensor:
        gradient = score_gradient(score, model, images, targets)
        change = sign * lr * (gradient.abs() if magnitude else gradient) / size(gradient)
        return finish(images + change, images)

    return step


def _asked(
    title: str,
    size: tuple[int, int],
    targets: list[int],
    *,
    squares: bool = False,
    lr: float = 0.01,
    scale: float = 1.0,
) -> Check:
    """The gradient is w for a linear network and w x for ``Squares``."""
    weights, images, rows = integers(3, 3, *size) * scale, pixels(len(targets), 3, *size), torch.tensor(targets)
    gradient = weights[rows] * images if squares else weights[rows]
    model = Squares(weights).eval() if squares else linear(weights)
    moved = [image + lr * g / (g.abs().sum() / g.numel()) for image, g in zip(images, gradient, strict=True)]
    fed = {"model": model, "images": images, "targets": rows, "lr": lr}
    return Check(title, fed, torch.stack(moved).clamp(0, 1))


ENTRY = Entry(
    name="ascent_step",
    reference=ascent_step,
    stars=2,
    minutes=15,
    hints=(
        "Which number do you differentiate with respect to the images, and what makes the mean magnitude of the "
        "step lr for each of them?",
        "Copy the images to a leaf, sum each image's own target logit, take `torch.autograd.grad`; divide by the "
        "mean of its magnitude over dims 1 to 3 (keepdim), add lr times that, clamp, and detach.",
    ),
    checks=[
        _asked("a linear network: the step goes along its weights", (3, 4), [1]),
        _asked("two images, each with its own target and its own length", (3, 2), [2, 0], squares=True),
        _asked("a long step ends at the border of [0, 1]", (4, 3), [0], lr=0.4),
        Check(
            "the result has no graph",
            {"model": linear(integers(3, 3, 2, 2)), "images": pixels(1, 3, 2, 2), "targets": torch.tensor([1])},
            True,
            lambda function, **fed: not function(**fed).requires_grad,
        ),
        _asked("gradients that are small: the step is no shorter", (2, 3), [1, 2], lr=0.125, scale=1e-3),
        Check(
            "in float32, as the network needs it",
            {"model": linear(integers(3, 3, 2, 2)), "images": pixels(1, 3, 2, 2), "targets": torch.tensor([1])},
            "float32",
            dtype_of,
        ),
    ],
    mistakes={
        "the step goes down: it lowers the logit": _step(sign=-1.0),
        "this is the gradient of the probability, which also rises when other logits fall; the logit was asked for": (
            _step(target_log_probabilities),
            _step(target_probabilities),  # once divided by mean |g|, the same step
        ),
        "the predicted class is optimised instead of the target": _step(predicted_logits),
        "the batch is mixed: logits[:, targets] sums all targets of every image, one each was asked for": (
            _step(all_target_logits)
        ),
        "not divided by mean |g|: the length of the step depends on the network": _step(size=lambda gradient: 1.0),
        "divided by the L2 norm of the gradient; its mean magnitude was asked for": (
            _step(size=lambda gradient: gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        ),
        "one mean for the whole batch: each image has its own": _step(size=lambda gradient: gradient.abs().mean()),
        "only the sign of the gradient is used: every value moves by the same amount": (
            _step(size=lambda gradient: gradient.abs().clamp_min(1e-30))
        ),
        "the sign of the gradient is lost: this only brightens": _step(magnitude=True),
        "this is the change alone; the changed image was asked for": (
            _step(finish=lambda moved, images: moved - images)
        ),
        "the result leaves [0, 1]": _step(finish=lambda moved, images: moved),
        "the result is still attached to the graph, which grows with every step: detach it": (
            _step(finish=lambda moved, images: moved.clamp(0, 1).requires_grad_())
        ),
        "lr is ignored: the step has its default length": lambda model, images, targets, lr: _step()(
            model, images, targets, 0.01
        ),
        "divided by the sum of |g|; its mean was asked for": (
            _step(size=lambda gradient: gradient.abs().sum((1, 2, 3), keepdim=True))
        ),
        "divided by |mean g|: positive and negative values cancel there; take the magnitude first": (
            _step(size=lambda gradient: gradient.mean((1, 2, 3), keepdim=True).abs()),
            _step(size=lambda gradient: gradient.mean((1, 2, 3), keepdim=True)),
        ),
        "divided by the root of the mean square, or the standard deviation; the mean of |g| was asked for": (
            _step(size=lambda gradient: gradient.square().mean((1, 2, 3), keepdim=True).sqrt()),
            _step(size=lambda gradient: gradient.std((1, 2, 3), keepdim=True)),
        ),
        "divided by the largest |g|; the mean was asked for": (
            _step(size=lambda gradient: gradient.abs().amax((1, 2, 3), keepdim=True))
        ),
        "each channel has a mean of its own: an image has one": (
            _step(size=lambda gradient: gradient.abs().mean((2, 3), keepdim=True))
        ),
        "each pixel is divided by its own mean over the channels: an image has one": (
            _step(size=lambda gradient: gradient.abs().mean(1, keepdim=True).clamp_min(1e-30))
        ),
        "a number is added to the denominator that is not small beside mean |g|": tuple(
            _step(size=lambda gradient, small=small: _size(gradient) + small) for small in (1e-5, 1e-4, 1e-3, 0.01, 1.0)
        ),
        "multiplied by mean |g|: divide": _step(size=lambda gradient: 1 / _size(gradient)),
        "cut off at one end only, or elsewhere than at 0 and 1": (
            _step(finish=lambda moved, images: moved.clamp(max=1)),
            _step(finish=lambda moved, images: moved.clamp(min=0)),
            _step(finish=lambda moved, images: moved.clamp(-1, 1)),
        ),
        "the range is stretched to [0, 1]: cut off what lies outside": (
            _step(finish=lambda moved, images: (moved - moved.min()) / (moved.max() - moved.min())),
            _step(finish=lambda moved, images: moved.sigmoid()),
        ),
        "two steps instead of one": lambda model, images, targets, lr: _step()(
            model, _step()(model, images, targets, lr), targets, lr
        ),
        "all images follow the first target: each has its own": _step(lambda logits, targets: logits[:, targets[0]]),
        "this is the gradient of all logits together: pick that of the target": _step(lambda logits, targets: logits),
    },
)
