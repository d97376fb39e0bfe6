"""Build the two small networks that ship with the course; download, verify, read and load files of weights.

The networks are plain ``nn.Sequential`` stacks of convolutions, ReLUs, max-pools and linear layers, so that each
formula of the lecture applies to them as it stands. Training puts a batch norm after every convolution
(``batch_norm=True``); :func:`fold_batch_norm` merges it into the weights before they are shipped.
"""

import copy
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cs231n_viz.data_files import data_path
from cs231n_viz.pictures.fetching import download

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.")  # torch's convention: the first digits of the file's sha256
_RESTORE = "Restore it, for example with: git checkout data/weights"
_VGG_WIDTHS = ((32,), (64,), (96, 96), (160, 160), (256, 256))


def _convolution(name: str, convolution: nn.Conv2d, batch_norm: bool) -> list[tuple[str, nn.Module]]:
    norm = [(f"norm{name}", nn.BatchNorm2d(convolution.out_channels))] if batch_norm else []
    return [(f"conv{name}", convolution), *norm, (f"relu{name}", nn.ReLU())]


def mini_alexnet(classes: int, *, batch_norm: bool = False, dropout: float = 0.0) -> nn.Sequential:
    """Build AlexNet at a sixteenth of its size: at 224 px conv5 is (128, 13, 13), FC6 and FC7 have 512 units.

    Args:
        classes: Number of logits.
        batch_norm: Build for training: a batch norm after every convolution, dropout before FC6 and FC7, and
            pool5 averaged to 6x6, so that training can begin with pictures smaller than 224 px.
        dropout: Probability of dropping an input of FC6 and FC7 while training.

    Source: Krizhevsky et al., "ImageNet Classification with Deep CNNs", NeurIPS 2012, fig. 2.
    Differs from the paper: one column instead of two, narrower layers, no local response normalisation.
    """
    modules = [
        *_convolution("1", nn.Conv2d(3, 64, 11, stride=4, padding=2), batch_norm),
        ("pool1", nn.MaxPool2d(3, stride=2)),
        *_convolution("2", nn.Conv2d(64, 128, 5, padding=2), batch_norm),
        ("pool2", nn.MaxPool2d(3, stride=2)),
        *_convolution("3", nn.Conv2d(128, 256, 3, padding=1), batch_norm),
        *_convolution("4", nn.Conv2d(256, 192, 3, padding=1), batch_norm),
        *_convolution("5", nn.Conv2d(192, 128, 3, padding=1), batch_norm),
        ("pool5", nn.MaxPool2d(3, stride=2)),
        *([("resize", nn.AdaptiveAvgPool2d(6))] if batch_norm else []),
        ("flatten", nn.Flatten()),
        *([("drop6", nn.Dropout(dropout))] if batch_norm else []),
        ("fc6", nn.Linear(128 * 6 * 6, 512)),
        ("relu6", nn.ReLU()),
        *([("drop7", nn.Dropout(dropout))] if batch_norm else []),
        ("fc7", nn.Linear(512, 512)),
        ("relu7", nn.ReLU()),
        ("fc8", nn.Linear(512, classes)),
    ]
    return nn.Sequential(OrderedDict(modules))


def mini_vgg(
    classes: int, *, batch_norm: bool = False, dropout: float = 0.0, pool: type[nn.Module] = nn.MaxPool2d
) -> nn.Sequential:
    """Build a stack of 3x3 convolutions that ends in global average pooling and one linear layer, as CAM needs.

    Args:
        classes: Number of logits.
        batch_norm: Build for training: a batch norm after every convolution, dropout before the last layer.
        dropout: Probability of dropping an input of the last layer while training.
        pool: Class of the four pooling layers.

    Source: Simonyan & Zisserman, arXiv:1409.1556 (the 3x3 stack); Zhou et al., arXiv:1512.04150 (the head).
    Differs from the paper: eight narrow convolutions.
    """
    modules: list[tuple[str, nn.Module]] = []
    channels = 3
    for block, widths in enumerate(_VGG_WIDTHS, start=1):
        for position, width in enumerate(widths, start=1):
            convolution = nn.Conv2d(channels, width, 3, padding=1)
            modules += _convolution(f"{block}_{position}", convolution, batch_norm)
            channels = width
        if block < len(_VGG_WIDTHS):
            modules.append((f"pool{block}", pool(2)))
    modules += [("gap", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten())]
    modules += [("dropout", nn.Dropout(dropout))] if batch_norm else []
    return nn.Sequential(OrderedDict([*modules, ("fc", nn.Linear(channels, classes))]))


