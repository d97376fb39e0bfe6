"""Does what one network was made to see convince another? The score of a synthesised picture."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.memory_format import arranged
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import resize
from cs231n_viz.synthesis.regularisers import total_variation


class Verdict(NamedTuple):
    """What a judge says about N pictures, each with a class that it should show.

    Attributes:
        rank: (N,) how many classes the judge finds more probable: 0 is the best.
        logit: (N,) the judge's logit of the class.
        probability: (N,) its softmax probability.
        variation: (N,) total variation of the picture: mean squared step to the next pixel, down and right.
    """

    rank: Tensor
    logit: Tensor
    probability: Tensor
    variation: Tensor

    def top(self, k: int = 5) -> float:
        """The share of pictures whose class is among the judge's ``k`` best."""
        return (self.rank < k).float().mean().item()


@torch.no_grad()
def transfer(judge: Classifier, images: Tensor, categories: Sequence[str]) -> Verdict:
    """How well do pictures that were climbed on one network transfer to another?

    A picture made for a network is no evidence when the same network praises it. Another one that was never asked
    while the picture was made is a judge.

    Args:
        judge: The other network.
        images: (N, 3, H, W), RGB in [0, 1]; resized to what the judge is used to.
        categories: For each picture the name of the class it should show.

    Returns:
        The verdict.

    Raises:
        KeyError: If the judge does not know one of the classes.
        ValueError: If there are not as many names as pictures.
    """
    if isinstance(categories, str) or len(categories) != len(images):
        raise ValueError(f"wanted one category for each of the {len(images)} images, got {categories!r}")
    rows = torch.tensor([judge.index(name) for name in categories], device=images.device)
    side = judge.input_size
    seen = resize(images, (side, side))
    with evaluating(judge):
        logits = judge(arranged(judge, seen))
    own = logits.gather(1, rows[:, None])
    return Verdict(
        rank=(logits > own).sum(dim=1),
        logit=own[:, 0],
        probability=logits.softmax(dim=1).gather(1, rows[:, None])[:, 0],
        variation=torch.stack([total_variation(image[None]) for image in images]),
    )
