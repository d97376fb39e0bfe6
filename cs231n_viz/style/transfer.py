"""Style transfer: the content of one picture, painted as another.

Example::

    painted = stylize(model, load_image("astronaut"), load_painting("swirls"))
    painted.image                                    # or step by step: for step in painted
    painted.terms[-1]                                # content, style and tv of the last step

The climb is that of ``ascend``, once for each size: small first, where a stroke is a few pixels long and a step costs
little, then enlarged and refined. Spectra as coordinates do what pixels do not: they keep grain out, and colours
within their range.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import activations, check_layers
from cs231n_viz.network.checks import check_images
from cs231n_viz.network.memory import free_memory
from cs231n_viz.network.models import Classifier
from cs231n_viz.network.precision import half_precision
from cs231n_viz.pictures.images import resize
from cs231n_viz.style.colours import Grey, luminance, match_colours, match_luminance, recoloured
from cs231n_viz.style.loss import JointLoss, Terms
from cs231n_viz.synthesis.ascent import Ascent, Objective, Rule, Step, ascend_carefully
from cs231n_viz.synthesis.parameterisation import Fourier, Pixels, start_noise
from cs231n_viz.texture.neural import style_layers as default_layers

Start = Literal["content", "noise"]
Colours = Literal["style", "luminance", "histogram"]
Coordinates = Literal["fourier", "pixels"]
CONTENT_LAYERS = {"mini_vgg": "relu3_2", "mini_alexnet": "relu3", "vgg19": "features.22", "squeezenet1_1": "features.6"}
STYLE_LAYERS = {"mini_vgg": ("relu1_1", "relu2_1", "relu3_1", "relu3_2", "relu4_1", "relu4_2")}
_SPECTRUM = {"decay": 0.6, "decorrelate": False}  # of those tried, the fastest to a given loss
_CAREFUL = 5  # steps of Adam, at the smallest size, before L-BFGS
_LR = {"lbfgs": 1.0, "adam": 0.05, "plain": 0.1, "unit": 1.0, "mean": 0.01, "sign": 0.01}


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


@dataclass(frozen=True)
class _Plan:
    """What is asked for, checked; it makes the loss and the start of each size."""

    model: nn.Module
    content: Tensor
    styles: list[Tensor]
    sizes: list[tuple[int, int]]
    style_sizes: list[list[tuple[int, int]]]  # for each size, of each style
    colours: Colours
    coordinates: Coordinates
    start: Start
    seed: int
    masks: list[Tensor] | None
    loss: dict[str, object]
    steps: list[int]
    climb: dict[str, object]

    def __iter__(self) -> Iterator[tuple[Step, Terms]]:
        """One ascent after another; each begins with the last picture of the one before, enlarged."""
        image: Tensor | None = None
        made = 0
        for number in range(len(self.sizes)):
            content, loss = self._prepared(number)
            image_of = self._begin(content, image)
            objective = _minus(loss)
            careful = {"careful": 0 if number else _CAREFUL, "short": 0.05}
            for step in ascend_carefully(image_of, objective, steps=self.steps[number], **careful, **self.climb):
                image = step.image
                if self.colours == "luminance":
                    step = step._replace(image=recoloured(luminance(image), content))
                yield step._replace(index=made), dict(loss.terms)
                made += 1

    def _prepared(self, number: int) -> tuple[Tensor, JointLoss]:
        """The content at this size, and the loss."""
        content = resize(self.content, self.sizes[number])
        styles = [resize(style, size) for style, size in zip(self.styles, self.style_sizes[number], strict=True)]
        changes = {"style": lambda style, _: style, "histogram": match_colours, "luminance": match_luminance}
        styles = [changes[self.colours](style, content) for style in styles]
        grey = luminance(content).expand(-1, 3, -1, -1) if self.colours == "luminance" else content
        with half_precision(content.device):
            return content, JointLoss(self.model, grey, styles, masks=self.masks, **self.loss)

    def _begin(self, content: Tensor, image: Tensor | None) -> nn.Module:
        """The parameterisation, at the start or at what was reached so far."""
        size = tuple(content.shape[-2:])
        spectrum = partial(Fourier, size, **_SPECTRUM)
        if image is None and self.start == "noise":
            image_of = (
                spectrum(seed=self.seed) if self.coordinates == "fourier" else Pixels(start_noise(size, self.seed))
            )
        else:
            picture = content if image is None else resize(image, size).clamp(0, 1)
            image_of = spectrum(start=picture.cpu()) if self.coordinates == "fourier" else Pixels(picture)
        image_of = image_of.to(content.device)
        return Grey(image_of) if self.colours == "luminance" else image_of


def stylize(
    model: Classifier,
    content: Tensor,
    styles: Tensor | Sequence[Tensor],
    *,
    style_weights: Sequence[float] | None = None,
    content_weight: float = 1.0,
    style_weight: float = 10.0,
    tv_weight: float = 30.0,
    content_layer: str | None = None,
    style_layers: Sequence[str] | None = None,
    style_scale: float = 1.0,
    start: Start = "content",
    steps: int | Sequence[int] = 40,
    size: int = 256,
    scales: int = 2,
    colours: Colours = "style",
    masks: Sequence[Tensor] | None = None,
    coordinates: Coordinates = "fourier",
    average: bool = False,
    rule: Rule = "lbfgs",
    lr: float | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Stylisation:
    """Paint one picture as others are painted.

    Args:
        model: Whose features say what content and style are; left as it was.
        content: (1, 3, H, W) or (3, H, W), RGB in [0, 1].
        styles: One painting or several, each like ``content`` and of any size.
        style_weights: How much of each style, in any unit; equal shares if omitted.
        content_weight: Weight of ‖F - F₀‖² / ‖F₀‖² at the content layer.
        style_weight: Weight of the mean over the style layers of ‖G - G₀‖² / ‖G₀‖².
        tv_weight: Weight of the total variation.
        content_layer: Low ones keep each contour, high ones leave the brush its freedom.
        style_layers: More and deeper ones carry larger strokes.
        style_scale: Longer side of the paintings, in units of that of the picture: above 1 makes strokes larger.
        start: The content, or noise.
        steps: Steps at each size, one evaluation of the network each; or one number for each size, small to large.
        size: Longer side of the result in pixels; the proportions are those of the content.
        scales: How many sizes, each half the next one.
        colours: Those of the ``"style"``; or those of the content, either by changing only its ``"luminance"``, or by
            repainting the style in the content's colours beforehand (``"histogram"``).
        masks: One (H, W), in [0, 1], for each style: the region of the content that it goes to.
        coordinates: What is changed: the spectrum (``"fourier"``), or the ``"pixels"`` as in the paper.
        average: Let max-pools average. The bundled networks draw lattices when their pools are changed.
        rule: As for ``ascend``.
        lr: As for ``ascend``; suited to the rule if omitted.
        seed: Of the noise.
        progress: Show a bar.

    Returns:
        The ascent; beside the steps each size also shows its start. Its score is minus the loss, and
        compares within one size only; ``.terms`` are its parts.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If a picture does not survive the pools or memory would not suffice, if weights or masks do not
            fit the styles, or if a setting makes no sense.

    Source: Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, eq. 7;
        several sizes and regions: Gatys et al., arXiv:1611.07865.
    Differs from the paper: relative errors, a term of total variation, the coordinates, and five short steps of Adam
        before L-BFGS. CPUs with instructions for bfloat16 compute the features in it, in two thirds of the time; the
        loss differs by some thousandths.
    """
    content, styles = _one(content), [_one(style) for style in ([styles] if isinstance(styles, Tensor) else styles)]
    for name, value, known in (("start", start, Start), ("colours", colours, Colours)):
        check_choice(name, value, get_args(known))
    check_choice("coordinates", coordinates, get_args(Coordinates))
    weights = {"content_weight": content_weight, "style_weight": style_weight, "tv_weight": tv_weight}
    check_numbers(weights, {"style_scale": style_scale, "size": size, "scales": scales})
    parts = shares(style_weights, len(styles))
    masks = None if masks is None else check_masks(masks, len(styles), tuple(content.shape[-2:]))
    layers = (content_layer or content_layer_of(model), tuple(style_layers or style_layers_of(model)))
    sizes = [_fitted(content, size / 2**k) for k in reversed(range(scales))]
    style_sizes = [[_fitted(style, style_scale * max(each)) for style in styles] for each in sizes]
    check_sizes(model, layers, {"content": sizes[0], "style": min(style_sizes[0], key=min)})
    check_memory(model, layers, {"content": sizes[-1], "style": max(style_sizes[-1], key=max)})
    loss = {"layers": layers, "weights": tuple(weights.values()), "style_weights": parts, "average": average}
    counts = check_steps(steps, scales)
    climb = {"rule": rule, "lr": _LR.get(rule, 1.0) if lr is None else lr}
    plan = _Plan(
        model, content, styles, sizes, style_sizes, colours, coordinates, start, seed, masks, loss, counts, climb
    )
    settings = {
        "recipe": "stylize", "model": model.name, **weights, "style_weights": parts, "content_layer": layers[0],
        "style_layers": list(layers[1]), "style_scale": style_scale, "start": start, "size": size, "scales": scales,
        "colours": colours, "masks": masks is not None, "coordinates": coordinates, "average": average,
        "steps": counts if len(set(counts)) > 1 else counts[0], **climb, "seed": seed,
    }  # fmt: skip
    return Stylisation(iter(plan), sum(counts) + scales, settings=settings, progress=progress)


def content_layer_of(model: nn.Module) -> str:
    """The layer that keeps a content's shapes in this network: a tried one, else at two thirds of the depth."""
    name = getattr(model, "name", "")
    if name in CONTENT_LAYERS:
        return CONTENT_LAYERS[name]
    layers = default_layers(model)
    return layers[2 * len(layers) // 3]


def style_layers_of(model: nn.Module) -> tuple[str, ...]:
    """The layers that carry a style, from the finest strokes to the largest."""
    return STYLE_LAYERS.get(getattr(model, "name", ""), default_layers(model))


def _minus(loss: JointLoss) -> Objective:
    def objective(images: Tensor) -> Tensor:
        with half_precision(images.device):
            return -loss(images)

    return objective


def _one(image: Tensor) -> Tensor:
    image = check_images(image[None] if isinstance(image, Tensor) and image.ndim == 3 else image)
    if len(image) != 1:
        raise ValueError(f"wanted one picture, (3, H, W) or (1, 3, H, W), got {len(image)}; stylize one at a time")
    return image


def _fitted(image: Tensor, longer: float) -> tuple[int, int]:
    """Height and width with this longer side, in the picture's proportions."""
    height, width = image.shape[-2:]
    return tuple(max(1, round(side * longer / max(height, width))) for side in (height, width))


Layers = tuple[str, Sequence[str]]
Sizes = dict[str, tuple[int, int]]  # of what -> (height, width)
_COPIES = 4.0  # of each activation are held at once: itself, what was recorded, and gradients
_SPARE = 0.8  # share of the free memory that may be asked for


def check_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse a name that is none of the known ones."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")


