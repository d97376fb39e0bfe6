"""One step of occlusion: cover a window, and see what the logit loses."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import (
    Score,
    all_target_logits,
    dtype_of,
    integers,
    linear,
    pixels,
    predicted_logits,
    target_log_probabilities,
    target_logits,
    target_probabilities,
)


def occlusion_step(
    model: nn.Module, images: Tensor, targets: Tensor, *, top: int, left: int, window: int = 32, fill: float = 0.5
) -> Tensor:
    """Cover one window of each image, and measure how far the target's logit falls.

    Args:
        model: Any classifier.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: (N,) class indices, one for each image.
        top: First row of the window.
        left: First column of the window.
        window: Side of the square; what lies beyond the border of the image is ignored.
        fill: Value of all three channels inside.

    Returns:
        (N,), logit of the target before minus after: above 0 where the window was evidence for the class.
    """
    covered = images.clone()
    covered[:, :, top : top + window, left : left + window] = fill
    rows = torch.arange(len(images))
    with torch.no_grad():
        return model(images)[rows, targets] - model(covered)[rows, targets]


def _square(images: Tensor, top: int, left: int, window: int) -> Tensor:
    """True where a window lies, in the shape of the images."""
    inside = torch.zeros_like(images, dtype=torch.bool)
    inside[..., max(top, 0) : top + window, max(left, 0) : left + window] = True
    return inside


def _slice_of_channels(images: Tensor, top: int, left: int, window: int) -> Tensor:
    inside = torch.zeros_like(images, dtype=torch.bool)
    inside[:, top : top + window, left : left + window] = True
    return inside


def _pushed_back(images: Tensor, top: int, left: int, window: int) -> Tensor:
    return _square(images, min(top, images.shape[2] - window), min(left, images.shape[3] - window), window)


def _step(
    score: Score = target_logits,
    *,
    drop: Callable[[Tensor, Tensor], Tensor] = torch.sub,
    where: Callable[[Tensor, int, int, int], Tensor] = _square,
    value: Callable[[Tensor, float], Tensor] = torch.full_like,
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def step(
        model: nn.Module, images: Tensor, targets: Tensor, top: int, left: int, window: int, fill: float
    ) -> Tensor:
        covered = torch.where(where(images, top, left, window), value(images, fill), images)
        with torch.no_grad():
            return drop(score(model(images), targets), score(model(covered), targets))

    return step


def _predicted_afterwards(
    model: nn.Module, images: Tensor, targets: Tensor, top: int, left: int, window: int, fill: float
) -> Tensor:
    covered = images.masked_fill(_square(images, top, left, window), fill)
    return (target_logits(model(images), targets) - predicted_logits(model(covered), targets)).detach()


def _patched(
    model: nn.Module, images: Tensor, targets: Tensor, top: int, left: int, window: int, fill: float
) -> Tensor:
    covered = images.clone()
    covered[:, :, top : top + window, left : left + window] = torch.full((3, window, window), fill)
    return (target_logits(model(images), targets) - target_logits(model(covered), targets)).detach()


def _drop(title: str, size: tuple[int, int], targets: list[int], **where: float) -> Check:
    """On a linear network, the drop is the sum of weight × (image − fill) over the window."""
    weights, images = integers(3, 3, *size), pixels(len(targets), 3, *size)
    side = int(where["window"])
    part = (slice(None), slice(where["top"], where["top"] + side), slice(where["left"], where["left"] + side))
    fill = where.get("fill", 0.5)
    drops = [(weights[t][part] * (image[part] - fill)).sum() for t, image in zip(targets, images, strict=True)]
    fed = {"model": linear(weights), "images": images, "targets": torch.tensor(targets), **where}
    return Check(title, fed, torch.stack(drops))


ENTRY = Entry(
    name="occlusion_step",
    reference=occlusion_step,
    stars=1,
    minutes=10,
    hints=(
        "How much does the target's logit change when you run a copy of the images, with a square of one value, "
        "through the network?",
        "Clone the images, assign `fill` to the rows and columns of the window with slices after `:, :`, and take "
        "each image's own logit by indexing with `torch.arange(N)` and `targets`; before minus after.",
    ),
    checks=[
        _drop("one image, a linear network: the sum over the window", (4, 5), [1], top=1, left=2, window=2),
        _drop("another fill", (4, 5), [2], top=0, left=1, window=3, fill=0.125),
        _drop("two images, each with its own target", (4, 5), [2, 0], top=0, left=3, window=1),
        _drop("a window that reaches beyond the border", (4, 5), [0, 1], top=2, left=3, window=4, fill=1.0),
        _drop("three images, two of one class", (5, 4), [1, 1, 0], top=3, left=0, window=2, fill=0.0),
        Check(
            "in float32, as later cells compare it",
            {"model": linear(integers(3, 3, 4, 5)), "images": pixels(1, 3, 4, 5), "targets": torch.tensor([2])}
            | {"top": 1, "left": 0, "window": 2},
            "float32",
            dtype_of,
        ),
    ],
    mistakes={
        "this is the logit that is left: the drop was asked for, before minus after": (
            _step(drop=lambda before, after: after)
        ),
        "after minus before: a window that was evidence for the class must count above 0": (
            _step(drop=lambda before, after: after - before)
        ),
        "the magnitude of the drop: a window that was evidence against the class must count below 0": (
            _step(drop=lambda before, after: (before - after).abs())
        ),
        "this is the drop of the probability: it hardly moves while the network is sure; take the logit": (
            _step(target_probabilities)
        ),
        "this is the change of the loss, or of the log-probability: other classes move it too; take the logit": (
            _step(target_log_probabilities),
            _step(target_log_probabilities, drop=lambda before, after: after - before),
        ),
        "the predicted class is followed instead of the target": _step(predicted_logits),
        "the batch is mixed: logits[:, targets] takes all targets of every image, one each was asked for": (
            _step(all_target_logits),
            _step(lambda logits, targets: logits[:, targets]),
        ),
        "top and left are swapped: rows come first": (
            _step(where=lambda images, top, left, window: _square(images, left, top, window))
        ),
        "the window is one pixel too large: top + window is the first row after it": (
            _step(where=lambda images, top, left, window: _square(images, top, left, window + 1))
        ),
        "the window is centred on (top, left): this is its first pixel": (
            _step(
                where=lambda images, top, left, window: _square(
                    images, max(top - window // 2, 0), max(left - window // 2, 0), window
                )
            ),
            _step(
                where=lambda images, top, left, window: _square(images, top - window // 2, left - window // 2, window)
            ),
        ),
        "only one channel is covered: all three were asked for": (
            _step(where=lambda images, *place: _square(images, *place) & torch.tensor([1, 0, 0]).view(3, 1, 1).bool())
        ),
        "everything but the window is covered": _step(where=lambda images, *place: ~_square(images, *place)),
        "the window is black or grey whatever fill says": (
            _step(value=lambda images, _: torch.zeros_like(images)),
            _step(value=lambda images, _: torch.full_like(images, 0.5)),
        ),
        "both logits are of the covered images: cover a copy (`clone`), and run the images as they came as well": (
            _step(drop=lambda before, after: after - after)
        ),
        "after covering, the class that is then predicted is followed: the target stays the target": (
            _predicted_afterwards
        ),
        "a patch of window × window does not fit at the border: assign the number `fill` to the slice": _patched,
        "the window gets the mean of the image: it gets the value fill": (
            _step(value=lambda images, _: images.mean(dim=(1, 2, 3), keepdim=True).expand_as(images)),
            _step(value=lambda images, _: images.mean(dim=(2, 3), keepdim=True).expand_as(images)),
            _step(value=lambda images, _: images.mean().expand_as(images)),
        ),
        "fill is subtracted from the pixels, or added: they get this value": (
            _step(value=lambda images, fill: images - fill),
            _step(value=lambda images, fill: images + fill),
        ),
        "divided by the logit before: the drop itself was asked for": (
            _step(drop=lambda before, after: (before - after) / before)
        ),
        "negative drops are cut off: a window that was evidence against the class counts below 0": (
            _step(drop=lambda before, after: (before - after).clamp_min(0))
        ),
        "the window is pushed back into the image: what lies beyond its border is ignored": _step(where=_pushed_back),
        "only the first image is covered": (
            _step(
                where=lambda images, *place: (
                    _square(images, *place) & (torch.arange(len(images)) == 0).view(-1, 1, 1, 1)
                )
            )
        ),
        "the window has 32 pixels whatever is asked for": (
            _step(where=lambda images, top, left, window: _square(images, top, left, 32))
        ),
        "channels are sliced where rows should be: rows are the third axis of (N, 3, H, W)": (
            _step(where=_slice_of_channels)
        ),
        "all images are summed or averaged: one number for each was asked for": (
            _step(drop=lambda before, after: (before - after).sum()),
            _step(drop=lambda before, after: (before - after).mean()),
        ),
        "these are all logits: pick that of each target": _step(lambda logits, _: logits),
        "all images follow the first target: each has its own": _step(lambda logits, targets: logits[:, targets[0]]),
        "the window is one pixel too small: top + window is the first row after it": (
            _step(where=lambda images, top, left, window: _square(images, top, left, window - 1))
        ),
        "the pixels are multiplied by fill: they get this value": _step(value=lambda images, fill: images * fill),
        "the window begins one pixel too late: (top, left) is its first": (
            _step(where=lambda images, top, left, window: _square(images, top + 1, left + 1, window))
        ),
    },
)
