"""Class visualization: gradient ascent to a picture that excites a class, a channel or any other objective most.

:func:`visualize` maximises any objective, :func:`class_visualization` the logit of a class or a channel of a layer.
Every regulariser is a switch of its own, see :class:`~cs231n_viz.synthesis.regularisers.Regularisers`; ``PRESETS``
holds the recipes of the literature.
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

import torch
from torch import Tensor, nn

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.network.checks import Targets, as_indices, check_each, check_targets, check_whole
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.models import Classifier
from cs231n_viz.network.running import outside_inference_mode
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.synthesis.ascent import DEFAULT_UPDATE, Ascent, Objective, Rule, Update, ascend
from cs231n_viz.synthesis.objectives import channel, logit, redirected
from cs231n_viz.synthesis.parameterisation import Fourier, Phase, Pixels, start_noise
from cs231n_viz.synthesis.regularisers import PRESETS, Regularisers, after_each_step

Start = Literal["zero", "noise"] | Tensor
_UPDATES: dict[str, tuple[Rule, float]] = {"pixels": ("mean", 0.01), "fourier": ("adam", 0.05), "phase": ("adam", 0.1)}
_NATURAL = ("astronaut", "cat", "china", "coffee", "flower", "grace_hopper", "motorcycle", "rocket")  # of "phase"
_SPREAD = 0.25  # standard deviation of the noise that pixels begin with


def _redirect_moved(function: Callable[..., Ascent]) -> Callable[..., Ascent]:
    """Let ``visualize`` take ``redirect=``, as it did, with a ``DeprecationWarning``."""

    @functools.wraps(function)
    def call(model: nn.Module, objective: Objective, **options: object) -> Ascent:
        if "redirect" in options:
            message = "visualize(model, objective, redirect=True) is now visualize(model, redirected(objective))"
            warnings.warn(message, DeprecationWarning, stacklevel=3)  # moved_keywords stands between
            objective = redirected(objective) if options.pop("redirect") else objective
        return function(model, objective, **options)

    return call


@moved_keywords(lr="update.lr", rule="update.rule")
@_redirect_moved
@outside_inference_mode()
def visualize(
    model: nn.Module,
    objective: Objective,
    *,
    regularisers: Regularisers | str = "robust",
    parameterisation: Literal["fourier", "pixels", "phase"] = "fourier",
    start: Start = "noise",
    count: int = 1,
    size: int | None = None,
    steps: int = 256,
    update: Update = DEFAULT_UPDATE,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Make a picture that maximises an objective, by regularised gradient ascent.

    Args:
        model: The network that the objective evaluates; it gives the mean colour and the size.
        objective: Images (N, 3, H, W) -> scalar, for example ``channel(model, "relu4", 7)``. One that starts dead,
            after a ReLU whose output is 0, gets going as ``redirected(objective)``.
        regularisers: Which, and how much of each; or the name of a preset: ``"none"``, ``"l2"``, ``"yosinski"``,
            ``"robust"``, ``"channel"``. Penalties are weighed against the objective: a small one wants small weights.
        parameterisation: Optimise the coefficients of a spectrum in decorrelated colours, the pixels, or only the
            phases of a spectrum whose magnitudes are those of the bundled colour photographs (MACO).
        start: ``"zero"`` is the mean colour everywhere, which is 0 for the network; ``"noise"`` noise around
            it; or pictures (N, 3, H, W), which then also say how many and how large.
        count: Number of pictures that are optimised at once.
        size: Side of the picture in pixels; the model's input size if omitted.
        steps: Number of steps.
        update: Update rule and learning rate; ``"adam"`` and 0.05 for a spectrum (phases 0.1), ``"mean"`` and 0.01 for
            pixels.
        seed: Random seed of the noise, of jitter and of views.
        progress: Show a bar while ``.image`` or ``.score`` make steps.

    Returns:
        An :class:`~cs231n_viz.synthesis.ascent.Ascent`: iterate over it to watch, or take its ``.image``. A score is
        the objective of the present view less the penalties, summed over the pictures.

    Raises:
        ValueError: If a name is unknown, or a change of pixels is asked for in another parameterisation.

    Example:
        >>> visualize(model, channel(model, "relu3", 12), steps=128).image.shape
        torch.Size([1, 3, 224, 224])
    """
    if parameterisation not in _UPDATES:
        raise ValueError(f"parameterisation must be 'fourier', 'pixels' or 'phase', got {parameterisation!r}")
    check_whole(steps=steps, count=count)
    chosen = _preset(regularisers)
    changes = chosen.changes()
    if parameterisation != "pixels" and changes:
        raise ValueError(
            "decay, blur and clipping change the pixels after each step; they want parameterisation='pixels'"
        )
    centre = _mean_colour(model)
    side = size or getattr(model, "input_size", 224)
    image_of = _parameterised(parameterisation, start, count=count, side=side, centre=centre, seed=seed)
    rule = update.resolved(*_UPDATES[parameterisation])
    settings = {"model": getattr(model, "name", type(model).__name__), "parameterisation": parameterisation}
    settings |= {"start": start if isinstance(start, str) else "picture", "steps": steps, **rule}
    # Evaluated in the order of memory in which convolutions are fastest; the values are the same.
    regularised = chosen.around(lambda images: objective(to_channels_last(model, images)), centre=centre, seed=seed)
    after = after_each_step(changes, centre) if changes else None
    stages = ascend(image_of.to(centre.device), regularised, steps=steps, after=after, **rule)
    settings |= {"seed": seed, **{name: value for name, value in asdict(chosen).items() if value}}
    return Ascent(stages, steps + 1, settings=settings, progress=progress)


