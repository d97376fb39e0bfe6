"""Weights in files: fetched, checked, read without ever running code from them, and put into a network."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import torchvision
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from cs231n_viz.data_files import data_path
from cs231n_viz.networks import ARCHITECTURES


class WeightsError(OSError):
    """Weights that are missing, damaged, or made for another network; the message says what to do."""


def download(name: str, entry: Any) -> nn.Module:
    """One of torchvision's networks with its trained weights, from torch's cache or else from where they are served.

    Args:
        name: As torchvision knows it.
        entry: The member of its weights enumeration.

    Raises:
        WeightsError: If the weights are neither cached nor to be had; says what to put where by hand.
    """
    file = Path(torch.hub.get_dir(), "checkpoints", entry.url.rpartition("/")[2])
    try:
        return torchvision.models.get_model(name, weights=entry)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:  # unreachable, or damaged
        raise WeightsError(
            f"the weights of {name} could not be had ({error}).\n"
            f"Wanted: {file.name}, from {entry.url}\n"
            f"To put it there by hand: save it as {file}\n"
            f"Offline, these work: {', '.join(ARCHITECTURES)}; and {name} with weights=None, untrained."
        ) from error


def check_sum(path: Path) -> None:
    """Refuse a shipped file that is not the one its checksum was made for.

    Raises:
        WeightsError: If the sha256 is another one than ``weights/sha256.json`` says.
    """
    sums = json.loads(data_path("weights", "sha256.json").read_text())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sums.get(path.name):
        raise WeightsError(
            f"{path} is damaged: its sha256 is {found}, wanted {sums.get(path.name)}. "
            "Restore it, for example with: git checkout data/weights"
        )


def read_state(path: Path) -> dict[str, Tensor]:
    """A state dict from a safetensors file or one saved by torch; never runs code from the file.

    Raises:
        WeightsError: If there is no such file, or it holds anything else.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}; weights is 'DEFAULT', None or a path")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    except Exception as error:  # pickle.UnpicklingError and whatever else a foreign file provokes
        raise WeightsError(f"{path} is not a plain state dict, and code in it is never run: {error}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} must hold a state dict (name -> tensor), got {type(state).__name__}")
    return dict(state)


def fill(network: nn.Module, state: dict[str, Tensor], name: str) -> None:
    """Put weights into a network.

    Raises:
        WeightsError: If a name or a shape does not fit; says which.
    """
    wanted = network.state_dict()
    missing, unknown = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if missing or unknown:
        raise WeightsError(
            f"these weights are not for {name}: {len(missing)} keys missing (such as {missing[:2]}), "
            f"{len(unknown)} unknown (such as {unknown[:2]})"
        )
    for key, value in wanted.items():
        if state[key].shape != value.shape:
            raise WeightsError(
                f"these weights are not for {name}: {key} has shape {tuple(state[key].shape)}, "
                f"wanted {tuple(value.shape)}"
            )
    network.load_state_dict(state)
