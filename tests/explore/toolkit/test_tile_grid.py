"""Images of one size as one image."""

import torch

from cs231n_viz.explore.toolkit.tile_grid import as_one_image


def test_images_stand_row_by_row_on_white():
    images = torch.stack([torch.full((3, 2, 5), value) for value in (0.1, 0.2, 0.3)])
    sheet = as_one_image(images)
    assert sheet.shape == (3, 2 + 4 + 2, 5 + 4 + 5)
    assert torch.equal(sheet[:, :2, 9:], images[1])
    assert torch.equal(sheet[:, 6:, :5], images[2])
    assert (sheet[:, 2:6] == 1).all()
    assert (sheet[:, 6:, 5:] == 1).all()
    assert torch.equal(as_one_image(images[:1]), images[0])
