"""A minute's part of ``python -m benchmarks.fuzz``, pictures made to fill the memory, and strange folders."""

import os
import sys
import zlib

import pytest
from PIL import Image

import cs231n_viz as viz

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads what a process used from /proc")


@linux
def test_mutated_pictures_are_pictures_or_image_errors():
    from benchmarks import fuzz

    counts, wrong = fuzz.pictures(range(250))
    assert wrong == []
    assert counts["picture"] + counts["refused"] == 250
    assert min(counts["picture"], counts["refused"]) >= 25  # the mutations are neither harmless nor fatal


@linux
def test_killed_processes_leave_nothing_half_written():
    from benchmarks import fuzz

    counts, wrong = fuzz.kills(8)
    assert wrong == []
    assert sum(counts.values()) == 8


@linux
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_a_small_file_that_fills_the_memory_is_refused(kind, tmp_path):
    from benchmarks import fuzz

    Image.new("L", (4000, 4000)).save(tmp_path / "bomb", kind, **({"lossless": True} if kind == "WEBP" else {}))
    data = (tmp_path / "bomb").read_bytes()
    assert len(data) < 16_000
    assert fuzz.read(data) == "refused"
    with pytest.raises(viz.ImageError, match=r"16\.0 megapixels in \d+ bytes"):
        viz.load_image(tmp_path / "bomb")


def test_settings_that_fill_the_memory_are_refused(tmp_path):
    path = viz.save_png(viz.load_image("cat")[:, :8, :8], tmp_path / "a.png", {"a": 1})
    text = b"cs231n_viz\0\0" + zlib.compress(b"[" * 100_000_000, 9)
    chunk = len(text).to_bytes(4, "big") + b"zTXt" + text + zlib.crc32(b"zTXt" + text).to_bytes(4, "big")
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])
    with pytest.raises(ValueError, match="damaged"):
        viz.read_settings(path)


def picture(path, colour="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path, "PNG")


@pytest.fixture
def folder(tmp_path):
    picture(tmp_path / "shown/cat/1.png")
    picture(tmp_path / "elsewhere/secret.png")
    return tmp_path / "shown"


def test_no_link_leads_out_of_a_folder_unless_asked_for(folder):
    (folder / "cat/2.png").symlink_to(folder.parent / "elsewhere/secret.png")
    (folder / "cat/3.png").symlink_to(folder / "cat/1.png")  # stays inside
    (folder / "dog").symlink_to(folder.parent / "elsewhere")
    (folder / "cat/deeper").symlink_to("/")
    gallery = viz.Gallery.folder(folder)
    assert gallery.names == ["cat/1.png", "cat/3.png"]
    assert sorted(os.path.relpath(path, folder) for path, _ in gallery.skipped) == ["cat/2.png", "cat/deeper", "dog"]
    assert all("follow_links=True" in reason for _, reason in gallery.skipped)
    (folder / "cat/deeper").unlink()
    gallery = viz.Gallery.folder(folder, follow_links=True)
    assert gallery.names == ["cat/1.png", "cat/2.png", "cat/3.png", "dog/secret.png"]


@pytest.mark.parametrize("follow", [False, True])
def test_circles_of_links_end(folder, follow):
    (folder / "cat/again").symlink_to(folder)
    (folder / "round").symlink_to(folder)
    (folder / "cat/self").symlink_to(folder / "cat/self")
    gallery = viz.Gallery.folder(folder, follow_links=follow)
    assert gallery.names == ["cat/1.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_names_that_are_no_text_spoil_nothing(folder):
    for name in (b"caf\xe9.png", b"two\nlines.png", b"<b>.png", b"-rf.png", b"\xff\xfe"):
        picture(folder / "cat" / os.fsdecode(name))
    picture(folder / os.fsdecode(b"gar\xe7on") / "1.png")
    gallery = viz.Gallery.folder(folder)
    assert len(gallery) == 7
    assert len([image for image, _ in gallery]) == 7
    "".join([*gallery.names, *gallery.categories, gallery.key]).encode()  # as a notebook will
    assert "caf\ufffd.png" in "".join(gallery.names)
    assert viz.Gallery.folder(folder).key == gallery.key


@pytest.mark.slow
def test_twenty_thousand_files(folder):
    data = (folder / "cat/1.png").read_bytes()
    for number in range(20_000):
        (folder / f"cat/{number}.png").write_bytes(data if number % 2 else data[:20])
    gallery = viz.Gallery.folder(folder)
    assert (len(gallery), len(gallery.skipped)) == (10_000, 10_000)
