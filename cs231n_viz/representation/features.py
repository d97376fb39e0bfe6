"""Features of a gallery: the activations of one layer for every picture, batch by batch, here or on a cluster."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from cs231n_viz.network.capture import activations, check_layers
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.models import Classifier

Pool = Literal["mean", "max"]
Result = TypeVar("Result")


class Pictures(Protocol):
    """Anything with a length whose items are (image (3, H, W) in [0, 1], label): a ``Gallery``, a list."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[Tensor, int]: ...


def features(
    model: Classifier,
    gallery: Pictures,
    layer: str,
    *,
    pool: Pool | None = None,
    batch: int = 8,
    progress: bool = True,
    client: Any = None,
) -> Tensor:
    """Compute the features of every picture of a gallery: the activations of one layer, one row for each picture.

    Layers after ``layer`` are not computed.

    Args:
        model: Any classifier.
        gallery: N pictures; each is prepared as the model wants it.
        layer: Name from ``model.layers()``, for example ``"fc7"``.
        pool: For a layer of feature maps (C, h, w): the ``"mean"`` or ``"max"`` of each map. Without it, D = C·h·w.
        batch: Pictures per forward pass. The maps of 8 fit into memory that a process keeps; memory for more is
            allocated and freed each time, which costs a sixth of the time.
        progress: Show a bar.
        client: A ``distributed.Client``: its workers take shards of the gallery.

    Returns:
        (N, D), float32, on the CPU.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If the gallery is empty, or ``pool`` is unknown.
    """
    check_layers(model, [layer])
    if pool not in (None, "mean", "max"):
        raise ValueError(f"pool must be None, 'mean' or 'max', got {pool!r}")
    if client is not None:
        return torch.cat(map_shards(client, _shard, model, gallery, layer=layer, pool=pool, batch=batch))
    outputs = batches(model, gallery, layer, batch=batch, bar=progress)
    return torch.cat([_pooled(activations, pool) for _, activations in outputs])


def pixels(gallery: Pictures, *, side: int = 32) -> Tensor:
    """Take the pixels of small copies as feature vectors, for comparison with what a network makes of the pictures.

    Args:
        gallery: N pictures of any size.
        side: Each is squeezed to ``side`` by ``side`` pixels.

    Returns:
        (N, 3·side²), in [0, 1].

    Raises:
        ValueError: If the gallery is empty.
    """
    _check_not_empty(gallery)
    rows = []
    for index in range(len(gallery)):
        image = gallery[index][0]
        rows.append(F.interpolate(image[None], size=(side, side), mode="bilinear", antialias=True).flatten())
    return torch.stack(rows).clamp(0, 1)


def batches(
    model: Classifier, gallery: Pictures, layer: str, *, batch: int = 8, start: int = 0, bar: bool = False
) -> Iterator[tuple[int, Tensor]]:
    """Yield (index of the first picture, that layer's output) for one batch after another, from ``start`` on."""
    _check_not_empty(gallery)
    with tqdm(total=len(gallery), initial=start, desc=layer, unit="picture", disable=not bar) as shown:
        for first in range(start, len(gallery), batch):
            rows = range(first, min(first + batch, len(gallery)))
            images = to_channels_last(model, model.prepare([gallery[row][0] for row in rows]))
            yield first, activations(model, images, [layer])[layer]
            shown.update(len(rows))


def _check_not_empty(gallery: Pictures) -> None:
    if not len(gallery):
        raise ValueError("the gallery is empty; it wants at least one picture")


def _pooled(activations: Tensor, pool: Pool | None) -> Tensor:
    if pool and activations.ndim > 2:
        maps = activations.flatten(2)
        activations = maps.mean(2) if pool == "mean" else maps.amax(2)
    return activations.flatten(1).float().cpu()


def _shard(model: Classifier, gallery: Pictures, rows: range, *, layer: str, pool: Pool | None, batch: int) -> Tensor:
    outputs = batches(model, Shard(gallery, rows), layer, batch=batch)
    return torch.cat([_pooled(activations, pool) for _, activations in outputs])


class Shard:
    """A run of consecutive pictures of a gallery, loaded as they are asked for."""

    def __init__(self, gallery: Pictures, rows: range) -> None:
        self.gallery, self.rows = gallery, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Picture ``index`` of the shard."""
        return self.gallery[self.rows[index]]


def map_shards(
    client: Any, work: Callable[..., Result], model: Classifier, gallery: Pictures, *, batch: int, **options: object
) -> list[Result]:
    """Call ``work(model, gallery, rows, batch=, ...)`` on a Dask cluster for rows that cover the gallery, in order.

    Shards end where batches end, and workers compute with as many threads as this process, so that every picture
    is in the same batch and meets the same arithmetic as it would here: the results are the same, bit for bit.
    """
    _check_not_empty(gallery)
    workers = max(1, len(client.scheduler_info()["workers"]))
    per_shard = batch * max(1, -(-len(gallery) // (4 * workers * batch)))  # a few for each, so that none waits long
    shards = [range(start, min(start + per_shard, len(gallery))) for start in range(0, len(gallery), per_shard)]
    # pickled here: Dask's own serialiser for modules turns their ordered dicts of hooks into plain ones
    sent = client.scatter(pickle.dumps((model, gallery)), broadcast=True)
    threads = torch.get_num_threads()
    futures = [client.submit(_on_worker, work, sent, rows, threads, batch=batch, **options) for rows in shards]
    return client.gather(futures)


def _on_worker(work: Callable[..., Result], sent: bytes, rows: range, threads: int, **options: object) -> Result:
    model, gallery = pickle.loads(sent)
    with _threads(threads):
        return work(model, gallery, rows, **options)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
