"""The fast gradient sign method (FGSM), targeted."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import (
    Score,
    dtype_of,
    integers,
    is_attached,
    linear,
    noise,
    pixels,
    score_gradient,
    target_log_probabilities,
    target_logits,
)


def fgsm_step(model: nn.Module, images: Tensor, targets: Tensor, *, epsilon: float) -> Tensor:
    """Change every value by epsilon so that the targets become more probable (FGSM, targeted).

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,) class indices, one for each image.
        epsilon: How far each value goes up or down.

    Returns:
        (N, 3, H, W) in [0, 1].
    """
    pixels = images.clone().requires_grad_()
    loss = nn.functional.cross_entropy(model(pixels), targets, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, pixels)
    return (images - epsilon * gradient.sign()).clamp(0, 1)  # down the loss: towards the target


def _stepping(
    step: Callable[[Tensor], Tensor] = torch.sign,
    *,
    score: Score = target_log_probabilities,
    scale: float = 1.0,
    clip: bool = True,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def stepping(model: nn.Module, images: Tensor, targets: Tensor, epsilon: float) -> Tensor:
        moved = images + scale * epsilon * step(score_gradient(score, model, images, targets))
        return moved.clamp(0, 1) if clip else moved

    return stepping


def _signed(title: str, targets: list[int], *, epsilon: float, dead: bool = False) -> Check:
    """For a linear network, the gradient of log p of a target is w_t − Σ p_k w_k."""
    weights, rows = integers(3, 3, 3, 4) / 16, torch.tensor(targets)
    if dead:
        weights[:, :, 0] = 0.0
    images = pixels(len(targets), 3, 3, 4)
    p = torch.einsum("kchw,nchw->nk", weights, images).softmax(1)
    slopes = weights[rows] - torch.einsum("nk,kchw->nchw", p, weights)
    expected = (images + epsilon * slopes.sign()).clamp(0, 1)
    return Check(title, {"model": linear(weights), "images": images, "targets": rows, "epsilon": epsilon}, expected)


def _wide(title: str) -> Check:
    """Six classes, weights without a pattern: the sign of w_t − Σ p_k w_k is that of no simpler formula."""
    weights, images, rows = noise(6, 3, 4, 5) / 2, pixels(4, 3, 4, 5), torch.tensor([5, 0, 3, 0])
    p = torch.einsum("kchw,nchw->nk", weights, images).softmax(1)
    slopes = weights[rows] - torch.einsum("nk,kchw->nchw", p, weights)
    expected = (images + 0.125 * slopes.sign()).clamp(0, 1)
    return Check(title, {"model": linear(weights), "images": images, "targets": rows, "epsilon": 0.125}, expected)


ENTRY = Entry(
    name="fgsm_step",
    reference=fgsm_step,
    stars=1,
    minutes=10,
    hints=(
        "In which direction must each value go so that the loss of the target falls, and how far?",
        "Make a copy of the images a leaf, take the gradient of the cross-entropy of the logits and the targets, "
        "subtract epsilon times its sign from the images that were given, and clamp to [0, 1].",
    ),
    checks=[
        _signed("one image, a linear network", [1], epsilon=0.03125),
        _signed("a larger epsilon, where values reach 0 and 1", [2], epsilon=0.25),
        _signed("three images, each with its own target", [2, 0, 1], epsilon=0.03125),
        _signed("where no class depends on a pixel, it stays", [0, 1], epsilon=0.0625, dead=True),
        _wide("four images, six classes"),
        Check(
            "the result has no graph, and can be drawn",
            {"model": linear(integers(3, 3, 2, 3)), "images": pixels(1, 3, 2, 3), "targets": torch.tensor([1])}
            | {"epsilon": 0.0625},
            False,
            is_attached,
        ),
        Check(
            "in float32, as the network needs it",
            {"model": linear(integers(3, 3, 2, 3)), "images": pixels(1, 3, 2, 3), "targets": torch.tensor([1])}
            | {"epsilon": 0.0625},
            "float32",
            dtype_of,
        ),
    ],
    mistakes={
        "the gradient itself is added: only its sign was asked for": _stepping(lambda g: g),
        "this is a step of unit length along the gradient: its sign was asked for": (
            _stepping(lambda g: g / g.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        ),
        "this leads away from the target: go down its loss": _stepping(lambda g: -g.sign()),
        "this is the sign of the gradient of the logit: the loss, or log p, also counts the other classes": (
            _stepping(score=target_logits)
        ),
        "the clipping to [0, 1] is missing": _stepping(clip=False),
        "the predicted class is made more probable instead of the target": (
            _stepping(score=lambda logits, _: target_log_probabilities(logits, logits.argmax(1)))
        ),
        "every image goes to the first target": (
            _stepping(score=lambda logits, targets: target_log_probabilities(logits, targets[:1].expand_as(targets)))
        ),
        "epsilon is divided by 255: it is given for values in [0, 1]": _stepping(scale=1 / 255),
        "a value whose gradient is 0 moves: its sign is 0": _stepping(lambda g: (g > 0).float() * 2 - 1),
        "the result is still attached to the graph: detach it, or add the step to the images that were given": (
            lambda *fed: _stepping()(*fed).requires_grad_()
        ),
        "this is the change alone: the changed image was asked for": (
            lambda model, images, *rest: _stepping(clip=False)(model, images, *rest) - images
        ),
        "the softmax is taken twice: cross_entropy is given logits": (
            _stepping(score=lambda logits, targets: target_log_probabilities(logits.softmax(1), targets))
        ),
        "away from the predicted class: the target was to become more probable": (
            _stepping(score=lambda logits, _: -target_log_probabilities(logits, logits.argmax(1)))
        ),
        "the change is clipped to [0, 1] instead of the result": lambda model, images, targets, epsilon: (
            images + (_stepping(clip=False)(model, images, targets, epsilon) - images).clamp(0, 1)
        ),
        "one sign for all three colours of a pixel: each value has its own": (
            _stepping(lambda g: g.sum(1, keepdim=True).sign().expand_as(g)),
            _stepping(lambda g: g.mean(1, keepdim=True).sign().expand_as(g)),
        ),
        "divided by the largest magnitude: the sign of each was asked for": (
            _stepping(lambda g: g / g.abs().max()),
            _stepping(lambda g: g / g.abs().amax((1, 2, 3), keepdim=True)),
        ),
        "the signs are lost: every value goes up, or every one down": (
            _stepping(lambda g: g.abs().sign()),
            _stepping(lambda g: -g.abs().sign()),
        ),
        "only large gradients count: the sign of a small one does as well": (
            _stepping(lambda g: g.sign() * (g.abs() > 1e-2)),
            _stepping(lambda g: g.sign() * (g.abs() > 1e-1)),
        ),
        "half of epsilon, or twice: each value moves by epsilon": (_stepping(scale=0.5), _stepping(scale=2.0)),
        "a rounded sign (tanh): it is -1, 0 or 1": (
            _stepping(lambda g: (100 * g).tanh()),
            _stepping(lambda g: (10 * g).tanh()),
            _stepping(lambda g: g.tanh()),
        ),
        "clipped at one end only, or elsewhere than at 0 and 1": (
            lambda *fed: _stepping(clip=False)(*fed).clamp(max=1),
            lambda *fed: _stepping(clip=False)(*fed).clamp(min=0),
            lambda *fed: _stepping(clip=False)(*fed).clamp(-1, 1),
        ),
        "one sign for all images: each has its own gradient": (
            _stepping(lambda g: g.mean(0, keepdim=True).sign().expand_as(g))
        ),
    },
)
