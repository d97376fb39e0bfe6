"""Explorer of notebook 09: which pictures have the features that a layer found in this photograph?"""

from collections.abc import Mapping, Sequence

import ipywidgets as widgets
from torch import Tensor

from cs231n_viz.explore.toolkit.ascending import Ascending, Values, fit, score_chart, score_text, tiled
from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import GREY, Canvas, number
from cs231n_viz.explore.toolkit.controls import GAP, dropdown, slider
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import sample_images
from cs231n_viz.synthesis.ascent import Step
from cs231n_viz.synthesis.inversion import Inversion, invert, psnr

_WEIGHTS = ("0", "0.1", "0.3", "1", "3", "10", "30", "100")
_SIDE, _LEFTS = 410, (8, 434)  # of the photograph and of the inversions, in CSS pixels


def inversion(
    models: Classifier | Mapping[str, Classifier],
    photograph: str = "cat",
    layer: str | None = None,
    *,
    photographs: Sequence[str] | None = None,
) -> Ascending:
    """Rebuild a photograph from what a layer knows of it.

    Args:
        models: A classifier, or name -> classifier.
        photograph: The one to begin with, of ``sample_images()``.
        layer: The layer to begin with; one in the middle if omitted.
        photographs: Names for ``load_image`` to choose from; all of ``sample_images()`` if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``network``, ``layer``, ``restarts``, ``steps``, ``tv`` (weight
        of the total variation) and ``seed``, and the buttons.

    Raises:
        KeyError: If the network has no such layer.
        ValueError: If there is no model.
    """
    named = dict(models) if isinstance(models, Mapping) else {models.name: models}
    if not named:
        raise ValueError("wanted at least one model, got none")
    return _Inverting(named, photograph, layer, list(photographs or sample_images())).explorer


class _Inverting:
    def __init__(
        self, models: dict[str, Classifier], photograph: str, layer: str | None, photographs: list[str]
    ) -> None:
        self.models = models
        first = next(iter(models))
        layers = [found.name for found in models[first].layers()]
        if layer is not None:
            models[first].layer(layer)
        self.controls = {
            "photograph": dropdown("photograph", photographs, value=photograph),
            "network": dropdown("network", list(models), value=first),
            "layer": dropdown("layer", layers, value=layer or layers[len(layers) // 2]),
            "tv": dropdown("variation ×", _WEIGHTS, value="1"),
            "restarts": slider("restarts", 1, 4, value=1),
            "steps": slider("steps", 10, 400, value=150),
            "seed": slider("seed", 0, 9),
        }
        self.controls["network"].observe(self._follow_network, names="value")
        pairs = [("photograph", "network"), ("layer", "tv"), ("restarts", "steps"), ("seed",)]
        panel = [widgets.HBox([self.controls[name] for name in pair], layout=GAP) for pair in pairs]
        self.explorer = Ascending(
            self.begin, self.controls, name="inversion", draw=self.draw, preview=self.preview, panel=panel
        )

    def begin(
        self, photograph: str, network: str, layer: str, tv: str, restarts: int, steps: int, seed: int
    ) -> Inversion:
        model = self.models[network]
        options = {"tv": float(tv), "restarts": restarts, "steps": steps, "seed": seed}
        return invert(model, model.prepare(photograph), layer, progress=False, **options)

    def draw(self, step: Step, ascent: Inversion, values: Values) -> Drawing:
        image = self.models[values["network"]].prepare(values["photograph"])
        canvas = self._sheet(image[0], tiled(step.image), f"from {values['layer']}, step {step.index}")
        score_chart(canvas, ascent.scores, ascent.total, (_LEFTS[0] + 60, _SIDE + 44), (770, 90))
        canvas.text((_LEFTS[0], _SIDE + 80), score_text(step.score), size=13, bold=True)
        rows = zip(ascent.error_of(step.image).tolist(), psnr(step.image, image).tolist(), strict=True)
        told = [f"feature error {number(100 * error, 1)} %, {number(ratio, 1)} dB" for error, ratio in rows]
        return Drawing(canvas.array, text="; ".join(told) + ". Equal pictures would have 0 % and infinitely many dB.")

    def preview(self, values: Values) -> Drawing:
        image = self.models[values["network"]].prepare(values["photograph"])[0]
        return Drawing(self._sheet(image, None, f"from {values['layer']}").array, text="Press start to invert.")

    def _sheet(self, image: Tensor, made: Tensor | None, title: str) -> Canvas:
        canvas = Canvas(_SIDE + (40 if made is None else 170))
        for left, picture, words in zip(_LEFTS, (image, made), ("the photograph", title), strict=True):
            canvas.text((left, 8), words, size=14)
            if picture is None:
                canvas.frame((left, 30), (_SIDE, _SIDE), colour=GREY)
            else:
                fit(canvas, picture, (left, 30), (_SIDE, _SIDE))
        return canvas

    def _follow_network(self, _: object) -> None:
        """Offer the layers of the new network; keep the depth."""
        control = self.controls["layer"]
        depth = control.index / max(1, len(control.options) - 1)
        layers = [found.name for found in self.models[self.controls["network"].value].layers()]
        control.options = layers
        control.value = layers[round(depth * (len(layers) - 1))]
