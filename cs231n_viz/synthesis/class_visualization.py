"""What would excite a unit most? Pictures that are climbed to, not found.

:func:`visualize` climbs any objective, :func:`class_visualization` the logit of a class or a channel of a layer. Every
regulariser is a switch of its own, see :class:`Regularisers`; ``PRESETS`` holds the recipes of the literature.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from cs231n_viz.network.checks import Targets, check_each, check_targets
from cs231n_viz.network.memory_format import arranged
from cs231n_viz.synthesis import regularisers as keep
from cs231n_viz.synthesis.ascent import Ascent, Objective, Rule, ascend
from cs231n_viz.synthesis.objectives import channel, logit, redirected
from cs231n_viz.synthesis.parameterisation import Fourier, Pixels
from cs231n_viz.synthesis.views import jitter, robust

Start = Literal["zero", "noise"] | Tensor
_RULES: dict[str, tuple[Rule, float]] = {"pixels": ("mean", 0.01), "fourier": ("adam", 0.05)}


@dataclass(frozen=True)
class Regularisers:
    """What keeps a climbed picture from becoming noise. Everything is off until it is asked for.

    Attributes:
        l2: Weight of the mean squared distance from the mean colour.
        tv: Weight of the total variation.
        decay: Share by which each pixel shrinks towards the mean colour after a step.
        blur: σ in pixels of the Gaussian that the picture is blurred by ...
        every: ... in every so many steps.
        clip_pixels: Share of the pixels, those of smallest norm, that are set to the mean colour after a step.
        clip_gradients: Likewise, those of smallest gradient.
        clip_contributions: Likewise, those of smallest |pixel × gradient|.
        jitter: Before each look the picture is rolled by up to this many pixels.
        shift: Largest shift of a random view in pixels,
        scale: its largest relative change of size,
        turn: and its largest angle in degrees.
    """

    l2: float = 0.0
    tv: float = 0.0
    decay: float = 0.0
    blur: float = 0.0
    every: int = 4
    clip_pixels: float = 0.0
    clip_gradients: float = 0.0
    clip_contributions: float = 0.0
    jitter: int = 0
    shift: float = 0.0
    scale: float = 0.0
    turn: float = 0.0

    def changes(self) -> list[keep.Change]:
        """What is done to the pixels after each step, in the published order: shrink, blur, clip."""
        switches = [
            (self.decay, keep.decay),
            (self.blur, lambda sigma: keep.blur(sigma, every=self.every)),
            (self.clip_pixels, keep.clip_small_pixels),
            (self.clip_gradients, keep.clip_small_gradients),
            (self.clip_contributions, keep.clip_small_contributions),
        ]
        return [make(amount) for amount, make in switches if amount]

    def around(self, objective: Objective, *, centre: Tensor | float = 0.5, seed: int = 0) -> Objective:
        """The objective as it is climbed: asked of a random view each time, less the terms of the picture."""
        random = torch.Generator().manual_seed(seed)
        looked = objective
        if self.shift or self.scale or self.turn:
            looked = robust(objective, seed=seed, shift=self.shift, scale=self.scale, turn=self.turn)

        def score(images: Tensor) -> Tensor:
            seen = jitter(images, self.jitter, random)[0] if self.jitter else images
            value = looked(seen)
            value = value - self.l2 * keep.l2(images, centre) if self.l2 else value
            return value - self.tv * keep.total_variation(images) if self.tv else value

        return score


PRESETS: Mapping[str, Regularisers] = {
    "none": Regularisers(),
    # Simonyan et al., arXiv:1312.6034, section 2
    "l2": Regularisers(l2=100.0),
    # Yosinski et al., arXiv:1506.06579, the third of their published recipes, made for 1000 steps
    "yosinski": Regularisers(decay=1e-4, blur=1.0, every=4),
    # Olah et al., Distill 2017, with Mahendran & Vedaldi's total variation
    "robust": Regularisers(tv=200.0, shift=16.0, scale=0.2, turn=10.0),
    # the same for a channel's mean activation, which is far smaller than a logit
    "channel": Regularisers(tv=10.0, shift=8.0, scale=0.1, turn=10.0),
}


def visualize(
    model: nn.Module,
    objective: Objective,
    *,
    regularisers: Regularisers | str = "robust",
    parameterisation: Literal["fourier", "pixels"] = "fourier",
    start: Start = "noise",
    count: int = 1,
    size: int | None = None,
    steps: int = 256,
    lr: float | None = None,
    rule: Rule | None = None,
    redirect: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Which picture makes an objective large?

    Args:
        model: The network that the objective asks; it tells the mean colour and the size.
        objective: Images (N, 3, H, W) -> scalar, for example ``channel(model, "relu4", 7)``.
        regularisers: Which, and how much of each; or the name of a preset: ``"none"``, ``"l2"``, ``"yosinski"``,
            ``"robust"``, ``"channel"``. Terms are weighed against the objective, so a small one wants small weights.
        parameterisation: Climb in the coefficients of a spectrum in decorrelated colours, or in the pixels.
        start: ``"zero"`` is the mean colour everywhere, which is 0 for the network; ``"noise"`` noise around
            it; or a picture (N, 3, H, W), which then says how many and how large.
        count: How many pictures climb at once.
        size: Side of the picture in pixels; the model's input size if omitted.
        steps: How many.
        lr: Length of a step in units of the rule; 0.05 for a spectrum, 0.01 for pixels.
        rule: See :func:`~cs231n_viz.synthesis.ascent.ascend`; ``"adam"`` for a spectrum, ``"mean"`` for pixels.
        redirect: Let gradients through rectifiers that would stop all of them, for objectives that start dead.
        seed: Of the noise, of jitter and of views.
        progress: Show a bar while ``.image`` or ``.score`` make steps.

    Returns:
        An :class:`~cs231n_viz.synthesis.ascent.Ascent`: iterate over it to look on, or take its ``.image``. A score is the
        objective of the present view less the regularisers' terms, summed over the pictures.

    Raises:
        ValueError: If a name is unknown, or a change of pixels is asked for in another parameterisation.

    Example:
        >>> visualize(model, channel(model, "relu3", 12), steps=128).image.shape
        torch.Size([1, 3, 224, 224])
    """
    keeping = _preset(regularisers)
    if parameterisation not in _RULES:
        raise ValueError(f"parameterisation must be 'fourier' or 'pixels', got {parameterisation!r}")
    if parameterisation != "pixels" and keeping.changes():
        raise ValueError(
            "decay, blur and clipping change the pixels after each step; they want parameterisation='pixels'"
        )
    usual_rule, usual_lr = _RULES[parameterisation]
    rule, lr = rule or usual_rule, usual_lr if lr is None else lr
    centre = _centre(model)
    side = size or getattr(model, "input_size", 224)
    image_of = _parameterised(parameterisation, start, centre=centre, shape=(count, 3, side, side), seed=seed)
    asked = _quick(model, redirected(objective) if redirect else objective)
    after = keep.after_each_step(keeping.changes(), centre) if keeping.changes() else None
    climbed = keeping.around(asked, centre=centre, seed=seed)
    found = ascend(image_of.to(centre.device), climbed, steps=steps, lr=lr, rule=rule, after=after)
    settings = {"model": getattr(model, "name", type(model).__name__), "parameterisation": parameterisation}
    settings |= {"start": start if isinstance(start, str) else "picture", "steps": steps, "lr": lr, "rule": rule}
    settings |= {"seed": seed, **{name: value for name, value in asdict(keeping).items() if value}}
    return Ascent(found, steps + 1, settings=settings, progress=progress)


