"""The logits of many pictures that each differ from one in a small box, by computing only what the box can change.

The graph of the network runs once for the base picture, and the output of every operation is kept. A changed picture
then takes the same path, but only as :class:`~cs231n_viz.attribution.incremental.changes.ChangedMaps`: the box of each
map that can differ. Where an operation mixes all positions, where its arithmetic is not known here, or where the box
covers most of the map, the map is completed, and the rest of the path is an ordinary forward pass. That is never wrong,
at most slower.
"""

from typing import Any

import torch
from torch import Tensor, fx, nn

from cs231n_viz.attribution.incremental.changes import Boxes, ChangedMaps, Pair, SlidingWindow, common_boxes
from cs231n_viz.attribution.incremental.graph import Graph

_MOST = 0.8  # of a map: cutting out and pasting a larger box takes longer than computing the map


class NotIncrementalError(Exception):
    """The traced graph does not say all that the network does; the message says why."""


class Incremental:
    """A network in eval mode, ready for pictures that differ from a base picture in a box.

    It computes with the weights and modules of ``network`` and changes none of them. Call it under ``no_grad`` and in
    eval mode.

    Raises:
        NotIncrementalError: If the forward pass cannot be traced, or hooks take part in it.
    """

    def __init__(self, network: nn.Module) -> None:
        for name, module in network.named_modules():
            if module._forward_hooks or module._forward_pre_hooks:
                raise NotIncrementalError(f"{name or 'it'} has hooks, which may alter the activations")
        try:
            self.graph = Graph(network)
        except Exception as error:  # whatever an unknown forward pass raises when it is fed no numbers
            raise NotIncrementalError(f"torch.fx cannot trace it: {str(error).splitlines()[0]}") from error
        if not isinstance(self.graph.nodes[-1].args[0], fx.Node):
            raise NotIncrementalError("it returns something else than one tensor")
        self._overwriting: set[fx.Node] = set()
        self._base: dict[fx.Node, Any] = {}
        self._windows: dict[fx.Node, SlidingWindow] = {}
        self._padded: dict[fx.Node, Tensor] = {}

    @property
    def has_bottleneck(self) -> bool:
        """Whether the network has a large linear layer through which everything goes."""
        return self.graph.bottleneck < len(self.graph.nodes) - 1

    def start(self, picture: Tensor) -> Tensor:
        """Take ``picture`` (1, C, H, W) as the base; returns its logits (1, K)."""
        known = len(self._overwriting)
        self._run_base(picture)
        if len(self._overwriting) > known:  # they overwrote values of the base; now they are known, and get copies
            self._run_base(picture)
        for node, operation in self._windows.items():
            self._padded[node] = operation.padded(self._base[node.args[0]], self._base[node])
        return self._base[self.graph.nodes[-1]]

    def advance(self, boxes: Tensor, tops: list[int], lefts: list[int]) -> Tensor:
        """Paste ``boxes`` (B, C, h, w) over the base, first rows and columns as given, and compute what they change.

        Returns:
            (B, ...), what ``finish`` makes the logits of: the input of the first large linear layer where everything
            goes through one, else the logits. Such a layer takes as long for few pictures as for many, since its
            weights have to be fetched: ``finish`` is best given what several calls have returned.
        """
        picture, *nodes = self.graph.nodes[: self.graph.bottleneck]
        size = boxes.shape[-2], boxes.shape[-1]
        maps = ChangedMaps(self._base[picture], boxes.clone(), Boxes(tops, lefts, size))
        changed: dict[fx.Node, Any] = {picture: maps if self._pays(picture, size) else maps.whole()}
        self._run_all(nodes, changed)
        last = self.graph.nodes[self.graph.bottleneck].args[0]
        return _whole(changed.get(last, self._base[last])).expand(len(tops), *self._base[last].shape[1:])

    def finish(self, values: Tensor) -> Tensor:
        """Logits (B, K) of what ``advance`` returned, in one call or in several."""
        nodes = self.graph.nodes[self.graph.bottleneck :]
        changed: dict[fx.Node, Any] = {nodes[0].args[0]: values}
        self._run_all(nodes, changed)
        return changed[nodes[-1]]

    def _run_all(self, nodes: list[fx.Node], changed: dict[fx.Node, Any]) -> None:
        for node in nodes:
            if any(used in changed for used in node.all_input_nodes):
                changed[node] = self._run(node, changed)
            for used in self.graph.last_uses[node]:
                changed.pop(used, None)

    def _run_base(self, picture: Tensor) -> None:
        base = self._base = {}
        self._windows = dict(self.graph.sliding)
        for node in self.graph.nodes:
            if node in self.graph.padding:
                padding = self.graph.padding[node]  # whose amounts may have been computed from the size of the maps
                window = padding.window(tuple(fx.map_arg(padding.amounts, base.__getitem__)))
                self._windows |= {} if window is None else {node: window}
            if node.op == "placeholder":
                base[node] = node.args[0] if base and node.args else picture.clone()
            elif node in self.graph.fused:
                base[node] = base[node.args[0]]
            elif node in self._windows:
                base[node] = self._windows[node].whole(base[node.args[0]])
            else:
                before = {used: _version(base[used]) for used in node.all_input_nodes}
                base[node] = self._call(node, {used: base[used] for used in before})
                for used in before:
                    if _version(base[used]) != before[used]:
                        self._check_overwriting(node, used)

    def _check_overwriting(self, node: fx.Node, overwritten: fx.Node) -> None:
        """Accept an in-place operation if no later operation reads what it overwrites, under any name."""
        for other, value in self._base.items():
            shared = other is not node and _share_memory(value, self._base[overwritten])
            if shared and not other.users.keys() <= self._base.keys():
                raise NotIncrementalError(f"{node.name} overwrites {other.name}, which is read again")
        self._overwriting.add(node)

    def _run(self, node: fx.Node, changed: dict[fx.Node, Any]) -> Any:
        if node in self.graph.fused:
            return changed[node.args[0]]
        if node in self.graph.sizes and isinstance(changed[node.args[0]], ChangedMaps):
            return self._call(node, {node.args[0]: torch.empty(changed[node.args[0]].shape, device="meta")})
        result = None
        if node in self._windows and node.args[0] in changed:
            result = self._slide(node, changed[node.args[0]])
        elif node in self.graph.pointwise:
            result = self._run_in_boxes(node, changed)
        if result is not None:
            return result
        values = {used: _whole(changed[used]) for used in node.all_input_nodes if used in changed}
        return self._call(node, values)

    def _slide(self, node: fx.Node, maps: ChangedMaps | Tensor) -> ChangedMaps | Tensor:
        window = self._windows[node]
        if isinstance(maps, ChangedMaps):
            boxes = window.reach(maps, self._base[node])
            if self._pays(node, boxes.size):
                return window.apply(maps, self._padded[node], self._base[node], boxes=boxes)
        return window.whole(_whole(maps))

    def _run_in_boxes(self, node: fx.Node, changed: dict[fx.Node, Any]) -> ChangedMaps | None:
        """A pointwise operation on maps, brought to common boxes; None if other values take part in it."""
        several = [changed.get(used) for used in node.all_input_nodes]
        if not all(isinstance(maps, ChangedMaps) for maps in several):
            return None
        result = self._base[node]
        if any(maps.base.shape[-2:] != result.shape[-2:] for maps in several):
            return None  # broadcast along rows or columns
        if node.target is not torch.unsqueeze and any(maps.base.ndim != 4 for maps in several):
            return None
        boxes = common_boxes(several)
        if not self._pays(node, boxes.size):
            return None
        regions = (maps.region(boxes) for maps in several)
        return ChangedMaps(result, self._call(node, dict(zip(node.all_input_nodes, regions, strict=True))), boxes)

    def _call(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        """Run a node with ``values`` for its inputs, the base's where there is none; the base is not overwritten."""

        def value(used: fx.Node) -> Any:
            argument = values[used] if used in values else self._base[used]
            of_base = argument is self._base[used] and isinstance(argument, Tensor)
            return argument.clone() if of_base and node in self._overwriting else argument

        return self.graph.call(node, fx.map_arg(node.args, value), fx.map_arg(node.kwargs, value))

    def _pays(self, node: fx.Node, size: Pair) -> bool:
        """Whether computing a box of that size is faster than computing the whole map."""
        rows, cols = self._base[node].shape[-2:]
        return size[0] * size[1] <= _MOST * rows * cols


def _whole(value: Any) -> Any:
    return value.whole() if isinstance(value, ChangedMaps) else value


def _version(value: Any) -> int:
    return value._version if isinstance(value, Tensor) else 0


def _share_memory(value: Any, other: Tensor) -> bool:
    return isinstance(value, Tensor) and value.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
