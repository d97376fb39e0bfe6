"""The running best of :mod:`cs231n_viz.patches`, and the file it is kept in."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cs231n_viz.features import Pictures
from cs231n_viz.models import Classifier


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
