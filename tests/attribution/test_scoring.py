"""Scores of attributions, on cases where the score is known in closed form."""

import pytest
import torch
from torch import nn

import cs231n_viz as viz
from tests.explicit import pictures
from tests.networks import small, unchanged

scoring = viz.scoring


def planted(row, column, size=40):
    maps = torch.zeros(1, size, size)
    maps[0, row, column] = 1.0
    return maps


def test_the_pointing_game_counts_planted_maxima():
    masks = torch.zeros(3, 40, 40, dtype=torch.bool)
    masks[:, 10:20, 10:20] = True
    maps = torch.cat([planted(12, 15), planted(30, 30), planted(19, 19)])
    assert scoring.pointing_game(maps, masks, tolerance=0).tolist() == [True, False, True]
    colours = torch.stack([maps, -2 * maps, torch.zeros_like(maps)], dim=1)  # |1 - 2|
    assert scoring.pointing_game(colours, masks, tolerance=0).tolist() == [True, False, True]


@pytest.mark.parametrize(("row", "column", "near"), [(25, 5, 15), (24, 5, 14), (17, 13, 16), (20, 20, 22)])
def test_the_tolerance_of_the_pointing_game_is_a_circle_with_its_edge(row, column, near):
    """From the single pixel (10, 5): 15, 14, √113 and √325 pixels away."""
    mask = planted(10, 5).bool()
    squared = (row - 10) ** 2 + (column - 5) ** 2
    for tolerance in range(near - 3, near + 3):
        hit = scoring.pointing_game(planted(row, column), mask, tolerance=tolerance).item()
        assert hit == (squared <= tolerance**2)
    assert scoring.pointing_game(planted(25, 5), mask).item()
    assert not scoring.pointing_game(planted(26, 5), mask).item()


def test_an_empty_map_points_nowhere():
    mask = planted(0, 0).bool()
    assert not scoring.pointing_game(torch.zeros(1, 40, 40), mask).item()


def test_mass_in_mask_in_closed_form():
    mask = torch.zeros(2, 8, 10, dtype=torch.bool)
    mask[0, 2:6, 3:8], mask[1, :, :1] = True, True
    torch.testing.assert_close(scoring.mass_in_mask(mask.float(), mask), torch.ones(2))
    torch.testing.assert_close(scoring.mass_in_mask(torch.ones(2, 8, 10), mask), torch.tensor([20 / 80, 8 / 80]))
    torch.testing.assert_close(scoring.mass_in_mask(torch.ones(2, 2, 5), mask), torch.tensor([20 / 80, 8 / 80]))
    assert scoring.mass_in_mask(torch.zeros(2, 8, 10), mask).tolist() == [0, 0]
    assert scoring.mass_in_mask(-mask.float(), mask).tolist() == [0, 0]  # negative evidence is no mass
    assert scoring.mass_in_mask((~mask).float(), mask).tolist() == [0, 0]


def test_rank_correlation_depends_on_the_order_only():
    maps = torch.rand(2, 6, 7)
    torch.testing.assert_close(scoring.rank_correlation(maps, maps.exp() * 3).float(), torch.ones(2))
    torch.testing.assert_close(scoring.rank_correlation(maps, -maps).float(), -torch.ones(2))


def test_ssim_of_two_single_pixels_in_closed_form():
    """Of 9 pixels one is 1: both means are 1/9, both variances 1/9, and the covariance is -1/72 (N - 1 in both)."""
    small = 0.03**2
    similarity = scoring.ssim(planted(1, 1, size=3), planted(0, 2, size=3))
    torch.testing.assert_close(similarity, torch.tensor([(small - 2 / 72) / (small + 2 / 9)]))


def test_ssim_is_the_mean_over_all_windows_of_7():
    """Of 14 x 14 windows, 49 see a pixel that one map has and the other, empty there, has not; the others agree."""
    first = planted(0, 0, size=20)
    second = first + planted(10, 10, size=20)
    seeing = 0.01**2 * 0.03**2 / ((1 / 49**2 + 0.01**2) * (1 / 49 + 0.03**2))
    torch.testing.assert_close(scoring.ssim(first, second), torch.tensor([(147 + 49 * seeing) / 196]))


def test_ssim_depends_on_neither_scale_nor_sign_but_on_every_pixel():
    maps, other = torch.rand(2, 3, 12, 9)
    assert scoring.ssim(maps, maps).tolist() == [1, 1, 1]
    assert scoring.ssim(maps, -7 * maps).tolist() == pytest.approx([1, 1, 1])
    similarity = scoring.ssim(maps, other)
    assert (similarity < 0.9).all()
    torch.testing.assert_close(scoring.ssim(maps * 1e6, -other / 1e6), similarity)
    torch.testing.assert_close(scoring.ssim(other, maps), similarity)
    each = torch.cat([scoring.ssim(maps[i : i + 1], other[i : i + 1]) for i in range(3)])
    assert torch.equal(each, similarity)


