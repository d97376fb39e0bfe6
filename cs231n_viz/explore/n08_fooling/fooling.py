"""Explorer of notebook 08: make a network take a photograph for any class, and watch what is done to it."""

from collections.abc import Mapping
from functools import lru_cache

import ipywidgets as widgets
import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.ascending import Ascending, Values, fit
from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, ORANGE, PALE, Canvas, number
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.network.memory_format import arranged
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import sample_images
from cs231n_viz.synthesis.ascent import Step
from cs231n_viz.synthesis.fooling import Fooling, Rule, fooling_image
from cs231n_viz.synthesis.parameterisation import start_noise

NOISE = "noise"
RULES: dict[str, Rule] = {
    "nearest: look for the least": "nearest",
    "unit: normalised gradient": "unit",
    "sign: FGSM, iterated": "sign",
}
SIZES = {"half": 0.5, "usual": 1.0, "double": 2.0}
_STEP = {"nearest": 1.0, "unit": 0.4, "sign": 1 / 510}  # the usual lengths, small enough to watch them
_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_LEFTS = (8, 294, 580)
_BARS = _TOP + _SIDE + 20


def fooling(
    models: Classifier | Mapping[str, Classifier], photograph: str = "motorcycle", category: str | None = None
) -> Ascending:
    """Choose a photograph and a class, start, and watch the network change its mind.

    Args:
        models: A classifier, or name -> classifier. With two or more, the next one is asked what it thinks.
        photograph: The one to begin with, of ``sample_images()``, or ``"noise"``.
        category: The class that it is to be taken for; the last one if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``network``, ``category``, ``rule``, ``step`` (the size of the
        steps), ``steps``, and ``factor``, by which the perturbation is shown stronger.

    Raises:
        KeyError: If the model has no such category.
        ValueError: If there is no model, or no such photograph.
    """
    named = dict(models) if isinstance(models, Mapping) else {models.name: models}
    known = [*sample_images(), NOISE]
    if not named or photograph not in known:
        wanted = f"at least one model and a photograph of {', '.join(known)}"
        raise ValueError(f"wanted {wanted}; got {len(named)} models and {photograph!r}")
    return _Fooling(named, photograph, category).explorer


