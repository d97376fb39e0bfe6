"""Run code that nobody has read yet: in a process of its own, with limits, and with nothing in reach worth harming.

Everywhere (Linux and macOS): limits on processor time, memory, processes and the size of files; an empty working
directory; nothing to read from, output thrown away; no sockets in Python. Where Linux allows it, also namespaces: no
network at all, the file system read-only, the hand-ins hidden, no process in sight that could be stopped. As root, the
code runs as ``nobody``, who may read what root may read.
"""

import ctypes
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import psutil

NOBODY = 65534
_CLONE = 0x00020000 | 0x08000000 | 0x20000000 | 0x40000000  # new namespaces: mounts, IPC, processes, network
_CLONE_USER = 0x10000000
_MOUNT_SETATTR, _HERE, _RECURSIVE, _READ_ONLY, _PRIVATE = 442, -100, 0x8000, 1, 1 << 18
_KEEP_RIGHTS, _NO_NEW_RIGHTS, _READ_ANYTHING = 8, 38, 1 << 2
_DONE, _OUT_OF_TIME, _BY_SIGNAL = 97, 99, 100  # exit codes: the work was done, it was stopped, killed by a signal


@dataclass(frozen=True)
class Limits:
    """What an answer may take.

    Attributes:
        seconds: Until it is killed, clock time.
        memory: Bytes on top of what Python and PyTorch take.
        sent: Bytes that it may send back.
        files: Bytes of one file.
        hidden: Folders that it must not see, where the system can hide them.
    """

    seconds: float = 70
    memory: int = 2 << 30
    sent: int = 64_000_000
    files: int = 16_000_000
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Ended:
    """What came back from the sandbox, and how the code in it ended: "" if it ran to its end, else in words."""

    sent: bytes
    how: str


def run_apart(work: Callable[[int], None], limits: Limits) -> Ended:
    """Call ``work(pipe)`` in a process of its own, and collect what it writes to the pipe.

    Args:
        work: What is run; nothing that it does reaches this process.
        limits: What it may take.
    """
    folder = Path(tempfile.mkdtemp(prefix="answer-"))
    limits = replace(limits, memory=limits.memory + psutil.Process().memory_info().vms)
    reading, writing = os.pipe()
    has_namespaces()  # tried here, not in a process that the limits hold for
    keeper = os.fork()
    if keeper == 0:
        _keep(work, writing, folder, limits)  # never returns
    os.close(writing)
    try:
        sent, complete = _receive(reading, limits)
    except BaseException:  # an interrupt
        complete = False
        raise
    finally:
        if not complete:
            os.kill(keeper, signal.SIGTERM)
        code = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
        os.close(reading)
        shutil.rmtree(folder, ignore_errors=True)
    return Ended(sent, _in_words(code) if complete else "it sent more than any answer can have to say")


def _receive(reading: int, limits: Limits) -> tuple[bytes, bool]:
    """All that is sent until the other side ends, and whether that is not too much."""
    parts, size, end = [], 0, time.monotonic() + limits.seconds + 10  # the keeper stops it long before
    while size <= limits.sent and select.select([reading], [], [], max(end - time.monotonic(), 0))[0]:
        part = os.read(reading, 1 << 16)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        size += len(part)
    return b"".join(parts)[: limits.sent], False


def _in_words(code: int) -> str:
    if code == _DONE:
        return ""
    if code == _OUT_OF_TIME:
        return "it was stopped: its time was over"
    if code > _BY_SIGNAL:
        return f"it was killed ({signal.Signals(code - _BY_SIGNAL).name}): too much time or memory, or a crash"
    return "it ended the process (as os._exit does)"


def _keep(work: Callable[[int], None], writing: int, folder: Path, limits: Limits) -> None:
    """In the second process, which never runs the code: start the third one, stop it in time, say how it ended."""
    code = 1
    try:
        _silence(writing)
        if os.getuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        if has_namespaces():
            _separate(folder, limits.hidden)
        answer = os.fork()
        if answer == 0:
            _answer(work, writing, folder, limits)
        os.close(writing)
        code = _await(answer, limits.seconds)
    finally:
        os._exit(code)