def test_ssim_falls_with_noise():
    maps = torch.rand(1, 5, 40, 40).cumsum(2)[0]
    alike = [scoring.ssim(maps, maps + level * torch.rand_like(maps)).mean().item() for level in (0, 1, 10, 100)]
    assert alike == sorted(alike, reverse=True)
    assert alike[0] == 1
    assert alike[-1] < 0.5


def test_constant_maps_have_a_similarity():
    zero, one, varied = torch.zeros(1, 8, 8), torch.ones(1, 8, 8), torch.rand(1, 8, 8)
    assert scoring.ssim(zero, zero).item() == scoring.ssim(one, 3 * one).item() == 1
    for first, second in ((zero, one), (zero, varied), (varied, one)):
        assert 0 < scoring.ssim(first, second).item() < 0.1
    assert scoring.rank_correlation(zero, varied).item() == 0


def test_ssim_wants_room_for_a_window():
    for size in (3, 4, 6):
        assert scoring.ssim(planted(1, 1, size), planted(1, 1, size)).item() == 1
    with pytest.raises(ValueError, match=r"at least 3 x 3, got \(2, 2\)"):
        scoring.ssim(torch.rand(1, 2, 2), torch.rand(1, 2, 2))


class Weighted(nn.Module):
    """Softmax over (Σ w x, 0) of the mean colour."""

    def __init__(self, side):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-0.2, 0.3, side * side, dtype=torch.float64).view(side, side))

    def forward(self, images):
        score = (images.mean(1) * self.weight).sum((1, 2))
        return torch.stack([score, torch.zeros_like(score)], dim=1)


def test_deletion_and_insertion_of_a_linear_network_follow_its_weights():
    model, images, steps = Weighted(16), pictures(2, 16), 16
    blurred = scoring.deletion_insertion(model, images, 0, torch.zeros(2, 16, 16), steps=1).deletion[:, 1]
    maps = images.mean(1)
    curves = scoring.deletion_insertion(model, images, 0, maps, steps=steps, batch=5)
    assert curves.deletion.shape == curves.insertion.shape == (2, steps + 1)
    whole = model(images).softmax(1)[:, 0].detach()
    torch.testing.assert_close(curves.deletion[:, 0], whole)
    torch.testing.assert_close(curves.insertion[:, -1], whole)
    torch.testing.assert_close(curves.deletion[:, -1], blurred)
    torch.testing.assert_close(curves.insertion[:, 0], blurred)


def test_pixels_are_deleted_to_the_substrate_and_inserted_into_it():
    model, images = Weighted(16), pictures(2, 16)
    maps, whole = images.mean(1), model(images).softmax(1)[:, 0].detach()
    grey = torch.tensor([0.2, 0.4, 0.6], dtype=torch.float64).view(3, 1, 1)
    for substrate in (0.4, grey, grey.expand(3, 16, 16), images.flip(0)):
        curves = scoring.deletion_insertion(model, images, 0, maps, steps=4, substrate=substrate)
        ground = torch.as_tensor(substrate, dtype=torch.float64).expand_as(images)
        torch.testing.assert_close(curves.deletion[:, -1], model(ground).softmax(1)[:, 0].detach())
        torch.testing.assert_close(curves.insertion[:, 0], curves.deletion[:, -1])
        torch.testing.assert_close(curves.insertion[:, -1], whole)
    with pytest.raises(ValueError, match=r"substrate must be one value, .*; got \(2, 16\)"):
        scoring.deletion_insertion(model, images, 0, maps, substrate=torch.zeros(2, 16))
    with pytest.raises(ValueError, match="images"):
        scoring.deletion_insertion(model, images, 0, maps, substrate=128.0)


def test_the_true_order_deletes_fastest():
    model, images = Weighted(16), pictures(2, 16)
    from torchvision.transforms.functional import gaussian_blur

    true = ((images - gaussian_blur(images, kernel_size=31, sigma=12.0)).mean(1) * model.weight).detach()
    best = scoring.deletion_insertion(model, images, 0, true - true.min())
    worst = scoring.deletion_insertion(model, images, 0, true.max() - true)
    chance = scoring.deletion_insertion(model, images, 0, torch.rand(2, 16, 16))
    for one, other in ((best, chance), (chance, worst)):
        assert (one.areas[0] < other.areas[0]).all()
        assert (one.areas[1] > other.areas[1]).all()
    # In the true order every step lowers the logit by what it holds: the curve is known.
    step = (true.flatten(1).sort(1, descending=True).values.view(2, 32, 8).sum(2)).cumsum(1)
    logits = model(images)[:, :1].detach() - step
    torch.testing.assert_close(best.deletion[:, 1:], logits.sigmoid())


