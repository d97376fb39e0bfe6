import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from cs231n_viz.texture.quilting import grow_quilt, minimum_cut, quilt, quilt_steps


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def all_paths(height: int, width: int) -> list[tuple[int, ...]]:
    paths = itertools.product(range(width), repeat=height)
    return [path for path in paths if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))]


def cost(error: Tensor, path: Tensor | tuple[int, ...]) -> float:
    return sum(float(error[row, col]) for row, col in enumerate(path))


@pytest.mark.parametrize(("height", "width"), [(1, 4), (2, 1), (3, 2), (5, 4), (6, 5)])
def test_no_path_is_cheaper_than_the_cut(height, width):
    for seed in range(5):
        error = noise(height, width, seed=seed).double()
        path = minimum_cut(error)
        assert tuple(path.tolist()) == min(all_paths(height, width), key=lambda other: cost(error, other))


def test_the_cut_among_ties_and_with_negative_errors_is_still_a_cheapest_path():
    for seed in range(20):
        error = torch.randint(-2, 2, (5, 4), generator=torch.Generator().manual_seed(seed))
        path = tuple(minimum_cut(error).tolist())
        assert path in all_paths(5, 4)
        assert cost(error, path) == min(cost(error, other) for other in all_paths(5, 4))


def test_the_cut_follows_a_valley_that_greed_would_miss():
    valley = torch.tensor([4, 3, 2, 2, 1, 2, 3, 4, 5])
    error = torch.ones(9, 7)
    error[torch.arange(9), valley] = 0.1
    error[0, 0] = 0  # the best start, from which the valley cannot be reached soon
    assert torch.equal(minimum_cut(error), valley)
    assert torch.equal(minimum_cut(error.flip(1)), 6 - valley)


def test_the_cut_runs_straight_where_all_is_equal():
    assert minimum_cut(torch.zeros(6, 4)).tolist() == [0] * 6


@pytest.mark.parametrize("error", [torch.zeros(3), torch.zeros(0, 3), torch.tensor([[1.0, torch.nan]])])
def test_the_cut_wants_finite_errors(error):
    with pytest.raises(ValueError, match=r"wanted finite errors \(h, w\), got"):
        minimum_cut(error)


def block_after_block(sample: Tensor, side: int, block: int, overlap: int, *, seed: int) -> Tensor:
    """Quilting in loops, with every path tried and draws in the same order."""
    sample, step, random = sample.double(), block - overlap, np.random.default_rng(seed)
    height, width = sample.shape[1:]
    count = next(n for n in range(1, side) if n * step + overlap >= side)
    picture, corners = torch.zeros(3, count * step + overlap, count * step + overlap).double(), {}
    paths = all_paths(block, overlap)
    for row, col in itertools.product(range(count), repeat=2):
        held = picture[:, row * step :, col * step :][:, :block, :block]
        shared = [(i, j) for i in range(block) for j in range(block) if (row and i < overlap) or (col and j < overlap)]
        errors = {}
        for top, left in itertools.product(range(height - block + 1), range(width - block + 1)):
            new = sample[:, top : top + block, left : left + block]
            errors[top, left] = sum(float(((new - held)[:, i, j] ** 2).sum()) for i, j in shared)
        if col:
            errors.pop((corners[row, col - 1][0], corners[row, col - 1][1] + step), None)
        if row:
            errors.pop((corners[row - 1, col][0] + step, corners[row - 1, col][1]), None)
        candidates = [corner for corner, error in errors.items() if error <= 1.1 * min(errors.values()) + 1e-9]
        top, left = corners[row, col] = candidates[random.integers(len(candidates))]
        new = sample[:, top : top + block, left : left + block]
        difference = ((new - held) ** 2).sum(0)
        before = min(paths, key=lambda path: cost(difference, path)) if col else [0] * block
        above = min(paths, key=lambda path: cost(difference.T, path)) if row else [0] * block
        for i, j in itertools.product(range(block), repeat=2):
            if j >= before[i] and i >= above[j]:
                held[:, i, j] = new[:, i, j]
    return picture[:, :side, :side].float()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("block", "overlap"), [(6, 2), (7, 3), (5, 1)])
