"""The loss that trains a style network: perceptual distances of what it paints."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry

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


class _TwoLayers(nn.Module):
    """A loss network of two lines: twice the pixels, and their squares."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"double": 2 * images, "square": images.square()}


_BASE = (torch.arange(12.0).mul(5).remainder(13) / 32).reshape(1, 3, 2, 2)
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
            layer: times * sum(torch.outer(vector, vector) for vector in own[layer][0].flatten(1).T)[None] / 4
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
    weights = strengths.clone().requires_grad_()
    return torch.autograd.grad(function(painted=weights.view(-1, 1, 1, 1) * bases, **fed), weights)[0]


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
    ],
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
        "no gradient goes back to the network: only the photographs' features may be computed without one": (
            _loss(use=lambda painted, photographs: (painted.detach(), painted.detach()))
        ),
    },
)
