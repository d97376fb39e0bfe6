"""The deletion curve: a test of attribution maps."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cs231n_viz.exercises.core import Check, Entry
from cs231n_viz.exercises.fixtures import dtype_of, integers, pixels


def deletion_curve(
    model: nn.Module, image: Tensor, heatmap: Tensor, *, target: int, blank: Tensor, steps: int = 10
) -> Tensor:
    """Follow the probability of a class while an image's pixels are deleted, the most important ones first.

    Args:
        model: (N, 3, H, W) -> logits (N, K).
        image: (3, H, W).
        heatmap: (H, W), more for more important pixels.
        target: The class.
        blank: (3, H, W), where the pixels that are deleted are taken from.
        steps: Equal shares; after step k the ``k * H * W // steps`` most important pixels are deleted.

    Returns:
        (steps + 1,): first the probability of the whole image, last that of ``blank``.
    """
    order = heatmap.flatten().argsort(descending=True)
    images = []
    for step in range(steps + 1):
        deleted = torch.zeros(heatmap.numel(), dtype=torch.bool)
        deleted[order[: step * heatmap.numel() // steps]] = True
        images.append(torch.where(deleted.view(heatmap.shape), blank, image))
    with torch.no_grad():
        return model(torch.stack(images)).softmax(1)[:, target]


class Brightness(nn.Module):
    """Two classes; the logit of the second is a weighted sum of the image, that of the first is 0."""

    def __init__(self, weights: Tensor) -> None:
        """``weights`` (3, H, W)."""
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        bright = (images * self.weights).flatten(1).sum(1)
        return torch.stack([torch.zeros_like(bright), bright], dim=1)


def _curve(
    *,
    descending: bool = True,
    deleted: Callable[[int, int], slice] = lambda count, before: slice(0, count),
    count_of: Callable[[int, int, int], int] = lambda step, size, steps: step * size // steps,
    order_of: Callable[[Tensor], Tensor] = torch.flatten,
    colours: slice = slice(None),
    value: Callable[[Tensor, int], Tensor] = lambda logits, target: logits.softmax(1)[:, target],
) -> Callable[..., Tensor]:
    """The reference, with the mistakes that can be made on the way."""

    def curve(model: nn.Module, image: Tensor, heatmap: Tensor, target: int, blank: Tensor, steps: int) -> Tensor:
        order, images = order_of(heatmap).argsort(descending=descending), []
        for step in range(steps + 1):
            count, before = (count_of(k, heatmap.numel(), steps) for k in (step, max(step - 1, 0)))
            changed = image.clone().flatten(1)
            chosen = order[deleted(count, before)]
            changed[colours, chosen] = blank.flatten(1)[colours, chosen]
            images.append(changed.view(image.shape))
        with torch.no_grad():
            return value(model(torch.stack(images)), target)

    return curve


def _by_limit(*, inclusive: bool) -> Callable[..., Tensor]:
    """A limit instead of a number of pixels."""

    def curve(model: nn.Module, image: Tensor, heatmap: Tensor, target: int, blank: Tensor, steps: int) -> Tensor:
        values, images = sorted(heatmap.flatten().tolist(), reverse=True), []
        limits = [float("inf"), *values] if inclusive else [*values, -float("inf")]
        for step in range(steps + 1):
            limit = limits[step * len(values) // steps]
            images.append(torch.where(heatmap >= limit if inclusive else heatmap > limit, blank, image))
        with torch.no_grad():
            return model(torch.stack(images)).softmax(1)[:, target]

    return curve


def _by_height(model: nn.Module, image: Tensor, heatmap: Tensor, target: int, blank: Tensor, steps: int) -> Tensor:
    height, images = len(heatmap), []
    order = heatmap.flatten().argsort(descending=True)
    for step in range(steps + 1):
        changed, gone = image.clone(), order[: step * heatmap.numel() // steps]
        changed[:, gone // height, gone % height] = blank[:, gone // height, gone % height]
        images.append(changed)
    with torch.no_grad():
        return model(torch.stack(images)).softmax(1)[:, target]


# One bright pixel, which is all that a map shows, and three that are equal.
_EQUAL = torch.zeros(3, 2, 2)
_EQUAL[0] = torch.tensor([[1.0, 4.0], [1.0, 1.0]])


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


def _wide(title: str, steps: int) -> Check:
    """A picture of 2×3: each pixel that goes changes the logit by weight × (blank − image)."""
    weights, image, blank = integers(3, 2, 3) / 8, pixels(3, 2, 3), pixels(3, 3, 2).mT
    places = [(1, 0), (0, 2), (1, 1), (0, 0), (1, 2), (0, 1)]  # the most important one first
    heatmap = torch.zeros(2, 3)
    logits = [float((weights * image).sum())]
    for rank, (row, column) in enumerate(places):
        heatmap[row, column] = 3 - rank
        change = weights[:, row, column] * (blank[:, row, column] - image[:, row, column])
        logits.append(logits[-1] + float(change.sum()))
    expected = _probabilities(*[logits[step * 6 // steps] for step in range(steps + 1)])
    fed = {"model": Brightness(weights), "image": image, "heatmap": heatmap, "target": 1, "blank": blank}
    return Check(title, fed | {"steps": steps}, expected)


def _probabilities(*logits: float) -> Tensor:
    return torch.tensor(logits).sigmoid()


ENTRY = Entry(
    name="deletion_curve",
    reference=deletion_curve,
    stars=2,
    minutes=15,
    hints=(
        "For each step: which pixels are gone by then, what stands in their place, and which number do you read off"
        " the network?",
        "Sort the flattened map in descending order once; for each k from 0 to steps mark the first `k * H * W // "
        "steps` places, merge image and blank with `torch.where`, and take the softmax over the classes of the "
        "stacked images.",
    ),
    checks=[
        Check(
            "four pixels are deleted one by one, the brightest first",
            _question(),
            _probabilities(3.0, 1.8, 0.9, 0.3, 0.0),
        ),
        Check(
            "a pixel that is evidence against the class is deleted last",
            _question(
                heatmap=torch.tensor([[-5.0, 4.0], [3.0, 2.0]]),
                model=Brightness(0.3 * torch.tensor([[-1.0, 1.0], [1.0, 1.0]]).expand(3, 2, 2)),
            ),
            _probabilities(2.4, 1.2, 0.3, -0.3, 0.0),
        ),
        Check("in two steps, another class asked for", _question(steps=2, target=0), _probabilities(-3.0, -0.9, 0.0)),
        Check(
            "deleted pixels are replaced by those of the blank image",
            _question(blank=torch.full((3, 2, 2), 1 / 3)),
            _probabilities(3.0, 2.1, 1.5, 1.2, 1.2),
        ),
        Check(
            "five steps for four pixels, three of them equal: 0, 0, 1, 2, 3, 4 are deleted",
            _question(image=_EQUAL, heatmap=(_EQUAL[0] > 1).float(), steps=5),
            _probabilities(2.1, 2.1, 0.9, 0.6, 0.3, 0.0),
        ),
        Check(
            "a pixel is deleted in all three colours",
            _question(image=torch.tensor([[1.0, 4.0], [3.0, 2.0]]).expand(3, 2, 2).clone() / 4, steps=4),
            _probabilities(2.25, 1.35, 0.675, 0.225, 0.0),
        ),
        _wide("a picture of 2×3, a blank of many colours", 6),
        _wide("and in four steps: 0, 1, 3, 4 and 6 pixels", 4),
        Check("in float32, as later cells compare it", _question(), "float32", dtype_of),
    ],
    mistakes={
        "the ranking is ascending: the most important pixels go first": _curve(descending=False),
        "only the pixels of one step are deleted at a time: they stay deleted": (
            _curve(deleted=lambda count, before: slice(before, count))
        ),
        "logits are returned: the curve is of the probability": _curve(value=lambda logits, target: logits[:, target]),
        "the curve follows the predicted class: it must stay with the target": (
            _curve(value=lambda logits, target: logits.softmax(1).amax(1))
        ),
        "softmax over the images: the classes of one image compete, dim=1": (
            _curve(value=lambda logits, target: logits.softmax(0)[:, target])
        ),
        "ranked by magnitude: a pixel that is evidence against the class is the least important one": (
            lambda model, image, heatmap, *rest: _curve()(model, image, heatmap.abs(), *rest)
        ),
        "pixels are set to black: take them from the blank image": (
            lambda model, image, heatmap, target, blank, steps: _curve()(
                model, image, heatmap, target, torch.zeros_like(image), steps
            )
        ),
        "pixels are inserted instead of deleted: this is the insertion curve": (
            lambda model, image, heatmap, target, blank, steps: _curve()(model, blank, heatmap, target, image, steps)
        ),
        "the curve lacks its beginning: with no pixel deleted it has the whole image": (
            lambda *fed: _curve()(*fed)[1:]
        ),
        "after step k, k * H * W // steps pixels are gone, rounded down": (
            _curve(count_of=lambda step, size, steps: step * (size // steps)),
            _curve(count_of=lambda step, size, steps: -(-step * size // steps)),
            _curve(count_of=lambda step, size, steps: round(step * size / steps)),
            _curve(count_of=lambda step, size, steps: min(step * -(-size // steps), size)),
            _curve(count_of=lambda step, size, steps: int((step * size / steps) + 0.5)),
        ),
        "one pixel a step, whatever the number of steps": _curve(count_of=lambda step, size, steps: step),
        "rows and columns are mixed up: flatten map, image and blank alike": (
            _curve(order_of=lambda heatmap: heatmap.T.flatten())
        ),
        "only one colour is deleted: all three go": tuple(_curve(colours=slice(c, c + 1)) for c in range(3)),
        "the logit alone is squashed: softmax over all classes": (
            _curve(value=lambda logits, target: logits[:, target].sigmoid())
        ),
        "the logarithm of the probability: the probability was asked for": (
            _curve(value=lambda logits, target: logits.log_softmax(1)[:, target])
        ),
        "divided by its first value: the curve is of the probability": lambda *fed: _curve()(*fed) / _curve()(*fed)[0],
        "this is how far the probability falls: the probability itself was asked for": (
            lambda *fed: _curve()(*fed)[0] - _curve()(*fed)
        ),
        "the curve lacks its end: last comes the probability of blank": lambda *fed: _curve()(*fed)[:-1],
        "the curve begins with blank: it begins with the image": lambda *fed: _curve()(*fed).flip(0),
        "deleted pixels get one colour, a mean: take those of blank at the same place": (
            lambda model, image, heatmap, target, blank, steps: _curve()(
                model, image, heatmap, target, blank.mean((1, 2), keepdim=True).expand_as(blank), steps
            ),
            lambda model, image, heatmap, target, blank, steps: _curve()(
                model, image, heatmap, target, image.mean((1, 2), keepdim=True).expand_as(blank), steps
            ),
            lambda model, image, heatmap, target, blank, steps: _curve()(
                model, image, heatmap, target, blank.mean().expand_as(blank), steps
            ),
        ),
        "the target is ignored: the curve follows another class": (
            _curve(value=lambda logits, target: logits.softmax(1)[:, 0]),
            _curve(value=lambda logits, target: logits.softmax(1)[:, 1]),
            _curve(value=lambda logits, target: 1 - logits.softmax(1)[:, target]),
        ),
        "pixels of the same importance go all at once: their number is asked for, a limit does not count them": (
            _by_limit(inclusive=True),
            _by_limit(inclusive=False),
        ),
        "a place in the flattened map is row index // W and column index % W, the width both times": _by_height,
    },
)