def test_correlation_and_programming_give_what_loops_give(block, overlap, seed):
    sample = noise(3, 11, 13, seed=seed)
    expected = block_after_block(sample, 21, block, overlap, seed=seed)
    found = quilt(sample, 21, block, overlap=overlap, seed=seed, progress=False)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("seed", range(3))
def test_pieces_that_fit_exactly_are_candidates_alike(seed):
    """The correlation leaves rounding errors in place of zeros, which must not choose."""
    sample = noise(3, 4, 5).tile(1, 4, 3)
    expected = block_after_block(sample, 21, 6, 2, seed=seed)
    growing = grow_quilt(sample, 21, 6, overlap=2, seed=seed, progress=False)
    assert torch.equal(growing.image, expected)
    corners = {tuple(growing.origins[row * 4 + 2, col * 4 + 2].tolist()) for row in range(5) for col in range(5)}
    assert len(corners) > 8  # not always the same of them


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("square", [1, 2, 3])
def test_a_pattern_that_repeats_goes_on_without_a_fault(square, seed):
    lines = torch.arange(30) // square
    sample = ((lines[:, None] + lines) % 2) * torch.tensor([0.2, 0.6, 1.0])[:, None, None]
    grown = quilt(sample, 61, 13, overlap=4, seed=seed, progress=False)  # fewer pixels would not show the phase
    period = 2 * square
    assert torch.equal(grown[:, period:], grown[:, :-period])
    assert torch.equal(grown[:, :, period:], grown[:, :, :-period])
    assert len(grown.unique()) == 4


def test_a_constant_sample_gives_its_colour():
    colour = torch.tensor([0.2, 0.5, 0.9])[:, None, None]
    assert torch.equal(quilt(colour.expand(3, 9, 8), (20, 13), 6, progress=False), colour.expand(3, 20, 13))


def test_the_middle_of_each_block_is_a_piece_of_the_sample():
    sample, block, overlap = noise(3, 30, 34), 12, 2
    last = grow_quilt(sample, 52, block, overlap=overlap, progress=False).finish()
    rows, cols = last.origins.unbind(-1)
    assert torch.equal(last.image, sample[:, rows, cols])
    inside = torch.stack(torch.meshgrid(*[torch.arange(block - 2 * overlap)] * 2, indexing="ij"), dim=-1)
    corners = {}
    for row, col in itertools.product(range(5), repeat=2):
        top, left = row * 10 + overlap, col * 10 + overlap
        piece = last.origins[top : top + 8, left : left + 8]
        assert torch.equal(piece - piece[0, 0], inside)
        corners[row, col] = piece[0, 0]
    for row, col in itertools.product(range(5), range(4)):
        assert (corners[row, col + 1] - corners[row, col]).tolist() != [0, 10]  # the sample is not merely continued
        assert (corners[col + 1, row] - corners[col, row]).tolist() != [10, 0]


def test_cuts_hide_seams_better_than_straight_edges():
    """On a smooth texture, the largest jump from pixel to pixel is about the sample's own."""
    waves = torch.arange(64) / 4.0
    sample = (0.5 + 0.25 * (waves[:, None] + waves.sin()).sin() + 0.2 * noise(1, 64, 64)).expand(3, -1, -1)
    found = quilt(sample, 96, 24, overlap=8, progress=False)
    blocks = torch.cat([sample[:, :16, 5:21], sample[:, 30:46, 40:56]], dim=2)  # two blocks side by side, uncut
    jump = (found[:, :, 1:] - found[:, :, :-1])[:, :, 15::16].abs().mean()
    assert jump < 0.6 * (blocks[:, :, 16] - blocks[:, :, 15]).abs().mean()


