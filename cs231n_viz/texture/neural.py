"""What is a texture? Neural synthesis: a picture whose Gram matrices are those of a sample, layer by layer."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

from cs231n_viz.network.capture import activations, network_of
from cs231n_viz.network.checks import check_images
from cs231n_viz.network.interception import AveragePooling
from cs231n_viz.network.memory import PROBE, check_memory
from cs231n_viz.representation.gram import covariance_matrix, gram_matrix
from cs231n_viz.synthesis.ascent import Ascent, Rule, Step, ascend
from cs231n_viz.synthesis.objectives import Objective
from cs231n_viz.synthesis.parameterisation import Pixels, start_noise
from cs231n_viz.texture.growth import Size, check_size

Statistic = Literal["gram", "covariance"]
_STATISTICS = {"gram": gram_matrix, "covariance": covariance_matrix}
_LARGEST_PROBE = 512  # a network that needs larger pictures than this is none of ours
_MEMORY = 40  # pictures that L-BFGS keeps: 20 steps and 20 changes of the gradient

STYLE_LAYERS = {  # by network: from the pixels' neighbourhood to a few dozen pixels
    "mini_vgg": ("relu1_1", "pool1", "relu2_1", "pool2", "relu3_1", "relu3_2", "relu4_1", "relu4_2"),
    "mini_alexnet": ("relu1", "pool1", "relu2", "relu3", "relu4", "relu5"),
    "squeezenet1_1": (
        "features.1", "features.3", "features.4", "features.6", "features.7", "features.9", "features.10",
    ),
    "vgg19": ("features.1", "features.4", "features.9", "features.18", "features.27"),
    "random_filters": ("relu",),
}  # fmt: skip


def style_layers(model: nn.Module, depth: int | None = None) -> tuple[str, ...]:
    """Which layers describe a style in this network?

    Args:
        model: A ``Classifier`` or :class:`~cs231n_viz.texture.neural.RandomFilters`.
        depth: How many of them, from the first; all if omitted. The more, the larger the structures that are kept.

    Returns:
        Published or tried ones where the network is known, else all its ReLUs that have positions.

    Raises:
        ValueError: If there are not so many.
    """
    found = STYLE_LAYERS.get(getattr(model, "name", ""))
    if found is None:
        found = tuple(layer.name for layer in model.layers() if layer.kind == "ReLU" and len(layer.shape) == 3)
    if depth is not None and not (isinstance(depth, int) and 1 <= depth <= len(found)):
        raise ValueError(f"depth must be from 1 to {len(found)}, the layers {', '.join(found)}; got {depth!r}")
    return found[:depth]


def grams(
    model: nn.Module,
    images: Tensor,
    layers: Sequence[str],
    *,
    average: bool = True,
    gradients: bool = False,
    statistic: Statistic = "gram",
) -> dict[str, Tensor]:
    """The Gram matrix of each layer, (N, C, C): which channels are active together, wherever that is.

    Args:
        model: Any network; nothing behind the deepest layer is computed.
        images: (N, 3, H, W), RGB in [0, 1].
        layers: Names from ``model.layers()``.
        average: Let max-pools average.
        gradients: Keep the graph.
        statistic: ``"covariance"`` removes each channel's mean first.

    Raises:
        KeyError: If a name is not a layer of ``model``.
        ValueError: If a layer has no positions.
    """
    if statistic not in _STATISTICS:
        raise ValueError(f"statistic must be one of {', '.join(_STATISTICS)}; got {statistic!r}")
    with AveragePooling() if average else nullcontext():
        found = activations(model, images, list(layers), gradients=gradients)
    for layer, maps in found.items():
        if maps.ndim != 4:
            raise ValueError(f"layer {layer!r} has no positions, its shape is {tuple(maps.shape[1:])}; take one before")
    return {layer: _STATISTICS[statistic](maps) for layer, maps in found.items()}


def gram_distance(first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
    """How different are two textures? Mean over the layers of ‖G - G₀‖² / ‖G₀‖², summed over the images.

    Args:
        first: Of :func:`grams`.
        second: Of the same layers, (N, C, C) or (1, C, C): G₀, what the first is measured against.

    Returns:
        A scalar, 0 for the same texture; it can be differentiated.

    Source: Gatys et al., arXiv:1505.07376, eq. 3-5.
    Differs from the paper: each layer is divided by the norm of its target. Then the paper's rescaling of the weights
        to a mean activation of one changes nothing, since it multiplies numerator and denominator alike.
    """
    terms = [
        ((first[layer] - target).square().sum(dim=(1, 2)) / target.square().sum(dim=(1, 2)).clamp_min(1e-30)).sum()
        for layer, target in second.items()
    ]
    return torch.stack(terms).mean()


def synthesize_texture(
    model: nn.Module,
    sample: Tensor,
    *,
    layers: Sequence[str] | int | None = None,
    size: Size = 256,
    steps: int = 200,
    rule: Rule = "lbfgs",
    lr: float = 1.0,
    average: bool = True,
    statistic: Statistic = "gram",
    colours: float = 0.1,
    histogram: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Make a new picture, from noise, of the same texture.

    Args:
        model: Whose features tell textures apart; left as it was.
        sample: (1, 3, h, w), RGB in [0, 1].
        layers: Whose Gram matrices to match, by name, or how many of :func:`style_layers`; all of these if omitted.
            More and deeper ones keep larger structures.
        size: Of the result in pixels, the side or (height, width).
        steps: Evaluations of the network.
        rule: As for ``ascend``.
        lr: As for ``ascend``; 0.05 suits ``"adam"``.
        average: Let max-pools average.
        statistic: What to match: ``"gram"`` or ``"covariance"``.
        colours: Weight of the relative errors of the 3x3 covariance and Gram matrix of the pixels' own colours: they
            keep out grains of a wrong colour, to which networks are nearly blind. For ``"covariance"`` only the first.
        histogram: Give the last picture the sample's distribution of each colour.
        seed: Of the noise.
        progress: Show a bar.

    Returns:
        The ascent. Its last step holds the best picture of all, for without a line search L-BFGS leaps now and then.
        Its score is minus a hundred times (:func:`gram_distance` + ``colours`` times that of the colours).

    Raises:
        KeyError: If a name is not a layer of ``model``.
        ValueError: If the sample or the size is too small for the layers (the message says what works), or the size
            too large for the memory.

    Source: Gatys et al., "Texture Synthesis Using Convolutional Neural Networks", NeurIPS 2015, arXiv:1505.07376.
    Differs from the paper: relative errors, see :func:`gram_distance`; a few hundred evaluations in place of 2000;
        the colours on top.
    """
    names = list(style_layers(model, layers) if layers is None or isinstance(layers, int) else layers)
    sample = _one_picture(sample)
    height, width = _check_sizes(model, names, sample, size)
    objective = texture_objective(model, sample, names, average=average, statistic=statistic, colours=colours)
    climb = ascend(Pixels(start_noise((height, width), seed).to(sample)), objective, steps=steps, rule=rule, lr=lr)

    def coloured(image: Tensor) -> Step:
        with torch.no_grad():
            return Step(steps, objective(match_histogram(image, sample)).item(), match_histogram(image, sample))

    climb = _ending_well(climb, steps, coloured if histogram else None)
    settings = {"method": "synthesize_texture", "model": getattr(model, "name", ""), "layers": names}
    settings |= {"size": [height, width], "steps": steps, "rule": rule, "lr": lr, "average": average}
    settings |= {"statistic": statistic, "colours": colours, "histogram": histogram, "seed": seed}
    return Ascent(climb, steps + 1, settings=settings, progress=progress)


