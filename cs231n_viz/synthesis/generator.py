"""A generator as a prior for synthesis: from an FC6 code of ``mini_alexnet`` to a picture with natural statistics.

:class:`Generator` draws the picture of a code, :func:`reconstruct` a picture from its own code. :class:`Codes` is the
parameterisation: gradient ascent changes the code instead of the pixels. :func:`class_visualization_of_code` and
:func:`visualize_code` are the recipes that use it.
"""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.network.capture import activations
from cs231n_viz.network.checks import Targets, check_images
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.running import outside_inference_mode
from cs231n_viz.network.shipped import fill, read_state, weights_file
from cs231n_viz.synthesis.ascent import DEFAULT_UPDATE, Ascent, Objective, Update, ascend
from cs231n_viz.synthesis.class_visualization import target_objective, target_rows, target_settings
from cs231n_viz.synthesis.regularisers import Regularisers

_WIDTHS = (128, 192, 128, 96, 64, 32)  # channels at 4, 8, 16, 32, 64 and 128 pixels
_VIEWS = Regularisers(shift=16.0, scale=0.2, turn=10.0)


class Generator(nn.Module):
    """An up-convolutional network that turns a code into an image whose FC6 features match it.

    Codes are (N, 512), the rectified FC6 activations; pictures are (N, 3, 128, 128), RGB in [0, 1].

    Args:
        code: Length of a code.
        batch_norm: Build for training, with a batch norm after every convolution.

    Attributes:
        mean: (code,) mean of the codes of natural pictures.
        std: (code,) their standard deviation.

    Source: Dosovitskiy & Brox, arXiv:1602.02644, section 3 (the inverse of FC6).
    Differs from the paper: 3 M parameters, 128 px, nearest-neighbour upsampling before 3x3 convolutions instead of
        strided deconvolutions, which leave a checkerboard.
    """

    layer = "relu6"
    size = 128

    def __init__(self, code: int = 512, *, batch_norm: bool = False) -> None:
        super().__init__()
        first = _WIDTHS[0]
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("std", torch.ones(code))
        self.dense = nn.Sequential(
            nn.Linear(code, 512),
            nn.LeakyReLU(0.2),
            nn.Linear(512, first * 16),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (first, 4, 4)),
        )
        modules: list[tuple[str, nn.Module]] = []
        for stage, (narrow, wide) in enumerate(pairwise(_WIDTHS), start=1):
            modules.append((f"up{stage}", nn.Upsample(scale_factor=2)))
            for position, channels in enumerate((narrow, wide) if stage < 4 else (narrow,)):
                name = f"{stage}_{position}"
                modules.append((f"conv{name}", nn.Conv2d(channels, wide, 3, padding=1)))
                modules += [(f"norm{name}", nn.BatchNorm2d(wide))] if batch_norm else []
                modules.append((f"relu{name}", nn.LeakyReLU(0.2)))
        modules.append(("conv_rgb", nn.Conv2d(_WIDTHS[-1], 3, 3, padding=1)))
        self.upward = nn.Sequential(OrderedDict(modules))

    def forward(self, codes: Tensor) -> Tensor:
        """Draw the pictures (N, 3, 128, 128) in [0, 1] of ``codes`` (N, 512)."""
        return self.upward(self.dense(codes)).sigmoid()


@outside_inference_mode()
def load_generator(path: Path | str | None = None) -> Generator:
    """Load the generator that ships, for the codes of ``mini_alexnet`` at ``relu6``.

    Args:
        path: Another weights file, as ``python -m training.generator`` writes it.

    Raises:
        WeightsError: If the file is missing, damaged, or made for another network.
    """
    generator = Generator()
    fill(generator, read_state(weights_file("generator.safetensors", path)), "the generator")
    # Its convolutions take a quarter less time on a CPU with their channels last in memory.
    return generator.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@torch.no_grad()
def reconstruct(model: nn.Module, images: Tensor, generator: Generator) -> Tensor:
    """Reconstruct pictures from their FC6 codes: what is left of them?

    Args:
        model: ``mini_alexnet``, whose codes the generator takes.
        images: (N, 3, S, S), RGB in [0, 1].
        generator: From ``load_generator()``.

    Returns:
        (N, 3, S, S) in [0, 1].
    """
    codes = activations(model, check_images(images, model), [generator.layer])[generator.layer]
    return F.interpolate(generator(codes), size=images.shape[-2:], mode="bilinear", align_corners=False)


class Codes(nn.Module):
    """Optimise the FC6 code from which a generator draws the picture.

    Args:
        generator: From ``load_generator()``.
        start: (N, 512) initial codes; the mean code if omitted.
        size: Height and width of the picture in pixels.
        limit: Codes are clipped to the range from 0 to this many standard deviations above the mean.

    Raises:
        ValueError: If the start has another shape.

    Source: Nguyen et al., arXiv:1605.09304, section 3.
    """

    @outside_inference_mode()
    def __init__(
        self, generator: Generator, start: Tensor | None = None, *, size: int = 224, limit: float = 3.0
    ) -> None:
        super().__init__()
        start = generator.mean[None] if start is None else start
        if start.ndim != 2 or start.shape[1] != len(generator.mean):
            raise ValueError(f"codes must be (N, {len(generator.mean)}), got {tuple(start.shape)}")
        self.codes = nn.Parameter(start.detach().clone())
        self.size, self.draw = size, generator.requires_grad_(False)
        self.register_buffer("highest", generator.mean + limit * generator.std)

    def forward(self) -> Tensor:
        """The picture, (N, 3, size, size) in (0, 1)."""
        return F.interpolate(self.draw(self.codes), size=self.size, mode="bilinear", align_corners=False)

    @torch.no_grad()
    def project(self) -> None:
        """Clip the codes to the range of those of natural pictures."""
        self.codes.copy_(self.codes.clamp_min(0).minimum(self.highest))


