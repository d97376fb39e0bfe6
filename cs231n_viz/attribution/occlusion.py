"""Occlusion: cover the picture window by window, and map by how much the logit of a class falls.

Which part of the picture does a class need? :func:`occlusion` gives the map, :func:`grow_occlusion` the same map to be
watched while it fills. It is exact and computed incrementally, by :mod:`cs231n_viz.attribution.incremental`.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm import tqdm

from cs231n_viz.attribution.incremental.network import Incremental, NotIncrementalError
from cs231n_viz.deprecation import renamed
from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.checks import Targets, check_images, check_logits, check_targets, check_whole
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.models import Classifier
from cs231n_viz.progress import Watched

Fill = str | float | Tensor

_BATCH = 24  # the changed boxes of so many windows stay in the cache; more would not
_TOGETHER = 8  # batches that go through large linear layers as one


def occlusion(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    *,
    window: int = 32,
    stride: int = 8,
    fill: Fill = "mean",
    batch: int | None = None,
    progress: bool = True,
) -> Tensor:
    """Map by how much the logit of a class falls when a window of the picture is covered (occlusion).

    A network that rests on the object, not on its surroundings, shows the object. The map is exact: the same as that
    of one full forward pass for each window. It is computed incrementally, layer by layer only what the window can
    reach, where ``torch.fx`` can trace the network; where it cannot, a warning says why, and full passes are made.

    Args:
        model: Any classifier, run in eval mode and left as it was.
        images: (N, 3, H, W), RGB in [0, 1].
        targets: One class index or name for all images, or (N,).
        window: Side of the square window in pixels.
        stride: Pixels from one window to the next, to the right and down.
        fill: What the window is filled with: ``"mean"``, the colour that the model subtracts, 0 after its
            normalisation; ``"grey"``, 0.5; a number; or a colour, (3,).
        batch: Windows per forward pass; chosen for the cache if omitted.
        progress: Show a bar. An interrupt ends the call, and the model is as it was.

    Returns:
        (N, rows, cols), logit of the picture minus logit with the window covered: above 0 the window spoke for the
        class, below 0 against it. Entry (i, j) is the window whose first pixel is (i·stride, j·stride). Only windows
        that lie in the picture count: rows = (H - window) // stride + 1, cols likewise.

    Raises:
        ValueError: If ``images`` or ``targets`` do not fit, the window is larger than the picture, the stride below
            1, or the fill no colour.

    Source: Zeiler & Fergus, arXiv:1311.2901, section 4.2 and fig. 7 (d), who show the probability with a grey square.
    Differs from the paper: the difference of the logit, which does not saturate; grey is a choice.
    """
    windows = {"window": window, "stride": stride, "fill": fill, "batch": batch}
    return grow_occlusion(model, images, targets, **windows, progress=progress).map


class OcclusionMap(Watched[Tensor]):
    """An occlusion map that can be watched while it fills, or taken when it is complete.

    Iterate over it for the map so far, (N, rows, cols), NaN where the window's turn has not come, from the middle
    outwards; ``.map`` does the work that is left, with a bar if that was asked for. It can be left at any time, and
    between two stages the model is as it was: ``.latest`` is what was reached.
    """

    unit = "window"

    def _show(self, bar: tqdm) -> None:
        bar.total = self.latest.numel()
        bar.update(int(self.latest.isfinite().sum()) - bar.n)

    @property
    def map(self) -> Tensor:
        """The complete map, (N, rows, cols), drop of the logit."""
        return self.finish()


def grow_occlusion(
    model: nn.Module,
    images: Tensor,
    targets: Targets,
    *,
    window: int = 32,
    stride: int = 8,
    fill: Fill = "mean",
    batch: int | None = None,
    progress: bool = True,
) -> OcclusionMap:
    """Compute the map of :func:`occlusion` to be watched: as it is after every batch of windows.

    Arguments and exceptions are those of :func:`occlusion`.
    """
    images = check_images(images, model)
    check_whole(window=window, stride=stride, batch=1 if batch is None else batch)
    rows, cols = _grid(images.shape[-2:], window, stride)
    colour = _colour(model, images, fill)
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    with _without_gradients(model):
        images = to_channels_last(model, images.clone())
        logits = check_logits(model(images[:1].clone()), model)
    classes = check_targets(targets, len(images), logits.shape[1], model).tolist()
    covered = _CoveredPicture(model, colour.expand(-1, window, window), logits)
    batches = _batches(rows, cols, 1 if _mixes_batches(model) else batch or _BATCH)
    stages = _fill_in(covered, images, classes, batches=batches, size=(rows, cols), stride=stride)
    settings = {"method": "occlusion", "window": window, "stride": stride, "fill": fill}
    total = len(images) * -(-len(batches) // covered.together)
    return OcclusionMap(stages, total, settings=settings, progress=progress)


occlusion_steps = renamed(grow_occlusion, "occlusion_steps")


Place = tuple[int, int]  # row and column of a window on the map


def _fill_in(
    covered: "_CoveredPicture",
    images: Tensor,
    classes: list[int],
    *,
    batches: list[list[Place]],
    size: tuple[int, int],
    stride: int,
) -> Iterator[Tensor]:
    """The maps (N, rows, cols) after each batch of windows, or after several that need a large layer together."""
    with _without_gradients(covered.model):
        maps = images.new_full((len(images), size[0] * size[1]), torch.nan)
    for index, target in enumerate(classes):
        with _without_gradients(covered.model):  # not around the yield: what the caller does there is the caller's
            logit = covered.start(images[index : index + 1])[0, target]
        waiting = batches
        while waiting:
            chosen, waiting = waiting[: covered.together], waiting[covered.together :]
            with _without_gradients(covered.model):
                parts = [
                    covered.advance([i * stride for i, _ in part], [j * stride for _, j in part]) for part in chosen
                ]
                logits = covered.finish(torch.cat(parts))
                maps[index, [i * size[1] + j for part in chosen for i, j in part]] = logit - logits[:, target]
                so_far = maps.view(-1, *size).clone()
            yield so_far


def _batches(rows: int, cols: int, most: int) -> list[list[Place]]:
    """All places of the window, in batches of at most ``most``, from the middle outwards.

    What a window changes is cut off at the borders, and the boxes of a batch are of one size: so windows that lie
    equally near to a border, on whichever side, go together.
    """
    high = max(1, int(most**0.5))
    wide = most // high

    def groups(length: int, size: int) -> list[list[int]]:
        outwards = torch.tensor(sorted(range(length), key=lambda i: abs(2 * i + 1 - length)))
        return [part.tolist() for part in outwards.tensor_split(-(-length // size))]

    return [list(product(some, others)) for some in groups(rows, high) for others in groups(cols, wide)]


def _mixes_batches(model: nn.Module) -> bool:
    """Batch norms without statistics of their own take those of the batch, even in eval mode."""
    return any(isinstance(module, _BatchNorm) and module.running_mean is None for module in model.modules())


class _CoveredPicture:
    """Logits of a picture with a window covered, computed incrementally if that is possible."""

    def __init__(self, model: nn.Module, patch: Tensor, logits: Tensor) -> None:
        """``patch`` (C, window, window) covers the window; ``logits`` (1, K) are those of the first picture."""
        self.model, self.patch = model, patch
        self._picture = torch.empty(0)
        self._expected: Tensor | None = logits
        self._classifier = type(model).forward is Classifier.forward
        self._network: Incremental | None = None
        try:
            with _without_gradients(model):
                self._network = Incremental(model.network if self._classifier else model)
        except NotIncrementalError as reason:
            _warn(reason)

    def start(self, picture: Tensor) -> Tensor:
        """Turn to a picture (1, 3, H, W); returns its logits (1, K)."""
        self._picture = picture
        try:
            if self._network is not None:
                logits = self._logits(self._network.start(self._normalised(picture)))
                self._compare(logits)
                return logits
        except NotIncrementalError as reason:
            _warn(reason)
            self._network = None
        return self.model(picture.clone())

    @property
    def together(self) -> int:
        """How many batches ``finish`` should be given at once."""
        return _TOGETHER if self._network is not None and self._network.has_bottleneck else 1

    def advance(self, tops: list[int], lefts: list[int]) -> Tensor:
        """Cover the window at B places, by its first row and column; returns what ``finish`` needs, (B, ...)."""
        if self._network is not None:
            boxes = self._normalised(self.patch).expand(len(tops), -1, -1, -1)
            return self._network.advance(boxes.contiguous(memory_format=torch.channels_last), tops, lefts)
        pictures = to_channels_last(self.model, self._picture.repeat(len(tops), 1, 1, 1))
        side = self.patch.shape[-1]
        for image, top, left in zip(pictures, tops, lefts, strict=True):
            image[:, top : top + side, left : left + side] = self.patch
        return self.model(pictures)

    def finish(self, values: Tensor) -> Tensor:
        """The logits (B, K) of what ``advance`` returned, once or several times."""
        return values if self._network is None else self._logits(self._network.finish(values))

    def _normalised(self, pixels: Tensor) -> Tensor:
        return self.model.normalised(pixels) if self._classifier else pixels

    def _logits(self, outputs: Tensor) -> Tensor:
        return self.model.logits_of(outputs).to(self.patch) if self._classifier else outputs

    def _compare(self, logits: Tensor) -> None:
        """Refuse a traced graph whose logits of the first picture are not those of the network itself."""
        expected, self._expected = self._expected, None
        if expected is not None and not torch.allclose(
            logits, expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item(), equal_nan=True
        ):
            raise NotIncrementalError("its traced graph gives other logits than the network itself")


def _warn(reason: NotIncrementalError) -> None:
    warnings.warn(f"occlusion runs the whole network for every window: {reason}", stacklevel=2)


@contextmanager
def _without_gradients(model: nn.Module) -> Iterator[None]:
    with torch.inference_mode(False), torch.no_grad(), evaluating(model):
        yield


def _grid(size: tuple[int, int], window: int, stride: int) -> tuple[int, int]:
    """Rows and columns of the map of a picture of this height and width."""
    height, width = size
    if not 1 <= window <= min(height, width):
        raise ValueError(
            f"window must be from 1 to {min(height, width)}, the picture is {height}x{width}; got {window}"
        )
    if stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    return (height - window) // stride + 1, (width - window) // stride + 1


def _colour(model: nn.Module, images: Tensor, fill: Fill) -> Tensor:
    """The fill as (C, 1, 1)."""
    channels = images.shape[1]
    if isinstance(fill, str):
        known = {"mean": model.mean, "grey": 0.5} if isinstance(model, Classifier) else {"grey": 0.5}
        if fill not in known:
            hint = "; 'mean' is for a Classifier, wrap() makes one" if fill == "mean" else ""
            raise ValueError(f"fill must be {' or '.join(map(repr, known))}, a number or a colour, got {fill!r}{hint}")
        return torch.as_tensor(known[fill]).to(images).expand(channels, 1, 1)
    colour = torch.as_tensor(fill).to(images).flatten()
    if len(colour) not in (1, channels) or not (colour.min() >= 0 and colour.max() <= 1):
        raise ValueError(
            f"fill must be one number or one for each of {channels} channels in [0, 1], got {colour.tolist()}"
        )
    return colour.expand(channels)[:, None, None]
