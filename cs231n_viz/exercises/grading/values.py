"""What an answer returned or raised, as text that can be read without running anything of it (unlike pickle)."""

import base64
import builtins
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cs231n_viz.exercises import fixtures, guard

LARGEST = 8_000_000  # bytes of one tensor; the largest that an exercise expects has some thousand
LONGEST = 2_000  # characters of a message or of a foreign object
_DTYPES = {str(dtype): dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)}
_OWN_ERRORS = {"TimeUp": guard.TimeUp, "LostGraph": fixtures.LostGraph}


class Foreign:
    """Stands for an object that no exercise asks for: equal to nothing, shown as it showed itself."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


def encode(value: Any) -> Any:
    """Turn a value into what JSON can hold; an object of no known kind becomes what it looks like."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    try:
        if isinstance(value, Tensor):
            return _encode_tensor(value)
        if isinstance(value, np.ndarray | np.generic):
            return _encode_array(value)
        if isinstance(value, dict):
            return {"dict": [[encode(key), encode(one)] for key, one in value.items()]}
        for name, container in (("list", list), ("tuple", tuple), ("set", set)):
            if isinstance(value, container):
                return {name: [encode(one) for one in value]}
    except (RuntimeError, TypeError, ValueError, NotImplementedError):  # quantized, on no device, ...
        pass
    return {"foreign": _shown(value)}


def decode(text: Any) -> Any:
    """The value of a text of ``encode``.

    Raises:
        ValueError: If it is no such text.
    """
    if not isinstance(text, dict):
        return text
    try:
        ((kind, content),) = text.items()
        if kind == "dict":
            return {decode(key): decode(value) for key, value in content}
        if kind in ("list", "tuple", "set"):
            return getattr(builtins, kind)(map(decode, content))
        if kind == "foreign":
            return Foreign(str(content)[:LONGEST])
        return {"tensor": _decode_tensor, "array": _decode_array}[kind](content)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ValueError(f"not a value that an answer returned: {error}") from None


def encode_error(error: BaseException) -> dict[str, Any]:
    """Kind, bases and message of an error."""
    first = error.args[0] if isinstance(error, KeyError) and error.args else error  # str(KeyError) adds quotes
    return {"kinds": [kind.__name__ for kind in type(error).__mro__][:20], "message": _text(first)[:LONGEST]}


def decode_error(text: Mapping[str, Any]) -> BaseException:
    """An error of the same name and message, derived from the built-in class that it was derived from."""
    kinds = [str(kind)[:80] for kind in text["kinds"]]
    known = {**vars(builtins), **_OWN_ERRORS}
    bases = (known[kind] for kind in kinds if isinstance(known.get(kind), type))
    base = next((kind for kind in bases if issubclass(kind, BaseException)), Exception)
    exact = base if base.__name__ == kinds[0] else type(kinds[0], (base,), {})
    try:
        return exact(str(text["message"]))
    except TypeError:  # UnicodeDecodeError and its like want more than a message
        return exact.__new__(exact, str(text["message"]))


def _encode_tensor(value: Tensor) -> dict[str, Any]:
    whole = value.detach().cpu().to_dense().resolve_conj().resolve_neg().contiguous()
    if whole.nbytes > LARGEST:
        return {"foreign": f"a tensor of shape {tuple(whole.shape)}, more than any exercise asks for"}
    data = whole.flatten().view(torch.uint8).numpy().tobytes() if whole.numel() else b""
    return {"tensor": [str(whole.dtype), list(whole.shape), base64.b64encode(data).decode()]}


def _decode_tensor(content: Any) -> Tensor:
    dtype, shape, data = content
    raw = bytearray(base64.b64decode(data))
    return (torch.frombuffer(raw, dtype=_DTYPES[dtype]) if raw else torch.empty(0, dtype=_DTYPES[dtype])).reshape(shape)


def _encode_array(value: Any) -> dict[str, Any]:
    if value.dtype.kind not in "biufc" or value.nbytes > LARGEST:
        return {"foreign": _shown(value)}
    data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return {"array": [value.dtype.str, list(value.shape), data, isinstance(value, np.generic)]}


def _decode_array(content: Any) -> Any:
    kind, shape, data, is_number = content
    dtype = np.dtype(str(kind))
    if dtype.kind not in "biufc":
        raise ValueError(f"no array of {dtype}")
    array = np.frombuffer(base64.b64decode(data), dtype=dtype).reshape(shape)
    return array[()] if is_number else array


def _shown(value: Any) -> str:
    return f"{type(value).__name__}: {_text(value)}"[:LONGEST]


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # written by a student, may raise anything
        return f"(cannot be shown: {type(error).__name__})"
