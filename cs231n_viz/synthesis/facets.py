"""Multifaceted class visualization: start from several clusters of a class, its facets.

A single ascent shows one way to excite a unit. :func:`facets` sorts pictures of a class into clusters by their
features; the mean picture of each is a start. :func:`diversity` is a term of the objective that pushes pictures which
are optimised together away from each other.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.deprecation import moved_keywords
from cs231n_viz.network.capture import activations
from cs231n_viz.network.checks import check_targets
from cs231n_viz.network.models import Classifier
from cs231n_viz.representation.features import Pictures, features
from cs231n_viz.representation.gram import gram_matrix
from cs231n_viz.synthesis.ascent import DEFAULT_UPDATE, Ascent, Objective, Update
from cs231n_viz.synthesis.class_visualization import visualize
from cs231n_viz.synthesis.objectives import logit


class Facets(NamedTuple):
    """The facets (clusters) of pictures in a gallery, the largest first.

    Attributes:
        starts: (F, 3, S, S) the mean of the pictures nearest to the mean of each facet, in [0, 1].
        members: For each facet the indices of its pictures, the most typical first.
    """

    starts: Tensor
    members: list[list[int]]


def facets(
    model: Classifier, gallery: Pictures, layer: str, *, count: int = 4, nearest: int = 15, seed: int = 0
) -> Facets:
    """Sort pictures of one class by k-means on their features: which facets of the class does the network tell apart?

    Args:
        model: Any classifier.
        gallery: Pictures of one class.
        layer: The features that are compared, for example ``"relu7"`` or ``"gap"``; maps are averaged over positions.
        count: Number of facets, k of k-means.
        nearest: A start is the mean of this many pictures, those nearest to the mean of their cluster.
        seed: Random seed of k-means.

    Returns:
        The facets.

    Raises:
        ValueError: If there are fewer pictures than facets.

    Source: Nguyen et al., "Multifaceted feature visualization", arXiv:1602.03616, section 2.
    Differs from the paper: k-means on the features themselves, not on their t-SNE map.
    """
    if not 1 <= count <= len(gallery):
        raise ValueError(f"wanted from 1 to {len(gallery)} facets of {len(gallery)} pictures, got {count}")
    from sklearn.cluster import KMeans  # takes a second to import, and only this function needs it

    vectors = features(model, gallery, layer, pool="mean", progress=False)
    clusters = KMeans(count, n_init=4, random_state=seed).fit(vectors.numpy())
    means, labels = torch.from_numpy(clusters.cluster_centers_), torch.from_numpy(clusters.labels_)
    distance = (vectors - means[labels]).norm(dim=1)
    members = []
    for facet in labels.bincount(minlength=count).argsort(descending=True, stable=True).tolist():
        rows = (labels == facet).nonzero()[:, 0]
        members.append(rows[distance[rows].argsort(stable=True)].tolist())
    starts = [model.prepare([gallery[row][0] for row in rows[:nearest]]).mean(0) for rows in members]
    return Facets(torch.stack(starts), members)


def diversity(model: nn.Module, layer: str) -> Objective:
    """An objective that makes pictures differ: minus the mean cosine similarity of any two textures, times N.

    Textures are compared by the Gram matrices of ``layer``, so that moving the same thing elsewhere does not raise it.

    Args:
        model: Any network.
        layer: A layer of maps.

    Returns:
        Images (N, 3, H, W) -> scalar from -N to N. It raises ValueError if there is only one picture.

    Source: Olah et al., "Feature Visualization", Distill 2017, appendix "Diversity".
    """

    def score(images: Tensor) -> Tensor:
        count = len(images)
        if count < 2:
            raise ValueError("diversity compares pictures: at least 2 must be optimised together")
        maps = activations(model, images, [layer], gradients=True)[layer]
        textures = F.normalize(gram_matrix(maps).flatten(1), dim=1)
        similarity = textures @ textures.T
        return -(similarity.sum() - similarity.trace()) / (count - 1)

    return score


@moved_keywords(lr="update.lr", rule="update.rule")
def multifaceted(
    model: Classifier,
    target: int | str,
    starts: Tensor,
    *,
    layer: str,
    weight: float = 10.0,
    update: Update = DEFAULT_UPDATE,
    **options: object,
) -> Ascent:
    """Optimise several pictures of one class together, with an objective that makes them differ.

    Args:
        model: Any classifier.
        target: Class index or name.
        starts: (F, 3, S, S), for example ``facets(...).starts``.
        layer: Whose textures are to differ, for example ``"relu3"``.
        weight: Weight of the diversity; with 0 only the starts differ.
        update: As for :func:`~cs231n_viz.synthesis.class_visualization.visualize`.
        options: The others of :func:`~cs231n_viz.synthesis.class_visualization.visualize`.

    Returns:
        The ascent, its picture (F, 3, S, S).

    Raises:
        KeyError: If there is no class of that name.
        ValueError: If there is one start only, while ``weight`` is not 0.

    Source: Nguyen et al., arXiv:1602.03616, section 2 (the starts); Olah et al., Distill 2017 (the diversity).
    """
    row = int(check_targets(target, 1, len(model.categories), model))
    of_class, different = logit(model, row), diversity(model, layer)
    objective = (lambda images: of_class(images) + weight * different(images)) if weight else of_class
    ascent = visualize(model, objective, start=starts, update=update, **options)
    ascent.settings |= {"class": model.categories[row], "diversity": weight, "diversity layer": layer}
    return ascent
