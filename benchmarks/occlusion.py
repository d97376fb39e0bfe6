"""Time incremental occlusion against one full forward pass per window, captum's and our own."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial

import torch
from captum.attr import Occlusion
from torch import Tensor

import cs231n_viz as viz
from benchmarks.ceiling import counted, most_times, near_the_ceiling
from benchmarks.row import Row
from cs231n_viz.pictures.images import resize

SIDE, WINDOW, STRIDE, TARGET = 224, 32, 8, 3
POSITIONS = ((SIDE - WINDOW) // STRIDE + 1) ** 2
GOALS = {"vgg16": (8, 4), "alexnet": (5, 1.7), "resnet18": (5, 1.5)}  # × captum's default, × its best
OTHERS = ("squeezenet1_1", "googlenet", "densenet121", "mobilenet_v2", "mini_alexnet", "mini_vgg")
BATCHES = (4, 8, 16, 32, 64)
SAMPLED = 64  # windows of a timed run of full passes, which take the same time for each window
SINGLE = 16  # the same for one window at a time


@torch.no_grad()
def full_passes(model: viz.Classifier, image: Tensor, *, places: Sequence[int], batch: int) -> Tensor:
    """Compute the logits with the window at some places, numbered row by row, by plain batching in channels last."""
    side, logits = (SIDE - WINDOW) // STRIDE + 1, []
    for first in range(0, len(places), batch):
        chosen = places[first : first + batch]
        pictures = image.repeat(len(chosen), 1, 1, 1).contiguous(memory_format=torch.channels_last)
        for picture, place in zip(pictures, chosen, strict=True):
            i, j = place // side * STRIDE, place % side * STRIDE
            picture[:, i : i + WINDOW, j : j + WINDOW] = model.mean
        logits.append(model(pictures)[:, TARGET])
    return torch.cat(logits)


class EnoughError(Exception):
    """Ends a run of captum once its time per window is known."""


def captum_per_window(model: viz.Classifier, image: Tensor, *, batch: int, count: int) -> float:
    """Time captum's occlusion, in seconds per window, on the first ``count`` windows."""
    ends: list[float] = []

    def score(pictures: Tensor) -> Tensor:
        logits = model(pictures)
        ends.append(time.perf_counter())
        if (len(ends) - 1) * batch >= count:  # the first call is for the picture itself
            raise EnoughError
        return logits

    shape, strides = (3, WINDOW, WINDOW), (3, STRIDE, STRIDE)
    options = {"target": TARGET, "baselines": model.mean[None], "perturbations_per_eval": batch}
    with suppress(EnoughError):
        Occlusion(score).attribute(image, shape, strides=strides, **options)
    return (ends[-1] - ends[0]) / ((len(ends) - 1) * batch)


def per_window(work: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / count


def times(model: viz.Classifier, image: Tensor, *, peers: bool, repeats: int = 2) -> dict[str, float]:
    """Time all in turns, so that other load affects all alike: seconds per window in the fastest of a few runs."""
    places = range(SAMPLED)
    work = {"ours": lambda: per_window(lambda: ours(model, image), POSITIONS)}
    if peers:
        work["captum 1"] = partial(captum_per_window, model, image, batch=1, count=SINGLE)
    for size in BATCHES if peers else ():
        work[f"captum {size}"] = partial(captum_per_window, model, image, batch=size, count=SAMPLED)
    for size in (8, 16, 32):
        passes = partial(full_passes, model, image, places=places, batch=size)
        work[f"full {size}"] = partial(per_window, passes, SAMPLED)
    rounds = [{name: measure() for name, measure in work.items()} for _ in range(repeats)]
    return {name: min(each[name] for each in rounds) for name in work}


def ours(model: viz.Classifier, image: Tensor) -> Tensor:
    return viz.occlusion(model, image, TARGET, window=WINDOW, stride=STRIDE, progress=False)


def rows(*, networks: Collection[str] = (*GOALS, *OTHERS)) -> Iterator[Row]:
    for name in networks:
        model = viz.load_model(name, weights="DEFAULT" if name.startswith("mini") else None)
        image = resize(model.prepare("cat"), (SIDE, SIDE)).clamp(0, 1)  # mini_vgg's own input is smaller
        places = range(0, POSITIONS, 11)
        with torch.no_grad():
            logits = model(image)[0]
            expected = logits[TARGET] - full_passes(model, image, places=places, batch=8)
        drops, flops = counted(lambda model=model, image=image: ours(model, image))
        error = (drops.flatten()[places.start :: places.step] - expected).abs().max() / logits.abs().max()
        yield Row(f"occlusion, {name}: difference from full passes / logit, × 1e-5", error.item() * 1e5, "≤", 1)
        yield from ratios(name, times(model, image, peers=name in GOALS), flops / POSITIONS)


def ratios(name: str, seconds: dict[str, float], flops: float) -> Iterator[Row]:
    """The ratios of the seconds for each window; ``flops`` are ours for each."""

    def best(prefix: str) -> float:
        return min(value for run, value in seconds.items() if run.startswith(prefix))

    def row(what: str, peer: float, limit: float) -> Row:
        what, ratio, most = f"occlusion, {name}: × {what}", peer / seconds["ours"], most_times(flops, peer)
        if limit > most:
            return near_the_ceiling(what, ratio, most)
        return Row(what, ratio, "≥", limit, ceiling=most)

    if name in GOALS:
        default, tuned = GOALS[name]
        yield row(f"captum, one window at a time ({SINGLE} of {POSITIONS} timed)", seconds["captum 1"], default)
        yield row(f"captum, its best batch ({SAMPLED} of {POSITIONS} timed)", best("captum"), tuned)
    yield row("full passes, best batch", best("full"), 1)
