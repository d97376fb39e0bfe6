"""Style transfer: closed forms of the loss, colours, regions, what is refused, and a pair judged by another network."""

from collections import OrderedDict
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from cs231n_viz.network.capture import activations
from cs231n_viz.network.models import load_model, wrap
from cs231n_viz.network.precision import half_precision
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.pictures.paintings import load_painting
from cs231n_viz.representation.features import features
from cs231n_viz.representation.gram import gram_matrix
from cs231n_viz.representation.neighbours import nearest
from cs231n_viz.style import transfer
from cs231n_viz.style.colours import luminance, match_colours, match_luminance, recoloured
from cs231n_viz.style.loss import JointLoss, blended, content_distance, masked_gram
from cs231n_viz.style.transfer import content_layer_of, style_layers_of, stylize
from cs231n_viz.synthesis.regularisers import total_variation
from cs231n_viz.texture.neural import gram_distance, grams, style_layers
from tests.networks import small_classifier, unchanged

LAYERS = {"content_layer": "relu2", "style_layers": ["relu1", "relu2"]}
QUICK = {**LAYERS, "size": 32, "steps": 3, "scales": 1, "progress": False}
ONES = ((1.0, 1.0, 0.0),)


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


def loss_of(model, content, styles, **options):
    weights = options.pop("weights", (1.0, 1.0, 1.0))
    return JointLoss(model, content, styles, layers=("relu2", ("relu1", "relu2")), weights=weights, **options)


def test_a_picture_that_is_its_own_style_begins_with_a_loss_of_nothing(model, photo):
    options = {**QUICK, "steps": 0, "coordinates": "pixels", "tv_weight": 0.0}
    ascent = stylize(model, photo, photo, **options)
    assert ascent.score == pytest.approx(0, abs=1e-9)
    assert ascent.terms == [{"content": pytest.approx(0), "style": pytest.approx(0, abs=1e-9), "tv": 0.0}]
    torch.testing.assert_close(ascent.latest.image, photo)


def test_the_terms_in_closed_form_where_the_layer_is_the_picture():
    content, style = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.2)
    loss = JointLoss(mirror(), content, [style], layers=("first", ["first"]), weights=(2.0, 3.0, 1.0))
    image = torch.full((1, 3, 8, 8), 0.4)
    # Every entry of a Gram matrix is the square of the one colour there is.
    expected = 2 * (0.1 / 0.5) ** 2 + 3 * ((0.16 - 0.04) / 0.04) ** 2
    assert loss(image).item() == pytest.approx(expected, rel=1e-5)
    assert loss.terms["content"] == pytest.approx(2 * 0.04, rel=1e-5)
    assert loss.terms["tv"] == 0


@pytest.mark.parametrize("coordinates", ["fourier", "pixels"])
@pytest.mark.parametrize("colours", ["style", "luminance", "histogram"])
def test_the_terms_add_up_to_minus_the_score_at_each_step(model, photo, painting, coordinates, colours):
    options = {**QUICK, "scales": 2, "coordinates": coordinates, "colours": colours}
    ascent = stylize(model, photo, painting, **options)
    steps = list(ascent)
    assert [step.index for step in steps] == list(range(8)) == list(range(ascent.total))
    assert [step.image.shape[-1] for step in steps] == [16] * 4 + [32] * 4
    for step, terms in zip(steps, ascent.terms, strict=True):
        assert sum(terms.values()) == pytest.approx(-step.score, rel=1e-5)
        assert 0 <= step.image.min()
        assert step.image.max() <= 1
    assert list(ascent.terms[0]) == ["content", "style", "tv"]


def test_weights_multiply_their_terms(model, photo, painting):
    image = (photo + painting) / 2
    plain, heavy = (loss_of(model, photo, [painting], weights=weights) for weights in ((1, 1, 1), (2, 3, 5)))
    plain(image), heavy(image)
    assert heavy.terms == {
        "content": pytest.approx(2 * plain.terms["content"]),
        "style": pytest.approx(3 * plain.terms["style"]),
        "tv": pytest.approx(5 * plain.terms["tv"]),
    }
    assert plain.terms["tv"] == pytest.approx(total_variation(image).item())


