"""Content + style + total variation: the joint loss of style transfer, and its three terms one by one.

Example::

    loss = JointLoss(model, content, [painting], layers=("relu3_2", style_layers(model)), weights=(1, 10, 30))
    value = loss(image)      # scalar with a graph
    loss.terms               # {"content": …, "style": …, "tv": …}, which add up to it
"""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.capture import activations
from cs231n_viz.network.interception import AveragePooling
from cs231n_viz.representation.gram import gram_matrix
from cs231n_viz.synthesis.regularisers import total_variation

Terms = dict[str, float]
Grams = dict[str, Tensor]


def content_distance(features: Tensor, target: Tensor) -> Tensor:
    """How far are features from those of the content picture? ‖F - F₀‖² / ‖F₀‖²: 0 for the picture itself.

    Source: Gatys et al., CVPR 2016, eq. 1. Differs from the paper: relative, so that one weight suits every layer.
    """
    return (features - target).square().sum() / target.square().sum()


def masked_gram(features: Tensor, mask: Tensor) -> Tensor:
    """Which channels are active together *in a region*?

    Args:
        features: (1, C, h, w).
        mask: (H, W), from 0 outside to 1 inside the region; it is averaged down to the layer's size.

    Returns:
        (1, C, C): the mean over positions of f fᵀ, each position counted as much as it is inside. A mask of ones gives
        ``gram_matrix``; the Grams of regions that divide a picture, weighted by their areas, add up to it.

    Source: Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", arXiv:1611.07865, eq. 6.
    """
    share = F.interpolate(mask[None, None].to(features), size=features.shape[-2:], mode="area")
    return gram_matrix(features * share.sqrt()) * (share.numel() / share.sum())


def blended(grams: Sequence[Grams], weights: Sequence[float]) -> Grams:
    """The Gram matrices of several styles, mixed layer by layer; the weights add up to 1."""
    return {layer: sum(w * found[layer] for w, found in zip(weights, grams, strict=True)) for layer in grams[0]}


class JointLoss:
    """How far is a picture from the content of one picture and the style of others?

    Args:
        model: Whose features say what content and style are.
        content: (1, 3, H, W), RGB in [0, 1].
        styles: Pictures (1, 3, h, w) of any size.
        layers: The layer of the content, and those of the style.
        weights: Of content, style and total variation.
        style_weights: One for each style, adding up to 1; all alike if omitted.
        masks: One (H, W) for each style: the region of the content that it goes to. Everywhere, blended, if omitted.
        average: Let max-pools average.

    Attributes:
        terms: Of the picture looked at last: what content, style and tv contribute, weights included.
    """

    def __init__(
        self,
        model: nn.Module,
        content: Tensor,
        styles: Sequence[Tensor],
        *,
        layers: tuple[str, Sequence[str]],
        weights: tuple[float, float, float],
        style_weights: Sequence[float] | None = None,
        masks: Sequence[Tensor] | None = None,
        average: bool = False,
    ) -> None:
        self.model, self.weights, self.average = model, weights, average
        self.content_layer, self.style_layers = layers[0], tuple(layers[1])
        self.shares = [1 / len(styles)] * len(styles) if style_weights is None else list(style_weights)
        self.content = self._features(content, [self.content_layer])[self.content_layer].to(content)
        found = [self._features(style, self.style_layers) for style in styles]
        grams = [{layer: gram_matrix(maps).to(content) for layer, maps in each.items()} for each in found]
        self.masks = masks
        self.targets = [blended(grams, self.shares)] if masks is None else grams
        self.terms: Terms = {}

    def _features(self, images: Tensor, layers: Sequence[str], *, gradients: bool = False) -> dict[str, Tensor]:
        images = images.contiguous(memory_format=torch.channels_last)  # convolutions are faster in this order
        with AveragePooling() if self.average else nullcontext():
            return activations(self.model, images, list(dict.fromkeys(layers)), gradients=gradients)

    def style_distance(self, features: dict[str, Tensor]) -> Tensor:
        """Mean over the layers of ‖G - G₀‖² / ‖G₀‖²; with masks, the weighted mean of that over the regions."""
        if self.masks is None:
            return self._distance({layer: gram_matrix(features[layer]) for layer in self.style_layers}, 0)
        distances = []
        for number, (share, mask) in enumerate(zip(self.shares, self.masks, strict=True)):
            found = {layer: masked_gram(features[layer], mask) for layer in self.style_layers}
            distances.append(share * self._distance(found, number))
        return torch.stack(distances).sum()

    def _distance(self, grams: Grams, number: int) -> Tensor:
        targets = self.targets[number]
        terms = [(grams[key].to(goal) - goal).square().sum() / goal.square().sum() for key, goal in targets.items()]
        return torch.stack(terms).mean()

    def __call__(self, images: Tensor) -> Tensor:
        """Images (1, 3, H, W) -> scalar, the sum of the three terms."""
        features = self._features(images, [self.content_layer, *self.style_layers], gradients=True)
        raw = {
            "content": content_distance(features[self.content_layer].to(images), self.content),
            "style": self.style_distance(features),
            "tv": total_variation(images),
        }
        parts = {name: weight * raw[name] for name, weight in zip(raw, self.weights, strict=True)}
        self.terms = {name: part.item() for name, part in parts.items()}
        return torch.stack(list(parts.values())).sum()
