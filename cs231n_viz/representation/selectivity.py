"""Class selectivity: which units of a layer prefer one class?"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Selectivity(NamedTuple):
    """How much each of C channels prefers one class: ``score`` (C,) in [0, 1], ``favourite`` (C,) class index."""

    score: Tensor
    favourite: Tensor


def selectivity(responses: Tensor, labels: Sequence[int] | Tensor) -> Selectivity:
    """Score how much each channel prefers one class (class selectivity index).

    For each channel the mean response to each class is taken; the class with the highest mean is the favourite. The
    score compares that mean m with the mean r over the other classes: (m - r) / (m + r). It is 0 for a channel that
    is equally active for all classes or never, 1 for one that is active for its favourite only.

    Args:
        responses: (N, C), activation of each channel for each picture, at least 0: for example
            ``features(model, gallery, "relu5", pool="max")``.
        labels: (N,) class of each picture.

    Returns:
        Score and favourite of each channel, (C,) each.

    Raises:
        ValueError: If responses are negative, do not fit the labels, or there is only one class.

    Source: Morcos et al., "On the importance of single directions for generalization", arXiv:1803.06959, section A.2.
    """
    labels = torch.as_tensor(labels)
    if responses.ndim != 2 or labels.shape != responses.shape[:1]:
        raise ValueError(
            f"wanted responses (N, C) and labels (N,), got {tuple(responses.shape)}, {tuple(labels.shape)}"
        )
    if responses.min() < 0:
        raise ValueError(f"responses must be at least 0, as after a ReLU; got {responses.min():.3g}")
    classes = labels.unique()
    if len(classes) < 2:
        raise ValueError("selectivity compares classes; these labels have only one")
    means = torch.stack([responses[labels == label].mean(dim=0) for label in classes])
    best, which = means.max(dim=0)
    rest = (means.sum(dim=0) - best) / (len(classes) - 1)
    total = best + rest
    score = torch.where(total > 0, (best - rest) / total.clamp_min(torch.finfo(total.dtype).tiny), 0)
    return Selectivity(score, classes[which])
