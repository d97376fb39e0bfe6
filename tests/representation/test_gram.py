"""Gram matrices: of features, of the layers of a network, their distance, and the layers that describe a style."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision.models import vgg

import cs231n_viz as viz
from cs231n_viz.network.interception import AveragePooling
from cs231n_viz.representation.gram import (
    STYLE_LAYERS,
    covariance_matrix,
    gram_distance,
    gram_matrix,
    grams,
    style_layers,
)
from tests.networks import small_classifier

BOTH = pytest.mark.parametrize("matrix", [gram_matrix, covariance_matrix])


def features(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.double)


def test_ones_give_ones_whatever_the_size():
    for size in ((1, 1), (4, 7), (32, 32)):
        ones = torch.ones(2, 3, *size)
        torch.testing.assert_close(gram_matrix(ones), torch.ones(2, 3, 3))
        assert (covariance_matrix(ones) == 0).all()


def test_gram_is_the_mean_of_outer_products():
    maps = features(2, 3, 4, 5)
    for picture, found in zip(maps, gram_matrix(maps), strict=True):
        vectors = [picture[:, row, col] for row in range(4) for col in range(5)]
        torch.testing.assert_close(found, sum(torch.outer(vector, vector) for vector in vectors) / 20)


def test_a_channel_that_is_on_elsewhere_does_not_go_with_this_one():
    maps = torch.zeros(1, 3, 2, 4)
    maps[0, 0, :, :2] = 2
    maps[0, 1, :, 2:] = 3
    maps[0, 2, 0] = 1
    expected = torch.tensor([[2.0, 0, 0.5], [0, 4.5, 0.75], [0.5, 0.75, 0.5]])
    torch.testing.assert_close(gram_matrix(maps)[0], expected)


@BOTH
def test_shuffled_positions_change_nothing_and_shuffled_channels_do(matrix):
    maps = features(2, 4, 5, 6)
    shuffled = maps.flatten(2)[:, :, torch.randperm(30)].unflatten(2, (6, 5))
    torch.testing.assert_close(matrix(shuffled), matrix(maps))
    torch.testing.assert_close(matrix(maps.mT), matrix(maps))
    each = torch.stack([channel[torch.randperm(30)] for channel in maps[0].flatten(1)]).view(1, 4, 5, 6)
    assert not torch.allclose(matrix(each), matrix(maps[:1]))


@BOTH
def test_pictures_of_a_batch_do_not_mix(matrix):
    maps = features(3, 4, 5, 5)
    together = matrix(maps)
    assert together.shape == (3, 4, 4)
    for index in range(3):
        torch.testing.assert_close(together[index : index + 1], matrix(maps[index : index + 1]))
    maps[1] = 100
    torch.testing.assert_close(matrix(maps)[::2], together[::2])


@BOTH
def test_a_texture_twice_as_large_has_the_same_matrix(matrix):
    maps = features(1, 3, 4, 4)
    torch.testing.assert_close(matrix(maps.tile(1, 1, 2, 3)), matrix(maps))


@BOTH
def test_twice_the_activation_gives_four_times_the_matrix(matrix):
    maps = features(1, 3, 4, 4)
    torch.testing.assert_close(matrix(2 * maps), 4 * matrix(maps))


def test_covariance_is_gram_without_the_means():
    maps = features(2, 4, 5, 6) + 3
    means = maps.mean(dim=(2, 3))
    torch.testing.assert_close(covariance_matrix(maps), gram_matrix(maps) - means[:, :, None] * means[:, None])
    torch.testing.assert_close(covariance_matrix(maps)[0], torch.cov(maps[0].flatten(1), correction=0))


def test_covariance_does_not_see_an_offset_and_gram_does():
    maps = features(1, 4, 5, 6)
    offset = torch.tensor([1.0, -2, 0, 5])[:, None, None]
    torch.testing.assert_close(covariance_matrix(maps + offset), covariance_matrix(maps))
    assert not torch.allclose(gram_matrix(maps + offset), gram_matrix(maps), atol=0.1)


@BOTH
def test_both_are_symmetric_and_never_negative(matrix):
    found = matrix(features(2, 5, 3, 4))
    torch.testing.assert_close(found, found.mT)
    assert torch.linalg.eigvalsh(found).min() > -1e-12


@BOTH
def test_gradients_are_right_and_the_features_stay(matrix):
    maps = features(2, 3, 2, 3).requires_grad_()
    before = maps.detach().clone()
    assert torch.autograd.gradcheck(matrix, maps)
    assert torch.autograd.gradgradcheck(matrix, maps)
    assert torch.equal(maps, before)


@BOTH
@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (torch.ones(3, 4, 4), r"wanted features \(N, C, h, w\), got \(3, 4, 4\); one picture is features\[None\]"),
        (torch.ones(3, 16), r"got \(3, 16\)$"),
        (torch.ones(1, 3, 0, 4), r"at least one position, got \(1, 3, 0, 4\), float32"),
        (torch.ones(1, 3, 4, 4, dtype=torch.uint8), r"float features .* uint8"),
    ],
)
def test_other_shapes_are_refused(matrix, maps, message):
    with pytest.raises(ValueError, match=message):
        matrix(maps)


def picture(side: int = 48, seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


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
    layers = ["maxpool", "layer1.0.relu"] if name == "resnet18" else list(style_layers(model, pools=True))
    images = picture(65)
    ours = grams(model, images, layers)
    plain = grams(model, images, layers, average_pooling=False)
    built = grams(with_averages(model), images, layers, average_pooling=False)
    for layer in layers:
        torch.testing.assert_close(ours[layer], built[layer])
    assert not torch.allclose(ours[layers[-1]], plain[layers[-1]], rtol=1e-3)


def test_grams_are_those_of_the_activations():
    model, images = small_classifier(), torch.cat([picture(), picture(seed=2)])
    maps = viz.activations(model, images, ["relu1", "relu2"])
    matrices = grams(model, images, ["relu1", "relu2"], average_pooling=False)
    covariances = grams(model, images, ["relu1", "relu2"], average_pooling=False, statistic="covariance")
    for layer, values in maps.items():
        torch.testing.assert_close(matrices[layer], gram_matrix(values))
        torch.testing.assert_close(covariances[layer], covariance_matrix(values))


def test_the_distance_is_the_mean_of_relative_squared_errors():
    first = {"a": torch.tensor([[[2.0, 0], [0, 0]]]), "b": torch.tensor([[[5.0]]])}
    second = {"a": torch.tensor([[[1.0, 0], [0, 2]]]), "b": torch.tensor([[[4.0]]])}
    assert gram_distance(first, second).item() == pytest.approx(((1 + 4) / 5 + 1 / 16) / 2)
    assert gram_distance(second, second).item() == 0
    twice = {layer: matrix.expand(2, -1, -1) for layer, matrix in first.items()}
    assert gram_distance(twice, second).item() == pytest.approx(2 * gram_distance(first, second).item())
    assert gram_distance(first, second, most=0.5).item() == pytest.approx((0.5 + 1 / 16) / 2)


def test_rescaled_weights_change_no_distance():
    """With weights rescaled to a mean activation of 1 in each layer, as in the paper, the distance is the same."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU()).double().eval()
    sample, other, layers = picture().double(), picture(seed=2).double() ** 2, ["1", "4"]
    before = gram_distance(grams(net, other, layers), grams(net, sample, layers))
    with AveragePooling():
        raw = [maps.mean() for maps in viz.activations(net, sample, layers).values()]
    for conv, before_it, after_it in ((net[0], 1.0, raw[0]), (net[3], raw[0], raw[1])):
        conv.weight.data *= before_it / after_it
        conv.bias.data /= after_it
    with AveragePooling():
        means = [maps.mean() for maps in viz.activations(net, sample, layers).values()]
    assert [mean.item() for mean in means] == pytest.approx([1.0, 1.0])
    torch.testing.assert_close(gram_distance(grams(net, other, layers), grams(net, sample, layers)), before)


