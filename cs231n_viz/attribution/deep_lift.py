"""DeepLIFT: contributions that add up to the change of a logit from a reference picture. Who gets the credit?

Picture and reference go through the network as one batch of twice the size. At every non-linearity the backward pass
uses the slope between both, difference of outputs over difference of inputs, instead of the derivative. Chained by
the rules of linear layers, these multipliers explain the difference of the logits without a remainder.
"""

import copy
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.checks import Targets, check_baseline, check_each, check_images
from cs231n_viz.network.gradients import class_scores
from cs231n_viz.network.interception import (
    DERIVATIVE,
    ELEMENTWISE,
    MAXIMA,
    RECTIFIERS,
    Interception,
    check_graph,
    in_place,
)
from cs231n_viz.network.running import held, outside_inference_mode

Rule = Literal["rescale", "reveal_cancel"]


@outside_inference_mode()
def deep_lift(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    *,
    baseline: Tensor | float = 0.0,
    rule: Rule = "rescale",
) -> Tensor:
    """Attribute the logit's difference from that of a reference picture to the values of the picture (DeepLIFT).

    Args:
        model: Any classifier of linear layers, elementwise non-linearities and pooling.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: Class index or name, or (N,) of them.
        baseline: The reference picture: one value, (3, H, W) or (N, 3, H, W), in [0, 1]; black if omitted.
        rule: ``"rescale"`` everywhere, or ``"reveal_cancel"`` where a non-linearity directly follows a fully connected
            layer, and Rescale elsewhere: also where a batch norm or a change of shape lies between.

    Returns:
        (N, 3, H, W), signed, in logits; for each image they sum to the difference of its logit from the reference's.
        Networks of 16 bits are computed in 32: small differences of rounded values would be noise.

    Raises:
        UnknownOperationError: If the network does something for which there is no rule.
        ValueError: If images, targets, the baseline or the rule are out of range.

    Source: Shrikumar et al., arXiv:1704.02685, section 3; max-pooling as DeepSHAP does it (Lundberg & Lee,
        arXiv:1705.07874, section 4.2): credit to the largest input of the picture or of the reference.
    """
    if rule not in ("rescale", "reveal_cancel"):
        raise ValueError(f"rule must be 'rescale' or 'reveal_cancel', got {rule!r}")
    images = check_images(images, model)
    reference = check_baseline(baseline, images)
    with held(model):  # until the backward pass is done, too: it reads the weights
        return _deep_lift(model, images, check_each(targets, len(images), model), reference, rule).to(images.dtype)


def _deep_lift(model: nn.Module, images: Tensor, rows: Tensor, reference: Tensor, rule: Rule) -> Tensor:
    if any(parameter.dtype in (torch.float16, torch.bfloat16) for parameter in model.parameters()):
        model, images, reference = copy.deepcopy(model).float(), images.float(), reference.float()
    # Not with channels last: they round otherwise, and the largest of equal values, as all of a uniform reference are,
    # would be another one.
    both = torch.cat([images, reference]).requires_grad_()
    with torch.enable_grad(), evaluating(model), _Multipliers(rule):
        scores = class_scores(model, both, rows.repeat(2))
    check_graph("deep_lift", scores)
    of_pictures = _for_the_pictures(torch.ones_like(scores[: len(images)]))
    multipliers = torch.autograd.grad(scores, both, of_pictures)[0][: len(images)]
    return multipliers * (images - reference)


class _LinearCall(NamedTuple):
    """A call of a fully connected layer: what it put out, and what it was made of."""

    output: Tensor
    x: Tensor
    weight: Tensor
    bias: Tensor | None


