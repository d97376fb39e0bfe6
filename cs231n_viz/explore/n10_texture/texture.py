"""Explorers of notebook 10: a texture that grows pixel by pixel, and one that is made to match Gram matrices."""

from collections.abc import Iterator, Mapping, Sequence

import ipywidgets as widgets
from torch import Tensor

from cs231n_viz.explore.toolkit.ascending import Ascending, Values, fit, score_chart, score_text
from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import BLUE, GREY, ORANGE, Canvas, number
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.paintings import texture_names, texture_sample
from cs231n_viz.synthesis.ascent import Ascent, Step
from cs231n_viz.texture.efros_leung import efros_leung_steps
from cs231n_viz.texture.growth import Growth, copied_share, origin_map
from cs231n_viz.texture.neural import gram_distance, grams, start_noise, style_layers, synthesize_texture

_SIDE, _TOP = 268, 28  # of each of the three pictures of a growth, in CSS pixels
_LEFTS = (8, 292, 576)
_LARGE = 330  # of the sample and its double
_WINDOWS = ("5", "7", "11", "15", "19", "23", "31")
_TOLERANCES = ("0", "0.05", "0.1", "0.3", "1")


class Growing(Iterator[Step]):
    """A growth, seen as an ascent: a Step for every layer of pixels, its score the per cent that are filled.

    Attributes:
        growth: The latest one.
        total: How many Steps there are, if no pixel has to be asked twice.
        settings: What it is made with.
    """

    def __init__(self, sample: Tensor, size: int, window: int, *, tolerance: float = 0.1, seed: int = 0) -> None:
        self._steps = enumerate(efros_leung_steps(sample, size, window, seed=seed, tolerance=tolerance))
        self.total = 1 + -(-(size - 3) // 2)
        self.growth: Growth | None = None
        self.settings = {"method": "efros_leung", "size": size, "window": window, "tolerance": tolerance, "seed": seed}

    def __next__(self) -> Step:
        index, self.growth = next(self._steps)
        return Step(index, 100 * self.growth.share, self.growth.image[None])


def growing(name: str = "brick", *, names: Sequence[str] | None = None, side: int = 64, size: int = 96) -> Ascending:
    """Let a texture grow out of a sample, with a window and a tolerance of your choice.

    Args:
        name: The sample to begin with.
        names: For ``texture_sample`` to choose from; all of ``texture_names()`` if omitted.
        side: Of the samples in pixels.
        size: Of the picture that grows, to begin with.

    Returns:
        The explorer; ``controls`` are ``sample``, ``window``, ``tolerance``, ``size`` and ``seed``, and the buttons.
    """
    controls = {
        "sample": dropdown("sample", list(names or texture_names()), value=name),
        "window": dropdown("window, px", _WINDOWS, value="11"),
        "tolerance": dropdown("tolerance", _TOLERANCES, value="0.1"),
        "size": slider("size, px", 32, 160, value=size),
        "seed": slider("seed", 0, 9),
    }

    def begin(sample: str, window: str, tolerance: str, size: int, seed: int) -> Growing:
        return Growing(texture_sample(sample, side), size, int(window), tolerance=float(tolerance), seed=seed)

    def draw(step: Step, growing: Growing, values: Values) -> Drawing:
        growth, sample = growing.growth, texture_sample(values["sample"], side)
        canvas = _three(sample, int(values["window"]), growth)
        told = f"{growth.share:.0%} of the pixels are there; of their neighbourhoods, "
        told += f"{copied_share(growth.origins):.0%} are as in the sample."
        return Drawing(canvas.array, text=told)

    def preview(values: Values) -> Drawing:
        canvas = _three(texture_sample(values["sample"], side), int(values["window"]), None)
        return Drawing(canvas.array, text="The blue square is the window. Press start.")

    pairs = [("sample", "size"), ("window", "tolerance"), ("seed",)]
    panel = [widgets.HBox([controls[key] for key in pair], layout=GAP) for pair in pairs]
    return Ascending(begin, controls, name="efros_leung", draw=draw, preview=preview, panel=panel)


def _three(sample: Tensor, window: int, growth: Growth | None) -> Canvas:
    """The sample with the window, what has grown, and where its pixels come from."""
    canvas = Canvas(_SIDE + 40)
    grown = [None, None] if growth is None else [growth.image, origin_map(growth.origins, sample)]
    titles = (f"sample, {sample.shape[-1]} px", "grown", "where its pixels come from")
    for left, picture, title in zip(_LEFTS, [sample, *grown], titles, strict=True):
        canvas.text((left, 6), title, size=14)
        _pasted(canvas, picture, (left, _TOP), _SIDE)
    edge = _SIDE * window / sample.shape[-1]
    if edge <= _SIDE:
        canvas.frame((_LEFTS[0] + (_SIDE - edge) / 2, _TOP + (_SIDE - edge) / 2), (edge, edge), colour=BLUE)
    return canvas


def _pasted(canvas: Canvas, picture: Tensor | None, at: tuple[float, float], side: float) -> None:
    if picture is None:
        canvas.frame(at, (side, side), colour=GREY)
    else:
        fit(canvas, picture, at, (side, side))


def texture(
    models: Classifier | Mapping[str, Classifier],
    name: str = "brick",
    *,
    names: Sequence[str] | None = None,
    side: int = 160,
    steps: int = 80,
) -> Ascending:
    """Make a texture out of noise, from the first layers of a network alone or down to deep ones.

    Args:
        models: A classifier, or name -> classifier; with several, another one judges the result.
        name: The sample to begin with.
        names: For ``texture_sample`` to choose from; all of ``texture_names()`` if omitted.
        side: Of sample and result in pixels.
        steps: How many to begin with.

    Returns:
        The explorer; ``controls`` are ``sample``, ``network``, ``depth`` (how many layers), ``statistic``, ``steps``
        and ``seed``, and the buttons.

    Raises:
        ValueError: If there is no model.
    """
    named = dict(models) if isinstance(models, Mapping) else {models.name: models}
    if not named:
        raise ValueError("wanted at least one model, got none")
    return _Matching(named, name, list(names or texture_names()), side, steps).explorer


class _Matching:
    def __init__(self, models: dict[str, Classifier], name: str, names: list[str], side: int, steps: int) -> None:
        self.models, self.side = models, side
        first = next(iter(models))
        deepest = len(style_layers(models[first]))
        self.controls = {
            "sample": dropdown("sample", names, value=name),
            "network": dropdown("network", list(models), value=first),
            "depth": slider("layers", 1, deepest, value=deepest),
            "statistic": dropdown("match", ["gram", "covariance"]),
            "steps": slider("steps", 2, 400, value=steps),
            "seed": slider("seed", 0, 9),
        }
        self.controls["network"].observe(self._follow_network, names="value")
        pairs = [("sample", "network"), ("depth", "statistic"), ("steps", "seed")]
        panel = [widgets.HBox([self.controls[key] for key in pair], layout=GAP) for pair in pairs]
        self.explorer = Ascending(
            self.begin, self.controls, name="texture", draw=self.draw, preview=self.preview, panel=panel
        )

    def begin(self, sample: str, network: str, depth: int, statistic: str, steps: int, seed: int) -> Ascent:
        model = self.models[network]
        options = {"layers": depth, "statistic": statistic, "steps": steps, "seed": seed, "size": self.side}
        return synthesize_texture(model, self._sample(sample).to(model.mean), progress=False, **options)

    def draw(self, step: Step, ascent: Ascent, values: Values) -> Drawing:
        canvas = self._sheet(values, step)
        left = _LARGE + 24
        score_chart(canvas, ascent.scores, ascent.total, (left + 60 - 346, _LARGE + 44), (2 * _LARGE - 36, 80))
        canvas.text((left + _LARGE, 8), score_text(step.score), size=14, anchor="ra", colour=ORANGE, bold=True)
        last = step.index + 1 == ascent.total
        told = [self._judged(judge, step.image, values) for judge in self._judges(values)] if last else []
        return Drawing(canvas.array, text=" ".join(told) or "The score is minus the distance, in per cent.")

    def preview(self, values: Values) -> Drawing:
        layers = ", ".join(style_layers(self.models[values["network"]], values["depth"]))
        return Drawing(self._sheet(values, None).array, text=f"To be matched: {layers}. Press start.")

    def _sample(self, name: str) -> Tensor:
        return texture_sample(name, self.side, zoom=0.5)[None]

    def _judges(self, values: Values) -> list[str]:
        return [name for name in self.models if name != values["network"]]

    def _judged(self, name: str, image: Tensor, values: Values) -> str:
        """How far another network finds the result from the sample, in units of the noise that all began with."""
        judge, start = self.models[name], start_noise((self.side, self.side), values["seed"])
        target = grams(judge, self._sample(values["sample"]).to(judge.mean), style_layers(judge))
        noise, made = (gram_distance(grams(judge, x.to(judge.mean), target), target).item() for x in (start, image))
        return f"{name} (judge) finds the result at {number(100 * made / noise, 1)} % of the distance of the noise."

    def _sheet(self, values: Values, step: Step | None) -> Canvas:
        canvas = Canvas(_LARGE + (40 if step is None else 150))
        titles = ("sample", "to be made" if step is None else f"step {step.index}")
        pictures = (self._sample(values["sample"])[0], None if step is None else step.image[0])
        for left, picture, title in zip((8, _LARGE + 24), pictures, titles, strict=True):
            canvas.text((left, 8), title, size=14)
            _pasted(canvas, picture, (left, 30), _LARGE)
        return canvas

    def _follow_network(self, _: object) -> None:
        """Offer as many layers as the new network has."""
        control = self.controls["depth"]
        all_of_them = control.value == control.max
        deepest = len(style_layers(self.models[self.controls["network"].value]))
        control.value = min(control.value, deepest)
        control.max = deepest
        control.value = deepest if all_of_them else control.value
