"""Exercises of notebook 04: which pixels matter? The gradient of a logit."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises import occluding, rectified
from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.occluding import (
    linear,
    occlusion_step,
    of_all,
    of_log_probabilities,
    of_logits,
    of_predicted,
    of_probabilities,
    pictures_of,
    weights_of,
)

__all__ = ["ENTRIES", "occlusion_step", "saliency_map"]


def saliency_map(model: nn.Module, images: Tensor, targets: Tensor, *, magnitude: str = "abs") -> Tensor:
    """Which pixels would change the logit of the target most?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,) class indices, one for each picture.
        magnitude: ``"abs"`` or ``"square"`` of the gradient.

    Returns:
        (N, H, W), at least 0: the largest magnitude over the three channels.
    """
    pixels = images.clone().requires_grad_()
    scores = model(pixels)[torch.arange(len(images)), targets]  # (N,) logits; picture i moves entry i only
    (gradient,) = torch.autograd.grad(scores.sum(), pixels)  # leaves the .grad of the parameters alone
    size = gradient.abs() if magnitude == "abs" else gradient.square()
    return size.amax(dim=1)


class Squares(nn.Module):
    """Logits Σ w x² / 2 over the pixels: the gradient at a picture is w x."""

    def __init__(self, weights: Tensor) -> None:
        """``weights`` is (K, 3, H, W)."""
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, K)."""
        return torch.einsum("kchw,nchw->nk", self.weights, images.square() / 2)


def _abs_max(gradient: Tensor, magnitude: str) -> Tensor:
    return (gradient.abs() if magnitude == "abs" else gradient.square()).amax(1)


def _of_magnitude(reduce: Callable[[Tensor], Tensor]) -> Callable[[Tensor, str], Tensor]:
    return lambda gradient, magnitude: reduce(gradient.abs() if magnitude == "abs" else gradient.square())


def _sized(reduced: Tensor, magnitude: str) -> Tensor:
    return reduced.abs() if magnitude == "abs" else reduced.square()


def _scaled(gradient: Tensor, magnitude: str) -> Tensor:
    maps = _abs_max(gradient, magnitude)
    return maps / maps.amax((1, 2), keepdim=True)


def _map(
    score: Callable[[Tensor, Tensor], Tensor] = of_logits,
    reduce: Callable[[Tensor, str], Tensor] = _abs_max,
    *,
    mean: bool = False,
    times_input: bool = False,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def maps(model: nn.Module, images: Tensor, targets: Tensor, magnitude: str = "abs") -> Tensor:
        pixels = images.clone().requires_grad_()
        scores = score(model(pixels), targets)
        (gradient,) = torch.autograd.grad(scores.mean() if mean else scores.sum(), pixels)
        return reduce(gradient * images if times_input else gradient, magnitude)

    return maps


def _saliency(title: str, images: Tensor, targets: list[int], *, squares: bool = False, **magnitude: str) -> Check:
    weights = weights_of(*images.shape[2:])
    rows = torch.tensor(targets)
    gradient = weights[rows] * images if squares else weights[rows]
    expected = _abs_max(gradient, magnitude.get("magnitude", "abs"))
    model = Squares(weights).eval() if squares else linear(weights)
    return Check(title, {"model": model, "images": images, "targets": rows, **magnitude}, expected)


_SALIENCY_MAP = Entry(
    name="saliency_map",
    reference=saliency_map,
    stars=2,
    minutes=15,
    checks=[
        _saliency("a linear network: the largest |weight| of the three channels", pictures_of(1, 3, 4), [1]),
        _saliency("its square on request", pictures_of(1, 2, 3), [0], magnitude="square"),
        _saliency("two pictures, each with its own target", pictures_of(2, 3, 2), [2, 0]),
        _saliency("a network that is not linear: the picture counts", pictures_of(1, 3, 4), [0], squares=True),
        _saliency("and three pictures at once", pictures_of(3, 4, 3), [1, 0, 1], squares=True, magnitude="square"),
    ],
    mistakes={
        "this is the gradient of the loss, or of the log-probability; the logit was asked for": (
            _map(of_log_probabilities),
            _map(of_log_probabilities, mean=True),
        ),
        "this is the gradient of the probability; the logit was asked for": _map(of_probabilities),
        "the predicted class is taken in place of the target": _map(of_predicted),
        "the batch is mixed: logits[:, targets] sums all targets of every picture, one each was asked for": (
            _map(of_all)
        ),
        "divided by the number of pictures: each map must be the same alone and in a batch": _map(mean=True),
        "the magnitude is missing: a strongly negative gradient matters as much": _map(
            reduce=lambda gradient, _: gradient.amax(1)
        ),
        "the largest channel was chosen before the magnitude: a strongly negative one is lost": _map(
            reduce=lambda gradient, magnitude: _sized(gradient.amax(1), magnitude)
        ),
        "the channels are summed: the largest of the three was asked for": (
            _map(reduce=_of_magnitude(lambda size: size.sum(1))),
            _map(reduce=lambda gradient, magnitude: _sized(gradient.sum(1), magnitude)),
        ),
        "the channels are averaged: the largest of the three was asked for": (
            _map(reduce=_of_magnitude(lambda size: size.mean(1))),
            _map(reduce=lambda gradient, magnitude: _sized(gradient.mean(1), magnitude)),
        ),
        "scaled to a largest value of 1: the maps of two pictures could no longer be compared": _map(reduce=_scaled),
        "multiplied by the picture: this is gradient × input, a black pixel may matter too": _map(times_input=True),
        "magnitude='square' is ignored": _map(reduce=lambda gradient, _: gradient.abs().amax(1)),
    },
)

ENTRIES = [*occluding.ENTRIES, _SALIENCY_MAP, *rectified.ENTRIES]
