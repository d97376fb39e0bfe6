import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import cs231n_viz as viz
from cs231n_viz.attribution.incremental import graph
from cs231n_viz.attribution.incremental.changes import ChangedMaps
from cs231n_viz.attribution.incremental.network import Incremental
from cs231n_viz.attribution.occlusion import grow_occlusion, occlusion, occlusion_steps
from tests.explicit import build, randomise

NETWORKS = [
    *("mini_alexnet", "mini_vgg", "alexnet", "vgg11_bn", "resnet18", "googlenet", "squeezenet1_1", "densenet121"),
    *("mobilenet_v2", "efficientnet_lite0", "inception_v3"),
]


@pytest.fixture(autouse=True)
def no_warnings():
    """Full passes come with a warning: nothing here may need them unless the test asks for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def classifier(network: nn.Module, size: int = 24) -> viz.Classifier:
    """A classifier in float64 with weights and statistics of which none is trivially 0 or 1."""
    classes = network.eval()(torch.rand(2, 3, size, size)).shape[1]  # this also builds a lazy layer
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.normal_(module.bias, 0.5, 0.1)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            if module.running_mean is not None:
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.normal_(module.running_mean, std=0.2)
    return viz.wrap(network.double(), [str(index) for index in range(classes)], input_size=size)


def named(name: str) -> viz.Classifier:
    if name.startswith("mini"):
        return viz.load_model(name, weights=None, seed=1).double()
    network = randomise(build(name, wide=False)).float()
    if name in {"googlenet", "inception_v3"}:
        network.transform_input = True
    return classifier(network, size=107 if name == "inception_v3" else 80)


def small(*modules: nn.Module, size: int = 24) -> viz.Classifier:
    """Ends in a linear layer on every position, so that no position can be wrong unnoticed."""
    return classifier(nn.Sequential(*modules, nn.Flatten(), nn.LazyLinear(4)), size)


@torch.no_grad()
def plain(
    model: viz.Classifier, images: Tensor, targets: list[int], *, window: int, stride: int, fill: Tensor
) -> Tensor:
    """One full forward pass for every window."""
    maps = []
    for image, target in zip(images, targets, strict=True):
        whole = model(image[None])[0, target]
        for i in range(0, image.shape[1] - window + 1, stride):
            for j in range(0, image.shape[2] - window + 1, stride):
                covered = image.clone()
                covered[:, i : i + window, j : j + window] = fill
                maps.append(whole - model(covered[None])[0, target])
    rows = (images.shape[2] - window) // stride + 1
    return torch.stack(maps).view(len(images), rows, -1)


def check(model: viz.Classifier, images: Tensor, targets: list[int], *, window: int, stride: int, **options) -> Tensor:
    maps = occlusion(model, images, torch.tensor(targets), window=window, stride=stride, progress=False, **options)
    expected = plain(model, images, targets, window=window, stride=stride, fill=model.mean)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-9)
    return maps


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_equals_one_full_pass_for_each_window(name, monkeypatch):
    monkeypatch.setattr(graph, "_LARGE", 2**16)  # a 64th, as the linear layers of AlexNet and VGG are narrow here
    model = named(name)
    height, width = {"mini_alexnet": (224, 224), "inception_v3": (107, 111)}.get(name, (80, 85))
    stride = {"mini_alexnet": 89, "inception_v3": 45, "densenet121": 32}.get(name, 21)
    images = torch.rand(1, 3, height, width).double()
    check(model, images, [3], window=16, stride=stride)
    check(model, images, [5], window=40, stride=stride)


@pytest.mark.parametrize(
    ("height", "width", "window", "stride"),
    [(24, 24, 5, 1), (23, 26, 4, 3), (25, 24, 7, 5), (24, 29, 3, 7), (24, 24, 24, 1), (24, 24, 1, 2), (31, 24, 20, 2)],
)
def test_windows_at_all_borders_and_sizes_that_the_stride_does_not_divide(height, width, window, stride):
    layers = [nn.Conv2d(3, 6, 5, stride=2, padding=2), nn.ReLU(True), nn.MaxPool2d(3, 2), nn.Conv2d(6, 8, 3, padding=1)]
    network = nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 4))
    maps = check(classifier(network), torch.rand(1, 3, height, width).double(), [2], window=window, stride=stride)
    assert maps.shape == (1, (height - window) // stride + 1, (width - window) // stride + 1)


OPERATIONS = {
    "grouped": nn.Conv2d(6, 12, 3, padding=1, groups=3),
    "depthwise, stride 2": nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6),
    "dilated": nn.Conv2d(6, 5, 3, padding=2, dilation=2),
    "dilated, stride 3, no bias": nn.Conv2d(6, 5, (2, 3), stride=(3, 1), padding=(0, 4), dilation=(3, 2), bias=False),
    "padding larger than the kernel": nn.Conv2d(6, 5, 2, padding=4),
    "stride larger than the kernel": nn.Conv2d(6, 5, 1, stride=3),
    "padding same": nn.Conv2d(6, 5, 3, padding="same", dilation=2),
    "padding valid": nn.Conv2d(6, 5, 4, padding="valid"),
    "reflected": nn.Conv2d(6, 5, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(6, 5, 3, padding=1, padding_mode="circular"),
    "transposed": nn.ConvTranspose2d(6, 5, 3, stride=2),
    "max-pool": nn.MaxPool2d(3, stride=2, padding=1),
    "max-pool, ceil mode": nn.MaxPool2d(3, stride=2, ceil_mode=True),
    "max-pool, ceil mode, padded": nn.MaxPool2d(4, stride=3, padding=2, ceil_mode=True),
    "max-pool, dilated": nn.MaxPool2d(2, stride=1, dilation=3),
    "average": nn.AvgPool2d(2),
    "average, padding counted": nn.AvgPool2d(3, stride=2, padding=1),
    "average, padding not counted": nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
    "average, ceil mode": nn.AvgPool2d(3, stride=2, ceil_mode=True),
    "average, own divisor": nn.AvgPool2d(3, stride=1, padding=1, divisor_override=5),
    "batch norm": nn.BatchNorm2d(6),
    "batch norm without statistics": nn.BatchNorm2d(6, track_running_stats=False),
    "group norm": nn.GroupNorm(2, 6),
    "weights per channel": nn.PReLU(6),
    "dropout": nn.Dropout(0.5),
    "upsampled": nn.Upsample(scale_factor=2),
    "padded": nn.ZeroPad2d(2),
    "padded by zeros on some sides": nn.ZeroPad2d((1, 0, 2, 3)),
    "padded by a number": nn.ConstantPad2d((3, 1, 0, 2), 0.7),
    "cropped": nn.ZeroPad2d((-3, 2, 1, -5)),
    "padded by the mirrored maps": nn.ReflectionPad2d((1, 2, 3, 1)),
    "padded by the edge": nn.ReplicationPad2d((1, 2, 3, 1)),
    "padded around": nn.CircularPad2d((1, 2, 3, 1)),
    "squared mean": nn.LPPool2d(2, 3, stride=2),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_right_known_or_not(name):
    last = nn.Conv2d(OPERATIONS[name](torch.rand(2, 6, 26, 26)).shape[1], 4, 3)
    layers = [nn.Conv2d(3, 6, 3, padding=2), nn.BatchNorm2d(6), nn.ReLU(inplace=True), OPERATIONS[name], last]
    check(small(*layers), torch.rand(1, 3, 24, 24).double(), [1], window=4, stride=4)


class PaddedToOddSize(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 1 - x.shape[-1] % 2, 1 - x.size(2) % 2, 0), value=0.4)


@pytest.mark.parametrize(("height", "width"), [(25, 25), (24, 25), (25, 26)])
def test_asking_for_the_size_of_a_map_does_not_complete_it(height, width, monkeypatch):
    completed, whole = [], ChangedMaps.whole
    monkeypatch.setattr(ChangedMaps, "whole", lambda maps: completed.append(maps) or whole(maps))
    layers = [nn.Conv2d(3, 6, 2), PaddedToOddSize(), nn.Conv2d(6, 5, 3), nn.AdaptiveAvgPool2d(9), nn.Flatten()]
    model = classifier(nn.Sequential(*layers, nn.Linear(405, 4)))
    check(model, torch.rand(1, 3, height, width).double(), [1], window=3, stride=11)
    assert len(completed) == 1, "all windows are one batch; only the average over the whole map needs it"


class Branches(nn.Module):
    """Sums, concatenations and slices of maps whose changed boxes differ, written in the ways that people write."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 7, padding=3)
        self.norm, self.weigh = nn.BatchNorm2d(6), nn.Linear(6, 6)
        self.last = nn.Linear(18 * 12 * 12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[:, 2].unsqueeze(1) * 0.7 - 0.1, torch.unsqueeze(x[:, 0], 1), x[:, 1:2]], dim=1)
        x = F.relu(self.first(x + torch.ones(3, 1, 1, dtype=x.dtype)), inplace=True)
        shifted = self.wide(x)
        y = self.norm(shifted).relu_().add_(x)
        y = F.max_pool2d(y, 3, stride=1, padding=1) + F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)
        gate = torch.sigmoid(self.weigh(x.mean((2, 3))))[:, :, None, None]
        y = torch.cat((y, torch.maximum(x, shifted), gate * x), 1)
        return self.last(F.max_pool2d(y, 2).flatten(1))


