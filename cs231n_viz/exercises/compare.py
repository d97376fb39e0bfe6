"""Compare values, and describe their difference in words. Nothing here knows about exercises."""

import math
import operator
from collections.abc import Iterable, Sequence
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


def change(after: Any, before: Any) -> str | None:
    """Name what of an argument is not as it was, or None.

    "values", "requires_grad", and of a network "requires_grad of parameters", "gradient" or "mode".
    """
    if isinstance(before, Tensor):
        if not equal(after, before) or after.dtype != before.dtype:
            return "values"
        return "requires_grad" if after.requires_grad != before.requires_grad else None
    if isinstance(before, nn.Module):
        return _change_of_network(after, before)
    if isinstance(before, dict):
        return "values" if after.keys() != before.keys() else _first(change(after[k], before[k]) for k in before)
    if isinstance(before, list | tuple):
        return "values" if len(after) != len(before) else _first(map(change, after, before))
    plain = isinstance(before, int | float | str | np.ndarray)
    return "values" if plain and not equal(after, before) else None


def describe(got: Any, expected: Any) -> str:
    """Describe the difference between a value and the expected one, for mistakes that are not listed."""
    if got is None:
        return "nothing came out (None): did you forget `return`?"
    if isinstance(expected, Tensor):
        return _describe_tensor(got, expected)
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return _describe_number(got, expected)
    if isinstance(expected, list | tuple):
        return _describe_sequence(got, expected)
    return f"{got!r:.60} came out, {expected!r:.60} was expected"


def _describe_sequence(got: Any, expected: Sequence[Any]) -> str:
    if not isinstance(got, list | tuple):
        return f"one {type(got).__name__} came out, {len(expected)} values were expected (return them as a tuple)"
    if len(got) != len(expected):
        return f"{len(got)} values came out, {len(expected)} were expected"
    wrong = next(i for i, (left, right) in enumerate(zip(got, expected, strict=True)) if not equal(left, right))
    return f"value {wrong + 1} of {len(expected)}: {describe(got[wrong], expected[wrong])}"


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
        (_times(factor), factor * expected),
        (f"every value is off by {offset:.4g}", expected + offset),
    ]
    for words, guess in guesses:
        if equal(got, guess):
            return words
    gap = (got - expected).abs()
    where = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
    return f"{int((gap > TOLERANCE).sum())} of {gap.numel()} values differ, most at index {where}, by {gap.max():.4g}"


def _times(factor: float) -> str:
    if f"{factor:.4g}" == "1":
        return (
            f"nearly right: every value is {1 + (factor - 1):.7g} times the expected one; is a small number added to "
            "a denominator, or something rounded?"
        )
    return f"every value is {factor:.4g} times the expected one"


def _describe_shape(got: Tensor, expected: Tensor) -> str:
    shapes = f"the shape is {tuple(got.shape)}, {tuple(expected.shape)} was expected"
    if got.squeeze().shape == expected.squeeze().shape:
        return f"{shapes}: an axis of length 1 too many or too few"
    if sorted(got.shape) == sorted(expected.shape):
        return f"{shapes}: the axes are in another order"
    return shapes


def _close(got: Any, expected: Any) -> bool:
    left, right = (torch.as_tensor(value).detach().cpu().to_dense() for value in (got, expected))
    if left.dtype == right.dtype and torch.equal(left, right):  # most often, and then much the faster
        return True
    left, right = left.to(torch.complex128), right.to(torch.complex128)
    return torch.allclose(left, right, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


def _whole(value: Any) -> bool:
    try:
        operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return True


def _change_of_network(after: nn.Module, before: nn.Module) -> str | None:
    if not _same_items(after.state_dict(), before.state_dict()):
        return "values"
    if not _same_items(*({n: p.requires_grad for n, p in net.named_parameters()} for net in (after, before))):
        return "requires_grad of parameters"
    if not _same_items(*({n: p.grad for n, p in net.named_parameters()} for net in (after, before))):
        return "gradient"
    return None if [m.training for m in after.modules()] == [m.training for m in before.modules()] else "mode"


def _same_items(after: dict[str, Any], before: dict[str, Any]) -> bool:
    return after.keys() == before.keys() and equal(after, before)


def _first(changes: Iterable[str | None]) -> str | None:
    return next((how for how in changes if how), None)