@moved_keywords(lr="update.lr", rule="update.rule")
@outside_inference_mode()
def class_visualization(
    model: nn.Module,
    targets: Targets,
    *,
    layer: str | None = None,
    redirect: bool = False,
    update: Update = DEFAULT_UPDATE,
    **options: object,
) -> Ascent:
    """Make a picture that maximises the logit of a class: what is, for the network, most of all this class?

    Args:
        model: Any classifier.
        targets: Class index or name, or (N,): N pictures are optimised at once, each for its own class. If ``layer``
            is given, channels of that layer.
        layer: Maximise the mean activation of a channel of this layer instead of a logit.
        redirect: Let gradients through rectifiers that would stop all of them, for a channel that starts dead
            (:func:`~cs231n_viz.synthesis.objectives.redirected`).
        update: As for :func:`visualize`.
        options: The others of :func:`visualize`; the regularisers of a layer are ``"channel"`` if omitted.

    Returns:
        The ascent, its picture (N, 3, S, S).

    Raises:
        ValueError: If a target is not a class, or an option makes no sense.

    Source: Simonyan et al., arXiv:1312.6034, section 2. Their recipe is
        ``regularisers="l2", parameterisation="pixels", start="zero"``.
    """
    rows = target_rows(model, targets, layer, options.get("start"))
    objective = target_objective(model, rows, layer)
    defaults = {"count": len(rows), "regularisers": "robust" if layer is None else "channel"}
    ascent = visualize(
        model, redirected(objective) if redirect else objective, update=update, **{**defaults, **options}
    )
    ascent.settings |= target_settings(model, rows, layer)
    return ascent


def target_rows(model: nn.Module, targets: Targets, layer: str | None, start: object) -> Tensor:
    """One class, or channel of a layer, for each picture, (N,): as many as there are starts, or targets.

    Raises:
        TypeError: If they are not whole numbers.
        ValueError: If there are not as many as starts, or one is not a class.
    """
    names = model.categories if layer is None and isinstance(model, Classifier) else None
    rows = as_indices(targets, model if names else None)
    rows = check_each(rows, len(start) if isinstance(start, Tensor) else rows.numel())
    return check_targets(rows, len(rows), len(names)) if names else rows


def target_objective(model: nn.Module, rows: Tensor, layer: str | None) -> Objective:
    """The logit of a class each; or the mean activation of a channel of a layer each."""
    return logit(model, rows) if layer is None else channel(model, layer, rows)


def target_settings(model: nn.Module, rows: Tensor, layer: str | None) -> dict[str, object]:
    """The classes by name, or the units of a layer by number, to be saved with a picture."""
    names = model.categories if isinstance(model, Classifier) else None
    if layer is None and names:
        return {"class": [names[row] for row in rows.tolist()]}
    return {"units": rows.tolist()} if layer is None else {"layer": layer, "units": rows.tolist()}


def _preset(regularisers: Regularisers | str) -> Regularisers:
    if isinstance(regularisers, Regularisers):
        return regularisers
    if regularisers not in PRESETS:
        raise ValueError(f"regularisers must be Regularisers(...) or one of {', '.join(PRESETS)}; got {regularisers!r}")
    return PRESETS[regularisers]


def _mean_colour(model: nn.Module) -> Tensor:
    """The mean colour (C, 1, 1), which is 0 for the network; grey where it is unknown."""
    return model.mean.detach().float() if isinstance(model, Classifier) else torch.full((3, 1, 1), 0.5)


def _parameterised(
    parameterisation: str, start: Start, *, count: int, side: int, centre: Tensor, seed: int
) -> nn.Module:
    """The parameterisation, at the start that is asked for."""
    if isinstance(start, Tensor):
        pictures = start.expand(count, -1, -1, -1) if len(start) == 1 else start
    elif start == "zero":
        pictures = centre.cpu().expand(count, -1, side, side)
    elif start != "noise":
        raise ValueError(f"start must be 'zero', 'noise' or a picture, got {start!r}")
    elif parameterisation == "pixels":
        pictures = start_noise(side, seed, count=count, spread=_SPREAD, centre=centre.cpu())
    else:  # a spectrum has noise of its own
        pictures = None
    size = (side, side) if pictures is None else tuple(pictures.shape[-2:])
    if parameterisation == "pixels":
        return Pixels(pictures)
    if parameterisation == "fourier":
        return Fourier(size, count=count, channels=len(centre), seed=seed, start=pictures)
    if len(centre) != 3:
        raise ValueError(f"the magnitudes of 'phase' are those of colour photographs; the model takes {len(centre)}")
    natural = torch.cat([resize(load_image(name)[None], size) for name in _NATURAL])
    return Phase(size, natural, count=count, seed=seed, start=pictures)
