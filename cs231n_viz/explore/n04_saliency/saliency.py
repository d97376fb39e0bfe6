"""Explorer of notebook 04: which pixels move a logit, or one neuron, by any of the notebook's methods?"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from html import escape

import numpy as np
import torch
from torch import Tensor, nn

from cs231n_viz.attribution import averaged_gradients
from cs231n_viz.attribution import saliency as gradients
from cs231n_viz.explore.toolkit.base import Drawing, Explorer, paragraph
from cs231n_viz.explore.toolkit.canvas import GREY, ORANGE, SCALE, Canvas, coloured, number, position_in
from cs231n_viz.explore.toolkit.controls import dropdown, picture_dropdown, replace_options, slider
from cs231n_viz.explore.toolkit.heatmap import around_grey, robust_limit
from cs231n_viz.explore.toolkit.models import Photographs, layers_with_maps, models_by_name
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.network.checks import Neuron
from cs231n_viz.network.gradients import class_scores, neuron_scores
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import to_uint8

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
    photograph: str = "motorcycle",
    category: str | None = None,
    *,
    method: str = METHODS[0],
    saliency_map: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Explain the logit of a class, or one neuron, by the pixels of a photograph, with any method of the notebook.

    Args:
        models: A classifier, or name -> classifier.
        photograph: Initial photograph, of ``sample_images()``.
        category: Initial class; the most probable one if omitted.
        method: Initial method, of ``METHODS``.
        saliency_map: If given, makes the first two maps: ``saliency_map(model, images, targets, magnitude=)`` ->
            (N, H, W).

    Returns:
        The explorer; ``controls`` are ``photograph``, ``network``, ``category``, ``method``, ``layer``, and where a
        layer is chosen ``unit``, ``row`` and ``col`` of the neuron that is explained instead of the class. A click on
        the layer's map chooses the neuron. SmoothGrad and integrated gradients are refined sample by sample.

    Raises:
        KeyError: If the model has no such category.
        ValueError: If there is no such method, or no model.
    """
    named = models_by_name(models)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    return _Saliency(named, photograph, category, method, saliency_map or gradients.saliency).explorer


class _Saliency:
    def __init__(
        self,
        models: dict[str, Classifier],
        photograph: str,
        category: str | None,
        method: str,
        saliency_map: Callable[..., Tensor],
    ) -> None:
        self.models, self.saliency_map = models, saliency_map
        self.photographs = {name: Photographs(model) for name, model in models.items()}
        # For each map: what computes its estimates, the latest one, and how many there have been.
        self.estimates: OrderedDict[tuple, tuple[Iterator[Tensor], Tensor | None, int]] = OrderedDict()
        first, model = next(iter(models.items()))
        chosen = self.photographs[first].category(photograph) if category is None else model.index(category)
        self.controls = {
            "photograph": picture_dropdown(photograph),
            "network": dropdown("network", list(models)),
            "category": dropdown("class", model.categories, value=model.categories[chosen]),
            "method": dropdown("method", METHODS, value=method),
            "layer": dropdown("explain", [LOGIT, *layers_with_maps(model)]),
            "unit": slider("unit", 0, 0),
            "row": slider("row", 0, 0),
            "col": slider("column", 0, 0),
        }
        self.view = ClickablePicture(alt="The photograph, the attribution map, and the map over the photograph.")
        panel = [("photograph", "network"), ("method", "category"), ("layer", "unit"), ("row", "col")]
        self.controls["network"].observe(self._follow_network, names="value")
        self.controls["layer"].observe(self._follow_layer, names="value")
        self._show_controls()
        first = ("photograph", "network", "method", "category", "layer", "unit")  # the class, or the unit of a layer
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=panel, first=first)
        self.view.observe(self._follow_click, names="position")

    def _show_controls(self) -> None:
        neuron = self.controls["layer"].value != LOGIT
        self.controls["category"].layout.display = "none" if neuron else None
        for name in ("unit", "row", "col"):
            self.controls[name].layout.display = None if neuron else "none"

    def _follow_network(self, change: dict) -> None:
        """Keep the class and the layer if the other network has them too."""
        model = self.models[change["new"]]
        with self.explorer.hold():
            replace_options(self.controls["category"], model.categories)
            replace_options(self.controls["layer"], [LOGIT, *layers_with_maps(model)])
            self._follow_layer({"new": self.controls["layer"].value})

    def _follow_layer(self, change: dict) -> None:
        """Begin with the most active neuron of the layer."""
        self._show_controls()
        if change["new"] == LOGIT or change["new"] is None:
            return
        photographs = self.photographs[self.controls["network"].value]
        maps = photographs.maps(self.controls["photograph"].value, change["new"])
        places = np.unravel_index(int(maps.argmax()), maps.shape)
        with self.explorer.hold():
            for name, size, place in zip(("unit", "row", "col"), maps.shape, places, strict=True):
                self.controls[name].max = size - 1
                self.controls[name].value = int(place)

    def _follow_click(self, change: dict) -> None:
        place = position_in(change["new"], (_LEFTS[2], _TOP), _SIDE)
        if place is None or self.controls["layer"].value == LOGIT:
            return
        with self.explorer.hold():
            for name, share in zip(("row", "col"), place, strict=True):
                self.controls[name].value = int(share * (self.controls[name].max + 1))

    def attribution_of(self, photograph: str, network: str, of: int | Neuron, method: str) -> tuple[Tensor, int, bool]:
        """The attribution so far, how many estimates it took, and whether it may be refined by one more call."""
        key = (photograph, network, of, method)
        if key not in self.estimates:
            images = self.photographs[network].image(photograph)
            self.estimates[key] = (estimates(self.models[network], images, of, method, self.saliency_map), None, 0)
        steps, latest, count = self.estimates[key]
        try:
            better = next(steps, None)
        except Exception:
            del self.estimates[key]  # a generator that has raised yields nothing more
            raise
        if better is not None:
            latest, count = better, count + 1
        self.estimates[key] = (steps, latest, count)
        if len(self.estimates) > _MOST_MAPS:
            self.estimates.popitem(last=False)
        return latest, count, better is not None and method in (SMOOTH, PATH)

    def draw(
        self, photograph: str, network: str, category: str, method: str, layer: str, unit: int, row: int, col: int
    ) -> Drawing:
        model, images = self.models[network], self.photographs[network].image(photograph)
        maps, of = None, 0
        if layer == LOGIT:
            of = model.index(category)
        else:
            maps = self.photographs[network].maps(photograph, layer)
            of = (layer, *(min(place, size - 1) for place, size in zip((unit, row, col), maps.shape, strict=True)))
        attribution, count, unfinished = self.attribution_of(photograph, network, of, method)
        canvas, photo = Canvas(322), to_uint8(images[0])
        self._photograph(canvas, photo, model, of)
        canvas.heading(_LEFTS[1], method)
        canvas.paste(as_picture(attribution, method), (_LEFTS[1], _TOP), (_SIDE, _SIDE))
        if maps is None:
            _magnitude_over(canvas, photo, attribution)
        else:
            self._map_of_layer(canvas, maps[of[1]], of)
        text, at = _sentence(model, images, of, method, attribution, count), None
        if maps is not None:
            at = tuple(
                edge + (cell + 0.5) * _SIDE / cells
                for edge, cell, cells in zip((_LEFTS[2], _TOP), of[:1:-1], maps.shape[:0:-1], strict=True)
            )
        return Drawing(canvas.array, text, unfinished=unfinished, at=at)

    def _photograph(self, canvas: Canvas, photo: np.ndarray, model: Classifier, of: int | Neuron) -> None:
        canvas.paste(photo, (_LEFTS[0], _TOP), (_SIDE, _SIDE), smooth=True)
        if isinstance(of, int):
            canvas.heading(_LEFTS[0], model.categories[of])
        else:
            canvas.heading(_LEFTS[0], "what the neuron can see")
            canvas.box(model.layer(of[0]).field.box(*of[2:]), (_LEFTS[0], _TOP), _SIDE / photo.shape[0])

    def _map_of_layer(self, canvas: Canvas, values: np.ndarray, neuron: Neuron) -> None:
        """The feature map, to choose a neuron from."""
        layer, unit, row, col = neuron
        limit = float(np.abs(values).max()) or 1.0
        canvas.heading(_LEFTS[2], f"unit {unit} of {layer}: click")
        canvas.paste(coloured(values, limit, signed=bool(values.min() < 0)), (_LEFTS[2], _TOP), (_SIDE, _SIDE))
        high, wide = (_SIDE / n for n in values.shape)
        self.view.step = (max(1, round(high * SCALE)), max(1, round(wide * SCALE)))
        canvas.frame((_LEFTS[2] + col * wide, _TOP + row * high), (wide, high), colour=ORANGE, width=2)
        caption = f"{values.shape[0]}×{values.shape[1]} cells"
        canvas.text((_LEFTS[2] + _SIDE, 318), caption, size=12, colour=GREY, anchor="rs")


