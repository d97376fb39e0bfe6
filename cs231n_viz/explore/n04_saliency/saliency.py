"""Explorer of notebook 04: which pixels move a logit, or one neuron, by any of the notebook's methods?"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from html import escape

import numpy as np
import torch
from torch import Tensor, nn

from cs231n_viz.attribution import averaged_gradients
from cs231n_viz.attribution import saliency as gradients
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import ORANGE, Canvas, number
from cs231n_viz.explore.toolkit.controls import dropdown, replace_options, slider
from cs231n_viz.explore.toolkit.heatmap import BAR, Heatmap, around_grey, heatmap, limit_of, map_panel
from cs231n_viz.explore.toolkit.models import layers_with_maps
from cs231n_viz.explore.toolkit.picture import ClickablePicture, Spot
from cs231n_viz.explore.toolkit.subject import Subject, hide
from cs231n_viz.network.checks import Neuron
from cs231n_viz.network.gradients import class_scores, neuron_scores
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource

ABS, SQUARE, TIMES, SMOOTH, PATH = (
    "saliency: |gradient|",
    "saliency: gradient²",
    "gradient × input",
    "SmoothGrad",
    "integrated gradients",
)
GUIDED, DECONV = "guided backprop", "deconvnet"
METHODS = (ABS, SQUARE, TIMES, SMOOTH, PATH, GUIDED, DECONV)
SAMPLES = 25  # of SmoothGrad
SEGMENTS, STEPS = 64, 1  # of the path of integrated gradients, and gradients on each: one gradient for each picture
LOGIT = "the logit of the class"
_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_LEFTS = (8, 294, 580)
_MOST_MAPS = 32  # attributions that are remembered, 0.6 MB each


def saliency(
    models: Classifier | Mapping[str, Classifier],
    photograph: ImageSource = "motorcycle",
    category: str | None = None,
    *,
    method: str = METHODS[0],
    saliency_map: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Explain the logit of a class, or one neuron, by the pixels of a photograph, with any method of the notebook.

    Args:
        models: A classifier, or name -> classifier.
        photograph: Initial photograph, of ``sample_images()``, or what ``load_image`` takes.
        category: Initial class; the most probable one if omitted.
        method: Initial method, of ``METHODS``.
        saliency_map: If given, makes the first two maps: ``saliency_map(model, images, targets, magnitude=)`` ->
            (N, H, W).

    Returns:
        The explorer; ``controls`` are ``photograph``, ``file``, ``network``, ``category``, ``method``, ``layer``, and
        where a layer is chosen ``unit``, ``row`` and ``col`` of the neuron that is explained instead of the class. A
        click on the layer's map chooses the neuron. SmoothGrad and integrated gradients are refined sample by sample.

    Raises:
        KeyError: If the model has no such category.
        ValueError: If there is no such method, or no model.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    return _Saliency(Subject(models, photograph, category), method, saliency_map or gradients.saliency).explorer


class _Estimates:
    """The latest estimate of an attribution, and how many of how many there have been."""

    def __init__(self, steps: Iterator[Tensor], total: int) -> None:
        self._steps, self.count, self.total = steps, 0, total
        self.latest = next(steps)  # what fails, fails here, and nothing is remembered of it

    def refine(self) -> None:
        if self.count < self.total:
            self.latest = next(self._steps) if self.count else self.latest
            self.count += 1


class _Saliency:
    def __init__(self, subject: Subject, method: str, saliency_map: Callable[..., Tensor]) -> None:
        self.models, self.photographs, self.saliency_map = subject.models, subject.photographs, saliency_map
        self.estimates_of = lru_cache(maxsize=_MOST_MAPS)(self._estimates_of)
        model = next(iter(self.models.values()))
        self.controls = {
            **subject.controls,
            "method": dropdown("method", METHODS, value=method),
            "layer": dropdown("explain", [LOGIT, *layers_with_maps(model)]),
            "unit": slider("unit", 0, 0),
            "row": slider("row", 0, 0),
            "col": slider("column", 0, 0),
        }
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.explorer = Explorer(
            self.draw,
            self.controls,
            view=ClickablePicture(alt="The photograph, the attribution map, and the map over the photograph."),
            panel=[("photograph", "network"), ("method", "category"), ("layer", "unit"), ("row", "col"), ("file",)],
            first=("photograph", "network", "method", "category", "layer", "unit"),  # the class, or the unit of a layer
            pointing="Under “explain”, choose a layer instead of the class; then click a cell of its map.",
        )
        subject.hold, subject.follow = self.explorer.hold, self._follow_network

    def _follow_network(self) -> None:
        """Keep the layer if the other network has it too."""
        layers = [LOGIT, *layers_with_maps(self.models[self.controls["network"].value])]
        if list(self.controls["layer"].options) != layers:
            replace_options(self.controls["layer"], layers)
            self._follow_layer({"new": self.controls["layer"].value})

    def _follow_layer(self, change: dict) -> None:
        """Begin with the most active neuron of the layer."""
        if change["new"] == LOGIT or change["new"] is None:
            return
        photographs = self.photographs[self.controls["network"].value]
        maps = photographs.maps(self.controls["photograph"].value, change["new"])
        places = np.unravel_index(int(maps.argmax()), maps.shape)
        with self.explorer.hold():
            for name, size, place in zip(("unit", "row", "col"), maps.shape, places, strict=True):
                self.controls[name].max = size - 1
                self.controls[name].value = int(place)

    def _choose(self, row: int, col: int) -> None:
        self.controls["row"].value, self.controls["col"].value = row, col

    def _estimates_of(self, photograph: str, network: str, of: int | Neuron, method: str) -> _Estimates:
        images = self.photographs[network].image(photograph)
        steps = estimates(self.models[network], images, of, method, self.saliency_map)
        return _Estimates(steps, {SMOOTH: SAMPLES, PATH: SEGMENTS}.get(method, 1))

    def draw(
        self, photograph: str, network: str, category: str, method: str, layer: str, unit: int, row: int, col: int
    ) -> Drawing:
        neuron = layer != LOGIT
        hide(self.controls, category=neuron, unit=not neuron, row=not neuron, col=not neuron)
        model, photo = self.models[network], self.photographs[network].shown(photograph)
        of: int | Neuron = 0 if neuron else model.index(category)
        if neuron:
            maps = self.photographs[network].maps(photograph, layer)
            of = (layer, *(min(place, size - 1) for place, size in zip((unit, row, col), maps.shape, strict=True)))
        found = self.estimates_of(photograph, network, of, method)
        found.refine()
        canvas, spots = Canvas(_TOP + _SIDE + BAR), ()
        drawn = as_heatmap(found.latest, method)
        canvas.panel(photo, (_LEFTS[0], _TOP), _SIDE, "what the neuron can see" if neuron else category, bold=True)
        map_panel(canvas, drawn, (_LEFTS[1], _TOP), _SIDE, method)
        if neuron:
            canvas.box(model.layer(layer).field.box(*of[2:]), (_LEFTS[0], _TOP), _SIDE / len(photo))
            spots = (_neuron_panel(canvas, maps[of[1]], of, self._choose),)
        else:
            canvas.panel(_in_orange(photo, found.latest), (_LEFTS[2], _TOP), _SIDE, "over the photograph", bold=True)
        score = self._score(network, photograph, of)
        text = self._sentence(network, photograph, of, score, method, found)
        notice = "" if drawn.limit else _why_nothing(score, neuron)
        return Drawing(canvas.array, text, notice, unfinished=found.count < found.total, spots=spots)

    def _score(self, network: str, photograph: str, of: int | Neuron) -> float:
        if isinstance(of, int):
            return float(self.photographs[network].logits(photograph)[of])
        return score_of(self.models[network], self.photographs[network].image(photograph), of)

    def _sentence(
        self, network: str, photograph: str, of: int | Neuron, score: float, method: str, found: _Estimates
    ) -> str:
        model, total = self.models[network], number(float(found.latest.sum()), 3)
        if isinstance(of, int):
            text = f"The logit of <b>{escape(model.categories[of])}</b> is {number(score)}."
        else:
            text = f"Neuron ({of[2]}, {of[3]}) of unit {of[1]} in <b>{escape(of[0])}</b> has activation "
            text += f"{number(score)}."
        if method == PATH:
            black = score_of(model, torch.zeros_like(self.photographs[network].image(photograph)), of)
            so_far = "" if found.count == found.total else f" of {found.count} of {found.total} segments"
            text += f" From black it rises by {number(score - black, 3)}; the attributions{so_far} sum up to {total}."
        elif method == SMOOTH:
            so_far = "" if found.count == found.total else f" of {found.total}"
            text += f" Mean of {found.count}{so_far} gradients, each of the picture with other noise."
        elif method == TIMES:
            text += f" The attributions sum up to {total}."
        return paragraph(text)


def _why_nothing(score: float, neuron: bool) -> str:
    """Why an attribution is 0 everywhere, and what to try."""
    if neuron and score == 0:
        return (
            "This neuron is 0 here: its ReLU lets no gradient through, and the map is 0 everywhere. Click a bright "
            "cell of its feature map, or choose another unit."
        )
    return "The gradient is 0 everywhere: no small change of a pixel moves this value."


def _neuron_panel(canvas: Canvas, values: np.ndarray, neuron: Neuron, choose: Callable[[int, int], object]) -> Spot:
    """The feature map (h, w), to choose a neuron from."""
    layer, unit, *cell = neuron
    at = (_LEFTS[2], _TOP)
    drawn = heatmap(values, signed=bool(values.min() < 0))
    map_panel(canvas, drawn, at, _SIDE, f"unit {unit} of {layer}", smooth=False)
    high, wide = (_SIDE / n for n in values.shape)
    canvas.frame((at[0] + cell[1] * wide, at[1] + cell[0] * high), (wide, high), colour=ORANGE, width=2)
    return Spot(at, (_SIDE, _SIDE), values.shape, choose, tuple(cell))


def _in_orange(photo: np.ndarray, attribution: Tensor) -> np.ndarray:
    """The magnitudes in orange over the pale photograph."""
    size = magnitude_of(attribution)
    share = (size / (limit_of(size) or 1.0)).clip(0, 1)[..., None]
    pale = 255 - (255 - photo.mean(2, keepdims=True)) * 0.4
    return (pale * (1 - share) + np.array(ORANGE) * share).astype(np.uint8)


class NeuronScore(nn.Module):
    """A network whose only logit is the activation of one neuron, so that every method can explain it."""

    def __init__(self, model: Classifier, neuron: Neuron) -> None:
        """``neuron`` is (layer, channel, row, col)."""
        super().__init__()
        self.model, self.neuron = model, neuron
        self.mean = model.mean

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1)."""
        return neuron_scores(self.model, images, self.neuron)[:, None]


