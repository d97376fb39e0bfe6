"""Exercises of notebook 08: how little does it take?"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises import perturbing
from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.occluding import linear, of_log_probabilities, of_logits, pictures_of
from cs231n_viz.exercises.perturbing import fgsm_step, perturbation_norms
from cs231n_viz.exercises.saliency import Squares

__all__ = ["ENTRIES", "fgsm_step", "fool", "perturbation_norms"]


def fool(model: nn.Module, image: Tensor, target: int, *, steps: int = 30, lr: float = 0.5) -> Tensor:
    """Add a little to a picture until the network takes it for another class.

    Args:
        model: Any classifier.
        image: (1, 3, H, W), RGB in [0, 1].
        target: Index of the class that it is to be taken for.
        steps: At most so many.
        lr: L2 length of each step.

    Returns:
        (1, 3, H, W) in [0, 1]: the first picture on the way that is taken for the target, or the last one.
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


Direction = Callable[[Tensor], Tensor]


def _unit(gradient: Tensor) -> Tensor:
    return gradient / gradient.norm()


def _fooling(
    direction: Direction = _unit,
    *,
    score: Callable[[Tensor, Tensor], Tensor] = of_logits,
    sign: float = 1.0,
    clip: bool = True,
    stale: bool = False,
    extra: int = 0,
    done: Callable[[Tensor, int, int], bool] = lambda logits, target, first: logits.argmax() == target,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def fooling(model: nn.Module, image: Tensor, target: int, steps: int = 30, lr: float = 0.5) -> Tensor:
        def gradient_at(pixels: Tensor) -> Tensor:
            pixels = pixels.detach().requires_grad_()
            return torch.autograd.grad(score(model(pixels), torch.tensor([target])).sum(), pixels)[0]

        fooled, at_start, left, first = image.clone(), gradient_at(image), extra, int(model(image).argmax())
        for _ in range(steps):
            if done(model(fooled), target, first):
                if not left:
                    break
                left -= 1
            fooled = fooled + sign * lr * direction(at_start if stale else gradient_at(fooled))
            fooled = (fooled.clamp(0, 1) if clip else fooled).detach()
        return fooled

    return fooling


def _left_first(logits: Tensor, _: int, first: int) -> bool:
    return int(logits.argmax()) != first


def _ahead_of_first(logits: Tensor, target: int, first: int) -> bool:
    return bool(logits[0, target] > logits[0, first])


def _never(*_: object) -> bool:
    return False


_GREY = torch.full((1, 3, 2, 2), 0.5)


def _three(*logits: float) -> nn.Module:
    """Three logits that begin at these values for the grey picture; class 1 climbs by 5 and class 2 by 4 per unit."""
    weights = torch.zeros(3, 3, 2, 2)
    weights[0, 0, 0, 0], weights[0, 2, 1, 1] = -3.0, 2.0
    weights[1, 0, 0, 0], weights[1, 1, 0, 1] = 3.0, 4.0
    weights[2, 0, 0, 0], weights[2, 1, 0, 1] = 0.0, 5.0
    model = linear(weights)
    model[1].bias = nn.Parameter(torch.tensor(logits) - weights.sum((1, 2, 3)) / 2)
    return model


def _grey_fooled(steps: int, lr: float) -> Tensor:
    """The grey picture after so many steps towards class 1, whose gradient has the direction (3, 4) / 5."""
    image = _GREY.clone()
    image[0, 0, 0, 0] += 0.6 * lr * steps
    image[0, 1, 0, 1] += 0.8 * lr * steps
    return image.clamp(0, 1)


def _asked(title: str, model: nn.Module, expected: Tensor, **options: float) -> Check:
    return Check(title, {"model": model, "image": _GREY, "target": 1, **options}, expected)


def _bent() -> Check:
    """Logits Σ w x² / 2: the gradient turns on the way. Class 0 begins 1.1 behind, and leads after six steps."""
    weights = torch.tensor([[4.0, 1.0], [1.0, 4.0]]).repeat(1, 6).view(2, 3, 2, 2)
    image = pictures_of(1, 2, 2) * torch.tensor([0.75, 1.0])
    moved = image
    for _ in range(6):
        moved = (moved + 0.1 * _unit(weights[0] * moved)).clamp(0, 1)
    fed = {"model": Squares(weights).eval(), "image": image, "target": 0, "lr": 0.1}
    return Check("logits that are not linear, the gradient turns: six steps", fed, moved)


_FOOL = Entry(
    name="fool",
    reference=fool,
    stars=2,
    minutes=15,
    checks=[
        _asked("two steps, each of length 0.1 along the gradient", _three(1, 0, -9), _grey_fooled(2, 0.1), lr=0.1),
        _asked("a third class climbs too, and is beaten last", _three(1, 0, 0.45), _grey_fooled(5, 0.1), lr=0.1),
        _asked("nothing leaves [0, 1]", _three(4, 0, -9), _grey_fooled(2, 0.4), lr=0.4),
        _asked("at most three steps", _three(9, 0, -9), _grey_fooled(3, 0.1), lr=0.1, steps=3),
        _asked("taken for the target already", _three(-1, 0, -9), _GREY),
        _bent(),
    ],
    mistakes={
        "the gradient is not divided by its length: g / ‖g‖ makes a step of length lr": _fooling(lambda g: g),
        "this is the sign of the gradient, the step of FGSM: g / ‖g‖ was asked for": _fooling(torch.sign),
        "divided by the largest magnitude: the length is the root of the sum of the squares": (
            _fooling(lambda g: g / g.abs().max())
        ),
        "divided by the sum of the squares: its root is missing": _fooling(lambda g: g / g.square().sum()),
        "this goes down, the target becomes less likely: add the step": _fooling(sign=-1),
        "the clipping to [0, 1] is missing": _fooling(clip=False),
        "this is the gradient of the probability, or of the loss; the logit was asked for": (
            _fooling(score=of_log_probabilities)
        ),
        "the gradient is computed only once, at the start: it turns on the way": _fooling(stale=True),
        "one step too many: look at the class before each step": _fooling(extra=1),
        "this stops once the first class is left: another class than the target may lead then": (
            _fooling(done=_left_first)
        ),
        "this stops once the target has overtaken the first class: it must lead all of them": (
            _fooling(done=_ahead_of_first)
        ),
        "this never stops before the last step": _fooling(done=_never),
    },
)


ENTRIES = [_FOOL, *perturbing.ENTRIES]
