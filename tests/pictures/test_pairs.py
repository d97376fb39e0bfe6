import itertools

import pytest
import torch

import cs231n_viz as viz
from cs231n_viz.pictures.scenes import OBJECTS, object_pair


@pytest.mark.parametrize(("left", "right"), list(itertools.product(OBJECTS, OBJECTS)))
def test_either_object_lies_in_its_own_half(left, right):
    image, masks = object_pair(left, right, size=96)
    assert image.shape == (3, 96, 96)
    assert masks.shape == (2, 96, 96)
    assert masks.dtype == torch.bool
    assert not masks[0, :, 48:].any()
    assert not masks[1, :, :48].any()
    assert masks.float().mean((1, 2)).min() > 0.05
    assert 0 <= image.min()
    assert image.max() <= 1


def test_outside_of_the_objects_there_is_only_grey():
    image, masks = object_pair("flower", "motorcycle", size=160, grey=0.5)
    near = torch.nn.functional.max_pool2d(masks.any(0)[None].float(), 5, 1, 2)[0] > 0  # the edge is soft
    assert torch.allclose(image[:, ~near], torch.tensor(0.5))
    assert (image[:, masks[0]].mean(1) - 0.5).abs().max() > 0.05


def test_the_object_is_that_of_its_photograph():
    image, masks = object_pair("motorcycle", "flower", size=224)
    red, _, blue = image[:, masks[1]].mean(1)
    assert red > blue + 0.2  # the flower is orange


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5])
def test_the_longer_side_takes_the_share_that_was_asked_for(share):
    _, masks = object_pair("flower", "motorcycle", size=200, share=share)
    for mask in masks:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert abs(int(max(rows, columns)) - 200 * share) <= 3


def test_an_object_that_its_photograph_cuts_off_lies_at_that_border():
    _, masks = object_pair("cat", "astronaut", size=120)
    assert masks[0, 0].any()
    assert masks[1, -1].any()


def test_what_cannot_be_made_is_refused():
    with pytest.raises(KeyError, match="no object 'dog' to paste; there are astronaut"):
        object_pair("dog", "cat")
    with pytest.raises(ValueError, match=r"share must be in \(0, 0.5\]"):
        object_pair("cat", "flower", share=0.7)
    with pytest.raises(ValueError, match="grey in"):
        object_pair("cat", "flower", grey=2)


def test_the_maps_of_both_networks_follow_the_class():
    for name, layer in (("mini_vgg", "relu5_2"), ("mini_alexnet", "relu5")):
        model = viz.load_model(name)
        image, masks = object_pair("cat", "motorcycle", size=model.input_size)
        for own, category in enumerate(("cat", "Motorbikes")):
            found = viz.grad_cam(model, image[None], model.index(category), layer)
            share = [float(viz.scoring.mass_in_mask(found, mask[None])) for mask in masks]
            assert share[own] > 3 * share[1 - own] + 0.1
