"""Explorer of notebook 08: a targeted adversarial perturbation of a photograph, step by step."""

from collections.abc import Mapping
from functools import partial
from html import escape

import torch
from torch import Tensor

from cs231n_viz.explore.toolkit.base import paragraph
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, ORANGE, PALE, Canvas, Colour, number
from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown, replace_options, slider
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import Photographs, models_by_name
from cs231n_viz.explore.toolkit.wipe import Wiped, WipePicture
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource, sample_images
from cs231n_viz.synthesis.ascent import Step
from cs231n_viz.synthesis.fooling import Fooling, Rule, fooling_image
from cs231n_viz.synthesis.parameterisation import start_noise

NOISE = "noise"
RULES: dict[str, Rule] = {
    "nearest: smallest": "nearest",
    "unit: normalised": "unit",
    "sign: iterated FGSM": "sign",
}
SIZES = {"half": 0.5, "usual": 1.0, "double": 2.0}
_STEP = {"nearest": 1.0, "unit": 0.4, "sign": 1 / 510}  # the usual learning rates, small enough to watch the steps
_SIDE, _TOP = 270, 32  # of the three panels, in CSS pixels
_BARS = _TOP + _SIDE + 20


def fooling(
    models: Classifier | Mapping[str, Classifier],
    photograph: ImageSource = "motorcycle",
    category: str | None = None,
) -> LiveAscent:
    """Choose a photograph and a class, start, and watch a perturbation change the prediction to that class.

    Args:
        models: A classifier, or name -> classifier. With two or more, the next one predicts the same pictures.
        photograph: Initial photograph, of ``sample_images()``, a picture of your own, or ``"noise"``.
        category: The target class; the last one if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph`` and ``file`` (one of your own), ``network``, ``category``,
        ``rule``, ``step`` (the size of the steps), ``steps``, and ``factor``, by which the perturbation is multiplied
        when it is shown.

    Raises:
        KeyError: If the model has no such category.
        ValueError: If there is no model, or no such photograph.
    """
    return _Fooling(models_by_name(models), photograph, category).explorer


class _Fooling:
    def __init__(self, models: dict[str, Classifier], photograph: ImageSource, category: str | None) -> None:
        self.models, choice = models, PictureChoice(photograph, [*sample_images(), NOISE])

        def start(model: Classifier, title: str) -> ImageSource:
            return start_noise(model.input_size)[0] if title == NOISE else choice(title)

        self.photographs = {name: Photographs(model, partial(start, model)) for name, model in models.items()}
        model = next(iter(models.values()))
        chosen = model.categories[-1 if category is None else model.index(category)]
        self.controls = {
            "photograph": choice.dropdown,
            "network": dropdown("network", list(models)),
            "category": dropdown("make it a", model.categories, value=chosen),
            "rule": dropdown("rule", list(RULES)),
            "step": dropdown("step size", list(SIZES), value="usual"),
            "steps": slider("steps", 1, 60, value=30),
            "factor": slider("change ×", 1, 20, value=10),
            "file": choice.file,
        }
        first = ("photograph", "category", "network", "rule", "factor")
        self.controls["network"].observe(self._follow_network, names="value")
        self.explorer = LiveAscent(
            self.begin, self.controls, name="fooling", draw=self.draw, preview=self.preview, first=first,
            view=WipePicture(),
        )  # fmt: skip

    def _follow_network(self, change: dict) -> None:
        """Keep the class if the other network has it too."""
        with self.explorer.hold():
            replace_options(self.controls["category"], self.models[change["new"]].categories)

    def begin(self, photograph: str, network: str, category: str, rule: str, step: str, steps: int) -> Fooling:
        """The ascent that the controls ask for."""
        model, kind = self.models[network], RULES[rule]
        start, target = self.photographs[network].image(photograph), model.index(category)
        lr = _STEP[kind] * SIZES[step]
        return fooling_image(model, start, target, steps=steps, lr=lr, rule=kind, progress=False)

    def preview(self, values: Values) -> Wiped:
        """The photograph as it is."""
        return self._drawn(self.photographs[values["network"]].image(values["photograph"]), None, values)

    def draw(self, step: Step, ascent: Fooling, values: Values) -> Wiped:
        """The photograph, the perturbation, their sum; and what the networks predict."""
        return self._drawn(step.image, ascent, values)

    def _drawn(self, image: Tensor, ascent: Fooling | None, values: Values) -> Wiped:
        model = self.models[values["network"]]
        start = self.photographs[values["network"]].image(values["photograph"])
        change, canvas = (image - start)[0], Canvas(_BARS + 92)
        panels = {
            values["photograph"]: start[0],
            f"perturbation, × {values['factor']}": (0.5 + values["factor"] * change).clamp(0, 1),
            "photograph + perturbation": image[0],
        }
        *_, box = canvas.row(panels, _SIDE, at=(8, _TOP))
        with torch.no_grad():
            known = self.photographs[values["network"]].logits(values["photograph"])
            p = (known if ascent is None else model(image)[0]).softmax(0)
        target = model.index(values["category"])
        first = self.photographs[values["network"]].category(values["photograph"])
        rows = {int(p.argmax()): GREY, first: BLUE, target: ORANGE}  # the prediction, unless it is one of the two
        for row, (index, colour) in enumerate(sorted(rows.items(), key=lambda item: item[1] == GREY)):
            _bar(canvas, _BARS + 30 * row, model.categories[index], float(p[index]), colour)
        text = self._sentence(ascent, change, values) + self._elsewhere(image, start, values)
        return Wiped(canvas.array, paragraph(text), before=None if ascent is None else start[0], box=box)

    def _sentence(self, ascent: Fooling | None, change: Tensor, values: Values) -> str:
        if ascent is None:
            return "Nothing is changed yet."
        flip = int(ascent.flips_so_far[0])
        size = f"L2 {number(float(change.norm()))}, L∞ {number(255 * float(change.abs().max()), 1)} / 255. "
        if flip == 0:
            return f"It was classified as <b>{escape(values['category'])}</b> from the beginning. {size}"
        if flip > 0:
            return f"<b>Fooled at step {flip}.</b> {size}"
        return f"Not fooled yet. {size}"

    @torch.no_grad()
    def _elsewhere(self, image: Tensor, start: Tensor, values: Values) -> str:
        """What the next network predicts for the same two pictures."""
        names = list(self.models)
        other = names[(names.index(values["network"]) + 1) % len(names)]
        if len(names) == 1:
            return ""
        model, other = self.models[other], escape(other)
        pictures = start if image is start else torch.cat([start, image])
        verdicts = model(model.prepare(pictures)).argmax(1).tolist()
        before, after = verdicts[0], verdicts[-1]
        first = f"<b>{escape(model.categories[before])}</b>"
        if before == after:
            return f"<br>{other} predicts {first}, now as before."
        return f"<br>{other} predicted {first}; now it predicts <b>{escape(model.categories[after])}</b>."


def _bar(canvas: Canvas, y: float, name: str, p: float, colour: Colour) -> None:
    canvas.text((200, y + 2), name, size=14, anchor="ra")
    canvas.frame((212, y), (560, 20), colour=PALE, fill=PALE)
    if p * 560 >= 1:
        canvas.frame((212, y), (560 * p, 20), colour=colour, fill=colour)
    canvas.text((782, y + 2), f"{p:.1%}", size=14)
