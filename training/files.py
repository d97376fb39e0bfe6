"""Write checkpoints that survive a kill, and weights whose checksums are published."""

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor


def save_checkpoint(state: dict, path: Path) -> None:
    """Write a checkpoint beside the old one, then replace that, so that a kill never leaves an incomplete file."""
    temporary = path.with_name("next.pt")
    torch.save(state, temporary)
    os.replace(temporary, path)


def ship_weights(weights: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> str:
    """Write half-precision safetensors and enter their sha256 into the folder's ``sha256.json``; return it."""
    save_file({key: value.half().contiguous() for key, value in weights.items()}, path, metadata=metadata)
    path.chmod(0o644)  # safetensors writes files that only their owner may read
    sums = path.with_name("sha256.json")
    known = json.loads(sums.read_text()) if sums.exists() else {}
    known[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    return known[path.name]
