"""The loss that trains a style network: perceptual distances of what it paints."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import gradient_of, noise

Maps = Mapping[str, Tensor]
Features = Callable[[Tensor], Maps]


def perceptual_loss(
    features: Features,
    painted: Tensor,
    photographs: Tensor,
    *,
    style_targets: Maps,
    content_layer: str,
    style_weight: float = 1.0,
) -> Tensor:
    """Compare what a network painted with the photographs in content, and with a painting in style (perceptual loss).

    Args:
        features: The fixed loss network: (N, 3, H, W) -> layer -> (N, C, h, w).
        painted: (N, 3, H, W), what the style network made of the photographs; the gradient goes back to it.
        photographs: (N, 3, H, W).
        style_targets: Layer -> (1, C, C), the Gram matrices of the painting: means over the positions of f fᵀ.
        content_layer: The layer at which painted pictures and photographs are compared.
        style_weight: λ.

    Returns:
        Scalar, the mean over the pictures n of ‖F(yₙ) − F(xₙ)‖² / ‖F(xₙ)‖² at the content layer, plus λ times the mean
        over the style layers of ‖G(yₙ) − A‖² / ‖A‖².
    """
    with torch.no_grad():  # the photographs are what they are: nothing to differentiate
        wanted = features(photographs)[content_layer]
    maps = features(painted)
    content = (maps[content_layer] - wanted).square().sum((1, 2, 3)) / wanted.square().sum((1, 2, 3))
    style = torch.zeros_like(content)  # one number for each picture
    for layer, target in style_targets.items():
        vectors = maps[layer].flatten(2)  # (N, C, h · w)
        gram = vectors @ vectors.mT / vectors.shape[2]
        style = style + (gram - target).square().sum((1, 2)) / target.square().sum() / len(style_targets)
    return (content + style_weight * style).mean()


def _rest(values: Tensor) -> Tensor:
    return values.square().flatten(1).sum(1)


def _gram(maps: Tensor) -> Tensor:
    vectors = maps.flatten(2)
    return vectors @ vectors.mT / vectors.shape[2]


def _batch_gram(maps: Tensor) -> Tensor:
    return _gram(maps.transpose(0, 1)[None].flatten(3))


def _total(content: Tensor, style: Tensor, weight: float) -> Tensor:
    return (content + weight * style).mean()


def _loss(
    *,
    gram: Callable[[Tensor], Tensor] = _gram,
    content: Callable[[Tensor, Tensor], Tensor] = lambda own, wanted: _rest(own - wanted) / _rest(wanted),
    style: Callable[[Tensor, Tensor], Tensor] = lambda own, target: _rest(own - target) / _rest(target),
    layers: Callable[[Tensor], Tensor] = lambda terms: terms.mean(0),
    total: Callable[[Tensor, Tensor, float], Tensor] = _total,
    use: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = lambda painted, photographs: (painted, painted),
    in_pixels: bool = False,
) -> Callable[..., Tensor]:
    """The loss with another Gram matrix, distance, sum, or with other pictures used for content and style."""

    def loss(features: Features, painted: Tensor, photographs: Tensor, *rest: object) -> Tensor:
        style_targets, content_layer, weight = rest
        for_content, for_style = use(painted, photographs)
        own, wanted = features(for_content)[content_layer], features(photographs)[content_layer]
        maps = features(for_style)
        terms = torch.stack([style(gram(maps[layer]), target) for layer, target in style_targets.items()])
        near = content(for_content, photographs) if in_pixels else content(own, wanted)
        return total(near, layers(terms), weight)

    return loss


def _style_beside_content(*, all_count: bool) -> Callable[..., Tensor]:
    """The content layer is no style layer; the mean is over all style layers, or over the others."""

    def loss(features: Features, painted: Tensor, photographs: Tensor, *rest: object) -> Tensor:
        style_targets, content_layer, weight = rest
        others = {layer: target for layer, target in style_targets.items() if layer != content_layer}
        weight = weight * len(others) / len(style_targets) if all_count or not others else weight
        return _loss()(features, painted, photographs, others or style_targets, content_layer, weight)

    return loss


class _TwoLayers(nn.Module):
    """A loss network of two lines: twice the pixels, and their squares."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"double": 2 * images, "square": images.square()}


_BASE = (torch.arange(18.0).mul(5).remainder(13) / 32).reshape(1, 3, 2, 3)
_BASES = torch.cat([_BASE, _BASE.flip(3)])  # other positions, the same Gram matrices
_POWERS = {"double": 1, "square": 2}  # a picture s times as bright has features that are s or s² times as large


def _strong(*strengths: float) -> Tensor:
    return torch.tensor(strengths).view(-1, 1, 1, 1) * _BASES[: len(strengths)]


