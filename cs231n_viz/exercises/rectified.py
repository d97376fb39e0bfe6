"""Exercises of notebook 04: the rule of guided backprop, and the seeds of a segmentation."""

from collections.abc import Callable

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry, Raises


def guided_relu(inputs: Tensor, gradient: Tensor) -> Tensor:
    """What does guided backprop pass back through one ReLU?

    Args:
        inputs: What the ReLU was given in the forward pass, any shape.
        gradient: What arrives from above, of the same shape.

    Returns:
        The gradient where it is positive *and* the ReLU was open, its input above 0; elsewhere 0.
    """
    return gradient * (gradient > 0) * (inputs > 0)


_INPUTS = torch.tensor([[1.5, -2.0, 0.0, 3.0], [-0.5, 2.5, 0.25, -4.0], [4.0, -1.0, 0.0, 0.5]])
_GRADIENT = torch.tensor([[2.0, 5.0, 7.0, -1.0], [-3.0, 0.5, -6.0, 4.0], [1.0, -8.0, -2.0, 3.0]])
_GUIDED = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 3.0]])

_GUIDED_RELU = Entry(
    name="guided_relu",
    reference=guided_relu,
    stars=1,
    minutes=5,
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
    ],
    mistakes={
        "this is the ordinary backward pass of a ReLU: negative gradients must be stopped as well": (
            lambda inputs, gradient: gradient * (inputs > 0)
        ),
        "this is the rule of deconvnet: the gradient must also be stopped where the ReLU was closed": (
            lambda inputs, gradient: gradient.clamp_min(0)
        ),
        "multiplied by the activation: only whether it is above 0 counts": (
            lambda inputs, gradient: gradient.clamp_min(0) * inputs.clamp_min(0)
        ),
        "this is a mask of zeros and ones: the gradient itself was asked for": (
            lambda inputs, gradient: ((gradient > 0) & (inputs > 0)).float()
        ),
        "the activation is passed back: the gradient was asked for": (
            lambda inputs, gradient: inputs.clamp_min(0) * (gradient > 0)
        ),
        "one of the two conditions is enough here: both were asked for": (
            lambda inputs, gradient: gradient * ((gradient > 0) | (inputs > 0))
        ),
        "the gradient's magnitude is passed on: where it is negative, nothing passes": (
            lambda inputs, gradient: gradient.abs() * (inputs > 0)
        ),
        "the product of input and gradient decides: two negatives give a positive one": (
            lambda inputs, gradient: gradient * (inputs * gradient > 0)
        ),
        "open at an input of exactly 0: the ReLU is closed there": (
            lambda inputs, gradient: gradient.clamp_min(0) * (inputs >= 0)
        ),
    },
)


def grabcut_seeds(saliency: Tensor, *, foreground: float = 0.95, background: float = 0.30) -> Tensor:
    """Which pixels are surely the object, which surely not, and which shall GrabCut decide about?

    Args:
        saliency: (H, W), at least 0.
        foreground: Above this quantile of the map lies the object.
        background: At or below this quantile lies the background.

    Returns:
        (H, W) uint8, in OpenCV's code: 1 for the object, 0 for the background, 2, "probably background", for the rest.

    Raises:
        ValueError: If no pixel lies above the foreground's quantile: there is nothing to start from.
    """
    marks = torch.full_like(saliency, 2, dtype=torch.uint8)
    marks[saliency <= saliency.quantile(background)] = 0
    above = saliency > saliency.quantile(foreground)
    if not above.any():
        raise ValueError("the map is the same everywhere at its top: it gives no seeds of the object")
    marks[above] = 1
    return marks


def _quantile(values: Tensor, share: float) -> Tensor:
    return values.quantile(share)


def _seeds(
    threshold: Callable[[Tensor, float], Tensor] = _quantile,
    *,
    codes: tuple[int, int, int] = (1, 0, 2),
    above: Callable[[Tensor, Tensor], Tensor] = torch.gt,
    below: Callable[[Tensor, Tensor], Tensor] = torch.le,
    refuses: bool = True,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way; ``codes`` of object, background and rest."""

    def seeds(saliency: Tensor, foreground: float = 0.95, background: float = 0.30) -> Tensor:
        marks = torch.full_like(saliency, codes[2], dtype=torch.uint8)
        marks[below(saliency, threshold(saliency, background))] = codes[1]
        chosen = above(saliency, threshold(saliency, foreground))
        if refuses and not chosen.any():
            raise ValueError
        marks[chosen] = codes[0]
        return marks

    return seeds


def _by_row(values: Tensor, share: float) -> Tensor:
    return values.quantile(share, dim=1, keepdim=True)


_RAMP = torch.tensor([[0.5, 3.0, 8.0, 20.0], [1.0, 2.0, 9.0, 60.0], [0.0, 4.0, 5.0, 6.0]])
_SPARSE = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])

_GRABCUT_SEEDS = Entry(
    name="grabcut_seeds",
    reference=grabcut_seeds,
    stars=2,
    minutes=10,
    checks=[
        Check(
            "quantiles 0.75 and 0.25 of twelve values: three are the object, three the background",
            {"saliency": _RAMP, "foreground": 0.75, "background": 0.25},
            torch.tensor([[0, 2, 2, 1], [0, 2, 1, 1], [0, 2, 2, 2]]),
        ),
        Check(
            "the quantiles are 0.95 and 0.30 unless told",
            {"saliency": _RAMP},
            torch.tensor([[0, 2, 2, 2], [0, 0, 2, 1], [0, 2, 2, 2]]),
        ),
        Check(
            "a map that is 0 nearly everywhere: only what is not is the object",
            {"saliency": _SPARSE, "foreground": 0.8, "background": 0.5},
            torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]),
        ),
        Check("a map that is the same everywhere gives no seeds", {"saliency": torch.ones(3, 4)}, Raises()),
    ],
    mistakes={
        "the thresholds are shares of the maximum: a quantile is the value below which a share of the pixels lies": (
            _seeds(lambda values, share: share * values.max())
        ),
        "object and background are exchanged: 1 is the object in OpenCV's code": _seeds(codes=(0, 1, 2)),
        "the rest is marked 3, probably the object: 2 was asked for": _seeds(codes=(1, 0, 3)),
        "the rest is marked as surely background: GrabCut would have nothing to decide": _seeds(codes=(1, 0, 0)),
        "each row has its own quantile: the whole map has one": _seeds(_by_row),
        "pixels of exactly the upper quantile count as the object: in a map full of zeros those are all": (
            _seeds(above=torch.ge)
        ),
        "pixels of exactly the lower quantile are left out: in a map full of zeros those are all": (
            _seeds(below=torch.lt)
        ),
        "the quantile counts from the top: a share of 0.95 lies below the threshold, not above": (
            _seeds(lambda values, share: values.quantile(1 - share))
        ),
        "a map without any contrast must be refused": _seeds(refuses=False),
    },
)

ENTRIES = [_GUIDED_RELU, _GRABCUT_SEEDS]
