"""Style transfer: the content of one picture, painted as another (Gatys).

Example::

    painted = stylize(model, load_image("astronaut"), load_painting("swirls"), loss=StyleLoss(style=100.0))
    painted.image                                    # or step by step: for step in painted
    painted.terms[-1]                                # content, style and tv of the last step

A :class:`StyleLoss` says what is optimised and a :class:`Schedule` how: by ``ascend``, once for each size, small first,
where a stroke is a few pixels long and a step costs little, then enlarged and refined. What is changed is a spectrum:
unlike pixels, it keeps out high-frequency noise, and its colours stay within their range.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import Literal, get_args

from torch import Tensor, nn

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.network.capture import check_layers
from cs231n_viz.network.checks import check_images
from cs231n_viz.network.layers import smallest_side, survives
from cs231n_viz.network.memory import PROBE, check_memory
from cs231n_viz.network.models import Classifier
from cs231n_viz.network.precision import half_precision
from cs231n_viz.network.running import outside_inference_mode
from cs231n_viz.pictures.images import resize
from cs231n_viz.style.colours import Grey, luminance, match_colours, match_luminance, recoloured
from cs231n_viz.style.loss import JointLoss, StyleLoss, Terms
from cs231n_viz.synthesis.ascent import (
    DEFAULT_UPDATE,
    LBFGS_COPIES,
    Ascent,
    Objective,
    Rule,
    Step,
    Update,
    ascend_carefully,
)
from cs231n_viz.synthesis.parameterisation import Fourier, Pixels, start_noise

Start = Literal["content", "noise"]
Colours = Literal["style", "luminance", "histogram"]
Coordinates = Literal["fourier", "pixels"]
_Size = tuple[int, int]  # height and width

_LR = {"lbfgs": 1.0, "adam": 0.05, "plain": 0.1, "unit": 1.0, "mean": 0.01, "sign": 0.01}
_SPECTRUM = {"decay": 0.6, "decorrelate": False}  # of those tried, the fastest to a given loss
_CAREFUL = 5  # steps of Adam, at the smallest size, before L-BFGS
_LOSS = StyleLoss()


def _check_choice(name: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")


def _check_above_0(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be above 0, got {value!r}")


@dataclass(frozen=True)
class Schedule:
    """How a picture is optimised: at which sizes, with how many steps, from what start, in which coordinates.

    Attributes:
        size: Longer side of the result in pixels; the proportions are those of the content.
        scales: Number of sizes, each half the next one.
        steps: Steps at each size, one evaluation of the network each; or one number for each size, small to large.
        start: The content, or noise.
        coordinates: What is changed: the spectrum (``"fourier"``), or the ``"pixels"`` as in the paper.

    Raises:
        ValueError: If a setting makes no sense.
    """

    size: int = 256
    scales: int = 2
    steps: int | Sequence[int] = 40
    start: Start = "content"
    coordinates: Coordinates = "fourier"

    def __post_init__(self) -> None:
        _check_above_0("size", self.size)
        if not isinstance(self.scales, int) or self.scales < 1:
            raise ValueError(f"scales must be a whole number from 1 on, got {self.scales!r}")
        if len(self.counts) != self.scales or min(self.counts) < 0:
            wanted = f"a number from 0 on, or one for each of {self.scales} sizes"
            raise ValueError(f"steps must be {wanted}; got {self.steps}")
        _check_choice("start", self.start, get_args(Start))
        _check_choice("coordinates", self.coordinates, get_args(Coordinates))

    @property
    def counts(self) -> list[int]:
        """The steps at each size."""
        return [self.steps] * self.scales if isinstance(self.steps, int) else list(self.steps)

    def sizes(self, image: Tensor) -> list[_Size]:
        """Height and width of the picture at each size, small to large, in the proportions of an image."""
        return [_fitted(image, self.size / 2**halvings) for halvings in reversed(range(self.scales))]


class Stylisation(Ascent):
    """The ascent that ``stylize`` returns, with the three terms of its loss.

    Attributes:
        terms: For each step so far what content, style and tv contribute to the loss, weights included. They add up
            to minus the score.
    """

    def __init__(self, steps: Iterator[tuple[Step, Terms]], total: int, **options: object) -> None:
        self.terms: list[Terms] = []
        super().__init__(self._noted(steps), total, **options)

    def _noted(self, steps: Iterator[tuple[Step, Terms]]) -> Iterator[Step]:
        for step, terms in steps:
            self.terms.append(terms)
            yield step


@moved_keywords(
    content_weight="loss.content",
    style_weight="loss.style",
    tv_weight="loss.tv",
    content_layer="loss.content_layer",
    style_layers="loss.style_layers",
    style_weights="loss.shares",
    average="loss.average_pooling",
    size="schedule.size",
    scales="schedule.scales",
    steps="schedule.steps",
    start="schedule.start",
    coordinates="schedule.coordinates",
    rule="update.rule",
    lr="update.lr",
)
@outside_inference_mode()
def stylize(
    model: Classifier,
    content: Tensor,
    styles: Tensor | Sequence[Tensor],
    *,
    loss: StyleLoss = _LOSS,
    schedule: Schedule = Schedule(),
    update: Update = DEFAULT_UPDATE,
    style_scale: float = 1.0,
    colours: Colours = "style",
    masks: Sequence[Tensor] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Stylisation:
    """Optimise a picture until it has the content of one picture and the style of others (style transfer).

    Args:
        model: Whose features say what content and style are; left as it was.
        content: (1, 3, H, W) or (3, H, W), RGB in [0, 1].
        styles: One painting or several, each like ``content`` and of any size.
        loss: The weights of content, style and total variation, the layers, and the shares of several styles.
        schedule: Sizes, steps, start and coordinates.
        update: Update rule and learning rate; ``"lbfgs"``, and a rate that suits the rule, if left open.
        style_scale: Longer side of the paintings, in units of that of the picture: above 1 makes strokes larger.
        colours: Those of the ``"style"``; or those of the content, either by changing only its ``"luminance"``, or by
            repainting the style in the content's colours beforehand (``"histogram"``).
        masks: One (H, W), in [0, 1], for each style: the region of the content that it goes to.
        seed: Random seed for the noise, if the picture starts from noise.
        progress: Show a bar.

    Returns:
        The ascent; beside the steps each size also shows its start. Its score is minus the loss, and
        compares within one size only; ``.terms`` are its parts.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If a picture is too small for the pools or memory would not suffice, if shares or masks do not
            fit the styles, or if a setting makes no sense.

    Source: Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, eq. 7;
        several sizes and regions: Gatys et al., arXiv:1611.07865.
    Differs from the paper: relative errors, a term of total variation, the coordinates, and five short steps of Adam
        before L-BFGS. CPUs that are faster in bfloat16 compute the features in it, in two thirds of the time; the loss
        differs by some thousandths.
    """
    content, styles = _one(content), [_one(style) for style in ([styles] if isinstance(styles, Tensor) else styles)]
    _check_choice("colours", colours, get_args(Colours))
    _check_above_0("style_scale", style_scale)
    plan = _Plan(
        model=model,
        content=content,
        styles=styles,
        masks=None if masks is None else _checked_masks(masks, len(styles), tuple(content.shape[-2:])),
        loss=loss.resolved(model, len(styles)),
        schedule=schedule,
        update=update.resolved("lbfgs", _LR.get(update.rule or "lbfgs", 1.0)),
        style_scale=style_scale,
        colours=colours,
        seed=seed,
    )
    plan.check()
    total = sum(schedule.counts) + schedule.scales
    return Stylisation(iter(plan), total, settings=plan.settings(), progress=progress)


@dataclass(frozen=True)
class _Plan:
    """What is asked of ``stylize``; it makes the loss and the start of each size, and the steps."""

    model: Classifier
    content: Tensor
    styles: list[Tensor]
    masks: list[Tensor] | None
    loss: StyleLoss  # with nothing left to fill in
    schedule: Schedule
    update: dict[str, Rule | float]  # rule and lr
    style_scale: float
    colours: Colours
    seed: int

    @cached_property
    def sizes(self) -> list[_Size]:
        return self.schedule.sizes(self.content)

    @cached_property
    def style_sizes(self) -> list[list[_Size]]:
        """For each size, that of each style."""
        return [[_fitted(style, self.style_scale * max(size)) for style in self.styles] for size in self.sizes]

    def check(self) -> None:
        """Refuse layers without positions, pictures too small for the pools, and such as memory would not hold."""
        layers = [self.loss.content_layer, *self.loss.style_layers]
        check_layers(self.model, layers)
        flat = [layer for layer in layers if len(self.model.layer(layer).shape) != 3]
        if flat:
            raise ValueError(f"{flat[0]} has no positions, so it has neither content nor style; take a layer before it")
        smallest_style, largest_style = min(self.style_sizes[0], key=min), max(self.style_sizes[-1], key=max)
        self._check_pools(layers, self.sizes[0], "content", "a larger size or fewer scales")
        self._check_pools(layers, smallest_style, "style", "a larger style_scale or picture")
        enough = min(self.sizes[0]) <= PROBE or survives(self.model, layers, (PROBE, PROBE))
        side = PROBE if enough else smallest_side(self.model, layers)
        copies = LBFGS_COPIES if self.update["rule"] == "lbfgs" else 0
        larger = {"content": self.sizes[-1], "style": largest_style}
        what = max(larger, key=lambda name: prod(larger[name]))
        check_memory(self.model, layers, larger[what], what=what, side=side, copies=copies)

    def _check_pools(self, layers: Sequence[str], size: _Size, what: str, how: str) -> None:
        # Never at its own size, which may be larger than memory: what a small picture survives, a larger one does.
        if survives(self.model, layers, tuple(min(side, PROBE) for side in size)):
            return
        (height, width), least = size, smallest_side(self.model, layers)
        if not survives(self.model, layers, tuple(min(side, least) for side in size)):
            raise ValueError(
                f"the {what} would be used at {width} × {height} pixels, and {layers[-1]} needs {least} × {least} at "
                f"least; use {how}"
            )

    def settings(self) -> dict[str, object]:
        """What the picture is made with, in plain words, to be saved beside it."""
        loss, schedule, counts = self.loss, self.schedule, self.schedule.counts
        return {
            "recipe": "stylize",
            "model": self.model.name,
            **{f"{name}_weight": weight for name, weight in loss.weights.items()},
            "style_weights": list(loss.shares),
            "content_layer": loss.content_layer,
            "style_layers": list(loss.style_layers),
            "style_scale": self.style_scale,
            "start": schedule.start,
            "size": schedule.size,
            "scales": schedule.scales,
            "colours": self.colours,
            "masks": self.masks is not None,
            "coordinates": schedule.coordinates,
            "average": loss.average_pooling,
            "steps": counts if len(set(counts)) > 1 else counts[0],
            "rule": self.update["rule"],
            "lr": self.update["lr"],
            "seed": self.seed,
        }

    def __iter__(self) -> Iterator[tuple[Step, Terms]]:
        """One ascent after another; each begins with the last picture of the one before, enlarged."""
        image: Tensor | None = None
        index = 0
        for number, steps in enumerate(self.schedule.counts):
            content, loss = self._prepared(number)
            image_of = self._begin(content, image)
            options = {**self.update, "careful": 0 if number else _CAREFUL, "short": 0.05}
            for step in ascend_carefully(image_of, _minus(loss), steps=steps, **options):
                image = step.image
                if self.colours == "luminance":
                    step = step._replace(image=recoloured(luminance(image), content))
                yield step._replace(index=index), dict(loss.terms)
                index += 1

    def _prepared(self, number: int) -> tuple[Tensor, JointLoss]:
        """The content at this size, and the loss."""
        content = resize(self.content, self.sizes[number])
        styles = [resize(style, size) for style, size in zip(self.styles, self.style_sizes[number], strict=True)]
        changes = {"style": lambda style, _: style, "histogram": match_colours, "luminance": match_luminance}
        styles = [changes[self.colours](style, content) for style in styles]
        grey = luminance(content).expand(-1, 3, -1, -1) if self.colours == "luminance" else content
        with half_precision(content.device):
            return content, JointLoss(self.model, grey, styles, self.loss, masks=self.masks)

    def _begin(self, content: Tensor, image: Tensor | None) -> nn.Module:
        """The parameterisation, at the start or at the picture that was reached so far."""
        size = tuple(content.shape[-2:])
        in_pixels = self.schedule.coordinates == "pixels"
        spectrum = partial(Fourier, size, **_SPECTRUM)
        if image is None and self.schedule.start == "noise":
            image_of = Pixels(start_noise(size, self.seed)) if in_pixels else spectrum(seed=self.seed)
        else:
            picture = content if image is None else resize(image, size).clamp(0, 1)
            image_of = Pixels(picture) if in_pixels else spectrum(start=picture.cpu())
        image_of = image_of.to(content.device)
        return Grey(image_of) if self.colours == "luminance" else image_of


def _minus(loss: JointLoss) -> Objective:
    """Minus the loss, computed in half precision where the processor is fast at it."""

    def objective(images: Tensor) -> Tensor:
        with half_precision(images.device):
            return -loss(images)

    return objective


def _one(image: Tensor) -> Tensor:
    image = check_images(image[None] if isinstance(image, Tensor) and image.ndim == 3 else image)
    if len(image) != 1:
        raise ValueError(f"wanted one picture, (3, H, W) or (1, 3, H, W), got {len(image)}; stylize one at a time")
    return image


def _fitted(image: Tensor, longer: float) -> _Size:
    """Height and width with this longer side, in the picture's proportions."""
    height, width = image.shape[-2:]
    return tuple(max(1, round(side * longer / max(height, width))) for side in (height, width))


def _checked_masks(masks: Sequence[Tensor], count: int, size: _Size) -> list[Tensor]:
    """Masks as float (H, W).

    Raises:
        ValueError: If there is not one for each style, or one is of another size than the content, leaves [0, 1], or
            is empty.
    """
    if len(masks) != count:
        raise ValueError(f"there are {len(masks)} masks for {count} style{'s' * (count > 1)}; give one each")
    for number, mask in enumerate(masks):
        if tuple(mask.shape) != size:
            raise ValueError(f"mask {number} is {tuple(mask.shape)}, but the content is {size}; make them alike")
        values = mask.float()
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(f"mask {number} leaves [0, 1]: {values.min():.3g} to {values.max():.3g}")
        if not values.any():
            raise ValueError(f"mask {number} is empty, so its style would go nowhere; leave both out")
    return [mask.float() for mask in masks]
