"""Neural texture synthesis: optimise noise until its Gram matrices are those of a sample, layer by layer (Gatys)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.network.checks import channels_in, check_images
from cs231n_viz.network.layers import smallest_side
from cs231n_viz.network.memory import PROBE, check_memory
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.running import outside_inference_mode
from cs231n_viz.representation.gram import (
    Statistic,
    check_names,
    covariance_matrix,
    gram_distance,
    gram_matrix,
    grams,
    style_layers,
)
from cs231n_viz.synthesis.ascent import DEFAULT_UPDATE, LBFGS_COPIES, Ascent, Step, Update, ascend
from cs231n_viz.synthesis.objectives import Objective
from cs231n_viz.synthesis.parameterisation import Pixels, start_noise
from cs231n_viz.texture.growth import Size, check_size


@dataclass(frozen=True)
class TextureLoss:
    """What a synthesised texture has in common with its sample.

    Attributes:
        layers: Whose Gram matrices to match, by name, or how many of ``style_layers(model, pools=True)``; all of these
            if omitted. More and deeper ones keep larger structures.
        statistic: What to match: ``"gram"`` or ``"covariance"``.
        colours: Weight of the relative errors of the 3x3 covariance and Gram matrix of the pixels' own colours: they
            keep out specks of a wrong colour, to which networks are nearly blind. For ``"covariance"`` only the first.
        average_pooling: Let max-pools average.

    Raises:
        ValueError: If the statistic is another, the weight negative or not finite, or ``layers`` a single name.
    """

    layers: Sequence[str] | int | None = None
    statistic: Statistic = "gram"
    colours: float = 0.1
    average_pooling: bool = True

    def __post_init__(self) -> None:
        check_names("layers", self.layers)
        if self.statistic not in get_args(Statistic):
            known = ", ".join(get_args(Statistic))
            raise ValueError(f"statistic must be one of {known}; got {self.statistic!r}")
        if not 0 <= self.colours < float("inf"):
            raise ValueError(f"colours must be a weight from 0 on, got {self.colours!r}")

    def layers_of(self, model: nn.Module) -> list[str]:
        """The names of the layers to match in this network."""
        by_name = not (self.layers is None or isinstance(self.layers, int))
        return list(self.layers if by_name else style_layers(model, self.layers, pools=True))


@moved_keywords(
    layers="loss.layers",
    statistic="loss.statistic",
    colours="loss.colours",
    average="loss.average_pooling",
    rule="update.rule",
    lr="update.lr",
)
@outside_inference_mode()
def synthesize_texture(
    model: nn.Module,
    sample: Tensor,
    *,
    loss: TextureLoss = TextureLoss(),
    size: Size = 256,
    steps: int = 200,
    update: Update = DEFAULT_UPDATE,
    histogram: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Optimise noise until its Gram matrices are those of a sample: a new picture of the same texture.

    Args:
        model: Whose features tell textures apart; left as it was.
        sample: (1, 3, h, w), RGB in [0, 1].
        loss: What to match: the layers, the statistic, the colours.
        size: Size of the result in pixels, the side or (height, width).
        steps: Evaluations of the network.
        update: Update rule and learning rate; ``"lbfgs"`` and 1.0 if left open. 0.05 suits ``"adam"``.
        histogram: Give the last picture the sample's distribution of each colour.
        seed: Random seed for the noise.
        progress: Show a bar.

    Returns:
        The ascent. Its last step holds the best picture of all, for without a line search L-BFGS leaps now and then.
        Its score is minus a hundred times (:func:`gram_distance` + ``colours`` times that of the colours).

    Raises:
        KeyError: If a name is not a layer of ``model``.
        ValueError: If the sample or the size is too small for the layers (the message says what works), or the size
            too large for the memory.

    Source: Gatys et al., "Texture Synthesis Using Convolutional Neural Networks", NeurIPS 2015, arXiv:1505.07376.
    Differs from the paper: relative errors, see :func:`gram_distance`; a few hundred evaluations instead of 2000;
        the additional term of the colours.
    """
    layers = loss.layers_of(model)
    sample = _one_picture(sample)
    how = update.resolved("lbfgs", 1.0)
    copies = LBFGS_COPIES if how["rule"] == "lbfgs" else 0
    height, width = _check_sizes(model, layers, sample, size, copies=copies)
    objective = texture_objective(model, sample, loss)
    noise = Pixels(start_noise((height, width), seed).to(sample))
    stages = ascend(noise, objective, steps=steps, **how)

    def with_matched_colours(image: Tensor) -> Step:
        image = match_histogram(image, sample)
        with torch.no_grad():
            return Step(steps, objective(image).item(), image)

    stages = _ending_with_the_best(stages, steps, with_matched_colours if histogram else None)
    settings = {"method": "synthesize_texture", "model": getattr(model, "name", ""), "layers": layers}
    settings |= {"size": [height, width], "steps": steps, **how, "average": loss.average_pooling}
    settings |= {"statistic": loss.statistic, "colours": loss.colours, "histogram": histogram, "seed": seed}
    return Ascent(stages, steps + 1, settings=settings, progress=progress)


