"""DeepDream: whatever a layer sees in a photograph, make more of it.

Example::

    photo = load_image("china")[None]                        # any size
    dream = deep_dream(model, photo, "relu4_2").image        # or step by step: for step in deep_dream(...)
    save_animation(zoom(model, photo, "relu4_2", frames=24), "dream.gif")

The climb is that of ``ascend``, once for each *octave*: the photograph is dreamt upon small, where a filter's field
covers much of it, and what was added, the *detail*, is carried on to the next size. The photograph itself is never
enlarged: each octave begins with its own sharp version of it.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import gaussian_blur
from tqdm import tqdm

from cs231n_viz.network.capture import activations
from cs231n_viz.network.checks import check_images
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import resize
from cs231n_viz.synthesis.ascent import Ascent, Objective, Step, ascend
from cs231n_viz.synthesis.objectives import layer_energy
from cs231n_viz.synthesis.parameterisation import Pixels
from cs231n_viz.synthesis.views import jitter as jittered


def deep_dream(
    model: Classifier,
    image: Tensor,
    layer: str,
    *,
    channel: int | None = None,
    guide: Tensor | None = None,
    octaves: int = 4,
    octave_scale: float = 1.4,
    steps: int = 20,
    lr: float = 1.5 / 255,
    jitter: int = 32,
    smooth: float = 0.7,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """What does a layer see in this picture?

    Args:
        model: Network to ask; left as it was.
        image: (N, 3, H, W) or (3, H, W), RGB in [0, 1], of any size that the layer can be computed for.
        layer: A layer of maps, from ``model.layers()``. Low ones draw strokes and grids, high ones parts of things.
        channel: Make more of this channel alone, in place of the whole layer.
        guide: A second picture, any size: make the layer's features more like the most similar ones in it.
        octaves: How many sizes, the last one that of the picture.
        octave_scale: Ratio of two neighbouring sizes.
        steps: Steps in each octave.
        lr: Mean change of a pixel in one step; the range of a pixel is 1.
        jitter: Before each step the picture is rolled by up to so many pixels each way, and afterwards back.
        smooth: Standard deviation in pixels by which the gradient is blurred; 0 takes it as it is.
        seed: Of the jitter.
        progress: Show a bar while ``.image`` is computed.

    Returns:
        The ascent over all octaves, small to large: ``octaves * (steps + 1)`` Steps, as each octave also shows its
        start. Their pictures grow from octave to octave, and scores compare within one octave only.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If the layer has no positions, the smallest octave is too small for it, or a setting makes no
            sense.
        IndexError: If the layer has no such channel.
        AscentError: If the layer, or the channel, is silent everywhere in the smallest octave.

    Source: Mordvintsev, Olah, Tyka, "Inceptionism", 2015, and dream.ipynb (settings, guided dreams).
    Differs from the notebook: 20 steps in place of 10, and a gradient blurred a little, which draws larger strokes
        (``steps=10, smooth=0`` is the original); sizes are changed by bilinear interpolation, antialiased.
    """
    image = check_images(image[None] if image.ndim == 3 else image)
    _check_settings(octaves, octave_scale, jitter, smooth)
    sizes = octave_sizes(image.shape[-2:], octaves, octave_scale)
    _check_layer(model, layer, sizes[0])
    if guide is not None and channel is not None:
        raise ValueError("a guide speaks for the whole layer: give either guide or channel, not both")
    objective = layer_energy(model, layer, channel) if guide is None else resemblance(model, layer, guide)
    objective = _Seen(objective, jitter, smooth, seed)
    settings = {
        "recipe": "deep_dream", "model": model.name, "layer": layer, "channel": channel, "guided": guide is not None,
        "octaves": octaves, "octave_scale": octave_scale, "steps": steps, "lr": lr, "jitter": jitter,
        "smooth": smooth, "seed": seed,
    }  # fmt: skip
    climbs = _octaves(image, objective, sizes, {"steps": steps, "lr": lr})
    return Ascent(climbs, octaves * (steps + 1), settings=settings, progress=progress)


def _octaves(image: Tensor, objective: Objective, sizes: list[tuple[int, int]], settings: dict) -> Iterator[Step]:
    """One ascent after another; only the detail goes from each to the next."""
    detail = torch.zeros(len(image), 3, 1, 1).to(image)
    for number, size in enumerate(sizes):
        base = resize(image, size).clamp(0, 1)  # white, averaged, may come out a rounding error above 1
        start = (base + resize(detail, size)).clamp(0, 1)
        pixels = Pixels(start.contiguous(memory_format=torch.channels_last))  # a third faster on a CPU
        for step in ascend(pixels, objective, rule="mean", **settings):
            yield step._replace(index=number * settings["steps"] + step.index)
        detail = step.image - base


def octave_sizes(size: tuple[int, int], octaves: int, octave_scale: float) -> list[tuple[int, int]]:
    """Heights and widths of the octaves, small to large; the last is ``size``."""
    return [tuple(round(side / octave_scale**k) for side in size) for k in reversed(range(octaves))]


class _Seen:
    """An objective that is asked of the rolled picture, and whose gradient comes back smoothed.

    The roll is part of what is differentiated, so that its undoing is exact: the gradient arrives rolled back.
    """

    def __init__(self, objective: Objective, pixels: int, sigma: float, seed: int) -> None:
        self.objective, self.pixels, self.sigma = objective, pixels, sigma
        self.random = torch.Generator().manual_seed(seed)

    def __call__(self, images: Tensor) -> Tensor:
        if self.sigma:
            images = _BlurredGradient.apply(images, self.sigma)
        return self.objective(jittered(images, self.pixels, self.random)[0])


class _BlurredGradient(torch.autograd.Function):
    """Gives a picture on as it is, and its gradient back blurred."""

    @staticmethod
    def forward(ctx, images: Tensor, sigma: float) -> Tensor:
        ctx.sigma = sigma
        return images.view_as(images)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        reach = min(round(3 * ctx.sigma + 0.5), *(side - 1 for side in gradient.shape[-2:]))
        return gaussian_blur(gradient, [2 * reach + 1] * 2, [ctx.sigma] * 2), None


def resemblance(model: Classifier, layer: str, guide: Tensor) -> Objective:
    """How well does each position of a layer agree with the position of a guide that suits it best?

    Args:
        model: Network to ask.
        layer: A layer of maps.
        guide: (1, 3, H, W) or (3, H, W), RGB in [0, 1], any size the layer can be computed for.

    Returns:
        Images -> mean over positions of the largest dot product with a position of the guide, summed over the images.
        The gradient with respect to the activations is, up to a constant, the best matching activation of the guide.

    Source: dream.ipynb, objective_guide.
    """
    guide = check_images(guide[None] if guide.ndim == 3 else guide)[:1]
    wanted = activations(model, guide, [layer])[layer][0].flatten(1)  # (C, positions of the guide)

    def score(images: Tensor) -> Tensor:
        found = activations(model, images, [layer], gradients=True)[layer].flatten(2)  # (N, C, positions)
        with torch.no_grad():
            best = torch.einsum("cg,ncp->npg", wanted, found).argmax(dim=2)
        return (found * wanted[:, best].transpose(0, 1)).sum(dim=1).mean(dim=1).sum()

    return score


def zoom(
    model: Classifier,
    image: Tensor,
    layer: str,
    *,
    frames: int = 24,
    magnify: float = 1.05,
    seed: int = 0,
    progress: bool = True,
    **settings: object,
) -> Iterator[Tensor]:
    """Dream, go a little nearer, and dream again upon the dream.

    Args:
        model: Network to ask.
        image: (1, 3, H, W) or (3, H, W), RGB in [0, 1].
        layer: A layer of maps.
        frames: How many pictures to make.
        magnify: How much nearer each frame is than the one before.
        seed: Of the jitter; every frame has its own.
        progress: Show a bar over the frames.
        settings: Others of :func:`deep_dream`. Every frame adds to the last, so few steps each are enough.

    Returns:
        An iterator over the frames, (3, H, W) each; ``save_animation`` takes it as it is.

    Raises:
        ValueError: If ``frames`` or ``magnify`` makes no sense, or as :func:`deep_dream` does.
    """
    if frames < 1 or magnify < 1:
        raise ValueError(f"wanted frames >= 1 and magnify >= 1, got frames={frames} and magnify={magnify}")
    image = image[None] if image.ndim == 3 else image
    settings = {"octaves": 3, "steps": 6, **settings}
    deep_dream(model, image, layer, progress=False, **settings)  # complains now, not at the first frame

    def dreams() -> Iterator[Tensor]:
        seen = image
        for number in tqdm(range(frames), unit="frame", disable=not progress):
            seen = deep_dream(model, seen, layer, seed=seed + number, progress=False, **settings).image
            yield seen[0]
            seen = nearer(seen, magnify)

    return dreams()


def nearer(images: Tensor, magnify: float) -> Tensor:
    """The middle of a picture, ``1 / magnify`` of its height and width, at the picture's own size."""
    moves = torch.eye(2, 3).to(images)[None] / magnify
    grid = F.affine_grid(moves.expand(len(images), -1, -1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _check_settings(octaves: int, octave_scale: float, jitter: int, smooth: float) -> None:
    if octaves < 1 or octave_scale <= 1:
        raise ValueError(f"wanted octaves >= 1 and octave_scale > 1, got {octaves} and {octave_scale}")
    if jitter < 0 or smooth < 0:
        raise ValueError(f"wanted jitter >= 0 and smooth >= 0 pixels, got {jitter} and {smooth}")


def _check_layer(model: Classifier, layer: str, size: tuple[int, int]) -> None:
    """Has the layer positions, and is the smallest octave large enough for it?"""
    if len(model.layer(layer).shape) != 3:
        last = [found.name for found in model.layers() if len(found.shape) == 3 and found.shape[1] > 1][-1]
        raise ValueError(f"{layer} has no positions, so it is tied to one size of picture; the last with some: {last}")
    if not _fits(model, layer, size):
        least = next(side for side in range(1, model.input_size + 1) if _fits(model, layer, (side, side)))
        raise ValueError(
            f"the smallest octave would be {size[1]} × {size[0]} pixels, and {layer} needs {least} × {least} at "
            f"least: use fewer octaves, a smaller octave_scale or a larger picture"
        )


def _fits(model: Classifier, layer: str, size: tuple[int, int]) -> bool:
    try:
        activations(model, torch.zeros(1, 3, *size).to(model.mean), [layer])
    except RuntimeError:  # a convolution or pooling with nothing left to slide over
        return False
    return True
