import math

import numpy as np

from tests.mutants import Answers

answers = Answers()


@answers.right
def divmod_tells_both(size, *, kernel, stride=1, padding=0):
    steps, rest = divmod(size - kernel + 2 * padding, stride)
    if rest or steps < 0:
        raise ValueError("does not fit")
    return steps + 1


@answers.right
def counts_the_places(size, *, kernel, stride=1, padding=0):
    total = padding + size + padding
    positions = [start for start in range(0, total, stride) if start + kernel <= total]
    if not positions or positions[-1] + kernel != total:
        raise ValueError(f"{kernel} at stride {stride} leaves a rest")
    return len(positions)


@answers.right
def true_division_checked(size, kernel, stride=1, padding=0):
    result = (size + 2 * padding - kernel) / stride + 1
    if result != int(result) or result < 1:
        raise ValueError(result)
    return int(result)


@answers.right
def in_numpy(size, *, kernel, stride=1, padding=0):
    starts = np.arange(size + 2 * padding - kernel + 1)
    if starts.size == 0 or starts[-1] % stride:
        raise ValueError("does not fit")
    return np.int64(starts[::stride].size)


@answers.wrong("the + 1 is missing")
def forgets_the_one(size, *, kernel, stride=1, padding=0):
    room = size - kernel + 2 * padding
    if room < 0 or room % stride != 0:
        raise ValueError
    return int(room / stride)


@answers.wrong("the + 1 is missing")
def forgets_the_one_and_gives_a_float(size, *, kernel, stride=1, padding=0):
    return (size - kernel + 2 * padding) / stride


@answers.wrong("counted once")
def padding_once(size, *, kernel, stride=1, padding=0):
    if (size - kernel + padding) % stride:
        raise ValueError
    return 1 + (size - kernel + padding) // stride


@answers.wrong("padding is ignored")
def no_padding(size, *, kernel, stride=1, padding=0):
    room = size - kernel
    if room < 0 or room % stride:
        raise ValueError
    return room // stride + 1


@answers.wrong("division comes too early")
def divides_before_subtracting(size, *, kernel, stride=1, padding=0):
    return math.floor((size + 2 * padding) / stride) - kernel + 1


@answers.wrong("division comes too early")
def parentheses_forgotten(size, *, kernel, stride=1, padding=0):
    return size + 2 * padding - kernel // stride + 1


@answers.wrong("the stride divides the + 1")
def one_inside_the_fraction(size, *, kernel, stride=1, padding=0):
    return int((size + 2 * padding - kernel + 1) / stride)


@answers.wrong("`/` gives a float")
def gives_a_float(size, *, kernel, stride=1, padding=0):
    result = (size + 2 * padding - kernel) / stride + 1
    if result % 1 or result < 1:
        raise ValueError
    return result


@answers.wrong("rounded silently")
def rounds_down(size, *, kernel, stride=1, padding=0):
    return math.floor((size + 2 * padding - kernel) / stride + 1)


@answers.wrong("rounded silently")
def rounds_down_but_refuses_large_filters(size, *, kernel, stride=1, padding=0):
    if kernel > size + 2 * padding:
        raise ValueError
    return (size + 2 * padding - kernel) // stride + 1


@answers.wrong("larger than the padded input")
def negative_sizes(size, *, kernel, stride=1, padding=0):
    room = size + 2 * padding - kernel
    if room % stride != 0:
        raise ValueError(room)
    return room // stride + 1


@answers.wrong("rounded silently")
def rounds_up(size, *, kernel, stride=1, padding=0):
    return math.ceil((size + 2 * padding - kernel) / stride) + 1


@answers.wrong("padding is subtracted")
def minus_padding(size, *, kernel, stride=1, padding=0):
    room = size - kernel - 2 * padding
    return room // stride + 1


@answers.wrong("counted in pixels")
def padding_in_steps(size, *, kernel, stride=1, padding=0):
    return (size - kernel) // stride + 2 * padding + 1


@answers.wrong("only right where it is odd")
def twice_the_half(size, *, kernel, stride=1, padding=0):
    return (size + 2 * padding - 2 * (kernel // 2) - 1) // stride + 1


@answers.wrong("the room of the filter")
def divides_the_size(size, *, kernel, stride=1, padding=0):
    if size % stride or kernel > size + 2 * padding:
        raise ValueError("does not divide")
    return (size + 2 * padding - kernel) // stride + 1


@answers.wrong("compared with the image")
def compared_before_padding(size, *, kernel, stride=1, padding=0):
    if kernel > size:
        raise ValueError("the filter is too large")
    steps, rest = divmod(size - kernel + 2 * padding, stride)
    if rest:
        raise ValueError("the steps do not divide")
    return steps + 1


@answers.wrong("a filter that just fits is refused")
def needs_room(size, *, kernel, stride=1, padding=0):
    room = size - kernel + 2 * padding
    if room <= 0 or room % stride:
        raise ValueError
    return room // stride + 1


@answers.wrong("`assert` raises")
def asserts(size, *, kernel, stride=1, padding=0):
    room = size - kernel + 2 * padding
    assert room >= 0, "too large"
    assert room % stride == 0, "does not divide"
    return room // stride + 1


@answers.wrong("None came out")
def only_where_it_fits(size, *, kernel, stride=1, padding=0):
    room = size - kernel + 2 * padding
    if room >= 0 and room % stride == 0:
        return room // stride + 1


@answers.wrong("a value came out where an error")
def returns_a_message(size, *, kernel, stride=1, padding=0):
    room = size - kernel + 2 * padding
    return "invalid" if room < 0 or room % stride else room // stride + 1


@answers.wrong("a sensible layer is refused")
def wide_borders_refused(size, *, kernel, stride=1, padding=0):
    room = size - kernel + 2 * padding
    if padding >= kernel or room < 0 or room % stride:
        raise ValueError
    return room // stride + 1


@answers.wrong("a sensible layer is refused")
def even_filters_refused(size, *, kernel, stride=1, padding=0):
    room = size - kernel + 2 * padding
    if kernel % 2 == 0 or room < 0 or room % stride:
        raise ValueError
    return room // stride + 1


@answers.wrong("1 is subtracted")
def one_less(size, *, kernel, stride=1, padding=0):
    return int((size + 2 * padding - kernel) / stride) - 1


@answers.wrong("the kernel loses a pixel")
def two_ones(size, *, kernel, stride=1, padding=0):
    return (size + 2 * padding - (kernel - 1)) // stride + 1


@answers.wrong("counted four times")
def padding_doubled_twice(size, *, kernel, stride=1, padding=0):
    both_ends = 2 * padding
    return (size + 2 * both_ends - kernel) // stride + 1


@answers.wrong("positions in the plane")
def area(size, *, kernel, stride=1, padding=0):
    return divmod_tells_both(size, kernel=kernel, stride=stride, padding=padding) ** 2


@answers.wrong("larger than the padded input")
def only_a_negative_result_refused(size, *, kernel, stride=1, padding=0):
    result = (size + 2 * padding - kernel) / stride + 1
    if result < 0 or result != round(result):
        raise ValueError(result)
    return round(result)
