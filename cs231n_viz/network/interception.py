"""Intercept the operations of a forward pass, to change their backward rule or to replace them.

``nn.ReLU``, ``F.relu``, ``torch.relu``, ``x.relu_()`` and ``nn.ReLU6`` are five ways to call a rectifier. Hooks on
modules see only the first and the last. An :class:`Interception` is called for every torch function and sees them all.
"""

import warnings
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules._functions import BackwardHookFunction
from torch.overrides import TorchFunctionMode

# Names of torch functions, without dunders and without the underscore of in-place variants.
LINEAR = frozenset({"conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear", "batch_norm"})
AVERAGES = frozenset({"avg_pool2d", "adaptive_avg_pool2d", "mean"})
MAXIMA = frozenset({"max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d"})
SUMS = frozenset({"add", "iadd", "radd", "sub", "isub", "rsub"})
SCALES = frozenset({"mul", "imul", "rmul", "div", "truediv", "itruediv"})
SHAPES = frozenset(
    {
        *("cat", "concat", "stack", "chunk", "split", "flatten", "view", "reshape", "permute", "transpose", "t"),
        *("unflatten", "unbind", "movedim", "flip", "roll"),
        *("squeeze", "unsqueeze", "getitem", "contiguous", "clone", "expand", "expand_as", "view_as", "narrow", "pad"),
        *("gather", "select", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "alpha_dropout"),
        "feature_alpha_dropout",
        *("to", "type_as", "double", "float", "requires_grad"),
    }
)
DERIVATIVE = LINEAR | AVERAGES | SUMS | SCALES | SHAPES  # every rule uses their plain derivative
RECTIFIERS = frozenset({"relu", "relu6", "hardtanh", "clamp", "clip", "clamp_min", "threshold"})
ELEMENTWISE = frozenset(
    {"sigmoid", "tanh", "gelu", "silu", "elu", "celu", "selu", "leaky_relu", "hardswish", "hardsigmoid", "softplus"}
)
# Operations whose result depends on the shape or type of a tensor alone, if it is not the first.
_SHAPE_OF_ANOTHER = frozenset({"expand_as", "view_as", "reshape_as", "type_as", "to"})
_NEW = frozenset(
    {
        *("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"),
        *("new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"),
    }
)
Handler = Callable[[str, Callable, tuple, dict], object]


class UnknownOperationError(NotImplementedError):
    """A network uses an operation for which a method has no rule, so that its result would be wrong.

    Not a TypeError: torch's operators catch those, and ``x * x`` would raise "unsupported operand" instead.
    """


def operation(function: Callable) -> str:
    """Return the plain name of a torch function: ``F.relu``, ``torch.relu_`` and ``Tensor.relu`` are all ``"relu"``."""
    return getattr(function, "__name__", "").strip("_")