def _fed(photographs: Tensor, targets: Mapping[str, float], content_layer: str, weight: float) -> dict[str, object]:
    """The Gram matrices of the painting are multiples of that of ``_BASE``."""
    own = {"double": 2 * _BASE, "square": _BASE.square()}
    return {
        "features": _TwoLayers(),
        "photographs": photographs,
        "style_targets": {
            layer: times * sum(torch.outer(vector, vector) for vector in own[layer][0].flatten(1).T)[None] / 6
            for layer, times in targets.items()
        },
        "content_layer": content_layer,
        "style_weight": weight,
    }


def _asked(
    title: str,
    painted: tuple[float, ...],
    photographs: tuple[float, ...],
    targets: Mapping[str, float],
    *,
    content_layer: str = "square",
    weight: float = 0.5,
) -> Check:
    """Pictures s times and photographs p times ``_BASE``, Gram matrices t times its own; everything is a ratio."""
    total = 0.0
    for s, p in zip(painted, photographs, strict=True):
        power = _POWERS[content_layer]
        total += ((s / p) ** power - 1) ** 2
        ratios = [s ** (2 * _POWERS[layer]) / times for layer, times in targets.items()]
        total += weight * sum((ratio - 1) ** 2 for ratio in ratios) / len(ratios)
    fed = {**_fed(_strong(*photographs), targets, content_layer, weight), "painted": _strong(*painted)}
    return Check(title, fed, torch.tensor(total / len(painted)))


def _slopes(function: Callable[..., Tensor], strengths: Tensor, bases: Tensor, **fed: object) -> Tensor:
    """The gradient with respect to the only weights of a style network that makes each base s times as bright."""

    def painted(strengths: Tensor) -> Tensor:
        return function(painted=strengths.view(-1, 1, 1, 1) * bases, **fed)

    return gradient_of("strengths")(painted, strengths=strengths)


def _number(painted: Tensor, photographs: Tensor, targets: Mapping[str, Tensor], layer: str, weight: float) -> float:
    """The loss picture by picture, in double precision, position by position."""
    network, total = _TwoLayers(), 0.0
    for picture, photograph in zip(painted.double(), photographs.double(), strict=True):
        own, wanted = network(picture), network(photograph)[layer]
        total += float((own[layer] - wanted).pow(2).sum() / wanted.pow(2).sum())
        for name, target in targets.items():
            vectors = own[name].flatten(1).T
            gram = sum(torch.outer(vector, vector) for vector in vectors) / len(vectors)
            total += weight * float((gram - target[0]).pow(2).sum() / target.double().pow(2).sum()) / len(targets)
    return total / len(painted)


def _any_pictures() -> Check:
    painted, photographs = noise(3, 2, 4, 3, seed=1), noise(3, 2, 4, 3, seed=2)
    half = noise(2, 2, 2, seed=3)
    targets = dict(zip(("square", "double"), (half @ half.mT).split(1), strict=True))
    fed = {"features": _TwoLayers(), "painted": painted, "photographs": photographs, "style_targets": targets}
    expected = _number(painted, photographs, targets, "double", 0.3)
    return Check(
        "three pictures of 4×3, two style layers, any values",
        {**fed, "content_layer": "double", "style_weight": 0.3},
        torch.tensor(expected),
    )


# Half the gradient, since two pictures are averaged: content (s / p - 1)², style 2 (s² / t - 1)², with p = 1 and t = 4.
_GRADIENT = torch.tensor([0.5 * (2 * (s - 1) + 2 * 2 * (s**2 / 4 - 1) * 2 * s / 4) for s in (1.5, 0.5)])

