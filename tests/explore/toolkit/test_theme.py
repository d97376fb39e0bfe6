"""Drawings for a dark page: paper and ink change places, pictures do not."""

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from cs231n_viz.explore import Explorer
from cs231n_viz.explore.toolkit.canvas import BLUE, INK, PALE, SCALE, Canvas, themed
from cs231n_viz.explore.toolkit.theme import GROUND, is_dark, theme, turned

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize(("light", "dark"), [((255,) * 3, (17,) * 3), ((0,) * 3, (255,) * 3), (BLUE, (89, 195, 255))])
def test_light_and_dark_change_places_and_hues_stay(light, dark):
    # BLUE (0, 114, 178): every band rises by 255 - 178 - 0 = 77, then [0, 255] is squeezed into [17, 255]
    assert turned(Image.new("RGB", (1, 1), light)).getpixel((0, 0)) == dark


def drawn():
    canvas = Canvas(50, 60)
    canvas.put(PHOTO, (5, 5))
    canvas.put(PHOTO, (5, 30), drawn=True)
    canvas.line([(40, 10), (50, 10)], width=4)
    canvas.line([(0, 10), (10, 10)], width=1)  # into the photograph
    return canvas.array


def test_on_a_dark_page_pictures_stay_and_what_is_drawn_is_turned():
    light = drawn()
    assert themed(PALE) == PALE
    with theme(dark=True):
        dark = drawn()
        assert themed(PALE) == (31,) * 3  # 255 - 240 = 15 of 255, squeezed into [17, 255]
    assert not is_dark()
    expected = np.array(turned(Image.fromarray(light)))
    photo = np.s_[10:30, 10:40]
    expected[photo] = light[photo]
    np.testing.assert_array_equal(dark, expected)
    np.testing.assert_array_equal(dark[11:19, 10:40], PHOTO[1:9])
    assert (dark[0, 0] == GROUND).all()
    assert dark[10 * int(SCALE), 45 * int(SCALE)].min() > 200  # ink
    assert light[10 * int(SCALE), 45 * int(SCALE)].tolist() == list(INK)


def test_an_explorer_follows_the_theme_of_its_page_at_once():
    explorer = Explorer(lambda level: Canvas(4, 4 + level).array, {"level": widgets.IntSlider(0, 0, 9)})
    for dark, ground in ((False, 255), (True, GROUND), (False, 255)):
        explorer.bar.dark = dark
        assert (explorer.picture == ground).all()
    explorer.bar.dark = True
    explorer.controls["level"].value = 3
    assert explorer.picture.shape == (8, 14, 3)
    assert (explorer.picture == GROUND).all()
