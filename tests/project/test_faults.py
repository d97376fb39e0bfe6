"""A full disk, a console of ASCII, no home, no memory, two writers: one clear sentence each, and nothing half done."""

import multiprocessing
import os
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

import cs231n_viz as viz
from cs231n_viz import writing
from cs231n_viz.style.fast import FastStyle, save_fast_style
from cs231n_viz.style.transfer import Schedule
from tests.networks import small_classifier

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
IMAGE = torch.rand(3, 64, 64)


def indexed(folder):
    return viz.top_patches(
        small_classifier(), viz.Gallery.digits().subset(range(6)), "relu1", k=2, index=folder / "i", progress=False
    )


SAVES = {
    "picture": lambda folder: viz.save_png(IMAGE, folder / "a.png", {}),
    "animation": lambda folder: viz.save_animation([IMAGE, IMAGE], folder / "a.gif"),
    "style network": lambda folder: save_fast_style(FastStyle(["a"]), folder / "a.safetensors"),
    "index": indexed,
}


def in_child(function, *arguments):
    """Call a function in a child; returns what it raised, as text."""
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def run():
        try:
            function(*arguments)
            sender.send("nothing")
        except BaseException as error:
            sender.send(f"{type(error).__name__}: {error}")

    torch.set_num_threads(1)
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    assert receiver.poll(60)
    said = receiver.recv()
    process.join()
    return said


@needs_fork
@pytest.mark.parametrize("kind", SAVES)
def test_a_full_disk_is_said_in_one_sentence_and_the_old_file_stays(kind, tmp_path):
    SAVES[kind](tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    if kind == "index":  # one that is there would be read
        tmp_path, before = tmp_path / "new", {}
        tmp_path.mkdir()

    def save():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        SAVES[kind](tmp_path)

    said = in_child(save)
    assert "was not saved: File too large" in said
    assert "\n" not in said
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", SAVES)
def test_a_folder_that_takes_no_files_is_said_in_one_sentence(kind, tmp_path, monkeypatch):
    def refuse(path, data):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(writing.Path, "write_bytes", refuse)
    with pytest.raises(PermissionError, match="was not saved: Permission denied"):
        SAVES[kind](tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_fork
def test_processes_that_write_one_index_at_once_are_both_right(tmp_path):
    wanted = indexed(tmp_path / "alone")
    fork = multiprocessing.get_context("fork")
    torch.set_num_threads(1)
    processes = [fork.Process(target=indexed, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert torch.equal(indexed(tmp_path).values, wanted.values)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "i"]


@pytest.mark.slow
def test_no_home_no_temporary_folder_and_ascii_only(tmp_path):
    """Networks that ship load, and a report is printed, wherever Python itself starts."""
    code = (
        "import cs231n_viz as viz; from cs231n_viz import exercises as e; viz.load_model('mini_vgg').predict('cat');"
        "e._say('right \\u2605 \\u2713'); print(viz.load_plate('classes').name)"
    )
    environment = {
        "PYTHONIOENCODING": "ascii",
        "LANG": "C",
        "LC_ALL": "C",
        "TMPDIR": "/nowhere",
        "OMP_NUM_THREADS": "1",
    }
    environment |= {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "right ? ?\nclasses\n"


def test_a_report_is_printed_on_a_console_of_ascii(monkeypatch):
    import io

    from cs231n_viz import exercises

    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", console)
    exercises._say("right \u2605")
    console.flush()
    assert console.buffer.getvalue() == b"right ?\n"


def test_a_size_that_memory_cannot_hold_is_refused_at_once():
    model = viz.load_model("mini_vgg", weights=None)
    start = time.process_time()
    with pytest.raises(ValueError, match=r"would take about .* GB, and .* may be used; the largest that fits"):
        viz.stylize(model, IMAGE, IMAGE, schedule=Schedule(size=80_000, scales=2), progress=False)
    assert time.process_time() - start < 5  # seconds; the smaller of the two sizes alone would take minutes


def test_a_failed_allocation_is_not_taken_for_a_size_too_small(monkeypatch):
    from cs231n_viz.network import layers

    def fail(*_):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(layers, "activations", fail)
    with pytest.raises(RuntimeError, match="not enough memory"):
        layers.survives(small_classifier(), ["relu1"], (48, 48))


class NoModules(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, images):
        return self.fc(torch.relu(self.conv(images)).mean((2, 3)))


def test_a_network_without_modules_for_its_relus_asks_for_layers():
    model = viz.wrap(NoModules(), ["a", "b"], input_size=32)
    with pytest.raises(ValueError, match=r"NoModules has no nn\.ReLU .* name the layers yourself, such as conv"):
        viz.stylize(model, IMAGE, IMAGE, progress=False)


def test_what_other_processes_left_is_removed_and_what_they_write_is_not(tmp_path):
    own = writing.own_part(tmp_path / "a.png")
    dead = own.with_name(own.name.replace(f"-{os.getpid()}-", "-999999999-"))
    for path in (own, dead, tmp_path / ".a.png.part", tmp_path / ".notes"):
        path.write_bytes(b"half")
    viz.save_png(IMAGE, tmp_path / "b.png", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([own.name, ".a.png.part", ".notes", "b.png"])