def test_the_style_term_is_the_gram_distance_of_the_textures(model, photo, painting):
    loss = loss_of(model, photo, [painting])
    loss(photo)
    layers = ["relu1", "relu2"]
    wanted = gram_distance(
        grams(model, photo, layers, average=False), grams(model, painting, layers, average=False)
    ).item()
    assert loss.terms["style"] == pytest.approx(wanted, rel=1e-4)
    assert content_distance(2 * torch.ones(3), torch.ones(3)) == 1


@pytest.mark.skipif(
    isinstance(half_precision(torch.device("cpu")), nullcontext), reason="no instructions for bfloat16: full precision"
)
def test_half_precision_ends_where_full_precision_does(monkeypatch):
    vgg, size = load_model("mini_vgg"), (96, 96)
    photo, painting = resize(load_image("cat")[None], size), resize(load_painting("swirls")[None], size)
    layers = (content_layer_of(vgg), style_layers_of(vgg))
    loss = JointLoss(vgg, photo, [painting], layers=layers, weights=(1.0, 10.0, 30.0))
    reached = {}
    for native in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        climb = stylize(vgg, photo, painting, size=96, scales=1, steps=60, rule="adam", progress=False)
        first = next(climb)
        assert first.score == pytest.approx(-loss(first.image).item(), rel=2e-3 if native else 1e-4)
        assert first.image.dtype == climb.image.dtype == torch.float32
        reached[native] = loss(climb.image).item()
    assert reached[True] < 0.3 * loss(photo).item()
    assert reached[True] == pytest.approx(reached[False], rel=0.01)
    assert reached[True] != reached[False]  # the two were computed differently


@pytest.mark.parametrize("options", [{"style_scale": 0.5}, {"colours": "histogram"}])
def test_first_steps_do_not_leap_to_black_and_white(options):
    options |= {"size": 144, "steps": 20, "progress": False}
    image = stylize(load_model("mini_vgg"), load_image("astronaut"), load_painting("swirls"), **options).image
    assert ((image < 0.005) | (image > 0.995)).float().mean() < 0.005


def test_styles_are_blended_in_their_gram_matrices_and_weights_are_shares(model, photo, painting):
    other = painting.flip(1)
    first, second = (activations(model, picture, ["relu1"])["relu1"] for picture in (painting, other))
    mixed = blended([{"relu1": gram_matrix(first)}, {"relu1": gram_matrix(second)}], [0.25, 0.75])["relu1"]
    torch.testing.assert_close(mixed, 0.25 * gram_matrix(first) + 0.75 * gram_matrix(second))
    alone = stylize(model, photo, other, **QUICK)
    with_one_at_0 = stylize(model, photo, [painting, other], style_weights=[0, 7], **QUICK)
    torch.testing.assert_close(alone.image, with_one_at_0.image)
    halves = [stylize(model, photo, [painting, other], style_weights=weights, **QUICK) for weights in (None, [3, 3])]
    torch.testing.assert_close(halves[0].image, halves[1].image)
    assert not torch.allclose(alone.latest.image, halves[0].latest.image)


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


def test_a_mask_that_is_everywhere_is_none(model, photo, painting):
    everywhere = stylize(model, photo, painting, masks=[torch.ones(32, 32)], **QUICK)
    torch.testing.assert_close(everywhere.image, stylize(model, photo, painting, **QUICK).image)


def test_each_style_goes_to_its_own_region():
    red, blue = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    red[:, 0], blue[:, 2] = 0.9, 0.9
    left = torch.zeros(16, 16)
    left[:, :8] = 1
    options = {"content_layer": "first", "style_layers": ["first"], "content_weight": 0.0, "tv_weight": 0.0, "size": 16}
    options |= {"scales": 1, "steps": 60, "coordinates": "pixels", "progress": False}
    grey = torch.full((1, 3, 16, 16), 0.5)
    image = stylize(mirror(), grey, [red, blue], masks=[left, 1 - left], **options).image
    torch.testing.assert_close(image[..., :8], red[..., :8], atol=0.03, rtol=0)
    torch.testing.assert_close(image[..., 8:], blue[..., 8:], atol=0.03, rtol=0)


