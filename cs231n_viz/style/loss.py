"""The joint loss of style transfer: content + style + total variation, and its three terms one by one.

Example::

    loss = JointLoss(model, content, [painting], StyleLoss(style=100.0))
    value = loss(image)      # scalar with a graph
    loss.terms               # {"content": …, "style": …, "tv": …}, which add up to it
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.capture import activations
from cs231n_viz.network.interception import AveragePooling
from cs231n_viz.representation.gram import check_names, gram_distance, gram_matrix, style_layers
from cs231n_viz.synthesis.regularisers import total_variation

Terms = dict[str, float]
Grams = dict[str, Tensor]
CONTENT_LAYERS = {
    "mini_vgg": "relu3_2",
    "mini_vgg_robust": "relu3_2",
    "mini_alexnet": "relu3",
    "vgg19": "features.22",
    "squeezenet1_1": "features.6",
}


def content_layer(model: nn.Module) -> str:
    """Name the layer whose features preserve the structure of the content in this network.

    Args:
        model: A ``Classifier``.

    Returns:
        A tested default where the network is known, else the one at two thirds of its ``style_layers``.
    """
    name = getattr(model, "name", "")
    if name in CONTENT_LAYERS:
        return CONTENT_LAYERS[name]
    layers = style_layers(model)
    return layers[2 * len(layers) // 3]


@dataclass(frozen=True)
class StyleLoss:
    """What a stylised picture has in common with the content and with the styles, and how much each counts.

    The settings alone; :class:`JointLoss` computes the loss.

    Attributes:
        content: Weight of ‖F - F₀‖² / ‖F₀‖² at the content layer.
        style: Weight of the mean over the style layers of ‖G - G₀‖² / ‖G₀‖².
        tv: Weight of the total variation.
        content_layer: Low ones keep each contour, high ones allow more stylisation; ``content_layer(model)`` if
            omitted.
        style_layers: More and deeper ones carry larger strokes; ``style_layers(model)`` if omitted.
        shares: How much of each of several styles, of which only the ratios matter; equal shares if omitted.
        average_pooling: Let max-pools average, as in the paper. The gradient then reaches every pixel, and less
            high-frequency noise is left.

    Raises:
        ValueError: If a weight or share is negative or not finite, content and style are both 0, all shares are 0, or
            ``style_layers`` is a single name.
    """

    content: float = 1.0
    style: float = 10.0
    tv: float = 30.0
    content_layer: str | None = None
    style_layers: Sequence[str] | None = None
    shares: Sequence[float] | None = None
    average_pooling: bool = False

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not 0 <= weight < float("inf"):
                raise ValueError(f"{name} must be a weight from 0 on, got {weight!r}")
        if self.content == self.style == 0:
            raise ValueError("the weights content and style are both 0, so nothing is asked of the picture; raise one")
        check_names("style_layers", self.style_layers)
        if self.shares is not None:
            if not all(0 <= share < float("inf") for share in self.shares):
                raise ValueError(f"shares must be numbers from 0 on, got {list(self.shares)}")
            if not any(self.shares):
                raise ValueError("all shares are 0; raise one, or set style=0 to do without a style")

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each term, by its name."""
        return {"content": self.content, "style": self.style, "tv": self.tv}

    def resolved(self, model: nn.Module, styles: int) -> "StyleLoss":
        """This loss with what was omitted filled in for a model and a number of styles; the shares add up to 1.

        Raises:
            ValueError: If there is no style, or not one share for each.
        """
        if not styles:
            raise ValueError("wanted at least one style, got none")
        shares = [1.0] * styles if self.shares is None else [float(share) for share in self.shares]
        if len(shares) != styles:
            raise ValueError(f"there are {len(shares)} shares for {styles} style{'s' * (styles > 1)}; give one each")
        return replace(
            self,
            content_layer=self.content_layer or content_layer(model),
            style_layers=tuple(self.style_layers or style_layers(model)),
            shares=tuple(share / sum(shares) for share in shares),
        )