def check_numbers(weights: dict[str, float], sizes: dict[str, float]) -> None:
    """Refuse weights below 0, content and style both without weight, and sizes that are not above 0."""
    for name, value in weights.items():
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be a number from 0 on, got {value}")
    if weights["content_weight"] == weights["style_weight"] == 0:
        raise ValueError("content_weight and style_weight are both 0, so nothing is asked of the picture; raise one")
    for name, value in sizes.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be above 0, got {value}")


def check_steps(steps: int | Sequence[int], scales: int) -> list[int]:
    """The steps at each size.

    Raises:
        ValueError: If there is not one number for each size, or one is negative.
    """
    counts = [steps] * scales if isinstance(steps, int) else list(steps)
    if len(counts) != scales or min(counts) < 0:
        raise ValueError(f"steps must be a number from 0 on, or one for each of {scales} sizes; got {steps}")
    return counts


def shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """Style weights as shares that add up to 1.

    Raises:
        ValueError: If there is no style, or not one weight for each, or a weight is negative, or all are 0.
    """
    if not count:
        raise ValueError("wanted at least one style, got none")
    if weights is None:
        return [1 / count] * count
    weights = [float(weight) for weight in weights]
    if len(weights) != count:
        raise ValueError(f"there are {len(weights)} style_weights for {count} style{'s' * (count > 1)}; give one each")
    if not all(0 <= weight < float("inf") for weight in weights):
        raise ValueError(f"style_weights must be numbers from 0 on, got {weights}")
    if not sum(weights):
        raise ValueError("all style_weights are 0; raise one, or set style_weight=0 to do without a style")
    return [weight / sum(weights) for weight in weights]