def estimates(
    model: Classifier, images: Tensor, of: int | Neuron, method: str, saliency_map: Callable[..., Tensor]
) -> Iterator[Tensor]:
    """Yield an attribution for one picture, from a first estimate to the final one.

    Args:
        model: Any classifier.
        images: (1, 3, H, W), RGB in [0, 1].
        of: A class index, or (layer, channel, row, col).
        method: One of ``METHODS``.
        saliency_map: ``saliency_map(model, images, targets, magnitude=)`` -> (1, H, W).

    Yields:
        (3, H, W), signed; for the first two methods and SmoothGrad, of which only the magnitude is shown, (H, W).
    """
    if method in (GUIDED, DECONV):
        rule = gradients.guided_backprop if method == GUIDED else gradients.deconvnet
        yield (rule(model, images, of) if isinstance(of, int) else rule(model, images, neuron=of))[0]
        return
    network, target = (model, of) if isinstance(of, int) else (NeuronScore(model, of), 0)
    if method in (ABS, SQUARE):
        magnitude = "abs" if method == ABS else "square"
        targets = torch.tensor([target], device=images.device)
        yield _checked(saliency_map(network, images.clone(), targets, magnitude=magnitude), images)
    elif method == TIMES:
        yield gradients.gradient_times_input(network, images, target)[0]
    elif method == SMOOTH:
        yield from _smooth_grad(network, images, target)
    else:
        yield from _integrated_gradients(network, images, target)


