"""Heatmaps of the explorers: enlarged, over a photograph, and outlines."""

import numpy as np

from cs231n_viz.explore.toolkit.heatmap import outlined, overlay, resized, robust_limit


def test_a_map_is_enlarged_to_the_picture_that_it_belongs_to():
    values = np.zeros((3, 4), np.float32)
    values[1, 2] = 1
    large = resized(values, (30, 40))
    assert np.unravel_index(large.argmax(), large.shape)[0] in (14, 15)
    assert np.unravel_index(large.argmax(), large.shape)[1] in (24, 25)
    photo = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    assert np.array_equal(overlay(photo, values, limit=1.0, opacity=0.0), photo)
    full = overlay(photo, values, limit=1.0, opacity=1.0)
    assert tuple(full[0, 0]) == (68, 1, 84)
    assert full[14, 24, 1] > 200  # the light end of viridis


def test_outlines_are_the_rim_of_a_mask():
    mask = np.zeros((6, 7), bool)
    mask[1:5, 2:6] = True
    photo = np.zeros((6, 7, 3), np.uint8)
    rim = outlined(photo, mask, (255, 255, 255))[..., 0] == 255
    assert rim.sum() == 12
    assert not rim[2:4, 3:5].any()
    assert not (rim & ~mask).any()
    assert (outlined(photo, mask, (255, 255, 255), width=2)[..., 0] == 255).sum() == 16
    assert not photo.any()


def test_there_is_no_outline_where_a_mask_reaches_the_edge_of_the_picture():
    mask = np.zeros((6, 7), bool)
    mask[:, :3] = True
    rim = outlined(np.zeros((6, 7, 3), np.uint8), mask, (255, 255, 255))[..., 0] == 255
    assert rim.sum() == 6
    assert rim[:, 2].all()


def test_a_map_that_is_zero_everywhere_leaves_the_photograph_as_it_is():
    photo = np.full((4, 4, 3), 100, np.uint8)
    assert np.array_equal(overlay(photo, np.zeros((2, 2)), limit=0.0), photo)


def test_the_scale_of_a_map_leaves_one_value_in_200_out():
    values = np.arange(1000.0)
    assert (values > robust_limit(-values)).sum() == 5
    assert robust_limit(np.array([0.0] * 999 + [3.0])) == 3
    assert robust_limit(np.zeros(4)) == 1