def mini_vgg_robust(classes: int, *, batch_norm: bool = False, dropout: float = 0.0) -> nn.Sequential:
    """Build the network of :func:`mini_vgg` with average pooling, to be trained against an adversary.

    The gradient of a max-pool reaches one pixel of each 2x2 window. Four of them print a lattice of 2, 4, 8 and 16
    pixels into every picture that is optimised; average pooling does not.
    """
    return mini_vgg(classes, batch_norm=batch_norm, dropout=dropout, pool=nn.AvgPool2d)


ARCHITECTURES: dict[str, Callable[..., nn.Sequential]] = {
    "mini_alexnet": mini_alexnet,
    "mini_vgg": mini_vgg,
    "mini_vgg_robust": mini_vgg_robust,
}


@torch.no_grad()
def fold_batch_norm(trained: nn.Sequential, plain: nn.Sequential) -> nn.Sequential:
    """Merge every batch norm of a trained network into the convolution before it.

    Args:
        trained: A network of this module, built with ``batch_norm=True``; left as it was.
        plain: The same network built without; its weights are set and its mode is eval.

    Returns:
        ``plain``, which now computes the logits of ``trained`` in eval mode.
    """
    trained = copy.deepcopy(trained).eval()
    state = {key: value for key, value in trained.state_dict().items() if key in plain.state_dict()}
    for name, module in trained.named_children():
        if isinstance(module, nn.BatchNorm2d):
            convolution = name.replace("norm", "conv")
            fused = fuse_conv_bn_eval(trained.get_submodule(convolution), module)
            state[f"{convolution}.weight"], state[f"{convolution}.bias"] = fused.weight, fused.bias
    plain.load_state_dict(state)
    return plain.eval()


class WeightsError(OSError):
    """Weights that are missing, damaged, or made for another network; the message says what to do."""


def fetch(name: str, entry: Any) -> Path:
    """Find torchvision's weights file in torch's cache, or download it there, and check its hash.

    The hash is checked on every call, not only after a download: a file may have been put into the cache by hand, or
    have been damaged on the disk.

    Args:
        name: The network's name in torchvision.
        entry: The member of its weights enumeration.

    Returns:
        Path of the file; its sha256 begins with the digits in its name (``resnet18-f37072fd.pth``).

    Raises:
        WeightsError: If the file is not cached and cannot be downloaded (says which file to put where by hand), or
            its hash is another one.
    """
    file = Path(torch.hub.get_dir(), "checkpoints", entry.url.rpartition("/")[2])
    match = _HASH_IN_NAME.search(file.name)
    expected = match[1] if match else ""
    if not file.exists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            download(entry.url, file, lambda arrived: sha256(arrived).startswith(expected))
        except (OSError, ValueError) as error:  # unreachable, incomplete, or another file
            raise WeightsError(
                f"the weights of {name} could not be downloaded ({error}).\n"
                f"File: {file.name}, from {entry.url}\n"
                f"To put it there by hand: save it as {file}\n"
                f"Offline, these work: {', '.join(ARCHITECTURES)}; and {name} with weights=None, untrained."
            ) from error
    digest = _readable_sha256(file)
    if not digest.startswith(expected):
        raise WeightsError(
            f"{file} is damaged, or another file: its sha256 begins with {digest[: len(expected)]}, expected "
            f"{expected}. Remove it, and it is downloaded again from {entry.url}"
        )
    return file


