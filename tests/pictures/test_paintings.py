import hashlib
import itertools
import re

import numpy as np
import pytest
import torch
from PIL import Image

from cs231n_viz.data_files import data_path
from cs231n_viz.pictures.images import ImageError
from cs231n_viz.pictures.paintings import load_painting, painting_names
from training import brushwork, paintings, strokes

QUICK = ("facets", "waves", "mosaic", "stained_glass", "pointillism")  # each takes less than a second


def shipped(name: str) -> np.ndarray:
    return np.asarray(Image.open(data_path("paintings", f"{name}.jpg")))


def differences(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Mean absolute difference in levels of 255, of the pixels and of their means over 8×8 squares."""
    difference = first.astype(float) - second
    return np.abs(difference).mean(), np.abs(difference.reshape(64, 8, 64, 8, 3).mean((1, 3))).mean()


def style_of(picture: torch.Tensor) -> torch.Tensor:
    """Mean and deviation of the colours, and mean difference of neighbours across and down, at three scales."""
    grey = picture.mean(0, keepdim=True)
    parts = [picture.mean((1, 2)), picture.std((1, 2))]
    for side in (1, 4, 16):
        coarse = torch.nn.functional.avg_pool2d(grey, side)[0]
        parts.append(4 * torch.stack([coarse.diff(dim=axis).abs().mean() for axis in (0, 1)]))
    return torch.cat(parts)


def test_every_painting_ships_at_its_size():
    assert painting_names() == sorted(paintings.PAINTINGS)
    assert len(painting_names()) == 10
    for name in painting_names():
        with Image.open(data_path("paintings", f"{name}.jpg")) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (512, 512)), name


def test_all_together_are_a_small_download():
    assert sum(path.stat().st_size for path in data_path("paintings").iterdir()) <= 2.5e6


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_the_script_paints_what_ships(name):
    fine, coarse = differences(paintings.paint(name), shipped(name))
    assert fine < 6  # JPEG at this quality changes the dots of "pointillism" by 4.8 and nothing by more
    assert coarse < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(paintings.PAINTINGS) - set(QUICK)))
def test_the_script_paints_what_ships_of_the_slower_ones(name):
    fine, coarse = differences(paintings.paint(name), shipped(name))
    assert fine < 6
    assert coarse < 1


@pytest.mark.slow
def test_another_seed_would_be_noticed():
    for name in ("facets", "mosaic"):
        fine, coarse = differences(paintings.paint(name, seed=99), shipped(name))
        assert fine > 12, name
        assert coarse > 4, name


@pytest.mark.slow
@pytest.mark.parametrize("name", list(paintings.PAINTINGS))
def test_the_same_seed_gives_the_same_pixels(name, monkeypatch):
    """With every eighth stroke of the brush, of which there are as many in a small painting as in a large one."""
    monkeypatch.setattr(brushwork, "follow", lambda starts, *args, **how: strokes.follow(starts[::8], *args, **how))
    first = paintings.paint(name, size=64)
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, paintings.paint(name, size=64))
    assert not np.array_equal(first, paintings.paint(name, size=64, seed=99))


def test_no_two_paintings_have_the_same_style():
    styles = {name: style_of(load_painting(name)) for name in painting_names()}
    for one, other in itertools.combinations(styles, 2):
        assert (styles[one] - styles[other]).norm() > 0.15, (one, other)


def test_no_painting_has_a_large_flat_part():
    for name in painting_names():
        squares = load_painting(name)[:, :480, :480].reshape(3, 4, 120, 4, 120)
        assert squares.std((2, 4)).amax(0).min() > 0.04, name


def test_a_painting_is_loaded_as_a_picture():
    picture = load_painting("swirls")
    assert picture.shape == (3, 512, 512)
    assert picture.dtype == torch.float32
    assert 0 <= picture.min() < 0.1 < 0.9 < picture.max() <= 1
    assert np.array_equal((picture * 255).round().byte().permute(1, 2, 0).numpy(), shipped("swirls"))


@pytest.mark.parametrize(("wrong", "near"), [("swirl", "swirls"), ("Mosaics", "mosaic"), ("watercolor", "watercolour")])
def test_an_unknown_name_is_answered_with_the_nearest(wrong, near):
    with pytest.raises(ImageError, match=f"no painting '{wrong}'; did you mean '{near}'"):
        load_painting(wrong)
    with pytest.raises(ValueError, match=f"no painting '{wrong}'; did you mean '{near}'"):
        paintings.paint(wrong)


@pytest.mark.parametrize("wrong", ["", "../weights/mini_vgg", "qqq", 3])
def test_a_name_like_no_other_lists_all(wrong):
    with pytest.raises(ImageError, match=f"no painting {re.escape(repr(wrong))}; There are embers, facets"):
        load_painting(wrong)


def test_the_readme_lists_every_painting_with_seed_and_checksum():
    text = data_path("README.md").read_text()
    listed = dict(re.findall(r"\| `paintings/(\w+)\.jpg` \| `([0-9a-f]{64})` \|", text))
    assert listed == {
        name: hashlib.sha256(data_path("paintings", f"{name}.jpg").read_bytes()).hexdigest()
        for name in painting_names()
    }
    rows = re.findall(r"^\| (\w+) \| (\d+) \| .+ \| CC BY 4\.0 \|$", text, re.MULTILINE)
    assert {name: int(seed) for name, seed in rows} == paintings.SEEDS


def test_the_script_writes_one_painting_where_it_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["paintings", "--out", str(tmp_path / "new"), "--only", "facets", "--size", "64"])
    paintings.main()
    (path,) = (tmp_path / "new").iterdir()
    assert (path.name, Image.open(path).size) == ("facets.jpg", (64, 64))
    assert hashlib.sha256(path.read_bytes()).hexdigest() in capsys.readouterr().out


def test_a_size_without_room_for_strokes_is_refused():
    with pytest.raises(ValueError, match="64 or more, got 8"):
        paintings.paint("waves", size=8)


def test_noise_fills_its_range_and_is_smooth():
    field = strokes.noise(256, np.random.default_rng(0), cell=0.5, octaves=1)
    assert (field.min(), field.max()) == (0, 1)
    assert np.abs(np.diff(field, axis=0)).max() < 0.05


def test_a_brush_follows_its_field():
    paths = strokes.follow(np.array([[10.0, 10.0]]), np.full((64, 64), np.pi / 2), steps=5, stride=3)
    assert np.allclose(paths[0], [(10, 10 + 3 * number) for number in range(5)], atol=1e-4)
