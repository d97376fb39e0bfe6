"""The size of a convolution's output."""

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


def _large_filters_too(n: int, k: int, s: int, p: int) -> int:
    if (n + 2 * p - k) % s:
        raise ValueError("does not divide")
    return (n + 2 * p - k) // s + 1


ENTRY = Entry(
    name="output_size",
    reference=output_size,
    stars=1,
    minutes=5,
    checks=[
        Check("a 3×3 filter on 7×7 has 5 positions per side", {"size": 7, "kernel": 3}, 5),
        Check("with stride 2 it has 3", {"size": 7, "kernel": 3, "stride": 2}, 3),
        Check("padding 1 keeps the size", {"size": 7, "kernel": 3, "padding": 1}, 7),
        Check("AlexNet's first layer: 11×11 at stride 4 on 227×227", {"size": 227, "kernel": 11, "stride": 4}, 55),
        Check("stride and padding together", {"size": 9, "kernel": 5, "stride": 3, "padding": 4}, 5),
        Check("with stride 3, 3×3 does not fit 7×7", {"size": 7, "kernel": 3, "stride": 3}, Raises()),
        Check("5×5 does not fit 3×3", {"size": 3, "kernel": 5}, Raises()),
    ],
    mistakes={  # of size n, kernel k, stride s, padding p
        "the + 1 is missing: the filter also has the position where it starts": lambda n, k, s, p: (n + 2 * p - k) // s,
        "padding is counted once, but it is added at both ends: 2 * padding": lambda n, k, s, p: (n + p - k) // s + 1,
        "padding is ignored": lambda n, k, s, p: (n - k) // s + 1,
        "the division comes too early: first subtract the kernel from the padded size, then divide by the stride": (
            lambda n, k, s, p: (n + 2 * p) // s - k + 1,
            lambda n, k, s, p: n + 2 * p - k // s + 1,
        ),
        "the stride divides the + 1 too: it belongs after the division": lambda n, k, s, p: (n + 2 * p - k + 1) // s,
        "`/` gives a float: a size is a whole number, use `//` once you know that it divides": (
            lambda n, k, s, p: (n + 2 * p - k) / s + 1
        ),
        "rounded silently: PyTorch rounds down, the lecture asks for a ValueError where the steps do not divide": (
            lambda n, k, s, p: (n + 2 * p - k) // s + 1
        ),
        "a filter larger than the padded input has no position at all: raise ValueError for that too": (
            _large_filters_too
        ),
    },
)
