"""The joint loss: its terms in closed form, blended styles, regions of a picture, and what is refused."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from cs231n_viz.network.capture import activations
from cs231n_viz.network.models import load_model, wrap
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.pictures.paintings import load_painting
from cs231n_viz.representation.gram import gram_distance, gram_matrix, grams, style_layers
from cs231n_viz.style.loss import JointLoss, StyleLoss, blended, content_distance, content_layer, masked_gram
from cs231n_viz.synthesis.regularisers import total_variation
from tests.networks import small_classifier

LAYERS = {"content_layer": "relu2", "style_layers": ["relu1", "relu2"]}


@pytest.fixture
def model():
    return small_classifier()


@pytest.fixture
def photo():
    return resize(load_image("coffee")[None], (32, 32))


@pytest.fixture
def painting():
    return resize(load_painting("swirls")[None], (32, 32))


def mirror():
    """A network whose layer is the picture."""
    layers = OrderedDict(first=nn.Identity(), gap=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(3, 2))
    return wrap(nn.Sequential(layers).eval(), ["a", "b"], mean=[0] * 3, std=[1] * 3, input_size=8)


def test_the_terms_in_closed_form_where_the_layer_is_the_picture():
    content, style = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.2)
    options = StyleLoss(2.0, 3.0, 1.0, content_layer="first", style_layers=["first"])
    loss = JointLoss(mirror(), content, [style], options)
    image = torch.full((1, 3, 8, 8), 0.4)
    # Every entry of a Gram matrix is the square of the one colour there is.
    expected = 2 * (0.1 / 0.5) ** 2 + 3 * ((0.16 - 0.04) / 0.04) ** 2
    assert loss(image).item() == pytest.approx(expected, rel=1e-5)
    assert loss.terms["content"] == pytest.approx(2 * 0.04, rel=1e-5)
    assert loss.terms["tv"] == 0


def test_weights_multiply_their_terms(model, photo, painting):
    image = (photo + painting) / 2
    plain, heavy = (
        JointLoss(model, photo, [painting], StyleLoss(*weights, **LAYERS)) for weights in ((1, 1, 1), (2, 3, 5))
    )
    plain(image), heavy(image)
    assert heavy.terms == {
        "content": pytest.approx(2 * plain.terms["content"]),
        "style": pytest.approx(3 * plain.terms["style"]),
        "tv": pytest.approx(5 * plain.terms["tv"]),
    }
    assert plain.terms["tv"] == pytest.approx(total_variation(image).item())


def test_the_style_term_is_the_gram_distance_of_the_textures(model, photo, painting):
    loss = JointLoss(model, photo, [painting], StyleLoss(style=1.0, **LAYERS))
    loss(photo)
    layers = ["relu1", "relu2"]
    wanted = gram_distance(
        grams(model, photo, layers, average_pooling=False), grams(model, painting, layers, average_pooling=False)
    ).item()
    assert loss.terms["style"] == pytest.approx(wanted, rel=1e-4)


def test_the_content_distance_is_relative_and_a_mean_over_the_pictures():
    ones = torch.ones(1, 2, 3, 3)
    assert content_distance(2 * ones, ones) == 1
    assert content_distance(torch.cat([3 * ones, 6 * ones]), torch.cat([ones, 4 * ones])) == (4 + 0.25) / 2


def test_styles_are_blended_in_their_gram_matrices(model, photo, painting):
    first, second = (activations(model, picture, ["relu1"])["relu1"] for picture in (painting, painting.flip(1)))
    mixed = blended([{"relu1": gram_matrix(first)}, {"relu1": gram_matrix(second)}], [0.25, 0.75])["relu1"]
    torch.testing.assert_close(mixed, 0.25 * gram_matrix(first) + 0.75 * gram_matrix(second))
    loss = JointLoss(model, photo, [painting, painting.flip(1)], StyleLoss(shares=[1, 3], **LAYERS))
    torch.testing.assert_close(loss.targets[0]["relu1"], mixed)


def test_the_grams_of_a_batch_are_not_mixed(photo, painting):
    both = gram_matrix(torch.cat([photo, painting]))
    torch.testing.assert_close(both, torch.cat([gram_matrix(photo), gram_matrix(painting)]))


def test_regions_that_divide_a_picture_divide_its_gram_matrix():
    maps, left = torch.rand(1, 5, 8, 8), torch.zeros(16, 16)
    left[:, :4] = 1
    torch.testing.assert_close(masked_gram(maps, torch.ones(16, 16)), gram_matrix(maps))
    torch.testing.assert_close(masked_gram(maps, left), gram_matrix(maps[..., :2]))
    parts = 0.25 * masked_gram(maps, left) + 0.75 * masked_gram(maps, 1 - left)
    torch.testing.assert_close(parts, gram_matrix(maps))


def test_regions_count_by_their_shares(model, photo, painting):
    masks = [torch.zeros(32, 32), torch.ones(32, 32)]
    masks[0][:, :12] = 1
    styles, layers = [painting, painting.flip(1)], ["relu1", "relu2"]
    loss = JointLoss(model, photo, styles, StyleLoss(style=1.0, shares=[1, 3], **LAYERS), masks=masks)
    loss(photo)
    maps = activations(model, photo, layers)
    expected = 0
    for share, style, mask in zip((0.25, 0.75), styles, masks, strict=True):
        found = {layer: masked_gram(maps[layer], mask) for layer in layers}
        expected += share * gram_distance(found, grams(model, style, layers, average_pooling=False)).item()
    assert loss.terms["style"] == pytest.approx(expected, rel=1e-4)


def test_every_bundled_network_has_its_layers():
    for name in ("mini_vgg", "mini_alexnet"):
        model = load_model(name)
        assert {content_layer(model), *style_layers(model)} <= {layer.name for layer in model.layers()}
    small = small_classifier()
    assert content_layer(small) in style_layers(small) == ("relu1", "relu2")


def test_what_is_omitted_is_filled_in_for_the_model_and_the_styles(model):
    loss = StyleLoss().resolved(model, 2)
    assert loss.content_layer == content_layer(model)
    assert loss.style_layers == style_layers(model)
    assert loss.shares == (0.5, 0.5)
    assert StyleLoss(shares=[3, 1]).resolved(model, 2).shares == (0.75, 0.25)
    given = StyleLoss(2.0, 3.0, 0.0, average_pooling=True, **LAYERS).resolved(model, 1)
    assert (given.content, given.style, given.tv, given.average_pooling) == (2.0, 3.0, 0.0, True)
    assert (given.content_layer, given.style_layers) == ("relu2", ("relu1", "relu2"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"content": 0, "style": 0}, "the weights content and style are both 0, so nothing is asked"),
        ({"tv": -1}, "tv must be a weight from 0 on, got -1"),
        ({"style": float("nan")}, "style must be a weight from 0 on, got nan"),
        ({"shares": [0]}, "all shares are 0"),
        ({"shares": [-1]}, r"shares must be numbers from 0 on, got \[-1\]"),
        (
            {"style_layers": "relu1"},
            r"sequence of names, got 'relu1'; a single one is \['relu1'\]",
        ),
    ],
)
def test_a_loss_that_makes_no_sense_is_refused_in_one_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        StyleLoss(**options)


def test_there_is_one_share_for_each_style(model):
    with pytest.raises(ValueError, match="there are 2 shares for 1 style; give one each"):
        StyleLoss(shares=[1, 2]).resolved(model, 1)
    with pytest.raises(ValueError, match="at least one style, got none"):
        StyleLoss().resolved(model, 0)
