"""Saliency: the magnitude of the gradient of a logit."""

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


def saliency_map(model: nn.Module, images: Tensor, targets: Tensor, *, magnitude: str = "abs") -> Tensor:
    """Take the largest gradient magnitude over the channels. Which pixels would change the target's logit most?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,) class indices, one for each image.
        magnitude: ``"abs"`` or ``"square"`` of the gradient.

    Returns:
        (N, H, W), at least 0: the largest magnitude over the three channels.
    """
    pixels = images.clone().requires_grad_()
    scores = model(pixels)[torch.arange(len(images)), targets]  # (N,) logits; image i moves entry i only
    (gradient,) = torch.autograd.grad(scores.sum(), pixels)  # leaves the .grad of the parameters alone
    size = gradient.abs() if magnitude == "abs" else gradient.square()
    return size.amax(dim=1)


def _sized(values: Tensor, magnitude: str) -> Tensor:
    return values.abs() if magnitude == "abs" else values.square()


def _largest(gradient: Tensor, magnitude: str) -> Tensor:
    return _sized(gradient, magnitude).amax(1)


def _strongest(gradient: Tensor) -> Tensor:
    return gradient.gather(1, gradient.abs().argmax(1, keepdim=True))[:, 0]


def _scaled(gradient: Tensor, magnitude: str) -> Tensor:
    maps = _largest(gradient, magnitude)
    return maps / maps.amax((1, 2), keepdim=True)


def _map(
    score: Score = target_logits,
    reduce: Callable[[Tensor, str], Tensor] = _largest,
    *,
    mean: bool = False,
    times_input: bool = False,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def maps(model: nn.Module, images: Tensor, targets: Tensor, magnitude: str) -> Tensor:
        gradient = score_gradient(score, model, images, targets) / (len(images) if mean else 1)
        return reduce(gradient * images if times_input else gradient, magnitude)

    return maps


def _saliency(
    title: str, size: tuple[int, int], targets: list[int], *, squares: bool = False, shift: int = 0, **options: str
) -> Check:
    """The gradient is w for a linear network and w x for ``Squares``."""
    weights, images, rows = integers(3, 3, *size) + shift, pixels(len(targets), 3, *size), torch.tensor(targets)
    gradient = weights[rows] * images if squares else weights[rows]
    largest = gradient.abs().amax(1)
    expected = largest**2 if options.get("magnitude") == "square" else largest
    model = Squares(weights).eval() if squares else linear(weights)
    return Check(title, {"model": model, "images": images, "targets": rows, **options}, expected)


ENTRY = Entry(
    name="saliency_map",
    reference=saliency_map,
    stars=2,
    minutes=15,
    hints=(
        "Which number do you differentiate, with respect to what, and which of the three channels counts?",
        "Make a copy of the images a leaf with `requires_grad_`, sum each image's own target logit, call "
        "`torch.autograd.grad`, then take the magnitude first and the largest over dim 1 after it.",
    ),
    checks=[
        _saliency("a linear network: the largest |weight| of the three channels", (3, 4), [1]),
        _saliency("its square on request", (2, 3), [0], magnitude="square"),
        _saliency("two images, each with its own target", (3, 2), [2, 0]),
        _saliency("a network that is not linear: the image counts", (3, 4), [0], squares=True),
        _saliency("and three images at once", (4, 3), [1, 0, 1], squares=True, magnitude="square"),
        Check(
            "in float32, as later cells compare it",
            {"model": linear(integers(3, 3, 2, 3)), "images": pixels(2, 3, 2, 3), "targets": torch.tensor([2, 0])},
            "float32",
            dtype_of,
        ),
        _saliency("all gradients are below 0", (2, 3), [1, 0], shift=-7),
    ],
    mistakes={
        "this is the gradient of the loss, or of the log-probability; the logit was asked for": (
            _map(target_log_probabilities),
            _map(target_log_probabilities, mean=True),
        ),
        "this is the gradient of the probability; the logit was asked for": _map(target_probabilities),
        "the predicted class is taken instead of the target": _map(predicted_logits),
        "the batch is mixed: logits[:, targets] sums all targets of every image, one each was asked for": (
            _map(all_target_logits)
        ),
        "divided by the number of images: each map must be the same alone and in a batch": _map(mean=True),
        "the magnitude is missing: a strongly negative gradient matters as much": (
            _map(reduce=lambda gradient, magnitude: gradient.amax(1))
        ),
        "the largest channel was chosen before the magnitude: a strongly negative one is lost": (
            _map(reduce=lambda gradient, magnitude: _sized(gradient.amax(1), magnitude))
        ),
        "the channels are summed: the largest of the three was asked for": (
            _map(reduce=lambda gradient, magnitude: _sized(gradient, magnitude).sum(1)),
            _map(reduce=lambda gradient, magnitude: _sized(gradient.sum(1), magnitude)),
        ),
        "the channels are averaged: the largest of the three was asked for": (
            _map(reduce=lambda gradient, magnitude: _sized(gradient, magnitude).mean(1)),
            _map(reduce=lambda gradient, magnitude: _sized(gradient.mean(1), magnitude)),
        ),
        "scaled to a largest value of 1: the maps of two images could no longer be compared": _map(reduce=_scaled),
        "multiplied by the image: this is gradient × input, a black pixel may matter too": _map(times_input=True),
        "magnitude='square' is ignored": _map(reduce=lambda gradient, magnitude: gradient.abs().amax(1)),
        "the norm over the channels: the largest of the three was asked for": (
            _map(
                reduce=lambda gradient, magnitude: (
                    gradient.norm(dim=1) if magnitude == "abs" else gradient.square().sum(1)
                )
            ),
            _map(reduce=lambda gradient, magnitude: _sized(gradient.norm(dim=1), magnitude)),
        ),
        "one channel only: the largest of the three was asked for": tuple(
            _map(reduce=lambda gradient, magnitude, c=c: _sized(gradient, magnitude)[:, c]) for c in range(3)
        ),
        "the smallest of the three channels: the largest was asked for": (
            _map(reduce=lambda gradient, magnitude: _sized(gradient, magnitude).amin(1))
        ),
        "the largest of the three by magnitude, but with its sign: the magnitude was asked for": (
            _map(reduce=lambda gradient, magnitude: _strongest(gradient)),
            _map(reduce=lambda gradient, magnitude: _strongest(gradient).pow(1 if magnitude == "abs" else 2)),
        ),
        "negative gradients are cut off: they matter as much": (
            _map(reduce=lambda gradient, magnitude: _sized(gradient.clamp_min(0), magnitude).amax(1))
        ),
        "the largest over the images: channels are the second axis of (N, 3, H, W)": (
            _map(reduce=lambda gradient, magnitude: _sized(gradient, magnitude).amax(0))
        ),
        "the first target is used for all images": _map(lambda logits, targets: logits[:, targets[0]]),
        "this is the gradient of all logits together: pick that of the target": _map(lambda logits, targets: logits),
        "square and abs are exchanged": (
            _map(reduce=lambda gradient, magnitude: _largest(gradient, "abs" if magnitude == "square" else "square"))
        ),
        "squared whatever is asked for": _map(reduce=lambda gradient, _: gradient.square().amax(1)),
    },
)
