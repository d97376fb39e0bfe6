"""Exercises of notebook 11: the three terms of style transfer, each with its weight."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from cs231n_viz.exercises.core import Check, Entry


def content_loss(content_weight: float, content_current: Tensor, content_original: Tensor) -> Tensor:
    """How far are the features of a picture from those of the content?

    Args:
        content_weight: What the term counts.
        content_current: (1, C, h, w), features of the picture.
        content_original: (1, C, h, w), features of the content.

    Returns:
        Scalar: weight times the sum of the squared differences. It can be differentiated.
    """
    return content_weight * (content_current - content_original).square().sum()


def style_loss(
    features: Mapping[str, Tensor], style_targets: Mapping[str, Tensor], style_weights: Mapping[str, float]
) -> Tensor:
    """How far are the Gram matrices of pictures from those of the style?

    Args:
        features: Layer -> (N, C, h, w); there may be more layers than are asked for.
        style_targets: Layer -> (N, C, C), Gram matrices: means over the positions of f fᵀ, one for each picture.
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


def tv_loss(img: Tensor, tv_weight: float) -> Tensor:
    """How restless is a picture?

    Args:
        img: (1, 3, H, W).
        tv_weight: What the term counts.

    Returns:
        Scalar: weight times the sum of the squares of all steps down and all steps to the right.
    """
    down = img[:, :, 1:, :] - img[:, :, :-1, :]
    right = img[:, :, :, 1:] - img[:, :, :, :-1]
    return tv_weight * (down.square().sum() + right.square().sum())


def _maps(count: int, channels: int, height: int, width: int, *, phase: float = 0.618) -> Tensor:
    values = torch.arange(1, count * channels * height * width + 1, dtype=torch.float32)
    return (3 * (values * phase).frac() - 0.5).view(count, channels, height, width)


def _asked(title: str, fed: dict, expected: float) -> Check:
    return Check(title, fed, torch.tensor(expected))


def _slope(content_loss: Callable, content_weight: float, content_current: Tensor, content_original: Tensor) -> Tensor:
    """The gradient with respect to the current features."""
    current = content_current.clone().requires_grad_()
    loss = torch.as_tensor(content_loss(content_weight, current, content_original))
    return torch.autograd.grad(loss, current)[0]


def _fed(weight: float, current: Tensor, original: Tensor) -> dict:
    return {"content_weight": weight, "content_current": current, "content_original": original}


def _of(distance: Callable[[Tensor], Tensor]) -> Callable:
    """A content loss with another distance."""
    return lambda content_weight, content_current, content_original: (
        content_weight * distance(content_current - content_original)
    )


_ONES = torch.ones(1, 2, 3, 4)
_CURRENT, _ORIGINAL = _maps(1, 3, 4, 2), _maps(1, 3, 4, 2, phase=0.414)

_CONTENT_LOSS = Entry(
    name="content_loss",
    reference=content_loss,
    stars=1,
    minutes=5,
    checks=[
        _asked("24 differences of 0.5, weight 2", _fed(2.0, 1.5 * _ONES, _ONES), 2 * 24 * 0.25),
        _asked("nothing between a picture and itself", _fed(3.0, _CURRENT, _CURRENT), 0.0),
        _asked(
            "differences of both signs",
            _fed(0.1, _CURRENT, _ORIGINAL),
            0.1
            * sum((a - b) ** 2 for a, b in zip(_CURRENT.flatten().tolist(), _ORIGINAL.flatten().tolist(), strict=True)),
        ),
        Check(
            "its gradient: 2 · weight · (F - F₀)", _fed(3.0, _CURRENT, _ORIGINAL), 6 * (_CURRENT - _ORIGINAL), _slope
        ),
    ],
    mistakes={
        "the mean in place of the sum: a weight would mean something else for each layer": (
            _of(lambda gap: gap.square().mean()),
            _of(lambda gap: gap.square().sum() / gap.shape[1]),
            _of(lambda gap: gap.square().sum() / gap[0, 0].numel()),
        ),
        "the square is missing: magnitudes are summed": _of(lambda gap: gap.abs().sum()),
        "the square is missing, and differences of both signs cancel": _of(lambda gap: gap.sum()),
        "the square root was not asked for": _of(lambda gap: gap.square().sum().sqrt()),
        "the weight is left out": lambda content_weight, content_current, content_original: content_loss(
            1.0, content_current, content_original
        ),
        "the weight is inside the square": lambda content_weight, content_current, content_original: content_loss(
            content_weight**2, content_current, content_original
        ),
        "half of it: the paper's factor ½ is part of the weight here": _of(lambda gap: gap.square().sum() / 2),
        "the graph is lost: without .item() or .detach() the loss can be differentiated": (
            lambda content_weight, content_current, content_original: content_loss(
                content_weight, content_current, content_original
            ).item(),
            lambda content_weight, content_current, content_original: content_loss(
                content_weight, content_current, content_original
            ).detach(),
        ),
    },
)


