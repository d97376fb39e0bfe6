"""Penalties, and changes of the pixels, against closed forms."""

import pytest
import torch

from cs231n_viz.synthesis.ascent import ascend
from cs231n_viz.synthesis.parameterisation import Pixels
from cs231n_viz.synthesis.regularisers import (
    after_each_step,
    blur,
    clip_small_contributions,
    clip_small_gradients,
    clip_small_pixels,
    decay,
    l2,
    sixth_power,
    total_variation,
)

SIDE = 9
LINE = torch.arange(SIDE) % 2.0  # 0 1 0 1 ...
ACROSS = LINE.view(1, 1, 1, SIDE).expand(1, 3, SIDE, SIDE)
DOWN = LINE.view(1, 1, SIDE, 1).expand(1, 3, SIDE, SIDE)


@pytest.mark.parametrize("stripes", [ACROSS, DOWN], ids=["vertical", "horizontal"])
@pytest.mark.parametrize("beta", [1.0, 2.0, 3.0])
def test_stripes_of_either_direction_step_by_one_everywhere(stripes, beta):
    assert total_variation(stripes, beta).item() == pytest.approx(1, abs=2e-4)
    assert total_variation(0.5 * stripes, beta).item() == pytest.approx(0.5**beta, abs=2e-4)


def test_a_checkerboard_steps_in_both_directions():
    board = (ACROSS + DOWN) % 2
    assert total_variation(board).item() == pytest.approx(2)
    assert total_variation(board, 1.0).item() == pytest.approx(2**0.5, abs=1e-4)


def test_constant_colours_do_not_vary_however_the_channels_differ():
    colours = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 5, 5)
    assert total_variation(colours).item() == 0
    assert total_variation(colours, 1.0).item() == pytest.approx(0, abs=2e-4)


def test_wide_pictures_have_the_variation_of_their_own_axes():
    edge = torch.zeros(1, 3, 4, 6)
    edge[..., 3:] = 1  # one step in each of the 3 rows that count, out of 5 columns
    assert total_variation(edge).item() == pytest.approx(1 / 5)
    assert total_variation(edge.mT).item() == pytest.approx(1 / 5)


@pytest.mark.parametrize("term", [total_variation, lambda x: total_variation(x, 1.0), l2, sixth_power])
def test_terms_are_sums_over_the_pictures(term):
    images = torch.rand(3, 3, 6, 6)
    each = sum(term(image[None]) for image in images)
    torch.testing.assert_close(term(images), each)


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
def test_total_variation_has_a_gradient_at_a_constant_picture(beta):
    image = torch.full((1, 3, 5, 5), 0.4, requires_grad=True)
    (gradient,) = torch.autograd.grad(total_variation(image, beta), image)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_l2_and_the_sixth_power_in_closed_form():
    image = torch.full((1, 3, 4, 4), 0.8)
    assert l2(image).item() == pytest.approx(0.09)
    assert l2(image, torch.full((3, 1, 1), 0.8)).item() == 0
    assert sixth_power(image).item() == pytest.approx(0.6**6)
    assert sixth_power(torch.ones(1, 3, 2, 2)).item() == pytest.approx(1)


PIXELS = torch.randn(2, 3, 8, 10)
GRADIENT = torch.randn(2, 3, 8, 10)


def test_decay_shrinks():
    torch.testing.assert_close(decay(0.1)(PIXELS, GRADIENT, 0), 0.9 * PIXELS)


def test_blur_comes_in_every_so_many_steps_only():
    change = blur(1.0, every=3)
    changed = [not torch.equal(change(PIXELS, GRADIENT, index), PIXELS) for index in range(6)]
    assert changed == [False, False, True, False, False, True]


