"""Style transfer: its steps and sizes, colours, regions, what is refused, and a pair judged by another network."""

from dataclasses import replace

import pytest
import torch

from cs231n_viz.network import memory, precision
from cs231n_viz.network.memory import bytes_per_pixel
from cs231n_viz.network.models import load_model
from cs231n_viz.pictures.gallery import Gallery
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.pictures.paintings import load_painting
from cs231n_viz.representation.features import features
from cs231n_viz.representation.gram import gram_distance, grams, style_layers
from cs231n_viz.representation.neighbours import nearest
from cs231n_viz.style.colours import luminance
from cs231n_viz.style.loss import JointLoss, StyleLoss
from cs231n_viz.style.transfer import Schedule, Stylisation, stylize
from cs231n_viz.synthesis.ascent import LBFGS_COPIES, Update
from tests.networks import small_classifier, unchanged
from tests.style.test_loss import mirror

LOSS = StyleLoss(content_layer="relu2", style_layers=["relu1", "relu2"])
QUICK = Schedule(size=32, scales=1, steps=3)


@pytest.fixture
def model():
    return small_classifier()


@pytest.fixture
def photo():
    return resize(load_image("coffee")[None], (32, 32))


@pytest.fixture
def painting():
    return resize(load_painting("swirls")[None], (32, 32))


def paint(model, content, styles, *, loss=LOSS, schedule=QUICK, **options) -> Stylisation:
    return stylize(model, content, styles, loss=loss, schedule=schedule, progress=False, **options)


def test_a_picture_that_is_its_own_style_begins_with_a_loss_of_nothing(model, photo):
    schedule = replace(QUICK, steps=0, coordinates="pixels")
    ascent = paint(model, photo, photo, loss=replace(LOSS, tv=0.0), schedule=schedule)
    assert ascent.score == pytest.approx(0, abs=1e-9)
    assert ascent.terms == [{"content": pytest.approx(0), "style": pytest.approx(0, abs=1e-9), "tv": 0.0}]
    torch.testing.assert_close(ascent.latest.image, photo)


@pytest.mark.parametrize("coordinates", ["fourier", "pixels"])
@pytest.mark.parametrize("colours", ["style", "luminance", "histogram"])
def test_the_terms_add_up_to_minus_the_score_at_each_step(model, photo, painting, coordinates, colours):
    schedule = replace(QUICK, scales=2, coordinates=coordinates)
    ascent = paint(model, photo, painting, schedule=schedule, colours=colours)
    steps = list(ascent)
    assert [step.index for step in steps] == list(range(8)) == list(range(ascent.total))
    assert [step.image.shape[-1] for step in steps] == [16] * 4 + [32] * 4
    for step, terms in zip(steps, ascent.terms, strict=True):
        assert sum(terms.values()) == pytest.approx(-step.score, rel=1e-5)
        assert 0 <= step.image.min()
        assert step.image.max() <= 1
    assert list(ascent.terms[0]) == ["content", "style", "tv"]


@pytest.mark.skipif(
    not getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False), reason="no instructions for bfloat16"
)
def test_half_precision_ends_where_full_precision_does(monkeypatch):
    vgg, size = load_model("mini_vgg"), (96, 96)
    photo, painting = resize(load_image("cat")[None], size), resize(load_painting("swirls")[None], size)
    loss = JointLoss(vgg, photo, [painting])
    schedule, reached = Schedule(size=96, scales=1, steps=60), {}
    for native in (True, False):
        monkeypatch.setattr(precision, "is_faster_in_bfloat16", lambda native=native: native)
        ascent = stylize(vgg, photo, painting, schedule=schedule, update=Update("adam"), progress=False)
        first = next(ascent)
        assert first.score == pytest.approx(-loss(first.image).item(), rel=2e-3 if native else 1e-4)
        assert first.image.dtype == ascent.image.dtype == torch.float32
        reached[native] = loss(ascent.image).item()
    assert reached[True] < 0.3 * loss(photo).item()
    assert reached[True] == pytest.approx(reached[False], rel=0.01)
    assert reached[True] != reached[False]  # the two were computed differently


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"style_scale": 0.5}, {"colours": "histogram"}])
def test_first_steps_do_not_leap_to_black_and_white(options):
    options |= {"schedule": Schedule(size=144, steps=20), "progress": False}
    image = stylize(load_model("mini_vgg"), load_image("astronaut"), load_painting("swirls"), **options).image
    assert ((image < 0.005) | (image > 0.995)).float().mean() < 0.005