def _gram(maps: Tensor) -> Tensor:
    vectors = maps.flatten(2)
    return vectors @ vectors.mT / vectors.shape[2]


def _batch_gram(maps: Tensor) -> Tensor:
    vectors = maps.transpose(0, 1).flatten(1)
    return (vectors @ vectors.mT / vectors.shape[1])[None]


def _positions_gram(maps: Tensor) -> Tensor:
    vectors = maps.flatten(2)
    return vectors.mT @ vectors / vectors.shape[1]


def _plain(gap: Tensor) -> Tensor:
    return gap.square().sum()


def _styled(
    *, gram: Callable = _gram, distance: Callable = _plain, weight: Callable = lambda value: value, last: Callable = sum
) -> Callable:
    """A style loss with another Gram matrix, distance, use of the weights, or way to gather the layers."""
    return lambda features, style_targets, style_weights: last(
        [
            weight(style_weights[layer]) * distance(gram(features[layer]) - target)
            for layer, target in style_targets.items()
        ]
    )


def _every_layer(features: Mapping, style_targets: Mapping, style_weights: Mapping) -> Tensor:
    return sum(style_weights[layer] * _plain(_gram(maps) - style_targets[layer]) for layer, maps in features.items())


def _style(title: str, features: dict[str, Tensor], targets: dict[str, Tensor], weights: dict[str, float]) -> Check:
    """The expected value, entry by entry."""
    total = 0.0
    for layer, target in targets.items():
        maps = features[layer].double()
        for picture, wanted in zip(maps, target.double(), strict=True):
            gram = torch.einsum("ihw,jhw->ij", picture, picture) / picture[0].numel()
            total += weights[layer] * float((gram - wanted).pow(2).sum())
    return _asked(title, {"features": features, "style_targets": targets, "style_weights": weights}, total)


_A, _B = _maps(1, 4, 2, 2), _maps(1, 3, 2, 4, phase=0.414)
_TWO = _maps(2, 3, 2, 3)