def test_blur_keeps_the_mean_of_what_is_away_from_the_border_and_makes_peaks_flat():
    peak = torch.zeros(1, 3, 31, 31)
    peak[..., 15, 15] = 1.0
    found = blur(1.5, every=1)(peak, peak, 0)
    assert found.sum().item() == pytest.approx(3, rel=1e-5)
    at = torch.arange(31) - 15.0
    gaussian = torch.exp(-at.square() / (2 * 1.5**2))
    expected = gaussian[:, None] * gaussian[None] / gaussian.sum() ** 2
    torch.testing.assert_close(found[0, 0], expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(found, found.mT)
    constant = torch.full((1, 3, 9, 9), -0.3)
    torch.testing.assert_close(blur(2.0, every=1)(constant, constant, 0), constant)


def quiet(pixels):
    return (pixels == 0).all(dim=1)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize(
    ("clip", "importance"),
    [
        (clip_small_pixels, lambda x, g: x.square().sum(1).sqrt()),
        (clip_small_gradients, lambda x, g: g.square().sum(1).sqrt()),
        (clip_small_contributions, lambda x, g: (x[:, 0] * g[:, 0] + x[:, 1] * g[:, 1] + x[:, 2] * g[:, 2]).abs()),
    ],
)
def test_clipping_removes_the_asked_share_of_each_picture_the_least_important_first(clip, importance, share):
    pixels, gradient = torch.randn(2, 3, 10, 10), torch.randn(2, 3, 10, 10)
    before = pixels.clone()
    found = clip(share)(pixels, gradient, 0)
    assert torch.equal(pixels, before)
    for picture, gone, size in zip(found, quiet(found), importance(pixels, gradient), strict=True):
        assert gone.sum().item() == round(100 * share)
        if 0 < share:
            assert size[gone].max() < size[~gone].min()
        assert picture.shape == (3, 10, 10)
    assert torch.equal(found[~quiet(found)[:, None].expand_as(found)], pixels[~quiet(found)[:, None].expand_as(found)])


def test_a_contribution_is_summed_with_its_signs_before_its_size_is_taken():
    pixels = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.1, 0.0]]).view(1, 3, 1, 2)
    gradient = torch.tensor([[5.0, 0.5], [-5.0, 0.5], [1.0, 0.0]]).view(1, 3, 1, 2)
    # left 5 - 5 + 0.1 = 0.1, right 0.5 + 0.5 = 1: by contribution the left goes, by gradient the right
    assert quiet(clip_small_contributions(0.5)(pixels, gradient, 0)).tolist() == [[[True, False]]]
    assert quiet(clip_small_gradients(0.5)(pixels, gradient, 0)).tolist() == [[[False, True]]]
    negative = clip_small_contributions(0.5)(pixels, -3 * gradient, 0)
    assert quiet(negative).tolist() == [[[True, False]]]


def test_changes_are_made_in_their_order_around_the_mean_colour():
    centre = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)
    halve, calls = decay(0.5), []

    def note(pixels, gradient, index):
        calls.append((pixels.clone(), gradient.clone(), index))
        return pixels + 0.01

    image_of = Pixels(torch.full((1, 3, 2, 2), 0.8))
    after = after_each_step([halve, note], centre)
    *_, last = ascend(image_of, lambda image: 2 * image.sum(), rule="plain", lr=0.05, steps=1, after=after)
    moved = 0.8 + 0.05 * 2 - centre
    ((seen, gradient, index),) = calls
    torch.testing.assert_close(seen, (0.5 * moved).expand(1, 3, 2, 2))
    assert torch.equal(gradient, torch.full((1, 3, 2, 2), 2.0))
    assert index == 0
    torch.testing.assert_close(last.image, (centre + 0.5 * moved + 0.01).expand(1, 3, 2, 2))


def test_decay_pulls_to_the_mean_colour_and_not_to_black():
    centre = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)
    image_of = Pixels(torch.full((1, 3, 2, 2), 0.9))
    *_, last = ascend(
        image_of, lambda x: 1e-9 * x.sum(), rule="plain", lr=1.0, steps=60, after=after_each_step([decay(0.2)], centre)
    )
    torch.testing.assert_close(last.image, centre.expand(1, 3, 2, 2), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: decay(1.0),
        lambda: decay(-0.1),
        lambda: blur(0.0),
        lambda: blur(1.0, every=0),
        lambda: clip_small_pixels(1.0),
        lambda: clip_small_gradients(-0.1),
        lambda: clip_small_contributions(2.0),
    ],
)
def test_amounts_that_make_no_sense_are_refused(make):
    with pytest.raises(ValueError, match="got"):
        make()
