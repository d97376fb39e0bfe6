"""Time attributions, against the fastest peer that computes the same."""

import copy
from collections.abc import Callable, Collection, Iterator
from functools import partial

import torch
from torch import Tensor

import cs231n_viz as viz
from benchmarks import peers
from benchmarks.ceiling import counted, most_times
from benchmarks.row import Row, alternating_seconds
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
NOT_COMPARABLE = {("LRP", "captum")}  # its ε rule computes less than γ
PEERS = {"saliency": "gradient"}  # method -> its name in peers.py


def finished(method: str, run: peers.Peer, model: Classifier, images: Tensor, layer: str) -> Tensor:
    """Run a peer, and take the maximum over the channels where it leaves that to its user."""
    attribution = run(model, images, layer, TARGET)
    return attribution.abs().amax(1) if method == "saliency" else attribution


def working(method: str, model: Classifier, images: Tensor, layer: str) -> dict[str, Callable[[], object]]:
    """Find the peers that run on this network at all; each gets a copy, which it may change."""
    works = {}
    for (name, package), run in peers.PEERS.items():
        if name == PEERS.get(method, method) and (name, package) not in NOT_COMPARABLE:
            own = copy.deepcopy(model)
            try:
                run(own, images, layer, TARGET)
            except Exception:
                continue
            works[package] = partial(finished, method, run, own, images, layer)
    return works


def rows(*, networks: Collection[str] = tuple(LAYERS)) -> Iterator[Row]:
    for network in networks:
        layer = LAYERS[network]
        model = viz.load_model(network, weights="DEFAULT" if network in viz.offline_models() else None)
        images = torch.rand(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
        for method, ours in OURS.items():
            others = working(method, model, images, layer)
            work = partial(ours, model, images, layer)
            own, *theirs = alternating_seconds([work, *others.values()])
            if theirs:
                best = min(zip(theirs, others, strict=True))
                most = most_times(counted(work)[1], best[0])
                what = f"{method}, {network}: × faster than {best[1]}, the fastest peer"
                yield Row(what, best[0] / own, "≥", 1, ceiling=most)
