import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cs231n_viz.texture.efros_leung import efros_leung, efros_leung_steps, grow_efros_leung


def stripes(period: int, side: int) -> Tensor:
    """Diagonal stripes, each line of one colour of its own."""
    colours = torch.rand(3, period, generator=torch.Generator().manual_seed(period))
    return colours[:, (torch.arange(side)[:, None] + torch.arange(side)) % period]


def checkerboard(square: int, side: int) -> Tensor:
    lines = torch.arange(side) // square
    return ((lines[:, None] + lines) % 2).float().expand(3, -1, -1)


def noise(side: int, seed: int = 0) -> Tensor:
    return torch.rand(3, side, side, generator=torch.Generator().manual_seed(seed))


def one_pixel_after_the_other(sample: Tensor, side: int, window: int, *, seed: int) -> tuple[Tensor, int]:
    """The authors' pseudocode in loops, with draws in the same order; also how many matches were refused."""
    pixels, radius, random = sample.double().numpy(), window // 2, np.random.default_rng(seed)
    height, width = pixels.shape[1:]
    picture, filled = np.zeros((3, side, side)), np.zeros((side, side), bool)
    first, middle = [random.integers(height - 2), random.integers(width - 2)], (side - 3) // 2
    picture[:, middle : middle + 3, middle : middle + 3] = pixels[:, first[0] : first[0] + 3, first[1] : first[1] + 3]
    filled[middle : middle + 3, middle : middle + 3] = True
    limit, refused = 0.3, 0
    while not filled.all():
        count = {
            (row, col): int(filled[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2].sum())
            for row, col in np.argwhere(~filled).tolist()
        }
        layer = [place for place, number in count.items() if number]
        layer = [layer[index] for index in random.permutation(len(layer))]
        layer.sort(key=lambda place: -count[place])
        progress = False
        for (row, col), draw in zip(layer, random.random(len(layer)), strict=True):
            distances = {}
            for top in range(height - window + 1):
                for left in range(width - window + 1):
                    total = weight = 0.0
                    for down in range(-radius, radius + 1):
                        for right in range(-radius, radius + 1):
                            y, x = row + down, col + right
                            if 0 <= y < side and 0 <= x < side and filled[y, x]:
                                near = math.exp(-(down**2 + right**2) / (2 * (window / 6.4) ** 2))
                                other = pixels[:, top + radius + down, left + radius + right]
                                total += near * ((picture[:, y, x] - other) ** 2).mean()
                                weight += near
                    distances[top + radius, left + radius] = total / weight
            least = min(distances.values())
            candidates = [place for place, distance in distances.items() if distance <= 1.1 * least + 1e-12]
            chosen = candidates[int(draw * len(candidates))]
            if distances[chosen] < limit:
                picture[:, row, col] = pixels[:, chosen[0], chosen[1]]
                filled[row, col] = progress = True
            else:
                refused += 1
        if not progress:
            limit *= 1.1
    return torch.from_numpy(picture).float(), refused


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("sample", "window"),
    [
        (noise(9), 5),
        (noise(8)[:1].expand(3, -1, -1), 3),
        ((noise(9, seed=3) + 4 * stripes(3, 9)) / 5, 5),
        (noise(5, seed=2).tile(1, 2, 2), 5),
    ],
    ids=["colour", "grey", "stripes", "repeated"],
)
def test_batches_give_what_one_pixel_after_the_other_gives(sample, window, seed):
    expected, _ = one_pixel_after_the_other(sample, 13, window, seed=seed)
    assert torch.equal(efros_leung(sample, 13, window, seed=seed, progress=False), expected)


def test_matches_that_differ_too_much_are_refused_until_none_is_left_nearer():
    sample = (noise(8, seed=1) > 0.5).float()
    expected, refused = one_pixel_after_the_other(sample, 12, 7, seed=0)
    assert refused > 20  # else this says nothing
    assert torch.equal(efros_leung(sample, 12, 7, progress=False), expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("sample", "period"), [(stripes(3, 16), 3), (checkerboard(1, 16), 2), (checkerboard(2, 20), 4)]
)
def test_a_pattern_that_repeats_goes_on_without_a_fault(sample, period, seed):
    grown = efros_leung(sample, 30, 11, seed=seed, progress=False)
    assert torch.equal(grown[:, period:], grown[:, :-period])
    assert torch.equal(grown[:, :, period:], grown[:, :, :-period])
    assert any(torch.equal(grown[:, i : i + 12, j : j + 12], sample[:, :12, :12]) for i in range(4) for j in range(4))


def test_a_constant_sample_gives_its_colour():
    colour = torch.tensor([0.2, 0.5, 0.9])[:, None, None]
    grown = efros_leung(colour.expand(3, 7, 9), (5, 11), 5, progress=False)
    assert torch.equal(grown, colour.expand(3, 5, 11))