def test_it_grows_block_by_block_row_by_row():
    sample = noise(3, 20, 20)
    growing = grow_quilt(sample, (18, 28), 8, overlap=2)
    assert len(growing) == growing.total == 3 * 5
    steps = list(growing)
    assert len(steps) == 3 * 5
    filled = torch.zeros(18, 28, dtype=torch.bool)
    for step, (row, col) in zip(steps, itertools.product(range(3), range(5)), strict=True):
        filled[row * 6 : row * 6 + 8, col * 6 : col * 6 + 8] = True
        assert torch.equal(step.filled, filled)
        assert step.share == pytest.approx(filled.float().mean().item())
    growing = grow_quilt(sample, (18, 28), 8, overlap=2, every=4)
    assert len(growing) == 4
    some = list(growing)
    assert [torch.equal(step.image, steps[index].image) for step, index in zip(some, (3, 7, 11, 14), strict=True)]
    assert torch.equal(some[-1].image, quilt(sample, (18, 28), 8, overlap=2, progress=False))


def test_the_same_seed_gives_the_same_picture_and_nothing_else_changes():
    sample = noise(3, 20, 20)
    before, state = sample.clone(), torch.get_rng_state()
    first, again, other = (quilt(sample, 24, 6, seed=seed, progress=False) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(sample, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_block_as_large_as_the_sample_leaves_no_choice():
    sample = noise(3, 6, 6)
    grown = quilt(sample, 6, 6, progress=False)
    assert torch.equal(grown, sample)
    assert quilt(sample, 13, 6, progress=False).shape == (3, 13, 13)


def test_the_overlap_is_a_sixth_of_the_block():
    sample = noise(3, 32, 32)
    assert torch.equal(quilt(sample, 40, 20, progress=False), quilt(sample, 40, 20, overlap=3, progress=False))
    assert not torch.equal(quilt(sample, 40, 20, progress=False), quilt(sample, 40, 20, overlap=4, progress=False))


@pytest.mark.parametrize(
    ("sample", "size", "options", "message"),
    [
        (noise(3, 8, 9), 16, {"block": 12}, "from 2 to 8 for a sample of 8x9 pixels, got 12; nearest is 8"),
        (noise(3, 8, 9), 16, {"block": 1}, "got 1; nearest is 2"),
        (noise(3, 8, 9), 16, {"block": 4.0}, "got 4.0; nearest is 4"),
        (noise(3, 8, 9), 16, {"block": "8"}, "got '8'$"),
        (noise(3, 1, 9), 16, {"block": 2}, "sample must be at least 2x2 pixels, got 1x9"),
        (noise(3, 8, 9), 5, {"block": 6}, "size must be at least 6, the side of one block; got 5"),
        (noise(3, 8, 9), 16, {"block": 6, "overlap": 4}, "from 1 to 3, half a block of 6 pixels, got 4; nearest is 3"),
        (noise(3, 8, 9), 16, {"block": 6, "overlap": 0}, "got 0; nearest is 1"),
        (noise(3, 8, 9), 16, {"block": 6, "every": 0}, "every must be at least 1 block, got 0"),
        (noise(3, 8, 9), 16, {"block": 6, "tolerance": float("nan")}, "tolerance must be at least 0"),
        (noise(3, 8, 9) - 0.5, 16, {"block": 6}, r"wanted finite values in \[0, 1\]"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(sample, size, options, message):
    with pytest.raises(ValueError, match=message):
        grow_quilt(sample, size, **options)


def test_the_old_name_warns_and_does_the_same():
    sample = noise(3, 12, 12)
    with pytest.warns(DeprecationWarning, match=r"quilt_steps\(\) is now grow_quilt\(\)"):
        growing = quilt_steps(sample, 16, 6, seed=1, every=3)
    assert growing.settings == {
        "method": "quilt", "size": 16, "block": 6, "overlap": 1, "tolerance": 0.1, "seed": 1
    }  # fmt: skip
    assert torch.equal(list(growing)[-1].image, quilt(sample, 16, 6, seed=1, progress=False))