def test_branches_sums_concatenations_and_gates():
    model = classifier(Branches())
    check(model, torch.rand(2, 3, 24, 24).double(), [0, 3], window=5, stride=4)
    assert not [name for name in vars(model.network) if "constant" in name], "tracing left something on the network"


def test_images_have_their_own_targets_and_the_batch_does_not_matter():
    model = small(nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    images = torch.rand(3, 3, 24, 24).double()
    maps = check(model, images, [2, 0, 3], window=6, stride=3)
    for batch in (1, 5, 100):
        other = occlusion(model, images, torch.tensor([2, 0, 3]), window=6, stride=3, batch=batch, progress=False)
        torch.testing.assert_close(other, maps, rtol=0, atol=1e-12)


@pytest.mark.parametrize("fill", ["mean", "grey", 0, 0.25, torch.tensor([0.9, 0.1, 0.4])])
def test_a_linear_model_loses_its_weights_times_what_the_window_held(fill):
    weights = torch.randn(3, 10, 12).double()
    head = nn.Linear(360, 2).double()
    head.weight.data[1] = weights.flatten()
    model = viz.wrap(nn.Sequential(nn.AdaptiveAvgPool2d((10, 12)), nn.Flatten(), head), ["no", "yes"])
    image = torch.rand(3, 10, 12).double()
    colour = {"mean": model.mean, "grey": torch.tensor(0.5)}[fill] if isinstance(fill, str) else torch.as_tensor(fill)
    terms = (weights * (image - colour.reshape(-1, 1, 1)) / model.std).sum(0)
    expected = terms.unfold(0, 4, 2).unfold(1, 4, 2).sum((2, 3))
    maps = occlusion(model, image[None], 1, window=4, stride=2, fill=fill, progress=False)
    torch.testing.assert_close(maps[0], expected, rtol=0, atol=1e-10)


def test_a_model_that_looks_at_one_spot_is_found_out():
    head = nn.Linear(3 * 24 * 24, 2, bias=False).double()
    head.weight.data.zero_().view(2, 3, 24, 24)[0, :, 9:13, 14:18] = 1
    model = viz.wrap(nn.Sequential(nn.Flatten(), head), ["spot", "nothing"], input_size=24)
    drops = occlusion(model, torch.ones(1, 3, 24, 24).double(), 0, window=6, stride=2, progress=False)[0]
    assert divmod(int(drops.argmax()), drops.shape[1]) in {(4, 6), (4, 7)}, (
        "windows from row 8, column 12 or 14 hold it"
    )
    touching = drops.abs() > 1e-9  # the others differ from 0 by the rounding of sums in another order
    assert touching.sum() == 4 * 5, "only windows that touch rows 9 to 12 and columns 14 to 17 matter"
    assert (drops[touching] > 0).all()


def flops(work) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("name", "share"),
    [("mini_vgg", 0.3), ("vgg11_bn", 0.43), ("resnet18", 0.6), ("googlenet", 0.5), ("efficientnet_lite0", 0.72)],
)
def test_it_computes_less_than_full_passes_do(name, share):
    model = named(name).float()
    images = torch.rand(1, 3, 128, 128)
    full = flops(lambda: model(images))
    windows = 8 * 8
    ours = flops(lambda: occlusion(model, images, 0, window=16, stride=16, progress=False))
    assert ours < share * full * windows


