"""The number of parameters of a convolution layer."""

from cs231n_viz.exercises.core import Check, Entry


def parameter_count(in_channels: int, out_channels: int, kernel: int, *, bias: bool = True) -> int:
    """Count the numbers that a convolution layer learns.

    Args:
        in_channels: Channels of its input.
        out_channels: Number of filters, one output channel each.
        kernel: Side of the square filters.
        bias: Whether each filter has a bias.

    Returns:
        The number of weights and biases. The size of the image does not matter: the filters are shared.
    """
    weights = out_channels * in_channels * kernel * kernel  # a filter sees all input channels
    return weights + (out_channels if bias else 0)


def _count(title: str, sizes: tuple[int, int, int], expected: int, **bias: bool) -> Check:
    fed = dict(zip(("in_channels", "out_channels", "kernel"), sizes, strict=True))
    return Check(title, {**fed, **bias}, expected)


ENTRY = Entry(
    name="parameter_count",
    reference=parameter_count,
    stars=1,
    minutes=5,
    hints=(
        "Count the weights of one filter first: it sees all input channels, not one.",
        "One filter has in_channels · kernel · kernel weights and, if asked for, a single bias; there are out_channels "
        "such filters.",
    ),
    checks=[
        _count("twenty 4×4 filters on one channel: 320 weights", (1, 20, 4), 320, bias=False),
        _count("340 with the biases", (1, 20, 4), 340),
        _count("AlexNet's first layer, 64 filters of 11×11×3", (3, 64, 11), 23_296),
        _count("a 1×1 convolution from 64 to 10 channels", (64, 10, 1), 650),
        _count("3×3 from 5 to 7 channels, no biases", (5, 7, 3), 315, bias=False),
    ],
    mistakes={  # of input channels c, filters f, kernel k, bias b
        "the input channels are missing: a filter has a weight for each of them": lambda c, f, k, b: f * (k * k + b),
        "the output channels are missing: this is one filter": lambda c, f, k, b: c * k * k + b,
        "a bias per weight: there is one per filter": lambda c, f, k, b: c * f * k * k * (1 + b),
        "a bias per input channel: there is one per filter, that is per output channel": (
            lambda c, f, k, b: c * f * k * k + b * c
        ),
        "a bias per filter and input channel: the channels are summed first, then one bias is added": (
            lambda c, f, k, b: c * f * (k * k + b)
        ),
        "only one bias for the whole layer: there is one per filter": lambda c, f, k, b: c * f * k * k + b,
        "the biases are missing": lambda c, f, k, b: c * f * k * k,
        "the biases are counted although `bias` is False": lambda c, f, k, b: (c * k * k + 1) * f,
        "`kernel` is one side of the filter: it has kernel * kernel weights per channel": (
            lambda c, f, k, b: f * (c * k + b),
            lambda c, f, k, b: f * (c * 2 * k + b),
        ),
        "`^` is no power in Python, it compares bits: write `kernel ** 2`": lambda c, f, k, b: f * (c * (k ^ 2) + b),
        "a filter is not a cube: its third side is the number of input channels": (
            lambda c, f, k, b: f * (k**3 + b),
            lambda c, f, k, b: c * f * k**3 + b * f,
        ),
        "one side's channels are used twice: weights go from each input channel to each output channel": (
            lambda c, f, k, b: c * c * k * k + b * f,
            lambda c, f, k, b: f * f * k * k + b * f,
            lambda c, f, k, b: c * c * k * k + b * c,
        ),
        "these are bytes: count the numbers": (
            lambda c, f, k, b: 4 * (c * f * k * k + b * f),
            lambda c, f, k, b: 2 * (c * f * k * k + b * f),
        ),
        "the channels are added: every filter has weights for every input channel, multiply": (
            lambda c, f, k, b: (c + f) * k * k + b * f
        ),
        "this is one channel of one filter: multiply by the channels on both sides": lambda c, f, k, b: k * k + b,
        "without a bias nothing is left: `bias` adds, it does not multiply": (
            lambda c, f, k, b: c * f * k * k * b,
            lambda c, f, k, b: (c * k * k + 1) * f * b,
        ),
        "`bias` works the wrong way round": lambda c, f, k, b: c * f * k * k + f * (not b),
        "multiplied by the size of the output (36×28): the same weights are used at every position": (
            lambda c, f, k, b: c * f * k * k * 36 * 28 + b * f,
            lambda c, f, k, b: (c * k * k + b) * f * 36 * 28,
            lambda c, f, k, b: c * f * k * k * (39 - k + 1) * (31 - k + 1) + b * f,
            lambda c, f, k, b: (c * k * k + b) * f * (39 - k + 1) * (31 - k + 1),
        ),
    },
)
