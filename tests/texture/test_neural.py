"""Neural texture synthesis: the pools that average, what is matched, what is refused, and a judge of its own."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import vgg

import cs231n_viz as viz
from cs231n_viz.network import memory
from cs231n_viz.network.interception import AveragePooling
from cs231n_viz.representation.gram import covariance_matrix, gram_matrix
from cs231n_viz.texture.neural import (
    STYLE_LAYERS,
    RandomFilters,
    gram_distance,
    grams,
    match_histogram,
    smallest_side,
    style_layers,
    synthesize_texture,
    texture_objective,
)
from tests.networks import small_classifier, unchanged


def picture(side: int = 48, seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


def textures(name: str, side: int) -> torch.Tensor:
    """The upper left of a photograph, reduced: (1, 3, side, side)."""
    image = viz.load_image(name)
    least = min(image.shape[-2:]) * 3 // 4
    return F.interpolate(image[None, :, :least, :least], size=side, mode="bilinear", antialias=True).clamp(0, 1)


def with_averages(model: nn.Module) -> nn.Module:
    """The same network, its max-pools replaced by modules that average."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            parent = model.get_submodule(name.rpartition(".")[0])
            options = {"stride": module.stride, "padding": module.padding, "ceil_mode": module.ceil_mode}
            average = nn.AvgPool2d(module.kernel_size, **options, count_include_pad=False)
            setattr(parent, name.rpartition(".")[2], average)
    return model


@pytest.mark.parametrize("name", ["mini_vgg", "mini_alexnet", "squeezenet1_1", "resnet18"])
def test_pools_average_as_if_the_network_had_been_built_so(name):
    model = viz.load_model(name, weights=None)
    layers = ["maxpool", "layer1.0.relu"] if name == "resnet18" else list(style_layers(model))
    images = picture(65)
    ours = grams(model, images, layers)
    plain = grams(model, images, layers, average=False)
    built = grams(with_averages(model), images, layers, average=False)
    for layer in layers:
        torch.testing.assert_close(ours[layer], built[layer])
    assert not torch.allclose(ours[layers[-1]], plain[layers[-1]], rtol=1e-3)


@pytest.mark.parametrize("pool", [F.max_pool2d, torch.max_pool2d])
def test_every_way_to_call_a_pool_averages(pool):
    maps = picture(9)
    with AveragePooling():
        by_place, by_name = pool(maps, 3, 2, 1), pool(maps, kernel_size=3, stride=2, padding=1)
        overhanging = pool(input=maps, kernel_size=2, ceil_mode=True)
    expected = F.avg_pool2d(maps, 3, 2, 1, count_include_pad=False)
    assert torch.equal(by_place, expected)
    assert torch.equal(by_name, expected)
    assert torch.equal(overhanging, F.avg_pool2d(maps, 2, ceil_mode=True, count_include_pad=False))


def test_grams_are_those_of_the_activations():
    model, images = small_classifier(), torch.cat([picture(), picture(seed=2)])
    maps = viz.activations(model, images, ["relu1", "relu2"])
    found = grams(model, images, ["relu1", "relu2"], average=False)
    covariances = grams(model, images, ["relu1", "relu2"], average=False, statistic="covariance")
    for layer, values in maps.items():
        torch.testing.assert_close(found[layer], gram_matrix(values))
        torch.testing.assert_close(covariances[layer], covariance_matrix(values))


def test_the_distance_is_the_mean_of_relative_squared_errors():
    first = {"a": torch.tensor([[[2.0, 0], [0, 0]]]), "b": torch.tensor([[[5.0]]])}
    second = {"a": torch.tensor([[[1.0, 0], [0, 2]]]), "b": torch.tensor([[[4.0]]])}
    assert gram_distance(first, second).item() == pytest.approx(((1 + 4) / 5 + 1 / 16) / 2)
    assert gram_distance(second, second).item() == 0
    twice = {layer: matrix.expand(2, -1, -1) for layer, matrix in first.items()}
    assert gram_distance(twice, second).item() == pytest.approx(2 * gram_distance(first, second).item())


