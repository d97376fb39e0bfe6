"""A generator: from the FC6 code of ``mini_alexnet`` back to a picture, as a prior for synthesis."""

from collections import OrderedDict
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.data_files import data_path
from cs231n_viz.network.capture import activations
from cs231n_viz.network.checks import Targets, check_each, check_images
from cs231n_viz.network.shipped import check_sum, fill, read_state
from cs231n_viz.synthesis.ascent import Ascent, Objective, Rule, ascend
from cs231n_viz.synthesis.class_visualization import Regularisers
from cs231n_viz.synthesis.objectives import channel, logit

_WIDTHS = (128, 192, 128, 96, 64, 32)  # channels at 4, 8, 16, 32, 64 and 128 pixels


class Generator(nn.Module):
    """An up-convolutional network that turns a code into a picture which has that code.

    Codes are (N, 512), the rectified FC6 activations; pictures are (N, 3, 128, 128), RGB in [0, 1].

    Args:
        code: Length of a code.
        batch_norm: Build for training, with a batch norm behind every convolution.

    Attributes:
        mean: (code,) mean of the codes of natural pictures.
        std: (code,) their standard deviation.

    Source: Dosovitskiy & Brox, arXiv:1602.02644, section 3 (the inverse of FC6).
    Differs from the paper: 3 M parameters, 128 px, nearest-neighbour upsampling before 3x3 convolutions in place of
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
            nn.Linear(code, 512), nn.LeakyReLU(0.2), nn.Linear(512, first * 16), nn.LeakyReLU(0.2),
            nn.Unflatten(1, (first, 4, 4)),
        )  # fmt: skip
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
        """Pictures (N, 3, 128, 128) in [0, 1] of ``codes`` (N, 512)."""
        return self.upward(self.dense(codes)).sigmoid()


def load_generator(path: Path | str | None = None) -> Generator:
    """The generator that ships, for the codes of ``mini_alexnet`` at ``relu6``.

    Args:
        path: Another weights file, as ``python -m training.generator`` writes it.

    Raises:
        WeightsError: If the file is missing, damaged, or made for another network.
    """
    file = data_path("weights", "generator.safetensors") if path is None else Path(path)
    if path is None:
        check_sum(file)
    generator = Generator()
    fill(generator, {key: value.float() for key, value in read_state(file).items()}, "the generator")
    return generator.eval().requires_grad_(False)


VIEWS = Regularisers(shift=16.0, scale=0.2, turn=10.0)


class Codes(nn.Module):
    """A picture by its FC6 code, drawn by a generator.

    Args:
        generator: From ``load_generator()``.
        start: (N, 512) codes to begin with; the mean code if omitted.
        size: Height and width of the picture in pixels.
        limit: Codes are kept between 0 and this many standard deviations above the mean.

    Source: Nguyen et al., arXiv:1605.09304, section 3.
    """

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
        """Bring the codes back into the range of natural pictures."""
        self.codes.copy_(self.codes.clamp_min(0).minimum(self.highest))


def visualize_code(
    model: nn.Module,
    objective: Objective,
    generator: Generator,
    *,
    start: Literal["mean", "noise"] | Tensor = "mean",
    count: int = 1,
    size: int | None = None,
    steps: int = 128,
    lr: float = 0.1,
    rule: Rule = "mean",
    shrink: float = 0.01,
    limit: float = 3.0,
    regularisers: Regularisers = VIEWS,
    seed: int = 0,
    progress: bool = True,
) -> Ascent:
    """Which code's picture makes an objective large?

    Args:
        model: The network that the objective asks.
        objective: Images (N, 3, H, W) -> scalar.
        generator: From ``load_generator()``.
        start: ``"mean"`` is the mean code of natural pictures, ``"noise"`` one drawn from their spread; or (N, 512).
        count: How many codes climb at once.
        size: Side of the picture in pixels; the model's input size if omitted.
        steps: How many.
        lr: Length of a step in units of the rule.
        rule: See :func:`~cs231n_viz.synthesis.ascent.ascend`.
        shrink: Share by which the code shrinks after each step.
        limit: Codes stay between 0 and this many standard deviations above the mean.
        regularisers: Random views and terms; changes of pixels have no place here.
        seed: Of the noise and of the views.
        progress: Show a bar while ``.image`` or ``.score`` make steps.

    Returns:
        The ascent.

    Raises:
        ValueError: If the start has another shape or name, or a change of pixels is asked for.

    Source: Nguyen et al., arXiv:1605.09304, section 3 and its published settings (code times 0.99, steps of
        lr g / mean|g|, codes within three standard deviations).
    """
    if regularisers.changes():
        raise ValueError("decay, blur and clipping change pixels after each step; codes have shrink and limit")
    image_of = Codes(generator, _start(generator, start, count, seed), size=size or model.input_size, limit=limit)
    climbed = regularisers.around(objective, seed=seed)

    def after(image_of: nn.Module, gradients: list[Tensor], index: int) -> None:
        image_of.codes.mul_(1 - shrink)

    found = ascend(image_of, climbed, steps=steps, lr=lr, rule=rule, after=after)
    settings = {"model": getattr(model, "name", type(model).__name__), "parameterisation": "codes"}
    settings |= {"start": start if isinstance(start, str) else "codes", "steps": steps, "lr": lr, "rule": rule}
    return Ascent(found, steps + 1, settings=settings | {"shrink": shrink, "seed": seed}, progress=progress)


def class_visualization_of_code(
    model: nn.Module, targets: Targets, generator: Generator, *, layer: str | None = None, **options: object
) -> Ascent:
    """The picture of a class, or of a unit, that a generator can draw.

    Args:
        model: Any classifier; it need not be the one whose codes the generator reads.
        targets: Class index or (N,) indices; channels of ``layer`` if that is given.
        generator: From ``load_generator()``.
        layer: Climb the mean activation of a channel of this layer in place of a logit.
        options: Those of :func:`visualize_code`.

    Returns:
        The ascent, its picture (N, 3, S, S).
    """
    rows = check_each(targets, torch.as_tensor(targets).numel())
    objective = logit(model, rows) if layer is None else channel(model, layer, rows)
    ascent = visualize_code(model, objective, generator, **{"count": len(rows), **options})
    names = getattr(model, "categories", None)
    asked = {"class": [names[i] for i in rows.tolist()]} if layer is None and names else {"units": rows.tolist()}
    ascent.settings = {**ascent.settings, **({"layer": layer} if layer else {}), **asked}
    return ascent


@torch.no_grad()
def reconstruct(model: nn.Module, images: Tensor, generator: Generator) -> Tensor:
    """What is left of pictures when they pass through their FC6 codes?

    Args:
        model: ``mini_alexnet``, whose codes the generator reads.
        images: (N, 3, S, S), RGB in [0, 1].
        generator: From ``load_generator()``.

    Returns:
        (N, 3, S, S) in [0, 1].
    """
    codes = activations(model, check_images(images), [generator.layer])[generator.layer]
    return F.interpolate(generator(codes), size=images.shape[-2:], mode="bilinear", align_corners=False)


def _start(generator: Generator, start: str | Tensor, count: int, seed: int) -> Tensor:
    if isinstance(start, Tensor):
        return start
    if start not in ("mean", "noise"):
        raise ValueError(f"start must be 'mean', 'noise' or codes (N, {len(generator.mean)}), got {start!r}")
    codes = generator.mean.expand(count, -1)
    if start == "noise":
        noise = torch.randn(codes.shape, generator=torch.Generator().manual_seed(seed))
        codes = (codes + generator.std * noise.to(codes)).clamp_min(0)
    return codes
