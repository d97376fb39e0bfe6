"""Time class visualisation to the same score as the update step of CS231n's assignment, and as lucent's recipe.

Both peers are written here as their sources describe them: a hook reads the channel in a pass through the whole
network, and ``.backward()`` fills the gradient of every weight on the way. The score is the objective for the picture
as it is, without jitter and views; evaluating it is not timed.
"""

import math
import time
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as transforms

import cs231n_viz as viz
from benchmarks.ceiling import counted, most_times
from benchmarks.row import Row
from cs231n_viz.synthesis.ascent import Update
from cs231n_viz.synthesis.class_visualization import visualize
from cs231n_viz.synthesis.objectives import channel
from cs231n_viz.synthesis.parameterisation import Fourier
from cs231n_viz.synthesis.regularisers import Regularisers

CHANNELS = {"mini_alexnet": ("relu2", 7), "mini_vgg": ("relu3_2", 13)}
SIDE = {"mini_alexnet": 224, "mini_vgg": 192}
STEPS, REPEATS = 40, 3
Pictures = Iterator[Tensor]


def thawed(name: str) -> viz.Classifier:
    """A network as the peers use it: its weights need gradients."""
    return viz.load_model(name).requires_grad_(True)


def recorded(model: viz.Classifier, layer: str) -> dict[str, Tensor]:
    """Record the output of a layer, by a hook, as ``maps`` in a dictionary."""
    record: dict[str, Tensor] = {}
    model.network.get_submodule(layer).register_forward_hook(lambda module, given, output: record.update(maps=output))
    return record


def noise(name: str) -> Tensor:
    """The start of both, in standard deviations around the mean."""
    return torch.randn(1, 3, SIDE[name], SIDE[name], generator=torch.Generator().manual_seed(1))


def assignment(name: str) -> Pictures:
    """The update step of CS231n's assignment with its settings: one normalised step, L2, jitter, blur every ten."""
    model, (layer, unit) = thawed(name), CHANNELS[name]
    record, random = recorded(model, layer), torch.Generator().manual_seed(0)
    low, high = (0 - model.mean) / model.std, (1 - model.mean) / model.std
    image = noise(name).clamp(low, high)
    for step in range(1, 10_000):
        right, down = torch.randint(-16, 17, (2,), generator=random).tolist()
        image = image.roll((down, right), (2, 3)).requires_grad_()
        model.network(image)
        score = record["maps"][:, unit].mean() - 1e-3 * image.square().sum()
        score.backward()
        with torch.no_grad():
            image = image + 25 * image.grad / image.grad.norm()
            image = image.roll((-down, -right), (2, 3)).clamp(low, high)
            if step % 10 == 0:
                image = transforms.gaussian_blur(image, [5, 5], [0.5, 0.5])
        yield image * model.std + model.mean


def as_the_assignment(name: str) -> Pictures:
    """The same recipe with this package; settings in units of [0, 1] instead of standard deviations."""
    model, std = viz.load_model(name), 0.226
    l2 = 1e-3 * 3 * SIDE[name] ** 2 / std**2
    ascent = visualize(
        model,
        channel(model, *CHANNELS[name]),
        regularisers=Regularisers(l2=l2, jitter=16, blur=0.5, every=10),
        parameterisation="pixels",
        start=(noise(name) * model.std + model.mean).clamp(0, 1),
        steps=10_000,
        update=Update("unit", lr=25 * std),
        progress=False,
    )
    return (step.image for step in ascent)


def five_views(images: Tensor, random: torch.Generator) -> Tensor:
    """Lucid's standard transformations, one after the other: pad, jitter 8, scale, rotate, jitter 4."""

    def draw(count: int) -> int:
        return int(torch.randint(count, (1,), generator=random))

    seen = F.pad(images, (12, 12, 12, 12), value=0.5)
    seen = _cropped(seen, 8, draw(8), draw(8))
    scale = 1 + (draw(11) - 5) / 50
    side = math.ceil(seen.shape[-1] * scale)
    seen = F.interpolate(seen, size=(side, side), mode="bilinear", align_corners=False)
    angle = math.radians(draw(21) - 10)
    turn = torch.tensor([[[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]]])
    seen = F.grid_sample(seen, F.affine_grid(turn, list(seen.shape), align_corners=False), align_corners=False)
    return _cropped(seen, 4, draw(4), draw(4))


