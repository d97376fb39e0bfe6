"""Style transfer against the clock, and against L-BFGS on the pixels as the well-known tutorial of PyTorch does it."""

import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.row import Row
from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.pictures.paintings import load_painting
from cs231n_viz.style.loss import JointLoss
from cs231n_viz.style.transfer import content_layer_of, style_layers_of, stylize
from cs231n_viz.texture.neural import gram_distance, grams, style_layers

SIZE, EVALUATIONS = 256, 40


class ContentTap(nn.Module):
    """Gives its input on, and keeps how far it is from the content's."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = target.detach()

    def forward(self, features: Tensor) -> Tensor:
        self.loss = F.mse_loss(features, self.target) / self.target.square().mean()
        return features


class StyleTap(nn.Module):
    """Likewise for the Gram matrix."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = self.gram(target).detach()

    @staticmethod
    def gram(features: Tensor) -> Tensor:
        n, c, h, w = features.shape
        rows = features.view(n * c, h * w)
        return torch.mm(rows, rows.t()).div(h * w)

    def forward(self, features: Tensor) -> Tensor:
        self.loss = F.mse_loss(self.gram(features), self.target) / self.target.square().mean()
        return features


def tapped(model: nn.Module, content: Tensor, style: Tensor, layers: tuple[str, tuple[str, ...]]) -> tuple:
    """The network as a row of modules with the losses in between, and those losses."""
    row, contents, styles = nn.Sequential(), [], []
    of_content, of_style = ((image - model.mean) / model.std for image in (content, style))
    for name, module in model.network.named_children():
        module = nn.ReLU(inplace=False) if isinstance(module, nn.ReLU) else module
        row.append(module)
        with torch.no_grad():
            of_content, of_style = module(of_content), module(of_style)
        for taps, tap in ((contents, ContentTap), (styles, StyleTap)):
            if name in ([layers[0]] if taps is contents else layers[1]):
                taps.append(tap(of_content if taps is contents else of_style))
                row.append(taps[-1])
        if len(styles) == len(layers[1]) and contents:
            return row, contents, styles
    raise AssertionError("a layer is missing")


def tutorial(model: nn.Module, content: Tensor, style: Tensor, layers: tuple, weight: float) -> Iterator[tuple]:
    """Seconds, and the picture, after every twentieth evaluation."""
    start = time.perf_counter()
    row, contents, styles = tapped(model, content, style, layers)
    row.eval().requires_grad_(False)
    image = content.clone().requires_grad_(True)
    optimizer, run = torch.optim.LBFGS([image]), [0]

    def closure() -> Tensor:
        with torch.no_grad():
            image.clamp_(0, 1)
        optimizer.zero_grad()
        row((image - model.mean) / model.std)
        loss = sum(tap.loss for tap in contents) + weight * sum(tap.loss for tap in styles) / len(styles)
        loss.backward()
        run[0] += 1
        return loss

    while run[0] < EVALUATIONS:
        optimizer.step(closure)
        yield time.perf_counter() - start, image.detach().clamp(0, 1).clone()


def rows() -> Iterator[Row]:
    model, judge = load_model("mini_vgg"), load_model("mini_alexnet")
    photo, painting = load_image("astronaut")[None], load_painting("swirls")[None]
    content, style = resize(photo, (SIZE, SIZE)), resize(painting, (SIZE, SIZE))
    layers = (content_layer_of(model), style_layers_of(model))
    joint = JointLoss(model, content, [style], layers=layers, weights=(1.0, 10.0, 0.0))
    next(stylize(model, photo, painting, size=64, progress=False))  # whatever is loaded once

    start = time.perf_counter()
    image = stylize(model, photo, painting, size=SIZE, progress=False).image
    yield Row(f"stylize at {SIZE} px: a good picture", time.perf_counter() - start, "≤", 20, " s")

    wanted = grams(judge, style, style_layers(judge), average=False)
    before, after = (
        gram_distance(grams(judge, x, style_layers(judge), average=False), wanted).item() for x in (content, image)
    )
    yield Row("its style distance for another network, share of the photograph's", 100 * after / before, "≤", 35, " %")

    *_, (seconds, picture) = tutorial(model, content, style, layers, 10.0)
    loss = joint(picture).item()
    yield Row(
        f"stylize: × faster to the loss {loss:.3f} than L-BFGS on pixels", seconds / _seconds_to(joint, loss), "≥", 2
    )


def _seconds_to(joint: JointLoss, loss: float) -> float:
    """How long until the same loss, without total variation and in full precision, is reached at full size."""
    model = load_model("mini_vgg")
    photo, painting = load_image("astronaut")[None], load_painting("swirls")[None]
    spent, start = 0.0, time.perf_counter()
    for step in stylize(model, photo, painting, size=SIZE, tv_weight=0.0, steps=(5, EVALUATIONS), progress=False):
        spent += time.perf_counter() - start
        if step.image.shape[-1] == SIZE and joint(step.image).item() <= loss:
            return spent
        start = time.perf_counter()
    return float("inf")