def class_visualization(model: nn.Module, targets: Targets, *, layer: str | None = None, **options: object) -> Ascent:
    """Which picture is, for the network, most of all this class?

    Args:
        model: Any classifier.
        targets: Class index, or (N,) indices: N pictures climb at once, each to its own class. If ``layer`` is given,
            channels of that layer.
        layer: Climb the mean activation of a channel of this layer in place of a logit.
        options: Those of :func:`visualize`; the regularisers of a layer are ``"channel"`` if omitted.

    Returns:
        The ascent, its picture (N, 3, S, S).

    Raises:
        ValueError: If a target is not a class, or an option makes no sense.

    Source: Simonyan et al., arXiv:1312.6034, section 2. Their recipe is
        ``regularisers="l2", parameterisation="pixels", start="zero"``.
    """
    start = options.get("start")
    rows = check_each(targets, len(start) if isinstance(start, Tensor) else torch.as_tensor(targets).numel())
    names = getattr(model, "categories", None)
    if layer is None and names:
        check_targets(rows, len(rows), len(names))
    objective = logit(model, rows) if layer is None else channel(model, layer, rows)
    usual = {"count": len(rows), "regularisers": "robust" if layer is None else "channel"}
    ascent = visualize(model, objective, **{**usual, **options})
    asked = {"class": [names[i] for i in rows.tolist()]} if layer is None and names else {"units": rows.tolist()}
    ascent.settings = {**ascent.settings, **({"layer": layer} if layer else {}), **asked}
    return ascent


def _preset(regularisers: Regularisers | str) -> Regularisers:
    if isinstance(regularisers, Regularisers):
        return replace(regularisers)
    if regularisers not in PRESETS:
        raise ValueError(f"regularisers must be Regularisers(...) or one of {', '.join(PRESETS)}; got {regularisers!r}")
    return PRESETS[regularisers]


def _centre(model: nn.Module) -> Tensor:
    """The mean colour (3, 1, 1): what the network sees as 0."""
    mean = getattr(model, "mean", None)
    return mean.detach().float() if isinstance(mean, Tensor) and mean.shape == (3, 1, 1) else torch.full((3, 1, 1), 0.5)


def _parameterised(kind: str, start: Start, *, centre: Tensor, shape: tuple[int, ...], seed: int) -> nn.Module:
    if isinstance(start, str) and start not in ("zero", "noise"):
        raise ValueError(f"start must be 'zero', 'noise' or a picture, got {start!r}")
    if kind == "fourier" and isinstance(start, str) and start == "noise":
        return Fourier(shape[-1], count=shape[0], seed=seed)
    if isinstance(start, str):
        picture = centre.cpu().expand(shape)
        if start == "noise":
            noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
            picture = (picture + 0.25 * noise).clamp(0, 1)
    else:
        picture = start.expand(shape[0], -1, -1, -1) if len(start) == 1 else start
    return Pixels(picture) if kind == "pixels" else Fourier(tuple(picture.shape[-2:]), start=picture)


def _quick(model: nn.Module, objective: Objective) -> Objective:
    """Ask in the order of memory in which convolutions are fastest; the values are the same."""
    return lambda images: objective(arranged(model, images))
