"""From a saliency map to a mask."""

import pytest
import torch

import cs231n_viz as viz


@pytest.fixture
def disc():
    """A reddish disc on blue-green ground, both with a little noise, and a map that is strongest in its middle."""
    rows, columns = torch.meshgrid(torch.arange(96), torch.arange(120), indexing="ij")
    far = ((rows - 44) ** 2 + (columns - 70) ** 2).sqrt()
    truth = far < 26
    ground, colour = torch.tensor([0.1, 0.5, 0.6]), torch.tensor([0.8, 0.3, 0.2])
    image = torch.where(truth[None], colour[:, None, None], ground[:, None, None])
    random = torch.Generator().manual_seed(0)
    return (image + 0.03 * torch.randn(image.shape, generator=random)).clamp(0, 1), (-far / 20).exp(), truth


def overlap(found, truth):
    return ((found & truth).sum() / (found | truth).sum()).item()


def test_the_disc_is_found(disc):
    image, saliency, truth = disc
    found = viz.grabcut(image, saliency)
    assert found.shape == truth.shape
    assert found.dtype == torch.bool
    assert overlap(found, truth) > 0.95


def test_a_coarse_map_is_enlarged(disc):
    image, saliency, truth = disc
    coarse = torch.nn.functional.avg_pool2d(saliency[None], 8)[0]
    assert overlap(viz.grabcut(image, coarse), truth) > 0.95


def test_the_same_picture_gives_the_same_mask(disc):
    image, saliency, _ = disc
    first = viz.grabcut(image, saliency)
    viz.grabcut(image.flip(2), saliency)
    assert torch.equal(first, viz.grabcut(image, saliency))


def test_a_map_of_zeros_but_for_one_spot_is_enough(disc):
    """Both quantiles are 0 then."""
    image, _, _ = disc
    spot = torch.zeros(96, 120)
    spot[40:48, 66:74] = 1.0
    assert viz.grabcut(image, spot)[44, 70]


def test_only_the_largest_piece_is_kept(disc):
    image, saliency, truth = disc
    image = image.clone()
    image[:, 80:90, 5:15] = image[:, 40:50, 65:75]  # a patch of the object's colours far away
    saliency = saliency.clone()
    saliency[80:90, 5:15] = saliency.max()
    found = viz.grabcut(image, saliency)
    assert not found[80:90, 5:15].any()
    assert overlap(found, truth) > 0.95


def test_what_gives_no_seeds_is_refused(disc):
    image, saliency, _ = disc
    with pytest.raises(ValueError, match="same everywhere"):
        viz.grabcut(image, torch.ones(96, 120))
    with pytest.raises(ValueError, match=r"image \(3, H, W\) and a map \(H, W\), got \(1, 3, 96, 120\)"):
        viz.grabcut(image[None], saliency)
    with pytest.raises(ValueError, match=r"0 < background < foreground < 1, got 0\.9 and 0\.5"):
        viz.grabcut(image, saliency, foreground=0.5, background=0.9)
    with pytest.raises(ValueError, match="finite"):
        viz.grabcut(image, saliency.clone().fill_(torch.nan))
    for wrong, message in ((image * 255, "divide by 255"), ((image * 255).byte(), "uint8"), (image * torch.nan, "NaN")):
        with pytest.raises(ValueError, match=message):
            viz.grabcut(wrong, saliency)
