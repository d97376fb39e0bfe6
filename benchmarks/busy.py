"""Time attributions beside one process that keeps a core busy, against the same alone."""

import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import torch

import cs231n_viz as viz
from benchmarks.row import Row, fastest_seconds

ROUNDS, REPEATS = 3, 5
LIMIT = 2.5  # a notebook's budget, too


@contextmanager
def busy_process() -> Iterator[None]:
    """One that computes until the end of the block; it has begun when the block begins."""
    code = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            yield
        finally:
            process.kill()


def slower(work: Callable[[], object]) -> float:
    """How many times longer the work takes, the fastest run of each, alone and beside it in turns."""
    work()
    alone, beside = [], []
    for _ in range(ROUNDS):
        alone.append(fastest_seconds(work, repeats=REPEATS))
        with busy_process():
            beside.append(fastest_seconds(work, repeats=REPEATS))
    return min(beside) / min(alone)


def rows(*, networks: Collection[str] = ("mini_alexnet", "mini_vgg")) -> Iterator[Row]:
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for name in networks:
        model = viz.load_model(name)
        works = {
            "saliency": lambda model=model: viz.saliency(model, images, 3),
            "LRP": lambda model=model: viz.lrp(model, images, 3, "gamma"),
        }
        for method, work in works.items():
            yield Row(f"{method}, {name}: beside one busy process, × its time alone", slower(work), "≤", LIMIT)
