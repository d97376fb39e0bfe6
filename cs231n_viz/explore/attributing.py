"""What the explorer of saliency shows: attributions by name, of a class or of a neuron, that sharpen step by step."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from cs231n_viz import attribution, path_gradients
from cs231n_viz.explore.canvas import coloured, to_pixels
from cs231n_viz.models import Classifier
from cs231n_viz.scores import Neuron, class_scores, neuron_scores

ABS, SQUARE, TIMES, SMOOTH, PATH = (
    "saliency: |gradient|",
    "saliency: gradient²",
    "gradient × input",
    "SmoothGrad",
    "integrated gradients",
)
GUIDED, DECONV = "guided backprop", "deconvnet"
METHODS = (ABS, SQUARE, TIMES, SMOOTH, PATH, GUIDED, DECONV)
SAMPLES = 25  # of SmoothGrad
SEGMENTS, STEPS = 64, 1  # of the path of integrated gradients, and gradients on each: one gradient for each picture


class NeuronScore(nn.Module):
    """A network whose only logit is the activation of one neuron, so that every method can explain it."""

    def __init__(self, model: Classifier, neuron: Neuron) -> None:
        """``neuron`` is (layer, channel, row, col)."""
        super().__init__()
        self.model, self.neuron = model, neuron
        self.mean = model.mean

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1)."""
        return neuron_scores(self.model, images, self.neuron)[:, None]


def estimates(
    model: Classifier, images: Tensor, of: int | Neuron, method: str, saliency_map: Callable[..., Tensor]
) -> Iterator[Tensor]:
    """An attribution for one picture, from a first estimate to the finished one.

    Args:
        model: Any classifier.
        images: (1, 3, H, W), RGB in [0, 1].
        of: A class index, or (layer, channel, row, col).
        method: One of ``METHODS``.
        saliency_map: ``saliency_map(model, images, targets, magnitude=)`` -> (1, H, W).

    Yields:
        (3, H, W), signed; for the first two methods and SmoothGrad, of which only the magnitude is shown, (H, W).
    """
    if method in (GUIDED, DECONV):
        rule = attribution.guided_backprop if method == GUIDED else attribution.deconvnet
        yield (rule(model, images, of) if isinstance(of, int) else rule(model, images, neuron=of))[0]
        return
    network, target = (model, of) if isinstance(of, int) else (NeuronScore(model, of), 0)
    if method in (ABS, SQUARE):
        magnitude = "abs" if method == ABS else "square"
        targets = torch.tensor([target], device=images.device)
        yield _checked(saliency_map(network, images.clone(), targets, magnitude=magnitude), images)
    elif method == TIMES:
        yield attribution.gradient_times_input(network, images, target)[0]
    elif method == SMOOTH:
        yield from _smoother(network, images, target)
    else:
        yield from _further(network, images, target)


def _smoother(model: nn.Module, images: Tensor, target: int) -> Iterator[Tensor]:
    total = torch.zeros_like(images)
    for seed in range(SAMPLES):
        total += path_gradients.smooth_grad(model, images, target, samples=1, seed=seed)
        yield (total / (seed + 1)).abs().amax(1)[0]


def _further(model: nn.Module, images: Tensor, target: int) -> Iterator[Tensor]:
    """The path from black, one part after the other: what the parts add up to is what the whole path gives."""
    total, start = torch.zeros_like(images), torch.zeros_like(images)
    for part in range(1, SEGMENTS + 1):
        end = images * (part / SEGMENTS)
        total += path_gradients.integrated_gradients(model, end, target, baseline=start, steps=STEPS)
        start = end
        yield total[0].clone()


def _checked(maps: Tensor, images: Tensor) -> Tensor:
    wanted = (1, *images.shape[2:])
    if tuple(maps.shape) != wanted:
        raise ValueError(f"saliency_map must return {wanted}, got {tuple(maps.shape)}")
    return maps[0].detach()


@torch.no_grad()
def score_of(model: Classifier, images: Tensor, of: int | Neuron) -> float:
    """The logit of a class or the activation of a neuron, for one picture."""
    scores = class_scores(model, images, of) if isinstance(of, int) else neuron_scores(model, images, of)
    return float(scores[0])


def magnitude_of(found: Tensor) -> np.ndarray:
    """One value of at least 0 for each pixel of an attribution (H, W) or (3, H, W)."""
    return (found if found.ndim == 2 else found.abs().amax(0)).cpu().numpy()


def limit_of(size: np.ndarray) -> float:
    """Where the scale of magnitudes ends: of those that are not 0, one in 200 lies beyond. A neuron sees few pixels."""
    return float(np.quantile(size[size > 0], 0.995)) if (size > 0).any() else 1.0


def as_picture(found: Tensor, method: str) -> np.ndarray:
    """An attribution as people publish it: (H, W, 3), uint8, where 1 value in 200 lies beyond the end of the scale.

    Magnitudes from dark to light; gradient × input and integrated gradients summed over colours, red for and blue
    against; guided backprop and deconvnet as colours around grey.
    """
    if found.ndim == 2:
        return coloured(found.cpu().numpy(), limit_of(magnitude_of(found)), signed=False)
    if method in (TIMES, PATH):
        credit = found.sum(0).cpu().numpy()
        return coloured(credit, limit_of(np.abs(credit)))
    return to_pixels((0.5 + found / (2 * limit_of(magnitude_of(found)))).cpu())
