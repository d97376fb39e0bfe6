"""The patches of a gallery that excite each channel of a layer most: what does a unit respond to?

:func:`top_patches` makes one pass over the gallery and keeps, for each channel, the k pictures with the strongest
activations. It can save them as an index, one safetensors file that remembers the model, weights, layer and gallery it
was made of: an unfinished index is continued, a finished one read, and one made of something else refused.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cs231n_viz.network.capture import check_layers
from cs231n_viz.network.checks import check_whole
from cs231n_viz.network.models import Classifier
from cs231n_viz.network.receptive_field import ReceptiveField
from cs231n_viz.representation.features import Pictures, Shard, batches, map_shards
from cs231n_viz.writing import write_over

_SAVE_EVERY = 512  # pictures between two saves of an unfinished index


class StaleIndexError(ValueError):
    """A saved index was made by another model, layer or gallery than the ones at hand, or is no index at all."""


@dataclass(frozen=True)
class TopPatches:
    """The k patches of a gallery that excite each of C channels most, strongest first.

    Attributes:
        values: (C, k) activations, falling along k.
        image_index: (C, k) pictures of the gallery, each at most once per channel.
        positions: (C, k, 2) row and column of the unit on its feature map.
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
        """The prepared picture (3, S, S) that holds the channel's patch of that rank, RGB in [0, 1]."""
        index = int(self.image_index[channel, rank])
        return self._model.prepare([self._gallery[index][0]])[0].cpu()

    def crops(self, channel: int) -> list[Tensor]:
        """The patches of a channel, k tensors (3, h, w) in [0, 1]; smaller where the border clips them."""
        boxes = self.boxes[channel].tolist()
        return [self.picture(channel, rank)[:, y0:y1, x0:x1] for rank, (y0, x0, y1, x1) in enumerate(boxes)]

    def save(self, path: str | Path) -> None:
        """Write the index, without the pictures, as one safetensors file; ``load_patches`` reads it."""
        width = self._model.layer(self.layer).field.shape[1]
        cells = self.positions[..., 0] * width + self.positions[..., 1]
        strongest = _Strongest(self.values, self.image_index, cells)
        _write_index(Path(path), strongest, self.header, done=len(self._gallery))


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
        layer: Name from ``model.layers()``; a layer of vectors counts as feature maps of one cell.
        k: Patches per channel.
        batch: Pictures per forward pass.
        index: File to save the result in. A finished one is read and nothing computed; an unfinished one, left by
            an interrupt or a kill, is continued.
        progress: Show a bar.
        client: A ``distributed.Client``: its workers take shards of the gallery. The result is the same, bit for
            bit; ``index`` is then written once, at the end.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If the layer has neither maps nor vectors, or the gallery has fewer than k pictures, or has no
            ``key`` to recognise it by in ``index``.
        StaleIndexError: If ``index`` was made of something else.

    Source: Zeiler & Fergus, arXiv:1311.2901, section 4 and fig. 2 (top 9); Girshick et al., arXiv:1311.2524,
        section 3.1.
    """
    check_layers(model, [layer])
    check_whole(k=k)
    if not 1 <= k <= len(gallery):
        raise ValueError(f"k must be from 1 to {len(gallery)}, the pictures of the gallery; got {k}")
    shape = model.layer(layer).shape
    if len(shape) not in (1, 3):
        raise ValueError(f"wanted a layer of maps (C, h, w) or of vectors (C,); {layer!r} puts out {shape}")
    header = _header(model, gallery, layer, k=k)
    path = Path(index) if index is not None else None
    if path is not None and not header["gallery"]:
        raise ValueError("an index recognises its gallery by gallery.key, which this one lacks; leave out index=")
    strongest, done = _Strongest.none(shape[0]), 0
    if path is not None and path.exists():
        strongest, done = _read_index(path, header)
    if done < len(gallery) and client is not None:
        shards = map_shards(client, _strongest_of_rows, model, gallery, layer=layer, k=k, batch=batch)
        strongest = _merged(strongest, shards, k)
    elif done < len(gallery):
        rest = batches(model, gallery, layer, batch=batch, start=done, bar=progress)
        strongest = _search(strongest, rest, header=header, path=path)
    if path is not None and done < len(gallery):
        _write_index(path, strongest, header, done=len(gallery))
    return _result(strongest, header, model, gallery)


def load_patches(path: str | Path, model: Classifier, gallery: Pictures, layer: str) -> TopPatches:
    """Read a finished index that was made of this model, these weights, this layer and this gallery.

    Raises:
        FileNotFoundError: If there is no such file.
        StaleIndexError: If it was made of something else or is not finished; says which entry differs.
    """
    header = _header(model, gallery, layer)
    strongest, done = _read_index(Path(path), header)
    if done < len(gallery):
        raise StaleIndexError(
            f"{path} has seen {done} of {len(gallery)} pictures; top_patches(…, index={str(path)!r}) continues it"
        )
    return _result(strongest, header | {"k": strongest.values.shape[1]}, model, gallery)


class _Strongest(NamedTuple):
    """Per channel the k strongest pictures so far, strongest first; of equals the earlier picture first."""

    values: Tensor  # (C, k) float32
    image_index: Tensor  # (C, k) int64
    cells: Tensor  # (C, k) int64, the strongest unit of the picture: row · width + column

    @classmethod
    def none(cls, channels: int) -> "_Strongest":
        """What is known before the first picture."""
        cells = torch.empty(channels, 0, dtype=torch.long)
        return cls(torch.empty(channels, 0), cells, cells)

    @classmethod
    def of(cls, activations: Tensor, first: int) -> "_Strongest":
        """The strongest unit of each channel in each picture of a batch, (C, pictures); ``first`` is its index."""
        values, cells = activations.view(*activations.shape[:2], -1).max(dim=2)
        images = torch.arange(first, first + len(activations)).expand(values.shape[1], -1)
        return cls(values.T.float().cpu(), images, cells.T.cpu())

    def merged(self, other: "_Strongest", k: int) -> "_Strongest":
        """The k strongest of both; ``other`` holds later pictures."""
        values = torch.cat([self.values, other.values], dim=1)
        order = values.sort(dim=1, descending=True, stable=True).indices[:, :k]
        return _Strongest(*(torch.cat(pair, dim=1).gather(1, order) for pair in zip(self, other, strict=True)))


def _search(
    strongest: _Strongest, rest: Iterable[tuple[int, Tensor]], *, header: dict[str, Any], path: Path | None
) -> _Strongest:
    """Take in one batch after the other; save the index now and then, and when interrupted."""
    done = saved = 0
    try:
        for first, activations in rest:
            strongest = strongest.merged(_Strongest.of(activations, first), header["k"])
            done = first + len(activations)
            if path is not None and done - saved >= _SAVE_EVERY:
                _write_index(path, strongest, header, done=done)
                saved = done
    finally:
        if path is not None and done > saved:
            _write_index(path, strongest, header, done=done)
    return strongest


def _strongest_of_rows(
    model: Classifier, gallery: Pictures, rows: range, *, layer: str, k: int, batch: int
) -> _Strongest:
    """What a worker of a cluster finds in its shard."""
    shard = batches(model, Shard(gallery, rows), layer, batch=batch)
    parts = (_Strongest.of(activations, rows.start + first) for first, activations in shard)
    return _merged(_Strongest.none(model.layer(layer).shape[0]), parts, k)


def _merged(strongest: _Strongest, later: Iterable[_Strongest], k: int) -> _Strongest:
    for part in later:
        strongest = strongest.merged(_Strongest(*part), k)
    return strongest


def _result(strongest: _Strongest, header: dict[str, Any], model: Classifier, gallery: Pictures) -> TopPatches:
    layer = model.layer(header["layer"])
    width = layer.field.shape[1]
    positions = torch.stack([strongest.cells // width, strongest.cells % width], dim=2)
    boxes = [layer.field.box(row, column) for row, column in positions.flatten(0, 1).tolist()]
    boxes = torch.tensor(boxes).view(*strongest.cells.shape, 4)
    return TopPatches(strongest.values, strongest.image_index, positions, boxes, layer.name, header, model, gallery)


def _header(model: Classifier, gallery: Pictures, layer: str, **settings: int) -> dict[str, Any]:
    """What an index is made of; it is of no use to anything else."""
    return {
        "model": model.name,
        "weights": _weights_hash(model),
        "layer": layer,
        "gallery": getattr(gallery, "key", ""),
        "pictures": len(gallery),
        **settings,
    }


def _weights_hash(model: torch.nn.Module) -> str:
    """Sha256 over the names, types, shapes and values of all weights: equal for equal networks."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _write_index(path: Path, strongest: _Strongest, header: dict[str, Any], *, done: int) -> None:
    """Write it in one step: a kill leaves the old index or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: part.contiguous() for name, part in strongest._asdict().items()}
    facts = {"header": json.dumps(header), "done": str(done)}
    write_over(path, save(tensors, metadata=facts | {"sha256": _sum(strongest, facts)}))


def _read_index(path: Path, wanted: dict[str, Any]) -> tuple[_Strongest, int]:
    """Read an index and how many pictures it covers; refuse one that is damaged or whose header is not ``wanted``."""
    if not path.exists():
        raise FileNotFoundError(f"there is no index {path}; top_patches(…, index={str(path)!r}) makes it")
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            header, done = dict(json.loads(facts["header"])), int(facts["done"])
            strongest = _Strongest(*(file.get_tensor(name) for name in _Strongest._fields))
        older = facts.keys() == {"header", "done"}  # written before there were checksums
        if not older and facts != {key: facts[key] for key in ("header", "done")} | {"sha256": _sum(strongest, facts)}:
            raise ValueError("its checksum is another one")
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise StaleIndexError(f"{path} is not an index of patches ({error}); delete it to build it again") from None
    for key, value in wanted.items():
        if header.get(key) != value:
            made = f"{path} was made with {key} = {header.get(key)!r}, wanted {value!r}"
            raise StaleIndexError(f"{made}; delete it to build it again")
    _check_ranges(path, strongest, done, wanted["pictures"])
    return strongest, done


def _check_ranges(path: Path, strongest: _Strongest, done: int, pictures: int) -> None:
    """Refuse an index that points outside of the gallery."""
    shapes = {tuple(part.shape) for part in strongest}
    ranks = strongest.values.shape[-1:]
    whole = len(shapes) == 1 and strongest.values.ndim == 2 and 0 <= done <= pictures and 0 < ranks[0] <= done
    indices = strongest.image_index
    whole = whole and not indices.is_floating_point() and not strongest.cells.is_floating_point()
    if not (whole and 0 <= indices.min() and indices.max() < done and strongest.cells.min() >= 0):
        raise StaleIndexError(f"{path} is damaged, it points outside of the gallery; delete it to build it again")


def _sum(strongest: _Strongest, facts: dict[str, str]) -> str:
    """Sha256 over everything that an index holds."""
    digest = hashlib.sha256(f"{facts['header']} {facts['done']}".encode())
    for part in strongest:
        digest.update(f"{part.dtype} {tuple(part.shape)}".encode())
        digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()
