"""In which order do pictures lie in memory? Where channels come last, convolutions on a CPU are faster."""

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import network_of

_KNOWN = ("cs231n_viz.", "torch.nn.", "torchvision.")  # packages whose modules take pictures in any order


def arranged(model: nn.Module, images: Tensor) -> Tensor:
    """The same images (N, C, H, W), channels last if every module of ``model`` can do with that.

    A network with code of its own keeps the order that it is given: it may call ``view``, which refuses channels last.
    """
    known = all(type(module).__module__.startswith(_KNOWN) for module in network_of(model).modules())
    return images.contiguous(memory_format=torch.channels_last) if known else images