@dataclass(frozen=True)
class CodePrior:
    """What keeps codes, and the pictures that are drawn from them, natural.

    Attributes:
        shrink: Share by which the code shrinks after each step.
        limit: Codes stay between 0 and this many standard deviations above the mean.
        regularisers: Random views, jitter and penalties of the pictures; operations on pixels (blur,
            clipping) are impossible here.

    Raises:
        ValueError: If the regularisers hold a change of pixels.
    """

    shrink: float = 0.01
    limit: float = 3.0
    regularisers: Regularisers = _VIEWS

    def __post_init__(self) -> None:
        if self.regularisers.changes():
            raise ValueError("decay, blur and clipping change pixels after each step; codes have shrink and limit")


_PRIOR = CodePrior()
_OLD_KEYWORDS = {"lr": "update.lr", "rule": "update.rule"}
_OLD_KEYWORDS |= {name: f"prior.{name}" for name in ("shrink", "limit", "regularisers")}


@moved_keywords(**_OLD_KEYWORDS)
@outside_inference_mode()
def visualize_code(
    model: nn.Module,
    objective: Objective,
    generator: Generator,
    *,
    start: Literal["mean", "noise"] | Tensor = "mean",
    count: int = 1,
    size: int | None = None,
    steps: int = 128,
    update: Update = DEFAULT_UPDATE,
    prior: CodePrior = _PRIOR,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Maximise an objective by gradient ascent on the code of a generator.

    Args:
        model: The network that the objective evaluates.
        objective: Images (N, 3, H, W) -> scalar.
        generator: From ``load_generator()``.
        start: ``"mean"`` is the mean code of natural pictures, ``"noise"`` a random one with their mean and standard
            deviation; or codes (N, 512).
        count: Number of codes that are optimised at once.
        size: Side of the picture in pixels; the model's input size if omitted.
        steps: Number of steps.
        update: Update rule and learning rate; ``"mean"`` and 0.1 by default.
        prior: What keeps codes and pictures natural.
        seed: Random seed of the noise and of the views.
        progress: Show a bar while ``.image`` or ``.score`` make steps.

    Returns:
        The ascent.

    Raises:
        ValueError: If the start has another shape or name.

    Source: Nguyen et al., arXiv:1605.09304, section 3 and its published settings (code times 0.99, steps of
        lr g / mean|g|, codes within three standard deviations).
    """
    codes = _start_codes(generator, start, count=count, seed=seed)
    image_of = Codes(generator, codes, size=size or model.input_size, limit=prior.limit)

    def after(image_of: nn.Module, gradients: list[Tensor], index: int) -> None:
        image_of.codes.mul_(1 - prior.shrink)

    rule = update.resolved("mean", 0.1)
    regularised = prior.regularisers.around(lambda images: objective(to_channels_last(model, images)), seed=seed)
    stages = ascend(image_of, regularised, steps=steps, after=after, **rule)
    settings = {"model": getattr(model, "name", type(model).__name__), "parameterisation": "codes"}
    settings |= {"start": start if isinstance(start, str) else "codes", "steps": steps, **rule}
    settings |= {"shrink": prior.shrink, "seed": seed}
    return Ascent(stages, steps + 1, settings=settings, progress=progress)


@moved_keywords(**_OLD_KEYWORDS)
def class_visualization_of_code(
    model: nn.Module,
    targets: Targets,
    generator: Generator,
    *,
    layer: str | None = None,
    update: Update = DEFAULT_UPDATE,
    prior: CodePrior = _PRIOR,
    **options: object,
) -> Ascent:
    """Maximise the logit of a class, or a channel, among the pictures that a generator can draw.

    Args:
        model: Any classifier; it need not be the one whose codes the generator takes.
        targets: Class index or name, or (N,) of them; channels of ``layer`` if that is given.
        generator: From ``load_generator()``.
        layer: Maximise the mean activation of a channel of this layer instead of a logit.
        update: As for :func:`visualize_code`.
        prior: As for :func:`visualize_code`.
        options: The others of :func:`visualize_code`.

    Returns:
        The ascent, its picture (N, 3, S, S).

    Raises:
        ValueError: If a target is not a class, or an option is invalid.
    """
    rows = target_rows(model, targets, layer, options.get("start"))
    objective = target_objective(model, rows, layer)
    options = {"count": len(rows), "update": update, "prior": prior, **options}
    ascent = visualize_code(model, objective, generator, **options)
    ascent.settings |= target_settings(model, rows, layer)
    return ascent


def _start_codes(generator: Generator, start: str | Tensor, *, count: int, seed: int) -> Tensor:
    if isinstance(start, Tensor):
        return start
    if start not in ("mean", "noise"):
        raise ValueError(f"start must be 'mean', 'noise' or codes (N, {len(generator.mean)}), got {start!r}")
    codes = generator.mean.expand(count, -1)
    if start == "noise":
        noise = torch.randn(codes.shape, generator=torch.Generator().manual_seed(seed))
        codes = (codes + generator.std * noise.to(codes)).clamp_min(0)
    return codes
