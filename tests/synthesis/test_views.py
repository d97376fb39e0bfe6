"""Random views, in closed form where there is one."""

import pytest
import torch

import cs231n_viz as viz
from cs231n_viz.synthesis.ascent import ascend
from cs231n_viz.synthesis.parameterisation import Pixels
from cs231n_viz.synthesis.views import jitter, robust, view


def random(seed=0):
    return torch.Generator().manual_seed(seed)


IMAGES = torch.rand(2, 3, 12, 16)


def test_jitter_keeps_every_pixel_and_is_undone_exactly():
    for seed in range(20):
        moved, (down, right) = jitter(IMAGES, 5, random(seed))
        assert -5 <= down <= 5
        assert -5 <= right <= 5
        assert torch.equal(moved.roll((-down, -right), dims=(2, 3)), IMAGES)
        assert torch.equal(moved.flatten(2).sort().values, IMAGES.flatten(2).sort().values)
        row, column = (3 + down) % 12, (4 + right) % 16
        assert torch.equal(moved[..., row, column], IMAGES[..., 3, 4])


def test_jitter_reaches_every_shift_in_both_directions():
    drawn = random()
    shifts = {jitter(IMAGES, 1, drawn)[1] for _ in range(200)}
    assert shifts == {(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)}


def test_jitter_of_nothing_changes_nothing():
    assert torch.equal(jitter(IMAGES, 0, random())[0], IMAGES)


def test_a_view_without_movement_is_the_picture():
    found = view(IMAGES, random(), shift=0, scale=0, turn=0)
    torch.testing.assert_close(found, IMAGES, atol=1e-5, rtol=0)


class Fixed:
    """Instead of random ones, the four numbers in [-1, 1] that decide a view: size, angle, right, down."""

    def __init__(self, monkeypatch, *values):
        monkeypatch.setattr(torch, "rand", lambda n, generator: (torch.tensor(values) + 1) / 2)


@pytest.mark.parametrize(("size", "turns"), [((12, 12), 1), ((12, 12), -1), ((12, 16), 2)])
def test_quarter_turns_are_those_of_rot90(monkeypatch, size, turns):
    images = torch.rand(2, 3, *size)
    Fixed(monkeypatch, 0.0, 1.0, 0.0, 0.0)
    found = view(images, None, shift=0, scale=0, turn=90 * turns)
    torch.testing.assert_close(found, images.rot90(turns, dims=(2, 3)), atol=1e-4, rtol=0)


def test_a_turn_keeps_the_shape_of_things_in_wide_pictures(monkeypatch):
    down, right = torch.meshgrid(torch.arange(40) - 19.5, torch.arange(80) - 39.5, indexing="ij")
    disc = torch.sigmoid(10 - torch.hypot(down, right)).expand(1, 3, 40, 80)
    Fixed(monkeypatch, 0.0, 1.0, 0.0, 0.0)
    found = view(disc, None, shift=0, scale=0, turn=37)
    torch.testing.assert_close(found[..., 24:56], disc[..., 24:56], atol=0.02, rtol=0)  # beyond lies what is mirrored


def test_shifts_are_in_pixels_along_each_axis(monkeypatch):
    Fixed(monkeypatch, 0.0, 0.0, 1.0, 1.0)
    found = view(IMAGES, None, shift=2, scale=0, turn=0)
    torch.testing.assert_close(found[..., :-2, :-2], IMAGES[..., 2:, 2:], atol=1e-4, rtol=0)


def test_a_larger_scale_sees_more_of_the_picture(monkeypatch):
    ramp = (torch.arange(64) - 31.5).expand(1, 3, 64, 64)
    for u, factor in ((1.0, 1.25), (-1.0, 0.75)):
        Fixed(monkeypatch, u, 0.0, 0.0, 0.0)
        found = view(ramp, None, shift=0, scale=0.25, turn=0)
        torch.testing.assert_close(found[..., 20:44], factor * ramp[..., 20:44], atol=1e-3, rtol=0)


def test_views_stay_within_the_values_of_the_picture_and_pass_gradients_to_all_of_it():
    images = IMAGES.clone().requires_grad_()
    found = view(images, random(3), shift=3, scale=0.2, turn=30)
    assert found.shape == images.shape
    assert images.min() - 1e-6 <= found.min()
    assert found.max() <= images.max() + 1e-6
    (gradient,) = torch.autograd.grad(found.sum(), images)
    assert gradient.sum().item() == pytest.approx(found.numel(), rel=1e-4)  # every place weighs 1 altogether


def test_a_seed_gives_the_same_views_one_after_the_other():
    def seen(seed):
        views = []
        objective = robust(lambda images: views.append(images.detach()) or images.sum(), seed=seed)
        for _ in range(3):
            objective(IMAGES)
        return views

    first, again, other = seen(1), seen(1), seen(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


def test_the_limits_are_handed_on():
    objective = robust(lambda images: (images - IMAGES).abs().max(), shift=0, scale=0, turn=0)
    assert objective(IMAGES) < 1e-5
    with pytest.raises(TypeError):
        robust(lambda images: images.sum(), zoom=2)(IMAGES)


def test_what_must_hold_in_all_views_cannot_be_met_by_one_pixel():
    def peak(images):
        return images[:, :, 6, 8].sum()

    start = torch.full((1, 3, 12, 16), 0.5)
    *_, plain = ascend(Pixels(start), peak, steps=20)
    *_, moved = ascend(Pixels(start), robust(peak, shift=3, scale=0, turn=0), steps=20)
    assert (plain.image > 0.6).sum() == 3
    assert (moved.image > 0.6).sum() > 60


def test_the_old_name_of_the_module_still_works_and_says_the_new_one():
    with pytest.warns(DeprecationWarning, match=r"viz\.robustness is now viz\.views"):
        old = viz.robustness
    assert old.robust is robust
