"""The backward pass of :mod:`cs231n_viz.attribution.lrp`: the rules of LRP instead of derivatives.

A linear operation with inputs x_i, weights w_ij and outputs z_j = Σ_i x_i w_ij (+ b_j, if biases absorb relevance)
passes the relevance R_j of its outputs on to its inputs. With a⁺ = max(a, 0) and a⁻ = min(a, 0):

- zero:     R_i = Σ_j x_i w_ij / z_j · R_j
- epsilon:  R_i = Σ_j x_i w_ij / (z_j + ε sign z_j) · R_j
- gamma:    R_i = Σ_j (x_i w_ij + γ (x_i w_ij)⁺) / Σ_i' (x_i' w_i'j + γ (x_i' w_i'j)⁺) · R_j   where z_j > 0
- zplus:    R_i = Σ_j (x_i w_ij)⁺ / Σ_i' (x_i' w_i'j)⁺ · R_j                                   where z_j > 0
- box:      R_i = Σ_j (x_i w_ij - l_i w_ij⁺ - h_i w_ij⁻) / Σ_i' (x_i' w_i'j - l_i' w_i'j⁺ - h_i' w_i'j⁻) · R_j

Where z_j < 0, gamma and zplus take (x_i w_ij)⁻ instead of (x_i w_ij)⁺: the contributions with the sign of their sum. An
output that a ReLU sets to 0 gets no relevance; negative logits do, and negative terms of residual sums. l and h are the
lowest and highest value of a pixel. The composite takes box for the first convolution, gamma for the others, and
epsilon for fully connected layers.

:class:`Propagation` intercepts the operations of a forward pass. Each linear one becomes a :class:`Linear`, which knows
how to redistribute relevance from its outputs to its inputs. Products with constants per channel and constants added
after a convolution, such as a batch norm of whatever class, are folded into it: what they receive goes through the
convolution with their weights, and what others receive of its output through the convolution as it is.

Constants that are added are biases, except before the first convolution or linear layer, where they normalise pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.interception import (
    AVERAGES,
    MAXIMA,
    RECTIFIERS,
    SCALES,
    SHAPES,
    SUMS,
    EachOperation,
    Interception,
    UnknownOperationError,
    carries,
    in_place,
    rectifier_bounds,
)

Part = Callable[[Tensor], Tensor]  # of the weights: all, the positive ones, ...
Terms = list[tuple[Tensor, Part]]  # inputs, and the part of the weights that they are multiplied by

_BATCH_NORM = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")


@dataclass
class Ledger:
    """What became of the relevance in a backward pass, operation by operation, from the logit to the pixels.

    Attributes:
        entries: (operation, relevance received, relevance passed on), summed over the batch.
    """

    entries: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def absorbed(self) -> dict[str, float]:
        """Operation -> relevance that it received and did not pass on: the share of biases and of ε."""
        absorbed: dict[str, float] = {}
        for name, received, passed_on in self.entries:
            absorbed[name] = absorbed.get(name, 0.0) + received - passed_on
        return absorbed


@dataclass(frozen=True)
class Settings:
    """How relevance is redistributed.

    Attributes:
        rule: A rule of :func:`~cs231n_viz.attribution.lrp.lrp`, or ``"box"``.
        epsilon: ε of the epsilon rule.
        gamma: γ of the gamma rule.
        biases: Whether biases absorb a share of the relevance.
        limits: Lowest and highest value of the pixels as the first convolution gets them, for the box rule.
        ledger: Records what every operation received and passed on.
    """

    rule: str
    epsilon: float = 1e-6
    gamma: float = 0.25
    biases: bool = False
    limits: tuple[Tensor, Tensor] | None = None
    ledger: Ledger | None = None


@dataclass
class Linear:
    """One call of a linear operation, ``run(x, weight) + bias``, and how it redistributes relevance.

    ``outputs`` are what it put out. ``folds`` are the same operation together with the scale and shift that follow it,
    and ``received`` is the relevance that one of these got in a backward pass.
    """

    name: str
    run: Callable[[Tensor, Tensor], Tensor]
    weight: Tensor
    bias: Tensor | None
    settings: Settings
    outputs: Tensor | None = field(default=None, init=False)
    folds: list["Linear"] = field(default_factory=list, init=False)
    received: Tensor | None = field(default=None, init=False)

    def folded(self, scale: Tensor | float, shift: Tensor | float) -> "Linear":
        """The same operation with outputs that are multiplied by ``scale``, then raised by ``shift``, per channel."""
        across = scale.reshape(-1, *[1] * (self.weight.ndim - 1)) if isinstance(scale, Tensor) else scale
        bias = shift if self.bias is None else self.bias * scale + shift
        bias = bias if isinstance(bias, Tensor) else self.weight.new_tensor(bias)
        fold = Linear(self.name, self.run, self.weight * across, bias, self.settings)
        self.folds.append(fold)
        return fold

    def through_folds(self, x: Tensor, received: Tensor) -> Tensor:
        """What each input gets, the part that scales and shifts received with their weights, the rest without."""
        passed_on, rest = None, received
        for fold in self.folds:
            if fold.received is not None:
                more, rest = fold.through_folds(x, fold.received), rest - fold.received
                passed_on, fold.received = more if passed_on is None else passed_on + more, None
        if passed_on is None:
            return self.relevance(x, received)
        return passed_on + self.relevance(x, rest) if (rest != 0).any() else passed_on

    def relevance(self, x: Tensor, received: Tensor) -> Tensor:
        """What each input gets of the relevance that the outputs received."""
        rule = self.settings.rule
        if rule not in ("gamma", "zplus"):
            return self._redistribute(x, received, self._box(x) if rule == "box" else [(x, _all)])[0]
        # Contributions with the sign of their sum are favoured; without biases that is the sum of the contributions
        # alone, so that there always are some, and the denominator is never smaller than they are.
        sums = self.outputs if self.bias is None or self.settings.biases else self.outputs - self.bias
        passed_on, left = self._redistribute(x, received * (sums > 0), self._agreeing(x, 1))
        negative = received * (sums <= 0)
        if (negative != 0).any():
            more, left_too = self._redistribute(x, negative, self._agreeing(x, -1))
            passed_on, left = passed_on + more, left + left_too
        if not self.settings.biases and (left != 0).any():
            # No input contributed anything: all in the receptive field of the output get the same.
            passed_on = passed_on + self._redistribute(x, left, [(torch.ones_like(x), torch.ones_like)])[0]
        return passed_on

    def _agreeing(self, x: Tensor, sign: int) -> Terms:
        """z_ij⁺, or z_ij + γ z_ij⁺; for sums below 0 the same with z_ij⁻."""
        above, below = (_above, _below) if sign > 0 else (_below, _above)
        if self.settings.rule == "gamma":
            above, below = _plus(above, self.settings.gamma), _plus(below, self.settings.gamma)
        if x.min() >= 0:  # as after every ReLU
            return [(x, above)]
        return [(x.clamp_min(0), above), (x.clamp_max(0), below)]

    def _box(self, x: Tensor) -> Terms:
        low, high = self.settings.limits
        return [(x, _all), (-low.expand_as(x), _above), (-high.expand_as(x), _below)]

    def _redistribute(self, x: Tensor, received: Tensor, terms: Terms) -> tuple[Tensor, Tensor]:
        """R_i = sum over j of z_ij / (sum over i of z_ij) · R_j, the z_ij given as terms of a sum.

        Also returns the relevance of outputs whose sum is 0, which cannot be redistributed like this.
        """
        with torch.enable_grad():
            inputs = [values.detach().requires_grad_() for values, _ in terms]
            z = sum(self.run(values, part(self.weight)) for values, (_, part) in zip(inputs, terms, strict=True))
        total = z.detach()
        if self.settings.biases and self.bias is not None and self.settings.rule != "box":  # there b - b⁺ - b⁻ = 0
            total = total + terms[0][1](self.bias)
        if self.settings.rule == "epsilon":
            total = total + self.settings.epsilon * torch.where(total >= 0, 1.0, -1.0).to(total)
        empty = total == 0
        ratio = (received / total).masked_fill_(empty, 0)
        gradients = torch.autograd.grad(z, inputs, ratio)
        passed_on = sum(values.detach() * gradient for values, gradient in zip(inputs, gradients, strict=True))
        return passed_on, received * empty


def _all(weight: Tensor) -> Tensor:
    return weight


def _above(weight: Tensor) -> Tensor:
    return weight.clamp_min(0)


def _below(weight: Tensor) -> Tensor:
    return weight.clamp_max(0)


def _plus(part: Part, gamma: float) -> Part:
    """The weights, and γ times a part of them on top."""
    return lambda weight: weight + gamma * part(weight)


class _Redistribute(torch.autograd.Function):
    """A linear operation whose backward pass redistributes relevance."""

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
        passed_on = call.through_folds(x, received)
        if call.settings.ledger is not None:
            call.settings.ledger.entries.append((call.name, received.sum().item(), passed_on.sum().item()))
        return passed_on, None


class _Pass(torch.autograd.Function):
    """An elementwise function of x: the relevance of x is that of the result."""

    @staticmethod
    def forward(ctx, x: Tensor, outcome: Callable[[Tensor], Tensor]) -> Tensor:
        return outcome(x)

    @staticmethod
    def backward(ctx, received: Tensor) -> tuple:
        return received, None


class _Fold(torch.autograd.Function):
    """A scale and shift after a linear operation: notes its relevance, which goes through the operation with both."""

    @staticmethod
    def forward(ctx, x: Tensor, outcome: Callable[[Tensor], Tensor], fold: Linear) -> Tensor:
        ctx.fold, y = fold, outcome(x)
        fold.outputs = y.detach().clone()
        return y

    @staticmethod
    def backward(ctx, received: Tensor) -> tuple:
        ctx.fold.received = received
        return received, None, None


class Propagation(Interception):
    """While open, intercepts a forward pass so that its backward pass carries relevance instead of gradients."""

    def __init__(self, settings: Settings) -> None:
        handlers = {
            **dict.fromkeys(("conv1d", "conv2d", "conv_transpose2d", "linear"), self._weighted),
            **dict.fromkeys(AVERAGES, self._average),
            **dict.fromkeys(SUMS, self._sum),
            **dict.fromkeys(SCALES, self._scale),
            **dict.fromkeys(RECTIFIERS, self._rectify),
            "batch_norm": self._batch_norm,
            "clone": self._clone,
            "pad": self._pad,
        }
        super().__init__("lrp", handlers, MAXIMA | SHAPES)
        self.settings = settings
        self.begun = False  # whether the first convolution, which has its own rule in a composite, has run
        # id of an output -> the output, kept alive, its call, and its version, which changes if it is overwritten
        self.calls: dict[int, tuple[Tensor, Linear, int]] = {}
        # id of padded maps -> they, kept alive, the maps, and what F.pad added
        self.padded: dict[int, tuple[Tensor, Tensor, list[int]]] = {}

    def _settings_of(self, name: str) -> Settings:
        """The settings for one operation: a composite has a rule for each kind."""
        rule = self.settings.rule
        if rule == "composite":
            rule = "epsilon" if name == "linear" else "gamma"
            if name.startswith("conv") and not self.begun:
                rule = "box"
        self.begun |= name.startswith("conv") or name == "linear"
        return replace(self.settings, rule=rule)

    def _weighted(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        x, weight, bias, *rest = (*args, None)[: max(3, len(args))]
        options = {key: value for key, value in kwargs.items() if key not in ("bias", "weight", "input")}
        bias = kwargs.get("bias", bias)
        bias = None if bias is None else bias.detach()
        if bias is not None and name != "linear":
            bias = bias.view(-1, *[1] * (weight.ndim - 2))

        def run(values: Tensor, used: Tensor) -> Tensor:
            return function(values, used, None, *rest, **options)

        return self._call(x, Linear(name, run, weight.detach(), bias, self._settings_of(name)))

    def _call(self, x: Tensor, call: Linear) -> Tensor:
        if id(x) in self.padded:
            _, x, amounts = self.padded[id(x)]
            call = _with_padding(call, amounts)
        return self._remember(_Redistribute.apply(x, call), call)

    def _remember(self, result: Tensor, call: Linear) -> Tensor:
        self.calls[id(result)] = result, call, result._version
        return result

    def _convolution(self, x: Tensor, *per_channel: Tensor | float) -> Linear | None:
        """The convolution that has just put out x, if constants of this shape can be folded into it."""
        result, call, version = self.calls.get(id(x), (None, None, None))
        if result is None or result._version != version or call.weight.ndim != x.ndim:
            return None
        if not call.name.startswith("conv") or "transpose" in call.name:
            return None
        wanted = {1: x.shape[1]}
        for constant in per_channel:
            if isinstance(constant, Tensor) and constant.numel() > 1:
                places = dict(enumerate(constant.shape, x.ndim - constant.ndim))
                if {place: side for place, side in places.items() if side > 1} != wanted:
                    return None
        return call

    def _average(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        def run(values: Tensor, weight: Tensor) -> Tensor:
            return function(values, *args[1:], **kwargs) * weight

        return self._call(args[0], Linear(name, run, args[0].new_ones(()), None, self._settings_of(name)))

    def _sum(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        first, second = args[:2]
        if not (carries(first) and carries(second)):
            return self._scale(name, function, args, kwargs)
        factor = -kwargs.get("alpha", 1) if "sub" in name else kwargs.get("alpha", 1)
        if name == "rsub":
            first, second = second, first
        if factor != 1:
            second = _Pass.apply(second, lambda values: values * factor)  # its relevance keeps its sign
        both = torch.stack(torch.broadcast_tensors(first, second))

        def run(values: Tensor, weight: Tensor) -> Tensor:
            return values.sum(0) * weight

        result = self._call(both, Linear(name, run, first.new_ones(()), None, self._settings_of(name)))
        return self._put(result, args[0], in_place(function, kwargs))

    def _scale(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        """The sum or product with a constant, as in a normalisation: the constant of a sum is a bias."""
        if kwargs.keys() - {"alpha"} or (carries(args[0]) and carries(args[1])):
            raise UnknownOperationError(f"lrp has no rule for {name!r} with {', '.join(kwargs) or 'two tensors'}")
        x = args[0] if carries(args[0]) else args[1]
        scale, shift = _constants(name, args, kwargs.get("alpha", 1))

        def outcome(values: Tensor) -> Tensor:
            return function(*(values.clone() if arg is x else arg for arg in args), **kwargs)

        result = self._affine(name, x, outcome, scale, shift)
        return self._put(result, x, in_place(function, kwargs))

    def _affine(self, name: str, x: Tensor, outcome: Callable, scale: Tensor | float, shift: Tensor | float) -> Tensor:
        """``x * scale + shift``, which is ``outcome(x)``: part of the convolution before it, or else on its own."""
        call = self._convolution(x, scale, shift)
        if call is not None:
            fold = call.folded(*(_per_map(constant, x) for constant in (scale, shift)))
            return self._remember(_Fold.apply(x, outcome, fold), fold)
        absorbs = self.settings.biases and self.begun and bool((torch.as_tensor(shift) != 0).any())
        if not absorbs:
            return _Pass.apply(x, outcome)
        scale, shift = (torch.as_tensor(constant).to(x) for constant in (scale, shift))
        wide = x.expand(torch.broadcast_shapes(x.shape, scale.shape, shift.shape)).clone()  # x may be overwritten
        return self._call(wide, Linear(name, torch.mul, scale, shift, self._settings_of(name)))

    def _rectify(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        x = args[0]
        low, high = rectifier_bounds(name, args, kwargs)
        result = _Pass.apply(x, lambda values: values.clamp(low, high))
        return self._put(result, x, in_place(function, kwargs))

    def _put(self, result: Tensor, x: Tensor, overwrite: bool) -> Tensor:
        """The result, written over x if the call was in place: x is then no longer what its convolution put out."""
        if not overwrite:
            return result
        _, call, _ = self.calls.get(id(result), (None, None, None))
        self.calls.pop(id(x), None)
        self.padded.pop(id(x), None)
        x.copy_(result)
        return x if call is None else self._remember(x, call)

    def _pad(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        """Make the zeros around maps a part of the operation after them, as its own padding is: they get no relevance.

        They would get some where a unit sees nothing but zeros, whose relevance all in its receptive field share.
        """
        result = function(*args, **kwargs)
        given = dict(zip(("input", "pad", "mode", "value"), args, strict=False)) | kwargs
        if given.get("mode", "constant") == "constant" and not given.get("value"):
            self.padded[id(result)] = result, args[0], list(given["pad"])
        return result

    def _batch_norm(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        """Fold the batch norm into the convolution before it; without one, it is a linear operation of its own."""
        given = dict(zip(_BATCH_NORM, args, strict=False)) | kwargs
        x = given["input"]
        scale = (given["running_var"] + given["eps"]).rsqrt() * (1 if given["weight"] is None else given["weight"])
        shift = (0 if given["bias"] is None else given["bias"]) - given["running_mean"] * scale
        scale, shift = (constant.detach().view(-1, *[1] * (x.ndim - 2)) for constant in (scale, shift))
        if self._convolution(x, scale, shift) is None:
            return self._call(x, Linear(name, torch.mul, scale, shift, self._settings_of(name)))
        return self._affine(name, x, lambda values: function(**given | {"input": values}), scale, shift)

    def _clone(self, name: str, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        result = function(*args, **kwargs)
        source, call, version = self.calls.get(id(args[0]), (None, None, None))
        return result if source is None or source._version != version else self._remember(result, call)


def _constants(name: str, args: tuple, alpha: float) -> tuple[Tensor | float, Tensor | float]:
    """The scale and the shift of a sum or product of a tensor with a constant."""
    first, second = args
    constant = second if carries(first) else first
    if name in SCALES:
        return (1 / constant if "div" in name else constant), 0.0
    if name == "rsub":  # the second minus the first
        first, second = second, first
    sign = -1 if "sub" in name else 1
    return (1.0, sign * alpha * constant) if carries(first) else (sign * alpha, constant)


def _per_map(constant: Tensor | float, x: Tensor) -> Tensor | float:
    """A constant per channel in the shape (C, 1, ...), or a single number."""
    if not isinstance(constant, Tensor):
        return constant
    return constant.detach().to(x).reshape(-1, *[1] * (x.ndim - 2))


def _with_padding(call: Linear, amounts: list[int]) -> Linear:
    """The operation that first pads its input with zeros."""
    limits = call.settings.limits  # of the padded pixels
    if limits is not None:
        limits = tuple(F.pad(edge, [-amount for amount in amounts]) for edge in limits)
    run = call.run
    return replace(
        call, run=lambda x, weight: run(F.pad(x, amounts), weight), settings=replace(call.settings, limits=limits)
    )


class _Reached(Exception):
    """Carries the input of the first convolution out of a forward pass."""


def _stop_at_first(name: str, function: Callable, args: tuple, kwargs: dict) -> object:
    if name in ("conv1d", "conv2d", "conv_transpose2d", "linear"):
        raise _Reached(args[0] if args else kwargs["input"])
    return function(*args, **kwargs)


@torch.no_grad()
def pixel_limits(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and highest values that black and white pixels take after the model's own normalisation."""
    try:
        with EachOperation(_stop_at_first):
            model(torch.stack([torch.zeros_like(images[0]), torch.ones_like(images[0])]))
    except _Reached as reached:
        black, white = reached.args[0].split(1)
        return torch.minimum(black, white), torch.maximum(black, white)
    raise UnknownOperationError("lrp with the box rule wants a network that begins with a convolution")
