"""A targeted fooling image, by gradient ascent."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import (
    Score,
    Squares,
    dtype_of,
    is_attached,
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
    late: bool = False,
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
        return fooled.clamp(0, 1) if late else fooled

    return fooling


_GREY = torch.full((1, 3, 2, 2), 0.5)


def _three(*logits: float, scale: float = 1.0) -> nn.Module:
    """Three logits with these values for the grey image; along the gradient of class 1, it rises by 5, class 2 by 4."""
    weights = torch.zeros(3, 3, 2, 2)
    weights[0, 0, 0, 0], weights[0, 2, 1, 1] = -3.0, 2.0
    weights[1, 0, 0, 0], weights[1, 1, 0, 1] = 3.0, 4.0
    weights[2, 0, 0, 0], weights[2, 1, 0, 1] = 0.0, 5.0
    weights = weights * scale
    model = linear(weights)
    model[1].bias = nn.Parameter(torch.tensor(logits) - weights.sum((1, 2, 3)) / 2)
    return model


def _from_grey(title: str, model: nn.Module, steps_taken: int, *, lr: float = 0.1, **options: int) -> Check:
    """Towards class 1, whose gradient has the direction (3, 4) / 5, until ``steps_taken``."""
    expected = _GREY.clone()
    expected[0, 0, 0, 0] += 0.6 * lr * steps_taken
    expected[0, 1, 0, 1] += 0.8 * lr * steps_taken
    return Check(title, {"model": model, "image": _GREY, "target": 1, "lr": lr, **options}, expected.clamp(0, 1))


def _margin(model: nn.Module, image: Tensor, target: int, steps: int, lr: float) -> Tensor:
    for _ in range(steps):
        logits = model(image)
        if logits.argmax() == target:
            break
        rival = logits.argmax(1)
        gradient = score_gradient(lambda z, _, k=rival: z[:, target] - z[0, k], model, image, rival)
        image = (image + lr * _unit(gradient)).clamp(0, 1)
    return image


def _away(model: nn.Module, image: Tensor, target: int, steps: int, lr: float) -> Tensor:
    for _ in range(steps):
        logits = model(image)
        if logits.argmax() == target:
            break
        image = (image - lr * _unit(score_gradient(target_logits, model, image, logits.argmax(1)))).clamp(0, 1)
    return image


def _piled_up(model: nn.Module, image: Tensor, target: int, steps: int, lr: float) -> Tensor:
    gradient = torch.zeros_like(image)
    for _ in range(steps):
        if model(image).argmax() == target:
            break
        gradient = gradient + score_gradient(target_logits, model, image, torch.tensor([target]))
        image = (image + lr * _unit(gradient)).clamp(0, 1)
    return image


def _clipped_to(low: float | None, high: float | None) -> Callable[..., Tensor]:
    def fooling(model: nn.Module, image: Tensor, target: int, steps: int, lr: float) -> Tensor:
        for _ in range(steps):
            if model(image).argmax() == target:
                break
            gradient = score_gradient(target_logits, model, image, torch.tensor([target]))
            image = (image + lr * _unit(gradient)).clamp(low, high)
        return image

    return fooling


def _only_if_fooled(model: nn.Module, image: Tensor, *rest: float) -> Tensor:
    fooled = _fooling()(model, image, *rest)
    return fooled if model(fooled).argmax() == rest[0] else image


def _downwards() -> Check:
    """The gradient is -3 and 4 at two values: the first, 0.1, is cut off at 0; class 0 leads by 1.2, for two steps."""
    weights = torch.zeros(2, 3, 2, 2)
    weights[1, 0, 0, 0], weights[1, 1, 0, 1] = -3.0, 4.0
    model = linear(weights)
    model[1].bias = nn.Parameter(torch.tensor([1.2, 3 * 0.1 - 4 * 0.5]))
    image, expected = _GREY.clone(), _GREY.clone()
    image[0, 0, 0, 0], expected[0, 0, 0, 0], expected[0, 1, 0, 1] = 0.1, 0.0, 0.5 + 2 * 0.16
    fed = {"model": model, "image": image, "target": 1, "lr": 0.2}
    return Check("one value falls, to 0 and no further", fed, expected)


def _saturated() -> Check:
    """Logits Σ w x² / 2 from a bright image: values that reach 1 stay there, and the gradient with them."""
    weights = torch.tensor([[4.0, 1.0, 2.0], [1.0, 4.0, 5.0]]).repeat(1, 4).view(2, 3, 2, 2)
    image = 0.5 + pixels(1, 3, 2, 2) / 2
    moved = image
    for _ in range(4):
        moved = moved + 0.3 * _unit(weights[0] * moved)
        moved = torch.where(moved > 1, 1.0, moved)
    fed = {"model": Squares(weights).eval(), "image": image, "target": 0, "lr": 0.3, "steps": 4}
    return Check("a bright image: every step ends in [0, 1]", fed, moved)


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
    hints=(
        "What do you look at before each step, and how do you make a gradient into a step of length lr?",
        "In a loop of at most `steps`: run the network on a detached copy that requires a gradient, leave if the "
        "argmax is the target, take the gradient of the target's logit, add lr times gradient over its norm, and "
        "clamp; detach what you return.",
    ),
    checks=[
        _from_grey("two steps, each of length 0.1 along the gradient", _three(1, 0, -9), 2),
        _from_grey("the logit of a third class rises too, and is overtaken last", _three(1, 0, 0.45), 5),
        _from_grey("nothing leaves [0, 1]", _three(4, 0, -9), 2, lr=0.4),
        _from_grey("at most three steps", _three(9, 0, -9), 3, steps=3),
        _from_grey("the target is predicted already", _three(-1, 0, -9), 0, lr=0.5),
        _bent(),
        _saturated(),
        _from_grey("a network with small gradients: the steps are no shorter", _three(1e-3, 0, -9e-3, scale=1e-3), 2),
        Check(
            "the result has no graph, and can be drawn",
            {"model": _three(1, 0, -9), "image": _GREY, "target": 1, "lr": 0.1},
            False,
            is_attached,
        ),
        Check(
            "in float32, as the network needs it",
            {"model": _three(1, 0, -9), "image": _GREY, "target": 1, "lr": 0.1},
            "float32",
            dtype_of,
        ),
        _downwards(),
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
        "clipped only at the end: the network must see values in [0, 1] at every step": _fooling(clip=False, late=True),
        "the result is still attached to the graph: detach it": (
            lambda *fed: _fooling()(*fed).clone().requires_grad_()
        ),
        "the gradient of the difference of two logits: that of the target's logit was asked for": _margin,
        "away from the predicted class: the target's logit was to rise": _away,
        "divided by the sum of the magnitudes: the length is the root of the sum of the squares": (
            _fooling(lambda g: g / g.abs().sum())
        ),
        "divided by the mean magnitude: the length is the root of the sum of the squares": (
            _fooling(lambda g: g / g.abs().mean())
        ),
        "each channel has a length of its own: the gradient has one": (
            _fooling(lambda g: g / g.norm(dim=(2, 3), keepdim=True).clamp_min(1e-12)),
            _fooling(lambda g: g / g.norm(dim=(2, 3), keepdim=True)),
        ),
        "a number is added to the length that is not small beside it": tuple(
            _fooling(lambda g, small=small: g / (g.norm() + small)) for small in (1e-5, 1e-4, 1e-3, 0.01)
        ),
        "one step too few": lambda model, image, target, steps, lr: _fooling()(model, image, target, steps - 1, lr),
        "steps is ignored": lambda model, image, target, steps, lr: _fooling()(model, image, target, 30, lr),
        "lr is ignored: the steps have the default length": lambda model, image, target, steps, lr: _fooling()(
            model, image, target, steps, 0.5
        ),
        "lr is shared among the steps: it is the length of each": lambda model, image, target, steps, lr: _fooling()(
            model, image, target, steps, lr / steps
        ),
        "only one step": lambda model, image, target, steps, lr: _fooling()(model, image, target, 1, lr),
        "this stops at a probability of ½: the target leads before": (
            _fooling(done=lambda logits, target, first: logits.softmax(1)[0, target] > 0.5)
        ),
        "the image itself is returned where the target is not reached: the last iterate was asked for": _only_if_fooled,
        "the change alone: the changed image was asked for": lambda model, image, *rest: (
            _fooling()(model, image, *rest) - image
        ),
        "the gradient lost its signs: a value may have to fall": _fooling(lambda g: g.abs() / g.norm()),
        "clipped at one end only, or elsewhere than at 0 and 1": (
            _clipped_to(-1, 1),
            _clipped_to(None, 1),
            _clipped_to(0, None),
        ),
        "one step more than steps": lambda model, image, target, steps, lr: _fooling()(
            model, image, target, steps + 1, lr
        ),
        "this stops once the target's logit is above 0: it must be the largest": (
            _fooling(done=lambda logits, target, first: logits[0, target] > 0)
        ),
        "this stops once the target is the second: it must be the first": (
            _fooling(done=lambda logits, target, first: target in logits[0].topk(2).indices)
        ),
        "the gradients of all steps pile up in `.grad`: a step follows the newest, `torch.autograd.grad` gives it": (
            _piled_up
        ),
    },
)
