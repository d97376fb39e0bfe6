"""Exercise of notebook 06: how fast does a class go when the pixels that a map calls important go first?"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry


def deletion_curve(
    model: nn.Module, image: Tensor, heatmap: Tensor, *, target: int, blank: Tensor, steps: int = 10
) -> Tensor:
    """The probability of a class while a picture's pixels go, the most important ones first.

    Args:
        model: (N, 3, H, W) -> logits (N, K).
        image: (3, H, W).
        heatmap: (H, W), more for more important pixels.
        target: The class.
        blank: (3, H, W), where the pixels that are gone are taken from.
        steps: Equal shares; behind step k the ``k * H * W // steps`` most important pixels are gone.

    Returns:
        (steps + 1,): first the probability of the whole picture, last that of ``blank``.
    """
    order = heatmap.flatten().argsort(descending=True)
    pictures = []
    for step in range(steps + 1):
        gone = torch.zeros(heatmap.numel(), dtype=torch.bool)
        gone[order[: step * heatmap.numel() // steps]] = True
        pictures.append(torch.where(gone.view(heatmap.shape), blank, image))
    with torch.no_grad():
        return model(torch.stack(pictures)).softmax(1)[:, target]


class Brightness(nn.Module):
    """Two classes; the logit of the second is a weighted sum of the picture, that of the first is 0."""

    def __init__(self, weights: Tensor) -> None:
        """``weights`` (3, H, W)."""
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        bright = (images * self.weights).flatten(1).sum(1)
        return torch.stack([torch.zeros_like(bright), bright], dim=1)


def _curve(
    model: nn.Module,
    image: Tensor,
    heatmap: Tensor,
    *,
    target: int,
    blank: Tensor,
    steps: int = 10,
    descending: bool = True,
    gone: Callable[[int, int], slice] = lambda count, before: slice(0, count),
    answer: Callable[[Tensor, int], Tensor] = lambda logits, target: logits.softmax(1)[:, target],
) -> Tensor:
    """The reference, with the mistakes that can be made on the way."""
    order, pictures = heatmap.flatten().argsort(descending=descending), []
    for step in range(steps + 1):
        count, before = (k * heatmap.numel() // steps for k in (step, max(step - 1, 0)))
        picture = image.clone().flatten(1)
        chosen = order[gone(count, before)]
        picture[:, chosen] = blank.flatten(1)[:, chosen]
        pictures.append(picture.view(image.shape))
    with torch.no_grad():
        return answer(model(torch.stack(pictures)), target)


def _with(**changes: object) -> Callable[..., Tensor]:
    def mistaken(
        model: nn.Module, image: Tensor, heatmap: Tensor, *, target: int, blank: Tensor, steps: int = 10
    ) -> Tensor:
        return _curve(model, image, heatmap, target=target, blank=blank, steps=steps, **changes)

    return mistaken


def _of_magnitude(
    model: nn.Module, image: Tensor, heatmap: Tensor, *, target: int, blank: Tensor, steps: int = 10
) -> Tensor:
    return _curve(model, image, heatmap.abs(), target=target, blank=blank, steps=steps)


def _to_black(
    model: nn.Module, image: Tensor, heatmap: Tensor, *, target: int, blank: Tensor, steps: int = 10
) -> Tensor:
    return _curve(model, image, heatmap, target=target, blank=torch.zeros_like(image), steps=steps)


def _insertion(
    model: nn.Module, image: Tensor, heatmap: Tensor, *, target: int, blank: Tensor, steps: int = 10
) -> Tensor:
    return _curve(model, blank, heatmap, target=target, blank=image, steps=steps)


def _without_the_first(
    model: nn.Module, image: Tensor, heatmap: Tensor, *, target: int, blank: Tensor, steps: int = 10
) -> Tensor:
    return _curve(model, image, heatmap, target=target, blank=blank, steps=steps)[1:]


def _question(**changes: object) -> dict[str, object]:
    """Four pixels of brightness 1, 2, 3 and 4 in the first colour; a good map knows which are the bright ones."""
    image = torch.zeros(3, 2, 2)
    image[0] = torch.tensor([[1.0, 4.0], [3.0, 2.0]])
    question = {
        "model": Brightness(torch.ones(3, 2, 2) * 0.3),
        "image": image,
        "heatmap": image[0] / 4,
        "target": 1,
        "blank": torch.zeros(3, 2, 2),
        "steps": 4,
    }
    return question | changes


def _odds(*logits: float) -> Tensor:
    return torch.tensor(logits).sigmoid()


_DELETION_CURVE = Entry(
    name="deletion_curve",
    reference=deletion_curve,
    stars=2,
    minutes=15,
    checks=[
        Check("four pixels go one by one, the brightest first", _question(), _odds(3.0, 1.8, 0.9, 0.3, 0.0)),
        Check(
            "a pixel that speaks against the class goes last",
            _question(
                heatmap=torch.tensor([[-5.0, 4.0], [3.0, 2.0]]),
                model=Brightness(0.3 * torch.tensor([[-1.0, 1.0], [1.0, 1.0]]).expand(3, 2, 2)),
            ),
            _odds(2.4, 1.2, 0.3, -0.3, 0.0),
        ),
        Check(
            "in two steps, another class asked for",
            _question(steps=2, target=0),
            _odds(-3.0, -0.9, 0.0),
        ),
        Check(
            "what goes is replaced by the blank picture",
            _question(blank=torch.full((3, 2, 2), 1 / 3)),
            _odds(3.0, 2.1, 1.5, 1.2, 1.2),
        ),
        Check(
            "five steps for four pixels: 0, 0, 1, 2, 3, 4 are gone",
            _question(steps=5),
            _odds(3.0, 3.0, 1.8, 0.9, 0.3, 0.0),
        ),
        Check(
            "a pixel goes in all three colours",
            _question(image=torch.tensor([[1.0, 4.0], [3.0, 2.0]]).expand(3, 2, 2).clone() / 4, steps=4),
            _odds(2.25, 1.35, 0.675, 0.225, 0.0),
        ),
    ],
    mistakes={
        "the ranking is ascending: the most important pixels go first": _with(descending=False),
        "only the pixels of one step are gone at a time: they stay gone": _with(
            gone=lambda count, before: slice(before, count)
        ),
        "logits are returned: the curve is of the probability": _with(answer=lambda logits, target: logits[:, target]),
        "the curve follows the predicted class: it must stay with the target": _with(
            answer=lambda logits, target: logits.softmax(1).amax(1)
        ),
        "softmax over the pictures: the classes of one picture compete, dim=1": _with(
            answer=lambda logits, target: logits.softmax(0)[:, target]
        ),
        "ranked by magnitude: a pixel that speaks against the class is the least important one": _of_magnitude,
        "pixels are set to black: take them from the blank picture": _to_black,
        "pixels come instead of going: this is the insertion curve": _insertion,
        "the curve lacks its beginning: with no pixel gone it has the whole picture": _without_the_first,
    },
)

ENTRIES = [_DELETION_CURVE]
