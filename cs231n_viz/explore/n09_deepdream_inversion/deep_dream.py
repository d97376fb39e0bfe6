"""Explorer of notebook 09: DeepDream on a photograph, step by step and octave by octave."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from torch import Tensor

from cs231n_viz.explore.toolkit.canvas import GREY, ORANGE, Box, Canvas
from cs231n_viz.explore.toolkit.controls import (
    PictureChoice,
    checkbox,
    dropdown,
    replace_options,
    replace_options_by_depth,
    slider,
)
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import in_colour, layers_with_maps, models_by_name
from cs231n_viz.explore.toolkit.score_chart import score_chart, score_text
from cs231n_viz.explore.toolkit.wipe import Wiped, WipePicture
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource, load_image, resize
from cs231n_viz.synthesis.ascent import Ascent, Step
from cs231n_viz.synthesis.deep_dream import DreamUpdate, octave_sizes
from cs231n_viz.synthesis.deep_dream import deep_dream as dream

NOBODY = "nobody"
_STEPS = {"0.5/255": 0.5 / 255, "1.5/255": 1.5 / 255, "3/255": 3 / 255, "6/255": 6 / 255}
_LARGE, _SMALL = (590, 440), (240, 150)  # the dream, and what stands beside it, in CSS pixels
_LEFT = 612


def deep_dream(
    models: Classifier | Mapping[str, Classifier],
    photograph: ImageSource = "china",
    layer: str | None = None,
    *,
    width: int = 400,
    photographs: Sequence[str] = (),
) -> LiveAscent:
    """Run DeepDream on a photograph with any layer or channel, and watch the octaves grow.

    Args:
        models: A classifier, or name -> classifier.
        photograph: The photograph selected at first, by name, or a picture of your own.
        layer: The layer selected at first; the fourth last one with maps if omitted.
        width: Width in pixels of the photographs; the time of a step grows with its square.
        photographs: Names for ``load_image`` to choose from; all of ``sample_images()`` if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``file`` (one of your own), ``network``, ``layer``, ``single``
        and ``channel``, ``guide``, ``octaves``, ``steps``, ``step`` (the learning rate), ``jitter`` and ``smooth``, and
        the buttons.

    Raises:
        KeyError: If the network has no such layer.
        ValueError: If there is no model.
    """
    return _DeepDream(models_by_name(models), PictureChoice(photograph, photographs), layer, width).explorer


class _DeepDream:
    def __init__(self, models: dict[str, Classifier], choice: PictureChoice, layer: str | None, width: int) -> None:
        self.models, self.width = {name: in_colour(model) for name, model in models.items()}, width
        self.photo = lru_cache(maxsize=8)(lambda title: self._resized(load_image(choice(title))[None]))
        first = next(iter(self.models.values()))
        layers = list(layers_with_maps(first))
        if layer is not None:
            first.layer(layer)
        self.controls = {
            "photograph": choice.dropdown,
            "network": dropdown("network", list(models)),
            "layer": dropdown("layer", layers, value=layer or layers[max(0, len(layers) - 4)]),
            "guide": dropdown("guided by", [NOBODY, *choice.dropdown.options]),
            "single": checkbox("one channel only"),
            "channel": slider("channel", 0, 0),
            "octaves": slider("octaves", 1, 5, value=4),
            "steps": slider("steps each", 1, 40, value=15),
            "step": dropdown("step", list(_STEPS), value="1.5/255"),
            "jitter": slider("jitter, px", 0, 64, value=32),
            "smooth": checkbox("smooth strokes", True),
            "file": choice.file,
        }
        choice.dropdown.observe(self._follow_files, names="options")
        self.controls["network"].observe(self._follow_network, names="value")
        for name in ("layer", "single", "guide"):
            self.controls[name].observe(self._follow_layer, names="value")
        self._follow_layer()
        names = ("photograph", "network", "layer", "octaves", "steps")
        self.explorer = LiveAscent(
            self.begin, self.controls, name="dream", draw=self.draw, preview=self.preview, first=names,
            view=WipePicture(),
        )  # fmt: skip

    def _resized(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        return resize(image, (round(height * self.width / width), self.width)).clamp(0, 1)

    def begin(
        self, photograph: str, network: str, layer: str, guide: str, single: bool, channel: int,
        octaves: int, steps: int, step: str, jitter: int, smooth: bool,
    ) -> Ascent:  # fmt: skip
        guided = guide != NOBODY
        return dream(
            self.models[network], self.photo(photograph), layer,
            channel=channel if single and not guided else None, guide=self.photo(guide) if guided else None,
            octaves=octaves, steps=steps, update=DreamUpdate(lr=_STEPS[step], jitter=jitter, smooth=0.7 * smooth),
            progress=False,
        )  # fmt: skip

    def draw(self, step: Step, ascent: Ascent, values: Values) -> Wiped:
        octave = (len(ascent.scores) - 1) // (values["steps"] + 1)
        canvas, box = self._canvas(step.image[0], values)
        start = octave * (values["steps"] + 1)
        title = f"octave {octave + 1} of {values['octaves']}, {step.image.shape[-1]} × {step.image.shape[-2]} px"
        canvas.text((_LEFT, 180), title, size=13)
        canvas.text((_LEFT, 200), f"score {score_text(step.score)}", size=13, bold=True, colour=ORANGE)
        score_chart(canvas, ascent.scores[start:], values["steps"] + 1, (_LEFT + 40, 226), (_SMALL[0] - 44, 150))
        text = "The picture grows from octave to octave; compare scores within one only."
        return Wiped(canvas.array, text, before=self.photo(values["photograph"])[0], box=box)

    def preview(self, values: Values) -> Wiped:
        image = self.photo(values["photograph"])[0]
        canvas, _ = self._canvas(image, values)
        sizes = octave_sizes(image.shape[-2:], values["octaves"], 1.4)
        canvas.text((_LEFT, 180), f"{len(sizes)} octaves of {values['steps']} steps:", size=13)
        for row, (height, width) in enumerate(sizes):
            canvas.text((_LEFT, 204 + 20 * row), f"{width} × {height} px", size=13, colour=GREY)
        return Wiped(canvas.array, "Press start.")

    def _canvas(self, image: Tensor, values: Values) -> tuple[Canvas, Box]:
        """The picture large, and beside it the photograph or the guide; and where the large one stands."""
        canvas = Canvas(_LARGE[1] + 16)
        box = canvas.fit(image, (8, 8), _LARGE)
        beside = values["photograph"] if values["guide"] == NOBODY else values["guide"]
        canvas.fit(self.photo(beside)[0], (_LEFT, 8), _SMALL)
        canvas.text((_LEFT, 160), "the photograph" if values["guide"] == NOBODY else "the guide", size=12, colour=GREY)
        return canvas, box

    def _follow_files(self, change: dict) -> None:
        replace_options(self.controls["guide"], [NOBODY, *change["new"]])

    def _follow_network(self, _: object) -> None:
        """Offer the layers of the new network; keep the depth."""
        layers = list(layers_with_maps(self.models[self.controls["network"].value]))
        replace_options_by_depth(self.controls["layer"], layers)
        self._follow_layer()

    def _follow_layer(self, _: object = None) -> None:
        """Show only the controls that have an effect, with the channels of the layer."""
        control, layer = self.controls["channel"], self.controls["layer"].value
        control.max = self.models[self.controls["network"].value].layer(layer).shape[0] - 1
        free = self.controls["guide"].value == NOBODY
        shown = {True: "", False: "none"}
        self.controls["single"].layout.display = shown[free]
        control.layout.display = shown[free and self.controls["single"].value]