ENTRY = Entry(
    name="perceptual_loss",
    reference=perceptual_loss,
    stars=2,
    minutes=12,
    checks=[
        _asked("the photograph itself, in its own style: 0", (1.0,), (1.0,), {"double": 1.0}),
        _asked("content, at its layer", (2.0,), (1.0,), {"double": 4.0}),
        _asked("style, one layer", (1.0,), (1.0,), {"double": 4.0}, weight=2.0),
        _asked("both, two style layers", (1.5,), (0.5,), {"double": 2.0, "square": 3.0}, content_layer="double"),
        _asked("two pictures, each with distances of its own", (1.5, 0.5), (1.0, 0.25), {"double": 2.0, "square": 0.5}),
        Check(
            "its gradient reaches the network that painted",
            {
                **_fed(_strong(1.0, 1.0), {"double": 4.0}, "double", 2.0),
                "strengths": torch.tensor([1.5, 0.5]),
                "bases": _BASES,
            },
            _GRADIENT,
            _slopes,
        ),
        _any_pictures(),
    ],
    hints=(
        "Two calls of `features`, and for each picture one number for content and one for every style layer, each "
        "relative to what is wanted. Means come last.",
        "Content: squares of the difference at `content_layer`, summed over axes (1, 2, 3), over the photograph's. "
        "Style: Gram matrices `v @ v.mT / positions` of `v = maps.flatten(2)`, squared differences over the target's "
        "squares, their mean over the layers. Add with the weight, take the mean; no `detach` on what was painted.",
    ),
    mistakes={
        "the Gram matrices are those of the photographs: the style is asked of what was painted": (
            _loss(use=lambda painted, photographs: (painted, photographs))
        ),
        "content is compared in pixels: compare the features at the content layer": _loss(in_pixels=True),
        "content is not relative: divide by ‖F(x)‖² of each photograph": (
            _loss(content=lambda own, wanted: _rest(own - wanted)),
            _loss(content=lambda own, wanted: (own - wanted).square().flatten(1).mean(1)),
        ),
        "one ratio for the whole batch: each picture's change is divided by its own ‖F(x)‖²": (
            _loss(content=lambda own, wanted: _rest(own - wanted).sum() / _rest(wanted).sum())
        ),
        "the Gram distance is not relative: divide by ‖A‖² of each layer": (
            _loss(style=lambda own, target: _rest(own - target)),
            _loss(style=lambda own, target: (own - target).square().flatten(1).mean(1)),
        ),
        "the Gram matrices are sums over the positions: the targets are means": (
            _loss(gram=lambda maps: _gram(maps) * maps[0, 0].numel())
        ),
        "the pictures of a batch are mixed in one Gram matrix": _loss(gram=_batch_gram),
        "the style layers are summed: take their mean": _loss(layers=lambda terms: terms.sum(0)),
        "the pictures are summed: take their mean": (
            _loss(total=lambda content, style, weight: (content + weight * style).sum())
        ),
        "the style weight is left out": _loss(total=lambda content, style, weight: (content + style).mean()),
        "the style weight multiplies the content as well": (
            _loss(total=lambda content, style, weight: weight * (content + style).mean())
        ),
        "style has no gradient: nothing of what was painted may be detached": (
            _loss(use=lambda painted, photographs: (painted, painted.detach()))
        ),
        "content has no gradient: nothing of what was painted may be detached": (
            _loss(use=lambda painted, photographs: (painted.detach(), painted))
        ),
        "a plain number came out: `.item()` and `float` cut the graph, the loss must stay a tensor": (
            lambda *fed: _loss()(*fed).item()
        ),
        "one number for each picture came back: the mean was asked for": (
            _loss(total=lambda content, style, weight: content + weight * style)
        ),
        "the distances are not squared": (
            _loss(
                content=lambda own, wanted: (_rest(own - wanted) / _rest(wanted)).sqrt(),
                style=lambda own, target: (_rest(own - target) / _rest(target)).sqrt(),
            ),
            _loss(content=lambda own, wanted: (_rest(own - wanted) / _rest(wanted)).sqrt()),
            _loss(style=lambda own, target: (_rest(own - target) / _rest(target)).sqrt()),
        ),
        "content is divided by the features of what was painted: the photograph sets the unit": (
            _loss(content=lambda own, wanted: _rest(own - wanted) / _rest(own))
        ),
        "style is divided by the Gram matrix of what was painted: the target sets the unit": (
            _loss(style=lambda own, target: _rest(own - target) / _rest(own))
        ),
        "style is left out": _loss(total=lambda content, style, weight: content.mean()),
        "content is left out": _loss(total=lambda content, style, weight: (weight * style).mean()),
        "the Gram matrices are divided by the number of channels too": (
            _loss(gram=lambda maps: _gram(maps) / maps.shape[1])
        ),
        "only the last style layer is left: take the mean of all": _loss(layers=lambda terms: terms[-1]),
        "layers and pictures are both summed: take the means": (
            _loss(
                layers=lambda terms: terms.sum(0),
                total=lambda content, style, weight: (content + weight * style).sum(),
            )
        ),
        "painted pictures and photographs have changed places": (
            lambda features, painted, photographs, *rest: _loss()(features, photographs, painted, *rest)
        ),
        "divided by the style weight: it multiplies": _loss(
            total=lambda content, style, weight: (content + style / weight).mean()
        ),
        "the norm of the target is not squared": _loss(
            style=lambda own, target: _rest(own - target) / _rest(target).sqrt()
        ),
        "the mean of the content is divided by a sum": _loss(
            content=lambda own, wanted: (own - wanted).square().flatten(1).mean(1) / _rest(wanted)
        ),
        "only the first picture counts": (
            lambda features, painted, photographs, *rest: _loss()(features, painted[:1], photographs[:1], *rest)
        ),
        "the means are removed first: the targets are Gram matrices, not covariances": _loss(
            gram=lambda maps: _gram(maps - maps.mean((2, 3), keepdim=True))
        ),
        "normalised twice: the Gram matrices are divided by the number of positions once": _loss(
            gram=lambda maps: _gram(maps) / maps[0, 0].numel()
        ),
        "the maps are reshaped without moving their axes, so that channels and positions are mixed": _loss(
            gram=lambda maps: _gram(maps.reshape(len(maps), -1, maps.shape[1]).mT[..., None])
        ),
        "the content layer is left out of the style: if it has a target, it counts there as well": (
            _style_beside_content(all_count=True),
            _style_beside_content(all_count=False),
        ),
        "the style of the first picture alone: each has Gram matrices of its own": (
            _loss(style=lambda own, target: (_rest(own - target) / _rest(target))[:1])
        ),
    },
)