class Hesitant(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.mean() > 0 else x + 1)


class Overwriting(nn.Module):
    """An in-place ReLU on the map that the shortcut takes as well: the shortcut gets what the ReLU left."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.again, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4 * 22 * 22, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        y = self.again(F.relu(x, inplace=True))
        return self.head((x + y).flatten(1))


class Secretive(nn.Module):
    """Adds to a map in a way that tracing takes for an ordinary sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 * 22 * 22, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = y = self.conv(x)
        y += 5
        return self.head((x * y).flatten(1))


def hooked() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 22 * 22, 3))
    network[0].register_forward_hook(lambda module, args, out: out * 2)
    return network


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Hesitant(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 22 * 22, 3)), "trace"),
        (Overwriting(), "read again"),
        (Secretive(), "other logits"),
        (hooked(), "hooks"),
    ],
)
def test_what_cannot_be_followed_is_said_and_done_in_full(network, reason):
    model = classifier(network)
    hooks = [len(module._forward_hooks) for module in model.modules()]
    with pytest.warns(UserWarning, match=f"whole network for every window.*{reason}") as caught:
        check(model, torch.rand(2, 3, 24, 24).double(), [2, 1], window=5, stride=6)
    assert len(caught) == 1
    assert [len(module._forward_hooks) for module in model.modules()] == hooks


