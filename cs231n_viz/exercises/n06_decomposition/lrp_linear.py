"""Layer-wise relevance propagation (LRP) through one linear layer."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of

EPSILON = 1e-6


def lrp_linear(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, *, epsilon: float = EPSILON) -> Tensor:
    """Propagate the relevance of a linear layer's outputs to its inputs, by the epsilon rule of LRP.

    Args:
        x: (N, I), the inputs of the layer.
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


def _stabilised(z: Tensor, epsilon: float) -> Tensor:
    return z + epsilon * torch.where(z >= 0, 1.0, -1.0)


def _shared(
    *,
    contributions: Callable[[Tensor, Tensor], Tensor] = torch.mul,
    total: Callable[[Tensor, Tensor], Tensor] = lambda z, bias: z.sum(-1),
    stabilise: Callable[[Tensor, float], Tensor] = _stabilised,
) -> Callable[..., Tensor]:
    """The reference, contribution by contribution, with the mistakes that can be made on the way."""

    def shared(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, epsilon: float) -> Tensor:
        z = contributions(x[:, None, :], weight)  # (N, O, I)
        return (z / stabilise(total(z, bias), epsilon)[..., None] * relevance[..., None]).sum(1)

    return shared


def _redistributed(*, counted: bool) -> Callable[..., Tensor]:
    """Everybody gets an equal part of the bias, which is counted in the denominator or not."""

    def redistributed(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, epsilon: float) -> Tensor:
        shares = relevance / _stabilised(x @ weight.T + counted * bias, epsilon)
        return x * (shares @ weight) + (shares @ bias)[:, None] / x.shape[1]

    return redistributed


def _rescaled(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, epsilon: float) -> Tensor:
    result = _shared()(x, weight, bias, relevance, epsilon)
    return result / result.sum(1, keepdim=True) * relevance.sum(1, keepdim=True)


def _as_a_whole(x: Tensor, weight: Tensor, bias: Tensor, relevance: Tensor, epsilon: float) -> Tensor:
    terms = x * (relevance @ weight)
    return terms / terms.sum(1, keepdim=True) * relevance.sum(1, keepdim=True)


def _of_a_layer(function: Callable[..., Tensor], **fed: Tensor) -> Tensor:
    """The call as it is made for a network: its parameters ask for gradients, and nobody else does."""
    with torch.no_grad():
        return function(**fed)


def _hidden(**changes: object) -> dict[str, object]:
    """Two inputs, two outputs, numbers to follow by hand: contributions 2 and 6; 4 and -3."""
    question = {"x": [[1.0, 3.0]], "weight": [[2.0, 2.0], [4.0, -1.0]], "bias": [0.0, 0.0], "relevance": [[4.0, 2.0]]}
    given = question | changes
    return {name: torch.tensor(value) if isinstance(value, list) else value for name, value in given.items()}