def _cropped(images: Tensor, margin: int, top: int, left: int) -> Tensor:
    height, width = images.shape[-2:]
    return images[..., top : height - margin + top, left : width - margin + left]


def lucent(name: str) -> Pictures:
    """Lucent's recipe: Fourier coefficients, five transformations, back to the network's size, Adam."""
    model, (layer, unit) = thawed(name), CHANNELS[name]
    record, random = recorded(model, layer), torch.Generator().manual_seed(0)
    image_of = Fourier(SIDE[name])
    optimizer = torch.optim.Adam(image_of.parameters(), lr=0.05)
    for _ in range(10_000):
        optimizer.zero_grad()
        image = image_of()
        seen = F.interpolate(five_views(image, random), size=SIDE[name], mode="bilinear", align_corners=True)
        model(seen)
        (-record["maps"][:, unit].mean()).backward()
        optimizer.step()
        yield image.detach()


def as_lucent(name: str) -> Pictures:
    """The same recipe with this package: one resampling for all views, and no layer after the one of the channel."""
    model, views = viz.load_model(name), Regularisers(shift=6, scale=0.1, turn=10)
    objective = channel(model, *CHANNELS[name])
    ascent = visualize(model, objective, regularisers=views, steps=10_000, size=SIDE[name], progress=False)
    return (step.image for step in ascent)


def trace(pictures: Pictures, score: nn.Module, steps: int, goal: float = math.inf) -> tuple[list[float], list[float]]:
    """Seconds spent and score reached after each step, until the goal."""
    spent, scores, total = [], [], 0.0
    for _ in range(steps):
        start = time.perf_counter()
        image = next(pictures)
        total += time.perf_counter() - start
        spent.append(total)
        with torch.no_grad():
            scores.append(score(image).item())
        if scores[-1] >= goal:
            break
    return spent, scores


PEERS = {  # with what must be reached: in each the gradient of the first layer takes the same time in both
    "the assignment's step": (assignment, as_the_assignment, 1.2),
    "lucent's recipe": (lucent, as_lucent, 1.5),
}


def race(name: str, peer: str) -> tuple[float, float, float | None]:
    """Times faster to 95 % of the best score that the peer reaches; the same per step; the ceiling of the first."""
    theirs, ours, _ = PEERS[peer]
    model = viz.load_model(name)
    score = channel(model, *CHANNELS[name])
    fastest, each = [], []
    for _ in range(REPEATS):
        spent, scores = trace(theirs(name), score, STEPS)
        goal = 0.95 * max(scores)
        reached = next(seconds for seconds, value in zip(spent, scores, strict=True) if value >= goal)
        own, own_scores = trace(ours(name), score, 4 * STEPS, goal)
        if own_scores[-1] < goal:
            raise RuntimeError(f"{name}: {peer} reaches {goal:.3g}, ours {max(own_scores):.3g}")
        fastest.append((reached, own[-1]))
        each.append((spent[-1] / len(spent), own[-1] / len(own)))
    _, flops = counted(lambda: list(islice(ours(name), len(own))))
    best = [[min(times) for times in zip(*pairs, strict=True)] for pairs in (fastest, each)]
    return *(peer / own for peer, own in best), most_times(flops, best[0][0])


def rows() -> Iterator[Row]:
    for name, (layer, _) in CHANNELS.items():
        for peer, (_, _, limit) in PEERS.items():
            to_score, per_step, most = race(name, peer)
            what = f"{name} {layer}: × faster than {peer} to its score (per step {per_step:.1f} ×)"
            yield Row(what, to_score, "≥", limit, ceiling=most)
