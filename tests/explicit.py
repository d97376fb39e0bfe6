"""An independent reference: a backward pass written out operation by operation, and networks to compare it on.

It shares no code with the package. torch.fx lists the operations of a network; each is run by itself on copies of its
inputs, so that no in-place operation can overwrite what was recorded; and the backward pass goes through the list in
reverse, with the rule for rectifiers stated in one place.
"""

import operator
from functools import cache

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torchvision import models

from cs231n_viz.network.efficientnet import efficientnet_lite0
from cs231n_viz.network.models import Classifier
from cs231n_viz.network.shipped import mini_alexnet, mini_vgg

# name: (side in pixels at which tests run it, the last layer of maps)
NETWORKS = {
    "alexnet": (95, "features.11"),
    "vgg11_bn": (32, "features.27"),
    "vgg16": (32, "features.29"),
    "squeezenet1_1": (63, "features.12.expand3x3_activation"),
    "resnet18": (48, "layer4.1.bn2"),
    "resnet50": (32, "layer4.2.bn3"),
    "googlenet": (64, "inception5b.branch1.bn"),
    "inception_v3": (79, "Mixed_7c.branch_pool.bn"),
    "densenet121": (64, "features.norm5"),
    "mobilenet_v2": (64, "features.18.2"),
    "mini_alexnet": (223, "relu5"),
    "mini_vgg": (32, "relu5_2"),
    "efficientnet_lite0": (47, "head.relu"),
}
AVERAGED = (
    *("resnet18", "resnet50", "googlenet", "densenet121", "mobilenet_v2", "mini_vgg", "efficientnet_lite0"),
    "squeezenet1_1",
)
OURS = {"mini_alexnet": mini_alexnet, "mini_vgg": mini_vgg, "efficientnet_lite0": efficientnet_lite0}
CLASSES = 10


def build(name: str, *, wide: bool = True) -> nn.Module:
    """Build a network as its library does; with ``wide=False`` it has a quarter of its maps, and 32 units in between.

    Operations and their order stay the same. In float64 a depthwise convolution is computed map by map, and most of
    the weights of AlexNet and VGG are in their fully connected layers. SqueezeNet keeps its maps: of a quarter of them
    some are constant, and where the largest of a window is not one alone, the backward pass is not unique.
    """
    with torch.device("meta"):
        if name in OURS:
            network = OURS[name](CLASSES)
        else:
            extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
            network = models.get_model(name, weights=None, num_classes=CLASSES, **extra)
        if not wide and name != "squeezenet1_1":
            for parent in list(network.modules()):
                for key, child in list(parent.named_children()):
                    setattr(parent, key, thinner(child))
            if isinstance(network, models.AlexNet | models.VGG):
                narrow(network.classifier)
    return network.to_empty(device="cpu").double()


def thinner(module: nn.Module) -> nn.Module:
    """Make the module for a quarter of the maps or units; colours and classes stay as many."""

    def fewer(count: int) -> int:
        return count if count in (3, CLASSES) else count // 4

    if isinstance(module, nn.Conv2d):
        ends = fewer(module.in_channels), fewer(module.out_channels)
        geometry = module.kernel_size, module.stride, module.padding, module.dilation
        groups = 1 if module.groups == 1 else ends[0]  # else it is depthwise: a filter for each map
        return nn.Conv2d(*ends, *geometry, groups=groups, bias=module.bias is not None)
    if isinstance(module, nn.BatchNorm2d):
        return nn.BatchNorm2d(fewer(module.num_features), eps=module.eps)
    if isinstance(module, nn.Linear):
        return nn.Linear(fewer(module.in_features), fewer(module.out_features))
    return module


def narrow(classifier: nn.Sequential, units: int = 32) -> None:
    places = [index for index, module in enumerate(classifier) if isinstance(module, nn.Linear)]
    for place in places:
        into = classifier[place].in_features if place == places[0] else units
        classifier[place] = nn.Linear(into, CLASSES if place == places[-1] else units)


@torch.no_grad()
def randomise(network: nn.Module, seed: int = 0) -> nn.Module:
    """Randomise weights (Kaiming), biases and the statistics of batch norms, some of which change the sign."""
    random = torch.Generator().manual_seed(seed)

    def normal(like: Tensor, spread: float) -> Tensor:
        return torch.randn(like.shape, generator=random, dtype=like.dtype) * spread

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.copy_(normal(module.weight, (2 / module.weight[0].numel()) ** 0.5))
            if module.bias is not None:
                module.bias.copy_(normal(module.bias, 0.1))
        elif isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(normal(module.running_mean, 0.1))
            module.running_var.uniform_(0.5, 1.5, generator=random)
            module.weight.uniform_(0.7, 1.3, generator=random)
            module.weight[::7] *= -1
            module.bias.copy_(normal(module.bias, 0.1))
            module.num_batches_tracked.zero_()
    return network.eval()


