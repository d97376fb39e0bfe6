"""Check the images, targets and baselines that a method is given; the errors say what is expected."""

import torch
from torch import Tensor

Targets = int | Tensor
Neuron = tuple[str, int, int, int]


def check_images(images: Tensor) -> Tensor:
    """Return ``images`` detached, after checking that they are RGB in [0, 1].

    Raises:
        ValueError: If they are not (N, 3, H, W), not floating point, not finite, or not in [0, 1].
    """
    if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] != 3 or not len(images):
        got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"images must be (N, 3, H, W), got {got}; model.prepare(image) makes a batch of one")
    if not images.is_floating_point():
        raise ValueError(f"images must be floating point in [0, 1], got {images.dtype}; divide integers by 255")
    low, high = images.min().item(), images.max().item()
    if not (low == low and high == high):
        raise ValueError("images must be finite; these hold NaN")
    if low < -1e-3 or high > 1 + 1e-3:
        hint = "; divide by 255" if high > 2 else "; normalisation happens inside the model"
        raise ValueError(f"images must be RGB in [0, 1], got {low:.3g} to {high:.3g}{hint}")
    return images.detach()


def check_targets(targets: Targets, count: int, classes: int) -> Tensor:
    """Return class indices as (count,) int64; a single one is repeated.

    Raises:
        TypeError: If they are not whole numbers.
        ValueError: If there are neither one nor ``count``, or one is not below ``classes``.
    """
    rows = check_each(targets, count)
    if rows.min() < 0 or rows.max() >= classes:
        raise ValueError(f"targets must be from 0 to {classes - 1}, got {rows.min()} to {rows.max()}")
    return rows


def check_each(targets: Targets, count: int) -> Tensor:
    """Return targets as (count,) int64 where the number of classes is not known yet; a single one is repeated.

    Raises:
        TypeError: If they are not whole numbers.
        ValueError: If there are neither one nor ``count``.
    """
    rows = torch.as_tensor(targets)
    if rows.is_floating_point() or rows.is_complex() or rows.dtype == torch.bool:
        hint = "; model.index('cat') gives the index of a category"
        raise TypeError(f"targets must be class indices, whole numbers; got {rows.dtype}{hint}")
    if rows.ndim > 1 or (rows.ndim == 1 and len(rows) != count):
        raise ValueError(f"targets must be one index or one for each of the {count} images, got {tuple(rows.shape)}")
    return rows.long().expand(count)


def check_baseline(baseline: Tensor | float, images: Tensor) -> Tensor:
    """Return one baseline for each image, from one value, one picture or one picture each.

    Raises:
        ValueError: If it has another shape.
    """
    values = torch.as_tensor(baseline).to(images)
    try:
        return values.expand_as(images)
    except RuntimeError:
        wanted = f"one value, one picture {tuple(images.shape[1:])} or one each {tuple(images.shape)}"
        raise ValueError(f"baseline must be {wanted}; got {tuple(values.shape)}") from None
