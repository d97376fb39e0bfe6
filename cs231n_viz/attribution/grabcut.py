"""Weakly supervised segmentation: a saliency map gives the seeds from which GrabCut segments the object.

:func:`seeds` turns the map into a trimap of foreground, background and undecided pixels, and :func:`cut_rounds` runs
GrabCut, which labels the undecided ones.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.network.checks import check_images
from cs231n_viz.pictures.images import to_uint8

BACKGROUND, FOREGROUND, UNDECIDED = 0, 1, 2  # GC_BGD, GC_FGD and GC_PR_BGD of OpenCV


def grabcut(
    image: Tensor, saliency_map: Tensor, *, foreground: float = 0.95, background: float = 0.30, rounds: int = 5
) -> Tensor:
    """Segment an object by GrabCut, with seeds from a saliency map.

    Which pixels belong to the object, if the most salient ones do and the least salient ones do not? GrabCut models the
    colours of foreground and background from these seeds and cuts where colours change. The largest connected
    component is the result.

    Args:
        image: (3, H, W), RGB in [0, 1].
        saliency_map: (H, W), at least 0; a smaller one is enlarged bilinearly.
        foreground: Pixels above this quantile of the map are seeds of the foreground.
        background: Pixels below this quantile are seeds of the background; what lies between is decided by GrabCut.
        rounds: Iterations of GrabCut.

    Returns:
        (H, W) bool; True on the object. The same picture and map give the same mask.

    Raises:
        ValueError: If shapes, values, quantiles or rounds do not fit, or the map is constant.

    Source: Simonyan et al., arXiv:1312.6034, section 3.2, for the seeds and their quantiles; Rother et al., "GrabCut",
        SIGGRAPH 2004, as OpenCV computes it.
    Differs from the paper: Simonyan et al. segment by GraphCut (Boykov & Jolly, ICCV 2001), one cut with colour models
        fitted to the seeds. GrabCut alternates between cutting and fitting the models to what was cut.
    """
    if image.ndim != 3 or image.shape[0] != 3 or saliency_map.ndim != 2:
        got = f"{tuple(image.shape)} and {tuple(saliency_map.shape)}"
        raise ValueError(f"wanted an image (3, H, W) and a map (H, W), got {got}")
    if not 0 < background < foreground < 1:
        raise ValueError(f"wanted 0 < background < foreground < 1, got {background} and {foreground}")
    check_images(image[None])
    if rounds < 1:
        raise ValueError(f"wanted at least one round, got {rounds}")
    size = tuple(image.shape[1:])
    enlarged = F.interpolate(saliency_map[None, None].float(), size=size, mode="bilinear", align_corners=False)[0, 0]
    trimap = seeds(enlarged, foreground=foreground, background=background)
    return next(islice(cut_rounds(image, trimap), rounds - 1, None))


def seeds(saliency_map: Tensor, *, foreground: float = 0.95, background: float = 0.30) -> Tensor:
    """Turn a saliency map into a trimap: the most salient pixels are foreground, the least salient background.

    Args:
        saliency_map: (H, W), as large as the picture.
        foreground: See :func:`grabcut`.
        background: See :func:`grabcut`.

    Returns:
        (H, W) uint8, on the cpu: ``FOREGROUND``, ``BACKGROUND`` or ``UNDECIDED``.

    Raises:
        ValueError: If the map is not finite, or constant.
    """
    if not saliency_map.isfinite().all():
        raise ValueError("the saliency map must be finite; it holds NaN or infinity")
    values = saliency_map.detach().cpu().numpy()
    low, high = np.quantile(values, [background, foreground])
    if not low < values.max():
        raise ValueError("the saliency map is constant: it gives no seeds")
    trimap = np.full(values.shape, UNDECIDED, np.uint8)
    trimap[values <= low] = BACKGROUND
    below_top = np.nextafter(values.max(), values.dtype.type(-np.inf))
    trimap[values > min(high, below_top)] = FOREGROUND  # where the top is flat, all of it
    return torch.from_numpy(trimap)


def cut_rounds(image: Tensor, trimap: Tensor) -> Iterator[Tensor]:
    """Segment a picture by GrabCut, and yield the mask after every iteration.

    Each iteration assigns the pixels to the Gaussian components of either side's colour model, fits these models again,
    and cuts the graph.

    Args:
        image: (3, H, W), RGB in [0, 1].
        trimap: (H, W) uint8 as :func:`seeds` gives it, with some foreground and some background.

    Yields:
        (H, W) bool, the largest connected component of the foreground, after each iteration; the iterator never ends.
    """
    import cv2

    pixels = to_uint8(image)[..., ::-1].copy()  # OpenCV wants BGR
    labels, mode = trimap.cpu().numpy().copy(), cv2.GC_INIT_WITH_MASK
    colour_models = np.zeros((1, 65)), np.zeros((1, 65))  # of background and foreground, in OpenCV's format
    while True:
        cv2.setRNGSeed(0)  # its first clustering of colours draws at random
        cv2.grabCut(pixels, labels, None, *colour_models, 1, mode)
        mode = cv2.GC_EVAL  # go on with the colour models so far
        foreground = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
        _, components, statistics, _ = cv2.connectedComponentsWithStats(foreground)
        yield torch.from_numpy(components == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax())