def _smooth_grad(model: nn.Module, images: Tensor, target: int) -> Iterator[Tensor]:
    """SmoothGrad, one sample after the other."""
    total = torch.zeros_like(images)
    for seed in range(SAMPLES):
        total += averaged_gradients.smooth_grad(model, images, target, samples=1, seed=seed)
        yield (total / (seed + 1)).abs().amax(1)[0]


def _integrated_gradients(model: nn.Module, images: Tensor, target: int) -> Iterator[Tensor]:
    """Integrated gradients along the path from black, segment by segment; the segments sum up to the whole path."""
    total, start = torch.zeros_like(images), torch.zeros_like(images)
    for segment in range(1, SEGMENTS + 1):
        end = images * (segment / SEGMENTS)
        total += averaged_gradients.integrated_gradients(model, end, target, baseline=start, steps=STEPS)
        start = end
        yield total[0].clone()


def _checked(maps: Tensor, images: Tensor) -> Tensor:
    wanted = (1, *images.shape[2:])
    if tuple(maps.shape) != wanted:
        raise ValueError(f"saliency_map must return {wanted}, got {tuple(maps.shape)}")
    return maps[0].detach()


@torch.no_grad()
def score_of(model: Classifier, images: Tensor, of: int | Neuron) -> float:
    """The logit of a class or the activation of a neuron, for one picture."""
    scores = class_scores(model, images, of) if isinstance(of, int) else neuron_scores(model, images, of)
    return float(scores[0])


def magnitude_of(attribution: Tensor) -> np.ndarray:
    """The magnitude of an attribution (H, W) or (3, H, W) at each pixel, (H, W), at least 0."""
    return (attribution if attribution.ndim == 2 else attribution.abs().amax(0)).cpu().numpy()


def as_heatmap(attribution: Tensor, method: str) -> Heatmap:
    """An attribution in the colours that its paper uses; 1 value in 200 is beyond the scale.

    Magnitudes from dark to light; gradient × input and integrated gradients summed over colours, red for and blue
    against; guided backprop and deconvnet as colours around grey.
    """
    values = attribution.cpu().numpy()
    if attribution.ndim == 3 and method not in (TIMES, PATH):
        return around_grey(values)
    signed = attribution.ndim == 3
    values = values.sum(0) if signed else values
    return heatmap(values, signed=signed, limit=limit_of(values))
