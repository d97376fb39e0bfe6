"""What does a unit respond to? The patches of a gallery that excite each channel of a layer most."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cs231n_viz.network.capture import check_layers
from cs231n_viz.network.models import Classifier
from cs231n_viz.network.receptive_field import ReceptiveField
from cs231n_viz.representation.features import Pictures, Shard, batches, map_shards


class StaleIndexError(ValueError):
    """A saved index was made by another model, layer or gallery than the ones at hand, or is no index at all."""


class Best(NamedTuple):
    """Per channel the k strongest pictures so far, strongest first; of equals the earlier picture first."""

    values: Tensor  # (C, k) float32
    image_index: Tensor  # (C, k) int64
    cells: Tensor  # (C, k) int64, the strongest unit of the picture: row · width + column

    @classmethod
    def none(cls, channels: int) -> "Best":
        """What is known before the first picture."""
        cells = torch.empty(channels, 0, dtype=torch.long)
        return cls(torch.empty(channels, 0), cells, cells)

    def merged(self, other: "Best", k: int) -> "Best":
        """The best of both; ``other`` holds later pictures."""
        values = torch.cat([self.values, other.values], dim=1)
        order = values.sort(dim=1, descending=True, stable=True).indices[:, :k]
        return Best(*(torch.cat(pair, dim=1).gather(1, order) for pair in zip(self, other, strict=True)))


def header_of(model: Classifier, gallery: Pictures, layer: str, **settings: int) -> dict[str, Any]:
    """What an index is made of; it is of no use to anything else."""
    return {
        "model": model.name,
        "weights": weights_hash(model),
        "layer": layer,
        "gallery": getattr(gallery, "key", ""),
        "pictures": len(gallery),
        **settings,
    }


def weights_hash(model: torch.nn.Module) -> str:
    """Sha256 over the names, types, shapes and values of all weights: equal for equal networks."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write(path: Path, best: Best, header: dict[str, Any], *, done: int) -> None:
    """Write beside the old file, then swap: a kill leaves the old index or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    tensors = {name: part.contiguous() for name, part in best._asdict().items()}
    save_file(tensors, beside, metadata={"header": json.dumps(header), "done": str(done)})
    os.replace(beside, path)


def read(path: Path, wanted: dict[str, Any]) -> tuple[Best, int]:
    """Read an index and how many pictures it has seen; refuse one whose header differs from ``wanted``."""
    if not path.exists():
        raise FileNotFoundError(f"there is no index {path}; top_patches(…, index={str(path)!r}) makes it")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            found, done = json.loads(metadata["header"]), int(metadata["done"])
            best = Best(*(file.get_tensor(name) for name in Best._fields))
    except (SafetensorError, KeyError, ValueError) as error:
        raise StaleIndexError(f"{path} is not an index of patches ({error}); delete it to build it again") from None
    for key, value in wanted.items():
        if found.get(key) != value:
            made = f"{path} was made with {key} = {found.get(key)!r}, wanted {value!r}"
            raise StaleIndexError(f"{made}; delete it to build it again")
    return best, done


_SAVE_EVERY = 512  # pictures between two saves of an unfinished index


@dataclass(frozen=True)
class TopPatches:
    """The k patches of a gallery that excite each of C channels most, strongest first.

    Attributes:
        values: (C, k) activations, falling along k.
        image_index: (C, k) pictures of the gallery, each at most once per channel.
        positions: (C, k, 2) row and column of the unit on its map.
        boxes: (C, k, 4) top, left, bottom, right of its receptive field, half-open and clipped to the picture, in
            pixels of the picture as ``model.prepare`` makes it.
        layer: Name of the layer.
        header: What the index was made of.
    """

    values: Tensor
    image_index: Tensor
    positions: Tensor
    boxes: Tensor
    layer: str
    header: dict[str, Any]
    _model: Classifier = field(repr=False)
    _gallery: Pictures = field(repr=False)

    @property
    def region(self) -> ReceptiveField:
        """The receptive fields of the layer's units, for the pictures that the boxes refer to."""
        return self._model.layer(self.layer).field

    def picture(self, channel: int, rank: int = 0) -> Tensor:
        """The prepared picture (3, S, S) that holds the channel's patch of that rank."""
        index = int(self.image_index[channel, rank])
        return self._model.prepare([self._gallery[index][0]])[0].cpu()

    def crops(self, channel: int) -> list[Tensor]:
        """The patches of a channel, k tensors (3, h, w) in [0, 1]; smaller where the border clips them."""
        found = []
        for rank, (top, left, bottom, right) in enumerate(self.boxes[channel].tolist()):
            found.append(self.picture(channel, rank)[:, top:bottom, left:right])
        return found

    def save(self, path: str | Path) -> None:
        """Write the index, without the pictures, as one safetensors file; ``load_patches`` reads it."""
        width = self._model.layer(self.layer).field.shape[1]
        cells = self.positions[..., 0] * width + self.positions[..., 1]
        write(Path(path), Best(self.values, self.image_index, cells), self.header, done=len(self._gallery))


