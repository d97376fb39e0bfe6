import pytest
import torch

from cs231n_viz.representation.gram import covariance_matrix, gram_matrix

BOTH = pytest.mark.parametrize("matrix", [gram_matrix, covariance_matrix])


def features(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.double)


def test_ones_give_ones_whatever_the_size():
    for size in ((1, 1), (4, 7), (32, 32)):
        ones = torch.ones(2, 3, *size)
        torch.testing.assert_close(gram_matrix(ones), torch.ones(2, 3, 3))
        assert (covariance_matrix(ones) == 0).all()


def test_gram_is_the_mean_of_outer_products():
    maps = features(2, 3, 4, 5)
    for picture, found in zip(maps, gram_matrix(maps), strict=True):
        vectors = [picture[:, row, col] for row in range(4) for col in range(5)]
        torch.testing.assert_close(found, sum(torch.outer(vector, vector) for vector in vectors) / 20)


def test_a_channel_that_is_on_elsewhere_does_not_go_with_this_one():
    maps = torch.zeros(1, 3, 2, 4)
    maps[0, 0, :, :2] = 2
    maps[0, 1, :, 2:] = 3
    maps[0, 2, 0] = 1
    expected = torch.tensor([[2.0, 0, 0.5], [0, 4.5, 0.75], [0.5, 0.75, 0.5]])
    torch.testing.assert_close(gram_matrix(maps)[0], expected)


@BOTH
def test_shuffled_positions_change_nothing_and_shuffled_channels_do(matrix):
    maps = features(2, 4, 5, 6)
    shuffled = maps.flatten(2)[:, :, torch.randperm(30)].unflatten(2, (6, 5))
    torch.testing.assert_close(matrix(shuffled), matrix(maps))
    torch.testing.assert_close(matrix(maps.mT), matrix(maps))
    each = torch.stack([channel[torch.randperm(30)] for channel in maps[0].flatten(1)]).view(1, 4, 5, 6)
    assert not torch.allclose(matrix(each), matrix(maps[:1]))


@BOTH
def test_pictures_of_a_batch_do_not_mix(matrix):
    maps = features(3, 4, 5, 5)
    together = matrix(maps)
    assert together.shape == (3, 4, 4)
    for index in range(3):
        torch.testing.assert_close(together[index : index + 1], matrix(maps[index : index + 1]))
    maps[1] = 100
    torch.testing.assert_close(matrix(maps)[::2], together[::2])


@BOTH
def test_a_texture_twice_as_large_has_the_same_matrix(matrix):
    maps = features(1, 3, 4, 4)
    torch.testing.assert_close(matrix(maps.tile(1, 1, 2, 3)), matrix(maps))


@BOTH
def test_twice_the_activation_gives_four_times_the_matrix(matrix):
    maps = features(1, 3, 4, 4)
    torch.testing.assert_close(matrix(2 * maps), 4 * matrix(maps))


def test_covariance_is_gram_without_the_means():
    maps = features(2, 4, 5, 6) + 3
    means = maps.mean(dim=(2, 3))
    torch.testing.assert_close(covariance_matrix(maps), gram_matrix(maps) - means[:, :, None] * means[:, None])
    torch.testing.assert_close(covariance_matrix(maps)[0], torch.cov(maps[0].flatten(1), correction=0))


def test_covariance_does_not_see_an_offset_and_gram_does():
    maps = features(1, 4, 5, 6)
    offset = torch.tensor([1.0, -2, 0, 5])[:, None, None]
    torch.testing.assert_close(covariance_matrix(maps + offset), covariance_matrix(maps))
    assert not torch.allclose(gram_matrix(maps + offset), gram_matrix(maps), atol=0.1)


@BOTH
def test_both_are_symmetric_and_never_negative(matrix):
    found = matrix(features(2, 5, 3, 4))
    torch.testing.assert_close(found, found.mT)
    assert torch.linalg.eigvalsh(found).min() > -1e-12


@BOTH
def test_gradients_are_right_and_the_features_stay(matrix):
    maps = features(2, 3, 2, 3).requires_grad_()
    before = maps.detach().clone()
    assert torch.autograd.gradcheck(matrix, maps)
    assert torch.autograd.gradgradcheck(matrix, maps)
    assert torch.equal(maps, before)


@BOTH
@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (torch.ones(3, 4, 4), r"wanted features \(N, C, h, w\), got \(3, 4, 4\); one picture is features\[None\]"),
        (torch.ones(3, 16), r"got \(3, 16\)$"),
        (torch.ones(1, 3, 0, 4), r"at least one position, got \(1, 3, 0, 4\), float32"),
        (torch.ones(1, 3, 4, 4, dtype=torch.uint8), r"float features .* uint8"),
    ],
)
def test_other_shapes_are_refused(matrix, maps, message):
    with pytest.raises(ValueError, match=message):
        matrix(maps)