def check_masks(masks: Sequence[Tensor], count: int, size: tuple[int, int]) -> list[Tensor]:
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


def check_sizes(model: Classifier, layers: Layers, sizes: Sizes) -> None:
    """Refuse pictures of which the pools leave nothing; ``sizes`` are the smallest ones that will be used."""
    names = [layers[0], *layers[1]]
    check_layers(model, names)
    flat = [name for name in names if len(model.layer(name).shape) != 3]
    if flat:
        raise ValueError(f"{flat[0]} has no positions, so it has neither content nor style; take a layer before it")
    for what, size in sizes.items():
        if not _fits(model, names, size):
            least = next((side for side in range(1, 4096) if _fits(model, names, (side, side))), 4096)
            how = "a larger size or fewer scales" if what == "content" else "a larger style_scale or picture"
            raise ValueError(
                f"the {what} would be used at {size[1]} × {size[0]} pixels, and {names[-1]} needs {least} × {least} at "
                f"least; use {how}"
            )


def _fits(model: nn.Module, names: Sequence[str], size: tuple[int, int]) -> bool:
    try:
        activations(model, torch.zeros(1, 3, *size).to(next(model.parameters())), names)
    except RuntimeError:  # a convolution or pooling with nothing left to slide over
        return False
    return True


def check_memory(model: Classifier, layers: Layers, sizes: Sizes) -> None:
    """Refuse pictures whose activations would not fit into the memory that is free."""
    free = _SPARE * free_memory(next(model.parameters()).device)
    for what, (height, width) in sizes.items():
        needed = memory_needed(model, layers, (height, width))
        if needed > free:
            longest = int(max(height, width) * (free / needed) ** 0.5)
            raise ValueError(
                f"the {what} at {width} × {height} pixels would take about {needed / 1e9:.3g} GB, and {free / 1e9:.3g} "
                f"GB may be used; the largest that fits has a longer side of {longest}"
            )


def memory_needed(model: Classifier, layers: Layers, size: tuple[int, int]) -> float:
    """About how many bytes a step takes at (height, width): activations up to the deepest layer, and gradients."""
    found = model.layers()
    last = max(index for index, layer in enumerate(found) if layer.name in {layers[0], *layers[1]})
    values = sum(torch.Size(layer.shape).numel() for layer in found[: last + 1] if len(layer.shape) == 3)
    return 4 * _COPIES * values * size[0] * size[1] / model.input_size**2
