"""Exercises of notebook 03: what does a unit respond to? Where does it answer, and which pixels does it see?"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.exercises import selective, streaming
from cs231n_viz.exercises.core import Check, Entry


def threshold_mask(activation: Tensor, image: Tensor, *, quantile: float = 0.9) -> Tensor:
    """Show the part of a photograph where a unit answers most.

    Args:
        activation: (h, w), the map of one unit.
        image: (3, H, W), the photograph.
        quantile: Which share of the h · w values lies below the threshold.

    Returns:
        (3, H, W): the photograph where the map, stretched bilinearly to (H, W), lies above the threshold; everywhere
        else a quarter of its brightness.
    """
    threshold = activation.flatten().quantile(quantile)
    stretched = F.interpolate(activation[None, None], size=image.shape[1:], mode="bilinear", align_corners=False)
    above = stretched[0, 0] > threshold  # (H, W); of a unit that never answers, nothing
    return torch.where(above, image, image / 4)


def _masked(
    activation: Tensor,
    image: Tensor,
    quantile: float,
    *,
    threshold: Callable[[Tensor, float], Tensor] = lambda values, q: values.flatten().quantile(q),
    above: Callable[[Tensor, Tensor], Tensor] = torch.gt,
    mode: str = "bilinear",
    corners: bool | None = False,
    late: bool = False,
    rest: float = 0.25,
) -> Tensor:
    """The reference, with the mistakes that can be made on the way."""
    corners = corners if mode == "bilinear" else None
    size = image.shape[1:]
    stretched = F.interpolate(activation[None, None], size=size, mode=mode, align_corners=corners)[0, 0]
    mask = above(stretched, threshold(stretched if late else activation, quantile))
    return torch.where(mask, image, image * rest)


def _mistaken(**changes: object) -> Callable[..., Tensor]:
    return lambda activation, image, quantile=0.9: _masked(activation, image, quantile, **changes)


def _thresholded_first(activation: Tensor, image: Tensor, quantile: float = 0.9) -> Tensor:
    mask = (activation > activation.flatten().quantile(quantile)).float()
    mask = F.interpolate(mask[None, None], size=image.shape[1:], mode="bilinear", align_corners=False)[0, 0]
    return image * (0.25 + 0.75 * mask)


def _softly(activation: Tensor, image: Tensor, quantile: float = 0.9) -> Tensor:
    size = image.shape[1:]
    weight = F.interpolate(activation[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    return image * weight.clamp_min(0) / weight.max().clamp_min(1e-12)


def _mask_alone(activation: Tensor, image: Tensor, quantile: float = 0.9) -> Tensor:
    return (_masked(activation, torch.ones_like(image), quantile, rest=0.0))[0]


_MAP = torch.tensor([[0.0, 1.0, 2.0], [4.0, 8.0, 3.0], [0.5, 1.5, 2.5]])
_NEGATIVE_MAP = torch.tensor([[-7.0, -1.0], [-4.0, -6.0]])
_SPARSE_MAP = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]])


def _photograph(rows: int, columns: int) -> Tensor:
    return 1 - torch.arange(3 * rows * columns).reshape(3, rows, columns) / 200


def _kept(activation: Tensor, image: Tensor, rows: str) -> Tensor:
    """The expected picture; ``rows`` draws the mask, # for a pixel that stays."""
    mask = torch.tensor([[mark == "#" for mark in row] for row in rows.split()])
    return image * torch.where(mask, 1.0, 0.25)


def _showing(title: str, activation: Tensor, size: tuple[int, int], rows: str, **quantile: float) -> Check:
    image = _photograph(*size)
    return Check(title, {"activation": activation, "image": image, **quantile}, _kept(activation, image, rows))


_THRESHOLD_MASK = Entry(
    name="threshold_mask",
    reference=threshold_mask,
    stars=2,
    minutes=10,
    checks=[
        _showing(
            "a map of the photograph's own size: above the quantile 0.6, 4 of 9 pixels stay",
            _MAP,
            (3, 3),
            "... ### ..#",
            quantile=0.6,
        ),
        _showing(
            "the map is stretched bilinearly; the quantile is 0.9 unless told",
            _MAP,
            (7, 5),
            "..... ..... ..#.. .###. ..#.. ..... .....",
        ),
        _showing(
            "3×3 on 6×9: the threshold is that of the nine values",
            _MAP,
            (6, 9),
            "......... ......... ..#####.. ..#####.. ......... .........",
            quantile=0.8,
        ),
        _showing("a map of negative values", _NEGATIVE_MAP, (4, 6), "...### ...### ...... ##....", quantile=0.6),
        _showing(
            "a threshold of zero: what does not answer is darkened",
            _SPARSE_MAP,
            (4, 6),
            "...... ...### ...### ...###",
            quantile=0.5,
        ),
    ],
    mistakes={
        "the threshold is a share of the maximum: a quantile is the value below which a share of the cells lies": (
            _mistaken(threshold=lambda values, q: q * values.max())
        ),
        "the quiet part stays and the answering part is darkened": _mistaken(above=torch.lt),
        "quantile is the share that lies below the threshold, not the share that stays": (
            _mistaken(threshold=lambda values, q: values.flatten().quantile(1 - q))
        ),
        "the quantile of the stretched map: take that of the h · w values themselves": _mistaken(late=True),
        "the mask has blocks: stretch the map bilinearly, and only then compare": _mistaken(mode="nearest"),
        "align_corners=True pulls the outer cells to the border: each cell stands for an equal share of the picture": (
            _mistaken(corners=True)
        ),
        "the mask was stretched, and has soft edges: stretch the map, and only then compare": _thresholded_first,
        "at a threshold of zero, >= keeps everything that does not answer: use >": _mistaken(above=torch.ge),
        "the rest is black: a quarter of its brightness was asked for": _mistaken(rest=0.0),
        "the photograph is weighted by the map: each pixel either stays or is darkened": _softly,
        "this is the mask: the masked photograph was asked for": (
            _mask_alone,
            lambda activation, image, quantile=0.9: _mask_alone(activation, image, quantile) > 0,
        ),
        "ranked by magnitude: a strong negative answer is no strong answer": (
            lambda activation, image, quantile=0.9: _masked(activation.abs(), image, quantile)
        ),
    },
)


