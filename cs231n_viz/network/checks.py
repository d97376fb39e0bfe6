"""Check the images, targets, numbers and baselines that a method is given; the errors say what is expected."""

from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor, nn

from cs231n_viz.network.running import Wrapper, network_of

Targets = int | str | Sequence[int | str] | Tensor
Neuron = tuple[str, int, int, int]

_ROOM = 0.25  # a step of an optimisation may leave [0, 1] by so much
_OUTSIDE = 0.3  # more of the values than this lie outside only if the picture was normalised
_LARGEST = 10.0  # no normalisation gives larger values


def check_images(images: Tensor, model: nn.Module | None = None, *, channels: int | None = None) -> Tensor:
    """Return ``images`` detached, after checking that they are pictures in [0, 1] for ``model``.

    Args:
        images: (N, 3, H, W), or with as many channels as ``model`` takes.
        model: Says how many channels are wanted; three if omitted.
        channels: The number that is wanted, whatever the model.

    Raises:
        ValueError: If they have another shape, or are not floating point, not finite, or not in [0, 1].
    """
    channels = channels or channels_of(model, images)
    check_shape(images, channels)
    if not images.numel():
        raise ValueError(f"images must be (N, {channels}, H, W), got {tuple(images.shape)}: there is not one pixel")
    if images.is_meta:
        raise ValueError("images must have values, got a tensor on the device 'meta', which holds none")
    low, high = _range(images)
    if not (low == low and high == high):
        raise ValueError("images must be finite; these hold NaN")
    if low < -1e-3 or high > 1 + 1e-3:
        hint = "; divide by 255" if high > _LARGEST else "; normalisation happens inside the model"
        raise ValueError(f"images must be RGB in [0, 1], got {low:.3g} to {high:.3g}{hint}")
    return _differentiable(images.detach())


def check_inputs(images: Tensor, channels: int, device: torch.device) -> None:
    """Check what a network is fed, as far as that costs next to nothing and cannot hinder an optimisation.

    Raises:
        ValueError: If the images have another shape, type or device; or, unless they require gradients, if they are
            not finite, or so far outside [0, 1] that they must be pixels from 0 to 255 or normalised already.
    """
    with torch._C.DisableTorchFunction():  # nothing here is an operation of the network
        check_shape(images, channels)
        if images.device != device:
            raise ValueError(f"images are on {images.device}, the model on {device}; write images.to({str(device)!r})")
        if images.requires_grad or not images.numel() or torch.compiler.is_compiling() or torch.jit.is_tracing():
            return
        try:
            low, high = _range(images)
        except RuntimeError:  # inside torch.func.vmap a tensor has no values to look at
            return
        if -_ROOM <= low and high <= 1 + _ROOM:
            return
        if not (abs(low) < torch.inf and abs(high) < torch.inf):
            raise ValueError("images must be finite; these hold NaN or infinity")
        if high > _LARGEST or low < -_LARGEST:
            raise ValueError(f"images must be RGB in [0, 1], got {low:.3g} to {high:.3g}; divide by 255")
        if ((images < -_ROOM) | (images > 1 + _ROOM)).float().mean() > _OUTSIDE:
            got = f"got {low:.3g} to {high:.3g}; normalisation happens inside the model"
            raise ValueError(f"images must be RGB in [0, 1], {got}")


def check_shape(images: Tensor, channels: int) -> None:
    """Check that images are a batch of floating-point pictures with that many channels.

    Raises:
        ValueError: If they are not.
    """
    wanted = f"(N, {channels}, H, W)"
    if not isinstance(images, Tensor):
        hint = "model.prepare(image) makes a batch of one"
        raise ValueError(f"images must be a tensor {wanted}, got a {type(images).__name__}; {hint}")
    if images.layout != torch.strided:
        raise ValueError(f"images must be a dense tensor {wanted}, got {images.layout}; images.to_dense() makes one")
    if images.ndim != 4 or images.shape[1] != channels:
        hint = "; model.prepare(image) makes a batch of one" if images.ndim == 3 else ""
        raise ValueError(f"images must be {wanted}, got {tuple(images.shape)}{hint}")
    if not images.is_floating_point():
        raise ValueError(f"images must be floating point in [0, 1], got {images.dtype}; divide integers by 255")


def channels_in(images: object) -> int:
    """Return how many channels a batch of pictures has, whatever it is for; three of what is none."""
    return images.shape[1] if isinstance(images, Tensor) and images.ndim == 4 and images.shape[1] else 3


def _differentiable(values: Tensor) -> Tensor:
    """Return values that a graph may hold: copies of those that were made in inference mode."""
    if not values.is_inference():
        return values
    with torch.inference_mode(False):
        return values.clone()


def as_batch(images: object) -> object:
    """Return a single picture (C, H, W) as a batch of one, and anything else as it is."""
    return images[None] if isinstance(images, Tensor) and images.ndim == 3 else images


def _range(images: Tensor) -> tuple[float, float]:
    low, high = images.detach().aminmax()
    return low.item(), high.item()


def channels_of(model: nn.Module | None, images: Tensor | None = None) -> int:
    """Return how many channels the pictures for a model have: three, unless the model says otherwise.

    A network that is no ``Classifier`` does not say; there the first convolution may take those that ``images`` have.
    """
    if isinstance(model, Wrapper):
        return len(model.mean)
    if isinstance(model, nn.Module) and isinstance(images, Tensor) and images.ndim == 4:
        first = next((each for each in model.modules() if isinstance(each, nn.Conv2d)), None)
        if first is not None and images.shape[1] == first.in_channels:
            return first.in_channels
    return 3


