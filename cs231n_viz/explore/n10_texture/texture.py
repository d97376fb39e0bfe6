"""Explorers of notebook 10: Efros–Leung pixel by pixel, and neural texture synthesis step by step."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import BLUE, ORANGE, Canvas, number
from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown, slider
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import in_colour, layers_to_match, models_by_name
from cs231n_viz.explore.toolkit.score_chart import score_chart, score_text
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource
from cs231n_viz.pictures.paintings import texture_names, texture_sample
from cs231n_viz.representation.gram import gram_distance, grams
from cs231n_viz.synthesis.ascent import Ascent, Step
from cs231n_viz.synthesis.parameterisation import start_noise
from cs231n_viz.texture.efros_leung import grow_efros_leung
from cs231n_viz.texture.growth import Growth, copied_share, origin_map
from cs231n_viz.texture.neural import TextureLoss, synthesize_texture

_SIDE, _TOP = 268, 28  # of each of the three pictures of a growth, in CSS pixels
_LEFTS = (8, 292, 576)
_LARGE = 330  # of the sample and of the synthesised texture
_WINDOWS = ("5", "7", "11", "15", "19", "23", "31")
_TOLERANCES = ("0", "0.05", "0.1", "0.3", "1")


class GrowthSteps(Iterator[Step]):
    """The stages of Efros–Leung as the Steps of an ascent: the score is the per cent of the pixels that are filled.

    Attributes:
        growth: The latest stage.
        total: How many Steps there are, if no pixel has to be filled a second time.
        settings: The arguments, to be saved with the picture.
    """

    def __init__(self, sample: Tensor, size: int, window: int, *, tolerance: float = 0.1, seed: int = 0) -> None:
        growing = grow_efros_leung(sample, size, window, seed=seed, tolerance=tolerance)
        self._steps, self.total, self.settings = enumerate(growing), growing.total, growing.settings
        self.growth: Growth | None = None

    def __next__(self) -> Step:
        index, self.growth = next(self._steps)
        return Step(index, 100 * self.growth.share, self.growth.image[None])


def growing(
    name: ImageSource = "brick", *, names: Sequence[str] | None = None, side: int = 64, size: int = 96
) -> LiveAscent:
    """Synthesise a texture pixel by pixel from a sample (Efros–Leung), with any window and tolerance.

    Args:
        name: Initial sample, or a picture of your own.
        names: For ``texture_sample`` to choose from; all of ``texture_names()`` if omitted.
        side: Of the samples in pixels.
        size: Initial size of the picture that grows.

    Returns:
        The explorer; ``controls`` are ``sample``, ``file`` (one of your own), ``window``, ``tolerance``, ``size`` and
        ``seed``, and the buttons.
    """
    choice = PictureChoice(name, names or texture_names(), label="sample")
    controls = {
        "sample": choice.dropdown,
        "window": dropdown("window, px", _WINDOWS, value="11"),
        "tolerance": dropdown("tolerance", _TOLERANCES, value="0.1"),
        "size": slider("size, px", 32, 160, value=size),
        "seed": slider("seed", 0, 9),
        "file": choice.file,
    }

    def begin(sample: str, window: str, tolerance: str, size: int, seed: int) -> GrowthSteps:
        return GrowthSteps(
            texture_sample(choice(sample), side), size, int(window), tolerance=float(tolerance), seed=seed
        )

    def draw(step: Step, growing: GrowthSteps, values: Values) -> Drawing:
        growth, sample = growing.growth, texture_sample(choice(values["sample"]), side)
        canvas = _three(sample, int(values["window"]), growth)
        text = f"{growth.share:.0%} of the pixels are filled; of their neighbourhoods, "
        text += f"{copied_share(growth.origins):.0%} are as in the sample."
        return Drawing(canvas.array, text=text)

    def preview(values: Values) -> Drawing:
        canvas = _three(texture_sample(choice(values["sample"]), side), int(values["window"]), None)
        return Drawing(canvas.array, text="The blue square is the window. Press start.")

    first = ("sample", "size", "window", "tolerance", "file")
    return LiveAscent(begin, controls, name="efros_leung", draw=draw, preview=preview, first=first)


def _three(sample: Tensor, window: int, growth: Growth | None) -> Canvas:
    """The sample with the window, what has grown, and where its pixels come from."""
    canvas = Canvas(_SIDE + 40)
    grown = [None, None] if growth is None else [growth.image, origin_map(growth.origins, sample)]
    titles = (f"sample, {sample.shape[-1]} px", "grown", "where its pixels come from")
    for left, picture, title in zip(_LEFTS, [sample, *grown], titles, strict=True):
        canvas.text((left, 6), title, size=14)
        canvas.fit(picture, (left, _TOP), (_SIDE, _SIDE))
    edge = _SIDE * window / sample.shape[-1]
    if edge <= _SIDE:
        canvas.frame((_LEFTS[0] + (_SIDE - edge) / 2, _TOP + (_SIDE - edge) / 2), (edge, edge), colour=BLUE)
    return canvas


def texture(
    models: Classifier | Mapping[str, Classifier],
    name: ImageSource = "brick",
    *,
    names: Sequence[str] | None = None,
    side: int = 160,
    steps: int = 80,
) -> LiveAscent:
    """Synthesise a texture from noise that matches the Gram matrices of the first layers, or also of deep ones.

    Args:
        models: A classifier, or name -> classifier; with several, the others evaluate the result.
        name: Initial sample, or a picture of your own.
        names: For ``texture_sample`` to choose from; all of ``texture_names()`` if omitted.
        side: Of sample and result in pixels.
        steps: Initial number of steps.

    Returns:
        The explorer; ``controls`` are ``sample``, ``file`` (one of your own), ``network``, ``depth`` (how many
        layers), ``statistic``, ``steps`` and ``seed``, and the buttons.

    Raises:
        ValueError: If there is no model.
    """
    choice = PictureChoice(name, names or texture_names(), label="sample")
    return _NeuralTexture(models_by_name(models), choice, side, steps).explorer


class _NeuralTexture:
    def __init__(self, models: dict[str, Classifier], choice: PictureChoice, side: int, steps: int) -> None:
        self.models, self.choice, self.side = {name: in_colour(each) for name, each in models.items()}, choice, side
        deepest = len(self._layers(next(iter(models))))
        self.controls = {
            "sample": choice.dropdown,
            "network": dropdown("network", list(models)),
            "depth": slider("layers", 1, deepest, value=deepest),
            "statistic": dropdown("match", ["gram", "covariance"]),
            "steps": slider("steps", 2, 400, value=steps),
            "seed": slider("seed", 0, 9),
            "file": choice.file,
        }
        self.controls["network"].observe(self._follow_network, names="value")
        first = ("sample", "network", "depth", "statistic", "steps")
        self.explorer = LiveAscent(
            self.begin, self.controls, name="texture", draw=self.draw, preview=self.preview, first=first
        )

    def _layers(self, network: str) -> tuple[str, ...]:
        return layers_to_match(self.models[network], pools=True)

    def begin(self, sample: str, network: str, depth: int, statistic: str, steps: int, seed: int) -> Ascent:
        model = self.models[network]
        loss = TextureLoss(layers=self._layers(network)[:depth], statistic=statistic)
        options = {"loss": loss, "steps": steps, "seed": seed}
        return synthesize_texture(model, self._sample(sample).to(model.mean), size=self.side, progress=False, **options)

    def draw(self, step: Step, ascent: Ascent, values: Values) -> Drawing:
        canvas = self._canvas(values, step)
        left = _LARGE + 24
        score_chart(canvas, ascent.scores, ascent.total, (left + 60 - 346, _LARGE + 44), (2 * _LARGE - 36, 80))
        canvas.text((left + _LARGE, 8), score_text(step.score), size=14, anchor="ra", colour=ORANGE, bold=True)
        last = step.index + 1 == ascent.total
        others = [name for name in self.models if name != values["network"]] if last else []
        text = " ".join(self._evaluation(name, step.image, values) for name in others)
        return Drawing(canvas.array, text=text or "The score is minus the distance, in per cent.")

    def preview(self, values: Values) -> Drawing:
        layers = ", ".join(self._layers(values["network"])[: values["depth"]])
        return Drawing(self._canvas(values, None).array, text=f"To be matched: {escape(layers)}. Press start.")

    def _sample(self, name: str) -> Tensor:
        return texture_sample(self.choice(name), self.side, zoom=0.5)[None]

    def _evaluation(self, name: str, image: Tensor, values: Values) -> str:
        """The Gram distance of the result by another network, relative to that of the noise at the start."""
        model, start = self.models[name], start_noise((self.side, self.side), values["seed"])
        target = grams(model, self._sample(values["sample"]).to(model.mean), self._layers(name))
        noise, made = (gram_distance(grams(model, x.to(model.mean), target), target).item() for x in (start, image))
        share = number(100 * made / noise, 1)
        return f"By {escape(name)} (not optimised) the result is at {share} % of the distance of the noise."

    def _canvas(self, values: Values, step: Step | None) -> Canvas:
        canvas = Canvas(_LARGE + (40 if step is None else 150))
        titles = ("sample", "to be synthesised" if step is None else f"step {step.index}")
        pictures = (self._sample(values["sample"])[0], None if step is None else step.image[0])
        for left, picture, title in zip((8, _LARGE + 24), pictures, titles, strict=True):
            canvas.text((left, 8), title, size=14)
            canvas.fit(picture, (left, 30), (_LARGE, _LARGE))
        return canvas

    def _follow_network(self, _: object) -> None:
        """Offer as many layers as the new network has."""
        control = self.controls["depth"]
        all_of_them = control.value == control.max
        deepest = len(self._layers(self.controls["network"].value))
        control.value = min(control.value, deepest)
        control.max = deepest
        control.value = deepest if all_of_them else control.value