_STYLE_LOSS = Entry(
    name="style_loss",
    reference=style_loss,
    stars=2,
    minutes=15,
    checks=[
        _style("one layer, the target is 0", {"a": _A}, {"a": torch.zeros(1, 4, 4)}, {"a": 2.0}),
        _style("nothing between a picture and itself", {"a": _A}, {"a": _gram(_A)}, {"a": 2.0}),
        _style(
            "two layers, each with its weight",
            {"a": _A, "b": _B},
            {"a": torch.eye(4)[None], "b": torch.ones(1, 3, 3)},
            {"a": 0.5, "b": 3.0},
        ),
        _style("only the layers of the targets count", {"a": _A, "b": _B}, {"b": torch.ones(1, 3, 3)}, {"b": 0.5}),
        _style(
            "two pictures, each with its own target",
            {"b": _TWO},
            {"b": torch.stack([torch.eye(3), 2 * torch.eye(3)])},
            {"b": 1.5},
        ),
    ],
    mistakes={
        "the Gram matrices are sums over the positions: the targets are means": _styled(
            gram=lambda maps: _gram(maps) * maps[0, 0].numel()
        ),
        "the Gram matrices are divided by the number of channels too": _styled(
            gram=lambda maps: _gram(maps) / maps.shape[1]
        ),
        "normalised twice: the positions are divided by once": _styled(
            gram=lambda maps: _gram(maps) / maps[0, 0].numel()
        ),
        "these are Gram matrices of positions: which channels go together was asked for": _styled(gram=_positions_gram),
        "the pictures of a batch are mixed in one Gram matrix": _styled(gram=_batch_gram),
        "the square is missing: magnitudes are summed": _styled(distance=lambda gap: gap.abs().sum()),
        "the mean over the entries in place of their sum": _styled(distance=lambda gap: gap.square().mean()),
        "the square root was not asked for": _styled(distance=lambda gap: gap.square().sum().sqrt()),
        "the weights are left out": _styled(weight=lambda value: 1.0),
        "the weights are inside the square": _styled(weight=lambda value: value**2),
        "the mean over the layers: they are summed": _styled(last=lambda terms: sum(terms) / len(terms)),
        "only the last layer is left: add the layers up": _styled(last=lambda terms: terms[-1]),
        "all layers of the features are used: only some have a target": _every_layer,
    },
)


def _steps(*axes: int, of: Callable[[Tensor], Tensor] = _plain) -> Callable:
    return lambda img, tv_weight: tv_weight * sum(of(img.diff(dim=axis)) for axis in axes)


def _cropped(img: Tensor, tv_weight: float) -> Tensor:
    down, right = img[..., 1:, :-1] - img[..., :-1, :-1], img[..., :-1, 1:] - img[..., :-1, :-1]
    return tv_weight * (down.square() + right.square()).sum()


def _wrapped(img: Tensor, tv_weight: float) -> Tensor:
    return tv_weight * sum((img.roll(-1, axis) - img).square().sum() for axis in (2, 3))


def _varies(title: str, img: Tensor, weight: float, expected: float) -> Check:
    return _asked(title, {"img": img, "tv_weight": weight}, expected)


_COLOURS = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 3, 4).contiguous()
_STRIPES = (torch.arange(6) % 2.0).expand(1, 3, 4, 6).contiguous()
_SLOPE = (0.1 * torch.arange(4.0)[:, None] + 0.25 * torch.arange(3.0)).expand(1, 3, 4, 3).contiguous()

_TV_LOSS = Entry(
    name="tv_loss",
    reference=tv_loss,
    stars=1,
    minutes=10,
    checks=[
        _varies("three constant colours: 0", _COLOURS, 1.0, 0.0),
        _varies("vertical stripes: steps of 1 to the right", _STRIPES, 2.0, 2 * 3 * 4 * 5),
        _varies("the same on their side", _STRIPES.mT.contiguous(), 2.0, 2 * 3 * 4 * 5),
        _varies("a slope, weight 0.02", _SLOPE, 0.02, 0.02 * 3 * (9 * 0.01 + 8 * 0.0625)),
    ],
    mistakes={
        "the axes are channels and rows: in (1, 3, H, W) rows are axis 2 and columns axis 3": _steps(1, 2),
        "only steps to the right: stripes on their side would be free": _steps(3),
        "only steps down: upright stripes would be free": _steps(2),
        "the square is missing: magnitudes are summed": _steps(2, 3, of=lambda steps: steps.abs().sum()),
        "the mean in place of the sum": _steps(2, 3, of=lambda steps: steps.square().mean()),
        "the last row and column are left out: their steps count too": _cropped,
        "the last row and column are compared with the first: a picture has borders": _wrapped,
        "the weight is left out": lambda img, tv_weight: tv_loss(img, 1.0),
        "the weight is inside the square": lambda img, tv_weight: tv_loss(tv_weight * img, 1.0),
        "the square root was not asked for": _steps(2, 3, of=lambda steps: steps.square().sum().sqrt()),
    },
)

ENTRIES = [_CONTENT_LOSS, _STYLE_LOSS, _TV_LOSS]
