"""Time style transfer, also against L-BFGS on the pixels as in PyTorch's well-known tutorial."""

import time
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.ceiling import counted, least_seconds, most_times, optimisation_dtype
from benchmarks.row import Row
from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.pictures.paintings import load_painting
from cs231n_viz.representation.gram import gram_distance, grams, style_layers
from cs231n_viz.style.loss import JointLoss, StyleLoss
from cs231n_viz.style.transfer import Schedule, Stylisation, stylize

SIZE, EVALUATIONS = 256, 40


class ContentTap(nn.Module):
    """Passes its input on, and stores its distance from that of the content."""

    def __init__(self, target: Tensor) -> None:
        super().__init__()
        self.target = target.detach()

    def forward(self, features: Tensor) -> Tensor:
        self.loss = F.mse_loss(features, self.target) / self.target.square().mean()
        return features


class StyleTap(nn.Module):
    """Passes its input on, and stores the distance of its Gram matrix from that of the style."""

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


def tapped(model: nn.Module, content: Tensor, style: Tensor, loss: StyleLoss) -> tuple:
    """The network as a sequence of modules with the losses in between, and those losses."""
    row, contents, styles = nn.Sequential(), [], []
    of_content, of_style = ((image - model.mean) / model.std for image in (content, style))
    for name, module in model.network.named_children():
        module = nn.ReLU(inplace=False) if isinstance(module, nn.ReLU) else module
        row.append(module)
        with torch.no_grad():
            of_content, of_style = module(of_content), module(of_style)
        if name == loss.content_layer:
            contents.append(ContentTap(of_content))
            row.append(contents[-1])
        if name in loss.style_layers:
            styles.append(StyleTap(of_style))
            row.append(styles[-1])
        if len(styles) == len(loss.style_layers) and contents:
            return row, contents, styles
    raise AssertionError("a layer is missing")


def tutorial(model: nn.Module, content: Tensor, style: Tensor, options: StyleLoss) -> Iterator[tuple]:
    """Seconds, and the picture, after every twentieth evaluation."""
    start = time.perf_counter()
    row, contents, styles = tapped(model, content, style, options)
    row.eval().requires_grad_(False)
    image = content.clone().requires_grad_(True)
    optimizer, run = torch.optim.LBFGS([image]), [0]

    def closure() -> Tensor:
        with torch.no_grad():
            image.clamp_(0, 1)
        optimizer.zero_grad()
        row((image - model.mean) / model.std)
        loss = options.content * sum(tap.loss for tap in contents)
        loss = loss + options.style * sum(tap.loss for tap in styles) / len(styles)
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
    joint = JointLoss(model, content, [style], StyleLoss(tv=0.0))
    next(stylize(model, photo, painting, schedule=Schedule(size=64), progress=False))  # to load everything first

    start = time.perf_counter()
    image = stylize(model, photo, painting, schedule=Schedule(size=SIZE), progress=False).image
    taken, dtype = time.perf_counter() - start, optimisation_dtype()
    _, flops = counted(stylize(model, photo, painting, schedule=Schedule(size=SIZE), progress=False).finish)
    yield Row(f"stylize at {SIZE} px: a good picture", taken, "≤", 20, " s", ceiling=least_seconds(flops, dtype))

    layers = style_layers(judge)
    wanted = grams(judge, style, layers, average_pooling=False)
    before, after = (
        gram_distance(grams(judge, x, layers, average_pooling=False), wanted).item() for x in (content, image)
    )
    yield Row("its style distance for another network, share of the photograph's", 100 * after / before, "≤", 35, " %")

    *_, (seconds, picture) = tutorial(model, content, style, joint.loss)
    loss = joint(picture).item()
    own, steps = _seconds_to(joint, loss)
    _, flops = counted(lambda: list(islice(_climb(), steps)))
    what, most = f"stylize: × faster to the loss {loss:.3f} than L-BFGS on pixels", most_times(flops, seconds, dtype)
    yield Row(what, seconds / own, "≥", 2, ceiling=most)


def _climb() -> Stylisation:
    model = load_model("mini_vgg")
    photo, painting = load_image("astronaut")[None], load_painting("swirls")[None]
    schedule = Schedule(size=SIZE, steps=(5, EVALUATIONS))
    return stylize(model, photo, painting, loss=StyleLoss(tv=0.0), schedule=schedule, progress=False)


def _seconds_to(joint: JointLoss, loss: float) -> tuple[float, int]:
    """Time and steps until the same loss, without total variation and in full precision, is reached at full size."""
    spent, start, count = 0.0, time.perf_counter(), 0
    for count, step in enumerate(_climb(), 1):
        spent += time.perf_counter() - start
        if step.image.shape[-1] == SIZE and joint(step.image).item() <= loss:
            return spent, count
        start = time.perf_counter()
    return float("inf"), count
