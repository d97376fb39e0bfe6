"""Random views of a picture (transformation robustness): jitter, shifts, changes of size, rotations.

An objective that must be large in all of them cannot be raised by high-frequency noise.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from cs231n_viz.synthesis.ascent import Objective


def jitter(images: Tensor, pixels: int, random: torch.Generator) -> tuple[Tensor, tuple[int, int]]:
    """Roll pictures by up to ``pixels`` in each direction; what leaves at one side comes in at the other.

    Args:
        images: (N, C, H, W).
        pixels: Largest shift.
        random: Generator of the random shift.

    Returns:
        The shifted pictures, and the shift (down, right); ``torch.roll`` by minus it undoes it exactly.
    """
    down, right = torch.randint(-pixels, pixels + 1, (2,), generator=random).tolist()
    return images.roll((down, right), dims=(2, 3)), (down, right)


def view(
    images: Tensor,
    random: torch.Generator,
    *,
    shift: float = 12.0,
    scale: float = 0.1,
    turn: float = 10.0,
) -> Tensor:
    """Transform all pictures alike at random: shift, scale and rotate them about the centre.

    Args:
        images: (N, 3, H, W).
        random: Generator of the random view.
        shift: Largest shift in pixels, in each direction.
        scale: Largest relative change of size.
        turn: Largest angle in degrees.

    Returns:
        (N, 3, H, W); beyond the border the picture is mirrored.

    Source: Olah et al., "Feature Visualization", Distill 2017 (transformation robustness).
    Differs from the paper: one bilinear resampling instead of five, mirrored borders instead of grey ones.
    """
    u = (2 * torch.rand(4, generator=random) - 1).tolist()
    height, width = images.shape[-2:]
    size, angle = 1 + scale * u[0], math.radians(turn * u[1])
    cos, sin = size * math.cos(angle), size * math.sin(angle)
    across, down = 2 * shift * u[2] / width, 2 * shift * u[3] / height
    moves = torch.tensor([[[cos, -sin * height / width, across], [sin * width / height, cos, down]]])
    grid = F.affine_grid(moves.to(images), [1, 3, height, width], align_corners=False)
    return F.grid_sample(images, grid.expand(len(images), -1, -1, -1), padding_mode="reflection", align_corners=False)


def robust(objective: Objective, *, seed: int = 0, **limits: float) -> Objective:
    """The same objective, evaluated on another random view of the picture each time.

    Args:
        objective: Images -> scalar.
        seed: Random seed of the views.
        limits: ``shift``, ``scale`` and ``turn`` of :func:`view`.
    """
    random = torch.Generator().manual_seed(seed)
    return lambda images: objective(view(images, random, **limits))