def test_shuffled_features_score_as_the_sample_does():
    maps = viz.activations(small_classifier(), picture(), ["relu2"])["relu2"]
    shuffled = maps.flatten(2)[:, :, torch.randperm(maps.shape[2] * maps.shape[3])].view_as(maps)
    assert gram_distance({"relu2": gram_matrix(shuffled)}, {"relu2": gram_matrix(maps)}).item() < 1e-10


def test_a_layer_without_positions_and_another_statistic_are_refused():
    with pytest.raises(ValueError, match=r"layer 'fc' has no positions, its shape is \(3,\); take one before"):
        grams(small_classifier(), picture(), ["fc"])
    with pytest.raises(ValueError, match="statistic must be one of gram, covariance; got 'mean'"):
        grams(small_classifier(), picture(), ["relu1"], statistic="mean")


def test_average_is_now_average_pooling():
    model = small_classifier()
    new = grams(model, picture(), ["relu2"], average_pooling=False)
    with pytest.warns(DeprecationWarning, match=r"grams\(average=…\) is now grams\(average_pooling=…\)"):
        old = grams(model, picture(), ["relu2"], average=False)
    assert torch.equal(old["relu2"], new["relu2"])


def test_style_layers_by_depth():
    model = small_classifier()
    assert style_layers(model) == style_layers(model, pools=True) == ("relu1", "relu2")
    assert style_layers(model, 1) == ("relu1",)
    for depth in (0, 3, 1.5):
        with pytest.raises(ValueError, match="depth must be from 1 to 2, the layers relu1, relu2; got"):
            style_layers(model, depth)


def test_pools_are_added_where_they_describe_textures_better():
    model = viz.load_model("mini_vgg", weights=None)
    assert style_layers(model) == ("relu1_1", "relu2_1", "relu3_1", "relu3_2", "relu4_1", "relu4_2")
    assert style_layers(model, 2, pools=True) == ("relu1_1", "pool1")
    assert [layer for layer in style_layers(model, pools=True) if "pool" not in layer] == list(style_layers(model))


@pytest.mark.parametrize("name", sorted(set(STYLE_LAYERS) - {"random_filters"}))
def test_the_style_layers_exist_from_shallow_to_deep(name):
    if name == "vgg19":  # its linear layers take half a minute to make
        network = nn.Sequential(OrderedDict(features=vgg.make_layers(vgg.cfgs["E"])))
        names = [layer for layer, _ in network.named_modules()]
    else:
        names = [layer.name for layer in viz.load_model(name, weights=None).layers()]
    places = [names.index(layer) for layer in STYLE_LAYERS[name]]
    assert places == sorted(places)
