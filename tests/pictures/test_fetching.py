"""Downloads from a server on this machine that breaks off, sends wrong bytes, or cannot send a range."""

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cs231n_viz.pictures.fetching import Archive, fetch


def tar_gz(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


FILES = {"pets/a.jpg": os.urandom(300_000), "pets/list.txt": b"a 1", "elsewhere/b.jpg": b"not wanted"}
DATA = tar_gz(FILES)


@dataclass
class Server:
    """What it sends, and what it was asked for: the first byte of each request."""

    url: str = ""
    data: bytes = DATA
    stops_after: int | None = None  # bytes of an answer, after which the connection breaks
    ranges: bool = True
    asked: list[int] = field(default_factory=list)


@pytest.fixture
def server():
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            state.asked.append(first)
            if first >= len(state.data) and state.ranges:
                self.send_error(416)
                return
            partial = bool(first) and state.ranges
            body = state.data[first:] if partial else state.data
            self.send_response(206 if partial else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.stops_after])

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_port}/pets.tar.gz"
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def archive(server) -> Archive:
    return Archive(server.url, hashlib.md5(DATA).hexdigest(), "oxford/pets")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


WANTED = {f"oxford/{name}": data for name, data in FILES.items() if name.startswith("pets/")}


def test_the_folder_that_is_wanted_lies_in_place_and_nothing_else_is_left(archive, server, tmp_path, capfd):
    fetch(archive, tmp_path / "new")
    assert contents(tmp_path / "new") == WANTED
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["oxford"]
    assert "pets.tar.gz" in capfd.readouterr().err  # the progress bar says what it is about


def test_what_is_in_place_is_not_asked_for_again(archive, server, tmp_path):
    fetch(archive, tmp_path)
    fetch(archive, tmp_path)
    assert server.asked == [0]


def test_a_broken_download_goes_on_where_it_stopped(archive, server, tmp_path):
    server.stops_after = 100_000
    for _ in range(2):
        with pytest.raises(ConnectionError, match="the connection broke after"):
            fetch(archive, tmp_path)
        assert not (tmp_path / "oxford").exists()
    server.stops_after = None
    fetch(archive, tmp_path)
    assert server.asked == [0, 100_000, 200_000]
    assert contents(tmp_path) == WANTED


def test_a_server_without_ranges_sends_it_all_again(archive, server, tmp_path):
    server.ranges, server.stops_after = False, 100_000
    with pytest.raises(ConnectionError):
        fetch(archive, tmp_path)
    server.stops_after = None
    fetch(archive, tmp_path)
    assert contents(tmp_path) == WANTED


def test_wrong_bytes_are_removed_and_the_next_call_starts_over(archive, server, tmp_path):
    server.data = bytes([DATA[0]]) + DATA[:0:-1]
    with pytest.raises(OSError, match=r"pets\.tar\.gz arrived with a wrong checksum and was removed"):
        fetch(archive, tmp_path)
    assert contents(tmp_path) == {}
    server.data = DATA
    fetch(archive, tmp_path)
    assert server.asked == [0, 0]
    assert contents(tmp_path) == WANTED


@pytest.mark.parametrize("left", [DATA, os.urandom(len(DATA))], ids=["right", "wrong"])
def test_a_part_that_lacks_nothing_is_checked(left, archive, server, tmp_path):
    """As when the process ended after the last byte, before the file had its name."""
    (tmp_path / "pets.tar.gz.part").write_bytes(left)
    if left != DATA:
        with pytest.raises(OSError, match="wrong checksum"):
            fetch(archive, tmp_path)
    fetch(archive, tmp_path)
    assert contents(tmp_path) == WANTED
    assert server.asked == [len(DATA)] + ([0] if left != DATA else [])


def test_an_interrupted_unpacking_is_done_again_without_a_download(archive, server, tmp_path):
    (tmp_path / "pets.tar.gz").write_bytes(DATA)
    (tmp_path / "pets.tar.gz.unpacking/pets").mkdir(parents=True)
    (tmp_path / "pets.tar.gz.unpacking/pets/half.jpg").touch()
    fetch(archive, tmp_path)
    assert contents(tmp_path) == WANTED
    assert server.asked == []


def test_a_file_that_is_gone_and_a_server_that_is_gone_are_errors(archive, server, tmp_path):
    with pytest.raises(OSError, match="refused"):
        fetch(replace(archive, url="http://127.0.0.1:9/pets.tar.gz"), tmp_path)
    server.data = b""  # "range not satisfiable", without a part that would explain it
    with pytest.raises(OSError, match="416"):
        fetch(archive, tmp_path)
    assert contents(tmp_path) == {}


def test_an_archive_within_the_archive(server, tmp_path):
    inner = tar_gz({"101/ant/1.jpg": b"ant"})
    server.data = zip_of({"caltech/101.tar.gz": inner, "__MACOSX/caltech/._101.tar.gz": b"no archive"})
    md5 = hashlib.md5(server.data).hexdigest()
    url = server.url.replace("pets.tar.gz", "caltech.zip")
    fetch(Archive(url, md5, "caltech101/101", inner="caltech/101.tar.gz"), tmp_path)
    assert contents(tmp_path) == {"caltech101/101/ant/1.jpg": b"ant"}