def test_every_pixel_is_a_pixel_of_the_sample_and_its_origin_says_which():
    sample = noise(15)
    last = grow_efros_leung(sample, (20, 26), 5, progress=False).finish()
    colours = {tuple(pixel) for pixel in sample.flatten(1).T.tolist()}
    assert {tuple(pixel) for pixel in last.image.flatten(1).T.tolist()} <= colours
    rows, cols = last.origins.unbind(-1)
    assert torch.equal(last.image, sample[:, rows, cols])


def test_it_grows_layer_by_layer_and_leaves_what_is_there():
    sample = noise(12)
    growing = grow_efros_leung(sample, 21, 5, seed=4)
    assert len(growing) == growing.total == 1 + 9
    steps = list(growing)
    assert len(steps) == 1 + 9
    for index, step in enumerate(steps):
        square = torch.zeros(21, 21, dtype=torch.bool)
        square[9 - index : 12 + index, 9 - index : 12 + index] = True
        assert torch.equal(step.filled, square)
        assert step.share == pytest.approx((3 + 2 * index) ** 2 / 441)
        assert torch.equal(step.image, steps[-1].image * square)
        assert torch.equal(step.origins, torch.where(square[..., None], steps[-1].origins, -1))
    assert torch.equal(steps[-1].image, efros_leung(sample, 21, 5, seed=4, progress=False))


def test_the_same_seed_gives_the_same_picture_and_nothing_else_changes():
    sample = noise(14)
    before, state = sample.clone(), torch.get_rng_state()
    first, again, other = (efros_leung(sample, 16, 3, seed=seed, progress=False) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(sample, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_number_of_threads_is_the_callers_between_two_pictures():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert all(torch.get_num_threads() == 2 for _ in grow_efros_leung(noise(9), 9, 5))
    finally:
        torch.set_num_threads(threads)


def test_all_that_fit_equally_are_drawn():
    """Of the two halves of a sample that are the same noise, either may be copied; the best alone would be one."""
    half = noise(12)
    sample = torch.cat([half, half], dim=2)
    share = (grow_efros_leung(sample, 24, 5, progress=False).origins[..., 1] >= 12).float().mean()
    assert 0.3 < share < 0.7


def test_more_tolerance_means_more_variety():
    sample = noise(16)
    maps = [grow_efros_leung(sample, 24, 5, tolerance=tolerance, progress=False).origins for tolerance in (0, 2)]
    copied = [(places[:, 1:] - places[:, :-1] == torch.tensor([0, 1])).all(-1).float().mean() for places in maps]
    assert copied[0] > 2 * copied[1]


def test_a_sample_of_one_window_has_one_pixel_to_give():
    sample = noise(5)
    grown = efros_leung(sample, 9, 5, progress=False)
    assert (grown[:, 0] == sample[:, 2, 2, None]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((noise(8), 16, 10), "odd whole number from 3 to 7 for a sample of 8x8 pixels, got 10; nearest is 7"),
        ((noise(8), 16, 11), "got 11; nearest is 7"),
        ((noise(9), 16, 6), "from 3 to 9 for a sample of 9x9 pixels, got 6; nearest is 7"),
        ((noise(9), 16, 1), "got 1; nearest is 3"),
        ((noise(9), 16, 5.0), "got 5.0; nearest is 5"),
        ((noise(9), 16, "5"), "got '5'$"),
        ((noise(2), 16, 3), "sample must be at least 3x3 pixels, got 2x2"),
        ((noise(9), 2, 3), "size must be at least 3, growth starts from 3x3 pixels; got 2"),
        ((noise(9), (16, 2), 3), r"size must be at least 3.*got \(16, 2\)"),
        ((noise(9), 16.0, 3), "whole number or .height, width., got 16.0"),
        ((noise(9) * 255, 16, 3), r"wanted finite values in \[0, 1\]"),
        ((noise(9)[None], 16, 3), r"take one picture of the batch"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        grow_efros_leung(*arguments)


def test_tolerance_is_at_least_0():
    with pytest.raises(ValueError, match=r"tolerance must be at least 0 \(the paper takes 0.1\), got -0.1"):
        efros_leung(noise(9), 16, 5, tolerance=-0.1)


def test_it_is_the_growth_and_its_result_and_says_how_it_was_made():
    sample = noise(12)
    growing = grow_efros_leung(sample, (15, 21), 5, seed=4, tolerance=0.2, progress=False)
    assert next(growing).share == pytest.approx(9 / (15 * 21))
    assert len(growing) == 9
    assert torch.equal(growing.image, efros_leung(sample, (15, 21), 5, seed=4, tolerance=0.2, progress=False))
    assert growing.latest.filled.all()
    assert growing.settings == {
        "method": "efros_leung", "size": (15, 21), "window": 5, "tolerance": 0.2, "seed": 4
    }  # fmt: skip


def test_the_old_name_warns_and_does_the_same():
    sample = noise(9)
    with pytest.warns(DeprecationWarning, match=r"efros_leung_steps\(\) is now grow_efros_leung\(\)"):
        *_, last = efros_leung_steps(sample, 12, 5, seed=1)
    assert torch.equal(last.image, efros_leung(sample, 12, 5, seed=1, progress=False))
