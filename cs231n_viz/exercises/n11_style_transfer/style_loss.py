"""The style loss of style transfer."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import central_differences, gradient_of, integers, noise


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


def _in_order(features: Mapping, style_targets: Mapping, style_weights: Mapping) -> Tensor:
    dicts = (features.values(), style_targets.values(), style_weights.values())
    return sum(weight * _squares(_gram(maps) - target) for maps, target, weight in zip(*dicts, strict=False))


def _weights_in_order(features: Mapping, style_targets: Mapping, style_weights: Mapping) -> Tensor:
    pairs = zip(style_targets.items(), style_weights.values(), strict=True)
    return sum(weight * _squares(_gram(features[layer]) - target) for (layer, target), weight in pairs)


def _reshaped_gram(maps: Tensor) -> Tensor:
    vectors = maps.reshape(len(maps), -1, maps.shape[1])
    return vectors.mT @ vectors / vectors.shape[1]


def _every_layer(features: Mapping, style_targets: Mapping, style_weights: Mapping) -> Tensor:
    return sum(style_weights[layer] * _squares(_gram(maps) - style_targets[layer]) for layer, maps in features.items())


def _number(
    features: Mapping[str, Tensor], style_targets: Mapping[str, Tensor], style_weights: Mapping[str, float]
) -> float:
    """Image by image and position by position, in double precision."""
    total = 0.0
    for layer, target in style_targets.items():
        for image, wanted in zip(features[layer].double(), target.double(), strict=True):
            gram = sum(torch.outer(vector, vector) for vector in image.flatten(1).T) / image[0].numel()
            total += style_weights[layer] * float((gram - wanted).pow(2).sum())
    return total


def _style(title: str, features: dict[str, Tensor], targets: dict[str, Tensor], weights: dict[str, float]) -> Check:
    fed = {"features": features, "style_targets": targets, "style_weights": weights}
    return Check(title, fed, torch.tensor(_number(**fed), dtype=torch.float32))


def _symmetric(*shape: int, seed: int) -> Tensor:
    half = noise(*shape, seed=seed)
    return half @ half.mT / 10


def _slope(
    function: Callable[..., Tensor], features_a: Tensor, features_b: Tensor, **rest: Mapping
) -> tuple[Tensor, Tensor]:
    """The gradient with respect to the features of both layers."""

    def loss(features_a: Tensor, features_b: Tensor) -> Tensor:
        return function(features={"a": features_a, "b": features_b}, **rest)

    return tuple(
        gradient_of(name)(loss, features_a=features_a, features_b=features_b) for name in ("features_a", "features_b")
    )


# Three layers, in another order in each dict; the maps are not square, and one layer has no target.
_MAPS = {"a": noise(2, 3, 4, 5, seed=1), "b": noise(2, 4, 3, 2, seed=2), "content": noise(2, 3, 3, 2, seed=3)}
_TARGETS = {"b": _symmetric(2, 4, 4, seed=4), "a": _symmetric(2, 3, 3, seed=5)}
_WEIGHTS = {"a": 0.2, "b": 1.5}


def _differences(layer: str) -> Tensor:
    def number(maps: Tensor) -> float:
        return _number({**_MAPS, layer: maps}, _TARGETS, _WEIGHTS)

    return central_differences(number, _MAPS[layer]).float()


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
        _style("layers in another order in each dict, maps that are not square", _MAPS, _TARGETS, _WEIGHTS),
        Check(
            "its gradient reaches the features of every layer",
            {"features_a": _MAPS["a"], "features_b": _MAPS["b"], "style_targets": _TARGETS, "style_weights": _WEIGHTS},
            (_differences("a"), _differences("b")),
            _slope,
        ),
    ],
    hints=(
        "Which dict names the layers that count? For each of them: a Gram matrix for every image, its difference from "
        "the target, one number; then the weighted sum.",
        "Go through `style_targets.items()`. Flatten the positions to (N, C, h · w), multiply by the transpose with "
        "`@`, divide by the number of positions, subtract the target, `.square().sum()`, times the layer's weight.",
    ),
    mistakes={
        "the Gram matrices are sums over the positions: the targets are means": (
            _styled(gram=lambda maps: _gram(maps) * maps[0, 0].numel())
        ),
        "the Gram matrices are divided by the number of channels too": (
            _styled(gram=lambda maps: _gram(maps) / maps.shape[1])
        ),
        "the Gram matrices are divided by h², w², h or w: there are h · w positions": tuple(
            _styled(
                gram=lambda maps, axis=axis, power=power: maps[0, 0].numel() * _gram(maps) / maps.shape[axis] ** power
            )
            for axis in (2, 3)
            for power in (2, 1)
        ),
        "normalised twice: divide by the number of positions once": (
            _styled(gram=lambda maps: _gram(maps) / maps[0, 0].numel())
        ),
        "these are Gram matrices of positions: which channels go together was asked for": _styled(gram=_positions_gram),
        "the images of a batch are mixed in one Gram matrix": _styled(gram=_batch_gram),
        "the maps are reshaped without moving their axes, so that channels and positions are mixed": (
            _styled(gram=_reshaped_gram)
        ),
        "the means are removed first: these are covariances": (
            _styled(gram=lambda maps: _gram(maps - maps.mean((2, 3), keepdim=True)))
        ),
        "only the diagonals are compared: which channels go together stands beside them": (
            _styled(distance=lambda gap: gap.diagonal(dim1=1, dim2=2).square().sum())
        ),
        "the dicts are read in step: their layers may stand in another order, look them up by name": (
            _in_order,
            _weights_in_order,
        ),
        "the mean over the images: they are summed": _styled(distance=lambda gap: gap.square().sum() / len(gap)),
        "one number for each image came back: the sum was asked for": (
            _styled(distance=lambda gap: gap.square().sum((1, 2)))
        ),
        "relative to the target: the weights take care of that": lambda features, style_targets, style_weights: sum(
            style_weights[layer] * _squares(_gram(features[layer]) - target) / _squares(target)
            for layer, target in style_targets.items()
        ),
        "half or a quarter of it: the paper's factors are part of the weights here": (
            _styled(distance=lambda gap: gap.square().sum() / 4),
            _styled(distance=lambda gap: gap.square().sum() / 2),
            _styled(distance=lambda gap: gap.square().sum() / (4 * gap.shape[1] ** 2)),
        ),
        "a plain number came out: `.item()` and `float` cut the graph, the loss must stay a tensor": lambda *fed: (
            style_loss(*fed).item()
        ),
        "divided by the weights: they multiply": _styled(weight=lambda value: 1 / value),
        "the square is missing: magnitudes are summed": _styled(distance=lambda gap: gap.abs().sum()),
        "the mean over the entries instead of their sum": _styled(distance=lambda gap: gap.square().mean()),
        "the square root was not asked for": _styled(distance=lambda gap: gap.square().sum().sqrt()),
        "the weights are left out": _styled(weight=lambda value: 1.0),
        "the weights are inside the square": _styled(weight=lambda value: value**2),
        "the mean over the layers: they are summed": _styled(gather=lambda terms: sum(terms) / len(terms)),
        "only the last layer is left: add the layers up": _styled(gather=lambda terms: terms[-1]),
        "all layers of the features are used: only some have a target": _every_layer,
        "the weighted mean: the terms are summed": lambda features, style_targets, style_weights: (
            style_loss(features, style_targets, style_weights) / sum(style_weights.values())
        ),
        "only the first layer is left: `return` stands inside the loop": _styled(gather=lambda terms: terms[0]),
        "only one half of the matrices is compared: the entries on both sides of the diagonal count": (
            _styled(distance=lambda gap: gap.triu().square().sum())
        ),
        "summed before squaring: entries of both signs cancel": _styled(distance=lambda gap: gap.sum().square()),
        "only the first image counts": _styled(distance=lambda gap: gap[:1].square().sum()),
        "every layer gets the sum of all weights": lambda features, style_targets, style_weights: _styled(
            weight=lambda _: sum(style_weights.values())
        )(features, style_targets, style_weights),
        "a list came back: add the layers up": _styled(gather=list),
    },
)