def texture_objective(
    model: nn.Module,
    sample: Tensor,
    layers: Sequence[str],
    *,
    average: bool = True,
    statistic: Statistic = "gram",
    colours: float = 0.0,
) -> Objective:
    """How well do pictures (N, 3, H, W) match the sample (1, 3, h, w)? See :func:`synthesize_texture`."""
    targets = grams(model, sample, layers, average=average, statistic=statistic)
    palette = _colours(sample, statistic)

    def objective(images: Tensor) -> Tensor:
        found = grams(model, images, layers, average=average, gradients=torch.is_grad_enabled(), statistic=statistic)
        distance = gram_distance(found, targets)
        if colours:
            distance = distance + colours * len(palette) * gram_distance(_colours(images, statistic), palette)
        return -100 * distance

    return objective


def _colours(images: Tensor, statistic: Statistic) -> dict[str, Tensor]:
    """The 3x3 covariance of the pixels' colours and, unless means are not to be matched, their Gram matrix."""
    found = {"covariance": covariance_matrix(images)}
    return found | {"gram": gram_matrix(images)} if statistic == "gram" else found


def smallest_side(model: nn.Module, layers: Sequence[str]) -> int:
    """Of what side must a picture be at least, so that something arrives at each of these layers?"""
    parameter = next(network_of(model).parameters(), torch.empty(0))

    def arrives(side: int) -> bool:
        try:
            grams(model, torch.zeros(1, 3, side, side).to(parameter), layers)
        except RuntimeError:  # a kernel larger than its map
            return False
        return True

    return 1 + bisect_left(range(1, _LARGEST_PROBE), True, key=arrives)