def test_styles_are_blended_by_their_shares(model, photo, painting):
    other = painting.flip(1)
    alone = paint(model, photo, other)
    with_one_at_0 = paint(model, photo, [painting, other], loss=replace(LOSS, shares=[0, 7]))
    torch.testing.assert_close(alone.image, with_one_at_0.image)
    halves = [paint(model, photo, [painting, other], loss=replace(LOSS, shares=shares)) for shares in (None, [3, 3])]
    torch.testing.assert_close(halves[0].image, halves[1].image)
    assert not torch.allclose(alone.latest.image, halves[0].latest.image)


def test_a_mask_that_is_everywhere_is_none(model, photo, painting):
    everywhere = paint(model, photo, painting, masks=[torch.ones(32, 32)])
    torch.testing.assert_close(everywhere.image, paint(model, photo, painting).image)


def test_each_style_goes_to_its_own_region():
    red, blue = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    red[:, 0], blue[:, 2] = 0.9, 0.9
    left = torch.zeros(16, 16)
    left[:, :8] = 1
    loss = StyleLoss(content=0.0, tv=0.0, content_layer="first", style_layers=["first"])
    schedule = Schedule(size=16, scales=1, steps=60, coordinates="pixels")
    grey = torch.full((1, 3, 16, 16), 0.5)
    image = paint(mirror(), grey, [red, blue], loss=loss, schedule=schedule, masks=[left, 1 - left]).image
    torch.testing.assert_close(image[..., :8], red[..., :8], atol=0.03, rtol=0)
    torch.testing.assert_close(image[..., 8:], blue[..., 8:], atol=0.03, rtol=0)


def test_luminance_alone_keeps_every_colour_exactly(model, photo, painting):
    for step in paint(model, photo, painting, colours="luminance"):
        colour = step.image - luminance(step.image)
        torch.testing.assert_close(colour, photo - luminance(photo), atol=1e-5, rtol=0)
    assert (luminance(step.image) - luminance(photo)).abs().mean() > 0.01


def test_a_seed_decides_the_noise_and_the_content_needs_none(model, photo, painting):
    schedule = replace(QUICK, start="noise")
    pictures = [paint(model, photo, painting, schedule=schedule, seed=seed).image for seed in (1, 1, 2)]
    torch.testing.assert_close(pictures[0], pictures[1], rtol=0, atol=0)
    assert not torch.allclose(pictures[0], pictures[2])
    schedule = replace(QUICK, coordinates="pixels")
    starts = [next(paint(model, photo, painting, schedule=schedule, seed=seed)) for seed in (1, 2)]
    torch.testing.assert_close(starts[0].image, photo)
    torch.testing.assert_close(starts[1].image, photo)


def test_each_size_may_have_its_own_steps(model, photo, painting):
    ascent = paint(model, photo, painting, schedule=Schedule(size=32, scales=3, steps=[0, 1, 2]))
    assert [step.image.shape[-1] for step in ascent] == [8, 16, 16, 32, 32, 32]
    assert ascent.total == 6


def test_proportions_are_those_of_the_content(model, painting):
    wide = load_image("china")  # (3, 427, 640)
    ascent = paint(model, wide, painting, schedule=replace(QUICK, size=48, steps=1))
    assert ascent.image.shape == (1, 3, 32, 48)


def test_the_model_is_left_as_it_was_and_the_settings_say_how(model, photo, painting):
    with unchanged(model, photo):
        ascent = paint(model, photo, painting, update=Update("adam"))
        ascent.finish()
    assert ascent.settings == {
        "recipe": "stylize", "model": model.name, "content_weight": 1.0, "style_weight": 10.0, "tv_weight": 30.0,
        "style_weights": [1.0], "content_layer": "relu2", "style_layers": ["relu1", "relu2"], "style_scale": 1.0,
        "start": "content", "size": 32, "scales": 1, "colours": "style", "masks": False, "coordinates": "fourier",
        "average": False, "steps": 3, "rule": "adam", "lr": 0.05, "seed": 0,
    }  # fmt: skip


def test_by_default_it_uses_what_style_layers_says():
    vgg = load_model("mini_vgg", weights=None)
    ascent = stylize(vgg, load_image("cat"), load_painting("waves"), schedule=Schedule(size=32, scales=1))
    assert ascent.settings["style_layers"] == list(style_layers(vgg))


