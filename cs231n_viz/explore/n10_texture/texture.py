"""Explorers of notebook 10: Efros–Leung pixel by pixel, and neural texture synthesis step by step."""

from collections.abc import Mapping, Sequence
from html import escape

from torch import Tensor

from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import BLUE, Canvas, number
from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown, slider
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import in_colour, layers_to_match, models_by_name
from cs231n_viz.explore.toolkit.score_chart import pictures_and_scores, score_text
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource
from cs231n_viz.pictures.paintings import texture_names, texture_sample
from cs231n_viz.representation.gram import gram_distance, grams
from cs231n_viz.synthesis.ascent import Ascent, Step
from cs231n_viz.synthesis.parameterisation import start_noise
from cs231n_viz.texture.efros_leung import grow_efros_leung
from cs231n_viz.texture.growth import Growing, Growth, copied_share, origin_map
from cs231n_viz.texture.neural import TextureLoss, synthesize_texture

_SIDE = 270  # of each of the three pictures of a growth, in CSS pixels
_WINDOWS = ("5", "7", "11", "15", "19", "23", "31")
_TOLERANCES = ("0", "0.05", "0.1", "0.3", "1")


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

    grown: Growing | None = None

    def begin(sample: str, window: str, tolerance: str, size: int, seed: int) -> Ascent:
        nonlocal grown
        options = {"tolerance": float(tolerance), "seed": seed}
        grown = grow_efros_leung(texture_sample(choice(sample), side), size, int(window), **options)
        steps = (Step(index, 100 * stage.share, stage.image[None]) for index, stage in enumerate(grown))
        return Ascent(steps, grown.total, settings=grown.settings, progress=False)

    def draw(step: Step, ascent: Ascent, values: Values) -> Drawing:
        text = f"{grown.latest.share:.0%} of the pixels are filled; of their neighbourhoods, "
        return drawn(values, grown.latest, text + f"{copied_share(grown.latest.origins):.0%} are as in the sample.")

    def drawn(values: Values, growth: Growth | None, text: str) -> Drawing:
        """The sample with the window, what has grown, and where its pixels come from."""
        canvas, sample = Canvas(_SIDE + 40), texture_sample(choice(values["sample"]), side)
        made = [None, None] if growth is None else [growth.image, origin_map(growth.origins, sample)]
        pictures = zip((f"sample, {side} px", "grown", "where its pixels come from"), (sample, *made), strict=True)
        (left, top, *_), *_ = canvas.row(dict(pictures), _SIDE)
        edge = _SIDE * int(values["window"]) / side
        if edge <= _SIDE:
            canvas.frame((left + (_SIDE - edge) / 2, top + (_SIDE - edge) / 2), (edge, edge), colour=BLUE)
        return Drawing(canvas.array, text)

    def preview(values: Values) -> Drawing:
        return drawn(values, None, "The blue square is the window. Press start.")

    first = ("sample", "size", "window", "tolerance", "file")
    return LiveAscent(begin, controls, name="efros_leung", draw=draw, preview=preview, first=first)


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
        pictures = {"sample": self._sample(values["sample"])[0]}
        pictures[f"step {step.index}: score {score_text(step.score)}"] = step.image[0]
        last = step.index + 1 == ascent.total
        others = [name for name in self.models if name != values["network"]] if last else []
        text = " ".join(self._evaluation(name, step.image, values) for name in others)
        text = text or "The score is minus the distance, in per cent."
        return Drawing(pictures_and_scores(pictures, ascent.scores, ascent.total), text)

    def preview(self, values: Values) -> Drawing:
        layers = ", ".join(self._layers(values["network"])[: values["depth"]])
        picture = pictures_and_scores({"sample": self._sample(values["sample"])[0], "to be synthesised": None})
        return Drawing(picture, f"To be matched: {escape(layers)}. Press start.")

    def _sample(self, name: str) -> Tensor:
        return texture_sample(self.choice(name), self.side, zoom=0.5)[None]

    def _evaluation(self, name: str, image: Tensor, values: Values) -> str:
        """The Gram distance of the result by another network, relative to that of the noise at the start."""
        model, start = self.models[name], start_noise((self.side, self.side), values["seed"])
        target = grams(model, self._sample(values["sample"]).to(model.mean), self._layers(name))
        noise, made = (gram_distance(grams(model, x.to(model.mean), target), target).item() for x in (start, image))
        share = number(100 * made / noise, 1)
        return f"By {escape(name)} (not optimised) the result is at {share} % of the distance of the noise."

    def _follow_network(self, _: object) -> None:
        """Offer as many layers as the new network has."""
        control = self.controls["depth"]
        all_of_them = control.value == control.max
        deepest = len(self._layers(self.controls["network"].value))
        control.value = min(control.value, deepest)
        control.max = deepest
        control.value = deepest if all_of_them else control.value