def texture_objective(model: nn.Module, sample: Tensor, loss: TextureLoss = TextureLoss()) -> Objective:
    """Make the objective of :func:`synthesize_texture`: how well pictures (N, 3, H, W) match a sample (1, 3, h, w)."""
    layers = loss.layers_of(model)
    options = {"average_pooling": loss.average_pooling, "statistic": loss.statistic}
    targets = grams(model, to_channels_last(model, sample), layers, **options)  # a faster order for convolutions
    palette = _colours(sample, loss.statistic)

    def objective(images: Tensor) -> Tensor:
        pixels, gradients = to_channels_last(model, images), torch.is_grad_enabled()
        distance = gram_distance(grams(model, pixels, layers, gradients=gradients, **options), targets)
        if loss.colours:
            own = gram_distance(_colours(images, loss.statistic), palette)
            distance = distance + loss.colours * len(palette) * own
        return -100 * distance

    return objective


def _colours(images: Tensor, statistic: Statistic) -> dict[str, Tensor]:
    """The 3x3 covariance of the pixels' colours and, unless means are not to be matched, their Gram matrix."""
    matrices = {"covariance": covariance_matrix(images)}
    return matrices | {"gram": gram_matrix(images)} if statistic == "gram" else matrices


def _one_picture(sample: Tensor) -> Tensor:
    sample = check_images(sample)
    if len(sample) != 1:
        raise ValueError(f"wanted one sample (1, 3, h, w), got {len(sample)}; sample[:1] is the first")
    return sample


def _check_sizes(
    model: nn.Module, layers: Sequence[str], sample: Tensor, size: Size, *, copies: int
) -> tuple[int, int]:
    """Height and width of the result, if the layers, the sample and the memory allow it."""
    least = smallest_side(model, layers)
    why = f"or nothing arrives at {layers[-1]}"
    sides = check_size(size, least, why=why)
    if min(sample.shape[-2:]) < least:
        got = "x".join(map(str, sample.shape[-2:]))
        raise ValueError(f"the sample must be at least {least}x{least} pixels, {why}; got {got}")
    check_memory(model, layers, sides, side=max(least, PROBE), copies=copies)
    return sides


def _ending_with_the_best(steps: Iterator[Step], last: int, finish: Callable[[Tensor], Step] | None) -> Iterator[Step]:
    """The steps; the last one holds the best picture of all, ``finish``ed if that is asked for."""
    best: Step | None = None
    for step in steps:
        best = step if best is None or step.score >= best.score else best
        if step.index < last:
            yield step
        else:
            yield best._replace(index=last) if finish is None else finish(best.image)


class RandomFilters(nn.Module):
    """A bank of random filters of several sizes, rectified, to be used instead of a model in texture synthesis.

    What it matches was never learned from any picture. If its textures convince, it was not the training that did it.

    Args:
        sizes: Sides of the filters in pixels, odd.
        filters: How many of each size.
        seed: Random seed for the weights.

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


def match_histogram(images: Tensor, sample: Tensor) -> Tensor:
    """Give pictures the colours of a sample (histogram matching): each channel gets the distribution of the sample's.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        sample: (1, 3, h, w) for all of them or (N, 3, h, w), RGB in [0, 1], of any size.

    Returns:
        (N, 3, H, W): in each channel the values are in the same order as before, and equal ones stay equal.

    Raises:
        ValueError: If images or sample are no pictures in [0, 1] with the same channels, or of other numbers.
    """
    channels = channels_in(images)
    images, sample = (check_images(given, channels=channels) for given in (images, sample))
    if len(sample) not in (1, len(images)):
        raise ValueError(f"sample must be one picture or one for each of {len(images)} images, got {len(sample)}")
    from skimage.exposure import match_histograms  # takes a moment to import, and only this function needs it

    pairs = zip(images.detach().cpu().numpy(), sample.expand(len(images), -1, -1, -1).cpu().numpy(), strict=True)
    matched = [torch.from_numpy(match_histograms(image, reference, channel_axis=0)) for image, reference in pairs]
    return torch.stack(matched).to(images)