def sha256(path: Path) -> str:
    """Compute the SHA-256 hash of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _readable_sha256(path: Path) -> str:
    """The same, of a file that may be anything.

    Raises:
        WeightsError: If it cannot be read.
    """
    try:
        return sha256(path)
    except OSError as error:  # a folder, or one that only others may read
        raise WeightsError(f"{path} cannot be read as a file of weights: {error.strerror or error}") from error


def check_sum(path: Path) -> None:
    """Refuse a shipped file whose checksum is not the published one.

    Raises:
        WeightsError: If its sha256 is not the one in ``weights/sha256.json``, or either cannot be read.
    """
    try:
        sums = json.loads(data_path("weights", "sha256.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"the checksums of the weights are missing or damaged ({error}). {_RESTORE}") from error
    if not isinstance(sums, dict):
        raise WeightsError(f"the checksums of the weights are damaged: {type(sums).__name__}, not names. {_RESTORE}")
    digest = _readable_sha256(path)
    if digest != sums.get(path.name):
        raise WeightsError(f"{path} is damaged: its sha256 is {digest}, expected {sums.get(path.name)}. {_RESTORE}")


def weights_file(name: str, path: Path | str | None = None) -> Path:
    """Find a weights file: the one that ships under this name, its checksum verified, or another at ``path``.

    Raises:
        WeightsError: If the shipped file is missing or damaged.
    """
    if path is not None:
        return Path(path)
    try:
        shipped = data_path("weights", name)
    except FileNotFoundError as error:
        raise WeightsError(f"{error}. {_RESTORE}") from error
    check_sum(shipped)
    return shipped


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a safetensors file or one saved by torch; never runs code from the file.

    Raises:
        WeightsError: If there is no such file, or it holds anything else.
    """
    _check_is_file(path)
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    except Exception as error:  # pickle.UnpicklingError, or any other that a malicious file causes
        raise WeightsError(f"{path} is not a plain state dict, and code in it is never run: {error}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} must hold a state dict (name -> tensor), got {type(state).__name__}")
    return dict(state)


def read_facts(path: Path, key: str) -> Any:
    """Read what a safetensors file says about its weights, an entry of its metadata that is JSON.

    Raises:
        WeightsError: If there is no such file or entry, or it is damaged.
    """
    _check_is_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {})[key])
    except KeyError as error:
        raise WeightsError(f"{path} holds weights, but does not name its {key}: another program wrote it") from error
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read as a safetensors file that names its {key}: {error}") from error


def _check_is_file(path: Path) -> None:
    try:
        is_file, exists = path.is_file(), path.exists()
    except (OSError, ValueError) as error:  # a name with a NUL, or one that is too long
        raise WeightsError(f"{str(path)!r} cannot be the name of a weights file: {error}") from error
    if exists and not is_file:
        raise WeightsError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}; wanted a weights file")
    if not is_file:
        raise WeightsError(f"there is no weights file {str(path)!r}; weights is 'DEFAULT', None or a path")


def fill(network: nn.Module, state: dict[str, Tensor], name: str) -> None:
    """Load a state dict into a network.

    Raises:
        WeightsError: If a name or a shape does not match; says which.
    """
    expected = network.state_dict()
    # Files from before PyTorch 0.4.1 lack the counters of batch norms, which eval mode does not use.
    counters = {key for key in expected if key.endswith("num_batches_tracked")}
    missing, unknown = sorted(expected.keys() - state.keys() - counters), sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise WeightsError(
            f"these weights are not for {name}: {len(missing)} keys missing (such as {missing[:2]}), "
            f"{len(unknown)} unknown (such as {unknown[:2]})"
        )
    for key, value in expected.items():
        if key in state and state[key].shape != value.shape:
            raise WeightsError(
                f"these weights are not for {name}: {key} has shape {tuple(state[key].shape)}, "
                f"expected {tuple(value.shape)}"
            )
    network.load_state_dict(state)
