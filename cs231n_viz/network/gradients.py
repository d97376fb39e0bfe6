"""The scores that attributions explain, a logit or the activation of a neuron, and their gradients."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import capture, channels_first, evaluating
from cs231n_viz.network.checks import Neuron, Targets, check_logits, check_targets
from cs231n_viz.network.interception import EachOperation, Interception, check_graph, noticing_dropout
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.running import held, outside_inference_mode


def class_scores(model: nn.Module, images: Tensor, targets: Targets) -> Tensor:
    """Compute the logit of each image's target, (N,)."""
    logits = check_logits(model(images), model)
    rows = check_targets(targets, len(images), logits.shape[1], model).to(logits.device)
    return logits.gather(1, rows[:, None])[:, 0]


def neuron_scores(model: nn.Module, images: Tensor, neuron: Neuron) -> Tensor:
    """Compute the activation of one neuron for each image, (N,).

    Raises:
        KeyError: If the forward pass does not reach the layer.
        IndexError: If the layer has no such neuron.
    """
    layer, channel, row, col = neuron
    with capture(model, [layer], stop=True) as activations:
        model(images)
    if layer not in activations:
        raise KeyError(f"the network never reached layer {layer!r} in this forward pass")
    maps = channels_first(activations[layer], images)
    shape = maps.shape[1:]
    maps = maps if len(shape) == 3 else maps.flatten(1)[..., None, None]
    if not all(0 <= i < n for i, n in zip((channel, row, col), maps.shape[1:], strict=True)):
        raise IndexError(f"{layer} is {tuple(shape)}: it has no neuron (channel, row, col) = {neuron[1:]}")
    return maps[:, channel, row, col]


@outside_inference_mode()
def differentiate(
    model: nn.Module, images: Tensor, score: Callable[[Tensor], Tensor], rules: AbstractContextManager | None = None
) -> Tensor:
    """Differentiate each image's score with respect to that image, in eval mode.

    Args:
        model: Network that ``score`` runs; left as it was.
        images: (N, 3, H, W), RGB in [0, 1].
        score: Images -> scores, (N,).
        rules: A context that changes the backward rule of the forward pass that it surrounds; none by default.

    Returns:
        The gradients, (N, 3, H, W).

    Warns:
        UserWarning: If the network has a dropout that is on also in eval mode.
    """
    with held(model):  # until the backward pass is done, too: it reads the weights
        return _differentiate(model, images.detach().clone(), score, rules)


def _differentiate(
    model: nn.Module, pixels: Tensor, score: Callable[[Tensor], Tensor], rules: AbstractContextManager | None
) -> Tensor:
    if rules is not None or not any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        pixels = to_channels_last(model, pixels)  # for plain gradients of ResNets copying the weights takes longer
    pixels.requires_grad_()
    with torch.enable_grad(), evaluating(model), rules or EachOperation(noticing_dropout):
        scores = score(pixels)
    if isinstance(rules, Interception):
        check_graph(rules.method, scores)
    with torch.enable_grad():
        total = scores.sum()  # grad_outputs would import sympy, for half a second
    return torch.autograd.grad(total, pixels)[0]
