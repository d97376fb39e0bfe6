"""Parameterisations, which say what is optimised: pixels (``Pixels``), Fourier coefficients, or only their phases.

Each is a module without inputs whose call gives a picture (N, 3, H, W), RGB in [0, 1]. The same objective optimised in
other coordinates ends elsewhere: pixels allow any noise, a spectrum weighted by 1/frequency (``Fourier``) prefers what
is smooth, phases alone (``Phase``) keep the spectrum of natural pictures, and the code of a generator
(:class:`~cs231n_viz.synthesis.generator.Codes`) allows only what that can draw.
"""

import torch
from torch import Tensor, nn

from cs231n_viz.network.checks import channels_in, check_images
from cs231n_viz.network.running import outside_inference_mode

# Square root of the covariance of colours in ImageNet, by columns.
# Source: Lucid (Olah et al., "Feature Visualization", Distill 2017), lucid/optvis/param/color.py.
_COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


class Pixels(nn.Module):
    """Optimise the pixels themselves, clipped to [0, 1] after each step.

    Args:
        start: (N, C, H, W), in [0, 1].

    Raises:
        ValueError: If the start is not a batch of pictures.
    """

    @outside_inference_mode()
    def __init__(self, start: Tensor) -> None:
        super().__init__()
        pixels = check_images(start, channels=channels_in(start))
        self.pixels = nn.Parameter(pixels.clone(memory_format=torch.contiguous_format))

    def forward(self) -> Tensor:
        """The picture, (N, 3, H, W)."""
        return self.pixels

    @torch.no_grad()
    def project(self) -> None:
        """Clip to [0, 1]."""
        self.pixels.clamp_(0, 1)


class Fourier(nn.Module):
    """Optimise the Fourier coefficients, scaled as in natural pictures, in decorrelated colours.

    Args:
        size: Height and width in pixels.
        count: Number of pictures.
        channels: 3 for RGB; other numbers have no colours to decorrelate.
        seed: Random seed of the faint initial noise.
        decay: Coefficients are scaled by frequency to the power of minus this: 0 is white, 1 natural pictures.
        decorrelate: Mix the three channels as the colours of natural pictures are mixed.
        start: (N, C, H, W), the initial pictures instead of noise.

    Raises:
        ValueError: If the start is not a batch of pictures.

    Source: Olah et al., "Feature Visualization", Distill 2017, section "Preconditioning and Parameterization".
    """

    @outside_inference_mode()
    def __init__(
        self,
        size: int | tuple[int, int],
        *,
        count: int = 1,
        channels: int = 3,
        seed: int = 0,
        decay: float = 1.0,
        decorrelate: bool = True,
        start: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        height, width = self.size
        radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
        scale = radius.clamp_min(1 / max(self.size)) ** -decay * (height * width) ** 0.5 / 4
        self.register_buffer("scale", scale)
        mix = _COLOURS / _COLOURS.norm(dim=0).max() if decorrelate and channels == 3 else torch.eye(channels)
        self.register_buffer("mix", mix)
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(count, channels, *scale.shape, 2, generator=random)
        self.spectrum = nn.Parameter(
            0.01 * noise if start is None else self._spectrum_of(check_images(start, channels=channels))
        )

    def _spectrum_of(self, image: Tensor) -> Tensor:
        logits = torch.einsum("ij,njhw->nihw", torch.linalg.inv(self.mix), image.clamp(0.01, 0.99).logit())
        return torch.view_as_real(torch.fft.rfft2(logits) / self.scale)

    def forward(self) -> Tensor:
        """The picture, (N, 3, H, W) in (0, 1)."""
        coefficients = torch.view_as_complex(self.spectrum) * self.scale
        plain = torch.fft.irfft2(coefficients, s=self.size)
        return torch.einsum("ij,njhw->nihw", self.mix, plain).sigmoid()


class Phase(nn.Module):
    """Optimise the phases of the Fourier coefficients; their magnitudes stay those of natural pictures (MACO).

    However long the optimisation, no frequency can get more than its share, so that there is no high-frequency noise
    and no need for a penalty on it.

    Args:
        size: Height and width in pixels.
        photographs: (M, 3, size) pictures, RGB in [0, 1], whose mean magnitudes are used.
        count: Number of pictures.
        seed: Random seed of the phases to begin with.
        start: (N, 3, H, W) whose phases to begin with instead of random ones.

    Raises:
        ValueError: If the photographs or the start are no pictures of this size.

    Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization",
    NeurIPS 2023, arXiv:2306.06805, eq. 3.
    Differs from the paper: the magnitudes are those of the photographs given, in logits of decorrelated colours, not
    of ImageNet; the sigmoid is the one of :class:`Fourier`.
    """

    @outside_inference_mode()
    def __init__(
        self,
        size: int | tuple[int, int],
        photographs: Tensor,
        *,
        count: int = 1,
        seed: int = 0,
        start: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        for pictures in (photographs, start):
            if pictures is not None and check_images(pictures).shape[-2:] != self.size:
                given = tuple(pictures.shape[-2:])
                raise ValueError(f"wanted pictures of {self.size} pixels, the size that is optimised, got {given}")
        self.register_buffer("mix", _COLOURS / _COLOURS.norm(dim=0).max())
        natural = self._spectrum(photographs)
        magnitude = natural.abs().mean(0)
        magnitude[:, 0, 0] = natural[:, :, 0, 0].real.mean(0)  # the mean colour has a sign and no phase
        self.register_buffer("magnitude", magnitude)
        noise = torch.randn(count, 3, *self.size, generator=torch.Generator().manual_seed(seed))
        phase = (torch.fft.rfft2(noise) if start is None else self._spectrum(start)).angle()
        phase[:, :, 0, 0] = 0
        self.phase = nn.Parameter(phase)

    def _spectrum(self, images: Tensor) -> Tensor:
        logits = torch.einsum("ij,njhw->nihw", torch.linalg.inv(self.mix), images.clamp(0.01, 0.99).logit())
        return torch.fft.rfft2(logits)

    def forward(self) -> Tensor:
        """The picture, (N, 3, H, W) in (0, 1)."""
        coefficients = self.magnitude * torch.complex(self.phase.cos(), self.phase.sin())
        plain = torch.fft.irfft2(coefficients, s=self.size)
        return torch.einsum("ij,njhw->nihw", self.mix, plain).sigmoid()


def start_noise(
    size: int | tuple[int, int],
    seed: int = 0,
    *,
    count: int = 1,
    spread: float = 0.1,
    centre: Tensor | float = 0.5,
) -> Tensor:
    """Make pictures of independent normal noise around a colour, the usual start of a synthesis.

    Args:
        size: Side, or (height, width), in pixels.
        seed: Random seed of the noise.
        count: Number of pictures.
        spread: Standard deviation of the noise.
        centre: The colour, grey or (C, 1, 1).

    Returns:
        (count, 3, height, width), RGB in [0, 1]; or with as many channels as ``centre`` has.
    """
    channels = len(centre) if isinstance(centre, Tensor) and centre.ndim == 3 else 3
    height, width = (size, size) if isinstance(size, int) else size
    noise = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(seed))
    return (centre + spread * noise).clamp(0, 1)
