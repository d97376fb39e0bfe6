"""Training of style networks: the loss of an image transformation network, and one more style for a trained one.

The loss is that of style transfer, measured on what the network paints (Johnson et al.). A style network with
conditional instance norm learns one more style by the scales γ and shifts β of that style alone (Dumoulin et al.).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.network.capture import activations
from cs231n_viz.network.interception import AveragePooling
from cs231n_viz.network.models import load_model
from cs231n_viz.network.precision import half_precision
from cs231n_viz.pictures.images import centre_square, load_image, sample_images
from cs231n_viz.representation.gram import gram_distance, gram_matrix, grams, style_layers
from cs231n_viz.style.fast import FastStyle
from cs231n_viz.style.loss import StyleLoss, content_distance, content_layer
from cs231n_viz.synthesis.ascent import Ascent, AscentError, Step
from cs231n_viz.synthesis.regularisers import total_variation

STYLE_PIXELS = 288  # side of a painting while its Gram matrices are taken
_MOST = 20.0  # a layer's relative error counts as this much at most: first steps are far off
_LOSS = StyleLoss(content=1.0, style=4.0, tv=10.0, average_pooling=True)


def style_targets(critic: nn.Module, painting: Tensor) -> dict[str, Tensor]:
    """Compute the Gram matrices that a style network should reach, layer -> (1, C, C).

    Args:
        critic: ``mini_vgg``, in whose features styles are compared.
        painting: (3, h, w), RGB in [0, 1]; its middle square is taken.
    """
    square = centre_square(painting, STYLE_PIXELS).to(next(critic.parameters()).device)
    return grams(critic, square, style_layers(critic, pools=True))


def style_terms(
    network: FastStyle,
    critic: nn.Module,
    images: Tensor,
    *,
    weights: Tensor,
    targets: Mapping[str, Tensor],
    loss: StyleLoss = _LOSS,
) -> dict[str, Tensor]:
    """Compute the three terms of the loss of what a style network paints.

    Args:
        network: Paints.
        critic: ``mini_vgg``, in whose features content and style are compared.
        images: (N, 3, H, W), RGB in [0, 1], the photographs.
        weights: (N, S), the style of each.
        targets: Layer -> (N, C, C), the Gram matrices that each should get.
        loss: The weights of the terms, and the content layer.

    Returns:
        ``content``, ``style`` and ``tv``, scalars that are to be added: the relative change of the features at the
        content layer, the relative Gram distance, the total variation; means over the pictures, weights included.

    Source: Johnson et al., arXiv:1603.08155, section 3.2.
    Differs from the paper: all distances are relative to their target, as in notebooks 10 and 11.
    """
    layer = loss.content_layer or content_layer(critic)
    with half_precision(images.device):
        painted = network(images, weights).float()
        with AveragePooling():
            content = activations(critic, images, [layer])[layer].float()
            features = activations(critic, painted, [*targets, layer], gradients=True)
    matrices = {name: gram_matrix(features[name].float()) for name in targets}
    raw = {
        "content": content_distance(features[layer].float(), content),
        "style": gram_distance(matrices, targets, most=_MOST) / len(images),
        "tv": total_variation(painted) / len(images),
    }
    return {name: weight * raw[name] for name, weight in loss.weights.items()}


class NewStyle(Ascent):
    """The steps of :func:`train_style`; the score is minus the loss, the picture the first photograph, repainted.

    Attributes:
        network: The network with one style more, as far as it has learned it.
    """

    def __init__(self, network: FastStyle, steps: Iterator[Step], total: int, **options: object) -> None:
        super().__init__(steps, total, **options)
        self.network = network


@dataclass(frozen=True)
class StyleTraining:
    """How one more style is learned.

    Attributes:
        steps: Each repaints ``batch`` random views.
        lr: Learning rate of Adam, falling to 0.
        batch: Views in a step.
        size: Side of a view in pixels.

    Raises:
        ValueError: If one of them is not above 0.
    """

    steps: int = 80
    lr: float = 0.03
    batch: int = 2
    size: int = 128

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch", 1), ("size", 16)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"lr must be above 0, got {self.lr!r}")


@moved_keywords(steps="training.steps", lr="training.lr", batch="training.batch", size="training.size")
def train_style(
    network: FastStyle,
    name: str,
    painting: Tensor,
    *,
    training: StyleTraining = StyleTraining(),
    like: str | None = None,
    pictures: Sequence[Tensor] | None = None,
    critic: nn.Module | None = None,
    seed: int = 0,
    progress: bool = True,
) -> NewStyle:
    """Teach the network one more style by training only the γ and β of its own row.

    What the network has learned about painting in general, and all its other styles, stay as they are, bit for bit.

    Args:
        network: From ``load_fast_style()``; left as it is.
        name: Name of the new style.
        painting: (3, h, w), RGB in [0, 1].
        training: Steps, learning rate, and the views that are repainted.
        like: The style to start from; the mean of all if omitted. The closest one is learned fastest.
        pictures: Photographs (3, h, w) to practise on; those that come with the course if omitted.
        critic: The network in whose features content and style are compared; ``mini_vgg`` if omitted.
        seed: Random seed for the views.
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
    if not pictures:
        raise ValueError("wanted at least one picture to practise on, got 0")
    larger = network.with_style(name, like).to(memory_format=torch.channels_last)
    critic = load_model("mini_vgg").to(larger.last.weight.device) if critic is None else critic
    views, shown = _views(pictures, training, seed), centre_square(pictures[0], training.size)
    steps = _train(larger, critic, painting, training=training, views=views, shown=shown)
    settings = {"method": "train_style", "name": name, "like": like, "steps": training.steps, "lr": training.lr}
    return NewStyle(larger, steps, training.steps + 1, settings=settings | {"seed": seed}, progress=progress)


