"""Compare values, and describe their difference in words. Nothing here knows about exercises."""

import math
import operator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TOLERANCE = 1e-5  # relative and absolute: loose enough for float32, tight enough for every mistake


def equal(got: Any, expected: Any) -> bool:
    """Does a value equal the expected one, in kind, shape and value?

    Args:
        got: What a function returned; anything.
        expected: Tensor, array, number, bool, string, or a tuple, list or dict of these.

    Returns:
        True if ``got`` may stand for ``expected``. A whole number is expected as one (5.0 is not 5); where a tensor
        is expected the dtype is free, the shape is not, and NaN equals NaN.
    """
    if isinstance(expected, Tensor):
        return isinstance(got, Tensor) and got.shape == expected.shape and _close(got, expected)
    if isinstance(expected, np.ndarray):
        return isinstance(got, np.ndarray) and got.shape == expected.shape and _close(got, expected)
    if isinstance(expected, dict):
        return isinstance(got, dict) and got.keys() == expected.keys() and all(equal(got[k], expected[k]) for k in got)
    if isinstance(expected, list | tuple):
        same_length = isinstance(got, list | tuple) and len(got) == len(expected)
        return same_length and all(map(equal, got, expected))
    if isinstance(expected, bool) or not isinstance(expected, int | float):
        return type(got) is type(expected) and bool(got == expected)
    if isinstance(expected, int):
        return _whole(got) and operator.index(got) == expected
    return same_number(got, expected)


def same_number(got: Any, expected: Any) -> bool:
    """Are both numbers, whole or not, and of the same value?"""
    left, right = number(got), number(expected)
    if left is None or right is None:
        return False
    return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (left != left and right != right)


def number(value: Any) -> float | None:
    """The value as a float, if it is a real number or an array of one; else None."""
    if value is None or isinstance(value, str | bytes):
        return None
    try:
        return float(value.detach() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def unchanged(after: Any, before: Any) -> bool:
    """Is an argument still as it was: values, ``requires_grad``, and for a network also its mode and ``.grad``?"""
    if isinstance(before, Tensor):
        return equal(after, before) and after.dtype == before.dtype and after.requires_grad == before.requires_grad
    if isinstance(before, nn.Module):
        return _state(after).keys() == _state(before).keys() and equal(_state(after), _state(before))
    if isinstance(before, dict):
        return after.keys() == before.keys() and all(unchanged(after[key], before[key]) for key in before)
    if isinstance(before, list | tuple):
        return len(after) == len(before) and all(map(unchanged, after, before))
    return equal(after, before) if isinstance(before, int | float | str | np.ndarray) else True


def describe(got: Any, expected: Any) -> str:
    """Describe the difference between a value and the expected one, for mistakes that are not listed."""
    if got is None:
        return "nothing came out (None): did you forget `return`?"
    if isinstance(expected, Tensor):
        return _describe_tensor(got, expected)
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return _describe_number(got, expected)
    return "another value was expected"


def _describe_number(got: Any, expected: float) -> str:
    value = number(got)
    if value is None:
        return f"a {type(got).__name__} came out, a number was expected"
    if math.isnan(value):
        return "NaN came out: was something divided by zero?"
    if same_number(value, expected):
        return f"the value is right, but as {type(got).__name__}: a whole number (int) was expected"
    if same_number(value, -expected):
        return "the sign is flipped"
    return f"too {'large' if value > expected else 'small'} by {abs(value - expected):.4g}"


def _describe_tensor(got: Any, expected: Tensor) -> str:
    if not isinstance(got, Tensor):
        return f"a {type(got).__module__}.{type(got).__name__} came out, a torch.Tensor was expected"
    if got.is_complex() or got.is_sparse:
        return "a complex or sparse tensor came out, an ordinary one was expected"
    if got.shape != expected.shape:
        return _describe_shape(got, expected)
    got, expected = got.detach().cpu().double(), expected.detach().cpu().double()
    if not got.isfinite().all():
        return "NaN or infinity came out: was something divided by zero?"
    if not got.any():
        return "only zeros came out"
    factor = ((got * expected).sum() / expected.square().sum().clamp_min(1e-30)).item()
    offset = (got - expected).mean()
    guesses = [
        ("the sign is flipped", -expected),
        *[(f"axis {axis} runs backwards", expected.flip(axis)) for axis in range(expected.ndim)],
        *([("the last two axes are swapped", expected.mT)] if expected.ndim > 1 else []),
        (f"every value is {factor:.4g} times the expected one", factor * expected),
        (f"every value is off by {offset:.4g}", expected + offset),
    ]
    for words, guess in guesses:
        if equal(got, guess):
            return words
    gap = (got - expected).abs()
    where = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
    return f"{int((gap > TOLERANCE).sum())} of {gap.numel()} values differ, most at index {where}, by {gap.max():.4g}"


def _describe_shape(got: Tensor, expected: Tensor) -> str:
    shapes = f"the shape is {tuple(got.shape)}, {tuple(expected.shape)} was expected"
    if got.squeeze().shape == expected.squeeze().shape:
        return f"{shapes}: an axis of length 1 too many or too few"
    if sorted(got.shape) == sorted(expected.shape):
        return f"{shapes}: the axes are in another order"
    return shapes


def _close(got: Any, expected: Any) -> bool:
    left, right = (torch.as_tensor(value).detach().cpu().to_dense().to(torch.complex128) for value in (got, expected))
    return torch.allclose(left, right, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


def _whole(value: Any) -> bool:
    try:
        operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return True


def _state(module: nn.Module) -> dict[str, Any]:
    modes: dict[str, Any] = {f"{name}.training": part.training for name, part in module.named_modules()}
    grads = {f"{name}.grad": p.grad for name, p in module.named_parameters()}
    flags = {f"{name}.requires_grad": p.requires_grad for name, p in module.named_parameters()}
    return {**modes, **grads, **flags, **module.state_dict()}
