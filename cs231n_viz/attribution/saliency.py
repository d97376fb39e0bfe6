"""Gradients of a logit or a neuron with respect to the picture, and rules that change them: which pixels matter?

All gradients are of the *logit*, not of its probability or of a loss: those also fall when another class rises. They
are taken with respect to RGB in [0, 1]. Parameters never get a ``.grad``. SmoothGrad and integrated gradients, means of
many gradients, stand in ``averaged_gradients.py``.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from cs231n_viz.network.checks import Neuron, Targets, check_images
from cs231n_viz.network.gradients import class_scores, differentiate, neuron_scores
from cs231n_viz.network.interception import DERIVATIVE, MAXIMA, RECTIFIERS, Interception, in_place, rectifier_bounds
from cs231n_viz.network.models import Classifier


def gradient(model: nn.Module, images: Tensor, targets: Targets) -> Tensor:
    """Differentiate the target's logit with respect to the picture: by how much does each value change it?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.

    Returns:
        (N, 3, H, W), signed, in logits per unit of RGB.

    Raises:
        ValueError: If images or targets are out of range.

    Source: Simonyan et al., arXiv:1312.6034, section 3, eq. 4.
    """
    return differentiate(model, check_images(images, model), lambda pixels: class_scores(model, pixels, targets))


def saliency(
    model: nn.Module, images: Tensor, targets: Targets, *, magnitude: Literal["abs", "square"] = "abs"
) -> Tensor:
    """Take the magnitude of the gradient (saliency map): which pixels would change the logit most, up or down?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        magnitude: ``"abs"`` as published, ``"square"`` to set strong pixels apart further.

    Returns:
        (N, H, W), at least 0: the largest magnitude over the three channels.

    Raises:
        ValueError: If images or targets are out of range, or the magnitude is unknown.

    Source: Simonyan et al., arXiv:1312.6034, section 3.1.
    """
    if magnitude not in ("abs", "square"):
        raise ValueError(f"magnitude must be 'abs' or 'square', got {magnitude!r}")
    gradients = gradient(model, images, targets)
    return (gradients.abs() if magnitude == "abs" else gradients.square()).amax(dim=1)


def gradient_times_input(model: nn.Module, images: Tensor, targets: Targets) -> Tensor:
    """Multiply the gradient by the picture (gradient × input): what would a linear network credit each value with?

    The picture is taken as the network sees it, with the mean of its normalisation subtracted: black is not zero to it.

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.

    Returns:
        (N, 3, H, W), signed, in logits.

    Source: Shrikumar et al., arXiv:1605.01713, section 3.
    """
    mean = model.mean if isinstance(model, Classifier) else 0.0
    return gradient(model, images, targets) * (images.detach() - mean)


def guided_backprop(
    model: nn.Module, images: Tensor, targets: Targets | None = None, *, neuron: Neuron | None = None
) -> Tensor:
    """Backpropagate positive gradients through active rectifiers only (guided backprop).

    What in the picture supports a class, or a neuron, by way of neurons that are active and support it too? Every
    rectifier passes a gradient on where its input was positive *and* the gradient is; those after the last convolution
    as well.

    Args:
        model: Any classifier whose only non-linearities are rectifiers and pooling.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        neuron: (layer, channel, row, col) instead of ``targets``.

    Returns:
        (N, 3, H, W), signed, in the unit of a gradient: logits, or activations of the neuron, per unit of RGB.

    Raises:
        IndexError: If the layer has no such neuron.
        KeyError: If there is no such layer.
        UnknownOperationError: If the network has a non-linearity that the rule does not cover.
        ValueError: If images or targets are out of range, or both or neither of targets and neuron are given.

    Source: Springenberg et al., arXiv:1412.6806, section 3.4.
    """
    rule = _rectifier_rule("guided_backprop", masked=True)
    return _backpropagate(rule, model, images, targets=targets, neuron=neuron)


def deconvnet(
    model: nn.Module, images: Tensor, targets: Targets | None = None, *, neuron: Neuron | None = None
) -> Tensor:
    """Backpropagate positive gradients through every rectifier (deconvnet).

    What pattern would the network, run in reverse, paint for a class or a neuron? Every rectifier passes a gradient on
    where the gradient is positive, whatever its input was.

    Arguments, result (N, 3, H, W) and exceptions are those of :func:`guided_backprop`.

    Source: Zeiler & Fergus, arXiv:1311.2901, section 2.1; as a rule for gradients, Springenberg et al., fig. 1.
    """
    rule = _rectifier_rule("deconvnet", masked=False)
    return _backpropagate(rule, model, images, targets=targets, neuron=neuron)


def _backpropagate(
    rule: Interception, model: nn.Module, images: Tensor, *, targets: Targets | None, neuron: Neuron | None
) -> Tensor:
    if (targets is None) == (neuron is None):
        raise ValueError(f"{rule.method} wants either targets or neuron=(layer, channel, row, col)")

    def score(pixels: Tensor) -> Tensor:
        if neuron is None:
            return class_scores(model, pixels, targets)
        return neuron_scores(model, pixels, neuron)

    return differentiate(model, check_images(images, model), score, rule)


def _rectifier_rule(method: str, *, masked: bool) -> Interception:
    """Rectifiers that pass on positive gradients, ``masked``: only where they pass on their input, too."""

    def rectify(name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        x = args[0] if args else kwargs["input"]
        return _Rectify.apply(x, rectifier_bounds(name, args, kwargs), masked, in_place(function, kwargs))

    return Interception(method, dict.fromkeys(RECTIFIERS, rectify), DERIVATIVE | MAXIMA)


class _Rectify(torch.autograd.Function):
    """A rectifier whose backward pass follows another rule."""

    @staticmethod
    def forward(ctx, x: Tensor, bounds: tuple[float, float], masked: bool, overwrite: bool) -> Tensor:
        if overwrite:
            ctx.mark_dirty(x)
        result = x.clamp_(*bounds) if overwrite else x.clamp(*bounds)
        ctx.bounds = bounds if masked else None
        if masked:
            ctx.save_for_backward(result)  # it lies on a bound exactly where x does or is beyond it
        return result

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple:
        if ctx.bounds is None:
            return gradient.clamp_min(0), None, None, None
        (result,), (low, high) = ctx.saved_tensors, ctx.bounds
        passed = torch.ops.aten.threshold_backward(gradient, result, low)  # 0 up to low, in one go
        if high < torch.inf:
            passed.masked_fill_(result >= high, 0)
        return passed.clamp_min_(0), None, None, None
