"""How the pictures of the plates are made: each method by calls that anybody can make in a notebook.

A method takes networks, a seed and what JSON can represent, and yields tiles one after the other.
``training/plates.py`` declares which are made, and lays them out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import torch
from torch import Tensor

import cs231n_viz as viz


@dataclass(frozen=True)
class Tile:
    """A picture (3, H, W), RGB in [0, 1], and the title above it; empty if it needs none."""

    image: Tensor
    title: str = ""


def class_pictures(model: viz.Classifier, *, categories: list[str], size: int, steps: int, seed: int) -> Iterator[Tile]:
    """The picture of each class, by the recipe of ``class_visualization``."""
    for name in categories:
        ascent = viz.class_visualization(model, model.index(name), size=size, steps=steps, seed=seed, progress=False)
        yield Tile(ascent.image[0], name)


def plain_ascent(*models: viz.Classifier, categories: list[str], size: int, steps: int, seed: int) -> Iterator[Tile]:
    """Gradient ascent on the pixels without any regulariser: x <- clamp(x + g / |g|), from the mean colour."""
    plain = {"regularisers": "none", "parameterisation": "pixels", "update": viz.Update("unit", 1.0), "progress": False}
    for model in models:
        start = model.mean.expand(1, 3, size, size)
        for name in categories:
            image = viz.class_visualization(model, model.index(name), start=start, steps=steps, **plain).image
            title = f"{name}, {model.name}" if len(models) > 1 else name
            yield Tile(viz.resize(image, (224, 224))[0].clamp(0, 1), title)


def channel_pictures(
    model: viz.Classifier, *, layer: str, channels: list[int], size: int, steps: int, seed: int
) -> Iterator[Tile]:
    """The picture of each of some channels of a layer."""
    options = {"size": size, "steps": steps, "seed": seed, "redirect": True, "progress": False}
    for channel in channels:
        ascent = viz.class_visualization(model, channel, layer=layer, **options)
        yield Tile(ascent.image[0], f"{layer}, channel {channel}" if len(channels) > 1 else "")


def channels_by_layer(
    model: viz.Classifier, *, layers: list[str], channels: list[int], size: int, steps: int, seed: int
) -> Iterator[Tile]:
    """The pictures of the same channels of several layers: a layer in each column, a channel in each row."""
    options = {"size": size, "steps": steps, "seed": seed, "redirect": True, "progress": False}
    pictures = [viz.class_visualization(model, channels, layer=layer, **options).image for layer in layers]
    for row, channel in enumerate(channels):
        for layer, images in zip(layers, pictures, strict=True):
            yield Tile(images[row], f"{layer}, channel {channel}")


def photograph(name: str, height: int, width: int, top: float = 0.0, bottom: float = 1.0) -> Tensor:
    """A bundled photograph, (1, 3, height, width): the rows from ``top`` to ``bottom``, shares of its height."""
    image = viz.load_image(name)[None]
    rows = slice(round(top * image.shape[2]), round(bottom * image.shape[2]))
    image = image[:, :, rows]
    wanted = min(image.shape[3], round(image.shape[2] * width / height))
    left, short = (image.shape[3] - wanted) // 2, min(image.shape[2], round(wanted * height / width))
    return viz.resize(image[:, :, :short, left : left + wanted], (height, width)).clamp(0, 1)


def dream(
    model: viz.Classifier,
    *,
    layer: str,
    size: list[int],
    octaves: int,
    steps: int,
    seed: int,
    source: dict[str, object] | None = None,
    channel: int | None = None,
) -> Iterator[Tile]:
    """DeepDream of a photograph, or of faint noise if there is none."""
    image = photograph(height=size[0], width=size[1], **source) if source else viz.start_noise(tuple(size), seed)
    ascent = viz.deep_dream(
        model, image, layer, channel=channel, octaves=octaves, steps=steps, seed=seed, progress=False
    )
    yield Tile(ascent.image[0])


def dream_zoom(
    model: viz.Classifier,
    *,
    layer: str,
    size: list[int],
    octaves: int,
    steps: int,
    seed: int,
    source: dict[str, object],
    frames: int,
    magnify: float,
) -> Iterator[Tile]:
    """The frames of a zoom into the dream of a photograph; the first is the photograph itself."""
    image = photograph(height=size[0], width=size[1], **source)
    yield Tile(image[0])
    options = {"frames": frames, "magnify": magnify, "octaves": octaves, "steps": steps}
    for frame in viz.zoom(model, image, layer, seed=seed, progress=False, **options):
        yield Tile(frame)


def inversions(
    *models: viz.Classifier, source: str, layers: list[str], size: int, steps: int, seed: int
) -> Iterator[Tile]:
    """A photograph, and what each layer has kept of it."""
    original = viz.centre_square(viz.load_image(source), size)[0]
    for model in models:
        yield Tile(original, "photograph")
        for layer in layers:
            inversion = viz.invert(model, original, layer, steps=steps, seed=seed, progress=False)
            title = f"{layer}, {model.name}" if len(models) > 1 else layer
            yield Tile(inversion.image[0], title)


def styles(
    model: viz.Classifier,
    *,
    source: str,
    paintings: list[str],
    size: int,
    steps: list[int],
    style: float,
    inset: int,
    seed: int,
) -> Iterator[Tile]:
    """A photograph in the manner of several paintings, each with its painting in a corner."""
    content = viz.load_image(source)
    schedule = viz.Schedule(size=size, scales=len(steps), steps=steps)
    for name in paintings:
        painting = viz.load_painting(name)
        painted = viz.stylize(
            model,
            content,
            painting,
            loss=viz.StyleLoss(style=style),
            schedule=schedule,
            seed=seed,
            progress=False,
        )
        yield Tile(_with_inset(painted.image[0], painting, inset), name.replace("_", " "))


def _with_inset(image: Tensor, inset: Tensor, side: int) -> Tensor:
    """The picture with a small one, framed in white, in its lower left corner."""
    image, border = image.clone(), 4
    image[:, -side - border :, : side + border] = 1
    image[:, -side:, :side] = viz.resize(inset[None], (side, side))[0].clamp(0, 1)
    return image


def all_methods(
    model: viz.Classifier, *, source: str, category: str, layer: str, painting: str, size: int, steps: int, seed: int
) -> Iterator[Tile]:
    """One photograph through the methods of the course: attributions first, then what is synthesised."""
    images, target = viz.centre_square(viz.load_image(source), size), model.index(category)
    image = images[0]
    given = (model, images, target)
    occluded = viz.occlusion(*given, window=size // 7, stride=size // 28, progress=False)[0]
    mean = model.mean.expand_as(images)
    yield Tile(image, "photograph")
    yield Tile(_heat(occluded, image), "occlusion")
    yield Tile(_grey(viz.saliency(*given)[0]), "saliency")
    yield Tile(_grey(viz.smooth_grad(*given, seed=seed)[0].abs().amax(0)), "SmoothGrad")
    yield Tile(_grey(viz.integrated_gradients(*given, baseline=mean)[0].abs().amax(0)), "integrated gradients")
    yield Tile(_around_grey(viz.deconvnet(*given)[0]), "deconvnet")
    yield Tile(_around_grey(viz.guided_backprop(*given)[0]), "guided backprop")
    yield Tile(_heat(viz.grad_cam(*given, layer, signed=True)[0], image), "Grad-CAM")
    yield Tile(_around_grey(viz.guided_grad_cam(*given, layer)[0]), "Guided Grad-CAM")
    yield Tile(_signed(viz.gradient_times_input(*given)[0].sum(0)), "gradient × input")
    yield Tile(_signed(viz.deep_lift(*given, baseline=mean)[0].sum(0)), "DeepLIFT")
    yield Tile(_signed(viz.lrp(*given, "epsilon")[0].sum(0)), "LRP, ε rule")
    yield Tile(_signed(viz.lrp(*given, "composite")[0].sum(0)), "LRP, composite")
    yield from _synthesised(model, images, target, layer=layer, painting=painting, steps=steps, seed=seed)


def _synthesised(
    model: viz.Classifier, images: Tensor, target: int, *, layer: str, painting: str, steps: int, seed: int
) -> Iterator[Tile]:
    size, options = images.shape[-1], {"seed": seed, "progress": False}
    ascent = viz.class_visualization(model, target, size=size, steps=steps, **options)
    yield Tile(ascent.image[0], "class visualization")
    other = model.index("elephant")
    yield Tile(viz.fooling_image(model, images, other, **options).image[0], "fooling: “elephant”")
    yield Tile(viz.deep_dream(model, images, "relu4_2", octaves=4, steps=20, **options).image[0], "DeepDream")
    yield Tile(viz.invert(model, images, "relu3_2", steps=steps, **options).image[0], "inversion of relu3_2")
    yield Tile(viz.invert(model, images, layer, steps=steps, **options).image[0], f"inversion of {layer}")
    texture = viz.synthesize_texture(model, images, size=size, steps=steps, **options).image[0]
    yield Tile(texture, "texture")
    schedule = viz.Schedule(size=size, steps=steps // 2)
    painted = viz.stylize(model, images, viz.load_painting(painting), schedule=schedule, **options)
    yield Tile(painted.image[0], f"style: {painting}")


def _limit(values: Tensor) -> Tensor:
    """The value that ends a palette: a few extreme pixels would leave the rest pale."""
    return values.abs().flatten().quantile(0.995).clamp_min(1e-12)


def _coloured(values: Tensor, palette: str) -> Tensor:
    """(h, w) in [0, 1] -> (3, h, w) in the colours of a palette of matplotlib's."""
    rgba = matplotlib.colormaps[palette](values.clamp(0, 1).numpy())
    return torch.from_numpy(rgba[:, :, :3]).permute(2, 0, 1).float()


def _grey(values: Tensor) -> Tensor:
    return _coloured(values / _limit(values), "gray")


def _signed(values: Tensor) -> Tensor:
    """Red where it is evidence for the class, blue where it is evidence against it."""
    return _coloured(0.5 + 0.5 * values / _limit(values), "RdBu_r")


def _around_grey(values: Tensor) -> Tensor:
    """(3, h, w), signed, as a picture around grey."""
    return (0.5 + 0.5 * values / _limit(values)).clamp(0, 1)


def _heat(values: Tensor, image: Tensor) -> Tensor:
    """A small signed map over the photograph, smoothly enlarged."""
    enlarged = torch.nn.functional.interpolate(values[None, None], size=image.shape[1:], mode="bilinear")[0, 0]
    return 0.4 * image + 0.6 * _signed(enlarged)
