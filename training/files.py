"""What every training script writes: checkpoints that a kill cannot break, and weights whose sums are known."""

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor


def keep_checkpoint(state: dict, path: Path) -> None:
    """Write a checkpoint beside the old one, then swap them, so that a kill never leaves half a file."""
    following = path.with_name("next.pt")
    torch.save(state, following)
    os.replace(following, path)


def ship_weights(weights: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> str:
    """Write half-precision safetensors and note their sha256 in the folder's ``sha256.json``; returns it."""
    save_file({key: value.half().contiguous() for key, value in weights.items()}, path, metadata=metadata)
    path.chmod(0o644)  # safetensors writes files for the owner alone
    sums = path.with_name("sha256.json")
    known = json.loads(sums.read_text()) if sums.exists() else {}
    known[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    return known[path.name]
