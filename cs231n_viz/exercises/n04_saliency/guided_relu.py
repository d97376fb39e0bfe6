"""The backward rule of guided backprop at one ReLU."""

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of


def guided_relu(inputs: Tensor, gradient: Tensor) -> Tensor:
    """Pass a gradient back through one ReLU by the rule of guided backprop.

    Args:
        inputs: What the ReLU was given in the forward pass, any shape.
        gradient: What arrives from above, of the same shape.

    Returns:
        The gradient where it is positive *and* the ReLU was active, its input above 0; elsewhere 0.
    """
    return gradient * (gradient > 0) * (inputs > 0)


_INPUTS = torch.tensor([[1.5, -2.0, 0.0, 3.0], [-0.5, 2.5, 0.25, -4.0], [4.0, -1.0, 0.0, 0.5]])
_GRADIENT = torch.tensor([[2.0, 5.0, 7.0, -1.0], [-3.0, 0.5, -6.0, 4.0], [1.0, -8.0, -2.0, 3.0]])
_SMALL = {  # above 0 is above 0, however little
    "inputs": torch.tensor([[1e-4, 0.9, -1e-4], [3.0, 5e-4, 0.02]]),
    "gradient": torch.tensor([[0.75, 4e-4, 0.5], [-3e-4, 6e-3, 2e-3]]),
}
_GUIDED = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 3.0]])

ENTRY = Entry(
    name="guided_relu",
    reference=guided_relu,
    stars=1,
    minutes=5,
    hints=(
        "Two things can stop a value of the gradient: its own sign, and what the ReLU was given. Which entries "
        "survive both?",
        "Compare `inputs` and `gradient` with 0; the two masks multiply the gradient, which is 0 where either is "
        "False.",
    ),
    checks=[
        Check(
            "one value of each kind",
            {"inputs": torch.tensor([2.0, 2.0, -2.0, -2.0]), "gradient": torch.tensor([3.0, -3.0, 3.0, -3.0])},
            torch.tensor([3.0, 0.0, 0.0, 0.0]),
        ),
        Check("several sizes, and inputs of zero", {"inputs": _INPUTS, "gradient": _GRADIENT}, _GUIDED),
        Check(
            "maps (N, C, h, w)",
            {"inputs": _INPUTS.view(1, 3, 2, 2), "gradient": _GRADIENT.view(1, 3, 2, 2)},
            _GUIDED.view(1, 3, 2, 2),
        ),
        Check("small numbers", _SMALL, torch.tensor([[0.75, 4e-4, 0.0], [0.0, 6e-3, 2e-3]])),
        Check(
            "inputs that are part of a graph, as in a network",
            {"inputs": _INPUTS.clone().requires_grad_(), "gradient": _GRADIENT},
            _GUIDED,
        ),
        Check("in float32, like the gradient", {"inputs": _INPUTS, "gradient": _GRADIENT}, "float32", dtype_of),
    ],
    mistakes={  # of input x and gradient g
        "this is the ordinary backward pass of a ReLU: negative gradients must be stopped as well": (
            lambda x, g: g * (x > 0)
        ),
        "this is the rule of deconvnet: the gradient must also be stopped where the ReLU was not active": (
            lambda x, g: g.clamp_min(0)
        ),
        "multiplied by the activation: only whether it is above 0 counts": (
            lambda x, g: g.clamp_min(0) * x.clamp_min(0),
            lambda x, g: g.clamp_min(0) * x.clamp(0, 1),
        ),
        "multiplied by the sign of the input, which is -1 below 0: nothing passes there": (
            lambda x, g: g.clamp_min(0) * x.sign()
        ),
        "an input below 0 passes as well: the ReLU is active above 0, not wherever its input is not 0": (
            lambda x, g: g.clamp_min(0) * (x != 0)
        ),
        "the threshold depends on the other inputs: it is 0": lambda x, g: g.clamp_min(0) * (x > x.mean()),
        "the gradient is scaled or cut off at 1: what passes is left as it is": (
            lambda x, g: g.clamp(0, 1) * (x > 0),
            lambda x, g: (g.clamp_min(0) * (x > 0)) / (g.clamp_min(0) * (x > 0)).max(),
            lambda x, g: (g.clamp_min(0) * (x > 0)) / g.abs().max(),
        ),
        "this is a mask of zeros and ones: the gradient itself was asked for": lambda x, g: ((g > 0) & (x > 0)).float(),
        "the activation is passed back: the gradient was asked for": lambda x, g: x.clamp_min(0) * (g > 0),
        "one of the two conditions is enough here: both were asked for": lambda x, g: g * ((g > 0) | (x > 0)),
        "the gradient's magnitude is passed on: where it is negative, nothing passes": lambda x, g: g.abs() * (x > 0),
        "the product of input and gradient decides: two negatives give a positive one": lambda x, g: g * (x * g > 0),
        "active at an input of exactly 0: the ReLU is not, there": lambda x, g: g.clamp_min(0) * (x >= 0),
        "small values are stopped too: the conditions are above 0": (
            lambda x, g: g * (x > 1e-3) * (g > 1e-3),
            lambda x, g: g * (x > 1e-2) * (g > 1e-2),
            lambda x, g: g * (x > 0) * (g > 1e-3),
            lambda x, g: g * (x > 1e-3) * (g > 0),
        ),
        "negative gradients pass and positive ones are stopped": lambda x, g: g.clamp_max(0) * (x > 0),
        "the gradient passes where the ReLU was not active": (
            lambda x, g: g.clamp_min(0) * (x <= 0),
            lambda x, g: g.clamp_min(0) * (x < 0),
        ),
        "only the values that pass are returned: keep the shape, with zeros elsewhere": lambda x, g: g[
            (x > 0) & (g > 0)
        ],
        "rounded to whole numbers": (
            lambda x, g: (g.clamp_min(0) * (x > 0)).int(),
            lambda x, g: (g.clamp_min(0) * (x > 0)).round(),
        ),
        "this is the forward pass: the gradient was asked for": (
            lambda x, g: x.clamp_min(0),
            lambda x, g: (x + g).clamp_min(0),
            lambda x, g: torch.minimum(x, g).clamp_min(0),
        ),
        "inactive at 1 and below: the ReLU is active above 0": (
            lambda x, g: g.clamp_min(0) * (x > 1),
            lambda x, g: g * (x > 0) * (g >= 1),
        ),
    },
)
