"""Files that are damaged, crafted or something else: each is refused with the promised error, and runs nothing."""

import json
import multiprocessing
import os
import shutil
import socket
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import save_file

import cs231n_viz as viz
from cs231n_viz.data_files import data_path
from cs231n_viz.network import shipped
from cs231n_viz.pictures import fetching, plates
from cs231n_viz.pictures.saving import KEY, read_settings
from cs231n_viz.style.fast import load_fast_style
from cs231n_viz.synthesis.generator import load_generator
from tests.networks import small_classifier


def folder(path):
    path.mkdir()


def bare(path):
    save_file({"a": torch.zeros(2)}, path)


def with_styles(text):
    return lambda path: save_file({"a": torch.zeros(2)}, path, metadata={"styles": text})


FILES = {
    "a folder": folder,
    "no file": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(data_path("weights", "fast_style.safetensors").read_bytes()[:5000]),
    "huge header": lambda path: path.write_bytes(b"\xff" * 8 + b"{}"),
    "no metadata": bare,
    "null": with_styles("null"),
    "numbers": with_styles("[1, 2]"),
    "no JSON": with_styles("[["),
    "nested": with_styles("[" * 100_000),
    "other weights": with_styles('["a"]'),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_weights_that_is_something_else_is_a_weights_error(kind, tmp_path):
    for suffix in (".safetensors", ".pth"):
        path = tmp_path / f"w{suffix}"
        FILES[kind](path)
        for load in (load_fast_style, load_generator, lambda path: viz.load_model("mini_vgg", weights=path)):
            with pytest.raises(viz.WeightsError, match=r"w\.|these weights are not for"):
                load(path)


@pytest.mark.parametrize("path", ["\0", "../../etc/passwd\0.pth", "x" * 5000])
def test_a_path_that_cannot_be_one_is_a_weights_error(path):
    with pytest.raises(viz.WeightsError, match="weights file"):
        viz.load_model("mini_vgg", weights=path)


@pytest.mark.parametrize("name", ["../mini_vgg", "/etc/passwd", "mini_vgg\0", "..", ""])
def test_names_are_no_paths(name):
    with pytest.raises(ValueError, match="there is no model"):
        viz.load_model(name)
    for load in (viz.load_painting, viz.load_plate):
        with pytest.raises(viz.ImageError, match=r"no painting|no plate"):
            load(name)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"x"', "[" * 100_000, None])
def test_damaged_checksums_are_a_weights_error(text, tmp_path, monkeypatch):
    shutil.copytree(data_path("weights"), tmp_path / "weights")
    sums = tmp_path / "weights/sha256.json"
    sums.unlink() if text is None else sums.write_text(text)
    monkeypatch.setattr(shipped, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(viz.WeightsError, match=r"sha256|checksums.*git checkout data/weights"):
        viz.load_model("mini_vgg")


@pytest.mark.parametrize("file", ["sha256.json", "captions.json"])
@pytest.mark.parametrize("text", ["", "null", "[]", '{"classes.jpg": 3, "classes": 3}'])
def test_damaged_lists_of_plates_are_an_image_error(file, text, tmp_path, monkeypatch):
    shutil.copytree(data_path("plates"), tmp_path / "plates")
    (tmp_path / "plates" / file).write_text(text)
    monkeypatch.setattr(plates, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    with pytest.raises(viz.ImageError, match=r"damaged|caption"):
        viz.load_plate("classes")


@pytest.mark.parametrize("text", ["{", "[]", "null", "[" * 100_000, "1" * 5000, "\x00"])
def test_damaged_settings_in_a_picture_are_an_error_that_says_so(text, tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(KEY, text)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=chunks)
    with pytest.raises(ValueError, match=r"the settings in .* are damaged"):
        read_settings(tmp_path / "a.png")


def test_an_index_with_one_byte_flipped_is_refused_wherever_it_is(tmp_path):
    torch.manual_seed(0)
    model, gallery = small_classifier(["a", "b"]), viz.Gallery.digits().subset(range(12))
    layer, path = next(entry.name for entry in model.layers() if len(entry.shape) == 3), tmp_path / "index"
    viz.top_patches(model, gallery, layer, k=3, index=path, progress=False)
    whole = path.read_bytes()
    viz.load_patches(path, model, gallery, layer)
    for place in [*range(0, len(whole), max(1, len(whole) // 60)), len(whole) - 1]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(viz.StaleIndexError):
            viz.load_patches(path, model, gallery, layer)
    for header in ([], None, 3):
        tensors = {name: torch.zeros(2, 3, dtype=torch.long) for name in ("values", "image_index", "cells")}
        save_file(tensors, path, metadata={"header": json.dumps(header), "done": "12"})
        with pytest.raises(viz.StaleIndexError, match=r"not an index|made with model"):
            viz.load_patches(path, model, gallery, layer)


@contextmanager
def raw_server(answer, hold=0.0):
    """A server that sends these bytes, whatever it is asked, and keeps the connection open for a while."""
    listening, done = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve():
        while not done.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
                done.wait(hold)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/w-0123abcd.pth"
    finally:
        done.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "checkpoints"


ANSWERS = {
    "nothing": b"",
    "no HTTP": b"\x00\xff garbage\r\n\r\n",
    "HTTP of sorts": b"HTTP/9.9 abc\r\n\r\n",
    "long line": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "no number of bytes": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nbytes",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbytes",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "a long way round": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "a file of this machine": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_server_that_sends_garbage_is_a_weights_error_and_leaves_no_file(answer, cache):
    with raw_server(ANSWERS[answer]) as url, pytest.raises(viz.WeightsError, match="could not be downloaded"):
        shipped.fetch("some_network", SimpleNamespace(url=url))
    assert [path.name for path in cache.iterdir() if not path.name.endswith(".pth.part")] == []


def test_a_download_without_a_byte_ends_and_says_so(cache, monkeypatch):
    monkeypatch.setattr(fetching, "_TIMEOUT", 0.3)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
    with raw_server(answer, hold=20) as url, pytest.raises(viz.WeightsError, match=r"no byte for 0\.3 seconds"):
        shipped.fetch("some_network", SimpleNamespace(url=url))
    assert (cache / "w-0123abcd.pth.part").read_bytes() == b"half"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_downloads_leave_one_part_at_most_which_the_next_goes_on_with(cache):
    cache.mkdir()
    fork = multiprocessing.get_context("fork")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"h" * 700_000
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + answer[-300_000:], hold=60) as url:
        for _ in range(2):
            process = fork.Process(target=fetching.download, args=(url, cache / "w.pth", bool))
            process.start()
            while not any(path.stat().st_size for path in cache.glob(".w.pth.*.part") if str(process.pid) in path.name):
                assert process.is_alive()
            process.kill()
            process.join()
        assert len(list(cache.iterdir())) == 1
    (left,) = cache.iterdir()
    with raw_server(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nend") as url:
        had = left.read_bytes()
        fetching.download(url, cache / "w.pth", lambda file: True)
    assert (cache / "w.pth").read_bytes() == had + b"end"
    assert [path.name for path in cache.iterdir()] == ["w.pth"]