def _magnitude_over(canvas: Canvas, photo: np.ndarray, attribution: Tensor) -> None:
    """The magnitudes in orange over the pale photograph."""
    size = magnitude_of(attribution)
    share = (size / limit_of(size)).clip(0, 1)[..., None]
    pale = 255 - (255 - photo.mean(2, keepdims=True)) * 0.4
    mixed = pale * (1 - share) + np.array(ORANGE) * share
    canvas.heading(_LEFTS[2], "over the photograph")
    canvas.paste(mixed.astype(np.uint8), (_LEFTS[2], _TOP), (_SIDE, _SIDE), smooth=True)


def _sentence(model: Classifier, images: Tensor, of: int | Neuron, method: str, attribution: Tensor, count: int) -> str:
    score, total = score_of(model, images, of), number(float(attribution.sum()), 3)
    if isinstance(of, int):
        text = f"The logit of <b>{escape(model.categories[of])}</b> is {number(score)}."
    else:
        text = f"Neuron ({of[2]}, {of[3]}) of unit {of[1]} in <b>{escape(of[0])}</b> has activation {number(score)}."
    if method == PATH:
        black = score_of(model, torch.zeros_like(images), of)
        text += f" From black it rises by {number(score - black, 3)}; the attributions so far sum up to {total}."
    elif method == SMOOTH:
        text += f" Mean of {count} gradients, each of the picture with other noise."
    elif method == TIMES:
        text += f" The attributions sum up to {total}."
    return paragraph(text)


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


def limit_of(size: np.ndarray) -> float:
    """Where the scale of magnitudes ends, zeros left out: a neuron sees few pixels."""
    return robust_limit(size[size > 0]) if (size > 0).any() else 1.0


def as_picture(attribution: Tensor, method: str) -> np.ndarray:
    """An attribution in the colours that its paper uses, (H, W, 3), uint8; 1 value in 200 is beyond the scale.

    Magnitudes from dark to light; gradient × input and integrated gradients summed over colours, red for and blue
    against; guided backprop and deconvnet as colours around grey.
    """
    if attribution.ndim == 2:
        return coloured(attribution.cpu().numpy(), limit_of(magnitude_of(attribution)), signed=False)
    if method in (TIMES, PATH):
        summed = attribution.sum(0).cpu().numpy()
        return coloured(summed, limit_of(np.abs(summed)))
    return around_grey(attribution.cpu().numpy(), limit_of(magnitude_of(attribution)))