def check_logits(logits: object, model: nn.Module) -> Tensor:
    """Return what a network has put out, after checking that it is one row of logits for each picture.

    Raises:
        TypeError: If it is no tensor; names what it holds.
        ValueError: If it has another shape.
    """
    name = getattr(model, "name", None) or type(network_of(model)).__name__
    if not isinstance(logits, Tensor):
        raise TypeError(f"{name} must return logits (N, K), got {_contents(logits)}; wrap a module that returns one")
    if logits.ndim != 2:
        hint = "; of one logit, viz.wrap(network, [no, yes]) makes two" if logits.ndim == 1 else ""
        raise ValueError(f"{name} must return logits (N, K), got {tuple(logits.shape)}{hint}")
    return logits


def _contents(outputs: object) -> str:
    kind = type(outputs).__name__
    if isinstance(outputs, dict):
        return f"a {kind} with {', '.join(repr(key) for key in outputs)}"
    if hasattr(outputs, "_fields"):  # a namedtuple, as Inception and GoogLeNet return in train mode
        return f"{kind} with {', '.join(repr(key) for key in outputs._fields)} (only in train mode? then model.eval())"
    return f"a {kind} of {len(outputs)}" if isinstance(outputs, list | tuple) else f"a {kind}"


def check_targets(targets: Targets, count: int, classes: int, model: nn.Module | None = None) -> Tensor:
    """Return class indices as (count,) int64; a single one is repeated.

    Args:
        targets: Class index or name, or as many as ``count``.
        count: Number of pictures.
        classes: Number of classes.
        model: Knows the names of the classes.

    Raises:
        KeyError: If there is no class of that name; names the closest.
        TypeError: If they are neither whole numbers nor names.
        ValueError: If there are neither one nor ``count``, or one is not below ``classes``.
    """
    rows = check_each(targets, count, model)
    if rows.min() < 0 or rows.max() >= classes:
        raise ValueError(f"targets must be from 0 to {classes - 1}, got {rows.min()} to {rows.max()}")
    return rows


def check_each(targets: Targets, count: int, model: nn.Module | None = None) -> Tensor:
    """Return targets as (count,) int64 where the number of classes is not known yet; a single one is repeated.

    Arguments are those of :func:`check_targets`.

    Raises:
        KeyError: If there is no class of that name; names the closest.
        TypeError: If they are neither whole numbers nor names.
        ValueError: If there are neither one nor ``count``.
    """
    rows = as_indices(targets, model)
    if rows.ndim > 1 or (rows.ndim == 1 and len(rows) != count):
        raise ValueError(f"targets must be one index or one for each of the {count} images, got {tuple(rows.shape)}")
    return rows.expand(count)


def as_indices(targets: Targets, model: nn.Module | None = None) -> Tensor:
    """Return targets as int64, () or (N,) as they were given, names of classes replaced by their indices.

    Raises:
        KeyError: If there is no class of that name; names the closest.
        TypeError: If they are neither whole numbers nor names, or names for what has none.
    """
    if isinstance(targets, str) or (isinstance(targets, list | tuple) and any(isinstance(t, str) for t in targets)):
        if not isinstance(model, Wrapper):
            raise TypeError(f"targets must be indices here: only a Classifier knows classes by name; got {targets!r}")
        if isinstance(targets, str):
            targets = model.index(targets)
        else:
            targets = [model.index(each) if isinstance(each, str) else each for each in targets]
    try:
        rows = torch.as_tensor(targets)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"targets must be class indices or names, got a {type(targets).__name__}") from None
    if rows.is_floating_point() or rows.is_complex() or rows.dtype == torch.bool:
        hint = "; model.index('cat') gives the index of a category"
        raise TypeError(f"targets must be class indices, whole numbers; got {rows.dtype}{hint}")
    return _differentiable(rows.long())


def check_numbers(**values: object) -> None:
    """Check that arguments, given by name, are numbers.

    Raises:
        TypeError: If one is something else.
        ValueError: If one is NaN.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{name} must be a number, got {_short(value)}")
        if value != value:
            raise ValueError(f"{name} must be a number, got NaN")


def check_whole(**values: object) -> None:
    """Check that arguments, given by name, are whole numbers.

    Raises:
        TypeError: If one is something else.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{name} must be a whole number, got {_short(value)}")


def _short(value: object) -> str:
    return f"a {type(value).__name__}" if isinstance(value, Tensor) else f"{value!r:.60}"


def check_baseline(baseline: Tensor | float, images: Tensor, *, name: str = "baseline") -> Tensor:
    """Return one baseline for each image, from one value, one picture or one picture each; ``name`` is the argument's.

    Raises:
        TypeError: If it is no number or tensor.
        ValueError: If it has another shape, or is not finite.
    """
    wanted = f"one value, one picture {tuple(images.shape[1:])} or one each {tuple(images.shape)}"
    try:
        values = _differentiable(torch.as_tensor(baseline).to(images))
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be {wanted}; got a {type(baseline).__name__}") from None
    if not values.isfinite().all():
        raise ValueError(f"{name} must be finite; this one holds NaN or infinity")
    try:
        return values.expand_as(images)
    except RuntimeError:
        raise ValueError(f"{name} must be {wanted}; got {tuple(values.shape)}") from None
