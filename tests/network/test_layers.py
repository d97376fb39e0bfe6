import copy
from functools import cache
from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import cs231n_viz as viz
from cs231n_viz.network import layers
from cs231n_viz.network.layers import smallest_side, survives, trace_layers
from tests.explicit import build, randomise

NAMES = [
    "alexnet",
    "vgg16",
    "squeezenet1_1",
    "resnet18",
    "resnet50",
    "googlenet",
    "inception_v3",
    "densenet121",
    "mobilenet_v2",
    "shufflenet_v2_x1_0",
    "efficientnet_lite0",
]


@cache
def network(name):
    """A quarter of the maps (ShuffleNet's are too odd a number), as fields and boxes do not depend on how many."""
    return randomise(build(name, wide=name.startswith("shufflenet"))).float()


@pytest.mark.parametrize(
    ("name", "layer", "size", "stride"),
    [
        ("alexnet", "features.10", 163, 16),
        ("alexnet", "features.12", 195, 32),
        ("vgg16", "features.28", 196, 16),
        ("vgg16", "features.30", 212, 32),
        ("resnet18", "layer4", 435, 32),
        ("resnet50", "layer4", 427, 32),
    ],
)
def test_published_receptive_fields(name, layer, size, stride):
    """Araujo et al. 2019, table of the appendix; ResNet-50 in torchvision's layout, not the original 483."""
    field = viz.receptive_field(network(name), layer)
    assert (field.size, field.stride) == (size, stride)


def test_first_convolution_of_alexnet_by_hand():
    field = viz.receptive_field(network("alexnet"), "features.0")
    assert (field.size, field.stride, field.offset) == (11, 4, -2)
    assert field.box(0, 0) == (0, 0, 9, 9)
    assert field.box(0, 0, clip=False) == (-2, -2, 9, 9)
    assert field.box(54, 1) == (214, 2, 224, 13)  # 225 is cut at the border


class SupportMode(TorchFunctionMode):
    """Runs a network so that a gradient reaches every pixel that a unit can see: average pooling, no ReLUs."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is F.max_pool2d or function is torch.max_pool2d:
            kwargs.pop("return_indices", None)
            dilation = kwargs.pop("dilation", 1)
            assert dilation == 1
            return F.avg_pool2d(*args[:4], **kwargs)
        if function in (F.relu, torch.relu, torch.relu_, F.hardtanh, F.relu6, F.dropout):
            return args[0]
        return function(*args, **kwargs)


def positive_copy(model):
    """The network with other weights, all of them positive."""
    positive = copy.deepcopy(model).double()
    for parameter in positive.parameters():
        parameter.data = torch.rand_like(parameter) / parameter[0].numel() + 1e-3
    return positive


def gradient_box(positive, layer, size, unit):
    """The smallest box around the pixels with a gradient to one unit of a network with positive weights, if any."""
    image = torch.rand(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    with SupportMode(), viz.capture(positive, [layer], stop=True) as activations:
        positive(image)
    (gradient,) = torch.autograd.grad(activations[layer].sum(1)[(0, *unit)], image)
    if not gradient.any():
        return None
    rows, columns = (gradient[0].abs().sum(0).sum(axis).nonzero() for axis in (1, 0))
    return rows.min().item(), columns.min().item(), rows.max().item() + 1, columns.max().item() + 1


@pytest.mark.parametrize("name", NAMES)
def test_boxes_are_the_support_of_the_gradient(name):
    model, size = network(name), 128
    positive = positive_copy(model)
    layers = [layer for layer in trace_layers(model, torch.zeros(1, 3, size, size)) if len(layer.shape) == 3]
    for share in (0.05, 0.3, 0.6, 0.95):
        layer = layers[int(share * (len(layers) - 1))]
        unit = layer.shape[1] // 2, layer.shape[2] // 3
        assert layer.field.box(*unit) == gradient_box(positive, layer.name, size, unit), (layer.name, unit)


@pytest.mark.parametrize("size", [96, 97, 103])
def test_boxes_at_the_borders_where_the_padding_depends_on_the_size(size):
    model = network("efficientnet_lite0")
    positive = positive_copy(model)
    fields = {layer.name: layer for layer in trace_layers(model, torch.zeros(1, 3, size, size))}
    for name in ("stem.relu", "block2_1.depthwise.conv", "block3_1", "block5_1"):
        last = fields[name].shape[1] - 1
        for unit in ((0, 0), (0, last), (last, 0), (last, last), (last // 2, last)):
            assert fields[name].field.box(*unit) == gradient_box(positive, name, size, unit), (name, unit)


class Beside(nn.Module):
    """Maps, and a convolution of the padded maps added to them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 4)

    def forward(self, x):
        return x + self.conv(F.pad(x, (2, 1, 0, 3)))


