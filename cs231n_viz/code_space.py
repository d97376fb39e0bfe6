"""Climb in the codes of a generator: only pictures that it can draw are in reach.

The same objectives as in pixels, through :class:`~cs231n_viz.parameterisation.Codes`. The generator is a prior: what
it draws looks like a picture whatever the network wants, and the judge has to be asked what the looks are worth.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.ascent import Ascent, Objective, Rule, ascend
from cs231n_viz.capture import activations
from cs231n_viz.class_visualization import Regularisers
from cs231n_viz.generator import Generator
from cs231n_viz.objectives import channel, logit
from cs231n_viz.parameterisation import Codes
from cs231n_viz.scores import Targets, check_each, check_images

VIEWS = Regularisers(shift=16.0, scale=0.2, turn=10.0)


def visualize_code(
    model: nn.Module,
    objective: Objective,
    generator: Generator,
    *,
    start: Literal["mean", "noise"] | Tensor = "mean",
    count: int = 1,
    size: int | None = None,
    steps: int = 128,
    lr: float = 0.1,
    rule: Rule = "mean",
    shrink: float = 0.01,
    limit: float = 3.0,
    regularisers: Regularisers = VIEWS,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Which code's picture makes an objective large?

    Args:
        model: The network that the objective asks.
        objective: Images (N, 3, H, W) -> scalar.
        generator: From ``load_generator()``.
        start: ``"mean"`` is the mean code of natural pictures, ``"noise"`` one drawn from their spread; or (N, 512).
        count: How many codes climb at once.
        size: Side of the picture in pixels; the model's input size if omitted.
        steps: How many.
        lr: Length of a step in units of the rule.
        rule: See :func:`~cs231n_viz.ascent.ascend`.
        shrink: Share by which the code shrinks after each step.
        limit: Codes stay between 0 and this many standard deviations above the mean.
        regularisers: Random views and terms; changes of pixels have no place here.
        seed: Of the noise and of the views.
        progress: Show a bar while ``.image`` or ``.score`` make steps.

    Returns:
        The ascent.

    Raises:
        ValueError: If the start has another shape or name, or a change of pixels is asked for.

    Source: Nguyen et al., arXiv:1605.09304, section 3 and its published settings (code times 0.99, steps of
        lr g / mean|g|, codes within three standard deviations).
    """
    if regularisers.changes():
        raise ValueError("decay, blur and clipping change pixels after each step; codes have shrink and limit")
    image_of = Codes(generator, _start(generator, start, count, seed), size=size or model.input_size, limit=limit)
    climbed = regularisers.around(objective, seed=seed)

    def after(image_of: nn.Module, gradients: list[Tensor], index: int) -> None:
        image_of.codes.mul_(1 - shrink)

    found = ascend(image_of, climbed, steps=steps, lr=lr, rule=rule, after=after)
    settings = {"model": getattr(model, "name", type(model).__name__), "parameterisation": "codes"}
    settings |= {"start": start if isinstance(start, str) else "codes", "steps": steps, "lr": lr, "rule": rule}
    return Ascent(found, steps + 1, settings=settings | {"shrink": shrink, "seed": seed}, progress=progress)


def class_visualization_of_code(
    model: nn.Module, targets: Targets, generator: Generator, *, layer: str | None = None, **options: object
) -> Ascent:
    """The picture of a class, or of a unit, that a generator can draw.

    Args:
        model: Any classifier; it need not be the one whose codes the generator reads.
        targets: Class index or (N,) indices; channels of ``layer`` if that is given.
        generator: From ``load_generator()``.
        layer: Climb the mean activation of a channel of this layer in place of a logit.
        options: Those of :func:`visualize_code`.

    Returns:
        The ascent, its picture (N, 3, S, S).
    """
    rows = check_each(targets, torch.as_tensor(targets).numel())
    objective = logit(model, rows) if layer is None else channel(model, layer, rows)
    ascent = visualize_code(model, objective, generator, **{"count": len(rows), **options})
    names = getattr(model, "categories", None)
    asked = {"class": [names[i] for i in rows.tolist()]} if layer is None and names else {"units": rows.tolist()}
    ascent.settings = {**ascent.settings, **({"layer": layer} if layer else {}), **asked}
    return ascent


@torch.no_grad()
def reconstruct(model: nn.Module, images: Tensor, generator: Generator) -> Tensor:
    """What is left of pictures when they pass through their FC6 codes?

    Args:
        model: ``mini_alexnet``, whose codes the generator reads.
        images: (N, 3, S, S), RGB in [0, 1].
        generator: From ``load_generator()``.

    Returns:
        (N, 3, S, S) in [0, 1].
    """
    codes = activations(model, check_images(images), [generator.layer])[generator.layer]
    return F.interpolate(generator(codes), size=images.shape[-2:], mode="bilinear", align_corners=False)


def _start(generator: Generator, start: str | Tensor, count: int, seed: int) -> Tensor:
    if isinstance(start, Tensor):
        return start
    if start not in ("mean", "noise"):
        raise ValueError(f"start must be 'mean', 'noise' or codes (N, {len(generator.mean)}), got {start!r}")
    codes = generator.mean.expand(count, -1)
    if start == "noise":
        noise = torch.randn(codes.shape, generator=torch.Generator().manual_seed(seed))
        codes = (codes + generator.std * noise.to(codes)).clamp_min(0)
    return codes
