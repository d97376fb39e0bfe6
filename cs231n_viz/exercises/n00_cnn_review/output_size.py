"""The size of a convolution's output."""

import math
from collections.abc import Callable

from cs231n_viz.exercises.core import Check, Entry, Raises


def output_size(size: int, *, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Count the positions of a filter along one axis.

    Args:
        size: Length of the input along this axis.
        kernel: Length of the filter.
        stride: Steps from one position to the next.
        padding: Zeros added at either end.

    Returns:
        The length of the output, a whole number.

    Raises:
        ValueError: If the filter does not fit: larger than the padded input, or the steps do not divide the rest.
    """
    room = size + 2 * padding - kernel  # how far the filter can move
    if room < 0 or room % stride:
        raise ValueError(f"a filter of {kernel} at stride {stride} does not fit {size} + 2 * {padding}")
    return room // stride + 1


def _refuses(test: Callable[[int, int, int, int], bool], *, padded: bool = True) -> Callable[..., int]:
    """An answer that raises ValueError by a test of its own."""

    def answer(n: int, k: int, s: int, p: int) -> int:
        if test(n, k, s, p):
            raise ValueError("does not fit")
        return (n + 2 * p * padded - k) // s + 1

    return answer


def _asserts(n: int, k: int, s: int, p: int) -> int:
    room = n + 2 * p - k
    if room < 0 or room % s:
        raise AssertionError
    return room // s + 1


def _silent(n: int, k: int, s: int, p: int) -> int | None:
    room = n + 2 * p - k
    return None if room < 0 or room % s else room // s + 1


def _large_filters_too(n: int, k: int, s: int, p: int) -> int:
    if (n + 2 * p - k) % s:
        raise ValueError("does not divide")
    return (n + 2 * p - k) // s + 1


ENTRY = Entry(
    name="output_size",
    reference=output_size,
    stars=1,
    minutes=5,
    hints=(
        "How many pixels further can the filter move from where it starts? And is the start itself a position?",
        "The room is size + 2·padding - kernel. Raise ValueError if it is negative or if `%` by the stride leaves a "
        "rest; otherwise divide it by the stride with `//` and add 1.",
    ),
    checks=[
        Check("a 3×3 filter on 7×7 has 5 positions per side", {"size": 7, "kernel": 3}, 5),
        Check("with stride 2 it has 3", {"size": 7, "kernel": 3, "stride": 2}, 3),
        Check("padding 1 keeps the size", {"size": 7, "kernel": 3, "padding": 1}, 7),
        Check("AlexNet's first layer: 11×11 at stride 4 on 227×227", {"size": 227, "kernel": 11, "stride": 4}, 55),
        Check("stride and padding together", {"size": 9, "kernel": 5, "stride": 3, "padding": 4}, 5),
        Check("a window of 2 at stride 2, as in pooling", {"size": 6, "kernel": 2, "stride": 2}, 3),
        Check("a filter as large as the input has one position", {"size": 4, "kernel": 4}, 1),
        Check("one larger than the image fits the padded one", {"size": 3, "kernel": 4, "padding": 1}, 2),
        Check("a border as wide as the filter", {"size": 3, "kernel": 2, "padding": 2}, 6),
        Check("with stride 3, 3×3 does not fit 7×7", {"size": 7, "kernel": 3, "stride": 3}, Raises()),
        Check("5×5 does not fit 3×3", {"size": 3, "kernel": 5}, Raises()),
        Check("nor does 4×4", {"size": 3, "kernel": 4}, Raises()),
    ],
    mistakes={  # of size n, kernel k, stride s, padding p
        "the + 1 is missing: the filter also has the position where it starts": lambda n, k, s, p: (n + 2 * p - k) // s,
        "padding is counted once, but it is added at both ends: 2 * padding": lambda n, k, s, p: (n + p - k) // s + 1,
        "padding is ignored": (
            lambda n, k, s, p: (n - k) // s + 1,
            _refuses(lambda n, k, s, p: k > n or (n - k) % s != 0, padded=False),
        ),
        "the division comes too early: first subtract the kernel from the padded size, then divide by the stride": (
            lambda n, k, s, p: (n + 2 * p) // s - k + 1,
            lambda n, k, s, p: n + 2 * p - k // s + 1,
        ),
        "the stride divides the + 1 too: it belongs after the division": lambda n, k, s, p: (n + 2 * p - k + 1) // s,
        "`/` gives a float: a size is a whole number, use `//` once you know that it divides": (
            lambda n, k, s, p: (n + 2 * p - k) / s + 1
        ),
        "rounded silently: PyTorch rounds down, the lecture asks for a ValueError where the steps do not divide": (
            lambda n, k, s, p: (n + 2 * p - k) // s + 1,
            lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1,
        ),
        "padding is subtracted: it makes the input longer": lambda n, k, s, p: (n - 2 * p - k) // s + 1,
        "padding is multiplied by the stride: it is counted in pixels": lambda n, k, s, p: (n + 2 * p * s - k) // s + 1,
        "twice half the filter is only right where it is odd: subtract the kernel itself": (
            lambda n, k, s, p: (n + 2 * p - 2 * (k // 2) - 1) // s + 1,
            lambda n, k, s, p: (n + 2 * p - 2 * (k // 2)) // s,
        ),
        "ValueError is raised where the stride does not divide the size: it has to divide the room of the filter": (
            _refuses(lambda n, k, s, p: n % s != 0),
            _refuses(lambda n, k, s, p: (n + 2 * p) % s != 0),
            _refuses(lambda n, k, s, p: n % s != 0 or k > n + 2 * p),
        ),
        "the filter is compared with the image: it has to fit the padded one, size + 2 * padding": (
            _refuses(lambda n, k, s, p: k > n or (n + 2 * p - k) % s != 0),
        ),
        "a filter that just fits is refused: with no room at all there is one position": (
            _refuses(lambda n, k, s, p: k >= n + 2 * p or (n + 2 * p - k) % s != 0),
            _refuses(lambda n, k, s, p: k >= n or (n + 2 * p - k) % s != 0),
        ),
        "a sensible layer is refused: only two things do not fit, too large a filter and steps that leave a rest": (
            _refuses(lambda n, k, s, p: p >= k or k > n + 2 * p or (n + 2 * p - k) % s != 0),
            _refuses(lambda n, k, s, p: k % 2 == 0 or k > n + 2 * p or (n + 2 * p - k) % s != 0),
            _refuses(lambda n, k, s, p: s >= k or k > n + 2 * p or (n + 2 * p - k) % s != 0),
        ),
        "1 is subtracted: the position where the filter starts is one more": lambda n, k, s, p: (
            (n + 2 * p - k) // s - 1
        ),
        "the kernel loses a pixel: the room is size + 2 * padding - kernel, and the + 1 comes after the division": (
            lambda n, k, s, p: (n + 2 * p - k + 1) // s + 1
        ),
        "padding is counted four times: `padding` is what either end gets": lambda n, k, s, p: (n + 4 * p - k) // s + 1,
        "this is the number of positions in the plane: one axis was asked for": (
            lambda n, k, s, p: ((n + 2 * p - k) // s + 1) ** 2
        ),
        "`assert` raises an AssertionError: ValueError was asked for": _asserts,
        "None came out where the filter does not fit: `raise ValueError(...)`": _silent,
        "a filter larger than the padded input has no position at all: raise ValueError for that too": (
            _large_filters_too,
            _refuses(lambda n, k, s, p: (n + 2 * p - k) // s + 1 < 0 or (n + 2 * p - k) % s != 0),
        ),
    },
)
