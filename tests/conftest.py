import os
import sys
from pathlib import Path

# Before torch. Threads that spin slow down what runs beside them; several test processes share the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # also of the kernels and servers that a test starts

import pytest
import torch
from torch import nn


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pytest_configure(config):
    torch.set_num_threads(1 if hasattr(config, "workerinput") else usable_cores())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Several processes take whole files, in order: the long ones go first, so that none is left alone with one."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(
            key=lambda item: (item.path.parent.name != "browser", item.path.suffix != ".ipynb", item.path not in slow)
        )


def pytest_terminal_summary(terminalreporter):
    """A table of exercises × answers, where the answers of tests/mutants were tried."""
    counts = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            _, _, test = report.nodeid.partition("test_answers.py::test_a_")
            kind, _, case = test.partition("[")
            if case and report.when == "call":
                key = case.partition("-")[0], "wrong" if kind.startswith("wrong") else "right", outcome
                counts[key] = counts.get(key, 0) + 1
    if counts:
        terminalreporter.section("answers to the exercises")
        terminalreporter.line(f"{'':26}wrong: named / tried    right: accepted / tried")
        for name in dict.fromkeys(name for name, *_ in counts):
            good = {kind: counts.get((name, kind, "passed"), 0) for kind in ("wrong", "right")}
            tried = {kind: good[kind] + counts.get((name, kind, "failed"), 0) for kind in good}
            shown = [f"{good[kind]:12} / {tried[kind]}" for kind in good]
            terminalreporter.line(f"{name:26}{shown[0]:24}{shown[1]}")


@pytest.fixture(autouse=True)
def reproducible():
    """Start every test from the same seed, and leave no figure behind."""
    torch.manual_seed(0)
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def one_thread():
    """For tiny networks: on busy cores, waiting for a second thread takes a hundred times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_cnn() -> nn.Sequential:
    """Small enough to follow by hand: (N, 1, 6, 6) -> (N, 3), with an in-place ReLU as real networks have it."""
    return nn.Sequential(
        nn.Conv2d(1, 2, kernel_size=3),  # (N, 2, 4, 4)
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),  # (N, 2, 2, 2)
        nn.Flatten(),
        nn.Linear(8, 3),
    ).eval()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """The folder of unpacked data sets, for the tests that need more photographs than the packages bring."""
    folder = os.environ.get("CS231N_VIZ_PICTURES")
    if not folder:
        pytest.skip("CS231N_VIZ_PICTURES is not set: needs a folder with caltech101/, imagenette2-160/, weights/ ...")
    return Path(folder)
