import pytest
import torch

from cs231n_viz.texture.growth import Growing, Growth, copied_share, origin_map


def own_places(height: int, width: int) -> torch.Tensor:
    return torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), dim=-1)


def test_a_copy_is_all_copied_and_its_mirror_image_half():
    places = own_places(5, 7)
    assert copied_share(places) == 1
    assert copied_share(places.flip(1)) == (4 * 7) / (4 * 7 + 5 * 6)  # columns still go down as they did
    assert copied_share(places.flip(0, 1)) == 0


def test_only_pairs_of_filled_pixels_count():
    places = own_places(4, 6)
    places[:, 3:] = -1
    assert copied_share(places) == 1
    places[:, 2] = places[:, 0]
    assert copied_share(places) == (3 * 3 + 4) / (3 * 3 + 4 * 2)
    assert copied_share(torch.full((3, 3, 2), -1)) == 0


def test_the_map_tells_every_place_apart():
    sample = torch.rand(3, 6, 9)
    colours = origin_map(own_places(6, 9), sample)
    assert colours.shape == (3, 6, 9)
    assert colours.min() >= 0
    assert colours.max() <= 1
    assert len(colours.flatten(1).unique(dim=1).T) == 54
    brightness = colours.mean(0)
    assert (brightness[:-1] > brightness[1:]).all()
    warmth = colours[0] - colours[2]
    assert (warmth[:, 1:] > warmth[:, :-1]).all()


def test_empty_places_are_black_in_the_picture_and_grey_on_the_map():
    sample = torch.rand(3, 4, 4) / 2 + 0.5
    places = own_places(4, 4)
    places[2:] = -1
    growth = Growth.of(sample, places)
    assert growth.share == 0.5
    assert torch.equal(growth.image[:, :2], sample[:, :2])
    assert (growth.image[:, 2:] == 0).all()
    assert (origin_map(places, sample)[:, 2:] == 0.5).all()
    places[0] = -1
    assert growth.filled[0].all()
    assert (growth.origins[0] >= 0).all()


def row_by_row(sample: torch.Tensor, *, interrupted_at: int | None = None):
    for rows in range(1, len(sample[0]) + 1):
        if rows == interrupted_at:
            raise KeyboardInterrupt
        places = own_places(*sample.shape[1:])
        places[rows:] = -1
        yield Growth.of(sample, places)


def test_a_growth_is_its_stages_and_its_result():
    sample = torch.rand(3, 4, 5)
    growing = Growing(row_by_row(sample), 4, settings={"seed": 3}, progress=False)
    assert (len(growing), growing.latest, growing.settings) == (4, None, {"seed": 3})
    assert next(growing) is growing.latest
    assert (len(growing), growing.latest.share) == (3, 0.25)
    assert torch.equal(growing.image, sample)
    assert torch.equal(growing.origins, own_places(4, 5))
    assert len(growing) == 0
    assert list(growing) == []


def test_an_interrupted_growth_keeps_what_was_reached():
    growing = Growing(row_by_row(torch.rand(3, 4, 5), interrupted_at=3), 4, progress=False)
    with pytest.raises(KeyboardInterrupt):
        growing.finish()
    assert growing.latest.share == 0.5


def test_the_bar_of_a_growth_counts_pixels_and_is_shown_on_request_only(capsys):
    Growing(row_by_row(torch.rand(3, 4, 5)), 4, progress=False).finish()
    assert capsys.readouterr().err == ""
    Growing(row_by_row(torch.rand(3, 4, 5)), 4).finish()
    assert "20/20" in capsys.readouterr().err
