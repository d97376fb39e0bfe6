"""Explorer of notebook 09: feature inversion, a picture with the activations of a photograph, step by step."""

from collections.abc import Mapping, Sequence

from cs231n_viz.explore.toolkit.base import Drawing
from cs231n_viz.explore.toolkit.canvas import number
from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown, replace_options_by_depth, slider
from cs231n_viz.explore.toolkit.live_ascent import LiveAscent, Values
from cs231n_viz.explore.toolkit.models import Photographs, models_by_name
from cs231n_viz.explore.toolkit.score_chart import pictures_and_scores
from cs231n_viz.explore.toolkit.tile_grid import as_one_image
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource
from cs231n_viz.synthesis.ascent import Step
from cs231n_viz.synthesis.inversion import ImagePrior, Inversion, invert, psnr

_WEIGHTS = ("0", "0.1", "0.3", "1", "3", "10", "30", "100")


def inversion(
    models: Classifier | Mapping[str, Classifier],
    photograph: ImageSource = "cat",
    layer: str | None = None,
    *,
    photographs: Sequence[str] = (),
) -> LiveAscent:
    """Reconstruct a photograph from the activations of one layer (feature inversion).

    Args:
        models: A classifier, or name -> classifier.
        photograph: The photograph selected at first, by name, or a picture of your own.
        layer: The layer selected at first; one in the middle if omitted.
        photographs: Names for ``load_image`` to choose from; all of ``sample_images()`` if omitted.

    Returns:
        The explorer; ``controls`` are ``photograph``, ``file`` (one of your own), ``network``, ``layer``,
        ``restarts``, ``steps``, ``tv`` (weight of the total variation) and ``seed``, and the buttons.

    Raises:
        KeyError: If the network has no such layer.
        ValueError: If there is no model.
    """
    return _Inversion(models_by_name(models), PictureChoice(photograph, photographs), layer).explorer


class _Inversion:
    def __init__(self, models: dict[str, Classifier], choice: PictureChoice, layer: str | None) -> None:
        self.models = models
        self.photographs = {name: Photographs(model, choice) for name, model in models.items()}
        first = next(iter(models.values()))
        layers = [entry.name for entry in first.layers()]
        if layer is not None:
            first.layer(layer)
        self.controls = {
            "photograph": choice.dropdown,
            "network": dropdown("network", list(models)),
            "layer": dropdown("layer", layers, value=layer or layers[len(layers) // 2]),
            "tv": dropdown("TV ×", _WEIGHTS, value="1"),
            "restarts": slider("restarts", 1, 4, value=1),
            "steps": slider("steps", 10, 400, value=150),
            "seed": slider("seed", 0, 9),
            "file": choice.file,
        }
        self.controls["network"].observe(self._follow_network, names="value")
        first = ("photograph", "network", "layer", "tv", "steps")
        self.explorer = LiveAscent(
            self.begin, self.controls, name="inversion", draw=self.draw, preview=self.preview, first=first
        )

    def begin(
        self, photograph: str, network: str, layer: str, tv: str, restarts: int, steps: int, seed: int
    ) -> Inversion:
        model, image = self.models[network], self.photographs[network].image(photograph)
        options = {"prior": ImagePrior(tv=float(tv)), "restarts": restarts, "steps": steps, "seed": seed}
        return invert(model, image, layer, progress=False, **options)

    def draw(self, step: Step, ascent: Inversion, values: Values) -> Drawing:
        image = self.photographs[values["network"]].image(values["photograph"])
        pictures = {"the photograph": image[0]}
        pictures[f"from {values['layer']}, step {step.index}"] = as_one_image(step.image)
        rows = zip(ascent.error_of(step.image).tolist(), psnr(step.image, image).tolist(), strict=True)
        errors = [f"feature error {number(100 * error, 1)} %, PSNR {number(ratio, 1)} dB" for error, ratio in rows]
        text = "; ".join(errors) + ". For the photograph itself they are 0 % and infinite."
        return Drawing(pictures_and_scores(pictures, ascent.scores, ascent.total), text)

    def preview(self, values: Values) -> Drawing:
        image = self.photographs[values["network"]].image(values["photograph"])
        return Drawing(
            pictures_and_scores({"the photograph": image[0], f"from {values['layer']}": None}), "Press start."
        )

    def _follow_network(self, _: object) -> None:
        """Offer the layers of the new network; keep the depth."""
        layers = [entry.name for entry in self.models[self.controls["network"].value].layers()]
        replace_options_by_depth(self.controls["layer"], layers)