def _await(answer: int, seconds: float) -> int:
    """Wait for a process, or kill it when its time is over or this one is told to end."""
    over = []

    def stop(*_: object) -> None:
        over.append(True)
        os.kill(answer, signal.SIGKILL)

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    code = os.waitstatus_to_exitcode(os.waitpid(answer, 0)[1])
    return _OUT_OF_TIME if over else _BY_SIGNAL - code if code < 0 else min(code, _DONE)


def _answer(work: Callable[[int], None], writing: int, folder: Path, limits: Limits) -> None:
    """In the third process: give up what is not needed, then run the code."""
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(folder)
        os.environ.update(HOME=str(folder), TMPDIR=str(folder))
        tempfile.tempdir = None  # asks for TMPDIR again
        _limit(limits)
        _give_up_rights()
        _no_sockets()
        work(writing)
        code = _DONE
    finally:
        os._exit(code)


def _silence(writing: int) -> None:
    """Leave open nothing but the pipe; read from and write to nowhere."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.closerange(3, writing)
    os.closerange(writing + 1, 4096)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in ((0, "r"), (1, "w"), (2, "w")))
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def _limit(limits: Limits) -> None:
    for name, value in (
        ("RLIMIT_AS", limits.memory),
        ("RLIMIT_CPU", int(limits.seconds) + 1),
        ("RLIMIT_FSIZE", limits.files),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NPROC", 0),  # no process and no thread of its own
    ):
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (ValueError, OSError):  # macOS knows some of them and does not keep to all
            continue


def _no_sockets() -> None:
    """Where the system has no namespaces, Python's own way to the network is closed at least."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("there is no network while answers are graded")

    for name in ("socket", "create_connection", "socketpair", "getaddrinfo", "fromfd"):
        setattr(socket, name, refuse)


@cache
def has_namespaces() -> bool:
    """Does this system let us separate an answer from network, files and other processes? Tried once, in a process."""
    if not sys.platform.startswith("linux"):
        return False
    trial = os.fork()
    if trial == 0:
        code = 1
        try:
            _separate(Path(tempfile.gettempdir()), ())
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(trial, 0)[1] == 0


def _separate(folder: Path, hidden: Sequence[Path]) -> None:
    """Enter new namespaces, in which only ``folder`` can be written to; OSError where Linux does not let us."""
    user, group, root = os.getuid(), os.getgid(), os.getuid() == 0
    _call("unshare", _CLONE | (0 if root else _CLONE_USER))
    if not root:
        for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            handle = os.open(f"/proc/self/{name}", os.O_WRONLY)
            os.write(handle, line.encode())
            os.close(handle)
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY, 0, _PRIVATE, 0)  # for this process and its children alone
    _call("syscall", _MOUNT_SETATTR, _HERE, b"/", _RECURSIVE, attributes, ctypes.sizeof(attributes))
    for place in hidden:
        if place.is_dir() and not folder.is_relative_to(place):
            _call("mount", b"none", os.fsencode(place), b"tmpfs", _READ_ONLY, b"size=4k")
    _call("mount", b"none", os.fsencode(folder), b"tmpfs", 0, b"size=64m,mode=1777")


def _give_up_rights() -> None:
    """Keep none of the rights of root but to read, as Python may lie in its home; get none by another program."""
    linux, root = sys.platform.startswith("linux"), os.getuid() == 0
    if linux:
        _call("prctl", _KEEP_RIGHTS, 1, 0, 0, 0)
        _call("prctl", _NO_NEW_RIGHTS, 1, 0, 0, 0)
    if root:
        with suppress(OSError):  # a container may know no other user
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
    if linux:
        kept = _READ_ANYTHING if root else 0
        _call("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(kept, kept))


def _call(function: str, *arguments: object) -> None:
    """Call the C library; OSError if it says no."""
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")
