"""Exercises of notebook 06: sharing relevance, multipliers of DeepLIFT, and a curve that judges a map."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises import deletion
from cs231n_viz.exercises.core import Check, Entry

EPSILON = 1e-6


def lrp_linear(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, *, epsilon: float = EPSILON) -> Tensor:
    """Hand the relevance of a linear layer's outputs to its inputs, by the epsilon rule.

    Args:
        x: (N, I), what went into the layer.
        weight: (O, I).
        bias: (O,); it takes no share.
        relevance: (N, O), of the outputs.
        epsilon: Added to the magnitude of every denominator; a denominator of 0 counts as positive.

    Returns:
        (N, I): R_i = sum over j of x_i w_ji / (z_j + ε sign z_j) · R_j, with z_j = sum over i of x_i w_ji.
    """
    z = x @ weight.T  # (N, O): the contributions alone
    stabilised = z + epsilon * torch.where(z >= 0, 1.0, -1.0)
    return x * ((relevance / stabilised) @ weight)


def _shared(
    x: Tensor,
    weight: Tensor,
    relevance: Tensor,
    *,
    contributions: Callable[[Tensor], Tensor] = lambda z: z,
    total: Callable[[Tensor], Tensor] = lambda z: z.sum(-1),
    stabilise: Callable[[Tensor], Tensor] | None = None,
    epsilon: float = EPSILON,
) -> Tensor:
    """The reference, contribution by contribution, with the mistakes that can be made on the way."""
    z = contributions(x[:, None, :] * weight)  # (N, O, I)
    sums = total(z)
    sums = sums + epsilon * torch.where(sums >= 0, 1.0, -1.0) if stabilise is None else stabilise(sums)
    return (z / sums[..., None] * relevance[..., None]).sum(1)


def _by_activation(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, *, epsilon: float = EPSILON) -> Tensor:
    return x / (x.sum(1, keepdim=True) + epsilon) * relevance.sum(1, keepdim=True)


def _by_weight(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, *, epsilon: float = EPSILON) -> Tensor:
    return _shared(torch.ones_like(x), weight, relevance, epsilon=epsilon)


def _with_bias(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, *, epsilon: float = EPSILON) -> Tensor:
    return _shared(x, weight, relevance, total=lambda z: z.sum(-1) + bias, epsilon=epsilon)


def _stabilised_by(stabilise: Callable[[Tensor, float], Tensor]) -> Callable[..., Tensor]:
    def mistaken(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, *, epsilon: float = EPSILON) -> Tensor:
        return _shared(x, weight, relevance, stabilise=lambda z: stabilise(z, epsilon))

    return mistaken


def _contributing(contributions: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def mistaken(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, *, epsilon: float = EPSILON) -> Tensor:
        return _shared(x, weight, relevance, contributions=contributions, epsilon=epsilon)

    return mistaken


def _hidden(**changes: Tensor | float) -> dict[str, Tensor | float]:
    """Two inputs, two outputs, numbers to follow by hand: contributions 2 and 6; 4 and -3."""
    question = {
        "x": torch.tensor([[1.0, 3.0]]),
        "weight": torch.tensor([[2.0, 2.0], [4.0, -1.0]]),
        "bias": torch.zeros(2),
        "relevance": torch.tensor([[4.0, 2.0]]),
    }
    return question | changes


_LRP_LINEAR = Entry(
    name="lrp_linear",
    reference=lrp_linear,
    stars=2,
    minutes=15,
    checks=[
        Check(
            "one output of relevance 8 with contributions 2 and 6",
            _hidden(weight=torch.tensor([[2.0, 2.0]]), bias=torch.zeros(1), relevance=torch.tensor([[8.0]])),
            torch.tensor([[2.0, 6.0]]),
        ),
        Check("two outputs, one contribution against", _hidden(), torch.tensor([[9.0, -3.0]])),
        Check("a bias gets nothing", _hidden(bias=torch.tensor([8.0, 3.0])), torch.tensor([[9.0, -3.0]])),
        Check(
            "a large epsilon takes its share: 10 of 20 and of -20",
            {
                "x": torch.tensor([[2.0, 1.0]]),
                "weight": torch.tensor([[4.0, 2.0], [-4.0, -2.0]]),
                "bias": torch.zeros(2),
                "relevance": torch.tensor([[6.0, 3.0]]),
                "epsilon": 10.0,
            },
            torch.tensor([[3.6, 0.9]]),
        ),
        Check(
            "an output that nothing reached hands nothing on",
            _hidden(x=torch.tensor([[0.0, 0.0], [1.0, 3.0]]), relevance=torch.tensor([[0.0, 0.0], [4.0, 2.0]])),
            torch.tensor([[0.0, 0.0], [9.0, -3.0]]),
        ),
        Check(
            "nothing is lost, picture by picture",
            {
                "x": torch.tensor([[1.0, 2.0, 0.5], [3.0, 0.0, 1.0]]),
                "weight": torch.tensor([[1.0, -0.4, 2.0], [0.5, 1.5, -1.0]]),
                "bias": torch.tensor([5.0, -2.0]),
                "relevance": torch.tensor([[3.0, -1.0], [2.0, 4.0]]),
            },
            torch.tensor([2.0, 6.0]),
            lambda function, **fed: function(**fed).sum(1),
        ),
    ],
    mistakes={
        "the bias is counted in the denominator: its share is lost to the inputs": _with_bias,
        "the sign of the contributions is lost: what speaks against an output gets a negative share": (
            _contributing(torch.abs)
        ),
        "only positive contributions share: that is the z+ rule, here all do": _contributing(lambda z: z.clamp_min(0)),
        "shared by activation: a contribution is activation times weight": _by_activation,
        "shared by weight: a contribution is activation times weight": _by_weight,
        "epsilon is added to negative sums too, which brings them nearer to 0: give it the sign of the sum": (
            _stabilised_by(lambda z, epsilon: z + epsilon)
        ),
        "0 / 0 is NaN: the sign of 0 is 0, so epsilon vanishes where it is needed; count 0 as positive": (
            _stabilised_by(lambda z, epsilon: z + epsilon * z.sign())
        ),
        "the division is unguarded: epsilon is never added": _stabilised_by(lambda z, epsilon: z),
        "nothing is divided: relevance times weight times input is more than there was to share": (
            lambda x, weight, bias, relevance, *, epsilon=EPSILON: x * (relevance @ weight)
        ),
        "divided by the sum over all outputs: each output shares its own relevance": (
            lambda x, weight, bias, relevance, *, epsilon=EPSILON: (
                x * (relevance @ weight) / ((x @ weight.T).sum(1, keepdim=True) + epsilon)
            )
        ),
        "the inputs are missing from the numerator: multiply what comes back by x": (
            lambda x, weight, bias, relevance, *, epsilon=EPSILON: (relevance / (x @ weight.T + epsilon)) @ weight
        ),
    },
)


def deep_lift_multiplier(x: Tensor, reference: Tensor) -> Tensor:
    """The multiplier of a ReLU by the Rescale rule: the slope between a picture and its reference.

    Args:
        x: What goes into the ReLU for the picture, any shape.
        reference: The same for the reference picture.

    Returns:
        In the shape of ``x``: (relu(x) - relu(reference)) / (x - reference); where both are the same, the derivative
        of the ReLU at x: 1 above 0, else 0.
    """
    rise, run = x.relu() - reference.relu(), x - reference
    still = run == 0
    return torch.where(still, (x > 0).to(x), rise / torch.where(still, 1.0, run))


def _slope_or(otherwise: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def mistaken(x: Tensor, reference: Tensor) -> Tensor:
        return torch.where(x == reference, otherwise(x), deep_lift_multiplier(x, reference))

    return mistaken


_EDGE = {"x": torch.tensor([2.0, 5.0, -3.0, 0.0]), "reference": torch.tensor([1.0, 5.0, -3.0, 0.0])}

_DEEP_LIFT_MULTIPLIER = Entry(
    name="deep_lift_multiplier",
    reference=deep_lift_multiplier,
    stars=1,
    minutes=10,
    checks=[
        Check(
            "both above 0, or both below",
            {"x": torch.tensor([3.0, -2.0]), "reference": torch.tensor([1.0, -6.0])},
            torch.tensor([1.0, 0.0]),
        ),
        Check(
            "across 0, upwards: from -1 to 3 the output rises by 3",
            {"x": torch.tensor([3.0]), "reference": torch.tensor([-1.0])},
            torch.tensor([0.75]),
        ),
        Check(
            "across 0, downwards: the picture is silent, the reference was not",
            {"x": torch.tensor([-1.0]), "reference": torch.tensor([4.0])},
            torch.tensor([0.8]),
        ),
        Check("no change: the derivative", _EDGE, torch.tensor([1.0, 1.0, 0.0, 0.0])),
        Check(
            "multiplier times change of input is change of output",
            {"x": torch.tensor([[0.5, -0.25], [2.0, -3.0]]), "reference": torch.tensor([[-1.5, 0.75], [1.0, -3.0]])},
            torch.tensor([[0.5, -0.75], [1.0, 0.0]]),
            lambda function, x, reference: (x - reference) * function(x, reference),
        ),
    ],
    mistakes={
        "this is the gradient at the picture, or output over input: take the slope from the reference to the picture": (
            lambda x, reference: (x > 0).to(x)
        ),
        "this is the gradient at the reference: take the slope between reference and picture": (
            lambda x, reference: (reference > 0).to(x)
        ),
        "this is the gradient half-way: take the slope, rise over run": (
            lambda x, reference: ((x + reference) / 2 > 0).to(x)
        ),
        "the rise is not divided by the run: this is the change of the output": (
            lambda x, reference: x.relu() - reference.relu()
        ),
        "the sign is lost: rise and run fall together, their ratio is positive": (
            lambda x, reference: _slope_or(lambda x: (x > 0).to(x))(x, reference) * (x - reference).sign()
        ),
        "0 / 0 is NaN: where nothing changed, take the derivative": (
            lambda x, reference: (x.relu() - reference.relu()) / (x - reference)
        ),
        "ones where zeros belong: a ReLU that is off in both has slope 0": _slope_or(torch.ones_like),
        "zeros where nothing changed: an active ReLU still has slope 1 there": _slope_or(torch.zeros_like),
    },
)

ENTRIES = [_LRP_LINEAR, _DEEP_LIFT_MULTIPLIER, *deletion.ENTRIES]
