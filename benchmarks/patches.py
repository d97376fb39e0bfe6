"""Time top patches and features of a gallery, against the loops that people write for them."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

import cs231n_viz as viz
from benchmarks.ceiling import counted, least_seconds, most_times, near_the_ceiling
from benchmarks.row import Row, alternating_seconds, fastest_seconds

LAYER, K = "conv5", 9


class Pictures:
    """Random pictures, made when they are asked for."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.tiles = torch.rand(8, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.tiles[index % 8].roll(index, dims=2), 0


def record(model: viz.Classifier, outputs: list[Tensor]) -> RemovableHandle:
    layer = model.network.get_submodule(LAYER)
    return layer.register_forward_hook(lambda module, args, output: outputs.append(output.clone()))


@torch.no_grad()
def hook_and_batch_of_one(model: viz.Classifier, pictures: Pictures) -> Tensor:
    """The plain loop: one picture at a time through the whole network, and a hook that records the layer."""
    outputs: list[Tensor] = []
    handle = record(model, outputs)
    best = torch.empty(0)
    for image, _ in (pictures[index] for index in range(len(pictures))):
        model(model.prepare([image]))
        maxima = outputs.pop().flatten(2).amax(2)
        best = torch.cat([best, maxima]).topk(min(K, len(best) + 1), dim=0).values if len(best) else maxima
    handle.remove()
    return best


@torch.no_grad()
def batches_all_stored(model: viz.Classifier, pictures: Pictures, batch: int = 64) -> Tensor:
    """The batched loop: every activation of the layer is stored until the end."""
    outputs: list[Tensor] = []
    handle = record(model, outputs)
    for start in range(0, len(pictures), batch):
        model(model.prepare([pictures[row][0] for row in range(start, min(start + batch, len(pictures)))]))
    handle.remove()
    return torch.cat(outputs).flatten(2).amax(2).topk(K, dim=0).values


def peak_memory(work: Callable[[], object]) -> float:
    """Measure by how much the resident memory grows at most while ``work`` runs, in MB."""

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    before = peak = resident()
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, resident())

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return peak - before


def rows(*, peers_only: bool = False) -> Iterator[Row]:
    model = viz.load_model("mini_alexnet")
    pictures = Pictures(256)

    def ours() -> Tensor:
        return viz.top_patches(model, pictures, LAYER, k=K, progress=False).values

    values, flops = counted(ours)
    torch.testing.assert_close(values.T, batches_all_stored(model, pictures), atol=1e-4, rtol=1e-4)
    own = fastest_seconds(ours, repeats=3)
    plain = fastest_seconds(lambda: hook_and_batch_of_one(model, pictures), repeats=3)
    stored = fastest_seconds(lambda: batches_all_stored(model, pictures), repeats=3)
    what = f"top_patches, {LAYER}: × faster than"
    yield near_the_ceiling(f"{what} a hook and batches of one", plain / own, most_times(flops, plain))
    most = most_times(flops, stored)
    yield Row(f"{what} batches with all activations stored", stored / own, "≥", 1.2, ceiling=most)
    if peers_only:
        return
    scenes = viz.Gallery.scenes(2000)
    taken = fastest_seconds(lambda: viz.top_patches(model, scenes, LAYER, k=K, progress=False))
    yield Row(f"top_patches, {LAYER}: 2 000 scenes", taken, "≤", 60, " s")
    if Path("/proc/self/statm").exists():
        viz.top_patches(model, Pictures(500), LAYER, k=K, progress=False)  # else the first run also fills caches
        less, more = (
            peak_memory(lambda n=n: viz.top_patches(model, Pictures(n), LAYER, k=K, progress=False))
            for n in (500, 5000)
        )
        yield Row("top_patches: memory for 5 000 pictures above that for 500", more - less, "≤", 20, " MB")
    layers, few = ("fc8", "conv1", "conv3", "fc6"), Pictures(64)
    works = [partial(viz.features, model, few, layer, pool="mean", progress=False) for layer in layers]
    _, *flops = (counted(work)[1] for work in works)
    whole, *parts = alternating_seconds(works, repeats=30)  # after fc6 there is little to skip
    for layer, part, count in zip(layers[1:], parts, flops, strict=True):
        least = least_seconds(count) / whole
        yield Row(f"features, {layer}: share of the time of a full forward pass", part / whole, "≤", 1, ceiling=least)
