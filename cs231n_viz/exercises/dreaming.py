"""Exercises of notebook 09: the gradient of DeepDream, the jitter around it, and what goes from octave to octave."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cs231n_viz.exercises.core import Check, Entry


def dream_gradient(features: nn.Module, images: Tensor) -> Tensor:
    """How must a picture change so that a layer's activations, whatever they are, grow?

    Args:
        features: The network up to the layer: images (N, 3, H, W) -> activations (N, C, h, w).
        images: (N, 3, H, W), RGB in [0, 1].

    Returns:
        (N, 3, H, W): what arrives at the picture when the gradient at the layer is set to the layer's activation.
    """
    pixels = images.clone().requires_grad_()
    activation = features(pixels)
    (gradient,) = torch.autograd.grad(activation, pixels, grad_outputs=activation.detach())
    return gradient


def _gradient(upstream: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor] = lambda g: g) -> Callable:
    """The reference with another gradient at the layer, or something done to the result."""

    def gradient(features: nn.Module, images: Tensor) -> Tensor:
        pixels = images.clone().requires_grad_()
        activation = features(pixels)
        return after(torch.autograd.grad(activation, pixels, upstream(activation.detach()))[0])

    return gradient


def _strongest(activation: Tensor) -> Tensor:
    flat = activation.flatten(1)
    return F.one_hot(flat.argmax(1), flat.shape[1]).to(flat).view_as(activation)


def _network(weights: list[list[float]], bias: list[float], *, relu: bool = False, size: int = 1) -> nn.Module:
    """A convolution with filters of one value over size × size pixels, with or without a rectifier behind it."""
    layer = nn.Conv2d(3, len(weights), size, stride=size)
    layer.weight.data = torch.tensor(weights)[..., None, None].expand(-1, -1, size, size).contiguous()
    layer.bias.data = torch.tensor(bias)
    return (nn.Sequential(layer, nn.ReLU()) if relu else nn.Sequential(layer)).eval()


def _closed(network: nn.Module, images: Tensor) -> Tensor:
    """Wᵀ(Wx + b), where the rectifier lets it pass, written out."""
    layer = network[0]
    size, weight = layer.kernel_size[0], layer.weight.data[..., 0, 0]
    blocks = images.unfold(2, size, size).unfold(3, size, size).sum((4, 5))
    found = torch.einsum("ci,nihw->nchw", weight, blocks) + layer.bias.data[:, None, None]
    found = found.clamp_min(0) if len(network) > 1 else found
    spread = torch.einsum("ci,nchw->nihw", weight, found)
    return spread.repeat_interleave(size, 2).repeat_interleave(size, 3)


def _pictures(count: int, rows: int, columns: int) -> Tensor:
    places = torch.arange(count * 3 * rows * columns, dtype=torch.float32)
    return ((places * 11 + 3) % 17 / 16).reshape(count, 3, rows, columns)


def _dream(title: str, network: nn.Module, images: Tensor) -> Check:
    return Check(title, {"features": network, "images": images}, _closed(network, images))


_DREAM_GRADIENT = Entry(
    name="dream_gradient",
    reference=dream_gradient,
    stars=2,
    minutes=10,
    checks=[
        _dream("one filter: its weights times its activation", _network([[1.0, -2.0, 0.5]], [0.0]), _pictures(1, 2, 3)),
        _dream("two filters with biases", _network([[1.0, 0, 2.0], [0.5, -1, 0]], [0.5, -2.0]), _pictures(1, 3, 2)),
        _dream(
            "behind a ReLU: a filter that is silent adds nothing",
            _network([[1.0, -1.0, 0.5], [-2.0, 0.5, 1.0]], [-0.2, 0.1], relu=True),
            _pictures(1, 3, 4),
        ),
        _dream(
            "two pictures, filters of 2×2 pixels",
            _network([[0.5, 1.0, -1.0], [1.0, 0.25, 0.5]], [0.1, -1.0], relu=True, size=2),
            _pictures(2, 4, 6),
        ),
    ],
    mistakes={
        "the gradient at the layer is 1 everywhere, as of the sum of the activations: set it to the activation": (
            _gradient(torch.ones_like),
            _gradient(lambda a: torch.ones_like(a) / a.numel()),
            _gradient(lambda a: torch.ones_like(a) / a[0].numel()),
        ),
        "twice too large: ½‖a‖² has the gradient a, ‖a‖² has 2a": _gradient(lambda a: 2 * a),
        "this is the gradient of the mean of the squares: it shrinks as the layer grows; set it to the activation": (
            _gradient(lambda a: 2 * a / a.numel()),
            _gradient(lambda a: a / a.numel()),
            _gradient(lambda a: 2 * a / a[0].numel()),
            _gradient(lambda a: a / a[0].numel()),
        ),
        "the sign is flipped: this makes the layer fall silent": _gradient(lambda a: -a),
        "only the signs of the activations are sent back: strong ones must count more": _gradient(torch.sign),
        "only the strongest activation is sent back: a dream takes the whole layer": (
            _gradient(_strongest),
            _gradient(lambda a: a * _strongest(a)),
        ),
        "only activations above 0 are sent back: the layer may have no ReLU": _gradient(lambda a: a.clamp_min(0)),
        "divided by the mean magnitude: that is done by the step, not by the gradient": _gradient(
            lambda a: a, lambda g: g / g.abs().mean()
        ),
    },
)


def jittered_gradient(
    gradient_of: Callable[[Tensor], Tensor], images: Tensor, *, down: int, right: int
) -> Tensor:  # fmt: skip
    """What is the gradient of a picture that the network saw shifted?

    Args:
        gradient_of: Images (N, 3, H, W) -> gradient (N, 3, H, W).
        images: (N, 3, H, W).
        down: Pixels by which the network sees the pictures shifted down; what leaves comes in at the other side.
        right: And to the right.

    Returns:
        (N, 3, H, W), the gradient at the places of ``images``: nothing of the shift is left.
    """
    shifted = images.roll((down, right), dims=(2, 3))
    return gradient_of(shifted).roll((-down, -right), dims=(2, 3))


def _filled(images: Tensor, down: int, right: int) -> Tensor:
    """Shifted, and black where nothing comes in."""
    rolled = images.roll((down, right), (2, 3))
    rows, columns = torch.arange(images.shape[2])[:, None] - down, torch.arange(images.shape[3]) - right
    return rolled * ((rows >= 0) & (rows < images.shape[2]) & (columns >= 0) & (columns < images.shape[3]))


_Move = Callable[[int, int], tuple[int, int]]


def _jittered(there: _Move, back: _Move, shift: Callable | None = None) -> Callable[..., Tensor]:
    shift = shift or (lambda images, down, right: images.roll((down, right), (2, 3)))

    def gradient(gradient_of: Callable[[Tensor], Tensor], images: Tensor, down: int, right: int) -> Tensor:
        return shift(gradient_of(shift(images, *there(down, right))), *back(down, right))

    return gradient


class Weighted:
    """The gradient of Σ w x² / 2: w x, with other weights at every place."""

    def __init__(self, rows: int, columns: int) -> None:
        places = torch.arange(3 * rows * columns, dtype=torch.float32)
        self.weights = ((places * 7 + 2) % 11 - 4).reshape(1, 3, rows, columns)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), as the argument."""
        return self.weights * images