def test_works_on_a_bare_network_with_a_colour():
    network = small(nn.Conv2d(3, 4, 3), nn.ReLU()).network
    images = torch.rand(1, 3, 24, 24).double()
    fill = torch.full((3, 1, 1), 0.5).double()
    maps = occlusion(network, images, 1, window=5, stride=5, fill="grey", progress=False)
    torch.testing.assert_close(maps, plain(network, images, [1], window=5, stride=5, fill=fill), rtol=0, atol=1e-10)
    with pytest.raises(ValueError, match=r"fill.*'grey'.*wrap"):
        occlusion(network, images, 1, window=5)


def snapshot(model: nn.Module) -> tuple:
    tensors = {name: tensor.clone() for name, tensor in [*model.named_parameters(), *model.named_buffers()]}
    modules = [(id(module), module.training, len(module._forward_hooks), *vars(module)) for module in model.modules()]
    return tensors, modules, [(p.requires_grad, p.grad is None) for p in model.parameters()]


def assert_same(before: tuple, after: tuple) -> None:
    assert before[1:] == after[1:]
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])


def trained() -> viz.Classifier:
    """In training mode, all but one layer, as a model between two epochs may be."""
    model = small(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.MaxPool2d(2))
    model.train()
    model.network[1].eval()
    return model


def test_the_model_and_the_images_are_as_they_were():
    model, images = trained(), torch.rand(1, 3, 24, 24).double().requires_grad_()
    before, pixels = snapshot(model), images.detach().clone()
    maps = occlusion(model, images, 0, window=6, stride=6, progress=False)
    assert_same(before, snapshot(model))
    assert torch.equal(images, pixels)
    assert images.grad is None
    assert not maps.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(occlusion(model, images, 0, window=6, stride=6, progress=False), maps)


