"""Explorer of notebook 07: gradient ascent on the logit of a class, or on a channel of any layer, step by step."""

from collections.abc import Mapping
from html import escape

import ipywidgets as widgets

from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.controls import dropdown, replace_options, selection_slider, slider
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import in_colour, models_by_name
from cs231n_viz.explore.toolkit.score_chart import image_and_scores
from cs231n_viz.network.models import Classifier
from cs231n_viz.synthesis.ascent import Ascent, Step
from cs231n_viz.synthesis.class_visualization import PRESETS, Regularisers
from cs231n_viz.synthesis.class_visualization import class_visualization as visualize_class
from cs231n_viz.synthesis.transferability import transfer

LOGITS = "the logit of a class"
SPACES = {"Fourier spectrum": "fourier", "pixels": "pixels", "phases (MACO)": "phase"}
STARTS = {"noise": "noise", "mean colour": "zero"}
# Control -> (label, unit, values of the slider); named as in Regularisers.
_AMOUNTS = {
    "shift": ("view: shift", "px", range(33)), "scale": ("view: size", "%", range(41)),
    "turn": ("view: turn", "°", range(31)), "jitter": ("jitter", "px", range(33)),
    "tv": ("TV", "", range(0, 1001, 5)), "l2": ("L2", "", range(401)),
    "blur": ("blur", "px", [tenth / 10 for tenth in range(31)]), "every": ("blur every", "steps", range(1, 17)),
    "decay": ("decay", "%", (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)),
    "clip_pixels": ("clip pixels", "%", range(96)), "clip_gradients": ("clip gradients", "%", range(96)),
    "clip_contributions": ("clip products", "%", range(96)),
}  # fmt: skip
_ROBUST = ("robust", "channel")  # for logits, and for the smaller activations of a layer
_CLIPPED = {"clip_pixels": "norm", "clip_gradients": "gradient", "clip_contributions": "product of pixel and gradient"}
_OF_PIXELS = ("decay", "blur", "every", *_CLIPPED)


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
        for name, (label, unit, values) in _AMOUNTS.items():
            self.controls[name] = selection_slider(label, values, unit=unit)
        for name, what in _CLIPPED.items():
            self.controls[
                name
            ].tooltip = f"How many pixels, those of the smallest {what}, get the mean colour each step"
        self.controls["network"].observe(self._follow_network, names="value")
        self.controls["layer"].observe(self._follow_layer, names="value")
        self.controls["preset"].observe(self._follow_preset, names="value")
        self.controls["space"].observe(self._follow_space, names="value")
        self._follow_layer()
        self._follow_preset()
        first = ("network", "layer", "category", "channel", "preset")
        self.explorer = LiveAscent(self.begin, self.controls, name="class visualization", draw=self.draw, first=first)

    @property
    def model(self) -> Classifier:
        return self.models[self.controls["network"].value]

    def begin(
        self, network: str, layer: str, category: str, channel: int, space: str, start_from: str,
        steps: int, seed: int, **amounts: object,
    ) -> Ascent:  # fmt: skip
        model, kind = self.models[network], SPACES[space]
        wanted = {name: amounts[name] * _worth(name) for name in _AMOUNTS}
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
                result = transfer(in_colour(model), step.image.expand(-1, 3, -1, -1), [category])
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
        with channel.hold_sync():  # in the page, too, one change: a key between the two would be lost
            channel.max = 0 if layer == LOGITS else self.model.layer(layer).shape[0] - 1
            channel.disabled = layer == LOGITS
        self.controls["category"].disabled = layer != LOGITS
        if self.controls["preset"].value in _ROBUST:  # the weights of the penalties fit one objective
            self.controls["preset"].value = _ROBUST[layer != LOGITS]

    def _follow_preset(self, _: object = None) -> None:
        preset = self.controls["preset"].value
        self.controls["space"].value = "Fourier spectrum" if preset in _ROBUST else "pixels"
        for name in _AMOUNTS:
            self.controls[name].value = round(getattr(PRESETS[preset], name) / _worth(name), 4)
        self._follow_space()

    def _follow_space(self, _: object = None) -> None:
        for name in _OF_PIXELS:
            self.controls[name].disabled = SPACES[self.controls["space"].value] != "pixels"


def _worth(name: str) -> float:
    """What 1 on a slider is for the ``Regularisers``."""
    return 0.01 if _AMOUNTS[name][1] == "%" else 1


def _layers(model: Classifier) -> list[str]:
    """The layers whose channels can be maximised."""
    return [layer.name for layer in model.layers() if layer.kind not in ("Flatten", "Dropout")]