def test_the_options_may_still_be_given_directly(model, photo, painting):
    loss = replace(LOSS, content=2.0, style=3.0, tv=4.0, shares=[1, 2], average_pooling=True)
    schedule = Schedule(size=32, scales=1, steps=2, start="noise", coordinates="pixels")
    styles = [painting, painting.flip(1)]
    new = paint(model, photo, styles, loss=loss, schedule=schedule, update=Update("adam", 0.02), seed=3)
    words = r"is now stylize\(loss=StyleLoss\(content=…, .*schedule=Schedule\(size=…, .*update=Update\(rule=…, lr=…\)\)"
    with pytest.warns(DeprecationWarning, match=words):
        old = stylize(
            model, photo, styles, content_weight=2.0, style_weight=3.0, tv_weight=4.0, style_weights=[1, 2],
            content_layer="relu2", style_layers=["relu1", "relu2"], average=True, size=32, scales=1, steps=2,
            start="noise", coordinates="pixels", rule="adam", lr=0.02, seed=3, progress=False,
        )  # fmt: skip
    assert old.settings == new.settings
    assert torch.equal(old.image, new.image)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"loss": replace(LOSS, shares=[1, 2])}, "2 shares for 1 style"),
        ({"masks": [torch.ones(32, 31)]}, r"mask 0 is \(32, 31\), but the content is \(32, 32\)"),
        ({"masks": [torch.ones(32, 32)] * 2}, "2 masks for 1 style"),
        ({"masks": [torch.zeros(32, 32)]}, "empty"),
        ({"masks": [torch.full((32, 32), 2.0)]}, r"leaves \[0, 1\]"),
        ({"style_scale": 0}, "style_scale must be above 0"),
        (
            {"schedule": Schedule(size=4, scales=3)},
            "the content would be used at 1 × 1 pixels, and relu2 needs 3 × 3 at least",
        ),
        ({"style_scale": 0.05}, "the style would be used at 2 × 2 pixels"),
        ({"colours": "rgb"}, "colours must be one of style, luminance, histogram; got 'rgb'"),
        ({"loss": replace(LOSS, content_layer="fc")}, "fc has no positions"),
        ({"update": Update("newton")}, "rule must be one of"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(model, photo, painting, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        next(paint(model, photo, painting, **options))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 0}, "size must be above 0, got 0"),
        ({"scales": 0}, "scales must be a whole number from 1 on, got 0"),
        ({"scales": 1, "steps": [3, 3]}, r"one for each of 1 sizes; got \[3, 3\]"),
        ({"steps": -1}, "steps must be a number from 0 on"),
        ({"start": "zero"}, "start must be one of content, noise"),
        ({"coordinates": "wavelets"}, "coordinates must be one of fourier, pixels"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_in_one_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Schedule(**options)


def test_no_style_and_two_contents_are_refused(model, photo, painting):
    with pytest.raises(ValueError, match="at least one style"):
        paint(model, photo, [])
    with pytest.raises(ValueError, match="wanted one picture"):
        paint(model, photo.expand(2, -1, -1, -1), painting)


def test_what_would_not_fit_into_memory_is_refused_with_the_largest_size_that_does(model, photo, painting, monkeypatch):
    each = bytes_per_pixel(model, ["relu1", "relu2"]) + 3 * 4 * LBFGS_COPIES
    monkeypatch.setattr(memory, "free_memory", lambda device: each * 200 * 200 / 0.8)
    with pytest.raises(ValueError, match=r"the content at 400 × 400 pixels would take .* longer side of 200"):
        paint(model, photo, painting, schedule=replace(QUICK, size=400))
    with pytest.raises(ValueError, match="the style at 640 × 640"):
        paint(model, photo, painting, style_scale=20.0)
    assert paint(model, photo, painting, schedule=replace(QUICK, size=199)).total == 4


@pytest.mark.slow
def test_another_network_finds_the_style_nearer_and_the_content_kept():
    model, judge = (load_model(name).to(memory_format=torch.channels_last) for name in ("mini_vgg", "mini_alexnet"))
    content, style = resize(load_image("astronaut")[None], (192, 192)), load_painting("swirls")[None]
    image = stylize(model, content, style, schedule=Schedule(size=192), progress=False).image
    layers, painting = style_layers(judge), resize(style, (192, 192))
    target = grams(judge, painting, layers, average_pooling=False)
    before, after = (gram_distance(grams(judge, x, layers, average_pooling=False), target) for x in (content, image))
    assert after < 0.35 * before
    bank = [resize(picture[None], (192, 192))[0] for picture, _ in Gallery.crops(200, size=192)]
    pictures = [(resize(x[None], (224, 224))[0], 0) for x in [content[0], *bank, image[0]]]
    rows = features(judge, pictures, "relu5", progress=False)  # position by position: content is what is where
    assert nearest(rows[-1:], rows[:-1], 1, metric="cosine").indices.item() == 0
