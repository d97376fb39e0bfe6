"""Rows of patches, and galleries held in memory."""

import pickle
from collections import OrderedDict

import pytest
import torch
from torch import nn

from cs231n_viz import Gallery, top_patches, wrap
from cs231n_viz.plotting.patches import framed, patch_in_field, show_patches


@pytest.fixture(scope="module")
def model():
    layers = OrderedDict(
        conv=nn.Conv2d(3, 4, 9, stride=4, padding=4), relu=nn.ReLU(), gap=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()
    )
    torch.manual_seed(0)
    return wrap(nn.Sequential(layers).eval(), list("abcd"), input_size=32)


@pytest.fixture(scope="module")
def gallery():
    return Gallery.crops(20, size=32).in_memory()


def test_a_kept_gallery_is_the_same_gallery_and_makes_no_picture_twice(gallery):
    fresh = Gallery.crops(20, size=32)
    assert (gallery.key, gallery.labels, gallery.names) == (fresh.key, fresh.labels, fresh.names)
    for (ours, label), (theirs, other) in zip(gallery, fresh, strict=True):
        assert label == other
        torch.testing.assert_close(ours, theirs, atol=0.5 / 255 + 1e-6, rtol=0)
    counted = []
    once = Gallery(lambda i: counted.append(i) or torch.zeros(3, 4, 4), [0] * 3, ["a"], names=["x"] * 3).in_memory()
    assert [len(list(once)) for _ in range(3)] == [3, 3, 3]
    assert counted == [0, 1, 2]


def test_a_kept_gallery_travels_to_a_worker_and_keeps_its_subsets(gallery):
    again = pickle.loads(pickle.dumps(gallery))
    assert torch.equal(again[7][0], gallery[7][0])
    assert torch.equal(gallery.subset([3, 7])[1][0], gallery[7][0])


def test_a_clipped_patch_stands_in_its_place_within_the_field(model, gallery):
    patches = top_patches(model, gallery, "relu", k=20, progress=False)
    clipped = (patches.boxes[..., 2] - patches.boxes[..., 0] < 9).nonzero().tolist()
    assert clipped
    for channel, rank in clipped:
        square = torch.from_numpy(patch_in_field(patches, channel, rank))
        assert square.shape == (9, 9, 3)
        top, left, bottom, right = patches.boxes[channel, rank].tolist()
        row, column = patches.positions[channel, rank].tolist()
        y, x = top - (4 * row - 4), left - (4 * column - 4)
        expected = patches.picture(channel, rank)[:, top:bottom, left:right].permute(1, 2, 0)
        torch.testing.assert_close(square[y : y + bottom - top, x : x + right - left], expected)
        outside = torch.ones(9, 9, dtype=torch.bool)
        outside[y : y + bottom - top, x : x + right - left] = False
        assert square[outside].unique().numel() == 1


def test_rows_are_channels_and_titles_are_checked(model, gallery):
    patches = top_patches(model, gallery, "relu", k=5, progress=False)
    figure = show_patches(patches, [2, 0], ranks=range(5), titles=["two", "none"])
    assert [ax.get_ylabel() for ax in figure.axes] == ["two", "none"]
    assert figure.axes[0].images[0].get_array().shape == (9, 5 * 9 + 4 * 6, 3)
    with pytest.raises(ValueError, match="one title for each of 2 channels, got 1"):
        show_patches(patches, [2, 0], titles=["two"])


def test_a_picture_at_hand_is_not_loaded_again_and_keeps_its_type(model, gallery):
    patches = top_patches(model, gallery, "relu", k=3, progress=False)
    picture = (patches.picture(1, 2).permute(1, 2, 0) * 255).byte().numpy()
    square = patch_in_field(patches, 1, 2, picture=picture, fill=7)
    assert square.dtype == picture.dtype
    inside = square != 7
    assert set(square[inside]) <= set(picture.flatten())
    same = patch_in_field(patches, 1, 2, fill=7 / 255)
    assert abs(square / 255 - same).max() <= 1 / 255


def test_the_old_names_warn_and_do_the_same(model, gallery):
    patches = top_patches(model, gallery, "relu", k=3, progress=False)
    with pytest.warns(DeprecationWarning, match=r"framed\(\) is now patch_in_field\(\)"):
        assert (framed(patches, 0, 0) == patch_in_field(patches, 0, 0)).all()
    with pytest.warns(DeprecationWarning, match=r"show_patches\(found=…\) is now show_patches\(patches=…\)"):
        assert len(show_patches(found=patches, channels=[1], ranks=range(3)).axes) == 1
