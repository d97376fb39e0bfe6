"""DeepDream: amplify whatever a layer sees in a photograph, by gradient ascent at several sizes.

Example::

    photo = load_image("china")[None]                        # any size
    dream = deep_dream(model, photo, "relu4_2").image        # or step by step: for step in deep_dream(...)
    save_animation(zoom(model, photo, "relu4_2", frames=24), "dream.gif")

The loop is ``ascend``, once for each *octave*: the photograph is dreamt upon small, where a receptive field covers
much of it, and what was added, the *detail*, is carried on to the next size. The photograph itself is never enlarged:
each octave begins with its own sharp version of it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.network.capture import activations
from cs231n_viz.network.checks import as_batch, check_images, check_numbers, check_whole
from cs231n_viz.network.layers import smallest_side, survives
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.models import Classifier
from cs231n_viz.network.running import outside_inference_mode
from cs231n_viz.pictures.images import gaussian_blur, resize
from cs231n_viz.synthesis.ascent import Ascent, Objective, Step, ascend
from cs231n_viz.synthesis.objectives import layer_energy
from cs231n_viz.synthesis.parameterisation import Pixels
from cs231n_viz.synthesis.views import jitter


@dataclass(frozen=True)
class DreamUpdate:
    """How a step of a dream is made of the gradient.

    Attributes:
        lr: Learning rate: the mean change of a pixel in one step; the range of a pixel is 1.
        jitter: Before each step the picture is rolled by up to so many pixels each way, and afterwards back.
        smooth: Standard deviation in pixels by which the gradient is blurred; 0 takes it as it is.

    Raises:
        ValueError: If jitter or smooth is negative.
    """

    lr: float = 1.5 / 255
    jitter: int = 32
    smooth: float = 0.7

    def __post_init__(self) -> None:
        if self.jitter < 0 or self.smooth < 0:
            raise ValueError(f"wanted jitter >= 0 and smooth >= 0 pixels, got {self.jitter} and {self.smooth}")


_UPDATE = DreamUpdate()
_OLD_KEYWORDS = {name: f"update.{name}" for name in ("lr", "jitter", "smooth")}


@moved_keywords(**_OLD_KEYWORDS)
@outside_inference_mode()
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
    update: DreamUpdate = _UPDATE,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Amplify what a layer sees in a picture (DeepDream), by gradient ascent on the energy of its activations.

    Args:
        model: The network; left as it was.
        image: (N, 3, H, W) or (3, H, W), RGB in [0, 1], of any size that the layer can be computed for.
        layer: A layer of maps, from ``model.layers()``. Low ones draw strokes and grids, high ones parts of things.
        channel: Amplify this channel alone instead of the whole layer.
        guide: A second picture, any size: make the layer's activations more like the most similar ones of the guide.
        octaves: Number of sizes, the last one that of the picture.
        octave_scale: Ratio of two neighbouring sizes.
        steps: Number of steps in each octave.
        update: Learning rate, jitter, and smoothing of the gradient.
        seed: Random seed of the jitter.
        progress: Show a bar while ``.image`` is computed.

    Returns:
        The ascent over all octaves, small to large: ``octaves * (steps + 1)`` Steps, as each octave also shows its
        start. Their pictures grow from octave to octave, and scores compare within one octave only.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If the layer has no positions, the smallest octave is too small for it, or a setting makes no
            sense.
        IndexError: If the layer has no such channel.
        AscentError: If all activations of the layer, or the channel, are 0 in the smallest octave.

    Source: Mordvintsev, Olah, Tyka, "Inceptionism", 2015, and dream.ipynb (settings, guided dreams).
    Differs from the notebook: 20 steps instead of 10, and a gradient blurred a little, which draws larger strokes
        (``steps=10, update=DreamUpdate(smooth=0)`` is the original); sizes are changed by bilinear interpolation,
        antialiased.
    """
    image = check_images(as_batch(image), model)
    check_whole(octaves=octaves, steps=steps)
    check_numbers(octave_scale=octave_scale)
    if octaves < 1 or octave_scale <= 1:
        raise ValueError(f"wanted octaves >= 1 and octave_scale > 1, got {octaves} and {octave_scale}")
    sizes = octave_sizes(image.shape[-2:], octaves, octave_scale)
    _check_layer(model, layer, sizes[0])
    if guide is not None and channel is not None:
        raise ValueError("a guide speaks for the whole layer: give either guide or channel, not both")
    objective = layer_energy(model, layer, channel) if guide is None else resemblance(model, layer, guide)
    # Convolutions are faster in this order, which Pixels never are in.
    jittered = _Jittered(lambda images: objective(to_channels_last(model, images)), update, seed=seed)
    settings = {"recipe": "deep_dream", "model": model.name, "layer": layer, "channel": channel}
    settings |= {"guided": guide is not None, "octaves": octaves, "octave_scale": octave_scale, "steps": steps}
    settings |= {**asdict(update), "seed": seed}
    stages = _octaves(image, jittered, sizes, steps=steps, lr=update.lr)
    return Ascent(stages, octaves * (steps + 1), settings=settings, progress=progress)


def _octaves(
    image: Tensor, objective: Objective, sizes: list[tuple[int, int]], *, steps: int, lr: float
) -> Iterator[Step]:
    """One ascent after another; only the detail goes from each to the next."""
    detail = torch.zeros(len(image), image.shape[1], 1, 1).to(image)
    for number, size in enumerate(sizes):
        base = resize(image, size).clamp(0, 1)  # white, averaged, may come out a rounding error above 1
        start = (base + resize(detail, size)).clamp(0, 1)
        for step in ascend(Pixels(start), objective, rule="mean", steps=steps, lr=lr):
            yield step._replace(index=number * steps + step.index)
        detail = step.image - base


