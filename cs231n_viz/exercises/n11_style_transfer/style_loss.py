"""The style loss of style transfer."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import integers


def style_loss(
    features: Mapping[str, Tensor], style_targets: Mapping[str, Tensor], style_weights: Mapping[str, float]
) -> Tensor:
    """Sum the squared differences between the Gram matrices of images and those of the style, layer by layer.

    Args:
        features: Layer -> (N, C, h, w); there may be more layers than are asked for.
        style_targets: Layer -> (N, C, C), Gram matrices: means over the positions of f fᵀ, one for each image.
        style_weights: Layer -> weight, for the layers of ``style_targets``.

    Returns:
        Scalar: the sum over these layers of weight times the sum of the squared differences of all entries.
    """
    total = 0.0
    for layer, target in style_targets.items():
        vectors = features[layer].flatten(2)  # (N, C, h · w)
        gram = vectors @ vectors.mT / vectors.shape[2]
        total = total + style_weights[layer] * (gram - target).square().sum()
    return total


def _gram(maps: Tensor) -> Tensor:
    vectors = maps.flatten(2)
    return vectors @ vectors.mT / vectors.shape[2]


def _batch_gram(maps: Tensor) -> Tensor:
    vectors = maps.transpose(0, 1).flatten(1)
    return (vectors @ vectors.mT / vectors.shape[1])[None]


def _positions_gram(maps: Tensor) -> Tensor:
    vectors = maps.flatten(2)
    return vectors.mT @ vectors / vectors.shape[1]


def _squares(gap: Tensor) -> Tensor:
    return gap.square().sum()


def _styled(
    *,
    gram: Callable = _gram,
    distance: Callable = _squares,
    weight: Callable = lambda value: value,
    gather: Callable = sum,
) -> Callable[..., Tensor]:
    """A style loss with another Gram matrix, distance, use of the weights, or way to gather the layers."""
    return lambda features, style_targets, style_weights: gather(
        [
            weight(style_weights[layer]) * distance(gram(features[layer]) - target)
            for layer, target in style_targets.items()
        ]
    )


def _every_layer(features: Mapping, style_targets: Mapping, style_weights: Mapping) -> Tensor:
    return sum(style_weights[layer] * _squares(_gram(maps) - style_targets[layer]) for layer, maps in features.items())


def _style(title: str, features: dict[str, Tensor], targets: dict[str, Tensor], weights: dict[str, float]) -> Check:
    """The expected value, image by image and position by position, in double precision."""
    total = 0.0
    for layer, target in targets.items():
        for image, wanted in zip(features[layer].double(), target.double(), strict=True):
            gram = sum(torch.outer(vector, vector) for vector in image.flatten(1).T) / image[0].numel()
            total += weights[layer] * float((gram - wanted).pow(2).sum())
    fed = {"features": features, "style_targets": targets, "style_weights": weights}
    return Check(title, fed, torch.tensor(total, dtype=torch.float32))


_A, _B, _TWO = integers(1, 4, 2, 2) / 4, integers(1, 3, 2, 4) / 4, integers(2, 3, 2, 3) / 4

ENTRY = Entry(
    name="style_loss",
    reference=style_loss,
    stars=2,
    minutes=15,
    checks=[
        _style("one layer, the target is 0", {"a": _A}, {"a": torch.zeros(1, 4, 4)}, {"a": 2.0}),
        _style("nothing between an image and itself", {"a": _A}, {"a": _gram(_A)}, {"a": 2.0}),
        _style(
            "two layers, each with its weight",
            {"a": _A, "b": _B},
            {"a": torch.eye(4)[None], "b": torch.ones(1, 3, 3)},
            {"a": 0.5, "b": 3.0},
        ),
        _style("only the layers of the targets count", {"a": _A, "b": _B}, {"b": torch.ones(1, 3, 3)}, {"b": 0.5}),
        _style(
            "two images, each with its own target",
            {"b": _TWO},
            {"b": torch.stack([torch.eye(3), 2 * torch.eye(3)])},
            {"b": 1.5},
        ),
    ],
    mistakes={
        "the Gram matrices are sums over the positions: the targets are means": (
            _styled(gram=lambda maps: _gram(maps) * maps[0, 0].numel())
        ),
        "the Gram matrices are divided by the number of channels too": (
            _styled(gram=lambda maps: _gram(maps) / maps.shape[1])
        ),
        "normalised twice: divide by the number of positions once": (
            _styled(gram=lambda maps: _gram(maps) / maps[0, 0].numel())
        ),
        "these are Gram matrices of positions: which channels go together was asked for": _styled(gram=_positions_gram),
        "the images of a batch are mixed in one Gram matrix": _styled(gram=_batch_gram),
        "the square is missing: magnitudes are summed": _styled(distance=lambda gap: gap.abs().sum()),
        "the mean over the entries instead of their sum": _styled(distance=lambda gap: gap.square().mean()),
        "the square root was not asked for": _styled(distance=lambda gap: gap.square().sum().sqrt()),
        "the weights are left out": _styled(weight=lambda value: 1.0),
        "the weights are inside the square": _styled(weight=lambda value: value**2),
        "the mean over the layers: they are summed": _styled(gather=lambda terms: sum(terms) / len(terms)),
        "only the last layer is left: add the layers up": _styled(gather=lambda terms: terms[-1]),
        "all layers of the features are used: only some have a target": _every_layer,
    },
)
