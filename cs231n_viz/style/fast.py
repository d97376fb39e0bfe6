"""Style transfer in one forward pass: a small network that was trained on many styles, mixed by weights (Johnson)."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from cs231n_viz.network.checks import check_inputs
from cs231n_viz.network.running import outside_inference_mode
from cs231n_viz.network.shipped import WeightsError, fill, read_facts, read_state, weights_file
from cs231n_viz.writing import write_over

_WIDTHS = (16, 32, 64)
_BLOCKS = 5


class ConditionalInstanceNorm(nn.Module):
    """Instance norm with a scale γ and a shift β for each style, the only parameters that belong to a style.

    Args:
        channels: C.
        styles: S.

    Source: Dumoulin et al., "A Learned Representation For Artistic Style", ICLR 2017, arXiv:1610.07629, eq. 5.
    """

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(styles, channels))
        self.beta = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Normalise each channel of each picture; x (N, C, h, w), weights (1 or N, S) that sum to one."""
        gamma, beta = (weights.to(rows.dtype) @ rows for rows in (self.gamma, self.beta))
        # One group for each channel: instance norm, several times faster on a CPU than mean and variance by hand.
        if len(gamma) == 1 and not torch.is_grad_enabled():
            return F.group_norm(x, x.shape[1], gamma[0], beta[0], eps=1e-5)
        gamma, beta = (rows[..., None, None].to(x.dtype) for rows in (gamma, beta))
        return torch.addcmul(beta, _InstanceNorm.apply(x), gamma)


