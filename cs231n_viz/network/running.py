"""Run a network for a method: which module it is, in eval mode, outside inference mode, one thread at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn


class Wrapper(nn.Module):
    """A module that prepares pictures for its ``network``; layers are named relative to that."""

    network: nn.Module
    mean: Tensor
    categories: list[str]

    def index(self, category: str) -> int:
        """Return the index of a category."""
        raise NotImplementedError


def network_of(model: nn.Module) -> nn.Module:
    """Return the bare network inside a ``Classifier``, or any other module itself: layer names are relative to it."""
    return model.network if isinstance(model, Wrapper) else model


def is_compiled(module: nn.Module) -> bool:
    """Whether a module is what ``torch.compile`` or its own ``compile()`` made."""
    return hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None


_locks: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_locks_lock = threading.Lock()


@contextmanager
def held(model: nn.Module) -> Iterator[None]:
    """Keep other threads from changing the hooks, modes or weights of a network while the context is open.

    They wait. The thread that holds a network may hold it again.

    Raises:
        ValueError: If the model was compiled: hooks and rules for operations do not see into it.
    """
    if is_compiled(model) or is_compiled(network_of(model)):
        raise ValueError("the model was compiled, and no method sees into it; give it as it was before torch.compile")
    with _locks_lock:
        lock = _locks.setdefault(network_of(model), threading.RLock())
    with lock:
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every submodule into eval mode while the context is open, then each back into its own mode."""
    with held(model):
        modes = [(module, module.training) for module in model.modules()]
        try:
            for module, _ in modes:
                module.training = False
            yield
        finally:
            for module, mode in modes:
                module.training = mode


@contextmanager
def outside_inference_mode() -> Iterator[None]:
    """Leave ``torch.inference_mode`` while the context is open, with gradients off as they were; also a decorator.

    What is computed in inference mode can never be part of a graph, not even under ``torch.enable_grad``.
    """
    if not torch.is_inference_mode_enabled():
        yield
        return
    with torch.inference_mode(False), torch.no_grad():
        yield
