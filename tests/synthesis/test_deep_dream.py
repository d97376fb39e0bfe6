"""DeepDream: what a step is, what an octave carries, and what the recipe refuses."""

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch import nn

from cs231n_viz import wrap
from cs231n_viz.network.capture import activations
from cs231n_viz.pictures.images import load_image, resize
from cs231n_viz.pictures.saving import animation_settings, save_animation
from cs231n_viz.synthesis.ascent import AscentError
from cs231n_viz.synthesis.deep_dream import (
    DreamUpdate,
    _BlurredGradient,
    _Jittered,
    deep_dream,
    magnified,
    octave_sizes,
    resemblance,
    zoom,
)
from cs231n_viz.synthesis.objectives import layer_energy
from cs231n_viz.synthesis.views import jitter
from tests.networks import small_classifier, unchanged

ONE_SIZE = {"octaves": 1, "progress": False}
PLAIN = DreamUpdate(lr=0.01, jitter=0, smooth=0.0)


@pytest.fixture
def model():
    return small_classifier()


@pytest.fixture
def photo():
    return resize(load_image("coffee")[None], (60, 90))


def network_of(first: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    channels = first(torch.zeros(1, 3, 8, 8)).shape[1]
    layers = OrderedDict(first=first, gap=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, 2))
    return wrap(nn.Sequential(layers).eval(), ["a", "b"], mean=[0] * 3, std=[1] * 3, input_size=8)


def test_the_gradient_with_respect_to_the_activation_is_the_activation():
    model = network_of(nn.Identity())  # the layer is the picture
    image = torch.rand(2, 3, 8, 6, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer_energy(model, "first")(image), image)
    torch.testing.assert_close(gradient * image[0].numel(), image.detach())


def test_a_step_adds_the_gradient_over_its_mean_magnitude():
    model = network_of(nn.Identity())
    image = 0.2 + 0.2 * torch.rand(1, 3, 8, 6)
    *_, last = deep_dream(model, image, "first", steps=1, update=PLAIN, **ONE_SIZE)
    torch.testing.assert_close(last.image, image + 0.01 * image / image.mean())


def test_a_step_is_that_of_the_activation_sent_backwards(model, photo):
    """The lecture's words: forward to the layer, set its gradient to its activation, backward to the picture."""
    pixels = photo.clone().requires_grad_()
    found = activations(model, pixels, ["relu2"], gradients=True)["relu2"]
    (gradient,) = torch.autograd.grad(found, pixels, grad_outputs=found.detach())
    expected = (photo + 0.01 * gradient / gradient.abs().mean()).clamp(0, 1)
    *_, last = deep_dream(model, photo, "relu2", steps=1, update=PLAIN, **ONE_SIZE)
    torch.testing.assert_close(last.image, expected)


def test_one_channel_alone():
    model = network_of(nn.Identity())
    image = 0.2 + 0.2 * torch.rand(1, 3, 8, 6)
    *_, last = deep_dream(model, image, "first", channel=1, steps=2, update=PLAIN, **ONE_SIZE)
    assert torch.equal(last.image[:, [0, 2]], image[:, [0, 2]])
    assert (last.image[:, 1] > image[:, 1]).all()


@pytest.mark.parametrize("octaves", [1, 2, 4])
def test_without_steps_the_picture_comes_back_bit_for_bit(model, photo, octaves):
    photo = (2 * photo).clamp(0, 1)  # with white, which averages to a little more than 1
    steps = list(deep_dream(model, photo, "relu1", octaves=octaves, steps=0, progress=False))
    assert len(steps) == octaves
    assert torch.equal(steps[-1].image, photo)


def test_an_octave_carries_the_detail_and_nothing_else(model, photo):
    """The start of each octave is its own version of the photograph, and on it what the last octave added."""
    steps = list(deep_dream(model, photo, "relu2", octaves=3, steps=2, progress=False))
    sizes = octave_sizes((60, 90), 3, 1.4)
    for number in (1, 2):
        end, start = steps[3 * number - 1].image, steps[3 * number].image
        detail = end - resize(photo, sizes[number - 1])
        expected = (resize(photo, sizes[number]) + resize(detail, sizes[number])).clamp(0, 1)
        torch.testing.assert_close(start, expected)
    sharp = (steps[6].image - photo).abs().mean()  # against enlarging the whole dream, which blurs the photograph
    assert sharp < 0.7 * (resize(steps[5].image, (60, 90)) - photo).abs().mean()


def test_the_octaves_are_one_iterator_from_small_to_large(model, photo):
    dream = deep_dream(model, photo, "relu2", octaves=3, octave_scale=1.5, steps=2, progress=False)
    steps = list(dream)
    assert dream.total == len(steps) == 9
    assert [step.index for step in steps] == [0, 1, 2, 2, 3, 4, 4, 5, 6]
    assert [tuple(step.image.shape[2:]) for step in steps[::3]] == [(27, 40), (40, 60), (60, 90)]
    for octave in (steps[:3], steps[3:6], steps[6:]):
        assert octave[0].score < octave[-1].score
    assert all(0 <= step.image.min() and step.image.max() <= 1 for step in steps)
    assert (dream.settings["layer"], dream.settings["octaves"]) == ("relu2", 3)


