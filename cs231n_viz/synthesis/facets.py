"""One class has many faces: start from several kinds of its pictures, and keep the results apart.

A single ascent shows one way to excite a unit. :func:`facets` sorts pictures of a class into clusters by what the
network says about them; the mean picture of each is a start. :func:`diversity` is a term that pushes pictures which
climb together away from each other.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.network.capture import activations
from cs231n_viz.network.models import Classifier
from cs231n_viz.representation.features import Pictures, features
from cs231n_viz.representation.gram import gram_matrix
from cs231n_viz.synthesis.ascent import Ascent, Objective
from cs231n_viz.synthesis.class_visualization import visualize
from cs231n_viz.synthesis.objectives import logit


class Facets(NamedTuple):
    """The kinds of pictures in a gallery, the largest first.

    Attributes:
        starts: (F, 3, S, S) the mean of the pictures nearest to the middle of each kind, in [0, 1].
        members: For each kind the indices of its pictures, the most typical first.
    """

    starts: Tensor
    members: list[list[int]]


def facets(
    model: Classifier, gallery: Pictures, layer: str, *, count: int = 4, nearest: int = 15, seed: int = 0
) -> Facets:
    """Which kinds of pictures does the network tell apart among those of one class?

    Args:
        model: Any classifier.
        gallery: Pictures of one class.
        layer: The features that are compared, for example ``"relu7"`` or ``"gap"``; maps are averaged over places.
        count: How many kinds; k of k-means.
        nearest: A start is the mean of this many pictures nearest to the middle of their kind.
        seed: Of k-means.

    Returns:
        The kinds.

    Raises:
        ValueError: If there are fewer pictures than kinds.

    Source: Nguyen et al., "Multifaceted feature visualization", arXiv:1602.03616, section 2.
    Differs from the paper: k-means on the features themselves, not on their t-SNE map.
    """
    if not 1 <= count <= len(gallery):
        raise ValueError(f"wanted from 1 to {len(gallery)} kinds of {len(gallery)} pictures, got {count}")
    from sklearn.cluster import KMeans  # takes a second to import, and only this function needs it

    vectors = features(model, gallery, layer, pool="mean", progress=False)
    found = KMeans(count, n_init=4, random_state=seed).fit(vectors.numpy())
    middles, labels = torch.from_numpy(found.cluster_centers_), torch.from_numpy(found.labels_)
    distance = (vectors - middles[labels]).norm(dim=1)
    members = []
    for kind in labels.bincount(minlength=count).argsort(descending=True, stable=True).tolist():
        rows = (labels == kind).nonzero()[:, 0]
        members.append(rows[distance[rows].argsort(stable=True)].tolist())
    starts = [model.prepare([gallery[row][0] for row in rows[:nearest]]).mean(0) for rows in members]
    return Facets(torch.stack(starts), members)


def diversity(model: nn.Module, layer: str) -> Objective:
    """Minus the mean cosine similarity between the textures of any two pictures, times their number.

    Textures are compared by the Gram matrices of ``layer``, so that moving the same thing elsewhere is no way out.

    Raises:
        ValueError: If there is only one picture.

    Source: Olah et al., "Feature Visualization", Distill 2017, appendix "Diversity".
    """

    def score(images: Tensor) -> Tensor:
        count = len(images)
        if count < 2:
            raise ValueError("diversity compares pictures: it wants at least 2 that climb together")
        maps = activations(model, images, [layer], gradients=True)[layer]
        textures = F.normalize(gram_matrix(maps).flatten(1), dim=1)
        similarity = textures @ textures.T
        return -(similarity.sum() - similarity.trace()) / (count - 1)

    return score


def multifaceted(
    model: Classifier,
    target: int,
    starts: Tensor,
    *,
    layer: str,
    weight: float = 10.0,
    **options: object,
) -> Ascent:
    """Several pictures of one class that climb together and must differ.

    Args:
        model: Any classifier.
        target: Class index.
        starts: (F, 3, S, S), for example ``facets(...).starts``.
        layer: Whose textures are to differ, for example ``"relu3"``.
        weight: Of the diversity; 0 leaves only the starts.
        options: Those of :func:`~cs231n_viz.synthesis.class_visualization.visualize`.

    Returns:
        The ascent, its picture (F, 3, S, S).

    Raises:
        ValueError: If there is one start only, while ``weight`` is not 0.

    Source: Nguyen et al., arXiv:1602.03616, section 2 (the starts); Olah et al., Distill 2017 (the diversity).
    """
    own = logit(model, target)
    apart = diversity(model, layer)
    objective = (lambda images: own(images) + weight * apart(images)) if weight else own
    ascent = visualize(model, objective, start=starts, **options)
    facts = {"class": model.categories[target], "diversity": weight, "diversity layer": layer}
    ascent.settings = {**ascent.settings, **facts}
    return ascent
