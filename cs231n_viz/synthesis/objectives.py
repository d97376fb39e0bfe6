"""Objectives: functions from images (N, 3, H, W) to the number that gradient ascent maximises.

They are plain functions, so they add up: ``lambda image: logit(model, cat)(image) - total_variation(image)``. All
are sums over the batch: each picture is optimised on its own. Only the layers up to the one that is asked for run,
forwards and backwards.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import activations, evaluating
from cs231n_viz.network.checks import Targets, check_each, check_logits, check_targets
from cs231n_viz.network.interception import RECTIFIERS, EachOperation, rectifier_bounds
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.synthesis.ascent import Objective


def logit(model: nn.Module, targets: Targets) -> Objective:
    """The logit of a class, one for all pictures or (N,) one each.

    The logit, not the probability: the probability also rises when the logits of the other classes fall.

    Source: Simonyan et al., arXiv:1312.6034, eq. 1.
    """

    def score(images: Tensor) -> Tensor:
        with evaluating(model):
            logits = check_logits(model(to_channels_last(model, images)), model)
        rows = check_targets(targets, len(images), logits.shape[1], model).to(logits.device)
        return logits.gather(1, rows[:, None]).sum()

    return score


def log_odds(model: nn.Module, targets: Targets) -> Objective:
    """The log-odds of a class, log(p / (1 - p)), p being its probability; one class for all pictures or (N,) one each.

    They are the target's logit minus a soft maximum of all other logits: above 0 the target is more probable than all
    others together. Their gradient points where that of log p does, but does not fade as p approaches 1.
    """

    def score(images: Tensor) -> Tensor:
        with evaluating(model):
            logits = check_logits(model(to_channels_last(model, images)), model)
        rows = check_targets(targets, len(images), logits.shape[1], model).to(logits.device)
        return log_odds_of(logits, rows).sum()

    return score


def log_odds_of(logits: Tensor, targets: Tensor) -> Tensor:
    """The log-odds (N,) of a class each, ``targets`` (N,), from logits (N, K)."""
    others = logits.scatter(1, targets[:, None], -torch.inf)
    return logits.gather(1, targets[:, None])[:, 0] - others.logsumexp(1)


def channel(model: nn.Module, layer: str, channel: Targets) -> Objective:
    """The mean activation of a channel over all its positions; of a unit of a linear layer, its activation.

    One channel for all pictures, or (N,) one each. When it is called, it raises KeyError if the model has no such
    layer, and IndexError if the layer has no such channel; so do the other objectives of a layer.
    """

    def score(images: Tensor) -> Tensor:
        maps = _maps(model, images, layer)
        rows = check_each(channel, len(images)).to(maps.device)
        _check_place(maps, layer, (int(rows.max() if rows.min() >= 0 else rows.min()),))
        return maps.mean(dim=(2, 3)).gather(1, rows[:, None]).sum()

    return score


def neuron(model: nn.Module, layer: str, place: tuple[int, int, int]) -> Objective:
    """The activation of one neuron, ``place`` being its (channel, row, col)."""

    def score(images: Tensor) -> Tensor:
        maps = _maps(model, images, layer)
        _check_place(maps, layer, place)
        return maps[(slice(None), *place)].sum()

    return score


def layer_energy(model: nn.Module, layer: str, channel: int | None = None) -> Objective:
    """Half the mean square of a layer's activations, or of one channel's: what is active becomes more so (DeepDream).

    Its gradient with respect to the activations is, up to a constant, the activations themselves. "Set the gradient to
    the activation", the lecture's statement of DeepDream, and this objective are the same thing.

    Source: Mordvintsev et al., "Inceptionism", 2015; dream.ipynb (objective_L2).
    """

    def score(images: Tensor) -> Tensor:
        maps = _maps(model, images, layer)
        if channel is not None:
            _check_place(maps, layer, (channel,))
            maps = maps[:, [channel]]
        return 0.5 * maps.square().mean(dim=(1, 2, 3)).sum()

    return score


def redirected(objective: Objective) -> Objective:
    """The same objective with redirected ReLU gradients, which get through rectifiers that would stop all of them.

    For objectives that start dead: after a ReLU whose output is 0, a unit has no gradient, though the ReLU's input has
    one. Where some gradient gets through, nothing is changed.

    Source: Lucid (Olah et al., Distill 2017), lucid/misc/redirected_relu_grad.py.
    """

    def score(images: Tensor) -> Tensor:
        with EachOperation(_redirect):
            return objective(images)

    return score


def _maps(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    maps = activations(model, to_channels_last(model, images), [layer], gradients=True)[layer]
    return maps if maps.ndim == 4 else maps.flatten(1)[..., None, None]


def _check_place(maps: Tensor, layer: str, place: tuple[int, ...]) -> None:
    if not all(0 <= i < n for i, n in zip(place, maps.shape[1:], strict=False)):
        wanted = " × ".join(map(str, maps.shape[1:]))
        raise IndexError(f"{layer} is {wanted} (channels × rows × columns): it has no {place}")


class _Redirect(torch.autograd.Function):
    """A rectifier that passes gradients on where its output is 0, if otherwise none got through."""

    @staticmethod
    def forward(ctx, x: Tensor, bounds: tuple[float, float]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bounds = bounds
        return x.clamp(*bounds)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple:
        (x,) = ctx.saved_tensors
        low, high = ctx.bounds
        plain = gradient.masked_fill((x <= low) | (x >= high), 0)
        dead = plain.count_nonzero(dim=tuple(range(1, x.ndim))) == 0
        if not dead.any():
            return plain, None
        # Where x is below 0, only gradients that would raise it pass: this is gradient ascent.
        redirected = gradient.masked_fill((x <= low) & (gradient < 0) | (x >= high) & (gradient > 0), 0)
        return torch.where(dead.view(-1, *[1] * (x.ndim - 1)), redirected, plain), None


def _redirect(name: str, function: Callable, args: tuple, kwargs: dict) -> object:
    if name in RECTIFIERS and args[0].requires_grad:  # also of pixels that are parameters
        return _Redirect.apply(args[0], rectifier_bounds(name, args, kwargs))
    return function(*args, **kwargs)
