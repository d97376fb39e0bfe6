"""The generator, and gradient ascent on its codes."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import cs231n_viz as viz
from cs231n_viz.data_files import data_path
from cs231n_viz.network.shipped import WeightsError
from cs231n_viz.synthesis.ascent import Update
from cs231n_viz.synthesis.generator import (
    CodePrior,
    Generator,
    class_visualization_of_code,
    load_generator,
    reconstruct,
    visualize_code,
)
from cs231n_viz.synthesis.objectives import logit
from cs231n_viz.synthesis.regularisers import Regularisers
from tests.networks import small_classifier

QUICK = {"steps": 3, "progress": False}
STILL = CodePrior(regularisers=Regularisers())  # the same view each time


@pytest.fixture(scope="module")
def random_generator():
    torch.manual_seed(0)
    generator = Generator().eval()
    generator.mean.fill_(0.5)
    generator.std.fill_(0.3)
    return generator


def test_pictures_have_their_size_and_range(random_generator):
    pictures = random_generator(3 * torch.rand(2, 512))
    assert pictures.shape == (2, 3, 128, 128)
    assert 0 <= pictures.min()
    assert pictures.max() <= 1
    assert pictures.std() > 1e-4


def test_it_is_small_and_training_adds_batch_norms_only():
    plain, training = Generator(), Generator(batch_norm=True)
    assert sum(parameter.numel() for parameter in plain.parameters()) <= 4_000_000
    extra = {name for name, _ in training.named_modules()} - {name for name, _ in plain.named_modules()}
    assert extra
    assert all(isinstance(training.get_submodule(name), nn.BatchNorm2d) for name in extra)


def test_weights_go_round_by_a_file(random_generator, tmp_path):
    path = tmp_path / "own.safetensors"
    save_file({key: value.half() for key, value in random_generator.state_dict().items()}, path)
    loaded = load_generator(path)
    codes = torch.rand(1, 512)
    torch.testing.assert_close(loaded(codes), random_generator(codes), atol=5e-3, rtol=0)
    assert not loaded.training
    assert all(not parameter.requires_grad and parameter.dtype == torch.float32 for parameter in loaded.parameters())


def test_files_that_are_missing_damaged_or_of_another_network_are_named(random_generator, tmp_path):
    with pytest.raises(WeightsError, match=r"nothing\.safetensors"):
        load_generator(tmp_path / "nothing.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"these are no weights")
    with pytest.raises(WeightsError, match=r"damaged\.safetensors"):
        load_generator(damaged)
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    with pytest.raises(WeightsError, match="generator"):
        load_generator(other)


# Gradient ascent on codes.


def test_the_ascent_raises_the_score_and_stays_among_the_codes(random_generator):
    model = small_classifier()
    ascent = class_visualization_of_code(
        model, torch.tensor([2, 0]), random_generator, prior=STILL, steps=6, progress=False
    )
    assert ascent.image.shape == (2, 3, 48, 48)
    assert ascent.score > ascent.scores[0]
    assert ascent.settings["class"] == ["c", "a"]
    assert ascent.settings["parameterisation"] == "codes"
    assert ascent.total == 7


def test_hidden_units_are_objectives_too(random_generator):
    found = class_visualization_of_code(small_classifier(), 4, random_generator, layer="conv2", prior=STILL, **QUICK)
    assert found.score > found.scores[0]
    assert found.settings["units"] == [4]


def test_each_step_shrinks_the_code(random_generator):
    options = {"update": Update("plain", lr=1e-9), "prior": replace(STILL, shrink=0.5), **QUICK}
    flat = visualize_code(small_classifier(), lambda image: 1e-12 * image.sum(), random_generator, **options)
    expected = nn.functional.interpolate(
        random_generator(random_generator.mean[None] / 8), size=48, mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(flat.image, expected, atol=1e-4, rtol=0)


def test_starts_are_the_mean_noise_by_seed_or_codes(random_generator):
    model = small_classifier()
    first = lambda **o: next(visualize_code(model, logit(model, 0), random_generator, **o, **QUICK)).image  # noqa: E731
    assert torch.equal(first(), first(start=random_generator.mean[None].clone()))
    assert torch.equal(first(start="noise", seed=3, count=2), first(start="noise", seed=3, count=2))
    assert not torch.equal(first(start="noise", seed=3), first(start="noise", seed=4))
    with pytest.raises(ValueError, match="'mean', 'noise' or codes"):
        first(start="zero")
    with pytest.raises(ValueError, match=r"codes must be \(N, 512\)"):
        first(start=torch.rand(1, 7))


def test_changes_of_pixels_are_refused():
    with pytest.raises(ValueError, match="shrink and limit"):
        CodePrior(regularisers=Regularisers(blur=1.0))


def test_classes_that_do_not_exist_are_refused_at_once(random_generator):
    with pytest.raises(ValueError, match="from 0 to 2, got 3"):
        class_visualization_of_code(small_classifier(), 3, random_generator)


OLD = {
    "lr": (0.2, "update=Update", {"update": Update(lr=0.2)}),
    "rule": ("sign", "update=Update", {"update": Update("sign")}),
    "shrink": (0.3, "prior=CodePrior", {"prior": CodePrior(shrink=0.3)}),
    "limit": (1.0, "prior=CodePrior", {"prior": CodePrior(limit=1.0)}),
    "regularisers": (Regularisers(tv=3.0), "prior=CodePrior", {"prior": CodePrior(regularisers=Regularisers(tv=3.0))}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OLD)
def test_old_keywords_still_work_and_say_the_new_form(random_generator, name):
    model, (value, place, new) = small_classifier(), OLD[name]
    for make, target in ((class_visualization_of_code, 1), (visualize_code, logit(model, 1))):
        expected = rf"{make.__name__}\({name}=…\) is now {make.__name__}\({place}\({name}=…\)\)"
        with pytest.warns(DeprecationWarning, match=expected) as caught:
            old = make(model, target, random_generator, **{name: value}, **QUICK)
        assert caught[0].filename == __file__
        assert torch.equal(old.image, make(model, target, random_generator, **new, **QUICK).image)


def test_the_same_seed_gives_the_same_picture(random_generator):
    model = small_classifier()
    again = [class_visualization_of_code(model, 1, random_generator, seed=2, **QUICK).image for _ in range(2)]
    assert torch.equal(*again)


# The generator that ships.


@pytest.fixture(scope="module")
def trained():
    if "generator.safetensors" not in json.loads(data_path("weights", "sha256.json").read_text()):
        pytest.fail("the trained generator is not among the weights that ship")
    return load_generator()


@pytest.fixture(scope="module")
def photographs():
    model = viz.load_model("mini_alexnet")
    scenes = viz.Gallery.scenes(12, seed=5)
    names = ["cat", "motorcycle", "flower", "coffee", "china", "rocket"]
    return model, torch.cat([model.prepare(names), model.prepare([image for image, _ in scenes])])


def code_error(model, made, truth):
    codes = viz.activations(model, made, ["relu6"])["relu6"]
    return ((codes - truth).norm(dim=1) / truth.norm(dim=1)).mean().item()


def test_a_reconstruction_has_nearly_the_code_it_was_made_of(trained, photographs):
    model, images = photographs
    truth = viz.activations(model, images, ["relu6"])["relu6"]
    made = reconstruct(model, images, trained)
    by_mean = ((trained.mean - truth).norm(dim=1) / truth.norm(dim=1)).mean().item()
    assert made.shape == images.shape
    assert code_error(model, made, truth) < by_mean - 0.15
    assert code_error(model, made.roll(1, 0), truth) > by_mean  # and not that of another picture


def test_a_reconstruction_has_the_colours_of_its_picture(trained, photographs):
    model, images = photographs
    made = reconstruct(model, images, trained)
    small = lambda x: nn.functional.adaptive_avg_pool2d(x, 4)  # noqa: E731
    own = (small(made) - small(images)).abs().mean()
    other = (small(made) - small(images.roll(1, 0))).abs().mean()
    assert own < 0.8 * other


def test_its_code_statistics_are_those_of_rectified_codes(trained):
    assert trained.mean.shape == trained.std.shape == (512,)
    assert trained.mean.min() >= 0
    assert trained.std.min() >= 0
    assert trained.mean.max() > 0
