"""Colours that are kept: closed forms of luminance, recolouring and matched colours."""

import pytest
import torch

from cs231n_viz.style.colours import luminance, match_colours, match_luminance, recoloured


def test_recolouring_gives_luminance_where_there_is_room():
    content = torch.tensor([0.8, 0.5, 0.2]).view(1, 3, 1, 1)
    own = luminance(content)
    torch.testing.assert_close(recoloured(own + 0.1, content), content + 0.1)
    torch.testing.assert_close(recoloured(torch.ones(1, 1, 1, 1), content), content + 0.2)
    torch.testing.assert_close(recoloured(torch.zeros(1, 1, 1, 1), content), content - 0.2)
    torch.testing.assert_close(recoloured(own, content), content)


def test_matched_colours_have_the_mean_and_covariance_of_the_content():
    random = torch.Generator().manual_seed(0)
    content = 0.5 + 0.03 * torch.randn(1, 3, 20, 30, generator=random) @ torch.eye(30)
    content[:, 1] = 0.7 * content[:, 0] + 0.3 * content[:, 1]
    style = 0.3 + 0.3 * torch.rand(1, 3, 40, 40, generator=random)
    moved = match_colours(style, content)[0].flatten(1)
    torch.testing.assert_close(moved.mean(1), content[0].flatten(1).mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(moved), torch.cov(content[0].flatten(1)), atol=1e-5, rtol=0.02)
    torch.testing.assert_close(match_colours(content, content), content, atol=1e-5, rtol=0)
    grey = match_luminance(style, content)
    assert grey.mean() == pytest.approx(luminance(content).mean().item(), abs=1e-3)
    assert match_colours(torch.full((1, 3, 4, 4), 0.5), content).isfinite().all()
