import numpy as np
import torch
from torch.nn import functional as F

from tests.mutants import Answers

answers = Answers()


def larger(x, like, **how):
    how = how or {"mode": "bilinear", "align_corners": False}
    return F.interpolate(x, like.shape[2:], **how)


@answers.right
def each_enlarged(base, previous_base, previous_result):
    return torch.clip(base + larger(previous_result, base) - larger(previous_base, base), 0, 1)


@answers.right
def channel_by_channel(base, previous_base, previous_result):
    out = torch.empty_like(base)
    for c in range(3):
        detail = (previous_result - previous_base)[:, c : c + 1]
        out[:, c : c + 1] = base[:, c : c + 1] + larger(detail, base)
    return out.clamp(min=0).clamp(max=1)


@answers.right
def by_grid_sample(base, previous_base, previous_result):
    detail = previous_result - previous_base
    grid = F.affine_grid(torch.eye(2, 3)[None].repeat(len(base), 1, 1), list(base.shape), align_corners=False)
    enlarged = F.grid_sample(detail, grid, padding_mode="border", align_corners=False)
    return (base + enlarged).clamp(0, 1)


@answers.wrong("the whole image is enlarged")
def blown_up(base, previous_base, previous_result):
    return larger(previous_result, base).clamp(0, 1)


@answers.wrong("the detail is lost")
def forgetful(base, previous_base, previous_result):
    return base.clone()


@answers.wrong("the wrong sign")
def minus(base, previous_base, previous_result):
    return (base - larger(previous_result - previous_base, base)).clamp(0, 1)


@answers.wrong("the whole result is added")
def both(base, previous_base, previous_result):
    return (base + larger(previous_result, base)).clamp(0, 1)


@answers.wrong("the mean of photograph and result")
def blended(base, previous_base, previous_result):
    return torch.lerp(base, larger(previous_result, base), 0.5)


@answers.wrong("not clipped")
def beyond(base, previous_base, previous_result):
    return base + larger(previous_result - previous_base, base)


@answers.wrong("the detail is clipped")
def lighter_only(base, previous_base, previous_result):
    return (base + larger((previous_result - previous_base).clamp(0, 1), base)).clamp(0, 1)


@answers.wrong("the corners are aligned")
def aligned(base, previous_base, previous_result):
    detail = previous_result - previous_base
    return (base + larger(detail, base, mode="bilinear", align_corners=True)).clamp(0, 1)


@answers.wrong("in blocks")
def default_mode(base, previous_base, previous_result):
    return (base + F.interpolate(previous_result - previous_base, base.shape[2:])).clamp(0, 1)


@answers.wrong("something works in place")
def over_the_original(base, previous_base, previous_result):
    base += larger(previous_result - previous_base, base)
    return base.clamp_(0, 1)


@answers.wrong("one factor")
def factor(base, previous_base, previous_result):
    d = previous_result - previous_base
    return (
        base
        + F.interpolate(d, scale_factor=base.shape[2] / previous_base.shape[2], mode="bilinear", align_corners=False)
    ).clamp(0, 1)


@answers.wrong("one factor")
def factor2(base, previous_base, previous_result):
    d = previous_result - previous_base
    return (base + F.interpolate(d, scale_factor=2, mode="bilinear", align_corners=False)).clamp(0, 1)


@answers.wrong("bicubic")
def bicubic(base, previous_base, previous_result):
    d = previous_result - previous_base
    return (base + F.interpolate(d, base.shape[2:], mode="bicubic", align_corners=False)).clamp(0, 1)


@answers.wrong("at one end only")
def min(base, previous_base, previous_result):
    return (base + F.interpolate(previous_result - previous_base, base.shape[2:], mode="bilinear")).clamp(max=1)


@answers.wrong("'float64' came out")
def in_double_precision(base, previous_base, previous_result):
    d = F.interpolate((previous_result - previous_base).double(), base.shape[2:], mode="bilinear")
    return torch.tensor(np.clip(base.numpy() + d.numpy(), 0, 1))


@answers.wrong("one factor")
def width_first(base, previous_base, previous_result):
    height, width = base.shape[2:]
    return (base + F.interpolate(previous_result - previous_base, (width, height), mode="bilinear")).clamp(0, 1)


@answers.wrong("`base` is shrunk")
def ownbase(base, previous_base, previous_result):
    small = F.interpolate(base, previous_result.shape[2:], mode="bilinear", align_corners=False)
    return (base + F.interpolate(previous_result - small, base.shape[2:], mode="bilinear")).clamp(0, 1)


@answers.wrong("rescaled")
def scaled(base, previous_base, previous_result):
    y = base + F.interpolate(previous_result - previous_base, base.shape[2:], mode="bilinear")
    return (y - y.min()) / (y.max() - y.min())


@answers.wrong("the detail alone")
def detail(base, previous_base, previous_result):
    return F.interpolate(previous_result - previous_base, base.shape[2:], mode="bilinear")


@answers.wrong("the detail is clipped")
def clip1(base, previous_base, previous_result):
    return base + F.interpolate(previous_result - previous_base, base.shape[2:], mode="bilinear").clamp(0, 1)


@answers.wrong("weakened")
def half_detail(base, previous_base, previous_result):
    return (base + 0.5 * F.interpolate(previous_result - previous_base, base.shape[2:], mode="bilinear")).clamp(0, 1)


@answers.wrong("photograph is used")
def previous(base, previous_base, previous_result):
    return previous_result.clamp(0, 1)


@answers.wrong("the mean of photograph and result")
def halved(base, previous_base, previous_result):
    return (base + larger(previous_result - previous_base, base)) / 2


@answers.wrong("a sigmoid")
def sigmoid(base, previous_base, previous_result):
    return torch.sigmoid(base + larger(previous_result - previous_base, base))


@answers.wrong("the magnitude of the detail")
def magnitude(base, previous_base, previous_result):
    return (base + larger((previous_result - previous_base).abs(), base)).clamp(0, 1)


@answers.wrong("the ratio is enlarged")
def ratio(base, previous_base, previous_result):
    return (base * larger(previous_result / previous_base, base)).clamp(0, 1)


@answers.wrong("the detail is grey")
def grey_detail(base, previous_base, previous_result):
    return (base + larger(previous_result - previous_base, base).mean(1, keepdim=True)).clamp(0, 1)


@answers.wrong("of the first image")
def first_detail(base, previous_base, previous_result):
    return (base + larger((previous_result - previous_base)[:1], base)).clamp(0, 1)


@answers.wrong("256 levels")
def eight_bits(base, previous_base, previous_result):
    return ((base + larger(previous_result - previous_base, base)) * 255).round().clamp(0, 255) / 255