class Beside(nn.Module):
    """Two ways from the maps to the logits: a linear layer, and the maps' mean around it."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 5, stride=2), nn.Linear(400, 4)

    def forward(self, images):
        maps = self.conv(images).relu()
        return self.fc(maps.flatten(1)) + maps.mean((2, 3))


@pytest.mark.parametrize("beside", [False, True])
def test_several_batches_share_a_large_linear_layer_if_nothing_goes_around_it(beside, monkeypatch):
    monkeypatch.setattr(graph, "_LARGE", 400)
    row = nn.Sequential(nn.Conv2d(3, 4, 5, stride=2), nn.ReLU(True), nn.Flatten(), nn.Linear(400, 9), nn.Linear(9, 4))
    model, calls = classifier(Beside() if beside else row), []
    assert Incremental(model.network).has_bottleneck is not beside
    monkeypatch.setattr(Incremental, "finish", lambda *args, run=Incremental.finish: calls.append(args) or run(*args))
    check(model, torch.rand(1, 3, 24, 24).double(), [1], window=5, stride=2, batch=9)  # 100 windows
    batches = 16  # 10 rows and columns of windows, in fours of at most three
    assert len(calls) == (batches if beside else batches / 8)


def test_the_growing_map_fills_and_can_be_left():
    model, images = trained(), torch.rand(2, 3, 24, 24).double()
    before = snapshot(model)
    whole = occlusion(model, images, 1, window=6, stride=3, progress=False)
    growing = grow_occlusion(model, images, 1, window=6, stride=3, batch=10, progress=False)
    known = torch.zeros(whole.shape, dtype=torch.bool)
    for maps in growing:
        assert maps.shape == whole.shape
        assert torch.is_grad_enabled()
        assert maps.isfinite()[known].all()
        assert 1 <= int((maps.isfinite() & ~known).sum()) <= 10
        known = maps.isfinite()
        assert known[0, 3, 3], "from the middle outwards"
        assert not known[0, 0, 0]
        assert_same(before, snapshot(model))
        if growing.done == 3:
            break
    assert growing.latest is maps
    torch.testing.assert_close(maps[known], whole[known], rtol=0, atol=1e-12)
    assert len(growing) == growing.total - 3
    torch.testing.assert_close(growing.map, whole, rtol=0, atol=1e-12)
    assert (len(growing), list(growing)) == (0, [])
    assert growing.done == growing.total
    assert growing.settings == {"method": "occlusion", "window": 6, "stride": 3, "fill": "mean"}
    assert_same(before, snapshot(model))


def test_the_old_name_warns_and_does_the_same():
    model, images = small(nn.Conv2d(3, 4, 3)), torch.rand(1, 3, 24, 24).double()
    with pytest.warns(DeprecationWarning, match=r"occlusion_steps\(\) is now grow_occlusion\(\)") as caught:
        *_, last = occlusion_steps(model, images, 1, window=6, stride=6)
    assert caught[0].filename == __file__
    assert torch.equal(last, occlusion(model, images, 1, window=6, stride=6, progress=False))


def test_an_interrupt_leaves_the_model_as_it_was(monkeypatch):
    model, images = trained(), torch.rand(1, 3, 24, 24).double()
    before, calls, advance = snapshot(model), [], Incremental.advance

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return advance(self, *args)

    monkeypatch.setattr(Incremental, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        occlusion(model, images, 1, window=6, stride=3, batch=10)
    assert len(calls) == 2
    assert torch.is_grad_enabled()
    assert_same(before, snapshot(model))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 25}, "window must be from 1 to 24.*got 25"),
        ({"window": 0}, "window must be from 1 to 24.*got 0"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"fill": "gray"}, "fill must be 'mean' or 'grey'.*got 'gray'"),
        ({"fill": 128}, r"in \[0, 1\], got \[128"),
        ({"fill": torch.rand(4)}, "one for each of 3 channels"),
        ({"targets": 4}, "targets must be from 0 to 3"),
        ({"images": torch.rand(3, 24, 24)}, r"images must be \(N, 3, H, W\)"),
        ({"images": torch.full((1, 3, 24, 24), torch.nan)}, "NaN"),
    ],
)
def test_bad_input_is_one_clear_error_before_anything_runs(options, message):
    model = small(nn.Conv2d(3, 4, 3)).float()
    given = {"images": torch.rand(1, 3, 24, 24), "targets": 1, "window": 8, "stride": 4} | options
    with pytest.raises(ValueError, match=message):
        grow_occlusion(model, given.pop("images"), given.pop("targets"), **given)