def test_luminance_alone_keeps_every_colour_exactly(model, photo, painting):
    for step in stylize(model, photo, painting, colours="luminance", **QUICK):
        kept = step.image - luminance(step.image)
        torch.testing.assert_close(kept, photo - luminance(photo), atol=1e-5, rtol=0)
    assert (luminance(step.image) - luminance(photo)).abs().mean() > 0.01


def test_recolouring_gives_lightness_where_there_is_room():
    content = torch.tensor([0.8, 0.5, 0.2]).view(1, 3, 1, 1)
    own = luminance(content)
    torch.testing.assert_close(recoloured(own + 0.1, content), content + 0.1)
    torch.testing.assert_close(recoloured(torch.ones(1, 1, 1, 1), content), content + 0.2)
    torch.testing.assert_close(recoloured(torch.zeros(1, 1, 1, 1), content), content - 0.2)
    torch.testing.assert_close(recoloured(own, content), content)


def test_matched_colours_have_the_mean_and_covariance_of_the_content():
    random = torch.Generator().manual_seed(0)
    content = 0.5 + 0.03 * torch.randn(1, 3, 20, 30, generator=random) @ torch.eye(30)
    content[:, 1] = 0.7 * content[:, 0] + 0.3 * content[:, 1]
    style = 0.3 + 0.3 * torch.rand(1, 3, 40, 40, generator=random)
    moved = match_colours(style, content)[0].flatten(1)
    torch.testing.assert_close(moved.mean(1), content[0].flatten(1).mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(moved), torch.cov(content[0].flatten(1)), atol=1e-5, rtol=0.02)
    torch.testing.assert_close(match_colours(content, content), content, atol=1e-5, rtol=0)
    grey = match_luminance(style, content)
    assert grey.mean() == pytest.approx(luminance(content).mean().item(), abs=1e-3)
    assert match_colours(torch.full((1, 3, 4, 4), 0.5), content).isfinite().all()


def test_a_seed_decides_the_noise_and_the_content_needs_none(model, photo, painting):
    pictures = [stylize(model, photo, painting, start="noise", seed=seed, **QUICK).image for seed in (1, 1, 2)]
    torch.testing.assert_close(pictures[0], pictures[1], rtol=0, atol=0)
    assert not torch.allclose(pictures[0], pictures[2])
    starts = [next(stylize(model, photo, painting, seed=seed, coordinates="pixels", **QUICK)) for seed in (1, 2)]
    torch.testing.assert_close(starts[0].image, photo)
    torch.testing.assert_close(starts[1].image, photo)


def test_each_size_may_have_its_own_steps(model, photo, painting):
    ascent = stylize(model, photo, painting, **{**QUICK, "scales": 3, "steps": [0, 1, 2]})
    assert [step.image.shape[-1] for step in ascent] == [8, 16, 16, 32, 32, 32]
    assert ascent.total == 6


def test_proportions_are_those_of_the_content(model, painting):
    wide = load_image("china")  # (3, 427, 640)
    ascent = stylize(model, wide, painting, **{**QUICK, "size": 48, "steps": 1})
    assert ascent.image.shape == (1, 3, 32, 48)


def test_the_model_is_left_as_it_was_and_the_settings_say_how(model, photo, painting):
    with unchanged(model, photo):
        ascent = stylize(model, photo, painting, rule="adam", **QUICK)
        ascent.finish()
    assert ascent.settings["style_weights"] == [1.0]
    assert (ascent.settings["rule"], ascent.settings["lr"]) == ("adam", 0.05)
    assert ascent.settings["style_layers"] == LAYERS["style_layers"]


