"""The backward pass of :mod:`cs231n_viz.attribution.lrp`: rules of LRP in place of derivatives."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cs231n_viz.network.interception import (
    AVERAGES,
    MAXIMA,
    RECTIFIERS,
    SCALES,
    SHAPES,
    SUMS,
    Interception,
    UnknownOperationError,
    carries,
    in_place,
    operation,
    rectifier_bounds,
)

Part = Callable[[Tensor], Tensor]  # of the weights: all, the positive ones, ...
Terms = list[tuple[Tensor, Part]]


@dataclass
class Ledger:
    """Where the relevance of a backward pass went, operation by operation, from the logit to the pixels.

    Attributes:
        entries: (operation, relevance received, relevance handed on), summed over the batch.
    """

    entries: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def absorbed(self) -> dict[str, float]:
        """Operation -> relevance that it received and did not hand on: the share of biases and of ε."""
        found: dict[str, float] = {}
        for name, received, handed_on in self.entries:
            found[name] = found.get(name, 0.0) + received - handed_on
        return found


@dataclass(frozen=True)
class Settings:
    """How relevance is shared."""

    rule: str
    epsilon: float = 1e-6
    gamma: float = 0.25
    biases: bool = False
    ledger: Ledger | None = None


@dataclass
class Linear:
    """One call of a linear operation: ``run(x, weight) + bias``; a batch norm behind it changes the last two."""

    name: str
    run: Callable[[Tensor, Tensor], Tensor]
    weight: Tensor
    bias: Tensor | None
    settings: Settings
    limits: tuple[Tensor, Tensor] | None = None  # lowest and highest input, for the box rule

    def relevance(self, x: Tensor, received: Tensor, outputs: Tensor) -> Tensor:
        """What each input gets of the relevance that the outputs received."""
        rule = self.settings.rule
        if rule not in ("gamma", "zplus"):
            return self._share(x, received, self._box(x) if rule == "box" else [(x, _all)])[0]
        # The contributions that agree with their sum share the relevance; without biases that is the sum of the
        # contributions alone, so that there always are some, and the denominator is never smaller than they are.
        sums = outputs if self.bias is None or self.settings.biases else outputs - self.bias
        handed_on, left = self._share(x, received * (sums > 0), self._agreeing(x, 1))
        against = received * (sums <= 0)
        if (against != 0).any():
            more, left_too = self._share(x, against, self._agreeing(x, -1))
            handed_on, left = handed_on + more, left + left_too
        if not self.settings.biases and (left != 0).any():
            # No input contributed anything: all that the output sees get the same.
            handed_on = handed_on + self._share(x, left, [(torch.ones_like(x), torch.ones_like)])[0]
        return handed_on

    def _agreeing(self, x: Tensor, sign: int) -> Terms:
        """z_ij⁺, or z_ij + γ z_ij⁺; for sums below 0 the same with z_ij⁻."""
        gamma = self.settings.gamma if self.settings.rule == "gamma" else None
        above = lambda w: w.clamp_min(0) if gamma is None else w + gamma * w.clamp_min(0)  # noqa: E731
        below = lambda w: w.clamp_max(0) if gamma is None else w + gamma * w.clamp_max(0)  # noqa: E731
        parts = (above, below) if sign > 0 else (below, above)
        if x.min() >= 0:  # as behind every ReLU
            return [(x, parts[0])]
        return [(x.clamp_min(0), parts[0]), (x.clamp_max(0), parts[1])]

    def _box(self, x: Tensor) -> Terms:
        low, high = self.limits
        return [(x, _all), (-low.expand_as(x), _above), (-high.expand_as(x), _below)]

    def _share(self, x: Tensor, received: Tensor, terms: Terms) -> tuple[Tensor, Tensor]:
        """R_i = sum over j of z_ij / (sum over i of z_ij) · R_j, the z_ij given as terms of a sum.

        Also returns the relevance of outputs whose sum is 0, which cannot be shared like this.
        """
        with torch.enable_grad():
            inputs = [values.detach().requires_grad_() for values, _ in terms]
            z = sum(self.run(values, part(self.weight)) for values, (_, part) in zip(inputs, terms, strict=True))
        total = z.detach()
        if self.settings.biases and self.bias is not None:
            total = total + (terms[0][1](self.bias) if self.settings.rule != "box" else self.bias)
        if self.settings.rule == "epsilon":
            total = total + self.settings.epsilon * torch.where(total >= 0, 1.0, -1.0).to(total)
        empty = total == 0
        ratio = torch.where(empty, 0, received / total.masked_fill(empty, 1))
        gradients = torch.autograd.grad(z, inputs, ratio)
        handed_on = sum(values.detach() * gradient for values, gradient in zip(inputs, gradients, strict=True))
        return handed_on, received * empty


def _all(weight: Tensor) -> Tensor:
    return weight


def _above(weight: Tensor) -> Tensor:
    return weight.clamp_min(0)


def _below(weight: Tensor) -> Tensor:
    return weight.clamp_max(0)


class _Share(torch.autograd.Function):
    """A linear operation whose backward pass shares relevance."""

    @staticmethod
    def forward(ctx, x: Tensor, call: Linear) -> Tensor:
        y = call.run(x, call.weight)
        y = y if call.bias is None else y + call.bias
        ctx.call = call
        ctx.save_for_backward(x)
        call.outputs = y.detach().clone()  # a clone: what follows may overwrite y in place
        return y

    @staticmethod
    def backward(ctx, received: Tensor) -> tuple:
        (x,), call = ctx.saved_tensors, ctx.call
        handed_on = call.relevance(x, received, call.outputs)
        if call.settings.ledger is not None:
            call.settings.ledger.entries.append((call.name, received.sum().item(), handed_on.sum().item()))
        return handed_on, None


class _Pass(torch.autograd.Function):
    """Whatever became of x elementwise: its relevance is the relevance of the result."""

    @staticmethod
    def forward(ctx, x: Tensor, outcome: Callable[[Tensor], Tensor]) -> Tensor:
        return outcome(x)

    @staticmethod
    def backward(ctx, received: Tensor) -> tuple:
        return received, None


class Propagation(Interception):
    """While open, a forward pass whose backward pass will carry relevance."""

    def __init__(self, rule: str, limits: tuple[Tensor, Tensor], settings: Settings) -> None:
        handlers = {
            **dict.fromkeys(("conv1d", "conv2d", "conv_transpose2d", "linear"), self._weighted),
            **dict.fromkeys(AVERAGES, self._average),
            **dict.fromkeys(SUMS, self._sum),
            **dict.fromkeys(SCALES, self._scale),
            **dict.fromkeys(RECTIFIERS, self._rectify),
            "batch_norm": self._batch_norm,
            "clone": self._clone,
        }
        super().__init__("lrp", handlers, MAXIMA | SHAPES)
        self.rule, self.limits, self.settings = rule, limits, settings
        self.begun = False  # whether a convolution has seen the pixels
        self.calls: dict[int, tuple[Tensor, Linear]] = {}  # id of an output -> the output, kept alive, and its call

    def _settings(self, name: str) -> Settings:
        rule = self.rule
        if rule == "composite":
            rule = "epsilon" if name == "linear" else "gamma"
            if name.startswith("conv") and not self.begun:
                rule = "box"
        self.begun |= name.startswith("conv")
        return replace(self.settings, rule=rule)

    def _weighted(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        x, weight, bias, *rest = (*args, None)[: max(3, len(args))]
        options = {key: value for key, value in kwargs.items() if key not in ("bias", "weight", "input")}
        bias = kwargs.get("bias", bias)
        if bias is not None and name != "linear":
            bias = bias.view(-1, *[1] * (weight.ndim - 2))

        def run(values: Tensor, used: Tensor) -> Tensor:
            return function(values, used, None, *rest, **options)

        call = Linear(name, run, weight.detach(), bias, self._settings(name), self.limits)
        return self._call(x, call)

    def _call(self, x: Tensor, call: Linear) -> Tensor:
        result = _Share.apply(x, call)
        self.calls[id(result)] = result, call
        return result

    def _average(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        def run(values: Tensor, weight: Tensor) -> Tensor:
            return function(values, *args[1:], **kwargs) * weight

        return self._call(args[0], Linear(name, run, args[0].new_ones(()), None, self._settings(name)))

    def _sum(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        first, second = args[:2]
        if kwargs.get("alpha", 1) != 1 or not (carries(first) and carries(second)):
            return self._scale(name, function, args, kwargs)
        if name == "rsub":
            first, second = second, first
        if "sub" in name:
            second = _Pass.apply(second, torch.neg)  # its relevance keeps its sign
        both = torch.stack(torch.broadcast_tensors(first, second))
        call = Linear(
            name, lambda values, weight: values.sum(0) * weight, first.new_ones(()), None, self._settings(name)
        )
        return self._put(self._call(both, call), args[0], in_place(function, kwargs))

    def _scale(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        """The sum or product with a constant, as in the normalisation of pictures."""
        first, second = args[:2]
        if (carries(first) and carries(second)) or kwargs:
            raise UnknownOperationError(f"lrp has no rule for {name!r} of two tensors that depend on the picture")
        x = first if carries(first) else second
        result = _Pass.apply(x, lambda values: function(*(values.clone() if arg is x else arg for arg in args)))
        return self._put(result, x, in_place(function, kwargs))

    def _rectify(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        x = args[0]
        low, high = rectifier_bounds(name, args, kwargs)
        result = _Pass.apply(x, lambda values: values.clamp(low, high))
        return self._put(result, x, in_place(function, kwargs))

    def _put(self, result: Tensor, x: Tensor, over: bool) -> Tensor:
        """The result, ``over`` x if the call was in place: x is then no longer what its convolution put out."""
        if not over:
            return result
        self.calls.pop(id(x), None)
        return x.copy_(result)

    def _batch_norm(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        """Fold the batch norm into the convolution that made its input; without one, it is a scale of its own."""
        given = dict(zip(_BATCH_NORM, args, strict=False)) | kwargs
        x = given["input"]
        scale = (given["running_var"] + given["eps"]).rsqrt() * (1 if given["weight"] is None else given["weight"])
        shift = (0 if given["bias"] is None else given["bias"]) - given["running_mean"] * scale
        per_map = (-1, *[1] * (x.ndim - 2))
        _, call = self.calls.get(id(x), (None, None))
        if call is None or not call.name.startswith("conv") or "transpose" in call.name or call.weight.ndim != x.ndim:
            call = Linear(name, torch.mul, scale.view(per_map), shift.view(per_map), self._settings(name))
            return self._call(x, call)
        call.bias = shift.view(per_map) + (0 if call.bias is None else call.bias * scale.view(per_map))
        call.weight = call.weight * scale.view(-1, *[1] * (call.weight.ndim - 1))
        result = _Pass.apply(x, lambda values: function(**given | {"input": values}))
        call.outputs = result.detach().clone()
        return result

    def _clone(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        result = function(*args, **kwargs)
        if id(args[0]) in self.calls:
            self.calls[id(result)] = result, self.calls[id(args[0])][1]
        return result


_BATCH_NORM = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")


class _Reached(Exception):
    """Carries the input of the first convolution out of a forward pass."""


class _FirstInput(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        if operation(function) in ("conv2d", "linear"):
            raise _Reached(args[0])
        return function(*args, **(kwargs or {}))


@torch.no_grad()
def pixel_limits(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and highest values that black and white pixels take behind the model's own normalisation."""
    try:
        with _FirstInput():
            model(torch.stack([torch.zeros_like(images[0]), torch.ones_like(images[0])]))
    except _Reached as reached:
        black, white = reached.args[0].split(1)
        return torch.minimum(black, white), torch.maximum(black, white)
    raise UnknownOperationError("lrp with the box rule wants a network that begins with a convolution")