class Columns(nn.Module):
    def forward(self, x):
        return F.pad(input=x, pad=(3, -1))


PADDED = {
    "below and right": nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 3, 3, stride=2)),
    "more than the kernel": nn.Sequential(nn.ZeroPad2d((5, 1, 4, 6)), nn.Conv2d(3, 3, (2, 3))),
    "by a number": nn.Sequential(nn.Conv2d(3, 3, 3, stride=2), nn.ConstantPad2d((0, 2, 1, 0), 0.5), nn.Conv2d(3, 3, 3)),
    "cropped": nn.Sequential(nn.ZeroPad2d((-2, -1, 0, -3)), nn.Conv2d(3, 3, 3)),
    "cropped, then padded": nn.Sequential(nn.ZeroPad2d(-2), nn.ZeroPad2d((3, 2, 1, 4)), nn.Conv2d(3, 3, 3, stride=2)),
    "cropped between": nn.Sequential(nn.Conv2d(3, 3, 3, stride=2), nn.ZeroPad2d((-1, 2, 2, -1)), nn.Conv2d(3, 3, 2)),
    "before a pool": nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.MaxPool2d(3, stride=2)),
    "depthwise": nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(3, 3, 5, stride=2, groups=3), nn.ReLU6()),
    "beside a shortcut": nn.Sequential(Beside(), nn.Conv2d(3, 3, 3, padding=1)),
    "columns only": nn.Sequential(Columns(), nn.Conv2d(3, 3, 3)),
}


@pytest.mark.parametrize("name", PADDED)
def test_every_box_after_a_padding_is_the_support_of_the_gradient(name):
    """Of every unit, at all borders, that sees more than padding."""
    model = nn.Sequential(PADDED[name], nn.Identity()).eval()
    positive = positive_copy(model)
    field = trace_layers(model, torch.zeros(1, 3, 13, 13))[-1].field
    boxes = {unit: gradient_box(positive, "1", 13, unit) for unit in product(*map(range, field.shape))}
    boxes = {unit: box for unit, box in boxes.items() if box is not None}
    assert len(boxes) > 15
    assert {unit: field.box(*unit) for unit in boxes} == boxes


