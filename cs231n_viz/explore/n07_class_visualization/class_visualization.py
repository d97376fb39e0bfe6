"""Explorer of notebook 07: gradient ascent on the logit of a class, or on a channel of any layer, step by step."""

from collections.abc import Mapping
from html import escape

import ipywidgets as widgets

from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.controls import dropdown, replace_options, slider
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import models_by_name
from cs231n_viz.explore.toolkit.score_chart import image_and_scores
from cs231n_viz.network.models import Classifier
from cs231n_viz.synthesis.ascent import Ascent, Step
from cs231n_viz.synthesis.class_visualization import PRESETS, Regularisers
from cs231n_viz.synthesis.class_visualization import class_visualization as visualize_class
from cs231n_viz.synthesis.transferability import transfer

LOGITS = "the logit of a class"
SPACES = {"Fourier spectrum": "fourier", "pixels": "pixels", "phases (MACO)": "phase"}
STARTS = {"noise": "noise", "mean colour": "zero"}
# Control -> (label, largest value, what one step of the slider is worth); named as in Regularisers.
_AMOUNTS = {
    "shift": ("view: shift, px", 32, 1.0), "scale": ("view: size, %", 40, 0.01), "turn": ("view: turn, °", 30, 1.0),
    "tv": ("TV", 1000, 1.0), "l2": ("L2", 400, 1.0), "jitter": ("jitter, px", 32, 1),
    "decay": ("decay · 10⁴", 2000, 1e-4), "blur": ("blur, σ/10 px", 30, 0.1), "every": ("blur every", 16, 1),
    "clip_pixels": ("clip pixels, %", 95, 0.01), "clip_gradients": ("clip grad., %", 95, 0.01),
    "clip_contributions": ("clip contr., %", 95, 0.01),
}  # fmt: skip
_ROBUST = ("robust", "channel")  # for logits, and for the smaller activations of a layer
_OF_PIXELS = ("decay", "blur", "every", "clip_pixels", "clip_gradients", "clip_contributions")


def class_visualization(
    models: Classifier | Mapping[str, Classifier],
    category: str | None = None,
    *,
    steps: int = 128,
) -> LiveAscent:
    """Optimise a picture for a class or a channel with any regularisers, and evaluate it by another network.

    Args:
        models: A classifier, or name -> classifier. Those that are not optimised evaluate the picture, if they know the
            class.
        category: The class selected at first; the first one if omitted.
        steps: Initial number of steps.

    Returns:
        The explorer; ``controls`` are ``network``, ``layer``, ``category``, ``channel``, ``preset``, ``space``,
        ``start_from``, ``steps``, ``seed``, one slider for each of the ``Regularisers``
        by its name, and the buttons.

    Raises:
        KeyError: If the first network has no such class.
        ValueError: If there is no model.
    """
    return _ClassVisualization(models_by_name(models), category, steps).explorer


class _ClassVisualization:
    def __init__(self, models: dict[str, Classifier], category: str | None, steps: int) -> None:
        self.models = models
        first = models[next(iter(models))]
        chosen = first.categories[0 if category is None else first.index(category)]
        self.controls: dict[str, widgets.Widget] = {
            "network": dropdown("network", list(models)),
            "layer": dropdown("maximise", [LOGITS, *_layers(first)]),
            "category": dropdown("class", first.categories, value=chosen),
            "channel": slider("channel", 0, 0),
            "preset": dropdown("recipe", list(PRESETS), value="robust"),
            "space": dropdown("change", list(SPACES)),
            "start_from": dropdown("start from", list(STARTS)),
            "steps": slider("steps", 8, 512, value=steps),
            "seed": slider("seed", 0, 99),
        }
        for name, (label, top, _) in _AMOUNTS.items():
            self.controls[name] = slider(label, 1 if name == "every" else 0, top)
        self.controls["network"].observe(self._follow_network, names="value")
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.controls["preset"].observe(self._follow_preset, names="value")
        self.controls["space"].observe(self._follow_space, names="value")
        self._follow_layer()
        self._follow_preset()
        names = list(self.controls)
        panel = [names[i : i + 2] for i in range(0, 8, 2)] + [["seed"]]
        panel += [names[i : i + 2] for i in range(9, len(names), 2)]
        self.explorer = LiveAscent(self.begin, self.controls, name="class visualization", draw=self.draw, panel=panel)

    @property
    def model(self) -> Classifier:
        return self.models[self.controls["network"].value]

    def begin(
        self, network: str, layer: str, category: str, channel: int, space: str, start_from: str,
        steps: int, seed: int, **amounts: object,
    ) -> Ascent:  # fmt: skip
        model, kind = self.models[network], SPACES[space]
        wanted = {name: _AMOUNTS[name][2] * amounts[name] for name in _AMOUNTS}
        if kind != "pixels":
            wanted |= {name: 0.0 for name in _OF_PIXELS if name != "every"}
        target = model.index(category) if layer == LOGITS else channel
        return visualize_class(
            model, target, layer=None if layer == LOGITS else layer, regularisers=Regularisers(**wanted),
            parameterisation=kind, start=STARTS[start_from], steps=steps, seed=seed, redirect=layer != LOGITS,
            progress=False,
        )  # fmt: skip

    def draw(self, step: Step, ascent: Ascent, values: Values) -> Drawing:
        return Drawing(image_and_scores(step, ascent.scores, ascent.total), text=self._predictions(step, values))

    def _predictions(self, step: Step, values: Values) -> str:
        """The rank and probability of the class, by every network that knows it."""
        if values["layer"] != LOGITS:
            return f"The mean of channel {values['channel']} of {escape(values['layer'])} over all its cells."
        lines, category = [], values["category"]
        for name, model in self.models.items():
            if category in model.categories:
                result = transfer(model, step.image, [category])
                role = "optimised" if name == values["network"] else "not optimised"
                rank = result.rank[0].item() + 1
                text = f"{name} ({role}): {category} has rank {rank}, p = {result.probability[0]:.2f}"
                lines.append(escape(text))
        return "<br>".join(lines)

    def _follow_network(self, _: object = None) -> None:
        replace_options(self.controls["category"], self.model.categories)
        self.controls["layer"].options = [LOGITS, *_layers(self.model)]
        self.controls["layer"].value = LOGITS
        self._follow_layer()

    def _follow_layer(self, _: object = None) -> None:
        layer, channel = self.controls["layer"].value, self.controls["channel"]
        channel.max = 0 if layer == LOGITS else self.model.layer(layer).shape[0] - 1
        channel.disabled, self.controls["category"].disabled = layer == LOGITS, layer != LOGITS
        if self.controls["preset"].value in _ROBUST:  # the weights of the penalties fit one objective
            self.controls["preset"].value = _ROBUST[layer != LOGITS]

    def _follow_preset(self, _: object = None) -> None:
        preset = self.controls["preset"].value
        self.controls["space"].value = "Fourier spectrum" if preset in _ROBUST else "pixels"
        for name, (_, _, unit) in _AMOUNTS.items():
            self.controls[name].value = round(getattr(PRESETS[preset], name) / unit)
        self._follow_space()

    def _follow_space(self, _: object = None) -> None:
        for name in _OF_PIXELS:
            self.controls[name].disabled = SPACES[self.controls["space"].value] != "pixels"


def _layers(model: Classifier) -> list[str]:
    """The layers whose channels can be maximised."""
    return [layer.name for layer in model.layers() if layer.kind not in ("Flatten", "Dropout")]
