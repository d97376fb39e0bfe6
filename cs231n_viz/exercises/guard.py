"""Call a student's function so that nothing it does takes the kernel, the checks or the libraries down with it."""

import builtins
import math
import operator
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType, ModuleType
from typing import Any, TextIO

import numpy as np
import torch

SECONDS = 30.0  # that all checks of an exercise may take together; the slowest right answer needs about one
CHARACTERS = 10_000  # that an answer may print: hundreds of lines, and yet a page that a browser can show

_OWNERS = (builtins, math, np, torch, torch.Tensor, torch.linalg, torch.nn.functional, torch.autograd)


class TimeUp(BaseException):
    """The time limit is over. Not an ``Exception``, so that an answer's ``except Exception`` does not swallow it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``TimeUp`` in the code below ``with`` once it has run for ``seconds``, and again until it ends.

    One operation of a library that lasts longer is stopped when it returns. Outside the main thread, and where the
    system has no timer signals (Windows), there is no limit. Python 3.10 looks for no signal, not even for Ctrl-C, in a
    loop that begins with ``try`` and calls nothing.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    tracer, open_ = sys.gettrace(), True
    outside = sys._getframe(2)  # which holds the ``with``; between it and this one stands contextlib

    def insist(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        if event == "line":
            raise TimeUp
        return insist if event == "exception" else None

    def end(_: int, frame: FrameType | None) -> None:
        if open_:
            # A bare `except:` in a loop would swallow this one; the next line that it runs raises a second, whichever
            # of the functions inside the ``with`` it stands in.
            sys.settrace(insist)
            while frame not in (None, outside):
                frame.f_trace, frame = insist, frame.f_back
            raise TimeUp

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), 0.05)
    try:
        yield
    finally:
        open_ = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.settrace(tracer)


@contextmanager
def little_output(characters: int = CHARACTERS) -> Iterator[None]:
    """Let the code below ``with`` print so much, then drop the rest after a line that says so."""
    out = _Bounded(sys.stdout, characters)
    with redirect_stdout(out), redirect_stderr(_Bounded(sys.stderr, characters)):
        yield


class Libraries:
    """What Python, NumPy, PyTorch and the checks are made of, to be put back where an answer has replaced it.

    Args:
        modules: More modules to look after, such as the one that holds the checks.
    """

    def __init__(self, modules: Sequence[ModuleType] = ()) -> None:
        self._before = [(owner, dict(vars(owner))) for owner in (*_OWNERS, *modules)]

    def mend(self) -> list[str]:
        """Put back what was replaced or deleted, and return its names, such as ``torch.allclose``."""
        return [f"{owner.__name__}.{name}" for owner, was in self._before for name in _mend(owner, was)]


def _mend(owner: Any, before: dict[str, Any]) -> list[str]:
    now, absent = vars(owner), object()
    if [*now] == [*before] and all(map(operator.is_, now.values(), before.values())):  # nearly always; some 5000 names
        return []
    # What IPython and the libraries set while they run (`_`, warning registries) begins with an underscore.
    replaced = [name for name, value in before.items() if now.get(name, absent) is not value and name[:1] != "_"]
    for name in replaced:
        setattr(owner, name, before[name])
    # A method set on a class hides that of its base.
    hiding = [name for name in now if name not in before and isinstance(owner, type) and hasattr(owner.__base__, name)]
    for name in hiding:
        delattr(owner, name)
    return replaced + hiding


class _Bounded:
    """A stream that takes a number of characters; everything else about it is as in the one below."""

    def __init__(self, stream: TextIO, room: int) -> None:
        self._stream, self._room, self._told = stream, room, False

    def write(self, text: str) -> int:
        self._stream.write(text[: self._room])
        if len(text) > self._room and not self._told:
            self._told = True
            self._stream.write("\n(what your function prints from here on is not shown)\n")
        self._room = max(self._room - len(text), 0)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
