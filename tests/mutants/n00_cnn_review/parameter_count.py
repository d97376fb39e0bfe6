from torch import nn

from tests.mutants import Answers

answers = Answers()


@answers.right
def asks_torch(in_channels, out_channels, kernel, *, bias=True):
    layer = nn.Conv2d(in_channels, out_channels, kernel, bias=bias)
    return sum(parameter.numel() for parameter in layer.parameters())


@answers.right
def filter_by_filter(in_channels, out_channels, kernel, *, bias=True):
    total = 0
    for _ in range(out_channels):
        total += in_channels * kernel**2
        if bias:
            total += 1
    return total


@answers.right
def in_one_line(in_channels, out_channels, kernel, bias=True):
    return (in_channels * kernel * kernel + int(bias)) * out_channels


@answers.wrong("the input channels are missing")
def no_input_channels(in_channels, out_channels, kernel, *, bias=True):
    weights = kernel * kernel * out_channels
    return weights + out_channels if bias else weights


@answers.wrong("the output channels are missing")
def one_filter(in_channels, out_channels, kernel, *, bias=True):
    weights = kernel * kernel * in_channels
    return weights + 1 if bias else weights


@answers.wrong("a bias per weight")
def bias_per_weight(in_channels, out_channels, kernel, *, bias=True):
    weights = kernel * kernel * in_channels * out_channels
    return weights * 2 if bias else weights


@answers.wrong("a bias per input channel")
def bias_per_input(in_channels, out_channels, kernel, *, bias=True):
    weights = kernel * kernel * in_channels * out_channels
    return weights + in_channels if bias else weights


@answers.wrong("a bias per filter and input channel")
def bias_per_slice(in_channels, out_channels, kernel, *, bias=True):
    slices = in_channels * out_channels
    return slices * kernel * kernel + (slices if bias else 0)


@answers.wrong("only one bias")
def one_bias(in_channels, out_channels, kernel, *, bias=True):
    return kernel * kernel * in_channels * out_channels + (1 if bias else 0)


@answers.wrong("the biases are missing")
def no_biases(in_channels, out_channels, kernel, *, bias=True):
    return kernel * kernel * in_channels * out_channels


@answers.wrong("although `bias` is False")
def always_biases(in_channels, out_channels, kernel, *, bias=True):
    return (kernel * kernel * in_channels + 1) * out_channels


@answers.wrong("`kernel` is one side")
def kernel_not_squared(in_channels, out_channels, kernel, *, bias=True):
    weights = kernel * in_channels * out_channels
    return weights + (out_channels if bias else 0)


@answers.wrong("the size of the output")
def a_filter_per_place(in_channels, out_channels, kernel, *, bias=True):
    positions = (39 - kernel + 1) * (31 - kernel + 1)
    return positions * kernel * kernel * in_channels * out_channels + (out_channels if bias else 0)


@answers.wrong("`kernel` is one side")
def sides_added(in_channels, out_channels, kernel, *, bias=True):
    return (in_channels * (kernel + kernel) + bias) * out_channels


@answers.wrong("a filter is not a cube")
def cubes(in_channels, out_channels, kernel, *, bias=True):
    return out_channels * kernel**3 + (out_channels if bias else 0)


@answers.wrong("the channels are added")
def channels_added(in_channels, out_channels, kernel, *, bias=True):
    return kernel**2 * (in_channels + out_channels) + (out_channels if bias else 0)


@answers.wrong("one channel of one filter")
def one_slice(in_channels, out_channels, kernel, *, bias=True):
    return kernel * kernel + int(bias)


@answers.wrong("`bias` adds")
def multiplied_by_the_flag(in_channels, out_channels, kernel, *, bias=True):
    return in_channels * out_channels * kernel * kernel * bias


@answers.wrong("the wrong way round")
def inverted_flag(in_channels, out_channels, kernel, *, bias=True):
    weights = kernel * kernel * in_channels * out_channels
    return weights if bias else weights + out_channels


@answers.wrong("but as float")
def a_float(in_channels, out_channels, kernel, *, bias=True):
    return float(kernel * kernel * in_channels * out_channels + bias * out_channels)


@answers.wrong("a tuple came out")
def two_numbers(in_channels, out_channels, kernel, *, bias=True):
    return kernel * kernel * in_channels * out_channels, bias * out_channels


@answers.wrong("one side's channels are used twice")
def in_times_in(in_channels, out_channels, kernel, *, bias=True):
    return in_channels**2 * kernel**2 + (out_channels if bias else 0)


@answers.wrong("these are bytes")
def bytes_of_float32(in_channels, out_channels, kernel, *, bias=True):
    return 4 * in_one_line(in_channels, out_channels, kernel, bias)


@answers.wrong("`^` is no power")
def caret(in_channels, out_channels, kernel, *, bias=True):
    weights = (kernel ^ 2) * in_channels * out_channels
    return weights + out_channels if bias else weights
