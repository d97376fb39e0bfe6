"""Keep the photograph's colours in style transfer: change only its luminance, or recolour the painting beforehand."""

import torch
from torch import Tensor, nn

_LUMINANCE = (0.299, 0.587, 0.114)  # of R, G, B: ITU-R BT.601, as in JPEG


def luminance(images: Tensor) -> Tensor:
    """Compute the luminance of each pixel: (N, 3, H, W) -> (N, 1, H, W), 0 black to 1 white."""
    return torch.einsum("nchw,c->nhw", images, torch.tensor(_LUMINANCE).to(images))[:, None]


def recoloured(grey: Tensor, content: Tensor) -> Tensor:
    """Give each pixel the luminance of one picture and the colour of another.

    Args:
        grey: (N, 1, H, W), the luminance.
        content: (N, 3, H, W), RGB in [0, 1]; its difference from its own luminance is the colour.

    Returns:
        (N, 3, H, W), RGB in [0, 1]. The colour is exact: where a pixel would leave [0, 1], its luminance is changed.

    Source: Gatys et al., "Preserving Color in Neural Artistic Style Transfer", arXiv:1606.05897, section 4.
    """
    colour = content - luminance(content)
    lowest, highest = -colour.amin(dim=1, keepdim=True), 1 - colour.amax(dim=1, keepdim=True)
    return (grey.maximum(lowest).minimum(highest) + colour).clamp(0, 1)  # clamp only undoes rounding


def match_luminance(style: Tensor, content: Tensor) -> Tensor:
    """Turn a style grey, with the mean and standard deviation of the content's luminance, (1, 3, h, w)."""
    own, wanted = luminance(style), luminance(content)
    scale = wanted.std() / own.std().clamp_min(1e-6)
    return ((own - own.mean()) * scale + wanted.mean()).clamp(0, 1).expand(-1, 3, -1, -1)


def match_colours(style: Tensor, content: Tensor) -> Tensor:
    """Recolour a style so that its mean colour and its covariance of colours are those of the content.

    Args:
        style: (1, 3, h, w), RGB in [0, 1].
        content: (1, 3, H, W), RGB in [0, 1].

    Returns:
        (1, 3, h, w), clipped to [0, 1].

    Source: Gatys et al., arXiv:1606.05897, section 3.1 (Image Analogies: square roots of the covariances).
    """
    flat, wanted = style[0].flatten(1).double(), content[0].flatten(1).double()
    change = _root(torch.cov(wanted), 0.5) @ _root(torch.cov(flat), -0.5)
    moved = change @ (flat - flat.mean(1, keepdim=True)) + wanted.mean(1, keepdim=True)
    return moved.to(style).view_as(style).clamp(0, 1)


def _root(covariance: Tensor, power: float) -> Tensor:
    """A power of a symmetric matrix; eigenvalues are at least 1e-6, for pictures that lack a colour."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag(values.clamp_min(1e-6) ** power) @ vectors.mT


class Grey(nn.Module):
    """A parameterisation whose pictures are turned grey, three equal channels."""

    def __init__(self, image_of: nn.Module) -> None:
        super().__init__()
        self.image_of = image_of

    def forward(self) -> Tensor:
        """The picture, (N, 3, H, W)."""
        return luminance(self.image_of()).expand(-1, 3, -1, -1)

    def project(self) -> None:
        """Bring the parameters back to where they may be, if the parameterisation needs that."""
        getattr(self.image_of, "project", lambda: None)()