def test_every_bundled_network_has_its_layers():
    for name in ("mini_vgg", "mini_alexnet"):
        model = load_model(name)
        assert {content_layer_of(model), *style_layers_of(model)} <= {layer.name for layer in model.layers()}
    small = small_classifier()
    assert content_layer_of(small) in style_layers_of(small) == ("relu1", "relu2")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"style_weights": [1, 2]}, "2 style_weights for 1 style"),
        ({"style_weights": [0]}, "all style_weights are 0"),
        ({"style_weights": [-1]}, "from 0 on"),
        ({"masks": [torch.ones(32, 31)]}, r"mask 0 is \(32, 31\), but the content is \(32, 32\)"),
        ({"masks": [torch.ones(32, 32)] * 2}, "2 masks for 1 style"),
        ({"masks": [torch.zeros(32, 32)]}, "empty"),
        ({"masks": [torch.full((32, 32), 2.0)]}, r"leaves \[0, 1\]"),
        ({"content_weight": 0, "style_weight": 0}, "nothing is asked"),
        ({"tv_weight": -1}, "tv_weight must be a number from 0 on, got -1"),
        ({"style_scale": 0}, "style_scale must be above 0"),
        ({"size": 4, "scales": 3}, "the content would be used at 1 × 1 pixels, and relu2 needs 3 × 3 at least"),
        ({"style_scale": 0.05}, "the style would be used at 2 × 2 pixels"),
        ({"steps": [3, 3]}, "one for each of 1 sizes; got"),
        ({"steps": -1}, "steps must be a number from 0 on"),
        ({"colours": "rgb"}, "colours must be one of style, luminance, histogram; got 'rgb'"),
        ({"start": "zero"}, "start must be one of content, noise"),
        ({"coordinates": "wavelets"}, "coordinates must be one of fourier, pixels"),
        ({"content_layer": "fc"}, "fc has no positions"),
        ({"rule": "newton"}, "rule must be one of"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(model, photo, painting, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        next(stylize(model, photo, painting, **{**QUICK, **options}))


def test_no_style_and_two_contents_are_refused(model, photo, painting):
    with pytest.raises(ValueError, match="at least one style"):
        stylize(model, photo, [], **QUICK)
    with pytest.raises(ValueError, match="wanted one picture"):
        stylize(model, photo.expand(2, -1, -1, -1), painting, **QUICK)


def test_what_would_not_fit_into_memory_is_refused_with_the_largest_size_that_does(model, photo, painting, monkeypatch):
    layers = ("relu2", ["relu1", "relu2"])
    needed = transfer.memory_needed(model, layers, (200, 200))
    monkeypatch.setattr(transfer, "free_memory", lambda device: needed / transfer._SPARE)
    with pytest.raises(ValueError, match=r"at 400 × 400 pixels would take .* longer side of 200"):
        stylize(model, photo, painting, **{**QUICK, "size": 400})
    with pytest.raises(ValueError, match="the style at 224 × 224"):
        stylize(model, photo, painting, style_scale=7.0, **QUICK)
    assert stylize(model, photo, painting, **{**QUICK, "size": 199}).total == 4


def test_the_memory_that_is_free_is_known_here():
    assert 1e6 < transfer.free_memory(torch.device("cpu")) < 1e15


@pytest.mark.slow
def test_another_network_finds_the_style_nearer_and_the_content_kept():
    model, judge = load_model("mini_vgg"), load_model("mini_alexnet")
    content, style = resize(load_image("astronaut")[None], (192, 192)), load_painting("swirls")[None]
    image = stylize(model, content, style, size=192, progress=False).image
    layers, painting = style_layers(judge), resize(style, (192, 192))
    target = grams(judge, painting, layers, average=False)
    before, after = (gram_distance(grams(judge, x, layers, average=False), target) for x in (content, image))
    assert after < 0.35 * before
    bank = [resize(picture[None], (192, 192))[0] for picture, _ in Gallery.crops(200, size=192)]
    pictures = [(resize(x[None], (224, 224))[0], 0) for x in [content[0], *bank, image[0]]]
    found = features(judge, pictures, "relu5", progress=False)  # position by position: content is what is where
    assert nearest(found[-1:], found[:-1], 1, metric="cosine").indices.item() == 0