def test_a_roll_and_its_undoing_leave_the_picture_bit_for_bit():
    images = torch.rand(2, 3, 11, 7)
    random = torch.Generator().manual_seed(3)
    for _ in range(20):
        rolled, (down, right) = jitter(images, 9, random)
        assert torch.equal(rolled.roll((-down, -right), (2, 3)), images)


def test_the_gradient_of_the_rolled_picture_arrives_rolled_back():
    weights = torch.rand(1, 3, 10, 12)
    objective = _Jittered(lambda images: (weights * images).sum(), DreamUpdate(jitter=5, smooth=0.0), seed=4)
    image = torch.rand(1, 3, 10, 12, requires_grad=True)
    for _ in range(5):
        before = objective.random.get_state()
        (gradient,) = torch.autograd.grad(objective(image), image)
        replay = torch.Generator()
        replay.set_state(before)
        _, (down, right) = jitter(image.detach(), 5, replay)
        assert torch.equal(gradient, weights.roll((-down, -right), (2, 3)))


def test_a_layer_without_borders_dreams_the_same_with_and_without_jitter():
    model = network_of(nn.Identity())
    image = 0.2 + 0.2 * torch.rand(1, 3, 8, 6)
    still, shaken = (
        deep_dream(model, image, "first", update=replace(PLAIN, jitter=pixels), steps=3, **ONE_SIZE).image
        for pixels in (0, 5)
    )
    torch.testing.assert_close(still, shaken)


def test_smoothing_keeps_a_constant_gradient_and_spreads_a_point():
    image = torch.rand(1, 3, 15, 15, requires_grad=True)
    (gradient,) = torch.autograd.grad(_BlurredGradient.apply(image, 1.0).sum(), image)
    torch.testing.assert_close(gradient, torch.ones_like(image))
    (gradient,) = torch.autograd.grad(_BlurredGradient.apply(image, 1.0)[0, 0, 7, 7], image)
    assert gradient.sum().item() == pytest.approx(1, abs=1e-5)
    assert 0.1 < gradient[0, 0, 7, 7] < 0.2  # 1 / (2π) for a Gaussian of standard deviation 1
    assert torch.allclose(gradient[0, 0], gradient[0, 0].flip(0).T, atol=1e-7)


def test_a_guide_pulls_every_position_to_the_guides_most_similar_one():
    model = network_of(nn.Identity())
    guide = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.8, 0.1]]).T.reshape(1, 3, 1, 2)  # a reddish and a greenish pixel
    image = torch.tensor([[0.6, 0.2, 0.2], [0.1, 0.5, 0.3], [0.7, 0.1, 0.4]]).T.reshape(1, 3, 1, 3).requires_grad_()
    score = resemblance(model, "first", guide)(image)
    best = guide[..., [0, 1, 0]]
    torch.testing.assert_close(score, (best * image).sum() / 3)
    (gradient,) = torch.autograd.grad(score, image)
    torch.testing.assert_close(gradient, best / 3)


def test_a_guide_of_another_size_changes_the_dream(model, photo):
    guide = resize(load_image("flower")[None], (50, 64))
    guided, free = (
        deep_dream(model, photo, "relu2", guide=chosen, octaves=2, steps=3, progress=False).image
        for chosen in (guide, None)
    )
    assert (guided - free).abs().mean() > 1e-3


def test_old_keywords_still_work_and_say_the_new_form(model, photo):
    options = {"octaves": 2, "steps": 2, "progress": False}
    for name, value in {"lr": 0.01, "jitter": 3, "smooth": 0.0}.items():
        expected = rf"deep_dream\({name}=…\) is now deep_dream\(update=DreamUpdate\({name}=…\)\)"
        with pytest.warns(DeprecationWarning, match=expected) as caught:
            old = deep_dream(model, photo, "relu2", **{name: value}, **options)
        assert caught[0].filename == __file__
        new = DreamUpdate(**{name: value})
        assert torch.equal(old.image, deep_dream(model, photo, "relu2", update=new, **options).image)
        with pytest.warns(DeprecationWarning, match="is now zoom"):
            (frame,) = zoom(model, photo, "relu2", frames=1, **{name: value}, **options)
        assert torch.equal(frame, old.image[0])


