"""A targeted fooling image, by gradient ascent."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import (
    Score,
    Squares,
    linear,
    pixels,
    score_gradient,
    target_log_probabilities,
    target_logits,
)


def fool(model: nn.Module, image: Tensor, target: int, *, steps: int = 30, lr: float = 0.5) -> Tensor:
    """Perturb an image by gradient ascent until the network predicts the target (a targeted adversarial example).

    Args:
        model: Any classifier.
        image: (1, 3, H, W), RGB in [0, 1].
        target: Index of the class that is to be predicted.
        steps: Maximum number of steps.
        lr: L2 length of each step.

    Returns:
        (1, 3, H, W) in [0, 1]: the first iterate whose prediction is the target, or the last one.
    """
    fooled = image.clone()
    for _ in range(steps):
        fooled.requires_grad_()
        logits = model(fooled)  # (1, K)
        if logits.argmax() == target:
            break
        (gradient,) = torch.autograd.grad(logits[0, target], fooled)
        fooled = (fooled.detach() + lr * gradient / gradient.norm()).clamp(0, 1)
    return fooled.detach()


def _unit(gradient: Tensor) -> Tensor:
    return gradient / gradient.norm()


def _fooling(
    direction: Callable[[Tensor], Tensor] = _unit,
    *,
    score: Score = target_logits,
    sign: float = 1.0,
    clip: bool = True,
    stale: bool = False,
    extra: int = 0,
    done: Callable[[Tensor, int, int], bool] = lambda logits, target, first: logits.argmax() == target,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def fooling(model: nn.Module, image: Tensor, target: int, steps: int, lr: float) -> Tensor:
        fooled, left, first = image.clone(), extra, int(model(image).argmax())
        for _ in range(steps):
            if done(model(fooled), target, first):
                if not left:
                    break
                left -= 1
            gradient = score_gradient(score, model, image if stale else fooled, torch.tensor([target]))
            fooled = fooled + sign * lr * direction(gradient)
            fooled = fooled.clamp(0, 1) if clip else fooled
        return fooled

    return fooling


_GREY = torch.full((1, 3, 2, 2), 0.5)


def _three(*logits: float) -> nn.Module:
    """Three logits with these values for the grey image; along the gradient of class 1, it rises by 5, class 2 by 4."""
    weights = torch.zeros(3, 3, 2, 2)
    weights[0, 0, 0, 0], weights[0, 2, 1, 1] = -3.0, 2.0
    weights[1, 0, 0, 0], weights[1, 1, 0, 1] = 3.0, 4.0
    weights[2, 0, 0, 0], weights[2, 1, 0, 1] = 0.0, 5.0
    model = linear(weights)
    model[1].bias = nn.Parameter(torch.tensor(logits) - weights.sum((1, 2, 3)) / 2)
    return model


def _from_grey(title: str, model: nn.Module, steps_taken: int, *, lr: float = 0.1, **options: int) -> Check:
    """Towards class 1, whose gradient has the direction (3, 4) / 5, until ``steps_taken``."""
    expected = _GREY.clone()
    expected[0, 0, 0, 0] += 0.6 * lr * steps_taken
    expected[0, 1, 0, 1] += 0.8 * lr * steps_taken
    return Check(title, {"model": model, "image": _GREY, "target": 1, "lr": lr, **options}, expected.clamp(0, 1))


def _bent() -> Check:
    """Logits Σ w x² / 2: the gradient, w x, turns on the way. Class 0 begins 1.1 lower, and leads after six steps."""
    weights = torch.tensor([[4.0, 1.0], [1.0, 4.0]]).repeat(1, 6).view(2, 3, 2, 2)
    image = pixels(1, 3, 2, 2) * torch.tensor([0.75, 1.0])
    moved = image
    for _ in range(6):
        moved = (moved + 0.1 * _unit(weights[0] * moved)).clamp(0, 1)
    fed = {"model": Squares(weights).eval(), "image": image, "target": 0, "lr": 0.1}
    return Check("logits that are not linear, the gradient turns: six steps", fed, moved)


ENTRY = Entry(
    name="fool",
    reference=fool,
    stars=2,
    minutes=15,
    checks=[
        _from_grey("two steps, each of length 0.1 along the gradient", _three(1, 0, -9), 2),
        _from_grey("the logit of a third class rises too, and is overtaken last", _three(1, 0, 0.45), 5),
        _from_grey("nothing leaves [0, 1]", _three(4, 0, -9), 2, lr=0.4),
        _from_grey("at most three steps", _three(9, 0, -9), 3, steps=3),
        _from_grey("the target is predicted already", _three(-1, 0, -9), 0, lr=0.5),
        _bent(),
    ],
    mistakes={
        "the gradient is not divided by its length: g / ‖g‖ makes a step of length lr": _fooling(lambda g: g),
        "this is the sign of the gradient, the step of FGSM: g / ‖g‖ was asked for": _fooling(torch.sign),
        "divided by the largest magnitude: the length is the root of the sum of the squares": (
            _fooling(lambda g: g / g.abs().max())
        ),
        "divided by the sum of the squares: its root is missing": _fooling(lambda g: g / g.square().sum()),
        "this is descent, the target becomes less likely: add the step": _fooling(sign=-1),
        "the clipping to [0, 1] is missing": _fooling(clip=False),
        "this is the gradient of the probability, or of the loss; the logit was asked for": (
            _fooling(score=target_log_probabilities)
        ),
        "the gradient is computed only once, at the start: it turns on the way": _fooling(stale=True),
        "one step too many: look at the class before each step": _fooling(extra=1),
        "this stops once the first class is left: another class than the target may lead then": (
            _fooling(done=lambda logits, target, first: logits.argmax() != first)
        ),
        "this stops once the target has overtaken the first class: it must lead all of them": (
            _fooling(done=lambda logits, target, first: logits[0, target] > logits[0, first])
        ),
        "this never stops before the last step": _fooling(done=lambda logits, target, first: False),
    },
)