class _Multipliers(Interception):
    """Multipliers instead of derivatives; RevealCancel needs the linear layer before each non-linearity as well."""

    def __init__(self, rule: Rule) -> None:
        handlers = dict.fromkeys(RECTIFIERS | ELEMENTWISE, self._elementwise) | dict.fromkeys(MAXIMA, self._maximum)
        if rule == "reveal_cancel":
            handlers["linear"] = self._linear
        super().__init__("deep_lift", handlers, DERIVATIVE)
        self.linear_calls: dict[int, _LinearCall] = {}  # by the id of the output, which the call keeps alive

    def _linear(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        result = function(*args, **kwargs)
        x, weight, bias = (*args, None)[:3]
        self.linear_calls[id(result)] = _LinearCall(result, x, weight, kwargs.get("bias", bias))
        return result

    def _elementwise(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        x, *settings = args

        def outcome(values: Tensor) -> Tensor:
            return function(values.clone(), *settings, **kwargs)  # a clone: the function may overwrite it

        if id(x) in self.linear_calls:
            call = self.linear_calls[id(x)]
            result = _RevealCancel.apply(call.x, call.weight, call.bias, outcome)
        else:
            result = _Rescale.apply(x, outcome)
        if not in_place(function, kwargs):
            return result
        self.linear_calls.pop(id(x), None)  # no longer what the linear layer put out
        return x.copy_(result)

    def _maximum(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        pool = F.adaptive_max_pool2d if name.startswith("adaptive") else F.max_pool2d
        result, indices = _MaxPool.apply(args[0], lambda x: pool(x, *args[1:], **kwargs | {"return_indices": True}))
        return (result, indices) if kwargs.get("return_indices") or name.endswith("indices") else result


def _slope(rise: Tensor, run: Tensor, otherwise: Tensor | float = 0.0) -> Tensor:
    """``rise / run``, and ``otherwise`` where ``run`` is 0: there ``rise`` is 0, too."""
    constant = run == 0
    return torch.where(constant, otherwise, rise / run.masked_fill(constant, 1))


def _for_the_pictures(multipliers: Tensor) -> Tensor:
    """Gradients for a batch of pictures and references, of which only the pictures have any."""
    return torch.cat([multipliers, torch.zeros_like(multipliers)])


class _Rescale(torch.autograd.Function):
    """An elementwise non-linearity: Δy / Δx instead of dy / dx, eq. 7."""

    @staticmethod
    def forward(ctx, x: Tensor, outcome: Callable[[Tensor], Tensor]) -> Tensor:
        y = outcome(x)
        (picture, reference), (high, low) = x.chunk(2), y.chunk(2)
        with torch.enable_grad():
            here = picture.detach().requires_grad_()
            derivative = torch.autograd.grad(outcome(here).sum(), here)[0]
        ctx.slope = _slope(high - low, picture - reference, derivative)
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple:
        return _for_the_pictures(gradient.chunk(2)[0] * ctx.slope), None


class _MaxPool(torch.autograd.Function):
    """Max-pooling: a rise above the reference's maximum goes to the picture's largest input, a fall to the other."""

    @staticmethod
    def forward(ctx, x: Tensor, pool: Callable[[Tensor], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        y, indices = pool(x)
        (picture, reference), (high, low) = x.chunk(2), y.chunk(2)
        ctx.run = picture - reference
        ctx.rises = (high - low).clamp_min(0), (high - low).clamp_max(0)
        ctx.indices = indices.chunk(2)
        ctx.mark_non_differentiable(indices)
        return y, indices

    @staticmethod
    def backward(ctx, gradient: Tensor, _: Tensor) -> tuple:
        credit = torch.zeros_like(ctx.run).flatten(2)
        for rise, indices in zip(ctx.rises, ctx.indices, strict=True):
            credit.scatter_add_(2, indices.flatten(2), (gradient.chunk(2)[0] * rise).flatten(2))
        return _for_the_pictures(_slope(credit.view_as(ctx.run), ctx.run)), None


class _RevealCancel(torch.autograd.Function):
    """A linear layer with the non-linearity after it: one multiplier for all that raises, one for all that lowers.

    With Δ⁺ and Δ⁻ the sums of the positive and of the negative contributions to a unit, each gets the average of
    what it does to the output alone and after the other (section 3.5.3), and passes it on to its own terms.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None, outcome: Callable[[Tensor], Tensor]) -> Tensor:
        y = F.linear(x, weight, bias)
        picture, reference = x.chunk(2)
        change = picture - reference
        more, less = change.clamp_min(0), change.clamp_max(0)
        raising, lowering = weight.clamp_min(0), weight.clamp_max(0)
        up = F.linear(more, raising) + F.linear(less, lowering)
        down = F.linear(more, lowering) + F.linear(less, raising)
        top, start = y.chunk(2)
        values = [outcome(value) for value in (top, start, start + up, start + down)]
        ends, starts, with_up, with_down = values
        ctx.slopes = (
            _slope((with_up - starts + ends - with_down) / 2, up),
            _slope((with_down - starts + ends - with_up) / 2, down),
        )
        ctx.change, ctx.weights = change, (raising, lowering)
        return outcome(y)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple:
        up, down = (gradient.chunk(2)[0] * slope for slope in ctx.slopes)
        raising, lowering = ctx.weights
        of_more, of_less = up @ raising + down @ lowering, up @ lowering + down @ raising
        share = (ctx.change.sign() + 1) / 2  # an input that did not change belongs to both halves
        return _for_the_pictures(share * of_more + (1 - share) * of_less), None, None, None
