import pytest
import torch

from training import augment


def test_views_of_an_even_picture_are_even_and_in_range():
    random = torch.Generator().manual_seed(0)
    images = [torch.full((3, 30, 50), 51, dtype=torch.uint8), torch.randint(0, 256, (3, 40, 20), dtype=torch.uint8)]
    views = augment.random_views(images, 24, random)
    torch.testing.assert_close(views[0], torch.full((3, 24, 24), 0.2))
    coloured = augment.random_colours(views, random)
    assert 0 <= coloured.min()
    assert coloured.max() <= 1
    assert coloured.shape == (2, 3, 24, 24)


def test_views_reach_from_a_quarter_of_the_picture_to_more_than_all_of_it():
    random = torch.Generator().manual_seed(0)
    image = torch.zeros(3, 40, 60, dtype=torch.uint8)
    areas = [abs(torch.linalg.det(augment._affine(image, random, (0.25, 1.8))[:, :2]).item()) for _ in range(400)]
    assert 0.22 < min(areas) < 0.35
    assert 1.5 < max(areas) < 1.95


def test_cut_mix_says_the_share_that_it_left():
    random = torch.Generator().manual_seed(1)
    images = torch.zeros(2, 3, 20, 20)
    images[1] = 1
    mixed, others, share = augment.cut_mix(images, torch.tensor([4, 7]), random)
    assert others.tolist() == [7, 4]
    assert 1 - mixed[0].mean().item() == pytest.approx(share)
    assert mixed[1].mean().item() == pytest.approx(share)
