"""Attributions, against the fastest peer that gives the same answer."""

import copy
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

import cs231n_viz as viz
from benchmarks import peers
from benchmarks.row import Row
from cs231n_viz.network.models import Classifier

LAYERS = {"mini_alexnet": "relu5", "resnet18": "layer4", "vgg16": "features.29"}
TARGET, BATCH = 3, 2
OURS: dict[str, Callable[[Classifier, Tensor, str], Tensor]] = {
    "saliency": lambda model, images, layer: viz.saliency(model, images, TARGET),
    "guided backprop": lambda model, images, layer: viz.guided_backprop(model, images, TARGET),
    "Grad-CAM": lambda model, images, layer: viz.grad_cam(model, images, TARGET, layer),
    "DeepLIFT": lambda model, images, layer: viz.deep_lift(model, images, TARGET),
    "LRP": lambda model, images, layer: viz.lrp(model, images, TARGET, "gamma"),
}
OTHERWISE = {("LRP", "captum")}  # its ε rule is another method than γ, with less to compute
PEERS = {"saliency": "gradient"}  # by the name that peers.py has for the method


def alternating(works: list[Callable[[], object]], repeats: int = 5) -> list[float]:
    """The fastest run of each, in turns, so that whatever else the machine does hits all alike."""
    times = [[] for _ in works]
    for repeat in range(repeats + 1):
        for work, taken in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            if repeat:  # the first is not counted
                taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]


def finished(method: str, run: peers.Peer, model: Classifier, images: Tensor, layer: str) -> Tensor:
    """What a peer leaves to its user is part of the work: the strongest of the three colours."""
    found = run(model, images, layer, TARGET)
    return found.abs().amax(1) if method == "saliency" else found


def working(method: str, model: Classifier, images: Tensor, layer: str) -> dict[str, Callable[[], object]]:
    """The peers that give any answer at all for this network; each gets a copy, in which it may leave traces."""
    found = {}
    for (name, package), run in peers.PEERS.items():
        if name == PEERS.get(method, method) and (name, package) not in OTHERWISE:
            own = copy.deepcopy(model)
            try:
                run(own, images, layer, TARGET)
            except Exception:
                continue
            found[package] = partial(finished, method, run, own, images, layer)
    return found


def rows() -> Iterator[Row]:
    for network, layer in LAYERS.items():
        model = viz.load_model(network, weights="DEFAULT" if network in viz.offline_models() else None)
        images = torch.rand(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
        for method, ours in OURS.items():
            others = working(method, model, images, layer)
            own, *theirs = alternating([partial(ours, model, images, layer), *others.values()])
            if theirs:
                best = min(zip(theirs, others, strict=True))
                yield Row(f"{method}, {network}: × faster than {best[1]}, the fastest peer", best[0] / own, "≥", 1)
