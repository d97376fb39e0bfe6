"""What most explorers begin with: a photograph, a network, and one of its classes."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from html import escape

import ipywidgets as widgets

from cs231n_viz.explore.toolkit.controls import PictureChoice, dropdown
from cs231n_viz.explore.toolkit.models import Photographs, models_by_name
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import ImageSource, sample_images


class Subject:
    """The controls of a photograph, a network and a class, and what follows when one of them is moved.

    With another photograph, the class is the one that the network predicts, until a person chooses one; with another
    network, it stays if that one knows it. The network is hidden where there is only one.

    Attributes:
        models: Name -> classifier.
        photographs: Name of a network -> the photographs as it takes them.
        controls: ``photograph`` (or another ``label``), ``file``, ``network`` and ``category``.
        hold: ``Explorer.hold``, once there is one: what follows is one change.
        follow: Called in that one change, after the class has followed.
    """

    def __init__(
        self,
        models: Classifier | Mapping[str, Classifier],
        photograph: ImageSource,
        category: str | None = None,
        *,
        label: str = "photograph",
        extra: Mapping[str, Callable[[], ImageSource]] | None = None,
    ) -> None:
        """Choose the most probable class if ``category`` is omitted.

        Args:
            models: A classifier, or name -> classifier.
            photograph: What is shown at first: a name, or what ``load_image`` takes.
            category: The class at first.
            label: Name of the control.
            extra: Name -> what makes a further picture that is offered beside ``sample_images()``.

        Raises:
            KeyError: If the first model has no such category.
            ValueError: If there is no model, or no such photograph.
        """
        self.models = models_by_name(models)
        choice, extra = PictureChoice(photograph, [*sample_images(), *(extra or ())], label=label), extra or {}
        self.photographs = {
            name: Photographs(model, lambda option: extra[option]() if option in extra else choice(option))
            for name, model in self.models.items()
        }
        first, model = next(iter(self.models.items()))
        index = self.photographs[first].category(choice.dropdown.value) if category is None else model.index(category)
        self.controls = {
            label: choice.dropdown,
            "file": choice.file,
            "network": dropdown("network", list(self.models)),
            "category": dropdown("class", model.categories, value=model.categories[index]),
        }
        self.hold: Callable[[], AbstractContextManager] = nullcontext
        self.follow: Callable[[], object] = lambda: None
        self._label, self._first = label, model.categories[index]
        self._followed = self._first
        hide(self.controls, network=len(self.models) == 1)
        for name in (label, "network"):
            self.controls[name].observe(self._follow, names="value")

    def _follow(self, change: dict) -> None:
        photograph, network, category = (self.controls[name] for name in (self._label, "network", "category"))
        names = self.models[network.value].categories
        try:
            likely = names[self.photographs[network.value].category(photograph.value)]
        except Exception:  # draw comes upon it, too, such as a file that is no picture, and says so
            likely = names[0]
        stays = change["owner"] is network or category.value not in (self._first, self._followed)
        value = category.value if stays and category.value in names else likely
        with self.hold():
            category.options, category.value = names, value
            self._followed = likely if value == likely else self._followed
            self.follow()

    def predictions(self, network: str, photograph: str) -> str:
        """The three most probable classes, as a sentence in HTML."""
        names, p = self.models[network].categories, self.photographs[network].logits(photograph).softmax(0)
        best = [f"{escape(names[i])} {float(p[i]):.0%}" for i in p.topk(min(3, len(p))).indices.tolist()]
        return f"{escape(network)} predicts: {', '.join(best)}."


def hide(controls: Mapping[str, widgets.Widget], **gone: bool) -> None:
    """Hide the controls that have no effect at present, by name, and show the others that are named."""
    for name, is_gone in gone.items():
        controls[name].layout.display = "none" if is_gone else None