def _shifted(title: str, images: Tensor, down: int, right: int) -> Check:
    rule = Weighted(*images.shape[2:])
    rows = (torch.arange(images.shape[2]) + down) % images.shape[2]  # where each row is seen
    columns = (torch.arange(images.shape[3]) + right) % images.shape[3]
    fed = {"gradient_of": rule, "images": images, "down": down, "right": right}
    return Check(title, fed, rule.weights[:, :, rows][..., columns] * images)


_JITTERED_GRADIENT = Entry(
    name="jittered_gradient",
    reference=jittered_gradient,
    stars=1,
    minutes=10,
    checks=[
        _shifted("no shift: the plain gradient", _pictures(1, 3, 4), 0, 0),
        _shifted("one row down", _pictures(1, 4, 3), 1, 0),
        _shifted("down and to the right", _pictures(1, 5, 4), 1, 2),
        _shifted("up and to the left, a picture that is not square", _pictures(1, 4, 6), -1, -2),
        _shifted("two pictures", _pictures(2, 5, 5), 2, -1),
    ],
    mistakes={
        "the gradient is not shifted back: it belongs to other pixels": _jittered(
            lambda d, r: (d, r), lambda d, r: (0, 0)
        ),
        "the picture is not shifted, only the gradient": _jittered(lambda d, r: (0, 0), lambda d, r: (-d, -r)),
        "shifted a second time in place of back": _jittered(lambda d, r: (d, r), lambda d, r: (d, r)),
        "the picture is shifted the other way: down means towards larger row numbers": _jittered(
            lambda d, r: (-d, -r), lambda d, r: (d, r)
        ),
        "down and right are swapped: rows are axis 2, columns axis 3": _jittered(
            lambda d, r: (r, d), lambda d, r: (-r, -d)
        ),
        "only the rows are shifted back": _jittered(lambda d, r: (d, r), lambda d, r: (-d, 0)),
        "filled up with black: what leaves at one side must come in at the other": _jittered(
            lambda d, r: (d, r), lambda d, r: (-d, -r), _filled
        ),
        "there is no shift at all": _jittered(lambda d, r: (0, 0), lambda d, r: (0, 0)),
    },
)