def top_patches(
    model: Classifier,
    gallery: Pictures,
    layer: str,
    *,
    k: int = 9,
    batch: int = 8,
    index: str | Path | None = None,
    progress: bool = True,
    client: Any = None,
) -> TopPatches:
    """Find the k strongest patches of a gallery for all channels of a layer, in one pass.

    Only each picture's strongest unit counts, so that a channel's k patches are from k pictures. Memory does not
    grow with the gallery, and the forward passes end at the layer.

    Args:
        model: Any classifier.
        gallery: Pictures; each is prepared as the model wants it.
        layer: Name from ``model.layers()``; a layer of vectors counts as maps of one cell.
        k: Patches per channel.
        batch: Pictures per forward pass.
        index: File to keep the result in. A finished one is read and nothing computed; an unfinished one, left by
            an interrupt or a kill, is gone on with.
        progress: Show a bar.
        client: A ``distributed.Client``: its workers take shards of the gallery. The result is the same, bit for
            bit; ``index`` is then written once, at the end.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If the gallery has fewer than k pictures, or has no ``key`` to recognise it by in ``index``.
        StaleIndexError: If ``index`` was made of something else.

    Source: Zeiler & Fergus, arXiv:1311.2901, section 4 and fig. 2 (top 9); Girshick et al., arXiv:1311.2524,
        section 3.1.
    """
    check_layers(model, [layer])
    if not 1 <= k <= len(gallery):
        raise ValueError(f"k must be from 1 to {len(gallery)}, the pictures of the gallery; got {k}")
    header = header_of(model, gallery, layer, k=k)
    path = Path(index) if index is not None else None
    if path is not None and not header["gallery"]:
        raise ValueError("an index recognises its gallery by gallery.key, which this one lacks; leave out index=")
    best, done = Best.none(model.layer(layer).shape[0]), 0
    if path is not None and path.exists():
        best, done = read(path, header)
    if done < len(gallery) and client is not None:
        best = _merged(best, map_shards(client, _best_of, model, gallery, layer=layer, k=k, batch=batch), k)
    elif done < len(gallery):
        new = batches(model, gallery, layer, batch=batch, start=done, bar=progress)
        best = _search(best, new, header=header, path=path)
    if path is not None and done < len(gallery):
        write(path, best, header, done=len(gallery))
    return _result(best, header, model, gallery)


def load_patches(path: str | Path, model: Classifier, gallery: Pictures, layer: str) -> TopPatches:
    """Read a finished index that was made of this model, these weights, this layer and this gallery.

    Raises:
        FileNotFoundError: If there is no such file.
        StaleIndexError: If it was made of something else or is not finished; says which entry differs.
    """
    header = header_of(model, gallery, layer)
    best, done = read(Path(path), header)
    if done < len(gallery):
        raise StaleIndexError(
            f"{path} has seen {done} of {len(gallery)} pictures; top_patches(…, index={str(path)!r}) goes on with it"
        )
    return _result(best, header | {"k": best.values.shape[1]}, model, gallery)


def _search(best: Best, found: Iterable[tuple[int, Tensor]], *, header: dict[str, Any], path: Path | None) -> Best:
    """Take in one batch after the other; keep what is known in ``path``, now and then and when interrupted."""
    done = saved = 0
    try:
        for first, activations in found:
            best = best.merged(_strongest(activations, first), header["k"])
            done = first + len(activations)
            if path is not None and done - saved >= _SAVE_EVERY:
                write(path, best, header, done=done)
                saved = done
    finally:
        if path is not None and done > saved:
            write(path, best, header, done=done)
    return best


def _strongest(found: Tensor, first: int) -> Best:
    """The strongest unit of each channel in each picture of a batch, (C, pictures)."""
    values, cells = found.view(*found.shape[:2], -1).max(dim=2)
    images = torch.arange(first, first + len(found)).expand(values.shape[1], -1)
    return Best(values.T.float().cpu(), images, cells.T.cpu())


def _best_of(model: Classifier, gallery: Pictures, rows: range, *, layer: str, k: int, batch: int) -> Best:
    found = batches(model, Shard(gallery, rows), layer, batch=batch)
    parts = (_strongest(activations, rows.start + first) for first, activations in found)
    return _merged(Best.none(model.layer(layer).shape[0]), parts, k)


def _merged(best: Best, later: Iterable[Best], k: int) -> Best:
    for part in later:
        best = best.merged(Best(*part), k)
    return best


def _result(best: Best, header: dict[str, Any], model: Classifier, gallery: Pictures) -> TopPatches:
    layer = model.layer(header["layer"])
    width = layer.field.shape[1]
    positions = torch.stack([best.cells // width, best.cells % width], dim=2)
    boxes = [layer.field.box(row, column) for row, column in positions.flatten(0, 1).tolist()]
    boxes = torch.tensor(boxes).view(*best.cells.shape, 4)
    return TopPatches(best.values, best.image_index, positions, boxes, layer.name, header, model, gallery)