@pytest.mark.parametrize(
    ("pad", "corner"),
    [
        (nn.ReflectionPad2d(1), (0, 0, 2, 2)),  # rows 1, 0, 1
        (nn.ReplicationPad2d(1), (0, 0, 2, 2)),  # rows 0, 0, 1
        (nn.CircularPad2d(1), (0, 0, 16, 16)),  # rows 15, 0, 1
    ],
)
def test_after_a_padding_with_copies_of_the_maps_a_unit_sees_what_was_copied(pad, corner):
    field = trace_layers(nn.Sequential(pad, nn.Conv2d(3, 3, 3)), torch.zeros(1, 3, 16, 16))[-1].field
    assert field.box(0, 0) == corner
    assert field.box(5, 6) == (4, 5, 7, 8)
    assert (field.size, field.stride, field.offset) == (3, 1, -1)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_are_those_of_the_recorded_outputs(name):
    model = network(name)
    image = torch.rand(1, 3, 224, 224)
    layers = trace_layers(model, image)
    some = [layer.name for layer in layers[:: max(len(layers) // 7, 1)]]
    activations = viz.activations(model, image, some)
    shapes = {layer.name: layer.shape for layer in layers}
    assert {name: tuple(value.shape[1:]) for name, value in activations.items()} == {
        name: shapes[name] for name in some
    }


def test_layers_are_in_order_of_execution_with_a_name_for_each_call():
    names = [layer.name for layer in trace_layers(network("resnet18"), torch.zeros(1, 3, 224, 224))]
    block = [name for name in names if name.startswith("layer1.0.")]
    assert block == [f"layer1.0.{part}" for part in ("conv1", "bn1", "relu", "conv2", "bn2", "relu:2")]
    assert len(set(names)) == len(names)


def test_a_module_used_three_times_has_three_layers_with_growing_fields():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return self.conv(self.conv(self.conv(x)))

    layers = trace_layers(Loop(), torch.zeros(1, 3, 16, 16))
    assert [(layer.name, layer.receptive_field) for layer in layers] == [("conv", 3), ("conv:2", 5), ("conv:3", 7)]


def test_dilation_and_same_padding():
    net = nn.Sequential(nn.Conv2d(3, 1, 3, padding="same", dilation=2), nn.Conv2d(1, 1, (1, 5), padding=(0, 2)))
    first, second = trace_layers(net, torch.zeros(1, 3, 16, 20))
    assert (first.receptive_field, first.offset) == (5, -2)
    assert (second.receptive_field, second.offset) == ((5, 9), (-2, -4))
    assert second.field.box(8, 10) == (6, 6, 11, 15)


def test_a_unit_that_depends_on_every_pixel_has_the_whole_picture_as_its_field():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, stride=2)
            self.last = nn.Identity()

        def forward(self, x):
            x = self.conv(x)
            return self.last(x * x.mean((2, 3), keepdim=True).sigmoid())

    last = trace_layers(Gate(), torch.zeros(1, 3, 33, 33))[-1]
    assert last.field.box(0, 0) == last.field.box(15, 15) == (0, 0, 33, 33)


def test_tokens_have_one_box_for_all_of_them():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 5, 4, stride=4), nn.Identity()

        def forward(self, x):
            tokens = self.conv(x).flatten(2).transpose(1, 2)
            return self.norm(torch.cat([torch.zeros(1, 1, 5), tokens], 1))  # the first of them sees nothing

    last = trace_layers(Tokens(), torch.zeros(1, 3, 12, 16))[-1]
    assert last.shape == (13, 5)
    assert last.field.box() == (0, 0, 12, 16)


def test_errors_name_what_was_wrong():
    model = network("resnet18")
    with pytest.raises(KeyError, match=r"no layer 'layer4\.1\.conv9'; close names: .*layer4\.1\.conv1"):
        viz.receptive_field(model, "layer4.1.conv9")
    with pytest.raises(KeyError, match=r"never reached layer 'layer1\.0\.relu:3'"):
        viz.receptive_field(model, "layer1.0.relu:3")
    with pytest.raises(IndexError, match=r"no unit \(7, 0\) in a map of 7x7"):
        viz.receptive_field(model, "layer4").box(7, 0)


@pytest.mark.parametrize("names", [["relu1"], ["relu5"], ["relu1", "pool5"]])
def test_the_smallest_side_is_the_smallest(names, monkeypatch):
    """Against trying one side after the other; and in few forward passes."""
    model = viz.load_model("mini_alexnet", weights=None)
    one_by_one = next(side for side in range(1, 300) if survives(model, names, (side, side)))
    tried = []
    monkeypatch.setattr(layers, "survives", lambda *args: tried.append(args[2][0]) or survives(*args))
    assert smallest_side(model, names) == one_by_one
    assert len(tried) <= 2 * one_by_one.bit_length() + 1


def test_a_layer_that_no_square_reaches_is_named():
    model = viz.wrap(nn.Sequential(nn.Flatten(), nn.Linear(27, 2)).eval(), ["a", "b"], input_size=3)
    with pytest.raises(ValueError, match=r"no square picture of up to 1024 pixels reaches 1$"):
        smallest_side(model, ["1"])  # 3 px would do, as the sizes of a linear layer are fixed