@cache
def classifier(name: str, *, wide: bool = False) -> Classifier:
    """Build one of ``NETWORKS`` with random weights in float64."""
    network = randomise(build(name, wide=wide))
    model = Classifier(network, [str(row) for row in range(CLASSES)], input_size=NETWORKS[name][0], name=name)
    return model.double().eval().requires_grad_(False)


def pictures(count: int, side: int, seed: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=random, dtype=torch.float64)


class _Recorder(fx.Interpreter):
    """Runs every operation on copies, and records its inputs and outputs."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.inputs: dict[fx.Node, tuple] = {}

    def run_node(self, node: fx.Node) -> object:
        args, kwargs = fx.node.map_aggregate(self.fetch_args_kwargs_from_env(node), copied)
        self.inputs[node] = args, kwargs
        return getattr(self, node.op)(node.target, *fx.node.map_aggregate((args, kwargs), copied))


def copied(value: object) -> object:
    return value.detach().clone() if isinstance(value, Tensor) else value


class Explicit:
    """The forward pass of ``model`` on ``images``, ready for backward passes under several rules."""

    def __init__(self, model: Classifier, images: Tensor) -> None:
        graph = fx.symbolic_trace(model.network)
        self.scale, self.run = model.std, _Recorder(graph)
        with torch.no_grad():
            self.logits = self.run.run((images - model.mean) / model.std)
        self.nodes = list(graph.graph.nodes)

    def layer(self, name: str) -> fx.Node:
        (node,) = (node for node in self.nodes if node.op == "call_module" and node.target == name)
        return node

    def value(self, name: str) -> Tensor:
        return self.run.env[self.layer(name)]

    def gradient(self, rule: str, targets: Tensor | None = None, neuron: tuple | None = None) -> dict[object, Tensor]:
        """Differentiate the logits of ``targets``, or a neuron: node -> gradient, and ``"pixels"`` -> theirs."""
        if neuron is None:
            start = self.nodes[-1].args[0]
            seed = F.one_hot(targets, self.logits.shape[1]).to(self.logits)
        else:
            layer, *place = neuron
            start = self.layer(layer)
            seed = torch.zeros_like(self.run.env[start])
            seed[(slice(None), *place)] = 1
        gradients = {start: seed}
        for node in reversed(self.nodes):
            if node in gradients and node.op.startswith("call"):
                for source, part in self._back(node, gradients[node], rule):
                    gradients[source] = gradients.get(source, 0) + part
            elif node in gradients and node.op == "placeholder":
                gradients["pixels"] = gradients[node] / self.scale
        return gradients

    def _back(self, node: fx.Node, received: Tensor, rule: str) -> list[tuple[fx.Node, Tensor]]:
        args, kwargs = self.run.inputs[node]
        if rule != "plain" and (most := self._rectifies(node)):
            positive = received.clamp_min(0)
            x = args[0]
            return [(node.args[0], positive * ((x > 0) & (x < most)) if rule == "guided" else positive)]
        leaves: list[Tensor] = []

        def leaf(value: object) -> object:
            if isinstance(value, Tensor) and value.is_floating_point():
                leaves.append(value.detach().requires_grad_())
                return leaves[-1].clone()
            return value

        with torch.enable_grad():
            result = getattr(self.run, node.op)(node.target, *fx.node.map_aggregate((args, kwargs), leaf))
        parts = torch.autograd.grad(result, leaves, received, allow_unused=True, materialize_grads=True)
        sources: list[fx.Node] = []
        fx.node.map_aggregate(
            (node.args, node.kwargs),
            lambda value: sources.append(value) if isinstance(self.run.env.get(value), Tensor) else None,
        )
        return list(zip(sources, parts, strict=True))

    def _rectifies(self, node: fx.Node) -> float | None:
        """Return the input up to which a node passes it on, if it is a rectifier."""
        if node.op == "call_module":
            module = self.run.module.get_submodule(node.target)
            return 6.0 if isinstance(module, nn.ReLU6) else torch.inf if isinstance(module, nn.ReLU) else None
        names = ("relu", "relu_", "relu6")
        name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
        linear = (torch.cat, torch.flatten, F.adaptive_avg_pool2d, F.avg_pool2d, F.max_pool2d, F.dropout, operator.add)
        if name not in names and node.target not in (*linear, F.pad, operator.iadd):
            raise NotImplementedError(f"the explicit backward pass has no rule for {node.target}")
        return {"relu6": 6.0}.get(name, torch.inf) if name in names else None


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Return the largest difference, relative to the largest value."""
    return ((actual - expected).abs().max() / expected.abs().max()).item()
