"""Explorer of notebook 04: which pixels move a logit, or one neuron, by this method or that?"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor, nn

from cs231n_viz.attribution import averaged_gradients
from cs231n_viz.attribution import saliency as gradients
from cs231n_viz.explore.toolkit.base import Drawing, Explorer
from cs231n_viz.explore.toolkit.canvas import GREY, ORANGE, SCALE, Canvas, coloured, number, to_pixels
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.explore.toolkit.gradually import again
from cs231n_viz.explore.toolkit.picture import ClickablePicture
from cs231n_viz.network.capture import activations
from cs231n_viz.network.checks import Neuron
from cs231n_viz.network.gradients import class_scores, neuron_scores
from cs231n_viz.network.memory_format import arranged
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import sample_images

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
    """An attribution for one picture, from a first estimate to the finished one.

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
        yield from _smoother(network, images, target)
    else:
        yield from _further(network, images, target)


def _smoother(model: nn.Module, images: Tensor, target: int) -> Iterator[Tensor]:
    total = torch.zeros_like(images)
    for seed in range(SAMPLES):
        total += averaged_gradients.smooth_grad(model, images, target, samples=1, seed=seed)
        yield (total / (seed + 1)).abs().amax(1)[0]


def _further(model: nn.Module, images: Tensor, target: int) -> Iterator[Tensor]:
    """The path from black, one part after the other: what the parts add up to is what the whole path gives."""
    total, start = torch.zeros_like(images), torch.zeros_like(images)
    for part in range(1, SEGMENTS + 1):
        end = images * (part / SEGMENTS)
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


def magnitude_of(found: Tensor) -> np.ndarray:
    """One value of at least 0 for each pixel of an attribution (H, W) or (3, H, W)."""
    return (found if found.ndim == 2 else found.abs().amax(0)).cpu().numpy()


def limit_of(size: np.ndarray) -> float:
    """Where the scale of magnitudes ends: of those that are not 0, one in 200 lies beyond. A neuron sees few pixels."""
    return float(np.quantile(size[size > 0], 0.995)) if (size > 0).any() else 1.0


def as_picture(found: Tensor, method: str) -> np.ndarray:
    """An attribution as people publish it: (H, W, 3), uint8, where 1 value in 200 lies beyond the end of the scale.

    Magnitudes from dark to light; gradient × input and integrated gradients summed over colours, red for and blue
    against; guided backprop and deconvnet as colours around grey.
    """
    if found.ndim == 2:
        return coloured(found.cpu().numpy(), limit_of(magnitude_of(found)), signed=False)
    if method in (TIMES, PATH):
        credit = found.sum(0).cpu().numpy()
        return coloured(credit, limit_of(np.abs(credit)))
    return to_pixels((0.5 + found / (2 * limit_of(magnitude_of(found)))).cpu())


LOGIT = "the logit of the class"
_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_LEFTS = (8, 294, 580)
_KEPT = 32  # attributions that are remembered, 0.6 MB each


def saliency(
    models: Classifier | Mapping[str, Classifier],
    photograph: str = "motorcycle",
    category: str | None = None,
    *,
    method: str = METHODS[0],
    saliency_map: Callable[..., Tensor] | None = None,
) -> Explorer:
    """Ask a class, or one neuron, which pixels of a photograph matter to it, by any method of the notebook.

    Args:
        models: A classifier, or name -> classifier.
        photograph: The one to begin with, of ``sample_images()``.
        category: The class to begin with; the most probable one if omitted.
        method: The one to begin with, of ``METHODS``.
        saliency_map: If given, makes the first two maps: ``saliency_map(model, images, targets, magnitude=)`` ->
            (N, H, W).

    Returns:
        The explorer; ``controls`` are ``photograph``, ``network``, ``category``, ``method``, ``layer``, and where a
        layer is chosen ``unit``, ``row`` and ``col`` of the neuron that is asked in place of the class. A click on
        the layer's map chooses the neuron. SmoothGrad and integrated gradients sharpen while one looks on.

    Raises:
        KeyError: If the model has no such category.
        ValueError: If there is no such method, or no model.
    """
    named = dict(models) if isinstance(models, Mapping) else {models.name: models}
    if not named or method not in METHODS:
        wanted = f"at least one model and a method of {', '.join(METHODS)}"
        raise ValueError(f"wanted {wanted}; got {len(named)} models and {method!r}")
    return _Saliency(named, (photograph, category, method), saliency_map or gradients.saliency).explorer


