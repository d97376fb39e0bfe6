"""Exercises of notebook 04: what does the logit lose when a window of the picture is covered?"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry


def occlusion_step(
    model: nn.Module, images: Tensor, targets: Tensor, *, top: int, left: int, window: int = 32, fill: float = 0.5
) -> Tensor:
    """How much does each target's logit fall when one window of its picture is covered?

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,) class indices, one for each picture.
        top: First row of the window.
        left: First column of the window.
        window: Side of the square; what lies beyond the border of the picture is ignored.
        fill: Value of all three channels inside.

    Returns:
        (N,), logit of the target before minus after: above 0 where the window spoke for the class.
    """
    covered = images.clone()
    covered[:, :, top : top + window, left : left + window] = fill
    rows = torch.arange(len(images))
    with torch.no_grad():
        return model(images)[rows, targets] - model(covered)[rows, targets]


def of_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """Each picture's logit of its own target, (N,)."""
    return logits[torch.arange(len(targets)), targets]


def of_probabilities(logits: Tensor, targets: Tensor) -> Tensor:
    """A mistake: the probability in place of the logit."""
    return of_logits(logits.softmax(1), targets)


def of_log_probabilities(logits: Tensor, targets: Tensor) -> Tensor:
    """A mistake: minus the loss in place of the logit."""
    return of_logits(logits.log_softmax(1), targets)


def _minus(score: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda logits, targets: -score(logits, targets)


def of_predicted(logits: Tensor, _: Tensor) -> Tensor:
    """A mistake: the predicted class in place of the target."""
    return logits.amax(1)


def of_all(logits: Tensor, targets: Tensor) -> Tensor:
    """A mistake: every target's logit of every picture, which is what ``logits[:, targets].sum()`` says."""
    return logits[:, targets].sum(1)


def _step(
    score: Callable[[Tensor, Tensor], Tensor] = of_logits,
    *,
    sign: float = 1.0,
    absolute: bool = False,
    swapped: bool = False,
    beyond: int = 0,
    centred: bool = False,
    channels: int = 3,
    outside: bool = False,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def step(
        model: nn.Module, images: Tensor, targets: Tensor, top: int, left: int, window: int = 32, fill: float = 0.5
    ) -> Tensor:
        top, left = (left, top) if swapped else (top, left)
        if centred:
            top, left = max(top - window // 2, 0), max(left - window // 2, 0)
        inside = torch.zeros(images.shape[1:], dtype=torch.bool)
        inside[:channels, top : top + window + beyond, left : left + window + beyond] = True
        covered = torch.where(~inside if outside else inside, fill, images)
        with torch.no_grad():
            drop = sign * (score(model(images), targets) - score(model(covered), targets))
        return drop.abs() if absolute else drop

    return step


def _left_over(
    model: nn.Module, images: Tensor, targets: Tensor, top: int, left: int, window: int = 32, fill: float = 0.5
) -> Tensor:
    covered = images.clone()
    covered[:, :, top : top + window, left : left + window] = fill
    with torch.no_grad():
        return of_logits(model(covered), targets)


def _added(
    model: nn.Module, images: Tensor, targets: Tensor, top: int, left: int, window: int = 32, fill: float = 0.5
) -> Tensor:
    """Black whatever the fill is."""
    return _step()(model, images, targets, top, left, window, 0.0)


def linear(weights: Tensor) -> nn.Module:
    """A network whose logits are sums over the pixels, (K, 3, H, W) weights; its gradient is its weights."""
    layer = nn.Linear(weights[0].numel(), len(weights), bias=False)
    layer.weight.data.copy_(weights.flatten(1))
    return nn.Sequential(nn.Flatten(), layer).eval()


def weights_of(rows: int, columns: int, classes: int = 3) -> Tensor:
    """Whole numbers of both signs, small, and different for every class, channel and place."""
    places = torch.arange(classes * 3 * rows * columns, dtype=torch.float32)
    return ((places * 7 + places.div(5, rounding_mode="floor")) % 13 - 6).reshape(classes, 3, rows, columns)


def pictures_of(count: int, rows: int, columns: int) -> Tensor:
    """Sixteenths in [0, 1], different for every place, (count, 3, rows, columns)."""
    places = torch.arange(count * 3 * rows * columns, dtype=torch.float32)
    return ((places * 11 + 3) % 17 / 16).reshape(count, 3, rows, columns)


def _drop(title: str, size: tuple[int, int], targets: list[int], **where: float) -> Check:
    """On a linear network, the drop is the sum of weight × (picture − fill) over the window."""
    weights, images = weights_of(*size), pictures_of(len(targets), *size)
    side = int(where["window"])
    part = (slice(None), slice(where["top"], where["top"] + side), slice(where["left"], where["left"] + side))
    fill = where.get("fill", 0.5)
    drops = [(weights[t][part] * (image[part] - fill)).sum() for t, image in zip(targets, images, strict=True)]
    fed = {"model": linear(weights), "images": images, "targets": torch.tensor(targets), **where}
    return Check(title, fed, torch.stack(drops))


_OCCLUSION_STEP = Entry(
    name="occlusion_step",
    reference=occlusion_step,
    stars=1,
    minutes=10,
    checks=[
        _drop("one picture, a linear network: the sum over the window", (4, 5), [1], top=1, left=2, window=2),
        _drop("another fill", (4, 5), [2], top=0, left=1, window=3, fill=0.125),
        _drop("two pictures, each with its own target", (4, 5), [2, 0], top=0, left=3, window=1),
        _drop("a window that reaches beyond the border", (4, 5), [0, 1], top=2, left=3, window=4, fill=1.0),
        _drop("three pictures, two of one class", (5, 4), [1, 1, 0], top=3, left=0, window=2, fill=0.0),
    ],
    mistakes={
        "this is the logit that is left: the fall was asked for, before minus after": _left_over,
        "after minus before: a window that spoke for the class must count above 0": _step(sign=-1),
        "the magnitude of the fall: a window that spoke against the class must count below 0": _step(absolute=True),
        "this is the fall of the probability: it hardly moves while the network is sure; take the logit": (
            _step(of_probabilities)
        ),
        "this is the change of the loss, or of the log-probability: other classes move it too; take the logit": (
            _step(of_log_probabilities),
            _step(_minus(of_log_probabilities)),
        ),
        "the predicted class is followed in place of the target": _step(of_predicted),
        "the batch is mixed: logits[:, targets] takes all targets of every picture, one each was asked for": (
            _step(of_all)
        ),
        "top and left are swapped: rows come first": _step(swapped=True),
        "the window is one pixel too large: top + window is the first row behind it": _step(beyond=1),
        "the window is centred on (top, left): this is its first pixel": _step(centred=True),
        "only one channel is covered: all three were asked for": _step(channels=1),
        "everything but the window is covered": _step(outside=True),
        "the window is black whatever fill says": _added,
    },
)

ENTRIES = [_OCCLUSION_STEP]