def content_distance(features: Tensor, target: Tensor) -> Tensor:
    """Measure how far features are from those of the content: ‖F - F₀‖² / ‖F₀‖², 0 for the picture itself.

    Args:
        features: (N, C, h, w), F.
        target: (N, C, h, w), F₀.

    Returns:
        A scalar, the mean over the pictures; it can be differentiated.

    Source: Gatys et al., CVPR 2016, eq. 1. Differs from the paper: relative, so that one weight suits every layer.
    """
    rest = tuple(range(1, target.ndim))
    return ((features - target).square().sum(rest) / target.square().sum(rest)).mean()


def masked_gram(features: Tensor, mask: Tensor) -> Tensor:
    """Compute the Gram matrix of a region: which channels are active together *there*?

    Args:
        features: (1, C, h, w).
        mask: (H, W), from 0 outside to 1 inside the region; it is averaged down to the layer's size.

    Returns:
        (1, C, C): the mean over positions of f fᵀ, each position weighted by the mask. A mask of ones gives
        ``gram_matrix``; the Grams of regions that divide a picture, weighted by their areas, add up to it.

    Source: Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", arXiv:1611.07865, eq. 6.
    """
    share = F.interpolate(mask[None, None].to(features), size=features.shape[-2:], mode="area")
    return gram_matrix(features * share.sqrt()) * (share.numel() / share.sum())


def blended(grams: Sequence[Grams], shares: Sequence[float]) -> Grams:
    """Mix the Gram matrices of several styles layer by layer; the shares add up to 1."""
    return {layer: sum(w * each[layer] for w, each in zip(shares, grams, strict=True)) for layer in grams[0]}


class JointLoss:
    """The distance of a picture from the content of one picture and the style of others, and its total variation.

    Args:
        model: Whose features say what content and style are.
        content: (1, 3, H, W), RGB in [0, 1].
        styles: Pictures (1, 3, h, w) of any size.
        loss: The weights, the layers, the shares of the styles.
        masks: One (H, W) for each style: the region of the content that it goes to. Everywhere, blended, if omitted.

    Attributes:
        terms: Of the picture looked at last: what content, style and tv contribute, weights included.
    """

    def __init__(
        self,
        model: nn.Module,
        content: Tensor,
        styles: Sequence[Tensor],
        loss: StyleLoss = StyleLoss(),
        *,
        masks: Sequence[Tensor] | None = None,
    ) -> None:
        self.model, self.masks = model, masks
        self.loss = loss = loss.resolved(model, len(styles))
        self.content = self._features(content, [loss.content_layer])[loss.content_layer].to(content)
        features = [self._features(style, loss.style_layers) for style in styles]
        grams = [{layer: gram_matrix(maps).to(content) for layer, maps in each.items()} for each in features]
        self.targets = [blended(grams, loss.shares)] if masks is None else grams
        self.terms: Terms = {}

    def _features(self, images: Tensor, layers: Sequence[str], *, gradients: bool = False) -> dict[str, Tensor]:
        images = images.contiguous(memory_format=torch.channels_last)  # convolutions are faster in this order
        with AveragePooling() if self.loss.average_pooling else nullcontext():
            return activations(self.model, images, list(dict.fromkeys(layers)), gradients=gradients)

    def style_distance(self, features: Mapping[str, Tensor]) -> Tensor:
        """The Gram distance from the blended style; with masks, the weighted mean of that of the regions."""
        layers = self.loss.style_layers
        if self.masks is None:
            return gram_distance({layer: gram_matrix(features[layer]) for layer in layers}, self.targets[0])
        distances = []
        for share, mask, target in zip(self.loss.shares, self.masks, self.targets, strict=True):
            grams = {layer: masked_gram(features[layer], mask) for layer in layers}
            distances.append(share * gram_distance(grams, target))
        return torch.stack(distances).sum()

    def __call__(self, images: Tensor) -> Tensor:
        """Images (1, 3, H, W) -> scalar, the sum of the three terms."""
        loss = self.loss
        features = self._features(images, [loss.content_layer, *loss.style_layers], gradients=True)
        raw = {
            "content": content_distance(features[loss.content_layer].to(images), self.content),
            "style": self.style_distance(features),
            "tv": total_variation(images),
        }
        parts = {name: weight * raw[name] for name, weight in loss.weights.items()}
        self.terms = {name: part.item() for name, part in parts.items()}
        return torch.stack(list(parts.values())).sum()
