"""Whose colours should a stylised picture have? The painting's, or those of the photograph: two ways to keep them."""

import torch
from torch import Tensor, nn

_LUMINANCE = (0.299, 0.587, 0.114)  # of R, G, B: ITU-R BT.601, as in JPEG


def luminance(images: Tensor) -> Tensor:
    """How light is each pixel? (N, 3, H, W) -> (N, 1, H, W), 0 black to 1 white."""
    return torch.einsum("nchw,c->nhw", images, torch.tensor(_LUMINANCE).to(images))[:, None]


def recoloured(grey: Tensor, content: Tensor) -> Tensor:
    """Give each pixel the lightness of one picture and the colour of another.

    Args:
        grey: (N, 1, H, W), the lightness.
        content: (N, 3, H, W), RGB in [0, 1]; its difference from its own lightness is the colour.

    Returns:
        (N, 3, H, W), RGB in [0, 1]. The colour is kept exactly: where it has no room at this lightness, the lightness
        gives way.

    Source: Gatys et al., "Preserving Color in Neural Artistic Style Transfer", arXiv:1606.05897, section 4.
    """
    colour = content - luminance(content)
    lowest, highest = -colour.amin(dim=1, keepdim=True), 1 - colour.amax(dim=1, keepdim=True)
    return (grey.maximum(lowest).minimum(highest) + colour).clamp(0, 1)  # the last one against rounding only


def match_luminance(style: Tensor, content: Tensor) -> Tensor:
    """A style in grey, as light and as rich in contrast as the content, (1, 3, h, w)."""
    own, wanted = luminance(style), luminance(content)
    scale = wanted.std() / own.std().clamp_min(1e-6)
    return ((own - own.mean()) * scale + wanted.mean()).clamp(0, 1).expand(-1, 3, -1, -1)


def match_colours(style: Tensor, content: Tensor) -> Tensor:
    """Repaint a style in the colours of the content: with its mean colour and its covariance of colours.

    Args:
        style: (1, 3, h, w), RGB in [0, 1].
        content: (1, 3, H, W), RGB in [0, 1].

    Returns:
        (1, 3, h, w), brought back into [0, 1].

    Source: Gatys et al., arXiv:1606.05897, section 3.1 (Image Analogies: square roots of the covariances).
    """
    flat, wanted = style[0].flatten(1).double(), content[0].flatten(1).double()
    change = _root(torch.cov(wanted), 0.5) @ _root(torch.cov(flat), -0.5)
    moved = change @ (flat - flat.mean(1, keepdim=True)) + wanted.mean(1, keepdim=True)
    return moved.to(style).view_as(style).clamp(0, 1)


def _root(covariance: Tensor, power: float) -> Tensor:
    """A power of a symmetric matrix; a colour that a picture lacks has no direction to be stretched in."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag(values.clamp_min(1e-6) ** power) @ vectors.mT


class Grey(nn.Module):
    """A parameterisation without its colours, three equal channels."""

    def __init__(self, image_of: nn.Module) -> None:
        super().__init__()
        self.image_of = image_of

    def forward(self) -> Tensor:
        """The picture, (N, 3, H, W)."""
        return luminance(self.image_of()).expand(-1, 3, -1, -1)

    def project(self) -> None:
        """As the parameterisation does."""
        getattr(self.image_of, "project", lambda: None)()
