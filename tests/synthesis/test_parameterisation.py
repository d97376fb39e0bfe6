"""Pixels, spectra and codes: what can be reached, and where gradient ascent begins."""

import pytest
import torch
from torch import nn

import cs231n_viz as viz
from cs231n_viz.synthesis.ascent import ascend
from cs231n_viz.synthesis.generator import Codes, Generator
from cs231n_viz.synthesis.parameterisation import Fourier, Phase, Pixels


def photographs(side=64):
    model = viz.load_model("mini_vgg", weights=None)
    return nn.functional.interpolate(model.prepare(["cat", "motorcycle"]), size=side).clamp(0.02, 0.98)


def test_pixels_begin_with_the_picture_and_leave_it_alone():
    photo = photographs()
    pixels = Pixels(photo)
    assert torch.equal(pixels(), photo)
    with torch.no_grad():
        pixels.pixels += 2
    assert photo.max() <= 0.98
    pixels.project()
    assert torch.equal(pixels(), torch.ones_like(photo))


@pytest.mark.parametrize("wrong", [torch.rand(3, 4, 4), torch.rand(1, 3, 4, 4) * 255, torch.ones(1, 3, 4, 4).byte()])
@pytest.mark.parametrize("make", [Pixels, lambda start: Fourier(4, start=start)])
def test_a_start_that_is_no_picture_is_refused(make, wrong):
    with pytest.raises(ValueError, match="images must be"):
        make(wrong)


@pytest.mark.parametrize("size", [(64, 64), (48, 60), (45, 61)])
@pytest.mark.parametrize("decorrelate", [True, False])
def test_a_spectrum_gives_back_the_picture_it_began_with(size, decorrelate):
    photo = photographs()[..., : size[0], : size[1]]
    made = Fourier(size, start=photo, decorrelate=decorrelate)()
    torch.testing.assert_close(made, photo, atol=1e-4, rtol=0)


def test_pure_black_and_white_come_back_nearly():
    photo = (photographs() > 0.5).float()
    torch.testing.assert_close(Fourier(64, start=photo)(), photo, atol=0.011, rtol=0)


def test_without_a_start_the_picture_is_nearly_grey_and_belongs_to_the_seed():
    made = Fourier((40, 56), count=3, seed=5)()
    assert made.shape == (3, 3, 40, 56)
    assert (made - 0.5).abs().max() < 0.1
    assert made.std() > 1e-4
    assert not torch.equal(made[0], made[1])
    assert torch.equal(made, Fourier((40, 56), count=3, seed=5)())
    assert not torch.equal(made, Fourier((40, 56), count=3, seed=6)())


def test_the_seed_does_not_touch_the_global_generator():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    Fourier(8)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_coefficients_are_scaled_by_frequency_to_the_power_of_minus_decay(decay):
    scale = Fourier(32, decay=decay).scale
    for row, column, frequency in [(0, 0, 1 / 32), (0, 1, 1 / 32), (0, 8, 8 / 32), (16, 0, 0.5), (3, 4, 5 / 32)]:
        assert scale[row, column].item() == pytest.approx(frequency**-decay * 32 / 4, rel=1e-5)


def test_the_colours_vary_as_those_of_natural_pictures_do():
    images = Fourier(64, count=8, seed=0)()
    rows = images.logit().permute(1, 0, 2, 3).flatten(1)
    natural, plain = (
        torch.corrcoef(rows),
        torch.corrcoef(Fourier(64, count=8, seed=0, decorrelate=False)().logit().permute(1, 0, 2, 3).flatten(1)),
    )
    assert natural[0, 1] > 0.8  # red and green go together: most of what varies is brightness
    assert natural[0, 2] > 0.5
    assert plain[0, 1].abs() < 0.5


def spectrum(images):
    """Of what the sigmoid and the mixing of colours are applied to, (N, 3, H, W // 2 + 1)."""
    return torch.fft.rfft2(
        torch.einsum("ij,njhw->nihw", torch.linalg.inv(Phase(4, grey(4)).mix).to(images), images.logit())
    )