class _Fooling:
    def __init__(self, models: dict[str, Classifier], photograph: str, category: str | None) -> None:
        self.models = models
        self.start_of = lru_cache(maxsize=32)(self._start_of)
        self.opinion = lru_cache(maxsize=32)(self._opinion)
        name, model = next(iter(models.items()))
        chosen = model.categories[-1 if category is None else model.index(category)]
        self.controls = {
            "photograph": dropdown("photograph", [*sample_images(), NOISE], value=photograph),
            "network": dropdown("network", list(models), value=name),
            "category": dropdown("make it a", model.categories, value=chosen),
            "rule": dropdown("rule", list(RULES)),
            "step": dropdown("step size", list(SIZES), value="usual"),
            "steps": slider("steps", 1, 60, value=30),
            "factor": slider("show change ×", 1, 20, value=10),
        }
        pairs = [("photograph", "network"), ("category", "rule"), ("step", "steps"), ("factor",)]
        panel = [widgets.HBox([self.controls[key] for key in pair], layout=GAP) for pair in pairs]
        self.controls["network"].observe(self._follow_network, names="value")
        self.explorer = Ascending(
            self.begin, self.controls, name="fooling", draw=self.draw, preview=self.preview, panel=panel
        )

    def _follow_network(self, change: dict) -> None:
        """Keep the class if the other network has it too."""
        control, before = self.controls["category"], self.controls["category"].value
        options = self.models[change["new"]].categories
        with self.explorer.hold():
            control.options = options
            control.value = before if before in options else options[0]

    def _start_of(self, photograph: str, network: str) -> Tensor:
        model = self.models[network]
        image = start_noise(model.input_size).to(model.mean) if photograph == NOISE else model.prepare(photograph)
        return arranged(model, image)

    @torch.no_grad()
    def _opinion(self, photograph: str, network: str) -> int:
        """The class of the photograph, before anything is done to it."""
        return int(self.models[network](self.start_of(photograph, network)).argmax())

    def begin(self, photograph: str, network: str, category: str, rule: str, step: str, steps: int) -> Fooling:
        """The ascent that the controls ask for."""
        model, kind = self.models[network], RULES[rule]
        start, target = self.start_of(photograph, network), model.index(category)
        lr = _STEP[kind] * SIZES[step]
        return fooling_image(model, start, target, steps=steps, lr=lr, rule=kind, progress=False)

    def preview(self, values: Values) -> Drawing:
        """The photograph as it is."""
        return self._drawn(self.start_of(values["photograph"], values["network"]), None, values)

    def draw(self, step: Step, ascent: Fooling, values: Values) -> Drawing:
        """Before, the change, after; and what the networks think."""
        return self._drawn(step.image, ascent, values)

    def _drawn(self, image: Tensor, ascent: Fooling | None, values: Values) -> Drawing:
        model = self.models[values["network"]]
        start = self.start_of(values["photograph"], values["network"])
        change, canvas = (image - start)[0], Canvas(_BARS + 92)
        panels = (
            (values["photograph"], start[0]),
            (f"what was added, × {values['factor']}", (0.5 + values["factor"] * change).clamp(0, 1)),
            ("what the network gets", image[0]),
        )
        for left, (title, panel) in zip(_LEFTS, panels, strict=True):
            canvas.text((left, 6), title, size=15, bold=True)
            fit(canvas, panel, (left, _TOP), (_SIDE, _SIDE))
        with torch.no_grad():
            p = model(image).softmax(1)[0]
        first, target = self.opinion(values["photograph"], values["network"]), model.index(values["category"])
        rows = {int(p.argmax()): GREY, first: BLUE, target: ORANGE}  # the winner, unless it is one of the two
        for row, (index, colour) in enumerate(sorted(rows.items(), key=lambda item: item[1] == GREY)):
            _bar(canvas, _BARS + 30 * row, model.categories[index], (float(p[index]), colour))
        text = self._sentence(ascent, change, values) + self._elsewhere(image, start, values)
        return Drawing(canvas.array, f'<div style="line-height: 1.5; max-width: 850px">{text}</div>')

    def _sentence(self, ascent: Fooling | None, change: Tensor, values: Values) -> str:
        if ascent is None:
            return "Nothing is changed yet."
        flip = int(ascent.flips_so_far[0])
        size = f"L2 {number(float(change.norm()))}, L∞ {number(255 * float(change.abs().max()), 1)} / 255. "
        if flip == 0:
            return f"It was taken for <b>{values['category']}</b> from the beginning. {size}"
        if flip > 0:
            return f"<b>Fooled at step {flip}.</b> {size}"
        return f"Not fooled yet. {size}"

    @torch.no_grad()
    def _elsewhere(self, image: Tensor, start: Tensor, values: Values) -> str:
        """What the next network says about the same two pictures."""
        names = list(self.models)
        other = names[(names.index(values["network"]) + 1) % len(names)]
        if len(names) == 1:
            return ""
        judge = self.models[other]
        before, after = judge(judge.prepare(torch.cat([start, image]))).argmax(1).tolist()
        said = f"<b>{judge.categories[before]}</b>"
        if before == after:
            return f"<br>{other} says {said}, now as before."
        return f"<br>{other} said {said}; now it says <b>{judge.categories[after]}</b>."


def _bar(canvas: Canvas, y: float, name: str, shown: tuple[float, tuple[int, int, int]]) -> None:
    p, colour = shown
    canvas.text((200, y + 2), name, size=14, anchor="ra")
    canvas.frame((212, y), (560, 20), colour=PALE, fill=PALE)
    if p * 560 >= 1:
        canvas.frame((212, y), (560 * p, 20), colour=colour, fill=colour)
    canvas.text((782, y + 2), f"{p:.1%}", size=14)