def octave_sizes(size: tuple[int, int], octaves: int, octave_scale: float) -> list[tuple[int, int]]:
    """Heights and widths of the octaves, small to large; the last is ``size``."""
    return [tuple(round(side / octave_scale**k) for side in size) for k in reversed(range(octaves))]


class _Jittered:
    """An objective that is evaluated on the rolled picture, and whose gradient comes back smoothed.

    The roll is part of what is differentiated, so that its undoing is exact: the gradient arrives rolled back.
    """

    def __init__(self, objective: Objective, update: DreamUpdate, *, seed: int) -> None:
        self.objective, self.update = objective, update
        self.random = torch.Generator().manual_seed(seed)

    def __call__(self, images: Tensor) -> Tensor:
        if self.update.smooth:
            images = _BlurredGradient.apply(images, self.update.smooth)
        return self.objective(jitter(images, self.update.jitter, self.random)[0])


class _BlurredGradient(torch.autograd.Function):
    """Passes a picture on as it is, and its gradient back blurred."""

    @staticmethod
    def forward(ctx, images: Tensor, sigma: float) -> Tensor:
        ctx.sigma = sigma
        return images.view_as(images)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        reach = min(round(3 * ctx.sigma + 0.5), *(side - 1 for side in gradient.shape[-2:]))
        return gaussian_blur(gradient, 2 * reach + 1, ctx.sigma), None


def resemblance(model: Classifier, layer: str, guide: Tensor) -> Objective:
    """Make the objective of a guided dream: each position of a layer resembles its best match in a guide.

    Args:
        model: The network.
        layer: A layer of maps.
        guide: (1, 3, H, W) or (3, H, W), RGB in [0, 1], any size the layer can be computed for.

    Returns:
        Images -> mean over positions of the largest dot product with a position of the guide, summed over the images.
        The gradient with respect to the activations is, up to a constant, the best matching activation of the guide.

    Source: dream.ipynb, objective_guide.
    """
    guide = check_images(as_batch(guide), model)[:1]
    of_guide = activations(model, guide, [layer])[layer][0].flatten(1)  # (C, positions of the guide)

    def score(images: Tensor) -> Tensor:
        maps = activations(model, images, [layer], gradients=True)[layer].flatten(2)  # (N, C, positions)
        with torch.no_grad():
            best = torch.einsum("cg,ncp->npg", of_guide, maps).argmax(dim=2)
        return (maps * of_guide[:, best].transpose(0, 1)).sum(dim=1).mean(dim=1).sum()

    return score


@moved_keywords(**_OLD_KEYWORDS)
def zoom(
    model: Classifier,
    image: Tensor,
    layer: str,
    *,
    frames: int = 24,
    magnify: float = 1.05,
    update: DreamUpdate = _UPDATE,
    seed: int = 0,
    progress: bool = True,
    **options: object,
) -> Iterator[Tensor]:
    """Zoom into a dream: dream, magnify the result a little, and dream again upon that.

    Args:
        model: The network.
        image: (1, 3, H, W) or (3, H, W), RGB in [0, 1].
        layer: A layer of maps.
        frames: Number of pictures.
        magnify: Magnification from each frame to the next.
        update: As for :func:`deep_dream`.
        seed: Random seed of the jitter of the first frame; each further one has the next seed.
        progress: Show a bar over the frames.
        options: The others of :func:`deep_dream`. Every frame adds to the last: 3 octaves of 6 steps if omitted.

    Returns:
        An iterator over the frames, (3, H, W) each; ``save_animation`` takes it as it is.

    Raises:
        ValueError: If ``frames`` or ``magnify`` makes no sense, or as :func:`deep_dream` does.
    """
    if frames < 1 or magnify < 1:
        raise ValueError(f"wanted frames >= 1 and magnify >= 1, got frames={frames} and magnify={magnify}")
    image = check_images(as_batch(image), model)
    options = {"octaves": 3, "steps": 6, "update": update, **options, "progress": False}
    deep_dream(model, image, layer, **options)  # raises now, not at the first frame

    def dreams() -> Iterator[Tensor]:
        picture = image
        for number in tqdm(range(frames), unit="frame", disable=not progress):
            picture = deep_dream(model, picture, layer, seed=seed + number, **options).image
            yield picture[0]
            picture = magnified(picture, magnify)

    return dreams()


def magnified(images: Tensor, magnify: float) -> Tensor:
    """The middle of a picture, ``1 / magnify`` of its height and width, at the picture's own size."""
    moves = torch.eye(2, 3).to(images)[None] / magnify
    grid = F.affine_grid(moves.expand(len(images), -1, -1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _check_layer(model: Classifier, layer: str, size: tuple[int, int]) -> None:
    """Refuse a layer without positions, and pictures of which the pools leave nothing for it."""
    if len(model.layer(layer).shape) != 3:
        last = [each.name for each in model.layers() if len(each.shape) == 3 and each.shape[1] > 1][-1]
        raise ValueError(f"{layer} has no positions, so it is tied to one size of picture; the last with some: {last}")
    if not survives(model, [layer], size):
        least = smallest_side(model, [layer])
        raise ValueError(
            f"the smallest octave would be {size[1]} × {size[0]} pixels, and {layer} needs {least} × {least} at "
            f"least: use fewer octaves, a smaller octave_scale or a larger picture"
        )