def octave_start(base: Tensor, previous_base: Tensor, previous_result: Tensor) -> Tensor:
    """With which picture does the next octave begin?

    Args:
        base: (N, 3, H, W), the photograph at the size of the next octave.
        previous_base: (N, 3, h, w), the photograph at the size of the last octave.
        previous_result: (N, 3, h, w), what the last octave made of it.

    Returns:
        (N, 3, H, W) in [0, 1]: the photograph as sharp as it is at this size, and on it the detail of the last
        octave, enlarged by bilinear interpolation (``align_corners=False``).
    """
    detail = previous_result - previous_base
    enlarged = F.interpolate(detail, size=base.shape[-2:], mode="bilinear", align_corners=False)
    return (base + enlarged).clamp(0, 1)


def _enlarged(images: Tensor, base: Tensor, **how: object) -> Tensor:
    return F.interpolate(images, size=base.shape[-2:], **({"mode": "bilinear", "align_corners": False} | how))


_Octave = Callable[[Tensor, Tensor, Tensor], Tensor]


def _start(formula: _Octave, clip: bool = True) -> Callable[..., Tensor]:
    def start(base: Tensor, previous_base: Tensor, previous_result: Tensor) -> Tensor:
        found = formula(base, previous_base, previous_result)
        return found.clamp(0, 1) if clip else found

    return start


def _octave(title: str, base: Tensor, previous_base: Tensor, detail: Tensor, *, expected: Tensor) -> Check:
    fed = {"base": base, "previous_base": previous_base, "previous_result": previous_base + detail}
    return Check(title, fed, expected)


def _ramp(rows: int, columns: int) -> Tensor:
    return torch.linspace(-0.3, 0.3, rows).view(1, 1, rows, 1).expand(1, 3, rows, columns).contiguous()


_BASE, _SMALL = 0.3 + 0.4 * _pictures(1, 4, 6), 0.3 + 0.4 * _pictures(1, 2, 3)
# Enlarged twice, bilinear interpolation takes 3/4 of the nearer pixel and 1/4 of the next; the border is continued.
_TWICE = torch.tensor([[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]])
_RAMP = (_TWICE @ torch.tensor([-0.3, 0.3])).view(1, 1, 4, 1)

_OCTAVE_START = Entry(
    name="octave_start",
    reference=octave_start,
    stars=1,
    minutes=10,
    checks=[
        _octave("nothing was dreamt: the photograph, bit for bit", _BASE, _SMALL, 0 * _SMALL, expected=_BASE),
        _octave("everything a little lighter", _BASE, _SMALL, 0 * _SMALL + 0.25, expected=_BASE + 0.25),
        _octave("a detail that rises from −0.3 to 0.3", _BASE, _SMALL, _ramp(2, 3), expected=_BASE + _RAMP),
        _octave("clipped to [0, 1]", _BASE, _SMALL, 3 * _ramp(2, 3), expected=(_BASE + 3 * _RAMP).clamp(0, 1)),
        _octave("the same size again", _BASE, _BASE, _ramp(4, 6), expected=_BASE + _ramp(4, 6)),
    ],
    mistakes={
        "the whole picture is enlarged: the photograph itself becomes blurred; carry only the detail": (
            _start(lambda base, before, result: _enlarged(result, base))
        ),
        "the detail is lost: every octave begins anew": _start(lambda base, before, result: base),
        "the detail has the wrong sign: result minus base": (
            _start(lambda base, before, result: base + _enlarged(before - result, base))
        ),
        "the whole result is added to the photograph: subtract the last octave's photograph first": (
            _start(lambda base, before, result: base + _enlarged(result, base))
        ),
        "the mean of photograph and dream: the detail counts in full": (
            _start(lambda base, before, result: (base + _enlarged(result, base)) / 2)
        ),
        "not clipped: pixels leave [0, 1]": (
            _start(lambda base, before, result: base + _enlarged(result - before, base), clip=False)
        ),
        "the detail is clipped: what a dream made darker is lost": (
            _start(lambda base, before, result: base + _enlarged((result - before).clamp(0, 1), base))
        ),
        "the corners are aligned: align_corners=False was asked for": (
            _start(lambda base, before, result: base + _enlarged(result - before, base, align_corners=True))
        ),
        "enlarged in blocks (nearest): bilinear was asked for": (
            _start(
                lambda base, before, result: base + _enlarged(result - before, base, mode="nearest", align_corners=None)
            )
        ),
    },
)

ENTRIES = [_DREAM_GRADIENT, _JITTERED_GRADIENT, _OCTAVE_START]
