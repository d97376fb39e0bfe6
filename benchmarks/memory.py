"""Measure what stays in memory of every main method and explorer: ``python -m benchmarks.memory [name …]``.

Each runs 200 times (an explorer is moved 50 times) on a small network, after a few runs that fill caches. Tensors are
counted before Python's collector has run: what hangs in reference cycles counts. A table in Markdown is printed; the
process returns 1 if anything grew.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle

import torch
import traitlets

import cs231n_viz as viz
from benchmarks.explorers import explorers, settings
from cs231n_viz import explore
from tests.growth import Growth, growth
from tests.network.test_any_model import ALL, classifier, pictures

MOVES = 50


def methods() -> dict[str, Callable[[], object]]:
    """Every main method on a small network."""
    model, images = classifier(), pictures()
    bank, sample = viz.RandomFilters((3, 5), filters=8), images[:1]
    styles, rows = viz.load_fast_style(), torch.rand(30, 8)
    quiet = {"progress": False}
    others = {
        "lrp_layers": lambda: viz.lrp_layers(model, images, 1, ["5"]),
        "synthesize_texture": lambda: viz.synthesize_texture(bank, sample, size=32, steps=3, **quiet).image,
        "efros_leung": lambda: viz.efros_leung(sample[0, :, :16, :16], size=20, window=5, **quiet),
        "quilt": lambda: viz.quilt(sample[0], size=48, block=16, **quiet),
        "fast_style": lambda: styles(sample, torch.eye(len(styles.styles))[0]),
        "embed": lambda: viz.embed(rows, "pca"),
        "nearest": lambda: viz.nearest(rows[:2], rows, k=3),
    }
    return {name: lambda method=method: method(model, images) for name, method in ALL.items()} | others


def moves(explorer: explore.Explorer) -> Callable[[], None]:
    """What moves one control of an explorer after the other, by one step at each call."""
    steps = cycle([(control, value) for control in explorer.controls.values() for value in settings(control)])

    def move() -> None:
        control, value = next(steps)
        with suppress(traitlets.TraitError):  # a control may offer something else once another one has moved
            control.value = value[1] if isinstance(value, tuple) else value
        if explorer.error is not None:
            raise RuntimeError(f"{control.description} = {value!r}: {explorer.error}")

    return move


def measured(names: list[str]) -> Iterator[tuple[str, Growth]]:
    """Measure methods and explorers by name, all if there are none."""
    for name, run in methods().items():
        if not names or name in names:
            yield name, growth(run)
    for name, build in explorers().items():
        if not names or f"explore.{name}" in names:
            move = moves(build())
            for _ in range(2 * MOVES):  # explorers keep the last maps of each setting
                move()
            yield f"explore.{name}", growth(move, MOVES)


def main() -> int:
    """Print a table, one row for each; return 1 if something grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help="all methods and explorers if omitted")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print("| what | runs | tensors | objects | MB | flat |\n|---|---:|---:|---:|---:|---|")
    grown = 0
    for name, found in measured(parser.parse_args().names):
        grown += not found.flat
        numbers = f"{found.runs} | {found.tensors} | {found.objects} | {found.megabytes:+.1f}"
        print(f"| {name} | {numbers} | {'yes' if found.flat else '**no**'} |", flush=True)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