def _check_sizes(model: nn.Module, layers: Sequence[str], sample: Tensor, size: Size) -> tuple[int, int]:
    """Height and width of the result, if the layers, the sample and the memory allow it."""
    least = smallest_side(model, layers)
    why = f"or nothing arrives at {layers[-1]}"
    sides = check_size(size, least, why=why)
    if min(sample.shape[-2:]) < least:
        got = "x".join(map(str, sample.shape[-2:]))
        raise ValueError(f"the sample must be at least {least}x{least} pixels, {why}; got {got}")
    check_memory(model, layers, sides, side=max(least, PROBE), copies=_MEMORY)
    return sides


def _one_picture(sample: Tensor) -> Tensor:
    sample = check_images(sample)
    if len(sample) != 1:
        raise ValueError(f"wanted one sample (1, 3, h, w), got {len(sample)}; sample[:1] is the first")
    return sample


def _ending_well(climb: Iterator[Step], last: int, finish: Callable[[Tensor], Step] | None) -> Iterator[Step]:
    """The steps; the last one holds the best picture of all, ``finish``ed if that is asked for."""
    best: Step | None = None
    for step in climb:
        best = step if best is None or step.score >= best.score else best
        if step.index < last:
            yield step
        else:
            yield best._replace(index=last) if finish is None else finish(best.image)


class RandomFilters(nn.Module):
    """A bank of random filters of several sizes, rectified. It takes the place of a model in texture synthesis.

    What it matches was never learned from any picture. If its textures convince, it was not the training that did it.

    Args:
        sizes: Sides of the filters in pixels, odd.
        filters: How many of each size.
        seed: Of the weights.

    Raises:
        ValueError: If a size is even, or there are none.

    Source: Ustyuzhaninov et al., "What does it take to generate natural textures?", ICLR 2017.
    Differs from the paper: normal weights of mean 0 (each filter sees contrasts and no brightness, without which the
        largest of them drown the rest), fewer and smaller filters (theirs are 128 of each size up to 55), so that
        a laptop can wait for it.

    Example:
        >>> synthesize_texture(RandomFilters(), sample, size=128).image
    """

    name = "random_filters"

    def __init__(self, sizes: Sequence[int] = (3, 5, 7, 11, 15, 23), *, filters: int = 24, seed: int = 0) -> None:
        super().__init__()
        if not sizes or filters < 1 or any(size < 3 or size % 2 == 0 for size in sizes):
            raise ValueError(
                f"wanted odd sizes from 3 on and at least 1 filter of each, got {tuple(sizes)} and {filters}"
            )
        random = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator when they are built
            self.banks = nn.ModuleList(
                nn.Conv2d(3, filters, size, padding=size // 2, bias=False).requires_grad_(False) for size in sizes
            )
        for bank, size in zip(self.banks, sizes, strict=True):
            weight = torch.randn(bank.weight.shape, generator=random) / size
            bank.weight.copy_(weight - weight.mean((2, 3), keepdim=True))
        self.relu = nn.ReLU()
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), RGB in [0, 1] -> (N, sizes · filters, H, W), not negative."""
        centred = images - 0.5
        return self.relu(torch.cat([bank(centred) for bank in self.banks], dim=1))


def match_histogram(image: Tensor, sample: Tensor) -> Tensor:
    """Give a picture the colours of a sample: in each channel the darkest value becomes its darkest, and so on up.

    Args:
        image: (N, 3, H, W).
        sample: (1, 3, h, w) or (N, 3, h, w), of any size.

    Returns:
        (N, 3, H, W): the same order of values in each channel, the distribution of the sample's.
    """
    values, ranks = sample.flatten(2).sort(dim=2).values, image.flatten(2).argsort(dim=2).argsort(dim=2)
    places = ranks * (values.shape[2] - 1) / max(ranks.shape[2] - 1, 1)
    values = values.expand(len(image), -1, -1)
    low = values.gather(2, places.floor().long())
    high = values.gather(2, places.ceil().long())
    return (low + (high - low) * places.frac()).view_as(image)