ENTRY = Entry(
    name="lrp_linear",
    reference=lrp_linear,
    stars=2,
    minutes=15,
    hints=(
        "Output j has relevance R_j and is a sum of contributions x_i w_ji; which share of it does input i get, and"
        " what do you add over?",
        "z = x @ weight.T without the bias; move each z away from 0 by epsilon in its own direction "
        "(`torch.where`), divide the relevance by it, bring that back with `@ weight` and multiply by x.",
    ),
    checks=[
        Check(
            "one output of relevance 8 with contributions 2 and 6",
            _hidden(weight=[[2.0, 2.0]], bias=[0.0], relevance=[[8.0]]),
            torch.tensor([[2.0, 6.0]]),
        ),
        Check("two outputs, one negative contribution", _hidden(), torch.tensor([[9.0, -3.0]])),
        Check("a bias gets nothing", _hidden(bias=[8.0, 3.0]), torch.tensor([[9.0, -3.0]])),
        Check(
            "a large epsilon takes its share, 5 of 15 and of -15, whatever the biases",
            _hidden(
                x=[[2.0, 1.0]],
                weight=[[4.0, 2.0], [-4.0, -2.0]],
                bias=[-12.0, 3.0],
                relevance=[[6.0, 3.0]],
                epsilon=5.0,
            ),
            torch.tensor([[4.8, 1.2]]),
        ),
        Check(
            "an output of 0 that has no relevance hands nothing on",
            _hidden(x=[[0.0, 0.0], [1.0, 3.0]], relevance=[[0.0, 0.0], [4.0, 2.0]]),
            torch.tensor([[0.0, 0.0], [9.0, -3.0]]),
        ),
        Check(
            "nothing is lost, image by image",
            _hidden(
                x=[[1.0, 2.0, 0.5], [3.0, 0.0, 1.0]],
                weight=[[1.0, -0.4, 2.0], [0.5, 1.5, -1.0]],
                bias=[5.0, -2.0],
                relevance=[[3.0, -1.0], [2.0, 4.0]],
            ),
            torch.tensor([2.0, 6.0]),
            lambda function, **fed: function(**fed).sum(1),
        ),
        Check(
            "with the parameters of a layer, below torch.no_grad()",
            _hidden()
            | {"weight": torch.tensor([[2.0, 2.0], [4.0, -1.0]], requires_grad=True)}
            | {"bias": torch.tensor([0.5, 0.25], requires_grad=True)},
            torch.tensor([[9.0, -3.0]]),
            _of_a_layer,
        ),
        Check("in float32, as the next layer needs it", _hidden(), "float32", dtype_of),
        Check(
            "an input below 0: contributions -2 and 6; -4 and -3",
            _hidden(x=[[-1.0, 3.0]], relevance=[[4.0, 7.0]]),
            torch.tensor([[2.0, 9.0]]),
        ),
        Check(
            "contributions of 2 and -2, beside 1 and 1, and an epsilon of 0.5: 0 counts as positive",
            _hidden(x=[[1.0, 1.0]], weight=[[2.0, -2.0], [1.0, 1.0]], relevance=[[1.0, 1.0]], epsilon=0.5),
            torch.tensor([[4.4, -3.6]]),
        ),
    ],
    mistakes={
        "the bias is counted in the denominator: its share is lost to the inputs": (
            _shared(total=lambda z, bias: z.sum(-1) + bias)
        ),
        "the sign of the contributions is lost: what lowers an output gets a negative share": (
            _shared(contributions=lambda x, weight: (x * weight).abs())
        ),
        "only positive contributions share: that is the z+ rule, here all do": (
            _shared(contributions=lambda x, weight: (x * weight).clamp_min(0))
        ),
        "shared by activation: a contribution is activation times weight": (
            lambda x, weight, bias, relevance, epsilon: (
                x / (x.sum(1, keepdim=True) + epsilon) * relevance.sum(1, keepdim=True)
            )
        ),
        "shared by weight: a contribution is activation times weight": (
            _shared(contributions=lambda x, weight: torch.ones_like(x) * weight)
        ),
        "epsilon is added to negative sums too, which brings them nearer to 0: give it the sign of the sum": (
            _shared(stabilise=lambda z, epsilon: z + epsilon)
        ),
        "0 / 0 is NaN: the sign of 0 is 0, so epsilon vanishes where it is needed; count 0 as positive": (
            _shared(stabilise=lambda z, epsilon: z + epsilon * z.sign())
        ),
        "the division is unguarded: epsilon is never added": _shared(stabilise=lambda z, epsilon: z),
        "nothing is divided: relevance times weight times input is more than there was to share": (
            lambda x, weight, bias, relevance, epsilon: x * (relevance @ weight)
        ),
        "divided by the sum over all outputs: each output shares its own relevance": (
            lambda x, weight, bias, relevance, epsilon: (
                x * (relevance @ weight) / ((x @ weight.T).sum(1, keepdim=True) + epsilon)
            )
        ),
        "the inputs are missing from the numerator: multiply what comes back by x": (
            lambda x, weight, bias, relevance, epsilon: (relevance / (x @ weight.T + epsilon)) @ weight
        ),
        "epsilon, as it is given, belongs in every denominator: here the default is, or only those near 0 get it": (
            _shared(stabilise=lambda z, _: _stabilised(z, EPSILON)),
            _shared(stabilise=lambda z, epsilon: z.abs().clamp_min(epsilon) * torch.where(z >= 0, 1.0, -1.0)),
            _shared(stabilise=lambda z, epsilon: torch.where(z == 0, epsilon, z)),
            _shared(stabilise=lambda z, epsilon: z.clamp_min(epsilon)),
        ),
        "the denominators lost their signs: a negative sum stays negative": (
            _shared(stabilise=lambda z, epsilon: z.abs() + epsilon)
        ),
        "epsilon is subtracted from the magnitude: it is added": (
            _shared(stabilise=lambda z, epsilon: z - epsilon * torch.where(z >= 0, 1.0, -1.0))
        ),
        "the share of the bias is handed to the inputs in equal parts: it gets none": (
            _redistributed(counted=False),
            _redistributed(counted=True),
        ),
        "all outputs are shared together: each output shares its own relevance": _as_a_whole,
        "averaged over the outputs: add up what comes from each": (
            lambda x, weight, *rest: _shared()(x, weight, *rest) / len(weight)
        ),
        "not added up over the outputs yet": lambda x, weight, bias, relevance, epsilon: (
            x[:, None] * weight / _stabilised(x @ weight.T, epsilon)[..., None] * relevance[..., None]
        ),
        "shared by a softmax of the contributions: divide each by their sum": (
            lambda x, weight, bias, relevance, epsilon: ((x[:, None] * weight).softmax(2) * relevance[..., None]).sum(1)
        ),
        "summed over the images: each has its own z": (
            lambda x, weight, bias, relevance, epsilon: (
                x * ((relevance / _stabilised((x @ weight.T).sum(0, keepdim=True), epsilon)) @ weight)
            )
        ),
        "weight is transposed where it should not be: z is x @ weight.T": (
            lambda x, weight, bias, relevance, epsilon: x * ((relevance / _stabilised(x @ weight, epsilon)) @ weight.T),
        ),
        "shared equally: a larger contribution gets a larger share": (
            lambda x, weight, bias, relevance, epsilon: (relevance.sum(1, keepdim=True) / x.shape[1]).expand_as(x)
        ),
        "a denominator of 0 counts as negative: as positive was asked for": (
            _shared(stabilise=lambda z, epsilon: z + epsilon * torch.where(z > 0, 1.0, -1.0))
        ),
        "the inputs lost their signs: a contribution is x times weight": (
            lambda x, *rest: _shared()(x, *rest) * x.sign(),
        ),
        "epsilon has the sign of the output, bias included: give it that of the inputs' sum alone": (
            lambda x, weight, bias, relevance, epsilon: (
                x * ((relevance / (x @ weight.T + epsilon * torch.where(x @ weight.T + bias >= 0, 1.0, -1.0))) @ weight)
            )
        ),
        "rescaled to the whole relevance: what epsilon absorbs is lost, and stays so": _rescaled,
        "outputs whose sum is not above 0 hand nothing on: their relevance is shared as well": (
            _shared(stabilise=lambda z, epsilon: torch.where(z > 0, z + epsilon, float("inf")))
        ),
    },
)