def receptive_field_box(
    layers: Sequence[tuple[int, int, int]], row: int, col: int, *, image_size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Which pixels can one unit see?

    Args:
        layers: (kernel, stride, padding) of each layer, from the picture upwards.
        row: Row of the unit in the map of the last layer.
        col: Its column.
        image_size: (height, width) of the picture.

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
            first = max(first * stride - padding, 0)  # what lies in the padding of a layer is nothing to see
            last = min(last * stride - padding + kernel - 1, below - 1)
        edges.append((first, last + 1))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right


Layers = Sequence[tuple[int, int, int]]


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


def _clipped(box: tuple[int, int, int, int], image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    height, width = image_size
    top, left, bottom, right = box
    return max(top, 0), max(left, 0), min(bottom, height), min(right, width)


def _with_field(field: Callable[[Layers], tuple[int, int, int]]) -> Callable[..., tuple[int, ...]]:
    return lambda layers, row, col, image_size: _clipped(_unclipped(layers, row, col, field), image_size)


def _after(change: Callable[[int, int, int, int], tuple[int, ...]]) -> Callable[..., tuple[int, ...]]:
    return lambda layers, row, col, image_size: change(*receptive_field_box(layers, row, col, image_size=image_size))


def _pushed_inside(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    top, left, bottom, right = _unclipped(layers, row, col)
    up, aside = bottom - top, right - left
    top, left = (
        min(max(edge, 0), n - side) for edge, n, side in zip((top, left), image_size, (up, aside), strict=True)
    )
    return top, left, top + up, left + aside


def _centred(layers: Layers, row: int, col: int, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    size, stride, _ = _field(layers)
    top, left = row * stride - size // 2, col * stride - size // 2
    return _clipped((top, left, top + size, left + size), image_size)


def _box(title: str, layers: Layers, unit: tuple[int, int], size: tuple[int, int], box: tuple[int, ...]) -> Check:
    return Check(title, {"layers": list(layers), "row": unit[0], "col": unit[1], "image_size": size}, box)


_ALEXNET = [(11, 4, 2), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1)]

_RECEPTIVE_FIELD_BOX = Entry(
    name="receptive_field_box",
    reference=receptive_field_box,
    stars=3,
    minutes=20,
    checks=[
        _box("one 3×3 layer: the unit (2, 4) begins at its own place", [(3, 1, 0)], (2, 4), (8, 10), (2, 4, 5, 7)),
        _box("a stride moves it on", [(3, 2, 0)], (1, 3), (9, 13), (2, 6, 5, 9)),
        _box("padding moves it back", [(5, 3, 1)], (1, 2), (16, 19), (2, 5, 7, 10)),
        _box(
            "strides multiply from layer to layer", [(3, 2, 1), (3, 2, 1), (3, 1, 1)], (2, 3), (32, 40), (1, 5, 16, 20)
        ),
        _box("what lies in the padding is cut off", [(5, 2, 2), (3, 1, 1)], (0, 7), (16, 16), (0, 10, 5, 16)),
        _box("conv5 of AlexNet: in the middle 163×163", _ALEXNET, (5, 6), (224, 224), (14, 30, 177, 193)),
        _box("and one in a corner less", _ALEXNET, (0, 12), (224, 224), (0, 126, 97, 224)),
        _box(
            "the last pixels, which a stride leaves out, are seen by nobody",
            [(3, 2, 0), (3, 1, 1)],
            (3, 4),
            (10, 12),
            (4, 6, 9, 11),
        ),
    ],
    mistakes={
        "the box reaches into the padding: cut it off at the picture": (
            lambda layers, row, col, image_size: _unclipped(layers, row, col)
        ),
        "cut off at the picture only: a layer's last unit may not reach its edge, so clip at every layer on the way": (
            _with_field(_field)
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

ENTRIES = [_THRESHOLD_MASK, _RECEPTIVE_FIELD_BOX, *streaming.ENTRIES, *selective.ENTRIES]