def grey(size):
    return torch.full((1, 3, size, size), 0.5)


def test_phases_keep_the_magnitudes_of_the_photographs_while_they_are_optimised():
    natural = photographs()
    image_of = Phase(64, natural, count=2, seed=1)
    expected = spectrum(natural.double().clamp(0.01, 0.99)).abs().mean(0)
    before = image_of().detach()
    *_, last = ascend(image_of, lambda images: -(images - natural[:1]).square().mean(), steps=20)
    for images in (before, last.image):
        found = spectrum(images.double().clamp(1e-9, 1 - 1e-9)).abs()
        # without the mean colour, and the frequencies whose coefficients are real
        torch.testing.assert_close(found[0, :, 1:32, 1:32], expected[:, 1:32, 1:32], rtol=0.02, atol=0.05)
    assert not torch.allclose(before, last.image, atol=0.05)


def test_the_phases_of_a_photograph_with_its_own_magnitudes_give_it_back():
    photo = photographs()[:1]
    torch.testing.assert_close(Phase(64, photo, start=photo)(), photo.clamp(0.01, 0.99), atol=1e-4, rtol=0)


def test_phases_want_photographs_of_the_size_that_is_optimised():
    with pytest.raises(ValueError, match=r"wanted pictures of \(32, 32\) pixels, .* got \(64, 64\)"):
        Phase(32, photographs())


def test_start_noise_lies_around_its_colour_with_its_spread():
    colour = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)
    noise = viz.start_noise((30, 40), 3, count=5, spread=0.05, centre=colour)
    assert noise.shape == (5, 3, 30, 40)
    torch.testing.assert_close(noise.mean((0, 2, 3)), colour.flatten(), atol=0.003, rtol=0)
    torch.testing.assert_close(noise.std((0, 2, 3)), torch.full((3,), 0.05), atol=0.003, rtol=0)
    torch.testing.assert_close(viz.start_noise((30, 40), 3, count=5, spread=0.05), noise - colour + 0.5)


def test_a_spectrum_is_optimised_like_any_other():
    photo = photographs()[:1]
    steps = ascend(Fourier(64), lambda image: -(image - photo).square().mean(), steps=60)
    first, *_, last = steps
    assert last.score > 0.2 * first.score
    assert 0 < last.image.min()
    assert last.image.max() < 1


@pytest.fixture
def generator():
    torch.manual_seed(0)
    made = Generator().eval()
    made.mean.fill_(0.5)
    made.std.copy_(torch.linspace(0.1, 0.4, 512))
    return made


def test_codes_begin_with_the_mean_and_draw_pictures_of_the_size(generator):
    codes = Codes(generator, size=40)
    assert torch.equal(codes.codes, generator.mean[None])
    assert codes().shape == (1, 3, 40, 40)
    assert all(not parameter.requires_grad for parameter in generator.parameters())
    assert [name for name, p in codes.named_parameters() if p.requires_grad] == ["codes"]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_codes_stay_between_zero_and_the_limit(generator, sign):
    codes = Codes(generator, torch.rand(2, 512), size=16, limit=2.0)
    for step in ascend(codes, lambda image: sign * image.sum(), steps=4, lr=0.7, rule="sign"):
        if step.index:
            assert codes.codes.min() >= 0
            assert (codes.codes <= generator.mean + 2 * generator.std + 1e-6).all()
    assert (codes.codes == 0).any()
    assert torch.isclose(codes.codes, generator.mean + 2 * generator.std).any()


def test_codes_of_another_length_are_refused(generator):
    for wrong in (torch.rand(512), torch.rand(1, 100)):
        with pytest.raises(ValueError, match=r"codes must be \(N, 512\)"):
            Codes(generator, wrong)


def test_the_start_of_the_caller_is_left_alone(generator):
    start = torch.full((1, 512), 0.4)
    codes = Codes(generator, start, size=16)
    list(ascend(codes, lambda image: image.sum(), steps=2))
    assert torch.equal(start, torch.full((1, 512), 0.4))
