"""GrabCut: from a saliency map to a mask."""

from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

import cs231n_viz as viz
from cs231n_viz.attribution import grabcut


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


def iou(mask, truth):
    return ((mask & truth).sum() / (mask | truth).sum()).item()


def test_the_disc_is_found(disc):
    image, saliency, truth = disc
    mask = viz.grabcut(image, saliency)
    assert mask.shape == truth.shape
    assert mask.dtype == torch.bool
    assert iou(mask, truth) > 0.95


def test_a_coarse_map_is_enlarged(disc):
    image, saliency, truth = disc
    coarse = torch.nn.functional.avg_pool2d(saliency[None], 8)[0]
    assert iou(viz.grabcut(image, coarse), truth) > 0.95


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


def test_only_the_largest_component_is_kept(disc):
    image, saliency, truth = disc
    image = image.clone()
    image[:, 80:90, 5:15] = image[:, 40:50, 65:75]  # a patch of the object's colours far away
    saliency = saliency.clone()
    saliency[80:90, 5:15] = saliency.max()
    mask = viz.grabcut(image, saliency)
    assert not mask[80:90, 5:15].any()
    assert iou(mask, truth) > 0.95


def test_seeds_are_the_pixels_beyond_the_quantiles():
    ramp = torch.arange(100.0).view(10, 10)
    for foreground, above in ((0.905, 10), (90 / 99, 9)):  # the second quantile is one of the values
        trimap = grabcut.seeds(ramp.flip(0), foreground=foreground, background=30 / 99).flip(0).flatten()
        assert trimap.bincount().tolist() == [31, above, 69 - above]
        assert trimap[:31].eq(grabcut.BACKGROUND).all()
        assert trimap[-above:].eq(grabcut.FOREGROUND).all()


def test_where_the_top_of_the_map_is_flat_all_of_it_is_the_object():
    flat = torch.arange(100.0).view(10, 10).clamp_max(70)
    trimap = grabcut.seeds(flat)
    assert torch.equal(trimap == grabcut.FOREGROUND, flat == 70)
    assert torch.equal(trimap == grabcut.BACKGROUND, flat < 30)


def test_round_by_round_it_is_what_opencv_makes_in_one_go():
    image = viz.Gallery.scenes(3, seed=3, size=96)[2][0]
    down, right = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing="ij")
    spot = torch.exp(-2 * (down - 0.07) ** 2 - 3 * (right + 0.11) ** 2)
    trimap = grabcut.seeds(spot)
    made = list(islice(grabcut.cut_rounds(image, trimap), 6))
    assert len({mask.numpy().tobytes() for mask in made}) >= 4
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()[..., ::-1].copy()
    for rounds, mask in enumerate(made, start=1):
        labels, colour_models = trimap.numpy().copy(), (np.zeros((1, 65)), np.zeros((1, 65)))
        cv2.setRNGSeed(0)
        cv2.grabCut(pixels, labels, None, *colour_models, rounds, cv2.GC_INIT_WITH_MASK)
        components, _ = ndimage.label(labels % 2, structure=np.ones((3, 3)))
        largest = 1 + np.bincount(components[components > 0] - 1).argmax()
        assert torch.equal(mask, torch.from_numpy(components == largest))
        assert torch.equal(mask, viz.grabcut(image, spot, rounds=rounds))


def test_what_gives_no_seeds_is_refused(disc):
    image, saliency, _ = disc
    with pytest.raises(ValueError, match="map is constant"):
        viz.grabcut(image, torch.ones(96, 120))
    with pytest.raises(ValueError, match=r"image \(3, H, W\) and a map \(H, W\), got \(1, 3, 96, 120\)"):
        viz.grabcut(image[None], saliency)
    with pytest.raises(ValueError, match=r"0 < background < foreground < 1, got 0\.9 and 0\.5"):
        viz.grabcut(image, saliency, foreground=0.5, background=0.9)
    with pytest.raises(ValueError, match="at least one round, got 0"):
        viz.grabcut(image, saliency, rounds=0)
    with pytest.raises(ValueError, match="finite"):
        viz.grabcut(image, saliency.clone().fill_(torch.nan))
    for wrong, message in ((image * 255, "divide by 255"), ((image * 255).byte(), "uint8"), (image * torch.nan, "NaN")):
        with pytest.raises(ValueError, match=message):
            viz.grabcut(wrong, saliency)
