"""From a saliency map to the outline of the object."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.network.checks import check_images

GROUND, OBJECT, UNDECIDED = 0, 1, 2  # GC_BGD, GC_FGD and GC_PR_BGD of OpenCV


def grabcut(
    image: Tensor, saliency_map: Tensor, *, foreground: float = 0.95, background: float = 0.30, rounds: int = 5
) -> Tensor:
    """Which pixels belong to the object, if the most salient ones do and the least salient ones do not?

    GrabCut learns the colours of both sides from these seeds and cuts where colours change. The largest connected
    piece is kept.

    Args:
        image: (3, H, W), RGB in [0, 1].
        saliency_map: (H, W), at least 0, or smaller: it is then enlarged.
        foreground: Pixels above this quantile of the map are seeds of the object.
        background: Pixels below this quantile are seeds of the background; what lies between is decided by GrabCut.
        rounds: Of GrabCut.

    Returns:
        (H, W) bool; True on the object. The same picture and map give the same mask.

    Raises:
        ValueError: If shapes, values, quantiles or rounds do not fit, or the map is the same everywhere.

    Source: Simonyan et al., arXiv:1312.6034, section 3.2, with its quantiles; Rother et al., "GrabCut", SIGGRAPH 2004,
        as OpenCV computes it.
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
    marks = seeds(enlarged, foreground=foreground, background=background)
    return next(islice(cut_rounds(image, marks), rounds - 1, None))


def seeds(saliency_map: Tensor, *, foreground: float = 0.95, background: float = 0.30) -> Tensor:
    """From which pixels does GrabCut learn the colours of the object, and from which those of the background?

    Args:
        saliency_map: (H, W), as large as the picture.
        foreground: See :func:`grabcut`.
        background: See :func:`grabcut`.

    Returns:
        (H, W) uint8, on the cpu: ``OBJECT``, ``GROUND`` or ``UNDECIDED``.

    Raises:
        ValueError: If the map is not finite, or the same everywhere.
    """
    if not saliency_map.isfinite().all():
        raise ValueError("the saliency map must be finite; it holds NaN or infinity")
    values = saliency_map.detach().cpu().numpy()
    low, high = np.quantile(values, [background, foreground])
    if not low < values.max():
        raise ValueError("the saliency map is the same everywhere: it gives no seeds")
    marks = np.full(values.shape, UNDECIDED, np.uint8)
    marks[values <= low] = GROUND
    marks[values > min(high, np.nextafter(values.max(), -np.inf))] = OBJECT  # where the top is flat, all of it
    return torch.from_numpy(marks)


def cut_rounds(image: Tensor, marks: Tensor) -> Iterator[Tensor]:
    """What does GrabCut cut out, round by round?

    Each round assigns the pixels to the colours of either side, learns these colours anew, and cuts.

    Args:
        image: (3, H, W), RGB in [0, 1].
        marks: (H, W) uint8 as :func:`seeds` gives them, some of the object and some of the background.

    Yields:
        (H, W) bool, the largest connected piece of the object, after one round, after two, and so on without end.
    """
    import cv2

    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()[..., ::-1].copy()
    sides, mode = marks.cpu().numpy().copy(), cv2.GC_INIT_WITH_MASK
    colours = np.zeros((1, 65)), np.zeros((1, 65))  # of either side, as OpenCV keeps them
    while True:
        cv2.setRNGSeed(0)  # its first clustering of colours draws at random
        cv2.grabCut(pixels, sides, None, *colours, 1, mode)
        mode = cv2.GC_EVAL  # go on with the colours learned so far
        inside = np.isin(sides, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
        _, pieces, statistics, _ = cv2.connectedComponentsWithStats(inside)
        yield torch.from_numpy(pieces == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax())