class Interception(TorchFunctionMode):
    """Call a handler instead of each operation that has one, while the context is open; refuse unknown operations.

    Operations that do not depend on the picture run as they are. Values that depend on it, but have no gradient, as
    masks and whatever was detached, may be computed; a network that combines them with those that have one is refused,
    for they are gates that a backward pass does not see.

    Attributes:
        method: Name of the method, for error messages.
        handlers: Name of an operation -> ``handler(name, function, args, kwargs)``, which returns its result; none are
            left when the context was closed.
        known: Names of the operations that may run as they are; any other raises an ``UnknownOperationError``.
    """

    def __init__(self, method: str, handlers: dict[str, Handler], known: frozenset[str]) -> None:
        super().__init__()
        self.method, self.handlers, self.known = method, handlers, known
        self.hidden: dict[int, Tensor] = {}  # depend on the picture without a gradient; kept alive: ids are reused

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self.hidden.clear()
        self.handlers = {}  # they may know this object: in a reference cycle what it holds would stay alive

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if not args and "input" in kwargs:
            args = (kwargs.pop("input"),)
        name = operation(function)
        if name in SUMS | SCALES and len(args) == 1 and "other" in kwargs:
            args = (*args, kwargs.pop("other"))
        given = args[:1] if name in _SHAPE_OF_ANOTHER else (*args, *kwargs.values())
        carrying, hidden = carries(given), any(id(t) in self.hidden and not carries(t) for t in tensors_in(given))
        self._check(name, args, kwargs)
        if hidden:
            self._check_gate(name, function, args, kwargs, carrying=carrying)
        if name in self.handlers and carrying:
            result = self.handlers[name](name, function, args, kwargs)
        else:
            result = function(*args, **kwargs)
            if name not in self.known and carries(result):
                raise UnknownOperationError(
                    f"{self.method} has no rule for {name!r}, which this network uses; it knows "
                    f"{', '.join(sorted(self.known | self.handlers.keys()))}"
                )
        if (carrying or hidden) and name not in _NEW:
            for value in tensors_in([args[0] if name == "setitem" else result]):
                if not carries(value):
                    self.hidden[id(value)] = value
        return result

    def _check_gate(self, name: str, function: Callable, args: tuple, kwargs: dict, *, carrying: bool) -> None:
        """Refuse what would change values that have a gradient by values that have none, but depend on the picture."""
        changes = in_place(function, kwargs) or name == "setitem"
        combines = carrying and (name in self.known or name in self.handlers or changes)
        combines &= changes or torch.is_grad_enabled()  # without, the result is a detached value, too
        overwrites = in_place(function, kwargs) and id(args[0]) in self.hidden and args[0].is_floating_point()
        if combines or overwrites:
            raise UnknownOperationError(
                f"{self.method} has no rule for {name!r} with a mask or a detached value that depends on the picture, "
                "as in this network: no gradient shows what such a gate does; F.relu and its like are known"
            )

    def _check(self, name: str, args: tuple, kwargs: dict) -> None:
        """Refuse calls that have the name of a linear operation but are not linear."""
        if name in SCALES and len(args) > 1 and carries(args[1]) and (carries(args[0]) or "div" in name):
            what = "a product or quotient of what depends on the picture"
        elif name == "batch_norm" and (kwargs.get("training") or args[5:6] == (True,)) and carries(args[0]):
            what = "a batch norm that uses the statistics of the batch"
        elif "dropout" in name and args and carries(args[0]) and _drops(name, args, kwargs):
            what = "a dropout that is on also in eval mode (write F.dropout(x, p, self.training))"
        else:
            return
        raise UnknownOperationError(f"{self.method} has no rule for {name!r} where it is {what}, as in this network")