class _Saliency:
    def __init__(self, models: dict[str, Classifier], first: tuple, saliency_map: Callable[..., Tensor]) -> None:
        photograph, category, method = first
        self.models, self.saliency_map = models, saliency_map
        name, model = next(iter(models.items()))
        self.images: dict[tuple, Tensor] = {}
        self.found: OrderedDict[tuple, tuple[Iterator[Tensor], Tensor | None, int]] = OrderedDict()
        self.map_of = lru_cache(maxsize=_KEPT)(self._map_of)
        with torch.no_grad():
            likely = int(model(self.image(photograph, name)).argmax()) if category is None else model.index(category)
        self.controls = {
            "photograph": dropdown("photograph", sample_images(), value=photograph),
            "network": dropdown("network", list(models), value=name),
            "category": dropdown("class", model.categories, value=model.categories[likely]),
            "method": dropdown("method", METHODS, value=method),
            "layer": dropdown("explain", [LOGIT, *_layers(model)]),
            "unit": slider("unit", 0, 0),
            "row": slider("row", 0, 0),
            "col": slider("column", 0, 0),
        }
        self.view = ClickablePicture(alt="The photograph, what matters in it, and the same over the photograph.")
        pairs = [("photograph", "network"), ("method", "category"), ("layer", "unit"), ("row", "col")]
        panel = [widgets.HBox([self.controls[name] for name in pair], layout=GAP) for pair in pairs]
        self.controls["network"].observe(self._follow_network, names="value")
        self.controls["layer"].observe(self._follow_layer, names="value")
        self._show_controls()
        self.explorer: Explorer | None = None
        self.explorer = Explorer(self.draw, self.controls, view=self.view, panel=panel)
        self.explorer.update()  # the first drawing could not ask for another
        self.view.observe(self._follow_click, names="position")

    def image(self, photograph: str, network: str) -> Tensor:
        model = self.models[network]
        key = (photograph, model.input_size)
        if key not in self.images:
            self.images[key] = arranged(model, model.prepare(photograph))
        return self.images[key]

    def _map_of(self, photograph: str, network: str, layer: str) -> np.ndarray:
        """The activations (C, h, w) of a layer."""
        images = self.image(photograph, network)
        return activations(self.models[network], images, [layer])[layer][0].float().cpu().numpy()

    def _show_controls(self) -> None:
        neuron = self.controls["layer"].value != LOGIT
        self.controls["category"].layout.display = "none" if neuron else None
        for name in ("unit", "row", "col"):
            self.controls[name].layout.display = None if neuron else "none"

    def _follow_network(self, change: dict) -> None:
        """Keep the class and the layer if the other network has them too."""
        model = self.models[change["new"]]
        with self.explorer.hold():
            for name, options in (("category", model.categories), ("layer", [LOGIT, *_layers(model)])):
                control, before = self.controls[name], self.controls[name].value
                control.options = options
                control.value = before if before in options else options[0]
            self._follow_layer({"new": self.controls["layer"].value})

    def _follow_layer(self, change: dict) -> None:
        """Begin with the neuron of the layer that answers most strongly."""
        self._show_controls()
        if change["new"] == LOGIT or change["new"] is None:
            return
        maps = self.map_of(self.controls["photograph"].value, self.controls["network"].value, change["new"])
        places = np.unravel_index(int(maps.argmax()), maps.shape)
        with self.explorer.hold():
            for name, size, place in zip(("unit", "row", "col"), maps.shape, places, strict=True):
                self.controls[name].max = size - 1
                self.controls[name].value = int(place)

    def _follow_click(self, change: dict) -> None:
        y, x = (change["new"][0] / SCALE - _TOP) / _SIDE, (change["new"][1] / SCALE - _LEFTS[2]) / _SIDE
        if self.controls["layer"].value == LOGIT or not (0 <= y < 1 and 0 <= x < 1):
            return
        with self.explorer.hold():
            for name, share in (("row", y), ("col", x)):
                self.controls[name].value = int(share * (self.controls[name].max + 1))

    def attribution_of(self, photograph: str, network: str, of: int | Neuron, method: str) -> tuple[Tensor, int]:
        """The attribution so far, and how many estimates it took; each call takes one more, until it is finished."""
        key = (photograph, network, of, method)
        if key not in self.found:
            images = self.image(photograph, network)
            steps = estimates(self.models[network], images, of, method, self.saliency_map)
            self.found[key] = (steps, None, 0)
        steps, latest, count = self.found[key]
        following = next(steps, None)
        if following is not None:
            latest, count = following, count + 1
            if self.explorer is not None and method in (SMOOTH, PATH):
                again(self.explorer)
        self.found[key] = (steps, latest, count)
        if len(self.found) > _KEPT:
            self.found.popitem(last=False)
        return latest, count

    def draw(
        self, photograph: str, network: str, category: str, method: str, layer: str, unit: int, row: int, col: int
    ) -> Drawing:
        model, images = self.models[network], self.image(photograph, network)
        maps, of = None, 0
        if layer == LOGIT:
            of = model.index(category)
        else:
            maps = self.map_of(photograph, network, layer)
            of = (layer, *(min(place, size - 1) for place, size in zip((unit, row, col), maps.shape, strict=True)))
        try:
            found, count = self.attribution_of(photograph, network, of, method)
        except Exception:
            self.found.pop((photograph, network, of, method), None)  # a generator that has raised says no more
            raise
        canvas = Canvas(322)
        photo = to_pixels(images[0].cpu())
        self._photograph(canvas, photo, model, of)
        canvas.text((_LEFTS[1], 4), method, size=16, bold=True)
        canvas.paste(as_picture(found, method), (_LEFTS[1], _TOP), (_SIDE, _SIDE))
        self._third(canvas, photo, found, (maps, of))
        return Drawing(canvas.array, self._sentence(model, images, of, (method, found, count)))

    def _photograph(self, canvas: Canvas, photo: np.ndarray, model: Classifier, of: int | Neuron) -> None:
        canvas.paste(photo, (_LEFTS[0], _TOP), (_SIDE, _SIDE), smooth=True)
        if isinstance(of, int):
            canvas.text((_LEFTS[0], 4), model.categories[of], size=16, bold=True)
            return
        top, left, bottom, right = model.layer(of[0]).field.box(*of[2:])
        scale = _SIDE / photo.shape[0]
        size = (max(4, (right - left) * scale), max(4, (bottom - top) * scale))
        canvas.text((_LEFTS[0], 4), "what the neuron can see", size=16, bold=True)
        canvas.frame((_LEFTS[0] + left * scale, _TOP + top * scale), size, colour=ORANGE, width=2)

    def _third(self, canvas: Canvas, photo: np.ndarray, found: Tensor, of: tuple[np.ndarray | None, tuple]) -> None:
        """The layer's map, to choose a neuron from; for a class, the magnitudes over the photograph."""
        maps, neuron = of
        if maps is None:
            size = magnitude_of(found)
            share = (size / limit_of(size)).clip(0, 1)[..., None]
            pale = 255 - (255 - photo.mean(2, keepdims=True)) * 0.4
            mixed = pale * (1 - share) + np.array(ORANGE) * share
            canvas.text((_LEFTS[2], 4), "over the photograph", size=16, bold=True)
            canvas.paste(mixed.astype(np.uint8), (_LEFTS[2], _TOP), (_SIDE, _SIDE), smooth=True)
            return
        layer, unit, row, col = neuron
        values = maps[unit]
        limit = float(np.abs(values).max()) or 1.0
        canvas.text((_LEFTS[2], 4), f"unit {unit} of {layer}: click", size=16, bold=True)
        canvas.paste(coloured(values, limit, signed=bool(values.min() < 0)), (_LEFTS[2], _TOP), (_SIDE, _SIDE))
        high, wide = (_SIDE / n for n in values.shape)
        self.view.step = (max(1, round(high * SCALE)), max(1, round(wide * SCALE)))
        canvas.frame((_LEFTS[2] + col * wide, _TOP + row * high), (wide, high), colour=ORANGE, width=2)
        caption = f"{values.shape[0]}×{values.shape[1]} cells"
        canvas.text((_LEFTS[2] + _SIDE, 318), caption, size=12, colour=GREY, anchor="rs")

    def _sentence(self, model: Classifier, images: Tensor, of: int | Neuron, shown: tuple[str, Tensor, int]) -> str:
        method, found, count = shown
        score = score_of(model, images, of)
        if isinstance(of, int):
            text = f"The logit of <b>{model.categories[of]}</b> is {number(score)}."
        else:
            text = f"Neuron ({of[2]}, {of[3]}) of unit {of[1]} in <b>{of[0]}</b> answers {number(score)}."
        if method == PATH:
            black = score_of(model, torch.zeros_like(images), of)
            text += f" It rises by {number(score - black, 3)} on the way from black; the credits so far sum up to "
            text += f"{number(float(found.sum()), 3)}."
        elif method == SMOOTH:
            text += f" Mean of {count} gradients, each of the picture with other noise."
        elif method == TIMES:
            text += f" The credits sum up to {number(float(found.sum()), 3)}."
        return f'<div style="line-height: 1.5; max-width: 850px">{text}</div>'


def _layers(model: Classifier) -> list[str]:
    return [layer.name for layer in model.layers() if len(layer.shape) == 3 and layer.shape[1] > 1]
