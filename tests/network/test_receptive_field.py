"""Boxes against what changes in a network with random weights when single pixels change, whatever operations it has."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cs231n_viz as viz
from cs231n_viz.network.layers import trace_layers

SIDE = 12


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def changed_boxes(model):
    """Of each unit of the last layer, the smallest box around the pixels that alone change it; None without any."""
    image = torch.rand(1, 3, SIDE, SIDE, dtype=torch.float64)
    others = image.repeat(SIDE * SIDE, 1, 1, 1)
    places = torch.arange(SIDE * SIDE)
    others[places, :, places // SIDE, places % SIDE] += torch.rand(SIDE * SIDE, 3) + 0.5
    with torch.no_grad():
        changed = torch.cat([model(other) for other in others.split(1)]) != model(image)
    changed = changed.any(1).view(SIDE, SIDE, *changed.shape[-2:])
    boxes = {}
    for row in range(changed.shape[2]):
        for column in range(changed.shape[3]):
            rows, columns = changed[:, :, row, column].nonzero().T.tolist()
            box = (min(rows), min(columns), max(rows) + 1, max(columns) + 1) if rows else None
            boxes[row, column] = box
    return boxes


def setitem(x):
    out = torch.zeros_like(x)
    out[..., 1:] = x[..., :-1]
    return out


def written_to_a_part(x):
    out = x.clone()
    out[:, :1] = x.mean((2, 3), keepdim=True)[:, :1]
    return out


def attention(x):
    tokens = x.flatten(2).transpose(1, 2)
    return F.scaled_dot_product_attention(tokens, tokens, tokens).transpose(1, 2).reshape(x.shape)


MIXING = {
    "group norm": nn.GroupNorm(2, 4),
    "instance norm": nn.InstanceNorm2d(4),
    "layer norm": nn.LayerNorm([4, 10, 10]),
    "batch norm of the batch": nn.BatchNorm2d(4, track_running_stats=False),
    "transposition": lambda x: x.transpose(2, 3),
    "mT": lambda x: x.mT,
    "softmax over rows": nn.Softmax(2),
    "cumsum": lambda x: x.cumsum(3),
    "matmul": lambda x: x @ torch.rand(10, 10, dtype=x.dtype),
    "linear": lambda x: F.linear(x, torch.rand(10, 10, dtype=x.dtype)),
    "einsum": lambda x: torch.einsum("nchw,wv->nchv", x, torch.rand(10, 10, dtype=x.dtype)),
    "grid_sample": lambda x: F.grid_sample(
        x, torch.linspace(0.9, -0.9, 200, dtype=x.dtype).view(1, 10, 10, 2), align_corners=False
    ),
    "fft": lambda x: torch.fft.fft2(x).abs(),
    "attention": attention,
    "sort": lambda x: x.sort(2).values,
    "a view with other sides": lambda x: x.reshape(1, 4, 20, 5).reshape(1, 4, 5, 20),
    "as many channels as rows": lambda x: x[:, :1].expand(1, 10, 10, 10).transpose(1, 2),
    "mean over rows": lambda x: x.mean(2)[:, :, None].expand(1, 4, 6, 10),
    "setitem": setitem,
    "written to a part": written_to_a_part,
    "bilinear interpolation": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "unflattened": nn.Sequential(nn.Flatten(), nn.Unflatten(1, (4, 10, 10))),
}
EXACT = {
    "crop": lambda x: x[:, :, 2:-1, 1:],
    "every other": lambda x: x[..., 1::2, ::3],
    "narrow": lambda x: x.narrow(2, 3, 6),
    "channels": lambda x: torch.cat([x[:, 2:], x[:, :1], torch.zeros_like(x[:, :1])], 1),
    "shuffle": lambda x: x.view(1, 2, 2, 10, 10).transpose(1, 2).reshape(1, 4, 10, 10),
    "chunks": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "index of channels": lambda x: x.index_select(1, torch.tensor([3, 0])),
    "padded channels": lambda x: F.pad(x, (0, 1, 1, 0, 0, 2)),
    "permuted twice": lambda x: x.permute(1, 0, 2, 3).permute(1, 0, 2, 3)[:, [0, 2]],
    "flipped channels": lambda x: x.flip(1).relu(),
    "spread": lambda x: x.mean((2, 3), keepdim=True).expand(1, 4, 3, 5),
    "swish": lambda x: x * x.sigmoid(),
    "sum over channels": lambda x: x.sum(1, keepdim=True) ** 2,
    "flip": lambda x: x.flip(-1),
    "roll": lambda x: x.roll(3, 2),
    "index_select": lambda x: x.index_select(2, torch.arange(9, -1, -1)),
    "gather": lambda x: x.gather(3, torch.arange(9, -1, -1).expand(x.shape)),
    "uneven pools": nn.AdaptiveAvgPool2d((3, 4)),
    "uneven maximum pools": nn.AdaptiveMaxPool2d((6, 7)),
    "more pools than rows": nn.AdaptiveAvgPool2d((13, 3)),
    "reflected": nn.ReflectionPad2d((2, 1, 4, 3)),
    "repeated": nn.ReplicationPad2d((3, 1, 0, 2)),
    "circular": nn.CircularPad2d(2),
    "reflected far, then convolved": nn.Sequential(nn.ReflectionPad2d(8), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)),
    "reflecting convolutions": nn.Sequential(
        *(nn.Conv2d(4, 4, 5, padding=2, padding_mode=mode) for mode in ("reflect", "replicate", "circular"))
    ),
    "dilated at the border": nn.Conv2d(4, 4, 3, padding=3, dilation=3),
    "dilated twice": nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=d, dilation=d, stride=2) for d in (2, 3))),
    "transposed convolution": nn.ConvTranspose2d(4, 4, 3, padding=1),
    "transposed with strides": nn.Sequential(
        nn.MaxPool2d(2), nn.ConvTranspose2d(4, 4, (5, 3), stride=(3, 2), padding=1, dilation=(1, 2), output_padding=1)
    ),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "nearest, smaller": lambda x: F.interpolate(x, size=(6, 7), mode="nearest-exact"),
    "squeeze and excitation": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "scaled by a row": lambda x: x * x[:, :, 2:3].sigmoid(),
    "branches of other strides": lambda x: F.max_pool2d(x, 2, 1)[..., :4, :4] + F.max_pool2d(x, 3, 2),
}


def traced(function):
    torch.manual_seed(0)
    function = function if isinstance(function, nn.Module) else Function(function)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), function, nn.Identity()).double().eval()
    return model, trace_layers(model, torch.rand(1, 3, SIDE, SIDE, dtype=torch.float64))[-1]


@pytest.mark.parametrize("name", MIXING)
def test_what_mixes_or_moves_positions_is_never_outside_the_box(name):
    model, layer = traced(MIXING[name])
    for unit, seen in changed_boxes(model).items():
        top, left, bottom, right = layer.field.box(*unit)
        if seen is None:
            continue
        assert top <= seen[0], unit
        assert left <= seen[1], unit
        assert bottom >= seen[2], unit
        assert right >= seen[3], unit


@pytest.mark.parametrize("name", EXACT)
def test_what_rearranges_pads_or_pools_maps_has_exact_boxes_everywhere(name):
    model, layer = traced(EXACT[name])
    seen = changed_boxes(model)
    assert len(seen) == layer.shape[1] * layer.shape[2]
    assert {unit: layer.field.box(*unit) for unit, box in seen.items() if box} == {k: v for k, v in seen.items() if v}


def test_numbers_of_fields_that_follow_no_grid():
    _, layer = traced(nn.AdaptiveAvgPool2d((3, 5)))  # of 10x10 maps of 3x3 pixels: windows of 4 rows, 2 columns
    assert (layer.field.size, layer.field.stride, layer.field.offset) == ((6, 4), (0, 2), 0)
    assert layer.field.box(1, 1, clip=False) == (3, 2, 9, 6)  # rows 3 to 6 of the maps
    _, layer = traced(nn.ReflectionPad2d(2))
    assert (layer.field.size, layer.field.stride, layer.field.offset) == (3, 1, -2)
    assert layer.field.box(0, 3, clip=False) == (-2, 1, 1, 4)
    assert layer.field.box(0, 3) == (2, 1, 5, 4)  # row -2 is row 2, mirrored


def test_a_residual_network_with_group_norms_sees_everything():
    import torchvision

    network = torchvision.models.resnet18(norm_layer=lambda channels: nn.GroupNorm(4, channels))
    field = viz.receptive_field(network, "layer1.0", image_size=(64, 64))
    assert field.box(3, 4) == (0, 0, 64, 64)