def _views(pictures: Sequence[Tensor], training: StyleTraining, seed: int) -> Iterator[Tensor]:
    """For each step a batch of random square views."""
    random = torch.Generator().manual_seed(seed)
    for _ in range(training.steps):
        chosen = torch.randint(len(pictures), (training.batch,), generator=random).tolist()
        yield torch.cat([random_view(pictures[index], training.size, random) for index in chosen])


def random_view(image: Tensor, size: int, random: torch.Generator) -> Tensor:
    """Cut out a random square of 60 to 100 % of the shorter side, mirrored in half of the cases, and resize it.

    Args:
        image: (3, h, w), RGB in [0, 1], or uint8 in [0, 255].
        size: Side of the view in pixels.
        random: Decides the view.

    Returns:
        (1, 3, size, size), RGB in [0, 1].
    """
    u = torch.rand(4, generator=random).tolist()
    height, width = image.shape[-2:]
    side = max(16, round(min(height, width) * (0.6 + 0.4 * u[0])))
    top, left = round(u[1] * (height - side)), round(u[2] * (width - side))
    view = image[None, :, top : top + side, left : left + side]
    view = view.flip(3) if u[3] < 0.5 else view
    view = view.float().div(255) if view.dtype == torch.uint8 else view
    return F.interpolate(view, size=size, mode="bilinear", antialias=True)


def _train(
    network: FastStyle,
    critic: nn.Module,
    painting: Tensor,
    *,
    training: StyleTraining,
    views: Iterator[Tensor],
    shown: Tensor,
) -> Iterator[Step]:
    """Train the last style; the picture of a step is ``shown``, repainted."""
    device, style = network.last.weight.device, style_targets(critic, painting)
    only = F.one_hot(torch.tensor([len(network.styles) - 1]), len(network.styles)).float().to(device)
    optimizer = torch.optim.Adam(network.style_parameters(), lr=training.lr, betas=(0.9, 0.99))
    score = float("nan")
    for index, images in enumerate(views):
        images = images.to(device, memory_format=torch.channels_last)
        targets = {layer: target.expand(len(images), -1, -1) for layer, target in style.items()}
        with torch.enable_grad():
            terms = style_terms(network, critic, images, weights=only.expand(len(images), -1), targets=targets)
            loss = sum(terms.values())
        if not torch.isfinite(loss):
            raise AscentError(f"the loss is {loss.item()} after {index} steps; try a smaller lr")
        score = -loss.item()
        yield Step(index, score, _painted(network, shown, only))
        optimizer.param_groups[0]["lr"] = training.lr * min(1.0, 2 * (1 - index / training.steps))
        optimizer.zero_grad()
        loss.backward()
        # The mixture is the new style alone, so the gradients of all other rows are exactly 0, and Adam leaves them.
        optimizer.step()
    network.requires_grad_(False)
    yield Step(training.steps, score, _painted(network, shown, only))


@torch.no_grad()
def _painted(network: FastStyle, image: Tensor, weights: Tensor) -> Tensor:
    with half_precision(image.device):
        return network(image.to(weights.device), weights).float()
