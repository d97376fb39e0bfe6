"""Time how long an explorer takes from a moved control to the new picture, in the kernel."""

from collections.abc import Callable, Iterator

import ipywidgets as widgets
import numpy as np
import torch

import cs231n_viz as viz
from benchmarks.row import Row
from cs231n_viz import explore


def explorers() -> dict[str, Callable[[], explore.Explorer]]:
    """Every explorer of the course, as its notebook shows it."""
    alexnet = viz.load_model("mini_alexnet")
    return {
        "convolution": lambda: explore.convolution("coffee"),
        "pooling": lambda: explore.pooling("coffee"),
        "stack_calculator": explore.stack_calculator,
        "receptive_fields": lambda: explore.receptive_fields(alexnet),
        "filters": explore.filters,
        "responses": lambda: explore.responses(alexnet),
        "second_layer": lambda: explore.second_layer(alexnet),
        "neighbours": lambda: explore.neighbours(viz.Gallery.crops(57).in_memory(), {"mini_alexnet": alexnet}),
        "embedding": lambda: explore.embedding(viz.Gallery.crops(57).in_memory(), perplexities=(5, 20)),
        "activation_maps": lambda: explore.activation_maps(alexnet, layer="relu5"),
        "unit_wall": lambda: explore.unit_wall(alexnet, layer="relu5"),
        "top_patches": lambda: _top_patches(alexnet),
        "occlusion": lambda: explore.occlusion(viz.load_model("mini_vgg")),
        "saliency": lambda: explore.saliency({"mini_vgg": viz.load_model("mini_vgg"), "mini_alexnet": alexnet}),
        "segmentation": _segmentation,
        "class_activation": lambda: explore.class_activation({"mini_vgg": viz.load_model("mini_vgg")}),
        "two_objects": lambda: explore.two_objects({"mini_vgg": viz.load_model("mini_vgg")}),
        "relevance": lambda: explore.relevance({"mini_alexnet": alexnet, "mini_vgg": _small_vgg()}),
        "deletion": _deletion,
        "fast_style": explore.fast_style,
        "style": lambda: explore.style(viz.load_model("mini_vgg")),
        "fooling": lambda: explore.fooling({"mini_alexnet": alexnet, "mini_vgg": viz.load_model("mini_vgg")}),
        "class_visualization": lambda: explore.class_visualization({"mini_vgg": _small_vgg(), "mini_alexnet": alexnet}),
        "growing": lambda: explore.growing(size=48),
        "texture": lambda: explore.texture({"mini_vgg": viz.load_model("mini_vgg"), "mini_alexnet": alexnet}),
        "deep_dream": lambda: explore.deep_dream({"mini_vgg": viz.load_model("mini_vgg"), "mini_alexnet": alexnet}),
        "inversion": lambda: explore.inversion({"mini_alexnet": alexnet, "mini_vgg": viz.load_model("mini_vgg")}),
    }


def _top_patches(model: viz.Classifier) -> explore.Explorer:
    gallery = viz.Gallery.crops(57).in_memory()
    return explore.top_patches({model.name: viz.top_patches(model, gallery, "relu5", progress=False)}, gallery)


def _small_vgg() -> viz.Classifier:
    model = viz.load_model("mini_vgg")
    return viz.wrap(model.network, model.categories, input_size=128)


def _deletion() -> explore.Explorer:
    model, scenes = _small_vgg(), viz.Gallery.scenes(8, size=128)
    images, masks = torch.stack([image for image, _ in scenes]), torch.stack(list(scenes.masks))
    maps = {"saliency": viz.saliency(model, images, 0), "grad_cam": viz.grad_cam(model, images, 0, "relu5_2")}
    curves = {name: viz.scoring.deletion_insertion(model, images, 0, scores, steps=8) for name, scores in maps.items()}
    return explore.deletion(images, masks, maps, curves)


def _segmentation() -> explore.Explorer:
    model, scenes = viz.load_model("mini_vgg"), viz.Gallery.scenes(12, size=192)
    images, masks = torch.stack([image for image, _ in scenes]), torch.stack(list(scenes.masks))
    targets = torch.tensor([model.index(scenes.categories[label]) for label in scenes.labels])
    maps = {
        "saliency": viz.saliency(model, images, targets),
        "grad_cam": viz.grad_cam(model, images, targets, "relu5_2"),
    }
    return explore.segmentation(images, masks, maps)


def settings(control: widgets.Widget) -> Iterator[object]:
    """Yield up to ten values that a control can take."""
    if isinstance(control, widgets.Dropdown | widgets.Select):
        yield from list(control.options)[:10]
    elif isinstance(control, widgets.IntSlider | widgets.BoundedIntText):
        top = min(control.max, control.min + 40)
        yield from sorted({int(value) for value in np.linspace(control.min, top, 10)})
    elif isinstance(control, widgets.Checkbox):
        yield from (not control.value, control.value)


def update_seconds(explorer: explore.Explorer) -> list[float]:
    """Move every control through its values, and return the seconds of each drawing.

    Raises:
        RuntimeError: If a drawing failed.
    """
    known = len(explorer.seconds)
    for name, control in explorer.controls.items():
        before = getattr(control, "value", None)
        for value in settings(control):
            if isinstance(value, tuple):
                value = value[1]
            control.value = value
            if explorer.error is not None:
                raise RuntimeError(f"{name} = {value!r}: {explorer.error}")
        if before is not None and not isinstance(control, widgets.Select):
            control.value = before
    return list(explorer.seconds)[known:]


def rows() -> Iterator[Row]:
    for name, build in explorers().items():
        seconds = update_seconds(build())
        p50, p95 = np.percentile(seconds, [50, 95]) * 1e3
        yield Row(
            f"explorer {name}: 95th percentile of {len(seconds)} updates, median {p50:.0f} ms", p95, "≤", 100, " ms"
        )