def test_the_same_seed_gives_the_same_dream_and_another_another(model, photo):
    first, again, other = (
        deep_dream(model, photo, "relu2", octaves=2, steps=3, seed=seed, progress=False).image for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_model_and_picture_are_left_as_they_were(model, photo):
    model.train()
    with unchanged(model, photo):
        deep_dream(model, photo[0], "relu2", octaves=2, steps=2, progress=False).finish()
    with unchanged(model, photo):
        next(deep_dream(model, photo, "relu2", guide=photo, octaves=2, progress=False))  # left in the middle


def test_several_pictures_dream_each_on_its_own(model, photo):
    both = torch.cat([photo, photo.flip(3)])
    together = deep_dream(model, both, "relu2", octaves=2, steps=2, progress=False).image
    alone = deep_dream(model, photo, "relu2", octaves=2, steps=2, progress=False).image
    torch.testing.assert_close(together[:1], alone)


def test_a_layer_without_positions_is_refused_with_one_that_has_some(model, photo):
    with pytest.raises(ValueError, match=r"fc has no positions.*: relu2$"):
        deep_dream(model, photo, "fc")
    with pytest.raises(KeyError, match="relu2"):
        deep_dream(model, photo, "relu3")


def test_a_picture_too_small_is_refused_with_the_smallest_size_that_works(photo):
    model = network_of(nn.Conv2d(3, 2, 5))
    with pytest.raises(ValueError, match=r"would be 4 × 3 pixels, and first needs 5 × 5 at least"):
        deep_dream(model, photo[..., :9, :12], "first", octaves=4)
    assert deep_dream(model, photo[..., :5, :5], "first", steps=1, update=PLAIN, **ONE_SIZE).image.shape[-2:] == (5, 5)


def test_settings_without_sense_are_refused(model, photo):
    for wrong in ({"octaves": 0}, {"octave_scale": 1.0}):
        with pytest.raises(ValueError, match="wanted"):
            deep_dream(model, photo, "relu2", **wrong)
    for wrong in ({"jitter": -1}, {"smooth": -0.5}):
        with pytest.raises(ValueError, match="wanted jitter >= 0 and smooth >= 0"):
            DreamUpdate(**wrong)
    with pytest.raises(ValueError, match="either guide or channel"):
        deep_dream(model, photo, "relu2", guide=photo, channel=1)
    with pytest.raises(ValueError, match="divide by 255"):
        deep_dream(model, 255 * photo, "relu2")
    with pytest.raises(IndexError, match=r"no \(99,\)"):
        deep_dream(model, photo, "relu2", channel=99, progress=False).finish()


def test_a_layer_that_is_0_everywhere_is_said():
    dead = nn.Conv2d(3, 2, 3)
    nn.init.zeros_(dead.weight)
    nn.init.zeros_(dead.bias)
    with pytest.raises(AscentError, match="dead"):
        deep_dream(network_of(dead), torch.rand(1, 3, 12, 12), "first", update=PLAIN, **ONE_SIZE).finish()


def test_a_zoom_magnifies_and_dreams_on(model, photo):
    frames = list(zoom(model, photo, "relu2", frames=3, magnify=1.2, octaves=2, steps=2, progress=False))
    assert [tuple(frame.shape) for frame in frames] == [(3, 60, 90)] * 3
    still = deep_dream(model, photo, "relu2", octaves=2, steps=2, progress=False).image
    assert torch.equal(frames[0], still[0])
    second = deep_dream(model, magnified(still, 1.2), "relu2", octaves=2, steps=2, seed=1, progress=False).image
    assert torch.equal(frames[1], second[0])
    with pytest.raises(ValueError, match="wanted frames >= 1"):
        zoom(model, photo, "relu2", frames=0)
    with pytest.raises(ValueError, match="no positions"):
        zoom(model, photo, "fc")


def test_magnifying_keeps_the_middle_and_enlarges():
    ramp = torch.linspace(0, 1, 101).expand(1, 3, 51, 101)
    torch.testing.assert_close(magnified(ramp, 1.0), ramp)
    closer = magnified(ramp, 1.25)
    torch.testing.assert_close(closer[..., 50], ramp[..., 50])
    assert (closer[..., 60] - closer[..., 50]).mean().item() == pytest.approx(0.1 / 1.25, abs=1e-4)


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_an_animation_holds_its_frames_and_its_settings(tmp_path, ending):
    frames = (torch.full((3, 8, 10), value) for value in (0.0, 0.5, 1.0))
    path = save_animation(frames, tmp_path / f"zoom.{ending}", fps=10, settings={"layer": "relu2", "seed": 3})
    with Image.open(path) as animation:
        assert (animation.n_frames, animation.size) == (3, (10, 8))
        greys = []
        for number in range(3):
            animation.seek(number)
            greys.append(animation.convert("RGB").getpixel((5, 4))[0])
        assert animation.info["duration"] == 100
    assert greys == pytest.approx([0, 128, 255], abs=2)
    assert animation_settings(path) == {"layer": "relu2", "seed": 3}
    assert animation_settings(save_animation([torch.rand(3, 4, 4)], tmp_path / f"bare.{ending}")) == {}


def test_what_is_no_animation_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.webp"):
        save_animation([torch.zeros(3, 4, 4)], tmp_path / "dream.mp4")
    with pytest.raises(ValueError, match="at least one frame"):
        save_animation([], tmp_path / "dream.gif")
    with pytest.raises(ValueError, match="all of one size"):
        save_animation([torch.zeros(3, 4, 4), torch.zeros(3, 4, 5)], tmp_path / "dream.gif")
    with pytest.raises(ValueError, match="fps > 0"):
        save_animation([torch.zeros(3, 4, 4)], tmp_path / "dream.gif", fps=0)
