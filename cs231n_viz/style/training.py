"""What does a style network learn from, and how does it learn one more style? From its γ and β alone."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.capture import activations
from cs231n_viz.network.interception import AveragePooling
from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.images import centre_square, load_image, sample_images
from cs231n_viz.representation.gram import gram_matrix
from cs231n_viz.style.fast import FastStyle
from cs231n_viz.synthesis.ascent import Ascent, AscentError, Step
from cs231n_viz.synthesis.regularisers import total_variation
from cs231n_viz.texture.neural import grams, style_layers

CONTENT = "relu3_2"  # of mini_vgg
STYLE_PIXELS = 288  # side of a painting while its Gram matrices are taken


def style_terms(
    network: FastStyle,
    critic: nn.Module,
    images: Tensor,
    *,
    weights: Tensor,
    targets: Mapping[str, Tensor],
    factors: tuple[float, float, float] = (1.0, 4.0, 10.0),
) -> dict[str, Tensor]:
    """How far is what the network paints from the photograph's content and from the painting's style?

    Args:
        network: Paints.
        critic: ``mini_vgg``, in whose features both are compared.
        images: (N, 3, H, W), RGB in [0, 1], the photographs.
        weights: (N, S), the style of each.
        targets: Layer -> (N, C, C), the Gram matrices that each should get.
        factors: Of content, style and total variation.

    Returns:
        ``content``, ``style`` and ``variation``, scalars that are to be added: the relative change of the features in
        :data:`CONTENT`, the relative Gram distance, the variation; means over the pictures.

    Source: Johnson et al., arXiv:1603.08155, section 3.2.
    Differs from the paper: all distances are relative to their target, as in notebooks 10 and 11.
    """
    with torch.autocast(images.device.type, torch.bfloat16):
        made = network(images, weights).float()
        with AveragePooling():
            truth = activations(critic, images, [CONTENT])[CONTENT].float()
            found = activations(critic, made, [*targets, CONTENT], gradients=True)
    content = ((found[CONTENT].float() - truth).square().sum((1, 2, 3)) / truth.square().sum((1, 2, 3))).mean()
    style = []
    for layer, target in targets.items():
        wrong = (gram_matrix(found[layer].float()) - target).square().sum((1, 2))
        style.append((wrong / target.square().sum((1, 2))).clamp(max=20.0).mean())
    return {
        "content": factors[0] * content,
        "style": factors[1] * torch.stack(style).mean(),
        "variation": factors[2] * total_variation(made) / len(made),
    }


class NewStyle(Ascent):
    """The steps of :func:`train_style`; the score is minus the loss, the picture the first photograph, repainted.

    Attributes:
        network: The network with one style more, as far as it has learned it.
    """

    network: FastStyle


def train_style(
    network: FastStyle,
    name: str,
    painting: Tensor,
    *,
    pictures: Sequence[Tensor] | None = None,
    steps: int = 80,
    lr: float = 0.03,
    like: str | None = None,
    batch: int = 2,
    size: int = 128,
    critic: nn.Module | None = None,
    seed: int = 0,
    progress: bool = True,
) -> NewStyle:
    """Teach the network one more style by training only the γ and β of its own row.

    What the network has learned about painting in general, and all its other styles, stay as they are, bit for bit.

    Args:
        network: From ``load_fast_style()``; left as it is.
        name: Of the new style.
        painting: (3, h, w), RGB in [0, 1].
        pictures: Photographs (3, h, w) to practise on; those that come with the course if omitted.
        steps: Each repaints ``batch`` random views.
        lr: Of Adam, falling to 0.
        like: The style to start from; the mean of all if omitted. The closest one is learned fastest.
        batch: Views in a step.
        size: Side of a view in pixels.
        critic: ``mini_vgg`` if omitted.
        seed: Of the views.
        progress: Show a bar.

    Returns:
        The steps; ``.network`` after ``.finish()`` is the larger network. :func:`save_fast_style` keeps it.

    Raises:
        ValueError: If there already is a style of that name, or a picture is no (3, h, w).
        KeyError: If there is no style ``like``.
        AscentError: While training, if the loss is not a number.

    Source: Dumoulin et al., arXiv:1610.07629, section 3.2.
    """
    pictures = [load_image(each) for each in sample_images()] if pictures is None else list(pictures)
    for image in (painting, *pictures):
        if image.ndim != 3 or image.shape[0] != 3 or min(image.shape[1:]) < 16:
            raise ValueError(f"pictures must be (3, h, w) of at least 16 px a side, got {tuple(image.shape)}")
    if not pictures or steps < 1 or batch < 1:
        raise ValueError(f"wanted pictures, steps and batch >= 1, got {len(pictures)}, {steps} and {batch}")
    larger = network.with_style(name, like).to(memory_format=torch.channels_last)
    critic = load_model("mini_vgg").to(larger.last.weight.device) if critic is None else critic
    practice = _views(pictures, (steps, batch, size), seed)
    found = NewStyle(
        _practise(
            larger, critic, practice, painting=painting, steps=steps, lr=lr, shown=centre_square(pictures[0], size)
        ),
        steps + 1,
        settings={"method": "train_style", "name": name, "like": like, "steps": steps, "lr": lr, "seed": seed},
        progress=progress,
    )
    found.network = larger
    return found


def _views(pictures: Sequence[Tensor], shape: tuple[int, int, int], seed: int) -> Iterator[Tensor]:
    """For each step a batch of random square views."""
    random = torch.Generator().manual_seed(seed)
    steps, batch, size = shape
    for _ in range(steps):
        views = []
        for row in torch.randint(len(pictures), (batch,), generator=random).tolist():
            image, u = pictures[row], torch.rand(4, generator=random).tolist()
            height, width = image.shape[-2:]
            side = max(16, round(min(height, width) * (0.6 + 0.4 * u[0])))
            top, left = round(u[1] * (height - side)), round(u[2] * (width - side))
            part = image[None, :, top : top + side, left : left + side]
            part = part.flip(3) if u[3] < 0.5 else part
            views.append(F.interpolate(part, size=size, mode="bilinear", antialias=True))
        yield torch.cat(views)


def _practise(
    network: FastStyle,
    critic: nn.Module,
    practice: Iterator[Tensor],
    *,
    painting: Tensor,
    steps: int,
    lr: float,
    shown: Tensor,
) -> Iterator[Step]:
    device = network.last.weight.device
    wanted = grams(critic, centre_square(painting, STYLE_PIXELS).to(device), style_layers(critic))
    only = F.one_hot(torch.tensor([len(network.styles) - 1]), len(network.styles)).float().to(device)
    optimizer = torch.optim.Adam(network.style_parameters(), lr=lr, betas=(0.9, 0.99))
    score = float("nan")
    for index, images in enumerate(practice):
        images = images.to(device, memory_format=torch.channels_last)
        targets = {layer: target.expand(len(images), -1, -1) for layer, target in wanted.items()}
        with torch.enable_grad():
            terms = style_terms(network, critic, images, weights=only.expand(len(images), -1), targets=targets)
            loss = sum(terms.values())
        if not torch.isfinite(loss):
            raise AscentError(f"the loss is {loss.item()} after {index} steps; try a smaller lr")
        score = -loss.item()
        yield Step(index, score, _painted(network, shown, only))
        optimizer.param_groups[0]["lr"] = lr * min(1.0, 2 * (1 - index / steps))
        optimizer.zero_grad()
        loss.backward()
        # The mixture is the new style alone, so the gradients of all other rows are exactly 0, and Adam leaves them.
        optimizer.step()
    network.requires_grad_(False)
    yield Step(steps, score, _painted(network, shown, only))


@torch.no_grad()
def _painted(network: FastStyle, image: Tensor, weights: Tensor) -> Tensor:
    with torch.autocast(image.device.type, torch.bfloat16):
        return network(image.to(weights.device), weights).float()
