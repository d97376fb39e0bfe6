"""Transferability: what another network says about pictures that were optimised on one."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cs231n_viz.network.capture import evaluating
from cs231n_viz.network.checks import check_images
from cs231n_viz.network.memory_format import to_channels_last
from cs231n_viz.network.models import Classifier
from cs231n_viz.pictures.images import resize
from cs231n_viz.synthesis.regularisers import total_variation


class Verdict(NamedTuple):
    """What another network, the judge, says about N pictures, each with a class that it should show.

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
    """Classify pictures that were optimised on one network by another one: do they transfer?

    That a network recognises a picture that was optimised on it is no evidence. Another network, which was not involved
    in the optimisation, is a judge.

    Args:
        judge: The other network.
        images: (N, 3, H, W), RGB in [0, 1]; resized to the judge's input size.
        categories: For each picture the name of the class it should show.

    Returns:
        The verdict.

    Raises:
        KeyError: If the judge does not know one of the classes.
        ValueError: If there are not as many names as pictures, or the images are not in [0, 1].
    """
    images = check_images(images, judge)
    if isinstance(categories, str) or len(categories) != len(images):
        raise ValueError(f"wanted one category for each of the {len(images)} images, got {categories!r}")
    rows = torch.tensor([judge.index(name) for name in categories], device=images.device)
    side = judge.input_size
    with evaluating(judge):
        logits = judge(to_channels_last(judge, resize(images, (side, side))))
    own = logits.gather(1, rows[:, None])
    return Verdict(
        rank=(logits > own).sum(dim=1),
        logit=own[:, 0],
        probability=logits.softmax(dim=1).gather(1, rows[:, None])[:, 0],
        variation=torch.stack([total_variation(image[None]) for image in images]),
    )
