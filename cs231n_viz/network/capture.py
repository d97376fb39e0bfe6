"""Record the activations of a network with forward hooks; no other module registers any.

Hooks are always undone, also after an exception or an interrupt, and what was recorded stays what it was: each
recorded layer passes on a *copy* of its output, so that an in-place ReLU after it overwrites the copy. Without that,
the "output of conv5" of torchvision's AlexNet, VGG, SqueezeNet and ResNets would be the output of the ReLU.

A module that a network calls several times (the ReLU of a ResNet block) has one layer per call: ``"layer1.0.relu"``
is the first, ``"layer1.0.relu:2"`` the second.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from cs231n_viz.network.checks import check_images
from cs231n_viz.network.running import Wrapper, evaluating, held, network_of

__all__ = ["Listener", "activations", "capture", "channels_first", "check_layers", "evaluating", "network_of", "watch"]

Listener = Callable[[str, nn.Module, object], object]


class _Stop(Exception):
    """Ends a forward pass whose remaining layers are not needed."""


@contextmanager
def watch(model: nn.Module, listener: Listener, *, only: set[str] | None = None) -> Iterator[None]:
    """Call ``listener(layer, module, output)`` whenever a submodule has run, as long as the context is open.

    It hears of forward passes of its own thread only; other threads that want to watch the network wait meanwhile.

    Args:
        model: Network to observe.
        listener: Gets the layer's name, with ``:2`` for a second call in the same forward pass, its module, and
            its output. What it returns replaces the output, unless it is None.
        only: Names of the modules to watch; all of them if omitted.
    """
    network = network_of(model)
    calls: Counter[str] = Counter()
    thread = threading.get_ident()

    def begin(module: nn.Module, args: tuple) -> None:
        if threading.get_ident() == thread:
            calls.clear()

    def hook_for(name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, output: object) -> object:
            if threading.get_ident() != thread:
                return None
            calls[name] += 1
            layer = name if calls[name] == 1 else f"{name}:{calls[name]}"
            return listener(layer, module, output)

        return hook

    handles = []
    with held(model):
        try:
            handles.append(network.register_forward_pre_hook(begin))
            for name, module in network.named_modules():
                if name and (only is None or name in only):
                    handles.append(module.register_forward_hook(hook_for(name)))
            yield
        finally:
            for handle in handles:
                handle.remove()


def check_layers(model: nn.Module, layers: Sequence[str]) -> None:
    """Check that all ``layers`` are layers of ``model``.

    Raises:
        KeyError: If one is not; names the closest.
        TypeError: If ``layers`` is a single name, or holds something else than names.
    """
    if isinstance(layers, str):
        raise TypeError(f"layers must be a list of names, got the string {layers!r}; write [{layers!r}]")
    names = dict(network_of(model).named_modules())
    for layer in layers:
        if not isinstance(layer, str):
            raise TypeError(f"a layer must be a name from model.layers(), got {layer!r:.60}")
        module, _, call = layer.partition(":")
        if module not in names or not module or (call and not (call.isdecimal() and int(call) > 1)):
            close = get_close_matches(module, filter(None, names), n=3, cutoff=0.3)
            raise KeyError(f"{_name(model)} has no layer {layer!r}; close names: {', '.join(close) or 'none'}")


def _name(model: nn.Module) -> str:
    return getattr(model, "name", None) or type(network_of(model)).__name__


@contextmanager
def capture(model: nn.Module, layers: Sequence[str], *, stop: bool = False) -> Iterator[dict[str, Tensor]]:
    """Record the outputs of named layers while the context is open.

    Args:
        model: Network to observe; weights, mode, hooks and outputs stay as they are.
        layers: Names from ``model.layers()``, for example ``["conv5"]`` or ``["layer1.0.relu:2"]``.
        stop: End the body of the ``with`` as soon as every layer has been seen, without running the rest.

    Yields:
        Layer name -> that layer's latest output, as it puts it out, attached to the graph: it can be
        differentiated with respect to even if neither the images nor the weights require gradients.

    Raises:
        KeyError: If a name is not a layer of ``model``.
        TypeError: If the output of a layer is not a single tensor.

    Example:
        >>> with capture(model, ["conv5"]) as activations:
        ...     logits = model(images)
        >>> activations["conv5"].shape
        torch.Size([1, 128, 13, 13])
    """
    check_layers(model, layers)
    activations: dict[str, Tensor] = {}

    def record(layer: str, module: nn.Module, output: object) -> Tensor | None:
        if layer not in layers:
            return None
        if not isinstance(output, Tensor):
            raise TypeError(f"layer {layer!r} returns a {type(output).__name__}, not a tensor; name a layer inside it")
        if torch.is_grad_enabled() and not output.requires_grad and output.is_floating_point():
            output.requires_grad_()
        activations[layer] = output
        if stop and len(activations) == len(set(layers)):
            raise _Stop
        return output.clone()  # a following in-place ReLU overwrites the clone instead

    with suppress(_Stop), watch(model, record, only={layer.partition(":")[0] for layer in layers}):
        yield activations


def activations(
    model: nn.Module, images: Tensor, layers: Sequence[str], *, gradients: bool = False
) -> dict[str, Tensor]:
    """Compute the activations of some layers, without running the layers after the deepest of them.

    Args:
        model: Network to observe, run in eval mode and left as it was.
        images: (N, 3, H, W), RGB in [0, 1]; for a bare network, whatever that takes.
        layers: Names from ``model.layers()``.
        gradients: Keep the graph, for gradients through the layers; off by default.

    Returns:
        Layer name -> output, (N, C, h, w) or (N, C); the axes of maps with channels last, as in Swin, are moved.

    Raises:
        KeyError: If a name is not a layer of ``model``, or the forward pass does not call it.
        ValueError: If ``model`` is a ``Classifier`` and the images are not in [0, 1]; images that require gradients
            may leave it.
    """
    if isinstance(model, Wrapper) and not getattr(images, "requires_grad", False):
        check_images(images, model)
    result: dict[str, Tensor] = {}
    with nullcontext() if gradients else torch.no_grad(), evaluating(model):
        with capture(model, layers, stop=True) as result:
            model(images)
    missing = [layer for layer in layers if layer not in result]
    if missing:
        raise KeyError(f"{_name(model)} never reached layer {missing[0]!r} in this forward pass")
    return {layer: channels_first(result[layer], images) for layer in layers}


def channels_first(maps: Tensor, images: Tensor) -> Tensor:
    """Return maps as (N, C, h, w), also if a layer puts them out as (N, h, w, C), as those of Swin and ConvNeXt do.

    That is taken to be so where h and w are in the ratio of the picture's sides, and the last two axes are not.
    """
    if maps.ndim != 4:
        return maps
    ratio = images.shape[-2] / images.shape[-1]

    def fits(rows: int, columns: int) -> bool:
        return abs(rows - columns * ratio) < 1  # rounding may add a part of one

    return maps.movedim(-1, 1) if fits(*maps.shape[1:3]) and not fits(*maps.shape[2:]) else maps
