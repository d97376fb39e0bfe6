"""The pixels that one unit can see."""

from collections.abc import Callable, Sequence

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import ALEXNET


def receptive_field_box(
    layers: Sequence[tuple[int, int, int]], row: int, col: int, *, image_size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Find the receptive field of one unit: the box of pixels that it can see.

    Args:
        layers: (kernel, stride, padding) of each layer, from the image upwards.
        row: Row of the unit in the map of the last layer.
        col: Its column.
        image_size: (height, width) of the image.

    Returns:
        (top, left, bottom, right), half-open: the unit sees ``image[:, top:bottom, left:right]`` and nothing else.
    """
    edges = []
    for unit, size in zip((row, col), image_size, strict=True):
        sizes = [size]
        for kernel, stride, padding in layers:
            sizes.append((sizes[-1] + 2 * padding - kernel) // stride + 1)
        first = last = unit
        for (kernel, stride, padding), below in zip(reversed(layers), reversed(sizes[:-1]), strict=True):
            first = max(first * stride - padding, 0)  # in the padding of a layer there is nothing to see
            last = min(last * stride - padding + kernel - 1, below - 1)
        edges.append((first, last + 1))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right


Layers = Sequence[tuple[int, int, int]]
Box = tuple[int, int, int, int]


def _field(layers: Layers, *, early: bool = False, previous: bool = False) -> tuple[int, int, int]:
    """(size, stride, offset) of the fields, padding included, with the mistakes that can be made on the way."""
    size, jump, offset = 1, 1, 0
    for kernel, stride, padding in layers:
        step = jump * stride if early else jump
        size += (kernel - 1) * step
        offset -= padding * jump
        jump = stride if previous else jump * stride
    return size, jump, offset


def _unclipped(
    layers: Layers, row: int, col: int, field: Callable[[Layers], tuple[int, int, int]] = _field
) -> tuple[int, int, int, int]:
    size, stride, offset = field(layers)
    top, left = offset + row * stride, offset + col * stride
    return top, left, top + size, left + size


def _clipped(box: Box, image_size: tuple[int, int]) -> Box:
    height, width = image_size
    top, left, bottom, right = box
    return max(top, 0), max(left, 0), min(bottom, height), min(right, width)


def _with_field(field: Callable[[Layers], tuple[int, int, int]]) -> Callable[..., Box]:
    return lambda layers, row, col, image_size: _clipped(_unclipped(layers, row, col, field), image_size)


def _after(change: Callable[[int, int, int, int], tuple[int, ...]]) -> Callable[..., tuple[int, ...]]:
    return lambda layers, row, col, image_size: change(*receptive_field_box(layers, row, col, image_size=image_size))


def _pushed_inside(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> Box:
    top, left, bottom, right = _unclipped(layers, row, col)
    height, width = bottom - top, right - left
    top, left = min(max(top, 0), image_size[0] - height), min(max(left, 0), image_size[1] - width)
    return top, left, top + height, left + width


def _centred(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> Box:
    size, stride, _ = _field(layers)
    top, left = row * stride - size // 2, col * stride - size // 2
    return _clipped((top, left, top + size, left + size), image_size)


def _near_end_only(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> Box:
    top, left, bottom, right = _unclipped(layers, row, col)
    return max(top, 0), max(left, 0), bottom, right


def _far_end_only(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> Box:
    top, left, bottom, right = _unclipped(layers, row, col)
    return top, left, min(bottom, image_size[0]), min(right, image_size[1])


def _size_kept(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> Box:
    top, left, bottom, right = _unclipped(layers, row, col)
    down, aside = max(-top, 0), max(-left, 0)
    return _clipped((top + down, left + aside, bottom + down, right + aside), image_size)


def _last_pixel_lost(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> Box:
    top, left, bottom, right = _with_field(_field)(layers, row, col, image_size)
    return top, left, min(bottom, image_size[0] - 1), min(right, image_size[1] - 1)


def _walked(
    *,
    size_of: Callable[[int, int, int, int], int] = lambda n, k, s, p: (n + 2 * p - k) // s + 1,
    beyond: int = 0,
    cut: int = 1,
    upwards: bool = False,
) -> Callable[..., Box]:
    """The reference, with the mistakes that can be made at one layer."""

    def walked(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> Box:
        edges = []
        for unit, size in zip((row, col), image_size, strict=True):
            sizes = [size]
            for layer in layers:
                sizes.append(size_of(sizes[-1], *layer))
            first = last = unit
            for (kernel, stride, padding), below in list(zip(layers, sizes, strict=False))[:: 1 if upwards else -1]:
                first = max(first * stride - padding, 0)
                last = min(last * stride - padding + kernel - 1 + beyond, below - cut)
            edges.append((first, last + 1))
        (top, bottom), (left, right) = edges
        return top, left, bottom, right

    return walked


def _square_image(axis: int) -> Callable[..., Box]:
    """One side of the image is taken for both."""
    return lambda layers, row, col, image_size: receptive_field_box(
        layers, row, col, image_size=(image_size[axis], image_size[axis])
    )


def _box(title: str, layers: Layers, unit: tuple[int, int], size: tuple[int, int], expected: Box) -> Check:
    return Check(title, {"layers": list(layers), "row": unit[0], "col": unit[1], "image_size": size}, expected)


ENTRY = Entry(
    name="receptive_field_box",
    reference=receptive_field_box,
    stars=3,
    minutes=20,
    hints=(
        "Go down from the unit, layer by layer: which rows of the layer below does a range of rows see? And which of "
        "these does that layer really have?",
        "A range first … last becomes first · stride - padding … last · stride - padding + kernel - 1, cut off to "
        "0 … size - 1 of the layer below. So compute the sizes of all maps upwards first; rows and columns alike.",
    ),
    checks=[
        _box("one 3×3 layer: the unit (2, 4) begins at its own position", [(3, 1, 0)], (2, 4), (8, 10), (2, 4, 5, 7)),
        _box("a stride moves it on", [(3, 2, 0)], (1, 3), (9, 13), (2, 6, 5, 9)),
        _box("padding moves it back", [(5, 3, 1)], (1, 2), (16, 19), (2, 5, 7, 10)),
        _box(
            "strides multiply from layer to layer", [(3, 2, 1), (3, 2, 1), (3, 1, 1)], (2, 3), (32, 40), (1, 5, 16, 20)
        ),
        _box("what lies in the padding is cut off", [(5, 2, 2), (3, 1, 1)], (0, 7), (16, 16), (0, 10, 5, 16)),
        _box("on an image wider than tall", [(3, 1, 1), (3, 2, 1)], (2, 2), (6, 9), (2, 2, 6, 7)),
        _box("and on one taller than wide", [(3, 1, 1), (3, 2, 1)], (2, 2), (9, 6), (2, 2, 7, 6)),
        _box("conv5 of AlexNet: in the middle 163×163", ALEXNET, (5, 6), (224, 224), (14, 30, 177, 193)),
        _box("and one in a corner less", ALEXNET, (0, 12), (224, 224), (0, 126, 97, 224)),
        _box(
            "the last pixels, which a stride leaves out, are seen by no unit",
            [(3, 2, 0), (3, 1, 1)],
            (3, 4),
            (10, 12),
            (4, 6, 9, 11),
        ),
    ],
    mistakes={
        "the box reaches into the padding: cut it off at the image": (
            lambda layers, row, col, image_size: _unclipped(layers, row, col)
        ),
        "what lies beyond a layer's last unit is not cut off: it has (size + 2 * padding - kernel) // stride + 1": (
            _with_field(_field)
        ),
        "a layer has other units than that: (size + 2 * padding - kernel) // stride + 1, with padding on both sides": (
            _walked(size_of=lambda n, k, s, p: (n + p - k) // s + 1),
            _walked(size_of=lambda n, k, s, p: (n - k) // s + 1),
            _walked(size_of=lambda n, k, s, p: (n + 2 * p - k) // s),
        ),
        "in each layer the range reaches one unit too far: its last is last * stride - padding + kernel - 1": _walked(
            beyond=1
        ),
        "cut off one too late: a layer's last unit is its size - 1": _walked(cut=0),
        "the row is used for the columns too, or the other way round": (
            lambda layers, row, col, image_size: receptive_field_box(layers, row, row, image_size=image_size),
            lambda layers, row, col, image_size: receptive_field_box(layers, col, col, image_size=image_size),
        ),
        "the box is pushed inside and keeps its size: what lies outside is cut off": _pushed_inside,
        "bottom and right are the last pixels: half-open means one further": (
            _after(lambda top, left, bottom, right: (top, left, bottom - 1, right - 1))
        ),
        "the order is (left, top, right, bottom): rows come first": (
            _after(lambda top, left, bottom, right: (left, top, right, bottom))
        ),
        "the order is (top, bottom, left, right): the two corners were asked for": (
            _after(lambda top, left, bottom, right: (top, bottom, left, right))
        ),
        "this is (top, left, height, width): the second corner was asked for": (
            _after(lambda top, left, bottom, right: (top, left, bottom - top, right - left))
        ),
        "row and column are swapped: the unit is (row, col)": (
            lambda layers, row, col, image_size: receptive_field_box(layers, col, row, image_size=image_size)
        ),
        "the sides of the image are swapped: image_size is (height, width)": (
            lambda layers, row, col, image_size: receptive_field_box(layers, row, col, image_size=image_size[::-1]),
            lambda layers, row, col, image_size: _with_field(_field)(layers, row, col, image_size[::-1]),
        ),
        "one side of the image is taken for both: it need not be square": (
            _square_image(0),
            _square_image(1),
            lambda layers, row, col, image_size: _with_field(_field)(layers, row, col, (image_size[0], image_size[0])),
            lambda layers, row, col, image_size: _with_field(_field)(layers, row, col, (image_size[1], image_size[1])),
        ),
        "the layers are walked from the wrong end: the first one lies on the image": (
            _with_field(lambda layers: _field(layers[::-1])),
            lambda layers, row, col, image_size: receptive_field_box(layers[::-1], row, col, image_size=image_size),
            _walked(upwards=True),
        ),
        "the field keeps its size after top and left were cut off: add the size first, then cut": _size_kept,
        "counted from 1: the first unit is (0, 0)": (
            lambda layers, row, col, image_size: _with_field(_field)(layers, row - 1, col - 1, image_size)
        ),
        "only the padding of one layer counts: that of every layer moves the field": (
            _with_field(lambda layers: _field([*[(k, s, 0) for k, s, _ in layers[:-1]], layers[-1]])),
            _with_field(lambda layers: _field([layers[0], *[(k, s, 0) for k, s, _ in layers[1:]]])),
        ),
        "these are the pixels between two units, not all that the unit sees: kernels widen the field": (
            _with_field(lambda layers: (_field(layers)[1], _field(layers)[1], 0))
        ),
        "this is the whole image: one unit sees a part of it": (
            lambda layers, row, col, image_size: (0, 0, *image_size)
        ),
        "bottom and right are one too far: the slice top:bottom ends before its last number anyway": (
            _after(lambda top, left, bottom, right: (top, left, bottom + 1, right + 1))
        ),
        "cut off only at the top and left: the field may also reach out at the bottom and right": _near_end_only,
        "cut off only at the bottom and right: the field may also reach out at the top and left": _far_end_only,
        "the last row or column is lost: bottom and right may be the height and the width themselves": (
            _last_pixel_lost
        ),
        "padding moves the field the wrong way: subtract it": (
            _with_field(lambda layers: _field([(k, s, -p) for k, s, p in layers]))
        ),
        "the kernels of the lower layers are left out: each layer widens the field": (
            _with_field(lambda layers: _field([*[(1, s, p) for _, s, p in layers[:-1]], layers[-1]])),
            _with_field(lambda layers: (layers[-1][0], *_field(layers)[1:])),
        ),
        "the kernels add up whole: neighbouring fields overlap, a layer adds kernel - 1 steps": (
            _with_field(lambda layers: (sum(k for k, _, _ in layers), *_field(layers)[1:])),
        ),
        "padding is ignored: it moves the field back": (
            _with_field(lambda layers: _field([(k, s, 0) for k, s, _ in layers]))
        ),
        "padding is counted twice: only the one at the near end moves the field": (
            _with_field(lambda layers: _field([(k, s, 2 * p) for k, s, p in layers]))
        ),
        "padding is counted in pixels: it is as wide as the units of its layer, times the strides below": (
            _with_field(lambda layers: (*_field(layers)[:2], -sum(p for _, _, p in layers)))
        ),
        "strides are ignored: unit (row, col) begins at row times all strides": (
            _with_field(lambda layers: _field([(k, 1, p) for k, _, p in layers]))
        ),
        "a layer's own stride is multiplied in too early: it counts for the layers above": (
            _with_field(lambda layers: _field(layers, early=True))
        ),
        "only the stride of the layer below counts: strides multiply": (
            _with_field(lambda layers: _field(layers, previous=True))
        ),
        "centred on row times stride: that is the first pixel of an unpadded field, not its middle": _centred,
    },
)
