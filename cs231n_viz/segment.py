"""From a saliency map to the outline of the object."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.scores import check_images


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
        ValueError: If shapes, values or quantiles do not fit, or the map is the same everywhere.

    Source: Simonyan et al., arXiv:1312.6034, section 3.2, with its quantiles; Rother et al., "GrabCut", SIGGRAPH 2004,
        as OpenCV computes it.
    """
    if image.ndim != 3 or image.shape[0] != 3 or saliency_map.ndim != 2:
        got = f"{tuple(image.shape)} and {tuple(saliency_map.shape)}"
        raise ValueError(f"wanted an image (3, H, W) and a map (H, W), got {got}")
    if not 0 < background < foreground < 1:
        raise ValueError(f"wanted 0 < background < foreground < 1, got {background} and {foreground}")
    check_images(image[None])
    if not saliency_map.isfinite().all():
        raise ValueError("the saliency map must be finite; it holds NaN or infinity")
    import cv2

    size = tuple(image.shape[1:])
    enlarged = F.interpolate(saliency_map[None, None].float(), size=size, mode="bilinear", align_corners=False)
    values = enlarged[0, 0].detach().cpu().numpy()
    low, high = np.quantile(values, [background, foreground])
    if not low < values.max():
        raise ValueError("the saliency map is the same everywhere: it gives no seeds")
    marks = np.full(size, cv2.GC_PR_BGD, np.uint8)
    marks[values <= low] = cv2.GC_BGD
    marks[values >= max(high, np.nextafter(low, np.inf))] = cv2.GC_FGD
    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()[..., ::-1].copy()
    cv2.setRNGSeed(0)  # its clustering of colours draws at random
    cv2.grabCut(pixels, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, pieces, statistics, _ = cv2.connectedComponentsWithStats(inside)
    return torch.from_numpy(pieces == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax())