def check_graph(method: str, scores: Tensor) -> None:
    """Refuse scores that went through a non-linearity which no interception sees.

    Such are the ones inside a ScriptModule or inside the network's own ``autograd.Function``.

    Raises:
        UnknownOperationError: If there is one in the graph of ``scores``.
    """
    waiting, seen = [scores.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen or not _leads_to_the_picture(node):
            continue
        seen.add(node)
        own = getattr(type(node), "_forward_cls", None)
        name = node.name().rpartition("Backward")[0]
        if (
            own and own is not BackwardHookFunction and not own.__module__.startswith("cs231n_viz.")
        ) or name.lower() in _HIDDEN:
            raise UnknownOperationError(
                f"{method} cannot see into {own.__name__ if own else name!r} of this network: a ScriptModule or an "
                "autograd.Function; it needs the plain Python module"
            )
        waiting += [parent for parent, _ in node.next_functions]


_HIDDEN = {name.replace("_", "") for name in RECTIFIERS | ELEMENTWISE} | {"softmax", "torch::jit::differentiablegraph"}


def carries(value: object) -> bool:
    """Whether a value is or contains a tensor that depends on the picture, as parameters do not."""
    if isinstance(value, list | tuple):
        return any(carries(part) for part in value)
    if not isinstance(value, Tensor) or not value.requires_grad or isinstance(value, torch.nn.Parameter):
        return False
    return value.grad_fn is None or _leads_to_the_picture(value.grad_fn)


_LEADS = "cs231n_viz: leads to the picture"  # noted in the metadata of a node, which live as long as it does


def _leads_to_the_picture(node: torch.autograd.graph.Node) -> bool:
    """Whether a graph has a leaf that is no parameter; not so that of a weight computed from parameters."""
    waiting = [node]
    while waiting:
        current = waiting[-1]
        parents = [parent for parent, _ in current.next_functions if parent is not None]
        found = [parent.metadata.get(_LEADS) for parent in parents]
        if hasattr(current, "variable"):
            current.metadata[_LEADS] = not isinstance(current.variable, torch.nn.Parameter)
        elif any(found) or None not in found:
            current.metadata[_LEADS] = any(found)
        else:
            waiting.append(parents[found.index(None)])
            continue
        waiting.pop()
    return node.metadata[_LEADS]


def tensors_in(values: Iterable[object]) -> list[Tensor]:
    """Find all tensors in values, and in lists and tuples among them."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors_in(value)
    return found


def _drops(name: str, args: tuple, kwargs: dict) -> bool:
    """Whether a dropout sets anything to 0: some functions do so unless told otherwise."""
    given = dict(zip(("p", "training"), args[1:3], strict=False)) | kwargs
    on = given.get("training", given.get("train", "alpha" not in name))
    return bool(on) and given.get("p", 0.5) > 0


def rectifier_bounds(name: str, args: tuple, kwargs: dict) -> tuple[float, float]:
    """Return the bounds between which a rectifier passes its input on: (0, inf) for ReLU, (0, 6) for ReLU6.

    Raises:
        UnknownOperationError: If the call is not a rectifier, such as a clamp whose lower bound is not 0.
    """
    low, high = 0.0, float("inf")
    if name == "relu6":
        high = 6.0
    elif name in ("hardtanh", "clamp", "clip", "clamp_min"):
        names = ("min_val", "max_val") if name == "hardtanh" else ("min", "max")
        given = dict(zip(names, args[1:3], strict=False)) | kwargs
        default = (-1.0, 1.0) if name == "hardtanh" else (None, None)
        low, high = (given.get(key, value) for key, value in zip(names, default, strict=True))
        high = float("inf") if high is None else high
    elif name == "threshold":
        low = args[1] if args[1] == args[2] else None
    if low != 0 or not high > 0:
        raise UnknownOperationError(f"{name} between {low} and {high} is not a rectifier, whose lower bound is 0")
    return 0.0, float(high)


def in_place(function: Callable, kwargs: dict) -> bool:
    """Whether a call overwrites its input, so that the caller may ignore what it returns."""
    named = getattr(function, "__name__", "")
    return bool(kwargs.get("inplace")) or (named.endswith("_") and not named.endswith("__"))


class EachOperation(TorchFunctionMode):
    """While open, call ``handler(name, function, args, kwargs)`` instead of each operation; it returns the result."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self.handler = handler

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return self.handler(operation(function), function, args, dict(kwargs or {}))


def noticing_dropout(name: str, function: Callable, args: tuple, kwargs: dict) -> object:
    """Run an operation, and warn if it is a dropout that is on also in eval mode."""
    if "dropout" in name and _drops(name, args, kwargs):
        warnings.warn(
            "the network has a dropout that is on also in eval mode, so that results differ from call to call; write "
            "F.dropout(x, p, self.training), or take the mean over many calls",
            stacklevel=2,
        )
    return function(*args, **kwargs)


class AveragePooling(TorchFunctionMode):
    """Replace max pooling by average pooling while open: the gradient reaches every pixel, and textures get smoother.

    Padding is left out of the averages.

    Source: Gatys et al., arXiv:1505.07376, section 2.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if operation(function) not in MAXIMA - {"adaptive_max_pool2d"}:
            return function(*args, **kwargs)
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        given = dict(zip(names, args[1:], strict=False)) | kwargs
        options = {name: given[name] for name in ("kernel_size", "stride", "padding", "ceil_mode") if name in given}
        return F.avg_pool2d(args[0] if args else given["input"], **options, count_include_pad=False)
