"""The filters of the first convolution, shown as pictures: what do they look for?"""

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import network_of
from cs231n_viz.network.models import Classifier


def first_convolution(model: nn.Module) -> nn.Conv2d:
    """Return the convolution whose input is the picture itself.

    Raises:
        ValueError: If no convolution of the model takes as many channels as its pictures have.
    """
    channels = len(model.mean) if isinstance(model, Classifier) else 3
    for module in network_of(model).modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == channels:
            return module
    raise ValueError(f"{type(network_of(model)).__name__} has no convolution that takes {channels} channels")


def normalise_filters(weights: Tensor) -> Tensor:
    """Normalise weights to colours without changing their hue.

    Each filter is divided by its own largest magnitude, all channels together, so that zero is always mid-grey and
    the three channels keep their proportions.

    Args:
        weights: (K, 3, h, w), of any range.

    Returns:
        (K, 3, h, w) in [0, 1].

    Raises:
        ValueError: If ``weights`` has another shape.
    """
    if weights.ndim != 4 or weights.shape[1] != 3:
        raise ValueError(f"weights must be (K, 3, h, w), got {tuple(weights.shape)}")
    largest = weights.abs().amax(dim=(1, 2, 3), keepdim=True)
    return 0.5 + weights / (2 * largest.clamp_min(torch.finfo(weights.dtype).tiny))


def first_layer_filters(model: nn.Module) -> Tensor:
    """Show the filters of the first convolution as pictures: what do they look for?

    Args:
        model: Any network whose first convolution takes RGB, or a classifier of grey pictures.

    Returns:
        (K, 3, h, w) in [0, 1]; mid-grey is a weight of zero. The pattern a filter shows is the one that activates it
        most among all pictures of that size and energy.

    Raises:
        ValueError: If no convolution takes the picture, or it has neither 1 nor 3 channels.

    Source: Krizhevsky et al., "ImageNet Classification with Deep CNNs", NeurIPS 2012, fig. 3.
    """
    weights = first_convolution(model).weight.detach()
    if weights.shape[1] not in (1, 3):
        wanted = "filters of 1 or 3 channels can be shown as pictures"
        raise ValueError(f"{wanted}, got {tuple(weights.shape)}; weights[:, :3] takes the first three")
    return normalise_filters(weights.expand(-1, 3, -1, -1))


def smooth_share(weights: Tensor) -> Tensor:
    """Compute the share of each filter's spectral energy that lies below half the Nyquist frequency.

    Args:
        weights: (K, C, h, w).

    Returns:
        (K,) in [0, 1]: near 1 for smooth filters, about 0.2 for noise. Frequencies are radial.
    """
    energy = torch.fft.fft2(weights).abs().square()
    rows, columns = (torch.fft.fftfreq(n, device=weights.device) for n in weights.shape[-2:])
    low = (rows[:, None] ** 2 + columns[None, :] ** 2).sqrt() < 0.25  # Nyquist is 0.5 cycles per pixel
    return (energy * low).sum(dim=(1, 2, 3)) / energy.sum(dim=(1, 2, 3))