def test_rescaled_weights_change_no_distance():
    """With weights rescaled to a mean activation of 1 in each layer, as in the paper, the distance is the same."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU()).double().eval()
    sample, other, layers = picture().double(), picture(seed=2).double() ** 2, ["1", "4"]
    before = gram_distance(grams(net, other, layers), grams(net, sample, layers))
    with AveragePooling():
        raw = [maps.mean() for maps in viz.activations(net, sample, layers).values()]
    for conv, before_it, behind_it in ((net[0], 1.0, raw[0]), (net[3], raw[0], raw[1])):
        conv.weight.data *= before_it / behind_it
        conv.bias.data /= behind_it
    with AveragePooling():
        means = [maps.mean() for maps in viz.activations(net, sample, layers).values()]
    assert [mean.item() for mean in means] == pytest.approx([1.0, 1.0])
    torch.testing.assert_close(gram_distance(grams(net, other, layers), grams(net, sample, layers)), before)


def test_shuffled_features_score_as_the_sample_does():
    maps = viz.activations(small_classifier(), picture(), ["relu2"])["relu2"]
    shuffled = maps.flatten(2)[:, :, torch.randperm(maps.shape[2] * maps.shape[3])].view_as(maps)
    assert gram_distance({"relu2": gram_matrix(shuffled)}, {"relu2": gram_matrix(maps)}).item() < 1e-10


def test_the_sample_itself_cannot_be_improved():
    sample = picture()
    assert texture_objective(small_classifier(), sample, ["relu1", "relu2"])(sample).item() == 0


@pytest.mark.parametrize("statistic", ["gram", "covariance"])
def test_the_score_rises_and_is_what_it_says(statistic):
    model, sample = small_classifier(), textures("brick", 48)
    made = synthesize_texture(model, sample, size=(40, 56), steps=30, statistic=statistic, colours=0, progress=False)
    image = made.image
    assert image.shape == (1, 3, 40, 56)
    assert image.min() >= 0
    assert image.max() <= 1
    assert made.scores[-1] > made.scores[0] / 10
    targets = grams(model, sample, ["relu1", "relu2"], statistic=statistic)
    found = grams(model, image, ["relu1", "relu2"], statistic=statistic)
    assert made.score == pytest.approx(-100 * gram_distance(found, targets).item(), rel=1e-3)
    assert made.total == 31
    assert made.settings["layers"] == ["relu1", "relu2"]
    assert made.settings["size"] == [40, 56]


def test_seeds_repeat_and_differ():
    model, sample = small_classifier(), picture()

    def made(seed: int) -> torch.Tensor:
        return synthesize_texture(model, sample, size=48, steps=3, seed=seed, progress=False).image

    assert torch.equal(made(4), made(4))
    assert not torch.allclose(made(4), made(5), atol=0.05)


def test_the_model_is_left_as_found():
    model, sample = small_classifier().train(), picture()
    with unchanged(model, sample):
        assert synthesize_texture(model, sample, size=48, steps=2, progress=False).scores == []
        synthesize_texture(model, sample, size=48, steps=2, progress=False).finish()


def test_nothing_behind_the_deepest_layer_is_computed():
    class Broken(nn.Module):
        def forward(self, maps):
            raise AssertionError("this layer was not asked for")

    model = small_classifier()
    model.network.conv2 = Broken()
    assert synthesize_texture(model, picture(), layers=["relu1"], size=48, steps=1, progress=False).score < 0


def test_layers_by_depth():
    model = small_classifier()
    made = synthesize_texture(model, picture(), layers=1, size=48, steps=1, progress=False)
    assert made.settings["layers"] == ["relu1"]
    assert style_layers(viz.load_model("mini_vgg"), 2) == ("relu1_1", "pool1")
    for depth in (0, 3, 1.5):
        with pytest.raises(ValueError, match="depth must be from 1 to 2, the layers relu1, relu2; got"):
            style_layers(model, depth)


@pytest.mark.parametrize("name", sorted(set(STYLE_LAYERS) - {"random_filters"}))
def test_the_style_layers_exist_from_shallow_to_deep(name):
    if name == "vgg19":  # its linear layers take half a minute to make
        network = nn.Sequential(OrderedDict(features=vgg.make_layers(vgg.cfgs["E"])))
        names = [layer for layer, _ in network.named_modules()]
    else:
        network = viz.load_model(name, weights=None)
        names = [layer.name for layer in network.layers()]
    places = [names.index(layer) for layer in STYLE_LAYERS[name]]
    assert places == sorted(places)
    assert smallest_side(network, STYLE_LAYERS[name]) <= 64
    options = {"layers": STYLE_LAYERS[name], "size": 64, "steps": 8, "rule": "adam", "lr": 0.02, "colours": 0}
    made = synthesize_texture(network, textures("brick", 64), **options, progress=False)
    assert made.score > 0.8 * made.scores[0]


def test_random_filters_stand_in_for_a_model():
    bank, sample = RandomFilters((3, 7), filters=4, seed=2), textures("grass", 48)
    maps = bank(sample)
    assert maps.shape == (1, 8, 48, 48)
    assert maps.min() == 0
    by_hand = F.conv2d(sample - 0.5, bank.banks[1].weight, padding=3).relu()
    torch.testing.assert_close(maps[:, 4:], by_hand)
    assert torch.equal(bank(sample), RandomFilters((3, 7), filters=4, seed=2)(sample))
    assert all(layer.weight.mean((2, 3)).abs().max() < 1e-6 for layer in bank.banks)  # no brightness, only contrasts
    made = synthesize_texture(bank, sample, size=40, steps=20, progress=False)
    assert made.score > made.scores[0] / 10
    with pytest.raises(ValueError, match=r"wanted odd sizes from 3 on and at least 1 filter of each, got \(4,\) and 8"):
        RandomFilters((4,), filters=8)


def test_matched_colours_are_those_of_the_sample_in_the_order_of_the_picture():
    image, sample = picture(), picture(seed=2).square()
    found = match_histogram(image, sample)
    for mine, before, theirs in zip(found[0], image[0], sample[0], strict=True):
        torch.testing.assert_close(mine.flatten().sort().values, theirs.flatten().sort().values)
        assert torch.equal(mine.flatten().argsort(), before.flatten().argsort())
    larger = match_histogram(picture(64), sample)
    torch.testing.assert_close(larger.mean((2, 3)), sample.mean((2, 3)), atol=2e-3, rtol=0)
    assert larger.max() == pytest.approx(sample.max().item())
    two = match_histogram(torch.cat([image, 1 - image]), sample)
    torch.testing.assert_close(two[:1], found)


def test_the_last_picture_is_the_best_of_all():
    options = {"size": 48, "steps": 12, "rule": "adam", "lr": 0.5, "progress": False}  # far too long steps
    made = synthesize_texture(small_classifier(), textures("brick", 48), **options)
    steps = list(made)
    best = max(steps[:-1], key=lambda step: step.score)
    assert best.index < 11
    assert made.score >= best.score
    if made.score == best.score:
        assert torch.equal(made.image, best.image)


def test_only_the_last_picture_gets_the_colours_of_the_sample():
    model, sample = small_classifier(), picture().square()
    options = {"size": 48, "steps": 4, "rule": "adam", "lr": 0.02, "progress": False}
    plain = synthesize_texture(model, sample, **options)
    coloured = synthesize_texture(model, sample, histogram=True, **options)
    images = [(a.image, b.image) for a, b in zip(plain, coloured, strict=True)]
    assert all(torch.equal(a, b) for a, b in images[:-1])
    assert torch.equal(images[-1][1], match_histogram(images[-1][0], sample))
    objective = texture_objective(model, sample, ["relu1", "relu2"], colours=0.1)
    assert coloured.score == pytest.approx(objective(images[-1][1]).item())


def test_the_term_of_the_colours_is_the_error_of_their_covariance_and_of_their_means():
    model, sample, image = small_classifier(), picture(), picture(seed=2).square()

    def term(statistic: str) -> float:
        options = {"statistic": statistic}
        plain, both = (texture_objective(model, sample, ["relu1"], colours=c, **options)(image) for c in (0, 0.3))
        return (plain - both).item()

    def error(statistic) -> float:
        mine, theirs = (statistic(images)[0] for images in (image, sample))
        return ((mine - theirs).norm() / theirs.norm()).square().item()

    assert term("covariance") == pytest.approx(30 * error(covariance_matrix), rel=1e-3)
    assert term("gram") == pytest.approx(30 * (error(covariance_matrix) + error(gram_matrix)), rel=1e-3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sample": torch.rand(3, 48, 48)}, ValueError, r"images must be \(N, 3, H, W\), got \(3, 48, 48\)"),
        ({"sample": torch.rand(2, 3, 48, 48)}, ValueError, r"wanted one sample \(1, 3, h, w\), got 2"),
        ({"sample": 255 * torch.rand(1, 3, 48, 48)}, ValueError, "divide by 255"),
        ({"sample": torch.rand(1, 3, 2, 48)}, ValueError, "sample must be at least 3x3 pixels, or nothing .*got 2x48"),
        ({"size": 2}, ValueError, "size must be at least 3, or nothing arrives at relu2; got 2"),
        ({"size": "big"}, ValueError, "size must be a whole number"),
        ({"layers": ["relu3"]}, KeyError, "no layer 'relu3'; close names: relu"),
        ({"layers": ["fc"]}, ValueError, r"layer 'fc' has no positions, its shape is \(3,\); take one before"),
        ({"layers": 3}, ValueError, "depth must be from 1 to 2"),
        ({"statistic": "mean"}, ValueError, "statistic must be one of gram, covariance; got 'mean'"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options, error, message):
    options = {"sample": picture(), "size": 48, **options}
    with pytest.raises(error, match=message):
        synthesize_texture(small_classifier(), **options, progress=False)


def test_a_size_beyond_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda device: 50e6)
    with pytest.raises(ValueError, match=r"4096 × 4096 pixels would take about .* GB, and 0.04 GB may be used"):
        synthesize_texture(small_classifier(), picture(), size=4096, progress=False)


@pytest.mark.parametrize("name", ["brick", "gravel"])
def test_another_network_finds_the_texture_too(name):
    model, judge = viz.load_model("mini_vgg"), viz.load_model("mini_alexnet")
    sample = textures(name, 128)
    made = synthesize_texture(model, sample, size=128, steps=60, progress=False)
    start, image = next(made).image, made.image
    layers = style_layers(judge)
    target = grams(judge, sample, layers)
    before, after = (gram_distance(grams(judge, images, layers), target) for images in (start, image))
    assert after < 0.15 * before
    assert made.score > made.scores[0] / 100
