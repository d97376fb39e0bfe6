"""A network as a list of operations, by how far a change in their input can spread in their output."""

import copy
import operator
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from cs231n_viz.attribution.incremental.changes import Pair, SlidingWindow

_POINTWISE_MODULES = (
    *(nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.Threshold),
    *(nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.Identity, nn.BatchNorm2d),
)
_POINTWISE_FUNCTIONS = {
    *(F.relu, F.relu_, F.relu6, F.hardtanh, F.leaky_relu, F.elu, F.selu, F.gelu, F.silu, F.mish, F.hardswish),
    *(F.hardsigmoid, F.sigmoid, F.tanh, F.softplus, F.dropout, F.dropout2d, torch.relu, torch.relu_, torch.sigmoid),
    *(torch.tanh, torch.clamp, torch.exp, torch.abs, torch.neg, torch.add, torch.sub, torch.mul, torch.div),
    *(torch.maximum, torch.minimum, operator.add, operator.sub, operator.mul, operator.truediv, operator.neg),
}
_POINTWISE_METHODS = {
    *("relu", "relu_", "sigmoid", "tanh", "clamp", "clamp_", "add", "add_", "sub", "sub_", "mul", "mul_"),
    *("div", "div_", "neg", "abs", "exp", "clone"),
}
_POOLS = {  # functions -> the module that does the same, and the names of their arguments
    F.max_pool2d: (nn.MaxPool2d, "input kernel_size stride padding dilation ceil_mode return_indices"),
    torch.max_pool2d: (nn.MaxPool2d, "input kernel_size stride padding dilation ceil_mode"),
    F.avg_pool2d: (nn.AvgPool2d, "input kernel_size stride padding ceil_mode count_include_pad divisor_override"),
}
_LARGE = 2**22  # weights of a linear layer that no cache holds


class Padding(NamedTuple):
    """A constant padding of rows and columns; a negative one crops them.

    Attributes:
        amounts: Columns before and after, then rows above and below, as ``F.pad`` takes them. They may be nodes, since
            they can depend on the size of the maps.
        value: What is added.
    """

    amounts: Any
    value: float

    def window(self, amounts: tuple[int, ...]) -> SlidingWindow | None:
        """Its arithmetic, once the amounts are known: that of a window of one pixel; None if it also adds maps."""
        if len(amounts) not in (2, 4):
            return None
        return SlidingWindow(
            kernel=(1, 1),
            stride=(1, 1),
            padding=((*amounts, 0, 0)[2], amounts[0]),
            edge=self.value,
            inside=lambda maps: maps,
            whole=lambda maps: F.pad(maps, amounts, value=self.value),
        )