def test_areas_are_those_of_trapezoids():
    curves = scoring.Curves(torch.tensor([[1.0, 0.5, 0.0]]), torch.tensor([[0.0, 1.0, 1.0]]))
    assert [area.item() for area in curves.areas] == [0.5, 0.75]


def network():
    torch.manual_seed(0)
    made = small(nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()))
    return made.requires_grad_(False)


def test_randomization_is_noticed_by_the_gradient_and_not_by_the_picture():
    model, images = network(), pictures(3, 12)
    ignoring = scoring.randomization_test(model, images, 1, lambda model, images, targets: images.mean(1))
    assert list(ignoring) == ["head", "middle.2", "middle.0", "conv"]
    assert all(abs(value - 1) < 1e-9 for value in ignoring.values())
    noticing = scoring.randomization_test(model, images, 1, viz.saliency)
    assert list(noticing) == list(ignoring)
    assert noticing["conv"] < 0.6
    assert noticing == scoring.randomization_test(model, images, 1, viz.saliency)
    assert noticing != scoring.randomization_test(model, images, 1, viz.saliency, seed=1)


def test_randomization_is_noticed_by_ssim_too():
    model, images = network(), pictures(3, 12)
    ignoring = scoring.randomization_test(model, images, 1, lambda *ask: ask[1].mean(1), similarity="ssim")
    assert list(ignoring) == ["head", "middle.2", "middle.0", "conv"]
    assert set(ignoring.values()) == {1.0}
    noticing = scoring.randomization_test(model, images, 1, viz.saliency, similarity="ssim")
    assert noticing["conv"] < 0.6
    by_rank = scoring.randomization_test(model, images, 1, viz.saliency)
    assert by_rank == scoring.randomization_test(model, images, 1, viz.saliency, similarity="rank") != noticing


def test_ssim_compares_coarse_maps_at_the_size_of_the_picture():
    model, images = network(), pictures(2, 12)
    drawn = torch.rand(5, 2, 4, 4)
    again = iter(drawn)
    similarities = scoring.randomization_test(model, images, 0, lambda *ask: next(again), similarity="ssim")
    large = [scoring.as_maps(values, (12, 12)) for values in drawn]
    assert list(similarities.values()) == [scoring.ssim(large[0], values).mean().item() for values in large[1:]]


def test_another_similarity_is_refused_before_anything_is_run():
    def method(model, images, targets):
        raise AssertionError("not to be called")

    with pytest.raises(ValueError, match="similarity must be 'rank' or 'ssim', got 'hog'"):
        scoring.randomization_test(network(), pictures(1, 12), 0, method, similarity="hog")


def test_later_layers_stay_random_and_all_keep_their_standard_deviation():
    model, images, seen = network(), pictures(1, 12), []

    def method(model, images, targets):
        seen.append({name: value.clone() for name, value in model.named_parameters()})
        return images.mean(1)

    scoring.randomization_test(model, images, 0, method)
    original, *stages = seen
    changed = [{name for name in original if not torch.equal(stage[name], original[name])} for stage in stages]
    assert changed[0] == {"head.weight", "head.bias"}
    assert changed[0] < changed[1]
    assert torch.equal(stages[0]["head.weight"], stages[-1]["head.weight"])
    weight = stages[-1]["middle.2.weight"]
    assert 0.8 < weight.std() / original["middle.2.weight"].std() < 1.25
    assert torch.equal(stages[-1]["middle.0.weight"], original["middle.0.weight"])  # all 1: there is no spread


def test_weights_come_back_after_an_error_and_when_two_modules_share_them():
    model, images = network(), pictures(1, 12)
    model.middle.append(nn.Conv2d(6, 6, 3, padding=1).double())
    model.middle[-1].weight = model.middle[2].weight
    calls = []

    def method(model, images, targets):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return images.mean(1)

    with unchanged(model, images), pytest.raises(KeyboardInterrupt):
        scoring.randomization_test(model, images, 0, method)
    for similarity in ("rank", "ssim"):
        with unchanged(model, images):
            scoring.randomization_test(model, images, 0, lambda *ask: ask[1].mean(1), similarity=similarity)


def test_the_maps_of_a_randomised_network_come_layer_by_layer_and_leave_the_weights_alone():
    model = network()
    images = pictures(1, 12)
    with unchanged(model, images):
        (name, original), *others = scoring.randomized_maps(model, images, 1, viz.saliency)
        assert name == ""
        torch.testing.assert_close(original, viz.saliency(model, images, 1))
        for _ in scoring.randomized_maps(model, images, 1, viz.saliency):
            torch.testing.assert_close(viz.saliency(model, images, 1), original)  # its own weights in between
            break
    similarities = scoring.randomization_test(model, images, 1, viz.saliency)
    assert [layer for layer, _ in others] == list(similarities)
    assert not any(torch.equal(maps, original) for _, maps in others)