class _InstanceNorm(torch.autograd.Function):
    """Each map minus its mean, over its standard deviation, with a gradient several times faster than PyTorch's.

    PyTorch's gradient of ``group_norm`` takes up to twenty times as long as the norm where maps lie in the memory order
    of channels last and a group is one channel; it was half of the time of a training step.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        normal, _, rate = torch.native_group_norm(x, None, None, count, channels, height * width, channels, 1e-5)
        ctx.save_for_backward(normal, rate)
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        """(g - mean(g) - x̂ mean(g x̂)) / σ, x̂ being what came out."""
        normal, rate = ctx.saved_tensors
        mean, along = (g.mean((2, 3), keepdim=True) for g in (gradient, gradient * normal))
        return rate.to(normal)[..., None, None] * (gradient - torch.addcmul(mean, normal, along))


class _Layer(nn.Module):
    """Convolution with reflection padding, conditional instance norm, optional ReLU; optional upsampling before it."""

    def __init__(self, widths: tuple[int, int], styles: int, *, kernel: int = 3, stride: int = 1, up: bool = False):
        super().__init__()
        self.up = up
        pad = kernel // 2
        self.conv = nn.Conv2d(*widths, kernel, stride, pad, bias=False, padding_mode="reflect")
        self.norm = ConditionalInstanceNorm(widths[1], styles)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.norm(self.conv(x), weights)


class FastStyle(nn.Module):
    """A network that repaints pictures in any mixture of the styles that it was trained on.

    Args:
        styles: Their names.

    Source: Johnson et al., "Perceptual Losses for Real-Time Style Transfer", ECCV 2016, arXiv:1603.08155, supplement
        (the network); Dumoulin et al., arXiv:1610.07629 (conditional instance norm, upsampling before convolutions).
    Differs from the papers: half as wide, a sigmoid at the end.
    """

    def __init__(self, styles: Sequence[str]) -> None:
        super().__init__()
        self.styles = list(styles)
        count, (narrow, middle, wide) = len(self.styles), _WIDTHS
        self.first = _Layer((3, narrow), count, kernel=9)
        self.down1 = _Layer((narrow, middle), count, stride=2)
        self.down2 = _Layer((middle, wide), count, stride=2)
        self.blocks = nn.ModuleList(
            nn.ModuleList(_Layer((wide, wide), count) for _ in range(2)) for _ in range(_BLOCKS)
        )
        self.up1 = _Layer((wide, middle), count, up=True)
        self.up2 = _Layer((middle, narrow), count, up=True)
        self.last = nn.Conv2d(narrow, 3, 9, padding=4, padding_mode="reflect")

    def mixture(self, weights: Tensor) -> Tensor:
        """Normalise weights (S,) or (N, S) to rows that sum to one.

        Raises:
            ValueError: If there is not one weight for each style, or one is negative, or all are zero.
        """
        rows = torch.as_tensor(weights, dtype=torch.float32, device=self.last.weight.device)
        rows = rows[None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != len(self.styles):
            names = ", ".join(self.styles)
            raise ValueError(
                f"weights must be one for each of the {len(self.styles)} styles ({names}), got {tuple(rows.shape)}"
            )
        total = rows.sum(dim=1, keepdim=True)
        if not torch.isfinite(rows).all() or (rows < 0).any() or (total <= 0).any():
            raise ValueError(f"weights must be at least 0 and not all 0, got {rows.tolist()}")
        return rows / total

    def forward(self, images: Tensor, weights: Tensor) -> Tensor:
        """Repaint images.

        Args:
            images: (N, 3, H, W), RGB in [0, 1].
            weights: (S,) for all images or (N, S); only their ratios count.

        Returns:
            (N, 3, H, W) in (0, 1).

        Raises:
            ValueError: If the weights do not fit the styles, or a picture is smaller than 16 px or not RGB in [0, 1].
        """
        check_inputs(images, 3, self.last.weight.device)
        height, width = images.shape[-2:]
        if min(height, width) < 16:
            raise ValueError(f"pictures must be at least 16 px high and wide, got {height} × {width}")
        rows = self.mixture(weights)
        # The strides halve the size twice: other sizes are padded to a multiple of four by reflection, and cut again.
        x = F.pad(images, (0, -width % 4, 0, -height % 4), mode="reflect")
        for layer in (self.first, self.down1, self.down2):
            x = layer(x, rows).relu_()
        for one, two in self.blocks:
            x = x + two(one(x, rows).relu_(), rows)
        for layer in (self.up1, self.up2):
            x = layer(x, rows).relu_()
        return self.last(x).sigmoid()[..., :height, :width]

    def weights_of(self, **shares: float) -> Tensor:
        """Make weights (S,) from names: ``weights_of(swirls=2, mosaic=1)``.

        Raises:
            KeyError: If there is no such style.
        """
        unknown = [name for name in shares if name not in self.styles]
        if unknown:
            raise KeyError(f"there is no style {unknown[0]!r}; there are {', '.join(self.styles)}")
        return torch.tensor([float(shares.get(name, 0.0)) for name in self.styles])

    def with_style(self, name: str, like: str | None = None) -> "FastStyle":
        """Make a copy with one more style, to be trained by its scales and shifts alone.

        Args:
            name: Name of the new style.
            like: The style whose scales and shifts it begins with; the mean of all if omitted.

        Returns:
            The copy, in which only the new rows of γ and β can change: :meth:`style_parameters`.

        Source: Dumoulin et al., arXiv:1610.07629, section 3.2.
        """
        if name in self.styles:
            raise ValueError(f"there already is a style {name!r}")
        first = torch.full((len(self.styles),), 1 / len(self.styles)) if like is None else self.weights_of(**{like: 1})
        larger = copy.deepcopy(self).requires_grad_(False)
        larger.styles.append(name)
        for norm in larger.norms():
            for key in ("gamma", "beta"):
                old = getattr(norm, key).data
                setattr(norm, key, nn.Parameter(torch.cat([old, first.to(old)[None] @ old])))
        return larger

    def norms(self) -> list[ConditionalInstanceNorm]:
        """All conditional instance norms, in order."""
        return [module for module in self.modules() if isinstance(module, ConditionalInstanceNorm)]

    def style_parameters(self) -> list[nn.Parameter]:
        """The γ and β of every norm: the only parameters that belong to a style."""
        return [parameter for norm in self.norms() for parameter in (norm.gamma, norm.beta)]


@outside_inference_mode()
def load_fast_style(path: Path | str | None = None) -> FastStyle:
    """Load the style network that ships, with its styles.

    Args:
        path: Another weights file, as ``python -m training.fast_style`` writes it.

    Raises:
        WeightsError: If the file is missing, damaged, or made for another network.
    """
    file = weights_file("fast_style.safetensors", path)
    state, styles = read_state(file), read_facts(file, "styles")
    if not (isinstance(styles, list) and styles and all(isinstance(style, str) for style in styles)):
        raise WeightsError(f"{file} does not name its styles; python -m training.fast_style writes files that do")
    network = FastStyle(styles)
    fill(network, {key: value.float() for key, value in state.items()}, "the fast style network")
    return network.eval().requires_grad_(False)


def save_fast_style(network: FastStyle, path: Path | str) -> Path:
    """Save a style network, for example one with a style of your own, for ``load_fast_style(path)``.

    Args:
        network: Any style network.
        path: Path of the file, about 1 MB: weights in half precision, and the names of the styles.

    Returns:
        The path.

    Raises:
        OSError: If it cannot be written; an older file of this name then stays as it was.
    """
    state = {key: value.detach().half().cpu().contiguous() for key, value in network.state_dict().items()}
    write_over(Path(path), save(state, metadata={"styles": json.dumps(network.styles), "format": "pt"}))
    return Path(path)