class Graph:
    """What a network in eval mode does, operation by operation.

    Attributes:
        nodes: In order of execution, the picture first and the logits last.
        pointwise: Nodes whose output at a position depends on the inputs at that position only.
        sliding: Node -> its window arithmetic, for convolutions and poolings; a batch norm after a convolution is
            part of it.
        fused: Batch norms that are part of the convolution before them.
        padding: Node -> what it adds around the maps, or takes away.
        sizes: Nodes whose output depends on the size of the input alone.
        bottleneck: Index of the first large linear layer, if everything after it needs its output only; else of the
            last node.
        last_uses: Node -> the inputs that no later node needs.

    Raises:
        Exception: Whatever ``torch.fx`` says of a forward pass that is not the same list for every picture.
    """

    def __init__(self, network: nn.Module) -> None:
        root = copy.copy(network)  # tracing hangs constants of the forward pass on the root
        self.nodes = list(fx.Tracer().trace(root).nodes)
        self.root = root
        self.modules = {node: root.get_submodule(node.target) for node in self.nodes if node.op == "call_module"}
        self.fused = {node for node in self.nodes if self._follows_convolution(node)}
        windows = {node: self._sliding_window(node) for node in self.nodes}
        self.sliding = {node: window for node, window in windows.items() if window is not None}
        self.padding = {node: padding for node in self.nodes if (padding := self._padding(node)) is not None}
        self.sizes = {node for node in self.nodes if _asks_for_size(node)}
        self.pointwise = {node for node in self.nodes if self._is_pointwise(node)}
        self.bottleneck = self._find_bottleneck()
        last = {used: node for node in self.nodes for used in node.all_input_nodes}
        self.last_uses = {node: [used for used, end in last.items() if end is node] for node in self.nodes}

    def call(self, node: fx.Node, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run one operation as it is."""
        if node.op == "call_module":
            return self.modules[node](*args, **kwargs)
        if node.op == "call_method":
            if node.target == "view" and not isinstance(args[1], torch.dtype):
                return args[0].reshape(*args[1:], **kwargs)  # which takes maps whose channels are last in memory, too
            return getattr(args[0], node.target)(*args[1:], **kwargs)
        if node.op == "get_attr":
            return operator.attrgetter(node.target)(self.root)
        return args[0] if node.op == "output" else node.target(*args, **kwargs)

    def _is_pointwise(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            module = self.modules[node]
            return type(module) in _POINTWISE_MODULES and getattr(module, "running_mean", self) is not None
        if node.op == "call_method":
            return node.target in _POINTWISE_METHODS
        if node.target is torch.cat:
            return _argument(node, 1, "dim", default=0) in (1, -3)
        if node.target is torch.unsqueeze:
            return _argument(node, 1, "dim") == 1
        if node.target is operator.getitem:
            index = node.args[1]
            of_channels = isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None)
            return of_channels and isinstance(index[1], int | slice)
        return node.op == "call_function" and node.target in _POINTWISE_FUNCTIONS

    def _find_bottleneck(self) -> int:
        for index, node in enumerate(self.nodes):
            module = self.modules.get(node)
            if type(module) is nn.Linear and node.args and module.weight.numel() >= _LARGE:
                following = set(self.nodes[index:])
                if all(following.issuperset(later.all_input_nodes) for later in self.nodes[index + 1 :]):
                    return index
                break
        return len(self.nodes) - 1

    def _follows_convolution(self, node: fx.Node) -> bool:
        module = self.modules.get(node)
        if type(module) is not nn.BatchNorm2d or module.running_mean is None or len(node.args) != 1:
            return False
        before = node.args[0]
        return _is_plain_convolution(self.modules.get(before)) and len(before.users) == 1

    def _padding(self, node: fx.Node) -> Padding | None:
        module = self.modules.get(node)
        if not node.args or not isinstance(node.args[0], fx.Node):
            return None
        if type(module) in (nn.ZeroPad2d, nn.ConstantPad2d):
            return Padding(tuple(module.padding), module.value)
        if node.target is F.pad and _argument(node, 2, "mode", default="constant") == "constant":
            amounts, value = _argument(node, 1, "pad"), _argument(node, 3, "value") or 0.0
            return None if isinstance(value, fx.Node) else Padding(amounts, value)
        return None

    def _sliding_window(self, node: fx.Node) -> SlidingWindow | None:
        module = self.modules.get(node)
        if not node.args or not isinstance(node.args[0], fx.Node):
            return None
        if node.op == "call_function" and node.target in _POOLS:
            kind, names = _POOLS[node.target]
            options = dict(zip(names.split(), node.args, strict=False)) | node.kwargs
            options.pop("input", None)
            module = None if any(isinstance(option, fx.Node) for option in options.values()) else kind(**options)
        if _is_plain_convolution(module):
            user = next(iter(node.users), None)
            return _convolution(module, self.modules[user] if user in self.fused else None)
        return _pooling(module)


def _argument(node: fx.Node, position: int, name: str, *, default: object = None) -> object:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name, default)


def _asks_for_size(node: fx.Node) -> bool:
    if node.op == "call_method":
        return node.target in ("size", "dim")
    return node.target is getattr and node.args[1] in ("shape", "ndim")


def _is_plain_convolution(module: nn.Module | None) -> bool:
    return type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str)


def _convolution(module: nn.Conv2d, norm: nn.BatchNorm2d | None) -> SlidingWindow:
    weight, bias = module.weight.detach(), module.bias
    if norm is not None:
        weight, bias = fuse_conv_bn_weights(
            *(module.weight, module.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
        )
    weight = weight.detach().contiguous(memory_format=torch.channels_last)

    def convolve(maps: Tensor, padding: Pair = (0, 0)) -> Tensor:
        return F.conv2d(maps, weight, bias, module.stride, padding, module.dilation, module.groups)

    return SlidingWindow(
        kernel=_extent(module.kernel_size, module.dilation),
        stride=module.stride,
        padding=module.padding,
        edge=0.0,
        inside=convolve,
        whole=lambda maps: convolve(maps, module.padding),
    )


def _pooling(module: nn.Module | None) -> SlidingWindow | None:
    if type(module) is nn.MaxPool2d and not module.return_indices:
        dilation, edge = _pair(module.dilation), float("-inf")
        inside = nn.MaxPool2d(module.kernel_size, module.stride, 0, module.dilation)
    elif type(module) is nn.AvgPool2d and not module.ceil_mode and _pads_with_zeros(module):
        dilation, edge = (1, 1), 0.0
        inside = nn.AvgPool2d(module.kernel_size, module.stride, divisor_override=module.divisor_override)
    else:
        return None
    return SlidingWindow(
        kernel=_extent(_pair(module.kernel_size), dilation),
        stride=_pair(module.stride),
        padding=_pair(module.padding),
        edge=edge,
        inside=inside,
        whole=module,
    )


def _pads_with_zeros(module: nn.AvgPool2d) -> bool:
    return module.count_include_pad or _pair(module.padding) == (0, 0)


def _extent(kernel: Pair, dilation: Pair) -> Pair:
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
