"""What a picture is asked to do: functions from images (N, 3, H, W) to a number that ``ascend`` makes larger.

They are plain functions, so they add up: ``lambda image: logit(model, cat)(image) - total_variation(image)``. All
are sums over the batch: each picture climbs on its own. Only the layers up to the one that is asked run, forwards and
backwards.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cs231n_viz.network.capture import activations, evaluating
from cs231n_viz.network.checks import Targets, check_each, check_targets
from cs231n_viz.network.interception import RECTIFIERS, carries, operation, rectifier_bounds
from cs231n_viz.synthesis.ascent import Objective


def logit(model: nn.Module, targets: Targets) -> Objective:
    """The logit of a class, one for all pictures or (N,) one each.

    The logit, not the probability: that also rises when the other classes fall.
    """

    def score(images: Tensor) -> Tensor:
        with evaluating(model):
            logits = model(images)
        rows = check_targets(targets, len(images), logits.shape[1]).to(logits.device)
        return logits.gather(1, rows[:, None]).sum()

    return score


def _maps(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    found = activations(model, images, [layer], gradients=True)[layer]
    return found if found.ndim == 4 else found.flatten(1)[..., None, None]


def _checked(maps: Tensor, layer: str, place: tuple[int, ...]) -> None:
    if not all(0 <= i < n for i, n in zip(place, maps.shape[1:], strict=False)):
        wanted = " × ".join(map(str, maps.shape[1:]))
        raise IndexError(f"{layer} is {wanted} (channels × rows × columns): it has no {place}")


def channel(model: nn.Module, layer: str, channel: Targets) -> Objective:
    """The mean activation of a channel over all its places; of a unit of a linear layer, its activation.

    One channel for all pictures, or (N,) one each.
    """

    def score(images: Tensor) -> Tensor:
        maps = _maps(model, images, layer)
        rows = check_each(channel, len(images)).to(maps.device)
        _checked(maps, layer, (int(rows.max() if rows.min() >= 0 else rows.min()),))
        return maps.mean(dim=(2, 3)).gather(1, rows[:, None]).sum()

    return score


def neuron(model: nn.Module, layer: str, place: tuple[int, int, int]) -> Objective:
    """The activation of one neuron, ``place`` being its (channel, row, col)."""

    def score(images: Tensor) -> Tensor:
        maps = _maps(model, images, layer)
        _checked(maps, layer, place)
        return maps[(slice(None), *place)].sum()

    return score


def layer_energy(model: nn.Module, layer: str, channel: int | None = None) -> Objective:
    """Half the mean square of a layer's activations, or of one channel's: what is there becomes more.

    Its gradient with respect to the activations is, up to a constant, the activations themselves. "Set the gradient to
    the activation", the lecture's statement of DeepDream, and this objective are the same thing.

    Source: Mordvintsev et al., "Inceptionism", 2015; dream.ipynb (objective_L2).
    """

    def score(images: Tensor) -> Tensor:
        maps = _maps(model, images, layer)
        if channel is not None:
            _checked(maps, layer, (channel,))
            maps = maps[:, [channel]]
        return 0.5 * maps.square().mean(dim=(1, 2, 3)).sum()

    return score


class _Redirect(torch.autograd.Function):
    """A rectifier that lets gradients through where it puts out 0, if otherwise none got through."""

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
        # Where x is below 0 only what would raise it may pass; the gradient points upwards here.
        redirected = gradient.masked_fill((x <= low) & (gradient < 0) | (x >= high) & (gradient > 0), 0)
        dead = plain.flatten(1).abs().sum(dim=1) == 0
        return torch.where(dead.view(-1, *[1] * (x.ndim - 1)), redirected, plain), None


class _Redirecting(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = operation(function)
        if name in RECTIFIERS and carries(args[0]):
            return _Redirect.apply(args[0], rectifier_bounds(name, args, kwargs))
        return function(*args, **kwargs)


def redirected(objective: Callable[[Tensor], Tensor]) -> Objective:
    """The same objective, with gradients that get through rectifiers which would stop them all.

    For objectives that start dead: a unit behind a ReLU that puts out 0 has no gradient, though its input does. Where
    some gradient gets through, nothing is changed.

    Source: Lucid (Olah et al., Distill 2017), lucid/misc/redirected_relu_grad.py.
    """

    def score(images: Tensor) -> Tensor:
        with _Redirecting():
            return objective(images)

    return score
